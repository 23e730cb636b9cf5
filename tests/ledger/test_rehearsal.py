"""Closed cases for a rehearsal: each is read once, as it was written, and only those that are wanted."""

from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from console.rehearsing import Trial, rehearse_ledger
from domain.calendar import Pause
from domain.errors import Refused
from domain.ladder import ClockKind
from domain.limits import limit
from domain.rehearsal import PastCase, PastClock
from domain.rules import Urgency
from ledger import rehearsal
from ledger.log import Connection, canonical
from ledger.rehearsal import Part, Selection, count_closed, parts, read_part
from ledger.rows import ClockRow
from runtime.pool import open_pool
from tests.calendars import office_calendar
from tests.ledger.facts import NOON, case_row
from tests.neighbourhood import EXAMPLE_BOOK

EVERYTHING = Part("", "case-~", 0)


def clock_row(stream: str, name: str, hours: int | None = 3, **fields: Any) -> dict[str, Any]:
    """A clock that started at noon and stopped some hours later."""
    row = {
        "stream": stream,
        "id": name,
        "process": "case",
        "kind": name.partition(":")[0],
        "limit_text": "24h",
        "rules_version": EXAMPLE_BOOK.version,
        "started_at": NOON,
        "stopped_at": None if hours is None else NOON + timedelta(hours=hours),
        "state": "stopped",
        **fields,
    }
    return ClockRow.model_validate(row).model_dump(mode="json")


async def keep(conn: Connection, *rows: dict[str, Any], clocks: list[dict[str, Any]] | None = None) -> None:
    """Write rows as the projection does."""
    written = {"case_row": list(rows), "clock": clocks or []}
    await conn.execute("select ledger_rows($1::text::jsonb)", canonical(written))


def closed(name: str, minute: int = 0, **fields: Any) -> dict[str, Any]:
    return case_row(name, minute, **{"urgency": "general", "finished": True, "stage": "archived", **fields})


async def read(conn: Connection, selection: Selection | None = None, part: Part = EVERYTHING) -> list[PastCase]:
    return [case async for case in read_part(conn, selection or Selection(), part)]


async def test_a_case_is_read_as_it_was_written(conn: asyncpg.Connection) -> None:
    pause = Pause(begin=NOON + timedelta(hours=1), end=NOON + timedelta(hours=2))
    fields: dict[str, Any] = {
        "category": "K01",
        "condition": "夜间",
        "channel": "chat",
        "street": "S1",
        "community": "C1",
        "lead": "D1",
    }
    handle = clock_row(
        "case-1",
        "handle",
        pauses=[pause],
        extended=["2h", "1h"],
        reached=["remind", "urge"],
        warned_at=NOON,
        overdue_at=NOON,
    )
    sign = clock_row("case-1", "sign_for:D1", None, organisation="D1", limit_text="4wh")
    step = clock_row("case-1", "step:stop", step="stop", started_at=NOON + timedelta(hours=1))
    await keep(conn, closed("case-1", **fields), clocks=[step, sign, handle])

    (case,) = await read(conn)

    stop = NOON + timedelta(hours=3)
    assert case == PastCase(
        id="case-1",
        urgency=Urgency.GENERAL,
        category="K01",
        condition="夜间",
        channel="chat",
        street="S1",
        community="C1",
        lead="D1",
        clocks=(
            PastClock(
                kind=ClockKind.HANDLE,
                started_at=NOON,
                stopped_at=stop,
                limit=limit("24h"),
                extended=(limit("2h"), limit("1h")),
                pauses=(pause,),
                rules_version=EXAMPLE_BOOK.version,
                warned=True,
                late=True,
                reached=("remind", "urge"),
            ),
            PastClock(
                kind=ClockKind.SIGN_FOR,
                started_at=NOON,
                stopped_at=None,
                organisation="D1",
                limit=limit("4wh"),
                rules_version=EXAMPLE_BOOK.version,
                late=False,
            ),
            PastClock(
                kind=ClockKind.STEP,
                started_at=NOON + timedelta(hours=1),
                stopped_at=stop,
                step="stop",
                limit=limit("24h"),
                rules_version=EXAMPLE_BOOK.version,
                late=False,
            ),
        ),
    )


async def test_only_closed_cases_of_the_time_and_street_are_selected(conn: asyncpg.Connection) -> None:
    await keep(
        conn,
        closed("case-1", 0, street="S1"),
        closed("case-2", 10, street="S2"),
        closed("case-3", 20, street="S1", finished=False, stage="settled", settled_at=NOON),
        closed("case-4", 30, street="S1", finished=False, stage="handling"),
    )

    async def ids(**fields: Any) -> list[str]:
        selection = Selection(**fields)
        found = [case.id for case in await read(conn, selection)]
        assert len(found) == await count_closed(conn, selection)
        return found

    assert await ids() == ["case-1", "case-2", "case-3"]
    assert await ids(street="S1") == ["case-1", "case-3"]
    later = NOON + timedelta(minutes=10)
    assert await ids(begin=later) == ["case-2", "case-3"]
    assert await ids(end=later) == ["case-1"]
    assert await ids(begin=later, end=NOON + timedelta(minutes=20)) == ["case-2"]


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
async def test_parts_and_batches_leave_out_nothing_and_repeat_nothing(
    conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(rehearsal, "_BATCH", batch)
    names = [f"case-{number}" for number in range(7)]
    clocks = [
        clock_row(name, f"sign_for:D{place}")
        for number, name in enumerate(names)
        for place in range(0 if number == 3 else number % 3 + 1)
    ]
    await keep(conn, *(closed(name) for name in names), clocks=clocks)

    found = [part async for part in parts(conn, Selection(), 3)]
    cases = [case for part in found for case in await read(conn, part=part)]

    assert [part.cases for part in found] == [3, 3, 1]
    assert [case.id for case in cases] == names
    assert [len(case.clocks) for case in cases] == [1, 2, 3, 0, 2, 3, 1]


async def test_a_row_nobody_can_read_is_named(conn: asyncpg.Connection) -> None:
    await keep(conn, closed("case-1"), clocks=[clock_row("case-1", "handle", limit_text="soon")])

    with pytest.raises(Refused) as caught:
        await read(conn)

    assert caught.value.code == "rehearse.unreadable"
    assert "case-1" in caught.value.refusal.sentence()


@pytest.mark.parametrize("processes", [1, 2])
async def test_several_processes_come_to_the_same(
    ledger: str, conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    monkeypatch.setattr("console.rehearsing.PART", 2)
    monkeypatch.setattr("console.rehearsing._FEW", 0)
    names = [f"case-{number}" for number in range(9)]
    clocks = [
        clock_row(name, "handle", 24 * 7 * number, overdue_at=NOON if number == 1 else None)
        for number, name in enumerate(names)
    ]
    await keep(conn, *(closed(name, lead="D1") for name in names), clocks=clocks)
    trial = Trial(EXAMPLE_BOOK, office_calendar(), {EXAMPLE_BOOK.version: EXAMPLE_BOOK})
    heard: list[tuple[int, int]] = []
    pool = await open_pool(ledger, size=1)

    totals = await rehearse_ledger(
        pool, ledger, trial, Selection(), keep=3, processes=processes, told=lambda *told: heard.append(told)
    )
    await pool.close()

    # Noon of a Monday: five working days close on the next Monday, six hours after the first clock stopped.
    assert (totals.cases, totals.late_before, totals.late_after) == (9, 1, 7)
    assert totals.whole.no_longer_late == 1
    # Three weeks end just before the interview that raises the level; four do not.
    assert [each.id for each in totals.most_changed()] == ["case-4", "case-5", "case-6"]
    assert heard[0] == (0, 9)
    assert heard[-1] == (9, 9)


async def test_a_refusal_comes_back_from_another_process(
    ledger: str, conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.rehearsing._FEW", 0)
    await keep(conn, closed("case-1"), clocks=[clock_row("case-1", "handle", limit_text="soon")])
    trial = Trial(EXAMPLE_BOOK, office_calendar())
    pool = await open_pool(ledger, size=1)
    try:
        with pytest.raises(Refused) as caught:
            await rehearse_ledger(pool, ledger, trial, Selection())
    finally:
        await pool.close()
    assert caught.value.code == "rehearse.unreadable"
