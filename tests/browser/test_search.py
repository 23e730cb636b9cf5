"""Searching while somebody writes Chinese: one question for a word, and the same page without a script."""

from playwright.async_api import Browser, expect

from tests.browser.town import Town


async def test_a_word_that_is_being_composed_is_looked_for_once_when_it_stands(chromium: Browser, town: Town) -> None:
    async with town.signed_in(chromium, "supervisor") as watch:
        page = await watch.context.new_page()
        await page.goto(f"{town.url}/search")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if request.resource_type == "xhr" else None)
        keyboard = await watch.context.new_cdp_session(page)

        await page.focus("#f-q")
        for text in ("j", "ji", "jing", "jing gai"):
            await keyboard.send(
                "Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)}
            )
            await page.wait_for_timeout(350)  # what would be asked, would be asked by now
        assert asked == []
        await keyboard.send("Input.insertText", {"text": "井盖"})

        await expect(page.locator("#found .first a")).to_have_count(2)
        await expect(page.locator("#found-count")).to_have_text("共 2 件")
        assert len(asked) == 1
        assert "q=%E4%BA%95%E7%9B%96" in page.url
        assert watch.wrong == []


async def test_searching_works_without_a_script(chromium: Browser, town: Town) -> None:
    async with town.signed_in(chromium, "supervisor", java_script_enabled=False) as watch:
        page = await watch.context.new_page()
        await page.goto(f"{town.url}/search")

        await page.fill("#f-q", "井盖")
        await page.get_by_role("button", name="查询").click()

        await expect(page.locator("#found .first a")).to_have_count(2)
