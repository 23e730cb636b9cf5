"""Tampering: whoever gets round the triggers is still found out."""

import asyncpg
import pytest

from ledger.chain import FindingCode, verify_chain
from tests.ledger.facts import fact, write


@pytest.fixture
async def log(conn: asyncpg.Connection) -> asyncpg.Connection:
    """Two sound streams of five events, with the triggers switched off as only an administrator can."""
    for stream in ("case-1", "case-2"):
        await write(conn, stream, 0, [fact("registered", 0), fact("whistled", 1)])
        await write(conn, stream, 2, [fact("dispatched", 2)])
        await write(conn, stream, 3, [])
        await write(conn, stream, 3, [fact("accepted", 3), fact("struck_off", 4)])
    for table in ("event", "command"):
        await conn.execute(f"alter table {table} disable trigger all")
    return conn


async def _found(conn: asyncpg.Connection, stream: str | None = None) -> set[tuple[str, int, FindingCode, str]]:
    return {(each.stream, each.seq, each.code, each.field) for each in await verify_chain(conn, stream)}


async def test_a_sound_log_has_no_findings(log: asyncpg.Connection) -> None:
    assert await verify_chain(log) == []
    assert await verify_chain(log, "case-1") == []
    assert await verify_chain(log, "no-such-stream") == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("stream = 'case-1b'", FindingCode.HASH),
        ("seq = 30", FindingCode.HASH),
        ("id = gen_random_uuid()", FindingCode.HASH),
        ("kind = 'declined'", FindingCode.HASH),
        ("at = at + interval '1 microsecond'", FindingCode.HASH),
        ("actor = 'p-other'", FindingCode.HASH),
        ("command_id = gen_random_uuid()", FindingCode.HASH),
        ("body = jsonb_set(body, '{note}', '\"more\"')", FindingCode.HASH),
        ("body = jsonb_set(body, '{note}', '1.5')", FindingCode.HASH),
        ("body = body - 'by'", FindingCode.BODY),
        ("prev = repeat('0', 64)", FindingCode.PREV),
        ("hash = repeat('0', 64)", FindingCode.HASH),
        ("tx = '1'", FindingCode.POSITION),
        ("tx = '18446744073709551615'", FindingCode.POSITION),
    ],
)
async def test_a_change_to_any_column_is_found(log: asyncpg.Connection, change: str, code: FindingCode) -> None:
    await log.execute(f"update event set {change} where stream = 'case-1' and seq = 3")

    findings = await verify_chain(log)

    assert code in {each.code for each in findings}
    assert {each.stream for each in findings} <= {"case-1", "case-1b"}


async def test_one_changed_event_is_named_and_not_the_ones_after_it(log: asyncpg.Connection) -> None:
    await log.execute("update event set body = jsonb_set(body, '{note}', '1') where stream = 'case-1' and seq = 3")

    assert await _found(log) == {("case-1", 3, FindingCode.HASH, "hash")}


async def test_a_rewritten_body_with_a_fitting_hash_breaks_the_next_link(log: asyncpg.Connection) -> None:
    await log.execute(
        """
        update event
        set body = jsonb_set(body, '{by,person}', '"p-other"'), actor = 'p-other', hash = encode(sha256('other'), 'hex')
        where stream = 'case-1' and seq = 3
        """
    )

    assert ("case-1", 4, FindingCode.PREV, "prev") in await _found(log)


@pytest.mark.parametrize(("field", "path"), [("kind", "{kind}"), ("at", "{at}"), ("actor", "{by,person}")])
async def test_a_column_that_differs_from_the_body_is_found(log: asyncpg.Connection, field: str, path: str) -> None:
    await log.execute(
        f"update event set body = jsonb_set(body, '{path}', '\"other\"') where stream = 'case-1' and seq = 3"
    )

    assert ("case-1", 3, FindingCode.BODY, field) in await _found(log)


@pytest.mark.parametrize("seq", [1, 3, 5])
async def test_a_removed_event_is_found_also_at_the_end(log: asyncpg.Connection, seq: int) -> None:
    await log.execute("delete from event where stream = 'case-1' and seq = $1", seq)

    found = await _found(log)

    assert ("case-1", seq, FindingCode.COMMAND, "event") in found
    if seq < 5:
        assert ("case-1", seq + 1, FindingCode.SEQ, "seq") in found


async def test_a_removed_event_whose_gap_was_closed_is_found(log: asyncpg.Connection) -> None:
    await log.execute("delete from event where stream = 'case-1' and seq = 3")
    await log.execute("update event set seq = seq - 1 where stream = 'case-1' and seq = 4")
    await log.execute("update event set seq = seq - 1 where stream = 'case-1' and seq = 5")

    found = await _found(log)

    assert ("case-1", 3, FindingCode.PREV, "prev") in found
    assert ("case-1", 3, FindingCode.HASH, "hash") in found


async def test_events_that_changed_places_are_found(log: asyncpg.Connection) -> None:
    for before, after in ((2, 20), (3, 2), (20, 3)):
        await log.execute("update event set seq = $2 where stream = 'case-1' and seq = $1", before, after)

    found = await _found(log, "case-1")

    assert {("case-1", seq, FindingCode.HASH, "hash") for seq in (2, 3)} <= found
    assert {("case-1", seq, FindingCode.PREV, "prev") for seq in (2, 3, 4)} <= found


async def test_an_inserted_event_is_found(log: asyncpg.Connection) -> None:
    await log.execute(
        """
        insert into event (stream, seq, id, kind, at, actor, command_id, body, prev, hash)
        select stream, 6, gen_random_uuid(), kind, at, actor, command_id, body, hash, hash
        from event
        where stream = 'case-1' and seq = 5
        """
    )

    assert {(6, FindingCode.HASH), (6, FindingCode.COMMAND)} <= {(seq, code) for _, seq, code, _ in await _found(log)}


async def test_a_removed_command_is_found(log: asyncpg.Connection) -> None:
    await log.execute("delete from command where stream = 'case-1' and seq_from = 3")

    found = await _found(log)

    assert ("case-1", 3, FindingCode.COMMAND, "command_id") in found
    assert ("case-1", 4, FindingCode.COMMAND, "seq_from") in found


async def test_other_streams_are_left_out_when_one_is_asked_for(log: asyncpg.Connection) -> None:
    await log.execute("update event set kind = 'declined' where stream = 'case-1' and seq = 3")

    assert await verify_chain(log, "case-2") == []
