"""Every route × every role × every place, by session and by token: the matrix decides, and it has no hole.

The cases are generated: the routes from the application itself, what they ask for from their declaration, the expected
answer from ``domain.rights.MATRIX``. Whoever adds a route is in here without doing anything, and a route whose address
names something this test does not know makes it fail.
"""

import httpx
import pytest

from console.http.caller import May
from domain.people import Role
from domain.rights import MATRIX, Permission
from tests.console.http.all_doors import Door, address, code_of, doors_of
from tests.console.http.two_streets import FAR, NEAR, TITLES, Streets, everybody, person


async def test_every_route_declares_exactly_one_right(streets: Streets) -> None:
    doors = doors_of(streets.doors.app)

    assert {door.permission for door in doors} - {None} <= {str(each) for each in Permission}
    assert all(isinstance(door.gate, May) or door.gate.why.strip() for door in doors)


async def test_of_the_api_only_its_description_is_public(streets: Streets) -> None:
    api = [door for door in doors_of(streets.doors.app) if door.path.startswith("/api/")]

    assert api
    assert {door.path for door in api if door.permission is None} <= {"/api/v1/openapi.json"}


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
        # What is written is read before its place is looked at; it is refused one way or the other.
        refused = (403, 404) if door.method == "GET" else (400, 403, 404, 409, 415, 422)
        assert not located or answer.status_code in refused, told
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
