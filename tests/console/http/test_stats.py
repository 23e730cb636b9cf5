"""Statistics and the open ledger: every number opens to its cases, and nobody sees beyond their reach."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from console.board.address import Address, seal
from console.pages.ledger import PURPOSE
from domain.figures import MEASURES
from ledger.figures import Selection, one_figure
from ledger.log import canonical
from tests.console.http.doors import Doors
from tests.ledger.facts import case_row
from tests.ledger.figure_rows import BEGIN, END, invented

DAYS = "from=2026-08-01&to=2026-12-31"
CANARIES = ("张女士反映漏水", "王建国来电13912345678", "12号楼3单元501室停水")


@pytest.fixture
async def counted(reading_doors: Doors, furnished_database: str) -> Doors:
    """Doors over 150 invented cases of the street, and as many of another one."""
    rows: dict[str, list[Any]] = {"case_row": [], "case_figure": []}
    for number, (case, figure) in enumerate(invented(300)):
        place = {"street": "S01" if number % 2 else "S99"}
        title = CANARIES[number % 3] if number % 10 == 1 else case.title
        rows["case_row"].append(case.model_copy(update={**place, "title": title}).model_dump(mode="json"))
        rows["case_figure"].append(figure.model_copy(update=place).model_dump(mode="json"))
    conn = await asyncpg.connect(furnished_database)
    await conn.execute("select ledger_rows($1::text::jsonb)", canonical(rows))
    await conn.close()
    return reading_doors


async def _figures(doors: Doors, code: str, **chosen: str) -> tuple[int, int]:
    async with doors.office.pool.acquire() as conn:
        begin, end = BEGIN, datetime(2026, 12, 31, 16, tzinfo=UTC)
        found = await one_figure(conn, code, Selection(begin=begin, end=end, street="S01", **chosen))
    return found.hit, found.base


async def test_a_page_of_statistics_shows_every_figure_with_its_formula_and_both_numbers(counted: Doors) -> None:
    answer = await counted.browser("supervisor").get(f"/stats?{DAYS}")

    text = unescape(answer.text)
    assert answer.status_code == 200
    for measure in MEASURES:
        hit, base = await _figures(counted, measure.code)
        assert measure.name[0] in text
        if measure.base is not None:
            assert measure.formula[0] in text
            assert f"{measure.hit[0]} <b>{hit}</b>" in text
            assert f"{measure.base[0]} <b>{base}</b>" in text
    assert "剔除" in text
    assert "<svg" in text
    assert 'aria-label="按月：2026-08' in text


async def test_every_link_of_the_page_leads_to_as_many_cases_as_it_says(counted: Doors) -> None:
    browser = counted.browser("supervisor")
    page = unescape((await browser.get(f"/stats?{DAYS}")).text)
    links = re.findall(r'href="(/stats/[^"]+)">[^<]*?<b>(-?\d+)</b>', page)
    assert len(links) > 10

    for address, number in links:
        seen, onward = 0, address
        while onward:
            answer = await browser.get(onward)
            text = unescape(answer.text)
            assert answer.status_code == 200
            cells = re.findall(r'data-l="结果">.*?(?:<span class="nowrap">(-?\d+)/(\d+)</span>|(-?\d+) \S+)\s*<?', text)
            side = parse_qs(urlsplit(address).query)["side"][0]
            for above, below, plain in cells:
                seen += (
                    int(plain) if plain and side == "hit" else 1 if plain else int(above if side == "hit" else below)
                )
            following = re.search(r'href="([^"]+)" rel="next"', text)
            onward = following[1] if following else ""
        assert seen == int(number), address


async def test_nobody_sees_the_figures_of_another_street(counted: Doors) -> None:
    answer = await counted.browser("dispatcher").get(f"/stats/registered?{DAYS}&street=S99")

    assert "没有这样的诉求" in answer.text


@pytest.mark.parametrize("person", ["worker", "handler", "hotline"])
async def test_statistics_are_for_those_who_lead(counted: Doors, person: str) -> None:
    for path in ("/stats", "/stats/response", "/ledger", "/ledger/settled"):
        assert (await counted.browser(person).get(path)).status_code == 403


async def test_days_that_will_not_do_come_back_with_the_sentence_at_their_field(counted: Doors) -> None:
    for days in ("from=2026-10-02&to=2026-10-01", "from=heute&to=2026-10-01", "from=1026-10-02"):
        answer = await counted.browser("supervisor").get(f"/stats?{days}")
        assert answer.status_code == 422
        assert 'aria-invalid="true"' in answer.text


async def test_an_unknown_figure_is_not_found(counted: Doors) -> None:
    assert (await counted.browser("supervisor").get("/stats/happiness")).status_code == 404


async def test_the_api_tells_the_same_figures_and_their_cases(counted: Doors) -> None:
    program = counted.program("supervisor")

    rates = (await program.get(f"/api/v1/stats/rates?{DAYS}&by=department")).json()
    hit, base = await _figures(counted, "on_time")
    assert (rates["total"]["on_time"]["hit"], rates["total"]["on_time"]["base"]) == (hit, base)
    assert set(rates["groups"]) == {"D01", "D02", "D03", ""}
    assert {each["code"] for each in rates["measures"]} == {each.code for each in MEASURES}

    seen, onward = 0, f"/api/v1/stats/rates/on_time/cases?{DAYS}&side=hit&limit=7"
    while onward:
        answer = await program.get(onward)
        seen += sum(each["hit"] for each in answer.json()["items"])
        following = re.fullmatch(r'<(.+)>; rel="next"', answer.headers.get("link", ""))
        assert (following is None) == (answer.json()["next"] is None)
        onward = following[1] if following else ""
    assert seen == hit


async def test_the_api_refuses_what_it_does_not_know(counted: Doors) -> None:
    program = counted.program("supervisor")

    assert (await program.get("/api/v1/stats/rates?colour=blue")).status_code == 422
    assert (await program.get("/api/v1/stats/rates/happiness/cases")).status_code == 404
    assert (await program.get("/api/v1/stats/rates?from=0001-01-01&to=9999-12-31")).status_code == 422
    assert (await program.get("/api/v1/stats/rates?to=0001-01-01")).status_code == 422
    assert (await program.get("/api/v1/stats/ledger?from=2026-10-02&to=2026-10-01")).json()["code"] == "period.invalid"


async def test_the_open_ledger_hangs_out_counts_and_titles_but_nobody(counted: Doors) -> None:
    key = counted.office.key.derive(PURPOSE)
    sealed = seal(key, Address(unit="S01", until=datetime.now(UTC) + timedelta(days=1)))
    passer_by = counted.browser()

    page = await passer_by.get(f"/ledger?{DAYS}&s={sealed}")
    text = unescape(page.text)
    assert page.status_code == 200
    lines = re.findall(
        r'<td class="first">(\S+)</td><td data-l="建账" class="number"><a href="([^"]+)">(\d+)</a>', text
    )
    assert [name for name, _, _ in lines][:2] == ["东塘社区", "西塘社区"]
    for _, address, number in lines:
        seen, onward = 0, address
        while onward:
            listed = unescape((await passer_by.get(onward)).text)
            seen += listed.count("<tr><td")
            # The seal of the address and the marks of forms are drawn by chance and may hold any three digits.
            shown = listed[listed.index("<main") :].replace(sealed, "")
            for secret in ("张女士", "王建国", "139", "501", "/cases/", "p-1"):
                assert secret not in shown
            following = re.search(r'href="([^"]+)" rel="next"', listed)
            onward = following[1] if following else ""
        assert seen == int(number)


async def test_an_address_that_was_changed_has_ended_or_is_for_something_else_opens_nothing(counted: Doors) -> None:
    key, now = counted.office.key.derive(PURPOSE), datetime.now(UTC)
    good = seal(key, Address(unit="C01", until=now + timedelta(days=1)))
    wide = seal(b"x" * 32, Address(unit=None, until=now + timedelta(days=1)))
    old = seal(key, Address(unit="C01", until=now - timedelta(seconds=1)))
    board = seal(counted.office.key.derive("board"), Address(unit="C01", until=now + timedelta(days=1)))

    assert (await counted.browser().get(f"/ledger?s={good}")).status_code == 200
    for address in (
        wide,
        old,
        board,
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        "x",
        wide.partition(".")[0] + "." + good.partition(".")[2],
    ):
        assert (await counted.browser().get(f"/ledger?s={address}")).status_code == 403
    assert (await counted.browser().get("/ledger")).status_code == 303


async def test_an_address_shows_its_own_place_only(counted: Doors) -> None:
    sealed = seal(counted.office.key.derive(PURPOSE), Address(unit="C01", until=datetime.now(UTC) + timedelta(days=1)))

    page = await counted.browser().get(f"/ledger?{DAYS}&s={sealed}")
    other = await counted.browser().get(f"/ledger/registered?{DAYS}&community=C02&s={sealed}")

    assert "西塘社区" not in page.text
    assert "没有这样的诉求" in other.text


async def test_who_keeps_the_walls_finds_the_public_address_on_the_page(counted: Doors) -> None:
    shown = unescape((await counted.browser("supervisor").get("/ledger")).text)
    address = re.search(r'value="http://testserver(/ledger\?s=[^"]+)"', shown)

    assert address is not None
    assert (await counted.browser().get(address[1])).status_code == 200
    assert "/ledger?s=" not in (await counted.browser("community").get("/ledger")).text


async def test_cases_behind_overdue_say_how_many_times_the_limit(reading_doors: Doors, furnished_database: str) -> None:
    at = END - timedelta(days=20)
    clock: dict[str, Any] = {
        "stream": "case-late", "id": "handle", "process": "case", "kind": "handle", "organisation": "D01",
        "limit_text": "2d", "rules_version": "example-1", "calendar_version": None, "started_at": at.isoformat(),
        "warn_at": None, "due_at": (at + timedelta(days=2)).isoformat(), "provisional": False, "warned_at": None,
        "overdue_at": (at + timedelta(days=2)).isoformat(), "stopped_at": (at + timedelta(days=5)).isoformat(),
        "state": "stopped", "step": None, "pauses": [], "extended": [], "reached": [],
    }  # fmt: skip
    _, figure = next(iter(invented(1)))
    late = figure.model_copy(
        update={
            "id": "case-late",
            "street": "S01",
            "handling": "late",
            "handling_rules": "example-7",
            "registered_at": at,
        }
    )
    rows = {
        "case_row": [case_row("case-late", title="路面破损", street="S01", registered_at=at)],
        "case_figure": [late.model_dump(mode="json")],
        "clock": [clock],
    }
    conn = await asyncpg.connect(furnished_database)
    await conn.execute("select ledger_rows($1::text::jsonb)", canonical(rows))
    await conn.close()

    answer = await reading_doors.browser("supervisor").get(f"/stats/overdue?{DAYS}")

    assert "超时 1.50 倍" in answer.text
    assert "example-7" in answer.text
