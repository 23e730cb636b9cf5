"""Whether the log is still what was written: recomputes every hash from the columns.

Owns the findings. Must not repair anything. A chain shows any change to an event, also a removed or exchanged one;
the commands show a cut-off end. Who can rewrite the whole database can also rewrite the chain: against that only a
copy of the heads kept elsewhere helps.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

import asyncpg

from ledger.log import Connection, canonical, chain_hash


class FindingCode(StrEnum):
    """What can be found."""

    SEQ = "chain.seq"
    """An event is missing, or stands where another should."""
    PREV = "chain.prev"
    """An event does not follow the event before it."""
    HASH = "chain.hash"
    """An event is not what was hashed when it was written."""
    BODY = "chain.body"
    """Kind, time or actor of the column differ from those in the body."""
    COMMAND = "chain.command"
    """Events and commands do not match: one of the two was removed or changed."""
    POSITION = "chain.position"
    """The place in the feed is not one this server can have given: a change, or a copy restored from elsewhere."""


@dataclass(frozen=True)
class Finding:
    """One thing wrong with one event; ``expected`` and ``actual`` never hold personal data."""

    stream: str
    seq: int
    code: FindingCode
    field: str
    expected: str
    actual: str


async def verify_chain(conn: Connection, stream: str | None = None) -> list[Finding]:
    """Check one stream, or all; an empty list means that nothing was found.

    Reads in one snapshot and in pieces, so that it may run beside the work of the day on a log of any size.
    """
    findings: list[Finding] = []
    # A transaction inside another one could not choose its snapshot; then the outer one decides.
    isolation: Literal["repeatable_read"] | None = None if conn.is_in_transaction() else "repeatable_read"
    async with conn.transaction(isolation=isolation, readonly=isolation is not None):
        newest = int(await conn.fetchval("select pg_snapshot_xmax(pg_current_snapshot())::text"))
        walk: _Walk | None = None
        async for row in conn.cursor(
            """
            select stream, seq, id, kind, at, actor, command_id, body::text as body, prev, hash, tx::text as tx
            from event
            where $1::text is null or stream = $1
            order by stream, seq
            """,
            stream,
            prefetch=500,
        ):
            if walk is None or walk.stream != row["stream"]:
                walk = _Walk(row["stream"], newest)
            findings.extend(walk.step(row))
        findings.extend(await _commands(conn, stream))
    return findings


class _Walk:
    """One stream from its first event on; goes on from what is stored, so that one change is found once."""

    def __init__(self, stream: str, newest: int) -> None:
        self.stream, self._newest = stream, newest
        self._seq, self._hash, self._tx = 0, "", 0

    def step(self, row: asyncpg.Record) -> Iterator[Finding]:
        seq = row["seq"]
        if seq != self._seq + 1:
            yield Finding(self.stream, seq, FindingCode.SEQ, "seq", str(self._seq + 1), str(seq))
        if row["prev"] != self._hash:
            yield Finding(self.stream, seq, FindingCode.PREV, "prev", self._hash, row["prev"])
        expected = _hash(row)
        if row["hash"] != expected:
            yield Finding(self.stream, seq, FindingCode.HASH, "hash", expected, row["hash"])
        yield from _body(row)
        tx = int(row["tx"])
        if tx < self._tx or tx >= self._newest:
            yield Finding(self.stream, seq, FindingCode.POSITION, "tx", f"{self._tx}–{self._newest - 1}", str(tx))
        self._seq, self._hash, self._tx = seq, row["hash"], tx


def _hash(row: asyncpg.Record) -> str:
    try:
        canon = canonical(json.loads(row["body"]))
    except (TypeError, ValueError):
        return "the body is not canonical JSON"
    return chain_hash(
        row["prev"],
        row["stream"],
        row["seq"],
        row["id"],
        row["kind"],
        row["at"],
        row["actor"],
        row["command_id"],
        canon,
    )


def _body(row: asyncpg.Record) -> Iterator[Finding]:
    body = json.loads(row["body"])
    by = body.get("by")
    inside = {"kind": body.get("kind"), "actor": by.get("person") if isinstance(by, dict) else None}
    for field, value in inside.items():
        if value != row[field]:
            yield Finding(row["stream"], row["seq"], FindingCode.BODY, field, row[field], str(value))
    try:
        same = datetime.fromisoformat(str(body.get("at"))) == row["at"]
    except ValueError:
        same = False
    if not same:
        yield Finding(row["stream"], row["seq"], FindingCode.BODY, "at", row["at"].isoformat(), str(body.get("at")))


async def _commands(conn: Connection, stream: str | None) -> Iterator[Finding]:
    """Findings where the ranges of commands do not cover the stream exactly, or an event is of another command."""
    rows = await conn.fetch(
        """
        with chosen as (
            select id, stream, seq_from, seq_to,
                coalesce(lag(seq_to) over (partition by stream order by seq_from, seq_to), 0) + 1 as due_from
            from command
            where $1::text is null or stream = $1
        )
        select stream, seq_from as seq, 'seq_from' as field, due_from::text as expected, seq_from::text as actual
        from chosen
        where seq_from <> due_from
        union all
        select c.stream, missing.seq, 'event', c.id::text, 'none'
        from chosen c
        cross join lateral generate_series(c.seq_from, least(c.seq_to, c.seq_from + 1000)) as missing(seq)
        left join event e on e.stream = c.stream and e.seq = missing.seq
        where e.seq is null
        union all
        select e.stream, e.seq, 'command_id', coalesce(c.id::text, 'none'), e.command_id::text
        from event e
        left join chosen c on c.stream = e.stream and e.seq between c.seq_from and c.seq_to
        where ($1::text is null or e.stream = $1) and c.id is distinct from e.command_id
        order by 1, 2, 3
        """,
        stream,
    )
    return (
        Finding(row["stream"], row["seq"], FindingCode.COMMAND, row["field"], row["expected"], row["actual"])
        for row in rows
    )
