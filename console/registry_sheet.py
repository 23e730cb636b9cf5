"""What is wrong with a registry file, and what it would change, as people see it.

Owns words and layout. Must not read files or the ledger.
"""

from collections import Counter
from collections.abc import Sequence

from console import output, words
from console.problems import draw_explained
from domain.registry_problem import Problem
from ledger.registry import Change

KINDS: words.Words = {
    "organisation": ("单位", "organisation"),
    "grid": ("网格", "grid"),
    "category": ("类别", "category"),
    "person": ("人员", "person"),
    "assignment": ("任职", "assignment"),
}
_CHANGES: words.Words = {"added": ("新增", "added"), "changed": ("变更", "changed"), "removed": ("删去", "removed")}
_MOST = 40


def draw_problems(problems: Sequence[Problem]) -> None:
    """Problems with their places."""
    columns = [("文件", "file"), ("行", "row"), ("栏", "field"), ("值", "value")]
    rows = [
        ((f"{each.where.file} {each.where.section}", each.where.row, each.field, each.value), each) for each in problems
    ]
    draw_explained(columns, rows)


def tally(found: Sequence[Change]) -> tuple[str, str]:
    """How many entries change and how, in Chinese and English."""
    counted = Counter(each.change for each in found)
    zh = "、".join(f"{_CHANGES[change][0]} {number} 条" for change, number in counted.items())
    en = ", ".join(f"{number} {_CHANGES[change][1]}" for change, number in counted.items())
    return zh, en


def draw_changes(found: Sequence[Change], most: int = _MOST) -> None:
    """The first entries that change, and how many more there are."""
    output.table(
        [("", ""), ("种类", "kind"), ("条目", "entry")],
        [(words.word(_CHANGES, each.change), words.word(KINDS, each.kind), each.key) for each in found[:most]],
    )
    if len(found) > most:
        output.line(f"另有 {len(found) - most} 条。", f"{len(found) - most} more.")
