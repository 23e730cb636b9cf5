"""What happens to a case that nobody answers: every rung once and in its order, and what skips one."""

from collections import Counter

import pytest
from pydantic import TypeAdapter

from domain.case.state import Case
from domain.errors import Refused
from domain.ladder import Rung
from domain.parsing import parse
from domain.process import Event
from domain.rules import RuleBook
from tests.domain import routes as r
from tests.domain.routes import disputed, working_until
from tests.domain.spec import Story, fact, given, kind_of, moment, shown, told
from tests.neighbourhood import EXAMPLE_BOOK, HELPER, LEAD, WORKING_WORLD

WHOLE = ["/{}:remind", "?{}", "!{}", "/{}:urge", "/{}:circular", "/{}:interview"]
BESIDE = WHOLE[:-1]
"""Clocks that run beside the budget: one delay raises the level once, not once for each of its clocks."""
LIGHTS = ["/{}:remind", "?{}", "!{}"]
"""Clocks without an urging: receipt, whose silence means yes, and the reply, whose silence brings the circular."""


def climbed(events: tuple[Event, ...], clock: str) -> list[str]:
    """What a clock did, without its start and stop."""
    marks = (f"?{clock}", f"!{clock}", f"/{clock}:", f"(/{clock}:")
    return [sign for sign in told(events) if sign in marks[:2] or sign.startswith(marks[2:])]


def by(clock: str, rungs: list[str]) -> list[str]:
    return [rung.format(clock) for rung in rungs]


def new(story: Story, before: Story) -> tuple[Event, ...]:
    return story.events[len(before.events) :]


def diary(events: tuple[Event, ...]) -> list[str]:
    """All facts in their order, each with its time where that is another than the last one's."""
    lines, last = [], ""
    for event, sign in zip(events, told(events), strict=True):
        at = shown(event.at)
        lines.append(sign if at == last else f"{at} {sign}")
        last = at
    return lines


def returned() -> Story:
    """By the shipped book: the lead gave an accepted case back."""
    return working_until("handling").when(r.RETURN, "handler").happens()


STAGES: list[tuple[str, dict[str, list[str]]]] = [
    ("registered", {"place": WHOLE}),
    ("whistled", {"dispatch": WHOLE}),
    ("dispatched", {"sign_for:D01": LIGHTS, "sign_for:D02": LIGHTS, "contact": BESIDE, "handle": WHOLE}),
    ("handling", {"contact": BESIDE, "handle": WHOLE}),
    ("returned", {"contact": BESIDE, "handle": WHOLE, "dispatch#1": WHOLE}),
    ("struck_off", {"verify": WHOLE}),
    ("verified", {"sign": WHOLE}),
    ("captain signed", {"sign": WHOLE}),
    ("signed", {"feed_back": WHOLE}),
    ("department told", {"feed_back": WHOLE}),
    ("fed_back", {"visit": WHOLE}),
    ("settled", {"appraise": WHOLE}),
    ("lead appraised", {"appraise": WHOLE}),
]


@pytest.mark.parametrize(("place", "clocks"), STAGES, ids=[place for place, _ in STAGES])
def test_every_clock_of_a_stage_climbs_every_rung_once_and_in_order(place: str, clocks: dict[str, list[str]]) -> None:
    before = returned() if place == "returned" else working_until(place)
    assert {clock.id for clock in before.state.clocks if clock.is_running} == set(clocks)
    story = before.left_alone()
    facts = new(story, before)
    for clock, rungs in clocks.items():
        assert climbed(facts, clock) == by(clock, rungs)
    for reply in (clock.id for clock in story.state.clocks if clock.kind == "reply"):
        assert climbed(facts, reply) == by(reply, LIGHTS)
    urged = [clock for clock, rungs in clocks.items() if rungs is not LIGHTS]
    orders = [event.model_dump() for event in facts if kind_of(event) == "supervision_ordered"]
    assert Counter(each["about"] for each in orders) == Counter(urged)
    assert [each["order"] for each in orders] == list(range(1, len(orders) + 1))
    assert story.plan.alarm is None


@pytest.mark.parametrize("place", [place for place, _ in STAGES if place != "returned"])
def test_each_rung_is_reached_at_its_instant(place: str) -> None:
    before = working_until(place)
    stands = {(clock.id, point.code): point.at for clock in before.state.clocks for point in clock.rungs}
    for event in new(before.left_alone(), before):
        if kind_of(event) == "rung_reached":
            body = event.model_dump()
            assert body["stood_at"] == event.at
            assert stands.get((body["clock_id"], body["rung"]), event.at) == event.at


def test_a_general_case_left_alone_from_its_registration() -> None:
    before = working_until("registered")
    assert diary(new(before.left_alone(), before)) == [
        "11-23 16:00 /place:remind",
        "11-23 17:12 ?place",
        "11-23 18:00 !place", "/place:urge", "+reply:C01", "supervision_ordered",
        "11-24 12:00 /reply:C01:remind",
        "11-24 16:24 ?reply:C01",
        "11-24 18:00 !reply:C01",
        "11-30 18:00 /place:circular",
        "12-07 18:00 /place:interview", "level_raised",
    ]  # fmt: skip


def test_a_general_case_left_alone_from_its_dispatch() -> None:
    """Two departments that never sign, a resident nobody calls, a budget that runs out: each on its own ladder."""
    before = working_until("dispatched")
    story = before.left_alone()
    assert diary(new(story, before)) == [
        "11-23 16:00 /sign_for:D01:remind", "/sign_for:D02:remind",
        "11-23 17:12 ?sign_for:D01", "?sign_for:D02",
        "11-23 18:00 !sign_for:D01", "-sign_for:D01", "accepted", "!sign_for:D02", "-sign_for:D02", "accepted",
        "11-24 10:00 /contact:remind",
        "11-24 15:36 ?contact",
        "11-24 18:00 !contact", "/contact:urge", "+reply:D01", "supervision_ordered",
        "11-25 12:00 /reply:D01:remind",
        "11-25 16:24 ?reply:D01",
        "11-25 18:00 !reply:D01",
        "11-26 10:00 /handle:remind",
        "11-27 17:12 ?handle",
        "11-30 18:00 !handle", "/handle:urge", "+reply:D01#1", "supervision_ordered",
        "12-01 12:00 /reply:D01#1:remind",
        "12-01 16:24 ?reply:D01#1",
        "12-01 18:00 !reply:D01#1", "/contact:circular",
        "12-07 18:00 /handle:circular",
        "12-14 18:00 /handle:interview", "level_raised",
    ]  # fmt: skip
    assert (story.state.stage, story.state.level) == ("handling", "street")


def test_a_wake_up_after_thirty_days_fires_everything_once_in_the_right_order() -> None:
    before = working_until("registered")
    late = before.later("30d").happens()
    facts = new(late, before)
    assert told(facts) == [
        "/place:remind", "?place", "!place", "/place:urge", "+reply:C01", "supervision_ordered",
        "/place:circular", "/place:interview", "level_raised",
    ]  # fmt: skip
    stood = [shown(event.model_dump()["stood_at"]) for event in facts if kind_of(event) == "rung_reached"]
    assert stood == ["11-23 16:00", "11-23 18:00", "11-30 18:00", "12-07 18:00"]
    assert {event.at for event in facts} == {late.at}
    reply = late.state.clock("reply:C01")
    assert reply.started_at == late.at, "nobody owes a reply to what was never sent"
    late.later("1m").then(clocks="")


def test_a_late_wake_up_keeps_the_order_in_which_two_clocks_became_true() -> None:
    before = working_until("handling")
    late = before.later("60d").happens()
    calm = before.left_alone()
    ladder = [sign for sign in told(new(calm, before)) if "reply" not in sign]
    assert [sign for sign in told(new(late, before)) if "reply" not in sign] == ladder
    assert (late.state.level, calm.state.level) == ("street", "street")


def test_a_rung_that_was_reached_never_comes_again() -> None:
    story = working_until("handling").by_time("11-26 10:00").happens()
    assert story.state.clock("handle").reached == ("remind",)
    for raw in (r.SUSPEND, r.RESUME):
        story = story.when(raw, "dispatcher", after="2d").happens()
    story = story.when(r.MORE_TIME, "handler").happens().when(r.GRANT, "dispatcher").happens()
    story = story.left_alone()
    assert climbed(story.events, "handle") == by("handle", WHOLE)


def test_a_pause_after_the_due_moves_what_is_left_of_the_ladder() -> None:
    story = working_until("helper struck off").by_time("11-30 18:00").happens()
    assert {point.code: shown(point.at) for point in story.state.clock("handle").rungs} == {
        "circular": "12-07 18:00", "interview": "12-14 18:00",
    }  # fmt: skip
    story = story.when(r.STRIKE_OFF, "handler", on="12-01 09:00").happens()
    story = story.when(r.FAIL, "checker", on="12-03 09:00").happens()
    budget = story.state.clock("handle")
    assert (shown(budget.due_at), budget.light) == ("11-30 18:00", "red")
    assert {point.code: shown(point.at) for point in budget.rungs} == {
        "circular": "12-09 18:00", "interview": "12-16 18:00",
    }  # fmt: skip


# --- the written urging -------------------------------------------------------------------------------------------


def urged() -> Story:
    """The contact clock has run out and the lead has been urged in writing."""
    return working_until("handling").by_time("11-24 18:00").happens()


def test_the_due_urges_in_writing_and_wants_an_answer() -> None:
    working_until("handling").by_time("11-24 18:00").then(
        fact("supervision_ordered", order=1, to=LEAD, urging=True, about="contact", clock_id="reply:D01",
             text="催办通知书", reply_by="2026-11-25T10:00:00Z"),
        clocks="/contact:remind ?contact !contact /contact:urge +reply:D01",
    )  # fmt: skip
    (task,) = [task for task in urged().plan.tasks if task.kind == "reply_supervision"]
    assert (task.role, task.organisation, shown(task.due_at or task.opened_at)) == (
        "department_handler", LEAD, "11-25 18:00",
    )  # fmt: skip


def test_whoever_answers_the_urging_is_not_named_in_a_circular() -> None:
    story = (
        urged()
        .when(r.ANSWER_ORDER, "handler", on="11-25 09:00")
        .then(fact("supervision_replied", order=1, to=LEAD), clocks="-reply:D01")
    )
    story = story.left_alone()
    assert climbed(story.events, "contact") == [*by("contact", WHOLE[:4]), "(/contact:circular)"]
    skipped = [event.model_dump() for event in story.events if getattr(event, "skipped", False)]
    assert [(each["clock_id"], each["rung"], each["note"], each["told"]) for each in skipped] == [
        ("contact", "circular", "replied", ())
    ], "the budget has its own urging, which nobody has answered"


def test_a_late_answer_is_no_answer_to_the_circular_that_has_gone_out() -> None:
    story = urged().by_time("12-01 18:00").happens().when(r.ANSWER_ORDER, "handler").then("supervision_replied")
    assert "/contact:circular" in told(story.events)


def test_what_is_done_is_urged_no_more() -> None:
    story = urged().when(r.PROGRESS, "handler", on="11-25 09:00").then("progress_reported", clocks="-contact")
    assert climbed(story.left_alone().events, "contact") == by("contact", WHOLE[:4])


@pytest.mark.parametrize(
    ("place", "about", "to"),
    [
        ("registered", "place", "C01"), ("whistled", "dispatch", "S01"), ("handling", "handle", LEAD),
        ("struck_off", "verify", "C01"), ("verified", "sign", "C01"), ("signed", "feed_back", "C01"),
        ("fed_back", "visit", "C01"), ("settled", "appraise", "C01"),
    ],
)  # fmt: skip
def test_who_is_urged(place: str, about: str, to: str) -> None:
    story = working_until(place).left_alone(days=30)
    orders = {order.about: order.to for order in story.state.orders}
    assert orders[about] == to


def test_a_case_that_lies_nowhere_urges_its_street() -> None:
    story = Story(world=WORKING_WORLD).when(r.UNPLACED, "hotline").happens().left_alone(days=3)
    assert [order.to for order in story.state.orders] == ["S01"]


def test_an_unsigned_task_is_received_at_the_end_of_its_window() -> None:
    story = (
        working_until("dispatched")
        .by_time("11-23 18:00")
        .then(
            fact("accepted", department=LEAD, lead=True, deemed=True, since="2026-11-23T10:00:00Z"),
            fact("accepted", department=HELPER, lead=False, deemed=True),
            clocks="/sign_for:D01:remind /sign_for:D02:remind ?sign_for:D01 ?sign_for:D02 !sign_for:D01 -sign_for:D01"
            " !sign_for:D02 -sign_for:D02",
            stage="handling",
        )
    )
    assert story.state.first_acceptor == LEAD
    assert story.state.handlers == (), "nobody has touched it"
    assert story.state.was_overdue
    story.when(r.ACCEPT, "handler").then_refused("task.already_accepted")
    story.when(r.PROGRESS, "handler").then("progress_reported")


def test_silence_of_a_helper_does_not_make_the_case_handled() -> None:
    story = working_until("whistled").when(r.DISPATCH, "dispatcher", on="11-23 12:03").happens()
    story = (
        story.when(r.RETURN, "handler")
        .happens()
        .by_time("11-23 18:00")
        .then(fact("accepted", department=HELPER, deemed=True), stage="returned")
    )
    assert story.state.first_acceptor is None


# --- level up -----------------------------------------------------------------------------------------------------


def test_the_interview_raises_the_level_step_by_step_and_no_further_than_the_district() -> None:
    story = Story(world=WORKING_WORLD).when(r.REGISTER, "worker", category="K01").happens()
    levels = [story.state.level]
    for _ in range(2):
        story = story.left_alone()
        levels.append(story.state.level)
        for raw, who in ((r.ON_THE_SPOT, "worker"), (r.UNHAPPY, "worker")):
            story = story.when(raw, who).happens()
    story = story.left_alone()
    levels.append(story.state.level)
    assert levels == ["grid", "community", "street", "district"]
    for raw, who in ((r.ON_THE_SPOT, "worker"), (r.UNHAPPY, "worker")):
        story = story.when(raw, who).happens()
    top = story.left_alone()
    assert "/place#3:interview" in told(top.events)
    assert top.state.level == "district"
    assert Counter(top.kinds)["level_raised"] == 3


def test_a_case_that_is_whistled_for_is_at_least_the_community_s() -> None:
    story = Story(world=WORKING_WORLD).when(r.REGISTER, "worker", category="K01").happens()
    assert story.state.level == "grid"
    assert story.when(r.WHISTLE, "community").happens().state.level == "community"


# --- ladders of other offices -------------------------------------------------------------------------------------


def ladder(*rungs: dict[str, object]) -> Story:
    """A registered case under the shipped limits and another ladder."""
    book = RuleBook.model_validate({**EXAMPLE_BOOK.model_dump(mode="json"), "version": "own", "ladder": list(rungs)})
    story = given().in_world(rule_books={"own": book}, current_rules="own")
    return story.when(r.REGISTER, "worker").happens()


def test_a_ladder_may_count_in_any_unit_and_stand_on_some_clocks_only() -> None:
    story = ladder(
        {"code": "early", "name": "早提醒", "at": "10%", "action": "remind", "to": ["head"]},
        {"code": "night", "name": "夜间通报", "at": "due+90m", "action": "circular", "clocks": ["place"]},
        {"code": "far", "name": "约谈", "at": "due+4wh", "action": "interview", "clocks": ["place", "reply"]},
        {"code": "other", "name": "他钟", "at": "due", "action": "urge", "clocks": ["handle"]},
    )
    assert diary(new(story.left_alone(), story)) == [
        "11-23 14:24 /place:early",
        "11-23 18:00 ?place", "!place",
        "11-23 19:30 /place:night",
        "11-24 12:00 /place:far",
    ]  # fmt: skip


def test_rungs_at_one_instant_are_reached_in_the_order_of_the_book() -> None:
    story = ladder(
        {"code": "b", "name": "乙", "at": "due", "action": "circular"},
        {"code": "a", "name": "甲", "at": "due", "action": "remind", "level_up": True},
        {"code": "yellow", "name": "黄灯", "at": "50%", "action": "yellow"},
        {"code": "early", "name": "早", "at": "50%", "action": "remind"},
    )
    assert diary(new(story.left_alone(), story)) == [
        "11-23 16:00 /place:early", "?place",
        "11-23 18:00 !place", "/place:b", "/place:a", "level_raised",
    ]  # fmt: skip


def test_lights_tell_whom_their_rungs_name_and_nobody_without_one() -> None:
    story = ladder(
        {"code": "yellow", "name": "黄灯", "at": "80%", "action": "yellow", "to": ["handler", "head"]},
        {"code": "soon", "name": "橙灯", "at": "90%", "action": "yellow", "to": ["head", "supervisor"]},
    )
    story = story.left_alone()
    lights = {kind_of(event): event.model_dump()["told"] for event in story.events if "told" in event.model_dump()}
    assert lights == {"clock_warned": ("handler", "head", "supervisor"), "clock_expired": ()}


def test_an_urging_without_a_limit_for_the_reply_waits_without_a_clock() -> None:
    rows = [{**row.model_dump(mode="json"), "limits": {"place": "4wh"}, "extension": None} for row in EXAMPLE_BOOK.rows]
    book = RuleBook.model_validate({**EXAMPLE_BOOK.model_dump(mode="json"), "version": "own", "rows": rows})
    story = given().in_world(rule_books={"own": book}, current_rules="own").when(r.REGISTER, "worker").happens()
    story = story.by_time("11-23 18:00").then(
        fact("supervision_ordered", clock_id=None, reply_by=None), clocks="/place:remind ?place !place /place:urge"
    )
    story.when(r.ANSWER_ORDER, "community").then("supervision_replied", clocks="")


def test_the_shipped_ladder_is_the_one_of_the_domain() -> None:
    assert [(rung.code, rung.at, rung.action.value) for rung in EXAMPLE_BOOK.ladder] == [
        ("remind", "50%", "remind"), ("yellow", "80%", "yellow"), ("red", "due", "red"), ("urge", "due", "urge"),
        ("circular", "due+5wd", "circular"), ("interview", "due+10wd", "interview"),
    ]  # fmt: skip
    assert [rung.code for rung in EXAMPLE_BOOK.ladder if rung.level_up] == ["interview"]
    assert [rung.code for rung in EXAMPLE_BOOK.ladder if rung.unless_replied] == ["circular"]


@pytest.mark.parametrize(
    ("rung", "code"),
    [
        ({"at": "tomorrow"}, "ladder.unreadable"),
        ({"at": "0%"}, "ladder.unreadable"),
        ({"at": "100%"}, "ladder.unreadable"),
        ({"at": "due+soon"}, "limit.unreadable"),
        ({"at": "due", "action": "yellow"}, "ladder.misplaced"),
        ({"at": "50%", "action": "red"}, "ladder.misplaced"),
        ({"at": "due+1d", "action": "red"}, "ladder.misplaced"),
    ],
)
def test_a_rung_that_cannot_be_read(rung: dict[str, str], code: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(TypeAdapter(Rung), {"code": "x", "name": "某级", "action": "remind", **rung})
    assert refused.value.code == code


def test_the_street_s_clock_after_a_return_climbs_too() -> None:
    story = disputed().left_alone()
    state: Case = story.state
    assert "!dispatch#1" in told(story.events)
    assert moment("11-24 12:06") == state.clock("dispatch#1").due_at  # type: ignore[union-attr]
