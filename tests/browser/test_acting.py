"""Acting on a case in a browser: double tap, back button, no script, the oldest browser, the largest print."""

import pytest
from playwright.async_api import Browser, Page

from tests.browser.town import Town
from tests.browser.watching import PHONE, not_wider_than_the_screen, nothing_serious, photograph


async def _comments(page: Page, words: str) -> int:
    """How often the words stand in the timeline."""
    return await page.locator("#timeline .told-text", has_text=words).count()


async def test_a_double_tap_and_the_back_button_are_one_act(chromium: Browser, town: Town) -> None:
    async with town.signed_in(chromium, "grid_worker", viewport=PHONE) as watch:
        case = town.cases["handling"]
        page = await watch.open(f"/cases/{case}/acts/comment")
        await page.fill("textarea[name=text]", "已告知居民施工时间")

        await page.locator("form.act button[type=submit]").dblclick()
        await page.wait_for_url(f"**/cases/{case}?done=*")
        first = page.url
        assert "已记入账本：备注" in await page.inner_text("#messages")
        assert await _comments(page, "已告知居民施工时间") == 1

        await page.go_back()
        await page.goto(first)

        assert await _comments(page, "已告知居民施工时间") == 1


async def test_everything_on_the_page_works_without_a_script(chromium: Browser, town: Town) -> None:
    async with town.signed_in(chromium, "checker", viewport=PHONE, java_script_enabled=False) as watch:
        case = town.cases["struck_off"]
        page = await watch.open(f"/cases/{case}")
        # Without a photograph the act is refused; the browser itself says so before it is sent.
        assert await page.locator("form.act input[type=file][required]").count() == 1
        await page.locator("#clocks summary").first.click()
        assert "规则" in await page.inner_text("#clocks")

        await page.goto(f"{town.url}/cases/{case}/acts/comment")
        await page.fill("textarea[name=text]", "明早去现场核查")
        async with page.expect_navigation():
            await page.locator("form.act button[type=submit]").click()

        assert "已记入账本：备注" in await page.inner_text("#messages")


@pytest.mark.parametrize("path", ["/cases/{}", "/cases/{}/acts/suspend", "/cases/{}/print"])
async def test_the_oldest_browser_shows_a_case_in_the_largest_print(
    chromium_86: Browser, town: Town, path: str
) -> None:
    async with town.signed_in(chromium_86, "street_dispatcher", viewport=PHONE) as watch:
        await watch.context.add_cookies([{"name": "size", "value": "150", "url": town.url}])
        page = await watch.open(path.format(town.cases["handling"]))

        await not_wider_than_the_screen(page)
        await photograph(page, f"oldest-150{path.partition('{}')[2].replace('/', '-')}", PHONE)


async def test_the_largest_print_is_legible_today(chromium: Browser, town: Town) -> None:
    async with town.signed_in(chromium, "street_dispatcher", viewport=PHONE) as watch:
        await watch.context.add_cookies([{"name": "size", "value": "150", "url": town.url}])
        page = await watch.open(f"/cases/{town.cases['whistled']}")

        await not_wider_than_the_screen(page)
        await nothing_serious(page)
        await photograph(page, "case-150", PHONE)
