"""The work calendar: its days, its hours, its horizon, and the way to a due time."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import holidays
import pytest
from pydantic import TypeAdapter, ValidationError

from domain.calendar import (
    FIXED_OFF,
    Day,
    LocalHours,
    Pause,
    Reason,
    WorkCalendar,
    due,
    measure,
    share,
    standard_week,
    steps,
)
from domain.errors import Refused
from domain.limits import Unit, limit
from domain.parsing import parse
from tests.calendars import local, office_calendar

CALENDAR: TypeAdapter[WorkCalendar] = TypeAdapter(WorkCalendar)
OF_TWO_YEARS = {
    "version": "two-years",
    "name": "两年",
    "week": standard_week(),
    "published_from": "2025-01-01",
    "published_until": "2026-12-31",
}
SUMMER = LocalHours(
    begin=date(2026, 6, 1), end=date(2026, 9, 30), segments=("08:00-12:00", "15:00-18:00"), reason="夏令作息"
)


def calendar(**fields: Any) -> WorkCalendar:
    return WorkCalendar.model_validate({**OF_TWO_YEARS, **fields})


def refusal(**fields: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        parse(CALENDAR, {**OF_TWO_YEARS, **fields})
    return caught.value


def test_every_day_agrees_with_an_independent_list() -> None:
    others = holidays.country_holidays("CN", years=range(2020, 2027))
    day, wrong = date(2020, 1, 1), []
    while day <= date(2026, 12, 31):
        if office_calendar().is_working_day(day) is not others.is_working_day(day):
            wrong.append(day)
        day += timedelta(days=1)
    assert not wrong


def test_the_years_have_as_many_working_days_as_the_lists_say() -> None:
    # Counted by the calendar's own arithmetic instead of day by day.
    last_of_year = local("2024-12-31 23:00")
    assert office_calendar().counted_days(last_of_year, local("2025-12-31 18:00")) == 248
    assert office_calendar().working_time(last_of_year, local("2025-12-31 18:00")) == 248 * timedelta(hours=8)


def test_fixed_days_off_are_all_that_is_assumed_beyond_the_published_days() -> None:
    known = office_calendar()
    assert not known.is_working_day(date(2027, 1, 1))
    assert known.is_working_day(date(2027, 10, 4))  # a Monday nobody has taken off yet
    assert not known.is_working_day(date(2027, 10, 3))
    assert not known.is_working_day(date(2019, 5, 2))
    assert calendar().is_working_day(date(2027, 1, 1))  # without fixed days there are weekends only
    # Inside the published days the list alone speaks: an office that names no day off has none.
    assert calendar(fixed_off=FIXED_OFF).is_working_day(date(2026, 1, 1))


def test_days_named_beyond_the_horizon_wait_for_it() -> None:
    day = {"on": "2027-02-08", "name": "春节"}
    assert calendar(off=[day]).is_working_day(date(2027, 2, 8))
    assert not calendar(off=[day], published_until="2027-12-31").is_working_day(date(2027, 2, 8))


@pytest.mark.parametrize(
    ("fields", "code", "params"),
    [
        ({"week": [["8:00-12:00"]] * 7}, "calendar.bad_segment", {"value": "8:00-12:00"}),
        ({"week": [["12:00-08:00"]] * 7}, "calendar.bad_segment", {"value": "12:00-08:00"}),
        ({"week": [["08:00-08:00"]] * 7}, "calendar.bad_segment", {"value": "08:00-08:00"}),
        ({"week": [["08:00-24:30"]] * 7}, "calendar.bad_segment", {"value": "08:00-24:30"}),
        ({"week": [["08:00-12:00", "11:00-18:00"]] * 7}, "calendar.bad_segment", {"value": "11:00-18:00"}),
        ({"week": [["14:00-18:00", "08:00-12:00"]] * 7}, "calendar.bad_segment", {"value": "08:00-12:00"}),
        ({"week": [[]] * 5}, "calendar.bad_week", {"days": "5"}),
        ({"zone": "Asia/Peking"}, "calendar.unknown_zone", {"value": "Asia/Peking"}),
        ({"zone": "../zone"}, "calendar.unknown_zone", {"value": "../zone"}),
        ({"zone": ""}, "calendar.unknown_zone", {"value": ""}),
        ({"fixed_off": ["02-30"]}, "calendar.bad_fixed_off", {"value": "02-30"}),
        ({"fixed_off": ["1-1"]}, "calendar.bad_fixed_off", {"value": "1-1"}),
        ({"fixed_off": ["10-01", "10-01"]}, "calendar.bad_fixed_off", {"value": "10-01"}),
        (
            {"published_from": "2027-01-01"},
            "calendar.bad_horizon",
            {"begin": "2027-01-01", "end": "2026-12-31"},
        ),
        (
            {"published_until": "9999-12-31"},
            "calendar.bad_horizon",
            {"begin": "2025-01-01", "end": "9999-12-31"},
        ),
        (
            {"local": [{"begin": "2026-06-02", "end": "2026-06-01", "segments": [], "reason": "停电"}]},
            "calendar.bad_horizon",
            {"begin": "2026-06-02", "end": "2026-06-01"},
        ),
        (
            {"local": [{"begin": "2026-06-01", "end": "2026-06-01", "segments": ["x"], "reason": "停电"}]},
            "calendar.bad_segment",
            {"value": "x"},
        ),
    ],
)
def test_calendars_that_cannot_be_used(fields: Mapping[str, Any], code: str, params: Mapping[str, str]) -> None:
    caught = refusal(**fields)
    assert (caught.code, caught.refusal.params) == (code, params)


@pytest.mark.parametrize("also", ["off", "made_up"])
def test_no_day_is_named_twice(also: str) -> None:
    once = {"on": "2026-10-01", "name": "国庆节"}
    assert refusal(**{"off": [once], "made_up": [], also: [once] * (2 if also == "off" else 1)}).refusal.params == {
        "day": "2026-10-01"
    }
    assert refusal(off=[once], made_up=[once]).code == "calendar.day_twice"


def test_a_changed_copy_is_checked_and_counts_anew() -> None:
    before = calendar()
    assert before.add(local("2026-09-30 17:00"), limit("2wh")) == local("2026-10-01 09:00")
    after = before.model_copy(update={"off": (Day(on=date(2026, 10, 1), name="国庆节"),)})
    assert after.add(local("2026-09-30 17:00"), limit("2wh")) == local("2026-10-02 09:00")
    assert after != before == before.model_copy()
    with pytest.raises(ValidationError):
        before.model_copy(update={"week": ()})


def test_a_calendar_is_read_as_it_is_written() -> None:
    written = office_calendar().model_copy(update={"local": (SUMMER,)})
    assert WorkCalendar.model_validate_json(written.model_dump_json()) == written
    written.add(local("2026-06-01 11:00"), limit("2wh"))
    assert WorkCalendar.model_validate_json(written.model_dump_json()) == written


def test_summer_hours_hold_on_working_days_only() -> None:
    office = office_calendar().model_copy(update={"local": (SUMMER,)})
    assert office.add(local("2026-05-29 17:00"), limit("2wh")) == local("2026-06-01 09:00")
    assert office.add(local("2026-06-01 11:00"), limit("2wh")) == local("2026-06-01 16:00")
    assert office.add(local("2026-06-05 17:00"), limit("2wh")) == local("2026-06-08 09:00")  # no Saturday
    # A working day by minutes keeps its eight hours, although the days have seven.
    assert office.add(local("2026-06-01 08:00"), limit("1wd/min")) == local("2026-06-02 09:00")
    assert office.add(local("2026-09-30 17:00"), limit("2wh")) == local("2026-10-08 09:00")
    # The made-up Sunday in September has summer hours too.
    assert office.add(local("2026-09-20 14:00"), limit("1wh")) == local("2026-09-20 16:00")


def test_the_office_may_open_on_a_day_off_and_close_on_a_working_day() -> None:
    saturday = LocalHours(
        begin=date(2026, 6, 6), end=date(2026, 6, 6), segments=("09:00-12:00",), reason="值班", every_day=True
    )
    flood = LocalHours(begin=date(2026, 6, 8), end=date(2026, 6, 9), segments=(), reason="防汛停工")
    office = office_calendar().model_copy(update={"local": (SUMMER, saturday, flood)})
    assert office.add(local("2026-06-05 17:00"), limit("3wh")) == local("2026-06-06 11:00")
    assert office.add(local("2026-06-05 17:00"), limit("5wh")) == local("2026-06-10 09:00")
    assert office.add(local("2026-06-05 17:00"), limit("2wd")) == local("2026-06-10 18:00")
    # The later entry wins over the earlier.
    assert office.model_copy(update={"local": (flood, SUMMER)}).is_working_day(date(2026, 6, 8))


def test_a_made_up_day_has_ordinary_hours_even_where_monday_is_free() -> None:
    museum = calendar(week=((), *(("09:00-17:00",),) * 6), made_up=[{"on": "2026-03-02", "name": "调休"}], local=[])
    assert museum.ordinary_minutes == 8 * 60
    assert museum.add(local("2026-03-01 16:00"), limit("2wh")) == local("2026-03-02 10:00")
    assert museum.add(local("2026-03-02 16:00"), limit("1wd/min")) == local("2026-03-03 16:00")


def test_hours_around_the_clock_and_without_a_lunch() -> None:
    hotline = calendar(week=(("00:00-24:00",),) * 7)
    assert hotline.add(local("2026-03-01 23:00"), limit("30wh")) == local("2026-03-03 05:00")
    assert hotline.add(local("2026-03-01 23:00"), limit("1wd")) == local("2026-03-03 00:00")
    assert [step.reason for step in hotline.steps(local("2026-03-01 23:00"), limit("30wh"))] == [Reason.WORKING]
    through = calendar(week=(("08:00-12:00", "12:00-16:00"),) * 7)
    assert [step.reason for step in through.steps(local("2026-03-01 11:00"), limit("2wh"))] == [Reason.WORKING]


def test_days_on_which_the_clocks_change_have_the_hours_they_have() -> None:
    office = calendar(zone="Europe/Berlin", week=(("01:00-04:00",),) * 7)
    # 2026-03-29 has no hour from two to three, 2026-10-25 has it twice.
    spring, autumn = datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 10, 24, 22, tzinfo=UTC)
    assert office.working_time(spring, spring + timedelta(hours=23)) == timedelta(hours=2)
    assert office.working_time(autumn, autumn + timedelta(hours=25)) == timedelta(hours=4)
    night = calendar(zone="Europe/Berlin", week=(("02:00-02:30", "02:30-03:30"),) * 7)
    assert night.working_time(spring, spring + timedelta(hours=23)) == timedelta(minutes=30)
    # The hour that is left out makes the edges of two segments meet; no minute counts twice.
    late = calendar(zone="Europe/Berlin", week=(("02:00-02:50", "03:00-04:00"),) * 7)
    assert late.working_time(spring, spring + timedelta(hours=23)) == timedelta(hours=1)


def test_the_first_instant_counts_not_the_next_morning() -> None:
    office = office_calendar()
    assert office.add(local("2025-03-03 14:00"), limit("4wh")) == local("2025-03-03 18:00")
    assert office.add(local("2025-03-03 18:00"), limit("4wh")) == local("2025-03-04 12:00")
    assert office.subtract(local("2025-03-03 18:00"), limit("4wh")) == local("2025-03-03 14:00")
    # Who started anywhere in the night before is due at noon as well; eight in the morning is the latest of them.
    assert office.subtract(local("2025-03-04 12:00"), limit("4wh")) == local("2025-03-04 08:00")
    assert office.subtract(local("2025-03-04 13:00"), limit("4wh")) == local("2025-03-04 08:00")
    assert office.subtract(local("2025-03-04 18:00"), limit("1wd")) == local("2025-03-04 00:00") - timedelta(
        microseconds=1
    )


@pytest.mark.parametrize(
    ("begin", "end", "expected"),
    [
        ("2025-03-04 17:59", "2025-03-04 18:00", "2025-03-05 18:00"),  # covers the close
        ("2025-03-04 18:00", "2025-03-05 08:00", "2025-03-04 18:00"),  # begins when the day is over
        ("2025-03-04 08:00", "2025-03-04 17:59", "2025-03-04 18:00"),  # over before the day is
        ("2025-03-03 11:00", "2025-03-04 11:00", "2025-03-04 18:00"),  # the start day does not count anyway
        ("2025-03-04 09:00", "2025-03-07 18:00", "2025-03-10 18:00"),
        ("2025-03-01 09:00", "2025-03-02 18:00", "2025-03-04 18:00"),  # before the start
    ],
)
def test_a_pause_over_a_close_takes_the_day_out(begin: str, end: str, expected: str) -> None:
    pause = Pause(begin=local(begin), end=local(end))
    assert office_calendar().due(local("2025-03-03 10:00"), limit("1wd"), [pause]).at == local(expected)


@pytest.mark.parametrize(
    ("text", "due"), [("4wh", "2025-03-03 18:00"), ("3wh", "2025-03-03 17:00"), ("4h", "2025-03-03 18:00")]
)
@pytest.mark.parametrize("minutes", [0, 30, 400])
def test_a_pause_that_begins_when_all_is_counted_changes_nothing(text: str, due: str, minutes: int) -> None:
    begin = local(due) + timedelta(minutes=minutes)
    pause = Pause(begin=begin, end=begin + timedelta(days=2))
    assert office_calendar().due(local("2025-03-03 14:00"), limit(text), [pause]).at == local(due)


def test_a_share_of_a_day_that_was_paused_but_for_a_moment() -> None:
    start, due = local("2025-03-03 18:00"), local("2025-03-04 18:00")
    pause = Pause(begin=local("2025-03-04 07:00"), end=due - timedelta(microseconds=50))
    assert office_calendar().due(start, limit("1wd"), [pause]).at == due
    assert start < office_calendar().share(start, limit("1wd"), 1, [pause]) == due - timedelta(microseconds=49)


@pytest.mark.parametrize("text", ["4wh", "1wd", "1wd/min", "4h"])
def test_a_pause_that_a_clock_jumping_back_has_recorded_changes_nothing(text: str) -> None:
    backward = Pause(begin=local("2025-03-04 18:00"), end=local("2025-03-04 17:00"))
    start, length = local("2025-03-04 16:00"), limit(text)
    assert office_calendar().due(start, length, [backward]) == office_calendar().due(start, length)
    assert office_calendar().steps(start, length, [backward]) == office_calendar().steps(start, length)


@pytest.mark.parametrize("text", ["1wh", "1wd", "1wd/min"])
def test_what_counts_beyond_the_horizon_is_provisional(text: str) -> None:
    office, length = office_calendar(), limit(text)
    assert not office.due(local("2026-12-30 17:00"), length).provisional
    assert office.due(local("2026-12-31 18:00"), length).provisional
    assert office.due(local("2019-12-31 17:00"), length).provisional
    assert not office.due(local("2020-01-01 00:00"), length).provisional
    assert not office.due(local("2026-12-31 18:00"), limit("24h")).provisional


def test_work_that_ends_with_the_last_published_day_is_final() -> None:
    hotline = calendar(week=(("00:00-24:00",),) * 7)
    assert hotline.due(local("2026-12-31 23:00"), limit("1wh")) == (local("2027-01-01 00:00"), False)
    assert hotline.due(local("2026-12-31 23:01"), limit("1wh")).provisional


@pytest.mark.parametrize("text", ["4wh", "1wd", "1wd/min"])
def test_a_calendar_without_working_time_refuses_at_once(text: str) -> None:
    never, start, length = (
        calendar(week=((),) * 7, made_up=[{"on": "2026-01-04", "name": "调休"}]),
        local("2026-01-01 09:00"),
        limit(text),
    )
    for count in (never.due, never.add, never.subtract, never.steps):
        with pytest.raises(Refused) as caught:
            count(start, length)
        assert caught.value.code == "calendar.no_working_time"
        assert caught.value.refusal.params == {"version": "two-years", "value": text}
    with pytest.raises(Refused) as caught:
        never.measure(start, local("2026-01-02 09:00"), length.unit)
    assert caught.value.code == "calendar.no_working_time"
    assert never.add(start, limit("24h")) == local("2026-01-02 09:00")


def test_an_office_without_ordinary_days_has_no_working_days_by_minutes() -> None:
    duty = LocalHours(
        begin=date(2026, 1, 1), end=date(2026, 1, 9), segments=("08:00-12:00",), reason="值班", every_day=True
    )
    office = calendar(week=((),) * 7, local=[duty])
    assert office.add(local("2026-01-01 09:00"), limit("4wh")) == local("2026-01-02 09:00")
    with pytest.raises(Refused) as caught:
        office.add(local("2026-01-01 09:00"), limit("1wd/min"))
    assert caught.value.code == "calendar.no_working_time"
    # The duty ends and with it all working time: there is no due.
    with pytest.raises(Refused) as caught:
        office.add(local("2026-01-09 09:00"), limit("4wh"))
    assert caught.value.code == "calendar.too_far"


@pytest.mark.parametrize(
    ("start", "text"),
    [
        ("2026-01-01 09:00", "99999wh"),
        ("2026-01-01 09:00", "99999wd"),
        ("2026-01-01 09:00", "99999wd/min"),
        ("1990-01-01 09:00", "1wh"),
        ("1990-01-01 09:00", "1wd"),
        ("2100-01-01 09:00", "1wh"),
        ("2100-01-01 09:00", "1wd"),
    ],
)
def test_counting_reaches_so_far_and_no_further(start: str, text: str) -> None:
    with pytest.raises(Refused) as caught:
        calendar().due(local(start), limit(text))
    assert caught.value.code == "calendar.too_far"
    assert caught.value.refusal.params == {"value": text, "first": "2020-01-01", "last": "2051-12-31"}


def test_natural_limits_end_where_years_end() -> None:
    with pytest.raises(Refused) as caught:
        due(None, local("9999-12-01 09:00"), limit("99d"))
    assert caught.value.code == "calendar.too_far"
    with pytest.raises(Refused) as caught:
        calendar().subtract(local("2020-01-01 09:00"), limit("2wh"))
    assert caught.value.code == "calendar.too_far"
    with pytest.raises(Refused) as caught:
        calendar().subtract(local("2020-01-01 18:00"), limit("1wd"))
    assert caught.value.code == "calendar.too_far"


@pytest.mark.parametrize("text", ["4wh", "1wd", "1wd/min"])
def test_working_units_need_a_calendar(text: str) -> None:
    start, length = local("2025-03-03 09:00"), limit(text)
    for count in (
        lambda: due(None, start, length),
        lambda: share(None, start, length, 80),
        lambda: steps(None, start, length),
        lambda: measure(None, start, start, length.unit),
    ):
        with pytest.raises(Refused) as caught:
            count()
        assert caught.value.code == "limit.needs_calendar"
    assert due(office_calendar(), start, length) == office_calendar().due(start, length)


@pytest.mark.parametrize("percent", [0, -1, 101])
def test_a_share_is_a_part(percent: int) -> None:
    with pytest.raises(ValueError, match="percent"):
        office_calendar().share(local("2025-03-03 09:00"), limit("4wh"), percent)


def test_shares_are_counted_like_the_limit() -> None:
    office = office_calendar()
    assert office.share(local("2025-09-30 17:00"), limit("4wh"), 50) == local("2025-10-09 09:00")
    # One hour of the start day and two days between: seventeen hours, half of them.
    assert office.share(local("2025-03-03 17:00"), limit("2wd"), 50) == local("2025-03-04 17:30")
    assert office.share(local("2025-03-03 17:00"), limit("10h"), 50) == local("2025-03-03 22:00")
    pause = Pause(begin=local("2025-03-03 18:00"), end=local("2025-03-04 18:00"))
    assert office.share(local("2025-03-03 17:00"), limit("2wh"), 75, [pause]) == local("2025-03-05 08:30")


def way(text: str, start: str, *pauses: Pause) -> list[tuple[str, str, int, int, str]]:
    """The steps as (reason, end in the office, counted minutes, days, name)."""
    return [
        (
            step.reason.value,
            f"{step.end + timedelta(hours=8):%m-%d %H:%M}",
            step.counted // timedelta(minutes=1) or step.counted_days,
            step.days,
            step.name,
        )
        for step in office_calendar().steps(local(start), limit(text), pauses)
    ]


def test_the_way_of_working_hours_over_national_day() -> None:
    assert way("4wh", "2025-09-30 17:00") == [
        ("working", "09-30 18:00", 60, 0, ""),
        ("night", "10-01 00:00", 0, 0, ""),
        ("day_off", "10-09 00:00", 0, 8, "国庆节、中秋"),
        ("night", "10-09 08:00", 0, 0, ""),
        ("working", "10-09 11:00", 180, 0, ""),
    ]


def test_the_way_of_working_days_over_national_day() -> None:
    assert way("5wd", "2025-09-30 17:00") == [
        ("start_day", "10-01 00:00", 0, 1, ""),
        ("day_off", "10-09 00:00", 0, 8, "国庆节、中秋"),
        ("working_day", "10-11 00:00", 2, 2, ""),
        ("made_up", "10-12 00:00", 1, 1, "国庆节"),
        ("weekend", "10-13 00:00", 0, 1, ""),
        ("working_day", "10-14 18:00", 2, 2, ""),
    ]


def test_the_way_past_lunch_and_a_pause() -> None:
    pause = Pause(begin=local("2025-03-03 15:00"), end=local("2025-03-05 09:00"))
    assert way("4wh", "2025-03-03 11:00", pause) == [
        ("working", "03-03 12:00", 60, 0, ""),
        ("lunch", "03-03 14:00", 0, 0, ""),
        ("working", "03-03 15:00", 60, 0, ""),
        ("paused", "03-05 09:00", 0, 0, ""),
        ("working", "03-05 11:00", 120, 0, ""),
    ]
    assert way("1wd", "2025-03-03 11:00", pause) == [
        ("start_day", "03-04 00:00", 0, 1, ""),
        ("paused", "03-05 00:00", 0, 1, ""),
        ("working_day", "03-05 18:00", 1, 1, ""),
    ]
    assert way("4h", "2025-03-03 13:00", pause) == [
        ("natural", "03-03 15:00", 120, 0, ""),
        ("paused", "03-05 09:00", 0, 0, ""),
        ("natural", "03-05 11:00", 120, 0, ""),
    ]


def test_the_way_beyond_the_horizon_says_so() -> None:
    assert way("2wd", "2026-12-31 10:00") == [
        ("start_day", "01-01 00:00", 0, 1, ""),
        ("day_off", "01-02 00:00", 0, 1, ""),
        ("weekend", "01-04 00:00", 0, 2, ""),
        ("unpublished", "01-05 18:00", 2, 2, ""),
    ]


def test_the_way_through_local_hours_names_their_reason() -> None:
    closed = LocalHours(begin=date(2026, 6, 8), end=date(2026, 6, 9), segments=(), reason="防汛停工")
    office = office_calendar().model_copy(update={"local": (SUMMER, closed)})
    found = [(step.reason, step.name, step.days) for step in office.steps(local("2026-06-07 10:00"), limit("1wh"))]
    assert found == [
        (Reason.WEEKEND, "", 1),
        (Reason.LOCAL, "防汛停工", 2),
        (Reason.NIGHT, "", 0),
        (Reason.LOCAL, "夏令作息", 0),
    ]


def test_units_measure_what_they_count() -> None:
    office, start, end = office_calendar(), local("2025-03-03 17:00"), local("2025-03-05 18:00")
    assert office.measure(start, end, Unit.WORKING_HOUR) == timedelta(hours=17)
    assert office.measure(start, end, Unit.WORKING_DAY_BY_MINUTES) == timedelta(hours=17)
    assert office.measure(start, end, Unit.WORKING_DAY) == 2
    assert office.measure(start, end - timedelta(minutes=1), Unit.WORKING_DAY) == 1
    assert office.measure(start, end, Unit.HOUR) == timedelta(hours=49)
    pause = Pause(begin=local("2025-03-04 17:00"), end=local("2025-03-04 19:00"))
    assert office.measure(start, end, Unit.WORKING_DAY, [pause]) == 1
    assert office.measure(start, end, Unit.WORKING_HOUR, [pause]) == timedelta(hours=16)
    assert office.measure(start, end, Unit.DAY, [pause]) == timedelta(hours=47)
