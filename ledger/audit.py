"""Whether the log is still what was written, and what was stated about it outside.

Owns the comparison of log and security log, checkpoints in the database and checkpoints in a file elsewhere;
``ledger.chain`` and ``ledger.security`` own what the logs say about themselves. Reads only, in one snapshot, one page
and one checkpoint in memory at a time.
"""

from collections.abc import AsyncIterator, Callable, Collection, Iterator
from dataclasses import dataclass

from ledger.anchors import AnchorFile, BrokenLine
from ledger.chain import Finding, FindingCode, Walked, snapshot, walk
from ledger.checkpoints import NOBODY_BEFORE, SECURITY, Checkpoint, Head, kept
from ledger.log import Connection
from ledger.security import head as security_head
from ledger.security import stands, verify

CHECKPOINTS = "checkpoint"
"""What stands for the stream in findings about checkpoints; their number stands for that of the event."""


@dataclass
class Audited(Walked):
    """What has been looked at: events and streams of the log, checkpoints, heads they state, ``lines`` of security.

    ``in_file`` are the checkpoints found outside. ``keys`` are the public keys they were signed with.
    """

    checkpoints: int = 0
    in_file: int = 0
    heads: int = 0
    lines: int = 0
    keys: tuple[str, ...] = ()
    last: Checkpoint | None = None


Told = Callable[[int, int], None]


async def audit(
    conn: Connection,
    anchors: AnchorFile | None = None,
    *,
    keys: Collection[str] = (),
    done: Audited | None = None,
    told: Told = lambda _done, _all: None,
) -> AsyncIterator[Finding]:
    """Everything that is wrong with the log, in no particular order; nothing when it is what it was.

    ``anchors`` are checkpoints kept outside; without them those of the database are all there is. ``keys`` are the
    public keys that may have signed them; without any, whatever key signed the first. ``done`` is kept up to date.
    ``told`` hears how many events and heads have been checked, and of about how many.
    """
    done = done if done is not None else Audited()
    # Noted before the snapshot: what is in the file by now is in the log that the snapshot shows.
    size = anchors.size() if anchors else 0
    async with snapshot(conn):
        total = int(await conn.fetchval("select (select count(*) from event) + (select count(*) from checkpoint_head)"))
        told(0, total)
        statements = _Statements(conn, anchors.read(size) if anchors else iter(()), tuple(keys), done)
        async for finding in statements.findings():
            yield finding
            told(done.heads, total)
        async for finding in _walked(conn, done, told, total):
            yield finding
        told(total, total)
        security = await verify(conn)
        done.lines = security.lines
        for finding in security.findings:
            yield finding


async def _walked(conn: Connection, done: Audited, told: Told, total: int) -> AsyncIterator[Finding]:
    async for finding in walk(conn, None, done, lambda: told(done.heads + done.events, total)):
        yield finding


class _Statements:
    """The checkpoints outside and those in the database, side by side by their numbers."""

    def __init__(
        self,
        conn: Connection,
        outside: Iterator[Checkpoint | BrokenLine],
        keys: tuple[str, ...],
        done: Audited,
    ) -> None:
        self._conn, self._outside, self._keys, self._done = conn, outside, keys, done
        self._before: Checkpoint | None = None

    async def findings(self) -> AsyncIterator[Finding]:
        """What is wrong with them, and where the log is not what they state."""
        stated, line = 0, None
        async for here, there in self._side_by_side():
            stated += 0 if here is None or isinstance(here, int) else len(here.heads)
            if isinstance(there, BrokenLine):
                yield _about(there.number, "line", "a checkpoint", "unreadable")
                continue
            if there is not None:
                self._done.in_file += 1
                if line is not None and there.number != line + 1:
                    yield _about(there.number, "line", str(line + 1), str(there.number))
                line = there.number
                if not isinstance(here, Checkpoint) or here.line != there.line:
                    actual = here.hash if isinstance(here, Checkpoint) else "none" if here is None else "unreadable"
                    yield _about(there.number, "database", there.hash, actual)
            # What the file says counts; where it says nothing, what the database says is all there is.
            each = there or here
            assert each is not None, "a place in the order is there because one of them has it"
            for finding in await self._judged(each):
                yield finding
        # A head without its checkpoint would keep the true one from being stated.
        rows = int(await self._conn.fetchval("select count(*) from checkpoint_head"))
        if rows != stated:
            yield _about(0, "heads", str(stated), str(rows))

    async def _side_by_side(self) -> AsyncIterator[tuple[Checkpoint | int | None, Checkpoint | BrokenLine | None]]:
        """The same number in the database and in the file; None where one of them has none."""
        inside = kept(self._conn)
        here = await anext(inside, None)
        for there in self._outside:
            if isinstance(there, BrokenLine):
                yield None, there
                continue
            while here is not None and _number(here) < there.number:
                yield here, None
                here = await anext(inside, None)
            if here is not None and _number(here) == there.number:
                yield here, there
                here = await anext(inside, None)
            else:
                yield None, there
        while here is not None:
            yield here, None
            here = await anext(inside, None)

    async def _judged(self, each: Checkpoint | int) -> list[Finding]:
        """What is wrong with one checkpoint, and with the events it states."""
        self._done.checkpoints += 1
        if isinstance(each, int):
            return [_about(each, "header", "a checkpoint", "unreadable")]
        before, self._before = self._before, each
        self._done.last = each
        if each.key not in self._done.keys:
            self._done.keys = (*self._done.keys, each.key)
        allowed = self._keys or self._done.keys[:1]
        found: list[Finding] = []
        number, prev = (before.number + 1, before.hash) if before else (1, NOBODY_BEFORE)
        if each.number != number:
            found.append(_about(each.number, "number", str(number), str(each.number)))
        elif each.prev != prev:
            found.append(_about(each.number, "prev", prev, each.prev))
        if each.key not in allowed:
            found.append(_about(each.number, "key", " ".join(allowed), each.key))
        if not each.is_signed:
            found.append(_about(each.number, "signature", "made with the key", "another"))
        if not each.holds_its_heads:
            found.append(_about(each.number, "root", each.root, "other heads"))
        return [*found, *await self._compared(each), *await self._security(each)]

    async def _security(self, each: Checkpoint) -> list[Finding]:
        """The line a checkpoint states, where it is no longer that; a log that ends before it, or is gone."""
        line = each.security
        if line is None or await stands(self._conn, line):
            return []
        head = await security_head(self._conn)
        if head is None:
            return [Finding(SECURITY, line.id, FindingCode.REMOVED, "log", str(line.id), "none")]
        if head.id < line.id:
            return [Finding(SECURITY, line.id, FindingCode.BACKWARDS, "head", str(line.id), str(head.id))]
        return [Finding(SECURITY, line.id, FindingCode.REWRITTEN, "hash", line.hash, "another, or none")]

    async def _compared(self, each: Checkpoint) -> list[Finding]:
        self._done.heads += len(each.heads)
        rows = await self._conn.fetch(
            _STATED,
            [head.stream for head in each.heads],
            [head.seq for head in each.heads],
            [head.hash for head in each.heads],
        )
        return [_gone(Head(row["stream"], row["seq"], row["hash"]), row["found"], row["head"]) for row in rows]


# One look-up for each head: whatever is guessed about their number, the log is not read from end to end for them.
_STATED = """
select stated.stream, stated.seq, stated.hash, found.hash as found, head.seq as head
from unnest($1::text[], $2::integer[], $3::text[]) as stated(stream, seq, hash)
left join lateral (
    select e.hash from event e where e.stream = stated.stream and e.seq = stated.seq limit 1
) as found on true
left join lateral (
    select e.seq from event e where e.stream = stated.stream order by e.seq desc limit 1
) as head on found.hash is distinct from stated.hash
where found.hash is distinct from stated.hash
"""


def _gone(stated: Head, found: str | None, head: int | None) -> Finding:
    if found is not None:
        return Finding(stated.stream, stated.seq, FindingCode.REWRITTEN, "hash", stated.hash, found)
    if head is None:
        return Finding(stated.stream, stated.seq, FindingCode.REMOVED, "stream", str(stated.seq), "none")
    return Finding(stated.stream, stated.seq, FindingCode.BACKWARDS, "head", str(stated.seq), str(head))


def _about(number: int, field: str, expected: str, actual: str) -> Finding:
    return Finding(CHECKPOINTS, number, FindingCode.CHECKPOINT, field, expected, actual)


def _number(each: Checkpoint | int) -> int:
    return each if isinstance(each, int) else each.number
