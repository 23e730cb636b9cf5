"""A clock that is set back or runs ahead: facts keep their order, and the case can still be worked on."""

import asyncio
import json
import os
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from domain.process import ActInput, Envelope, Outcome
from ledger.acting import act
from ledger.calendars import store_calendar
from ledger.chain import verify_chain
from ledger.rebuild import differences
from ledger.registry import load_registry, store_rule_book
from ledger.world import States, Worlds
from runtime.pool import open_pool
from tests.console.calling import Call
from tests.neighbourhood import ACTORS, CALENDAR, GRID, LEAD, NATURAL_BOOK, NOON, ORDINARY, raw_registry

STEPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("worker", {"kind": "register", "title": "路面破损", "text": "有坑", "grid": GRID, "category": ORDINARY}),
    ("community", {"kind": "whistle", "reason": "reflected", "departments": [LEAD], "approver": "approver"}),
    ("dispatcher", {"kind": "dispatch", "lead": LEAD}),
    ("handler", {"kind": "accept"}),
    ("handler", {"kind": "ask_suspension", "reason": "weather", "until": (NOON + timedelta(days=3)).isoformat()}),
    ("dispatcher", {"kind": "suspend", "reason": "weather", "until": (NOON + timedelta(days=3)).isoformat()}),
    ("dispatcher", {"kind": "resume", "reason": "fine again"}),
)


@pytest.mark.parametrize("remembered", [True, False], ids=["a worker that knows the case", "a worker just started"])
async def test_an_act_is_never_recorded_before_the_one_before_it(migrated_database: str, remembered: bool) -> None:

    conn = await asyncpg.connect(migrated_database)
    await load_registry(conn, raw_registry(), "lead")
    await store_rule_book(conn, NATURAL_BOOK.version, NATURAL_BOOK.model_dump(mode="json"))
    await store_calendar(conn, CALENDAR)
    pool = await open_pool(migrated_database, size=2, role="bihuan_app")
    worlds, states, last = Worlds(), States(), Outcome(seq=0, hash="")
    try:
        for number, (who, command) in enumerate(STEPS):
            # Every step an hour earlier by the clock of the server than the step before it.
            at = NOON - timedelta(hours=number)
            outcome = await _act(pool, worlds, states if remembered else States(), last, at, who, command)
            if outcome.refusal is None:
                last = outcome
        moments = [row["at"] for row in await conn.fetch("select at from event order by seq")]
        assert len(moments) >= 4
        assert moments == sorted(moments)
        assert set(moments) == {NOON}
        assert await verify_chain(conn) == []
        assert await differences(conn, "case-a") == []
    finally:
        await pool.close()
        await conn.close()


async def _act(
    pool: asyncpg.Pool, worlds: Worlds, states: States, last: Outcome, at: datetime, who: str, command: dict[str, Any]
) -> Outcome:
    command_id = str(uuid.uuid4())
    given = ActInput(
        process="case",
        stream="case-a",
        seq=last.seq,
        hash=last.hash,
        at=at,
        command_id=command_id,
        envelope=Envelope(command_id=command_id, actor=ACTORS[who], command=command),
    )
    return await act(pool, worlds, given, states)


async def test_the_doctor_tells_of_a_clock_that_ran_ahead(new_office: asyncpg.Connection, call: Call) -> None:
    def verdict() -> str:
        answer = call("doctor", "--json")
        assert "checks" in answer[1], answer
        checks = json.loads(answer[1])["checks"]
        return str(next(each["verdict"] for each in checks if each["check"] == "clocks"))

    await load_registry(new_office, raw_registry(), "lead")
    assert await asyncio.to_thread(verdict) == "OK"
    dsn = os.environ["BIHUAN_DATABASE_URL"]
    pool = await open_pool(dsn, size=2, role="bihuan_app")
    ahead = datetime.now(UTC) + timedelta(hours=2)
    outcome = await _act(pool, Worlds(), States(), Outcome(seq=0, hash=""), ahead, *STEPS[0])
    await pool.close()
    assert outcome.refusal is None
    assert await asyncio.to_thread(verdict) == "WARN"
