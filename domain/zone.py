"""The office's own time: by it days begin and people are told the time, wherever the machine stands."""

from datetime import date, datetime, timedelta, timezone

OFFICE_ZONE = timezone(timedelta(hours=8))
"""Asia/Shanghai, which knows no summer time."""


def office_day(at: datetime) -> date:
    """The day of the office at the moment ``at``."""
    return at.astimezone(OFFICE_ZONE).date()


def office_minute(at: datetime) -> str:
    """The moment as people are told it: ``2026-11-27 12:19``."""
    # A page tells a hundred of them; by a format it would take three times as long.
    return at.astimezone(OFFICE_ZONE).isoformat(" ", "minutes")[:16]


def office_month(at: datetime) -> int:
    """The month of the office at the moment ``at`` as a number: 202611."""
    day = office_day(at)
    return day.year * 100 + day.month
