"""The way to pages that no plain address opens: a file has to be uploaded first, a code typed in.

Owns one way for each such route; each ends with the page open in the tab it was given.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from playwright.async_api import Page

from console.demo.people import NEIGHBOURHOOD
from console.demo.rules import DEMO_BOOK
from console.tracking import Tracking
from tests.browser.town import Town

Way = Callable[[Page, Town], Awaitable[None]]

_PHONE = "13800001357"

_BEGIN_TO_CARRY = """async () => {
  const sent = new URLSearchParams({reason: "新规则试行", _csrf: document.body.dataset.csrf});
  return (await fetch("/rules/adoptions", {method: "POST", body: sent})).url;
}"""


async def _upload(page: Page, url: str, *file: object) -> None:
    await page.goto(url)
    await page.set_input_files("input[type=file]", *file)  # type: ignore[arg-type]
    async with page.expect_navigation():
        await page.click("main form .submit-bar button")


async def _registry_draft(page: Page, town: Town) -> None:
    changed = NEIGHBOURHOOD.read_text(encoding="utf-8").replace("name: 桂子巷三网格", "name: 桂子巷南网格")
    file = {"name": "registry.yaml", "mimeType": "application/yaml", "buffer": changed.encode()}
    await _upload(page, f"{town.url}/registry/load", file)


async def _rules_draft(page: Page, town: Town) -> None:
    answer = await page.context.request.get(f"{town.url}/rules/{DEMO_BOOK.version}/yaml")
    changed = (await answer.text()).replace(DEMO_BOOK.version, "street-3")
    file = {"name": "rules.yaml", "mimeType": "application/yaml", "buffer": changed.encode()}
    await _upload(page, f"{town.url}/rules/load", file)


async def _calendar_draft(page: Page, town: Town) -> None:
    await page.goto(f"{town.url}/calendar/load")
    async with page.expect_navigation():
        await page.click("form:has(input[name=source]) button")


async def _carrying(page: Page, town: Town) -> None:
    await page.goto(f"{town.url}/rules/adoptions")
    await page.goto(await page.evaluate(_BEGIN_TO_CARRY))


async def open_as_resident(page: Page, town: Town, stream: str) -> None:
    """Open the resident's own page of a request by its code and the last four digits of the phone that was left."""
    async with town.street.pool.acquire() as conn:
        code = await Tracking(town.key).issue(conn, stream, _PHONE, by="tests", at=datetime.now(UTC))
    await page.goto(f"{town.url}/tracking")
    await page.fill("input[name=code]", code.lower())
    await page.fill("input[name=digits]", _PHONE[-4:])
    async with page.expect_navigation():
        await page.click("form[action='/tracking'] .submit-bar button")


async def _as_resident(page: Page, town: Town) -> None:
    await open_as_resident(page, town, town.cases["fed_back"])


WAYS: dict[str, Way] = {
    "/registry/drafts/{draft}": _registry_draft,
    "/rules/drafts/{draft}": _rules_draft,
    "/calendar/drafts/{draft}": _calendar_draft,
    "/rules/adoptions/{run}": _carrying,
    "/tracking/mine": _as_resident,
}
"""How a page is reached, by its route."""
