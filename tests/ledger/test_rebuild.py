"""A rebuild gives exactly the rows that acting wrote, whatever had become of them."""

import json
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from domain.process import ActInput, Envelope, Outcome
from domain.processes import PROCESSES
from ledger.acting import act
from ledger.calendars import store_calendar
from ledger.rebuild import differences, rebuild
from ledger.registry import load_registry, store_rule_book
from ledger.world import Worlds
from runtime.pool import open_pool
from tests.neighbourhood import (
    ACTORS,
    AFTER,
    BEFORE,
    CALENDAR,
    EVERYDAY,
    GRID,
    HELPER,
    LEAD,
    NATURAL_BOOK,
    NOON,
    ORDINARY,
    raw_registry,
)

TABLES = ("case_row", "case_figure", "task", "clock", "wish", "notice", "awaited")


class Office:
    """Streams acted on directly, without an engine: each act is given the state the last one left."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self.pool = pool
        self._worlds = Worlds()
        self._known: dict[str, tuple[Any, Outcome]] = {}
        self._minute = 0

    async def act(self, stream: str, who: str | None, /, *, minutes: int = 1, **command: Any) -> Outcome:
        """One command of ``who``, or time itself for None, some minutes after the last one."""
        self._minute += minutes
        process = PROCESSES[stream.partition("-")[0]]
        state, last = self._known.get(stream, (None, Outcome(seq=0, hash="")))
        command_id = str(uuid.uuid4())
        envelope = None
        if who is not None:
            envelope = Envelope(command_id=command_id, actor=ACTORS[who], command=command)
        outcome = await act(
            self.pool,
            self._worlds,
            ActInput(
                process=process.name,
                stream=stream,
                seq=last.seq,
                hash=last.hash,
                at=NOON + timedelta(minutes=self._minute),
                command_id=command_id,
                state=None if state is None else process.state.dump_python(state, mode="json"),
                envelope=envelope,
            ),
        )
        assert outcome.refusal is None, outcome.refusal
        for event in outcome.events:
            state = process.evolve(state, process.read_event(event))
        self._known[stream] = (state, outcome)
        return outcome


@pytest.fixture
async def office(ledger: str, conn: asyncpg.Connection) -> AsyncIterator[Office]:
    """A ledger with registry and rules, in which five processes have gone different ways."""
    await load_registry(conn, raw_registry(), "lead")
    await store_rule_book(conn, NATURAL_BOOK.version, NATURAL_BOOK.model_dump(mode="json"))
    await store_calendar(conn, CALENDAR)
    pool = await open_pool(ledger, size=2, role="bihuan_app")
    office = Office(pool)
    await _play(office)
    yield office
    await pool.close()


async def _play(office: Office) -> None:
    where: dict[str, Any] = {"title": "路面破损", "text": "东塘路口有坑", "grid": GRID}
    await office.act("case-a", "worker", kind="register", category=ORDINARY, source="hotline", external_id="1", **where)
    await office.act("case-a", "community", kind="whistle", reason="reflected", departments=[LEAD], approver="approver")
    await office.act("case-a", "dispatcher", kind="dispatch", lead=LEAD, helpers=[HELPER])
    for who in ("handler", "helper"):
        await office.act("case-a", who, kind="accept")
    for who in ("helper", "handler"):
        work: dict[str, Any] = {"measures": "已修补", "workload": {"people": 2, "minutes": 40}, "evidence": [AFTER]}
        await office.act("case-a", who, kind="strike_off", **work)
    await office.act("case-a", "worker", kind="verify", passed=False, evidence=[AFTER])
    # Long enough for the warning and the expiry of a clock.
    await office.act("case-a", None, minutes=60 * 24 * 10)
    await office.act("case-b", "worker", kind="register", category=EVERYDAY, source="hotline", external_id="2", **where)
    await office.act("case-b", "worker", kind="handle_on_spot", measures="已清理", evidence=[BEFORE, AFTER])
    await office.act("case-b", "worker", kind="visit", answered=True, satisfaction="satisfied", solved=True)
    await office.act("case-c", "hotline", kind="register", title="不知在哪", text="楼下很吵")
    await office.act("wish-a", "worker", kind="publish_wish", title="一盏台灯", text="想要一盏台灯", grid=GRID)
    await office.act("wish-a", "community", kind="claim_wish", promise="周末送去")
    await office.act("wish-b", "worker", kind="publish_wish", title="一张书桌", text="想要一张书桌", grid=GRID)
    await office.act("wish-b", None, minutes=60 * 24 * 15)


async def _dump(conn: asyncpg.Connection) -> dict[str, list[dict[str, Any]]]:
    """Every column of every row of every read model."""
    found = {}
    for table in TABLES:
        rows = await conn.fetch(f"select to_jsonb(t)::text as row from {table} t order by to_jsonb(t)::text")
        found[table] = [json.loads(row["row"]) for row in rows]
    return found


async def test_a_rebuild_of_sound_tables_changes_no_column(office: Office, conn: asyncpg.Connection) -> None:
    before = await _dump(conn)
    assert all(before[table] for table in TABLES)
    done = await rebuild(conn)
    assert (done.streams, done.rows) == (5, sum(len(rows) for rows in before.values()))
    assert (done.differences, done.strays) == ([], 0)
    assert await _dump(conn) == before


async def test_emptied_tables_come_back(office: Office, conn: asyncpg.Connection) -> None:
    before = await _dump(conn)
    await conn.execute("truncate case_row, case_figure, task, clock, wish, notice, awaited")
    done = await rebuild(conn)
    assert {each.what for each in done.differences} == {"missing"}
    assert len(done.differences) == done.rows
    assert await _dump(conn) == before


async def test_falsified_rows_are_mended_and_named(office: Office, conn: asyncpg.Connection) -> None:
    before = await _dump(conn)
    await conn.execute("update case_row set was_overdue = false, light = 'green' where id = 'case-a'")
    await conn.execute("update task set closed_at = null where stream = 'case-a' and id = 'verify#0'")
    await conn.execute("update clock set due_at = due_at + interval '1 year' where stream = 'case-c'")
    await conn.execute("delete from wish where id = 'wish-b'")
    assert len(await differences(conn, "case-a")) == 2
    done = await rebuild(conn)
    named = {(each.table, each.key, each.what, each.columns) for each in done.differences}
    assert ("case_row", ("case-a",), "differs", ("light", "was_overdue")) in named
    assert ("task", ("case-a", "verify#0"), "differs", ("closed_at",)) in named
    assert ("wish", ("wish-b",), "missing", ()) in named
    assert len(named) == 4
    assert await _dump(conn) == before


async def test_rows_that_no_stream_knows_are_removed(office: Office, conn: asyncpg.Connection) -> None:
    before = await _dump(conn)
    await conn.execute(
        "insert into task (stream, id, process, kind, opened_at) values ('case-ghost', 't', 'case', 'handle', now())"
    )
    await conn.execute(
        "insert into task (stream, id, process, kind, opened_at) values ('case-a', 'invented', 'case', 'handle', now())"
    )
    done = await rebuild(conn)
    assert done.strays == 1
    assert [(each.key, each.what) for each in done.differences] == [(("case-a", "invented"), "too_many")]
    assert await _dump(conn) == before


async def test_a_row_that_claims_another_cases_number_gives_way(office: Office, conn: asyncpg.Connection) -> None:
    before = await _dump(conn)
    await conn.execute("update case_row set external_id = '9' where id = 'case-a'")
    await conn.execute("update case_row set external_id = '1' where id = 'case-b'")
    await rebuild(conn, stream="case-a")
    assert await _dump(conn) == before


async def test_one_stream_is_rebuilt_and_the_others_are_left_alone(office: Office, conn: asyncpg.Connection) -> None:
    await conn.execute("update case_row set title = '假的'")
    done = await rebuild(conn, stream="case-b")
    assert done.streams == 1
    titles = {row["id"]: row["title"] for row in await conn.fetch("select id, title from case_row")}
    assert titles == {"case-a": "假的", "case-b": "路面破损", "case-c": "假的"}


async def test_work_goes_on_after_a_rebuild_and_agrees_with_the_log(office: Office, conn: asyncpg.Connection) -> None:
    await rebuild(conn)
    await office.act("case-c", "dispatcher", kind="correct", reason="落格", grid=GRID)
    assert await differences(conn, "case-c") == []
    heard: list[tuple[int, int]] = []
    await rebuild(conn, told=lambda done, total: heard.append((done, total)))
    assert heard == [(0, 5), (5, 5)]


async def test_lost_words_and_routings_come_back_although_every_row_is_right(
    office: Office, conn: asyncpg.Connection
) -> None:
    words, notices = "select * from case_text order by id", "select notice from routing order by notice"
    before = (await conn.fetch(words), await conn.fetch(notices))
    assert all(before)
    await conn.execute("update case_text set plain = '' where id = 'case-b'")
    await conn.execute("delete from routing")
    assert (await rebuild(conn)).differing == 0
    assert (await conn.fetch(words), await conn.fetch(notices)) == before


async def test_the_application_may_not_rebuild(office: Office) -> None:
    async with office.pool.acquire() as as_app:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await rebuild(as_app)


async def test_an_act_waits_until_its_stream_is_rebuilt(office: Office, conn: asyncpg.Connection) -> None:
    """A rebuild that looked before an act and wrote after it would undo it; the lock of the stream forbids that."""
    async with conn.transaction():
        await conn.execute("select ledger_lock('case-c')")
        async with office.pool.acquire() as as_app, as_app.transaction():
            await as_app.execute("set local lock_timeout = '200ms'")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await as_app.execute("select ledger_open('case-c', gen_random_uuid(), 0)")
