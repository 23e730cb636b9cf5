"""Times as offices write them.

Owns the forms that are understood. A time without a zone is office time (Asia/Shanghai, which knows no summer time).
"""

import re
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

from domain.errors import Refused
from domain.text import redact
from domain.zone import OFFICE_ZONE

_FORM = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
    r"(?:[T\s]*(\d{1,2})[:时点](\d{1,2})(?:[:分](?:(\d{1,2})(?:[.,](\d{1,9}))?秒?)?)?)?"
    r"\s*(Z|[+-]\d{2}:?\d{2})?",
    re.ASCII | re.IGNORECASE,
)
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2})?)?()()", re.ASCII)
_SERIAL = re.compile(r"[2-7]\d{4}(?:\.\d{1,12})?", re.ASCII)
_SERIAL_DAY_0 = datetime(1899, 12, 30, tzinfo=OFFICE_ZONE)
_HARMLESS = re.compile(r"[\d年月日时点分秒上下午TZ:/.,+\- ]{1,40}")


def read_time(text: str) -> datetime:
    """The moment in UTC: ISO 8601, ``2020/1/6 12:09:38``, ``2020年1月6日``, ``20200106``, a spreadsheet's serial day.

    Raises ``Refused`` ``import.time_unreadable``.
    """
    if _SERIAL.fullmatch(text):
        seconds = round(Decimal(text) * 86_400)
        return (_SERIAL_DAY_0 + timedelta(seconds=seconds)).astimezone(UTC)
    found = _FORM.fullmatch(text) or _COMPACT.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        year, month, day, hour, minute, second = (int(part or 0) for part in found.groups()[:6])
        micro = int((found[7] or "0").ljust(6, "0")[:6])
        return datetime(year, month, day, hour, minute, second, micro, tzinfo=_zone(found[8])).astimezone(UTC)
    except (ValueError, OverflowError):
        # What stands in the wrong column may be a name or a number nobody may see.
        shown = redact(text) if _HARMLESS.fullmatch(text) else "…"
        raise Refused("import.time_unreadable", field="found_at", value=shown) from None


def _zone(text: str | None) -> timezone:
    if not text:
        return OFFICE_ZONE
    if text in "Zz":
        return UTC
    length = timedelta(hours=int(text[1:3]), minutes=int(text[-2:]))
    return timezone(-length if text[0] == "-" else length)
