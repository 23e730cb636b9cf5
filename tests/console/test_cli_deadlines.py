"""``bihuan case deadlines``: the clerk's table and stories of a case that stands in a real ledger."""

from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from rich.cells import cell_len

from domain.calendar import Day
from domain.people import Actor, Role
from domain.process import World
from ledger.calendars import store_calendar
from ledger.log import NewEvent
from ledger.registry import load_registry
from ledger.rule_files import example_book
from tests.calendars import local, office_calendar
from tests.console.calling import Call, called, error, value
from tests.domain import routes as r
from tests.domain.spec import Story
from tests.ledger.facts import case_row, write
from tests.neighbourhood import WORLD, raw_registry

CALENDAR = office_calendar()
LATER = CALENDAR.model_copy(
    update={
        "version": "cn-2020-2027",
        "off": (*CALENDAR.off, Day(on=date(2027, 1, 1), name="元旦")),
        "published_until": CALENDAR.published_until.replace(year=2027),
    }
)
BOOK = example_book()
WORKING = World(
    registry=WORLD.registry,
    rule_books={BOOK.version: BOOK},
    current_rules=BOOK.version,
    calendars={each.version: each for each in (CALENDAR, LATER)},
    current_calendar=CALENDAR.version,
)
OFFICE = Actor(person="office", role=Role.ADMINISTRATOR)
CASE = "case-" + "a1b2c3d4" * 4
NEW_YEAR = "case-" + "0f0e0d0c" * 4
REASON = "等待诉求人补充房屋权属材料以及施工图纸的扫描件"
CUT = "等待诉求人补充房屋权属材料以及…"


def long_story() -> Story:
    """Dispatched on Monday 2026-11-23 12:03, returned and forced back, suspended, extended, reworked, overdue."""
    story = Story(world=WORKING).when(r.REGISTER, "worker").happens().when(r.WHISTLE, "community").happens()
    story = story.when({**r.DISPATCH, "helpers": []}, "dispatcher").happens()
    story = story.when(r.RETURN, "handler", after="4h").happens()
    force = {"kind": "arbitrate", "decision": "force", "reason": "职责清单列明"}
    story = story.when(force, "dispatcher", after="1d").happens()
    story = story.when(r.ACCEPT, "handler", after="1h").happens()
    suspend = {"kind": "suspend", "reason": "awaiting_party", "explanation": REASON}
    story = story.when(suspend, "dispatcher", after=local("2026-11-25 10:00") - story.at).happens()
    story = story.when({"kind": "resume", "reason": REASON}, "dispatcher", after="1d").happens()
    story = story.when({"kind": "request_extension", "length": "3wd", "reason": REASON}, "handler").happens()
    story = story.when({"kind": "decide_extension", "granted": True, "reason": REASON}, "dispatcher").happens()
    story = story.when(r.PROGRESS, "handler").happens().when(r.STRIKE_OFF, "handler", after="1h").happens()
    story = story.when(r.FAIL, "checker", after="20h").happens()
    return story.later(local("2026-12-08 09:00") - story.at).happens()


def new_year_story() -> Story:
    """A complex case of 2026-12-21, whose days in January nobody had published then."""
    story = Story(world=WORKING, at=local("2026-12-21 10:00"))
    story = story.when({**r.REGISTER, "urgency": "complex"}, "worker").happens().when(r.WHISTLE, "community").happens()
    return story.when({**r.DISPATCH, "helpers": []}, "dispatcher").happens()


@pytest.fixture
async def office(new_office: asyncpg.Connection) -> None:
    """A ledger with two cases, which the command line finds by the environment."""
    conn = new_office
    await load_registry(conn, raw_registry(), "office")
    for calendar in (CALENDAR, LATER):
        await store_calendar(conn, calendar, by="office")
    adopted = {"kind": "adopt_rules", "calendar": LATER.version, "reason": "公布放假安排"}
    for stream, story in ((CASE, long_story()), (NEW_YEAR, new_year_story().when(adopted, OFFICE).happens())):
        bodies = [each.model_dump(mode="json") for each in story.events]
        rows = {"case_row": [case_row(stream)]}
        await write(conn, stream, 0, [NewEvent.of(uuid4(), body) for body in bodies], rows=rows)


@pytest.fixture
def call(office: None) -> Call:
    """Runs ``bihuan case deadlines`` in this process."""
    return partial(called, "case", "deadlines")


def shown(call: Call, *words: str) -> list[str]:
    """The lines a clerk sees."""
    code, text = call(*words)
    assert code == 0, text
    return [line.rstrip() for line in text.splitlines()]


async def test_the_table_has_a_line_for_each_clock(call: Call) -> None:
    lines = shown(call, CASE, "--at", "2026-12-08 09:00")
    assert lines[0] == f"路面破损  {CASE}"
    assert lines[1] == "截至 2026-12-08 09:00 · 规则 example-2 · 日历 cn-2020-2026"
    table = {line.split("  ")[0]: line.split()[1:] for line in lines[3 : lines.index("", 3)]}
    assert list(table) == [
        "时限", "分拨", "派单", "签收 城市管理", "联系诉求人", "处置", "派单 第2次", "督办回复 杏林街道",
        "签收 城市管理 第2次", "督办回复 城市管理", "核查", "督办回复 城市管理 第2次",
    ]  # fmt: skip
    # Three days more, one paused away on the 25th and one at rest on the 26th: eight days end on 2026-12-07.
    assert table["处置"] == [
        "8个工作日",
        "11-23",
        "12:03",
        "12-07",
        "18:00",
        "超期",
        "8个工作日",
        "超",
        "不足1个工作日",
    ]
    assert table["派单"] == ["24小时", "11-23", "12:02", "11-24", "12:02", "按时", "1", "分钟", "-"]


async def test_the_story_of_the_budget_is_told_in_sentences(call: Call) -> None:
    lines = shown(call, CASE, "--at", "2026-12-08 09:00", "--clock", "handle")
    story = lines[lines.index("处置时限  handle") + 1 :]
    assert story[:9] == [
        "2026-11-23 12:03  派单起算，时限 5个工作日，应于 2026-11-30 18:00 到期",
        "2026-11-25 10:00  停表（等待当事人），dispatcher（街道派单员）",
        f"2026-11-26 10:00  恢复计时（{CUT}），应于 2026-12-01 18:00 到期",
        f"2026-11-26 10:01  城市管理申请延期 3个工作日（{CUT}）",
        "2026-11-26 10:02  dispatcher 同意延期 3个工作日，到期由 2026-12-01 18:00 改为 2026-12-04 18:00",
        "2026-11-26 11:03  销账，停止计时，handler（部门经办人）",
        "2026-11-27 07:03  返工（核查未通过），继续计时，应于 2026-12-07 18:00 到期",
        "2026-12-01 14:28  提醒，告知经办人（2026-12-08 09:00 记录）",
        "2026-12-04 09:47  黄灯，临近到期，告知经办人、负责人（2026-12-08 09:00 记录）",
    ]
    assert "2026-12-07 18:00  红灯，到期未完成，告知经办人、负责人（2026-12-08 09:00 记录）" in story
    assert "规则              example-2 · 日历 cn-2020-2026" in story
    assert "合计              时限 8个工作日，已用 8个工作日，超 不足1个工作日（超时倍数 0.015）" in story
    assert story[-4:] == [
        "承办              城市管理 11-23 12:03 至 11-23 16:03，用 0个工作日",
        "                  杏林街道（退单期间） 11-23 16:03 至 11-24 16:03，用 0个工作日，计入城市管理",
        "                  城市管理 11-24 16:03 至 11-26 11:03，用 1个工作日",
        "                  城市管理 11-27 07:03 起，用 7个工作日",
    ]


@pytest.mark.parametrize("language", ["zh", "en"])
async def test_nothing_is_wider_than_a_screen_of_a_hundred_columns(call: Call, language: str) -> None:
    widths = {line: cell_len(line) for line in shown(call, CASE, "--steps", "--lang", language)}
    too_wide = [line for line, width in widths.items() if width > 100]
    assert too_wide == []


async def test_steps_lead_day_by_day_to_the_due(call: Call) -> None:
    lines = shown(call, CASE, "--clock", "handle", "--steps")
    assert "2026-11-23 周一 12:03  2026-11-24 周二 00:00  起算当日        不计" in lines
    assert "2026-11-28 周六 00:00  2026-11-30 周一 00:00  周末（2 天）    不计" in lines
    assert lines[-1].split("  ")[1] == "2026-12-07 周一 18:00"


async def test_programs_get_everything_with_the_offset_of_the_office(call: Call) -> None:
    found = value(call(CASE, "--at", "2026-12-08T09:00:00+08:00", "--json"))
    assert (found["id"], found["at"], found["rules"]) == (CASE, "2026-12-08T09:00:00+08:00", "example-2")
    budget = next(each for each in found["clocks"] if each["id"] == "handle")
    assert (budget["due_at"], budget["started_at"]) == ("2026-12-07T18:00:00+08:00", "2026-11-23T12:03:00+08:00")
    assert (budget["limit"], budget["whole_limit"], budget["limit_text"]) == ("5wd", "8wd", "8个工作日")
    assert (budget["counting"], budget["used"], budget["remaining"], budget["over"]) == ("working_days", 8, 0, 0)
    assert (budget["late"], budget["on_time"], budget["overtime_permille"]) == (True, False, 15)
    assert [each["begun_by"]["kind"] for each in budget["standings"]] == ["suspended", "struck_off"]
    assert [each["charged_to"] for each in budget["holders"]] == [None, "D01", None, None]
    assert sum(each["counted_days"] for each in budget["steps"]) == 8
    assert budget["steps"][-1]["end"] == budget["due_at"]
    assert {each["agrees"] for each in found["clocks"]} == {True}
    instants = [each for each in _texts(found) if _is_instant(each)]
    assert len(instants) > 50
    assert {each[-6:] for each in instants} == {"+08:00"}


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in _texts(each)]
    return [value] if isinstance(value, str) else []


def _is_instant(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return len(text) > 10


async def test_looking_back_shows_what_was_known_then(call: Call) -> None:
    found = value(call(CASE, "--at", "2026-11-25 12:00", "--clock", "handle", "--json"))
    (budget,) = found["clocks"]
    assert (budget["status"], budget["due_at"]) == ("standing", "2026-11-30T18:00:00+08:00")
    assert (budget["used"], budget["remaining"], budget["on_time"]) == (1, 4, None)
    assert "停表" in "".join(shown(call, CASE, "--at", "2026-11-25 12:00"))
    assert error(call(CASE, "--at", "2026-11-01", "--json"))["code"] == "case.unknown"


async def test_a_case_is_found_by_the_beginning_of_its_id(call: Call) -> None:
    assert value(call("a1b2c3", "--json"))["id"] == CASE


async def test_a_provisional_due_says_why_and_then_what_made_it_final(call: Call) -> None:
    before = shown(
        call, NEW_YEAR, "--at", (new_year_story().at + timedelta(seconds=30)).isoformat(), "--clock", "handle"
    )
    row = next(line for line in before if line.startswith("处置  "))
    assert "2027-01-12 18:00 暂定" in row
    assert "2026-12-21 10:03  派单起算，时限 15个工作日，应于 2027-01-12 18:00 到期（暂定）" in before
    assert any(line.startswith("说明              放假安排只公布到 2026-12-31") for line in before)
    after = shown(call, NEW_YEAR, "--at", "2026-12-22", "--clock", "handle")
    assert "2026-12-21 10:04  采用规则 example-2、日历 cn-2020-2027：到期不变，不再暂定" in after
    assert not any("说明" in line for line in after)
    early = (new_year_story().at + timedelta(seconds=30)).isoformat()
    notes = value(call(NEW_YEAR, "--at", early, "--json"))["clocks"][-1]["notes"]
    assert [each["code"] for each in notes] == ["calendar.beyond_horizon"]


async def test_a_clock_or_a_case_that_is_not_there_is_refused(call: Call) -> None:
    refusal = error(call(CASE, "--clock", "appraise", "--json"))
    assert (refusal["code"], refusal["field"]) == ("clock.unknown", "--clock")
    assert "handle" in refusal["remedy"]
    assert error(call("case-" + "f" * 32, "--json"))["code"] == "case.unknown"
    assert call(CASE, "--at", "yesterday", "--json")[0] == 2


async def test_english_readers_get_english(call: Call) -> None:
    lines = shown(call, CASE, "--at", "2026-12-08 09:00", "--clock", "handle", "--lang", "en")
    assert lines[1] == "as of 2026-12-08 09:00 · rules example-2 · calendar cn-2020-2026"
    assert "handling limit  handle" in lines
    assert "2026-11-23 12:03  dispatched: 5wd begin, due 2026-11-30 18:00" in lines
    assert "in all            limit 8wd, used 8 wd, <1 wd over (overtime 0.015 of the limit)" in lines
