"""Real accounts in front of the doors: people sign in by the form, as a browser without scripts would send it."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import httpx

from console.access.door import Access
from console.access.passwords import Hashing, Passwords, argon2
from ledger.access import set_password
from tests.console.http.doors import SITE, Doors

PASSWORD = "柳树下的 green tractor"


def quick_hash() -> Hashing:
    """Argon2 at its least costs: real, and quick."""
    return argon2(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class Clock:
    """The moment accounts and sessions believe it is."""

    moved: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.moved

    def move(self, by: timedelta) -> None:
        self.moved += by


@dataclass
class Front:
    """The doors with real accounts, and the clock by which sessions end."""

    doors: Doors
    access: Access
    clock: Clock

    async def account(self, person: str, *, administrator: bool = False) -> str:
        """An account whose person has chosen ``PASSWORD``; its login name."""
        made = await self.access.accounts.add(person, by="admin", is_administrator=administrator)
        kept = await Passwords(quick_hash()).hash(PASSWORD)
        async with self.doors.office.pool.acquire() as conn:
            at = datetime.now(UTC)
            await set_password(conn, made.account.login, kept, must_change=False, by=person, at=at)
        return made.account.login

    def visitor(self, address: str = "10.0.0.1", **headers: str) -> "Visitor":
        """A browser at this address, signed out."""
        return Visitor(self.doors, address, headers)

    async def signed_in(self, person: str, *, administrator: bool = False) -> "Visitor":
        """A browser in which the person, who gets an account, has just signed in."""
        login = await self.account(person, administrator=administrator)
        visitor = self.visitor()
        answer = await visitor.sign_in(login)
        assert answer.status_code == 303, answer.text
        return visitor


class Visitor:
    """A browser that keeps cookies, reads the forms it is shown and sends them with what they carry."""

    def __init__(self, doors: Doors, address: str, headers: dict[str, str]) -> None:
        transport = httpx.ASGITransport(app=doors.app, client=(address, 40000))
        self.client = httpx.AsyncClient(transport=transport, base_url=SITE.url, headers=headers, timeout=60)

    async def get(self, path: str, **kwargs: Any) -> httpx.Response:
        """Look at a page."""
        return await self.client.get(path, **kwargs)

    async def send(self, page: str, action: str, fields: dict[str, Any] | None = None, **kwargs: Any) -> httpx.Response:
        """Open ``page`` and send its form with this ``action``, with the hidden fields it carries."""
        shown = await self.client.get(page)
        return await self.client.post(action, data={**hidden(shown.text, action), **(fields or {})}, **kwargs)

    async def sign_in(self, login: str, password: str = PASSWORD, then: str = "/") -> httpx.Response:
        """Fill in the form to sign in."""
        return await self.send(f"/sign-in?next={then}", "/sign-in", {"login": login, "password": password})


def hidden(html: str, action: str) -> dict[str, str]:
    """The hidden fields of the form with this ``action``."""
    forms = [form for form in re.findall(r"<form\b.*?</form>", html, re.DOTALL) if f'action="{action}"' in form]
    assert forms, f"there is no form for {action}"
    found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', forms[0])
    return {name: unescape(value) for name, value in found}
