"""Lists: the right rows, in the right order, each on exactly one page."""

from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import pytest
from pydantic import BaseModel

from domain.errors import Refused
from ledger.log import Json
from ledger.queries import (
    CaseFilter,
    Page,
    Sort,
    case_of_source,
    clocks_of,
    counts_by_stage,
    inbox,
    latest_streams,
    list_cases,
    list_wishes,
    one_case,
    one_wish,
    open_tasks_of,
)
from ledger.rows import AwaitedRow, CaseFigureRow, CaseRow, ClockRow, NoticeRow, TaskRow, WishRow
from tests.ledger.facts import NOON, case_row, fact, task_row, write


async def _store(conn: asyncpg.Connection, **rows: Sequence[Json]) -> None:
    stream = f"filler-{await conn.fetchval('select count(*) from command')}"
    await write(conn, stream, 0, [fact("noted")], rows={name: list(each) for name, each in rows.items()})


def _ids(page: Page[CaseRow]) -> list[str]:
    return [each.id for each in page.items]


async def test_a_row_comes_back_as_it_was_written(conn: asyncpg.Connection) -> None:
    row = case_row(
        "case-1", suspended=True, street="s", community="c", grid="g", category="k", urgency="general", mode="m",
        channel="hotline", source="12345", external_id="7", title="积水", text="路口积水", label="A-1", found_at=NOON,
        due_at=NOON + timedelta(hours=1), light="yellow", lead="d-water", departments=["d-water", "d-power"],
        level="street", rework_count=1, visit_attempts=2, satisfaction="fair", solved=False, was_overdue=True,
        settled_at=NOON, appraised_at=NOON, archived_at=NOON, finished=True, rules_version="r-1", opened_by="p-1",
        condition="破损", calendar_version="cn-1", backlog=True, returns=2, open_orders=1,
    )  # fmt: skip
    await _store(conn, case_row=[row])

    found = await one_case(conn, "case-1")

    assert found is not None
    assert found.model_dump(mode="json") == row
    assert all(value is not None for value in found.model_dump().values())
    assert await case_of_source(conn, "12345", "7") == found
    assert await one_case(conn, "case-2") is None
    assert await case_of_source(conn, "12345", "8") is None


@pytest.mark.parametrize("table", ["case_row", "case_figure", "task", "clock", "wish", "notice", "awaited"])
async def test_the_fields_of_a_row_are_the_columns_of_its_table(conn: asyncpg.Connection, table: str) -> None:
    models: dict[str, type[BaseModel]] = {
        "case_row": CaseRow,
        "case_figure": CaseFigureRow,
        "task": TaskRow,
        "clock": ClockRow,
        "wish": WishRow,
        "notice": NoticeRow,
        "awaited": AwaitedRow,
    }
    columns = await conn.fetch(
        "select attname::text from pg_attribute where attrelid = $1::text::regclass and attnum > 0 order by attnum",
        table,
    )

    assert [each["attname"] for each in columns] == list(models[table].model_fields)


@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("limit", [1, 3, 7, 200])
async def test_pages_neither_overlap_nor_lose_a_case(conn: asyncpg.Connection, sort: Sort, limit: int) -> None:
    # Many cases share a moment, and some have no deadline: the id decides.
    await _store(
        conn,
        case_row=[
            case_row(
                f"case-{number:02}", number // 5, due_at=None if number % 4 == 0 else NOON + timedelta(number // 3)
            )
            for number in range(23)
        ],
    )

    seen: list[CaseRow] = []
    cursor = None
    while True:
        page = await list_cases(conn, sort=sort, limit=limit, cursor=cursor)
        assert len(page.items) <= limit
        seen += page.items
        cursor = page.next
        if cursor is None:
            break

    assert len({each.id for each in seen}) == len(seen) == 23
    if sort is Sort.REGISTERED:
        assert seen == sorted(seen, key=lambda each: (each.registered_at, each.id), reverse=True)
    else:
        keys = [(each.due_at is None, each.due_at or NOON, each.id) for each in seen]
        assert keys == sorted(keys)
        assert keys[-1][0]


async def test_a_case_that_comes_in_between_shifts_no_page(conn: asyncpg.Connection) -> None:
    await _store(conn, case_row=[case_row(f"case-{number}", number) for number in range(4)])
    first = await list_cases(conn, limit=2)

    await _store(conn, case_row=[case_row("case-new", 60)])
    second = await list_cases(conn, limit=2, cursor=first.next)

    assert _ids(first) == ["case-3", "case-2"]
    assert _ids(second) == ["case-1", "case-0"]
    assert second.next is None


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        (CaseFilter(), ["case-b", "case-a"]),
        (CaseFilter(stages=("handling", "settled")), ["case-a"]),
        (CaseFilter(stages=("registered", "handling")), ["case-b", "case-a"]),
        (CaseFilter(urgency="emergency"), ["case-a"]),
        (CaseFilter(category="lamp"), ["case-a"]),
        (CaseFilter(light="red"), ["case-a"]),
        (CaseFilter(street="s-1"), ["case-a"]),
        (CaseFilter(community="c-1"), ["case-a"]),
        (CaseFilter(grid="g-1"), ["case-a"]),
        (CaseFilter(department="d-power"), ["case-a"]),
        (CaseFilter(department="d-water"), ["case-b", "case-a"]),
        (CaseFilter(source="12345"), ["case-a"]),
        (CaseFilter(overdue=True), ["case-a"]),
        (CaseFilter(overdue=False), ["case-b"]),
        (CaseFilter(finished=True), ["case-a"]),
        (CaseFilter(finished=False), ["case-b"]),
        (CaseFilter(registered_from=NOON + timedelta(minutes=5)), ["case-b"]),
        (CaseFilter(registered_to=NOON + timedelta(minutes=5)), ["case-a"]),
        (CaseFilter(department="d-water", finished=False), ["case-b"]),
        (CaseFilter(street="' or true --"), []),
    ],
)
async def test_filters_choose_the_cases(conn: asyncpg.Connection, wanted: CaseFilter, ids: list[str]) -> None:
    await _store(
        conn,
        case_row=[
            case_row(
                "case-a", 0, stage="handling", urgency="emergency", category="lamp", light="red", street="s-1",
                community="c-1", grid="g-1", departments=["d-water", "d-power"], source="12345", external_id="1",
                was_overdue=True, finished=True,
            ),
            case_row("case-b", 5, departments=["d-water"]),
        ],
    )  # fmt: skip

    for sort in Sort:
        assert sorted(_ids(await list_cases(conn, wanted, sort=sort)), reverse=True) == ids
    assert sum((await counts_by_stage(conn, wanted)).values()) == len(ids)


async def test_counts_name_each_stage(conn: asyncpg.Connection) -> None:
    await _store(conn, case_row=[case_row("a"), case_row("b"), case_row("c", stage="handling")])

    assert await counts_by_stage(conn) == {"registered": 2, "handling": 1}


@pytest.mark.parametrize("cursor", ["", "x", "!!!", "bnVsbA", "W10", "WyJyZWdpc3RlcmVkIiwxLDJd"])
async def test_an_unreadable_cursor_is_refused(conn: asyncpg.Connection, cursor: str) -> None:
    with pytest.raises(Refused) as refused:
        await list_cases(conn, cursor=cursor)
    assert refused.value.code == "feed.bad_cursor"


async def test_a_cursor_of_another_order_is_refused(conn: asyncpg.Connection) -> None:
    await _store(conn, case_row=[case_row("a"), case_row("b")])
    page = await list_cases(conn, limit=1)

    with pytest.raises(Refused):
        await list_cases(conn, sort=Sort.DUE, limit=1, cursor=page.next)
    with pytest.raises(Refused):
        await list_wishes(conn, cursor=page.next)


@pytest.mark.parametrize("limit", [0, -1, 201])
async def test_a_page_has_its_bounds(conn: asyncpg.Connection, limit: int) -> None:
    with pytest.raises(Refused) as refused:
        await list_cases(conn, limit=limit)
    assert refused.value.code == "field.invalid"


async def test_an_inbox_holds_open_tasks_by_deadline_each_on_one_page(conn: asyncpg.Connection) -> None:
    def due(hours: int) -> str:
        return (NOON + timedelta(hours=hours)).isoformat()

    await _store(
        conn,
        task=[
            task_row("case-1", "late", organisation="d-water", due_at=due(1)),
            task_row("case-2", "early", organisation="d-water", due_at=due(0), role="department_head"),
            task_row("case-2", "whenever", organisation="d-water"),
            task_row("case-1", "same", organisation="d-water", due_at=due(1)),
            task_row("case-1", "closed", organisation="d-water", due_at=due(0), closed_at=NOON),
            task_row("case-1", "other", organisation="d-power", due_at=due(0)),
            task_row("case-1", "check", grid="g-1", role="grid_worker", due_at=due(0)),
            task_row("case-1", "sign", grid="g-1", role="grid_head", due_at=due(0)),
            task_row("case-1", "visit", person="p-1", due_at=due(0)),
        ],
    )

    seen: list[str] = []
    cursor = None
    while True:
        page = await inbox(conn, organisation="d-water", limit=1, cursor=cursor)
        seen += [each.id for each in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert seen == ["early", "late", "same", "whenever"]
    assert [each.id for each in (await inbox(conn, grid="g-1", role="grid_head")).items] == ["sign"]
    assert [each.id for each in (await inbox(conn, grid="g-1")).items] == ["check", "sign"]
    assert [each.id for each in (await inbox(conn, person="p-1")).items] == ["visit"]
    assert [each.id for each in (await inbox(conn, organisation="d-water", role="department_head")).items] == ["early"]
    assert [each.id for each in await open_tasks_of(conn, "case-2")] == ["early", "whenever"]
    with pytest.raises(ValueError, match="inbox"):
        await inbox(conn, role="grid_head")


async def test_clocks_come_in_the_order_they_started(conn: asyncpg.Connection) -> None:
    clocks = [
        ClockRow(stream="case-1", id=id, process="case", kind="handle", limit_text="2h", started_at=at, state="running")
        for id, at in (("late", NOON + timedelta(hours=1)), ("early", NOON))  # noqa: A001
    ]
    await _store(conn, clock=[each.model_dump(mode="json") for each in clocks])

    assert await clocks_of(conn, "case-1") == [clocks[1], clocks[0]]
    assert await clocks_of(conn, "case-2") == []


async def test_wishes_are_listed_in_pages(conn: asyncpg.Connection) -> None:
    wishes = [
        WishRow(id=f"w-{number}", seq=1, stage="published", community="c", published_at=NOON, updated_at=NOON)
        for number in range(5)
    ]
    await _store(conn, wish=[each.model_dump(mode="json") for each in wishes])

    first = await list_wishes(conn, community="c", stage="published", finished=False, limit=3)
    second = await list_wishes(conn, community="c", limit=3, cursor=first.next)

    assert [each.id for each in (*first.items, *second.items)] == ["w-4", "w-3", "w-2", "w-1", "w-0"]
    assert second.next is None
    assert await one_wish(conn, "w-3") == wishes[3]
    assert (await list_wishes(conn, stage="done")).items == ()


async def test_the_streams_written_last_are_found_behind_one_of_very_many_events(conn: asyncpg.Connection) -> None:
    for number in range(5):
        await write(conn, f"case-{number}", 0, [fact("noted"), fact("noted")])
    await write(conn, "case-long", 0, [fact("noted") for _ in range(250)])
    await write(conn, "case-1", 2, [fact("noted")])

    assert await latest_streams(conn, 1) == ["case-1"]
    assert await latest_streams(conn, 3) == ["case-1", "case-long", "case-4"]
    assert await latest_streams(conn, 9) == ["case-1", "case-long", "case-4", "case-3", "case-2", "case-0"]
