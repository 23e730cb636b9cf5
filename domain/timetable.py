"""The days of a calendar laid out on one line of integers, so that counting is looking up.

Owns the arithmetic under ``domain.calendar``: instants are microseconds since 1970-01-01 UTC, a pause is a pair of
them, and working time is a running total that can be read in both directions by bisection. Must not know where the
hours of a day come from. A table is built once per calendar and never changes.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import NamedTuple

from domain.errors import Refused

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MINUTE = 60_000_000
_DAY = 24 * 60 * _MINUTE

Spans = Sequence[tuple[int, int]]
"""Pauses in microseconds, in order and apart, none of them empty."""


class Reason(StrEnum):
    """Why a span counts or does not; the words people read are the doors' business."""

    NATURAL = "natural"
    WORKING = "working"
    WORKING_DAY = "working_day"
    MADE_UP = "made_up"
    LOCAL = "local"
    UNPUBLISHED = "unpublished"
    START_DAY = "start_day"
    LUNCH = "lunch"
    NIGHT = "night"
    WEEKEND = "weekend"
    DAY_OFF = "day_off"
    PAUSED = "paused"


class DayPlan(NamedTuple):
    """What a day of the office is: its segments in minutes after midnight, why it is so, and what the day is called."""

    segments: tuple[tuple[int, int], ...]
    reason: Reason
    name: str = ""


class Tile(NamedTuple):
    """A span of one day: a segment of work or a gap; ``days`` is 1 for a day without work, else 0."""

    begin: int
    end: int
    works: bool
    reason: Reason
    name: str
    days: int


def to_integer(at: datetime) -> int:
    """Microseconds from 1970 to ``at``; exact. Raises ``TypeError`` for a moment without a zone."""
    return (at - _EPOCH) // _MICROSECOND


def to_instant(at: int) -> datetime:
    """The moment in UTC. Raises ``Refused`` ``calendar.too_far`` beyond the years that can be written."""
    try:
        return _EPOCH + timedelta(microseconds=at)
    except OverflowError:
        raise Refused("calendar.too_far", value=f"{at // _DAY}d", first=date.min, last=date.max) from None


def joined(pauses: Iterable[tuple[int, int]], start: int) -> Spans:
    """The pauses after ``start`` in order, those that touch or overlap as one; empty ones are left out."""
    spans: list[tuple[int, int]] = []
    for begin, end in sorted(pauses):
        if end <= start or end <= begin:
            continue
        if spans and begin <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], end))
        else:
            spans.append((max(begin, start), end))
    return spans


def natural_due(start: int, span: int, pauses: Spans) -> int:
    """The first instant at which ``span`` has passed since ``start`` outside the pauses."""
    at = start + span
    for begin, end in pauses:
        if begin >= at:
            break
        at += end - begin
    return at


def natural_time(start: int, end: int, pauses: Spans) -> int:
    """The time from ``start`` to ``end`` outside the pauses; none when ``end`` is not later."""
    if end <= start:
        return 0
    return end - start - sum(min(until, end) - begin for begin, until in pauses if begin < end)


class Timetable:
    """Working time over a range of days.

    Every look-up takes time logarithmic in the number of days. Raises ``Refused`` ``calendar.no_working_time`` when
    there is none in the whole range and ``calendar.too_far`` when a look-up leaves the range.
    """

    def __init__(self, version: str, first: date, plans: Sequence[DayPlan], zone: tzinfo) -> None:
        self._version = version
        self._plans = plans
        self._first = first
        day = first.toordinal()
        self._midnights = [_local(date.fromordinal(day + i), zone) for i in range(len(plans) + 1)]
        self._begins: list[int] = []
        self._ends: list[int] = []
        self._before: list[int] = []
        self._first_segment = [0]
        self._closes: list[int] = []
        self._close_days: list[int] = []
        self._worked: list[int] = []
        self._total = 0
        for i, plan in enumerate(plans):
            for begin, end in self._instants(i, plan, zone):
                self._begins.append(begin)
                self._ends.append(end)
                self._before.append(self._total)
                self._total += end - begin
            if len(self._begins) > self._first_segment[-1]:
                self._closes.append(self._ends[-1])
                self._close_days.append(i)
            self._worked.append(len(self._closes))
            self._first_segment.append(len(self._begins))

    def _instants(self, i: int, plan: DayPlan, zone: tzinfo) -> Iterator[tuple[int, int]]:
        midnight = self._midnights[i]
        if self._midnights[i + 1] - midnight == _DAY:
            for begin, end in plan.segments:
                yield midnight + begin * _MINUTE, midnight + end * _MINUTE
            return
        # The clocks are changed on this day: each edge is taken by itself, and an hour that does not exist is no work.
        day = date.fromordinal(self._first.toordinal() + i)
        earliest = midnight
        for begin, end in plan.segments:
            at, until = max(_local(day, zone, begin), earliest), _local(day, zone, end)
            if at < until:
                yield at, until
                earliest = until

    def work(self, at: int, value: object = "") -> int:
        """Working time from the beginning of the table to ``at``; ``value`` is what a refusal names."""
        if not self._total:
            raise self._no_working_time(value)
        if not self._midnights[0] <= at <= self._midnights[-1]:
            raise self._too_far(value)
        i = bisect_right(self._begins, at) - 1
        return self._before[i] + min(at, self._ends[i]) - self._begins[i] if i >= 0 else 0

    def between(self, start: int, end: int, pauses: Spans, value: object = "") -> int:
        """Working time from ``start`` to ``end`` outside the pauses; none when ``end`` is not later."""
        if end <= start:
            return 0
        paused = sum(
            self.work(min(until, end), value) - self.work(begin, value) for begin, until in pauses if begin < end
        )
        return self.work(end, value) - self.work(start, value) - paused

    def reach(self, start: int, span: int, pauses: Spans, value: object = "") -> int:
        """The first instant at which ``span`` > 0 of working time has passed since ``start`` outside the pauses."""
        goal = self.work(start, value) + span
        for begin, end in pauses:
            # A goal beyond the table ends in a refusal below; a pause there needs no look-up.
            if begin > self._midnights[-1] or self.work(begin, value) >= goal:
                break
            goal += self.work(end, value) - self.work(begin, value)
        if goal > self._total:
            raise self._too_far(value)
        i = bisect_left(self._before, goal) - 1
        return self._begins[i] + goal - self._before[i]

    def latest(self, end: int, span: int, value: object = "") -> int:
        """The last instant from which ``span`` of working time reaches as far as ``end``."""
        goal = self.work(end, value) - span
        if goal < 0:
            raise self._too_far(value)
        i = bisect_right(self._before, goal) - 1
        return self._begins[i] + goal - self._before[i]

    def day(self, at: int, value: object = "") -> int:
        """The number of the day of ``at`` in this table."""
        if not self._midnights[0] <= at < self._midnights[-1]:
            raise self._too_far(value)
        return bisect_right(self._midnights, at) - 1

    def midnight(self, day: int) -> int:
        """The instant at which the day of this number begins."""
        return self._midnights[day]

    def plan(self, day: int) -> DayPlan:
        """What the day of this number is."""
        return self._plans[day]

    def works(self, day: int) -> bool:
        """Whether there is any working time on the day of this number."""
        return self._first_segment[day] < self._first_segment[day + 1]

    def close(self, start: int, days: int, pauses: Spans, value: object = "") -> int:
        """Close of business of the ``days``-th working day after the day of ``start`` whose close is not paused."""
        if not self._total:
            raise self._no_working_time(value)
        at = self._worked[self.day(start, value)]
        for begin, end in pauses:
            low, high = max(bisect_right(self._closes, begin), at), bisect_right(self._closes, end)
            if at + days <= low:
                break
            if high > low:
                days, at = days - (low - at), high
        if at + days > len(self._closes):
            raise self._too_far(value)
        return self._closes[at + days - 1]

    def closes(self, start: int, end: int, pauses: Spans) -> int:
        """How many working days after the day of ``start`` have closed by ``end`` with their close not paused."""
        if end <= start:
            return 0
        if not self._total:
            raise self._no_working_time("")
        self.work(end)
        first = self._worked[self.day(start)]
        last = bisect_right(self._closes, end)
        paused = sum(
            max(bisect_right(self._closes, min(until, end)) - max(bisect_right(self._closes, begin), first), 0)
            for begin, until in pauses
            if begin < end
        )
        return max(last - first, 0) - paused

    def latest_before_close(self, end: int, days: int, value: object = "") -> int:
        """The last instant of the last day from which ``days`` working days close no later than ``end``."""
        self.work(end, value)
        first = bisect_right(self._closes, end) - days
        if first < 0 or self._close_days[first] == 0:
            raise self._too_far(value)
        return self._midnights[self._close_days[first]] - 1

    def tiles(self, start: int, end: int) -> Iterator[Tile]:
        """The spans from ``start`` to ``end`` without gaps, the first and the last cut to fit."""
        for day in range(self.day(start), self.day(end - 1) + 1):
            for tile in self._tiles_of(day):
                if tile.begin < end and tile.end > start:
                    yield tile._replace(begin=max(tile.begin, start), end=min(tile.end, end))

    def _tiles_of(self, day: int) -> Iterator[Tile]:
        plan = self._plans[day]
        at, end = self._midnights[day], self._midnights[day + 1]
        if not self.works(day):
            yield Tile(at, end, False, plan.reason, plan.name, 1)
            return
        for i in range(self._first_segment[day], self._first_segment[day + 1]):
            if at < self._begins[i]:
                gap = Reason.NIGHT if i == self._first_segment[day] else Reason.LUNCH
                yield Tile(at, self._begins[i], False, gap, "", 0)
            yield Tile(self._begins[i], self._ends[i], True, plan.reason, plan.name, 0)
            at = self._ends[i]
        if at < end:
            yield Tile(at, end, False, Reason.NIGHT, "", 0)

    def _no_working_time(self, value: object) -> Refused:
        return Refused("calendar.no_working_time", version=self._version, value=value)

    def _too_far(self, value: object) -> Refused:
        last = date.fromordinal(self._first.toordinal() + len(self._plans) - 1)
        return Refused("calendar.too_far", value=value, first=self._first, last=last)


def _local(day: date, zone: tzinfo, minute: int = 0) -> int:
    if minute == 24 * 60:
        day, minute = day + timedelta(days=1), 0
    return to_integer(datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=zone))
