"""Rule books as tables: sheets of an office's own making, or a city's public table of deadline standards.

Owns the recognition of sheets and columns by their headings. Must not judge what the cells say:
``domain.rule_check`` does. The words are those of ``domain.rule_words``.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from domain import rule_words as words
from domain.rule_problem import Cell, Place, RawBook, RawRow, RuleProblem, problem
from domain.rules import Urgency
from ledger.tables import Sheet, letter, read_sheets

_TITLE_ROWS = 10
"""How many rows of titles may stand above the headings."""

_STEP = "steps."
_LONGEST_CONDITION = 24


def read_rule_tables(path: Path) -> RawBook:
    """The rule book in a table file, unjudged. Raises ``Refused`` as ``ledger.tables.read_sheets`` does."""
    return _Tables(path).read()


@dataclass
class _Found:
    """What has been read so far."""

    rows: list[RawRow] = field(default_factory=list)
    settings: dict[str, Cell] = field(default_factory=dict)
    ladder: list[RawRow] | None = None
    channels: list[RawRow] | None = None
    suspensions: list[RawRow] | None = None
    categories: set[str] | None = None
    by_condition: bool = False
    has_rows: bool = False
    problems: list[RuleProblem] = field(default_factory=list)
    notes: list[RuleProblem] = field(default_factory=list)


@dataclass(frozen=True)
class _Head:
    """The headings of a sheet: their row, and for each column that means something our name and the writer's."""

    sheet: Sheet
    index: int
    meaning: Mapping[int, str]
    written: Mapping[int, str]


class _Tables:
    def __init__(self, path: Path) -> None:
        self._path, self._found = path, _Found()

    def read(self) -> RawBook:
        """The book as written."""
        sheets = read_sheets(self._path)
        for sheet in sheets:
            self._sheet(sheet)
        found = self._found
        if not found.has_rows:
            found.problems.append(problem("rules.no_heading", self._place(sheets[0], 0)))
        return RawBook(
            file=self._path.name,
            stem=self._path.stem,
            rows=tuple(found.rows),
            settings=found.settings,
            ladder=_fixed(found.ladder),
            channels=_fixed(found.channels),
            suspensions=_fixed(found.suspensions),
            categories=None if found.categories is None else frozenset(found.categories),
            inherits=True,
            by_condition=found.by_condition,
            problems=tuple(found.problems),
            notes=tuple(found.notes),
        )

    def _place(self, sheet: Sheet, index: int, column: int | None = None) -> Place:
        where = "" if column is None else letter(column)
        return Place(file=self._path.name, sheet=sheet.name, row=sheet.number(index), column=where)

    def _sheet(self, sheet: Sheet) -> None:
        named = words.SHEETS.get(words.plain(sheet.name))
        readers: dict[str, Callable[[_Head], None]] = {
            "table": self._public_table,
            "rows": self._rows,
            "ladder": self._ladder,
            "channels": self._channels,
            "settings": self._settings,
            "categories": self._categories,
        }
        for index, row in enumerate(sheet.rows[:_TITLE_ROWS]):
            for kind, reader in readers.items():
                meant = {column: found for column, cell in enumerate(row) if (found := _meaning(kind, cell))}
                if named in (None, kind, "rows" if kind == "table" else "") and _is_heading(kind, set(meant.values())):
                    reader(self._head(kind, sheet, index))
                    return
        if named is not None:
            self._found.has_rows |= named == "rows"
            self._found.problems.append(problem("rules.no_heading", self._place(sheet, 0)))
        else:
            known = "、".join(words.SHEETS)
            self._found.notes.append(problem("note.sheet_skipped", self._place(sheet, 0), "", sheet.name, known))

    def _head(self, kind: str, sheet: Sheet, index: int) -> _Head:
        """The columns of a sheet; unknown ones are problems, but in a city's table, which has many of them."""
        meaning: dict[int, str] = {}
        written = dict(enumerate(sheet.rows[index]))
        for column, cell in written.items():
            found = _meaning(kind, cell)
            place = self._place(sheet, index, column)
            if found is None:
                used = any(len(row) > column and row[column] for row in sheet.rows[index:])
                if used and kind != "table":
                    self._found.problems.append(problem("rules.unknown_column", place, cell, cell, _known(kind)))
            elif found in meaning.values():
                self._found.problems.append(problem("rules.twice", place, cell, cell, place))
            elif found:
                meaning[column] = found
        return _Head(sheet, index, meaning, written)

    def _read_rows(self, head: _Head) -> Iterator[tuple[int, dict[str, Cell]]]:
        """The rows below the headings that say something: index and cells by our names."""
        for index in range(head.index + 1, len(head.sheet.rows)):
            row = head.sheet.rows[index]
            cells = {
                name: Cell(row[column], self._place(head.sheet, index, column), head.written[column])
                for column, name in head.meaning.items()
                if column < len(row) and row[column]
            }
            if cells:
                yield index, cells

    # Sheets of an office's own

    def _rows(self, head: _Head) -> None:
        self._found.has_rows = True
        if "urgency" not in head.meaning.values():
            place = self._place(head.sheet, head.index)
            self._found.problems.append(problem("rules.missing", place, "紧急程度 urgency"))
            return
        for index, cells in self._read_rows(head):
            steps = tuple(
                _step(name.removeprefix(_STEP), cell)
                for name, cell in cells.items()
                if name.startswith(_STEP) and words.plain(cell.value) not in words.NO_CLOCK
            )
            kept = {name: cell for name, cell in cells.items() if not name.startswith(_STEP)}
            if "category" in kept and words.plain(kept["category"].value) in words.DEFAULT:
                del kept["category"]
            self._found.rows.append(RawRow(self._place(head.sheet, index), kept, steps))

    def _ladder(self, head: _Head) -> None:
        rows = [RawRow(self._place(head.sheet, index), cells) for index, cells in self._read_rows(head)]
        self._found.ladder = [*(self._found.ladder or []), *rows]

    def _channels(self, head: _Head) -> None:
        rows = [RawRow(self._place(head.sheet, index), cells) for index, cells in self._read_rows(head)]
        self._found.channels = [*(self._found.channels or []), *rows]

    def _settings(self, head: _Head) -> None:
        for index, cells in self._read_rows(head):
            place = self._place(head.sheet, index)
            absent = [name for name in ("name", "value") if name not in cells]
            if absent:
                self._found.problems += [problem("rules.missing", place, name) for name in absent]
                continue
            self._setting(cells["name"], Cell(cells["value"].value, cells["value"].place, cells["name"].value))

    def _setting(self, name: Cell, value: Cell) -> None:
        word = words.plain(name.value)
        before, dot, reason = word.replace("·", ".").partition(".")
        if dot and before in words.SUSPENSION:
            row = RawRow(name.place, {"reason": Cell(reason, name.place, name.value), "longest": value})
            self._found.suspensions = [*(self._found.suspensions or []), row]
        elif word not in words.SETTINGS:
            known = words.shown(words.SETTINGS)
            self._found.problems.append(problem("rules.unknown_setting", name.place, name.name, name.value, known))
        elif words.SETTINGS[word] in self._found.settings:
            other = self._found.settings[words.SETTINGS[word]].place
            self._found.problems.append(problem("rules.twice", name.place, name.name, name.value, other))
        else:
            self._found.settings[words.SETTINGS[word]] = value

    def _categories(self, head: _Head) -> None:
        codes = {cells["code"].value for _, cells in self._read_rows(head) if "code" in cells}
        self._found.categories = (self._found.categories or set()) | codes

    # A city's public table

    def _public_table(self, head: _Head) -> None:
        self._found.has_rows = self._found.by_condition = True
        if "urgency" not in head.meaning.values():
            self._found.notes.append(problem("note.urgencies", self._place(head.sheet, head.index)))
        standards = list(self._standards(head))
        often = Counter(key.value for _, key, _ in standards)
        for index, key, cells in standards:
            kept = {"category": key, "limits.handle": cells["limit"], "urgency": _urgency(cells)}
            condition = cells.get("condition")
            if condition and often[key.value] > 1:
                kept["condition"] = self._condition(condition)
            self._found.rows.append(RawRow(self._place(head.sheet, index), kept))
        self._found.categories = (self._found.categories or set()) | set(often)

    def _standards(self, head: _Head) -> Iterator[tuple[int, Cell, dict[str, Cell]]]:
        """The rows with a limit, each with the key of its category; merged cells are those of the row above."""
        above: dict[str, Cell] = {}
        key: Cell | None = None
        for index, cells in self._read_rows(head):
            place = self._place(head.sheet, index)
            continued = not {"class", "item", "item_name"} & cells.keys()
            for name in ("kind", "class"):
                if name in cells:
                    above[name] = cells[name]
            if not continued:
                key = self._key(head, index, above | cells)
            if not {"condition", "limit"} & cells.keys():
                self._found.notes.append(problem("note.blank_row", place))
            elif "limit" not in cells:
                self._found.problems.append(problem("rules.missing", place, "处置时限"))
            elif key is not None:
                if continued:
                    self._found.notes.append(problem("note.continued", place, "", key.value))
                yield index, key, cells

    def _key(self, head: _Head, index: int, cells: Mapping[str, Cell]) -> Cell | None:
        """The code of a category: its kind, class and item; None after noting what is missing."""
        place = self._place(head.sheet, index)
        absent = [zh for name, zh in (("class", "大类代码"), ("item", "小类代码")) if name not in cells]
        self._found.problems += [problem("rules.missing", place, zh) for zh in absent]
        if absent:
            return None
        kind = _kind(cells["kind"].value if "kind" in cells else f"{head.sheet.name} {self._path.stem}")
        if kind is None:
            known = "、".join(words.KINDS)
            self._found.problems.append(problem("rules.bad_value", place, "部件/事件", head.sheet.name, known))
            return None
        for name in ("class", "item"):
            if not re.fullmatch(r"[0-9]{1,5}", cells[name].value):
                cell = cells[name]
                self._found.problems.append(problem("rules.bad_value", cell.place, cell.name, cell.value, "01, 02 …"))
                return None
        group, item = cells["class"].value.zfill(2), cells["item"].value.zfill(2)
        # Some tables number the items with the class in front.
        code = item if len(item) > 3 and item.startswith(group) else group + item
        return Cell(kind + code, cells["item"].place, cells["item"].name)

    def _condition(self, cell: Cell) -> Cell:
        """A condition as cases name it: its words without punctuation, a long one cut and told apart by a digest."""
        whole = "-".join(re.findall(r"\w+", unicodedata.normalize("NFKC", cell.value)))
        short = whole
        if len(whole) > _LONGEST_CONDITION:
            short = f"{whole[:_LONGEST_CONDITION]}-{hashlib.sha256(whole.encode()).hexdigest()[:4]}"
        if short != cell.value:
            note = problem("note.condition_shortened", cell.place, cell.name, cell.value, short)
            self._found.notes.append(note)
        return Cell(short, cell.place, cell.name)


def _fixed(rows: list[RawRow] | None) -> tuple[RawRow, ...] | None:
    return None if rows is None else tuple(rows)


def _kind(text: str) -> str | None:
    return next((letters for word, letters in words.KINDS.items() if word in text), None)


def _urgency(cells: Mapping[str, Cell]) -> Cell:
    """For which urgencies a city's limit holds: one called urgent for all, else for those without a shorter one."""
    if "urgency" in cells:
        return cells["urgency"]
    limit = cells["limit"]
    all_of_them = tuple(each.value for each in Urgency)
    value = all_of_them if "紧急" in limit.value else (Urgency.GENERAL.value, Urgency.COMPLEX.value)
    return Cell(value, limit.place, limit.name)


def _step(name: str, cell: Cell) -> RawRow:
    said = Cell(name, cell.place, cell.name)
    return RawRow(cell.place, {"code": said, "name": said, "limit": cell})


_COLUMNS = {
    "table": words.TABLE_COLUMNS,
    "rows": words.ROW_COLUMNS,
    "ladder": words.LADDER_COLUMNS,
    "channels": words.CHANNEL_COLUMNS,
    "settings": words.SETTING_COLUMNS,
    "categories": words.CATEGORY_COLUMNS,
}


def _meaning(kind: str, heading: str) -> str | None:
    """Our name for a column of such a sheet; empty for one that may be there and says nothing, None for any other."""
    word = words.plain(heading)
    if word in _COLUMNS[kind]:
        return _COLUMNS[kind][word]
    if kind not in ("rows", "channels"):
        return None
    clock = words.CLOCKS.get(word) or words.CLOCKS.get(word.removesuffix("时限"))
    if clock is not None:
        return f"limits.{clock.value}"
    before, dot, step = unicodedata.normalize("NFKC", heading).replace("·", ".").partition(".")
    return _STEP + step.strip() if dot and step.strip() and words.plain(before) in words.STEPS else None


def _is_heading(kind: str, meant: set[str]) -> bool:
    clocks = any(name.startswith(("limits.", _STEP)) for name in meant)
    match kind:
        case "table":
            return {"item", "limit"} <= meant
        case "rows":
            return clocks and bool({"urgency", "category"} & meant)
        case "ladder":
            return {"at", "action"} <= meant
        case "channels":
            return clocks and "channel" in meant
        case "settings":
            return {"name", "value"} <= meant
        case _:
            return {"code", "name"} <= meant


def _known(kind: str) -> str:
    shown = words.shown(_COLUMNS[kind])
    return f"{shown}、{words.shown_clocks()}" if kind in ("rows", "channels") else shown
