"""The vectors of DOMAIN §4: where limits end in the offices that count them right."""

import pytest

from domain.calendar import Pause
from domain.limits import limit
from tests.calendars import local, office_calendar

WORKING_HOURS = {
    "national day": ("2025-09-30 17:00", "4wh", "2025-10-09 11:00"),
    "made-up sunday": ("2025-09-26 17:30", "2wh", "2025-09-28 09:30"),
    "lunch": ("2025-03-03 12:30", "1wh", "2025-03-03 15:00"),
    "made-up saturday": ("2025-10-10 17:00", "4wh", "2025-10-11 11:00"),
    "made-up saturday before spring festival": ("2026-02-13 17:00", "8wh", "2026-02-14 17:00"),
}
WORKING_DAYS = {
    "before national day": ("2025-09-30 10:00", 1, "2025-10-09 18:00", "2025-10-09 10:00"),
    "across a made-up sunday": ("2025-09-26 16:00", 5, "2025-10-10 18:00", "2025-10-10 16:00"),
    "across spring festival": ("2025-01-24 15:00", 5, "2025-02-07 18:00", "2025-02-07 15:00"),
    "three plain weeks": ("2025-03-07 17:00", 15, "2025-03-28 18:00", "2025-03-28 17:00"),
    "on a day off": ("2025-10-01 09:00", 1, "2025-10-09 18:00", "2025-10-09 18:00"),
}


@pytest.mark.parametrize("name", WORKING_HOURS)
def test_working_hours(name: str) -> None:
    start, text, due = WORKING_HOURS[name]
    assert office_calendar().due(local(start), limit(text)) == (local(due), False)


@pytest.mark.parametrize("name", WORKING_DAYS)
def test_working_days_from_the_next_day(name: str) -> None:
    start, days, due, _ = WORKING_DAYS[name]
    assert office_calendar().due(local(start), limit(f"{days}wd")) == (local(due), False)


@pytest.mark.parametrize("name", WORKING_DAYS)
def test_working_days_by_minutes(name: str) -> None:
    start, days, _, due = WORKING_DAYS[name]
    assert office_calendar().due(local(start), limit(f"{days}wd/min")) == (local(due), False)


def test_a_paused_limit_in_working_hours() -> None:
    pause = Pause(begin=local("2025-03-03 11:00"), end=local("2025-03-05 15:00"))
    due = office_calendar().due(local("2025-03-03 09:00"), limit("8wh"), [pause])
    assert due == (local("2025-03-06 11:00"), False)
