"""Working time: which minutes of which days count, and where a limit ends.

Owns ``WorkCalendar`` and the counting of DOMAIN §4 in three units that are never mixed. A calendar is an immutable
value under its version; it is never looked up while a process is replayed. All instants are UTC, days are those of the
calendar's own zone. Every computation takes time logarithmic in the length of the calendar; none searches day by day.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import field_validator, model_validator
from pydantic_core import PydanticCustomError

from domain.base import Frozen, Recalled
from domain.errors import Refused
from domain.limits import Instant, Limit, Unit
from domain.text import Code, Line
from domain.timetable import (
    DayPlan,
    Reason,
    Spans,
    Timetable,
    joined,
    natural_due,
    natural_time,
    to_instant,
    to_integer,
)
from domain.trace import Step, day_steps, natural_steps, working_steps

__all__ = [
    "FIXED_OFF", "Day", "Due", "LocalHours", "Pause", "Reason", "Step", "WorkCalendar",
    "due", "measure", "share", "standard_week", "steps",
]  # fmt: skip

FIXED_OFF = ("01-01", "05-01", "05-02", "10-01", "10-02", "10-03")
"""Days off with a fixed date by the State Council's rule on festivals and commemorative days (全国年节及纪念日放假办法)
in the wording in force since 2025-01-01: New Year's Day one, Labour Day two, National Day three. The other festivals
follow the moon or the solar terms, and which days are moved to make a longer holiday is decided year by year."""

_YEARS_BEFORE = 5
_YEARS_AFTER = 25
_FIRST_YEAR, _LAST_YEAR = 1900, 2200
_SEGMENT = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00))")
_MICROSECOND = timedelta(microseconds=1)
_MINUTE = 60_000_000


class Pause(Recalled):
    """A span in which a clock did not count; the instants are UTC, ``begin`` included and ``end`` not.

    One that does not end after it begins has no length and changes nothing: the clocks of servers may jump back, and
    what was recorded then must stay readable.
    """

    begin: Instant
    end: Instant


class Due(NamedTuple):
    """Where a limit ends (UTC). ``provisional``: the way there leaves the days for which an official list is known."""

    at: datetime
    provisional: bool


class Day(Frozen):
    """A day the official list or the office names: off, or worked although it is a weekend (调休)."""

    on: date
    name: Line


class LocalHours(Frozen):
    """Other hours than the week's from a day to a day, both included; no segments at all means closed.

    The hours hold on the days that are worked anyway, so that a summer's hours do not open its weekends; with
    ``every_day`` they hold on all days of the span, for instance for a Saturday on which the office opens.
    """

    begin: date
    end: date
    segments: tuple[str, ...]
    reason: Line
    every_day: bool = False

    @field_validator("segments")
    @classmethod
    def _readable(cls, segments: tuple[str, ...]) -> tuple[str, ...]:
        _minutes(segments)
        return segments

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _check_days(self.begin, self.end)
        return self


class WorkCalendar(Frozen):
    """When an office works.

    ``week`` has the segments of Monday to Sunday, each ``HH:MM-HH:MM`` (``24:00`` for the end of the day). ``off`` and
    ``made_up`` are the official list, known for the days ``published_from`` to ``published_until``; outside them
    weekends and ``fixed_off`` (``MM-DD``, the days off that the law itself names) are all that is assumed, and days
    that ``off`` or ``made_up`` name there wait until the published days reach them. A made-up day has the hours of the
    ordinary day: Monday, or the first day of the week that has any. ``local`` wins over everything, the later entry
    over the earlier.

    Counting reaches from five years before the published days to twenty-five years after them.
    """

    version: Code
    name: Line
    zone: str = "Asia/Shanghai"
    week: tuple[tuple[str, ...], ...]
    off: tuple[Day, ...] = ()
    made_up: tuple[Day, ...] = ()
    local: tuple[LocalHours, ...] = ()
    fixed_off: tuple[str, ...] = ()
    published_from: date
    published_until: date

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise PydanticCustomError("calendar.unknown_zone", "{value}", {"value": zone[:40]}) from None
        return zone

    @field_validator("week")
    @classmethod
    def _seven_days(cls, week: tuple[tuple[str, ...], ...]) -> tuple[tuple[str, ...], ...]:
        if len(week) != 7:
            raise PydanticCustomError("calendar.bad_week", "{days}", {"days": len(week)})
        for segments in week:
            _minutes(segments)
        return week

    @field_validator("fixed_off")
    @classmethod
    def _days_of_a_year(cls, fixed_off: tuple[str, ...]) -> tuple[str, ...]:
        for i, day in enumerate(fixed_off):
            if not _is_day_of_a_year(day) or day in fixed_off[:i]:
                raise PydanticCustomError("calendar.bad_fixed_off", "{value}", {"value": day[:40]})
        return fixed_off

    @model_validator(mode="after")
    def _sound(self) -> Self:
        _check_days(self.published_from, self.published_until)
        named: set[date] = set()
        for day in (*self.off, *self.made_up):
            if day.on in named:
                raise PydanticCustomError("calendar.day_twice", "{day}", {"day": day.on.isoformat()})
            named.add(day.on)
        return self

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A calendar with other values in some fields, checked like any other."""
        if not update:
            return self
        # Pydantic's own copy would check nothing and take the table of the old calendar along.
        return type(self).model_validate({name: getattr(self, name) for name in type(self).model_fields} | dict(update))

    def due(self, start: datetime, limit: Limit, pauses: Sequence[Pause] = ()) -> Due:
        """Where ``limit`` ends when it begins at ``start`` and does not count during ``pauses``.

        The first instant at which the whole limit has been counted: in working time the end of a segment rather than
        the beginning of the next. Working days in the next-day mode end at the close of the last of them; a day whose
        close lies in a pause (after its begin, not after its end) is not counted. Pauses may overlap and come in any
        order; what of them lies before ``start`` is ignored. Raises ``Refused`` ``calendar.no_working_time`` and
        ``calendar.too_far``.
        """
        begin = to_integer(start)
        spans = _spans(pauses, begin)
        if limit.is_natural:
            return Due(to_instant(natural_due(begin, _length(limit), spans)), False)
        end = self._end(begin, limit, spans)
        first, last = self._published
        return Due(to_instant(end), not (first <= begin and end <= last))

    def add(self, start: datetime, limit: Limit) -> datetime:
        """``due`` without pauses, as an instant."""
        return self.due(start, limit).at

    def subtract(self, end: datetime, limit: Limit) -> datetime:
        """The latest instant from which ``limit`` ends at ``end``, or as late before it as there is working time.

        For working days in the next-day mode that is the last microsecond of a day. Raises like ``due``.
        """
        at = to_integer(end)
        if limit.is_natural:
            return to_instant(at - _length(limit))
        if limit.unit is Unit.WORKING_DAY:
            return to_instant(self._table.latest_before_close(at, limit.amount, limit))
        return to_instant(self._table.latest(at, self._working_length(limit), limit))

    def counted(self, start: datetime, end: datetime, unit: Unit, pauses: Sequence[Pause] = ()) -> timedelta:
        """The time from ``start`` to ``end`` that counts in ``unit``, zero when ``end`` is not after ``start``.

        The working time for all working units, also for working days in the next-day mode, of which
        ``counted_days`` gives the number.
        """
        begin, until = to_integer(start), to_integer(end)
        spans = _spans(pauses, begin)
        if unit in (Unit.WORKING_HOUR, Unit.WORKING_DAY, Unit.WORKING_DAY_BY_MINUTES):
            return timedelta(microseconds=self._table.between(begin, until, spans, unit.value))
        return timedelta(microseconds=natural_time(begin, until, spans))

    def counted_days(self, start: datetime, end: datetime, pauses: Sequence[Pause] = ()) -> int:
        """How many working days in the next-day mode are over by ``end``: days after that of ``start`` that closed."""
        begin = to_integer(start)
        return self._table.closes(begin, to_integer(end), _spans(pauses, begin))

    def measure(self, start: datetime, end: datetime, unit: Unit, pauses: Sequence[Pause] = ()) -> timedelta | int:
        """What counted from ``start`` to ``end``, the inverse of ``due``.

        A number of days for working days in the next-day mode, a length of time for all other units: natural time,
        or working time (a limit of ``5wd/min`` comes back as five times the minutes of an ordinary day).
        """
        if unit is Unit.WORKING_DAY:
            return self.counted_days(start, end, pauses)
        return self.counted(start, end, unit, pauses)

    def working_time(self, start: datetime, end: datetime, pauses: Sequence[Pause] = ()) -> timedelta:
        """The working time from ``start`` to ``end`` outside the pauses."""
        return self.counted(start, end, Unit.WORKING_HOUR, pauses)

    def share(self, start: datetime, limit: Limit, percent: int, pauses: Sequence[Pause] = ()) -> datetime:
        """The instant at which ``percent`` (1 to 100) of the counted time from ``start`` to ``due`` is used up.

        For working days in the next-day mode that is the working time between start and due, the rest of the start
        day included. Always after ``start`` and never after due; at 100 it is due. Raises like ``due``.
        """
        begin = to_integer(start)
        spans = _spans(pauses, begin)
        if limit.is_natural:
            return to_instant(_natural_share(begin, limit, percent, spans))
        if limit.unit is Unit.WORKING_DAY:
            length = self._table.between(begin, self._end(begin, limit, spans), spans, limit)
        else:
            length = self._working_length(limit)
        return to_instant(self._table.reach(begin, _part(length, percent), spans, limit))

    def steps(self, start: datetime, limit: Limit, pauses: Sequence[Pause] = ()) -> tuple[Step, ...]:
        """The way from ``start`` to due in spans that follow each other; what counts of them adds up to the limit.

        Takes time linear in the days on the way. Raises like ``due``.
        """
        begin = to_integer(start)
        spans = _spans(pauses, begin)
        if limit.is_natural:
            return natural_steps(begin, natural_due(begin, _length(limit), spans), spans)
        trace = day_steps if limit.unit is Unit.WORKING_DAY else working_steps
        return trace(self._table, begin, self._end(begin, limit, spans), spans)

    def is_working_day(self, on: date) -> bool:
        """Whether any of the day ``on`` is worked; outside the published days as far as can be assumed."""
        return bool(self._plan(on).segments)

    def shape(self, on: date) -> tuple[tuple[tuple[int, int], ...], bool]:
        """What counts of the day ``on``: its working minutes, and whether it is published.

        Where the shapes of two spans of days are alike, limits end as many days later in the one as in the other.
        """
        return self._plan(on).segments, self._is_published(on)

    @property
    def ordinary_minutes(self) -> int:
        """The working minutes of the ordinary day, what ``wd/min`` is a multiple of; 0 without working time."""
        return sum(end - begin for begin, end in self._ordinary)

    def _end(self, start: int, limit: Limit, pauses: Spans) -> int:
        if limit.unit is Unit.WORKING_DAY:
            return self._table.close(start, limit.amount, pauses, limit)
        return self._table.reach(start, self._working_length(limit), pauses, limit)

    def _working_length(self, limit: Limit) -> int:
        minutes = 60 if limit.unit is Unit.WORKING_HOUR else self.ordinary_minutes
        if not minutes:
            # An office that works on named days only has no ordinary day.
            raise Refused("calendar.no_working_time", version=self.version, value=limit)
        return limit.amount * minutes * _MINUTE

    @cached_property
    def _ordinary(self) -> tuple[tuple[int, int], ...]:
        return next((segments for segments in self._week if segments), ())

    @cached_property
    def _week(self) -> tuple[tuple[tuple[int, int], ...], ...]:
        return tuple(_minutes(segments) for segments in self.week)

    @cached_property
    def _listed(self) -> Mapping[date, DayPlan]:
        """The published list; a day named as made up in an office that never works stays what it is."""
        return {
            **{day.on: DayPlan((), Reason.DAY_OFF, day.name) for day in self.off if self._is_published(day.on)},
            **{
                day.on: DayPlan(self._ordinary, Reason.MADE_UP if self._ordinary else Reason.WEEKEND, day.name)
                for day in self.made_up
                if self._is_published(day.on)
            },
        }

    @cached_property
    def _own_hours(self) -> tuple[tuple[LocalHours, DayPlan], ...]:
        """The local exceptions, the one that wins first."""
        return tuple(
            (entry, DayPlan(_minutes(entry.segments), Reason.LOCAL, entry.reason)) for entry in reversed(self.local)
        )

    def _is_published(self, on: date) -> bool:
        return self.published_from <= on <= self.published_until

    def _plan(self, on: date) -> DayPlan:
        plan = self._general_plan(on)
        for entry, hours in self._own_hours:
            # Other hours for working days say nothing about a day on which nobody works.
            if entry.begin <= on <= entry.end and (plan.segments or entry.every_day or not hours.segments):
                return hours
        return plan

    def _general_plan(self, on: date) -> DayPlan:
        listed = self._listed.get(on)
        if listed is not None:
            return listed
        published = self._is_published(on)
        if not published and f"{on:%m-%d}" in self.fixed_off:
            return DayPlan((), Reason.DAY_OFF)
        segments = self._week[on.weekday()]
        if not segments:
            return DayPlan((), Reason.WEEKEND)
        return DayPlan(segments, Reason.WORKING if published else Reason.UNPUBLISHED)

    @cached_property
    def _table(self) -> Timetable:
        first = date(self.published_from.year - _YEARS_BEFORE, 1, 1)
        last = date(self.published_until.year + _YEARS_AFTER, 12, 31)
        days = range(first.toordinal(), last.toordinal() + 1)
        return Timetable(self.version, first, [self._plan(date.fromordinal(day)) for day in days], ZoneInfo(self.zone))

    @cached_property
    def _published(self) -> tuple[int, int]:
        """The published days as a span of time."""
        zone = ZoneInfo(self.zone)
        begin, after = self.published_from, self.published_until + timedelta(days=1)
        return (
            to_integer(datetime(begin.year, begin.month, begin.day, tzinfo=zone)),
            to_integer(datetime(after.year, after.month, after.day, tzinfo=zone)),
        )


def due(calendar: WorkCalendar | None, start: datetime, limit: Limit, pauses: Sequence[Pause] = ()) -> Due:
    """``WorkCalendar.due``; natural limits need no calendar.

    Raises ``Refused`` ``limit.needs_calendar`` for a working unit without one.
    """
    if calendar is not None:
        return calendar.due(start, limit, pauses)
    begin = to_integer(start)
    return Due(to_instant(natural_due(begin, _length(limit), _spans(pauses, begin))), False)


def share(
    calendar: WorkCalendar | None, start: datetime, limit: Limit, percent: int, pauses: Sequence[Pause] = ()
) -> datetime:
    """``WorkCalendar.share``; natural limits need no calendar. Raises like ``due``."""
    if calendar is not None:
        return calendar.share(start, limit, percent, pauses)
    begin = to_integer(start)
    return to_instant(_natural_share(begin, limit, percent, _spans(pauses, begin)))


def measure(
    calendar: WorkCalendar | None, start: datetime, end: datetime, unit: Unit, pauses: Sequence[Pause] = ()
) -> timedelta | int:
    """``WorkCalendar.measure``; natural units need no calendar. Raises like ``due``."""
    if calendar is not None:
        return calendar.measure(start, end, unit, pauses)
    Limit(amount=1, unit=unit).natural()
    begin = to_integer(start)
    return timedelta(microseconds=natural_time(begin, to_integer(end), _spans(pauses, begin)))


def steps(
    calendar: WorkCalendar | None, start: datetime, limit: Limit, pauses: Sequence[Pause] = ()
) -> tuple[Step, ...]:
    """``WorkCalendar.steps``; natural limits need no calendar. Raises like ``due``."""
    if calendar is not None:
        return calendar.steps(start, limit, pauses)
    begin = to_integer(start)
    spans = _spans(pauses, begin)
    return natural_steps(begin, natural_due(begin, _length(limit), spans), spans)


def standard_week() -> tuple[tuple[str, ...], ...]:
    """Monday to Friday from eight to twelve and from two to six."""
    return (("08:00-12:00", "14:00-18:00"),) * 5 + ((),) * 2


def _spans(pauses: Sequence[Pause], start: int) -> Spans:
    return joined(((to_integer(pause.begin), to_integer(pause.end)) for pause in pauses), start) if pauses else ()


def _length(limit: Limit) -> int:
    return limit.natural() // _MICROSECOND


def _part(length: int, percent: int) -> int:
    if not 1 <= percent <= 100:
        raise ValueError(f"a share is 1 to 100 percent, not {percent}")
    return max(length * percent // 100, 1)


def _natural_share(start: int, limit: Limit, percent: int, pauses: Spans) -> int:
    return natural_due(start, _part(_length(limit), percent), pauses)


def _minutes(segments: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """The segments of a day in minutes after midnight. Raises ``calendar.bad_segment``."""
    return tuple(_in_order(segments))


def _in_order(segments: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    earliest = 0
    for segment in segments:
        match = _SEGMENT.fullmatch(segment)
        numbers = [int(number) for number in match.groups() if number is not None] if match else [0, 0, 0, 0]
        begin, end = numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3]
        if not earliest <= begin < end:
            raise PydanticCustomError("calendar.bad_segment", "{value}", {"value": segment[:40]})
        yield begin, end
        earliest = end


def _is_day_of_a_year(text: str) -> bool:
    if not re.fullmatch("[0-9]{2}-[0-9]{2}", text):
        return False
    try:
        date.fromisoformat(f"2024-{text}")  # a leap year, so that 02-29 is a day
    except ValueError:
        return False
    return True


def _check_days(begin: date, end: date) -> None:
    if begin > end or begin.year < _FIRST_YEAR or end.year > _LAST_YEAR:
        raise PydanticCustomError(
            "calendar.bad_horizon", "{begin} {end}", {"begin": begin.isoformat(), "end": end.isoformat()}
        )
