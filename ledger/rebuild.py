"""Rebuilds the read models from the log, and says where they differ from it.

Owns the fold of a whole stream, command by command, with the projection that acting itself uses, so that a rebuilt
row cannot differ from the one written at the time. Reads the log only; must not change it. Needs the owner of the
tables: the application may not write rows by itself.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg
from pydantic import ValidationError

from domain.base import Frozen, Recalled
from domain.notices import Notice
from domain.process import Event, World
from domain.processes import PROCESSES
from ledger.loading import as_line
from ledger.log import Connection, Json, canonical, streams
from ledger.projection import Whole
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

COLUMNS: dict[str, tuple[str, ...]] = {name: tuple(table.model.model_fields) for name, table in TABLES.items()}
"""The columns of each, in their order."""


class Command(NamedTuple):
    """What a fold needs to know of a recorded command: its events and its time."""

    seq_from: int
    seq_to: int
    at: datetime


_NAMED = 1_000
"""So many differences are named; all are counted."""

AT_ONCE = 100
"""So many streams are rebuilt in one transaction: their acts wait for a fifth of a second."""

Folded = dict[str, list[Recalled]]
"""The rows of one stream by table, as values."""

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
    """What a rebuild has done: streams folded, rows they have, rows that had differed, rows of no stream removed.

    ``differing`` counts all rows that had differed; ``differences`` names the first ones. With ``anew`` nothing was
    compared.
    """

    streams: int = 0
    rows: int = 0
    differing: int = 0
    differences: list[Difference] = field(default_factory=list)
    strays: int = 0
    anew: bool = False

    def add(self, other: "Rebuilt") -> None:
        """Count what another part of the rebuild has done."""
        self.streams += other.streams
        self.rows += other.rows
        self.strays += other.strays
        self.anew = self.anew or other.anew
        self.differing += other.differing
        self.differences += other.differences[: max(0, _NAMED - len(self.differences))]

    def differ(self, found: Sequence[Difference]) -> None:
        """Count these differences and keep the first ones."""
        self.differing += len(found)
        self.differences += found[: max(0, _NAMED - len(self.differences))]


def fold(stream: str, bodies: Iterable[str], commands: Iterable[Command]) -> Folded:
    """The rows that a stream of these facts has, by table; ``bodies`` are their texts, ``commands`` what led to them.

    No rows for a stream of no process, and none before anything was there.
    """
    process = PROCESSES.get(stream.partition("-")[0])
    if process is None:
        return {}
    # The world decides where tasks are handed over to, which no row shows; any world folds alike.
    world, whole, facts = World(), Whole(stream), iter(bodies)
    state: Any = None
    last: Command | None = None
    for command in commands:
        told: list[tuple[int, Event, tuple[Notice, ...]]] = []
        for seq in range(command.seq_from, command.seq_to + 1):
            event = process.read_event_text(next(facts))
            state = process.evolve(state, event)
            if notices := process.notices(state, event):
                told.append((seq, event, notices))
        if state is not None:  # else a command that changed nothing before anything was there
            last = command
            whole.take(command.at, state, process.tasks(state, world), told)
    return {} if last is None else whole.rows(last.seq_to, last.at, state, process.plan(state, world))


async def fold_rows(conn: Connection, stream: str) -> Rows:
    """The rows that the log says a stream has; no rows for a stream the log does not know."""
    return _as_rows((await _folded(conn, [stream]))[stream])


async def _folded(conn: Connection, names: Sequence[str]) -> dict[str, Folded]:
    """The rows that the log says these streams have."""
    bodies: dict[str, list[str]] = {name: [] for name in names}
    commands: dict[str, list[Command]] = {name: [] for name in names}
    for stream, body in await conn.fetch(
        "select stream, body::text from event where stream = any ($1::text[]) order by stream, seq", names
    ):
        bodies[stream].append(body)
    for stream, *command in await conn.fetch(
        "select stream, seq_from, seq_to, at from command where stream = any ($1::text[])"
        " order by stream, seq_from, seq_to",
        names,
    ):
        commands[stream].append(Command(*command))
    return {name: fold(name, bodies[name], commands[name]) for name in names}


def _as_rows(folded: Mapping[str, Sequence[Recalled]]) -> Rows:
    rows: Rows = {table: {} for table in TABLES}
    for table, found in folded.items():
        rows[table] = {_key(table, row): row for row in (each.model_dump(mode="json") for each in found)}
    return rows


async def stored_rows(conn: Connection, stream: str) -> Rows:
    """The rows that the read models hold for a stream, in the form ``fold_rows`` gives them."""
    return _stored_as_rows((await _stored(conn, [stream]))[stream])


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

    Streams are rebuilt a few at a time in one transaction under their locks, so readers see the old rows of each or
    its new ones and no act can come between; rows that are right stay where they are. Rebuilding all also removes
    rows of streams the log does not know. ``told`` hears how many streams are done, and of how many. Interrupted,
    it has rebuilt some streams wholly and the others not at all.
    """
    done = Rebuilt()
    if stream is not None:
        told(0, 1)
        await _rebuild_with_displaced(conn, stream, done)
        told(1, 1)
        return done
    total, last = await count_streams(conn), ""
    told(0, total)
    while names := await streams(conn, after=last, limit=AT_ONCE):
        done.add(await rebuild_streams(conn, names))
        told(done.streams, total)
        last = names[-1]
    done.strays = await remove_strays(conn)
    return done


async def count_streams(conn: Connection) -> int:
    """How many streams the log has."""
    return int(await conn.fetchval("select count(*) from event where seq = 1"))


async def rebuild_streams(conn: Connection, names: Sequence[str]) -> Rebuilt:
    """Rebuild these streams in one transaction under their locks; what is right already is not written again."""
    done = Rebuilt()
    try:
        async with conn.transaction():
            # Always in the same order, so that two who take many never wait for each other.
            await conn.execute("select ledger_lock(s) from unnest($1::text[]) s", sorted(names))
            wanted, stored = await _folded(conn, names), await _stored(conn, names)
            wrong = await _incomplete(conn, names)
            for name in names:
                rows = wanted[name]
                done.rows += sum(map(len, rows.values()))
                if not _agree(stored[name], rows):
                    done.differ(_compare(_stored_as_rows(stored[name]), _as_rows(rows)))
                    wrong.add(name)
            await _write(conn, wrong, wanted)
    except asyncpg.UniqueViolationError:
        # Falsified rows of other streams stand in the way of the right ones: one stream after the other finds them.
        done = Rebuilt()
        for name in names:
            await _rebuild_with_displaced(conn, name, done)
        return done
    done.streams = len(names)
    return done


async def fold_lines(conn: Connection, names: Sequence[str], lines: dict[str, list[str]]) -> Rebuilt:
    """Add the rows of these streams to ``lines``, table by table, as a load takes them; looks at no read model."""
    done = Rebuilt(streams=len(names), anew=True)
    for folded in (await _folded(conn, names)).values():
        for table, rows in folded.items():
            done.rows += len(rows)
            lines[table] += [as_line(_cells(row).values()) for row in rows]
    return done


async def are_empty(conn: Connection) -> bool:
    """Whether no read model holds a row: they were lost, or emptied to be made anew."""
    for table in TABLES:
        if await conn.fetchval(f"select exists (select from {table})"):
            return False
    return True


async def route_again(conn: Connection) -> None:
    """Give every notice that has none its routing, as the trigger does where notices are written one by one."""
    await conn.execute(
        "insert into routing (notice)"
        " select id from notice n where not exists (select from routing where notice = n.id)"
    )


async def _stored(conn: Connection, names: Sequence[str]) -> dict[str, dict[str, list[asyncpg.Record]]]:
    """What the read models hold for these streams."""
    stored: dict[str, dict[str, list[asyncpg.Record]]] = {name: {table: [] for table in TABLES} for name in names}
    for table, model in TABLES.items():
        for row in await conn.fetch(f"select * from {table} where {model.stream} = any ($1::text[])", names):
            stored[row[model.stream]][table].append(row)
    return stored


async def _incomplete(conn: Connection, names: Sequence[str]) -> set[str]:
    """Those of the streams whose rows lack what triggers make of them: the words of the search, a notice's routing."""
    rows = await conn.fetch(
        """
        select r.id as stream
        from case_row r
        left join case_text t on t.id = r.id
        where r.id = any ($1::text[])
            and (t.plain, t.registered_at) is distinct from
                (cjk_plain(coalesce(r.title, '')) || ' ' || cjk_plain(coalesce(r.text, '')), r.registered_at)
        union
        select n.stream
        from notice n
        where n.stream = any ($1::text[]) and not exists (select from routing where notice = n.id)
        """,
        names,
    )
    return {row["stream"] for row in rows}


def _agree(stored: Mapping[str, Sequence[asyncpg.Record]], wanted: Mapping[str, Sequence[Recalled]]) -> bool:
    """Whether the rows are the same, told from their values; where not, ``_compare`` says how they differ."""
    for table, model in TABLES.items():
        rows, found = wanted.get(table, ()), stored[table]
        if len(rows) != len(found):
            return False
        known = {tuple(str(row[column]) for column in model.key): row for row in found}
        for row in rows:
            values = _values(row)
            other = known.get(tuple(str(values[column]) for column in model.key))
            if other is None or any(_plain(name, other[name]) != value for name, value in values.items()):
                return False
    return True


_JSON = ("pauses", "params")


def _values(row: Recalled) -> dict[str, Any]:
    """The row as the driver takes it and gives it, but JSON as a value."""
    values = {name: list(value) if type(value) is tuple else value for name, value in row.__dict__.items()}
    if values.get("pauses"):
        values["pauses"] = [pause.model_dump(mode="json") for pause in values["pauses"]]
    return values


def _cells(row: Recalled) -> Mapping[str, Any]:
    """The row as ``as_line`` takes it: only what holds JSON is made anew."""
    cells = row.__dict__
    if "pauses" in cells:
        pauses = [pause.model_dump(mode="json") for pause in cells["pauses"]]
        return {**cells, "pauses": canonical(pauses) if pauses else "[]"}
    return {**cells, "params": canonical(cells["params"])} if "params" in cells else cells


def _plain(name: str, value: Any) -> Any:
    return json.loads(value) if name in _JSON and isinstance(value, str) else value


async def _write(
    conn: Connection, names: Collection[str], wanted: Mapping[str, Mapping[str, Sequence[Recalled]]]
) -> None:
    """Put the wanted rows of these streams in place of those that are there."""
    if not names:
        return
    for table, model in TABLES.items():
        await conn.execute(f"delete from {table} where {model.stream} = any ($1::text[])", list(names))
        rows = [row for name in sorted(names) for row in wanted[name].get(table, ())]
        if rows:
            records = [tuple(_for_copy(*each) for each in _values(row).items()) for row in rows]
            await conn.copy_records_to_table(table, columns=COLUMNS[table], records=records)


def _for_copy(name: str, value: Any) -> Any:
    return canonical(value) if name in _JSON else value


def _stored_as_rows(stored: Mapping[str, Sequence[asyncpg.Record]]) -> Rows:
    return {
        table: {tuple(str(row[c]) for c in TABLES[table].key): _as_json(TABLES[table].model, row) for row in found}
        for table, found in stored.items()
    }


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
    done.differ(_compare(stored, wanted))
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


async def remove_strays(conn: Connection) -> int:
    """Remove the rows of streams that the log does not know; how many there were."""
    removed = 0
    for name, table in TABLES.items():
        # One statement sees one moment: a stream that is being opened shows both its event and its row, or neither.
        status: str = await conn.execute(
            f"delete from {name} r where not exists (select from event e where e.stream = r.{table.stream})"
        )
        removed += int(status.rpartition(" ")[2])
    return removed


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
