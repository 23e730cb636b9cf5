"""Pages of lists by keyset: conditions with their values, cursors, bounds.

Owns the cursors of pages. A page goes on from the last row shown, so that rows that come or go in between shift
nothing. Must not know any table.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

import asyncpg
from pydantic import BaseModel

from domain.errors import Refused
from ledger.log import Connection

PAGE_LIMIT = 200
"""Most rows of one page."""

R = TypeVar("R", bound=BaseModel)


@dataclass(frozen=True)
class Page(Generic[R]):
    """Some rows, and the cursor of the page after them; None when this is the last one."""

    items: tuple[R, ...]
    next: str | None


class Where:
    """Conditions and their numbered values; values never become part of the statement.

    Several of them share a statement when they share ``values``.
    """

    def __init__(self, values: list[Any] | None = None) -> None:
        self.conditions: list[str] = []
        self.values: list[Any] = [] if values is None else values

    def add(self, condition: str, *values: object) -> None:
        """Add a condition in which ``{}`` stand for the values."""
        places = [f"${len(self.values) + number}" for number in range(1, len(values) + 1)]
        self.conditions.append(condition.format(*places))
        self.values.extend(values)

    def place(self, value: object) -> str:
        """The place of one more value in the statement."""
        self.values.append(value)
        return f"${len(self.values)}"

    def beside(self) -> "Where":
        """Further conditions for a statement with these: their values come first, what is added leaves these as they
        are."""
        return Where([*self.values])

    @property
    def sql(self) -> str:
        """The conditions as a statement has them; empty when there are none."""
        return "where " + " and ".join(self.conditions) if self.conditions else ""


async def fetch(conn: Connection, statement: str, values: Sequence[Any]) -> list[asyncpg.Record]:
    """The rows of a statement planned for these very values.

    A plan kept for any values would read the list of a department with five cases like that of a whole district.
    """
    return await (await conn.prepare(statement)).fetch(*values)


def write_cursor(kind: str, *parts: str | datetime | None) -> str:
    """The cursor of the list ``kind`` after the row with this moment and these identifiers."""
    texts = [part.isoformat() if isinstance(part, datetime) else part for part in parts]
    packed = json.dumps([kind, *texts], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")


def read_cursor(kind: str, cursor: str, names: int) -> tuple[datetime | None, list[str]]:
    """The moment and the ``names`` identifiers of a cursor.

    Raises ``Refused`` ``feed.bad_cursor``, also for the cursor of another list.
    """
    try:
        found, moment, *rest = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        at = None if moment is None else datetime.fromisoformat(moment)
        sound = found == kind and len(rest) == names and (at is None or at.tzinfo is not None)
        sound = sound and all(isinstance(each, str) and "\0" not in each for each in rest)
    except (ValueError, TypeError, binascii.Error):
        sound = False
    if not sound:
        raise Refused("feed.bad_cursor", field="cursor")
    return at, rest


def bounded(limit: int) -> int:
    """The limit of a page. Raises ``Refused`` ``field.invalid`` outside 1 to ``PAGE_LIMIT``."""
    if not 1 <= limit <= PAGE_LIMIT:
        raise Refused("field.invalid", field="limit", reason=f"1–{PAGE_LIMIT}")
    return limit


def page_of(rows: Sequence[R], limit: int, cursor: Callable[[R], str]) -> Page[R]:
    """The page out of one row more than it may hold: that one only says that there is a next page."""
    items = tuple(rows[:limit])
    return Page(items=items, next=cursor(items[-1]) if len(rows) > limit else None)
