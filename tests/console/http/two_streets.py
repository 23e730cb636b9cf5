"""Two streets side by side, each with one person of every role and a request and a wish of a resident.

Whoever belongs to one street must never see, find or touch what lies in the other. What the residents told is planted
so that it can be searched for everywhere it must not be.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from fastapi import FastAPI

from console.access.door import Access
from console.access.tokens import GRANTABLE
from console.http.identity import identify
from console.opening import prepare_opening
from domain.people import Actor, Role
from domain.registry_problem import RawRegistry
from ledger.registry import load_registry
from ledger.signing import SigningKey
from ledger.vault import MasterKey, Vault
from runtime.pool import open_pool
from runtime.settings import Settings
from tests.console.http.doors import SITE, Doors, open_doors
from tests.console.http.signing import quick_hash
from tests.console.http.straight import StraightDesk
from tests.neighbourhood import GRID, LEAD, ORDINARY, REGISTRY, raw_registry

NEAR, FAR = "near", "far"
_ENOUGH, _LISTENING = 20, 0.3
"""Seconds after which an answer that has not ended is taken as it is, and seconds one listens to a stream of events."""
FAR_STREET, FAR_COMMUNITY, FAR_GRID, FAR_DEPARTMENT = "S02", "C91", "G91", "D91"
ROLES = tuple(role for role in Role if role not in (Role.RESIDENT, Role.SYSTEM))
_IN_GRID = (Role.GRID_WORKER, Role.GRID_HEAD, Role.VANGUARD_CAPTAIN)
_PLACES = {NEAR: (GRID, "C01", "S01", LEAD), FAR: (FAR_GRID, FAR_COMMUNITY, FAR_STREET, FAR_DEPARTMENT)}

CANARIES = {
    "name": "欧阳金丝",
    "phone": "13912345678",
    "address": "鸟鸣巷7号楼3单元902室",
    "wording": "原话金丝雀甲乙丙",
}
"""What one resident told. None of it may be anywhere but where the right to see it is held."""

TITLES = {NEAR: "近街路面破损", FAR: "远街井盖松动"}


def place(role: Role, side: str) -> dict[str, str]:
    """Where somebody of this side holds the role."""
    grid, community, street, department = _PLACES[side]
    if role in _IN_GRID:
        return {"grid": grid}
    if role is Role.COMMUNITY:
        return {"organisation": community}
    if role in (Role.DEPARTMENT_HANDLER, Role.DEPARTMENT_HEAD):
        return {"organisation": department}
    return {"organisation": street}


def person(role: Role, side: str) -> str:
    """The code of the one who holds this role on this side, and only this."""
    return f"{role.value.replace('_', '-')}-{side}"


def two_streets_registry() -> RawRegistry:
    """The neighbourhood and a second street beside it."""
    cast = [(role, side) for role in ROLES for side in (NEAR, FAR)]
    return raw_registry(
        organisations=[
            *REGISTRY["organisations"],
            {"code": FAR_STREET, "name": "远街街道", "kind": "street", "parent": "Q01"},
            {"code": FAR_COMMUNITY, "name": "远街社区", "kind": "community", "parent": FAR_STREET},
            {"code": FAR_DEPARTMENT, "name": "远街市政", "kind": "department", "parent": FAR_STREET},
        ],
        grids=[
            *REGISTRY["grids"],
            {"code": FAR_GRID, "name": "远街一网格", "community": FAR_COMMUNITY, "households": 400, "people": 1100},
        ],
        people=[
            *REGISTRY["people"],
            *({"id": person(role, side), "name": person(role, side)} for role, side in cast),
            {"id": "nobody", "name": "nobody"},
            {"id": "approver-far", "name": "approver-far"},
        ],
        assignments=[
            *REGISTRY["assignments"],
            *({"person": person(role, side), "role": role.value, **place(role, side)} for role, side in cast),
            {"person": "approver-far", "role": "community", "organisation": FAR_COMMUNITY},
        ],
    )


async def answered(app: FastAPI, request: httpx.Request) -> httpx.Response:
    """The answer of the application; of one that never ends (a stream of events) what comes at first.

    httpx itself would wait for the end.
    """
    await request.aread()
    heard: list[dict[str, Any]] = []
    endless, asked = asyncio.Event(), False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": request.content, "more_body": False}
        await endless.wait()
        await asyncio.sleep(_LISTENING)
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        heard.append(message)
        if message["type"] == "http.response.start" and (b"content-type", b"text/event-stream") in [
            (name, value.split(b";")[0]) for name, value in message["headers"]
        ]:
            endless.set()

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "scheme": request.url.scheme,
        "path": request.url.path,
        "raw_path": request.url.raw_path.split(b"?")[0],
        "query_string": request.url.query,
        "server": (request.url.host, request.url.port),
        "client": ("10.1.1.1", 40000),
        "root_path": "",
    }
    serving = asyncio.ensure_future(app(scope, receive, send))  # type: ignore[arg-type]
    await asyncio.wait({serving}, timeout=_ENOUGH)
    if not serving.done():
        serving.cancel()
        await asyncio.wait({serving})
    else:
        serving.result()
    start = next(each for each in heard if each["type"] == "http.response.start")
    content = b"".join(each.get("body", b"") for each in heard if each["type"] == "http.response.body")
    return httpx.Response(start["status"], headers=start["headers"], content=content, request=request)


@dataclass
class Someone:
    """A person with a session and a token."""

    person: str
    cookie: str
    binding: str
    token: str


@dataclass
class Streets:
    """The doors of the two streets, everybody's way in, and the ids of what lies where."""

    doors: Doors
    desk: StraightDesk
    people: dict[str, Someone] = field(default_factory=dict)
    cases: dict[str, str] = field(default_factory=dict)
    wishes: dict[str, str] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)

    async def ask(
        self, who: Someone | None, method: str, path: str, *, by_token: bool = False, **kwargs: Any
    ) -> httpx.Response:
        """One request of this person, with everything a page of ours would add to it."""
        headers: dict[str, str] = dict(kwargs.pop("headers", {}))
        cookies = {"csrf": "a-browser"}
        if who is not None and by_token:
            headers["authorization"] = f"Bearer {who.token}"
        elif who is not None:
            cookies["session"] = who.cookie
        if method != "GET" and not by_token:
            forms = self.doors.app.state.forms
            headers.setdefault("x-csrf-token", forms.token("a-browser", who.binding if who else ""))
        headers["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        request = httpx.Request(method, f"{SITE.url}{path}", headers=headers, **kwargs)
        return await answered(self.doors.app, request)

    async def events(self) -> int:
        """How many facts there are."""
        async with self.doors.office.pool.acquire() as conn:
            count: int = await conn.fetchval("select count(*) from event")
        return count


async def enter(access: Access, code: str) -> Someone:
    """An account, a session and a token for this person."""
    await access.accounts.add(code, by="admin", with_password=False)
    begun = await access.sessions.sign_in_known(code)
    token = await access.tokens.issue(
        begun.identity.login, name="test", permissions=list(GRANTABLE), lasts=timedelta(days=1), by=code
    )
    return Someone(code, begun.token, str(begun.identity.session), token.token)


def _registered(side: str) -> dict[str, Any]:
    told = f"{CANARIES['wording']}，我叫{CANARIES['name']}，电话{CANARIES['phone']}，住{CANARIES['address']}"
    return {
        "title": TITLES[side],
        "text": f"门口有坑。{told}" if side == NEAR else "井盖松动",
        "grid": _PLACES[side][0],
        "category": ORDINARY,
        "reporter": {name: CANARIES[name] for name in ("name", "phone", "address")},
    }


async def _live(streets: Streets, side: str) -> None:
    """A request goes to its department, and a wish is published."""

    def by(role: Role) -> Actor:
        return Actor(person=person(role, side), role=role, **place(role, side))

    opening = prepare_opening("case", "register", _registered(side), str(uuid.uuid4()))
    desk = streets.desk
    await desk.open(
        opening.stream,
        by(Role.GRID_WORKER),
        opening.command,
        command_id=opening.command_id,
        private=opening.private,
    )
    streets.cases[side], streets.commands[side] = opening.stream, str(opening.command_id)
    department = _PLACES[side][3]
    approver = "approver-far" if side == FAR else "approver"
    whistle = {"kind": "whistle", "reason": "other", "departments": [department], "approver": approver}
    await desk.submit(opening.stream, by(Role.COMMUNITY), whistle)
    await desk.submit(opening.stream, by(Role.STREET_DISPATCHER), {"kind": "dispatch", "lead": department})
    wish = prepare_opening(
        "wish", "publish_wish", {"title": f"{TITLES[side]}心愿", "text": "要一把椅子", "grid": _PLACES[side][0]}
    )
    await desk.open(wish.stream, by(Role.COMMUNITY), wish.command, command_id=wish.command_id, private=wish.private)
    streets.wishes[side] = wish.stream


@asynccontextmanager
async def open_streets(dsn: str, folder: Path) -> AsyncIterator[Streets]:
    """The two streets over this furnished ledger."""
    owner = await asyncpg.connect(dsn)
    try:
        await load_registry(owner, two_streets_registry(), "test")
    finally:
        await owner.close()
    key = MasterKey.load(folder / "master.key", create=True)
    # Whether the password is asked for again has tests of its own (test_signatures).
    settings = Settings.load(data=folder, database_url=dsn, temporal_address="127.0.0.1:9", sign_confirmation="never")
    SigningKey.load(settings.signing_file, create=True)
    pool = await open_pool(dsn, size=6, role="bihuan_app")
    desk = StraightDesk(pool, Vault(key))
    async with open_doors(pool, desk, key, settings, identify=identify) as doors:
        doors.office.access = Access.open(pool, settings, hashing=quick_hash())
        streets = Streets(doors, desk)
        for code in ("nobody", *(person(role, side) for role in ROLES for side in (NEAR, FAR))):
            streets.people[code] = await enter(doors.office.access, code)
        for side in (NEAR, FAR):
            await _live(streets, side)
        yield streets
    await pool.close()


def everybody() -> Iterator[tuple[Role | None, str]]:
    """Every role on every side, then somebody without any role."""
    for role in ROLES:
        for side in (NEAR, FAR):
            yield role, side
    yield None, "none"
