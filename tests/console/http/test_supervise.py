"""The supervisor's desk: the right lists, and urging or ordering from them, each once."""

import re
from html import unescape
from typing import Any

import asyncpg
import pytest

from ledger.registry import store_rule_book
from tests.console.http.doors import Browser, Doors
from tests.console.http.rows import put
from tests.ledger.facts import NOON, case_row
from tests.neighbourhood import EXAMPLE_BOOK, LEAD
from tests.workflows.office import Office

HERE: dict[str, Any] = {"street": "S01", "level": "community", "rules_version": EXAMPLE_BOOK.version}


def _ids(html: str) -> list[str]:
    return re.findall(r'name="case" value="([^"]+)"', html)


def _tiles(html: str) -> dict[str, str]:
    found = re.findall(r'<span class="tile-name">([^<]+)</span><span class="tile-value">([^<]+)</span>', html)
    return dict(found)


def _clock(stream: str, **fields: Any) -> dict[str, Any]:
    return {
        "stream": stream, "id": "handle", "process": "case", "kind": "handle", "limit_text": "2h", "provisional": False,
        "started_at": NOON.isoformat(), "due_at": NOON.isoformat(), "state": "red", "pauses": [], "extended": [],
        "reached": [], **fields,
    }  # fmt: skip


@pytest.fixture
async def desk(reading_doors: Doors, furnished_database: str) -> Browser:
    """The supervisor's browser over requests in every trouble."""
    conn: asyncpg.Connection = await asyncpg.connect(furnished_database)
    await store_rule_book(conn, EXAMPLE_BOOK.version, EXAMPLE_BOOK.model_dump(mode="json"))
    await conn.close()
    await put(
        furnished_database,
        case_row=[
            case_row("case-red2", light="red", due_at="2026-03-02T10:00:00Z", title="先到期", **HERE),
            case_row("case-red1", light="red", due_at="2026-03-02T09:00:00Z", title="更早到期", **HERE),
            case_row("case-done", light="red", finished=True, **HERE),
            case_row("case-soon", light="yellow", **HERE),
            case_row("case-order", light="green", open_orders=1, **HERE),
            case_row("case-raised", light="green", street="S01", level="street"),
            case_row("case-still", light="green", suspended=True, **HERE),
            case_row("case-shelf", light="green", shelved=True, backlog=True, **HERE),
            case_row("case-far", light="red", street="S02"),
        ],
        clock=[
            _clock("case-red1", reached=["remind", "yellow", "urge", "red", "circular"]),
            _clock("case-red2", reached=["remind", "yellow", "red", "urge"]),
        ],
    )
    return reading_doors.browser("supervisor")


async def test_the_desk_opens_with_what_is_overdue_and_counts_every_list(desk: Browser) -> None:
    html = (await desk.get("/supervise")).text

    assert _ids(html) == ["case-red1", "case-red2"]
    assert _tiles(html) == {
        "超期": "2", "临期": "1", "已发催办通知书": "2", "已通报": "1", "已约谈": "0", "督办未复": "1", "已提级": "1",
        "停表": "1", "积存": "1",
    }  # fmt: skip
    assert "处置时限 · 通报" in html


async def test_every_tile_opens_down_to_its_requests(desk: Browser) -> None:
    html = (await desk.get("/supervise")).text
    opened = {}
    for address, name in re.findall(r'<a class="tile" href="([^"]+)"[^>]*><span class="tile-name">([^<]+)<', html):
        page = await desk.get(unescape(address))
        assert page.status_code == 200
        opened[name] = _ids(page.text)

    assert {name: str(len(ids)) for name, ids in opened.items()} == _tiles(html)
    assert opened["督办未复"] == ["case-order"]
    assert opened["已通报"] == ["case-red1"]
    assert opened["积存"] == ["case-shelf"]


async def test_only_supervisors_find_the_desk(reading_doors: Doors) -> None:
    for person in ("dispatcher", "handler", "worker", "community"):
        assert (await reading_doors.browser(person).get("/supervise")).status_code == 403


async def test_history_leads_to_the_request_as_it_stood_at_a_moment_of_the_office(desk: Browser) -> None:
    there = await desk.get("/supervise/history", params={"case": "case-red1", "at": "2026-03-02T12:30"})
    far = await desk.get("/supervise/history", params={"case": "case-far"})
    never = await desk.get("/supervise/history", params={"case": "case-red1", "at": "gestern"})

    assert there.status_code == 303
    assert there.headers["location"] == "/cases/case-red1?at=2026-03-02T04%3A30%3A00%2B00%3A00"
    assert (far.status_code, never.status_code) == (403, 422)
    assert (await desk.get("/supervise/history", params={"case": "case-none"})).status_code == 404


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"act": "urge", "text": "请抓紧"}, "没有勾选诉求"),
        ({"act": "urge", "case": "case-red1", "text": " "}, "f-text-wrong"),
        ({"act": "urge", "case": [f"case-{n}" for n in range(31)], "text": "请抓紧"}, "say-bad"),
        ({"act": "urge", "case": "wish-1", "text": "请抓紧"}, "没有勾选诉求"),
    ],
)
async def test_a_form_that_cannot_be_acted_on_comes_back(desk: Browser, fields: dict[str, Any], what: str) -> None:
    answer = await desk.post("/supervise", fields)

    assert answer.status_code == 422
    assert what in answer.text
    assert fields["text"] in answer.text


async def _troubled(office: Office) -> str:
    stream = await office.register()
    await office.do(stream, "community", "whistle", reason="reflected", departments=[LEAD], approver="approver")
    await office.do(stream, "dispatcher", "dispatch", lead=LEAD)
    return stream


async def test_what_is_ticked_is_urged_and_ordered_once_each_however_often_it_is_sent(
    working_office: Office, doors: Doors
) -> None:
    first, second = await _troubled(working_office), await working_office.register()
    browser = doors.browser("supervisor")
    urging = {"act": "urge", "text": "请抓紧办理", "case": [first, second], "state": "open",
              "_command_id": "8f7c1f64-6a43-4f9f-9f6d-5b5a0d1f7a10"}  # fmt: skip
    order = {**urging, "act": "supervise", "text": "三日内书面说明", "reply_within": "3wd",
             "case": [first], "_command_id": "8f7c1f64-6a43-4f9f-9f6d-5b5a0d1f7a11"}  # fmt: skip

    answers = [await browser.post("/supervise", urging) for _ in range(2)]

    assert [each.status_code for each in answers] == [303, 303]
    assert answers[0].headers["location"] == "/supervise?state=open&done=2"
    assert "已向 2 件诉求" in (await browser.get(answers[0].headers["location"])).text
    for stream in (first, second):
        facts = [each.body for each in await working_office.events(stream)]
        assert [each["text"] for each in facts if each["kind"] == "urged"] == ["请抓紧办理"]

    refused = await browser.post("/supervise", {**order, "case": [first, second], "reply_within": ""})
    answers = [await browser.post("/supervise", order) for _ in range(2)]

    # The rules of this office leave the time to reply to whoever orders.
    assert refused.status_code == 422
    assert "有 2 件没有发出" in refused.text
    assert refused.text.count(" checked") >= 2
    assert [each.status_code for each in answers] == [303, 303]
    assert [each.to for each in (await working_office.state(first)).orders] == [LEAD]
    assert (await working_office.state(second)).orders == ()


async def test_one_refused_request_does_not_keep_the_others_from_being_urged(
    working_office: Office, doors: Doors
) -> None:
    fine, over = await working_office.register(), await working_office.register()
    await working_office.do(over, "community", "decline", reason="no_facts", explanation="查无此事")

    answer = await doors.browser("supervisor").post(
        "/supervise", {"act": "urge", "text": "请抓紧", "case": [fine, over]}
    )

    assert answer.status_code == 409
    assert "有 1 件没有发出，1 件已发出" in answer.text
    assert "urged" in await working_office.kinds(fine)
    assert "urged" not in await working_office.kinds(over)
