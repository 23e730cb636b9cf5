"""A request on a telephone in three taps, and what the page does meanwhile."""

import re

from playwright.async_api import Browser, FilePayload, expect

from tests.browser.town import Town
from tests.browser.watching import PHONE, not_wider_than_the_screen, nothing_serious
from tests.console.files.pictures import telling_photograph

PHOTO = FilePayload(name="现场.jpg", mimeType="image/jpeg", buffer=telling_photograph())


async def test_a_photograph_a_kind_and_one_more_tap_register_a_request(chromium: Browser, town: Town) -> None:
    async with town.signed_in(chromium, "grid_worker", viewport=PHONE, has_touch=True) as watch:
        page = await watch.open("/register")
        await page.set_input_files("#camera", PHOTO)
        await page.get_by_role("radio", name="路灯故障").tap()
        await page.get_by_role("button", name="提交登记").tap()

        await expect(page.get_by_role("heading", name="登记成功")).to_be_visible()
        assert re.search(r"/register/case-[0-9a-f]{32}", page.url)
        await expect(page.locator(".code-big")).to_have_text(re.compile(r"^[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}$"))
        await not_wider_than_the_screen(page)
        await nothing_serious(page)
        await page.get_by_role("link", name="查看诉求").tap()
        await expect(page.locator("main img").first).to_be_visible()


async def test_something_alike_is_hinted_at_while_it_is_written(chromium: Browser, town: Town) -> None:
    async with town.signed_in(chromium, "grid_worker", viewport=PHONE) as watch:
        page = await watch.open("/register")
        await page.fill("textarea[name=text]", "桂子巷菜场后门路面塌陷，塌了一个坑，雨天积水")

        await expect(page.locator("#similar a").first).to_have_text("桂子巷菜场后门路面塌陷")
        assert page.url.endswith("/register")
        # What was written is there again after the page was left, as the browser keeps it.
        await page.reload()
        await expect(page.locator("textarea[name=text]")).to_have_value(re.compile("^桂子巷菜场"))
