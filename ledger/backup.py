"""The whole ledger as a stream of rows, out of one database and into another.

Owns which tables there are and their order, the text in which rows travel (PostgreSQL's own ``COPY`` format, UTC), and
what a copy of the ledger must not take along. The schema is never part of it: that is made by the migrations, so a
backup can bring rows only, never a function or a trigger. Must not know where the rows are kept meanwhile.
"""

import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from domain.base import Frozen
from ledger.loading import Table, connected
from ledger.log import Connection

_NOT_EMPTY = ("event", "command", "registry_revision", "account", "vault_key", "file")
"""Tables in which every office that has begun its work has rows."""

Sink = Callable[[bytes], Coroutine[Any, Any, None]]
"""Takes rows in pieces of any size."""


class Heads(Frozen):
    """All streams at one moment.

    ``digest`` is SHA-256 over ``stream TAB seq TAB hash LF`` of each, in bytewise order.
    """

    streams: int
    events: int
    digest: str


@asynccontextmanager
async def snapshot(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the owner of the tables that sees the database as it is now, whatever others do meanwhile."""
    async with connected(dsn) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        yield conn


async def migrations_of(conn: Connection) -> list[tuple[int, str, str]]:
    """Number, name and SHA-256 of the migrations the database has had, in order."""
    rows = await conn.fetch("select number, name, sha256 from schema_version order by number")
    return [(row["number"], row["name"], row["sha256"]) for row in rows]


async def heads(conn: Connection) -> Heads:
    """The heads of all streams; inside a ``snapshot`` those of the copy."""
    digest, streams, events = hashlib.sha256(), 0, 0
    async for row in conn.cursor(
        "select distinct on (stream) stream, seq, hash from event order by stream, seq desc", prefetch=1000
    ):
        digest.update(f"{row['stream']}\t{row['seq']}\t{row['hash']}\n".encode())
        streams += 1
        events += row["seq"]
    return Heads(streams=streams, events=events, digest=digest.hexdigest())


async def copy_out(conn: asyncpg.Connection, table: Table, sink: Sink) -> None:
    """Give the rows of a table to ``sink``, each ended by a line feed; the log in the order of its feed.

    Other places than those in a feed (up to where a checkpoint has looked) say nothing elsewhere and become 0.
    """
    other_places = await conn.fetchval(
        """
        select coalesce(array_agg(attname::text), '{}')
        from pg_attribute
        where attrelid = to_regclass($1) and atttypid = 'xid8'::regtype and attnum > 0 and attname <> 'tx'
        """,
        f'public."{table.name}"',
    )
    columns = ", ".join("'0'" if name in other_places else f'"{name}"' for name in table.columns)
    order = f' order by "{table.name}".tx' if table.has_places else ""
    order += ", stream, seq" if table.name == "event" else ""
    failed: list[Exception] = []

    async def take(rows: bytes) -> None:
        if not failed:
            try:
                await sink(rows)
            except Exception as error:  # noqa: BLE001 - raised below: within a copy the driver may wait for ever
                failed.append(error)

    await conn.copy_from_query(f'select {columns} from "{table.name}"{order}', output=take)
    if failed:
        raise failed[0]


@dataclass(frozen=True)
class FileEntry:
    """A file the ledger knows: its content, the small picture of it, and whether a fact refers to it."""

    digest: str
    thumb: str
    bound: bool


async def files(conn: Connection, prefix: str, after: str = "", limit: int = 500) -> list[FileEntry]:
    """The files whose digest begins with ``prefix``, those after ``after`` in bytewise order, at most ``limit``."""
    rows = await conn.fetch(
        """
        select f.digest, f.thumb, exists (select from file_stream s where s.digest = f.digest) as bound
        from file f
        where f.digest > $2 and f.digest >= $1 and f.digest < $1 || 'g'
        order by f.digest
        limit $3
        """,
        prefix,
        after,
        limit,
    )
    return [FileEntry(**row) for row in rows]


async def is_empty(conn: Connection) -> bool:
    """Whether nobody has begun to work in the database; one without tables is empty, too."""
    for name in _NOT_EMPTY:
        if await conn.fetchval("select to_regclass($1) is not null", f"public.{name}") and await conn.fetchval(
            f"select exists (select from {name})"
        ):
            return False
    return True
