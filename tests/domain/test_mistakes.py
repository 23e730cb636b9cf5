"""The mistakes of DOMAIN §7 that concern counting; each was seen in a system that is in use."""

import ast
import re
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from domain.calendar import Day, Pause, WorkCalendar
from domain.errors import Refused
from domain.limits import Unit, limit
from tests.calendars import local, office_calendar

ROOT = Path(__file__).parents[2]


def code(path: Path) -> Iterator[ast.AST]:
    return ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def list_of_2027() -> WorkCalendar:
    """An invented list for 2027, as an import would add it."""
    office = office_calendar()
    return office.model_copy(
        update={
            "version": "cn-2020-2027",
            "off": (*office.off, *(Day(on=date(2027, 1, day), name="元旦") for day in (1, 2, 3))),
            "made_up": (*office.made_up, Day(on=date(2027, 1, 9), name="元旦")),
            "published_until": date(2027, 12, 31),
        }
    )


@pytest.mark.parametrize("text", ["1wd/min", "8wh"])
def test_1_a_working_day_is_not_24_working_hours(text: str) -> None:
    start = local("2025-03-03 09:00")
    assert office_calendar().add(start, limit(text)) == local("2025-03-04 09:00")
    assert office_calendar().add(start, limit("1wd")) == local("2025-03-04 18:00")
    # What the mistake gives: three days.
    assert office_calendar().add(start, limit("24wh")) == local("2025-03-06 09:00")


@pytest.mark.parametrize("text", ["25d", "600h", "36000m", "99999s", "99999d"])
def test_2_no_natural_limit_is_too_long_for_a_number(text: str) -> None:
    start = local("2025-03-03 09:00")
    length = limit(text)
    assert office_calendar().add(start, length) - start == length.natural() > timedelta(0)


def test_2_no_working_limit_is_too_long_for_a_number() -> None:
    office, start = office_calendar(), local("2020-01-02 09:00")
    for days in (24, 25, 26, 250, 1000):
        at = office.add(start, limit(f"{days}wd/min"))
        assert office.working_time(start, at) == days * timedelta(hours=8)
        assert office.counted_days(start, office.add(start, limit(f"{days}wd"))) == days


def test_3_a_pause_costs_the_working_time_it_takes_not_its_hours() -> None:
    pause = Pause(begin=local("2025-03-03 11:00"), end=local("2025-03-05 15:00"))
    at = office_calendar().due(local("2025-03-03 09:00"), limit("8wh"), [pause]).at
    assert at == local("2025-03-06 11:00")
    # Fifty-two hours of the clock on the wall, counted as if people worked through them, give six days more.
    assert at != local("2025-03-12 15:00")


def test_3_a_second_pause_does_not_drop_the_first() -> None:
    first = Pause(begin=local("2025-03-03 10:00"), end=local("2025-03-03 11:00"))
    second = Pause(begin=local("2025-03-04 10:00"), end=local("2025-03-04 12:00"))
    office, start = office_calendar(), local("2025-03-03 09:00")
    assert office.due(start, limit("16wh"), [first]).at == local("2025-03-05 10:00")
    assert office.due(start, limit("16wh"), [second]).at == local("2025-03-05 11:00")
    assert office.due(start, limit("16wh"), [first, second]).at == local("2025-03-05 12:00")


def test_7_holidays_are_not_ignored() -> None:
    start = local("2025-09-30 10:00")
    for text, due in (("1wd", "2025-10-09 18:00"), ("1wd/min", "2025-10-09 10:00"), ("8wh", "2025-10-09 10:00")):
        assert office_calendar().add(start, limit(text)) == local(due)


def test_10_a_calendar_without_working_days_refuses_instead_of_looping() -> None:
    never = office_calendar().model_copy(update={"week": ((),) * 7, "version": "never"})
    for text in ("1wh", "1wd", "1wd/min", "99999wd"):
        with pytest.raises(Refused) as caught:
            never.due(local("2026-03-03 09:00"), limit(text))
        assert caught.value.code == "calendar.no_working_time"


def test_11_no_list_of_holidays_is_source_code() -> None:
    # Days come from calendars, which are data; a day of a year in the rules would end with that year.
    for name in ("calendar", "timetable", "trace"):
        for node in code(ROOT / "domain" / f"{name}.py"):
            written = str(node.value) if isinstance(node, ast.Constant) else ""
            assert not re.fullmatch(r"20[0-9]{2}(-[0-9]{2}-[0-9]{2})?", written), f"{name}:{written}"


def test_11_no_library_of_holidays_is_asked_while_counting() -> None:
    sources = [path for package in ("domain", "workflows", "activities") for path in (ROOT / package).rglob("*.py")]
    assert len(sources) > 30
    for path in sources:
        for node in code(path):
            named = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            named += [each.name for each in node.names] if isinstance(node, ast.Import) else []
            assert not {name.split(".")[0] for name in named} & {"chinese_calendar", "holidays"}, path


def test_11_the_next_year_is_another_list() -> None:
    start = local("2026-12-31 17:00")
    assert office_calendar().add(start, limit("2wh")) == local("2027-01-04 09:00")
    assert list_of_2027().is_working_day(date(2027, 1, 9))
    assert not office_calendar().is_working_day(date(2027, 1, 9))


def test_12_a_deadline_that_crosses_into_a_year_without_a_list_is_provisional() -> None:
    start, length = local("2026-12-20 10:00"), limit("15wd")
    before = office_calendar().due(start, length)
    assert before == (local("2027-01-11 18:00"), True)
    # The reason stands in the steps: what is assumed is named.
    assumed = [step for step in office_calendar().steps(start, length) if step.reason == "unpublished"]
    assert sum(step.counted_days for step in assumed) == 6
    after = list_of_2027().due(start, length)
    assert after == (local("2027-01-09 18:00"), False)
    assert all(step.reason != "unpublished" for step in list_of_2027().steps(start, length))


@pytest.mark.parametrize("unit", [Unit.WORKING_HOUR, Unit.WORKING_DAY, Unit.WORKING_DAY_BY_MINUTES])
def test_12_a_deadline_that_stays_in_the_year_is_final(unit: Unit) -> None:
    assert not office_calendar().due(local("2026-12-20 10:00"), limit(f"9{unit.value}")).provisional
