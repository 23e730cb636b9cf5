"""The short way into the ledger: one statement when everything is as believed, nothing when it is not."""

from dataclasses import replace
from uuid import UUID, uuid4

import asyncpg

from domain.process import Attributes, Plan
from ledger.log import Believed, command_of, history, record
from ledger.registry import load_registry
from ledger.world import States
from tests.ledger.facts import NOON, case_row, fact, write
from tests.neighbourhood import raw_registry

NOTHING = Believed(head_seq=0, head_hash="", registry_revision=0, rule_book=None)
PLAN = Plan(attributes=Attributes(stage="registered"))


async def send(conn: asyncpg.Connection, stream: str, believed: Believed, command_id: UUID | None = None) -> str | None:
    return await record(
        conn,
        stream,
        "case",
        believed=believed,
        command_id=command_id or uuid4(),
        digest="d" * 64,
        at=NOON,
        events=[fact("opened"), fact("noted", 1)],
        rows={"case_row": [case_row(stream)]},
    )


async def test_what_is_as_believed_is_recorded_like_any_append(conn: asyncpg.Connection) -> None:
    command_id = uuid4()
    head = await send(conn, "case-a", NOTHING, command_id)
    events = await history(conn, "case-a")
    assert [event.kind for event in events] == ["opened", "noted"]
    assert events[-1].hash == head
    assert events[-1].prev == events[0].hash
    recorded = await command_of(conn, command_id)
    assert recorded is not None
    assert (recorded.seq_from, recorded.seq_to) == (1, 2)
    assert await conn.fetchval("select stage from case_row where id = 'case-a'") == "registered"
    again = await send(conn, "case-a", replace(NOTHING, head_seq=2, head_hash=head or ""))
    assert [event.seq for event in await history(conn, "case-a")] == [1, 2, 3, 4]
    assert again != head


async def test_nothing_is_written_when_the_stream_is_not_where_it_is_believed_to_be(conn: asyncpg.Connection) -> None:
    head = await write(conn, "case-a", 0, [fact("opened")])
    beliefs = [
        NOTHING,
        replace(NOTHING, head_seq=2, head_hash=head),
        replace(NOTHING, head_seq=1, head_hash="0" * 64),
    ]
    for believed in beliefs:
        assert await send(conn, "case-a", believed) is None
    assert len(await history(conn, "case-a")) == 1
    assert await conn.fetchval("select count(*) from case_row") == 0


async def test_nothing_is_written_when_the_registry_or_the_rules_have_moved_on(conn: asyncpg.Connection) -> None:
    await load_registry(conn, raw_registry(), "test")
    assert await send(conn, "case-a", NOTHING) is None
    assert await send(conn, "case-a", replace(NOTHING, registry_revision=1, rule_book="other")) is None
    assert await history(conn, "case-a") == []
    assert await send(conn, "case-a", replace(NOTHING, registry_revision=1)) is not None


async def test_a_command_id_that_is_recorded_already_is_left_to_the_long_way(conn: asyncpg.Connection) -> None:
    command_id = uuid4()
    head = await send(conn, "case-a", NOTHING, command_id)
    assert await send(conn, "case-a", replace(NOTHING, head_seq=2, head_hash=head or ""), command_id) is None
    assert await send(conn, "case-b", NOTHING, command_id) is None
    assert await conn.fetchval("select count(*) from event") == 2


def test_a_state_is_given_out_for_its_own_event_only() -> None:
    states = States()
    states.keep("case-a", 2, "h2", "second", PLAN)
    assert states.get("case-a", 2, "h2") == ("second", PLAN)
    assert states.get("case-a", 2, "other") is None
    assert states.get("case-a", 1, "h2") is None
    states.keep("case-a", 3, "h3", "third", PLAN)
    assert states.get("case-a", 2, "h2") is None


def test_of_too_many_states_the_one_kept_longest_ago_is_forgotten() -> None:
    states = States(most=2)
    for stream in ("case-a", "case-b", "case-a", "case-c"):
        states.keep(stream, 1, "h", stream, PLAN)
    assert states.get("case-b", 1, "h") is None
    assert states.get("case-a", 1, "h") is not None
    assert states.get("case-c", 1, "h") is not None


def test_a_process_that_is_over_is_forgotten() -> None:
    states = States()
    states.keep("case-a", 1, "h1", "open", PLAN, at=NOON)
    assert states.at("case-a", 1, "h1") is not None
    states.keep("case-a", 2, "h2", "over", PLAN.model_copy(update={"finished": True}), at=NOON)
    assert states.get("case-a", 1, "h1") is None
    assert states.get("case-a", 2, "h2") is None
    assert states.at("case-a", 2, "h2") is None
