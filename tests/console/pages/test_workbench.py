"""What somebody must do now, on pages."""

import re

import pytest

from tests.console.files.pictures import picture
from tests.console.http.doors import Browser, Doors
from tests.neighbourhood import BEFORE, EVERYDAY
from tests.workflows.office import Office


async def text(browser: Browser, path: str) -> str:
    answer = await browser.get(path)
    assert answer.status_code == 200, answer.text
    return answer.text


async def test_the_start_leads_everybody_to_where_they_work(reading_doors: Doors) -> None:
    async def there(browser: Browser) -> str:
        return str((await browser.get("/")).headers["location"])

    assert await there(reading_doors.browser()) == "/sign-in"
    assert await there(reading_doors.browser("worker")) == "/work"
    assert await there(reading_doors.browser("chief", administrator=True)) == "/accounts"


@pytest.mark.parametrize("path", ["/work", "/work/inbox", "/work/signing", "/work/visits"])
@pytest.mark.parametrize("person", ["worker", "handler", "captain", "dispatcher", "supervisor"])
async def test_somebody_with_nothing_to_do_is_told_so(reading_doors: Doors, path: str, person: str) -> None:
    assert 'class="nothing"' in await text(reading_doors.browser(person), path)


async def test_a_page_that_has_not_changed_is_not_sent_again(reading_doors: Doors) -> None:
    worker = reading_doors.browser("worker")
    tag = (await worker.get("/work")).headers["etag"]

    again = [await worker.get("/work", headers={"if-none-match": tag}) for _ in range(2)]

    # A minute may end between two of them, but not between each two.
    assert 304 in {answer.status_code for answer in again}
    assert (await reading_doors.browser("checker").get("/work", headers={"if-none-match": tag})).status_code == 200


@pytest.mark.parametrize("cursor", ["x", "W10", "'"])
async def test_a_cursor_that_is_none_is_refused(reading_doors: Doors, cursor: str) -> None:
    assert (await reading_doors.browser("worker").get("/work", params={"cursor": cursor})).status_code == 422


async def test_every_task_leads_with_one_tap_to_its_act(doors: Doors, working_office: Office) -> None:
    stream = await working_office.register(category=EVERYDAY)

    community = await text(doors.browser("community"), "/work")
    worker = await text(doors.browser("worker"), "/work")

    assert f'href="/cases/{stream}/acts/whistle"' in community
    assert f'href="/cases/{stream}/acts/handle_on_spot"' in worker
    assert "路面破损" in worker
    assert re.search(r'class="light light-green">正常<', worker)
    assert "剩 " in worker
    assert stream not in await text(doors.browser("far-community"), "/work")


async def test_a_department_accepts_with_one_tap_and_then_strikes_off(doors: Doors, working_office: Office) -> None:
    stream = await working_office.register()
    await working_office.walk(stream, until="dispatch")
    handler = doors.browser("handler")

    before = await text(handler, "/work/inbox")
    assert "待签收" in before
    form = re.search(rf'action="/cases/{stream}/acts/accept".*?</form>', before, re.S)
    assert form is not None
    fields = dict(re.findall(r'name="(_as|_next|_command_id)" value="([^"]*)"', form[0]))
    answers = [await handler.post(f"/cases/{stream}/acts/accept", fields) for _ in range(2)]

    assert [(each.status_code, each.headers["location"]) for each in answers] == [(303, "/work/inbox")] * 2
    after = await text(handler, "/work/inbox")
    assert "办理中" in after
    assert f'href="/cases/{stream}/acts/strike_off"' in after
    assert f'href="/cases/{stream}/acts/return_task"' in after
    assert stream in await text(doors.browser("department-head"), "/work/inbox")
    assert stream not in await text(doors.browser("helper"), "/work/inbox")


async def test_who_signs_sees_what_was_done_and_found(doors: Doors, working_office: Office) -> None:
    stream = await working_office.register()
    await working_office.walk(stream, until="verify")

    page = await text(doors.browser("captain"), "/work/signing")

    assert "路面已补好" in page
    assert "通过" in page
    assert f'href="/cases/{stream}/acts/sign"' in page
    assert f'href="/cases/{stream}/acts/refuse_signature"' in page


async def test_who_visits_sees_a_masked_number_and_the_whole_one_only_when_asking_for_it(
    doors: Doors, working_office: Office
) -> None:
    worker = doors.browser("worker")
    sent = {
        "_command_id": "6f0c1d8e-2d0c-4a64-9d2d-0c7a4a7b1f11",
        "text": "楼道杂物堵路",
        "category": EVERYDAY,
        "grid": "G01",
        "name": "金丝雀",
        "phone": "13912345678",
    }
    registered = await worker.post("/register", sent, files=[("photos", ("a.jpg", picture(), "image/jpeg"))])
    stream = registered.headers["location"].removeprefix("/register/")
    await working_office.do(
        stream, "worker", "handle_on_spot", measures="已清理", evidence=[BEFORE, {**BEFORE, "kind": "after"}]
    )
    await working_office.do(stream, "worker", "visit", answered=False)

    page = await text(worker, "/work/visits")

    assert "金** 139****5678" in page
    assert "1 次" in page
    assert "13912345678" not in page
    assert f"/cases/{stream}/reporter?reason=visit" in page
    shown = await worker.post(f"/cases/{stream}/reporter", {"reason": "visit"})
    assert shown.status_code == 200
    assert "tel:13912345678" in shown.text
    assert shown.headers["cache-control"] == "no-store"
    for stranger in ("other-worker", "supervisor", "far-community"):
        refused = await doors.browser(stranger).post(f"/cases/{stream}/reporter", {"reason": "visit"})
        assert refused.status_code == 403
        assert "13912345678" not in refused.text


async def test_tasks_of_several_roles_can_be_narrowed_to_one(doors: Doors, working_office: Office) -> None:
    await working_office.register(category=EVERYDAY)
    worker = doors.browser("worker")

    assert "现场办结" in await text(worker, "/work?role=grid_worker")
    # A role that is not held narrows nothing.
    assert "现场办结" in await text(worker, "/work?role=supervisor")
