"""Pages that need something to be there first: the resident's own page, uploads that wait, a run under way."""

import re
from collections.abc import Mapping
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from console.demo.people import NEIGHBOURHOOD
from console.demo.rules import DEMO_BOOK, MISSING_COVER, SMALL_REPAIR
from ledger.rule_files import rule_book_yaml
from tests.browser.town import Town
from tests.browser.watching import DESK, PHONE, not_wider_than_the_screen, nothing_serious, photograph


def _book(version: str, returns: int) -> bytes:
    """The demonstration's rules with another number, without the rows of a category its neighbourhood has not.

    Those of the demonstration's own categories stay: the requests of other tests live by them once these are adopted.
    """
    rows = tuple(row for row in DEMO_BOOK.rows if row.category in (None, SMALL_REPAIR, MISSING_COVER))
    return rule_book_yaml(
        DEMO_BOOK.model_copy(update={"version": version, "returns_per_case": returns, "rows": rows})
    ).encode()


async def _looked_at(page: Page, name: str) -> None:
    await photograph(page, name, DESK)
    await nothing_serious(page)
    await photograph(page, name, PHONE)
    await not_wider_than_the_screen(page)
    assert await page.locator("h1").count() == 1


async def _code(chromium: Browser, town: Town, case: str) -> str:
    """A code as the counter hands it out."""
    async with town.signed_in(chromium, "grid_worker") as watch:
        page = await watch.open(f"/tracking/slips/{town.cases[case]}")
        await page.get_by_role("button", name="发放新的查询码").click()
        code = await page.locator(".slip-code").inner_text()
        await _looked_at(page, "tracking-slip-with-code")
        return code.strip()


@pytest.mark.parametrize("case", ["handling", "on_the_spot", "fed_back"])
async def test_a_resident_finds_their_request_by_its_code(chromium: Browser, town: Town, case: str) -> None:
    code = await _code(chromium, town, case)

    async with town.signed_in(chromium, None) as watch:
        page = await watch.open("/tracking")
        await page.get_by_label("查询码").fill(code.lower().replace("-", ""))
        await page.get_by_role("button", name="查询", exact=True).click()
        await page.wait_for_url("**/tracking/mine")

        assert code not in await page.content()
        await _looked_at(page, f"tracking-mine-{case}")


async def test_a_resident_says_on_a_telephone_that_it_is_solved(chromium: Browser, town: Town) -> None:
    code = await _code(chromium, town, "on_the_spot")

    async with town.signed_in(chromium, None, viewport=PHONE, has_touch=True) as watch:
        page = await watch.open("/tracking")
        await page.get_by_label("查询码").fill(code)
        await page.get_by_role("button", name="查询", exact=True).tap()
        await page.get_by_label("已解决", exact=True).check()
        await page.get_by_label("非常满意", exact=True).check()
        await page.get_by_role("button", name="提交评价").tap()

        await page.get_by_text("评价已提交").wait_for()
        await _looked_at(page, "tracking-mine-rated")


_UPLOADS: Mapping[str, tuple[str, str, bytes]] = {
    "registry": (
        "/registry/load",
        "neighbourhood.yaml",
        NEIGHBOURHOOD.read_bytes().replace("桂子巷".encode(), "桂树巷".encode()),
    ),
    "registry-wrong": (
        "/registry/load",
        "wrong.yaml",
        b"organisations:\n- {code: X, name: X, kind: community, parent: Y}\n",
    ),
    "rules": (
        "/rules/load",
        "rules.yaml",
        _book("demo-3", 3),
    ),
    "rules-wrong": ("/rules/load", "rules.csv", "紧急程度,处置\n一般,很快\n".encode()),
    "calendar": (
        "/calendar/load",
        "2027.csv",
        b"date,kind,name\n2027-01-01,off,New Year\n2027-02-06,off,Spring Festival\n",
    ),
}


@pytest.mark.parametrize("name", _UPLOADS)
async def test_an_upload_is_looked_at_before_it_is_confirmed(chromium: Browser, town: Town, name: str) -> None:
    address, file, content = _UPLOADS[name]

    async with town.signed_in(chromium, "administrator") as watch:
        page = await watch.open(address)
        chosen: Any = {"name": file, "mimeType": "application/octet-stream", "buffer": content}
        await page.set_input_files("input[type=file]", chosen)
        await page.get_by_role("button", name=re.compile("^上传并")).click()
        await page.wait_for_url("**/drafts/*")

        await _looked_at(page, f"draft-{name}")


async def test_a_run_tells_how_far_it_is_without_being_asked(chromium: Browser, town: Town) -> None:
    async with town.signed_in(chromium, "administrator") as watch:
        page = await watch.open("/rules/load")
        book = _book("demo-4", 4)
        chosen: Any = {"name": "rules.yaml", "mimeType": "application/octet-stream", "buffer": book}
        await page.set_input_files("input[type=file]", chosen)
        await page.get_by_role("button", name="上传并检查").click()
        await page.get_by_role("button", name="确认导入").click()
        await page.wait_for_url("**/rules?done=*")
        await page.goto(town.url + "/rules/adoptions")
        await _looked_at(page, "rules-adopt")
        await page.get_by_role("button", name="开始推行").click()
        await page.wait_for_url("**/rules/adoptions/*")

        await page.get_by_text("已完成。").wait_for(timeout=120_000)
        await _looked_at(page, "rules-run")
