"""Rebuilds the read models from the log, and says where they differ from it.

Owns the fold of a whole stream, command by command, with the projection that acting itself uses, so that a rebuilt
row cannot differ from the one written at the time. Reads the log only; must not change it. Needs the owner of the
tables: the application may not write rows by itself.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import asyncpg
from pydantic import ValidationError

from domain.base import Frozen, Recalled
from domain.notices import Notice
from domain.process import Event, Plan, World
from domain.processes import PROCESSES
from ledger.log import COMMAND_COLUMNS, Connection, Json, RecordedCommand, canonical, history, streams
from ledger.projection import project
from ledger.rows import AwaitedRow, CaseFigureRow, CaseRow, ClockRow, NoticeRow, TaskRow, WishRow


class ReadModel(NamedTuple):
    """A read model: its rows, the column that names the stream, and the columns that name a row."""

    model: type[Recalled]
    stream: str
    key: tuple[str, ...]


TABLES: dict[str, ReadModel] = {
    "case_row": ReadModel(CaseRow, "id", ("id",)),
    "case_figure": ReadModel(CaseFigureRow, "id", ("id",)),
    "task": ReadModel(TaskRow, "stream", ("stream", "id")),
    "clock": ReadModel(ClockRow, "stream", ("stream", "id")),
    "wish": ReadModel(WishRow, "id", ("id",)),
    "notice": ReadModel(NoticeRow, "stream", ("id",)),
    "awaited": ReadModel(AwaitedRow, "stream", ("stream",)),
}
"""Every read model by the name of its table."""

Rows = dict[str, dict[tuple[str, ...], Json]]
"""The rows of one stream by table and key."""


class Difference(Frozen):
    """A row that is not what the log says; ``columns`` is empty for a row that is missing or too many."""

    table: str
    key: tuple[str, ...]
    what: str
    columns: tuple[str, ...] = ()


@dataclass
class Rebuilt:
    """What a rebuild has done: streams folded, rows written, rows that had differed, rows of no stream removed."""

    streams: int = 0
    rows: int = 0
    differences: list[Difference] = field(default_factory=list)
    strays: int = 0


async def fold_rows(conn: Connection, stream: str) -> Rows:
    """The rows that the log says a stream has; no rows for a stream the log does not know."""
    process = PROCESSES.get(stream.partition("-")[0])
    rows: Rows = {table: {} for table in TABLES}
    if process is None:
        return rows
    events = iter(await history(conn, stream))
    before: tuple[Any, Plan] | None = None
    for command in await _commands(conn, stream):
        state = before[0] if before else None
        told: list[tuple[int, Event, tuple[Notice, ...]]] = []
        for seq in range(command.seq_from, command.seq_to + 1):
            event = process.read_event(next(events).body)
            state = process.evolve(state, event)
            if notices := process.notices(state, event):
                told.append((seq, event, notices))
        if state is None:
            continue  # a command that changed nothing before anything was there
        # The world decides where tasks are handed over to, which no row shows; any world folds alike.
        after = (state, process.plan(state, World()))
        for table, changed in project(stream, command.seq_to, command.at, before, after, told).items():
            rows[table] |= {_key(table, row): row for row in changed}
        before = after
    return rows


async def stored_rows(conn: Connection, stream: str) -> Rows:
    """The rows that the read models hold for a stream, in the form ``fold_rows`` gives them."""
    rows: Rows = {}
    for name, table in TABLES.items():
        found = await conn.fetch(f"select * from {name} where {table.stream} = $1", stream)
        rows[name] = {tuple(str(row[column]) for column in table.key): _as_json(table.model, row) for row in found}
    return rows


async def differences(conn: Connection, stream: str) -> list[Difference]:
    """Where the read models differ from the log for one stream; empty when they agree.

    Read both in one transaction of isolation level repeatable read when the stream may grow meanwhile.
    """
    return _compare(await stored_rows(conn, stream), await fold_rows(conn, stream))


async def rebuild(
    conn: Connection,
    *,
    stream: str | None = None,
    told: Callable[[int, int], None] = lambda _done, _all: None,
) -> Rebuilt:
    """Drop and rebuild the read models of one stream, or of all; others may work meanwhile.

    Each stream is rebuilt in one transaction under its lock, so readers see its old rows or its new ones and no act
    can come between. Rebuilding all also removes rows of streams the log does not know. ``told`` hears how many
    streams are done, and of how many. Interrupted, it has rebuilt some streams wholly and the others not at all.
    """
    done = Rebuilt()
    if stream is not None:
        told(0, 1)
        await _rebuild_with_displaced(conn, stream, done)
        told(1, 1)
        return done
    total, last = await conn.fetchval("select count(distinct stream) from event"), ""
    told(0, total)
    while page := await streams(conn, after=last, limit=500):
        for each in page:
            await _rebuild_with_displaced(conn, each, done)
            told(done.streams, total)
        last = page[-1]
    done.strays = await _remove_strays(conn)
    return done


async def stray_streams(conn: Connection, after: str = "", limit: int = 200) -> list[str]:
    """The streams, after ``after``, that some read model has rows of and the log does not know."""
    tables = " union ".join(f"select {table.stream} as stream from {name}" for name, table in TABLES.items())
    rows = await conn.fetch(
        f"""
        select r.stream from ({tables}) as r
        where r.stream > $1 and not exists (select from event e where e.stream = r.stream)
        order by r.stream
        limit $2
        """,
        after,
        limit,
    )
    return [row["stream"] for row in rows]


async def _rebuild_with_displaced(conn: Connection, stream: str, done: Rebuilt) -> None:
    """Rebuild a stream, and those whose falsified rows stood in its way."""
    waiting, seen = [stream], set[str]()
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        waiting += await _rebuild_one(conn, each, done)
    done.streams += 1


async def _rebuild_one(conn: Connection, stream: str, done: Rebuilt) -> list[str]:
    async with conn.transaction():
        await conn.execute("select ledger_lock($1)", stream)
        stored, wanted = await stored_rows(conn, stream), await fold_rows(conn, stream)
        for name, table in TABLES.items():
            await conn.execute(f"delete from {name} where {table.stream} = $1", stream)
        displaced = await _displace(conn, stream, wanted)
        rows = {name: list(found.values()) for name, found in wanted.items()}
        await conn.execute("select ledger_rows($1::text::jsonb)", canonical(rows))
    done.rows += sum(len(found) for found in rows.values())
    done.differences += _compare(stored, wanted)
    return displaced


async def _displace(conn: Connection, stream: str, wanted: Rows) -> list[str]:
    """Remove rows of other streams that claim this stream's external number: the log knows whose it is."""
    displaced: list[str] = []
    for row in wanted["case_row"].values():
        if row["external_id"] is not None:
            found = await conn.fetch(
                "delete from case_row where source = $1 and external_id = $2 and id <> $3 returning id",
                row["source"],
                row["external_id"],
                stream,
            )
            displaced += [each["id"] for each in found]
    return displaced


async def _remove_strays(conn: Connection) -> int:
    removed = 0
    for name, table in TABLES.items():
        # One statement sees one moment: a stream that is being opened shows both its event and its row, or neither.
        status: str = await conn.execute(
            f"delete from {name} r where not exists (select from event e where e.stream = r.{table.stream})"
        )
        removed += int(status.rpartition(" ")[2])
    return removed


async def _commands(conn: Connection, stream: str) -> list[RecordedCommand]:
    rows = await conn.fetch(
        f"select {COMMAND_COLUMNS} from command where stream = $1 order by seq_from, seq_to", stream
    )
    return [RecordedCommand(**dict(row)) for row in rows]


def _key(table: str, row: Json) -> tuple[str, ...]:
    return tuple(str(row[column]) for column in TABLES[table].key)


def _as_json(model: type[Recalled], row: asyncpg.Record) -> Json:
    try:
        return model.model_validate(dict(row)).model_dump(mode="json")
    except ValidationError:
        # Whoever falsified the row wrote something no row of ours can hold.
        readable: Json = json.loads(json.dumps(dict(row), default=str))
        return readable


def _compare(stored: Rows, wanted: Rows) -> list[Difference]:
    found: list[Difference] = []
    for table in TABLES:
        old, new = stored[table], wanted[table]
        for key in sorted(old.keys() | new.keys()):
            if key not in old:
                found.append(Difference(table=table, key=key, what="missing"))
            elif key not in new:
                found.append(Difference(table=table, key=key, what="too_many"))
            elif old[key] != new[key]:
                columns = tuple(name for name in new[key] if old[key].get(name) != new[key][name])
                found.append(Difference(table=table, key=key, what="differs", columns=columns))
    return found
