"""The wish 微心愿: published, claimed by somebody who fulfils it, thanked for; or lapsed by a timer.

A small process on the same shell as the case; it has no departments, no sanctions and no signatures.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from domain.base import Frozen, Recalled
from domain.errors import Refused
from domain.limits import Instant
from domain.people import SYSTEM, Actor, Role, in_role
from domain.process import Attributes, Event, HandOver, Json, Plan, Process, Report, Task, TimePasses, World
from domain.rules import WishRules
from domain.text import Code, Line, Text
from domain.zone import office_day


class Stage(StrEnum):
    """The stages of a wish."""

    PUBLISHED = "published"
    CLAIMED = "claimed"
    DONE = "done"
    THANKED = "thanked"
    LAPSED = "lapsed"


STAGE_NAMES: dict[Stage, tuple[str, str]] = {
    Stage.PUBLISHED: ("已发布", "published"),
    Stage.CLAIMED: ("已认领", "claimed"),
    Stage.DONE: ("已实现", "done"),
    Stage.THANKED: ("已致谢", "thanked"),
    Stage.LAPSED: ("已过期", "lapsed"),
}


class PublishWish(Frozen):
    """Make a wish known in a grid."""

    kind: Literal["publish_wish"] = "publish_wish"
    title: Line
    text: Text
    grid: Code
    wording: Code | None = None


class ClaimWish(Frozen):
    """Promise to fulfil the wish."""

    kind: Literal["claim_wish"] = "claim_wish"
    promise: Line | None = None


class FulfilWish(Frozen):
    """Say that the wish has come true."""

    kind: Literal["fulfil_wish"] = "fulfil_wish"
    text: Text


class ThankForWish(Frozen):
    """Thank the one who fulfilled it."""

    kind: Literal["thank_for_wish"] = "thank_for_wish"
    word: Text


Command = Annotated[PublishWish | ClaimWish | FulfilWish | ThankForWish, Field(discriminator="kind")]


class WishPublished(Event):
    """A wish became known; its limits are pinned here."""

    kind: Literal["wish_published"] = "wish_published"
    title: str
    text: str
    grid: str
    community: str | None = None
    street: str | None = None
    wording: str | None = None
    rules_version: str
    limits: WishRules
    lapses_at: Instant


class WishClaimed(Event):
    """Somebody promised to fulfil it until ``lapses_at``."""

    kind: Literal["wish_claimed"] = "wish_claimed"
    promise: str | None = None
    lapses_at: Instant


class WishFulfilled(Event):
    """The wish came true; thanks are awaited until ``lapses_at``."""

    kind: Literal["wish_fulfilled"] = "wish_fulfilled"
    text: str
    lapses_at: Instant


class WishThanked(Event):
    """Thanks were said."""

    kind: Literal["wish_thanked"] = "wish_thanked"
    word: str


class WishLapsed(Event):
    """Nobody claimed or fulfilled it in time."""

    kind: Literal["wish_lapsed"] = "wish_lapsed"


class WishClosed(Event):
    """The wish was fulfilled; thanks were not awaited any longer."""

    kind: Literal["wish_closed"] = "wish_closed"


WishEvent = Annotated[
    WishPublished | WishClaimed | WishFulfilled | WishThanked | WishLapsed | WishClosed, Field(discriminator="kind")
]


class Wish(Recalled):
    """Everything a decision about a wish needs to know; instants in UTC."""

    stage: Stage
    title: str
    text: str
    grid: str
    community: str | None = None
    street: str | None = None
    rules_version: str
    limits: WishRules
    published_by: Actor
    published_at: Instant
    claimed_by: Actor | None = None
    claimed_at: Instant | None = None
    done_at: Instant | None = None
    thanked_at: Instant | None = None
    lapses_at: Instant
    waiting_since: Instant
    closed: bool = False

    @property
    def is_final(self) -> bool:
        """Whether nothing more can happen."""
        return self.closed


def decide(state: Wish | None, command: Any, actor: Actor, at: datetime, world: World) -> tuple[Event, ...]:
    """The facts that ``command`` makes true at ``at`` (UTC). Raises ``Refused``; then nothing has happened."""
    if isinstance(command, PublishWish):
        if state is not None:
            raise Refused("wish.already_published")
        return (_publish(command, actor, at, world),)
    if state is None:
        raise Refused("wish.unknown")
    passed = _time_passes(state, at)
    for event in passed:
        state = evolve(state, event)
    if isinstance(command, TimePasses):
        return passed
    if state.closed:
        zh, en = STAGE_NAMES[state.stage]
        raise Refused("wish.finished", stage=zh, stage_en=en)
    return (*passed, _act(state, command, actor, at))


def _time_passes(state: Wish, at: datetime) -> tuple[Event, ...]:
    if state.closed or at < state.lapses_at:
        return ()
    return (WishClosed(at=at, by=SYSTEM) if state.stage == Stage.DONE else WishLapsed(at=at, by=SYSTEM),)


def _publish(command: PublishWish, actor: Actor, at: datetime, world: World) -> Event:
    in_role(actor, Role.GRID_WORKER, Role.COMMUNITY, Role.RESIDENT)
    registry = world.registry
    street = community = None
    if registry is not None:
        known = registry.place_of(command.grid, office_day(at))
        if known is None:
            raise Refused("grid.unknown", field="grid", grid=command.grid)
        street, community = known
    if world.current_rules is None:
        raise Refused("rules.none")
    limits = world.rule_books[world.current_rules].wish
    return WishPublished(
        at=at,
        by=actor,
        title=command.title,
        text=command.text,
        grid=command.grid,
        community=community,
        street=street,
        wording=command.wording,
        rules_version=world.current_rules,
        limits=limits,
        lapses_at=at + limits.claim_within.natural(),
    )


def _act(state: Wish, command: Any, actor: Actor, at: datetime) -> Event:
    match command:
        case ClaimWish():
            _in_stage(state, Stage.PUBLISHED)
            if actor.person == state.published_by.person and actor.role == Role.RESIDENT:
                raise Refused("wish.own", field="actor.person")
            lapses_at = at + state.limits.fulfil_within.natural()
            return WishClaimed(at=at, by=actor, promise=command.promise, lapses_at=lapses_at)
        case FulfilWish():
            _in_stage(state, Stage.CLAIMED)
            if state.claimed_by is None or state.claimed_by.person != actor.person:
                raise Refused("wish.not_claimer", field="actor.person")
            lapses_at = at + state.limits.thank_within.natural()
            return WishFulfilled(at=at, by=actor, text=command.text, lapses_at=lapses_at)
        case ThankForWish():
            _in_stage(state, Stage.DONE)
            if not _speaks_for_the_wisher(state, actor):
                raise Refused("wish.not_wisher", field="actor.person")
            return WishThanked(at=at, by=actor, word=command.word)
        case _:
            raise TypeError(f"not a command of a wish: {type(command).__name__}")


def _speaks_for_the_wisher(state: Wish, actor: Actor) -> bool:
    if actor.person == state.published_by.person:
        return True
    # A clerk published for a resident who is not named; but nobody thanks oneself.
    unnamed = state.published_by.role != Role.RESIDENT
    claimer = state.claimed_by is not None and state.claimed_by.person == actor.person
    return actor.role == Role.RESIDENT and unnamed and not claimer


def _in_stage(state: Wish, stage: Stage) -> None:
    if state.stage != stage:
        zh, en = STAGE_NAMES[state.stage]
        allowed, allowed_en = STAGE_NAMES[stage]
        raise Refused("wish.wrong_stage", stage=zh, allowed=allowed, stage_en=en, allowed_en=allowed_en)


def evolve(state: Wish | None, event: Any) -> Wish:
    """The state after ``event``. The first event of a wish is ``WishPublished``."""
    if isinstance(event, WishPublished):
        shared = event.model_dump(include={"title", "text", "grid", "community", "street", "rules_version"})
        return Wish(
            **shared,
            stage=Stage.PUBLISHED,
            limits=event.limits,
            published_by=event.by,
            published_at=event.at,
            lapses_at=event.lapses_at,
            waiting_since=event.at,
        )
    assert state is not None, "the first fact of a wish is its publication"
    changes: dict[str, Any] = {"waiting_since": event.at}
    match event:
        case WishClaimed():
            changes |= {"stage": Stage.CLAIMED, "claimed_by": event.by, "claimed_at": event.at}
            changes["lapses_at"] = event.lapses_at
        case WishFulfilled():
            changes |= {"stage": Stage.DONE, "done_at": event.at, "lapses_at": event.lapses_at}
        case WishThanked():
            changes |= {"stage": Stage.THANKED, "thanked_at": event.at, "closed": True}
        case WishLapsed():
            changes |= {"stage": Stage.LAPSED, "closed": True}
        case WishClosed():
            changes |= {"closed": True}
    return state.model_copy(update=changes)


def plan(state: Wish, world: World) -> Plan:
    """The plan of a wish: one task at a time, and the timer by which it lapses."""
    attributes = Attributes(
        stage=state.stage.value,
        street=state.street,
        due_at=None if state.closed else state.lapses_at,
        rules_version=state.rules_version,
        phase=state.stage.value,
        limit_at=None if state.closed else state.lapses_at,
    )
    zh, en = STAGE_NAMES[state.stage]
    return Plan(
        attributes=attributes,
        alarm=None if state.closed else state.lapses_at,
        tasks=_tasks(state, world),
        finished=state.closed,
        details=f"**{zh}** ({en})",
    )


def _tasks(state: Wish, _world: World) -> tuple[Task, ...]:
    return () if state.closed else (_task(state),)


def _task(state: Wish) -> Task:
    kinds = {
        Stage.PUBLISHED: ("claim_wish", None, state.community),
        Stage.CLAIMED: ("fulfil_wish", state.claimed_by, None),
        Stage.DONE: ("thank_for_wish", state.published_by, None),
    }
    kind, person, organisation = kinds[state.stage]
    return Task(
        id=kind,
        kind=kind,
        role=person.role.value if person else Role.COMMUNITY.value,
        organisation=organisation,
        grid=state.grid,
        person=person.person if person else None,
        opened_at=state.waiting_since,
        due_at=state.lapses_at,
    )


def _hand_over(state: Wish, task: Task, stream: str) -> HandOver:
    return HandOver(process="wish", stream=stream, task=task, title=state.title, text=state.text)


def _answer(state: Wish, task: Task, report: Report) -> tuple[tuple[Actor, Json], ...]:
    return ()  # wishes are claimed by people, never handed to a department's system


WISH: Process[Wish] = Process(
    name="wish",
    command=TypeAdapter(Command),
    event=TypeAdapter(WishEvent),
    state=TypeAdapter(Wish),
    opening=frozenset({"publish_wish"}),
    first_phase=Stage.PUBLISHED,
    decide=decide,
    evolve=evolve,
    plan=plan,
    tasks=_tasks,
    answer=_answer,
    hand_over=_hand_over,
    stage_names=STAGE_NAMES,
)
