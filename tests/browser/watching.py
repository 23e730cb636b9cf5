"""A page that is watched: whatever goes wrong behind its back fails the test.

Errors on the browser's console, breaches of the content security policy, exceptions of scripts, requests to any other
host, files that are missing, answers that say a mistake of ours, and a layout wider than a phone.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response

DESK, PHONE = {"width": 1366, "height": 768}, {"width": 390, "height": 844}
SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"

# The browser says this of every page that is itself a refusal; whether it should be one, the test says.
_REFUSED_PAGE = "Failed to load resource: the server responded with a status of 4"

_OUTSIDE = """() => {
  const wide = document.documentElement.clientWidth;
  const culprits = [];
  if (document.documentElement.scrollWidth > wide) {
    for (const each of document.body.querySelectorAll("*")) {
      const box = each.getBoundingClientRect();
      if (box.right <= wide + 1 || box.width === 0) continue;
      culprits.push(each.tagName + "." + each.className + " " + Math.round(box.right));
    }
    culprits.unshift("page " + document.documentElement.scrollWidth + " > " + wide);
  }
  return culprits.slice(0, 8);
}"""


class Watched:
    """One person's browser on one site, and everything wrong that was noticed in it."""

    def __init__(self, context: BrowserContext, host: str, base: str = "") -> None:
        self.context = context
        self.host = host
        self.base = base
        self.wrong: list[str] = []
        context.on("console", self._console)
        context.on("weberror", lambda error: self.wrong.append(f"script: {error.error}"))
        context.on("request", self._request)
        context.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(_REFUSED_PAGE):
            self.wrong.append(f"console: {message.text}")

    def _request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https") and parts.netloc != self.host:
            self.wrong.append(f"other host: {parts.netloc}")

    def _response(self, response: Response) -> None:
        page_itself = response.request.resource_type in ("document", "fetch", "xhr")
        if response.status >= 500 or (response.status >= 400 and not page_itself):
            self.wrong.append(f"{response.status} {response.url}")

    async def open(self, path: str = "/") -> Page:
        """A new tab at ``path``."""
        page = await self.context.new_page()
        await page.goto(self.base + path)
        return page

    def check(self) -> None:
        """Fail when anything went wrong so far."""
        assert not self.wrong, "\n".join(dict.fromkeys(self.wrong))


@asynccontextmanager
async def watched(browser: Browser, url: str, **options: Any) -> AsyncIterator[Watched]:
    """A browser of its own for one person on the site ``url``; fails at the end when something went wrong in it."""
    context = await browser.new_context(locale="zh-CN", timezone_id="Asia/Shanghai", **{"viewport": DESK, **options})
    context.set_default_timeout(60_000)
    watch = Watched(context, urlsplit(url).netloc, url)
    try:
        yield watch
        watch.check()
    finally:
        await context.close()


async def not_wider_than_the_screen(page: Page) -> None:
    """Fail, naming what sticks out, when the page can be scrolled sideways."""
    outside = await page.evaluate(_OUTSIDE)
    assert not outside, f"{page.url} is wider than the screen: {outside}"


async def nothing_serious(page: Page) -> None:
    """Fail when axe finds anything serious or critical on the page."""
    found = await Axe().run(page)
    bad = [
        f"{each['impact']} {each['id']}: {each['help']} — "
        + " | ".join(node["html"][:160] for node in each["nodes"][:3])
        for each in found.response["violations"]
        if each["impact"] in ("serious", "critical")
    ]
    assert not bad, f"{page.url}\n" + "\n".join(bad)


async def photograph(page: Page, name: str, size: dict[str, int]) -> None:
    """Give the window this size; with ``PICTURES=1`` also the whole page into the folder of screenshots.

    For a picture the window is made as high as the page, so that what sticks to its lower edge is shown where the page
    ends. Nobody looks at the pictures of most runs, and they take as long as all that is checked of a page.
    """
    await page.set_viewport_size(size)  # type: ignore[arg-type]
    await _laid_out(page)
    if not os.environ.get("PICTURES"):
        return
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    high = await page.evaluate("document.documentElement.scrollHeight")
    if high > size["height"]:
        await page.set_viewport_size({"width": size["width"], "height": min(int(high), 6000)})
    await page.screenshot(path=SCREENSHOTS / f"{name}-{size['width']}.png")
    await page.set_viewport_size(size)  # type: ignore[arg-type]
    await _laid_out(page)


async def _laid_out(page: Page) -> None:
    """Wait for the second frame from now: the oldest browser knows its new width before its elements do."""
    await page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done())))")
