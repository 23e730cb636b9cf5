"""The residents' own page: who is let in, what they see, what they may do, and the slip they are handed."""

import logging
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from console.desk import new_stream
from console.tracking import Tracking
from ledger.vault import MasterKey
from tests.console.http.doors import Browser, Doors
from tests.neighbourhood import ACTORS, AFTER, BEFORE, EVERYDAY
from tests.workflows.office import REGISTRATION, Office

PHONE, NAME = "13800004567", "王小燕"


async def _registered(office: Office, doors: Doors, **fields: Any) -> tuple[str, str]:
    """A request with a reporter, and its code."""
    stream = new_stream("case")
    await office.desk.open(
        stream,
        ACTORS["worker"],
        {**REGISTRATION, "reporter": f"{stream}/reporter", **fields},
        private={"reporter_name": NAME, "reporter_phone": PHONE},
    )
    async with doors.office.pool.acquire() as conn:
        code = await Tracking(doors.office.key).issue(conn, stream, PHONE, by="worker", at=datetime.now(UTC))
    return stream, code


async def _let_in(doors: Doors, code: str) -> Browser:
    browser = doors.browser()
    answer = await browser.post("/tracking", {"code": code, "digits": "4567"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/tracking/mine")
    return browser


def _hidden(page: str, form: str) -> str:
    """The command id that the form to this address carries."""
    found = re.search(rf'action="{form}".*?name="_command_id" value="([^"]+)"', page, re.DOTALL)
    assert found, f"no form to {form}"
    return found.group(1)


# --- being let in -------------------------------------------------------------------------------------------------


def _without_marks(page: str) -> str:
    """The page without the marks of its forms, which are drawn by chance and may hold any four digits."""
    return re.sub(r'name="_(?:csrf|command_id)" value="[^"]*"|data-csrf="[^"]*"', "", page)


async def test_the_page_shows_how_far_it_is_and_nobody(working_office: Office, doors: Doors) -> None:
    stream, code = await _registered(working_office, doors)
    await working_office.walk(stream, until="accept")
    browser = await _let_in(doors, code)

    page = _without_marks((await browser.get("/tracking/mine")).text)

    assert "承办部门正在办理" in page
    assert "城市管理" in page
    for never in (NAME, PHONE, "4567", code, *(actor.person for actor in ACTORS.values() if len(actor.person) > 6)):
        assert never not in page, never


async def test_a_wrong_code_and_wrong_digits_look_the_same_and_are_not_shown_again(
    working_office: Office, doors: Doors
) -> None:
    _, code = await _registered(working_office, doors)
    other = Tracking(MasterKey(bytes(32)))._code("case-x", 1)
    pages = []

    for wrong, digits in ((code, "9999"), (other, "4567")):
        answer = await doors.browser().post("/tracking", {"code": wrong, "digits": digits})
        assert answer.status_code == 404
        assert wrong not in answer.text
        assert digits not in _without_marks(answer.text)
        assert "resident=" not in answer.headers.get("set-cookie", "")
        pages.append(re.sub(r'value="[^"]*"|data-csrf="[^"]*"', "", answer.text))

    assert pages[0] == pages[1]


async def test_the_code_is_in_no_address_no_log_and_no_cookie(
    working_office: Office, doors: Doors, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    stream, code = await _registered(working_office, doors)
    browser = await _let_in(doors, code)
    page = await browser.get("/tracking/mine")
    await working_office.events(stream)

    out, err = capfd.readouterr()
    told = caplog.text + out + err + str(page.url) + str(dict(browser.client.cookies)) + page.text
    assert code not in told
    assert code.replace("-", "") not in told


async def test_nobody_gets_in_without_having_been_let_in(working_office: Office, doors: Doors) -> None:
    stream, code = await _registered(working_office, doors)
    browser = await _let_in(doors, code)
    cookie = browser.client.cookies["resident"]
    other, _ = await _registered(working_office, doors)

    for forged in ("", "x", cookie.replace(stream, other), cookie[:-1] + ("0" if cookie[-1] != "0" else "1")):
        stranger = doors.browser()
        stranger.client.cookies.set("resident", forged)
        for answer in (
            await stranger.get("/tracking/mine"),
            await stranger.post("/tracking/mine/withdraw", {"reason": "不办了"}),
        ):
            assert answer.status_code == 401, forged
            assert "路面破损" not in answer.text
    assert "withdrawn" not in [*await working_office.kinds(stream), *await working_office.kinds(other)]


async def test_a_code_handed_out_anew_closes_pages_that_are_open(working_office: Office, doors: Doors) -> None:
    stream, code = await _registered(working_office, doors)
    browser = await _let_in(doors, code)

    handed = await doors.browser("community").post(f"/tracking/slips/{stream}")

    assert handed.status_code == 303
    assert (await browser.get("/tracking/mine")).status_code == 401


async def test_the_cookie_is_for_this_site_and_no_script_and_leaving_ends_it(
    working_office: Office, doors: Doors
) -> None:
    _, code = await _registered(working_office, doors)
    browser = doors.browser()
    answer = await browser.post("/tracking", {"code": code, "digits": "4567"})
    cookie = answer.headers["set-cookie"].lower()

    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "max-age=1800" in cookie
    await browser.post("/tracking/leave")
    assert (await browser.get("/tracking/mine")).status_code == 401


# --- the resident's word ------------------------------------------------------------------------------------------


async def test_the_resident_settles_the_request_by_their_word(working_office: Office, doors: Doors) -> None:
    stream, code = await _registered(working_office, doors)
    await working_office.walk(stream, until="feed_back")
    browser = await _let_in(doors, code)
    page = await browser.get("/tracking/mine")
    command_id = _hidden(page.text, "/tracking/mine/visit")
    word = {"satisfaction": "satisfied", "solved": "yes", "word": "我叫王小燕，谢谢", "_command_id": command_id}

    answers = [await browser.post("/tracking/mine/visit", word) for _ in range(2)]

    assert [each.status_code for each in answers] == [303, 303]
    assert (await working_office.kinds(stream)).count("visited") == 1
    (visited,) = [each for each in await working_office.events(stream) if each.kind == "visited"]
    assert visited.body["by"] == {"person": "resident", "role": "resident"}
    assert NAME not in str(visited.body)
    assert (await working_office.state(stream)).stage == "settled"
    after = await browser.get(answers[0].headers["location"])
    assert "评价已提交" in after.text
    assert "要求重开" in after.text


async def test_a_resident_who_is_not_satisfied_sends_it_back(working_office: Office, doors: Doors) -> None:
    stream, code = await _registered(working_office, doors)
    await working_office.walk(stream, until="feed_back")
    browser = await _let_in(doors, code)

    await browser.post("/tracking/mine/visit", {"satisfaction": "dissatisfied", "solved": "no"})

    assert (await working_office.state(stream)).stage == "handling"
    assert "退回重新办理" in (await browser.get("/tracking/mine")).text


async def test_half_a_word_comes_back_with_what_was_written(working_office: Office, doors: Doors) -> None:
    stream, code = await _registered(working_office, doors)
    await working_office.walk(stream, until="feed_back")
    browser = await _let_in(doors, code)
    page = await browser.get("/tracking/mine")
    command_id = _hidden(page.text, "/tracking/mine/visit")

    answer = await browser.post(
        "/tracking/mine/visit", {"satisfaction": "fair", "word": "还有积水", "_command_id": command_id}
    )

    assert answer.status_code == 422
    assert "还有积水" in answer.text
    assert _hidden(answer.text, "/tracking/mine/visit") == command_id
    assert "visited" not in await working_office.kinds(stream)


async def test_the_resident_answers_a_question_reopens_and_sees_what_was_said(
    working_office: Office, doors: Doors
) -> None:
    stream, code = await _registered(working_office, doors)
    await working_office.walk(stream, until="accept")
    await working_office.do(stream, "handler", "ask_resident", question="方便什么时候入户？")
    browser = await _let_in(doors, code)
    assert "方便什么时候入户" in (await browser.get("/tracking/mine")).text

    await browser.post("/tracking/mine/record_reply", {"text": "周末都在家"})

    assert "周末都在家" in (await browser.get("/tracking/mine")).text
    await working_office.walk(stream, after="accept", until="visit")
    await browser.post("/tracking/mine/reopen", {"reason": "又出现积水"})
    assert (await working_office.state(stream)).stage == "handling"


async def test_the_resident_withdraws_and_nothing_more_is_offered(working_office: Office, doors: Doors) -> None:
    _, code = await _registered(working_office, doors)
    browser = await _let_in(doors, code)

    await browser.post("/tracking/mine/withdraw", {"reason": "已自行解决"})

    page = (await browser.get("/tracking/mine")).text
    assert "已按您的要求撤回" in page
    assert "/tracking/mine/withdraw" not in page
    assert (await browser.post("/tracking/mine/withdraw", {"reason": "再撤一次"})).status_code == 409


@pytest.mark.parametrize("kind", ["whistle", "dispatch", "strike_off", "verify", "sign", "comment", "attach"])
async def test_no_other_act_is_open_to_a_resident(working_office: Office, doors: Doors, kind: str) -> None:
    _, code = await _registered(working_office, doors)
    browser = await _let_in(doors, code)

    assert (await browser.post(f"/tracking/mine/{kind}", {"text": "x"})).status_code in (404, 405)


async def test_only_photographs_of_the_checked_result_are_open_to_the_resident(
    working_office: Office, doors: Doors
) -> None:
    stream, code = await _registered(working_office, doors, category=EVERYDAY, evidence=[BEFORE])
    browser = await _let_in(doors, code)

    assert (await browser.get(f"/tracking/mine/photos/{BEFORE['digest']}")).status_code == 404
    await working_office.do(stream, "worker", "handle_on_spot", measures="已清理", evidence=[BEFORE, AFTER])
    assert "/tracking/mine/photos/" not in (await browser.get("/tracking/mine")).text, "nobody has uploaded it"
    async with working_office.owner.acquire() as conn:
        await conn.execute(
            """
            insert into file (digest, thumb, media_type, bytes, width, height)
            values ($1, $1, 'image/jpeg', 1, 1, 1), ($2, $2, 'image/jpeg', 1, 1, 1)
            """,
            AFTER["digest"],
            "b" * 64,
        )
        await conn.execute(
            """
            insert into file_stream (stream, digest, uploaded_by, uploaded_at)
            values ($1, $2, 'worker', now()), ($1, $3, 'worker', now())
            """,
            stream,
            AFTER["digest"],
            "b" * 64,
        )
    page = (await browser.get("/tracking/mine")).text
    assert f"/tracking/mine/photos/{AFTER['digest']}" in page
    assert (await browser.get(f"/tracking/mine/photos/{'b' * 64}")).status_code == 404, "of the case, not of its result"
    assert (await doors.browser().get(f"/tracking/mine/photos/{AFTER['digest']}")).status_code == 401


# --- the slip -----------------------------------------------------------------------------------------------------


async def test_the_slip_shows_the_code_to_who_handed_it_out_and_the_qr_code_holds_the_address_only(
    working_office: Office, doors: Doors
) -> None:
    stream, code = await _registered(working_office, doors)

    own = await doors.browser("worker").get(f"/tracking/slips/{stream}")
    others = await doors.browser("community").get(f"/tracking/slips/{stream}")

    assert code in own.text
    assert "http://testserver/tracking" in own.text
    assert "data:image/svg+xml" in own.text
    assert code not in str(own.url)
    assert code not in others.text


@pytest.mark.parametrize("person", ["handler", "far-community", "supervisor", None])
async def test_departments_and_strangers_hand_out_no_code(
    working_office: Office, doors: Doors, person: str | None
) -> None:
    stream, code = await _registered(working_office, doors)
    browser = doors.browser(person)

    for answer in (await browser.get(f"/tracking/slips/{stream}"), await browser.post(f"/tracking/slips/{stream}")):
        assert answer.status_code in (303, 401, 403)
        assert answer.headers.get("location", "/sign-in").startswith("/sign-in")
        assert code not in answer.text
    await _let_in(doors, code)


async def test_an_imported_request_gets_its_first_code_at_the_counter(working_office: Office, doors: Doors) -> None:
    stream = new_stream("case")
    await working_office.desk.open(
        stream, ACTORS["hotline"], REGISTRATION, private={"reporter_name": NAME, "reporter_phone": PHONE}
    )
    clerk = doors.browser("community")

    await clerk.post(f"/tracking/slips/{stream}")

    page = (await clerk.get(f"/tracking/slips/{stream}")).text
    code = re.search(r'slip-code">([^<]+)<', page)
    assert code is not None
    await _let_in(doors, code.group(1))


async def test_a_resident_needs_the_right_key_and_nothing_of_the_vault(doors: Doors, working_office: Office) -> None:
    stream, code = await _registered(working_office, doors)
    async with working_office.owner.acquire() as conn:
        await conn.execute("delete from vault_entry where stream = $1", stream)

    browser = await _let_in(doors, code)

    assert (await browser.get("/tracking/mine")).status_code == 200


async def test_guessing_is_slowed_and_says_for_how_long(doors: Doors) -> None:
    browser, tracking = doors.browser(), Tracking(MasterKey(bytes(32)))
    answers: list[httpx.Response] = []
    for number in range(21):
        answers.append(await browser.post("/tracking", {"code": tracking._code(f"case-{number}", 1), "digits": "1"}))

    assert [each.status_code for each in answers] == [404] * 20 + [429]
    assert int(answers[-1].headers["retry-after"]) >= 1
