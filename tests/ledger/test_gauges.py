"""The numbers by which the ledger is watched."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg

from ledger.gauges import Gauges, read_gauges
from ledger.sums import fold
from tests.ledger.facts import case_row, fact, write

PATIENCE = timedelta(minutes=1)


async def test_an_empty_ledger_waits_for_nothing(conn: asyncpg.Connection) -> None:
    assert await read_gauges(conn, since=PATIENCE) == Gauges(0, 0.0, 0, 0.0, 0, 0.0, 0, 0.0, 0.0, 0.0, 0, 0, 0)


async def test_what_waits_is_counted_with_the_age_of_the_oldest(conn: asyncpg.Connection) -> None:
    for minutes in (5, 3):
        await conn.execute(
            "insert into routing (notice, created_at) values ($1, now() - $2::interval)",
            uuid4(),
            timedelta(minutes=minutes),
        )
    await conn.execute(
        """
        insert into delivery (notice, channel, receiver, state, next_at)
        select gen_random_uuid(), 'email', 'p', 'waiting', now() + given.due
        from unnest($1::interval[]) given (due)
        """,
        [timedelta(minutes=-2), timedelta(minutes=2)],
    )
    await conn.execute(
        """
        insert into delivery (notice, channel, receiver, state, created_at)
        select gen_random_uuid(), 'email', 'p', 'failed', now() - given.age
        from unnest($1::interval[]) given (age)
        """,
        [timedelta(hours=1), timedelta(days=2)],
    )

    found = await read_gauges(conn, since=PATIENCE)

    assert (found.unrouted, found.waiting, found.failed) == (2, 1, 1)
    assert 300 <= found.unrouted_age < 360
    assert 120 <= found.waiting_age < 180


async def test_a_moment_that_has_come_is_late_until_the_process_waits_for_another(conn: asyncpg.Connection) -> None:
    for stream, minutes in (("case-a", 10), ("case-b", 0.5), ("case-c", -10)):
        await conn.execute(
            "insert into awaited (stream, at) values ($1, now() - $2::interval)", stream, timedelta(minutes=minutes)
        )

    found = await read_gauges(conn, since=PATIENCE)

    assert 600 <= found.clock_lag < 660
    assert found.overslept == 1


async def test_a_row_that_does_not_know_its_last_event_is_behind(conn: asyncpg.Connection) -> None:
    await write(conn, "case-a", 0, [fact("registered")], rows={"case_row": [case_row("case-a")]})
    even = await read_gauges(conn, since=PATIENCE)
    await write(conn, "case-a", 1, [fact("commented", 1)])

    behind = await read_gauges(conn, since=PATIENCE)

    assert even.read_model_lag == 0
    assert even.checkpoint_lag > 0
    assert behind.read_model_lag > 0


async def test_open_cases_are_counted_by_light_before_and_after_their_changes_are_taken_in(
    conn: asyncpg.Connection,
) -> None:
    cases: dict[str, dict[str, Any]] = {
        "case-a": {"light": "red"},
        "case-b": {"light": "red"},
        "case-c": {"light": "yellow"},
        "case-d": {},
    }
    for name, fields in cases.items():
        await write(conn, name, 0, [fact("registered")], rows={"case_row": [case_row(name, **fields)]})
    ended = case_row("case-b", light="red", finished=True, seq=2)
    await write(conn, "case-b", 1, [fact("commented", 1)], rows={"case_row": [ended]})

    found = await read_gauges(conn, since=PATIENCE)
    await fold(conn)
    again = await read_gauges(conn, since=PATIENCE)

    assert (found.open_red, found.open_yellow, found.open_green) == (1, 1, 1)
    assert (again.open_red, again.open_yellow, again.open_green) == (1, 1, 1)


async def test_the_feed_is_held_back_by_a_transaction_that_stays_open(ledger: str, conn: asyncpg.Connection) -> None:
    other = await asyncpg.connect(ledger)
    try:
        async with other.transaction():
            await other.fetchval("select pg_current_xact_id()")
            await write(conn, "case-a", 0, [fact("registered")], rows={"case_row": [case_row("case-a")]})
            held = await read_gauges(conn, since=PATIENCE)
        free = await read_gauges(conn, since=PATIENCE)
    finally:
        await other.close()

    assert held.feed_lag > 0
    assert free.feed_lag == 0
