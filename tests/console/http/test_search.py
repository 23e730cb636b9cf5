"""Searching: by words and filters, without a script, within the caller's reach, and as a workbook."""

import io
import re
import zipfile
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from console.exporting import write_workbook
from domain.rights import EVERYTHING
from ledger.queries import CaseFilter, Sort
from tests.console.http.doors import Doors
from tests.console.http.rows import put
from tests.ledger.facts import case_row
from tests.neighbourhood import FAR_GRID, GRID, LEAD, ORDINARY, registry


def _titles(html: str) -> list[str]:
    return [unescape(found) for found in re.findall(r'<td class="first"><a href="/cases/[^"]+">([^<]*)</a>', html)]


HERE: dict[str, Any] = {"street": "S01", "community": "C01", "grid": GRID, "category": ORDINARY, "urgency": "general"}


@pytest.fixture
async def town(reading_doors: Doors, furnished_database: str) -> Doors:
    """Doors over three requests: two in the first grid, one in a far one."""
    await put(
        furnished_database,
        case_row=[
            case_row(
                "case-aa01", 0, title="电梯停运", text="十二号楼电梯停运", light="red", departments=[LEAD], **HERE
            ),
            case_row("case-aa02", 1, title="路灯 <b>不亮</b>", text="路灯不亮", light="green", **HERE),
            case_row("case-bb01", 2, title="西塘积水", text="路口积水", street="S01", community="C02", grid=FAR_GRID),
        ],
    )
    return reading_doors


async def test_a_search_without_a_script_finds_words_and_keeps_what_was_asked(town: Doors) -> None:
    answer = await town.browser("dispatcher").get("/search", params={"q": "电梯", "light": "red"})

    assert answer.status_code == 200
    assert _titles(answer.text) == ["电梯停运"]
    assert "共 1 件" in answer.text
    assert 'value="电梯"' in answer.text
    assert re.search(r'<option value="red" selected>', answer.text)


async def test_an_empty_form_lists_the_youngest_first(town: Doors) -> None:
    answer = await town.browser("dispatcher").get("/search?q=&stage=&from=&to=&unknown=x")

    assert _titles(answer.text) == ["西塘积水", "路灯 <b>不亮</b>", "电梯停运"]
    assert "<b>不亮" not in answer.text


@pytest.mark.parametrize(
    ("person", "titles"),
    [
        ("worker", ["路灯 <b>不亮</b>", "电梯停运"]),
        ("far-community", ["西塘积水"]),
        ("handler", ["电梯停运"]),
        ("other", []),
        ("supervisor", ["西塘积水", "路灯 <b>不亮</b>", "电梯停运"]),
    ],
)
async def test_everybody_finds_what_lies_within_reach_and_nothing_else(
    town: Doors, person: str, titles: list[str]
) -> None:
    browser = town.browser(person)

    assert _titles((await browser.get("/search")).text) == titles
    assert _titles((await browser.get("/search?q=case-bb01")).text) == [each for each in titles if each == "西塘积水"]


async def test_a_day_that_is_none_and_a_search_that_is_too_long_come_back_in_the_form(town: Doors) -> None:
    browser = town.browser("dispatcher")

    day = await browser.get("/search?from=yesterday&q=电梯")
    long = await browser.get("/search", params={"q": "满" * 101})

    assert (day.status_code, long.status_code) == (422, 422)
    assert 'id="f-from-wrong"' in day.text
    assert 'value="电梯"' in day.text
    assert 'id="f-q-wrong"' in long.text


async def test_a_field_no_form_could_send_is_named_in_the_refusal(town: Doors) -> None:
    browser = town.browser("dispatcher")

    answer = await browser.get("/search", params={"from": "9" * 33})

    assert answer.status_code == 422
    assert "“from”" in answer.text
    assert "unknown" not in (await browser.get("/search?unknown=1&q=电梯")).text


async def test_days_are_those_of_the_office_and_include_the_last(town: Doors, furnished_database: str) -> None:
    midnight = datetime(2026, 5, 1, 16, 0, tzinfo=UTC)  # where 2 May begins in Beijing
    await put(
        furnished_database,
        case_row=[
            case_row("case-cc01", title="前一分钟", registered_at=midnight - timedelta(minutes=1)),
            case_row("case-cc02", title="零点", registered_at=midnight),
        ],
    )
    # Cases without a place are in everybody's sight who reaches everything, which nobody of one street does.
    browser = town.browser("dispatcher")
    await put(
        furnished_database,
        case_row=[
            case_row("case-cc01", title="前一分钟", registered_at=midnight - timedelta(minutes=1), seq=2, **HERE),
            case_row("case-cc02", title="零点", registered_at=midnight, seq=2, **HERE),
        ],
    )

    assert _titles((await browser.get("/search?from=2026-05-01&to=2026-05-01")).text) == ["前一分钟"]
    assert _titles((await browser.get("/search?from=2026-05-02&to=2026-05-02")).text) == ["零点"]


async def test_long_lists_are_read_page_by_page_and_counted_up_to_a_bound(
    reading_doors: Doors, furnished_database: str
) -> None:
    await put(furnished_database, case_row=[case_row(f"case-{n:04}", n, title=f"第{n}件", **HERE) for n in range(205)])
    browser = reading_doors.browser("dispatcher")
    seen: list[str] = []
    path = "/search?q=件"
    while path:
        answer = await browser.get(path)
        assert "超过 200 件" in answer.text
        seen += _titles(answer.text)
        found = re.search(r'<a class="btn" href="([^"]+)" rel="next">', answer.text)
        path = unescape(found.group(1)) if found else ""

    assert seen == [f"第{n}件" for n in reversed(range(205))]
    assert (await browser.get("/search?cursor=nonsense")).status_code == 422


async def test_whoever_may_not_export_gets_neither_the_button_nor_the_workbook(town: Doors) -> None:
    browser = town.browser("worker")

    assert "/search/export" not in (await browser.get("/search")).text
    assert (await browser.get("/search/export")).status_code == 403


def _about(book: CalamineWorkbook) -> dict[str, str]:
    return {str(name): str(value) for name, value in book.get_sheet_by_name("说明").to_python()}


EVIL = ["=1+1", "+86", "-2", "@SUM(A1)", "=HYPERLINK(\"http://x\")", "http://x.example/", "007"]  # fmt: skip


async def test_an_exported_list_holds_text_only_and_no_wording(reading_doors: Doors, furnished_database: str) -> None:
    await put(
        furnished_database,
        case_row=[
            case_row(f"case-{n}", n, title=title, text="居民原话CANARY", source="12345", external_id=title, **HERE)
            for n, title in enumerate(EVIL)
        ]
        + [case_row("case-far", title="别处", street="S02")],
    )

    answer = await reading_doors.browser("dispatcher").get("/search/export", params={"state": "open", "sort": "due"})

    assert answer.status_code == 200
    assert "attachment" in answer.headers["content-disposition"]
    book = CalamineWorkbook.from_filelike(io.BytesIO(answer.content))
    table = book.get_sheet_by_name("诉求").to_python()
    assert [row[1] for row in table[1:]] == EVIL
    assert [row[table[0].index("来源工单号")] for row in table[1:]] == EVIL
    assert table[1][table[0].index("登记时间")] == datetime(2026, 3, 2, 12, 0)  # noqa: DTZ001 - as the sheet shows it
    about = _about(book)
    assert about["条件"] == "状态：在办"
    assert about["件数"] == str(len(EVIL))
    assert about["是否完整"] == "是"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist() if name.endswith((".xml", ".rels"))}
    assert not any("<f>" in part or "<f " in part or "<hyperlink" in part for part in parts.values())
    assert not any("CANARY" in part or "别处" in part for part in parts.values())


async def test_a_workbook_that_is_cut_says_so(reading_doors: Doors, furnished_database: str) -> None:
    await put(furnished_database, case_row=[case_row(f"case-{n:04}", n, **HERE) for n in range(450)])
    async with reading_doors.office.pool.acquire() as conn:
        for most, rows, whole in ((250, 250, False), (449, 449, False), (450, 450, True), (1000, 450, True)):
            made = await write_workbook(
                conn, CaseFilter(), reach=EVERYTHING, sort=Sort.REGISTERED, registry=registry(), asked_for="全部",
                by="supervisor", most=most,
            )  # fmt: skip
            book = CalamineWorkbook.from_path(str(made.path))
            ids = [row[0] for row in book.get_sheet_by_name("诉求").to_python()[1:]]
            about = _about(book)

            assert (made.rows, made.whole) == (rows, whole)
            assert ids == [f"case-{n:04}" for n in reversed(range(450))][:rows]
            assert (about["是否完整"] == "是") is whole
            made.path.unlink()
