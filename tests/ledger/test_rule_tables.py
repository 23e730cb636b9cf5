"""Rule books from tables: an office's own sheets and a city's public one, with row and column of all that is wrong."""

from pathlib import Path
from typing import Any

import pytest

from domain.ladder import ClockKind
from domain.rule_check import Checked
from domain.rules import SuspendReason, Urgency
from ledger.rule_files import check_rule_file, example_book
from tests.ledger.rule_books import DEFAULTS, csv, found, noted, saved
from tests.workbooks import ods, xlsx

EXAMPLE = example_book()
G, C = Urgency.GENERAL, Urgency.COMPLEX


# --- tables of an office's own ----------------------------------------------------------------------------------

SHEETS: dict[str, list[list[object]]] = {
    "时限": [
        ["东塘街道诉求办理时限（试行）"],
        [],
        ["紧急程度", "类别编码", "类别名称", "条件", "派单时限", "签收", "处置", "处置.制止", "延期", "备注"],
        ["紧急", "", "", "", "30分钟", "", "12小时", "", "", ""],
        ["民生", "", "", "", "2小时", "", "24小时", "", "", ""],
        ["一般", "通用", "", "", "24小时", "", "5个工作日", "", "10个工作日", "含周末申请"],
        ["疑难", "", "", "", "24小时", "1个工作日", "15个工作日", "", "", ""],
        ["一般、疑难", "K01", "路面破损", "", "", "", "7个工作日", "", "-", ""],
        ["一般、疑难", "K01", "路面破损", "主干道", "", "", "4工作时", "", "", ""],
        ["全部", "K02", "私搭乱建", "", "", "-", "20个工作日", "4工作时", "", ""],
    ],
    "督办阶梯": [
        ["编码", "名称", "时点", "动作", "告知", "适用时限", "已回复则不", "升级"],
        ["half", "提醒", 0.5, "提醒", "承办人", "", "", ""],
        ["yellow", "黄灯", "80%", "黄灯", "承办人、负责人", "", "", ""],
        ["red", "红灯", "到期", "红灯", "", "", "", ""],
        ["circular", "通报", "到期后5个工作日", "通报", "分管领导", "处置、分步", "是", "否"],
    ],
    "渠道": [["渠道", "公开答复"], ["chat_group", "1小时"]],
    "常量": [
        ["名称", "值"],
        ["版本", "dongtang-1"],
        ["规则名称", "东塘街道规则"],
        ["返工上限", 1],
        ["停表.等待当事人", "10天"],
    ],
    "类别": [["编码", "名称"], ["K01", "路面破损"], ["K02", "私搭乱建"]],
    "填表说明": [["各单位请于周五前填好"]],
}


def check_sheets(folder: Path, **sheets: list[list[object]]) -> Checked:
    return check_rule_file(saved(folder, "book.xlsx", xlsx({**SHEETS, **sheets})))


def test_a_workbook_becomes_a_rule_book(tmp_path: Path) -> None:
    checked = check_sheets(tmp_path)
    book = checked.sound()

    assert (book.version, book.name, book.rework_most) == ("dongtang-1", "东塘街道规则", 1)
    assert str(book.row(Urgency.EMERGENCY, None).limits[ClockKind.DISPATCH]) == "30m"
    assert checked.against == "file"
    # K02 has working days where emergencies are extended by hours.
    assert noted(checked) == [("book.xlsx:1 填表说明", "note.sheet_skipped"), ("book.xlsx:1", "note.no_extension")]
    assert [rung.at for rung in book.ladder] == ["50%", "80%", "due", "due+5wd"]
    assert (book.ladder[3].clocks, book.ladder[3].unless_replied) == ((ClockKind.HANDLE, ClockKind.STEP), True)
    assert str(book.channels[0].limits[ClockKind.PUBLISH]) == "1h"


def test_a_blank_cell_takes_the_limit_of_the_category_then_of_the_urgency_then_of_the_base(tmp_path: Path) -> None:
    book = check_sheets(tmp_path).sound()
    plain, category, condition = book.row(C, None), book.row(C, "K01"), book.row(C, "K01", "主干道")

    assert str(plain.limits[ClockKind.SIGN_FOR]) == "1wd"
    assert plain.limits[ClockKind.VERIFY] == EXAMPLE.row(C, None).limits[ClockKind.VERIFY]
    assert str(category.limits[ClockKind.HANDLE]) == "7wd"
    assert category.limits[ClockKind.SIGN_FOR] == plain.limits[ClockKind.SIGN_FOR]
    assert str(condition.limits[ClockKind.HANDLE]) == "4wh"
    assert {kind: each for kind, each in condition.limits.items() if kind is not ClockKind.HANDLE} == {
        kind: each for kind, each in category.limits.items() if kind is not ClockKind.HANDLE
    }


def test_a_dash_says_that_there_is_none(tmp_path: Path) -> None:
    book = check_sheets(tmp_path).sound()
    assert ClockKind.SIGN_FOR not in book.row(G, "K02").limits
    assert book.row(G, "K01").extension is None
    assert str(book.row(G, None).extension) == "10wd"


def test_a_step_has_a_column_of_its_own(tmp_path: Path) -> None:
    row = check_sheets(tmp_path).sound().row(Urgency.LIVELIHOOD, "K02")
    assert [(step.code, step.name, str(step.limit)) for step in row.steps] == [("制止", "制止", "4wh")]


def test_a_table_names_the_suspensions_it_changes(tmp_path: Path) -> None:
    book = check_sheets(tmp_path).sound()
    assert str(book.longest_suspension(SuspendReason.AWAITING_PARTY)) == "10d"
    assert book.longest_suspension(SuspendReason.FORCE_MAJEURE) == EXAMPLE.longest_suspension(
        SuspendReason.FORCE_MAJEURE
    )


def test_every_format_makes_the_same_book(tmp_path: Path) -> None:
    plain = {"时限": [line.split(",") for line in (*DEFAULTS, "一般,K01,,3wd")]}
    text = csv(*(",".join(row) for row in plain["时限"]))
    files = {
        "a.xlsx": xlsx(plain),
        "a.ods": ods(plain),
        "a.csv": text.encode(),
        "b.csv": text.encode("utf-8-sig"),
        "c.csv": text.encode("gb18030"),
        "d.csv": text.replace(",", ";").replace("\n", "\r\n").encode("gb18030"),
    }
    books = [check_rule_file(saved(tmp_path, name, data), version="v").sound() for name, data in files.items()]

    assert str(books[0].row(G, "K01").limits[ClockKind.HANDLE]) == "3wd"
    assert all(book.rows == books[0].rows for book in books)


def test_english_headings_are_read_too(tmp_path: Path) -> None:
    text = csv("urgency,category,condition,handle,feed_back,step.stop", "General,K01,,5wd,2h,4wh")
    row = check_rule_file(saved(tmp_path, "a.csv", text)).sound().row(G, "K01")
    assert (str(row.limits[ClockKind.HANDLE]), str(row.limits[ClockKind.FEED_BACK])) == ("5wd", "2h")
    assert [step.code for step in row.steps] == ["stop"]


def test_a_table_of_categories_only_takes_everything_else_from_the_base(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.csv", csv("紧急程度,类别,处置", "一般,K01,3wd"))
    base = EXAMPLE.model_copy(update={"rework_most": 7, "version": "base"})

    book = check_rule_file(path, base, version="own").sound()

    assert book.rework_most == 7
    assert [row for row in book.rows if row.category is None] == [row for row in EXAMPLE.rows if row.category is None]
    # The categories of the base are its own.
    assert {row.category for row in book.rows} == {None, "K01"}
    assert book.ladder == EXAMPLE.ladder


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ((*DEFAULTS, "一般,K01,,快"), [("a.csv a!D6", "limit.unreadable", "快")]),
        ((*DEFAULTS, "一般,K01,,5"), [("a.csv a!D6", "limit.unreadable", "5")]),
        ((*DEFAULTS, "较急,K01,,5wd"), [("a.csv a!A6", "rules.unknown_urgency", "较急")]),
        ((*DEFAULTS, ",K01,,5wd"), [("a.csv:6 a", "rules.missing", "")]),
        ((*DEFAULTS, "一般,K 01,,5wd"), [("a.csv a!B6", "code.malformed", "K 01")]),
        ((*DEFAULTS, "一般,K01,,5wd", "一般,K01,,6wd"), [("a.csv:7 a", "rules.row_twice", "general K01")]),
        # Rows overlap also where only one of their urgencies is the same.
        ((*DEFAULTS, "一般、疑难,K01,,5wd", "全部,K01,,6wd"), [
            ("a.csv:7 a", "rules.row_twice", "general K01"), ("a.csv:7 a", "rules.row_twice", "complex K01"),
        ]),
        (DEFAULTS[:4], [("a.csv:1", "rules.row_missing", "complex")]),
        ((*DEFAULTS[:4], "疑难,,24h,"), [("a.csv:5 a", "rules.default_limit_missing", "")]),
        ((*DEFAULTS[:4], "疑难,,-,15wd"), [("a.csv:5 a", "rules.default_limit_missing", "")]),
        ((DEFAULTS[0] + ",颜色", *DEFAULTS[1:], "一般,K01,,5wd,红"), [("a.csv a!E1", "rules.unknown_column", "颜色")]),
        ((DEFAULTS[0] + ",处置时限", *DEFAULTS[1:]), [("a.csv a!E1", "rules.twice", "处置时限")]),
        (("类别,处置", "K01,5wd"), [("a.csv:1 a", "rules.missing", "")]),
        (("甲,乙", "丙,丁"), [("a.csv:1 a", "rules.no_heading", "")]),
        (("紧急程度,类别,条件,处置", "一般,K01,夜间,5wd"), [("a.csv a!B2", "rules.no_fallback", "K01")]),
        (("紧急程度,类别,条件,处置", "一般,,夜间,5wd"), [("a.csv a!C2", "rules.condition_alone", "夜间")]),
        (("紧急程度,类别,处置,延期", "一般,K01,5wd,10天"), [("a.csv a!D2", "limit.other_unit", "10天")]),
        (("紧急程度,类别,处置,延期", "一般,K01,-,10天"), [("a.csv a!D2", "rules.extension_alone", "10天")]),
        (("紧急程度,类别,处置,重开", "一般,K01,5wd,2wd"), [("a.csv a!D2", "rules.natural_only", "2wd")]),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_table_is_named_with_row_and_column(
    tmp_path: Path, rows: tuple[str, ...], expected: list[tuple[str, str, str]]
) -> None:
    assert found(check_rule_file(saved(tmp_path, "a.csv", csv(*rows)))) == expected


def test_the_row_is_the_line_also_after_a_cell_of_several_lines(tmp_path: Path) -> None:
    text = csv("紧急程度,类别,处置,备注", '一般,K01,5wd,"两\n行"', "一般,K02,快,")
    assert found(check_rule_file(saved(tmp_path, "a.csv", text))) == [("a.csv a!C4", "limit.unreadable", "快")]


@pytest.mark.parametrize(
    ("sheet", "rows", "expected"),
    [
        (
            "督办阶梯",
            [["编码", "名称", "时点", "动作"], ["a", "甲", "以后", "通报"]],
            ("C2", "ladder.unreadable", "以后"),
        ),
        ("督办阶梯", [["编码", "名称", "时点", "动作"], ["a", "甲", "到期", "骂"]], ("D2", "rules.bad_value", "骂")),
        ("督办阶梯", [["编码", "名称", "时点", "动作"], ["a", "甲", "50%", "红灯"]], ("C2", "ladder.misplaced", "a")),
        ("渠道", [["渠道", "公开答复"], ["chat_group", "马上"]], ("B2", "limit.unreadable", "马上")),
        ("渠道", [["渠道", "公开"], ["chat_group", "1h"]], ("1", "rules.no_heading", "")),
        ("常量", [["名称", "值"], ["返工上限", "许多"]], ("B2", "rules.bad_value", "许多")),
        ("常量", [["名称", "值"], ["天气", "晴"]], ("A2", "rules.unknown_setting", "天气")),
        ("常量", [["名称", "值"], ["停表.心情不好", "3天"]], ("A2", "rules.bad_value", "心情不好")),
        ("常量", [["名称", "值"], ["停表.等待当事人", "3个工作日"]], ("B2", "rules.natural_only", "3个工作日")),
        ("常量", [["名称", "值"], ["返工上限", "1"], ["返工次数", "2"]], ("A3", "rules.twice", "返工次数")),
        ("常量", [["名称", "值"], ["返工上限", ""]], ("2", "rules.missing", "")),
        ("类别", [["编码", "名称"], ["K02", "私搭乱建"]], ("B8", "rules.unknown_category", "K01")),
    ],
)
def test_what_is_wrong_in_another_sheet_is_named_with_it(
    tmp_path: Path, sheet: str, rows: list[list[object]], expected: tuple[str, str, str]
) -> None:
    first = check_sheets(tmp_path, **{sheet: rows}).problems[0]
    place = f"{first.where.column}{first.where.row}"
    assert (place, first.code, first.value) == expected
    assert first.where.sheet == ("时限" if sheet == "类别" else sheet)
    assert all((first.message, first.message_en, first.remedy, first.remedy_en))


def test_categories_are_those_of_the_registry_when_there_is_one(tmp_path: Path) -> None:
    path = saved(tmp_path, "book.xlsx", xlsx(SHEETS))
    checked = check_rule_file(path, registry=["K01"])
    assert checked.against == "registry"
    assert found(checked) == [("book.xlsx 时限!B10", "rules.unknown_category", "K02")]


def test_categories_that_were_compared_with_nothing_are_noted(tmp_path: Path) -> None:
    checked = check_rule_file(saved(tmp_path, "a.csv", csv("紧急程度,类别,处置", "一般,K01,3wd")))
    assert checked.against is None
    assert noted(checked) == [("a.csv:1", "note.categories_unchecked")]


def test_words_behind_a_limit_are_told_not_lost(tmp_path: Path) -> None:
    checked = check_rule_file(saved(tmp_path, "a.csv", csv("紧急程度,类别,处置", "一般,K01,4工作时制止")))
    assert str(checked.sound().row(G, "K01").limits[ClockKind.HANDLE]) == "4wh"
    assert ("a.csv a!C2", "note.remark") in noted(checked)


# --- a city's public table --------------------------------------------------------------------------------------

PUBLIC = (
    "类型,大类代码,大类名称,小类代码,小类名称,处置单位,立案条件,结案条件,处置时限",
    "事件,01,市容,07,乱堆物料,街道,占用人行道堆放,清走,4工作时",
    "事件,,,08,破旧棚子,街道,搭建中的棚子,制止,1紧急工作时制止",
    "事件,,,08,破旧棚子,街道,,,",
    "部件,1,公用,2,井盖,排水,丢失、开裂，行人可能跌落,恢复,2紧急工作时",
    ",,,,,排水,响动大,更换,2天",
)


def public(folder: Path, *rows: str, **options: Any) -> Checked:
    return check_rule_file(saved(folder, "标准.csv", csv(*rows)), **options)


def test_a_city_s_table_becomes_rows_of_categories(tmp_path: Path) -> None:
    checked = public(tmp_path, *PUBLIC)
    book = checked.sound()

    handled = {
        (row.urgency.value, row.category, row.condition): str(row.limits[ClockKind.HANDLE])
        for row in book.rows
        if row.category is not None
    }
    all_four, calm = ("emergency", "livelihood", "general", "complex"), ("general", "complex")
    expected = (
        ("E0107", None, "4wh", calm),
        ("E0108", None, "1h", all_four),
        ("C0102", "丢失-开裂-行人可能跌落", "2h", all_four),
        ("C0102", "响动大", "2d", calm),
    )
    assert handled == {
        (urgency, category, condition): length
        for category, condition, length, urgencies in expected
        for urgency in urgencies
    }
    assert checked.against == "file"


def test_what_a_clerk_should_look_at_is_noted(tmp_path: Path) -> None:
    assert noted(public(tmp_path, *PUBLIC)) == [
        ("标准.csv:1 标准", "note.urgencies"),
        ("标准.csv:4 标准", "note.blank_row"),
        ("标准.csv:6 标准", "note.continued"),
        ("标准.csv 标准!G5", "note.condition_shortened"),
        ("标准.csv 标准!I3", "note.remark"),
        ("标准.csv 标准!D5", "note.no_fallback"),
        ("标准.csv:1", "note.no_extension"),
    ]


def test_a_limit_that_is_not_called_urgent_leaves_emergencies_alone(tmp_path: Path) -> None:
    book = public(tmp_path, *PUBLIC).sound()
    assert book.row(Urgency.EMERGENCY, "E0107").category is None
    assert book.row(Urgency.EMERGENCY, "E0108").category == "E0108"
    # A first answer after two hours is none where all must be done in one.
    assert book.row(Urgency.EMERGENCY, "E0108").steps == ()


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("事件,01,市容,09,甲,街道,占道,清走,尽快", ("标准.csv 标准!I2", "limit.unreadable", "尽快")),
        ("事件,01,市容,09,甲,街道,占道,清走,", ("标准.csv:2 标准", "rules.missing", "")),
        ("事件,01,市容,,甲,街道,占道,清走,1天", ("标准.csv:2 标准", "rules.missing", "")),
        ("事件,01,市容,九,甲,街道,占道,清走,1天", ("标准.csv 标准!D2", "rules.bad_value", "九")),
        ("其他,01,市容,09,甲,街道,占道,清走,1天", ("标准.csv:2 标准", "rules.bad_value", "标准")),
    ],
)
def test_what_is_wrong_in_a_city_s_table_is_named(tmp_path: Path, row: str, expected: tuple[str, str, str]) -> None:
    assert found(public(tmp_path, PUBLIC[0], row)) == [expected]


def test_the_sheets_of_a_city_s_table_say_components_and_events(tmp_path: Path) -> None:
    head = ["大类代码", "小类代码", "小类名称", "立案条件", "处置时限"]
    sheets = {"部件": [head, ["01", "05", "灯", "坏", "1天"]], "事件": [head, ["01", "05", "烟", "呛人", "2天"]]}
    book = check_rule_file(saved(tmp_path, "标准.xlsx", xlsx(sheets))).sound()
    assert {row.category for row in book.rows} == {None, "C0105", "E0105"}


def test_items_numbered_with_their_class_keep_their_number(tmp_path: Path) -> None:
    book = public(tmp_path, PUBLIC[0], "部件,01,公用,01005,井盖,排水,坏,修,1天").sound()
    assert {row.category for row in book.rows} == {None, "C01005"}


def test_a_city_s_categories_are_compared_with_the_registry(tmp_path: Path) -> None:
    checked = public(tmp_path, *PUBLIC, registry=["E0107", "E0108"])
    assert {each.value for each in checked.problems if each.code == "rules.unknown_category"} == {"C0102"}
