"""Times as people write them at the command line."""

from datetime import UTC, date, datetime, time

from domain.errors import Refused
from domain.zone import OFFICE_ZONE


def read_time(text: str | None, field: str) -> datetime | None:
    """The moment in UTC: a day (its beginning), a moment of the office's time, or ISO 8601 with its own zone.

    Raises ``Refused`` ``cli.time_unreadable``.
    """
    if text is None:
        return None
    try:
        found = datetime.combine(date.fromisoformat(text), time()) if len(text) == 10 else datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=OFFICE_ZONE)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("cli.time_unreadable", field=field, value=text[:40]) from None
