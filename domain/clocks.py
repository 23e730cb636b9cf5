"""Clocks of a process: start, stop, resume, extension, rungs and expiry as values.

Owns the arithmetic of a running limit. A clock never looks at the time of day: every function takes its instants. A
clock keeps what its due follows from (start, limit, extensions, pauses), so that it can be reckoned again from the
beginning: the order of pauses never matters, and none is ever forgotten (DOMAIN §4, §7.3).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.base import Recalled
from domain.calendar import Pause, WorkCalendar, due, share
from domain.ladder import ClockKind, Rung, RungAction
from domain.limits import Instant, Limit
from domain.rules import Pinned


# No model like the others: the state of a case holds dozens of these, and a model takes five times the memory.
@dataclass(frozen=True, slots=True)
class RungPoint:
    """Where a rung stands on a clock."""

    code: str
    at: Instant


class Clock(Recalled):
    """One running, stopped or expired limit; all instants in UTC.

    ``due_at``, ``warn_at`` and ``rungs`` (those still to be reached) are stored as reckoned when the clock last
    started, resumed or was changed. ``provisional``: the way to the due leaves the days for which an official list is
    known.
    """

    id: str
    kind: ClockKind
    organisation: str | None = None
    step: str | None = None
    limit: Limit
    extended: tuple[Limit, ...] = ()
    rules_version: str
    calendar_version: str | None = None
    started_at: Instant
    warn_at: Instant
    due_at: Instant
    provisional: bool = False
    rungs: tuple[RungPoint, ...] = ()
    reached: tuple[str, ...] = ()
    pauses: tuple[Pause, ...] = ()
    warned_at: Instant | None = None
    overdue_at: Instant | None = None
    stopped_at: Instant | None = None

    @property
    def is_running(self) -> bool:
        """Whether time counts against this clock now."""
        return self.stopped_at is None

    @property
    def light(self) -> str:
        """``green``, ``yellow`` after the warning, ``red`` after expiry."""
        return "red" if self.overdue_at else "yellow" if self.warned_at else "green"

    @property
    def whole_limit(self) -> Limit:
        """The limit with all its extensions."""
        return self.limit.extended(*self.extended)


class Reckoning(Recalled):
    """What a clock's start, limit and pauses come to; the part of a clock that moves."""

    warn_at: Instant
    due_at: Instant
    provisional: bool = False
    rungs: tuple[RungPoint, ...] = ()


def reckon(
    limit: Limit,
    started_at: datetime,
    pauses: Sequence[Pause],
    calendar: WorkCalendar | None,
    ladder: Iterable[Rung],
    *,
    reached: Iterable[str] = (),
) -> Reckoning:
    """When a limit warns, ends and reaches its rungs; ``ladder`` holds the rungs of this kind of clock.

    Rungs after the due count what runs after it: a pause moves them too. Rungs that were reached are left out.
    Raises ``Refused`` ``limit.needs_calendar`` for working units without a calendar.
    """
    end, provisional = due(calendar, started_at, limit, pauses)
    warn_at, rungs, gone = end, list[RungPoint](), set(reached)
    for rung in ladder:
        if rung.percent is not None:
            at = share(calendar, started_at, limit, rung.percent, pauses)
        elif rung.after_due is not None:
            at = due(calendar, end, rung.after_due, pauses).at
        else:
            at = end
        if rung.action == RungAction.YELLOW:
            warn_at = min(warn_at, at)
        elif rung.action != RungAction.RED and rung.code not in gone:
            rungs.append(RungPoint(code=rung.code, at=at))
    return Reckoning(warn_at=warn_at, due_at=end, provisional=provisional, rungs=tuple(rungs))


def start(
    kind: ClockKind,
    length: Limit,
    rules: Pinned,
    at: datetime,
    *,
    calendar: WorkCalendar | None = None,
    ladder: Sequence[Rung] = (),
    organisation: str | None = None,
    step: str | None = None,
    run: int = 0,
) -> Clock:
    """A clock of this kind and length starting at ``at`` under the pinned rules.

    ``run`` numbers repeated clocks of a kind within one case (0 for the first).
    """
    part = f":{organisation or step}" if organisation or step else ""
    name = kind.value + part + (f"#{run}" if run else "")
    own = [rung for rung in ladder if rung.stands_on(kind)]
    return Clock(
        id=name,
        kind=kind,
        organisation=organisation,
        step=step,
        limit=length,
        rules_version=rules.version,
        calendar_version=None if length.is_natural or calendar is None else calendar.version,
        started_at=at,
        **_fields(reckon(length, at, (), calendar, own)),
    )


def again(
    clock: Clock,
    calendar: WorkCalendar | None,
    ladder: Sequence[Rung],
    *,
    pauses: Sequence[Pause] | None = None,
    limit: Limit | None = None,
) -> Reckoning:
    """The clock reckoned anew from its start with these pauses and this whole limit (default: its own)."""
    own = [rung for rung in ladder if rung.stands_on(clock.kind)]
    return reckon(
        limit or clock.whole_limit,
        clock.started_at,
        clock.pauses if pauses is None else pauses,
        calendar,
        own,
        reached=clock.reached,
    )


def resumed(clock: Clock, calendar: WorkCalendar | None, ladder: Sequence[Rung], at: datetime) -> Reckoning:
    """The stopped ``clock`` running again from ``at`` with what was left of its limit; nothing refills it.

    Having stood still for no time changes nothing, also where the clock did not follow a calendar adopted since.
    """
    assert clock.stopped_at is not None
    if at == clock.stopped_at:
        return present(clock)
    return again(clock, calendar, ladder, pauses=(*clock.pauses, Pause(begin=clock.stopped_at, end=at)))


def present(clock: Clock) -> Reckoning:
    """What the clock was reckoned to."""
    return Reckoning(**_fields(clock))


def apply(clock: Clock, reckoning: Reckoning, **change: Any) -> Clock:
    """The clock with what was reckoned, and ``change``."""
    return clock.model_copy(update={**_fields(reckoning), **change})


def _fields(reckoned: Reckoning | Clock) -> dict[str, Any]:
    return {name: getattr(reckoned, name) for name in Reckoning.model_fields}


def worst_light(clocks: Iterable[Clock], standing: Collection[str] = ()) -> str:
    """The light of a case: the worst among its running clocks and those that only stand still (``standing``)."""
    lights = {clock.light for clock in clocks if clock.is_running or clock.id in standing}
    return next((light for light in ("red", "yellow") if light in lights), "green")
