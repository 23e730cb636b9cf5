"""Every route × every role × every place, by session and by token: the matrix decides, and it has no hole.

The cases are generated: the routes from the application itself, what they ask for from their declaration, the expected
answer from ``domain.rights.MATRIX``. Whoever adds a route is in here without doing anything, and a route whose address
names something this test does not know makes it fail.
"""

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest

from console.http.caller import May
from domain.people import Actor, Role
from domain.registry_check import registry_of
from domain.rights import ACTS, MATRIX, Permission, act, reach_of
from tests.console.http.all_doors import Door, address, code_of, doors_of
from tests.console.http.two_streets import (
    FAR,
    NEAR,
    ROLES,
    TITLES,
    Streets,
    everybody,
    person,
    place,
    two_streets_registry,
)
from tests.domain import routes
from tests.neighbourhood import GRID, LEAD


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
async def test_the_matrix_decides_at_every_door(deaf: Streets, role: Role | None, side: str, by_token: bool) -> None:
    streets = deaf
    who = streets.people[person(role, side) if role else "nobody"]
    before = await streets.events()
    for door in doors_of(streets.doors.app):
        if by_token and not door.path.startswith("/api/"):
            continue
        if door.path in ("/sign-in", "/sign-out"):
            # They are for ending and changing sessions, and have tests of their own.
            continue
        path, located = address(door, streets, NEAR)
        asked = len(streets.desk.asked)
        answer = await streets.ask(who, door.method, path, by_token=by_token)
        _check(door, role, side, located, answer)
        if side != NEAR or door.method == "GET":
            assert len(streets.desk.asked) == asked, (door, role, side)
    assert await streets.events() == before


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


# --- acts ---------------------------------------------------------------------------------------------------------

_ACTS: dict[str, dict[str, Any]] = {
    str(value["kind"]): dict(value) for value in vars(routes).values() if isinstance(value, dict) and "kind" in value
} | {
    "sign": {"kind": "sign", "digest": "0" * 64},
    "claim_wish": {"kind": "claim_wish", "promise": "本周送到"},
    "fulfil_wish": {"kind": "fulfil_wish", "text": "已送到"},
    "thank_for_wish": {"kind": "thank_for_wish", "word": "谢谢"},
}
_OPENINGS = ("register", "publish_wish")


def test_every_act_is_tried() -> None:
    assert set(ACTS) <= set(_ACTS) | set(_OPENINGS)


@pytest.mark.parametrize("by_token", [False, True], ids=["session", "token"])
@pytest.mark.parametrize("kind", sorted(set(ACTS) - set(_OPENINGS)))
async def test_an_act_gets_as_far_as_the_desk_only_from_its_roles_in_their_place(
    deaf: Streets, kind: str, by_token: bool
) -> None:
    registry = registry_of(two_streets_registry())
    wish = kind.endswith("_wish")
    for role in ROLES:
        for side in (NEAR, FAR):
            who = deaf.people[person(role, side)]
            before = len(deaf.desk.asked)
            path = f"/api/v1/wishes/{deaf.wishes[NEAR]}" if wish else f"/api/v1/cases/{deaf.cases[NEAR]}"
            key = {"idempotency-key": str(uuid.uuid4())}
            answer = await deaf.ask(who, "POST", f"{path}/commands", by_token=by_token, json=_ACTS[kind], headers=key)
            told = (role, side, kind, answer.status_code, answer.text[:300])
            actor = Actor(person=who.person, role=role, **place(role, side))
            held = role in ACTS[kind] and MATRIX.grants(role, Permission.WISH_ACT if wish else Permission.CASE_ACT)
            passes = held and reach_of(actor, registry, act(kind)).covers(_near())
            if not held:
                assert (answer.status_code, code_of(answer)) == (403, "access.denied"), told
            elif not passes:
                assert (answer.status_code, code_of(answer)) == (403, "access.out_of_reach"), told
            elif "evidence" in _ACTS[kind]:
                # Nobody has uploaded the files of the sample: it is refused for that, and for nothing before it.
                assert (answer.status_code, code_of(answer)) == (422, "file.not_yours"), told
            else:
                assert answer.status_code == 202, told
            assert len(deaf.desk.asked) - before == (passes and "evidence" not in _ACTS[kind]), told


@pytest.mark.parametrize("kind", sorted(kind for kind in ACTS if kind not in _OPENINGS and not kind.endswith("_wish")))
async def test_the_form_of_an_act_is_opened_and_taken_only_from_its_roles_in_their_place(
    deaf: Streets, kind: str
) -> None:
    registry = registry_of(two_streets_registry())
    path = f"/cases/{deaf.cases[NEAR]}/acts/{kind}"
    for role in ROLES:
        for side in (NEAR, FAR):
            who = deaf.people[person(role, side)]
            actor = Actor(person=who.person, role=role, **place(role, side))
            reads = MATRIX.grants(role, Permission.CASE_READ) and reach_of(actor, registry).covers(_near())
            for method in ("GET", "POST"):
                before = len(deaf.desk.asked)
                answer = await deaf.ask(who, method, path)
                told = (role, side, kind, method, answer.status_code, answer.text[:300])
                assert answer.status_code < 500, told
                if not reads or role not in ACTS[kind]:
                    assert answer.status_code in (403, 404, 409, 422), told
                    assert len(deaf.desk.asked) == before, told
                if not reads:
                    assert answer.status_code in (403, 404), told
                    assert TITLES[NEAR] not in answer.text, told


class _near:  # noqa: N801 - reads as the thing that lies near
    """Where the request and the wish of the near street lie."""

    street, community, grid, departments = "S01", "C01", GRID, (LEAD,)
    opened_by = person(Role.GRID_WORKER, NEAR)


async def test_a_token_does_what_it_was_made_for_and_no_more(deaf: Streets) -> None:
    access = deaf.doors.office.access
    who = deaf.people[person(Role.STREET_DISPATCHER, NEAR)]
    made = await access.tokens.issue(
        who.person, name="只读", permissions=["case.read"], lasts=timedelta(days=1), by=who.person
    )
    limited, case = replace(who, token=made.token), f"/api/v1/cases/{deaf.cases[NEAR]}"

    key = {"idempotency-key": str(uuid.uuid4())}
    read = await deaf.ask(limited, "GET", case, by_token=True)
    acted = await deaf.ask(limited, "POST", f"{case}/commands", by_token=True, json=_ACTS["comment"], headers=key)
    new = {"title": "路灯", "text": "不亮"}
    registered = await deaf.ask(limited, "POST", "/api/v1/cases", by_token=True, json=new, headers=key)

    assert read.status_code == 200
    assert [(each.status_code, code_of(each)) for each in (acted, registered)] == [(403, "access.denied")] * 2


async def test_a_token_that_is_none_opens_nothing_even_with_a_session_beside_it(streets: Streets) -> None:
    who = streets.people[person(Role.STREET_DISPATCHER, NEAR)]

    for given in ("Bearer bhn_wrong", "Bearer", "Basic eDp5", "bhn_x", f"Bearer {who.cookie}"):
        answer = await streets.ask(who, "GET", "/api/v1/cases", headers={"authorization": given})
        assert (answer.status_code, code_of(answer)) == (401, "access.token_invalid"), given
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_rights_end_on_the_day_the_role_ends(streets: Streets) -> None:
    """What a session or a token may do is asked at every request, not at signing in."""
    who = streets.people["nobody"]

    page = await streets.ask(who, "GET", "/search")
    api = await streets.ask(who, "GET", "/api/v1/cases", by_token=True)

    assert [code_of(page), code_of(api)] == ["access.denied", "access.denied"]
