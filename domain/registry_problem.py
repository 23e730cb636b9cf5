"""What can be wrong in a registry: rows as somebody wrote them, their places, and the problems with their sentences.

Owns the texts; ``domain.registry_check`` finds the problems. Must not read files.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.base import Frozen
from domain.problem import ProblemAt, ProblemText

SECTIONS = ("organisations", "grids", "categories", "people", "assignments")
"""The sections of a registry; as keys of a YAML file, and with ``.csv`` as names of files in a folder."""


class Where(Frozen):
    """A place in what was loaded; ``row`` is the line in the file, counted from 1."""

    file: str
    section: str
    row: int

    def __str__(self) -> str:
        return f"{self.file}:{self.row} {self.section}"


@dataclass(frozen=True)
class RawRow:
    """One row as written. Values are text (CSV) or what YAML makes of them; empty cells are absent."""

    where: Where
    values: Mapping[str, Any]


@dataclass(frozen=True)
class RawRegistry:
    """All rows as written, in the order of the files."""

    rows: tuple[RawRow, ...]

    @classmethod
    def of(cls, sections: Mapping[str, Sequence[Mapping[str, Any]]], file: str = "registry") -> "RawRegistry":
        """Rows given in memory; the place of a row is its position in its section, counted from 1."""
        return cls(
            tuple(
                RawRow(Where(file=file, section=section, row=number), values)
                for section, rows in sections.items()
                for number, values in enumerate(rows, start=1)
            )
        )


class GridBounds(Frozen):
    """The usual size of a grid: it is fine when either its households or its people lie within."""

    households_min: int = 300
    households_max: int = 500
    people_min: int = 1000
    people_max: int = 1500


Problem = ProblemAt[Where]
"""Something wrong in a row of a registry, or of a list of days off."""

PROBLEMS: dict[str, ProblemText] = {
    "registry.unknown_section": ProblemText(
        "没有“{value}”这一部分", "there is no section “{value}”", "可用的部分：{hint}", "use one of: {hint}"
    ),
    "registry.unknown_field": ProblemText(
        "没有“{field}”这一栏", "there is no field “{field}”", "可用的栏：{hint}", "use one of: {hint}"
    ),
    "registry.missing": ProblemText("“{field}”没有填写", "“{field}” is missing", "请填写", "fill it in"),
    "registry.not_text": ProblemText(
        "“{field}”的值 {value} 被读成了数字或日期，而不是文字",
        "“{field}” was read as a number or date ({value}), not as text",
        '请加引号，例如 "{value}"',
        'put it in quotes, for instance "{value}"',
    ),
    "registry.bad_code": ProblemText(
        "“{value}”不能作为编码",
        "“{value}” cannot be a code",
        "编码只用文字、数字和 ._-:/#，最长 {hint} 个字符",
        "use letters, digits and ._-:/#, at most {hint} characters",
    ),
    "registry.bad_name": ProblemText(
        "“{field}”过长或含有控制字符",
        "“{field}” is too long or has control characters",
        "最长 {hint} 个字符，写成一行",
        "write one line of at most {hint} characters",
    ),
    "registry.bad_value": ProblemText(
        "“{field}”的值“{value}”读不懂",
        "“{field}” has an unreadable value “{value}”",
        "应为：{hint}",
        "expected: {hint}",
    ),
    "registry.ends_before_start": ProblemText(
        "有效期的止日 {value} 早于起日 {hint}",
        "validity ends on {value}, before it starts on {hint}",
        "请改正 valid_from 或 valid_to",
        "correct valid_from or valid_to",
    ),
    "registry.duplicate_code": ProblemText(
        "编码“{value}”重复，另一处在 {hint}",
        "code “{value}” is used twice, also at {hint}",
        "换一个编码，或让两条的有效期不重叠",
        "use another code, or make their validity dates not overlap",
    ),
    "registry.unknown_parent": ProblemText(
        "上级“{value}”在该有效期内不存在",
        "parent “{value}” does not exist in that period",
        "请改正上级编码，或先登记上级",
        "correct the code, or register the parent",
    ),
    "registry.missing_parent": ProblemText(
        "缺少上级：{hint}", "the parent is missing: {hint}", "请填写上级编码", "fill in the code of the parent"
    ),
    "registry.wrong_parent_kind": ProblemText(
        "上级“{value}”的类别不对，应为：{hint}",
        "parent “{value}” is of the wrong kind, expected: {hint}",
        "请换成正确类别的上级",
        "name a parent of the right kind",
    ),
    "registry.parent_cycle": ProblemText(
        "“{value}”绕回了自身", "“{value}” leads back to itself", "请改正上级编码", "correct the parent"
    ),
    "registry.grid_size": ProblemText(
        "网格规模（{value}）超出 {hint}",
        "grid size ({value}) is outside {hint}",
        "请核对数字；确需如此时在 override_reason 写明理由",
        "check the numbers, or give the reason in override_reason",
    ),
    "registry.unknown_organisation": ProblemText(
        "组织“{value}”在该有效期内不存在",
        "organisation “{value}” does not exist in that period",
        "请改正编码，或先登记该组织",
        "correct the code, or register the organisation",
    ),
    "registry.unknown_grid": ProblemText(
        "网格“{value}”在该有效期内不存在",
        "grid “{value}” does not exist in that period",
        "请改正编码，或先登记该网格",
        "correct the code, or register the grid",
    ),
    "registry.unknown_person": ProblemText(
        "人员“{value}”在该有效期内不存在",
        "person “{value}” does not exist in that period",
        "请改正编号，或先登记该人员",
        "correct the id, or register the person",
    ),
    "registry.unknown_role": ProblemText(
        "没有角色“{value}”", "there is no role “{value}”", "可用的角色：{hint}", "use one of: {hint}"
    ),
    "registry.missing_place": ProblemText(
        "角色“{value}”需要写明组织或网格",
        "role “{value}” needs an organisation or a grid",
        "请填写 organisation 或 grid",
        "fill in organisation or grid",
    ),
    "registry.roles_apart": ProblemText(
        "同一人不能同时担任管理员、安全管理员、审计员中的两种（{value}），另一处在 {hint}",
        "nobody may be two of administrator, security administrator and auditor at the same time ({value}), see {hint}",
        "请把其中一种交给别人，或让有效期不重叠",
        "give one of them to somebody else, or make their validity dates not overlap",
    ),
    "registry.overlapping_assignment": ProblemText(
        "同一人员的同一任职重复，另一处在 {hint}",
        "the same assignment overlaps with the one at {hint}",
        "删去一条，或让有效期不重叠",
        "remove one, or make their validity dates not overlap",
    ),
}


def problem(code: str, where: Where, field: str, value: object, hint: object = "") -> Problem:
    """The problem ``code`` at ``where``; raises ``KeyError`` for a code without sentences."""
    return Problem.of(PROBLEMS, code, where, field, value, hint)
