"""``bihuan calendar``: due times with their reasons without any server, and imports into a real ledger."""

import json
import os
import pty
import subprocess
import sys
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from console.instance import prepare_ledger
from domain.calendar import Day
from ledger.calendar_files import from_library
from ledger.calendars import current_calendar, read_calendars, store_calendar
from tests.console.calling import Call, error, value
from tests.ledger.facts import case_row, fact, write

pytestmark = pytest.mark.usefixtures("no_instance")

ROOT = Path(__file__).parents[2]
OFFICE = from_library()

LIST = {
    "year": 2027,
    "days": [
        {"name": "元旦", "date": "2027-01-01", "isOffDay": True},
        {"name": "春节", "date": "2027-02-08", "isOffDay": True},
        {"name": "春节", "date": "2027-02-09", "isOffDay": True},
        {"name": "春节", "date": "2027-02-20", "isOffDay": False},
    ],
}


def due(call: Call, start: str, limit: str, *more: str) -> Any:
    return value(call("calendar", "due", "--start", start, "--limit", limit, *more, "--json"))


# --- counting, without any server -------------------------------------------------------------------------------

GOLDEN = [
    ("2025-09-30T17:00", "4工作时", "2025-10-09T11:00"),
    ("2025-09-26T17:30", "2工作时", "2025-09-28T09:30"),
    ("2025-03-03T12:30", "1工作时", "2025-03-03T15:00"),
    ("2025-10-10T17:00", "4工作时", "2025-10-11T11:00"),
    ("2026-02-13T17:00", "8工作时", "2026-02-14T17:00"),
    ("2025-09-30T10:00", "1wd", "2025-10-09T18:00"),
    ("2025-09-30T10:00", "1wd/min", "2025-10-09T10:00"),
    ("2025-09-26T16:00", "5wd", "2025-10-10T18:00"),
    ("2025-09-26T16:00", "5wd/min", "2025-10-10T16:00"),
    ("2025-01-24T15:00", "5wd", "2025-02-07T18:00"),
    ("2025-01-24T15:00", "5wd/min", "2025-02-07T15:00"),
    ("2025-03-07T17:00", "15wd", "2025-03-28T18:00"),
    ("2025-03-07T17:00", "15wd/min", "2025-03-28T17:00"),
    ("2025-10-01T09:00", "1wd", "2025-10-09T18:00"),
    ("2025-10-01T09:00", "1wd/min", "2025-10-09T18:00"),
]


@pytest.mark.parametrize(("start", "limit", "expected"), GOLDEN, ids=[f"{start} {limit}" for start, limit, _ in GOLDEN])
def test_every_golden_vector_is_printed_with_the_way_to_it(call: Call, start: str, limit: str, expected: str) -> None:
    found = due(call, start, limit)
    assert found["due"] == f"{expected}:00+08:00"
    assert found["start"] == f"{start}:00+08:00"
    assert (found["provisional"], found["notes"], found["calendar"]) == (False, [], OFFICE.version)
    steps = found["steps"]
    assert (steps[0]["begin"], steps[-1]["end"]) == (found["start"], found["due"])
    assert all(one["end"] == other["begin"] for one, other in pairwise(steps))


def test_the_golden_vector_with_a_pause_is_printed(call: Call) -> None:
    pause = ("--pause", "2025-03-03T11:00..2025-03-05T15:00")
    found = due(call, "2025-03-03T09:00", "8wh", *pause)
    assert found["due"] == "2025-03-06T11:00:00+08:00"
    assert [step["counted"] for step in found["steps"] if step["counted"] != "PT0S"] == ["PT2H", "PT3H", "PT3H"]
    assert [step["reason"] for step in found["steps"]] == ["working", "paused", "working", "night", "working"]
    twice = ("--pause=2025-03-04T09:00..2025-03-05T15:00", "--pause=2025-03-03T03:00Z..2025-03-04T10:00:00+08:00")
    assert due(call, "2025-03-03T09:00", "8wh", *twice)["due"] == found["due"]


def test_a_clerk_reads_the_steps_of_national_day(call: Call) -> None:
    code, text = call("calendar", "due", "--start", "2025-09-30T17:00", "--limit", "4工作时")
    assert code == 0
    lines = text.splitlines()
    assert any("2025-10-09 周四 11:00" in line and "确定" in line for line in lines)
    assert any("放假（国庆节、中秋，8 天）" in line and "不计" in line for line in lines)
    assert sum("计 1 小时" in line or "计 3 小时" in line for line in lines) == 2
    _, text = call("calendar", "due", "--start", "2025-09-30T17:00", "--limit", "4wh", "--lang", "en")
    assert "Thu 11:00" in text
    assert "final" in text


def test_natural_limits_run_through_nights_and_offsets_are_respected(call: Call) -> None:
    assert due(call, "2025-09-30T09:00:00Z", "24小时")["due"] == "2025-10-01T17:00:00+08:00"
    assert due(call, "2025-09-30 17:00", "30m")["limit"] == "30m"
    assert due(call, "2025-09-30", "1h")["due"] == "2025-09-30T01:00:00+08:00"


def test_beyond_the_horizon_a_due_time_is_provisional_until_the_list_is_given(call: Call, tmp_path: Path) -> None:
    after = OFFICE.published_until.year + 1
    start = f"{after - 1}-12-20T10:00"
    found = due(call, start, "15wd")
    assert found["provisional"] is True
    assert found["notes"][0]["code"] == "calendar.beyond_horizon"
    assert str(OFFICE.published_until) in found["notes"][0]["message"]
    assert "unpublished" in {step["reason"] for step in found["steps"]}
    _, text = call("calendar", "due", "--start", start, "--limit", "15wd")
    assert "暂定" in text
    assert "只公布到" in text

    file = tmp_path / "list.csv"
    file.write_text(f"date,kind\n{after}-01-01,off\n{after}-01-04,off\n", encoding="utf-8")
    final = due(call, start, "15wd", "--calendar", str(file))
    assert final["provisional"] is False
    assert datetime.fromisoformat(final["due"]) > datetime.fromisoformat(found["due"])
    assert final["calendar"] != found["calendar"]
    assert "calendar.few_days" in {each["code"] for each in final["warnings"]}


def test_another_calendar_is_taken_with_its_own_zone(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "office.json"
    own = OFFICE.model_copy(update={"version": "own-1", "zone": "Asia/Urumqi", "week": (("10:00-12:00",),) * 7})
    file.write_text(own.model_dump_json(), encoding="utf-8")
    found = due(call, "2025-03-03T11:00", "2wh", "--calendar", str(file))
    assert found["due"] == "2025-03-04T11:00:00+06:00"
    assert found["calendar"] == "own-1"


@pytest.mark.parametrize(
    ("words", "code", "field"),
    [
        (("--start", "gestern", "--limit", "4wh"), "cli.bad_moment", "--start"),
        (("--start", "2025-02-30T10:00", "--limit", "4wh"), "cli.bad_moment", "--start"),
        (("--start", "0001-01-01T00:00", "--limit", "4wh"), "cli.bad_moment", "--start"),
        (("--start", "2025-03-03T10:00", "--limit", "尽快"), "limit.unreadable", "--limit"),
        (("--start", "2025-03-03T10:00", "--limit", "0wh"), "limit.unreadable", "--limit"),
        (("--start", "2025-03-03T10:00", "--limit", "4wh", "--pause", "x"), "cli.bad_pause", "--pause"),
        (("--start", "2025-03-03T10:00", "--limit", "4wh", "--pause", "x..y"), "cli.bad_moment", "--pause"),
        (
            ("--start", "2025-03-03T10:00", "--limit", "4wh", "--pause", "2025-03-04T10:00..2025-03-03T10:00"),
            "cli.bad_pause",
            "--pause",
        ),
        (("--limit", "4wh"), "cli.missing_value", "--start"),
        (("--start", "2025-03-03T10:00"), "cli.missing_value", "--limit"),
        (("--start", "2250-03-03T10:00", "--limit", "4wh"), "calendar.too_far", None),
    ],
)
def test_bad_options_are_refused_by_name(call: Call, words: tuple[str, ...], code: str, field: str | None) -> None:
    found = error(call("calendar", "due", *words, "--json"))
    assert found["code"] == code
    if field is not None:
        assert found["field"] == field


def test_problems_of_a_calendar_file_are_listed(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "list.json"
    file.write_text('{"2027-02-30": "off", "2027-03-01": "或许"}', encoding="utf-8")
    words = ("calendar", "due", "--start", "2025-03-03T10:00", "--limit", "4wh", "--calendar", str(file))
    found = error(call(*words, "--json"))
    assert found["code"] == "calendar.unreadable"
    assert [each["code"] for each in found["problems"]] == ["calendar_file.bad_date", "calendar_file.bad_kind"]
    code, text = call(*words)
    assert code == 1
    assert "2027-02-30" in text
    assert "或许" in text
    assert error(call(*words[:-1], "/nonexistent.json", "--json"))["code"] == "file.unreadable"


def test_without_an_instance_no_driver_of_a_server_is_imported() -> None:
    script = (
        "import sys; from console.cli import execute;"
        "code = execute(['calendar', 'due', '--start', '2025-09-30T17:00', '--limit', '4wh', '--json']);"
        "print(sorted({'temporalio', 'asyncpg', 'cryptography', 'rich.table'} & set(sys.modules))); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


# --- a real ledger ----------------------------------------------------------------------------------------------


@pytest.fixture
def office(new_office: asyncpg.Connection) -> asyncpg.Connection:
    return new_office


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "2027.json"
    path.write_text(json.dumps(LIST), encoding="utf-8")
    return path


async def test_a_new_office_has_the_calendar_of_the_library_and_keeps_its_own(
    office: asyncpg.Connection, fresh_database: str
) -> None:
    assert await current_calendar(office) == OFFICE
    own = OFFICE.model_copy(update={"version": "own-1"})
    await store_calendar(office, own, by="director")
    await prepare_ledger(fresh_database)
    assert await current_calendar(office) == own
    assert await office.fetchval("select chosen_by from calendar_choice order by number limit 1") == "system"


async def test_a_dry_run_shows_the_difference_and_changes_nothing(
    office: asyncpg.Connection, call: Call, file: Path
) -> None:
    shown = value(call("calendar", "import", str(file), "--dry-run", "--json"))
    assert (shown["applied"], shown["changed"], shown["previous"]) == (False, True, OFFICE.version)
    assert shown["published_until"] == "2027-12-31"
    assert {"change": "added", "on": "2027-01-01", "now": "off", "name": "元旦"} in shown["changes"]
    assert {"change": "added", "on": "2027-02-20", "now": "work", "name": "春节"} in shown["changes"]
    horizon = next(each for each in shown["changes"] if each.get("field") == "published_until")
    assert (horizon["was"], horizon["now"]) == (str(OFFICE.published_until), "2027-12-31")
    assert {each["code"] for each in shown["warnings"]} == {"calendar.few_days", "calendar.no_festival"}

    code, text = call("calendar", "import", str(file), "--dry-run")
    assert code == 0
    assert "2027-02-08 – 2027-02-09（2）" in text
    assert "没有改动" in text
    assert "请注意" in text
    assert await current_calendar(office) == OFFICE


async def test_a_confirmed_import_is_in_force_and_once_is_enough(
    office: asyncpg.Connection, call: Call, file: Path
) -> None:
    for number, calendar in enumerate((OFFICE.version, None)):
        row = case_row(f"case-{number}", calendar_version=calendar)
        await write(office, f"case-{number}", 0, [fact("opened")], rows={"case_row": [row]})

    done = value(call("calendar", "import", str(file), "--yes", "--by", "director", "--json"))
    assert (done["applied"], done["changed"], done["previous"]) == (True, True, OFFICE.version)
    # Nobody runs the cases here: the calendar is in force all the same, and what is left to do is said.
    assert (done["open_cases"], done["adoption"], done["hint"]) == (2, None, "bihuan rules adopt")
    assert done["adoption_refused"]["code"] == "vault.key_missing"
    found = await current_calendar(office)
    assert found is not None
    assert (found.version, found.published_until) == (done["version"], date(2027, 12, 31))
    assert {"2027-01-01", "2026-10-01"} <= {str(day.on) for day in found.off}
    assert await office.fetchval("select chosen_by from calendar_choice order by number desc limit 1") == "director"

    again = value(call("calendar", "import", str(file), "--no-adopt", "--json"))
    assert (again["changed"], again["version"], again["changes"]) == (False, done["version"], [])
    assert await office.fetchval("select count(*) from calendar_choice") == 2
    _, text = call("calendar", "import", str(file), "--no-adopt")
    assert "没有变化" in text
    assert "rules adopt" in text

    start = "2026-12-20T10:00"
    counted = value(call("calendar", "due", "--start", start, "--limit", "15wd", "--json"))
    assert (counted["calendar"], counted["provisional"]) == (done["version"], False)
    versions = value(call("calendar", "list", "--limit", "1", "--json"))
    assert [(each["version"], each["current"]) for each in versions["items"]] == [(done["version"], True)]
    rest = value(call("calendar", "list", "--cursor", versions["next"], "--json"))
    assert [each["version"] for each in rest["items"]] == [OFFICE.version]


async def test_without_a_file_the_library_is_merged_into_the_office_s_own_hours(
    office: asyncpg.Connection, call: Call
) -> None:
    own = OFFICE.model_copy(
        update={
            "version": "own-1",
            "week": (("09:00-17:00",),) * 5 + ((),) * 2,
            "off": tuple(day for day in OFFICE.off if day.on.year < 2026),
            "made_up": tuple(day for day in OFFICE.made_up if day.on.year < 2026),
            "published_until": date(2025, 12, 31),
        }
    )
    await store_calendar(office, own)
    done = value(call("calendar", "import", "--yes", "--json"))
    found = await current_calendar(office)
    assert found is not None
    assert (found.week, found.off, found.made_up) == (own.week, OFFICE.off, OFFICE.made_up)
    assert done["warnings"] == []
    assert {each.get("field") for each in done["changes"]} == {None, "published_until"}


async def test_a_whole_calendar_replaces_the_one_in_force_and_its_version_stands_for_its_content(
    office: asyncpg.Connection, call: Call, tmp_path: Path
) -> None:
    own = OFFICE.model_copy(update={"version": "own-1", "off": (*OFFICE.off, Day(on=date(2026, 3, 2), name="停电"))})
    path = tmp_path / "own.json"
    path.write_text(own.model_dump_json(), encoding="utf-8")
    assert value(call("calendar", "import", str(path), "--yes", "--json"))["version"] == "own-1"
    assert await current_calendar(office) == own

    path.write_text(own.model_copy(update={"name": "另一本"}).model_dump_json(), encoding="utf-8")
    for consent in ((), ("--yes",)):
        assert error(call("calendar", "import", str(path), *consent, "--json"))["code"] == "calendar.version_exists"
    assert (await read_calendars(office)).current == "own-1"


async def test_what_is_in_force_is_shown_by_year(office: asyncpg.Connection, call: Call) -> None:
    shown = value(call("calendar", "show", "--year", "2026", "--json"))
    assert (shown["version"], shown["current"], shown["published_until"]) == (OFFICE.version, True, "2026-12-31")
    assert len(shown["week"]) == 7
    assert {day["on"][:4] for day in shown["days"]} == {"2026"}
    assert {"on": "2026-10-10", "kind": "work", "name": "国庆节"} in shown["days"]
    whole = value(call("calendar", "show", OFFICE.version, "--json"))
    assert len(whole["days"]) == len(OFFICE.off) + len(OFFICE.made_up)

    code, text = call("calendar", "show", "--year", "2026")
    assert code == 0
    assert "周一至周五 08:00-12:00、14:00-18:00" in text
    assert "10-01 周四 – 10-07 周三" in text
    assert error(call("calendar", "show", "nonsense", "--json"))["code"] == "calendar.unknown"


async def test_who_imports_is_a_code_and_problems_stop_the_import(
    office: asyncpg.Connection, call: Call, tmp_path: Path, file: Path
) -> None:
    assert error(call("calendar", "import", str(file), "--by", "张 三", "--json"))["code"] == "code.malformed"
    bad = tmp_path / "bad.ics"
    bad.write_text("BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:放假\nEND:VEVENT\nEND:VCALENDAR\n", encoding="utf-8")
    found = error(call("calendar", "import", str(bad), "--yes", "--json"))
    assert (found["code"], found["problems"][0]["where"]["row"]) == ("calendar.unreadable", 2)
    assert await current_calendar(office) == OFFICE


@pytest.mark.parametrize(("answer", "applied"), [("y", True), ("n", False)])
async def test_at_a_terminal_the_import_asks(
    office: asyncpg.Connection, file: Path, answer: str, applied: bool
) -> None:
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen(
            [sys.executable, "-m", "console.cli", "calendar", "import", str(file)],
            cwd=ROOT, stdin=slave, stdout=slave, stderr=slave,
        )  # fmt: skip
        os.close(slave)
        shown = b""
        while "现在生效".encode() not in shown:
            shown += os.read(master, 4096)
        os.write(master, f"{answer}\n".encode())
        while True:
            try:
                more = os.read(master, 4096)
            except OSError:
                break  # the terminal is closed with the program
            if not more:
                break
            shown += more
        assert process.wait(60) == 0
    finally:
        os.close(master)
    text = shown.decode()
    assert ("已启用日历" in text, "没有改动" in text) == (applied, not applied)
    found = await current_calendar(office)
    assert found is not None
    assert (found.version != OFFICE.version) is applied


# --- the doctor -------------------------------------------------------------------------------------------------


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor does not wait for the Temporal server that is not there."""
    monkeypatch.setattr("console.commands.doctor._PATIENCE", timedelta(milliseconds=100))


async def _verdict(call: Call) -> tuple[str, str]:
    _, text = call("doctor", "--json")
    check = next(each for each in json.loads(text)["checks"] if each["check"] == "work calendar")
    return check["verdict"], check["remedy_zh"]


@pytest.mark.usefixtures("no_patience")
async def test_the_doctor_warns_before_the_published_days_end(office: asyncpg.Connection, call: Call) -> None:
    far = OFFICE.model_copy(update={"version": "far-1", "published_until": date(2099, 12, 31)})
    await store_calendar(office, far)
    assert await _verdict(call) == ("OK", "")
    near = OFFICE.model_copy(update={"version": "near-1", "published_until": date(2025, 12, 31)})
    await store_calendar(office, near)
    verdict, remedy = await _verdict(call)
    assert verdict == "WARN"
    assert "导入 2026 年放假安排" in remedy


@pytest.mark.usefixtures("no_patience")
async def test_the_doctor_misses_a_calendar(fresh_database: str, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from ledger.migrate import migrate

    await migrate(fresh_database)
    monkeypatch.setenv("BIHUAN_DATABASE_URL", fresh_database)
    monkeypatch.setenv("BIHUAN_TEMPORAL_ADDRESS", "127.0.0.1:9")
    verdict, remedy = await _verdict(call)
    assert verdict == "WARN"
    assert "calendar import" in remedy
    assert error(call("calendar", "show", "--json"))["code"] == "calendar.none"
