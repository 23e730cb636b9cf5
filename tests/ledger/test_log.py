"""The log: what is appended, by whom, once, in order, for ever."""

import asyncio
import json
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Refused
from ledger.chain import verify_chain
from ledger.log import (
    CommandTaken,
    Cursor,
    LedgerForked,
    LedgerGap,
    append,
    digest,
    events_of,
    feed,
    history,
    instant_text,
    look,
    open_stream,
    streams,
)
from runtime.pool import open_pool
from tests.ledger.facts import NOON, case_row, fact, task_row, write


async def test_a_new_stream_opens_empty(conn: asyncpg.Connection) -> None:
    async with conn.transaction():
        opened = await open_stream(conn, "case-1", uuid4(), 0)

    assert (opened.head_seq, opened.head_hash, opened.since_hash) == (0, "", "")
    assert (opened.command, opened.events) == (None, ())
    assert (opened.registry_revision, opened.rule_book) == (0, None)


async def test_what_was_appended_is_read_back_whole(conn: asyncpg.Connection) -> None:
    command_id = uuid4()
    events = [
        fact("registered", text="楼道灯不亮 “two\\lines”\n第二行", count=12345678901234567890),
        fact("whistled", 5),
    ]

    head = await write(conn, "case-1", 0, events, command_id=command_id)

    async with conn.transaction():
        opened = await open_stream(conn, "case-1", command_id, 1)
    assert (opened.head_seq, opened.head_hash) == (2, head)
    assert opened.command is not None
    assert (opened.command.seq_from, opened.command.seq_to, opened.command.process) == (1, 2, "case")
    recorded = await history(conn, "case-1")
    assert [(each.id, each.kind, each.at, each.actor, each.body) for each in recorded] == [
        (each.id, each.kind, each.at, each.actor, each.body) for each in events
    ]
    assert opened.events == (recorded[1],)
    assert opened.since_hash == recorded[0].hash == recorded[1].prev
    assert await events_of(conn, command_id) == recorded
    assert await verify_chain(conn) == []


async def test_an_event_that_is_not_there_has_no_hash(conn: asyncpg.Connection) -> None:
    await write(conn, "case-1", 0, [fact("registered")])

    async with conn.transaction():
        opened = await open_stream(conn, "case-1", uuid4(), 7)

    assert opened.since_hash is None
    assert opened.head_seq == 1


async def test_a_command_that_changed_nothing_is_recorded_too(conn: asyncpg.Connection) -> None:
    head = await write(conn, "case-1", 0, [fact("registered")])
    command_id = uuid4()

    assert await write(conn, "case-1", 1, [], command_id=command_id) == head
    await write(conn, "case-1", 1, [fact("whistled")])

    async with conn.transaction():
        opened = await open_stream(conn, "case-1", command_id, 2)
    assert opened.command is not None
    assert (opened.command.seq_from, opened.command.seq_to) == (2, 1)
    assert await events_of(conn, command_id) == []
    assert await verify_chain(conn) == []


async def test_the_codec_of_the_pool_makes_no_difference(ledger: str, conn: asyncpg.Connection) -> None:
    command_id = uuid4()
    await write(conn, "case-1", 0, [fact("registered", text="积水")], command_id=command_id)
    pool = await open_pool(ledger, size=1)
    async with pool, pool.acquire() as pooled:
        await write(pooled, "case-1", 1, [fact("whistled", 1)], rows={"case_row": [case_row("case-1")]})
        assert await history(pooled, "case-1") == await history(conn, "case-1")
        async with pooled.transaction():
            opened = await open_stream(pooled, "case-1", command_id, 0)
    assert len(opened.events) == 2
    assert opened.command is not None
    assert opened.command.id == command_id


async def test_a_stream_that_went_further_is_a_fork(conn: asyncpg.Connection) -> None:
    await write(conn, "case-1", 0, [fact("registered"), fact("whistled")])

    with pytest.raises(LedgerForked) as forked:
        await write(conn, "case-1", 1, [fact("whistled")])

    assert (forked.value.stream, forked.value.expected, forked.value.actual) == ("case-1", 1, 2)
    assert len(await history(conn, "case-1")) == 2


async def test_a_stream_shorter_than_believed_is_a_gap(conn: asyncpg.Connection) -> None:
    await write(conn, "case-1", 0, [fact("registered")])

    with pytest.raises(LedgerGap) as gap:
        await write(conn, "case-1", 3, [fact("whistled")])

    assert (gap.value.stream, gap.value.expected, gap.value.actual) == ("case-1", 3, 1)


async def test_a_command_id_is_taken_once_for_all_streams(conn: asyncpg.Connection) -> None:
    command_id = uuid4()
    await write(conn, "case-1", 0, [fact("registered")], command_id=command_id)

    with pytest.raises(CommandTaken):
        await write(conn, "case-2", 0, [fact("registered")], command_id=command_id)

    assert await history(conn, "case-2") == []


async def test_a_refused_append_writes_no_read_model(conn: asyncpg.Connection) -> None:
    with pytest.raises(LedgerGap):
        await write(conn, "case-1", 3, [fact("whistled")], rows={"case_row": [case_row("case-1")]})

    assert await conn.fetchval("select count(*) from case_row") == 0


async def test_read_models_are_written_with_the_events(conn: asyncpg.Connection) -> None:
    rows = {
        "case_row": [case_row("case-1", departments=["d-water", "d-power"], title="积水")],
        "task": [task_row("case-1", "t-1", organisation="d-water")],
        "clock": [
            {
                "stream": "case-1", "id": "c-1", "process": "case", "kind": "handle", "organisation": None,
                "limit_text": "2h", "rules_version": "r-1", "calendar_version": None, "started_at": instant_text(NOON),
                "warn_at": None, "due_at": None, "provisional": False, "warned_at": None, "overdue_at": None,
                "stopped_at": None, "state": "running", "step": None, "pauses": [], "extended": [], "reached": [],
            }
        ],
    }  # fmt: skip
    await write(conn, "case-1", 0, [fact("registered")], rows=rows)  # type: ignore[arg-type]

    await write(conn, "case-1", 1, [fact("whistled")], rows={"case_row": [case_row("case-1", seq=2, stage="whistled")]})

    row = await conn.fetchrow("select * from case_row")
    assert row is not None
    assert (row["seq"], row["stage"], row["departments"], row["title"]) == (2, "whistled", [], None)
    assert await conn.fetchval("select count(*) from task") == 1
    assert await conn.fetchval("select limit_text from clock") == "2h"


async def test_an_unknown_read_model_is_refused(conn: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.PostgresError, match="no such read model: board"):
        await write(conn, "case-1", 0, [fact("registered")], rows={"board": []})

    assert await history(conn, "case-1") == []


async def test_the_same_request_of_another_system_opens_one_case(conn: asyncpg.Connection) -> None:
    await write(
        conn,
        "case-1",
        0,
        [fact("registered")],
        rows={"case_row": [case_row("case-1", source="12345", external_id="7")]},
    )

    with pytest.raises(asyncpg.UniqueViolationError) as violation:
        await write(
            conn, "case-2", 0, [fact("registered")],
            rows={"case_row": [case_row("case-2", source="12345", external_id="7")]},
        )  # fmt: skip
    assert violation.value.constraint_name == "case_row_external"


async def _act(pool: asyncpg.Pool, stream: str, command_id: UUID) -> tuple[str, int]:
    """The way an act records: open, answer what is recorded, append otherwise."""
    async with pool.acquire() as conn, conn.transaction():
        opened = await open_stream(conn, stream, command_id, 0)
        if opened.command:
            return "again", opened.command.seq_to
        await append(
            conn, stream, "case", expected=opened.head_seq, command_id=command_id, digest=digest([stream]), at=NOON,
            events=[fact("registered"), fact("placed")], rows={"case_row": [case_row(stream)]},
        )  # fmt: skip
        return "first", opened.head_seq + 2


async def test_twenty_retries_of_one_command_at_once_record_it_once(ledger: str, conn: asyncpg.Connection) -> None:
    command_id = uuid4()
    pool = await open_pool(ledger, size=20, role="bihuan_app")
    async with pool:
        outcomes = await asyncio.gather(*(_act(pool, "case-1", command_id) for _ in range(20)))

    assert sorted(outcomes) == [("again", 2)] * 19 + [("first", 2)]
    assert [each.seq for each in await history(conn, "case-1")] == [1, 2]
    assert await conn.fetchval("select count(*) from command") == 1
    assert await conn.fetchval("select count(*) from case_row") == 1


async def test_different_commands_at_once_take_their_turns(ledger: str, conn: asyncpg.Connection) -> None:
    pool = await open_pool(ledger, size=12)
    async with pool:
        outcomes = await asyncio.gather(*(_act(pool, "case-1", uuid4()) for _ in range(12)))

    assert sorted(seq for _, seq in outcomes) == list(range(2, 26, 2))
    assert await verify_chain(conn) == []


async def test_of_appends_that_expect_the_same_head_one_wins(ledger: str, conn: asyncpg.Connection) -> None:
    await write(conn, "case-1", 0, [fact("registered")])
    pool = await open_pool(ledger, size=10)

    async def claim(person: str) -> str:
        async with pool.acquire() as own:
            await write(own, "case-1", 1, [fact("claimed", person=person)])
        return person

    async with pool:
        outcomes = await asyncio.gather(*(claim(f"p-{number}") for number in range(10)), return_exceptions=True)

    winners = [each for each in outcomes if isinstance(each, str)]
    losers = [each for each in outcomes if isinstance(each, LedgerForked)]
    assert (len(winners), len(losers)) == (1, 9)
    assert {(each.expected, each.actual) for each in losers} == {(1, 2)}
    assert [each.actor for each in await history(conn, "case-1")] == ["p-lin", winners[0]]


async def test_streams_do_not_wait_for_each_other(ledger: str, conn: asyncpg.Connection) -> None:
    other = await asyncpg.connect(ledger)
    async with conn.transaction():
        await open_stream(conn, "case-1", uuid4(), 0)
        await asyncio.wait_for(write(other, "case-2", 0, [fact("registered")]), 60)
    await other.close()


async def test_a_snapshot_older_than_the_lock_is_refused(conn: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.PostgresError, match="read committed") as refused:
        async with conn.transaction(isolation="repeatable_read"):
            await open_stream(conn, "case-1", uuid4(), 0)
    assert refused.value.sqlstate == "BH005"


@pytest.mark.parametrize(
    "statement",
    [
        "update event set actor = 'p-other'",
        "delete from event",
        "truncate event",
        "update command set digest = ''",
        "delete from command",
        "truncate command",
        "truncate event, command cascade",
    ],
)
@pytest.mark.parametrize("mode", ["origin", "replica"])
async def test_not_even_the_owner_may_change_the_log(conn: asyncpg.Connection, statement: str, mode: str) -> None:
    await write(conn, "case-1", 0, [fact("registered")])
    await conn.execute(f"set session_replication_role = {mode}")

    with pytest.raises(asyncpg.PostgresError, match="append-only") as refused:
        await conn.execute(statement)

    assert refused.value.sqlstate == "BH009"
    assert await verify_chain(conn) == []
    assert len(await history(conn, "case-1")) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "insert into event (stream, seq, id, kind, at, actor, command_id, body, prev, hash)"
        " values ('s', 1, gen_random_uuid(), 'k', now(), 'a', gen_random_uuid(), '{}', '', '')",
        "insert into command values (gen_random_uuid(), 's', 'case', '', 1, 0, now())",
        "update event set actor = 'p-other'",
        "delete from event",
        "truncate event",
        "insert into wish (id) values ('w')",
        "update case_row set stage = 'archived'",
        "delete from task",
        "update vault_entry set name = 'other'",
        "delete from vault_key",
        "select ledger_rows('{}')",
        "update registry_revision set loaded_by = 'p'",
        "delete from registry_revision",
        "create table mine (id text)",
    ],
)
async def test_the_role_of_the_application_may_only_append(conn: asyncpg.Connection, statement: str) -> None:
    await write(conn, "case-1", 0, [fact("registered")])
    await conn.execute("set role bihuan_app")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await conn.execute(statement)


async def test_the_role_of_the_application_appends_and_reads(conn: asyncpg.Connection) -> None:
    await conn.execute("set role bihuan_app")

    await write(conn, "case-1", 0, [fact("registered")], rows={"case_row": [case_row("case-1")]})

    for table in ("event", "command", "case_row", "task", "clock", "wish", "vault_key", "registry_revision", "grid"):
        await conn.fetch(f"select * from {table}")
    assert len(await history(conn, "case-1")) == 1


async def test_nobody_else_may_call_the_append_function(conn: asyncpg.Connection) -> None:
    role = f"passer_by_{uuid4().hex}"
    await conn.execute(f"create role {role} nologin")
    try:
        await conn.execute(f"set role {role}")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await write(conn, "case-1", 0, [fact("registered")])
    finally:
        await conn.execute("reset role")
        await conn.execute(f"drop role {role}")


async def test_who_looks_sees_every_append_once_in_whatever_order_they_commit(
    ledger: str, conn: asyncpg.Connection
) -> None:
    slow = await asyncpg.connect(ledger)
    seen, is_more = await look(conn)
    assert is_more
    seen, is_more = await look(conn, seen)
    assert not is_more
    under_way = slow.transaction()
    await under_way.start()
    await write(slow, "case-1", 0, [fact("registered")])  # the older transaction
    await write(conn, "case-2", 0, [fact("registered"), fact("whistled")])

    seen, is_more = await look(conn, seen)
    assert is_more
    seen, is_more = await look(conn, seen)
    assert not is_more
    await under_way.commit()
    seen, is_more = await look(conn, seen)
    assert is_more
    seen, is_more = await look(conn, seen)
    assert not is_more
    await slow.close()


async def test_history_pages_and_ends_at_a_moment(conn: asyncpg.Connection) -> None:
    await write(conn, "case-1", 0, [fact("registered", 0), fact("whistled", 10), fact("dispatched", 20)])

    assert [each.seq for each in await history(conn, "case-1", after_seq=1, limit=1)] == [2]
    assert [each.seq for each in await history(conn, "case-1", until=NOON + timedelta(minutes=10))] == [1, 2]
    assert await history(conn, "case-1", until=NOON - timedelta(seconds=1)) == []


async def test_history_until_a_moment_is_always_a_beginning(conn: asyncpg.Connection) -> None:
    # A fact with an earlier time than the one before it must not be folded without that one.
    await write(conn, "case-1", 0, [fact("registered", 0), fact("whistled", 20), fact("commented", 10)])

    assert [each.seq for each in await history(conn, "case-1", until=NOON + timedelta(minutes=15))] == [1]


async def test_streams_are_listed_in_pages(conn: asyncpg.Connection) -> None:
    for name in ("case-b", "case-a", "wish-a"):
        await write(conn, name, 0, [fact("opened")])

    assert await streams(conn, limit=2) == ["case-a", "case-b"]
    assert await streams(conn, after="case-b") == ["wish-a"]


@pytest.mark.parametrize("limit", [1, 4, 500])
async def test_the_feed_shows_every_event_once_in_the_order_of_its_stream(conn: asyncpg.Connection, limit: int) -> None:
    for number in range(7):
        await write(conn, "case-a", number, [fact("noted", number)])
        await write(conn, "case.b:1", 2 * number, [fact("noted", number), fact("noted", number)])

    seen: list[tuple[str, int]] = []
    cursor: Cursor | None = None
    while True:
        events, after = await feed(conn, cursor, limit=limit)
        if not events:
            assert after == cursor
            break
        seen += [(each.stream, each.seq) for each in events]
        cursor = Cursor.parse(str(after))

    assert len(seen) == len(set(seen)) == 21
    for stream, most in (("case-a", 7), ("case.b:1", 14)):
        assert [seq for name, seq in seen if name == stream] == list(range(1, most + 1))


async def test_the_feed_does_not_run_past_a_transaction_that_commits_late(
    ledger: str, conn: asyncpg.Connection
) -> None:
    late = await asyncpg.connect(ledger)
    transaction = late.transaction()
    await transaction.start()
    await append(
        late, "case-late", "case", expected=0, command_id=uuid4(), digest="", at=NOON,
        events=[fact("registered")], rows={},
    )  # fmt: skip
    await write(conn, "case-early", 0, [fact("registered")])

    events, cursor = await feed(conn, None)
    assert events == []
    await transaction.commit()
    await late.close()
    events, _ = await feed(conn, cursor)

    assert [each.stream for each in events] == ["case-late", "case-early"]


async def test_a_transaction_older_than_the_head_must_begin_anew(ledger: str, conn: asyncpg.Connection) -> None:
    late = await asyncpg.connect(ledger)
    transaction = late.transaction()
    await transaction.start()
    await late.execute("insert into vault_key (stream, wrapped) values ('case-1', '')")
    await write(conn, "case-1", 0, [fact("registered")])

    with pytest.raises(asyncpg.SerializationError, match="append before other writes"):
        await write(late, "case-1", 1, [fact("whistled")])

    await transaction.rollback()
    await write(late, "case-1", 1, [fact("whistled")])
    await late.close()
    assert len(await history(conn, "case-1")) == 2


@pytest.mark.parametrize(
    "text", ["", "1", "1.case", "x.1", "1.", ".1", "1.-1", "-1.1", "1.99999999999", "9" * 20 + ".1", "1.1\n", "١.1"]
)
def test_an_unreadable_cursor_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        Cursor.parse(text)
    assert refused.value.code == "feed.bad_cursor"


@given(st.builds(Cursor, st.integers(0, 2**64 - 1), st.integers(0, 2**31 - 1)))
def test_a_cursor_reads_what_it_writes(cursor: Cursor) -> None:
    assert Cursor.parse(str(cursor)) == cursor


_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=12,
)


async def test_every_body_keeps_its_hash_through_the_database(conn: asyncpg.Connection) -> None:
    examples: list[object] = []

    # One append for all examples: the database is asked once, not once per example.
    @given(_json)
    def collect(value: object) -> None:
        examples.append(value)

    collect()
    await write(conn, "case-1", 0, [fact("noted", value=example) for example in examples])

    assert await verify_chain(conn) == []
    assert [each.body["value"] for each in await history(conn, "case-1")] == json.loads(json.dumps(examples))
