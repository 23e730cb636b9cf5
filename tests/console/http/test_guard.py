"""What holds at every door: nobody forges a request, every answer is guarded, nothing that is written breaks it."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import pytest

from console.access.door import Access
from console.desk import Desk
from console.http.caller import FromOrigin
from console.http.guard import POLICY
from console.http.identity import identify
from console.http.site import Site
from domain.people import Role
from ledger.vault import MasterKey, Vault
from runtime.pool import open_pool
from runtime.settings import Settings
from tests.console.http.all_doors import Door, address, code_of, doors_of
from tests.console.http.doors import open_doors
from tests.console.http.signing import PASSWORD, Clock, Front, hidden, quick_hash
from tests.console.http.two_streets import NEAR, ROLES, Someone, Streets, person

_OF_NOBODY = ("/sign-in",)
"""Forms for the signed out; their tokens are bound to the browser alone."""


def _holder(streets: Streets, door: Door) -> Someone:
    """Somebody of the near street who may pass this door."""
    matrix = streets.doors.office.matrix
    role = next(role for role in ROLES if door.permission is None or matrix.grants(role, door.permission))
    return streets.people[person(role, NEAR)]


def _changing(streets: Streets) -> list[Door]:
    found = [door for door in doors_of(streets.doors.app) if door.method != "GET"]
    assert found
    return found


async def test_a_request_that_changes_something_is_refused_without_its_token(streets: Streets) -> None:
    before = await streets.events()
    for door in _changing(streets):
        who, (path, _) = _holder(streets, door), address(door, streets, NEAR)
        others = streets.doors.app.state.forms.token("a-browser", "another session")
        for given in ("", "x", "x.y", others):
            answer = await streets.ask(who, door.method, path, headers={"x-csrf-token": given})
            assert (answer.status_code, code_of(answer)) == (403, "request.forged"), (door, given)
    assert await streets.events() == before


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
        {"origin": "http://testserver.elsewhere.example"},
    ],
    ids=str,
)
async def test_a_request_sent_by_another_site_is_refused_even_with_a_token(
    streets: Streets, headers: dict[str, str]
) -> None:
    for door in _changing(streets):
        who, (path, _) = _holder(streets, door), address(door, streets, NEAR)
        answer = await streets.ask(who, door.method, path, headers=headers)
        assert (answer.status_code, code_of(answer)) == (403, "request.forged"), door


async def test_a_page_of_ours_may_send_its_forms(streets: Streets) -> None:
    for headers in ({"sec-fetch-site": "same-origin"}, {"origin": "http://testserver"}, {}):
        for door in _changing(streets):
            # What is asked by the pages of one other origin is not for ours.
            if door.path in ("/sign-out", *_OF_NOBODY) or isinstance(door.gate, FromOrigin):
                continue
            who, (path, _) = _holder(streets, door), address(door, streets, NEAR)
            answer = await streets.ask(who, door.method, path, headers=headers)
            assert code_of(answer) != "request.forged", door


async def test_no_token_of_a_form_travels_in_an_address(streets: Streets) -> None:
    token = streets.doors.app.state.forms.token("a-browser", streets.people[person(Role.GRID_WORKER, NEAR)].binding)
    who = streets.people[person(Role.GRID_WORKER, NEAR)]

    answer = await streets.ask(who, "POST", f"/preferences?_csrf={token}", headers={"x-csrf-token": ""})

    assert answer.status_code == 403


async def test_every_answer_carries_the_headers_that_guard_it(streets: Streets) -> None:
    for door in doors_of(streets.doors.app):
        path, _ = address(door, streets, NEAR)
        for who in (None, _holder(streets, door)):
            answer = await streets.ask(who, door.method, path, headers={"x-csrf-token": "wrong"})
            headers, told = answer.headers, (door, who)
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy, told
            assert "unsafe" not in policy, told
            assert "frame-ancestors 'none'" in policy, told
            assert headers["x-content-type-options"] == "nosniff", told
            assert headers["referrer-policy"] == "same-origin", told
            assert headers["x-frame-options"] == "DENY", told
            assert "no-store" in headers["cache-control"] or "private" in headers["cache-control"], told
            assert "server" not in headers, told
            if headers.get("content-type", "").startswith("text/html"):
                assert policy == POLICY, told


async def test_no_page_carries_what_the_policy_forbids(streets: Streets) -> None:
    seen = 0
    for door in doors_of(streets.doors.app):
        if door.method == "GET":
            answer = await streets.ask(_holder(streets, door), "GET", address(door, streets, NEAR)[0])
            if answer.headers.get("content-type", "").startswith("text/html"):
                seen += 1
                for forbidden in ("<style", " style=", " onclick=", " onsubmit=", "hx-on", "javascript:", "<script>"):
                    assert forbidden not in answer.text, (door, forbidden)
                # What is loaded or followed lies here; our own address may be read, and names of formats are no links.
                elsewhere = re.findall(r"https?://(?!testserver|www\.w3\.org/)[^\s\"'<]*", answer.text)
                assert elsewhere == [], door
    assert seen > 5


_ODD = (
    "",
    "\x00",
    "-1",
    "0",
    "100000000000000000000",
    "x" * 5000,
    "%",
    "'; drop table event; --",
    "\ud800",
    "[]",
    "e30",
)


async def test_whatever_stands_behind_the_question_mark_breaks_nothing(streets: Streets) -> None:
    asked = 0
    for door in doors_of(streets.doors.app):
        if door.method != "GET" or not door.queries:
            continue
        who, (path, _) = _holder(streets, door), address(door, streets, NEAR)
        for name in door.queries:
            for odd in _ODD:
                query = urlencode({name: odd}, errors="surrogatepass")
                answer = await streets.ask(who, "GET", f"{path}?{query}")
                assert answer.status_code < 500, (door.path, name, odd, answer.text[:300])
                asked += 1
    assert asked > 50


async def test_no_list_gives_more_than_a_page(streets: Streets) -> None:
    for door in doors_of(streets.doors.app):
        if door.method == "GET" and "limit" in door.queries:
            answer = await streets.ask(_holder(streets, door), "GET", f"{address(door, streets, NEAR)[0]}?limit=100000")
            assert answer.status_code == 422, door


async def test_looking_changes_nothing(streets: Streets) -> None:
    before, asked = await streets.events(), list(streets.desk.asked)
    for door in doors_of(streets.doors.app):
        if door.method == "GET":
            await streets.ask(_holder(streets, door), "GET", address(door, streets, NEAR)[0])

    assert await streets.events() == before
    assert streets.desk.asked == asked


# --- how the console is reached -----------------------------------------------------------------------------------


@pytest.fixture(params=["https", "intranet"])
async def elsewhere(
    request: pytest.FixtureRequest, furnished_database: str, tmp_path: Path
) -> AsyncIterator[tuple[Front, Site]]:
    """The doors over https, and over plain http on an intranet."""
    secure = request.param == "https"
    site = Site(url="https://testserver" if secure else "http://testserver", secure=secure, exposed=not secure)
    key = MasterKey.load(tmp_path / "master.key", create=True)
    settings = Settings.load(data=tmp_path, database_url=furnished_database, temporal_address="127.0.0.1:9")
    pool = await open_pool(furnished_database, size=4, role="bihuan_app")
    no_temporal: Desk = Desk(None, pool, Vault(key))  # type: ignore[arg-type]
    async with open_doors(pool, no_temporal, key, settings, site=site, identify=identify) as doors:
        access = Access.open(pool, settings, hashing=quick_hash())
        doors.office.access = access
        yield Front(doors, access, Clock()), site
    await pool.close()


async def test_cookies_are_as_safe_as_the_way_allows_and_an_open_way_is_told_on_every_page(
    elsewhere: tuple[Front, Site],
) -> None:
    front, site = elsewhere
    await front.account("worker")
    visitor = front.visitor()
    visitor.client.base_url = site.url

    shown = await visitor.get("/sign-in")
    entered = await visitor.sign_in("worker")
    inside = await visitor.get("/account")

    cookies = [shown.headers["set-cookie"], entered.headers["set-cookie"]]
    assert all("HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie for cookie in cookies)
    assert all(("Secure" in cookie) == site.secure for cookie in cookies)
    assert all(cookie.startswith("__Host-") == site.secure for cookie in cookies)
    assert all(("连接未加密" in page.text) == site.exposed for page in (shown, inside))
    assert ("strict-transport-security" in inside.headers) == site.secure


async def test_the_open_way_still_needs_the_token_of_the_form(elsewhere: tuple[Front, Site]) -> None:
    front, site = elsewhere
    await front.account("worker")
    visitor = front.visitor()
    visitor.client.base_url = site.url
    fields = hidden((await visitor.get("/sign-in")).text, "/sign-in")
    given = {"login": "worker", "password": PASSWORD}

    without = await visitor.client.post("/sign-in", data={**fields, **given, "_csrf": ""})
    with_it = await visitor.client.post("/sign-in", data={**fields, **given})

    assert (without.status_code, with_it.status_code) == (403, 303)
