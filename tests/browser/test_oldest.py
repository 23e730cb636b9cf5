"""The pages and the board in Chromium 86, the floor that is promised: with their look, their scripts and no error.

Playwright's own waiting needs a younger browser, so everything is asked and done by scripts of the test.
"""

import json

import pytest
from playwright.async_api import Browser, Page

from tests.browser.looks import LOOKS, Look, reach
from tests.browser.town import Town
from tests.browser.watching import DESK, PHONE, not_wider_than_the_screen, photograph
from tests.waiting import eventually


async def _style(page: Page, selector: str, name: str) -> str:
    value: str = await page.evaluate(f"getComputedStyle(document.querySelector('{selector}')).{name}")
    return value


async def _until(page: Page, claim: str) -> None:
    async def holds() -> bool:
        return bool(await page.evaluate(claim))

    await eventually(holds, claim)


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_a_page_has_its_look_and_its_scripts_in_the_oldest_browser(
    chromium_86: Browser, town: Town, look: Look
) -> None:
    async with town.signed_in(chromium_86, look.role) as watch:
        page = await watch.context.new_page()
        await reach(page, look, town)

        # Pages for paper and for the wall have no head; everything else is laid out as it is for younger browsers.
        if await page.evaluate("document.querySelector('header.top') !== null"):
            assert await _style(page, "header.top", "backgroundColor") == "rgb(255, 255, 255)"
            assert await _style(page, "main", "maxWidth") == "1280px"
            assert await page.evaluate("document.documentElement.classList.contains('script')")
        await photograph(page, f"oldest-{look.name}", DESK)
        await photograph(page, f"oldest-{look.name}", PHONE)
        await not_wider_than_the_screen(page)


async def test_the_oldest_browser_acts_and_searches_as_one_types(chromium_86: Browser, town: Town) -> None:
    stream = await town.new_case("旧浏览器也能签收", "register whistle dispatch")
    async with town.signed_in(chromium_86, "department_handler") as watch:
        page = await watch.open(f"/cases/{stream}")
        button = "form[action*=accept] .submit-bar button"
        # Polled, for a button takes on its colour within a moment.
        await _until(
            page, f"getComputedStyle(document.querySelector('{button}')).backgroundColor === 'rgb(29, 95, 209)'"
        )
        async with page.expect_navigation():
            await page.evaluate(f"document.querySelector('{button}').click()")

        assert await town.happened(stream, "accepted") == 1
        await page.goto(f"{town.url}/search")
        await page.evaluate("document.querySelector('main input[name=q]').focus()")
        await page.keyboard.insert_text("旧浏览器")
        # Only what was asked for is left: the list was fetched again, not read from the page that stood there.
        found = "[...document.querySelectorAll('main tbody tr')].map(row => row.innerText)"
        await _until(page, f"(rows => rows.length === 1 && rows[0].includes('旧浏览器也能签收'))({found})")


async def test_the_board_stands_in_the_oldest_browser_and_hears_of_what_happens(
    chromium_86: Browser, town: Town
) -> None:
    async with town.signed_in(chromium_86, "supervisor", viewport={"width": 1920, "height": 1080}) as watch:
        page = await watch.open("/board")
        assert await page.evaluate("document.documentElement.classList.contains('scaled')")
        box = await page.evaluate("document.getElementById('canvas').getBoundingClientRect().toJSON()")
        assert (box["left"], box["top"], box["width"], box["height"]) == (0, 0, 1920, 1080)
        before = await page.evaluate("document.getElementById('inside').innerText")
        await photograph(page, "oldest-board", {"width": 1920, "height": 1080})
        await town.new_case("墙上应当看得到", "register")

        await _until(page, f"document.getElementById('inside').innerText !== {json.dumps(before)}")
