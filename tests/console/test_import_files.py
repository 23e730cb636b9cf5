"""Files become requests: formats, encodings, headers, times, masking, and who is who. No servers."""

import csv
import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.importing import readers
from console.importing.columns import Request, check_header, line, source_of_file, understand
from console.importing.identity import Found, number_apart, second_id, tell_apart
from console.importing.readers import BadRow, Row, read_rows
from console.importing.report import Rejection, place_of_report, write_report
from console.importing.times import read_time
from domain.errors import Refused
from domain.text import redact

LAMP = {"message_no": "8801", "src": "测试热线", "title": "东门路灯不亮", "detail": "东门第三盏路灯不亮。"}


def saved(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows_of(path: Path) -> list[Row]:
    rows = list(read_rows(path))
    assert all(isinstance(row, Row) for row in rows), rows
    return [row for row in rows if isinstance(row, Row)]


def bad_rows(path: Path) -> list[tuple[int, str]]:
    return [(row.number, row.refused.code) for row in read_rows(path) if isinstance(row, BadRow)]


def request(**cells: str) -> Request:
    return understand(Row(1, cells), "file")


def refusal_of(work: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        work()
    return caught.value


def workbook(rows: list[list[object]]) -> bytes:
    """A minimal workbook; style 1 is a date with time."""

    def cell(place: str, value: object) -> str:
        match value:
            case str():
                return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
            case datetime():
                days = (value - datetime(1899, 12, 30, tzinfo=UTC)).total_seconds() / 86400
                return f'<c r="{place}" s="1"><v>{days!r}</v></c>'
            case _:
                return f'<c r="{place}"><v>{value}</v></c>'

    sheet = "".join(
        f'<row r="{y}">' + "".join(cell(f"{chr(64 + x)}{y}", v) for x, v in enumerate(row, 1)) + "</row>"
        for y, row in enumerate(rows, 1)
    )
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    kinds = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kinds}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kinds}.worksheet+xml"/>'
        f'<Override PartName="/xl/styles.xml" ContentType="{kinds}.styles+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}">'
        f'<Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}">'
        '<sheets><sheet name="一" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{office}/styles" Target="styles.xml"/></Relationships>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><cellXfs count="2"><xf numFmtId="0"/>'
        '<xf numFmtId="22" applyNumberFormat="1"/></cellXfs></styleSheet>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{sheet}</sheetData></worksheet>',
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return packed.getvalue()


# --- formats ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_json_lines_are_read_with_and_without_a_mark(tmp_path: Path, mark: str) -> None:
    path = saved(tmp_path, "a.jsonl", mark + json.dumps(LAMP, ensure_ascii=False) + "\n\n" + json.dumps(LAMP))

    rows = rows_of(path)

    assert [(row.number, row.cells) for row in rows] == [(1, LAMP), (3, LAMP)]


def test_a_line_that_is_no_object_is_rejected_and_the_rest_go_on(tmp_path: Path) -> None:
    lines = ['{"title": "甲"', "[1]", '{"title": NaN}', "[" * 100_000, '{"title": "乙"}']
    path = saved(tmp_path, "a.jsonl", "\n".join(lines).encode() + b'\n{"title": "\xff"}\n')

    rows = list(read_rows(path))

    assert bad_rows(path) == [
        (1, "json.malformed"),
        (2, "import.not_an_object"),
        (3, "json.malformed"),
        (4, "json.malformed"),
        (6, "import.encoding"),
    ]
    assert [row.cells for row in rows if isinstance(row, Row)] == [{"title": "乙"}]


def test_json_values_keep_their_writing_and_half_characters_do_not_stop_anything(tmp_path: Path) -> None:
    line = r'{"编号": 0.10, "title": "a\ud800b", "有": true, "无": null, "表": {"x": [1]}, "title": "again"}'

    (row,) = rows_of(saved(tmp_path, "a.jsonl", line))

    assert row.cells == {
        "编号": "0.10",
        "title": "a\ufffdb",
        "有": "true",
        "无": "",
        "表": '{"x": ["1"]}',
        "title (6)": "again",
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_tables_are_read_in_every_usual_encoding_and_with_every_usual_separator(
    tmp_path: Path, encoding: str, delimiter: str
) -> None:
    text = (
        delimiter.join(["编号", "标题", "内容"]) + "\r\n" + delimiter.join(["1", "漏水", '"一楼\n漏水，很久"']) + "\r\n"
    )

    (row,) = rows_of(saved(tmp_path, "a.csv", text.encode(encoding)))

    assert row == Row(2, {"编号": "1", "标题": "漏水", "内容": "一楼\n漏水，很久"})


def test_one_damaged_letter_does_not_turn_a_table_into_nonsense(tmp_path: Path) -> None:
    data = "编号,标题\n1,漏水\n".encode() + b"2,\xe6\xbc\n" + "3,停电\n".encode()
    path = saved(tmp_path, "a.csv", data)

    assert bad_rows(path) == [(3, "import.encoding")]
    assert [row.cells["标题"] for row in read_rows(path) if isinstance(row, Row)] == ["漏水", "停电"]


def test_a_missing_quote_costs_one_row_and_not_the_rest_of_the_file(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", '编号,标题\n1,"漏水\n2,停电\n3,"停"水\n4,噪音\n')

    assert [row.number for row in read_rows(path) if isinstance(row, Row)] == [3, 5]
    assert bad_rows(path) == [(2, "import.csv_malformed"), (4, "import.csv_malformed")]


def test_rows_of_the_wrong_length(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", "编号,标题,,\n1,漏水,,\n,,,\n2\n3,停电,多出的一格\n")

    assert [row.cells for row in read_rows(path) if isinstance(row, Row)] == [
        {"编号": "1", "标题": "漏水"},
        {"编号": "2"},
    ]
    assert bad_rows(path) == [(5, "import.too_many_cells")]


def test_a_workbook_keeps_dates_numbers_and_row_numbers(tmp_path: Path) -> None:
    found = datetime(2020, 1, 6, 12, 9, 38, tzinfo=UTC)
    data = workbook(
        [[], ["编号", "标题", "发现时间", "电话"], [20200106.0, "路灯_x000D_", found, 13800001111], [], [7, "漏水"]]
    )

    rows = rows_of(saved(tmp_path, "a.xlsx", data))

    assert [row.number for row in rows] == [3, 5]
    assert rows[0].cells["编号"] == "20200106"
    assert rows[0].cells["电话"] == "13800001111"
    assert understand(rows[0], "x").content["found_at"] == "2020-01-06T04:09:38+00:00"
    assert understand(rows[0], "x").content["title"] == "路灯"
    assert rows[1].cells["编号"] == "7"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.docx", "x", "import.unknown_format"),
        ("a", "x", "import.unknown_format"),
        ("a.xlsx", "no zip", "file.unreadable"),
        ("a.xlsx", b"PK\x05\x06" + bytes(18), "file.unreadable"),
        ("a.csv", "", "import.no_text_column"),
        ("a.csv", ",".join(f"c{n}" for n in range(201)), "import.too_many_columns"),
        ("a.csv", b"\xff\xfeabc", "file.unreadable"),
    ],
)
def test_a_file_that_cannot_be_read_as_a_whole_is_refused(
    tmp_path: Path, name: str, content: str | bytes, code: str
) -> None:
    path = saved(tmp_path, name, content)

    assert refusal_of(lambda: list(read_rows(path))).code == code


def test_a_missing_or_too_large_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refusal_of(lambda: read_rows(tmp_path / "none.csv")).code == "file.unreadable"
    monkeypatch.setattr(readers, "FILE_LIMIT", 5)
    path = saved(tmp_path, "a.csv", "标题\n漏水\n")
    assert refusal_of(lambda: read_rows(path)).code == "import.file_too_large"


def test_a_cell_over_the_limit_costs_one_row(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", f"标题\n{'长' * 100_001}\n短\n")

    assert bad_rows(path) == [(2, "import.cell_too_long")]
    assert len(list(read_rows(path))) == 2


def test_a_table_without_title_and_text_is_refused_as_a_whole(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", "编号,时间\n1,2020-01-01\n")

    assert refusal_of(lambda: read_rows(path, check_header)).code == "import.no_text_column"


# --- what a row says --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2020-01-06T12:09:38+08:00", "2020-01-06T04:09:38"),
        ("2020-01-06T04:09:38Z", "2020-01-06T04:09:38"),
        ("2020-01-06 12:09:38.5", "2020-01-06T04:09:38.500000"),
        ("2020/1/6 12:09:38", "2020-01-06T04:09:38"),
        ("2020/1/6 9:05", "2020-01-06T01:05:00"),
        ("2020.1.6", "2020-01-05T16:00:00"),
        ("2020年1月6日 12时09分", "2020-01-06T04:09:00"),
        ("20200106", "2020-01-05T16:00:00"),
        ("20200106120938", "2020-01-06T04:09:38"),
        ("43836.506689815", "2020-01-06T04:09:38"),
        ("43836", "2020-01-05T16:00:00"),
        ("1990-07-01 12:00", "1990-07-01T04:00:00"),
    ],
)
def test_times_are_read_as_offices_write_them(text: str, utc: str) -> None:
    assert read_time(text).isoformat() == f"{utc}+00:00"


@pytest.mark.parametrize(
    "text", ["昨天", "2020-13-01", "2020-02-30 10:00", "2020", "0", "13800001111", "2020-01-01 25:00"]
)
def test_an_unreadable_time_is_refused_without_repeating_what_may_be_personal(text: str) -> None:
    refused = refusal_of(lambda: read_time(text))

    assert refused.code == "import.time_unreadable"
    assert "13800001111" not in str(refused)


@pytest.mark.parametrize(
    "headers",
    [
        ("message_no", "src", "title", "detail", "time", "class1", "user", "phone", "address"),
        ("编号", "来源", "标题", "内容", "时间", "一级分类", "姓名", "电话", "地址"),
        ("工单号", "来源 ", "主题", "正文", "发现时间:", "分类*", "联系人", "手机", "地址"),
    ],
)
def test_columns_are_known_by_their_chinese_and_english_names(headers: tuple[str, ...]) -> None:
    values = (
        "A-1",
        "热线",
        "漏水",
        "\u00a0一楼\u200b漏水，电话13800001111",
        "2020-01-06",
        "城建",
        "甲某",
        "13800001111",
        "东塘路",
    )

    found = understand(Row(2, dict(zip(headers, values, strict=True))), "file")

    assert (found.source, found.number) == ("热线", "A-1")
    assert found.content == {
        "title": "漏水",
        "text": "一楼漏水，电话〔手机号〕",
        "channel": "hotline",
        "found_at": "2020-01-05T16:00:00+00:00",
        "label": "城建",
    }
    assert found.private == {
        "wording": "漏水\n" + values[3],
        "reporter_name": "甲某",
        "reporter_phone": "13800001111",
        "reporter_address": "东塘路",
    }


def test_nothing_of_a_row_is_dropped() -> None:
    cells = {
        "标题": "漏水",
        "内容": "",
        "正文": "一楼",
        "时间": "2020-01-02",
        "发现时间": "2020-01-01",
        "点赞": "9",
        "空": " ",
    }

    found = request(**cells)

    assert found.content["text"] == "一楼"
    assert found.content["found_at"] == "2019-12-31T16:00:00+00:00"
    assert json.loads(found.private["unmapped"]) == {"时间": "2020-01-02", "点赞": "9"}


def test_a_missing_title_or_text_is_taken_from_the_other() -> None:
    assert request(内容="第一行\n第二行").words == ("第一行", "第一行\n第二行")
    assert request(标题="路灯").words == ("路灯", "路灯")
    assert refusal_of(lambda: request(标题=" ", 内容="\u200b")).code == "text.blank"


def test_a_long_title_is_shortened_and_kept_whole_in_the_text() -> None:
    title, text = request(标题="长" * 250, 内容="正文").words

    assert title == "长" * 199 + "…"
    assert text == "长" * 250 + "\n正文"


@given(st.text(alphabet="0123456789张号楼室 〔〕京A\n", min_size=1, max_size=400))
def test_a_shortened_line_is_always_masked_and_short_enough(text: str) -> None:
    short = line(text)

    assert len(short) <= 200
    assert redact(short) == short


def test_text_over_the_limit_is_refused_in_the_senders_words() -> None:
    refused = refusal_of(lambda: request(标题="长", 正文="长" * 20_001))

    assert (refused.code, refused.refusal.field) == ("text.too_long", "正文")


@pytest.mark.parametrize(("word", "code"), [("紧急", "emergency"), ("Livelihood", "livelihood"), ("一般", "general")])
def test_urgency_in_words(word: str, code: str) -> None:
    assert request(标题="x", 紧急程度=word).content["urgency"] == code


def test_an_unknown_urgency_is_refused() -> None:
    refused = refusal_of(lambda: request(标题="x", 紧急程度="很急"))
    assert (refused.code, refused.refusal.field) == ("field.invalid", "紧急程度")


def test_a_label_is_never_refused() -> None:
    assert len(request(标题="x", 分类="城 建\n" * 100).content["label"]) == 200


def test_the_name_of_a_file_serves_as_source() -> None:
    assert source_of_file("2020 年（一月）留言") == "2020-年-一月-留言"
    assert source_of_file("()") == "file"


# --- who is who -------------------------------------------------------------------------------------------------


def told(*requests: Request, recorded: dict[str, Any] | None = None) -> list[str]:
    return [_word(found) for found in tell_apart(requests, recorded or {})]


def _word(found: Found) -> str:
    if found.refused is not None:
        return found.refused.code
    return "known" if found.known else "twin" if found.twin else found.external_id


def opening(request: Request) -> dict[str, Any]:
    found_at = request.content.get("found_at", "2026-11-23T04:00:00Z")
    return {**request.content, "found_at": found_at, "urgency": "general", "place": {"street": "S01"}}


LIGHT = {"编号": "1", "标题": "路灯", "内容": "不亮"}


def test_one_message_under_two_heads_is_two_requests() -> None:
    first, second = request(分类="城建", **LIGHT), request(分类="交通", **LIGHT)

    assert told(first, second, first, second) == ["1", "1#交通", "twin", "twin"]
    assert told(second, first) == ["1", "1#城建"]


def test_the_same_number_with_other_words_is_refused() -> None:
    assert told(request(**LIGHT), request(**LIGHT | {"内容": "又亮了"})) == ["1", "command.reused"]


def test_what_is_recorded_is_known_in_any_order_of_the_rows() -> None:
    first, second = request(分类="城建", **LIGHT), request(分类="交通", **LIGHT)
    recorded = {found.stream: opening(found.request) for found in tell_apart([first, second], {})}

    assert told(second, first, recorded=recorded) == ["known", "known"]
    assert told(second, recorded=recorded) == ["known"]


def test_a_message_filed_anew_in_a_later_file_is_not_opened_again() -> None:
    first = request(分类="城建", **LIGHT)
    recorded = {tell_apart([first], {})[0].stream: opening(first)}

    assert told(request(分类="交通", **LIGHT), recorded=recorded) == ["command.reused"]
    assert told(first, request(分类="交通", **LIGHT), recorded=recorded) == ["known", "1#交通"]
    assert told(request(分类="城建", 时间="2020-01-01", **LIGHT), recorded=recorded) == ["command.reused"]


def test_messages_without_a_number_are_told_apart_by_what_they_say_and_who_says_it() -> None:
    cells = {"标题": "路灯", "内容": "不亮"}
    requests = [request(**cells), request(**cells), request(姓名="甲", **cells), request(时间="2020-01-01", **cells)]

    numbers = [each.number for each in number_apart(requests)]

    assert numbers[0] == numbers[1]
    assert numbers[2] == f"{numbers[0]}-2"
    assert numbers[3] not in numbers[:3]


@pytest.mark.parametrize("head", ["城乡 建设（一）", "长" * 60])
def test_any_head_gives_a_lawful_second_id(head: str) -> None:
    found = second_id(request(分类=head, **LIGHT))
    assert len(found) <= 64
    assert found.startswith("1#")
    assert " " not in found


# --- the report -------------------------------------------------------------------------------------------------


def test_the_report_is_a_table_without_formulas(tmp_path: Path) -> None:
    refused = Refused("grid.unknown", field="=网格", grid="X")

    path = write_report(tmp_path / "r.csv", [Rejection(9, refused.refusal), Rejection(2, refused.refusal)])

    assert path is not None
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    lines = _table(path)
    assert [line["row"] for line in lines] == ["2", "9"]
    assert lines[0]["field"] == "'=网格"
    assert lines[0]["code"] == "grid.unknown"
    assert "X" in lines[0]["reason"]
    assert lines[0]["remedy"]


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_without_rejections_no_report_is_made_and_an_old_one_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    assert write_report(path, []) is None
    assert not path.exists()
    write_report(path, [Rejection(1, Refused("text.blank", field="text").refusal)])
    assert write_report(path, []) is None
    assert _table(path) == []


def test_a_report_is_never_written_over_the_file_or_into_nowhere(tmp_path: Path) -> None:
    file = saved(tmp_path, "a.csv", "标题\nx\n")
    assert place_of_report(file, None) == tmp_path / "a.csv.report.csv"
    for wanted in (file, tmp_path, tmp_path / "none" / "r.csv"):
        assert refusal_of(lambda wanted=wanted: place_of_report(file, wanted)).code == "import.report_unwritable"


@pytest.fixture(autouse=True)
def _working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
