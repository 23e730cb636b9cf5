"""Supervision by people: urging, supervision orders with a clock of their own, and the written replies."""

from collections.abc import Callable
from typing import Any

import pytest

from domain.people import Actor, Role
from tests.domain import routes as r
from tests.domain.routes import archived, until, working_until
from tests.domain.spec import Story, Wrong, clocks_of, fact, shown
from tests.neighbourhood import HELPER, LEAD, OTHER

FAR_SUPERVISOR = Actor(person="far-supervisor", role=Role.SUPERVISOR, organisation="S02")
DISTRICT_SUPERVISOR = Actor(person="district-supervisor", role=Role.SUPERVISOR)


def at(place: str) -> Callable[[], Story]:
    return lambda: working_until(place)


def ordered(**fields: Any) -> Story:
    return working_until("handling").when(r.SUPERVISE, "supervisor", on="11-23 15:00", **fields).happens()


# --- urging by hand -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "to"),
    [("registered", "C01"), ("whistled", "S01"), ("dispatched", LEAD), ("struck_off", "C01"), ("settled", "C01")],
)
def test_urging_reaches_whoever_the_most_pressing_clock_waits_for(place: str, to: str) -> None:
    working_until(place).when(r.URGE, "supervisor").then(fact("urged", to=to, text="请抓紧办理"), clocks="")


@pytest.mark.parametrize("who", ["supervisor", "dispatcher", "community", DISTRICT_SUPERVISOR])
def test_who_may_urge(who: str | Actor) -> None:
    working_until("handling").when(r.URGE, who, to=HELPER).then(fact("urged", to=HELPER), clocks="")


def test_urging_leaves_every_clock_alone_and_may_be_repeated() -> None:
    before = working_until("handling")
    story = before.when(r.URGE, "supervisor").happens().when(r.URGE, "supervisor").then("urged")
    assert story.state.clocks == before.state.clocks
    assert story.plan.tasks == before.plan.tasks


URGING = [
    *(Wrong(f"not everybody urges ({who})", at("handling"), r.URGE, who, "actor.wrong_role", "actor.role")
      for who in ("worker", "handler", "resident")),
    Wrong("another community does not urge", at("handling"), r.URGE, "far-community", "actor.wrong_organisation",
          "actor.organisation"),
    Wrong("a supervisor of another street does not urge", at("handling"), r.URGE, FAR_SUPERVISOR,
          "actor.wrong_organisation", "actor.organisation"),
    Wrong("nobody is urged who has no part", at("handling"), {**r.URGE, "to": OTHER}, "supervisor",
          "supervise.not_involved", "to", {"organisation": OTHER, "known": "D01、D02、C01、S01"}),
    Wrong("nobody is urged when nothing waits", at("appraised"), r.URGE, "supervisor", "urge.nobody", "to"),
    Wrong("nobody is urged over a sealed dossier", archived, r.URGE, "supervisor", "case.finished"),
]  # fmt: skip


@pytest.mark.parametrize("wrong", URGING, ids=[each.sentence for each in URGING])
def test_urging_refuses(wrong: Wrong) -> None:
    wrong.check()


# --- orders and replies -------------------------------------------------------------------------------------------


def test_a_supervision_order_has_a_clock_of_its_own_and_needs_a_reply() -> None:
    story = working_until("handling").when(r.SUPERVISE, "supervisor", on="11-23 15:00").then(
        fact("supervision_ordered", order=1, to=LEAD, text="请书面说明进展", urging=False, about=None,
             clock_id="reply:D01", reply_by="2026-11-24T10:00:00Z"),
        clocks="+reply:D01", stage="handling",
    )  # fmt: skip
    (task,) = [task for task in story.plan.tasks if task.kind == "reply_supervision"]
    assert (task.id, task.role, task.organisation) == ("reply_supervision:D01#1", "department_handler", LEAD)
    assert (task.opened_at, shown(task.due_at or story.at)) == (story.at, "11-24 18:00")


def test_an_order_may_come_with_a_limit_of_its_own() -> None:
    story = ordered(reply_within="3h")
    assert shown(story.state.clock("reply:D01").due_at) == "11-23 18:00"
    story.by_time("11-23 18:00").then(clocks="/reply:D01:remind ?reply:D01 !reply:D01")


@pytest.mark.parametrize(
    ("to", "who", "role"),
    [(LEAD, "handler", "department_handler"), (LEAD, "department-head", "department_handler"),
     (HELPER, "helper", "department_handler"), ("C01", "community", "community"),
     ("S01", "dispatcher", "street_dispatcher")],
)  # fmt: skip
def test_whoever_has_a_part_is_ordered_and_answers(to: str, who: str, role: str) -> None:
    story = ordered(to=to)
    (task,) = [task for task in story.plan.tasks if task.kind == "reply_supervision"]
    assert (task.role, task.organisation) == (role, to)
    story = story.when(r.ANSWER_ORDER, who).then(
        fact("supervision_replied", order=1, to=to, text="已安排施工"), clocks=f"-reply:{to}", stage="handling"
    )
    assert story.state.order(1).replied_at == story.at
    assert not story.state.open_orders


def test_two_orders_to_one_department_are_answered_one_by_one() -> None:
    story = (
        ordered()
        .when(r.SUPERVISE, "supervisor", on="11-23 16:00", text="另请说明原因")
        .then(fact("supervision_ordered", order=2), clocks="+reply:D01#1")
    )
    assert len({task.id for task in story.plan.tasks}) == len(story.plan.tasks)
    story = story.when(r.ANSWER_ORDER, "handler", order=2).then("supervision_replied", clocks="-reply:D01#1")
    assert [order.number for order in story.state.open_orders] == [1]
    story.when(r.ANSWER_ORDER, "handler", order=1).then("supervision_replied", clocks="-reply:D01")


def test_a_late_reply_is_late_and_still_a_reply() -> None:
    story = ordered().when(r.ANSWER_ORDER, "handler", on="11-24 18:01").then(
        "supervision_ordered", "supervision_replied",
        clocks="/contact:remind /reply:D01:remind ?contact ?reply:D01 !contact !reply:D01 /contact:urge +reply:D01#1"
        " -reply:D01",
    )  # fmt: skip
    assert story.state.clock("reply:D01").light == "red"


def test_an_order_is_answered_while_the_case_stands_still_and_its_clock_does_not_stand() -> None:
    story = ordered().when(r.SUSPEND, "dispatcher").then("suspended", clocks="-contact -handle")
    story.when(r.ANSWER_ORDER, "handler").then("supervision_replied", clocks="-reply:D01")


def test_an_order_is_answered_after_the_work_too() -> None:
    story = working_until("struck_off").when(r.SUPERVISE, "supervisor").happens()
    story.when(r.VERIFY, "checker").happens().when(r.ANSWER_ORDER, "handler").then("supervision_replied")


def test_an_order_that_is_open_at_the_end_ends_with_the_case() -> None:
    story = (
        ordered()
        .when(r.WITHDRAW, "resident")
        .then("withdrawn", clocks="-contact -handle -reply:D01", stage="withdrawn")
    )
    assert story.plan.tasks == ()
    sealed = working_until("appraised").when(r.SUPERVISE, "supervisor").happens().later("8d").happens()
    assert sealed.state.stage == "archived"
    assert "-reply:D01" in clocks_of(sealed.events)


SUPERVISION = [
    *(Wrong(f"only a supervisor orders ({who})", at("handling"), r.SUPERVISE, who, "actor.wrong_role", "actor.role")
      for who in ("dispatcher", "community", "department-head", "resident")),
    Wrong("a supervisor of another street does not order", at("handling"), r.SUPERVISE, FAR_SUPERVISOR,
          "actor.wrong_organisation", "actor.organisation"),
    Wrong("nobody is ordered who has no part", at("handling"), {**r.SUPERVISE, "to": OTHER}, "supervisor",
          "supervise.not_involved", "to", {"organisation": OTHER, "known": "D01、D02、C01、S01"}),
    Wrong("no order without a limit for its reply", lambda: until("handling"), r.SUPERVISE, "supervisor",
          "supervise.no_limit", "reply_within"),
    Wrong("no order with an unreadable limit", at("handling"), {**r.SUPERVISE, "reply_within": "asap"},
          "supervisor", "limit.unreadable", "reply_within", {"value": "asap"}),
    Wrong("nobody answers an order that was not given", ordered, {**r.ANSWER_ORDER, "order": 2}, "handler",
          "supervision.unknown_order", "order", {"order": "2"}),
    Wrong("no order has the number nought", ordered, {**r.ANSWER_ORDER, "order": 0}, "handler", "field.invalid",
          "order"),
    Wrong("nobody answers for another department", ordered, r.ANSWER_ORDER, "helper", "actor.wrong_organisation",
          "actor.organisation", {"expected": LEAD}),
    Wrong("a worker answers for nobody", ordered, r.ANSWER_ORDER, "worker", "actor.wrong_role", "actor.role"),
    Wrong("the supervisor does not answer", ordered, r.ANSWER_ORDER, "supervisor", "actor.wrong_role", "actor.role"),
    Wrong("nobody answers twice", lambda: ordered().when(r.ANSWER_ORDER, "handler").happens(), r.ANSWER_ORDER,
          "department-head", "supervision.replied", "order", {"order": "1"}),
]  # fmt: skip


@pytest.mark.parametrize("wrong", SUPERVISION, ids=[each.sentence for each in SUPERVISION])
def test_supervision_refuses(wrong: Wrong) -> None:
    wrong.check()


def test_a_supervisor_of_all_streets_orders_everywhere() -> None:
    working_until("handling").when(r.SUPERVISE, DISTRICT_SUPERVISOR).then("supervision_ordered")


def test_without_a_limit_in_the_book_an_order_brings_its_own() -> None:
    until("handling").when(r.SUPERVISE, "supervisor", reply_within="1wd").then(
        fact("supervision_ordered", reply_by="2026-11-24T10:00:00Z"), clocks="+reply:D01"
    )
