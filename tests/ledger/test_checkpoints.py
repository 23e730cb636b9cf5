"""Checkpoints: what they state, when they are made, and what becomes of the file when things go wrong."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest

from ledger.anchors import AnchorFile, BrokenLine, catch_up
from ledger.audit import audit
from ledger.checkpoints import Checkpoint, Due, Head, Made, is_due, kept, make, make_all, sign, stating
from ledger.log import Connection
from ledger.merkle import climb, leaf, path, root
from ledger.security import Kind, cut, head, record
from ledger.signing import SigningKey, is_signed
from tests.ledger.facts import NOON, fact, write
from tests.refusals import refused

KEY = SigningKey(b"k" * 32)


async def _made(conn: Connection, *, everything: bool = False) -> list[Made]:
    return [each async for each in make_all(conn, KEY, everything=everything)]


async def _kept(conn: Connection) -> list[Checkpoint]:
    return [each async for each in kept(conn) if isinstance(each, Checkpoint)]


def _in(file: AnchorFile) -> list[int]:
    return [each.number for each in file.read()]


@pytest.fixture
def file(tmp_path: Path) -> AnchorFile:
    return AnchorFile(tmp_path / "away" / "anchors.jsonl")


# --- the tree and the signature -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8, 13])
def test_every_entry_of_a_tree_can_be_proved_and_no_other(size: int) -> None:
    leaves = [leaf(str(number)) for number in range(size)]

    for index, each in enumerate(leaves):
        assert climb(each, path(leaves, index)) == root(leaves)
        assert climb(leaf("another"), path(leaves, index)) != root(leaves)


def test_the_root_is_that_of_the_published_vectors() -> None:
    """The first three of the tree over the eight entries that implementations of RFC 6962 are tried with."""
    entries = ["", "\x00", "\x10"]

    assert [root([leaf(each) for each in entries[:size]]) for size in range(4)] == [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    ]


def test_a_signature_holds_for_its_text_and_its_key_only() -> None:
    signature = KEY.sign("text")

    assert is_signed("text", signature, KEY.public)
    assert not is_signed("text ", signature, KEY.public)
    assert not is_signed("text", signature, SigningKey(b"o" * 32).public)
    assert not is_signed("text", "no signature", KEY.public)


# --- making -------------------------------------------------------------------------------------------------------


async def test_a_checkpoint_states_the_heads_that_have_moved_and_names_the_one_before(conn: asyncpg.Connection) -> None:
    first = await write(conn, "case-1", 0, [fact("registered"), fact("whistled", 1)])
    second = await write(conn, "case-2", 0, [fact("registered")])
    await _made(conn)
    moved = await write(conn, "case-2", 1, [fact("whistled", 1)])
    await _made(conn)

    one, two = await _kept(conn)

    assert one.heads == (Head("case-1", 2, first), Head("case-2", 1, second))
    assert two.heads == (Head("case-2", 2, moved),)
    assert (one.number, one.prev) == (1, "")
    assert (two.number, two.prev) == (2, one.hash)
    assert all(each.is_signed and each.holds_its_heads and each.key == KEY.public for each in (one, two))
    assert Checkpoint.read(two.line) == two


async def test_nothing_new_makes_no_checkpoint(conn: asyncpg.Connection) -> None:
    assert [each.checkpoint for each in await _made(conn)] == [None]
    await write(conn, "case-1", 0, [fact("registered")])
    await _made(conn)

    assert [each.checkpoint for each in await _made(conn)] == [None]
    assert [each.checkpoint for each in await _made(conn, everything=True)] == [None]


async def test_heads_beyond_one_checkpoint_go_into_the_next(conn: asyncpg.Connection) -> None:
    for number in range(5):
        await write(conn, f"case-{number}", 0, [fact("registered")])

    made = [each async for each in make_all(conn, KEY, most=2)]

    assert [[head.stream for head in each.checkpoint.heads] for each in made if each.checkpoint] == [
        ["case-0", "case-1"],
        ["case-2", "case-3"],
        ["case-4"],
    ]
    assert [each.checkpoint for each in await _made(conn)] == [None]


async def test_it_is_time_after_so_many_events_or_so_long_and_not_while_nothing_happens(
    conn: asyncpg.Connection,
) -> None:
    soon, late = Due(events=3, every=timedelta(0)), Due(events=3, every=timedelta(hours=1))
    assert not await is_due(conn, soon)
    await write(conn, "case-1", 0, [fact("registered")])
    assert await is_due(conn, late), "the first is made at once"
    await _made(conn)
    assert not await is_due(conn, soon)

    await write(conn, "case-1", 1, [fact("whistled", 1), fact("dispatched", 2)])
    assert await is_due(conn, soon)
    assert not await is_due(conn, late)

    await write(conn, "case-1", 3, [fact("accepted", 3)])
    assert await is_due(conn, late)


async def test_an_event_whose_transaction_ends_late_is_stated_by_the_next_checkpoint(
    ledger: str, conn: asyncpg.Connection
) -> None:
    other = await asyncpg.connect(ledger)
    try:
        async with other.transaction():
            await other.execute("select pg_current_xact_id()")
            await write(conn, "case-1", 0, [fact("registered")])
            await _made(conn)
            await write(other, "case-2", 0, [fact("registered")])
        await write(conn, "case-3", 0, [fact("registered")])
    finally:
        await other.close()

    made = (await _made(conn))[0].checkpoint

    assert made is not None
    assert [head.stream for head in made.heads] == ["case-2", "case-3"]


async def test_a_rewritten_stream_is_not_vouched_for(conn: asyncpg.Connection) -> None:
    for stream in ("case-1", "case-2"):
        await write(conn, stream, 0, [fact("registered")])
    await _made(conn)
    await conn.execute("alter table event disable trigger all")
    await conn.execute("update event set hash = repeat('0', 64) where stream = 'case-1'")
    await write(conn, "case-1", 1, [fact("whistled", 1)])
    await write(conn, "case-2", 1, [fact("whistled", 1)])

    made = (await _made(conn))[0]

    assert made.changed == ("case-1",)
    assert made.checkpoint is not None
    assert [head.stream for head in made.checkpoint.heads] == ["case-2"]


async def test_a_checkpoint_states_where_the_security_log_stands(conn: asyncpg.Connection) -> None:
    often, rarely = Due(every=timedelta(0)), Due(every=timedelta(hours=1))
    await record(conn, Kind.SIGN_IN, actor="P01")
    assert await is_due(conn, rarely), "the first is made at once"

    made = (await _made(conn))[0].checkpoint

    assert made is not None
    assert (made.heads, made.security) == ((), await head(conn))
    assert Checkpoint.read(made.line) == made
    assert [await is_due(conn, each) for each in (often, rarely)] == [False, False]
    assert [each.checkpoint for each in await _made(conn)] == [None]
    await record(conn, Kind.SIGN_OUT, actor="P01")
    assert [await is_due(conn, each) for each in (often, rarely)] == [True, False]


async def test_a_rewritten_security_log_is_not_vouched_for(conn: asyncpg.Connection) -> None:
    await record(conn, Kind.SIGN_IN, actor="P01")
    await _made(conn)
    stated = await head(conn)
    await conn.execute("alter table security_log disable trigger all")
    await conn.execute("delete from security_log")
    await record(conn, Kind.SIGN_IN, actor="P02")
    await record(conn, Kind.SIGN_OUT, actor="P02")

    for _ in range(2):
        made = (await _made(conn))[0]

        assert made.changed == ("security",)
        assert made.checkpoint is not None
        assert made.checkpoint.security == stated


async def test_a_stated_line_that_went_with_its_time_is_no_change(conn: asyncpg.Connection) -> None:
    for _ in range(2):
        await record(conn, Kind.SIGN_IN, actor="P01", at=NOON - timedelta(days=3000))
    await _made(conn)
    await record(conn, Kind.SIGN_IN, actor="P01", at=datetime.now(UTC))
    assert await cut(conn, timedelta(days=365), actor="P01") == 2

    made = (await _made(conn))[0]

    assert made.changed == ()
    assert made.checkpoint is not None
    assert made.checkpoint.security == await head(conn)
    assert [each async for each in audit(conn)] == []


async def test_a_place_of_another_server_is_not_believed(conn: asyncpg.Connection) -> None:
    await write(conn, "case-1", 0, [fact("registered")])
    await _made(conn)
    await conn.execute("alter table checkpoint disable trigger all")
    await conn.execute("update checkpoint set position = '9000000000'")
    await write(conn, "case-2", 0, [fact("registered")])

    assert [each.checkpoint is None for each in await _made(conn)] == [False]


async def test_the_checkpoint_of_a_head_can_be_found_and_proved(conn: asyncpg.Connection) -> None:
    for number in range(5):
        await write(conn, f"case-{number}", 0, [fact("registered")])
    await _made(conn)

    found = await stating(conn, "case-3", 1)
    assert found is not None
    proof = found.proof("case-3")

    assert climb(proof.head.leaf, proof.steps) == found.root
    assert await stating(conn, "case-3", 2) is None
    with pytest.raises(LookupError):
        found.proof("case-9")


@pytest.mark.parametrize("table", ["checkpoint", "checkpoint_head"])
async def test_nobody_changes_a_checkpoint(conn: asyncpg.Connection, table: str) -> None:
    await write(conn, "case-1", 0, [fact("registered")])
    await _made(conn)

    for statement in (f"update {table} set number = 2", f"delete from {table}", f"truncate {table} cascade"):
        with pytest.raises(asyncpg.PostgresError) as caught:
            await conn.execute(statement.replace("number", "checkpoint" if table == "checkpoint_head" else "number"))
        assert caught.value.sqlstate == "BH009"


async def test_the_worker_s_role_makes_checkpoints(ledger: str, conn: asyncpg.Connection) -> None:
    await write(conn, "case-1", 0, [fact("registered")])
    await conn.execute("set role bihuan_app")

    assert (await make(conn, KEY)).checkpoint is not None


# --- the file -----------------------------------------------------------------------------------------------------


async def test_the_file_holds_every_checkpoint_made(conn: asyncpg.Connection, file: AnchorFile) -> None:
    for number in range(3):
        await write(conn, f"case-{number}", 0, [fact("registered")])
        await _made(conn)

    assert await catch_up(conn, file) == 3
    assert await catch_up(conn, file) == 0

    assert list(file.read()) == await _kept(conn)
    assert file.path.stat().st_mode & 0o777 == 0o600


async def test_half_a_line_left_by_a_crash_is_written_again(conn: asyncpg.Connection, file: AnchorFile) -> None:
    for number in range(2):
        await write(conn, f"case-{number}", 0, [fact("registered")])
        await _made(conn)
    await catch_up(conn, file)
    whole = file.path.read_bytes()
    file.path.write_bytes(whole[:-7])
    assert _in(file) == [1]

    assert await catch_up(conn, file) == 1

    assert file.path.read_bytes() == whole


async def test_a_file_that_knows_more_than_the_database_is_left_alone(
    conn: asyncpg.Connection, file: AnchorFile
) -> None:
    file.append([sign(KEY, 1, NOON, "", [Head("case-1", 1, "0" * 64)])])
    await refused(catch_up(conn, file), "audit.anchors_ahead")

    await write(conn, "case-1", 0, [fact("registered")])
    await _made(conn)
    await refused(catch_up(conn, file), "audit.anchors_differ")

    assert _in(file) == [1]


async def test_a_changed_checkpoint_is_not_written_into_the_file(conn: asyncpg.Connection, file: AnchorFile) -> None:
    await write(conn, "case-1", 0, [fact("registered")])
    await _made(conn)
    await conn.execute("alter table checkpoint_head disable trigger all")
    await conn.execute("update checkpoint_head set hash = repeat('0', 64)")

    await refused(catch_up(conn, file), "audit.checkpoint_broken")

    assert _in(file) == []


async def test_a_line_that_is_no_checkpoint_is_given_as_such(file: AnchorFile) -> None:
    first = sign(KEY, 1, NOON, "", [Head("case-1", 1, "0" * 64)])
    file.append([first])
    spoilt = first.line.replace('"heads":[', '"heads": [')
    deep = "[" * 100_000
    file.path.write_text(f"{first.line}\n{{}}\n{spoilt}\n{deep}\n{json.dumps([1])}\n", encoding="utf-8")

    assert [type(each) for each in file.read()] == [Checkpoint, BrokenLine, BrokenLine, BrokenLine, BrokenLine]
