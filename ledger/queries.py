"""Questions about the read models: lists with filters and keyset paging, one case, inboxes, clocks, counts.

Owns the cursors of pages. Must not read the log and must not write. A page goes on from the last row shown, so that
rows that come or go in between shift nothing.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from pydantic import Field

from domain.base import Frozen
from domain.errors import Refused
from domain.limits import Instant
from ledger.log import Connection
from ledger.rows import CaseRow, ClockRow, TaskRow, WishRow

PAGE_LIMIT = 200
"""Most rows of one page."""

R = TypeVar("R", CaseRow, TaskRow, WishRow)


@dataclass(frozen=True)
class Page(Generic[R]):
    """Some rows, and the cursor of the page after them; None when this is the last one."""

    items: tuple[R, ...]
    next: str | None


class Sort(StrEnum):
    """The orders of a list of cases."""

    REGISTERED = "registered"
    """The youngest first."""
    DUE = "due"
    """The most urgent first; cases without a deadline last."""


class CaseFilter(Frozen):
    """Which cases to list; everything given must hold, several stages are alternatives.

    ``overdue`` asks whether a deadline of the case was ever missed, ``light`` for its state now;
    ``department`` whether a department takes part, as lead or helper; ``registered_from`` is included,
    ``registered_to`` is not.
    """

    stages: tuple[str, ...] = ()
    urgency: str | None = None
    category: str | None = None
    light: str | None = None
    street: str | None = None
    community: str | None = None
    grid: str | None = None
    department: str | None = None
    source: str | None = None
    overdue: bool | None = None
    finished: bool | None = None
    registered_from: Instant | None = Field(default=None)
    registered_to: Instant | None = Field(default=None)


class _Where:
    """Conditions and their numbered values; values never become part of the statement."""

    def __init__(self) -> None:
        self._conditions: list[str] = []
        self.values: list[Any] = []

    def add(self, condition: str, *values: object) -> None:
        """Add a condition in which ``{}`` stand for the values."""
        places = [f"${len(self.values) + number}" for number in range(1, len(values) + 1)]
        self._conditions.append(condition.format(*places))
        self.values.extend(values)

    @property
    def sql(self) -> str:
        return "where " + " and ".join(self._conditions) if self._conditions else ""


_EQUAL = ("urgency", "category", "light", "street", "community", "grid", "source", "finished")


def _where(filter: CaseFilter) -> _Where:  # noqa: A002 - the word of the interface
    where = _Where()
    if filter.stages:
        where.add("stage = any({}::text[])", list(filter.stages))
    for column in _EQUAL:
        value = getattr(filter, column)
        if value is not None:
            where.add(f"{column} = {{}}", value)
    if filter.department is not None:
        where.add("departments @> array[{}::text]", filter.department)
    if filter.overdue is not None:
        where.add("was_overdue = {}", filter.overdue)
    if filter.registered_from is not None:
        where.add("registered_at >= {}", filter.registered_from)
    if filter.registered_to is not None:
        where.add("registered_at < {}", filter.registered_to)
    return where


def _write_cursor(kind: str, *parts: str | datetime | None) -> str:
    texts = [part.isoformat() if isinstance(part, datetime) else part for part in parts]
    packed = json.dumps([kind, *texts], ensure_ascii=False, separators=(",", ":"))
    return base64.urlsafe_b64encode(packed.encode()).decode().rstrip("=")


def _read_cursor(kind: str, cursor: str, names: int) -> tuple[datetime | None, list[str]]:
    """The moment and the ``names`` identifiers of a cursor; one of another list is refused as well."""
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


def _bounded(limit: int) -> int:
    if not 1 <= limit <= PAGE_LIMIT:
        raise Refused("field.invalid", field="limit", reason=f"1–{PAGE_LIMIT}")
    return limit


def _page(rows: Sequence[R], limit: int, cursor: Callable[[R], str]) -> Page[R]:
    """The page out of one row more than it may hold: that one only says that there is a next page."""
    items = tuple(rows[:limit])
    return Page(items=items, next=cursor(items[-1]) if len(rows) > limit else None)


async def list_cases(
    conn: Connection,
    filter: CaseFilter | None = None,  # noqa: A002 - the word of the interface
    *,
    sort: Sort = Sort.REGISTERED,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[CaseRow]:
    """One page of cases.

    Raises ``Refused`` ``feed.bad_cursor`` for a cursor that is not of this list and order, ``field.invalid`` for a
    limit outside 1 to 200.
    """
    where, limit = _where(filter or CaseFilter()), _bounded(limit)
    sort = Sort(sort)
    if sort is Sort.REGISTERED:
        order = "registered_at desc, id desc"
        if cursor is not None:
            at, names = _read_cursor(sort, cursor, 1)
            where.add("(registered_at, id) < ({}::timestamptz, {}::text)", at, names[0])
    else:
        order = "coalesce(due_at, 'infinity'::timestamptz), id"
        if cursor is not None:
            at, names = _read_cursor(sort, cursor, 1)
            where.add(
                "(coalesce(due_at, 'infinity'::timestamptz), id)"
                " > (coalesce({}::timestamptz, 'infinity'::timestamptz), {}::text)",
                at,
                names[0],
            )
    found = await conn.fetch(f"select * from case_row {where.sql} order by {order} limit {limit + 1}", *where.values)
    rows = [CaseRow(**row) for row in found]
    return _page(
        rows,
        limit,
        lambda row: _write_cursor(sort, row.registered_at if sort is Sort.REGISTERED else row.due_at, row.id),
    )


async def one_case(conn: Connection, id: str) -> CaseRow | None:  # noqa: A002 - the column is called so
    """The case with this id, or None."""
    row = await conn.fetchrow("select * from case_row where id = $1", id)
    return CaseRow(**row) if row else None


async def case_of_source(conn: Connection, source: str, external_id: str) -> CaseRow | None:
    """The case opened for this request of another system, or None."""
    row = await conn.fetchrow("select * from case_row where source = $1 and external_id = $2", source, external_id)
    return CaseRow(**row) if row else None


async def inbox(
    conn: Connection,
    *,
    organisation: str | None = None,
    person: str | None = None,
    grid: str | None = None,
    role: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[TaskRow]:
    """One page of open tasks, the most urgent first, tasks without a deadline last.

    Whose tasks: of an organisation, of a person, or of a grid; ``role`` narrows any of them. Everything given must
    hold. Raises ``ValueError`` when none of the three is given, ``Refused`` as ``list_cases`` does.
    """
    if organisation is None and person is None and grid is None:
        raise ValueError("an inbox is that of an organisation, a person or a grid")
    limit = _bounded(limit)
    where = _Where()
    where.add("closed_at is null")
    for column, value in (("organisation", organisation), ("person", person), ("grid", grid), ("role", role)):
        if value is not None:
            where.add(f"{column} = {{}}", value)
    if cursor is not None:
        at, names = _read_cursor("inbox", cursor, 2)
        where.add(
            "(coalesce(due_at, 'infinity'::timestamptz), stream, id)"
            " > (coalesce({}::timestamptz, 'infinity'::timestamptz), {}::text, {}::text)",
            at,
            *names,
        )
    found = await conn.fetch(
        f"""
        select *
        from task
        {where.sql}
        order by coalesce(due_at, 'infinity'::timestamptz), stream, id
        limit {limit + 1}
        """,
        *where.values,
    )
    rows = [TaskRow(**row) for row in found]
    return _page(rows, limit, lambda row: _write_cursor("inbox", row.due_at, row.stream, row.id))


async def open_tasks_of(conn: Connection, stream: str) -> list[TaskRow]:
    """The open tasks of one process, the most urgent first."""
    rows = await conn.fetch(
        """
        select *
        from task
        where stream = $1 and closed_at is null
        order by coalesce(due_at, 'infinity'::timestamptz), id
        """,
        stream,
    )
    return [TaskRow(**row) for row in rows]


async def clocks_of(conn: Connection, stream: str) -> list[ClockRow]:
    """All clocks of one process, also stopped ones, in the order they started."""
    rows = await conn.fetch("select * from clock where stream = $1 order by started_at, id", stream)
    return [ClockRow(**row) for row in rows]


async def list_wishes(
    conn: Connection,
    *,
    stage: str | None = None,
    community: str | None = None,
    finished: bool | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[WishRow]:
    """One page of wishes, the youngest first. Raises ``Refused`` as ``list_cases`` does."""
    limit = _bounded(limit)
    where = _Where()
    for column, value in (("stage", stage), ("community", community), ("finished", finished)):
        if value is not None:
            where.add(f"{column} = {{}}", value)
    if cursor is not None:
        at, names = _read_cursor("wish", cursor, 1)
        where.add("(published_at, id) < ({}::timestamptz, {}::text)", at, names[0])
    found = await conn.fetch(
        f"select * from wish {where.sql} order by published_at desc, id desc limit {limit + 1}", *where.values
    )
    rows = [WishRow(**row) for row in found]
    return _page(rows, limit, lambda row: _write_cursor("wish", row.published_at, row.id))


async def one_wish(conn: Connection, id: str) -> WishRow | None:  # noqa: A002 - the column is called so
    """The wish with this id, or None."""
    row = await conn.fetchrow("select * from wish where id = $1", id)
    return WishRow(**row) if row else None


async def counts_by_stage(conn: Connection, filter: CaseFilter | None = None) -> dict[str, int]:  # noqa: A002
    """How many cases stand in each stage; stages without a case are absent."""
    where = _where(filter or CaseFilter())
    rows = await conn.fetch(f"select stage, count(*) as cases from case_row {where.sql} group by stage", *where.values)
    return {row["stage"]: row["cases"] for row in rows}


_TABLES = {"case": "case_row", "wish": "wish"}


async def ids_beginning(conn: Connection, process: str, beginning: str, limit: int = 2) -> list[str]:
    """Ids of ``process`` (``case`` or ``wish``) that begin like this, in order; two tell whether it is ambiguous."""
    rows = await conn.fetch(
        f"select id from {_TABLES[process]} where starts_with(id, $1) order by id limit $2", beginning, limit
    )
    return [row["id"] for row in rows]


async def titles_of(conn: Connection, streams: Sequence[str]) -> dict[str, str]:
    """The redacted titles of these cases and wishes, by stream; unknown streams are absent."""
    rows = await conn.fetch(
        "select id, title from case_row where id = any($1) union all select id, title from wish where id = any($1)",
        list(streams),
    )
    return {row["id"]: row["title"] for row in rows}


async def latest_streams(conn: Connection, limit: int) -> list[str]:
    """The streams that were written to last, the latest first."""
    rows = await conn.fetch("select stream from event group by stream order by max(tx) desc limit $1", limit)
    return [row["stream"] for row in rows]
