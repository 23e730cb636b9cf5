"""People at work: one request from a telephone in the street to the sealed dossier, and what goes wrong on the way.

Each mishap (two taps, the back button, an ended session, two at once, a late answer, no scripts) ends in one act and a
page that says what happened.
"""

import asyncio
import io
import os
import signal
from typing import Any

import pytest
from PIL import Image
from playwright.async_api import Browser, Locator, Page

from ledger.dossier import verify_dossier
from tests.browser.town import DEPARTMENT, PASSWORD, Town
from tests.browser.watching import DESK, PHONE, not_wider_than_the_screen, photograph
from tests.waiting import eventually

FIELD: dict[str, Any] = {"viewport": PHONE, "has_touch": True}
OFFICE: dict[str, Any] = {"viewport": DESK}


def picture(colour: str) -> dict[str, Any]:
    """A photograph as a telephone takes it."""
    made = io.BytesIO()
    Image.new("RGB", (640, 480), colour).save(made, "JPEG")
    return {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": made.getvalue()}


async def fill(page: Page, form: str, fields: dict[str, Any]) -> None:
    """Write into the fields of a form by their names, whatever kind of field they are."""
    for name, value in fields.items():
        field = page.locator(f'{form} [name="{name}"]')
        kind = await field.first.evaluate("each => each.type")
        if kind in ("radio", "checkbox"):
            await page.locator(f'{form} [name="{name}"][value="{value}"]').check()
        elif kind == "select-one":
            await field.select_option(value)
        elif kind == "file":
            await field.first.set_input_files(value)
        else:
            await field.fill(value)


async def send(page: Page, form: str) -> None:
    """Press the one button that sends the form, and see what comes."""
    async with page.expect_navigation():
        await page.locator(f"{form} .submit-bar button").first.click()


async def follow(page: Page, link: Locator) -> None:
    """Go where the first of the links leads; a click alone may return while the old page still stands there."""
    async with page.expect_navigation():
        await link.first.click()


async def act(page: Page, base: str, title: str, kind: str, fields: dict[str, Any] | None = None) -> None:
    """From the own list of work to the request, and do what is to be done there."""
    await page.goto(f"{base}/")
    await follow(page, page.get_by_role("link", name=title))
    form = f'form[action*="/acts/{kind}"]'
    if await page.locator(form).count() == 0:
        await follow(page, page.locator(f'a[href*="/acts/{kind}"]'))
    await fill(page, form, fields or {})
    await send(page, form)
    assert "/acts/" not in page.url, await page.inner_text("main")


TITLE = "健身广场长椅断了一条腿"

WALK: list[tuple[str, dict[str, Any], str, dict[str, Any]]] = [
    ("community", OFFICE, "whistle", {"reason": "reflected", "departments": DEPARTMENT, "approver": "C01-2"}),
    ("street_dispatcher", OFFICE, "dispatch", {"lead": DEPARTMENT, "mode": "within_limit"}),
    ("department_handler", FIELD, "accept", {}),
    (
        "department_handler",
        FIELD,
        "strike_off",
        {
            "measures": "换上新椅腿，加固螺栓，试坐牢靠。",
            "evidence.after": picture("green"),
            "workload.people": "2",
            "workload.minutes": "40",
        },
    ),
    ("checker", FIELD, "verify", {"evidence.after": picture("blue")}),
    ("vanguard_captain", FIELD, "sign", {"_password": PASSWORD}),
    ("grid_head", FIELD, "sign", {"_password": PASSWORD}),
    ("grid_worker", FIELD, "feed_back", {"text": "长椅已修好，请留意使用。"}),
    ("grid_worker", FIELD, "feed_back", {"text": "您反映的长椅已修好。"}),
    ("grid_worker", FIELD, "visit", {"satisfaction": "satisfied", "solved": "true", "word": "坐着稳当了。"}),
    (
        "community",
        OFFICE,
        "appraise",
        {"scores.speed": "95", "scores.quality": "96", "scores.attitude": "98"},
    ),
]
"""Who does what, on which device."""


@pytest.mark.timeout(600)
async def test_a_request_goes_from_a_telephone_to_the_sealed_dossier_through_the_pages_of_everybody(
    chromium: Browser, town: Town
) -> None:
    async with town.signed_in(chromium, None, **FIELD) as watch:
        page = await watch.open("/sign-in?next=/register")
        await _sign_in(page, town.persons["grid_worker"])
        await fill(
            page,
            "form.register",
            {"photos": picture("red"), "text": f"{TITLE}。老人一坐就晃。", "other_category": "K10"},
        )
        await send(page, "form.register")
        assert "登记成功" in await page.inner_text("main")
        stream = page.url.rpartition("/")[2].partition("?")[0]
        await photograph(page, "walk-registered", PHONE)

    for role, device, kind, fields in WALK:
        async with town.signed_in(chromium, role, **device) as watch:
            page = await watch.context.new_page()
            await act(page, town.url, TITLE, kind, fields)
            await photograph(page, f"walk-{kind}-{role.replace('_', '-')}", device["viewport"])

    async def sealed() -> bool:
        return await town.happened(stream, "archived") == 1

    # The clock behind it stands in the rules of the street; a machine that drives three browsers may be late for it.
    await eventually(sealed, "the dossier is sealed by time", within=60)
    async with town.signed_in(chromium, "supervisor", **OFFICE) as watch:
        page = await watch.open(f"/search?q={TITLE}")
        await follow(page, page.get_by_role("link", name=TITLE))
        assert "已归档" in await page.inner_text("main")
        await photograph(page, "walk-sealed", DESK)
        await page.set_viewport_size(PHONE)  # type: ignore[arg-type]
        await not_wider_than_the_screen(page)
        await photograph(page, "walk-sealed", PHONE)
        taken = await page.get_by_role("link", name="下载卷宗").get_attribute("href")
        answer = await watch.context.request.get(f"{town.url}{taken}")
        assert verify_dossier(await answer.body()).stream == stream
        await page.goto(f"{town.url}/cases/{stream}/print")
        assert TITLE in await page.inner_text("body")
    for kind in ("registered", "dispatched", "struck_off", "verified", "visited", "appraised"):
        assert await town.happened(stream, kind) == 1, kind
    assert await town.happened(stream, "signed") == 2


async def _sign_in(page: Page, person: str) -> None:
    await page.fill("input[name=login]", person)
    await page.fill("input[name=password]", PASSWORD)
    await send(page, "form[action='/sign-in']")


async def test_two_taps_and_the_back_button_are_one_act(chromium: Browser, town: Town) -> None:
    stream = await town.new_case("两次点按", "register whistle dispatch")
    async with town.signed_in(chromium, "department_handler", **FIELD) as watch:
        page = await watch.open(f"/cases/{stream}/acts/accept")
        form = 'form[action*="/acts/accept"]'
        sent = await page.evaluate(f"new URLSearchParams(new FormData(document.querySelector('{form}'))).toString()")
        # The second tap of a browser without our script: the very same form twice, at once.
        kinds = {"Content-Type": "application/x-www-form-urlencoded"}
        url = f"{town.url}/cases/{stream}/acts/accept"
        answers = await asyncio.gather(
            *(watch.context.request.post(url, data=sent, headers=kinds) for _each in range(2))
        )
        assert [each.status for each in answers] == [200, 200]
        assert await town.happened(stream, "accepted") == 1

        # And the form that still stands there, as after the back button.
        await send(page, form)
        assert await town.happened(stream, "accepted") == 1
        assert page.url.startswith(f"{town.url}/cases/{stream}")
        assert "处置中" in await page.inner_text("main")


async def test_what_was_written_outlives_an_ended_session(chromium: Browser, town: Town) -> None:
    text = "登录过期前写下的：三单元门禁坏了，谁都能进。"
    async with town.signed_in(chromium, None, **FIELD) as watch:
        page = await watch.open("/sign-in?next=/register")
        await _sign_in(page, town.persons["grid_worker"])
        await fill(page, "form.register", {"text": text, "other_category": "K03"})
        await watch.context.clear_cookies(name="session")
        await send(page, "form.register")
        assert "登录" in await page.inner_text("main")

        await follow(page, page.get_by_role("link", name="登录"))
        await _sign_in(page, town.persons["grid_worker"])
        if not page.url.endswith("/register"):
            await page.goto(f"{town.url}/register")
        assert await page.input_value("textarea[name=text]") == text
        await send(page, "form.register")
        assert "登记成功" in await page.inner_text("main")
        stream = page.url.rpartition("/")[2].partition("?")[0]
        assert await town.happened(stream, "registered") == 1


async def test_of_two_dispatchers_at_once_one_dispatches_and_the_other_reads_why_not(
    chromium: Browser, town: Town
) -> None:
    stream = await town.new_case("两人同派", "register whistle")
    form = 'form[action*="/acts/dispatch"]'
    async with (
        town.signed_in(chromium, "street_dispatcher") as one,
        town.signed_in(chromium, "street_dispatcher") as other,
    ):
        pages = [await watch.open(f"/cases/{stream}/acts/dispatch") for watch in (one, other)]
        for page, lead in zip(pages, (DEPARTMENT, "D04"), strict=True):
            await fill(page, form, {"lead": lead, "mode": "within_limit"})
        await asyncio.gather(*(send(page, form) for page in pages))

        told = [await page.inner_text("main") for page in pages]
        assert await town.happened(stream, "dispatched") == 1
        lost = [text for page, text in zip(pages, told, strict=True) if "/acts/" in page.url]
        assert len(lost) == 1
        assert "已派单" in lost[0]
        await photograph(next(page for page in pages if "/acts/" in page.url), "walk-too-late", DESK)


async def test_a_late_answer_is_waited_for_and_the_act_happens_once(chromium: Browser, town: Town) -> None:
    stream = await town.new_case("迟到的回答", "register whistle dispatch")
    worker = town.instance.pid_of("worker")
    assert worker is not None
    async with town.signed_in(chromium, "department_handler", **FIELD) as watch:
        page = await watch.open(f"/cases/{stream}/acts/accept")
        os.kill(worker, signal.SIGSTOP)
        try:
            await page.locator('form[action*="/acts/accept"] .submit-bar button').first.click(no_wait_after=True)
            await page.wait_for_url("**/pending/**", timeout=60_000)
            await photograph(page, "walk-pending", PHONE)
            assert await town.happened(stream, "accepted") == 0
        finally:
            os.kill(worker, signal.SIGCONT)
        await page.wait_for_url(lambda url: "/pending/" not in url, timeout=60_000)

        assert "处置中" in await page.inner_text("main")
        assert await town.happened(stream, "accepted") == 1


async def test_without_scripts_one_registers_acts_and_searches(chromium: Browser, town: Town) -> None:
    title = "无脚本登记的路牌歪了"
    async with town.signed_in(chromium, "grid_worker", java_script_enabled=False, **FIELD) as watch:
        page = await watch.open("/register")
        await _write_without_scripts(page, "form.register", {"text": f"{title}。", "other_category": "K03"})
        await send(page, "form.register")
        assert "登记成功" in await page.inner_text("main")
        stream = page.url.rpartition("/")[2].partition("?")[0]

        await page.goto(f"{town.url}/cases/{stream}/acts/comment")
        await _write_without_scripts(page, 'form[action*="/acts/comment"]', {"text": "路牌朝北歪。"})
        await send(page, 'form[action*="/acts/comment"]')
        assert await town.happened(stream, "commented") == 1

        await page.goto(f"{town.url}/search")
        await page.fill("main input[name=q]", "路牌歪了")
        async with page.expect_navigation():
            await page.locator("main form .submit-bar button, main form button[type=submit]").first.click()
        assert await page.get_by_role("link", name=title).count() == 1


async def _write_without_scripts(page: Page, form: str, fields: dict[str, str]) -> None:
    for name, value in fields.items():
        field = page.locator(f'{form} [name="{name}"]')
        if name == "other_category":
            await field.select_option(value)
        else:
            await field.fill(value)
