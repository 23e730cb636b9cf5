"""Rule books from files: the shipped one, and YAML; everything wrong is named with its place."""

import ast
from pathlib import Path

import pytest
import yaml

from domain.errors import Refused
from domain.ladder import ClockKind
from domain.limits import limit
from domain.rule_check import check_rules
from domain.rule_problem import PROBLEMS, RawBook
from domain.rules import SuspendReason, Urgency
from ledger import tables
from ledger.rule_files import check_rule_file, example_book, read_rule_file, rule_book_yaml
from tests.ledger.rule_books import DEFAULTS, csv, found, saved
from tests.workbooks import xlsx

EXAMPLE = example_book()
G, C = Urgency.GENERAL, Urgency.COMPLEX


# --- the shipped book -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("urgency", "limits"),
    [
        (Urgency.EMERGENCY, "1h 15m 30m 24h 2h 24h"),
        (Urgency.LIVELIHOOD, "2h 1h 2h 24h 4wh 24h"),
        (Urgency.GENERAL, "24h 4wh 1wd 5wd 1wd 1wd"),
        (Urgency.COMPLEX, "24h 1wd 1wd 15wd 2wd 2wd"),
    ],
)
def test_the_example_has_the_limits_of_the_table(urgency: Urgency, limits: str) -> None:
    row = EXAMPLE.row(urgency, None)
    kinds = ("dispatch", "sign_for", "contact", "handle", "verify", "visit")
    assert {kind: str(row.limits[ClockKind(kind)]) for kind in kinds} == dict(zip(kinds, limits.split(), strict=True))
    assert set(row.limits) == set(ClockKind) - {ClockKind.STEP, ClockKind.PUBLISH}
    assert row.extension is not None
    assert row.extension.unit is row.limits[ClockKind.HANDLE].unit


def test_an_emergency_of_the_example_runs_through_nights_and_is_answered_first() -> None:
    row = EXAMPLE.row(Urgency.EMERGENCY, None)
    assert [kind for kind, each in row.limits.items() if not each.is_natural] == [ClockKind.REPLY]
    assert [(step.code, step.name, str(step.limit)) for step in row.steps] == [("answer", "首次答复", "2h")]


@pytest.mark.parametrize("urgency", [G, C])
def test_unlawful_building_is_owed_in_three_steps(urgency: Urgency) -> None:
    row = EXAMPLE.row(urgency, "E0101")
    assert [(step.code, step.name, str(step.limit)) for step in row.steps] == [
        ("stop", "制止", "4wh"),
        ("penalty", "处罚", "7wd"),
        ("removal", "拆除", "20wd"),
    ]
    assert row.limits == {**EXAMPLE.row(urgency, None).limits, ClockKind.HANDLE: limit("20wd")}


def test_the_ladder_of_the_example_is_that_of_the_trade() -> None:
    rungs = [(rung.at, rung.action.value, rung.unless_replied, rung.level_up) for rung in EXAMPLE.ladder]
    assert rungs == [
        ("50%", "remind", False, False),
        ("80%", "yellow", False, False),
        ("due", "red", False, False),
        ("due", "urge", False, False),
        ("due+5wd", "circular", True, False),
        ("due+10wd", "interview", False, True),
    ]
    # An urging begets a clock for its reply: if that clock were urged about, urgings would never end.
    assert all(not rung.stands_on(ClockKind.REPLY) for rung in EXAMPLE.ladder if rung.action == "urge")


def test_the_rest_of_the_example() -> None:
    assert [
        (rule.channel, {kind.value: str(each) for kind, each in rule.limits.items()}) for rule in EXAMPLE.channels
    ] == [("chat_group", {"publish": "1h"})]
    assert {rule.reason for rule in EXAMPLE.suspensions} == set(SuspendReason)
    counts = (EXAMPLE.returns_per_unit, EXAMPLE.returns_per_case, EXAMPLE.rework_most, EXAMPLE.extension_most)
    assert counts == (1, 2, 2, 1)
    lengths = (EXAMPLE.return_within, EXAMPLE.ask_within, EXAMPLE.backlog_after)
    assert [str(each) for each in lengths] == ["1wd", "5d", "60d"]
    assert EXAMPLE.version == "example-2"


def test_every_number_of_the_example_names_its_source() -> None:
    text = (Path(tables.__file__).parent / "shipped" / "rules_example.yaml").read_text("utf-8")
    numbers = [
        line
        for line in text.splitlines()
        if line.partition("#")[0].strip().rstrip("}").endswith(tuple("dhm0123456789"))
    ]
    numbers = [line for line in numbers if any(letter.isdigit() for letter in line.partition("#")[0])]
    unsaid = [line.strip() for line in numbers if "示例" not in line and "[" not in line.partition("#")[2]]
    # What stands in the words before the entry, or in the line above it, is not asked for twice.
    assert [
        line for line in unsaid if not line.startswith(("version", "at:", "- channel", "category", "limits: {"))
    ] == []


# --- YAML -------------------------------------------------------------------------------------------------------


def test_a_book_written_as_yaml_reads_back_the_same(tmp_path: Path) -> None:
    for book in (EXAMPLE, check_rule_file(saved(tmp_path, "t.csv", csv(*DEFAULTS))).sound()):
        path = saved(tmp_path, "again.yaml", rule_book_yaml(book))
        assert check_rule_file(path).sound() == book


def test_a_yaml_book_is_complete_and_takes_nothing_from_the_base(tmp_path: Path) -> None:
    rows = [{"urgency": each.value, "limits": {"dispatch": "1h", "handle": "5个工作日"}} for each in Urgency]
    path = saved(tmp_path, "own.yaml", yaml.safe_dump({"version": "own-1", "name": "本街道", "rows": rows}))

    book = check_rule_file(path).sound()

    assert (book.version, book.name) == ("own-1", "本街道")
    assert {str(each) for each in book.row(G, None).limits.values()} == {"1h", "5wd"}
    assert [rung.code for rung in book.ladder] == ["yellow", "red"]
    assert book.row(Urgency.EMERGENCY, None).steps == ()


def test_a_book_without_a_version_is_named_after_its_file_and_content(tmp_path: Path) -> None:
    first = check_rule_file(saved(tmp_path, "本街道 规则.csv", csv(*DEFAULTS))).sound()
    again = check_rule_file(saved(tmp_path, "本街道 规则.csv", csv(*DEFAULTS))).sound()
    other = check_rule_file(saved(tmp_path, "本街道 规则.csv", csv(*DEFAULTS).replace("15wd", "14wd"))).sound()

    assert first.version == again.version != other.version
    assert first.version.startswith("本街道-规则-")
    assert check_rule_file(saved(tmp_path, "a.csv", csv(*DEFAULTS)), version="v7").sound().version == "v7"


YAML = """\
version: own-1
name: 本街道
rows:
  - urgency: emergency
    limits: &limits {dispatch: 1h, handle: 24h}
  - urgency: livelihood
    limits: *limits
  - urgency: general
    limits: *limits
  - urgency: complex
    limits: *limits
"""


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("24h", "soon"), [("own.yaml:5 rows", "limit.unreadable", "soon")]),
        (("urgency: general", "urgency: usual"), [("own.yaml:8 rows", "rules.unknown_urgency", "usual")]),
        (("urgency: general", "category: K1"), [
            ("own.yaml:8 rows", "rules.missing", ""),
            ("own.yaml:1", "rules.row_missing", "general"),
        ]),
        (("name: 本街道", "nam: 本街道"), [("own.yaml:2 nam", "rules.unknown_section", "nam")]),
        (("name: 本街道", "rework_most: 21"), [("own.yaml:2 rework_most", "rules.bad_value", "21")]),
        (("name: 本街道", "visit_attempts: 0"), [("own.yaml:2 visit_attempts", "rules.bad_value", "0")]),
        (("name: 本街道", "visit_gap: 4wh"), [("own.yaml:2 visit_gap", "rules.natural_only", "4wh")]),
        (("name: 本街道", "wish: {claim_within: 2wd}"), [("own.yaml:2 wish", "rules.natural_only", "2wd")]),
        (("version: own-1", "version: 2026"), [("own.yaml:1 version", "rules.not_text", "2026")]),
        (("version: own-1", "version: the first"), [("own.yaml:1 version", "code.malformed", "the first")]),
        (("name: 本街道", "version: own-2"), [("own.yaml:2", "rules.twice", "version")]),
        (("handle: 24h", "wait: 24h"), [
            ("own.yaml:5 rows", "rules.unknown_clock", "wait"),
            *[(f"own.yaml:{line} rows", "rules.default_limit_missing", "") for line in (4, 6, 8, 10)],
        ]),
        (("handle: 24h", "step: 24h, handle: 24h"), [("own.yaml:5 rows", "rules.unknown_clock", "step")]),
        (("  - urgency: complex\n    limits: *limits\n", ""), [("own.yaml:1", "rules.row_missing", "complex")]),
        (("urgency: complex", "urgency: general"), [
            ("own.yaml:10 rows", "rules.row_twice", "general"),
            ("own.yaml:1", "rules.row_missing", "complex"),
        ]),
        (("name: 本街道", "ladder: x"), [("own.yaml:2 ladder", "rules.bad_value", "x")]),
        (("name: 本街道", "suspensions: [{reason: awaiting_party, longest: 5wd}]"),
         [("own.yaml:2 suspensions", "rules.natural_only", "5wd")]),
        (("name: 本街道", "suspensions: [{reason: tired, longest: 5d}]"),
         [("own.yaml:2 suspensions", "rules.bad_value", "tired")]),
        (("name: 本街道", "channels: [{channel: a, limits: {publish: 1h}}, {channel: a, limits: {}}]"),
         [("own.yaml:2 channels", "rules.twice", "a")]),
    ],
)  # fmt: skip
def test_what_is_wrong_in_yaml_is_named_with_its_line(
    tmp_path: Path, change: tuple[str, str], expected: list[tuple[str, str, str]]
) -> None:
    assert check_rule_file(saved(tmp_path, "own.yaml", YAML)).problems == ()
    assert found(check_rule_file(saved(tmp_path, "own.yaml", YAML.replace(*change)))) == expected


ROW = """\
  - urgency: general
    category: K1
    limits: {handle: 5wd}
"""


@pytest.mark.parametrize(
    ("row", "line", "code", "value"),
    [
        (ROW + "    extension: 10d\n", 15, "limit.other_unit", "10d"),
        (ROW.replace("handle", "verify") + "    extension: 10wd\n", 15, "rules.extension_alone", "10wd"),
        (ROW.replace("category", "condition"), 13, "rules.condition_alone", "K1"),
        (ROW.replace("K1", "0101"), 13, "rules.not_text", "65"),
        (ROW.replace("K1", "K 1"), 13, "code.malformed", "K 1"),
        (ROW + "    condition: 夜间\n", 13, "rules.no_fallback", "K1"),
        (ROW + "    colour: red\n", 15, "rules.unknown_column", "colour"),
        (ROW + "    reopen_window: 7wd\n", 15, "rules.natural_only", "7wd"),
        (ROW + "    steps:\n      - {code: a, name: 甲, limit: 1h}\n      - {code: a, name: 乙, limit: 2h}\n", 17,
         "rules.step_twice", "a"),
        (ROW + "    steps:\n      - {code: a, name: 甲}\n", 16, "rules.missing", ""),
        (ROW + "    steps: [stop]\n", 15, "rules.bad_value", "stop"),
        (ROW + ROW, 15, "rules.row_twice", "general K1"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_row_is_named_with_its_line(
    tmp_path: Path, row: str, line: int, code: str, value: str
) -> None:
    checked = check_rule_file(saved(tmp_path, "own.yaml", YAML + row))
    assert found(checked) == [(f"own.yaml:{line} rows", code, value)]


RUNG = "ladder:\n  - {code: late, name: 逾期, at: due, action: red}\n"


@pytest.mark.parametrize(
    ("ladder", "line", "code", "value"),
    [
        (RUNG.replace("at: due", "at: 50%"), 13, "ladder.misplaced", "late"),
        (RUNG.replace("red", "yellow"), 13, "ladder.misplaced", "late"),
        (RUNG.replace("at: due", "at: later"), 13, "ladder.unreadable", "later"),
        (RUNG.replace("at: due", "at: due+soon"), 13, "ladder.unreadable", "due+soon"),
        (RUNG.replace("at: due", "at: 0%"), 13, "ladder.unreadable", "0%"),
        (RUNG.replace("action: red", "action: shout"), 13, "rules.bad_value", "shout"),
        (RUNG.replace("red}", "red, to: [mayor]}"), 13, "rules.bad_value", "mayor"),
        (RUNG.replace("red}", "red, to: []}"), 13, "", ""),
        (RUNG.replace("red}", "red, clocks: [wait]}"), 13, "rules.unknown_clock", "wait"),
        (RUNG.replace("red}", "red, level_up: perhaps}"), 13, "rules.bad_value", "perhaps"),
        (RUNG.replace("name: 逾期, ", ""), 13, "rules.missing", ""),
        (RUNG + "  - {code: late, name: 又, at: due+1d, action: circular}\n", 14, "rules.twice", "late"),
    ],
)
def test_a_rung_that_cannot_be_read_is_named_with_its_line(
    tmp_path: Path, ladder: str, line: int, code: str, value: str
) -> None:
    checked = check_rule_file(saved(tmp_path, "own.yaml", YAML + ladder))
    # An empty list says nothing: the rung tells whom rungs tell by default.
    assert found(checked) == ([(f"own.yaml:{line} ladder", code, value)] if code else [])


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    text = YAML.replace("urgency: general", "urgency: usual") + RUNG.replace("due", "later") + "colour: red\n"
    codes = {each.code for each in check_rule_file(saved(tmp_path, "own.yaml", text)).problems}
    assert codes == {"rules.unknown_urgency", "rules.unknown_section", "ladder.unreadable"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("rows: [", 1),
        ("just text", 1),
        ("", 1),
        ("a: &a [*a]", 1),
        ("name: x\nrows: !!python/name:os.system\n", 2),
        ("name: x\n[1]: y\n", 2),
        ("name: 2026-13-01\n", 1),
    ],
)  # fmt: skip
def test_yaml_that_cannot_be_read_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(Refused) as caught:
        check_rule_file(saved(tmp_path, "own.yaml", text))
    assert caught.value.code == "file.unreadable"
    assert caught.value.refusal.params["path"] == f"own.yaml:{line}"


def test_references_to_references_do_not_fill_the_memory(tmp_path: Path) -> None:
    lines = [
        f"{key}: &{key} [{','.join(['*' + below] * 9)}]" for below, key in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    text = YAML.replace("name: 本街道", "\n".join(["a: &a [x, x]", *lines, "name: *i"]))

    checked = check_rule_file(saved(tmp_path, "own.yaml", text))

    # A reference stands where its value stands.
    assert ("own.yaml:10 i", "rules.bad_value", "[…]") in found(checked)
    assert {each.code for each in checked.problems} == {"rules.bad_value", "rules.unknown_section"}


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused) as caught:
        check_rule_file(saved(tmp_path, "own.yaml", "名".encode("gb18030") + b"\xff"))
    assert caught.value.code == "file.unreadable"


# --- files as a whole -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["missing.yaml", "missing.csv", "missing.xlsx"])
def test_a_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refused) as caught:
        read_rule_file(tmp_path / name)
    assert caught.value.code == "file.unreadable"


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("a.docx", b"x", "rules.unknown_format"),
        ("a.xlsx", b"no zip", "file.unreadable"),
        ("a.xls", b"no workbook", "file.unreadable"),
        ("a.csv", b"\xff\xff\xff", "file.unreadable"),
        ("a.csv", b'a,"b', "file.unreadable"),
        ("a.csv", b"\n,\n", "import.no_sheet"),
        ("a.csv", b"," * 300 + b"x", "import.too_many_columns"),
        ("a.xlsx", xlsx({"空": []}), "import.no_sheet"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, name: str, content: bytes, code: str) -> None:
    with pytest.raises(Refused) as caught:
        read_rule_file(saved(tmp_path, name, content))
    assert caught.value.code == code


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "FILE_LIMIT", 10)
    for name in ("a.csv", "a.yaml"):
        with pytest.raises(Refused) as caught:
            read_rule_file(saved(tmp_path, name, "x" * 11))
        assert caught.value.code == "import.file_too_large"


def test_an_unsound_book_is_refused_with_the_first_problem(tmp_path: Path) -> None:
    checked = check_rule_file(saved(tmp_path, "a.csv", csv(*DEFAULTS, "一般,K01,,快", "一般,K02,,更快")))
    with pytest.raises(Refused) as caught:
        checked.sound()
    assert caught.value.code == "rules.unsound"
    assert caught.value.refusal.params["count"] == "2"
    assert caught.value.refusal.params["where"] == "a.csv a!D6"


def test_a_table_without_a_base_must_say_everything() -> None:
    raw = RawBook(file="a.csv", stem="a", inherits=True)
    assert {each.code for each in check_rules(raw).problems} == {"rules.row_missing"}


# --- completeness -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(PROBLEMS))
def test_every_problem_and_note_is_tried_by_name(code: str) -> None:
    files = [Path(__file__), Path(__file__).with_name("test_rule_tables.py")]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    assert code in {node.value for node in nodes if isinstance(node, ast.Constant)}
    assert all(text.strip() for text in PROBLEMS[code])
