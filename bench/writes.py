"""The durable writes of the plain loop, taken from a case of ours and written without us.

Owns the plain tables (same columns, same indexes, of the triggers those that write rows, no chain) and the one
statement that writes an act: same number and size of rows, idempotent by command id. All peers and the floor use it.
"""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from uuid import UUID, uuid4

import asyncpg

from bench.loop import WORDING
from domain.notices import Notice
from domain.process import Event, World
from domain.processes import PROCESSES
from ledger.log import Recorded, history
from ledger.projection import project

_UPSERTED = {
    "case_row": ("id",),
    "case_figure": ("id",),
    "task": ("stream", "id"),
    "clock": ("stream", "id"),
    "notice": ("id",),
    "awaited": ("stream",),
}
TABLES = ("event", "command", *_UPSERTED, "case_text", "vault_key", "vault_entry")
_CALLED_ID = ("case_row", "case_figure", "case_text")
"""Where the stream stands under ``id``."""

_BY_TRIGGER = (
    ("case_row", "case_text_keep", "case_text"),
    ("case_row", "open_changed", "open_change"),
    ("case_figure", "figure_changed", "figure_change"),
)
"""What the ledger writes by a trigger of a table, and the function that does."""

CHANGES = ("open_change", "figure_change")
"""Lines that are written for no stream in particular."""


@dataclass(frozen=True)
class ActWrites:
    """What one act of the loop writes: the first event's number, the events, and full rows by read model."""

    first: int
    events: list[dict[str, Any]]
    rows: dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class LoopWrites:
    """The writes of all acts of the loop."""

    acts: list[ActWrites]

    @classmethod
    async def recorded(cls, conn: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy, stream: str) -> Self:
        """What the case ``stream`` of ours wrote, act by act."""
        return cls(list(_acts(stream, await history(conn, stream))))

    def save(self, path: Path) -> None:
        """Write them to ``path`` for another process."""
        path.write_text(json.dumps([vars(act) for act in self.acts], ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote."""
        return cls([ActWrites(**act) for act in json.loads(path.read_text(encoding="utf-8"))])


def _acts(stream: str, events: list[Recorded]) -> Iterator[ActWrites]:
    process, world = PROCESSES["case"], World()
    state, known, batch = None, None, list[Recorded]()
    told: list[tuple[int, Event, tuple[Notice, ...]]] = []
    for position, event in enumerate(events):
        batch.append(event)
        fact = process.read_event(event.body)
        state = process.evolve(state, fact)
        if notices := process.notices(state, fact):
            told.append((event.seq, fact, notices))
        if position + 1 < len(events) and events[position + 1].command_id == event.command_id:
            continue
        after = (state, process.plan(state, world))
        rows = project(stream, event.seq, event.at, known, after, told)
        facts: list[dict[str, Any]] = [
            {"kind": each.kind, "actor": each.actor, "body": each.body, "prev": each.prev, "hash": each.hash}
            for each in batch
        ]
        yield ActWrites(batch[0].seq, facts, {name: [dict(row) for row in each] for name, each in rows.items()})
        known, batch, told = after, [], []


async def make_tables(conn: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy) -> None:
    """Create the plain tables ``bare_*`` and the function ``bare_record`` in a migrated database."""
    for table in (*TABLES, *CHANGES):
        await conn.execute(
            f"create table bare_{table} (like {table} including defaults including constraints including indexes)"
        )
    for table, function, written in _BY_TRIGGER:
        await _copy_triggers(conn, table, function, written)
    upserts = "\n".join([await _upsert(conn, table, key) for table, key in _UPSERTED.items()])
    await conn.execute(
        f"""
        create function bare_record(
            p_stream text, p_command uuid, p_digest text, p_at timestamptz, p_first integer, p_events jsonb,
            p_rows jsonb
        ) returns integer language plpgsql as $$
        declare v_last integer := p_first + jsonb_array_length(p_events) - 1;
        begin
            insert into bare_command (id, stream, process, digest, seq_from, seq_to, at)
            values (p_command, p_stream, 'case', p_digest, p_first, v_last, p_at)
            on conflict (id) do nothing;
            if not found then
                return v_last;
            end if;
            insert into bare_event (stream, seq, id, kind, at, actor, command_id, body, prev, hash)
            select p_stream, p_first + e.n::integer - 1, (e.value ->> 'id')::uuid, e.value ->> 'kind', p_at,
                e.value ->> 'actor', p_command, e.value -> 'body', e.value ->> 'prev', e.value ->> 'hash'
            from jsonb_array_elements(p_events) with ordinality as e (value, n);
            {upserts}
            return v_last;
        end
        $$
        """
    )


async def _copy_triggers(
    conn: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy, table: str, function: str, written: str
) -> None:
    """Let the plain ``table`` write what the real one writes into ``written``, by the same function of another name."""
    statements = [await conn.fetchval("select pg_get_functiondef($1::text::regproc)", function)]
    statements += [
        row[0]
        for row in await conn.fetch(
            """
            select pg_get_triggerdef(oid) from pg_trigger
            where tgrelid = $1::text::regclass and tgfoid = $2::text::regproc
            """,
            table,
            function,
        )
    ]
    names = re.compile(rf"\b({table}|{function}|{written})\b")
    for statement in statements:
        await conn.execute(names.sub(r"bare_\1", statement))


async def _upsert(conn: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy, table: str, key: tuple[str, ...]) -> str:
    query = "select attname from pg_attribute where attrelid = $1::regclass and attnum > 0 order by attnum"
    columns = [row["attname"] for row in await conn.fetch(query, f"bare_{table}")]
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in key)
    return f"""
            insert into bare_{table}
            select * from jsonb_populate_recordset(null::bare_{table}, p_rows -> '{table}')
            on conflict ({", ".join(key)}) do update set {changes};"""


async def record(pool: asyncpg.Pool, act: ActWrites, stream: str, command_id: UUID, digest: str) -> int:
    """Write one act of the case ``stream`` in one transaction and return the number of its last event.

    The same command id again writes nothing and returns the same number.
    """
    last: int = await pool.fetchval(
        "select bare_record($1, $2, $3, $4, $5, $6::text::jsonb, $7::text::jsonb)",
        *given_of(act, stream, command_id, digest),
    )
    return last


def given_of(
    act: ActWrites, stream: str, command_id: UUID, digest: str
) -> tuple[str, UUID, str, datetime, int, str, str]:
    """What ``bare_record`` is given for one act of the case ``stream``, in order; events and rows as JSON."""
    events = [{"id": str(uuid4()), **event} for event in act.events]
    rows = {name: [_of(stream, name, row) for row in each] for name, each in act.rows.items()}
    return stream, command_id, digest, datetime.now(UTC), act.first, _as_text(events), _as_text(rows)


def _as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _of(stream: str, table: str, row: dict[str, Any]) -> dict[str, Any]:
    own = {"id" if table in _CALLED_ID else "stream": stream}
    return {**row, **own, "id": str(uuid4())} if table == "notice" else {**row, **own}


async def keep_wording(pool: asyncpg.Pool, stream: str) -> None:
    """Write what the vault writes for a new case: one wrapped key, one entry, in one transaction."""
    await pool.execute(
        """
        with new_key as (insert into bare_vault_key (stream, wrapped) values ($1, $2))
        insert into bare_vault_entry (stream, name, nonce, ciphertext) values ($1, $3, $4, $5)
        """,
        stream,
        os.urandom(60),
        f"{stream}/wording",
        os.urandom(12),
        os.urandom(len(WORDING.encode()) + 16),
    )


async def rows_of(pool: asyncpg.Pool, stream: str, prefix: str = "") -> dict[str, int]:
    """How many rows the case ``stream`` has in each table; ``prefix`` is ``bare_`` for the plain ones."""
    return {
        table: await pool.fetchval(
            f"select count(*) from {prefix}{table} where {'id' if table in _CALLED_ID else 'stream'} = $1", stream
        )
        for table in TABLES
    }


async def digest_of(pool: asyncpg.Pool, stream: str) -> str:
    """The digest of the verified fact of a case in the plain tables."""
    query = "select body ->> 'digest' from bare_event where stream = $1 and kind = 'verified'"
    return str(await pool.fetchval(query, stream))
