"""The whole ledger as a stream of rows, out of one database and into another.

Owns which tables there are and their order, the text in which rows travel (PostgreSQL's own ``COPY`` format, UTC), and
what a copy of the ledger must not take along. The schema is never part of it: that is made by the migrations, so a
backup can bring rows only, never a function or a trigger. Must not know where the rows are kept meanwhile.
"""

import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any, Self

import asyncpg

from domain.base import Frozen
from ledger.log import Connection

LEFT_OUT = frozenset({"schema_version", "feed_line", "session"})
"""Tables whose rows belong to one database: its migrations, its feed, and who is signed in at this moment."""

_NOT_EMPTY = ("event", "command", "registry_revision", "account", "vault_key", "file")
"""Tables in which every office that has begun its work has rows."""

_SESSION = {
    "application_name": "bihuan backup",
    # What a value looks like must not depend on either server's settings.
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "3",
    # A copy takes as long as it takes; waiting for a lock it gives up, for others would queue behind it.
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "lock_timeout": "10s",
}

_PER_POSITION = 1000
"""Events that share a place in the feed after a restore: pages of the feed stay cheap."""

Sink = Callable[[bytes], Coroutine[Any, Any, None]]
"""Takes rows in pieces of any size."""


class Table(Frozen):
    """A table and the columns that are copied, in their order; a place in a feed (``tx``) comes first."""

    name: str
    columns: tuple[str, ...]

    @property
    def has_places(self) -> bool:
        """Whether its rows stand in a feed, by numbers of the server they are on."""
        return self.columns[:1] == ("tx",)


class Heads(Frozen):
    """All streams at one moment.

    ``digest`` is SHA-256 over ``stream TAB seq TAB hash LF`` of each, in bytewise order.
    """

    streams: int
    events: int
    digest: str


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    conn: asyncpg.Connection = await asyncpg.connect(dsn, server_settings=_SESSION)
    try:
        yield conn
    finally:
        await conn.close()


@asynccontextmanager
async def snapshot(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the owner of the tables that sees the database as it is now, whatever others do meanwhile."""
    async with _connected(dsn) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        yield conn


async def tables(conn: Connection) -> list[Table]:
    """The tables of a copy, those referred to before those that refer to them."""
    rows = await conn.fetch(
        """
        select
            c.relname::text as name,
            (
                select array_agg(a.attname::text order by a.attname <> 'tx', a.attnum)
                from pg_attribute a
                where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
            ) as columns,
            (
                select coalesce(array_agg(distinct f.confrelid::regclass::text), '{}')
                from pg_constraint f
                where f.conrelid = c.oid and f.contype = 'f' and f.confrelid <> c.oid
            ) as needs
        from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
        order by c.relname
        """
    )
    found = {row["name"]: Table(name=row["name"], columns=tuple(row["columns"])) for row in rows}
    order = TopologicalSorter({row["name"]: row["needs"] for row in rows}).static_order()
    return [found[name] for name in order if name not in LEFT_OUT]


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


class Loading:
    """Fills a migrated, otherwise unused database: all of it or nothing, for it is one transaction.

    Needs the owner of the tables, not a superuser. Triggers and indexes stand aside meanwhile and are put back as they
    were: the rows were checked when they were first written, and what triggers made of them is among the rows. The
    feed begins a new line, whose numbers this server has really given out: only so may its readers trust the horizon.
    """

    def __init__(self, conn: asyncpg.Connection) -> None:
        self._conn = conn
        self._positions: list[str] = []

    @classmethod
    @asynccontextmanager
    async def into(cls, dsn: str, events: int) -> AsyncIterator[Self]:
        """A loading of about so many events into the database at ``dsn``; commits when the block is left well."""
        async with _connected(dsn) as conn:
            self = cls(conn)
            # Each of these transactions is over before the load begins, so nothing later can come before its events.
            for _ in range(events // _PER_POSITION + 1):
                self._positions.append(await conn.fetchval("select pg_current_xact_id()::text"))
            async with conn.transaction():
                names = [row["name"] for row in await conn.fetch(_ALL_TABLES)]
                triggers = await self._triggers_aside(names)
                indexes = await self._indexes_aside()
                yield self
                for definition in indexes:
                    await conn.execute(definition)
                await self._numbers_on()
                await _begin_line(conn)
                for table, trigger, mode in triggers:
                    await conn.execute(f'alter table "{table}" enable {mode}trigger "{trigger}"')
            await conn.execute("analyze")

    async def tables(self) -> list[Table]:
        """As ``tables`` of this database."""
        return await tables(self._conn)

    async def fill(self, table: Table, rows: AsyncIterator[bytes]) -> None:
        """Copy the rows of one table in; what ``rows`` raises ends the load."""
        failed: list[Exception] = []

        async def whole(rows: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
            try:
                async for piece in rows:
                    yield piece
            except Exception as error:  # noqa: BLE001 - raised below: within a copy the driver may wait for ever
                failed.append(error)

        source = whole(self._placed(rows) if table.has_places else rows)
        try:
            await self._conn.copy_to_table(table.name, source=source, columns=table.columns, schema_name="public")
        except asyncpg.PostgresError:
            # Half a row, for instance, where the reading of it failed: the reason says more.
            if not failed:
                raise
        if failed:
            raise failed[0]

    async def _placed(self, rows: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The rows with their new places: in the order they had, and never two places for one transaction."""
        at, held, before, rest = 0, 0, b"", b""
        async for chunk in rows:
            lines = (rest + chunk).split(b"\n")
            rest = lines.pop()
            placed: list[bytes] = []
            for line in lines:
                tx, _, fact = line.partition(b"\t")
                if tx != before and held >= _PER_POSITION and at + 1 < len(self._positions):
                    at, held = at + 1, 0
                before, held = tx, held + 1
                placed.append(b"%b\t%b\n" % (self._positions[at].encode(), fact))
            yield b"".join(placed)
        if rest:
            yield rest  # no whole row; PostgreSQL says so

    async def _triggers_aside(self, names: Sequence[str]) -> list[tuple[str, str, str]]:
        rows = await self._conn.fetch(
            """
            select c.relname::text as table, t.tgname::text as trigger,
                case t.tgenabled when 'A' then 'always ' when 'R' then 'replica ' else '' end as mode
            from pg_trigger t
            join pg_class c on c.oid = t.tgrelid
            where c.relnamespace = 'public'::regnamespace and not t.tgisinternal and t.tgenabled <> 'D'
            order by 1, 2
            """
        )
        for name in names:
            await self._conn.execute(f'alter table "{name}" disable trigger user')
        # What the migrations and the first start have put there comes again with the rows.
        await self._conn.execute("truncate " + ", ".join(f'"{name}"' for name in names))
        return [(row["table"], row["trigger"], row["mode"]) for row in rows]

    async def _indexes_aside(self) -> list[str]:
        """Take away the indexes no constraint needs: made at the end, in one go, they cost a fraction."""
        rows = await self._conn.fetch(
            """
            select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
            from pg_index i
            join pg_class c on c.oid = i.indrelid
            where c.relnamespace = 'public'::regnamespace
                and c.relkind = 'r'
                and not exists (select from pg_constraint k where k.conindid = i.indexrelid)
            order by 1
            """
        )
        for row in rows:
            await self._conn.execute(f"drop index {row['name']}")
        return [row["definition"] for row in rows]

    async def _numbers_on(self) -> None:
        """Let every generated number go on behind the largest one that was copied."""
        rows = await self._conn.fetch(
            """
            select c.relname::text as table, a.attname::text as column,
                pg_get_serial_sequence(format('%I.%I', 'public', c.relname), a.attname) as sequence
            from pg_attribute a
            join pg_class c on c.oid = a.attrelid
            where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
                and pg_get_serial_sequence(format('%I.%I', 'public', c.relname), a.attname) is not null
            """
        )
        for row in rows:
            await self._conn.execute(
                f"select setval('{row['sequence']}', m.last) from (select max(\"{row['column']}\") as last"
                f' from "{row["table"]}") m where m.last is not null'
            )


async def begin_line(dsn: str) -> None:
    """Let the feed begin a new line: places given out so far are refused from now on."""
    async with _connected(dsn) as conn:
        await _begin_line(conn)


async def _begin_line(conn: asyncpg.Connection) -> None:
    # A backup may be older than the table; whoever brings it up to date begins the line then.
    if await conn.fetchval("select to_regclass('public.feed_line') is not null"):
        await conn.execute(
            "insert into feed_line (name) values ($1)"
            " on conflict (only_one) do update set name = excluded.name, begun_at = now()",
            secrets.token_hex(4),
        )


_ALL_TABLES = """
select relname::text as name
from pg_class
where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'schema_version'
order by relname
"""
