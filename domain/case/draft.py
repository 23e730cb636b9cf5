"""The facts of one decision in the making, and what time itself makes true.

Owns the bookkeeping that every rule of the case shares: applying a fact at once, starting and stopping clocks,
catching up with time. Must not know a command.
"""

from datetime import datetime
from typing import Any

from domain.case import events as e
from domain.case.state import Case, evolve
from domain.case.vocabulary import Stage
from domain.clocks import Clock, resumed, start
from domain.people import SYSTEM, Actor
from domain.process import Event
from domain.rules import ClockKind


class Draft:
    """The facts of one decision in the making; each fact is applied at once, so that later ones see it."""

    def __init__(self, state: Case | None, actor: Actor, at: datetime) -> None:
        self._state = state
        self.actor = actor
        self.at = at
        self.events: list[Event] = []

    @property
    def case(self) -> Case:
        """The case as it stands after the facts so far."""
        assert self._state is not None
        return self._state

    def add(self, fact: type[Any], *, by: Actor | None = None, **fields: Any) -> None:
        """Record one more fact."""
        event = fact(at=self.at, by=by or self.actor, **fields)
        self.events.append(event)
        self._state = evolve(self._state, event)

    def start(self, kind: ClockKind, organisation: str | None = None) -> None:
        """Start a clock by the pinned rules; a kind without a limit does not run."""
        runs = sum(1 for clock in self.case.clocks if clock.kind == kind and clock.organisation == organisation)
        clock = start(kind, self.case.rules, self.at, organisation=organisation, run=runs)
        if clock is not None:
            self.add(e.ClockStarted, by=SYSTEM, clock=clock)

    def stop(self, kind: ClockKind, organisation: str | None = None) -> None:
        """Stop the running clocks of this kind, of one organisation when it is given."""
        for clock in self.case.clocks:
            if clock.is_running and clock.kind == kind and organisation in (None, clock.organisation):
                self.add(e.ClockStopped, by=SYSTEM, clock_id=clock.id)

    def stop_all(self) -> None:
        """Stop every running clock."""
        for clock in self.case.clocks:
            if clock.is_running:
                self.add(e.ClockStopped, by=SYSTEM, clock_id=clock.id)

    def resume_budget(self) -> None:
        """Let the department's one budget run on: neither rework nor a new dispatch refills it."""
        budget = next((clock for clock in self.case.clocks if clock.kind == ClockKind.HANDLE), None)
        if budget is None:
            self.start(ClockKind.HANDLE)
        elif not budget.is_running:
            again = resumed(budget, self.case.rules, self.at)
            self.add(e.ClockResumed, by=SYSTEM, clock_id=again.id, warn_at=again.warn_at, due_at=again.due_at)


def pass_time(draft: Draft) -> None:
    """Record what is true by now because of time alone: warnings, expiry, the sealing of the dossier."""
    for clock in draft.case.clocks:
        _ring(draft, clock)
    case = draft.case
    settled = case.stage == Stage.APPRAISED or (case.stage == Stage.SETTLED and not case.departments)
    if settled and case.reopen_until is not None and draft.at >= case.reopen_until:
        draft.stop_all()
        draft.add(e.Archived, by=SYSTEM)


def _ring(draft: Draft, clock: Clock) -> None:
    # A clock that ran out while nobody looked warns and expires in one go; each happens once in its life.
    if not clock.is_running or clock.overdue_at is not None:
        return
    if clock.warned_at is None and draft.at >= min(clock.warn_at, clock.due_at):
        draft.add(e.ClockWarned, by=SYSTEM, clock_id=clock.id, due_at=clock.due_at)
    if draft.at >= clock.due_at:
        draft.add(e.ClockExpired, by=SYSTEM, clock_id=clock.id, due_at=clock.due_at)
