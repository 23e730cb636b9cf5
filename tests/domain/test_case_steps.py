"""Several results owed one after the other in one case: stop 4wh, penalty 7wd, removal 20wd, under one budget."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from domain.clocks import Clock
from domain.people import RULES_OFFICE
from domain.registry_check import registry_of
from domain.rules import RuleBook
from tests.domain import routes as r
from tests.domain.spec import Story, Wrong, fact, shown, told
from tests.neighbourhood import EXAMPLE_BOOK, LEAD, REGISTRY, WORKING_WORLD, raw_registry

UNLAWFUL = "E0101"
CATEGORIES = [*REGISTRY["categories"], {"code": UNLAWFUL, "name": "私搭乱建", "urgency": "general"}]


def done(step: str) -> Mapping[str, Any]:
    return {**r.PROGRESS, "text": "本步完成", "contacted": False, "step": step}


@cache
def registered() -> Story:
    story = Story(world=WORKING_WORLD).in_world(registry=registry_of(raw_registry(categories=CATEGORIES)))
    return story.when(r.REGISTER, "worker", category=UNLAWFUL).happens()


@cache
def handling() -> Story:
    """The lead works alone; dispatched at 12:03 on Monday."""
    story = registered().when(r.WHISTLE, "community").happens()
    story = story.when(r.DISPATCH, "dispatcher", helpers=[]).happens()
    return story.when(r.ACCEPT, "handler").happens()


def all_done() -> Story:
    story = handling()
    for step in ("stop", "penalty"):
        story = story.when(done(step), "handler").happens()
    return story


def due(story: Story, clock: str) -> str:
    found = story.state.clock(clock)
    assert isinstance(found, Clock)
    return shown(found.due_at)


def dues(story: Story) -> dict[str, str]:
    return {clock.step or clock.id: shown(clock.due_at) for clock in story.state.clocks
            if clock.kind in ("step", "handle")}  # fmt: skip


def test_every_step_has_a_clock_that_starts_with_the_dispatch() -> None:
    story = registered().when(r.WHISTLE, "community").happens()
    story = story.when(r.DISPATCH, "dispatcher", helpers=[]).then(
        "dispatched",
        clocks="-dispatch +sign_for:D01 +contact +handle +step:stop +step:penalty +step:removal",
    )
    assert dues(story) == {
        "handle": "12-21 18:00", "stop": "11-23 18:00", "penalty": "12-02 18:00", "removal": "12-21 18:00",
    }  # fmt: skip


def test_a_report_ends_a_step_and_nothing_else() -> None:
    story = (
        handling()
        .when(done("stop"), "handler", on="11-23 15:00")
        .then(fact("progress_reported", step="stop", contacted=False), clocks="-step:stop", stage="handling")
    )
    assert story.state.steps_done == ("stop",)
    assert story.state.clock("step:stop").light == "green"


def test_steps_may_be_done_in_any_order_and_by_one_report_each() -> None:
    story = handling().when(done("penalty"), "handler").happens().when(done("stop"), "handler").happens()
    assert story.state.steps_done == ("penalty", "stop")


def test_the_last_step_is_the_concluding_claim_s_own() -> None:
    story = (
        all_done()
        .when(r.STRIKE_OFF, "handler")
        .then(fact("struck_off", concluding=True), clocks="-contact -handle -step:removal +verify", stage="struck_off")
    )
    assert not [clock.id for clock in story.state.clocks if clock.kind == "step" and clock.is_running]


def test_each_step_climbs_its_own_ladder() -> None:
    story = handling().when(done("stop"), "handler", on="11-23 15:00").happens().left_alone()
    for step in ("penalty", "removal"):
        climbed = [sign for sign in told(story.events) if f"step:{step}" in sign and sign[0] != "+"]
        assert climbed == [f"/step:{step}:remind", f"?step:{step}", f"!step:{step}", f"/step:{step}:urge",
                           f"/step:{step}:circular"]  # fmt: skip
    assert not [sign for sign in told(story.events) if "step:stop" in sign and sign[0] in "/?!"]
    orders = [order.to for order in story.state.orders if order.about == "step:penalty"]
    assert orders == [LEAD]


def test_return_and_arbitration_leave_the_steps_alone() -> None:
    before = handling()
    story = before.when(r.RETURN, "handler").happens().when(r.NAME_LEAD, "dispatcher", after="2h").happens()
    steps = [clock for clock in before.state.clocks if clock.kind == "step"]
    assert [clock for clock in story.state.clocks if clock.kind == "step"] == steps


def test_rework_lets_the_steps_that_are_owed_run_on_and_no_other() -> None:
    story = all_done().when(r.PROGRESS, "handler").happens().when(r.STRIKE_OFF, "handler", on="12-01 09:00").happens()
    story = story.when(r.FAIL, "checker", on="12-02 09:00").then(
        "verified", "rework_ordered", clocks="/verify:remind -verify ~handle ~step:removal"
    )  # fmt: skip
    assert dues(story) == {
        "handle": "12-22 18:00", "stop": "11-23 18:00", "penalty": "12-02 18:00", "removal": "12-22 18:00",
    }  # fmt: skip
    assert story.state.steps_done == ("stop", "penalty"), "what was stopped stays stopped"
    story.when(r.STRIKE_OFF, "handler").then("struck_off", clocks="-handle -step:removal +verify#1")


def test_a_suspension_lets_every_step_stand() -> None:
    story = (
        handling()
        .when(r.SUSPEND, "dispatcher")
        .then("suspended", clocks="-contact -handle -step:stop -step:penalty -step:removal")
    )
    story = story.when(done("stop"), "handler", on="11-25 09:00").then("progress_reported", clocks="")
    story = story.when(r.RESUME, "dispatcher").then("resumed", clocks="~contact ~handle ~step:penalty ~step:removal")
    assert dues(story) == {
        "handle": "12-22 18:00", "stop": "11-23 18:00", "penalty": "12-03 18:00", "removal": "12-22 18:00",
    }  # fmt: skip


def test_more_time_is_more_time_for_the_last_step() -> None:
    story = (
        handling()
        .when(r.MORE_TIME, "handler")
        .happens()
        .when(r.GRANT, "dispatcher")
        .then("extension_decided", clocks="^handle ^step:removal")
    )
    assert dues(story) == {
        "handle": "12-24 18:00", "stop": "11-23 18:00", "penalty": "12-02 18:00", "removal": "12-24 18:00",
    }  # fmt: skip


def test_a_last_step_that_is_done_needs_no_more_time() -> None:
    story = handling().when(done("removal"), "handler").happens().when(r.MORE_TIME, "handler").happens()
    story.when(r.GRANT, "dispatcher").then("extension_decided", clocks="^handle")


def test_other_rules_move_the_steps_they_speak_of() -> None:
    raw = EXAMPLE_BOOK.model_dump(mode="json") | {"version": "slow"}
    for row in raw["rows"]:
        for step in row["steps"]:
            step["limit"] = {"penalty": "9wd"}.get(step["code"], step["limit"])
    story = handling().when(done("stop"), "handler", on="11-23 15:00").happens()
    story = story.in_world(rule_books={**story.world.rule_books, "slow": RuleBook.model_validate(raw)})
    story = story.when(r.ADOPT, RULES_OFFICE, rules="slow").happens()
    (change,) = story.events[-1].model_dump()["changes"]
    assert change["clock_id"] == "step:penalty"
    assert due(story, "step:penalty") == "12-04 18:00"


def test_a_step_that_rules_ask_for_again_runs_on_with_what_was_left_of_it() -> None:
    raw = EXAMPLE_BOOK.model_dump(mode="json") | {"version": "plain"}
    for row in raw["rows"]:
        row["steps"] = []
    story = handling().in_world(rule_books={**WORKING_WORLD.rule_books, "plain": RuleBook.model_validate(raw)})
    story = story.when(r.SUSPEND, "dispatcher", on="11-24 09:00").happens()
    assert story.state.clock("step:stop").light == "red"
    story = story.when(r.ADOPT, RULES_OFFICE, rules="plain").happens()
    story = story.when(r.RESUME, "dispatcher", on="11-25 09:00").happens()
    assert {clock.id for clock in story.state.clocks if clock.kind in ("step", "handle") and clock.is_running} == {
        "handle"
    }

    before = {clock.id: clock for clock in story.state.clocks}
    story = story.when(r.ADOPT, RULES_OFFICE, rules="example-2", on="11-26 09:00").happens()
    assert [sign for sign in told(story.events) if sign.startswith("~step")] == [
        "~step:stop", "~step:penalty", "~step:removal",
    ]  # fmt: skip
    late = [
        (each.light, each.due_at, each.overdue_at) for each in (before["step:stop"], story.state.clock("step:stop"))
    ]
    assert late[0] == late[1], "late it was and late it stays"
    (pause,) = story.state.clock("step:penalty").pauses
    assert (shown(pause.begin), shown(pause.end)) == ("11-24 09:00", "11-26 09:00")
    assert (due(handling(), "step:penalty"), due(story, "step:penalty")) == ("12-02 18:00", "12-04 18:00")


# --- the first answer of an emergency -----------------------------------------------------------------------------


def emergency() -> Story:
    story = Story(world=WORKING_WORLD).when({**r.REGISTER, "urgency": "emergency"}, "worker").happens()
    story = story.when(r.WHISTLE, "community").happens()
    story = story.when(r.DISPATCH, "dispatcher", helpers=[]).then(
        "dispatched", clocks="-dispatch +sign_for:D01 +contact +handle +step:answer"
    )
    return story.when(r.ACCEPT, "handler").happens()


def test_an_emergency_is_answered_first_and_done_later() -> None:
    story = emergency()
    assert dues(story) == {"handle": "11-24 12:03", "answer": "11-23 14:03"}
    story = story.when({**done("answer"), "contacted": True}, "handler").then(
        "progress_reported", clocks="-contact -step:answer"
    )  # fmt: skip
    story.when(r.STRIKE_OFF, "handler").then("struck_off", clocks="-handle +verify")


def test_more_time_for_an_emergency_does_not_put_off_its_first_answer() -> None:
    story = emergency().when(r.MORE_TIME, "handler", length="12h").happens()
    story = story.when(r.GRANT, "dispatcher").then("extension_decided", clocks="^handle")
    assert dues(story) == {"handle": "11-25 00:03", "answer": "11-23 14:03"}


REFUSALS = [
    Wrong("no step the row does not know", handling, done("blasting"), "handler", "step.unknown", "step",
          {"step": "blasting", "known": "stop、penalty、removal"}),
    Wrong("no step twice", lambda: handling().when(done("stop"), "handler").happens(), done("stop"), "handler",
          "step.done", "step", {"step": "制止"}),
    Wrong("no step before accepting",
          lambda: registered().when(r.WHISTLE, "community").happens().when(r.DISPATCH, "dispatcher").happens(),
          done("stop"), "handler", "task.not_accepted"),
    Wrong("no step by a helper",
          lambda: handling().when(r.ADD_HELPER, "handler", department="D02").happens()
          .when(r.ACCEPT, "helper").happens(), done("stop"), "helper", "step.not_lead", "step",
          {"department": "D02"}),
    Wrong("no conclusion while steps are owed", lambda: handling().when(done("stop"), "handler").happens(),
          r.STRIKE_OFF, "handler", "strike_off.steps_open", None, {"steps": "处罚"}),
    Wrong("no conclusion while all of them are", handling, r.STRIKE_OFF, "handler", "strike_off.steps_open", None,
          {"steps": "制止、处罚"}),
]  # fmt: skip


@pytest.mark.parametrize("wrong", REFUSALS, ids=[each.sentence for each in REFUSALS])
def test_steps_refuse(wrong: Wrong) -> None:
    wrong.check()


def test_a_case_without_steps_knows_none() -> None:
    story = Story(world=WORKING_WORLD)
    for _, who, raw in r.LONG_WAY[:5]:
        story = story.when(raw, who).happens()
    story.when(done("stop"), "handler").then_refused("step.unknown", field="step", known="-")
