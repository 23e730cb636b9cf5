"""Clocks of a process: start, stop, resume, warning and expiry as values.

Owns the arithmetic of a running limit. A clock never looks at the time of day: every function takes ``at``.
Pausing follows DOMAIN §4: ``remaining = limit - used``; on resume ``due = resume + remaining``.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from domain.base import Recalled
from domain.limits import Instant, Limit
from domain.rules import ClockKind, Pinned


class Clock(Recalled):
    """One running, stopped or expired limit; all instants in UTC.

    ``due_at`` and ``warn_at`` are those of the present run. ``calendar_version`` and ``provisional`` are for
    limits in working time; natural limits need no calendar and are never provisional.
    """

    id: str
    kind: ClockKind
    organisation: str | None = None
    limit: Limit
    rules_version: str
    calendar_version: str | None = None
    started_at: Instant
    warn_at: Instant
    due_at: Instant
    provisional: bool = False
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
    def next_alarm(self) -> datetime | None:
        """The next instant at which this clock has something to say; None when it has not."""
        if not self.is_running or self.overdue_at is not None:
            return None
        return self.due_at if self.warned_at is not None else min(self.warn_at, self.due_at)


def start(
    kind: ClockKind, rules: Pinned, at: datetime, *, organisation: str | None = None, run: int = 0
) -> Clock | None:
    """A clock of this kind starting at ``at`` by the pinned rules; None when the row has no limit for it.

    ``run`` numbers repeated clocks of a kind within one case (0 for the first).
    """
    length = rules.row.limits.get(kind)
    if length is None:
        return None
    name = kind.value + (f":{organisation}" if organisation else "") + (f"#{run}" if run else "")
    span = length.natural()
    return Clock(
        id=name,
        kind=kind,
        organisation=organisation,
        limit=length,
        rules_version=rules.version,
        started_at=at,
        warn_at=at + _share(span, rules.warn_percent),
        due_at=at + span,
    )


def resumed(clock: Clock, rules: Pinned, at: datetime) -> Clock:
    """The stopped ``clock`` running again from ``at`` with what was left of its limit.

    A clock that had run out stays run out: nothing can refill it.
    """
    assert clock.stopped_at is not None
    paused = at - clock.stopped_at
    if clock.overdue_at is not None:
        return clock.model_copy(update={"stopped_at": None})
    return clock.model_copy(
        update={"stopped_at": None, "warn_at": clock.warn_at + paused, "due_at": clock.due_at + paused}
    )


def next_alarm(clocks: Iterable[Clock]) -> datetime | None:
    """The earliest instant at which any of the clocks has something to say."""
    return min((alarm for clock in clocks if (alarm := clock.next_alarm)), default=None)


def worst_light(clocks: Iterable[Clock]) -> str:
    """The light of a case: the worst among its running clocks."""
    lights = {clock.light for clock in clocks if clock.is_running}
    return next((light for light in ("red", "yellow") if light in lights), "green")


def _share(span: timedelta, percent: int) -> timedelta:
    return timedelta(microseconds=(span // timedelta(microseconds=1)) * percent // 100)
