"""Destroying what was kept of a resident: the key of the stream, what hangs on it, and its files.

Owns the table ``erasure`` and the function that writes it. The log of the stream is not touched: it holds references
and redacted text, and its chain can be checked as before. The content of files goes by ``ledger.files``.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import asyncpg

from domain.base import Frozen
from domain.errors import Refused
from domain.limits import Instant
from domain.privacy import EraseReason
from ledger.files import files_of_stream, let_go
from ledger.log import Connection
from ledger.paging import Page, Where, bounded, fetch, page_of, read_cursor, write_cursor
from ledger.security import Kind, record

_NOT_FINISHED = "BH024"


class Erasure(Frozen):
    """What was destroyed of one stream; ``files`` is how many photographs went with it."""

    stream: str
    at: Instant
    person: str
    reason: EraseReason
    words: str
    files: int


class Due(Frozen):
    """A stream of which something is kept, and when it was finished."""

    stream: str
    finished_at: Instant
    kept: bool
    files: int


_COLUMNS = "stream, at, person, reason, words, files"


async def erase(
    conn: Connection,
    stream: str,
    *,
    at: datetime,
    person: str,
    reason: EraseReason,
    words: str,
    delete: Callable[[str], Awaitable[None]],
) -> Erasure:
    """Destroy the key of a finished stream, let go of its files and record it; done before, the record of then.

    ``delete`` takes away the content of a file no other stream refers to; should it fail, the hourly sweep does it.
    Raises ``Refused``: ``erase.not_finished``; ``file.store_away`` when the store of files is not there (the key is
    destroyed all the same).
    """
    digests = [each.digest for each in await files_of_stream(conn, stream)]
    try:
        async with conn.transaction():
            await conn.execute("select vault_erase($1, $2, $3, $4, $5)", stream, at, person, reason.value, words)
            recorded = await erasure_of(conn, stream)
            if recorded is not None and recorded.at == at:
                await record(conn, Kind.ERASED, actor=person, subject=stream, detail={"reason": reason.value}, at=at)
    except asyncpg.PostgresError as error:
        if error.sqlstate != _NOT_FINISHED:
            raise
        raise Refused("erase.not_finished") from None
    await let_go(conn, digests, delete)
    found = await erasure_of(conn, stream)
    assert found is not None, "what was erased is on record"
    return found


async def erasure_of(conn: Connection, stream: str) -> Erasure | None:
    """The record of what was destroyed of a stream; None where nothing was."""
    row = await conn.fetchrow(f"select {_COLUMNS} from erasure where stream = $1", stream)
    return Erasure(**row) if row else None


async def list_erasures(conn: Connection, *, limit: int = 50, cursor: str | None = None) -> Page[Erasure]:
    """What was destroyed, the last first. Raises ``Refused`` ``feed.bad_cursor`` and ``field.invalid``."""
    where = Where()
    if cursor is not None:
        at, (after,) = read_cursor("erasure", cursor, 1)
        where.add("(at, stream) < ({}, {})", at, after)
    rows = await fetch(
        conn,
        f"select {_COLUMNS} from erasure {where.sql} order by at desc, stream desc limit {bounded(limit) + 1}",
        where.values,
    )
    return page_of([Erasure(**row) for row in rows], limit, lambda row: write_cursor("erasure", row.at, row.stream))


_DUE = """
    select x.stream, x.finished_at,
        exists (select from vault_key k where k.stream = x.stream) as kept,
        (select count(*) from file_stream f where f.stream = x.stream)::int as files
    from (
        select id as stream, coalesce(archived_at, updated_at) as finished_at
        from case_row
        where finished and coalesce(archived_at, updated_at) < $1
        union all
        select id, updated_at from wish where finished and updated_at < $1
    ) x
    where not exists (select from erasure e where e.stream = x.stream)
        and (exists (select from vault_key k where k.stream = x.stream)
            or exists (select from file_stream f where f.stream = x.stream))
"""


async def count_due(conn: Connection, before: datetime) -> tuple[int, datetime | None]:
    """How many streams finished before this moment still hold something, and when the first of them was finished."""
    row = await conn.fetchrow(f"select count(*) as number, min(finished_at) as first from ({_DUE}) d", before)
    assert row is not None, "an aggregate has one row"
    return row["number"], row["first"]


async def due_streams(conn: Connection, before: datetime, limit: int) -> Sequence[Due]:
    """Streams finished before this moment that still hold something, the longest finished first."""
    rows = await conn.fetch(f"{_DUE} order by x.finished_at, x.stream limit $2", before, limit)
    return [Due(**row) for row in rows]
