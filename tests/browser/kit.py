"""The pieces of the pages without a server behind them: a made-up site that answers from memory.

Owns the page that shows every macro, and what happened to the forms sent from it.
"""

import asyncio
import mimetypes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jinja2 import ChoiceLoader, FileSystemLoader
from markupsafe import Markup
from playwright.async_api import Browser, Request, Route

from console.http.guard import POLICY
from console.http.rendering import STATIC, environment
from domain.errors import Refusal, Refused
from tests.browser.watching import Watched, watched

URL = "http://kit.test"
NOW = datetime(2026, 11, 27, 9, tzinfo=UTC)
WRONG = Refused("field.missing", field="title").refusal


class Somebody:
    """A signed-in person for whom every door is open."""

    person = "G01-1"
    name = "沈玉兰"
    session = object()

    def may(self, _permission: str) -> bool:
        """Everything is allowed."""
        return True


def render(template: str = "kit.html", **values: Any) -> str:
    """One of our templates, or the kit, as a page."""
    own = environment().overlay(
        loader=ChoiceLoader([environment().loader, FileSystemLoader(__file__.rpartition("/")[0])])  # type: ignore[list-item]
    )
    given: dict[str, Any] = {
        "caller": Somebody(),
        "language": "zh",
        "path": "/register",
        "big": 100,
        "exposed": False,
        "refusal": None,
        "back": "/kit",
        "now": NOW,
        "csrf_token": lambda: "token",
        "csrf_field": lambda: Markup('<input type="hidden" name="_csrf" value="token">'),
        "command_id_field": lambda: Markup('<input type="hidden" name="_command_id" value="command">'),
    }
    return own.get_template(template).render({**given, **values})


class Kit:
    """What the site shows next, and what it was sent."""

    def __init__(self) -> None:
        self.shown: dict[str, Any] = {}
        self.answer = "done"
        self.sent: list[dict[str, list[str]]] = []
        self.asked: list[str] = []
        self.unchanged = 0
        self.answers = asyncio.Event()
        self.answers.set()

    def page(self, **values: Any) -> str:
        """The kit as it is shown now."""
        return render(**{**self.shown, **values})

    async def __call__(self, route: Route, request: Request) -> None:
        """Answer one request."""
        path = urlsplit(request.url).path
        if path.startswith("/static/"):
            file = STATIC.joinpath(*path.split("/")[3:])
            kind = mimetypes.guess_type(file.name)[0]
            await route.fulfill(body=file.read_bytes(), content_type=f"{kind}; charset=utf-8")
            return
        headers = {"Content-Security-Policy": POLICY, "Content-Type": "text/html; charset=utf-8"}
        if request.method == "POST":
            self.sent.append(parse_qs(request.post_data or "", keep_blank_values=True))
            await self.answers.wait()
            await route.fulfill(
                body=self._answer(), headers=headers, status={"refused": 422, "error": 401}.get(self.answer, 200)
            )
            return
        self.asked.append(request.url)
        if request.headers.get("if-none-match") == '"same"':
            self.unchanged += 1
            await route.fulfill(status=304, headers={"ETag": '"same"'})
            return
        await route.fulfill(body=self.page(), headers={**headers, "ETag": '"same"'})

    def _answer(self) -> str:
        if self.answer == "refused":
            return self.page(refusal=WRONG)
        if self.answer == "error":
            refusal: Refusal = Refused("access.signed_out").refusal
            return render("error.html", refusal=refusal)
        return render("error.html", refusal=WRONG).replace('data-kind="error"', 'data-kind="page"')


@asynccontextmanager
async def open_kit(browser: Browser, **options: Any) -> AsyncIterator[tuple[Watched, Kit]]:
    """The site in a browser of its own."""
    kit = Kit()
    async with watched(browser, URL, **options) as watch:
        await watch.context.route("**/*", kit)
        yield watch, kit
