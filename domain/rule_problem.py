"""What can be wrong in a rule book as somebody wrote it: cells, their places, and the problems with their sentences.

Owns the texts; ``domain.rule_check`` finds the problems. Where the mistake would also be refused in a finished book the
code is that of the refusal. Must not read files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.base import Frozen
from domain.problem import ProblemAt, ProblemText


class Place(Frozen):
    """A place in what was read. ``row`` is the line of a text file or the row of a sheet, both counted from 1.

    ``sheet`` is the name of a sheet, of a table file without its ending, or of the section of a YAML file; ``column``
    is the letter of a spreadsheet's column, empty for YAML and for a whole row.
    """

    file: str
    sheet: str
    row: int
    column: str = ""

    def __str__(self) -> str:
        if self.column:
            return f"{self.file} {self.sheet}!{self.column}{self.row}"
        return f"{self.file}:{self.row} {self.sheet}".strip()


@dataclass(frozen=True)
class Cell:
    """One value as written: text, what YAML makes of it, or a tuple of these; ``name`` is what the writer calls it."""

    value: Any
    place: Place
    name: str


@dataclass(frozen=True)
class RawRow:
    """One row as written, by our names of the fields; empty cells are absent. ``steps`` have code, name and limit."""

    place: Place
    cells: Mapping[str, Cell]
    steps: tuple["RawRow", ...] = ()


RuleProblem = ProblemAt[Place]
"""Something wrong in a rule book as written, or worth knowing about it."""


@dataclass(frozen=True)
class RawBook:
    """A rule book as written.

    ``ladder``, ``channels`` and ``suspensions`` are None when the file does not speak of them. ``inherits``: blank
    cells and absent parts come from a base book. ``by_condition``: the rows come from a city's public table, which
    names conditions only. ``categories`` is the file's own directory, None when it has none. ``problems`` were found
    while reading, ``notes`` are no mistakes.
    """

    file: str
    stem: str
    rows: tuple[RawRow, ...] = ()
    settings: Mapping[str, Cell] = field(default_factory=dict)
    ladder: tuple[RawRow, ...] | None = None
    channels: tuple[RawRow, ...] | None = None
    suspensions: tuple[RawRow, ...] | None = None
    categories: frozenset[str] | None = None
    inherits: bool = False
    by_condition: bool = False
    problems: tuple[RuleProblem, ...] = ()
    notes: tuple[RuleProblem, ...] = ()


PROBLEMS: dict[str, ProblemText] = {
    "rules.unknown_section": ProblemText(
        "没有“{value}”这一部分", "there is no section “{value}”", "可用的部分：{hint}", "use one of: {hint}"
    ),
    "rules.no_heading": ProblemText(
        "找不到表头",
        "no heading was found",
        "表头须有“紧急程度”和至少一个时限栏，或“小类代码”和“处置时限”",
        "name a column for the urgency and at least one for a limit, or the item code and the limit",
    ),
    "rules.unknown_column": ProblemText(
        "没有“{field}”这一栏", "there is no column “{field}”", "可用的栏：{hint}", "use one of: {hint}"
    ),
    "rules.unknown_clock": ProblemText(
        "没有“{value}”这个时限", "there is no clock “{value}”", "可用的时限：{hint}", "use one of: {hint}"
    ),
    "rules.unknown_setting": ProblemText(
        "没有常量“{value}”", "there is no setting “{value}”", "可用的常量：{hint}", "use one of: {hint}"
    ),
    "rules.unknown_urgency": ProblemText(
        "没有紧急程度“{value}”", "there is no urgency “{value}”", "可用的紧急程度：{hint}", "use one of: {hint}"
    ),
    "rules.unknown_category": ProblemText(
        "{hint}里没有类别“{value}”",
        "category “{value}” is not in the directory",
        "请改正编码，或先登记该类别",
        "correct the code, or register the category",
    ),
    "rules.missing": ProblemText("“{field}”没有填写", "“{field}” is missing", "请填写", "fill it in"),
    "rules.not_text": ProblemText(
        "“{field}”的值 {value} 被读成了数字或日期，而不是文字",
        "“{field}” was read as a number or date ({value}), not as text",
        '请加引号，例如 "{value}"',
        'put it in quotes, for instance "{value}"',
    ),
    "rules.bad_value": ProblemText(
        "“{field}”的值“{value}”读不懂",
        "“{field}” has an unreadable value “{value}”",
        "应为：{hint}",
        "expected: {hint}",
    ),
    "code.malformed": ProblemText(
        "“{value}”不能作为编码",
        "“{value}” cannot be a code",
        "编码只用文字、数字和 ._-:/#，最长 {hint} 个字符",
        "use letters, digits and ._-:/#, at most {hint} characters",
    ),
    "limit.unreadable": ProblemText(
        "看不懂“{field}”的时限“{value}”",
        "the limit “{value}” of “{field}” cannot be read",
        "请写成 30m、2h、7d、4wh、5wd，或 4工作时、5个工作日、24小时；不计时的写“-”",
        "write 30m, 2h, 7d, 4wh, 5wd, or 4工作时, 5个工作日; write - where no clock runs",
    ),
    "limit.other_unit": ProblemText(
        "延期“{value}”与处置时限“{hint}”的单位不同",
        "the extension “{value}” and the budget “{hint}” are in different units",
        "请用处置时限的单位",
        "use the unit of the budget",
    ),
    "rules.extension_alone": ProblemText(
        "有延期“{value}”而没有处置时限",
        "there is an extension “{value}” but no budget to extend",
        "请填写处置时限，或删去延期",
        "give the budget, or leave out the extension",
    ),
    "rules.natural_only": ProblemText(
        "“{field}”只能用自然时，不能是“{value}”",
        "“{field}” is in natural time, not “{value}”",
        "请写成 2h、5d 等",
        "write 2h, 5d and so on",
    ),
    "rules.condition_alone": ProblemText(
        "条件“{value}”没有类别",
        "condition “{value}” stands without a category",
        "条件只能用在类别的行里，请填写类别",
        "a condition is of a category: name it",
    ),
    "rules.row_twice": ProblemText(
        "“{value}”重复，另一处在 {hint}",
        "“{value}” is there twice, also at {hint}",
        "每个紧急程度、类别、条件只留一行",
        "keep one row for each urgency, category and condition",
    ),
    "rules.row_missing": ProblemText(
        "紧急程度“{value}”没有通用的一行（类别为空）",
        "urgency “{value}” has no row without a category",
        "请补上这一行",
        "add it",
    ),
    "rules.default_limit_missing": ProblemText(
        "通用的一行没有“{field}”时限",
        "a row without a category lacks the limit of “{field}”",
        "通用的一行至少要有派单和处置时限",
        "such a row has at least a limit for dispatch and one for handling",
    ),
    "rules.no_fallback": ProblemText(
        "类别“{value}”只有带条件的行",
        "category “{value}” has rows with conditions only",
        "请补一行条件为空的，用于其余情形",
        "add a row without a condition, for all other cases",
    ),
    "rules.step_twice": ProblemText(
        "分步“{value}”重复", "step “{value}” is there twice", "请删去一个，或换一个编码", "remove one or rename it"
    ),
    "rules.twice": ProblemText(
        "“{value}”重复，另一处在 {hint}", "“{value}” is there twice, also at {hint}", "请只保留一处", "keep one"
    ),
    "ladder.unreadable": ProblemText(
        "看不懂时点“{value}”",
        "the point “{value}” cannot be read",
        "请写成 50%、due（到期）或 due+5wd（到期后5个工作日）",
        "write 50%, due or due+5wd",
    ),
    "ladder.misplaced": ProblemText(
        "“{value}”不能放在这个时点",
        "“{value}” cannot stand at this point",
        "黄灯用百分比，红灯用 due（到期）",
        "yellow stands at a percentage, red at due",
    ),
    "note.blank_row": ProblemText(
        "这一行没有立案条件和时限，已跳过",
        "the row has neither condition nor limit and was passed over",
        "如是上一行的续行，可以不管",
        "nothing to do if it continues the row above",
    ),
    "note.continued": ProblemText(
        "没有代码，按上一行的类别“{value}”读取",
        "without a code; taken for category “{value}” of the row above",
        "请核对",
        "look at it once",
    ),
    "note.remark": ProblemText(
        "时限后面的文字“{value}”没有采用",
        "the words “{value}” behind the limit were not used",
        "如是分步的要求，请另列“处置.步骤名”一栏",
        "if they ask for a step, give it a column of its own",
    ),
    "note.condition_shortened": ProblemText(
        "立案条件简写为“{hint}”", "the condition is shortened to “{hint}”", "办理时按简写选用", "cases name it so"
    ),
    "note.no_fallback": ProblemText(
        "类别“{value}”没有写明其余情形，按紧急程度的通用时限办理",
        "category “{value}” has no row for other cases; they take the limits of their urgency",
        "需要时补一行条件为空的",
        "add a row without a condition if needed",
    ),
    "note.urgencies": ProblemText(
        "表中没有紧急程度：写明“紧急”的时限用于所有紧急程度，其余的用于一般和疑难",
        "the table knows no urgencies: limits called urgent hold for all of them, others for general and complex",
        "如需区分，请加“紧急程度”一栏",
        "add a column for the urgency to tell them apart",
    ),
    "note.no_extension": ProblemText(
        "有 {value} 行的处置时限与基础规则的延期单位不同，这些行不设延期",
        "{value} rows have a budget in another unit than the extension of the base book and allow none",
        "如需延期，请加“延期”一栏",
        "add a column for the extension",
    ),
    "note.sheet_skipped": ProblemText(
        "工作表“{value}”没有认识的表头，已跳过",
        "sheet “{value}” has no heading we know and was passed over",
        "工作表可命名为：{hint}",
        "sheets may be named: {hint}",
    ),
    "note.categories_unchecked": ProblemText(
        "没有登记册可对照，类别编码未检查",
        "there is no registry to compare with, so categories were not checked",
        "启动实例后再检查一次，或附上“类别”工作表",
        "check again with an instance running, or add a sheet of categories",
    ),
}
"""Every problem, and every note that is none."""


def problem(code: str, where: Place, field: str = "", value: object = "", hint: object = "") -> RuleProblem:
    """The problem or note ``code`` at ``where``; raises ``KeyError`` for a code without sentences."""
    return RuleProblem.of(PROBLEMS, code, where, field, value, hint)
