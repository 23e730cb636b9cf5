"""What single cells of a rule book say: text, codes, counts, limits, points of the ladder.

Owns the reading of one cell; what is wrong with it is noted with its place, and None is handed back. Whether cells fit
together is the business of ``domain.rule_check``.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from domain import rule_words as words
from domain.errors import Refused
from domain.limits import Limit, parse_limit
from domain.rule_problem import Cell, RawRow, RuleProblem, problem
from domain.text import CODE_LIMIT, LINE_LIMIT, Code, Line

T = TypeVar("T")

MOST = 20
"""The highest count a rule book may have."""

_CODE: TypeAdapter[str] = TypeAdapter(Code)
_LINE: TypeAdapter[str] = TypeAdapter(Line)
_SEPARATORS = re.compile(r"[,，、;；/\s]+")
_AFTER_DUE = re.compile(r"(?:due\+|到期后|超期|逾期)(.+)")


def parts(text: str) -> list[str]:
    """The words of a cell that names several things."""
    return [part for part in _SEPARATORS.split(text.strip()) if part]


class CellReader:
    """Reads cells and collects what was wrong with them in ``problems``, what is worth knowing in ``notes``."""

    def __init__(self, problems: list[RuleProblem], notes: list[RuleProblem]) -> None:
        self.problems, self.notes = problems, notes

    def bad(self, code: str, cell: Cell, hint: object = "") -> None:
        """Note the problem ``code`` with the cell."""
        self.problems.append(problem(code, cell.place, cell.name, cell.value, hint))

    def text(self, cell: Cell) -> str | None:
        """Text as it stands; what YAML took for a number or a date is refused, it may have lost its zeros."""
        if isinstance(cell.value, str):
            return cell.value.strip()
        kind = "rules.not_text" if isinstance(cell.value, int | float | date) else "rules.bad_value"
        self.bad(kind, cell, "文字 / text")
        return None

    def code(self, cell: Cell) -> str | None:
        """A code."""
        text = self.text(cell)
        try:
            return None if text is None else _CODE.validate_python(text)
        except ValidationError:
            self.bad("code.malformed", cell, CODE_LIMIT)
            return None

    def line(self, cell: Cell) -> str | None:
        """One line of text without personal data."""
        text = self.text(cell)
        try:
            return None if text is None else _LINE.validate_python(text)
        except ValidationError:
            self.bad("rules.bad_value", cell, f"一行文字，最多 {LINE_LIMIT} 字，不含个人信息 / one line")
            return None

    def count(self, cell: Cell, least: int = 0) -> int | None:
        """A whole number from ``least`` to ``MOST``."""
        value = cell.value
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,2}", value.strip()):
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= MOST:
            return value
        self.bad("rules.bad_value", cell, f"{least} … {MOST}")
        return None

    def limit(self, cell: Cell) -> Limit | None:
        """A limit in our notation or in words; words behind it become a note."""
        try:
            # A bare number has no unit, whatever the column is called.
            read = parse_limit(cell.value if isinstance(cell.value, str) else "")
        except Refused:
            self.bad("limit.unreadable", cell)
            return None
        if read.remark:
            self.notes.append(problem("note.remark", cell.place, cell.name, read.remark))
        return read.limit

    def natural(self, cell: Cell) -> Limit | None:
        """A limit in natural time."""
        read = self.limit(cell)
        if read is not None and not read.is_natural:
            self.bad("rules.natural_only", cell)
            return None
        return read

    def truth(self, cell: Cell) -> bool | None:
        """Yes or no."""
        if isinstance(cell.value, bool):
            return cell.value
        found = words.TRUTH.get(words.plain(cell.value)) if isinstance(cell.value, str) else None
        if found is None:
            self.bad("rules.bad_value", cell, "true / false / 是 / 否")
        return found

    def one(self, cell: Cell, known: Mapping[str, T], code: str = "rules.bad_value") -> T | None:
        """The one of the ``known`` words that the cell says; ``code`` is the problem when it says none."""
        found = known.get(words.plain(cell.value)) if isinstance(cell.value, str) else None
        if found is None:
            self.bad(code, cell, "、".join(known))
        return found

    def several(self, cell: Cell, known: Mapping[str, T], code: str = "rules.bad_value") -> tuple[T, ...] | None:
        """All the ``known`` words that the cell names, in its order; None when it names another or none."""
        said = cell.value if isinstance(cell.value, tuple) else parts(str(cell.value))
        found = [self.one(Cell(each, cell.place, cell.name), known, code) for each in said]
        if not found:
            self.bad(code, cell, "、".join(known))
        return None if None in found or not found else tuple(dict.fromkeys(each for each in found if each is not None))

    def point(self, cell: Cell) -> str | None:
        """A point of the ladder: ``50%``, ``due`` or ``due+5wd``."""
        text = words.plain(cell.value) if isinstance(cell.value, str) else ""
        if re.fullmatch(r"[1-9][0-9]?%", text):
            return text
        share = re.fullmatch(r"0\.([0-9]{1,2})", text)
        if share and int(share.group(1)):
            # A spreadsheet keeps 50 % as 0.5.
            return f"{int(share.group(1).ljust(2, '0'))}%"
        if text in ("due", "到期", "到期时"):
            return "due"
        after = _AFTER_DUE.fullmatch(text)
        try:
            return f"due+{parse_limit(after.group(1) if after else '').limit}"
        except Refused:
            self.bad("ladder.unreadable", cell)
            return None

    def fields(
        self, raw: RawRow, readers: Mapping[str, Callable[[Cell], Any]], optional: tuple[str, ...] = ()
    ) -> dict[str, Any] | None:
        """The fields of a row that needs all of them but the ``optional``; None when it lacks or spoils one."""
        missing = [name for name in readers if name not in raw.cells and name not in optional]
        self.problems += [problem("rules.missing", raw.place, name) for name in missing]
        read = {name: reader(raw.cells[name]) for name, reader in readers.items() if name in raw.cells}
        return None if missing or None in read.values() else read
