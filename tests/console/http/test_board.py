"""The board: who may see it, by which address, how it hears of news, and that it speaks of nobody."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn

from console.board.address import Address, seal, unseal
from domain.errors import Refused
from tests.console.http.doors import Doors
from tests.workflows.office import Office

KEY, NOW = b"k" * 32, datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


def test_an_address_says_what_it_was_made_for() -> None:
    made = Address(unit="S01", until=NOW + timedelta(days=1))

    assert unseal(KEY, seal(KEY, made), NOW) == made


@pytest.mark.parametrize("change", ["other key", "ended", "changed", "cut", "empty", "odd"])
def test_an_address_that_was_changed_or_has_ended_opens_nothing(change: str) -> None:
    text = seal(KEY, Address(unit="C01", until=NOW + timedelta(days=1)))
    body, _, signature = text.partition(".")
    other = seal(KEY, Address(unit=None, until=NOW + timedelta(days=1))).partition(".")[0]
    given = {
        "other key": seal(b"o" * 32, Address(unit="C01", until=NOW + timedelta(days=1))),
        "ended": seal(KEY, Address(unit="C01", until=NOW)),
        "changed": f"{other}.{signature}",
        "cut": body,
        "empty": "",
        "odd": "ü.ü",
    }[change]

    with pytest.raises(Refused) as refused:
        unseal(KEY, given, NOW)

    assert refused.value.code == "board.link_invalid"


async def _address(doors: Doors, person: str, unit: str) -> str:
    answer = await doors.browser(person).post("/board/links", {"unit": unit, "days": "7", "theme": "light"})
    assert answer.status_code == 200, answer.text
    start = answer.text.index("http://testserver/board?s=")
    return answer.text[start : answer.text.index('"', start)].replace("&amp;", "&")


async def test_a_signed_address_shows_the_board_to_somebody_signed_out(reading_doors: Doors) -> None:
    address = await _address(reading_doors, "supervisor", "S01")

    parts = urlsplit(address)
    shown = await reading_doors.browser().get(f"{parts.path}?{parts.query}")

    assert shown.status_code == 200
    assert "杏林街道" in shown.text
    assert "light" in shown.text


async def test_without_an_address_the_board_is_for_those_who_may_read_it(reading_doors: Doors) -> None:
    assert (await reading_doors.browser().get("/board")).status_code == 303
    assert (await reading_doors.browser().get("/board?s=forged")).status_code == 403
    assert (await reading_doors.browser("handler").get("/board")).status_code == 403
    assert (await reading_doors.browser("supervisor").get("/board")).status_code == 200


async def test_nobody_makes_an_address_for_more_than_their_reach(reading_doors: Doors) -> None:
    browser = reading_doors.browser("supervisor")

    for fields in ({"unit": "", "days": "7"}, {"unit": "Q01", "days": "7"}, {"unit": "S01", "days": "4000"}):
        answer = await browser.post("/board/links", fields)
        assert answer.status_code == 422, fields
        assert "/board?s=" not in answer.text


@asynccontextmanager
async def _served(doors: Doors) -> AsyncIterator[str]:
    """The doors behind a real server, for an answer that does not end."""
    server = uvicorn.Server(uvicorn.Config(doors.app, port=0, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    doors.office.news.close()
    await serving


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str, Any]]:
    name = ""
    async for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, line.removeprefix("data: ")


async def test_an_act_reaches_the_wall_and_who_comes_back_is_told_only_what_differs(
    doors: Doors, working_office: Office
) -> None:
    sealed = seal(doors.office.key.derive("board"), Address(unit="S01", until=datetime.now(UTC) + timedelta(days=1)))
    async with (
        _served(doors) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=60, params={"s": sealed}) as client,
    ):
        # Nothing is open yet, so nothing on the wall changes by itself.
        shown = (await doors.browser().get(f"/board?s={sealed}")).text
        digest = shown.partition('data-digest="')[2].partition('"')[0]
        async with client.stream("GET", "/board/events", headers={"Last-Event-ID": digest}) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            assert answer.headers["x-accel-buffering"] == "no"
            news = _events(answer.aiter_lines())
            assert (await anext(news))[0] == "assets"
            assert json.loads((await anext(news))[1])["inside"] is None

            await working_office.register(title="井盖松动")
            while "井盖松动" not in (json.loads((await anext(news))[1])["inside"] or ""):
                pass

        async with client.stream("GET", "/board/events") as answer:
            news = _events(answer.aiter_lines())
            assert (await anext(news))[0] == "assets"
            assert "井盖松动" in json.loads((await anext(news))[1])["inside"]


async def test_a_title_that_may_speak_of_a_person_is_not_hung_up(doors: Doors, working_office: Office) -> None:
    await working_office.register(title="王建国家漏水", text="楼上漏水")

    shown = await doors.browser("supervisor").get("/board")

    assert "王建国" not in shown.text
    assert "路面破损" in shown.text
