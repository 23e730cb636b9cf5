"""Signed checkpoints: where the streams stood at a moment, in words nobody without the key can write.

Owns the form of a checkpoint, making one from the log, and reading those made. A checkpoint states the heads (stream,
number and hash of the last event) that have moved since the checkpoint before, and the last line of the security log;
it names that one by its hash, so each signature covers the heads of all streams. Must not judge the log:
``ledger.audit`` does. Times are UTC.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, Self

from pydantic import JsonValue

from domain.errors import Refused
from ledger.log import Connection, canonical, instant_text
from ledger.merkle import Step, leaf, path, root
from ledger.security import Anchor, stands
from ledger.security import head as security_head
from ledger.signing import SigningKey, is_signed

FORMAT = "bihuan.checkpoint.1"
MOST_HEADS = 5_000
"""Heads in one checkpoint; what is more goes into the next, made at once."""
MOST_BYTES = 4 * 1024 * 1024
"""Bytes of one checkpoint as a line of text."""
NOBODY_BEFORE = ""
"""What the first checkpoint names as the one before."""
SECURITY = "security"
"""What stands for the stream where the security log is meant."""


class Head(NamedTuple):
    """The last event of a stream."""

    stream: str
    seq: int
    hash: str

    @property
    def leaf(self) -> bytes:
        """The head as an entry of the tree."""
        return leaf(canonical([self.stream, self.seq, self.hash]))


@dataclass(frozen=True)
class Checkpoint:
    """A statement about heads; ``header`` is the canonical text that is signed.

    ``security`` is the last line of the security log; None where there was none, and in statements of old releases.
    """

    number: int
    at: datetime
    prev: str
    root: str
    count: int
    key: str
    header: str
    signature: str
    heads: tuple[Head, ...]
    security: Anchor | None = None

    @classmethod
    def of(cls, header: str, signature: str, heads: Sequence[Head]) -> Self:
        """The checkpoint with this signed text; raises ``ValueError`` for a text that is none."""
        try:
            found: JsonValue = json.loads(header)
            if not isinstance(found, dict) or found.get("format") != FORMAT or canonical(found) != header:
                raise ValueError("not the header of a checkpoint")
            return cls(
                number=_whole(found["number"]),
                at=datetime.fromisoformat(str(found["at"])).astimezone(UTC),
                prev=str(found["prev"]),
                root=str(found["root"]),
                count=_whole(found["heads"]),
                key=str(found["key"]),
                header=header,
                signature=signature,
                heads=tuple(heads),
                security=_anchor(found),
            )
        except (KeyError, TypeError) as error:
            raise ValueError("not the header of a checkpoint") from error

    @classmethod
    def read(cls, line: str) -> Self:
        """The checkpoint written as ``line``; raises ``ValueError`` for anything that is not exactly such a line."""
        try:
            found = json.loads(line)
            heads = [Head(str(stream), _whole(seq), str(hash_)) for stream, seq, hash_ in found["heads"]]
            made = cls.of(str(found["header"]), str(found["signature"]), heads)
        except (KeyError, TypeError, RecursionError) as error:
            raise ValueError("not a checkpoint") from error
        if made.line != line:
            raise ValueError("not the text of a checkpoint")
        return made

    @property
    def line(self) -> str:
        """The whole checkpoint as one line of text."""
        return canonical(
            {"header": self.header, "heads": [list(each) for each in self.heads], "signature": self.signature}
        )

    @property
    def hash(self) -> str:
        """What the next checkpoint names this one by."""
        return name_of(self.header)

    @property
    def is_signed(self) -> bool:
        """Whether the signature is that of ``key``."""
        return is_signed(self.header, self.signature, self.key)

    @property
    def holds_its_heads(self) -> bool:
        """Whether ``heads`` are those that were signed."""
        return len(self.heads) == self.count and root([each.leaf for each in self.heads]) == self.root

    def proof(self, stream: str) -> "Proof":
        """The proof that this checkpoint states the head of ``stream``; raises ``LookupError`` when it does not."""
        index = next((place for place, each in enumerate(self.heads) if each.stream == stream), None)
        if index is None:
            raise LookupError(stream)
        steps = path([each.leaf for each in self.heads], index)
        return Proof(self.header, self.signature, self.heads[index], steps)


class Proof(NamedTuple):
    """That a signed checkpoint states a head: enough to check it without any other head."""

    header: str
    signature: str
    head: Head
    steps: tuple[Step, ...]


def _whole(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("not a whole number")
    return value


def _anchor(header: dict[str, JsonValue]) -> Anchor | None:
    """The line of the security log that a header states. Raises ``ValueError`` for what is none."""
    if SECURITY not in header:
        return None
    try:
        return Anchor.parse(str(header[SECURITY]))
    except Refused:
        raise ValueError("not a line of the security log") from None


def sign(
    key: SigningKey, number: int, at: datetime, prev: str, heads: Sequence[Head], security: Anchor | None = None
) -> Checkpoint:
    """The checkpoint over ``heads``, which are put in the order of their streams, and the line ``security``."""
    ordered = sorted(heads)
    header = canonical(
        {
            "format": FORMAT,
            "number": number,
            "at": instant_text(at),
            "prev": prev,
            "root": root([each.leaf for each in ordered]),
            "heads": len(ordered),
            "key": key.public,
            **({SECURITY: str(security)} if security is not None else {}),
        }
    )
    return Checkpoint.of(header, key.sign(header), ordered)


@dataclass(frozen=True)
class Last:
    """The checkpoint made last, without its heads, and from where in the feed the next one looks.

    ``security`` is the line of the security log it states.
    """

    number: int
    hash: str
    age: timedelta
    position: int
    security: Anchor | None = None


async def last_made(conn: Connection) -> Last | None:
    """The checkpoint made last; None before the first."""
    row = await conn.fetchrow(
        """
        select number, header, clock_timestamp() - made_at as age, position::text as position
        from checkpoint
        order by number desc
        limit 1
        """
    )
    if row is None:
        return None
    return Last(row["number"], name_of(row["header"]), row["age"], int(row["position"]), _stated(row["header"]))


def _stated(header: str) -> Anchor | None:
    """The line of the security log in a header of the database, which may have been changed there."""
    try:
        return Checkpoint.of(header, "", ()).security
    except ValueError:
        return None


def name_of(header: str) -> str:
    """The hash of a header: what the next checkpoint names it by."""
    return hashlib.sha256(header.encode()).hexdigest()


async def header_of(conn: Connection, number: int) -> str | None:
    """The signed text of a checkpoint as it stands in the database; None when there is no such checkpoint."""
    header: str | None = await conn.fetchval("select header from checkpoint where number = $1", number)
    return header


@dataclass(frozen=True)
class Due:
    """When a checkpoint is made: after so many events or so much time, whichever comes first."""

    events: int = 1_000
    every: timedelta = timedelta(minutes=10)


async def waiting(conn: Connection, last: Last | None, most: int) -> int:
    """How many events have come since the checkpoint ``last``, counted up to ``most``."""
    position = str(last.position) if last else "0"
    return int(
        await conn.fetchval(
            "select count(*) from (select from event where tx >= $1::text::xid8 limit $2) as since", position, most
        )
    )


async def is_due(conn: Connection, due: Due) -> bool:
    """Whether it is time for a checkpoint; not while nothing has happened, neither here nor in the security log."""
    last = await last_made(conn)
    came = await waiting(conn, last, due.events)
    if came >= due.events:
        return True
    if last is not None and last.age < due.every:
        return False
    return came > 0 or await security_head(conn) != (last.security if last else None)


@dataclass(frozen=True)
class Made:
    """What making a checkpoint came to.

    ``checkpoint`` is None when no head had moved. ``changed`` are streams (also ``SECURITY``) that are no longer what
    an earlier checkpoint states: they are left out, and stay findings of the audit. ``more`` is the stream behind which
    heads are left for the next one.
    """

    checkpoint: Checkpoint | None
    changed: tuple[str, ...] = ()
    more: str | None = None


async def make(
    conn: Connection, key: SigningKey, *, everything: bool = False, after: str = "", most: int = MOST_HEADS
) -> Made:
    """Make the next checkpoint from what has come since the last one, for streams behind ``after`` in their order.

    With ``everything`` all streams are looked at, also those nobody seems to have written to; at most ``most`` at once.
    Several may try at once: one makes it, the others find nothing left to state. The caller writes the result outside.
    """
    async with conn.transaction():
        await conn.execute("select pg_advisory_xact_lock(hashtextextended('checkpoint', 0))")
        last = await last_made(conn)
        position = int(await conn.fetchval("select pg_snapshot_xmin(pg_current_snapshot())::text"))
        # A place this server has not reached came with a copy of another server and says nothing here.
        since = 0 if everything or last is None or last.position > position else last.position
        moved = [row["stream"] for row in await conn.fetch(_MOVED, str(since), after, most)]
        more = moved[-1] if len(moved) == most else None
        found = await conn.fetch(_HEADS, moved)
        heads = [Head(row["stream"], row["seq"], row["hash"]) for row in found if row["holds"]]
        changed = tuple(row["stream"] for row in found if not row["holds"])
        before = last.security if last else None
        security = await security_head(conn)
        # What came and moved no head is stated by a checkpoint without heads, or it would be looked at for ever.
        idle = (everything or not moved) and security == before
        if before is not None and not await stands(conn, before):
            # Stated again as it was: a log that was rewritten is vouched for by no later checkpoint either.
            security, changed = before, (*changed, SECURITY)
        if not heads and (more is not None or idle):
            return Made(None, changed, more)
        number, prev = (last.number + 1, last.hash) if last else (1, NOBODY_BEFORE)
        made = sign(key, number, datetime.now(UTC), prev, heads, security)
        # With heads left over the next one looks from the same place again.
        await _keep(conn, made, position if more is None else last.position if last else 0)
        return Made(made, changed, more)


async def make_all(
    conn: Connection, key: SigningKey, *, everything: bool = False, most: int = MOST_HEADS
) -> AsyncIterator[Made]:
    """Make checkpoints until every head is stated, usually one."""
    made = await make(conn, key, everything=everything, most=most)
    yield made
    while made.more is not None:
        made = await make(conn, key, everything=everything, after=made.more, most=most)
        yield made


_MOVED = """
select distinct stream
from event
where tx >= $1::text::xid8 and stream > $2
order by stream
limit $3
"""

# Heads that no checkpoint states yet. Whether the head stated before still stands in the log is looked at here too:
# a stream that was rewritten must not be vouched for.
_HEADS = """
select head.stream, head.seq, head.hash,
    stated.seq is null or (
        stated.seq < head.seq
        and exists (select from event e where e.stream = head.stream and e.seq = stated.seq and e.hash = stated.hash)
    ) as holds
from unnest($1::text[]) as moved(stream)
cross join lateral (
    select e.stream, e.seq, e.hash from event e where e.stream = moved.stream order by e.seq desc limit 1
) as head
left join lateral (
    select c.seq, c.hash from checkpoint_head c where c.stream = moved.stream order by c.seq desc limit 1
) as stated on true
where (stated.seq, stated.hash) is distinct from (head.seq, head.hash)
"""


async def _keep(conn: Connection, made: Checkpoint, position: int) -> None:
    await conn.execute(
        "insert into checkpoint (number, header, signature, position) values ($1, $2, $3, $4::text::xid8)",
        made.number,
        made.header,
        made.signature,
        str(position),
    )
    await conn.copy_records_to_table(
        "checkpoint_head",
        columns=["stream", "seq", "hash", "checkpoint"],
        records=[(*each, made.number) for each in made.heads],
    )


async def kept(conn: Connection, after: int = 0) -> AsyncIterator[Checkpoint | int]:
    """The checkpoints in the database after number ``after``, in order, one in memory at a time.

    For one that cannot be read, because its row was changed, only its number is given.
    """
    while row := await conn.fetchrow(
        "select number, header, signature from checkpoint where number > $1 order by number limit 1", after
    ):
        after = row["number"]
        yield await _whole_checkpoint(conn, row)


async def _whole_checkpoint(conn: Connection, row: Any) -> Checkpoint | int:
    heads = await conn.fetch(
        "select stream, seq, hash from checkpoint_head where checkpoint = $1 order by stream, seq limit $2",
        row["number"],
        MOST_HEADS + 1,
    )
    try:
        made = Checkpoint.of(row["header"], row["signature"], [Head(*each.values()) for each in heads])
    except ValueError:
        return int(row["number"])
    return made if made.number == row["number"] else int(row["number"])


async def unsent(conn: Connection) -> AsyncIterator[Checkpoint | int]:
    """The checkpoints that ``mark_sent`` does not know yet, as ``kept`` gives them."""
    async for each in kept(conn, int(await conn.fetchval("select coalesce(max(number), 0) from checkpoint_sent"))):
        yield each


async def mark_sent(conn: Connection, number: int) -> None:
    """That a checkpoint, and all before it, have arrived elsewhere; saying it again is fine."""
    await conn.execute("insert into checkpoint_sent (number) values ($1) on conflict do nothing", number)


async def stating(conn: Connection, stream: str, seq: int) -> Checkpoint | None:
    """The checkpoint that states event ``seq`` as the head of ``stream``; None when none does."""
    row = await conn.fetchrow(
        """
        select c.number, c.header, c.signature
        from checkpoint_head h
        join checkpoint c on c.number = h.checkpoint
        where h.stream = $1 and h.seq = $2
        """,
        stream,
        seq,
    )
    found = await _whole_checkpoint(conn, row) if row else None
    return None if isinstance(found, int) else found
