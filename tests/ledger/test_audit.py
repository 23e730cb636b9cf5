"""Tampering by whoever holds the database and gets round every trigger, with checkpoints kept elsewhere."""

import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from ledger.anchors import AnchorFile, catch_up
from ledger.audit import Audited, audit
from ledger.chain import Finding, FindingCode, verify_chain
from ledger.checkpoints import Head, make_all, sign
from ledger.log import Connection, canonical, chain_hash, history
from ledger.security import Kind, record
from ledger.security import verify as verify_security
from ledger.signing import SigningKey
from runtime.postgres import EmbeddedPostgres
from tests.copies import copy_database
from tests.ledger.facts import NOON, fact, write

KEY = SigningKey(b"k" * 32)
STREAMS, LENGTH = 12, 8

COLUMNS = ("stream", "seq", "id", "kind", "at", "actor", "command_id", "body", "prev", "hash")


@dataclass(frozen=True)
class Log:
    """A log of twelve streams with checkpoints, the triggers out of the way, and the file elsewhere."""

    conn: asyncpg.Connection
    file: AnchorFile

    async def found(self, *, keys: tuple[str, ...] = (KEY.public,), file: AnchorFile | None = None) -> list[Finding]:
        return [each async for each in audit(self.conn, file or self.file, keys=keys)]

    async def found_after(self, change: Callable[[Connection], Awaitable[object]]) -> list[Finding]:
        """What is found after ``change``, which is then undone."""
        outer = self.conn.transaction()
        await outer.start()
        try:
            await change(self.conn)
            return await self.found()
        finally:
            await outer.rollback()


@pytest.fixture(scope="module")
async def log(postgres: EmbeddedPostgres, schema: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Log]:
    """Made once: every test undoes what it does."""
    name = f"t_{uuid4().hex}"
    await copy_database(postgres, schema, name)
    conn = await asyncpg.connect(postgres.dsn(name))
    file = AnchorFile(tmp_path_factory.mktemp("elsewhere") / "anchors.jsonl")
    for seq in range(0, LENGTH, 2):
        for number in range(STREAMS):
            facts = [fact("whistled", seq, note=f"{number} 号"), fact("dispatched", seq + 1, people=[number, seq])]
            await write(conn, f"case-{number:02}", seq, facts)
        for person in ("p-1", "p-2"):
            await record(conn, Kind.SIGN_IN, actor=person, subject=f"{person}-{seq}")
        # The last two events of each stream and lines of the security log are stated by no checkpoint.
        if seq < LENGTH - 2:
            async for _ in make_all(conn, KEY):
                pass
    await catch_up(conn, file)
    for table in ("event", "command", "checkpoint", "checkpoint_head", "security_log"):
        await conn.execute(f"alter table {table} disable trigger all")
    for name in ("pkey", "id_key", "seq_positive", "body_object", "one_line"):
        await conn.execute(f"alter table event drop constraint event_{name}")
    yield Log(conn, file)
    await conn.close()
    await postgres.drop_database(name)


def _mutation(draw: random.Random) -> tuple[str, int, str, str]:
    """A random change of one column of a random event, as SQL."""
    stream, seq, column = f"case-{draw.randrange(STREAMS):02}", draw.randint(1, LENGTH), draw.choice(COLUMNS)
    digit, other = draw.randint(1, 64), draw.choice("0123456789abcdef")
    swap = "overlay({0} placing case substr({0}, {1}, 1) when '{2}' then 'x' else '{2}' end from {1})"
    note = f"{draw.random():.6f} {draw.choice(['改', 'a', ' ', '👍'])}"
    change = {
        "stream": draw.choice(["'case-99'", "stream || 'x'", "'case-' || (substr(stream, 6)::int + 1)"]),
        "seq": draw.choice(["seq + 1", "seq + 100", "-seq", "0"]),
        "id": "gen_random_uuid()",
        "kind": draw.choice(["'struck_off'", "upper(kind)", "kind || ' '", "''"]),
        "at": f"at + interval '{draw.choice([-1, 1, 1_000_000, 86_400_000_000])} microseconds'",
        "actor": draw.choice(["'p-other'", "actor || ' '", "''"]),
        "command_id": "gen_random_uuid()",
        "body": draw.choice(
            [
                f'body || \'{{"note": "{note}"}}\'',
                "body - 'at'",
                "body || '{\"more\": null}'",
                "jsonb_set(body, '{by,person}', '\"p-other\"')",
                "'[]'",
                "'{}'",
                "jsonb_set(body, '{at}', '1.5')",
            ]
        ),
        "prev": swap.format("prev", digit, other) if seq > 1 else "'0'",
        "hash": swap.format("hash", digit, other),
    }[column]
    return stream, seq, column, change


async def test_an_untouched_log_has_no_findings_and_says_what_was_looked_at(log: Log) -> None:
    done, heard = Audited(), list[tuple[int, int]]()

    def told(checked: int, of: int) -> None:
        heard.append((checked, of))

    found = [each async for each in audit(log.conn, log.file, keys=[KEY.public], done=done, told=told)]

    assert found == []
    assert (done.events, done.streams) == (STREAMS * LENGTH, STREAMS)
    assert (done.checkpoints, done.in_file, done.heads, done.lines) == (3, 3, 3 * STREAMS, LENGTH)
    assert done.keys == (KEY.public,)
    assert done.last is not None
    assert done.last.number == 3
    assert heard[-1] == (STREAMS * LENGTH + 3 * STREAMS,) * 2


@pytest.mark.parametrize("seed", range(20))
async def test_each_of_ten_random_changes_is_found_and_named(log: Log, seed: int) -> None:
    """Two hundred in all, over every column."""
    draw = random.Random(seed)
    for _ in range(10):
        stream, seq, column, change = _mutation(draw)
        found = await log.found_after(partial(_tamper, stream, seq, f"{column} = {change}"))

        named = {(each.stream, each.seq) for each in found}
        # A moved event leaves a gap where it was; what is behind the gap is named.
        near = {(stream, seq), (stream, seq + 1)}
        assert named & near, (seed, stream, seq, column, change, found)


async def _tamper(stream: str, seq: int, change: str, conn: Connection) -> None:
    done = await conn.execute(f"update event set {change} where stream = $1 and seq = $2", stream, seq)
    assert done == "UPDATE 1"


def test_the_random_changes_are_of_every_column() -> None:
    drawn = [_mutation(draw)[2] for draw in map(random.Random, range(20)) for _ in range(10)]

    assert set(drawn) == set(COLUMNS)


async def _rewrite(conn: Connection, stream: str, since: int, *, person: str = "p-other") -> None:
    """What the owner of the database can do: other facts from ``since`` on, with a chain that holds."""
    events = await history(conn, stream)
    prev = "" if since == 1 else events[since - 2].hash
    for event in events[since - 1 :]:
        body = {**event.body, "by": {"person": person}}
        canon = canonical(body)
        new = chain_hash(prev, stream, event.seq, event.id, event.kind, event.at, person, event.command_id, canon)
        await conn.execute(
            "update event set actor = $3, body = $4::text::jsonb, prev = $5, hash = $6 where stream = $1 and seq = $2",
            stream,
            event.seq,
            person,
            canon,
            prev,
            new,
        )
        prev = new


@pytest.mark.parametrize("since", range(1, LENGTH + 1))
async def test_a_rewritten_end_is_found_if_a_checkpoint_states_any_of_it(log: Log, since: int) -> None:
    async def tamper(conn: Connection) -> None:
        await _rewrite(conn, "case-05", since)
        assert await verify_chain(conn) == [], "the chain alone shows nothing"

    found = {(each.stream, each.seq, each.code) for each in await log.found_after(tamper)}

    stated = [seq for seq in (2, 4, 6) if seq >= since]
    assert found == {("case-05", seq, FindingCode.REWRITTEN) for seq in stated}


async def _cut(conn: Connection, stream: str, last: int) -> None:
    await conn.execute("delete from event where stream = $1 and seq > $2", stream, last)
    await conn.execute("delete from command where stream = $1 and seq_from > $2", stream, last)


async def test_a_stream_that_went_backwards_is_found(log: Log) -> None:
    found = await log.found_after(lambda conn: _cut(conn, "case-03", 4))

    assert found == [Finding("case-03", 6, FindingCode.BACKWARDS, "head", "6", "4")]


async def test_a_removed_stream_is_found(log: Log) -> None:
    found = await log.found_after(lambda conn: _cut(conn, "case-03", 0))

    assert {(each.stream, each.seq, each.code) for each in found} == {
        ("case-03", seq, FindingCode.REMOVED) for seq in (2, 4, 6)
    }


async def test_an_event_inserted_into_the_middle_is_found(log: Log) -> None:
    async def tamper(conn: Connection) -> None:
        await conn.execute("update event set seq = seq + 1 where stream = 'case-07' and seq > 3")
        await conn.execute(
            """
            insert into event (stream, seq, id, kind, at, actor, command_id, body, prev, hash)
            select stream, 4, gen_random_uuid(), kind, at, actor, command_id, body, hash, hash
            from event
            where stream = 'case-07' and seq = 3
            """
        )

    found = {(each.stream, each.seq, each.code) for each in await log.found_after(tamper)}

    assert ("case-07", 4, FindingCode.HASH) in found
    assert ("case-07", 4, FindingCode.REWRITTEN) in found


async def test_two_events_that_changed_places_are_found(log: Log) -> None:
    found = await log.found_after(
        lambda conn: conn.execute("update event set seq = 7 - seq where stream = 'case-07' and seq in (3, 4)")
    )

    assert {("case-07", 3), ("case-07", 4)} <= {(each.stream, each.seq) for each in found}


# --- the security log -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("since", range(1, LENGTH + 1))
async def test_a_security_log_written_anew_is_found_if_a_checkpoint_states_any_of_it(log: Log, since: int) -> None:
    async def tamper(conn: Connection) -> None:
        await conn.execute("delete from security_log where id >= $1", since)
        for _ in range(since, LENGTH + 1):
            await record(conn, Kind.SIGN_OUT, actor="p-other")
        assert (await verify_security(conn)).findings == (), "the chain alone shows nothing"

    found = {(each.stream, each.seq, each.code) for each in await log.found_after(tamper)}

    assert found == {("security", number, FindingCode.REWRITTEN) for number in (2, 4, 6) if number >= since}


@pytest.mark.parametrize(
    ("last", "found"),
    [
        (7, set()),
        (5, {(6, FindingCode.BACKWARDS)}),
        (3, {(6, FindingCode.BACKWARDS), (4, FindingCode.BACKWARDS)}),
        (0, {(number, FindingCode.REMOVED) for number in (2, 4, 6)}),
    ],
)
async def test_a_security_log_whose_end_was_cut_off_is_found(
    log: Log, last: int, found: set[tuple[int, FindingCode]]
) -> None:
    seen = await log.found_after(lambda conn: conn.execute("delete from security_log where id > $1", last))

    assert {(each.seq, each.code) for each in seen if each.stream == "security"} == found
    assert len(seen) == len(found)


@pytest.mark.parametrize("seed", range(4))
async def test_each_of_ten_random_changes_of_the_security_log_is_found_and_named(log: Log, seed: int) -> None:
    draw = random.Random(seed)
    for _ in range(10):
        number = draw.randint(1, LENGTH)
        change = draw.choice(
            [
                "id = id + 100",
                "at = at + interval '1 microsecond'",
                "kind = 'sign_out'",
                "actor = 'p-other'",
                "outcome = 'refused'",
                "place = 'POST /'",
                "source = '10.0.0.0/24'",
                "subject = subject || 'x'",
                'detail = \'{"by":"provider"}\'',
                "prev = repeat('0', 64)",
                "hash = repeat('0', 64)",
            ]
        )
        found = await log.found_after(partial(_change, f"update security_log set {change} where id = {number}"))

        assert {("security", number), ("security", number + 1), ("security", number + 100)} & {
            (each.stream, each.seq) for each in found
        }, (seed, number, change, found)


async def _change(statement: str, conn: Connection) -> None:
    assert await conn.execute(statement) == "UPDATE 1"


# --- the checkpoints themselves -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("update checkpoint set header = replace(header, '\"heads\":12', '\"heads\":11') where number = 2", "database"),
        ("update checkpoint set header = 'x' where number = 2", "database"),
        ("update checkpoint set signature = reverse(signature) where number = 2", "database"),
        ("update checkpoint_head set hash = reverse(hash) where stream = 'case-01' and checkpoint = 2", "database"),
        ("update checkpoint_head set seq = 5 where stream = 'case-01' and checkpoint = 2", "database"),
        ("delete from checkpoint_head where stream = 'case-01' and checkpoint = 2", "database"),
        ("delete from checkpoint where number = 3", "database"),
        ("insert into checkpoint_head values ('case-01', 8, repeat('0', 64), 9)", "heads"),
    ],
)
async def test_a_changed_checkpoint_in_the_database_is_found(log: Log, change: str, field: str) -> None:
    found = await log.found_after(lambda conn: conn.execute(change))

    assert (FindingCode.CHECKPOINT, field) in {(each.code, each.field) for each in found}


async def _altered(log: Log, tmp_path: Path, change: Callable[[list[str]], list[str]]) -> list[Finding]:
    other = AnchorFile(tmp_path / "other.jsonl")
    lines = log.file.path.read_text(encoding="utf-8").splitlines()
    other.path.write_text("".join(f"{line}\n" for line in change(lines)), encoding="utf-8")
    return await log.found(file=other)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda lines: [lines[0], lines[2]], "line"),
        (lambda lines: [lines[0], "nonsense", lines[2]], "line"),
        (lambda lines: [lines[0], lines[2], lines[1]], "line"),
        (lambda lines: [lines[0].replace("case-01", "case-0l"), *lines[1:]], "root"),
        (lambda lines: [lines[0][:-10] + "00000000" + lines[0][-2:], *lines[1:]], "signature"),
    ],
)
async def test_a_changed_file_is_found(
    log: Log, tmp_path: Path, change: Callable[[list[str]], list[str]], field: str
) -> None:
    found = await _altered(log, tmp_path, change)

    assert (FindingCode.CHECKPOINT, field) in {(each.code, each.field) for each in found}


async def test_a_file_without_its_last_lines_is_checked_with_what_the_database_says(log: Log, tmp_path: Path) -> None:
    assert await _altered(log, tmp_path, lambda lines: lines[:1]) == []


async def test_a_checkpoint_signed_with_another_key_is_found(log: Log, tmp_path: Path) -> None:
    other = AnchorFile(tmp_path / "other.jsonl")
    forged = SigningKey(b"f" * 32)
    events = await history(log.conn, "case-01")
    other.append([sign(forged, 1, NOON, "", [Head("case-01", 2, events[1].hash)])])

    found = {each.field for each in await log.found(file=other)}

    assert "key" in found


async def test_a_database_put_back_to_an_older_state_is_found(log: Log) -> None:
    async def put_back(conn: Connection) -> None:
        for number in range(STREAMS):
            await _cut(conn, f"case-{number:02}", 4)
        await conn.execute("delete from checkpoint_head where checkpoint = 3")
        await conn.execute("delete from checkpoint where number = 3")

    found = await log.found_after(put_back)

    assert {(each.seq, each.code) for each in found} == {(3, FindingCode.CHECKPOINT), (6, FindingCode.BACKWARDS)}


async def test_without_a_file_the_checkpoints_of_the_database_are_compared(log: Log, tmp_path: Path) -> None:
    nowhere = AnchorFile(tmp_path / "none.jsonl")
    assert await log.found(file=nowhere) == []

    async def tamper(conn: Connection) -> None:
        await _rewrite(conn, "case-05", 3)

    outer = log.conn.transaction()
    await outer.start()
    await tamper(log.conn)
    found = await log.found(file=nowhere)
    await outer.rollback()

    assert {each.code for each in found} == {FindingCode.REWRITTEN}


def _hash_of_last(file: AnchorFile) -> str:
    last = file.last()
    assert last is not None
    return last.hash


async def test_a_checkpoint_made_while_the_audit_runs_is_left_to_the_next_one(log: Log) -> None:
    size = log.file.size()
    later = sign(KEY, 4, NOON + timedelta(1), _hash_of_last(log.file), [Head("case-99", 1, "0" * 64)])

    def told(_done: int, _all: int) -> None:
        log.file.append([later])

    try:
        assert [each async for each in audit(log.conn, log.file, keys=[KEY.public], told=told)] == []
        assert [each async for each in audit(log.conn, log.file, keys=[KEY.public])] != []
    finally:
        log.file.path.write_bytes(log.file.path.read_bytes()[:size])
