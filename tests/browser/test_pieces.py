"""The pieces pages are made of, and the few things the script does, in real browsers and without a server."""

import asyncio
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.browser.kit import WRONG, open_kit
from tests.browser.watching import DESK, PHONE, not_wider_than_the_screen, nothing_serious, photograph
from tests.waiting import eventually


@pytest.mark.parametrize(
    ("name", "size", "shown"),
    [
        ("plain", DESK, {}),
        ("plain", PHONE, {}),
        ("wrong", PHONE, {"refusal": WRONG, "notice": "已登记。", "exposed": True, "demo": True}),
        ("english", PHONE, {"language": "en"}),
        ("signed-out", DESK, {"caller": None}),
        ("largest", DESK, {"big": 150}),
        ("largest", PHONE, {"big": 150, "refusal": WRONG}),
    ],
)
async def test_every_piece_is_legible_for_everybody(
    chromium: Browser, name: str, size: dict[str, int], shown: dict[str, Any]
) -> None:
    async with open_kit(chromium, viewport=size) as (watch, kit):
        kit.shown = shown
        page = await watch.open("/kit")

        await not_wider_than_the_screen(page)
        await nothing_serious(page)
        await photograph(page, f"kit-{name}", size)


async def test_the_oldest_browser_shows_the_pieces_with_their_look(chromium_86: Browser) -> None:
    async with open_kit(chromium_86) as (watch, _kit):
        page = await watch.open("/kit")

        assert await _style(page, ".choice[aria-pressed=true]", "borderTopColor") == "rgb(29, 95, 209)"
        assert await _style(page, ".sheet", "borderTopWidth") == "1px"
        assert await _style(page, ".form-control", "borderTopLeftRadius") == "6px"
        assert await page.evaluate("typeof htmx.process") == "function"
        await photograph(page, "kit-chromium-86", DESK)


async def _style(page: Page, selector: str, name: str) -> str:
    value: str = await page.eval_on_selector(selector, f"each => getComputedStyle(each).{name}")
    return value


async def test_writing_chinese_tells_the_page_once_when_the_word_stands(chromium: Browser) -> None:
    async with open_kit(chromium) as (watch, _kit):
        page = await watch.open("/kit")
        await page.evaluate("window.heard = []; document.addEventListener('input', e => heard.push(e.target.value))")
        await page.focus("#f-phone")
        keyboard = await watch.context.new_cdp_session(page)
        for text in ("d", "di", "dian", "diant"):
            await keyboard.send(
                "Input.imeSetComposition", {"text": text, "selectionStart": len(text), "selectionEnd": len(text)}
            )
        await keyboard.send("Input.insertText", {"text": "电梯"})
        await page.keyboard.type("A")

        assert await page.input_value("#f-phone") == "电梯A"
        assert await page.evaluate("heard") == ["电梯", "电梯A"]


async def test_two_taps_send_one_form_and_a_page_that_comes_back_is_awake(chromium: Browser) -> None:
    async with open_kit(chromium) as (watch, kit):
        page = await watch.open("/kit")
        await _fill(page)
        kit.answers.clear()
        async with page.expect_navigation():
            asleep = await page.evaluate(_TWO_TAPS)
            kit.answers.set()

        assert asleep
        assert len(kit.sent) == 1
        assert kit.sent[0]["_command_id"] == ["command"]
        await page.go_back()
        assert await page.is_enabled(_SEND)


async def test_a_draft_outlives_an_ended_session_and_is_gone_once_it_was_taken(chromium: Browser) -> None:
    async with open_kit(chromium) as (watch, kit):
        kit.answer = "error"
        page = await watch.open("/kit")
        await _fill(page)
        await _send(page)

        await page.goto("http://kit.test/kit")
        assert await page.input_value("#f-text") == "井盖碎了"
        assert await page.is_checked("input[name=urgency][value=emergency]")
        assert "已恢复" in await page.inner_text("form[data-draft] [role=status]")

        kit.answer = "done"
        await _send(page)
        await page.goto("http://kit.test/kit")
        assert await page.input_value("#f-text") == ""


async def test_a_refused_form_keeps_what_the_server_gave_back_and_leads_to_the_wrong_field(chromium: Browser) -> None:
    async with open_kit(chromium) as (watch, kit):
        kit.answer = "refused"
        page = await watch.open("/kit")
        await _fill(page)
        await _send(page)

        assert await page.evaluate("document.activeElement.name") == "title"
        assert await page.locator("form[data-draft] [role=status]").count() == 0


async def test_signing_out_leaves_no_draft_on_the_device(chromium: Browser) -> None:
    async with open_kit(chromium) as (watch, kit):
        page = await watch.open("/kit")
        await _fill(page)
        assert await page.evaluate("localStorage.length") == 1
        await page.click("details.menu summary")
        async with page.expect_navigation():
            await page.click("form[action='/sign-out'] button")

        assert await page.evaluate("localStorage.length") == 0
        assert len(kit.sent) == 1


async def test_a_part_is_refreshed_while_somebody_looks_and_costs_nothing_when_nothing_changed(
    chromium: Browser,
) -> None:
    async with open_kit(chromium) as (watch, kit):
        page = await watch.open("/kit")
        await page.evaluate(
            """() => {
              Object.defineProperty(document, "visibilityState", { get: () => window.looking, configurable: true });
              window.looking = "hidden";
              document.dispatchEvent(new Event("visibilitychange"));
            }"""
        )
        before = len(kit.asked)
        kit.shown = {"fresh": "刚刚更新"}
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        assert len(kit.asked) == before
        await page.evaluate("window.looking = 'visible'; document.dispatchEvent(new Event('visibilitychange'))")
        await page.wait_for_selector("#part >> text=刚刚更新")
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

        async def unchanged() -> bool:
            await asyncio.sleep(0)
            return kit.unchanged == 1

        await eventually(unchanged, "the server was asked with the tag it gave")


async def test_without_a_script_files_are_chosen_by_the_browser_s_own_field(chromium: Browser) -> None:
    async with open_kit(chromium, java_script_enabled=False) as (watch, _kit):
        page = await watch.open("/kit")

        assert await page.is_visible("#f-photos")
        await page.click("details.menu summary")
        assert await page.is_visible("button[name=size][value='150']")


_TWO_TAPS = """async () => {
  const form = document.querySelector("form[data-draft]"), button = form.querySelector("button[type=submit]");
  const aMoment = () => new Promise((go) => requestAnimationFrame(() => setTimeout(go, 50)));
  button.click();
  await aMoment();
  const asleep = button.disabled;
  form.requestSubmit();
  await aMoment();
  return asleep;
}"""
"""The second as quick as no finger is, and past the sleeping button, as Enter goes."""

_SEND = "form[data-draft] button[type=submit]"


async def _send(page: Page) -> None:
    async with page.expect_navigation():
        await page.click(_SEND)


async def _fill(page: Page) -> None:
    await page.fill("#f-text", "井盖碎了")
    await page.select_option("#f-category", "K02")
    await page.check("input[name=urgency][value=emergency]")
