"""Every page of the console at a desk and on a telephone: legible, quiet, not too wide.

With ``PICTURES=1``, as in a whole test run, there are screenshots in ``build/screenshots``.
"""

from importlib import import_module

import pytest
from playwright.async_api import Browser

from console.http.app import PAGES
from tests.browser.looks import ELSEWHERE, LOOKS, NOT_PAGES, Look, reach
from tests.browser.town import Town
from tests.browser.watching import DESK, PHONE, not_wider_than_the_screen, nothing_serious, photograph


def test_what_is_said_to_be_no_page_is_a_route() -> None:
    paths = {route.path for name in PAGES for route in import_module(f"console.pages.{name}").router.routes}

    assert set(NOT_PAGES) <= paths
    assert set(ELSEWHERE) <= paths


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
async def test_a_page_is_legible_at_a_desk_and_on_a_telephone(chromium: Browser, town: Town, look: Look) -> None:
    async with town.signed_in(chromium, look.role) as watch:
        page = await watch.context.new_page()
        await reach(page, look, town)

        await photograph(page, look.name, DESK)
        await nothing_serious(page)
        await photograph(page, look.name, PHONE)
        await not_wider_than_the_screen(page)
        assert await page.locator("h1").count() == 1, "a page has one h1"
        assert (await page.title()).strip(" ·") != ""
