"""Every route × every role × every place, by session and by token: the matrix decides, and it has no hole.

The cases are generated: the routes from the application itself, what they ask for from their declaration, the expected
answer from ``domain.rights.MATRIX``. Whoever adds a route is in here without doing anything, and a route whose address
names something this test does not know makes it fail.
"""

import re
import uuid
from collections.abc import AsyncIterator
from typing import NamedTuple

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from starlette.routing import Mount

from console.http.caller import May, Public
from domain.people import Role
from domain.rights import MATRIX, Permission
from runtime.postgres import EmbeddedPostgres
from tests.console.http.two_streets import FAR, NEAR, TITLES, Streets, everybody, open_streets, person

_NO_FILE = "0" * 64


class Door(NamedTuple):
    """A route as it is declared."""

    method: str
    path: str
    gate: May | Public

    @property
    def permission(self) -> str | None:
        """The permission asked for; None for everybody."""
        return str(self.gate.permission) if isinstance(self.gate, May) else None


def gates(route: RouteContext) -> list[May | Public]:
    """The declarations of a route, its own and those of its routers."""
    return [each.call for each in route.dependant.dependencies if isinstance(each.call, May | Public)]


def doors_of(app: FastAPI) -> list[Door]:
    """All routes of the application by method; only folders of static files are beside them."""
    found: list[Door] = []
    for route in iter_route_contexts(app.routes):
        if isinstance(route.route, Mount):
            assert route.name == "static"
            continue
        assert isinstance(route.original_route, APIRoute), route
        declared, path = gates(route), str(route.path)
        assert len(declared) == 1, f"{path} declares {len(declared)} rights instead of one"
        methods = sorted((route.methods or set()) - {"HEAD", "OPTIONS"})
        found += [Door(method, path, declared[0]) for method in methods]
    assert len(found) > 20, "the routes of the application have been found"
    return found


@pytest.fixture(scope="module")
async def streets(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Streets]:
    """Two streets for all tests of this module; whatever is asked here changes nothing of them."""
    name = f"t_{uuid.uuid4().hex}"
    conn = await asyncpg.connect(postgres.dsn("postgres"))
    await conn.execute(f'create database "{name}" template "{template}"')
    await conn.close()
    async with open_streets(postgres.dsn(name), tmp_path_factory.mktemp("streets")) as streets:
        yield streets
    await postgres.drop_database(name)


def address(door: Door, streets: Streets, side: str) -> tuple[str, bool]:
    """The address of this door for what lies on this side, and whether it names something that lies anywhere."""
    located = False

    def value(match: re.Match[str]) -> str:
        nonlocal located
        found = known(match[1], door.path, streets, side)
        located = located or found in (*streets.cases.values(), *streets.wishes.values())
        return found

    return re.sub(r"\{(\w+)(?::\w+)?\}", value, door.path), located


def known(name: str, path: str, streets: Streets, side: str) -> str:
    """What stands for ``{name}`` in this address."""
    if name in ("stream", "case", "case_id", "wish", "wish_id", "id"):
        return streets.wishes[side] if "wish" in path or "wish" in name else streets.cases[side]
    fixed = {
        "digest": _NO_FILE,
        "session": str(uuid.UUID(int=1)),
        "token": str(uuid.UUID(int=2)),
    }
    assert name in fixed, f"say in this test what {{{name}}} of {path} stands for"
    return fixed[name]


def code_of(answer: httpx.Response) -> str | None:
    """The code of a refusal, on a page or in a problem."""
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        return str(answer.json()["code"])
    found = re.search(r'<p class="code">\S+ ([\w.]+)</p>', answer.text)
    return found[1] if found else None


async def test_every_route_declares_exactly_one_right(streets: Streets) -> None:
    doors = doors_of(streets.doors.app)

    assert {door.permission for door in doors} - {None} <= {str(each) for each in Permission}
    assert all(isinstance(door.gate, May) or door.gate.why.strip() for door in doors)


async def test_the_api_is_never_public(streets: Streets) -> None:
    public = [
        door.path for door in doors_of(streets.doors.app) if door.path.startswith("/api/") and not door.permission
    ]

    assert public == []


async def test_nobody_signed_out_gets_past_a_declared_right(streets: Streets) -> None:
    for door in doors_of(streets.doors.app):
        path, _ = address(door, streets, NEAR)
        answer = await streets.ask(None, door.method, path)
        if door.permission is None:
            assert answer.status_code < 500, (door, answer.text)
        elif path.startswith("/api/") or door.method != "GET":
            assert (answer.status_code, code_of(answer)) == (401, "access.signed_out"), door
        else:
            assert answer.status_code == 303, door
            assert answer.headers["location"].startswith("/sign-in?next="), door


@pytest.mark.parametrize("by_token", [False, True], ids=["session", "token"])
@pytest.mark.parametrize(("role", "side"), list(everybody()), ids=lambda each: getattr(each, "value", str(each)))
async def test_the_matrix_decides_at_every_door(streets: Streets, role: Role | None, side: str, by_token: bool) -> None:
    who = streets.people[person(role, side) if role else "nobody"]
    before, before_asked = await streets.events(), list(streets.desk.asked)
    for door in doors_of(streets.doors.app):
        if by_token and not door.path.startswith("/api/"):
            continue
        if door.path in ("/sign-in", "/sign-out"):
            # They are for ending and changing sessions, and have tests of their own.
            continue
        path, located = address(door, streets, NEAR)
        answer = await streets.ask(who, door.method, path, by_token=by_token)
        _check(door, role, side, located, answer)
    assert await streets.events() == before
    assert streets.desk.asked == before_asked


def _check(door: Door, role: Role | None, side: str, located: bool, answer: httpx.Response) -> None:
    code, told = code_of(answer), (door, role, side, answer.status_code, answer.text[:300])
    assert answer.status_code < 500, told
    granted = door.permission is None or (role is not None and MATRIX.grants(role, door.permission))
    if not granted:
        assert (answer.status_code, code) == (403, "access.denied"), told
        return
    if side == FAR:
        assert TITLES[NEAR] not in answer.text, told
        assert not located or answer.status_code in (403, 404), told
        return
    # The right is there; what the single act asks besides is its own affair.
    assert door.permission is None or answer.status_code != 401, told
    assert code not in ("access.out_of_reach", "access.signed_out", "access.token_invalid"), told
    assert code != "access.denied" or "act." in answer.text, told


async def test_a_token_opens_no_page_and_no_account(streets: Streets) -> None:
    administrator = streets.people[person(Role.ADMINISTRATOR, NEAR)]

    for door in doors_of(streets.doors.app):
        if door.permission is None or door.path.startswith("/api/"):
            continue
        answer = await streets.ask(
            None,
            door.method,
            address(door, streets, NEAR)[0],
            headers={"authorization": f"Bearer {administrator.token}"},
        )
        assert answer.status_code in (303, 401), door
