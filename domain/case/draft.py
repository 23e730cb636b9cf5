"""The facts of one decision in the making: applying a fact at once, starting, stopping and resuming clocks.

Owns the bookkeeping that every rule of the case shares. Must not know a command. In the blank world of a dry run no
book and no calendar are known; then clocks are left alone, because a dry run only asks whether somebody is refused.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from domain.calendar import WorkCalendar, due
from domain.case import events as e
from domain.case.evolve import evolve
from domain.case.state import Case
from domain.case.vocabulary import WITH_DEPARTMENTS
from domain.clocks import Clock, resumed, start
from domain.ladder import ClockKind, Rung
from domain.limits import Limit
from domain.people import SYSTEM, Actor
from domain.process import Event, World
from domain.rules import RuleBook, limits_of


class Draft:
    """The facts of one decision in the making; each fact is applied at once, so that later ones see it."""

    def __init__(self, state: Case | None, actor: Actor, at: datetime, world: World) -> None:
        self._state = state
        self.actor = actor
        self.at = at
        self.world = world
        self.events: list[Event] = []

    @property
    def case(self) -> Case:
        """The case as it stands after the facts so far."""
        assert self._state is not None
        return self._state

    @property
    def book(self) -> RuleBook | None:
        """The rule book the case is pinned to; None in a dry run."""
        return self.world.rule_books.get(self.case.rules.version)

    @property
    def calendar(self) -> WorkCalendar | None:
        """The calendar the case is pinned to; None in a dry run.

        A case of the first release has pinned none; the office's present one counts for it.
        """
        return self.world.calendars.get(self.case.rules.calendar or self.world.current_calendar or "")

    @property
    def ladder(self) -> tuple[Rung, ...]:
        """The ladder of the pinned book."""
        return self.book.ladder if self.book else ()

    def ladder_of(self, clock: Clock) -> tuple[Rung, ...]:
        """The ladder of the book the clock lives by: a clock that a change of rules left alone keeps its own."""
        book = self.world.rule_books.get(clock.rules_version)
        return book.ladder if book else self.ladder

    def calendar_of(self, clock: Clock) -> WorkCalendar | None:
        """The calendar the clock lives by: one that a change of calendars left alone keeps its own."""
        return self.world.calendars.get(clock.calendar_version or "") or self.calendar

    def add(self, fact: type[Any], *, by: Actor | None = None, **fields: Any) -> None:
        """Record one more fact."""
        event = fact(at=self.at, by=by or self.actor, **fields)
        self.events.append(event)
        self._state = evolve(self._state, event)

    def due_of(self, limit: Limit) -> datetime | None:
        """When ``limit`` ends that begins now; None in a dry run that knows no calendar for it."""
        if limit.is_natural:
            return self.at + limit.natural()
        return None if self.world.is_blank else due(self.calendar, self.at, limit).at

    # --- clocks ---------------------------------------------------------------------------------------------------

    def start(
        self,
        kind: ClockKind,
        organisation: str | None = None,
        *,
        step: str | None = None,
        length: Limit | None = None,
    ) -> Clock | None:
        """Start a clock by the pinned rules, or of ``length``; a kind without a limit does not run."""
        length = length or self.limit_of(kind, step)
        if length is None or self.world.is_blank:
            return None
        same = [clock for clock in self.case.clocks if clock.kind == kind]
        runs = sum(1 for clock in same if (clock.organisation, clock.step) == (organisation, step))
        clock = start(
            kind,
            length,
            self.case.rules,
            self.at,
            calendar=self.calendar,
            ladder=self.ladder,
            organisation=organisation,
            step=step,
            run=runs,
        )
        self.add(e.ClockStarted, by=SYSTEM, clock=clock)
        return clock

    def limit_of(self, kind: ClockKind, step: str | None = None) -> Limit | None:
        """The limit the pinned rules give a clock."""
        channel = self.book.channel(self.case.channel) if self.book else None
        return limits_of(self.case.rules.row, channel).get((kind, step))

    def running(self, *kinds: ClockKind, organisation: str | None = None, step: str | None = None) -> list[Clock]:
        """The running clocks of these kinds (all kinds when none is given), of one organisation or step where given."""
        return [
            clock
            for clock in self.case.clocks
            if clock.is_running
            and (not kinds or clock.kind in kinds)
            and organisation in (None, clock.organisation)
            and step in (None, clock.step)
        ]

    def stop(self, *kinds: ClockKind, organisation: str | None = None, step: str | None = None) -> tuple[str, ...]:
        """Stop the running clocks of these kinds; answers which."""
        names = tuple(clock.id for clock in self.running(*kinds, organisation=organisation, step=step))
        for name in names:
            self.stop_one(name)
        return names

    def stop_one(self, name: str, since: datetime | None = None) -> None:
        """Stop the running clock of this id: at ``since`` where that is noticed late, else now."""
        self.add(e.ClockStopped, by=SYSTEM, clock_id=name, since=since)

    def resume(self, names: Iterable[str], since: datetime | None = None) -> None:
        """Let stopped clocks run on since ``since`` (default now) with what was left of them."""
        for name in names:
            clock = self.case.clock(name)
            if clock is None or clock.is_running or self.world.is_blank:
                continue
            found = resumed(clock, self.calendar_of(clock), self.ladder_of(clock), since or self.at)
            self.add(
                e.ClockResumed,
                by=SYSTEM,
                clock_id=name,
                since=since,
                warn_at=found.warn_at,
                due_at=found.due_at,
                provisional=found.provisional,
                rungs=found.rungs,
            )

    def resume_budget(self) -> None:
        """Let the departments' one budget run on, and the steps with it: no rework and no new dispatch refills it."""
        budget = next((clock for clock in self.case.clocks if clock.kind == ClockKind.HANDLE), None)
        if budget is None:
            self.start(ClockKind.HANDLE)
        else:
            self.resume([budget.id])
        self.run_steps()

    def run_steps(self) -> None:
        """Every step of the row that is still owed has its clock running while the departments' time counts."""
        case = self.case
        if case.stage not in WITH_DEPARTMENTS or case.suspension is not None or case.shelf is not None:
            return
        known = {clock.step: clock for clock in case.clocks if clock.kind == ClockKind.STEP}
        for step in case.rules.row.steps:
            if step.code in case.steps_done:
                continue
            if step.code in known:
                self.resume([known[step.code].id])
            else:
                self.start(ClockKind.STEP, step=step.code)
