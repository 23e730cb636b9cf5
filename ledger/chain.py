"""Whether the log is still what was written: recomputes every hash from the columns.

Owns the findings. Must not repair anything. A chain shows any change to an event, also a removed or exchanged one;
the commands show a cut-off end. Who can rewrite the whole database can also rewrite the chain: against that the
checkpoints kept elsewhere help, see ``ledger.audit``.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple
from uuid import UUID

import asyncpg

from ledger.log import Connection, canonical_again, chain_hash


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
    REWRITTEN = "anchor.rewritten"
    """The stream was rewritten, at the latest from this event on, since a checkpoint stated its head."""
    BACKWARDS = "anchor.backwards"
    """The stream ends before an event that a checkpoint states as its head."""
    REMOVED = "anchor.removed"
    """The whole stream is gone, which a checkpoint states."""
    CHECKPOINT = "anchor.checkpoint"
    """A checkpoint is not what was signed, does not follow the one before, or is not in both places."""


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

    Reads in one snapshot, so that it may run beside the work of the day. For a log of any size and any number of
    findings use ``walk``.
    """
    async with snapshot(conn):
        return [finding async for finding in walk(conn, stream)]


@asynccontextmanager
async def snapshot(conn: Connection) -> AsyncIterator[None]:
    """Everything read within is of one moment."""
    # A transaction inside another one could not choose its snapshot; then the outer one decides.
    isolation: Literal["repeatable_read"] | None = None if conn.is_in_transaction() else "repeatable_read"
    async with conn.transaction(isolation=isolation, readonly=isolation is not None):
        yield


@dataclass
class Walked:
    """How far a walk is; ``events`` is up to date after every page."""

    events: int = 0
    streams: int = 0


_PAGE = 500


async def walk(
    conn: Connection,
    stream: str | None = None,
    walked: Walked | None = None,
    paged: Callable[[], None] = lambda: None,
) -> AsyncIterator[Finding]:
    """The findings of one stream, or of all, in the order of the streams; must be read inside a transaction.

    Holds two pages of rows in memory, whatever the size of the log. ``walked`` tells how far it is; ``paged`` is called
    after every page.
    """
    walked = walked if walked is not None else Walked()
    # The rows are read in the order of an index: the planner, who thinks of the whole, would rather sort a log of any
    # size first, on the disk and for longer than a statement may take.
    await conn.execute("set local enable_sort = off")
    newest = int(await conn.fetchval("select pg_snapshot_xmax(pg_current_snapshot())::text"))
    beside: list[Finding] = []
    commands = _told_by_commands(await conn.cursor(_COMMANDS, stream), beside)
    told = await anext(commands, None)
    events = await conn.cursor(_EVENTS, stream)
    at = _Walk("", newest)
    while rows := await events.fetch(_PAGE):
        for row in rows:
            place = (row["stream"], row["seq"])
            if at.stream != place[0]:
                at = _Walk(place[0], newest)
                walked.streams += 1
            for finding in at.step(row):
                yield finding
            while told is not None and told.place < place:
                yield told.missing
                told = await anext(commands, None)
            if told is not None and told.place == place:
                if told.command != row["command_id"]:
                    yield _other_command(row, str(told.command))
                told = await anext(commands, None)
            else:
                yield _other_command(row, "none")
            while beside:
                yield beside.pop(0)
        walked.events += len(rows)
        paged()
    while told is not None:
        yield told.missing
        told = await anext(commands, None)
    for finding in beside:
        yield finding


_EVENTS = """
select stream, seq, id, kind, at, actor, command_id, body::text as body, prev, hash, tx::text as tx
from event
where $1::text is null or stream = $1
order by stream, seq
"""

_COMMANDS = """
select stream, seq_from, seq_to, id
from command
where $1::text is null or stream = $1
order by stream, seq_from, seq_to
"""


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
        try:
            body = canonical_again(row["body"])
        except ValueError:
            yield Finding(self.stream, seq, FindingCode.HASH, "hash", "the body is not canonical JSON", row["hash"])
        else:
            expected = _hash(row, body.text)
            if row["hash"] != expected:
                yield Finding(self.stream, seq, FindingCode.HASH, "hash", expected, row["hash"])
            yield from _body(row, body.value)
        tx = int(row["tx"])
        if tx < self._tx or tx >= self._newest:
            yield Finding(self.stream, seq, FindingCode.POSITION, "tx", f"{self._tx}–{self._newest - 1}", str(tx))
        self._seq, self._hash, self._tx = seq, row["hash"], tx


def _hash(row: asyncpg.Record, canon: str) -> str:
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


def _body(row: asyncpg.Record, body: object) -> Iterator[Finding]:
    told = body if isinstance(body, dict) else {}
    by = told.get("by")
    inside = {"kind": told.get("kind"), "actor": by.get("person") if isinstance(by, dict) else None}
    for field, value in inside.items():
        if value != row[field]:
            yield Finding(row["stream"], row["seq"], FindingCode.BODY, field, row[field], str(value))
    try:
        same = datetime.fromisoformat(str(told.get("at"))) == row["at"]
    except ValueError:
        same = False
    if not same:
        yield Finding(row["stream"], row["seq"], FindingCode.BODY, "at", row["at"].isoformat(), str(told.get("at")))


class _Told(NamedTuple):
    """An event that a command led to."""

    place: tuple[str, int]
    command: UUID

    @property
    def missing(self) -> Finding:
        """That there is no such event."""
        return Finding(*self.place, FindingCode.COMMAND, "event", str(self.command), "none")


def _other_command(row: asyncpg.Record, expected: str) -> Finding:
    actual = str(row["command_id"])
    return Finding(row["stream"], row["seq"], FindingCode.COMMAND, "command_id", expected, actual)


_MOST_OF_ONE = 1_000
"""Events of one command that are looked for: a forged range must not make the audit endless."""


async def _told_by_commands(cursor: asyncpg.cursor.Cursor, found: list[Finding]) -> AsyncGenerator[_Told]:
    """The events the commands speak of, in order; ranges that do not follow each other are added to ``found``."""
    stream, due = "", 1
    while rows := await cursor.fetch(_PAGE):
        for row in rows:
            if row["stream"] != stream:
                stream, due = row["stream"], 1
            first = row["seq_from"]
            if first != due:
                found.append(Finding(stream, first, FindingCode.COMMAND, "seq_from", str(due), str(first)))
            for seq in range(max(first, due), min(row["seq_to"], first + _MOST_OF_ONE) + 1):
                yield _Told((stream, seq), row["id"])
            due = max(due, row["seq_to"] + 1)
