"""The wish 微心愿: what happens, what is refused, what time does."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from domain.people import Actor, Role
from domain.process import HandOverResult, Report
from domain.wish import WISH
from tests.domain.routes import WISH_WAY, wish_until
from tests.domain.spec import Story, fact

PUBLISH, CLAIM, FULFIL, THANK = ({**raw} for _, _, raw in WISH_WAY if isinstance(raw, Mapping))
NOBODY = Story(process=WISH)
NEIGHBOUR = Actor(person="resident-2", role=Role.RESIDENT)


def by_the_worker() -> Story:
    return NOBODY.when(PUBLISH, "worker").happens()


def test_a_wish_is_published_claimed_fulfilled_and_thanked_for() -> None:
    story = NOBODY.when(PUBLISH, "resident").then(
        fact("wish_published", community="C01", street="S01", lapses_at="2026-12-07T04:01:00Z"), stage="published"
    )
    story = story.when(CLAIM, "handler").then(
        fact("wish_claimed", lapses_at="2026-12-23T04:02:00Z", promise="本周送到"), stage="claimed"
    )
    story = story.when(FULFIL, "handler").then(
        fact("wish_fulfilled", lapses_at="2026-11-30T04:03:00Z", text="已送到"), stage="done"
    )
    story = story.when(THANK, "resident").then(fact("wish_thanked", word="谢谢"), stage="thanked")
    assert story.plan.finished


@pytest.mark.parametrize(
    ("place", "after", "kind", "stage"),
    [
        ("published", "14d", "wish_lapsed", "lapsed"),
        ("claimed", "30d", "wish_lapsed", "lapsed"),
        ("done", "7d", "wish_closed", "done"),
    ],
)
def test_a_wish_nobody_goes_on_with_ends_by_itself(place: str, after: str, kind: str, stage: str) -> None:
    story = wish_until(place)
    assert story.plan.alarm is not None
    assert (story.plan.alarm - story.at).days == int(after[:-1])
    over = story.later(after).then(kind, stage=stage)
    assert (over.plan.finished, over.plan.alarm, over.plan.tasks) == (True, None, ())
    over.later("1d").then()


class No(NamedTuple):
    """One way of asking wrongly."""

    sentence: str
    story: Callable[[], Story]
    raw: Any
    by: str | Actor
    code: str
    field: str | None = None
    after: str = "1m"


TABLE = [
    No("a department publishes no wish", lambda: NOBODY, PUBLISH, "handler", "actor.wrong_role", "actor.role"),
    No("no wish in a grid nobody knows", lambda: NOBODY, {**PUBLISH, "grid": "G99"}, "worker", "grid.unknown", "grid"),
    No("no wish before there are rules", lambda: NOBODY.in_world(current_rules=None), PUBLISH, "worker", "rules.none"),
    No("no wish is published twice", lambda: wish_until("published"), PUBLISH, "resident", "wish.already_published"),
    No("nobody claims a wish that does not exist", lambda: NOBODY, CLAIM, "worker", "wish.unknown"),
    No("nobody claims one's own wish", lambda: wish_until("published"), CLAIM, "resident", "wish.own",
       "actor.person"),
    No("nobody claims what is claimed", lambda: wish_until("claimed"), CLAIM, "handler", "wish.wrong_stage"),
    No("nobody fulfils what nobody has claimed", lambda: wish_until("published"), FULFIL, "community",
       "wish.wrong_stage"),
    No("nobody fulfils what another has claimed", lambda: wish_until("claimed"), FULFIL, "handler",
       "wish.not_claimer", "actor.person"),
    No("nobody thanks before it has come true", lambda: wish_until("claimed"), THANK, "resident",
       "wish.wrong_stage"),
    No("who fulfilled it does not thank in the wisher's place", lambda: wish_until("done"), THANK, "community",
       "wish.not_wisher", "actor.person"),
    No("another resident does not thank for it", lambda: wish_until("done"), THANK, NEIGHBOUR, "wish.not_wisher",
       "actor.person"),
    No("nobody thanks twice", lambda: wish_until("thanked"), THANK, "resident", "wish.finished"),
    No("nobody claims what has lapsed unseen", lambda: wish_until("published"), CLAIM, "worker", "wish.finished",
       None, "14d"),
    No("no wish with a telephone number", lambda: NOBODY, {**PUBLISH, "text": "请打13800001234"}, "worker",
       "text.not_redacted", "text"),
    No("no command of a case", lambda: wish_until("published"), {"kind": "comment", "text": "好"}, "worker",
       "command.unknown_kind", "kind"),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=[each.sentence for each in TABLE])
def test_refuses(case: No) -> None:
    step = case.story().when(case.raw, case.by, after=case.after)
    if case.field is None:
        step.then_refused(case.code)
    else:
        step.then_refused(case.code, field=case.field)


def test_who_published_for_a_resident_may_claim_and_thank() -> None:
    story = by_the_worker().when(CLAIM, "worker").then("wish_claimed")
    story.when(FULFIL, "worker").then("wish_fulfilled").when(THANK, "worker").then("wish_thanked")


def test_the_resident_a_clerk_published_for_may_thank() -> None:
    story = by_the_worker().when(CLAIM, "handler").happens().when(FULFIL, "handler").happens()
    story.when(THANK, "resident").then("wish_thanked")


def test_a_resident_who_fulfilled_it_does_not_thank_oneself() -> None:
    story = by_the_worker().when(CLAIM, NEIGHBOUR).happens().when(FULFIL, NEIGHBOUR).happens()
    story.when(THANK, NEIGHBOUR).then_refused("wish.not_wisher")


@pytest.mark.parametrize(
    ("place", "kind", "person"),
    [
        ("published", "claim_wish", None),
        ("claimed", "fulfil_wish", "community"),
        ("done", "thank_for_wish", "resident-1"),
    ],
)
def test_who_must_act(place: str, kind: str, person: str | None) -> None:
    (task,) = wish_until(place).plan.tasks
    assert (task.kind, task.person) == (kind, person)
    assert task.due_at == wish_until(place).plan.alarm


def test_wishes_are_never_handed_to_a_department_s_system() -> None:
    story = wish_until("published")
    task = story.plan.tasks[0]
    assert task.queue is None
    assert WISH.answer(story.state, task, Report(result=HandOverResult.HANDLED)) == ()
    assert WISH.hand_over(story.state, task, "wish-1").title == "旧轮椅"


def test_a_wish_in_a_place_without_a_registry_is_known_by_its_grid() -> None:
    story = NOBODY.in_world(registry=None).when(PUBLISH, "worker").happens()
    assert (story.state.grid, story.state.street) == ("G01", None)
