"""Whoever knows an id or a digest still sees nothing outside their own grid, community, department or street."""

import io
import uuid
from typing import Any

import httpx
import pytest
from PIL import Image

from domain.people import Role
from tests.console.http.all_doors import address, code_of, doors_of
from tests.console.http.two_streets import FAR, NEAR, TITLES, Someone, Streets, enter, person
from tests.neighbourhood import GRID, LEAD

NEIGHBOURS = {
    "other-worker": "the next grid of the same community",
    "far-community": "the next community of the same street",
    "helper": "a department that takes no part",
    "other": "another that takes no part",
}
_PLACE_NAMES = {"street": "S01", "community": "C01", "grid": GRID, "department": LEAD, "unit": LEAD, "place": "C01"}


@pytest.fixture(scope="module")
async def neighbours(streets: Streets) -> dict[str, Someone]:
    """People of the same street whom the request does not concern."""
    return {name: await enter(streets.doors.office.access, name) for name in NEIGHBOURS}


def _told(answer: httpx.Response, streets: Streets) -> list[str]:
    """What of the near street an answer gives away."""
    return [each for each in (TITLES[NEAR], streets.cases[NEAR], streets.wishes[NEAR]) if each in answer.text]


@pytest.mark.parametrize("name", NEIGHBOURS)
async def test_a_neighbour_gets_no_further_than_a_stranger(
    streets: Streets, neighbours: dict[str, Someone], name: str
) -> None:
    located = 0
    for door in doors_of(streets.doors.app):
        path, lies_there = address(door, streets, NEAR)
        if door.method != "GET" or not lies_there or "wish" in path:
            continue
        for by_token in (False, True) if path.startswith("/api/") else (False,):
            answer = await streets.ask(neighbours[name], "GET", path, by_token=by_token)
            assert answer.status_code in (403, 404), (door, answer.text[:300])
            assert TITLES[NEAR] not in answer.text, door
            located += 1
    assert located > 5


@pytest.mark.parametrize("by_token", [False, True], ids=["session", "token"])
async def test_no_filter_widens_what_somebody_reaches(
    streets: Streets, neighbours: dict[str, Someone], by_token: bool
) -> None:
    strangers = [neighbours["far-community"], *(streets.people[person(role, FAR)] for role in Role if _works(role))]
    asked = 0
    for door in doors_of(streets.doors.app):
        if door.method != "GET" or (by_token and not door.path.startswith("/api/")):
            continue
        path, lies_there = address(door, streets, FAR)
        if lies_there:
            continue
        for name in door.queries:
            if name not in (*_PLACE_NAMES, "q", "of", "case"):
                continue
            value = _PLACE_NAMES.get(name) or (TITLES[NEAR] if name == "q" else streets.cases[NEAR])
            for who in strangers:
                answer = await streets.ask(who, "GET", path, by_token=by_token, params={name: value})
                told = [each for each in _told(answer, streets) if each != value]
                assert told == [], (door.path, name, who.person)
                asked += 1
    assert asked > 20


def _works(role: Role) -> bool:
    return role in (Role.GRID_WORKER, Role.COMMUNITY, Role.STREET_DISPATCHER, Role.DEPARTMENT_HANDLER, Role.SUPERVISOR)


async def test_every_list_of_a_stranger_has_nothing_of_the_near_street(streets: Streets) -> None:
    for role in Role:
        who = streets.people.get(person(role, FAR))
        for door in doors_of(streets.doors.app):
            path, lies_there = address(door, streets, FAR)
            if who is not None and door.method == "GET" and not lies_there:
                answer = await streets.ask(who, "GET", path)
                assert _told(answer, streets) == [], (door.path, role)


async def test_the_own_street_is_in_the_own_lists(streets: Streets) -> None:
    """So that the tests above cannot pass by everything being empty."""
    who = streets.people[person(Role.STREET_DISPATCHER, NEAR)]

    api = await streets.ask(who, "GET", "/api/v1/cases", by_token=True)
    page = await streets.ask(who, "GET", "/search")

    assert streets.cases[NEAR] in api.text
    assert TITLES[NEAR] in page.text
    assert streets.cases[FAR] not in api.text
    assert TITLES[FAR] not in page.text


# --- photographs --------------------------------------------------------------------------------------------------


def _photograph(shade: int) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (64, 48), (shade, 10, 20)).save(made, "JPEG")
    return made.getvalue()


async def _uploaded(streets: Streets, who: Someone, shade: int) -> str:
    answer = await streets.ask(
        who, "POST", "/api/v1/files", by_token=True, files={"photos": ("p.jpg", _photograph(shade), "image/jpeg")}
    )
    assert answer.status_code in (200, 201), answer.text
    return str(answer.json()["evidence"][0]["digest"])


def _evidence(digest: str) -> dict[str, Any]:
    return {"kind": "attach", "evidence": {"kind": "document", "ref": f"file-{digest[:16]}", "digest": digest}}


async def test_a_photograph_is_shown_to_those_who_reach_its_case_and_to_nobody_else(
    fresh_streets: Streets,
) -> None:
    streets = fresh_streets
    worker, stranger = streets.people[person(Role.GRID_WORKER, NEAR)], streets.people[person(Role.GRID_WORKER, FAR)]
    digest = await _uploaded(streets, worker, 200)

    assert (await streets.ask(worker, "GET", f"/files/uploaded/{digest}")).status_code == 200
    assert (await streets.ask(stranger, "GET", f"/files/uploaded/{digest}")).status_code == 404
    attached = await streets.ask(
        worker,
        "POST",
        f"/api/v1/cases/{streets.cases[NEAR]}/commands",
        by_token=True,
        json=_evidence(digest),
        headers={"idempotency-key": str(uuid.uuid4())},
    )
    assert attached.status_code == 200, attached.text

    for role in (Role.GRID_WORKER, Role.COMMUNITY, Role.STREET_DISPATCHER, Role.DEPARTMENT_HANDLER, Role.SUPERVISOR):
        near, far = streets.people[person(role, NEAR)], streets.people[person(role, FAR)]
        path = f"/files/{streets.cases[NEAR]}/{digest}"
        assert (await streets.ask(near, "GET", path)).status_code == 200, role
        assert (await streets.ask(far, "GET", path)).status_code == 403, role
        # Nor by way of a case of their own.
        assert (await streets.ask(far, "GET", f"/files/{streets.cases[FAR]}/{digest}")).status_code == 404, role
    assert (await streets.ask(None, "GET", path)).status_code == 303


async def test_nobody_makes_a_photograph_theirs_by_naming_its_digest(fresh_streets: Streets) -> None:
    streets = fresh_streets
    worker, stranger = streets.people[person(Role.GRID_WORKER, NEAR)], streets.people[person(Role.GRID_WORKER, FAR)]
    digest = await _uploaded(streets, worker, 90)

    stolen = await streets.ask(
        stranger,
        "POST",
        f"/api/v1/cases/{streets.cases[FAR]}/commands",
        by_token=True,
        json=_evidence(digest),
        headers={"idempotency-key": str(uuid.uuid4())},
    )

    assert (stolen.status_code, code_of(stolen)) == (422, "file.not_yours")
    assert (await streets.ask(stranger, "GET", f"/files/{streets.cases[FAR]}/{digest}")).status_code == 404
