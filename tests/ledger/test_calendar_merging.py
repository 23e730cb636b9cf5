"""What an official list makes of a calendar: the years it speaks of, the horizon, the version, and what to look at."""

from datetime import UTC, date, datetime

import pytest

from domain.calendar import FIXED_OFF, Day, LocalHours, WorkCalendar, standard_week
from domain.limits import limit
from ledger.calendar_files import OfficialList, changes, from_library, library_list, merged, remarks

OFFICE = WorkCalendar(
    version="office-1",
    name="办公日历",
    week=standard_week(),
    off=(Day(on=date(2026, 10, 1), name="国庆节"), Day(on=date(2026, 12, 31), name="元旦")),
    local=(LocalHours(begin=date(2026, 7, 1), end=date(2026, 8, 31), segments=("08:00-14:00",), reason="高温"),),
    published_from=date(2026, 1, 1),
    published_until=date(2026, 12, 31),
)


def _list(*years: int, off: tuple[str, ...] = (), made_up: tuple[str, ...] = ()) -> OfficialList:
    return OfficialList(
        years=years,
        off=tuple(Day(on=date.fromisoformat(on), name="节日") for on in off),
        made_up=tuple(Day(on=date.fromisoformat(on), name="节日") for on in made_up),
    )


def test_a_list_replaces_what_was_said_about_its_years_and_nothing_else() -> None:
    after = merged(OFFICE, _list(2026, off=("2026-05-01",), made_up=("2026-05-09",)))
    assert [str(day.on) for day in after.off] == ["2026-05-01"]
    assert [str(day.on) for day in after.made_up] == ["2026-05-09"]
    assert (after.week, after.local, after.name, after.zone) == (OFFICE.week, OFFICE.local, OFFICE.name, OFFICE.zone)

    next_year = merged(OFFICE, _list(2027, off=("2027-01-01",)))
    assert [str(day.on) for day in next_year.off] == ["2026-10-01", "2026-12-31", "2027-01-01"]


def test_a_day_may_turn_from_off_into_worked_and_back() -> None:
    after = merged(OFFICE, _list(2027, off=("2027-01-01",), made_up=("2026-12-31",)))
    assert [str(day.on) for day in after.off] == ["2026-10-01", "2027-01-01"]
    assert [str(day.on) for day in after.made_up] == ["2026-12-31"]
    found = next(each for each in changes(OFFICE, after) if each.on == date(2026, 12, 31))
    assert (found.change, found.was, found.now) == ("changed", "off", "work")
    assert [str(day.on) for day in merged(after, _list(2027, off=("2026-12-31",))).off] == ["2026-10-01", "2026-12-31"]


def test_a_later_correction_of_a_year_keeps_the_december_days_of_the_next_list() -> None:
    both = merged(OFFICE, _list(2027, off=("2026-12-31", "2027-01-01")))
    corrected = merged(both, _list(2026, off=("2026-10-02",)))
    assert [str(day.on) for day in corrected.off] == ["2026-10-02", "2026-12-31", "2027-01-01"]


@pytest.mark.parametrize(
    ("years", "begin", "until"),
    [
        ((2027,), 2026, 2027),
        ((2027, 2028), 2026, 2028),
        ((2028,), 2026, 2026),
        ((2027, 2029), 2026, 2027),
        ((2026,), 2026, 2026),
        ((2024, 2025), 2024, 2026),
        ((2024,), 2026, 2026),
    ],
)
def test_the_horizon_moves_only_as_far_as_no_year_is_missing(years: tuple[int, ...], begin: int, until: int) -> None:
    official = _list(*years, off=tuple(f"{year}-05-01" for year in years))
    after = merged(OFFICE, official)
    assert (after.published_from, after.published_until) == (date(begin, 1, 1), date(until, 12, 31))
    assert ("calendar.gap" in {each.code for each in remarks(official, after)}) == (max(years) > until)


def test_the_same_list_gives_the_same_version_and_nothing_new_the_same_calendar() -> None:
    official = _list(2027, off=("2027-01-01", "2027-05-01"))
    once = merged(OFFICE, official)
    assert once.version.startswith("cn-2027-")
    assert merged(OFFICE, official) == once
    assert merged(once, official) is once
    assert changes(once, once) == ()
    assert merged(OFFICE, _list(2027, off=("2027-01-01",))).version != once.version


def test_a_list_without_names_keeps_the_known_ones() -> None:
    on = date(2027, 1, 1)
    named = merged(OFFICE, OfficialList(years=(2027,), off=(Day(on=on, name="元旦"),), made_up=()))
    unnamed = OfficialList(years=(2027,), off=(Day(on=on, name="放假"),), made_up=())
    assert merged(named, unnamed) is named
    renamed = merged(named, OfficialList(years=(2027,), off=(Day(on=on, name="新年"),), made_up=()))
    assert renamed.off[-1].name == "新年"


def test_a_merged_calendar_counts_anew() -> None:
    start = datetime(2026, 12, 30, 2, tzinfo=UTC)
    before = OFFICE.due(start, limit("5wd"))
    after = merged(OFFICE, _list(2027, off=("2027-01-01", "2027-01-04"))).due(start, limit("5wd"))
    assert (before.provisional, after.provisional) == (True, False)
    assert after.at > before.at


def test_changes_name_every_difference() -> None:
    after = merged(OFFICE, _list(2026, 2027, off=("2026-10-01", "2027-01-01")))
    found = {(each.change, str(each.on or each.field), each.was, each.now) for each in changes(OFFICE, after)}
    assert found == {
        ("changed", "published_until", "2026-12-31", "2027-12-31"),
        ("changed", "2026-10-01", "off", "off"),
        ("removed", "2026-12-31", "off", None),
        ("added", "2027-01-01", None, "off"),
    }
    everything = changes(None, OFFICE)
    assert {each.change for each in everything} == {"added"}
    assert {"week", "published_until", "local"} <= {each.field for each in everything}


# --- the library ------------------------------------------------------------------------------------------------


def test_the_library_gives_a_new_office_its_calendar() -> None:
    calendar = from_library()
    assert calendar.published_from == date(2020, 1, 1)
    assert calendar.published_until >= date(2026, 12, 31)
    assert (calendar.week, calendar.fixed_off) == (standard_week(), FIXED_OFF)
    off, made_up = {day.on: day.name for day in calendar.off}, {day.on for day in calendar.made_up}
    assert off[date(2026, 10, 1)] == "国庆节"
    assert {date(2026, 10, 10), date(2026, 2, 14), date(2025, 10, 11)} <= made_up
    assert from_library() == calendar
    assert merged(calendar, library_list()) is calendar
    assert remarks(library_list(), calendar) == ()


def test_an_incomplete_list_is_taken_with_a_warning() -> None:
    official = _list(2027, off=("2027-01-01", "2027-10-01"), made_up=("2027-03-03",))
    found = {each.code: each for each in remarks(official, merged(from_library(), official))}
    assert set(found) == {"calendar.few_days", "calendar.no_festival", "calendar.made_up_weekday"}
    assert "春节" in found["calendar.no_festival"].message
    assert "Spring Festival" in found["calendar.no_festival"].message_en
    assert "元旦" not in found["calendar.no_festival"].message
    assert "2027-03-03" in found["calendar.made_up_weekday"].message
