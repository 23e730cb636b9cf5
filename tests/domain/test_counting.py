"""What must hold for every start, limit and pause: counting against a slow count, and its laws."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.calendar import Pause, WorkCalendar, due, measure, share, steps
from domain.limits import Limit, Unit, limit
from tests.calendars import OFFICE, local, office_calendar

MINUTE = timedelta(minutes=1)
MICROSECOND = timedelta(microseconds=1)
WORKING = [Unit.WORKING_HOUR, Unit.WORKING_DAY_BY_MINUTES, Unit.WORKING_DAY]
OPEN = [(8 * 60, 12 * 60), (14 * 60, 18 * 60)]

# Autumn 2025 with National Day and both made-up days, and the turn to a year without a list.
STARTS = st.one_of(
    st.timedeltas(timedelta(), timedelta(days=30)).map(lambda later: local("2025-09-20 00:00") + later),
    st.timedeltas(timedelta(), timedelta(days=30)).map(lambda later: local("2026-12-10 00:00") + later),
    st.timedeltas(timedelta(), timedelta(days=2550)).map(lambda later: datetime(2020, 1, 1, tzinfo=UTC) + later),
)
WORKING_LIMITS = st.builds(Limit, amount=st.integers(1, 30), unit=st.sampled_from(WORKING))
LIMITS = st.one_of(WORKING_LIMITS, st.builds(Limit, amount=st.integers(1, 90), unit=st.sampled_from(list(Unit))))
# Offsets in minutes from the start: some before it, many inside working time, some without length.
OFFSETS = st.lists(st.tuples(st.integers(-3000, 20_000), st.integers(0, 6000)), max_size=4)
LAWS = settings(deadline=None, derandomize=True, max_examples=200)


def pauses_after(start: datetime, offsets: Sequence[tuple[int, int]]) -> list[Pause]:
    return [Pause(begin=start + begin * MINUTE, end=start + (begin + length) * MINUTE) for begin, length in offsets]


@cache
def is_open(day: date) -> bool:
    """Whether the office works on the day, from the lists alone."""
    calendar = office_calendar()
    if day.year > 2026:
        return day.weekday() < 5 and f"{day:%m-%d}" not in calendar.fixed_off
    if day in {made_up.on for made_up in calendar.made_up}:
        return True
    return day.weekday() < 5 and day not in {off.on for off in calendar.off}


def works(minute: datetime) -> bool:
    at = minute.astimezone(OFFICE)
    return is_open(at.date()) and any(begin <= at.hour * 60 + at.minute < end for begin, end in OPEN)


def paused(at: datetime, pauses: Sequence[Pause]) -> bool:
    return any(pause.begin <= at < pause.end for pause in pauses)


def slow_due(start: datetime, length: Limit, pauses: Sequence[Pause]) -> datetime:
    """Minute by minute, day by day, as a clerk would count on fingers."""
    if length.unit is Unit.WORKING_DAY:
        day, left = start.astimezone(OFFICE).date(), length.amount
        while left:
            day += timedelta(days=1)
            close = datetime(day.year, day.month, day.day, 18, tzinfo=OFFICE)
            left -= is_open(day) and not any(pause.begin < close <= pause.end for pause in pauses)
        return close
    left = length.amount * (60 if length.unit is Unit.WORKING_HOUR else 480)
    at = start
    while left:
        left -= works(at) and not paused(at, pauses)
        at += MINUTE
    return at


@settings(LAWS, max_examples=60)
@given(STARTS, WORKING_LIMITS, OFFSETS)
@example(local("2025-09-30 17:00"), limit("4wh"), [(30, 15_000)])
@example(local("2025-09-30 17:00"), limit("2wd"), [(12_960, 60), (60, 60)])
def test_fast_and_slow_counting_agree(start: datetime, length: Limit, offsets: list[tuple[int, int]]) -> None:
    start = start.replace(second=0, microsecond=0)
    pauses = pauses_after(start, offsets)
    assert office_calendar().due(start, length, pauses).at == slow_due(start, length, pauses)


@LAWS
@given(STARTS, LIMITS, OFFSETS)
def test_measuring_gives_back_what_was_added(start: datetime, length: Limit, offsets: list[tuple[int, int]]) -> None:
    calendar, pauses = office_calendar(), pauses_after(start, offsets)
    at = calendar.due(start, length, pauses).at
    whole: timedelta | int
    if length.unit is Unit.WORKING_DAY:
        whole = length.amount
    elif length.is_natural:
        whole = length.natural()
    else:
        whole = length.amount * timedelta(hours=1 if length.unit is Unit.WORKING_HOUR else 8)
    assert calendar.measure(start, at, length.unit, pauses) == whole
    # It is the first such instant: a moment before, something is still missing.
    before = calendar.measure(start, at - MICROSECOND, length.unit, pauses)
    assert before == (whole - 1 if isinstance(whole, int) else whole - MICROSECOND)


@LAWS
@given(STARTS, WORKING_LIMITS, OFFSETS)
def test_due_lies_in_working_time(start: datetime, length: Limit, offsets: list[tuple[int, int]]) -> None:
    at = office_calendar().due(start, length, pauses_after(start, offsets)).at
    assert works(at - MICROSECOND)
    if length.unit is Unit.WORKING_DAY:
        assert at.astimezone(OFFICE).hour == 18


@LAWS
@given(STARTS, LIMITS, OFFSETS, st.integers(-500, 20_000))
def test_pausing_and_resuming_at_once_changes_nothing(
    start: datetime, length: Limit, offsets: list[tuple[int, int]], at: int
) -> None:
    calendar, pauses = office_calendar(), pauses_after(start, offsets)
    moment = Pause(begin=start + at * MINUTE, end=start + at * MINUTE)
    with_it = [*pauses, moment]
    expected = calendar.due(start, length, pauses)
    assert calendar.due(start, length, with_it) == expected
    assert calendar.steps(start, length, with_it) == calendar.steps(start, length, pauses)
    assert calendar.share(start, length, 80, with_it) == calendar.share(start, length, 80, pauses)
    assert calendar.measure(start, expected.at, length.unit, with_it) == calendar.measure(
        start, expected.at, length.unit, pauses
    )


@LAWS
@given(STARTS, LIMITS, st.integers(1, 20_000), st.data())
def test_pausing_at_a_close_and_resuming_at_once_changes_nothing(
    start: datetime, length: Limit, days: int, data: st.DataObject
) -> None:
    day = start.astimezone(OFFICE).replace(minute=0, second=0, microsecond=0) + timedelta(days=days % 40)
    close = day.replace(hour=data.draw(st.sampled_from([8, 12, 14, 18])))
    nothing = Pause(begin=close, end=close)
    assert office_calendar().due(start, length, [nothing]) == office_calendar().due(start, length)


@LAWS
@given(STARTS, LIMITS, OFFSETS, st.data())
def test_the_order_of_pauses_never_matters(
    start: datetime, length: Limit, offsets: list[tuple[int, int]], data: st.DataObject
) -> None:
    calendar, pauses = office_calendar(), pauses_after(start, offsets)
    shuffled = data.draw(st.permutations(pauses))
    assert calendar.due(start, length, shuffled) == calendar.due(start, length, pauses)
    assert calendar.steps(start, length, shuffled) == calendar.steps(start, length, pauses)


@LAWS
@given(STARTS, LIMITS, OFFSETS)
def test_a_pause_in_two_halves_or_told_twice_is_one_pause(
    start: datetime, length: Limit, offsets: list[tuple[int, int]]
) -> None:
    calendar, pauses = office_calendar(), pauses_after(start, offsets)
    halves = [
        half
        for pause in pauses
        for middle in [pause.begin + (pause.end - pause.begin) / 2]
        for half in (Pause(begin=pause.begin, end=middle), Pause(begin=middle, end=pause.end))
    ]
    assert calendar.due(start, length, halves) == calendar.due(start, length, pauses)
    assert calendar.due(start, length, [*pauses, *pauses]) == calendar.due(start, length, pauses)


@LAWS
@given(STARTS, LIMITS, OFFSETS, st.tuples(st.integers(-500, 20_000), st.integers(0, 6000)))
def test_more_pause_never_makes_due_earlier(
    start: datetime, length: Limit, offsets: list[tuple[int, int]], more: tuple[int, int]
) -> None:
    calendar = office_calendar()
    fewer, all_of_them = pauses_after(start, offsets), pauses_after(start, [*offsets, more])
    assert calendar.due(start, length, fewer).at <= calendar.due(start, length, all_of_them).at


@LAWS
@given(STARTS, LIMITS, st.integers(0, 10_000), OFFSETS)
def test_who_starts_later_is_due_no_earlier(
    start: datetime, length: Limit, later: int, offsets: list[tuple[int, int]]
) -> None:
    calendar, pauses = office_calendar(), pauses_after(start, offsets)
    assert calendar.due(start, length, pauses).at <= calendar.due(start + later * MINUTE, length, pauses).at


@LAWS
@given(STARTS, LIMITS, st.integers(1, 50), OFFSETS)
def test_a_longer_limit_is_due_later(start: datetime, length: Limit, more: int, offsets: list[tuple[int, int]]) -> None:
    calendar, pauses = office_calendar(), pauses_after(start, offsets)
    longer = length.extended(Limit(amount=more, unit=length.unit))
    assert calendar.due(start, length, pauses).at < calendar.due(start, longer, pauses).at


@LAWS
@given(STARTS, st.integers(1, 40), st.integers(0, 20_000), st.integers(0, 20_000))
def test_what_remains_at_a_pause_counts_from_the_resumption(
    start: datetime, hours: int, minutes_to_stop: int, minutes_stopped: int
) -> None:
    # DOMAIN §4.4: remaining = limit - work(start, pause), and on resumption due = add(resume, remaining).
    calendar, length = office_calendar(), Limit(amount=hours, unit=Unit.WORKING_HOUR)
    stopped = start + minutes_to_stop * MINUTE
    resumed = stopped + minutes_stopped * MINUTE
    remaining = timedelta(hours=hours) - calendar.working_time(start, stopped)
    at = calendar.due(start, length, [Pause(begin=stopped, end=resumed)]).at
    if remaining > timedelta(0):
        assert calendar.working_time(resumed, at) == remaining
        assert calendar.working_time(resumed, at - MICROSECOND) < remaining
    else:
        assert at == calendar.add(start, length) <= stopped


@LAWS
@given(STARTS, LIMITS)
def test_the_latest_start_is_the_latest(end: datetime, length: Limit) -> None:
    calendar = office_calendar()
    start = calendar.subtract(end, length)
    reached = calendar.add(start, length)
    assert reached <= end < calendar.add(start + MICROSECOND, length) or (
        # Outside working time there is none between what was reached and the end.
        not length.is_natural
        and reached <= end
        and calendar.working_time(reached, end) == timedelta(0)
        and reached < calendar.add(start + MICROSECOND, length)
    )
    if works(end - MICROSECOND) and length.unit is not Unit.WORKING_DAY:
        assert reached == end


@LAWS
@given(STARTS, LIMITS, st.integers(1, 100), OFFSETS)
def test_a_share_lies_between_start_and_due(
    start: datetime, length: Limit, percent: int, offsets: list[tuple[int, int]]
) -> None:
    calendar, pauses = office_calendar(), pauses_after(start, offsets)
    at = calendar.share(start, length, percent, pauses)
    end = calendar.due(start, length, pauses).at
    assert start < at <= end
    assert calendar.share(start, length, 100, pauses) == end
    if percent > 1:
        assert calendar.share(start, length, percent - 1, pauses) <= at
    unit = Unit.SECOND if length.is_natural else Unit.WORKING_HOUR
    used, whole = calendar.counted(start, at, unit, pauses), calendar.counted(start, end, unit, pauses)
    assert used == max(whole // MICROSECOND * percent // 100, 1) * MICROSECOND


@LAWS
@given(STARTS, LIMITS, OFFSETS)
def test_the_steps_lead_from_start_to_due_and_add_up(
    start: datetime, length: Limit, offsets: list[tuple[int, int]]
) -> None:
    calendar, pauses = office_calendar(), pauses_after(start, offsets)
    way = calendar.steps(start, length, pauses)
    at = calendar.due(start, length, pauses).at
    assert (way[0].begin, way[-1].end) == (start, at)
    assert all(one.end == other.begin for one, other in pairwise(way))
    assert all(step.begin < step.end for step in way)
    assert all(timedelta(0) <= step.counted <= step.end - step.begin for step in way)
    counted = sum((step.counted for step in way), timedelta(0))
    days = sum(step.counted_days for step in way)
    assert calendar.measure(start, at, length.unit, pauses) == (days if length.unit is Unit.WORKING_DAY else counted)
    assert (counted == timedelta(0)) is (days > 0) is (length.unit is Unit.WORKING_DAY)


@LAWS
@given(STARTS, st.builds(Limit, amount=st.integers(1, 500), unit=st.sampled_from(["s", "m", "h", "d"])), OFFSETS)
def test_natural_limits_count_the_same_without_a_calendar(
    start: datetime, length: Limit, offsets: list[tuple[int, int]]
) -> None:
    calendar, pauses = office_calendar(), pauses_after(start, offsets)
    at = due(None, start, length, pauses)
    assert at == due(calendar, start, length, pauses)
    assert share(None, start, length, 80, pauses) == share(calendar, start, length, 80, pauses)
    assert steps(None, start, length, pauses) == steps(calendar, start, length, pauses)
    assert measure(None, start, at.at, length.unit, pauses) == measure(calendar, start, at.at, length.unit, pauses)
    assert not at.provisional


@pytest.mark.parametrize("unit", list(Unit))
def test_nothing_counts_backwards(unit: Unit) -> None:
    calendar: WorkCalendar = office_calendar()
    measured = calendar.measure(local("2025-03-04 10:00"), local("2025-03-03 10:00"), unit)
    assert measured == (0 if unit is Unit.WORKING_DAY else timedelta(0))
