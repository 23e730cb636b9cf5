"""The dispatch desk: what waits for the street, suggestions, and one form that decides."""

import re
from html import unescape
from typing import Any

import httpx

from tests.console.http.doors import Browser, Doors
from tests.console.http.rows import put
from tests.ledger.facts import case_row, task_row
from tests.neighbourhood import HELPER, LEAD, ORDINARY, OTHER
from tests.workflows.office import Office

WHISTLE: dict[str, Any] = {"reason": "reflected", "departments": [HELPER, LEAD], "approver": "approver"}


def _forms(html: str, mark: str) -> list[str]:
    """The forms that hold this mark."""
    return [each for each in re.findall(r"<form\b.*?</form>", html, re.DOTALL) if mark in each]


def fields_of(html: str, action: str) -> dict[str, list[str]]:
    """What a browser would send of the form with this action, as it stands."""
    forms = [each for each in re.findall(r"<form\b.*?</form>", html, re.DOTALL) if f'action="{action}"' in each]
    assert forms, f"there is no form for {action}"
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input\b[^>]*>", forms[0]):
        attrs = dict(re.findall(r'([a-z]+)="([^"]*)"', tag))
        if attrs.get("type") in ("radio", "checkbox") and " checked" not in tag:
            continue
        if "name" in attrs and attrs.get("type") != "file":
            found.setdefault(attrs["name"], []).append(unescape(attrs.get("value", "")))
    for select in re.findall(r"<select\b.*?</select>", forms[0], re.DOTALL):
        name = re.findall(r'name="([^"]*)"', select)[0]
        found[name] = re.findall(r'<option value="([^"]*)" selected', select)[:1] or [""]
    return found


async def _send(browser: Browser, stream: str, kind: str, **written: Any) -> httpx.Response:
    shown = await browser.get(f"/dispatch/{stream}")
    action = f"/dispatch/{stream}/{kind}"
    return await browser.client.post(action, data={**fields_of(shown.text, action), **written})


async def test_the_desk_holds_what_waits_for_the_street_by_deadline_and_says_how_much(
    reading_doors: Doors, furnished_database: str
) -> None:
    here: dict[str, Any] = {"role": "street_dispatcher", "organisation": "S01"}
    await put(
        furnished_database,
        case_row=[
            case_row("case-1", title="待派的事", street="S01"),
            case_row("case-2", title="退回的事", street="S01", returns=1),
            case_row("case-3", title="别处的事", street="S02"),
            case_row("case-4", title="部门的事", street="S01"),
        ],
        task=[
            task_row("case-1", "dispatch#0.1", kind="dispatch", due_at="2126-01-02T00:00:00Z", **here),
            task_row("case-2", "arbitrate#0.2", kind="arbitrate", due_at="2026-01-01T00:00:00Z", **here),
            task_row("case-3", "dispatch#0.1", kind="dispatch", role="street_dispatcher", organisation="S02"),
            task_row("case-4", "handle:D01", role="department_handler", organisation=LEAD),
        ],
    )
    browser = reading_doors.browser("dispatcher")

    whole, part = await browser.get("/dispatch"), await browser.get("/dispatch?kind=arbitrate")

    assert re.findall(r'<a href="/dispatch/(case-\d)">', whole.text) == ["case-2", "case-1"]
    assert re.findall(r'<a href="/dispatch/(case-\d)">', part.text) == ["case-2"]
    assert "已超期 1" in whole.text
    assert (await reading_doors.browser("handler").get("/dispatch")).status_code == 403
    assert (await browser.get("/dispatch/case-3")).status_code == 403
    assert (await browser.get("/dispatch/case-9")).status_code == 404


async def test_one_form_dispatches_with_what_whistle_and_habit_suggest(working_office: Office, doors: Doors) -> None:
    earlier = await working_office.register(title="十二号楼下水堵塞", text="十二号楼下水道堵塞返水")
    await working_office.do(earlier, "community", "whistle", **{**WHISTLE, "departments": [LEAD]})
    await working_office.do(earlier, "dispatcher", "dispatch", lead=LEAD)
    stream = await working_office.register(title="下水堵塞", text="十二号楼下水道堵塞，返水严重")
    await working_office.do(stream, "community", "whistle", **WHISTLE)
    browser = doors.browser("dispatcher")

    shown = await browser.get(f"/dispatch/{stream}")
    form = fields_of(shown.text, f"/dispatch/{stream}/dispatch")

    assert shown.status_code == 200
    assert form["lead"] == [HELPER]
    assert form["helpers"] == [LEAD]
    assert f'href="/cases/{earlier}"' in shown.text
    assert "1 件中 1 件" in shown.text
    assert "7天" in shown.text

    answer = await _send(browser, stream, "dispatch", instruction="请尽快处置")

    assert answer.status_code == 303
    state = await working_office.state(stream)
    assert state.stage == "dispatched"
    assert state.departments == (HELPER, LEAD)
    assert "下水堵塞" in (await browser.get(answer.headers["location"])).text


async def test_the_same_form_sent_twice_dispatches_once(working_office: Office, doors: Doors) -> None:
    stream = await working_office.register()
    await working_office.do(stream, "community", "whistle", **WHISTLE)
    browser = doors.browser("dispatcher")
    action = f"/dispatch/{stream}/dispatch"
    form = fields_of((await browser.get(f"/dispatch/{stream}")).text, action)

    first, second = await browser.client.post(action, data=form), await browser.client.post(action, data=form)

    assert (first.status_code, second.status_code) == (303, 303)
    assert (await working_office.state(stream)).dispatches == 1


async def test_the_second_of_two_dispatchers_is_told_that_it_is_done(working_office: Office, doors: Doors) -> None:
    stream = await working_office.register()
    await working_office.do(stream, "community", "whistle", **WHISTLE)
    browser = doors.browser("dispatcher")
    action = f"/dispatch/{stream}/dispatch"
    form = fields_of((await browser.get(f"/dispatch/{stream}")).text, action)
    await working_office.do(stream, "dispatcher", "dispatch", lead=OTHER)

    answer = await browser.client.post(action, data=form)

    assert answer.status_code == 409
    assert "现在不等街道处理" in answer.text
    assert 'class="say say-bad"' in answer.text
    assert (await working_office.state(stream)).departments == (OTHER,)


async def test_what_was_written_comes_back_with_the_reason_at_its_field(working_office: Office, doors: Doors) -> None:
    stream = await working_office.register()
    await working_office.do(stream, "community", "whistle", **WHISTLE)
    browser = doors.browser("dispatcher")

    answer = await _send(browser, stream, "dispatch", lead="", instruction="先看现场")

    assert answer.status_code == 422
    assert "先看现场" in answer.text
    assert (await working_office.state(stream)).stage == "whistled"


async def test_a_request_without_a_grid_is_placed_at_the_desk(working_office: Office, doors: Doors) -> None:
    stream = await working_office.register("hotline", grid=None, street="S01")
    browser = doors.browser("dispatcher")

    assert f'href="/dispatch/{stream}"' in (await browser.get("/dispatch?kind=place")).text
    answer = await _send(browser, stream, "correct", grid="G02", reason="按地址落格")

    assert answer.status_code == 303
    state = await working_office.state(stream)
    assert state.place.grid == "G02"
    assert state.category == ORDINARY


async def test_a_return_is_arbitrated_at_the_desk(working_office: Office, doors: Doors) -> None:
    stream = await working_office.register()
    await working_office.do(stream, "community", "whistle", **WHISTLE)
    await working_office.do(stream, "dispatcher", "dispatch", lead=LEAD)
    await working_office.do(stream, "handler", "return_task", reason="不归我局", legal_basis="三定方案", proposed=OTHER)
    browser = doors.browser("dispatcher")

    shown = await browser.get(f"/dispatch/{stream}")
    assert "退" in shown.text
    forced = _forms(shown.text, 'name="_variant" value="force"')
    answer = await browser.client.post(
        f"/dispatch/{stream}/arbitrate",
        data={**fields_of(forced[0], f"/dispatch/{stream}/arbitrate"), "reason": "属你局职责"},
    )
    assert answer.status_code == 303
    assert (await working_office.state(stream)).departments == (LEAD,)
