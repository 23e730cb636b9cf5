"""A language for rules: what is given, what somebody does, what follows.

Owns ``given(...).when(...).then(...)`` over any process. Every step also checks what holds for every step: facts and
states survive the journey through JSON, and whoever folds the facts again sees the same state and the same plan.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pytest

from domain.case import CASE
from domain.errors import Refused
from domain.limits import limit
from domain.parsing import parse_command
from domain.people import SYSTEM, Actor
from domain.process import Event, Plan, Process, TimePasses, World
from tests.calendars import OFFICE, local
from tests.neighbourhood import ACTORS, NOON, WORLD

TIME = "time"
"""Who acts when nobody does."""

_CLOCK_SIGNS = {
    "clock_started": "+",
    "clock_stopped": "-",
    "clock_resumed": "~",
    "clock_extended": "^",
    "clock_warned": "?",
    "clock_expired": "!",
    "rung_reached": "/",
}

Raw = Mapping[str, Any] | Callable[[Any], Mapping[str, Any]]


@dataclass(frozen=True)
class Fact:
    """An expected fact: its kind and the fields that matter."""

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)


def fact(kind: str, **fields: Any) -> Fact:
    """The fact of this kind with these fields; other fields are not looked at."""
    return Fact(kind, fields)


@dataclass(frozen=True)
class Story:
    """What has happened so far, and the moment of the last step."""

    events: tuple[Event, ...] = ()
    at: datetime = NOON
    process: Process[Any] = CASE
    world: World = WORLD

    @property
    def state(self) -> Any:
        """The state after everything that has happened; None before the opening."""
        return fold(self.process, self.events)

    @property
    def plan(self) -> Plan:
        """What follows from the state."""
        return self.process.plan(self.state, self.world)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of all facts in their order."""
        return tuple(kind_of(event) for event in self.events)

    def when(
        self,
        command: str | Raw,
        by: str | Actor = TIME,
        *,
        after: str | timedelta | None = "1m",
        on: str | None = None,
        **fields: Any,
    ) -> "Step":
        """Somebody submits a command some time after the last step (a limit or a span; None means at once).

        ``command`` is its kind with ``fields``, the whole of it, or a function that makes it of the state. ``on`` is
        the moment instead, in the office's time: ``11-25 09:00`` of 2026, or with another year before it.
        """
        span = limit(after).natural() if isinstance(after, str) else after or timedelta(0)
        if on is not None:
            span = moment(on) - self.at
            assert span >= timedelta(0), "stories go forward"
        raw: Mapping[str, Any] = (
            {"kind": command} if isinstance(command, str) else command(self.state) if callable(command) else command
        )
        actor = ACTORS[by] if isinstance(by, str) and by != TIME else by
        return Step(self, {**raw, **fields}, actor if isinstance(actor, Actor) else SYSTEM, self.at + span)

    def later(self, after: str | timedelta) -> "Step":
        """Time passes."""
        return self.when("time_passes", after=after)

    def by_time(self, on: str) -> "Step":
        """Time passes until the moment ``on``, written as in ``when``."""
        return self.when("time_passes", on=on)

    def left_alone(self, days: int = 0) -> "Story":
        """The story with every alarm followed at its instant, for ``days`` (0: until there is none)."""
        story, end = self, self.at + timedelta(days=days)
        for _ in range(500):
            alarm = story.plan.alarm
            if alarm is None or (days and alarm > end):
                return story
            story = story.later(alarm - story.at).happens()
        raise AssertionError("time never comes to rest")

    def in_world(self, **changes: Any) -> "Story":
        """The same story in another world."""
        return replace(self, world=replace(self.world, **changes))


def given(*stories: Story) -> Story:
    """The story so far; nothing has happened when none is given."""
    return stories[0] if stories else Story()


@dataclass(frozen=True)
class Step:
    """One command of one actor at one moment, not yet judged."""

    story: Story
    raw: Mapping[str, Any]
    actor: Actor
    at: datetime

    def events(self) -> tuple[Event, ...]:
        """The facts that follow. Raises ``Refused``."""
        process = self.story.process
        command = TimePasses() if self.raw["kind"] == "time_passes" else parse_command(process, dict(self.raw))
        return process.decide(self.story.state, command, self.actor, self.at, self.story.world)

    def happens(self) -> Story:
        """The story with this step in it; whatever the facts are, the general truths are checked."""
        new = self.events()
        check_journey(self.story.process, self.story.world, (*self.story.events, *new))
        assert all(event.at == self.at for event in new), "a fact happens when it is decided"
        return replace(self.story, events=(*self.story.events, *new), at=self.at)

    def then(self, *expected: str | Fact, clocks: str | None = None, stage: str | None = None) -> Story:
        """Exactly these facts follow, in this order.

        Facts of clocks are written in ``clocks`` (``+kind`` started, ``-`` stopped, ``~`` resumed, ``^`` extended,
        ``?`` warned, ``!`` expired, ``/kind:rung`` reached, ``(/kind:rung)`` reached and skipped) and not looked at
        when it is None.
        """
        story = self.happens()
        new = story.events[len(self.story.events) :]
        facts = [event for event in new if kind_of(event) not in _CLOCK_SIGNS]
        wanted = [Fact(each) if isinstance(each, str) else each for each in expected]
        assert [kind_of(event) for event in facts] == [each.kind for each in wanted]
        for event, want in zip(facts, wanted, strict=True):
            body = event.model_dump(mode="json")
            seen = {name: body[name] for name in want.fields}
            assert seen == dict(want.fields)
        if clocks is not None:
            assert clocks_of(new) == clocks.split()
        if stage is not None:
            assert story.state.stage == stage
        return story

    def then_refused(self, code: str, **expected: Any) -> None:
        """Refused with this code, and with these ``field`` and ``params`` where given; nothing has changed."""
        before = self.story.state
        with pytest.raises(Refused) as caught:
            self.events()
        refusal = caught.value.refusal
        assert refusal.code == code, refusal.sentence("en")
        for name, value in expected.items():
            assert (refusal.field if name == "field" else refusal.params[name]) == value
        assert self.story.state == before
        assert "{" not in refusal.sentence() + refusal.sentence("en")


class Wrong(NamedTuple):
    """One way of asking wrongly, and the answer."""

    sentence: str
    story: Callable[[], Story]
    command: Raw
    by: str | Actor
    code: str
    field: str | None = None
    params: Mapping[str, str] = {}
    after: str | timedelta | None = "1m"

    def check(self) -> None:
        """Refused with exactly this code, field and parameters."""
        step = self.story().when(self.command, self.by, after=self.after)
        step.then_refused(self.code, field=self.field, **self.params)


def moment(text: str) -> datetime:
    """The moment ``11-25 09:00`` of 2026 in the office, or of another year that stands before it."""
    return local(text if text[4] == "-" else f"2026-{text}")


def shown(at: datetime) -> str:
    """The moment as the office writes it, ``11-25 09:00``; with the year when that is not 2026."""
    here = at.astimezone(OFFICE)
    return f"{here:%m-%d %H:%M}" if here.year == 2026 else f"{here:%Y-%m-%d %H:%M}"


def kind_of(event: Event) -> str:
    """The kind of a fact."""
    return str(event.model_dump(include={"kind"})["kind"])


def clocks_of(events: tuple[Event, ...]) -> list[str]:
    """The facts of clocks among ``events``, each as a sign and the clock's name."""
    return [sign for event in events if (sign := _sign(event))]


def told(events: tuple[Event, ...]) -> list[str]:
    """All facts among ``events`` in their order: those of clocks by their signs, others by their kinds."""
    return [_sign(event) or kind_of(event) for event in events]


def _sign(event: Event) -> str | None:
    body = event.model_dump(mode="json")
    sign = _CLOCK_SIGNS.get(body["kind"])
    if sign is None:
        return None
    name = sign + (body["clock_id"] if "clock_id" in body else body["clock"]["id"])
    if "rung" in body:
        name += f":{body['rung']}"
    return f"({name})" if body.get("skipped") else name


def fold(process: Process[Any], events: tuple[Event, ...]) -> Any:
    """The state after ``events``; None when there are none."""
    state = None
    for event in events:
        state = process.evolve(state, event)
    return state


def check_journey(process: Process[Any], world: World, events: tuple[Event, ...]) -> None:
    """Facts, state and plan are the same after a journey through JSON."""
    told = tuple(process.event.validate_json(process.event.dump_json(event)) for event in events)
    assert told == events
    state, again = fold(process, events), fold(process, told)
    assert again == state
    if state is not None:
        assert process.state.validate_json(process.state.dump_json(state)) == state
        plan = process.plan(state, world)
        assert process.plan(again, world) == plan
        assert Plan.model_validate_json(plan.model_dump_json()) == plan
