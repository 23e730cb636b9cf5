"""Lists longer and shorter than what a search reads one by one, and which index each list is read by."""

from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from domain.rights import EVERYTHING, Reach
from ledger.log import canonical
from ledger.queries import WALKED, CaseFilter, Sort, count_cases, list_cases
from ledger.rows import CaseRow

BEGIN = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
STREET = Reach(streets=frozenset({"S1"}))
STREET_0 = Reach(streets=frozenset({"S0"}))


def _case(number: int) -> CaseRow:
    at = BEGIN + timedelta(minutes=number)
    rare = "琉璃瓦" if number in (3, 50, WALKED - 1000) else ""
    return CaseRow(
        id=f"case-{number * 7919 % 100_003:08x}", seq=1, stage="handling", title=f"{number % 90}号楼噪音",
        text=f"居民反映{rare}", street=f"S{number % 2}", community=f"C{number % 4}", grid=f"G{number % 8}",
        category=f"K{number % 3}", registered_at=at, updated_at=at, departments=(f"D{number % 5}",),
        lead=f"D{number % 5}", light="red" if number % 7 else "green",
        due_at=at + timedelta(minutes=number * 31 % 997) if number % 10 else None,
    )  # fmt: skip


async def _write(conn: asyncpg.Connection, count: int) -> list[CaseRow]:
    cases = [_case(number) for number in range(count)]
    rows = {"case_row": [each.model_dump(mode="json") for each in cases]}
    await conn.execute("select ledger_rows($1::text::jsonb)", canonical(rows))
    await conn.execute("analyze case_row, case_text")
    return cases


async def test_a_search_finds_the_same_by_walking_and_by_the_index(conn: asyncpg.Connection) -> None:
    cases = await _write(conn, WALKED + 500)

    # All cases are a long list, those of a street or of a category a short one.
    for words, category, reach in (
        ("琉璃瓦", None, EVERYTHING),
        ("17号楼", None, EVERYTHING),
        ("噪音", None, EVERYTHING),
        ("瓦 噪音", None, STREET),
        ("噪音", None, STREET),
        ("17号楼", "K2", EVERYTHING),
    ):
        asked = CaseFilter(q=words, category=category)
        wanted = [
            case
            for case in cases
            if all(word in f"{case.title} {case.text}" for word in words.split())
            and (reach.everything or case.street in reach.streets)
            and (category is None or case.category == category)
        ]
        assert await count_cases(conn, asked, reach=reach, at_most=5000) == min(len(wanted), 5001)
        for sort in Sort:
            if sort is Sort.DUE:
                wanted.sort(key=lambda each: (each.due_at or datetime.max.replace(tzinfo=UTC), each.id))
            else:
                wanted.sort(key=lambda each: (each.registered_at, each.id), reverse=True)
            found, cursor = list[str](), None
            for _ in range(3):
                page = await list_cases(conn, asked, reach=reach, sort=sort, limit=30, cursor=cursor)
                found += [row.id for row in page.items]
                if (cursor := page.next) is None:
                    break
            assert found == [each.id for each in wanted[:90]]


@pytest.mark.parametrize("count", [4, 5, 6])
@pytest.mark.parametrize("sort", Sort)
async def test_a_word_of_the_last_case_is_found_at_the_border_of_what_is_walked(
    conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch, count: int, sort: Sort
) -> None:
    monkeypatch.setattr("ledger.queries.WALKED", 5)
    monkeypatch.setattr("ledger.queries.TRIED", 2)
    await _write(conn, count)
    last = (await list_cases(conn, sort=sort)).items[-1]
    asked = CaseFilter(q=last.title)

    found = await list_cases(conn, asked, sort=sort)

    assert [row.id for row in found.items] == [last.id]
    assert await count_cases(conn, asked) == 1


async def test_words_are_not_looked_up_along_the_order_of_texts(
    conn: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.queries.WALKED", 5)
    await _write(conn, 300)
    await conn.execute("set enable_seqscan = off; set enable_sort = off; set enable_bitmapscan = off")
    used = "select idx_scan from pg_stat_user_indexes where indexrelname = 'case_text_registered'"
    await conn.execute("select pg_stat_force_next_flush()")
    before = await conn.fetchval(used)

    assert len((await list_cases(conn, CaseFilter(q="琉璃瓦"))).items) == 2

    await conn.execute("select pg_stat_force_next_flush()")
    assert await conn.fetchval(used) == before


@pytest.mark.parametrize(
    ("wanted", "reach", "sort", "index"),
    [
        (CaseFilter(), EVERYTHING, Sort.REGISTERED, "case_row_registered"),
        (CaseFilter(), EVERYTHING, Sort.DUE, "case_row_due"),
        (CaseFilter(finished=False), EVERYTHING, Sort.DUE, "case_row_open_due"),
        (CaseFilter(), STREET, Sort.REGISTERED, "case_row_street"),
        (CaseFilter(), STREET, Sort.DUE, "case_row_street_due"),
        (CaseFilter(), Reach(communities=frozenset({"C1"})), Sort.REGISTERED, "case_row_community"),
        (CaseFilter(), Reach(grids=frozenset({"G1"})), Sort.REGISTERED, "case_row_grid"),
        (CaseFilter(category="K1"), EVERYTHING, Sort.REGISTERED, "case_row_category"),
        (CaseFilter(light="red"), EVERYTHING, Sort.REGISTERED, "case_row_lights"),
        (CaseFilter(raised=True), EVERYTHING, Sort.REGISTERED, "case_row_raised"),
        (CaseFilter(q="琉璃瓦"), STREET, Sort.DUE, "case_row_street_due"),
    ],
)
async def test_each_list_is_read_in_the_order_of_an_index(
    conn: asyncpg.Connection, wanted: CaseFilter, reach: Reach, sort: Sort, index: str
) -> None:
    await _write(conn, 300)
    # So few rows are read in one go by themselves; and what is not in order would have to be sorted.
    await conn.execute("set enable_seqscan = off; set enable_sort = off; set enable_bitmapscan = off")
    used = "select idx_scan from pg_stat_user_indexes where indexrelname = $1"
    await conn.execute("select pg_stat_force_next_flush()")
    before = await conn.fetchval(used, index)

    await list_cases(conn, wanted, reach=reach, sort=sort)

    await conn.execute("select pg_stat_force_next_flush()")
    assert await conn.fetchval(used, index) > before


async def test_pages_go_on_behind_the_last_deadline(conn: asyncpg.Connection) -> None:
    cases = [case for case in await _write(conn, 600) if case.street == "S0"]
    cases.sort(key=lambda each: (each.due_at or datetime.max.replace(tzinfo=UTC), each.id))
    assert sum(case.due_at is None for case in cases) == 60

    found, cursor = list[str](), None
    while True:
        page = await list_cases(conn, reach=STREET_0, sort=Sort.DUE, limit=25, cursor=cursor)
        found += [row.id for row in page.items]
        if (cursor := page.next) is None:
            break

    assert found == [case.id for case in cases]
