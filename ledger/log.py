"""The log: canonical text, opening a stream, appending to it, reading it, following it, checking it.

Owns the shapes in which Python and the SQL functions of the migrations meet. Must not decide anything: what is
appended has been decided elsewhere. Works on a bare asyncpg connection, whatever codecs are set on it. All
times are UTC.

    LedgerError            the log did not take an append; nothing was written
        LedgerForked       the stream has gone further than the writer knew
        LedgerGap          the stream is shorter than the writer believes
        CommandTaken       the command id has been recorded already
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self
from uuid import UUID

import asyncpg
from pydantic import JsonValue
from pydantic_core import to_json

from domain.errors import Refused

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
"""What every function of the ledger works on: a connection of its own or one lent by a pool."""

Json = dict[str, JsonValue]


class LedgerError(Exception):
    """An append was not taken; nothing was written."""


class LedgerForked(LedgerError):  # noqa: N818 - named as the design names it
    """The stream holds more events than the writer knew of: somebody else has appended."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"stream {stream} is ahead: expected {expected}, found {actual}")
        self.stream, self.expected, self.actual = stream, expected, actual


class LedgerGap(LedgerError):  # noqa: N818 - named as the design names it
    """The stream holds fewer events than the writer believes: the ledger has lost or never had them."""

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        super().__init__(f"stream {stream} is behind: expected {expected}, found {actual}")
        self.stream, self.expected, self.actual = stream, expected, actual


class CommandTaken(LedgerError):  # noqa: N818 - a fact about the command
    """The command id stands in the ledger already, for this stream or another."""

    def __init__(self, command_id: UUID) -> None:
        super().__init__(f"command {command_id} is recorded already")
        self.command_id = command_id


def canonical(value: object) -> str:
    """The one text of a JSON value: keys sorted, no blanks, characters as they are.

    Raises ``TypeError`` for floats, keys that are not text and values JSON does not know, ``ValueError`` for text
    PostgreSQL cannot hold (NUL, lone surrogates). Floats have no place in counts or money, and no one text either.
    """
    _check(value)
    text = _CANONICAL.encode(value)
    if _MAY_HOLD_NUL in text and any("\0" in each for each in _texts(value)):
        raise ValueError("canonical JSON must not contain NUL")
    text.encode()  # a lone surrogate raises UnicodeEncodeError, a ValueError
    return text


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_MAY_HOLD_NUL = "\\u0000"
"""How the encoder writes NUL; a text that spells it out looks the same."""


def _check(value: object) -> None:
    # Every act passes here with each of its events: the usual kinds are told by their very type, texts by the whole.
    rest = [value]
    while rest:
        each = rest.pop()
        if isinstance(each, Mapping):
            if not set(map(type, each)) <= _TEXT and not all(isinstance(key, str) for key in each):
                raise TypeError("canonical JSON needs text keys")
            each = each.values()
        elif not isinstance(each, list | tuple):
            if not isinstance(each, str | int | None):
                raise TypeError(f"canonical JSON does not take {type(each).__name__}")
            continue
        if not set(map(type, each)) <= _PLAIN:
            rest.extend(each)


_TEXT = frozenset({str})
_PLAIN = frozenset({str, int, bool, type(None)})


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield key
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)


class Canonical(NamedTuple):
    """A JSON value and its canonical text."""

    value: JsonValue
    text: str


def canonical_again(text: str) -> Canonical:
    """What PostgreSQL gives as the text of a ``jsonb``, and its canonical text.

    The same as ``canonical`` of the parsed value, at half the price: what a ``jsonb`` cannot hold is not looked for.
    Raises ``ValueError`` for a number with a fraction, which nothing of ours writes, and for what nobody can read.
    """
    try:
        value = _WHOLE_NUMBERS.decode(text)
        return Canonical(value, _CANONICAL.encode(value))
    except RecursionError:
        raise ValueError("nested too deep") from None


def _no_fraction(text: str) -> float:
    raise ValueError(f"canonical JSON does not take {text}")


_WHOLE_NUMBERS = json.JSONDecoder(parse_float=_no_fraction)


def digest(value: object) -> str:
    """SHA-256 in hexadecimal over the UTF-8 of the canonical text."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def instant_text(at: datetime) -> str:
    """The moment in UTC with microseconds, always in the same form; raises ``ValueError`` without a time zone."""
    if at.tzinfo is None:
        raise ValueError("a moment needs a time zone")
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def chain_hash(
    prev: str,
    stream: str,
    seq: int,
    id: UUID,  # noqa: A002 - the column is called so
    kind: str,
    at: datetime,
    actor: str,
    command_id: UUID,
    canon: str,
) -> str:
    """The hash of an event: SHA-256 over its parts and the hash before it; ``ledger_append`` computes the same."""
    parts = (prev, stream, str(seq), str(id), kind, instant_text(at), actor, str(command_id), canon)
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


@dataclass(frozen=True)
class NewEvent:
    """A fact about to be appended; kind, time and actor are those of its body."""

    id: UUID
    kind: str
    at: datetime
    actor: str
    body: Json

    @classmethod
    def of(cls, id: UUID, body: Json) -> Self:  # noqa: A002 - the column is called so
        """The event with this body, which must have ``kind``, ``at`` (ISO 8601 with zone) and ``by.person``."""
        by = body["by"]
        if not isinstance(by, dict):
            raise TypeError("the body of an event names its actor as by.person")
        return cls(id, str(body["kind"]), datetime.fromisoformat(str(body["at"])), str(by["person"]), body)


@dataclass(frozen=True)
class Recorded:
    """An event as it stands in the log."""

    stream: str
    seq: int
    id: UUID
    kind: str
    at: datetime
    actor: str
    command_id: UUID
    body: Json
    prev: str
    hash: str
    tx: int


@dataclass(frozen=True)
class RecordedCommand:
    """An accepted command as it stands in the log; it led to events ``seq_from`` to ``seq_to``, perhaps none."""

    id: UUID
    stream: str
    process: str
    digest: str
    seq_from: int
    seq_to: int
    at: datetime


@dataclass(frozen=True)
class Opened:
    """A stream under lock until the end of the transaction.

    ``head_seq`` is 0 and ``head_hash`` empty for a new stream. ``since_hash`` is the hash of the event the caller
    knew last, empty for 0, None when there is no such event. ``events`` are all after it.
    """

    head_seq: int
    head_hash: str
    since_hash: str | None
    command: RecordedCommand | None
    events: tuple[Recorded, ...]
    registry_revision: int
    rule_book: str | None
    calendar: str | None = None


async def open_stream(conn: Connection, stream: str, command_id: UUID, since: int) -> Opened:
    """Lock the stream until the transaction ends and read what stands in it after ``since``.

    Must be called inside a transaction of isolation level read committed, otherwise the lock ends at once.
    """
    row = await conn.fetchrow(
        """
        select head_seq, head_hash, since_hash, command::text, events::text, registry_revision, rule_book, calendar
        from ledger_open($1, $2, $3)
        """,
        stream,
        command_id,
        since,
    )
    assert row is not None, "a function with output parameters returns one row"
    return Opened(
        head_seq=row["head_seq"],
        head_hash=row["head_hash"],
        since_hash=row["since_hash"],
        command=_command(json.loads(row["command"])) if row["command"] else None,
        events=tuple(_recorded(each) for each in json.loads(row["events"])),
        registry_revision=row["registry_revision"],
        rule_book=row["rule_book"],
        calendar=row["calendar"],
    )


async def append(
    conn: Connection,
    stream: str,
    process: str,
    *,
    expected: int,
    command_id: UUID,
    digest: str,
    at: datetime,
    events: Sequence[NewEvent],
    rows: Mapping[str, Sequence[Json]],
) -> str:
    """Append the events of one command after event ``expected``, write the read models, return the new head hash.

    ``rows`` maps read models (``case_row``, ``task``, ``clock``, ``wish``) to full rows. Takes effect when the
    transaction commits, and is announced to nobody (``look``). Append before other writes of the same transaction, so
    that the feed keeps the order of the stream.

    Raises ``LedgerForked``, ``LedgerGap`` or ``CommandTaken``; the transaction must then be rolled back.
    """
    head: str = await _append(
        conn,
        "select ledger_append($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8::text::jsonb)",
        stream,
        process,
        expected,
        command_id,
        digest,
        at,
        _events_text(events),
        _text(rows),
    )
    return head


@dataclass(frozen=True)
class Believed:
    """What a sender believes without having asked: the stream's head, and registry, rules and calendar in force."""

    head_seq: int
    head_hash: str
    registry_revision: int
    rule_book: str | None
    calendar: str | None = None


async def record(
    conn: Connection,
    stream: str,
    process: str,
    *,
    believed: Believed,
    command_id: UUID,
    digest: str,
    at: datetime,
    events: Sequence[NewEvent],
    rows: Mapping[str, Sequence[Json]],
) -> str | None:
    """Append like ``append``, in one statement that is its own transaction, if everything is as ``believed``.

    Returns the new head hash. Returns None, with nothing written, when the stream, the registry, the rules or the
    calendar have moved on, or when the command id is recorded already. Raises ``CommandTaken`` when another stream
    records the command id at this very moment.
    """
    head: str | None = await _append(
        conn,
        "select ledger_record($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::jsonb, $12::text::jsonb)",
        stream,
        process,
        believed.head_seq,
        believed.head_hash,
        believed.registry_revision,
        believed.rule_book,
        believed.calendar,
        command_id,
        digest,
        at,
        _events_text(events),
        _text(rows),
    )
    return head


async def _append(conn: Connection, query: str, *arguments: Any) -> Any:
    try:
        return await conn.fetchval(query, *arguments)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "command_pkey":
            raise CommandTaken(next(each for each in arguments if isinstance(each, UUID))) from error
        raise
    except asyncpg.PostgresError as error:
        if error.sqlstate not in ("BH001", "BH002"):
            raise
        found = json.loads(error.detail or "{}")
        mismatch = LedgerForked if error.sqlstate == "BH001" else LedgerGap
        raise mismatch(found["stream"], found["expected"], found["actual"]) from error


def _events_text(events: Sequence[NewEvent]) -> str:
    return _text(
        [
            {"id": str(e.id), "kind": e.kind, "at": instant_text(e.at), "actor": e.actor, "canon": canonical(e.body)}
            for e in events
        ]
    )


def _text(value: object) -> str:
    """JSON for a parameter; nothing is hashed over it, so it need not be canonical."""
    return to_json(value).decode()


COMMAND_COLUMNS = "id, stream, process, digest, seq_from, seq_to, at"
"""Of the table ``command``, by name: a newer release may have added some."""

_COLUMNS = "stream, seq, id, kind, at, actor, command_id, body::text as body, prev, hash, tx::text as tx"


async def history(
    conn: Connection, stream: str, after_seq: int = 0, limit: int | None = None, until: datetime | None = None
) -> list[Recorded]:
    """The events of a stream after ``after_seq`` in order, at most ``limit`` of them.

    With ``until`` the history ends before the first event later than that moment, so that what is returned is
    always a beginning of the stream, fit for folding.
    """
    rows = await conn.fetch(
        f"""
        select {_COLUMNS}
        from event
        where stream = $1
            and seq > $2
            and ($3::timestamptz is null or seq < coalesce(
                (select min(later.seq) from event later where later.stream = $1 and later.at > $3),
                2147483647
            ))
        order by seq
        limit $4
        """,
        stream,
        after_seq,
        until,
        limit,
    )
    return [_from_row(row) for row in rows]


async def events_of(conn: Connection, command_id: UUID) -> list[Recorded]:
    """The events a command led to, in order; empty when it led to none or is not recorded."""
    rows = await conn.fetch(f"select {_COLUMNS} from event where command_id = $1 order by stream, seq", command_id)
    return [_from_row(row) for row in rows]


async def head_of(conn: Connection, stream: str) -> int:
    """The number of the last event of a stream, 0 when there is none."""
    return int(await conn.fetchval("select coalesce(max(seq), 0) from event where stream = $1", stream))


async def command_of(conn: Connection, command_id: UUID) -> RecordedCommand | None:
    """The recorded command of this id, None when the ledger does not know it."""
    row = await conn.fetchrow(f"select {COMMAND_COLUMNS} from command where id = $1", command_id)
    return RecordedCommand(**dict(row)) if row else None


async def streams(conn: Connection, after: str = "", limit: int = 1000) -> list[str]:
    """The names of streams after ``after`` in bytewise order, at most ``limit``; a rebuild pages through them."""
    rows = await conn.fetch(
        "select distinct stream from event where stream > $1 order by stream limit $2", after, limit
    )
    return [row["stream"] for row in rows]


@dataclass(frozen=True, order=True)
class Cursor:
    """A place in the feed; its text form is ``tx.shown`` or ``tx.shown.line``, which names no case.

    ``shown`` is how many events of the transaction ``tx`` lie behind; what a transaction wrote never changes. ``line``
    is the line of numbers the place belongs to: empty until the ledger is restored from a backup, then another.
    """

    tx: int
    shown: int
    line: str = ""

    def __str__(self) -> str:
        return f"{self.tx}.{self.shown}" + (f".{self.line}" if self.line else "")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The cursor written as ``text``; raises ``Refused`` ``feed.bad_cursor``."""
        found = re.fullmatch(r"([0-9]{1,20})\.([0-9]{1,10})(?:\.([0-9a-f]{8}))?", text)
        # Bounded by the columns' own ranges, so that PostgreSQL never sees a number it cannot hold.
        if found is None or int(found[1]) >= 2**64 or int(found[2]) >= 2**31:
            raise Refused("feed.bad_cursor", field="cursor")
        return cls(int(found[1]), int(found[2]), found[3] or "")

    def past(self, event: "Recorded") -> Self:
        """The place behind ``event``, the next one that the feed shows from here."""
        return replace(self, tx=event.tx, shown=self.shown + 1 if event.tx == self.tx else 1)


async def feed(conn: Connection, after: Cursor | None, limit: int = 500) -> tuple[list[Recorded], Cursor | None]:
    """Events of all streams after a place, and the place to go on from; in the order (tx, stream, seq).

    Shows only what no open transaction can still precede, so that a reader who goes on from the returned cursor
    misses nothing; within a stream events come in their order. Returns ``after`` again when there is nothing new.

    The order belongs to one server: raises ``Refused`` ``feed.other_line`` for a place that was given out before the
    ledger was restored from a backup, or that this server cannot have given out. The reader then begins anew.
    """
    line = await _line(conn)
    place = after or Cursor(0, 0, line.name)
    # Read as a place of this line it would hide, perhaps for ever, what lies before it.
    if place.line != line.name or place.tx >= line.next_tx:
        raise Refused("feed.other_line", field="cursor")
    rows = await conn.fetch(
        f"""
        select {_COLUMNS}
        from event
        where tx >= $1::text::xid8 and tx < pg_snapshot_xmin(pg_current_snapshot())
        order by event.tx, stream, seq
        offset $2
        limit $3
        """,
        str(place.tx),
        place.shown,
        limit,
    )
    events = [_from_row(row) for row in rows]
    for event in events:
        place = place.past(event)
    return events, place if events else after


class Seen(NamedTuple):
    """What somebody has seen of the log: everything before the transaction ``horizon``, and ``ahead`` events from there
    on."""

    horizon: int
    ahead: int


async def look(conn: Connection, before: Seen | None = None) -> tuple[Seen, bool]:
    """What there is to see now, and whether it is more than ``before``; always for who has seen nothing yet.

    Sees every event once it is committed, in whatever order transactions end. Reads the events since the oldest
    transaction that was open the last time: cheap for who asks often.
    """
    row = await conn.fetchrow(
        """
        select pg_snapshot_xmin(here)::text as horizon,
            (select count(*) from event where tx >= $1::text::xid8) as since,
            (select count(*) from event where tx >= pg_snapshot_xmin(here)) as ahead
        from pg_current_snapshot() here
        """,
        None if before is None else str(before.horizon),
    )
    assert row is not None, "a function in its place returns one row"
    return Seen(int(row["horizon"]), row["ahead"]), before is None or row["since"] != before.ahead


class _Line(NamedTuple):
    name: str
    next_tx: int


async def _line(conn: Connection) -> _Line:
    row = await conn.fetchrow("select name, pg_snapshot_xmax(pg_current_snapshot())::text as next_tx from feed_line")
    assert row is not None, "0024 writes the one row, and nobody takes it away"
    return _Line(row["name"], int(row["next_tx"]))


def _from_row(row: asyncpg.Record) -> Recorded:
    return Recorded(**{**dict(row), "body": json.loads(row["body"]), "tx": int(row["tx"])})


def _recorded(row: dict[str, Any]) -> Recorded:
    return Recorded(
        stream=row["stream"],
        seq=row["seq"],
        id=UUID(row["id"]),
        kind=row["kind"],
        at=datetime.fromisoformat(row["at"]).astimezone(UTC),
        actor=row["actor"],
        command_id=UUID(row["command_id"]),
        body=row["body"],
        prev=row["prev"],
        hash=row["hash"],
        tx=int(row["tx"]),
    )


def _command(row: dict[str, Any]) -> RecordedCommand:
    return RecordedCommand(
        id=UUID(row["id"]),
        stream=row["stream"],
        process=row["process"],
        digest=row["digest"],
        seq_from=row["seq_from"],
        seq_to=row["seq_to"],
        at=datetime.fromisoformat(row["at"]).astimezone(UTC),
    )
