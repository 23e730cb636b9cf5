"""The office under test, as ``bihuan up`` runs it, with a wire of ours between any two of its processes."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import httpx

from console.access.door import Access
from console.access.tokens import GRANTABLE
from console.instance import Door, find_door, make_keys
from domain.process import World
from domain.rules import RuleBook
from runtime.children import ChildSpec
from runtime.embedded import Instance, own_child
from runtime.endpoints import Endpoints
from runtime.pool import open_pool
from runtime.settings import Settings
from tests.chaos.links import Link, Target
from tests.console.http.signing import quick_hash
from tests.neighbourhood import EVERYDAY, EXAMPLE_BOOK, WORLD
from tests.workflows.office import furnish

PROCESSES = ("console", "worker", "temporal", "postgres")
LINKS = ("clients-console", "console-temporal", "console-postgres", "worker-temporal", "worker-postgres")
STAFF = (
    "worker", "checker", "head", "captain", "community", "approver", "dispatcher", "handler", "helper", "supervisor",
)  # fmt: skip

_QUICK = {
    "place": "20s", "dispatch": "20s", "sign_for": "12s", "contact": "25s", "handle": "45s", "verify": "20s",
    "sign": "20s", "feed_back": "20s", "visit": "20s", "appraise": "40s", "reply": "15s",
}  # fmt: skip
_SLOW = {
    "place": "30m", "dispatch": "40m", "sign_for": "20m", "contact": "50m", "handle": "2h", "verify": "30m",
    "sign": "30m", "feed_back": "30m", "visit": "40m", "appraise": "3h", "reply": "30m",
}  # fmt: skip


def book() -> RuleBook:
    """The shipped ladder on clocks of seconds; everyday matters have clocks that outlast any run."""
    body: dict[str, Any] = EXAMPLE_BOOK.model_dump(mode="json") | {"version": "chaos-1", "return_within": "1d"}
    body["rows"] = [row for row in body["rows"] if row["category"] is None]
    for row in body["rows"]:
        row |= {"limits": _QUICK, "steps": [], "extension": None, "reopen_window": "60s"}
    general = next(row for row in body["rows"] if row["urgency"] == "general")
    body["rows"].append({**general, "category": EVERYDAY, "limits": _SLOW, "reopen_window": "7d"})
    for rung in body["ladder"]:
        rung["at"] = {"due+5wd": "due+10s", "due+10wd": "due+20s"}.get(rung["at"], rung["at"])
    return RuleBook.model_validate(body)


def world() -> World:
    """What there is to know in this town."""
    found = book()
    return replace(WORLD, rule_books={**WORLD.rule_books, found.version: found}, current_rules=found.version)


@dataclass
class Town:
    """The running office: its processes, its wires, and everybody's way in."""

    instance: Instance
    links: Mapping[str, Link]
    tokens: Mapping[str, str]
    door: Door

    @property
    def url(self) -> str:
        """Where the clients find the console, by their wire."""
        return f"http://127.0.0.1:{self.links['clients-console'].port}"

    def client(self, *, straight: bool = False) -> httpx.AsyncClient:
        """A client of the console; ``straight`` past the wire."""
        host = f"127.0.0.1:{self.door.port}"
        # A console is known by one address; the wire is no other name for it.
        return httpx.AsyncClient(base_url=f"http://{host}" if straight else self.url, headers={"host": host})


@asynccontextmanager
async def open_town(data: Path) -> AsyncIterator[Town]:
    """Start everything on the folder ``data``; everything is stopped at the end."""
    async with AsyncExitStack() as stack:
        links = {name: Link(name) for name in LINKS}
        for link in links.values():
            await link.start()
            stack.push_async_callback(link.close)
        data.mkdir(parents=True, exist_ok=True)
        settings = Settings.load(data=data, console_port=0)
        make_keys(settings)
        door = find_door(settings)
        links["clients-console"].target = Target(port=door.port)

        def children(endpoints: Endpoints) -> list[ChildSpec]:
            _lead(links, endpoints)
            ends = {name: _through(links, name, endpoints) for name in ("worker", "console")}
            more = {**door.as_environment(), "BIHUAN_API_RATE": "1000000"}
            begin = ["-m", "runtime.begin"]
            return [
                own_child("worker", [*begin, "worker"], ends["worker"], data, environment={"BIHUAN_WAKE_AFTER": "10s"}),
                own_child("console", [*begin, "console.http.serve"], ends["console"], data, environment=more),
            ]

        async def migrate(dsn: str) -> None:
            await furnish(dsn, book())

        instance = Instance(data, migrate=migrate, children=children, ui=False, console=door.url)
        await stack.enter_async_context(instance)
        yield Town(instance, links, await _tokens(instance.endpoints.postgres, settings), door)


def _lead(links: Mapping[str, Link], endpoints: Endpoints) -> None:
    port = int(endpoints.temporal.rpartition(":")[2])
    folder = parse_qs(urlsplit(endpoints.postgres).query)["host"][0]
    for name in ("worker", "console"):
        links[f"{name}-temporal"].target = Target(port=port)
        links[f"{name}-postgres"].target = Target(socket=Path(folder) / ".s.PGSQL.5432")


def _through(links: Mapping[str, Link], name: str, endpoints: Endpoints) -> Endpoints:
    """The endpoints as the process ``name`` is told them: those of its wires."""
    ports = {server: links[f"{name}-{server}"].port for server in ("postgres", "temporal")}
    dsn = f"postgresql://postgres@127.0.0.1:{ports['postgres']}/bihuan?sslmode=disable"
    return endpoints.model_copy(update={"postgres": dsn, "temporal": f"127.0.0.1:{ports['temporal']}"})


async def _tokens(dsn: str, settings: Settings) -> dict[str, str]:
    pool = await open_pool(dsn, size=2, role="bihuan_app")
    try:
        access = Access.open(pool, settings, hashing=quick_hash())
        return {person: await _token(access, person) for person in STAFF}
    finally:
        await pool.close()


async def _token(access: Access, person: str) -> str:
    await access.accounts.add(person, by="admin", with_password=False)
    issued = await access.tokens.issue(
        person, name="chaos", permissions=list(GRANTABLE), lasts=timedelta(days=1), by=person
    )
    return issued.token


async def reach(dsn: str) -> asyncpg.Connection:
    """A connection as the owner, past all wires."""
    return await asyncpg.connect(dsn)
