"""Statistics out of kept sums: the same figures as from the cases themselves, however far the folding is."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import asyncpg

from activities.folding import fold_all
from domain.rights import EVERYTHING, Reach
from ledger.board import office_midnight, read_board
from ledger.figures import Group, Selection, Table, open_ledger, table
from ledger.sums import count_anew, fold
from runtime.pool import open_pool
from tests.ledger.figure_rows import END, fill

ALL_BY_CASES = Reach(people=frozenset(f"p-{number}" for number in range(1, 6)))
"""Reaches every invented case, and by a way that no sum tells apart: so the cases themselves are read."""


def _plain(found: Table) -> tuple[object, ...]:
    # A sum that has come to nothing still has its row.
    groups, months = (
        {code: figures for code, figures in parts.items() if any(each.hit or each.base for each in figures.values())}
        for parts in (found.groups, found.months)
    )
    return found.total, groups, months


def _selections(today: datetime) -> Sequence[Selection]:
    return (
        Selection(begin=today - timedelta(days=30), end=today + timedelta(days=1)),
        Selection(begin=today - timedelta(days=100), end=today - timedelta(days=1)),
        Selection(begin=today - timedelta(days=700), end=today + timedelta(days=400)),
        Selection(begin=today - timedelta(days=50), end=today, street="S1", community="C11"),
        Selection(begin=today - timedelta(days=50), end=today, department="D02", urgency="general"),
        Selection(begin=today - timedelta(days=50), end=today, category="K01"),
    )


async def _move_to_now(conn: asyncpg.Connection) -> None:
    """Move the invented cases so that their period ends today: what is kept by days is of the last weeks."""
    days = (office_midnight(datetime.now(UTC)) - END).days
    await conn.execute(
        """
        update case_figure
        set registered_at = registered_at + $1, settled_at = settled_at + $1, struck_off_at = struck_off_at + $1,
            published_at = published_at + $1,
            registered_month = to_char(office_day(registered_at + $1), 'YYYYMM')::int,
            settled_month = to_char(office_day(settled_at + $1), 'YYYYMM')::int
        """,
        timedelta(days=days),
    )
    await conn.execute(
        """
        update case_row c
        set due_at = due_at + $1, opened_by = f.opened_by, registered_at = f.registered_at, settled_at = f.settled_at
        from case_figure f
        where f.id = c.id
        """,
        timedelta(days=days),
    )


async def _agree(conn: asyncpg.Connection) -> None:
    now = datetime.now(UTC)
    for chosen in _selections(office_midnight(now)):
        for by in (None, Group.STREET, Group.COMMUNITY, Group.DEPARTMENT, Group.CATEGORY):
            by_sums, by_cases = [
                _plain(await table(conn, chosen, reach=reach, by=by)) for reach in (EVERYTHING, ALL_BY_CASES)
            ]
            assert by_sums == by_cases
        lines = [await open_ledger(conn, chosen.begin, chosen.end, reach=reach) for reach in (EVERYTHING, ALL_BY_CASES)]
        assert lines[0] == lines[1]
    boards = [await read_board(conn, now, reach=reach) for reach in (EVERYTHING, ALL_BY_CASES)]
    assert boards[0] == boards[1]
    assert boards[0].counts.open > 0
    assert any(unit.open for unit in boards[0].departments)


async def test_sums_and_cases_give_the_same_figures_before_between_and_after_foldings(
    conn: asyncpg.Connection,
) -> None:
    await fill(conn, 200)
    await _move_to_now(conn)
    await _agree(conn)

    assert await fold(conn, 150) == 150
    await _agree(conn)

    while await fold(conn):
        continue
    assert await conn.fetchval("select (select count(*) from figure_change) + (select count(*) from open_change)") == 0
    await _agree(conn)

    await conn.execute("update case_figure set handling = 'late', lead = 'D03', reworks = 2 where id < 'case-6'")
    await conn.execute("update case_row set light = 'red', community = 'C02', due_at = now() where id < 'case-6'")
    await conn.execute("delete from case_figure where id > 'case-e'")
    await conn.execute("delete from case_row where id > 'case-e'")
    await _agree(conn)
    while await fold(conn):
        continue
    await _agree(conn)

    await conn.execute("delete from figure_sum")
    await count_anew(conn)
    await _agree(conn)


async def test_who_folds_while_another_does_has_nothing_to_do(ledger: str, conn: asyncpg.Connection) -> None:
    await fill(conn, 20)
    other = await asyncpg.connect(ledger)
    try:
        async with other.transaction():
            assert await fold(other, 5) == 5
            assert await fold(conn) == 0
        assert await fold(conn) > 0
    finally:
        await other.close()


async def test_the_worker_takes_all_in_by_the_role_of_the_application(ledger: str, conn: asyncpg.Connection) -> None:
    await fill(conn, 30)

    async with await open_pool(ledger, size=1, role="bihuan_app") as pool:
        assert await fold_all(pool) == 30
        assert await fold_all(pool) == 0

    assert await conn.fetchval("select sum(cases) from figure_sum where part = 'place' and unit = 'month'") >= 30
    assert await conn.fetchval("select count(*) from figure_change") == 0


async def test_emptied_read_models_leave_no_sums(conn: asyncpg.Connection) -> None:
    await fill(conn, 20)
    await fold(conn, 10)

    await conn.execute("truncate case_row, case_figure")

    for name in ("figure_sum", "figure_change", "open_sum", "open_change"):
        assert await conn.fetchval(f"select count(*) from {name}") == 0
