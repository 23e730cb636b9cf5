"""The page of a case: what it tells, which acts it offers to whom, and where an act leads."""

import asyncio
import re
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.desk import Pending
from console.pages.case.opened import number_of
from console.pages.case.reporter import masked_name, masked_phone
from domain.people import Actor
from domain.process import Answer
from ledger.dossier import verify_dossier
from ledger.security import LineFilter, list_lines
from ledger.signing import SigningKey
from ledger.vault import MasterKey, Vault
from runtime.pool import open_pool
from runtime.settings import Settings
from tests.console.files.pictures import picture
from tests.console.http.doors import Browser, Doors, open_doors
from tests.console.http.straight import StraightDesk
from tests.neighbourhood import ACTORS, AFTER, BEFORE, EVERYDAY, GRID, HELPER, LEAD, ORDINARY

ASKED = {
    "kind": "register",
    "title": "路面破损",
    "text": "小区门口路面破损，雨天积水",
    "grid": GRID,
    "category": ORDINARY,
}
WHISTLE = {"kind": "whistle", "reason": "reflected", "departments": [LEAD], "approver": "approver"}
DISPATCH = {"kind": "dispatch", "lead": LEAD, "helpers": [HELPER]}
STRIKE = {"kind": "strike_off", "measures": "路面已补", "workload": {"people": 2, "minutes": 90, "cost_fen": 12050},
          "evidence": [AFTER]}  # fmt: skip
WAY = (
    ("community", WHISTLE),
    ("dispatcher", DISPATCH),
    ("helper", {"kind": "accept"}),
    ("handler", {"kind": "accept"}),
    ("helper", STRIKE),
    ("handler", STRIKE),
    ("checker", {"kind": "verify", "passed": True, "evidence": [AFTER]}),
)


class LateDesk(StraightDesk):
    """A desk whose answers are late: what was asked is recorded, and the answer says that it is on its way."""

    async def submit(self, stream: str, actor: Actor, command: Any, *, command_id: str | None = None) -> Answer:
        await super().submit(stream, actor, command, command_id=command_id)
        raise Pending("command.pending", command_id=command_id)


class Place:
    """Doors over a ledger in which acts are recorded at once."""

    def __init__(self, doors: Doors, desk: StraightDesk) -> None:
        self.doors, self.desk = doors, desk

    async def case(self, steps: int = 0, **fields: Any) -> str:
        """A request after so many steps of its way."""
        stream = f"case-{uuid.uuid4().hex}"
        private = {"reporter_name": "欧阳晓月", "reporter_phone": "13800135678"} if "reporter" in fields else None
        await self.desk.open(stream, ACTORS["worker"], {**ASKED, **fields}, private=private)
        for who, command in WAY[:steps]:
            await self.desk.submit(stream, ACTORS[who], command)
        return stream

    async def look(self, who: str, path: str) -> str:
        """What the page says, without marks."""
        answer = await self.doors.browser(who).get(path)
        assert answer.status_code == 200, answer.text
        return words(answer)


def words(answer: httpx.Response) -> str:
    text = re.sub(r"<(script|style|head)\b.*?</\1>", " ", answer.text, flags=re.S)
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)))


def hidden(answer: httpx.Response, action: str) -> dict[str, str]:
    """The hidden fields of the form that is sent to ``action``."""
    form = re.search(rf'<form class="act"[^>]*action="{re.escape(action)}".*?</form>', answer.text, flags=re.S)
    assert form is not None, f"no form for {action}"
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form.group(0))
    return {name: unescape(value) for name, value in fields}


def acts(answer: httpx.Response, case: str) -> set[str]:
    """The acts a page offers: forms and ways to forms."""
    found = re.findall(rf'(?:action|href)="/cases/{case}/acts/([^"]+)"', answer.text)
    return {each.replace("?variant=", ":") for each in found}


@pytest.fixture
async def place(furnished_database: str, tmp_path: Path) -> AsyncIterator[Place]:
    async with _place(furnished_database, tmp_path, StraightDesk) as found:
        yield found


@pytest.fixture
async def late_place(furnished_database: str, tmp_path: Path) -> AsyncIterator[Place]:
    async with _place(furnished_database, tmp_path, LateDesk) as found:
        yield found


def _place(dsn: str, folder: Path, kind: type[StraightDesk]) -> Any:
    from contextlib import asynccontextmanager

    @asynccontextmanager
    async def opened() -> AsyncIterator[Place]:
        key = MasterKey.load(folder / "master.key", create=True)
        settings = Settings.load(data=folder, database_url=dsn, temporal_address="127.0.0.1:9")
        pool = await open_pool(dsn, size=6, role="bihuan_app")
        desk = kind(pool, Vault(key))
        async with open_doors(pool, desk, key, settings) as doors:
            yield Place(doors, desk)
        await pool.close()

    return opened()


# --- what the page tells ----------------------------------------------------------------------------------------------


async def test_the_page_tells_stage_holder_limits_and_what_happened_in_words(place: Place) -> None:
    case = await place.case(4)

    told = await place.look("handler", f"/cases/{case}")

    assert "路面破损" in told
    assert "处置中" in told
    assert "城市管理 部门经办人 ：处置" in told
    assert "东塘一网格" in told
    assert "为什么是这个时间" in told
    assert "派单" in told
    assert "dispatcher（杏林街道 街道派单员）" in told
    assert "派单 dispatcher" in told


async def test_each_clock_says_why_its_date_is_what_it_is(place: Place) -> None:
    case = await place.case(4)

    told = await place.look("worker", f"/cases/{case}")

    assert "派单起算，时限 7天，应于" in told
    assert "natural-1 · 自然时间" in told


async def test_the_stages_are_a_list_with_the_present_one_marked(place: Place) -> None:
    case = await place.case(4)

    answer = await place.doors.browser("worker").get(f"/cases/{case}")

    assert answer.text.count('aria-current="step"') == 1
    assert re.findall(r"way-(done|now|ahead)\"", answer.text) == ["done"] * 3 + ["now"] + ["ahead"] * 7


async def test_the_reporter_is_shown_masked_and_to_those_who_need_it_only(place: Place) -> None:
    case = await place.case(2, reporter="ref/reporter")

    handler = await place.doors.browser("handler").get(f"/cases/{case}")
    captain = await place.doors.browser("captain").get(f"/cases/{case}")

    assert "欧** 138****5678" in words(handler)
    assert "诉求人 欧" not in words(captain)
    assert not [each for each in (handler, captain) if "13800135678" in each.text or "欧阳晓月" in each.text]


def test_masks_leave_enough_to_check_and_no_more() -> None:
    assert [masked_name(each) for each in ("王小明", "王", "")] == ["王**", "王**", ""]
    assert [masked_phone(each) for each in ("138 0013-5678", "0578-2123456", "12345", "")] == [
        "138****5678", "057****3456", "****45", ""]  # fmt: skip


async def test_the_page_shows_the_case_as_it_was_and_offers_nothing_then(place: Place) -> None:
    case = await place.case(1)
    before = datetime.now(UTC)
    await place.desk.submit(case, ACTORS["dispatcher"], DISPATCH)

    browser = place.doors.browser("dispatcher")
    past = await browser.get(f"/cases/{case}", params={"at": before.isoformat()})

    assert "只能查看" in words(past)
    assert 'way-stop way-now"' in past.text
    assert "已派单 ，当前" not in words(past)
    assert acts(past, case) == set()
    assert (await browser.get(f"/cases/{case}", params={"at": "1999-01-01T00:00"})).status_code == 404
    assert (await browser.get(f"/cases/{case}", params={"at": "yesterday"})).status_code == 422
    future = await browser.get(f"/cases/{case}", params={"at": "2099-01-01T00:00"})
    assert "只能查看" not in words(future)


async def test_a_case_elsewhere_or_nowhere_is_not_shown(place: Place) -> None:
    case = await place.case()

    assert (await place.doors.browser("far-community").get(f"/cases/{case}")).status_code == 403
    for name in ("case-nowhere", "wish-1", "nonsense", "case-%00"):
        assert (await place.doors.browser("worker").get(f"/cases/{name}")).status_code == 404


# --- which acts -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("steps", "who", "some"),
    [
        (0, "community", {"whistle", "decline"}),
        (0, "handler", None),
        (1, "dispatcher", {"dispatch", "decline"}),
        (2, "handler", {"accept", "return_task"}),
        (4, "handler", {"report_progress", "return_task", "hand_over"}),
        (6, "checker", {"verify", "verify:failed"}),
        (7, "captain", {"sign", "refuse_signature"}),
        (7, "checker", {"comment", "attach"}),
    ],
)
async def test_a_page_offers_the_acts_of_its_reader_and_no_others(
    place: Place, steps: int, who: str, some: set[str] | None
) -> None:
    case = await place.case(steps)
    answer = await place.doors.browser(who).get(f"/cases/{case}")
    if some is None:
        assert answer.status_code == 403
        return

    offered = acts(answer, case)

    assert some <= offered
    assert "adopt_rules" not in offered
    for name in offered:
        kind, _, variant = name.partition(":")
        form = await place.doors.browser(who).get(f"/cases/{case}/acts/{kind}", params={"variant": variant})
        assert form.status_code == 200
        assert hidden(form, f"/cases/{case}/acts/{kind}")["_command_id"]


async def test_an_act_without_a_variant_is_the_plain_one_where_there_is_one(place: Place) -> None:
    case = await place.case(6)
    browser = place.doors.browser("checker")

    plain = await browser.get(f"/cases/{case}/acts/comment")
    first = await browser.get(f"/cases/{case}/acts/verify")

    assert "写入备注" in words(plain)
    assert hidden(first, f"/cases/{case}/acts/verify")["_variant"] == "passed"


async def test_an_act_that_is_not_possible_says_why_in_a_clerks_words(place: Place) -> None:
    case = await place.case(6)

    told = await place.look("checker", f"/cases/{case}")
    early = await place.doors.browser("checker").get(f"/cases/{case}/acts/visit?variant=answered")
    foreign = await place.doors.browser("checker").get(f"/cases/{case}/acts/dispatch")

    assert "为什么有些不能办" in told
    assert early.status_code == 409
    assert "已销账" in words(early)
    assert foreign.status_code == 403


# --- acting -----------------------------------------------------------------------------------------------------------


async def _send(browser: Browser, case: str, kind: str, variant: str = "", **fields: Any) -> httpx.Response:
    """Open the form of an act and send it as it is carried, with what somebody wrote."""
    form = await browser.get(f"/cases/{case}/acts/{kind}", params={"variant": variant} if variant else {})
    carried = hidden(form, f"/cases/{case}/acts/{kind}")
    return await browser.post(f"/cases/{case}/acts/{kind}", {**carried, **fields})


async def test_a_sent_act_leads_back_to_the_case_which_says_what_was_done(place: Place) -> None:
    case = await place.case(1)
    browser = place.doors.browser("dispatcher")

    sent = await _send(browser, case, "dispatch", lead=LEAD, mode="within_limit", instruction="请三日内办结")

    assert sent.status_code == 303
    assert sent.headers["location"].startswith(f"/cases/{case}?done=")
    told = words(await browser.get(sent.headers["location"]))
    assert "已记入账本：派单。" in told
    assert "请三日内办结" in told


async def test_a_double_tap_and_the_back_button_are_one_act_and_the_same_page(place: Place) -> None:
    case = await place.case(2)
    browser = place.doors.browser("handler")
    carried = hidden(await browser.get(f"/cases/{case}"), f"/cases/{case}/acts/accept")

    taps = await asyncio.gather(*(browser.post(f"/cases/{case}/acts/accept", carried) for _ in range(2)))
    back = await browser.post(f"/cases/{case}/acts/accept", carried)

    assert {each.headers["location"] for each in (*taps, back)} == {f"/cases/{case}?done={carried['_command_id']}"}
    async with place.doors.office.pool.acquire() as conn:
        assert await conn.fetchval("select count(*) from event where stream = $1 and kind = 'accepted'", case) == 1


async def test_the_second_of_two_dispatchers_sees_who_did_what(place: Place) -> None:
    case = await place.case(1)
    browser = place.doors.browser("dispatcher")
    late = hidden(await browser.get(f"/cases/{case}"), f"/cases/{case}/acts/dispatch")
    await place.desk.submit(case, ACTORS["dispatcher"], {"kind": "dispatch", "lead": LEAD})

    answer = await browser.post(
        f"/cases/{case}/acts/dispatch", {**late, "lead": HELPER, "instruction": "请供水尽快到场"}
    )

    assert answer.status_code == 409
    told = words(answer)
    assert "您打开页面之后" in told
    assert "派单 dispatcher（杏林街道 街道派单员）" in told
    assert "请供水尽快到场" in told, "what was written is not lost"


async def test_a_refusal_stands_at_its_field_and_keeps_what_was_written(place: Place) -> None:
    case = await place.case(4)
    browser = place.doors.browser("handler")

    answer = await _send(browser, case, "return_task", reason="不归我们", legal_basis="清单第三条", proposed="")

    assert answer.status_code == 422
    assert 'name="reason"' in answer.text
    assert "不归我们" in answer.text
    assert 'aria-invalid="true"' in answer.text or 'id="return-task-proposed-wrong"' in answer.text
    again = hidden(answer, f"/cases/{case}/acts/return_task")
    mended = await browser.post(f"/cases/{case}/acts/return_task", {
        **again, "reason": "不归我们", "legal_basis": "清单第三条", "proposed": "D03"})  # fmt: skip
    assert mended.status_code == 303


async def test_a_late_answer_leads_to_a_page_that_finds_it(late_place: Place) -> None:
    case = await late_place.case()
    browser = late_place.doors.browser("community")

    sent = await _send(browser, case, "comment", text="已电话告知居民")
    found = await browser.get(sent.headers["location"])

    assert sent.status_code == 303
    assert "/pending/" in sent.headers["location"]
    assert found.status_code == 303
    assert found.headers["location"].startswith(f"/cases/{case}?done=")
    nothing_yet = await browser.get(f"/cases/{case}/pending/{uuid.uuid4()}")
    assert nothing_yet.status_code == 202
    assert "不用再提交" in words(nothing_yet)
    assert nothing_yet.headers["refresh"].endswith("?tried=1")
    given_up = await browser.get(f"/cases/{case}/pending/{uuid.uuid4()}", params={"tried": 40})
    assert "refresh" not in given_up.headers
    assert "再提交一次" in words(given_up)


async def test_photographs_are_kept_when_the_form_comes_back(place: Place) -> None:
    case = await place.case(category=EVERYDAY)
    browser = place.doors.browser("worker")
    path = f"/cases/{case}/acts/handle_on_spot"
    carried = hidden(await browser.get(path), path)

    photo = {"evidence.before": ("a.jpg", picture(), "image/jpeg")}
    refused = await browser.post(path, {**carried, "measures": "已清理"}, files=photo)

    assert refused.status_code == 422
    kept = re.findall(r'name="evidence\.before\.kept" value="([0-9a-f]{64})"', refused.text)
    assert len(kept) == 1
    after = {"evidence.after": ("b.jpg", picture(size=(80, 60)), "image/jpeg")}
    fields = {**hidden(refused, path), "measures": "已清理", "evidence.before.kept": kept[0]}
    done = await browser.post(path, fields, files=after)
    assert done.status_code == 303, words(done)
    page = await browser.get(f"/cases/{case}")
    assert page.text.count(f"/files/{case}/") >= 4
    assert "处置前" in words(page)


async def test_a_clerk_is_told_when_personal_data_was_masked(place: Place) -> None:
    case = await place.case()
    browser = place.doors.browser("community")

    sent = await _send(browser, case, "comment", text="居民电话 13900001234，晚上在家")

    told = words(await browser.get(sent.headers["location"]))
    assert "已遮盖" in told
    assert "居民电话 〔手机号〕，晚上在家" in told
    assert "13900001234" not in told


async def test_the_page_and_its_forms_speak_english_to_who_reads_it(place: Place) -> None:
    case = await place.case(4, title="broken road", text="a hole in front of the gate")
    browser = place.doors.browser("dispatcher")
    browser.client.cookies.set("lang", "en")

    page = await browser.get(f"/cases/{case}")
    form = await browser.get(f"/cases/{case}/acts/suspend")

    assert "Who has it" in words(page)
    assert "Why this date" in words(page)
    assert "at the latest" in words(form)
    names = "杏林街道|东塘社区|东塘一网格|城市管理|供水|园林|路面破损|中文"
    for each in (page, form):
        left = re.sub(names, "", words(each))
        assert not re.findall("[\u4e00-\u9fff]+", left)


async def test_an_act_may_lead_back_to_where_it_was_sent_from(place: Place) -> None:
    case = await place.case(2)
    browser = place.doors.browser("handler")
    carried = hidden(await browser.get(f"/cases/{case}"), f"/cases/{case}/acts/accept")

    sent = await browser.post(f"/cases/{case}/acts/accept", {**carried, "_next": "/"})

    assert sent.headers["location"] == "/"


async def test_an_act_there_is_not_and_one_without_rights_are_refused(place: Place) -> None:
    case = await place.case(1)

    assert (await place.doors.browser("worker").post(f"/cases/{case}/acts/explode", {})).status_code == 404
    assert (await place.doors.browser("worker").post(f"/cases/{case}/acts/dispatch", {"lead": LEAD})).status_code == 403
    assert (
        await place.doors.browser("far-community").post(f"/cases/{case}/acts/comment", {"text": "嗯"})
    ).status_code == 403


# --- prints -----------------------------------------------------------------------------------------------------------


async def test_the_case_sheet_is_printed_with_departments_limits_and_lines_to_sign(place: Place) -> None:
    case = await place.case(7)

    told = await place.look("community", f"/cases/{case}/print")

    for each in ("居民诉求办理单", number_of(case), "先锋队长", "网格长", "路面已补", "120.50 元", "时限"):
        assert each in told


async def test_the_dossier_of_a_finished_case_is_handed_to_who_may_export_and_that_is_on_record(place: Place) -> None:
    SigningKey.load(place.doors.office.settings.signing_file, create=True)
    stream = await place.case()
    open_still = await place.doors.browser("supervisor").get(f"/cases/{stream}/dossier")
    assert (open_still.status_code, "下载卷宗" in await place.look("supervisor", f"/cases/{stream}")) == (409, False)
    await place.desk.submit(stream, ACTORS["worker"], {"kind": "withdraw", "reason": "已自行解决"})

    reader = place.doors.browser("supervisor")
    reader.client.cookies.set("lang", "en")
    shown = await reader.get(f"/cases/{stream}")
    answer = await place.doors.browser("supervisor").get(f"/cases/{stream}/dossier")
    denied = await place.doors.browser("worker").get(f"/cases/{stream}/dossier")

    assert f'href="/cases/{stream}/dossier" download>' in shown.text
    assert "Download the dossier" in words(shown)
    assert "下载卷宗" not in await place.look("worker", f"/cases/{stream}")
    assert (answer.status_code, denied.status_code) == (200, 403)
    assert answer.headers["content-disposition"] == f'attachment; filename="{stream}.zip"'
    office = place.doors.office
    assert verify_dossier(answer.content, key=office.signing.public).stream == stream
    async with office.pool.acquire() as conn:
        (line,) = (await list_lines(conn, LineFilter(kinds=("exported",)))).items
    assert (line.actor, line.subject, line.detail) == (ACTORS["supervisor"].person, stream, {"what": "dossier"})


async def test_a_supervision_order_is_printed_with_addressee_deadline_and_slip(place: Place) -> None:
    case = await place.case(4)
    await place.desk.submit(case, ACTORS["supervisor"], {
        "kind": "supervise", "to": LEAD, "text": "请说明为何未开工", "reply_within": "2d"})  # fmt: skip

    told = await place.look("supervisor", f"/cases/{case}/orders/1/print")
    due = (datetime.now(UTC) + timedelta(days=2, hours=8)).strftime("%Y-%m-%d")

    for each in ("督办通知书", "城市管理：", "请说明为何未开工", due, "签发人", "回执"):
        assert each in told
    assert (await place.doors.browser("supervisor").get(f"/cases/{case}/orders/2/print")).status_code == 422


async def test_pages_of_a_case_hold_no_code_where_there_is_a_name(place: Place) -> None:
    case = await place.case(4)
    await place.desk.submit(case, ACTORS["worker"], {"kind": "attach", "evidence": {**BEFORE, "kind": "document"}})

    told = await place.look("worker", f"/cases/{case}")

    assert not re.findall(r"\b(?:D0[123]|C01|S01)\b", told)
