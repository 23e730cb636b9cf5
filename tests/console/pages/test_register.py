"""A new request by the page, with and without what may be left out."""

import re
import uuid
from typing import Any

import httpx
import pytest

from console.pages.register import title_of
from ledger.log import history
from ledger.queries import one_case
from tests.console.files.pictures import picture, telling_photograph
from tests.console.http.doors import Doors
from tests.neighbourhood import EVERYDAY, GRID, ORDINARY, OTHER_GRID

CANARY = {"name": "金丝雀", "phone": "13912345678", "address": "金丝雀路 1 号"}


def form(**fields: Any) -> dict[str, Any]:
    return {
        "_command_id": str(uuid.uuid4()),
        "text": "东塘一网格楼道里堆着旧家具。走不过去！",
        "category": EVERYDAY,
        "grid": GRID,
        **fields,
    }


def photo(content: bytes, name: str = "张三家.jpg") -> tuple[str, tuple[str, bytes, str]]:
    return ("photos", (name, content, "image/jpeg"))


async def registered(doors: Doors, answer: httpx.Response) -> Any:
    assert answer.status_code == 303, answer.text
    stream = answer.headers["location"].removeprefix("/register/").partition("?")[0]
    async with doors.office.pool.acquire() as conn:
        return await one_case(conn, stream)


async def test_the_form_offers_the_own_grid_first_and_everyday_matters_large(reading_doors: Doors) -> None:
    answer = await reading_doors.browser("other-worker").get("/register")

    assert answer.status_code == 200
    assert f'<option value="{OTHER_GRID}" selected>东塘二网格（东塘社区）</option>' in answer.text
    assert re.search(rf'type="radio"[^>]*name="category"[^>]*value="{EVERYDAY}"', answer.text)
    assert 'capture="environment"' in answer.text


async def test_somebody_who_may_not_register_has_no_form(reading_doors: Doors) -> None:
    assert (await reading_doors.browser("handler").get("/register")).status_code == 403
    assert (await reading_doors.browser("handler").post("/register", form())).status_code == 403


async def test_a_form_without_words_comes_back_with_its_photographs(reading_doors: Doors) -> None:
    worker = reading_doors.browser("worker")

    first = await worker.post("/register", form(text="  ", category="", **CANARY), files=[photo(picture())])

    assert first.status_code == 422
    assert 'aria-invalid="true"' in first.text
    (digest,) = re.findall(r'name="kept" value="([0-9a-f]{64})"', first.text)
    assert CANARY["phone"] in first.text
    assert (await worker.get(f"/files/uploaded/{digest}?thumb=1")).status_code == 200

    second = await worker.post(
        "/register", form(text="", category="", kept=digest), files=[photo(picture("PNG", (30, 20)))]
    )

    assert len(re.findall(r'name="kept"', second.text)) == 2


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([photo(b"<svg/>")], "不是 JPEG、PNG 或 WebP"),
        ([photo(picture("PNG"))] * 10, "一次最多上传 9 张"),
    ],
)
async def test_a_photograph_that_is_refused_is_told_at_its_field(
    reading_doors: Doors, files: list[Any], words: str
) -> None:
    answer = await reading_doors.browser("worker").post("/register", form(), files=files)

    assert answer.status_code == 422
    assert words in answer.text
    assert "楼道里堆着旧家具" in answer.text


async def test_anothers_photograph_cannot_be_taken_along(reading_doors: Doors) -> None:
    answer = await reading_doors.browser("worker").post("/register", form(kept="a" * 64))

    assert answer.status_code == 422
    assert "a" * 64 not in answer.text


async def test_a_request_is_registered_with_photograph_title_urgency_and_code(doors: Doors) -> None:
    worker = doors.browser("worker")
    sent = form(**CANARY)

    answer = await worker.post("/register", sent, files=[photo(telling_photograph())])

    row = await registered(doors, answer)
    assert (row.title, row.grid, row.category, row.urgency) == (
        "东塘一网格楼道里堆着旧家具",
        GRID,
        EVERYDAY,
        "general",
    )
    shown = await worker.get(answer.headers["location"])
    assert shown.status_code == 200
    assert row.id.partition("-")[2][:8].upper() in shown.text
    assert re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", shown.text)
    assert not any(canary in shown.text for canary in CANARY.values())
    async with doors.office.pool.acquire() as conn:
        (event, *_) = await history(conn, row.id)
        assert await doors.office.vault.read(conn, row.id, "reporter_phone") == CANARY["phone"]
    body: Any = event.body
    (evidence,) = body["evidence"]
    assert evidence["kind"] == "before"
    assert (await worker.get(f"/files/{row.id}/{evidence['digest']}")).status_code == 200
    assert (await doors.browser("checker").get(answer.headers["location"])).status_code == 404


async def test_the_same_form_sent_twice_is_one_request(doors: Doors) -> None:
    worker, sent = doors.browser("worker"), form(**CANARY)

    answers = [await worker.post("/register", sent, files=[photo(telling_photograph())]) for _ in range(2)]

    assert {answer.headers["location"] for answer in answers} == {answers[0].headers["location"]}
    async with doors.office.pool.acquire() as conn:
        assert await conn.fetchval("select count(*) from case_row") == 1


async def test_a_form_changed_and_sent_again_is_another_request_only_on_purpose(doors: Doors) -> None:
    worker, sent = doors.browser("worker"), form()
    first = await registered(doors, await worker.post("/register", sent))

    again = await worker.post("/register", {**sent, "text": "路灯不亮，另外一件事"})

    assert again.status_code == 409
    assert first.id.partition("-")[2][:8].upper() in again.text
    assert "路灯不亮，另外一件事" in again.text
    (fresh,) = re.findall(r'name="_command_id" value="([^"]+)"', again.text)
    second = await registered(
        doors, await worker.post("/register", {**sent, "text": "路灯不亮，另外一件事", "_command_id": fresh})
    )
    assert second.id != first.id


async def test_what_is_chosen_from_all_kinds_counts_and_a_place_may_be_left_to_the_street(doors: Doors) -> None:
    sent = form(other_category=ORDINARY, grid="", title="自己写的标题", urgency="livelihood", channel="phone")

    row = await registered(doors, await doors.browser("dispatcher").post("/register", sent))

    assert (row.title, row.category, row.grid, row.street) == ("自己写的标题", ORDINARY, None, "S01")
    assert (row.urgency, row.channel) == ("livelihood", "phone")


async def test_a_photograph_and_a_kind_are_enough(doors: Doors) -> None:
    answer = await doors.browser("worker").post("/register", form(text=""), files=[photo(picture())])

    row = await registered(doors, answer)
    assert (row.title, row.text) == ("东塘一网格楼道杂物", "楼道杂物，情况见照片。")


async def test_something_alike_is_hinted_at_and_stops_nobody(doors: Doors) -> None:
    worker = doors.browser("worker")
    first = await registered(doors, await worker.post("/register", form()))
    draft = {"text": "一网格楼道里堆着旧家具，走不过去", "grid": GRID}

    hint = await worker.post("/register/similar", draft)

    assert hint.status_code == 200
    assert f"/cases/{first.id}" in hint.text
    assert f"/cases/{first.id}" not in (await worker.post("/register/similar", {**draft, "text": "路灯不亮"})).text
    elsewhere = {**draft, "grid": OTHER_GRID}
    assert f"/cases/{first.id}" not in (await worker.post("/register/similar", elsewhere)).text
    assert f"/cases/{first.id}" not in (await doors.browser("other-worker").post("/register/similar", draft)).text
    second = await worker.post("/register", form())
    assert f"/cases/{first.id}" in (await worker.get(second.headers["location"])).text


async def test_a_moment_of_discovery_is_taken_in_office_time(doors: Doors) -> None:
    row = await registered(doors, await doors.browser("worker").post("/register", form(found_at="2026-11-20T08:30")))

    assert row.found_at.isoformat() == "2026-11-20T00:30:00+00:00"


async def test_what_the_rules_refuse_is_told_in_the_form(doors: Doors) -> None:
    answer = await doors.browser("worker").post("/register", form(grid="G99"))

    assert answer.status_code == 422
    assert "楼道里堆着旧家具" in answer.text
    assert 'aria-invalid="true"' in answer.text


async def test_a_request_whose_answer_is_late_is_waited_for(reading_doors: Doors) -> None:
    stream = f"case-{'1' * 32}"

    waiting = await reading_doors.browser("worker").get(f"/register/{stream}?sent=1")

    assert waiting.status_code == 202
    assert "data-refresh" in waiting.text
    assert (await reading_doors.browser("worker").get(f"/register/{stream}")).status_code == 404


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("路灯不亮。晚上很黑", "路灯不亮"),
        ("\n\n  路灯不亮", "路灯不亮"),
        ("路" * 50, "路" * 30 + "…"),
        ("。。！", ""),
    ],
)
def test_the_title_is_the_first_sentence(text: str, title: str) -> None:
    assert title_of(text) == title
