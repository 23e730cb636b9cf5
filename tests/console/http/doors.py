"""The doors of an office for tests: the real application over a real ledger, asked without a network in between."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import asyncpg
import httpx
from fastapi import FastAPI
from starlette.requests import Request

from console.desk import Desk
from console.http.app import make_app
from console.http.identity import Identify, Identity, SignedIn
from console.http.office import Office
from console.http.site import Site
from ledger.vault import MasterKey, Vault
from runtime.settings import Settings

SITE = Site(url="http://testserver", secure=False, exposed=False)
"""Everything is asked under this address."""


async def _by_header(request: Request, office: Office) -> Identity | None:
    """Who a test says it is; how people really sign in has tests of its own."""
    person = request.headers.get("x-test-person")
    if person is None:
        return None
    if request.headers.get("x-test-token") is not None:
        scopes = request.headers["x-test-token"]
        return Identity(person=person, scopes=frozenset(scopes.split(",")) if scopes != "*" else None, token_id="t")
    return Identity(
        person=person,
        administrator=request.headers.get("x-test-administrator") == "yes",
        session=SignedIn(id=str(uuid5(NAMESPACE_URL, person)), binding=f"session-{person}", login=person),
    )


class Doors:
    """The application and browsers of people in front of it."""

    def __init__(self, app: FastAPI, office: Office) -> None:
        self.app, self.office = app, office
        self._clients: list[httpx.AsyncClient] = []

    def browser(self, person: str | None = None, *, administrator: bool = False) -> "Browser":
        """A browser in which ``person`` is signed in; nobody without one."""
        headers = {} if person is None else {"x-test-person": person}
        if administrator:
            headers["x-test-administrator"] = "yes"
        return Browser(self._client(headers))

    def program(self, person: str, scopes: str = "*") -> httpx.AsyncClient:
        """A program with a token of ``person``; ``scopes`` are permissions separated by commas."""
        return self._client({"x-test-person": person, "x-test-token": scopes})

    def _client(self, headers: dict[str, str]) -> httpx.AsyncClient:
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.app, raise_app_exceptions=True),
            base_url=SITE.url,
            headers=headers,
            timeout=60,
        )
        self._clients.append(client)
        return client

    async def close(self) -> None:
        """Close every browser."""
        for client in self._clients:
            await client.aclose()


class Browser:
    """What a person does in a browser, without scripts: look at pages, send the forms they carry."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def get(self, path: str, **kwargs: Any) -> httpx.Response:
        """Look at a page."""
        return await self.client.get(path, **kwargs)

    async def post(self, path: str, fields: dict[str, Any] | None = None, **kwargs: Any) -> httpx.Response:
        """Send a form to ``path`` with the hidden token a page of ours would carry."""
        token = next((each.value for each in self.client.cookies.jar if each.name == "csrf"), None)
        if token is None:
            token = "browser-of-a-test"
            self.client.cookies.set("csrf", token)
        forms = self.client._transport.app.state.forms  # type: ignore[attr-defined]
        person = self.client.headers.get("x-test-person")
        csrf = forms.token(token, f"session-{person}" if person else "")
        return await self.client.post(path, data={"_csrf": csrf, **(fields or {})}, **kwargs)


@asynccontextmanager
async def open_doors(
    pool: asyncpg.Pool,
    desk: Desk,
    key: MasterKey,
    settings: Settings,
    *,
    site: Site = SITE,
    identify: Identify = _by_header,
    **fields: Any,
) -> AsyncIterator[Doors]:
    """The doors over this ledger and desk; with ``console.http.identity.identify`` people really have to sign in."""
    office = Office(pool=pool, desk=desk, vault=Vault(key), key=key, settings=settings, **fields)
    doors = Doors(make_app(office, site, identify=identify), office)
    yield doors
    await doors.close()
