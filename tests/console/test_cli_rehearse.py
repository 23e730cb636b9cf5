"""``bihuan rehearse``: tables without any server, closed cases out of a real ledger, and what is refused by name."""

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from console.rehearsal_table import COLUMNS
from domain.ladder import ClockKind
from domain.limits import limit
from domain.rules import RuleBook
from ledger.calendar_files import from_library
from ledger.log import canonical
from ledger.registry import load_registry, store_rule_book
from ledger.rows import CaseRow, ClockRow
from ledger.rule_files import example_book, rule_book_yaml
from tests.calendars import local
from tests.console.calling import Call, called, error, value
from tests.console.test_import_files import workbook
from tests.neighbourhood import LEAD, REGISTRY, raw_registry

MONDAY = local("2025-03-03 09:00")


@pytest.fixture
def call(no_instance: None) -> Call:
    """Runs ``bihuan rehearse`` in this process."""
    return partial(called, "rehearse")


def trial_book(handle: str) -> RuleBook:
    """The shipped book with another budget for general matters."""
    book = example_book()
    rows = tuple(
        row.model_copy(update={"limits": {**row.limits, ClockKind.HANDLE: limit(handle)}, "extension": None})
        if row.urgency == "general" and row.category is None
        else row
        for row in book.rows
    )
    return book.model_copy(update={"version": f"trial-{handle}", "rows": rows})


@pytest.fixture
def shorter(tmp_path: Path) -> str:
    """A file with a book of three working days."""
    path = tmp_path / "trial.yaml"
    path.write_text(rule_book_yaml(trial_book("3wd")), encoding="utf-8")
    return str(path)


# --- tables -----------------------------------------------------------------------------------------------------

HEADER = "工单编号,受理时间,派单时间,签收时间,办结时间,紧急程度,类别编码,承办单位,是否超期"
ROWS = (
    "A1,2025-03-03 08:30,2025-03-03 09:00,2025-03-03 10:00,2025-03-05 17:00,一般,,城管,否",
    "A2,2025-03-03 08:30,2025-03-03 09:00,2025-03-03 10:00,2025-03-07 17:00,一般,,城管,否",
    "A3,2025-03-03 08:30,2025-03-03 09:00,2025-03-03 10:00,2025-03-20 17:00,一般,E0101,供水,是",
    "A4,2025-03-03 08:30,,,,一般,,供水,",
)


@pytest.fixture
def table(tmp_path: Path) -> str:
    path = tmp_path / "cases.csv"
    path.write_text("\n".join((HEADER, *ROWS)), encoding="gb18030")
    return str(path)


def test_a_table_needs_no_instance(call: Call, table: str, shorter: str) -> None:
    found = value(call("--table", table, "--rules", shorter, "--worst", "2", "--json"))

    assert (found["rules"], found["calendar"]) == ("trial-3wd", from_library().version)
    assert (found["cases"], found["rows"], found["open_rows"], found["problems"]) == (3, 4, 1, [])
    budgets = next(each for each in found["clocks"] if each["kind"] == "handle")
    # A2 took four working days, A3 has twenty for unlawful building and was late by the rules of its day.
    assert (budgets["late_before"], budgets["late_after"]) == (1, 1)
    assert (budgets["newly_late"], budgets["no_longer_late"]) == (1, 1)
    assert [each["kind"] for each in found["clocks"]] == ["dispatch", "sign_for", "handle"]
    departments = {each["department"]: each for each in found["departments"]}
    assert departments["城管"]["newly_late"] == 1
    assert departments["供水"]["no_longer_late"] == 1
    assert [each["id"] for each in found["worst"]] == ["#3 A2", "#4 A3"]


def test_people_see_departments_clocks_and_the_cases_changed_most(call: Call, table: str, shorter: str) -> None:
    code, text = call("--table", table, "--rules", shorter, "--worst", "1")
    assert code == 0
    assert "城管" in text
    assert "处置" in text
    assert "#3 A2" in text
    assert "1 行尚未办结" in text
    _, text = call("--table", table, "--rules", shorter, "--lang", "en")
    assert "late then→now" in text
    assert "Cases that would change most" not in text


def test_the_rules_and_the_calendar_of_a_new_office_serve_where_none_are_named(call: Call, table: str) -> None:
    found = value(call("--table", table, "--json"))
    assert found["rules"] == example_book().version
    assert found["totals"]["newly_late"] == 0


def test_an_official_list_moves_what_it_names(call: Call, table: str, shorter: str, tmp_path: Path) -> None:
    days = "\n".join(f"2025-03-{day:02},off" for day in (4, 5, 6))
    file = tmp_path / "list.csv"
    file.write_text(f"date,kind\n2025-01-01,off\n{days}\n", encoding="utf-8")
    found = value(call("--table", table, "--rules", shorter, "--calendar", str(file), "--json"))
    assert found["totals"]["newly_late"] == 0
    assert found["calendar"] != from_library().version


def test_only_what_was_opened_in_the_time_is_taken(call: Call, table: str) -> None:
    assert value(call("--table", table, "--from", "2025-03-04", "--json"))["cases"] == 0
    assert value(call("--table", table, "--to", "2025-03-04", "--json"))["cases"] == 3
    _, text = call("--table", table, "--from", "2025-03-04")
    assert "没有符合条件" in text


def test_bad_rows_are_reported_by_row_and_column_and_the_others_go_on(call: Call, tmp_path: Path) -> None:
    bad = (
        "B1,2025-03-03 08:30,,,2025-03-02 09:00,一般,,城管,",
        "B2,2025-03-03 08:30,,,2025-03-05 09:00,很急,,城管,",
        "B3,2025-03-03 08:30,,,2025-03-05 09:00,紧急,ZZ9,城管,",
        "B4,前天,,,2025-03-05 09:00,紧急,,城管,",
        "B5,,,,2025-03-05 09:00,紧急,,城管,",
        "B6,2025-03-03 08:30,,,2025-03-05 09:00,紧急,,城管,也许",
        "B7,2025-03-03 08:30,,,2025-03-05 09:00,紧急,,城管,,多余",
        f"B8,2025-03-03 08:30,,,2025-03-05 09:00,紧急,,{'长' * 300},",
    )
    path = tmp_path / "cases.csv"
    path.write_text("\n".join((HEADER, ROWS[0], *bad, ROWS[1])), encoding="utf-8")

    found = value(call("--table", str(path), "--json"), exit_code=1)

    assert found["cases"] == 2
    assert [(each["row"], each["column"], each["code"]) for each in found["problems"]] == [
        (3, "办结时间", "rehearse.out_of_order"),
        (4, "紧急程度", "rehearse.unknown_urgency"),
        (5, "类别编码", "rehearse.unknown_category"),
        (6, "受理时间", "import.time_unreadable"),
        (7, "受理时间", "field.missing"),
        (8, "是否超期", "rehearse.unknown_mark"),
        (9, None, "import.too_many_cells"),
        (10, "承办单位", "text.too_long"),
    ]
    assert "很急" in found["problems"][1]["message"]
    assert "ZZ9" in found["problems"][2]["message"]
    code, text = call("--table", str(path))
    assert code == 1
    assert "8 行有问题" in text
    assert "没有类别“ZZ9”" in text


@pytest.mark.parametrize("missing", ["受理时间", "办结时间"])
def test_a_table_without_times_is_refused_as_a_whole(call: Call, tmp_path: Path, missing: str) -> None:
    path = tmp_path / "cases.csv"
    path.write_text("\n".join((HEADER.replace(missing, "备注"), ROWS[0])), encoding="utf-8")
    found = error(call("--table", str(path), "--json"))
    assert found["code"] == "rehearse.no_columns"
    assert found["message"] == f"表格里没有“{missing}”这一栏。"
    assert found["message_en"].isascii()


def test_headings_are_known_in_english_too_and_without_marks_nothing_is_called_newly_late(
    call: Call, tmp_path: Path
) -> None:
    header: list[object] = ["Opened *", "closed", "Urgency", "department", "due"]
    rows: list[list[object]] = [
        ["2025-03-03 09:00", "2025-03-20 17:00", "general", "D1", ""],
        ["2025-03-03 09:00", "2025-03-20 17:00", "", "D1", "2025-03-19 18:00"],
        ["2025-03-03 09:00", "2025-03-20 17:00", "", "D1", "2025-03-20 17:00"],
    ]
    path = tmp_path / "cases.xlsx"
    path.write_bytes(workbook([header, *rows]))

    found = value(call("--table", str(path), "--json"))["totals"]

    assert (found["count"], found["recorded"], found["late_before"], found["late_after"]) == (3, 2, 1, 3)
    assert found["newly_late"] == 1


def test_lines_of_json_are_read(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text('{"opened": "2025-03-03T09:00:00+08:00", "closed": "2025-03-04T09:00:00Z"}\n{"opened": "x"}\n')
    found = value(call("--table", str(path), "--json"))
    assert (found["cases"], found["open_rows"]) == (1, 1)


def test_no_heading_means_two_things() -> None:
    names = [name for known in COLUMNS.values() for name in known]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("--table", "TABLE", "--rules", "none-9"), "rules.unknown"),
        (("--table", "TABLE", "--calendar", "none-9"), "calendar.unknown"),
        (("--table", "TABLE", "--rules", "/nowhere/book.yaml"), "file.unreadable"),
        (("--table", "TABLE", "--street", "S01"), "cli.bad_value"),
        (("--table", "/nowhere/cases.csv"), "file.unreadable"),
        (("--table", "/nowhere/cases.txt"), "import.unknown_format"),
        (("--from", "gestern"), "cli.time_unreadable"),
        ((), "instance.not_running"),
    ],
)
def test_what_cannot_be_rehearsed_is_refused_by_name(call: Call, table: str, words: tuple[str, ...], code: str) -> None:
    given = [table if word == "TABLE" else word for word in words]
    assert error(call(*given, "--json"))["code"] == code


def test_an_unsound_book_is_refused(call: Call, table: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("version: bad\nname: 坏\nrows: []\n", encoding="utf-8")
    assert error(call("--table", table, "--rules", str(path), "--json"))["code"] == "rules.unsound"
    code, text = call("--table", table, "--rules", str(path))
    assert code == 1
    assert "bad.yaml" in text


# --- a real ledger ----------------------------------------------------------------------------------------------


@pytest.fixture
async def office(new_office: asyncpg.Connection) -> asyncpg.Connection:
    """An office's ledger with three closed cases and an open one, found by the environment."""
    connection = new_office
    building = {"code": "E0101", "name": "私搭乱建", "on_the_spot": False, "urgency": "general"}
    await load_registry(connection, raw_registry(categories=[*REGISTRY["categories"], building]), "test")
    book = example_book()
    await store_rule_book(connection, book.version, book.model_dump(mode="json"))
    cases, clocks = [], []
    for number, days in enumerate((2, 4, 17, 30), start=1):
        name, street = f"case-{number}", "S01" if number < 3 else "S02"
        about: dict[str, Any] = {"urgency": "general", "street": street, "community": "C01", "lead": LEAD}
        closed = {"finished": number != 4, "stage": "archived" if number != 4 else "handling"}
        at = {"registered_at": MONDAY + timedelta(days=number), "updated_at": MONDAY}
        cases.append(CaseRow.model_validate({"id": name, "seq": 1, **about, **closed, **at}).model_dump(mode="json"))
        stop = MONDAY + timedelta(days=days, hours=8)
        late = {"warned_at": stop, "overdue_at": stop, "reached": ("remind", "urge")} if days > 7 else {}
        row: dict[str, Any] = {"stream": name, "id": "handle", "process": "case", "kind": "handle", "limit_text": "5wd"}
        row |= {"started_at": MONDAY, "stopped_at": stop, "state": "stopped", "rules_version": book.version, **late}
        clocks.append(ClockRow.model_validate(row).model_dump(mode="json"))
    await connection.execute("select ledger_rows($1::text::jsonb)", canonical({"case_row": cases, "clock": clocks}))
    return connection


async def test_closed_cases_of_the_ledger_are_rehearsed(office: asyncpg.Connection, call: Call, shorter: str) -> None:
    found = value(call("--rules", shorter, "--worst", "5", "--json"))

    assert (found["rules"], found["cases"], found["cases_late_before"], found["cases_late_after"]) == (
        "trial-3wd", 3, 1, 2,
    )  # fmt: skip
    (lead,) = found["departments"]
    assert (lead["department"], lead["name"], lead["count"], lead["newly_late"]) == (LEAD, "城市管理", 3, 1)
    assert [each["id"] for each in found["worst"]] == ["case-2", "case-1", "case-3"]
    assert "problems" not in found
    _, text = call("--rules", shorter)
    assert "城市管理 D01" in text


async def test_versions_of_the_ledger_streets_and_times_are_chosen(office: asyncpg.Connection, call: Call) -> None:
    await store_rule_book(office, "trial-3wd", trial_book("3wd").model_dump(mode="json"), choose=False)
    assert value(call("--json"))["totals"]["newly_late"] == 0
    assert value(call("--rules", "trial-3wd", "--json"))["totals"]["newly_late"] == 1
    assert value(call("--calendar", from_library().version, "--json"))["cases"] == 3
    assert value(call("--street", "S01", "--json"))["cases"] == 2
    assert value(call("--from", "2025-03-05", "--to", "2025-03-06", "--json"))["cases"] == 1
    assert error(call("--street", "S99", "--json"))["code"] == "organisation.unknown"
    assert error(call("--rules", "none-9", "--json"))["code"] == "rules.unknown"


async def test_a_table_is_checked_against_the_registry_of_the_office(
    office: asyncpg.Connection, call: Call, tmp_path: Path
) -> None:
    path = tmp_path / "cases.csv"
    rows = [f"A{n},2025-03-03 08:30,,,2025-03-05 17:00,一般,{code},城管," for n, code in enumerate(("K02", "C0101"))]
    path.write_text("\n".join((HEADER, *rows)), encoding="utf-8")
    found = value(call("--table", str(path), "--json"), exit_code=1)
    # K02 is the neighbourhood's; C0101 is only in the directory that ships.
    assert found["cases"] == 1
    assert [each["code"] for each in found["problems"]] == ["rehearse.unknown_category"]
