"""What the wall shows: the right numbers, the most urgent first, and nobody's data."""

from datetime import timedelta

import asyncpg

from domain.rights import Reach
from ledger.board import LINES_MOST, office_midnight, read_board
from ledger.log import canonical
from tests.ledger.facts import case_row
from tests.ledger.figure_rows import END, fill

AT = END - timedelta(hours=2)


async def test_the_numbers_of_the_board_are_those_of_the_ledger(conn: asyncpg.Connection) -> None:
    rows = await fill(conn, 400)
    today, tomorrow = office_midnight(AT), office_midnight(AT) + timedelta(days=1)
    open_rows = await conn.fetch("select light, due_at from case_row where settled_at is null")

    board = await read_board(conn, AT)

    counts = board.counts
    assert counts.open == len(open_rows) == sum(counts.lights.values())
    assert counts.overdue == sum(1 for row in open_rows if row["light"] == "red")
    assert counts.due_today == sum(1 for row in open_rows if today <= row["due_at"] < tomorrow)
    assert counts.new_today == sum(1 for row in rows if today <= row.registered_at < tomorrow) > 0
    assert counts.settled_today == sum(1 for row in rows if row.settled_at and today <= row.settled_at < tomorrow)
    assert sum(each.open for each in board.communities) <= counts.open
    assert [each.measure for each in board.rates] == ["response", "on_time", "solved", "satisfied"]
    assert all(each.base > 0 for each in board.rates)


async def test_the_most_urgent_stand_first_and_the_wall_is_not_longer_than_it_pages(conn: asyncpg.Connection) -> None:
    await fill(conn, 400)

    lines = (await read_board(conn, AT)).lines

    assert len(lines) == LINES_MOST
    dues = [each.due_at for each in lines if each.due_at is not None]
    assert dues == sorted(dues)


async def test_a_board_shows_nothing_from_beyond_its_reach(conn: asyncpg.Connection) -> None:
    await fill(conn, 400)

    board = await read_board(conn, AT, reach=Reach(communities=frozenset({"C02"})))

    assert [each.code for each in board.communities] == ["C02"]
    assert {each.community for each in board.lines} == {"C02"}
    assert board.counts.open == board.communities[0].open > 0


async def test_titles_that_speak_of_people_never_reach_the_wall(conn: asyncpg.Connection) -> None:
    canaries = ("张女士反映12号楼3单元501室漏水", "王建国来电13912345678", "老李家停电", "联系人赵六")
    rows = [
        case_row(f"case-{number}", title=title, text=title, opened_by="p-lin", category="K01")
        for number, title in enumerate(canaries)
    ]
    await conn.execute("select ledger_rows($1::text::jsonb)", canonical({"case_row": rows}))

    board = await read_board(conn, AT)

    assert len(board.lines) == len(canaries)
    shown = board.model_dump_json()
    for secret in ("张", "12号", "501", "王建国", "139", "老李", "赵六", "p-lin", "case-"):
        assert secret not in shown
