"""What somebody tried who wanted more time for free, or less lateness on paper, or picked the worst moment for it."""

import json
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.case import CASE
from domain.case import events as e
from domain.case.deadlines import ClockStory, DeadlineSheet
from domain.case.explain import explain
from domain.clocks import Clock, again
from domain.people import RULES_OFFICE, SYSTEM
from domain.process import TimePasses, World
from domain.rules import RuleBook
from tests.domain import routes as r
from tests.domain.crowd import CASE_WORLD
from tests.domain.routes import LONG_WAY, until, working_until
from tests.domain.spec import Story, fact, fold, shown, told
from tests.neighbourhood import ACTORS, CALENDAR, EXAMPLE_BOOK, LEAD, NATURAL_BOOK, OTHER, WORKING_WORLD

UNLAWFUL = {**r.REGISTER, "category": "E0101"}
TO_UNLAWFUL = {"kind": "correct", "reason": "实为违建", "category": "E0101"}
TO_ORDINARY = {"kind": "correct", "reason": "并非违建", "category": "K02"}


def book(version: str, **changes: Any) -> RuleBook:
    """The shipped book with other values."""
    return RuleBook.model_validate({**EXAMPLE_BOOK.model_dump(mode="json"), "version": version, **changes})


WORLD = replace(WORKING_WORLD, registry=CASE_WORLD.registry)
"""The neighbourhood by the shipped rules, with the category that owes its results in steps."""


def rows(**changes: Any) -> list[dict[str, Any]]:
    """The rows of the shipped book, each with the same changes."""
    return [{**row, **changes} for row in EXAMPLE_BOOK.model_dump(mode="json")["rows"]]


def ruled(rules: RuleBook, *, story: Story | None = None) -> Story:
    """The story (default: nothing yet) in a world that knows these rules, and opens new cases by them."""
    story = story or Story(world=WORLD)
    return story.in_world(rule_books={**story.world.rule_books, rules.version: rules}, current_rules=rules.version)


def handling(raw: Any = r.REGISTER, story: Story | None = None) -> Story:
    """A case that its one department has signed for, by the shipped rules unless the story has others."""
    story = story or Story(world=WORLD)
    for who, command in (("worker", raw), ("community", r.WHISTLE), ("dispatcher", {**r.DISPATCH, "helpers": []})):
        story = story.when(command, who).happens()
    return story.when(r.ACCEPT, "handler").happens()


def done(step: str) -> dict[str, Any]:
    return {**r.PROGRESS, "step": step, "contacted": False}


def clock(story: Story, name: str) -> Clock:
    found = story.state.clock(name)
    assert isinstance(found, Clock)
    return found


def sheet_of(story: Story) -> DeadlineSheet:
    facts: Any = story.events
    last = max(event.at for event in story.events)
    return explain(facts, at=max(story.at, last), calendars=story.world.calendars)


def sheet(story: Story, name: str) -> ClockStory:
    found = sheet_of(story)
    assert all(each.agrees for each in found.clocks)
    return next(each for each in found.clocks if each.id == name)


def since(before: Story, after: Story) -> list[str]:
    return told(after.events[len(before.events) :])


# --- the category turns out to be another one -------------------------------------------------------------------------


def test_a_case_that_turns_out_to_owe_steps_has_their_clocks_from_then_on() -> None:
    story = handling().when(TO_UNLAWFUL, "community", on="11-23 15:00").then(
        "corrected", clocks="+step:stop +step:penalty +step:removal"
    )  # fmt: skip
    assert shown(clock(story, "step:stop").due_at) == "11-24 09:00"
    assert shown(clock(story, "handle").due_at) == "11-30 18:00", "what runs already is left alone"
    assert sheet(story, "step:stop").started.kind == "corrected"
    later = story.by_time("11-24 09:00").happens()
    assert clock(later, "step:stop").light == "red", "no step is for free"


def test_a_step_that_nobody_owes_any_more_cannot_become_late() -> None:
    before = handling(UNLAWFUL)
    story = before.when(TO_ORDINARY, "community").then("corrected", clocks="-step:stop -step:penalty -step:removal")
    assert sheet(story, "step:stop").finished.kind == "corrected"  # type: ignore[union-attr]
    late = story.left_alone(days=60)
    assert not [sign for sign in since(story, late) if "step" in sign]
    story.when(r.STRIKE_OFF, "handler").then("struck_off", clocks="-contact -handle +verify")


def test_a_correction_to_and_fro_refills_no_step() -> None:
    story = handling(UNLAWFUL).when(TO_ORDINARY, "community", on="11-23 15:00").happens()
    story = story.when(TO_UNLAWFUL, "community", on="11-23 16:00").then(
        "corrected", clocks="~step:stop ~step:penalty ~step:removal"
    )  # fmt: skip
    assert shown(clock(story, "step:stop").due_at) == "11-24 09:00", "one working hour without it, and no more"


def test_a_correction_during_a_suspension_starts_and_ends_steps_when_the_case_moves_again() -> None:
    story = handling().when(r.SUSPEND, "dispatcher", on="11-23 14:30").happens()
    story = story.when(TO_UNLAWFUL, "community").then("corrected", clocks="")
    story = story.when(r.RESUME, "dispatcher", on="11-25 09:00").then(
        "resumed", clocks="~contact ~handle +step:stop +step:penalty +step:removal"
    )  # fmt: skip
    assert shown(clock(story, "step:stop").due_at) == "11-25 15:00"

    story = handling(UNLAWFUL).when(r.SUSPEND, "dispatcher", on="11-23 14:30").happens()
    story = story.when(TO_ORDINARY, "community").then("corrected", clocks="")
    story.when(r.RESUME, "dispatcher", on="11-25 09:00").then("resumed", clocks="~contact ~handle")


def test_steps_that_new_rules_bring_run_from_their_adoption() -> None:
    steps = [{"code": "plan", "name": "方案", "limit": "1wd"}]
    story = ruled(book("steps", rows=rows(steps=steps)), story=handling())
    story = story.when(r.ADOPT, RULES_OFFICE, rules="steps", on="11-23 15:00").then(
        "rules_adopted", clocks="+step:plan"
    )
    assert shown(clock(story, "step:plan").due_at) == "11-24 18:00"
    assert sheet(story, "step:plan").started.kind == "rules_adopted"


def test_a_step_that_new_rules_do_not_know_keeps_its_clock_and_can_still_be_reported() -> None:
    story = ruled(book("plain", rows=rows(steps=[])), story=handling(UNLAWFUL))
    story = story.when(r.ADOPT, RULES_OFFICE, rules="plain").then("rules_adopted", clocks="")
    story.when(done("stop"), "handler").then("progress_reported", clocks="-step:stop")
    story.when(done("blasting"), "handler").then_refused("step.unknown", field="step")
    story.when(r.STRIKE_OFF, "handler").then("struck_off", clocks="-contact -handle -step:stop -step:penalty"
                                             " -step:removal +verify")  # fmt: skip


def test_a_first_answer_that_came_with_the_result_is_not_asked_for_again_by_rework() -> None:
    story = handling({**r.REGISTER, "urgency": "emergency"})
    story = story.when(r.STRIKE_OFF, "handler").then(
        fact("struck_off", step="answer"), clocks="-contact -handle -step:answer +verify"
    )
    story = story.when(r.FAIL, "checker").then("verified", "rework_ordered", clocks="-verify ~handle")
    story.when(done("answer"), "handler").then_refused("step.done")


# --- silence, and who notices it late ---------------------------------------------------------------------------------


def test_silence_is_receipt_at_the_end_of_the_window_however_late_it_is_noticed() -> None:
    in_time = working_until("dispatched").by_time("11-23 18:00").happens()
    late = working_until("dispatched").later("30d").happens()
    for name in ("sign_for:D01", "sign_for:D02"):
        assert clock(late, name).stopped_at == clock(in_time, name).stopped_at == clock(late, name).due_at
        story = sheet(late, name)
        assert (story.used, story.over, story.overtime_permille) == (4 * 3600, 0, 0), "our outage is not their delay"
    assert late.state.assignment(LEAD).accepted_at == in_time.state.assignment(LEAD).accepted_at


def test_a_suspension_takes_nobody_the_right_to_return() -> None:
    story = working_until("handling").when(r.SUSPEND, "dispatcher", on="11-23 14:00").happens()
    story.when(r.RETURN, "handler").then_refused("case.suspended")
    story = story.when(r.RESUME, "dispatcher", on="11-25 10:00").happens()
    assert shown(story.state.assignment(LEAD).return_until) == "11-24 18:00", "as it was told"
    story.when(r.RETURN, "handler", on="11-25 17:59").then("task_returned")
    assert replace(story, world=World()).when(r.RETURN, "handler", on="11-25 17:59").events(), "nor does the dry run"
    story.when(r.RETURN, "handler", on="11-25 18:01").then_refused("return.too_late", until="2026-11-25T10:00:00+00:00")


def test_nor_does_the_shelf_and_a_pause_before_the_dispatch_or_after_the_window_gives_nothing() -> None:
    story = working_until("handling").when(r.SHELVE, "dispatcher", on="11-23 14:00").happens()
    story = story.when(r.UNSHELVE, "dispatcher", on="11-25 10:00").happens()
    story.when(r.RETURN, "handler", on="11-25 17:00").then("task_returned")
    story = working_until("handling").when(r.SUSPEND, "dispatcher", on="11-25 09:00").happens()
    story = story.when(r.RESUME, "dispatcher", on="11-26 09:00").happens()
    story.when(r.RETURN, "handler").then_refused("return.too_late", until="2026-11-24T10:00:00+00:00")


def test_time_the_work_was_checked_is_no_time_to_return_it() -> None:
    story = handling().when(r.STRIKE_OFF, "handler").happens().when(r.FAIL, "checker", on="11-25 10:00").happens()
    story.when(r.RETURN, "handler", on="11-25 10:30").then_refused("return.too_late")


# --- time itself is never refused -------------------------------------------------------------------------------------


def everywhere(**change: Any) -> list[dict[str, Any]]:
    return [{**row, "limits": {**row["limits"], **change}} for row in EXAMPLE_BOOK.model_dump(mode="json")["rows"]]


def test_an_urging_whose_reply_no_calendar_can_count_goes_out_all_the_same() -> None:
    story = handling(story=ruled(book("far", rows=everywhere(reply="9999wd"))))
    story = story.by_time("11-30 18:00").happens()
    assert [(order.urging, order.clock_id) for order in story.state.orders] == [(True, None), (True, None)]
    assert clock(story, "handle").light == "red"
    story.when(r.SUPERVISE, "supervisor").then_refused("calendar.too_far")
    story.when(r.STRIKE_OFF, "handler").then("struck_off")


def test_an_urging_that_is_not_answered_is_not_urged_in_its_turn() -> None:
    ladder = [{**rung, "clocks": []} for rung in EXAMPLE_BOOK.model_dump(mode="json")["ladder"]]
    story = handling(story=ruled(book("all", ladder=ladder)))
    story = story.when(r.SUPERVISE, "supervisor").happens().left_alone()
    assert [(order.urging, order.about) for order in story.state.orders] == [
        (False, None), (True, "contact"), (True, "reply:D01"), (True, "handle")
    ]  # fmt: skip
    signs = told(story.events)
    assert "/reply:D01:urge" in signs
    assert {"(/reply:D01#1:urge)", "(/reply:D01#2:urge)", "(/reply:D01#3:urge)"} <= set(signs)


def test_a_ladder_of_more_than_a_hundred_rungs_is_climbed_to_its_end() -> None:
    ladder = [{"code": f"r{n:03}", "name": "提醒", "at": "50%", "action": "remind"} for n in range(120)]
    story = handling(story=ruled(book("many", ladder=ladder))).left_alone(days=4)
    assert list(clock(story, "handle").reached) == [f"r{n:03}" for n in range(120)]


# --- the clocks of servers jump back ----------------------------------------------------------------------------------


def test_a_clock_that_jumps_back_gives_no_time_to_stand_still() -> None:
    story = handling().when(r.SUSPEND, "dispatcher", on="11-24 12:00").happens()
    story = replace(story, at=story.at - timedelta(days=10))
    story = story.when(r.RESUME, "dispatcher", after=None).happens()
    until_ = {"until": (story.at + timedelta(days=15, seconds=1)).isoformat()}
    story.when({**r.SUSPEND, **until_}, "dispatcher", after=None).then_refused("suspend.too_long")
    story = story.when(r.RETURN, "handler", after=None).happens()
    assert all(held.used >= 0 for held in sheet(story, "handle").holders)


# --- cases of the first release ---------------------------------------------------------------------------------------

_HISTORIES = Path(__file__).parents[1] / "histories"
FIRST_RELEASE = (
    "continued_first_run", "handled_by_a_system", "helpers_and_return", "ledger_away", "ledger_shut_for_a_while",
    "on_the_spot_archived", "overdue_rework_reopened", "plain_loop_archived", "system_fell_back",
)  # fmt: skip
OLD_BOOK = RuleBook.model_validate(
    {**NATURAL_BOOK.model_dump(mode="json", exclude={"ladder"}), "version": "example-1", "warn_percent": 80}
)


def payloads(value: Any) -> Iterator[Any]:
    """Everything a recorded history carries, as JSON."""
    if isinstance(value, dict) and isinstance(value.get("data"), str) and "metadata" in value:
        yield json.loads(b64decode(value["data"]))
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from payloads(each)


def old_facts(name: str) -> list[dict[str, Any]]:
    """The facts as the first release recorded them."""
    history = json.loads((_HISTORIES / f"{name}.json").read_text(encoding="utf-8"))
    found = [each for each in payloads(history) if isinstance(each, dict) and {"events", "seq", "hash"} <= each.keys()]
    return [event for outcome in found for event in outcome["events"]]


def old(name: str, count: int | None = None) -> Story:
    """A case of the first release that comes to the present one after ``count`` facts."""
    facts = old_facts(name)[:count]
    world = replace(WORKING_WORLD, rule_books={**WORKING_WORLD.rule_books, "example-1": OLD_BOOK})
    events = tuple(CASE.read_event(each) for each in facts)
    return Story(events=events, at=events[-1].at, world=world)


@pytest.mark.parametrize("name", FIRST_RELEASE)
def test_time_goes_on_for_a_case_of_the_first_release_wherever_it_stands(name: str) -> None:
    facts = old_facts(name)
    assert "warn_percent" in facts[0]["rules"]
    assert "calendar" not in facts[0]["rules"]
    for count in range(1, len(facts) + 1):
        story = old(name, count)
        for each in story.state.clocks:
            found = again(each, CALENDAR, OLD_BOOK.ladder)
            assert (found.due_at, found.warn_at) == (each.due_at, each.warn_at), "as the first release reckoned it"
        assert all(each.agrees for each in sheet_of(story).clocks)
        for world in (story.world, replace(story.world, calendars={}, current_calendar=None), World()):
            for after in (timedelta(0), timedelta(days=1), timedelta(days=400)):
                new = CASE.decide(story.state, TimePasses(), SYSTEM, story.at + after, world)
                alarm = CASE.plan(fold(CASE, (*story.events, *new)), world).alarm
                assert alarm is None or alarm > story.at + after


def test_a_return_of_the_first_release_is_arbitrated_by_the_present_one() -> None:
    facts = old_facts("helpers_and_return")
    count = next(n for n, event in enumerate(facts, 1) if event["kind"] == "task_returned")
    while facts[count]["kind"] == "clock_started":
        count += 1
    story = old("helpers_and_return", count)
    assert story.state.stage == "returned"
    (returned,) = [event for event in story.events if isinstance(event, e.TaskReturned)]
    forced = {**r.FORCE, "lead": returned.department}
    actor = ACTORS["dispatcher"].model_copy(update={"organisation": story.state.place.street})
    arbitrated = [each for each in story.when(forced, actor).events() if isinstance(each, e.Arbitrated)]
    assert [(each.charged_to, each.charged_from) for each in arbitrated] == [(returned.department, returned.at)]

    # A run that was continued by the first release carries its state in the form of that release.
    snapshot = CASE.state.dump_python(story.state, mode="json")
    for name in ("returns", "to_arbitration", "first_acceptor"):
        del snapshot[name]
    state = CASE.read_state(snapshot)
    command = CASE.command.validate_python(forced)
    for world in (story.world, World()):
        assert CASE.decide(state, command, actor, story.at + timedelta(minutes=1), world)


def test_an_old_suspension_of_work_while_it_was_checked_counts_as_a_pause() -> None:
    facts = old_facts("overdue_rework_reopened")
    resumed = [n for n, event in enumerate(facts, 1) if event["kind"] == "clock_resumed"]
    story = old("overdue_rework_reopened", resumed[0])
    budget = clock(story, "handle")
    assert len(budget.pauses) == 1
    stopped = datetime.fromisoformat(next(each["at"] for each in facts if each["kind"] == "clock_stopped"
                                          and each["clock_id"] == "handle"))  # fmt: skip
    assert budget.pauses[0].begin == stopped


# --- ping-pong, and other ways of beginning again ---------------------------------------------------------------------


def test_no_way_of_beginning_again_moves_the_end_of_the_budget() -> None:
    before = clock(working_until("helper accepted"), "handle").due_at
    story = working_until("helper accepted").when(r.RETURN, "handler", on="11-23 14:30").happens()
    story = story.when(r.DISPATCH, "dispatcher", lead=OTHER).happens()
    story = story.when(r.ACCEPT, "other").happens().when(r.RETURN, "other", proposed=LEAD).happens()
    story = story.when(r.TAKE_OVER, "dispatcher").happens().when(r.ACCEPT, "dispatcher").happens()
    story.when({**r.RETURN, "proposed": OTHER}, "dispatcher").then_refused("return.final")
    story = story.in_world(registry=WORLD.registry).when(TO_UNLAWFUL, "dispatcher").happens()
    assert clock(story, "handle").due_at == before


def test_an_extension_that_is_pending_is_void_with_the_return_and_cannot_be_granted_to_the_next_lead() -> None:
    story = working_until("handling").when(r.MORE_TIME, "handler").happens().when(r.RETURN, "handler").happens()
    story.when(r.GRANT, "dispatcher").then_refused("extension.not_requested")
    story = story.when(r.NAME_LEAD, "dispatcher").happens()
    story.when(r.GRANT, "dispatcher").then_refused("extension.not_requested")


def test_a_rule_change_between_an_alarm_and_its_act_finds_the_alarm_done() -> None:
    laxer = [{**row, "extension": None} for row in everywhere(handle="9wd")]
    story = ruled(book("laxer", rows=laxer), story=working_until("handling"))
    story = story.when(r.ADOPT, RULES_OFFICE, rules="laxer", on="11-30 18:00").happens()
    assert clock(story, "handle").light == "red"
    assert shown(clock(story, "handle").due_at) == "11-30 18:00", "nobody is on time again by a change of rules"


def test_every_route_survives_a_worker_that_was_down_for_a_month() -> None:
    for place, _, _ in LONG_WAY:
        for story in (until(place), working_until(place)):
            at_once = story.later("30d").happens()
            step_by_step = story.left_alone(days=30)
            rest = replace(step_by_step, at=story.at).later("30d")
            assert rest.events() == (), "nothing is left over"
            kinds = sorted(since(story, at_once)), sorted(since(story, step_by_step))
            # Replies to urgings are counted from when they went out, which was late.
            assert [[sign for sign in each if "reply" not in sign] for each in kinds[:1]] == [
                [sign for sign in kinds[1] if "reply" not in sign]
            ]
