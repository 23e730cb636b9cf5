"""Official lists and whole calendars from files: usual forms are read, and what is wrong is named with its place."""

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import yaml

from domain.calendar import Day, LocalHours, WorkCalendar, standard_week
from domain.errors import Refused
from ledger.calendar_files import (
    CalendarUnreadable,
    OfficialList,
    merged,
    read_calendar_file,
    remarks,
)

# An invented list: the days are those of no real year.
OFF = {date(2027, 1, 1): "元旦", date(2027, 2, 5): "春节", date(2027, 2, 6): "春节"}
WORK = {date(2027, 2, 13): "春节"}
OFFICE = WorkCalendar(
    version="office-1",
    name="办公日历",
    week=standard_week(),
    off=(Day(on=date(2026, 10, 1), name="国庆节"), Day(on=date(2026, 12, 31), name="元旦")),
    local=(LocalHours(begin=date(2026, 7, 1), end=date(2026, 8, 31), segments=("08:00-14:00",), reason="高温"),),
    published_from=date(2026, 1, 1),
    published_until=date(2026, 12, 31),
)

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Puts a text (UTF-8) or bytes into a file of this name."""

    def put(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return put


def official(path: Path) -> OfficialList:
    found = read_calendar_file(path)
    assert isinstance(found, OfficialList)
    return found


def problems(path: Path) -> list[tuple[str, int, str]]:
    """The problems of a file: code without its family, row, value."""
    with pytest.raises(CalendarUnreadable) as caught:
        read_calendar_file(path)
    assert caught.value.code == "calendar.unreadable"
    assert caught.value.refusal.params["count"] == str(len(caught.value.problems))
    for each in caught.value.problems:
        assert all((each.message, each.message_en, each.remedy, each.remedy_en))
        assert each.where.file == path.name
    return [(each.code.partition(".")[2], each.where.row, each.value) for each in caught.value.problems]


# --- the forms of a list ----------------------------------------------------------------------------------------


def _entries() -> list[dict[str, object]]:
    off = [{"name": name, "date": str(on), "isOffDay": True} for on, name in OFF.items()]
    return off + [{"name": name, "date": str(on), "isOffDay": False} for on, name in WORK.items()]


def _words(off: object, work: object) -> dict[str, object]:
    return {str(on): off for on in OFF} | {str(on): work for on in WORK}


NAMED = {
    "a year with its days": {"year": 2027, "$schema": "x", "papers": ["x"], "days": _entries()},
    "two documents": [{"days": _entries()[:2]}, {"days": _entries()[2:]}],
    "a list of days": _entries(),
    "holidays and workdays": {
        "holidays": [{"date": str(on), "name": name} for on, name in OFF.items()],
        "workdays": {str(on): name for on, name in WORK.items()},
    },
    "days with objects": {str(each["date"]): each for each in _entries()},
}
UNNAMED = {
    "holidays and workdays": {"holidays": [str(on) for on in OFF], "workdays": [str(on) for on in WORK]},
    "words": _words("off", "work"),
    "truth": _words(True, False),
    "Chinese words": _words("休", "班"),
    "longer words": _words("放假", "调休上班"),
}


def _check(found: OfficialList, *, named: bool) -> None:
    names = {**OFF, **WORK} if named else dict.fromkeys(OFF, "放假") | dict.fromkeys(WORK, "调休上班")
    assert found.years == (2027,)
    assert found.off == tuple(Day(on=on, name=names[on]) for on in OFF)
    assert found.made_up == tuple(Day(on=on, name=names[on]) for on in WORK)


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
@pytest.mark.parametrize("form", NAMED)
def test_a_list_with_names_is_read(write: Write, form: str, suffix: str) -> None:
    text = json.dumps(NAMED[form]) if suffix == ".json" else yaml.safe_dump(NAMED[form], allow_unicode=True)
    _check(official(write(f"list{suffix}", text)), named=True)


@pytest.mark.parametrize("form", UNNAMED)
def test_a_list_without_names_is_read(write: Write, form: str) -> None:
    _check(official(write("list.json", json.dumps(UNNAMED[form]))), named=False)


def test_yaml_words_are_not_taken_for_truth_values(write: Write) -> None:
    text = "2027-01-01: off\n2027-02-05: off\n2027-02-06: yes\n2027-02-13: no\n"
    _check(official(write("list.yml", text)), named=False)


@pytest.mark.parametrize(
    "text",
    ["2027-01-01", "2027/1/1", "2027.1.1", "2027年1月1日", "20270101", " 2027-01-01 ", "2027-01-01 00:00:00"],
)
def test_days_are_read_as_people_write_them(write: Write, text: str) -> None:
    assert official(write("list.json", json.dumps({text: "off"}))).off[0].on == date(2027, 1, 1)


CSV = "日期,类型,名称\n2027-01-01,休,元旦\n2027/2/5,放假,春节\n\n2027-02-06,holiday,春节\n2027-02-13,补班,春节\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_table_is_read_in_any_usual_encoding(write: Write, encoding: str) -> None:
    _check(official(write("list.csv", CSV.encode(encoding))), named=True)


@pytest.mark.parametrize(
    "text",
    [
        CSV.replace("\n", "\r\n"),
        CSV.replace(",", ";"),
        CSV.replace(",", "\t"),
        CSV.replace("日期,类型,名称", "Date,Status,Name,"),
        "序号,名称,类型,日期\n1,元旦,off,2027-01-01\n2,春节,off,2027-02-05\n3,春节,off,2027-02-06\n4,春节,work,2027-02-13\n",
    ],
    ids=["line ends", "semicolons", "tabs", "English heads", "more columns"],
)
def test_a_table_is_read_whatever_program_wrote_it(write: Write, text: str) -> None:
    _check(official(write("list.csv", text)), named=True)


def event(*lines: str) -> str:
    return "\r\n".join(["BEGIN:VEVENT", *lines, "END:VEVENT"])


def ics(*events: str) -> str:
    head = ["BEGIN:VCALENDAR", "VERSION:2.0", "X-WR-CALNAME;VALUE=TEXT:节假日"]
    return "\r\n".join([*head, *events, "END:VCALENDAR", ""])


PLAIN = (
    event("DTSTART;VALUE=DATE:20270101", "SUMMARY:元旦（休）"),
    event("DTSTART;VALUE=DATE:20270205", "DTEND;VALUE=DATE:20270207", "SUMMARY:春节 假期 第1天/共2天"),
    event("DTSTART;VALUE=DATE:20270213", "DTEND;VALUE=DATE:20270213", "SUMMARY:春节 补班"),
)


def test_an_icalendar_is_read(write: Write) -> None:
    _check(official(write("list.ics", ics(*PLAIN))), named=True)
    _check(official(write("list.ics", "\ufeff" + ics(*PLAIN).replace("\r\n", "\n"))), named=True)


def test_times_alarms_folded_lines_and_descriptions_are_understood(write: Write) -> None:
    # In UTC the day begins at four in the afternoon of the day before.
    events = (
        event(
            "DTSTART:20261231T160000Z",
            "DTEND:20270101T160000Z",
            "SUMMARY:元旦",
            "DESCRIPTION:国务院公布\\n放假\\, 调休",
        ),
        event(
            'DTSTART;TZID="Asia/Shanghai":20270205T000000',
            "DURATION:P2D",
            "BEGIN:VALARM",
            "DTSTART:19700101",
            "SUMMARY:班",
            "END:VALARM",
            "SUMM",
            " ARY:春",
            "\t节放假",
        ),
        event(
            "DTSTART;TZID=中国标准时间:20270213T080000",
            "DTEND;TZID=中国标准时间:20270213T180000",
            "SUMMARY:春节调休上班",
        ),
        event("DTSTART;VALUE=DATE:20270301", "SUMMARY:取消的放假", "STATUS:CANCELLED"),
    )
    _check(official(write("list.ics", ics(*events))), named=True)


def test_in_a_marked_icalendar_only_marked_events_count(write: Write) -> None:
    mark = "X-APPLE-SPECIAL-DAY:"
    events = (
        event("DTSTART;VALUE=DATE:20270101", "SUMMARY:元旦", f"{mark}WORK-HOLIDAY"),
        event("DTSTART;VALUE=DATE:20270205", "DTEND;VALUE=DATE:20270207", "SUMMARY:春节", f"{mark}WORK-HOLIDAY"),
        event("DTSTART;VALUE=DATE:20270213", "SUMMARY:春节", f"{mark}ALTERNATE-WORKDAY"),
        event("DTSTART;VALUE=DATE:20270808", "SUMMARY:七夕", "RRULE:FREQ=YEARLY"),
    )
    found = official(write("list.ics", ics(*events)))
    _check(found, named=True)
    assert found.passed_over == ("七夕",)
    assert "calendar.passed_over" in {each.code for each in remarks(found, merged(OFFICE, found))}


def test_a_day_of_two_festivals_has_both_names(write: Write) -> None:
    entries = [{"date": "2028-10-03", "kind": "off", "name": name} for name in ("国庆节", "中秋节", "国庆节")]
    assert official(write("list.json", json.dumps(entries))).off == (Day(on=date(2028, 10, 3), name="国庆节、中秋节"),)


def test_names_are_cleaned_and_shortened(write: Write) -> None:
    days = {"2027-01-01": "\x00元旦 \n假", "2027-01-02": "长" * 300}
    found = official(write("list.json", json.dumps({"holidays": days})))
    assert [day.name for day in found.off] == ["元旦 假", "长" * 100]


def test_the_new_year_holiday_may_begin_in_the_december_before(write: Write) -> None:
    days = {"2027-12-31": "off", "2028-01-01": "off", "2028-01-29": "off", "2028-01-09": "work"}
    for value in (days, {"year": 2028, "days": [{"date": on, "kind": kind} for on, kind in days.items()]}):
        found = official(write("list.json", json.dumps(value)))
        assert found.years == (2028,)
        assert [str(day.on) for day in found.off] == ["2027-12-31", "2028-01-01", "2028-01-29"]


# --- what is wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"2027-02-30": "off"}, [("bad_date", 1, "2027-02-30")]),
        ({"2027-13-01": "off"}, [("bad_date", 1, "2027-13-01")]),
        ({"01-01": "off"}, [("bad_date", 1, "01-01")]),
        ({"0027-01-01": "off"}, [("bad_date", 1, "0027-01-01")]),
        ({"2027-01-01": "调休"}, [("bad_kind", 1, "调休")]),
        ({"2027-01-01": 2}, [("bad_kind", 1, "2")]),
        ({"2027-01-01": None}, [("missing", 1, "")]),
        ([{"isOffDay": True}, {"date": "2027-01-01"}], [("missing", 1, ""), ("missing", 2, "")]),
        (["2027-01-01"], [("bad_entry", 1, "2027-01-01")]),
        ({"year": "今年", "days": [{"date": "2027-01-01", "kind": "off"}]}, [("bad_year", 1, "今年")]),
        ({"year": 2026, "days": [{"date": "2027-01-01", "kind": "off"}]}, [("other_year", 1, "2027-01-01")]),
        ({"holidays": ["2027-01-01"], "workdays": ["2027-01-01"]}, [("both_ways", 1, "2027-01-01")]),
        ({"year": 2027, "days": []}, [("no_days", 1, "")]),
        ([], [("no_days", 1, "")]),
        ({}, [("no_days", 1, "")]),
        ("2027", [("syntax", 1, '{"year": …, "days": […]}')]),
        ({"holidays": "2027-01-01"}, [("syntax", 1, "holidays: [ … ]")]),
    ],
)
def test_what_is_wrong_in_json_is_named_with_its_entry(
    write: Write, value: object, expected: list[tuple[str, int, str]]
) -> None:
    assert problems(write("list.json", json.dumps(value))) == expected


def test_all_problems_are_named_at_once(write: Write) -> None:
    rows = [
        "2027-01-01,off,元旦",
        "2027-02-30,off,",
        "2027-02-13,或许,",
        "2027-01-01,work,",
        ",off,",
        "2027-05-01,off,x,y",
    ]
    text = "\n".join(["date,kind,name", *rows, ""])
    expected = [
        ("bad_date", 3, "2027-02-30"),
        ("bad_kind", 4, "或许"),
        ("both_ways", 5, "2027-01-01"),
        ("missing", 6, ""),
        ("too_many_cells", 7, "y"),
    ]
    assert problems(write("list.csv", text)) == expected


@pytest.mark.parametrize(
    ("name", "content", "row"),
    [
        ("list.json", '{"2027-01-01": "off",\n "2027-01-02" "off"}', 2),
        ("list.json", '{"2027-01-01": "off", "2027-01-01": "work"}', 1),
        ("list.json", "[" * 100_000, 1),
        ("list.json", '{"2027-01-01": {"kind": "off", "name": "\\ud800"}}', 1),
        ("list.json", "", 1),
        ("list.yaml", "days:\n  - {date: 2027-01-01\n", 3),
        ("list.yaml", "2027-01-01: off\n2027-01-01: work\n", 2),
        ("list.yaml", "a: &a [1]\nb: [*a, *a]\n", 1),
        ("list.yaml", "a: &a [*a]\n", 1),
        ("list.yaml", "2027-01-01: off\0", 1),
        ("list.yaml", "", 1),
        ("list.csv", "", 1),
        ("list.csv", "date,date,kind\n", 1),
        ("list.csv", 'date,kind\n2027-01-01,"off\n', 2),
        ("list.csv", b"date,kind\n\xff\xff\xff", 1),
        ("list.ics", "", 1),
        ("list.ics", "hello", 1),
        ("list.ics", "BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n", 3),
        ("list.ics", "BEGIN:VCALENDAR\n", 1),
    ],
)
def test_a_file_that_cannot_be_read_names_the_line(write: Write, name: str, content: str | bytes, row: int) -> None:
    found = problems(write(name, content))
    assert [(code, at) for code, at, _ in found] == [("syntax", row)]


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("2027-01-01,off\n", "date/日期, kind/type/类型/状态"),
        ("日期,节日,安排\n2027-01-01,元旦,休\n", "kind/type/类型/状态"),
    ],
)
def test_a_table_without_a_column_is_told_what_to_call_it(write: Write, content: str, names: str) -> None:
    assert problems(write("list.csv", content)) == [("no_column", 1, names)]


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (("DTSTART;VALUE=DATE:20270101", "SUMMARY:元旦"), "bad_event"),
        (("DTSTART;VALUE=DATE:20270101", "SUMMARY:休还是班"), "bad_event"),
        (("DTSTART;VALUE=DATE:20270101", "SUMMARY:调休"), "bad_event"),
        (("DTSTART;VALUE=DATE:20270101", "SUMMARY:元旦", "X-APPLE-SPECIAL-DAY:SOMETHING"), "bad_event"),
        (("DTSTART;VALUE=DATE:20270230", "SUMMARY:放假"), "bad_date"),
        (("DTSTART;VALUE=DATE:tomorrow", "SUMMARY:放假"), "bad_date"),
        (("DTSTART;VALUE=DATE:20270101", "DTEND;VALUE=DATE:2027", "SUMMARY:放假"), "bad_date"),
        (("DTSTART;VALUE=DATE:20270101", "DURATION:PT8H", "SUMMARY:放假"), "bad_date"),
        (("DTSTART;VALUE=DATE:20270105", "DTEND;VALUE=DATE:20270101", "SUMMARY:放假"), "bad_span"),
        (("DTSTART;VALUE=DATE:20270101", "DTEND;VALUE=DATE:20280101", "SUMMARY:放假"), "bad_span"),
        (("DTSTART;VALUE=DATE:20270101", "RRULE:FREQ=YEARLY", "SUMMARY:放假"), "repeating"),
        (("SUMMARY:放假",), "missing"),
    ],
)
def test_an_event_that_cannot_be_taken_names_its_line(write: Write, lines: tuple[str, ...], code: str) -> None:
    found = problems(write("list.ics", ics(event("DTSTART:20270501", "SUMMARY:放假"), event(*lines))))
    assert [each for each, _, _ in found] == [code]
    assert 8 <= found[0][1] <= 12


def test_other_endings_missing_and_huge_files_are_refused(write: Write, tmp_path: Path) -> None:
    for path, code in (
        (write("list.docx", "x"), "calendar.unknown_format"),
        (tmp_path / "nowhere.json", "file.unreadable"),
        (write("huge.json", b" " * (8 * 2**20 + 1)), "file.unreadable"),
    ):
        with pytest.raises(Refused) as caught:
            read_calendar_file(path)
        assert caught.value.code == code


# --- whole calendars --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
def test_a_whole_calendar_is_read_with_everything_it_says(write: Write, suffix: str) -> None:
    value = OFFICE.model_dump(mode="json")
    text = json.dumps(value) if suffix == ".json" else yaml.safe_dump(value, allow_unicode=True)
    assert read_calendar_file(write(f"office{suffix}", text)) == OFFICE


def test_a_whole_calendar_may_be_written_by_hand(write: Write) -> None:
    text = """
        name: 夏令时间
        week: [[08:00-12:00], [08:00-12:00], [08:00-12:00], [08:00-12:00], [08:00-12:00], [], []]
        off:
          - on: 2027-01-01
            name: 元旦
        made_up:
        published_from: 2027-01-01
        published_until: 2027-12-31
    """
    found = read_calendar_file(write("office.yaml", text))
    assert isinstance(found, WorkCalendar)
    assert found.week[0] == ("08:00-12:00",)
    assert found.off == (Day(on=date(2027, 1, 1), name="元旦"),)
    # Without a version of its own it gets one from its content, the same every time.
    assert found.version.startswith("cn-2027-")
    assert read_calendar_file(write("again.yaml", text)) == found
    assert read_calendar_file(write("other.yaml", text.replace("元旦", "新年"))).version != found.version  # type: ignore[union-attr]


def test_what_is_wrong_in_a_whole_calendar_is_named(write: Write) -> None:
    value = OFFICE.model_dump(mode="json")
    value["off"].append({"on": "2026-02-30", "name": "x"})
    value["week"][0] = ["12:00-08:00"]
    value["colour"] = "red"
    del value["name"]
    path = write("office.json", json.dumps(value))
    with pytest.raises(CalendarUnreadable) as caught:
        read_calendar_file(path)
    found = {(each.code, each.where.section, each.where.row, each.field) for each in caught.value.problems}
    assert ("calendar_file.bad_value", "off", 3, "on") in found
    assert ("calendar_file.missing", "name", 1, "name") in found
    assert ("calendar_file.bad_value", "colour", 1, "colour") in found
    assert "calendar.bad_segment" in {code for code, *_ in found}
    assert all(each.message and each.remedy for each in caught.value.problems)
