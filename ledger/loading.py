"""Fills tables with very many rows at once, by ``COPY``: those of a backup, of an invented city, of a rebuild.

Owns what stands aside meanwhile (triggers, indexes, constraints) and that it is put back as the migrations made it, and
the places in the feed that rows get which were not appended one by one. All of a load or nothing of it: it is one
transaction. Must not know where the rows come from.
"""

import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from graphlib import TopologicalSorter
from typing import Any, Self

import asyncpg

from domain.base import Frozen
from ledger.log import Connection
from ledger.sums import count_anew, has_sums

LEFT_OUT = frozenset({"schema_version", "feed_line", "session"})
"""Tables whose rows belong to one database: its migrations, its feed, and who is signed in at this moment."""

_SESSION = {
    "application_name": "bihuan loading",
    # Indexes are made at the end, out of all rows; sorting them in memory takes half as long.
    "maintenance_work_mem": "256MB",
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

PER_POSITION = 1000
"""Events that share a place in the feed after a restore: pages of the feed stay cheap."""


class Table(Frozen):
    """A table and the columns that are copied, in their order; a place in a feed (``tx``) comes first."""

    name: str
    columns: tuple[str, ...]

    @property
    def has_places(self) -> bool:
        """Whether its rows stand in a feed, by numbers of the server they are on."""
        return self.columns[:1] == ("tx",)


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection for long work as the owner of the tables, with values written as everywhere."""
    conn: asyncpg.Connection = await asyncpg.connect(dsn, server_settings=_SESSION)
    try:
        yield conn
    finally:
        await conn.close()


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


class Loading:
    """Fills tables of a migrated database: all of it or nothing, for it is one transaction.

    Needs the owner of the tables, not a superuser. Triggers and indexes stand aside meanwhile and are put back as they
    were: the rows were checked when they were first written, and what triggers made of them is among the rows. Whoever
    else uses the tables waits until it is over.
    """

    def __init__(self, conn: asyncpg.Connection) -> None:
        self._conn = conn
        self._positions: list[str] = []

    @classmethod
    @asynccontextmanager
    async def into(cls, dsn: str, events: int, *, only: Sequence[str] | None = None) -> AsyncIterator[Self]:
        """A loading of about so many events into the database at ``dsn``; commits when the block is left well.

        What was in the tables is gone then. ``only`` names the tables instead of all; those must be referred to by no
        other table, and their constraints stand aside as well. Where events are among what is loaded, the feed begins
        a new line, whose numbers this server has really given out: only so may its readers trust the horizon.
        """
        async with connected(dsn) as conn:
            self = cls(conn)
            # Each of these transactions is over before the load begins, so nothing later can come before its events.
            for _ in range(events // PER_POSITION + 1 if events else 0):
                self._positions.append(await conn.fetchval("select pg_current_xact_id()::text"))
            async with conn.transaction():
                names = only or [row["name"] for row in await conn.fetch(_ALL_TABLES)]
                triggers = await self._triggers_aside(names)
                definitions = await self._indexes_aside(names)
                if only is not None:
                    definitions = [*await self._constraints_aside(names), *definitions]
                yield self
                for definition in definitions:
                    await conn.execute(definition)
                await self._numbers_on()
                if events:
                    await _begin_line(conn)
                for table, trigger, mode in triggers:
                    await conn.execute(f'alter table "{table}" enable {mode}trigger "{trigger}"')
                if {"case_row", "case_figure"} & set(names) and (only is not None or not await has_sums(conn)):
                    await count_anew(conn)
            await conn.execute("analyze")

    @property
    def conn(self) -> asyncpg.Connection:
        """The connection of the load, for what else must be written with it."""
        return self._conn

    @property
    def positions(self) -> Sequence[str]:
        """Places in the feed, in order, for those who give their rows the places themselves (``put``)."""
        return self._positions

    async def put(self, table: Table, rows: bytes) -> None:
        """Copy rows in as they are."""

        async def whole() -> AsyncIterator[bytes]:
            yield rows

        # Nobody can see the table before the load is over, so its rows need no further look (and no vacuum) later.
        await self._conn.copy_to_table(
            table.name, source=whole(), columns=table.columns, schema_name="public", freeze=True
        )

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
                if tx != before and held >= PER_POSITION and at + 1 < len(self._positions):
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
                and c.relname = any ($1::text[])
            order by 1, 2
            """,
            names,
        )
        for name in names:
            await self._conn.execute(f'alter table "{name}" disable trigger user')
        # What the migrations and the first start have put there comes again with the rows.
        await self._conn.execute("truncate " + ", ".join(f'"{name}"' for name in names))
        return [(row["table"], row["trigger"], row["mode"]) for row in rows]

    async def _constraints_aside(self, names: Sequence[str]) -> list[str]:
        """Take away what would look every row up in an index as it comes."""
        rows = await self._conn.fetch(
            """
            select conrelid::regclass::text as table, conname as name, pg_get_constraintdef(oid) as definition
            from pg_constraint
            where connamespace = 'public'::regnamespace and contype in ('p', 'u')
                and conrelid::regclass::text = any ($1::text[])
            order by 1, 2
            """,
            names,
        )
        for row in rows:
            await self._conn.execute(f'alter table {row["table"]} drop constraint "{row["name"]}"')
        return [f'alter table {row["table"]} add constraint "{row["name"]}" {row["definition"]}' for row in rows]

    async def _indexes_aside(self, names: Sequence[str]) -> list[str]:
        """Take away the indexes no constraint needs: made at the end, in one go, they cost a fraction."""
        rows = await self._conn.fetch(
            """
            select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
            from pg_index i
            join pg_class c on c.oid = i.indrelid
            where c.relnamespace = 'public'::regnamespace
                and c.relkind = 'r'
                and c.relname = any ($1::text[])
                and not exists (select from pg_constraint k where k.conindid = i.indexrelid)
            order by 1
            """,
            names,
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
    async with connected(dsn) as conn:
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


def as_line(values: Iterable[Any]) -> str:
    """A row in the text in which ``put`` takes it, without its line feed; JSON columns are given as text."""
    # Most cells are empty, and most others are plain words: those are told apart here, without a call for each.
    return "\t".join(
        [
            "\\N"
            if value is None
            else value
            if type(value) is str and value.isprintable() and "\\" not in value
            else _cell(value)
            for value in values
        ]
    )


def _cell(value: Any) -> str:
    if type(value) is datetime:  # by far the most of what is no text
        return str(value)
    if isinstance(value, str):
        return value if value.isprintable() and "\\" not in value else value.translate(_ESCAPES)
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, list | tuple):
        if not value:
            return "{}"
        quoted = (each.replace("\\", "\\\\").replace('"', '\\"') for each in value)
        return _cell("{" + ",".join(f'"{each}"' for each in quoted) + "}")
    return str(value)


_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


async def fill_search(conn: Connection) -> None:
    """Write the words of all cases as the trigger does that stood aside while their rows came."""
    await conn.execute(
        """
        insert into case_text (id, registered_at, plain)
        select id, registered_at, cjk_plain(coalesce(title, '')) || ' ' || cjk_plain(coalesce(text, '')) from case_row
        """
    )
