"""Calendars that tests count by."""

from datetime import date, datetime
from functools import cache
from zoneinfo import ZoneInfo

from chinese_calendar.constants import Holiday, holidays, workdays  # type: ignore[import-untyped]

from domain.calendar import FIXED_OFF, Day, WorkCalendar, standard_week

OFFICE = ZoneInfo("Asia/Shanghai")
"""The zone of the office."""


def local(text: str) -> datetime:
    """The moment that ``YYYY-MM-DD HH:MM`` names in the office."""
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=OFFICE)


@cache
def office_calendar() -> WorkCalendar:
    """The standard week with the official lists of 2020 to 2026."""
    return WorkCalendar(
        version="cn-2020-2026",
        name="示例工作日历",
        week=standard_week(),
        off=_days(holidays),
        made_up=_days(workdays),
        fixed_off=FIXED_OFF,
        published_from=date(2020, 1, 1),
        published_until=date(2026, 12, 31),
    )


def _days(named: dict[date, str]) -> tuple[Day, ...]:
    words = {holiday.value: holiday.chinese for holiday in Holiday}
    return tuple(Day(on=on, name=words[name]) for on, name in sorted(named.items()) if 2020 <= on.year <= 2026)
