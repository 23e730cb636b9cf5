"""Registry, rules and calendar on pages: check, difference, confirm, and carrying them to open cases."""

import re
from typing import Any

import httpx
import pytest
import yaml

from console.carrying import stop_all
from ledger.calendars import current_calendar
from ledger.registry import read_registry
from ledger.rule_books import current_version
from ledger.rule_files import rule_book_yaml
from tests.console.http.doors import Browser, Doors
from tests.neighbourhood import EXAMPLE_BOOK, REGISTRY
from tests.waiting import eventually
from tests.workbooks import xlsx
from tests.workflows.office import Office

# Without the rows of categories that this small neighbourhood does not have.
BOOK = rule_book_yaml(
    EXAMPLE_BOOK.model_copy(update={"rows": tuple(row for row in EXAMPLE_BOOK.rows if row.category is None)})
).encode()


def _registry(**changes: Any) -> bytes:
    return yaml.safe_dump({**REGISTRY, **changes}, allow_unicode=True).encode()


def _administrator(doors: Doors) -> Browser:
    return doors.browser("root", administrator=True)


async def _upload(browser: Browser, path: str, name: str, content: bytes, **fields: str) -> str:
    answer = await browser.post(path, fields, files=[("file", (name, content))])
    assert answer.status_code == 303, answer.text[:2000]
    return str(answer.headers["location"])


# --- registry -----------------------------------------------------------------------------------------------------


async def test_a_registry_is_checked_compared_and_loaded_only_when_confirmed(reading_doors: Doors) -> None:
    browser = _administrator(reading_doors)
    more = [*REGISTRY["grids"], {"code": "G12", "name": "西塘二网格", "community": "C02", "households": 400}]
    draft = await _upload(browser, "/registry/load", "登记册.yaml", _registry(grids=more))

    looked = await browser.get(draft)
    async with reading_doors.office.pool.acquire() as conn:
        assert (await read_registry(conn)).revision == 1
    confirmed = await browser.post(draft, {"act": "load"})

    assert looked.status_code == 200
    assert "G12" in looked.text
    assert confirmed.headers["location"] == "/registry?done=2"
    assert "西塘二网格" in (await browser.get("/registry?done=2")).text
    again = await browser.post(draft, {"act": "load"})
    assert again.status_code == 404
    assert "可能已确认" in again.text


async def test_problems_of_a_registry_are_told_with_their_rows_and_nothing_is_loaded(reading_doors: Doors) -> None:
    browser = _administrator(reading_doors)
    content = xlsx({"organisations": [["code", "name", "kind", "parent"], ["C09", "孤社区", "community", "S99"]]})
    draft = await _upload(browser, "/registry/load", "book.xlsx", content)

    looked = await browser.get(draft)
    confirmed = await browser.post(draft, {"act": "load"})

    assert (looked.status_code, confirmed.status_code) == (422, 422)
    assert "S99" in looked.text
    async with reading_doors.office.pool.acquire() as conn:
        assert (await read_registry(conn)).revision == 1


async def test_codes_do_not_disappear_unless_that_is_ticked(reading_doors: Doors) -> None:
    browser = _administrator(reading_doors)
    draft = await _upload(browser, "/registry/load", "a.yaml", _registry(categories=REGISTRY["categories"][:1]))

    refused = await browser.post(draft, {"act": "load"})
    assert refused.status_code == 422
    dropped = await browser.post(draft, {"act": "load", "drop": "true"})
    assert dropped.status_code == 303


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.exe", b"MZ"), ("a.yaml", b"\xff\xfe"), ("../../etc/x.yaml", b"- 1"), ("a.xlsx", b"PK"), ("a.csv", b"code")],
)
async def test_a_file_that_cannot_be_read_is_told_in_words(reading_doors: Doors, name: str, content: bytes) -> None:
    browser = _administrator(reading_doors)
    draft = await _upload(browser, "/registry/load", name, content)

    looked = await browser.get(draft)

    assert looked.status_code == 422
    assert "request.mistake" not in looked.text


async def test_an_upload_without_a_file_comes_back(reading_doors: Doors) -> None:
    answer = await _administrator(reading_doors).post("/registry/load", {})

    assert answer.status_code == 422
    assert "没有选择文件" in answer.text


async def test_people_are_listed_with_their_roles_in_pages(reading_doors: Doors) -> None:
    browser = _administrator(reading_doors)

    found = await browser.get("/registry/people?q=dispatcher")

    assert "街道派单员" in found.text
    assert "杏林街道" in found.text
    assert "checker" not in found.text


async def test_a_draft_is_its_uploaders_alone(reading_doors: Doors) -> None:
    draft = await _upload(_administrator(reading_doors), "/registry/load", "a.yaml", _registry())

    assert (await reading_doors.browser("other-root", administrator=True).get(draft)).status_code == 404


@pytest.mark.parametrize("person", ["worker", "dispatcher", "supervisor", "handler"])
@pytest.mark.parametrize("path", ["/registry/load", "/rules/load", "/rules/adoptions", "/calendar/load"])
async def test_nobody_but_administrators_changes_anything(reading_doors: Doors, person: str, path: str) -> None:
    browser = reading_doors.browser(person)

    assert (await browser.get(path)).status_code == 403
    assert (await browser.post(path, {})).status_code == 403


# --- rules --------------------------------------------------------------------------------------------------------


async def test_a_rule_book_is_compared_imported_and_put_in_force(reading_doors: Doors) -> None:
    browser = _administrator(reading_doors)
    content = BOOK
    draft = await _upload(browser, "/rules/load", "rules.yaml", content, version="street-2")

    looked = await browser.get(draft)
    confirmed = await browser.post(draft, {"act": "load", "choose": "true"})

    assert looked.status_code == 200
    assert "street-2" in looked.text
    assert confirmed.headers["location"] == "/rules?done=street-2"
    async with reading_doors.office.pool.acquire() as conn:
        assert await current_version(conn) == "street-2"
        assert await conn.fetchval("select chosen_by from rule_book_choice order by number desc limit 1") == "root"
    shown = await browser.get("/rules/street-2")
    assert "督办阶梯" in shown.text
    assert "催办通知书" in shown.text
    listed = await browser.get("/rules")
    assert "street-2" in listed.text


async def test_a_book_may_be_kept_without_being_put_in_force(reading_doors: Doors) -> None:
    browser = _administrator(reading_doors)
    draft = await _upload(browser, "/rules/load", "rules.yaml", BOOK, version="later")

    await browser.post(draft, {"act": "load"})

    async with reading_doors.office.pool.acquire() as conn:
        assert await current_version(conn) == "natural-1"
    assert (await browser.get("/rules/later/yaml")).text.startswith("version: later")


async def test_problems_of_a_rule_sheet_name_sheet_row_and_column(reading_doors: Doors) -> None:
    browser = _administrator(reading_doors)
    content = xlsx({"时限": [["紧急程度", "处置"], ["一般", "很快"]]})
    draft = await _upload(browser, "/rules/load", "rules.xlsx", content, version="x")

    looked = await browser.get(draft)

    assert looked.status_code == 422
    assert "时限" in looked.text
    assert "很快" in looked.text
    assert (await browser.post(draft, {"act": "load"})).status_code == 422


async def test_a_draft_that_is_thrown_away_is_gone(reading_doors: Doors) -> None:
    browser = _administrator(reading_doors)
    draft = await _upload(browser, "/rules/load", "rules.yaml", BOOK)

    assert (await browser.post(draft, {"act": "forget"})).status_code == 303
    assert (await browser.get(draft)).status_code == 404


# --- calendar -----------------------------------------------------------------------------------------------------


async def test_the_year_shows_days_off_and_days_made_up_in_words(reading_doors: Doors) -> None:
    page = (await reading_doors.browser("worker").get("/calendar?year=2025")).text

    assert re.search(r"day-off[^>]*>1<small>休", page)
    assert "day-made_up" in page
    assert "放假安排还没有公布" in (await reading_doors.browser("worker").get("/calendar?year=2031")).text


async def test_the_way_to_a_due_time_is_shown(reading_doors: Doors) -> None:
    browser = reading_doors.browser("worker")

    found = await browser.get("/calendar/due", params={"start": "2025-09-30T17:00", "limit": "4工作时"})
    wrong = await browser.get("/calendar/due", params={"start": "昨天", "limit": "4wh"})
    odd = await browser.get("/calendar/due", params={"start": "2025-09-30T17:00", "limit": "很快"})

    assert "2025-10-09" in found.text
    assert "11:00" in found.text
    assert (wrong.status_code, odd.status_code) == (422, 422)
    assert "field-wrong" in odd.text


async def test_a_list_of_days_off_is_compared_and_put_in_force(reading_doors: Doors) -> None:
    browser = _administrator(reading_doors)
    content = b"date,kind,name\n2027-01-01,off,New Year\n2027-01-04,off,New Year\n"
    answer = await browser.post("/calendar/load", {}, files=[("file", ("2027.csv", content))])
    draft = answer.headers["location"]
    looked = await browser.get(draft)
    assert looked.status_code == 200, looked.text[-3000:]
    current = re.search(r'name="current" value="([^"]*)"', looked.text)
    assert current is not None

    stale = await browser.post(draft, {"act": "load", "current": "another"})
    confirmed = await browser.post(draft, {"act": "load", "current": current.group(1)})

    assert stale.status_code == 422
    assert confirmed.status_code == 303
    async with reading_doors.office.pool.acquire() as conn:
        calendar = await current_calendar(conn)
    assert calendar is not None
    assert calendar.published_until.year == 2027


async def test_the_list_that_ships_can_be_taken_without_a_file(reading_doors: Doors) -> None:
    browser = _administrator(reading_doors)

    answer = await browser.post("/calendar/load", {"source": "library"})

    assert (await browser.get(answer.headers["location"])).status_code == 200


# --- carrying -----------------------------------------------------------------------------------------------------


async def test_new_rules_reach_open_cases_while_the_page_is_closed(working_office: Office, doors: Doors) -> None:
    streams = [await working_office.register() for _ in range(3)]
    browser = _administrator(doors)
    draft = await _upload(browser, "/rules/load", "r.yaml", BOOK, version="street-2")
    await browser.post(draft, {"act": "load", "choose": "true"})
    page = await browser.get("/rules/adoptions")
    command_id = re.search(r'name="_command_id" value="([^"]+)"', page.text)
    assert command_id is not None
    begin = {"reason": "新规则施行", "_command_id": command_id.group(1)}

    first, second = await browser.post("/rules/adoptions", begin), await browser.post("/rules/adoptions", begin)

    assert first.headers["location"] == second.headers["location"]

    async def ended() -> httpx.Response | None:
        answer = await browser.get(first.headers["location"])
        return answer if "已完成" in answer.text else None

    shown = await eventually(ended, "the run ends")
    assert shown is not None
    assert "3 / 3" in shown.text
    for stream in streams:
        assert (await working_office.kinds(stream)).count("rules_adopted") == 1
        assert (await working_office.state(stream)).rules.version == "street-2"
    piece = await browser.get(first.headers["location"], headers={"hx-request": "true"})
    assert piece.text.lstrip().startswith('<div id="run"')


async def test_a_reason_is_needed_and_a_console_that_stops_breaks_nothing_off_unseen(
    working_office: Office, doors: Doors
) -> None:
    await working_office.register()
    browser = _administrator(doors)

    assert (await browser.post("/rules/adoptions", {"reason": " "})).status_code == 422
    await stop_all()
