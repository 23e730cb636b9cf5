"""What a closed case would have looked like under another rule book or calendar.

Owns the judgement of clocks that have stopped: due or not, warned or not, which rungs of the ladder stood before the
stop. Only clocks are rehearsed, not the case: everybody is taken to have acted when they did. So a rehearsal can tell
what the limits would have said about the work as it was done; it cannot tell

- how people would have worked under other limits, or what an urging would have hurried;
- clocks that never ran, because the old rules had no limit for them, and whatever follows from a rung: the clock of a
  reply, a rung that is left out because a reply came;
- when an extension was granted: it counts from the beginning, so a rung that stood before it may come out later here.

The functions here see a hundred thousand cases at a time, so values are plain tuples and everything that depends on the
rules alone is worked out once. Instants are UTC; shares are whole percents, lengths whole minutes, rounded down.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from domain.calendar import Pause, WorkCalendar, due, measure
from domain.errors import Refused
from domain.ladder import ClockKind, Rung, RungAction
from domain.limits import Limit, Unit
from domain.rules import RuleBook, Urgency, limits_of

_MICROSECOND = timedelta(microseconds=1)
_MINUTE = timedelta(minutes=1)
_WORKING_HOUR = 60 * 60 * 1_000_000
_COUNTED_IN = {
    unit: Unit.WORKING_HOUR if unit in (Unit.WORKING_HOUR, Unit.WORKING_DAY, Unit.WORKING_DAY_BY_MINUTES) else unit
    for unit in Unit
}
"""Shares are taken of natural time or of working time; days of either are too coarse for them."""

RUNNING = "still_running"
DEEMED = "deemed_received"
OTHER_UNIT = "other_unit"
TOO_FAR = "too_far"
UNKNOWN_REASONS = (RUNNING, DEEMED, OTHER_UNIT, TOO_FAR)
"""Why nothing can be said of a clock: it has not stopped; it stopped only because it ran out (silence is receipt), so
nobody knows what a longer limit would have brought; its extension was granted in another unit than the new limit has;
it lies beyond the days the calendar counts."""

_UNKNOWN_BY_CODE = {"limit.other_unit": OTHER_UNIT, "limit.unreadable": OTHER_UNIT, "calendar.too_far": TOO_FAR}


class PastClock(NamedTuple):
    """A clock as it was: what it timed and what came of it.

    ``limit`` and ``late`` are None where nobody wrote them down. ``reached`` are the codes of the rungs of its time.
    """

    kind: ClockKind
    started_at: datetime
    stopped_at: datetime | None
    organisation: str | None = None
    step: str | None = None
    limit: Limit | None = None
    extended: tuple[Limit, ...] = ()
    pauses: tuple[Pause, ...] = ()
    rules_version: str | None = None
    warned: bool = False
    late: bool | None = None
    reached: tuple[str, ...] = ()


class PastCase(NamedTuple):
    """A closed case as far as limits depend on it, and its clocks."""

    id: str
    urgency: Urgency
    category: str | None
    condition: str | None
    channel: str
    street: str | None
    community: str | None
    lead: str | None
    clocks: tuple[PastClock, ...]


class Rehearsed(NamedTuple):
    """One clock under the other rules.

    ``due_at`` is None when the other rules set no limit (then it is never late) and when nothing can be said, which
    ``unknown`` explains. ``share``: the percents of the limit that were used; ``overtime``: the minutes counted after.
    """

    responsible: str | None
    due_at: datetime | None = None
    provisional: bool = False
    late: bool = False
    warned: bool = False
    rungs: tuple[str, ...] = ()
    level_ups: int = 0
    share: int = 0
    overtime: int = 0
    unknown: str | None = None


class CaseChange(NamedTuple):
    """How one case changes; counted over those of its clocks of which something can be said."""

    id: str
    clocks: int
    late_before: int
    late_after: int
    rungs_before: int
    rungs_after: int
    level_ups_before: int
    level_ups_after: int
    changed_lights: int
    changed_rungs: int
    overtime_minutes: int

    @property
    def weight(self) -> tuple[int, int, int]:
        """How much changes, most telling first: late marks that come or go, levels, rungs."""
        return self.changed_lights, abs(self.level_ups_after - self.level_ups_before), self.changed_rungs


class _Rungs(NamedTuple):
    """The rungs of one kind of clock: ``yellow`` the lowest percent of a warning, ``percent`` with the percent."""

    yellow: int | None
    percent: tuple[tuple[int, Rung], ...]
    at_due: tuple[Rung, ...]
    after: tuple[tuple[Limit, Rung], ...]


_Case = tuple[Urgency, str | None, str | None, str]
_Limits = dict[tuple[ClockKind, str | None], Limit]


class Rehearsal:
    """One rule book and calendar against the past.

    ``books`` are the rule books of the past by version: they tell which reached rungs had raised the level, and whether
    a reply had the limit of the book or one of its own. A limit in working units needs a ``calendar``: judging raises
    ``Refused`` ``limit.needs_calendar`` without one, ``calendar.no_working_time`` with one that has no working time.
    """

    def __init__(
        self, book: RuleBook, calendar: WorkCalendar | None, books: Mapping[str, RuleBook] | None = None
    ) -> None:
        self._book = book
        self._calendar = calendar
        self._books = dict(books or {})
        self._rungs = {kind: _rungs_of(book, kind) for kind in ClockKind}
        self._raising = {
            (each.version, rung.code) for each in self._books.values() for rung in each.ladder if rung.level_up
        }
        self._limits: dict[_Case, _Limits] = {}
        self._past_limits: dict[str, dict[_Case, _Limits]] = {}

    def judge(self, case: PastCase) -> tuple[Rehearsed, ...]:
        """What the rules say of each clock of the case, in their order."""
        about = (case.urgency, case.category, case.condition, case.channel)
        limits = self._limits_of(self._book, about)
        found = []
        for clock in case.clocks:
            responsible = _responsible(case, clock)
            length = self._own_reply(about, clock) or limits.get((clock.kind, clock.step))
            if clock.stopped_at is None:
                found.append(Rehearsed(responsible, unknown=RUNNING))
            elif length is None:
                found.append(Rehearsed(responsible))
            else:
                found.append(self._judge(clock, clock.stopped_at, length, responsible))
        return tuple(found)

    def level_ups(self, clock: PastClock) -> int:
        """How many of the rungs the clock reached in its time raised the level of the case."""
        if not clock.reached:
            return 0
        return sum((clock.rules_version, code) in self._raising for code in clock.reached)

    def _judge(self, clock: PastClock, stopped: datetime, length: Limit, responsible: str | None) -> Rehearsed:
        calendar, start, pauses = self._calendar, clock.started_at, clock.pauses
        try:
            length = length.extended(*clock.extended)
            due_at, provisional = due(calendar, start, length, pauses)
            late = due_at <= stopped
            if clock.kind is ClockKind.SIGN_FOR:
                if clock.late and due_at > stopped:
                    return Rehearsed(responsible, unknown=DEEMED)
                stopped = min(stopped, due_at)  # silence is receipt: the clock ends with its limit
            unit = _COUNTED_IN[length.unit]
            total = _length(length) or _count(calendar, start, due_at, unit, pauses)
            used = _count(calendar, start, stopped, unit, pauses)
            ways = [(used, total), *self._at_pauses(clock, stopped, length)]
            codes, raises = self._reached(clock, due_at, stopped, ways)
        except Refused as refused:
            if refused.code not in _UNKNOWN_BY_CODE:
                raise
            return Rehearsed(responsible, unknown=_UNKNOWN_BY_CODE[refused.code])
        yellow = self._rungs[clock.kind].yellow
        return Rehearsed(
            responsible=responsible,
            due_at=due_at,
            provisional=provisional,
            late=late,
            warned=late or (yellow is not None and _is_reached(yellow, ways)),
            rungs=codes,
            level_ups=raises,
            share=used * 100 // total if total else 0,
            overtime=(used - total) * _MICROSECOND // _MINUTE if late else 0,
        )

    def _at_pauses(self, clock: PastClock, stopped: datetime, length: Limit) -> list[tuple[int, int]]:
        """What was used, and of how much, when each pause began.

        A pause moves the end of working days by whole days, which makes the way longer than it was: what had been
        reached before stays reached. Other limits are as long as before, and nothing is reached that the stop misses.
        """
        if not clock.pauses or _length(length) is not None:
            return []
        unit, ways = _COUNTED_IN[length.unit], []
        pauses = sorted(clock.pauses, key=lambda pause: pause.begin)
        for number, pause in enumerate(pauses):
            if pause.begin < stopped:
                known = tuple(pauses[:number])
                end, _ = due(self._calendar, clock.started_at, length, known)
                total = _count(self._calendar, clock.started_at, end, unit, known)
                ways.append((_count(self._calendar, clock.started_at, pause.begin, unit, known), total))
        return ways

    def _reached(
        self, clock: PastClock, due_at: datetime, stopped: datetime, ways: list[tuple[int, int]]
    ) -> tuple[tuple[str, ...], int]:
        """The codes of the rungs that stood no later than the stop, and how many of them raise the level."""
        rungs = self._rungs[clock.kind]
        reached = [rung for percent, rung in rungs.percent if _is_reached(percent, ways)]
        if due_at <= stopped and clock.kind is not ClockKind.SIGN_FOR:
            reached += rungs.at_due
            for length, rung in rungs.after:
                if due(self._calendar, due_at, length, clock.pauses).at <= stopped:
                    reached.append(rung)
        return tuple(rung.code for rung in reached), sum(rung.level_up for rung in reached)

    def _own_reply(self, about: _Case, clock: PastClock) -> Limit | None:
        """The limit an order came with; the other rules have no say in it."""
        if clock.kind is not ClockKind.REPLY or clock.limit is None:
            return None
        book = self._books.get(clock.rules_version or "")
        usual = self._limits_of(book, about).get((ClockKind.REPLY, None)) if book else None
        return None if usual == clock.limit else clock.limit

    def _limits_of(self, book: RuleBook, about: _Case) -> _Limits:
        """All limits a book gives such a case; those of the channel come after those of the row."""
        # The book on trial may bear the version of one of the past, so it has a place of its own.
        known = self._limits if book is self._book else self._past_limits.setdefault(book.version, {})
        limits = known.get(about)
        if limits is None:
            limits = known[about] = limits_of(book.row(*about[:3]), book.channel(about[3]))
        return limits


def _rungs_of(book: RuleBook, kind: ClockKind) -> _Rungs:
    ladder = [rung for rung in book.ladder if rung.stands_on(kind)]
    yellow = [rung.percent for rung in ladder if rung.action == RungAction.YELLOW and rung.percent]
    others = [rung for rung in ladder if rung.action not in (RungAction.YELLOW, RungAction.RED)]
    return _Rungs(
        yellow=min(yellow, default=None),
        percent=tuple((rung.percent, rung) for rung in others if rung.percent is not None),
        at_due=tuple(rung for rung in others if rung.percent is None and rung.after_due is None),
        after=tuple((rung.after_due, rung) for rung in others if rung.after_due is not None),
    )


def _responsible(case: PastCase, clock: PastClock) -> str | None:
    """The organisation the clock waited for, as ``domain.case.responsible`` has it; grids count for their community.

    The one budget counts for the department that concluded, also where others had the case before it.
    """
    match clock.kind:
        case ClockKind.SIGN_FOR | ClockKind.REPLY:
            return clock.organisation
        case ClockKind.HANDLE | ClockKind.CONTACT | ClockKind.STEP:
            return case.lead or case.street
        case ClockKind.DISPATCH:
            return case.street
        case _:
            return case.community or case.street


@lru_cache(maxsize=4096)
def _length(length: Limit) -> int | None:
    """Microseconds of a limit that is equally long wherever it lies; None where the calendar decides."""
    if length.is_natural:
        return length.natural() // _MICROSECOND
    return length.amount * _WORKING_HOUR if length.unit is Unit.WORKING_HOUR else None


def _count(calendar: WorkCalendar | None, start: datetime, end: datetime, unit: Unit, pauses: tuple[Pause, ...]) -> int:
    """Microseconds that counted."""
    found = measure(calendar, start, end, unit, pauses)
    assert isinstance(found, timedelta)
    return found // _MICROSECOND


def _is_reached(percent: int, ways: list[tuple[int, int]]) -> bool:
    """Whether so much was ever used, of what was then the whole, as ``WorkCalendar.share`` reckons it."""
    return any(used >= max(total * percent // 100, 1) for used, total in ways)


@dataclass
class Tally:
    """Figures over clocks, before (as it was) and after (under the other rules).

    ``clocks`` counts all of them; ``unknown`` those of which nothing can be said, by reason; every other figure is
    about the rest. ``recorded`` of these have a late mark of their own: in a table without one all ``before`` figures
    are zero. ``shares`` counts clocks by the percents of the limit they used.
    """

    clocks: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    unlimited: int = 0
    provisional: int = 0
    recorded: int = 0
    late_before: int = 0
    late_after: int = 0
    newly_late: int = 0
    no_longer_late: int = 0
    warned_before: int = 0
    warned_after: int = 0
    rungs_before: Counter[str] = field(default_factory=Counter)
    rungs_after: Counter[str] = field(default_factory=Counter)
    level_ups_before: int = 0
    level_ups_after: int = 0
    shares: Counter[int] = field(default_factory=Counter)

    def add(self, clock: PastClock, found: Rehearsed, raised: int) -> None:
        """Count one clock; ``raised`` is how often it raised the level in its time."""
        self.clocks += 1
        if found.unknown is not None:
            self.unknown[found.unknown] += 1
            return
        late = bool(clock.late)
        self.recorded += clock.late is not None
        self.late_before += late
        self.late_after += found.late
        self.newly_late += found.late and clock.late is False
        self.no_longer_late += late and not found.late
        self.warned_before += clock.warned
        self.warned_after += found.warned
        self.level_ups_before += raised
        self.level_ups_after += found.level_ups
        for code in clock.reached:
            self.rungs_before[code] += 1
        for code in found.rungs:
            self.rungs_after[code] += 1
        if found.due_at is None:
            self.unlimited += 1
        else:
            self.provisional += found.provisional
            self.shares[found.share] += 1

    def merge(self, other: "Tally") -> None:
        """Count what the other has counted as well."""
        for name in self.__dataclass_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, Counter):
                mine.update(theirs)
            else:
                setattr(self, name, mine + theirs)

    def share(self, percent: int) -> int | None:
        """The used share (whole percents) that ``percent`` of the clocks stay within; None without a clock."""
        wanted, seen = -(-sum(self.shares.values()) * percent // 100), 0
        for used in sorted(self.shares):
            seen += self.shares[used]
            if seen >= wanted:
                return used
        return None


Group = tuple[str | None, ClockKind]
"""Who was responsible, and for which kind of clock."""


@dataclass
class Totals:
    """What a rehearsal of many cases came to; parts of it can be made apart and merged in any order.

    ``late_*`` count cases with at least one such clock. ``worst`` are the ``keep`` cases that change most, in no order.
    """

    keep: int = 0
    cases: int = 0
    late_before: int = 0
    late_after: int = 0
    changed: int = 0
    groups: dict[Group, Tally] = field(default_factory=dict)
    worst: list[CaseChange] = field(default_factory=list)

    def add(self, rehearsal: Rehearsal, case: PastCase) -> None:
        """Rehearse one case and count it. Raises ``Refused`` as ``Rehearsal`` does."""
        judged = rehearsal.judge(case)
        raised = [rehearsal.level_ups(clock) for clock in case.clocks]
        for clock, found, ups in zip(case.clocks, judged, raised, strict=True):
            group = (found.responsible, clock.kind)
            tally = self.groups.get(group)
            if tally is None:
                tally = self.groups[group] = Tally()
            tally.add(clock, found, ups)
        change = _change(case, judged, raised)
        self.cases += 1
        self.late_before += change.late_before > 0
        self.late_after += change.late_after > 0
        if any(change.weight):
            self.changed += 1
            self._keep([change])

    def merge(self, other: "Totals") -> None:
        """Count what the other has counted as well."""
        self.cases += other.cases
        self.late_before += other.late_before
        self.late_after += other.late_after
        self.changed += other.changed
        for group, tally in other.groups.items():
            self.groups.setdefault(group, Tally()).merge(tally)
        self._keep(other.worst)

    def _keep(self, changes: list[CaseChange]) -> None:
        if not self.keep:
            return
        self.worst += changes
        if len(self.worst) > max(4 * self.keep, 200):
            self.worst = self.most_changed()

    def most_changed(self) -> list[CaseChange]:
        """The cases that change most, those first; cases that change alike in the order of their ids."""
        return heapq.nsmallest(self.keep, self.worst, key=lambda each: (*(-part for part in each.weight), each.id))

    @property
    def whole(self) -> Tally:
        """The figures over all clocks."""
        return _sum(self.groups.values())

    def by_responsible(self) -> dict[str | None, Tally]:
        """The figures of each organisation, by code; None for clocks nobody can be named for."""
        codes = sorted({code for code, _ in self.groups}, key=lambda code: (code is None, code or ""))
        return {code: _sum(tally for (each, _), tally in self.groups.items() if each == code) for code in codes}

    def by_kind(self) -> dict[ClockKind, Tally]:
        """The figures of each kind of clock."""
        kinds = [kind for kind in ClockKind if any(kind is each for _, each in self.groups)]
        return {kind: _sum(tally for (_, each), tally in self.groups.items() if each is kind) for kind in kinds}


def _sum(tallies: Iterable[Tally]) -> Tally:
    whole = Tally()
    for tally in tallies:
        whole.merge(tally)
    return whole


def _change(case: PastCase, judged: tuple[Rehearsed, ...], raised: list[int]) -> CaseChange:
    """What becomes of the case; a clock without a late mark of its own is late before as little as on time."""
    known = [each for each in zip(case.clocks, judged, raised, strict=True) if each[1].unknown is None]
    return CaseChange(
        id=case.id,
        clocks=len(case.clocks),
        late_before=sum(bool(clock.late) for clock, _, _ in known),
        late_after=sum(found.late for _, found, _ in known),
        rungs_before=sum(len(clock.reached) for clock, _, _ in known),
        rungs_after=sum(len(found.rungs) for _, found, _ in known),
        level_ups_before=sum(ups for _, _, ups in known),
        level_ups_after=sum(found.level_ups for _, found, _ in known),
        changed_lights=sum(found.late != bool(clock.late) for clock, found, _ in known),
        changed_rungs=sum(
            len({*clock.reached} ^ {*found.rungs}) for clock, found, _ in known if clock.reached != found.rungs
        ),
        overtime_minutes=sum(found.overtime for _, found, _ in known),
    )
