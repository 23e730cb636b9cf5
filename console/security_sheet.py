"""The security log as people read it: one line each, codes told in words."""

from console import output, words
from console.paging import show_next
from ledger.paging import Page
from ledger.security import Line
from ledger.whence import NOBODY

COLUMNS = [
    ("序号", "number"),
    ("时间（北京时间）", "when (Beijing)"),
    ("事项", "what"),
    ("结果", "outcome"),
    ("人员", "who"),
    ("对象", "about"),
    ("入口", "where"),
    ("来源网段", "network"),
    ("说明", "detail"),
]
"""The columns in the order of ``cells``."""


def cells(line: Line) -> tuple[object, ...]:
    """One line in the order of ``COLUMNS``."""
    return (
        line.id,
        output.local(line.at),
        words.word(words.SECURITY, line.kind),
        words.word(words.OUTCOME, line.outcome),
        line.actor,
        line.subject,
        line.place,
        line.source,
        detail_of(line),
    )


def detail_of(line: Line) -> str:
    """The details as ``name value`` pairs; a right is told in words."""
    told = {
        name: words.word(words.PERMISSION, value) if name == "right" and value in words.PERMISSION else value
        for name, value in line.detail.items()
    }
    return output.say("，", ", ").join(f"{name} {value}" for name, value in told.items()) or NOBODY


def draw_lines(page: Page[Line]) -> None:
    """The page as a table, and the command for the next one."""
    if not page.items:
        output.line("没有符合条件的记录。", "No such lines.")
        return
    output.table(COLUMNS, (cells(each) for each in page.items))
    show_next(page.next)
