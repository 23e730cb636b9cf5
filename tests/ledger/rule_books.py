"""Rule books in files for tests, and what was found in them."""

from pathlib import Path

from domain.rule_check import Checked

DEFAULTS = (
    "紧急程度,类别,派单,处置",
    "紧急,,1h,24h",
    "民生保障,,2h,24h",
    "一般,,24小时,5个工作日",
    "疑难,,24h,15wd",
)
"""A table with a row for each urgency."""


def saved(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def csv(*rows: str) -> str:
    return "\n".join(rows) + "\n"


def found(checked: Checked) -> list[tuple[str, str, str]]:
    """Every problem: its place, its code and the offending value."""
    return [(str(each.where), each.code, each.value) for each in checked.problems]


def noted(checked: Checked) -> list[tuple[str, str]]:
    """Every note: its place and its code."""
    return [(str(each.where), each.code) for each in checked.notes]
