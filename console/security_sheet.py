"""The security log as people read it: one line each, codes told in words."""

from collections.abc import Mapping

from console import output, words
from console.paging import show_next
from domain.people import ROLE_NAMES
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
    """The details as pairs of a name and a value, in words as far as there are any."""
    told = (f"{words.word(words.DETAIL, name)} {_told(name, value)}" for name, value in line.detail.items())
    return output.say("，", ", ").join(told) or NOBODY


_VALUES: Mapping[str, words.Words] = {
    "by": {"provider": ("统一身份认证", "the identity provider")},
    "door": words.DOOR,
    "reason": {**words.ERASE, **words.REVEAL},
    "right": words.PERMISSION,
    "role": {str(role): names for role, names in ROLE_NAMES.items()},
    "what": {"cases": ("诉求清单", "list of cases"), "dossier": ("卷宗", "dossier")},
}


def _told(name: str, value: object) -> object:
    if isinstance(value, bool):
        return output.say("是", "yes") if value else output.say("否", "no")
    if not isinstance(value, str):
        return value
    return words.word(_VALUES.get(name, {}), value)


def draw_lines(page: Page[Line]) -> None:
    """The page as a table, and the command for the next one."""
    if not page.items:
        output.line("没有符合条件的记录。", "No such lines.")
        return
    output.table(COLUMNS, (cells(each) for each in page.items))
    show_next(page.next)
