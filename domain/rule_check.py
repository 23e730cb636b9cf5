"""Whether a rule book somebody wrote is sound, and the book it makes.

Owns the checks of rows and sections. Every problem is collected with its place, so that the writer mends all of them at
once; a book with problems does not exist. Must not read files.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter, ValidationError

from domain import rule_words as words
from domain.errors import Refused
from domain.ladder import ClockKind, RungAction
from domain.limits import Limit
from domain.parsing import parse
from domain.rule_problem import Cell, Place, RawBook, RawRow, RuleProblem, problem
from domain.rule_values import CellReader, parts
from domain.rules import RuleBook, SuspendReason, Urgency
from domain.text import Line

_BOOK: TypeAdapter[RuleBook] = TypeAdapter(RuleBook)
_LINE: TypeAdapter[str] = TypeAdapter(Line)
# The counts, and the least each of them may be.
_COUNTS = {
    "rework_most": 0,
    "visit_attempts": 1,
    "extension_most": 0,
    "returns_per_unit": 0,
    "returns_per_case": 0,
    "ask_most": 0,
}
_NATURAL = ("visit_gap", "ask_within", "shelf_review_within", "backlog_after")
# Without these two a case would wait for ever, and nobody would see it.
_NEEDED = (ClockKind.DISPATCH, ClockKind.HANDLE)


@dataclass(frozen=True)
class Checked:
    """What the check found: the book, None when there are ``problems``; ``notes`` are worth knowing and no mistakes.

    ``against``: what the categories were compared with, ``registry`` or ``file``; None when with nothing.
    """

    book: RuleBook | None
    problems: tuple[RuleProblem, ...]
    notes: tuple[RuleProblem, ...]
    against: str | None

    def sound(self) -> RuleBook:
        """The book. Raises ``Refused`` ``rules.unsound`` with the number of problems and the first of them."""
        if self.book is None:
            raise self.refused()
        return self.book

    def refused(self) -> Refused:
        """The refusal of a book with problems."""
        first = self.problems[0]
        message, message_en = first.message, first.message_en
        return Refused("rules.unsound", count=len(self.problems), where=first.where, first=message, first_en=message_en)


def check_rules(
    raw: RawBook, base: RuleBook | None = None, *, version: str | None = None, registry: Iterable[str] | None = None
) -> Checked:
    """Everything wrong with the book as written, or the book.

    ``base`` gives what a table leaves open (``RawBook.inherits``); without it nothing may be left open. ``version``
    replaces the one written; a book without any is named after its file and content. ``registry``: the codes of all
    categories there are; None when there is no registry, and then the file's own directory is asked.
    """
    return _Check(raw, base, registry).result(version)


@dataclass
class _Row:
    """A row as far as it could be read; ``off`` are the clocks that are said not to run, ``broken`` the unreadable."""

    raw: RawRow
    urgencies: tuple[Urgency, ...] = ()
    category: str | None = None
    condition: str | None = None
    limits: dict[ClockKind, Limit] = field(default_factory=dict)
    off: set[ClockKind] = field(default_factory=set)
    broken: set[ClockKind] = field(default_factory=set)
    steps: list[dict[str, Any]] = field(default_factory=list)
    extension: Limit | None = None
    no_extension: bool = False
    reopen_window: Limit | None = None

    @property
    def rank(self) -> int:
        """Rows take from those of lower rank: conditions from their category, categories from their urgency."""
        return (self.category is not None) + (self.condition is not None)


_Key = tuple[Urgency, str | None, str | None]


class _Check:
    def __init__(self, raw: RawBook, base: RuleBook | None, registry: Iterable[str] | None) -> None:
        self._raw = raw
        self._base = base if raw.inherits else None
        self._read = CellReader(list(raw.problems), list(raw.notes))
        self._whole = Place(file=raw.file, sheet="", row=1)
        self._against = "registry" if registry is not None else None if raw.categories is None else "file"
        self._known = raw.categories if registry is None else frozenset(registry)
        self._without_extension = 0

    def result(self, version: str | None) -> Checked:
        """The verdict."""
        values = self._settings()
        rows = sorted((row for raw in self._raw.rows if (row := self._row(raw))), key=lambda row: row.rank)
        self._check_categories(rows)
        self._check_overlaps(rows)
        self._check_defaults(rows)
        self._check_fallbacks(rows)
        values["rows"] = self._complete(rows)
        values |= self._ladder() | self._channels() | self._suspensions()
        book = None if self._read.problems else self._book(values, version)
        # What YAML refers to several times is wrong once.
        problems, notes = dict.fromkeys(self._read.problems), dict.fromkeys(self._read.notes)
        return Checked(book, tuple(problems), tuple(notes), self._against)

    def _tell(self, code: str, place: Place, name: str = "", value: object = "", hint: object = "") -> None:
        self._read.problems.append(problem(code, place, name, value, hint))

    def _note(self, code: str, place: Place, value: object = "") -> None:
        self._read.notes.append(problem(code, place, "", value))

    # Rows by themselves

    def _row(self, raw: RawRow) -> _Row | None:
        """The row, None when nobody can say what it is for."""
        row = _Row(raw, urgencies=self._urgencies(raw))
        category, condition = raw.cells.get("category"), raw.cells.get("condition")
        row.category = self._read.code(category) if category else None
        row.condition = self._read.line(condition) if condition else None
        if condition and not category:
            self._read.bad("rules.condition_alone", condition)
        self._clocks(row)
        row.steps = self._steps(raw.steps)
        extension, reopen = raw.cells.get("extension"), raw.cells.get("reopen_window")
        row.no_extension = extension is not None and _says_none(extension)
        if extension and not row.no_extension:
            row.extension = self._read.limit(extension)
        row.reopen_window = self._read.natural(reopen) if reopen else None
        unclear = (category and row.category is None) or (condition and row.condition is None)
        return None if unclear or not row.urgencies else row

    def _urgencies(self, raw: RawRow) -> tuple[Urgency, ...]:
        cell = raw.cells.get("urgency")
        if cell is None:
            self._tell("rules.missing", raw.place, "紧急程度 urgency")
            return ()
        if isinstance(cell.value, str) and words.plain(cell.value) in words.ALL:
            return tuple(Urgency)
        return self._read.several(cell, words.URGENCIES, "rules.unknown_urgency") or ()

    def _clocks(self, row: _Row) -> None:
        for name, cell in row.raw.cells.items():
            if not name.startswith("limits."):
                continue
            kind = ClockKind(name.removeprefix("limits."))
            if _says_none(cell):
                row.off.add(kind)
            elif (read := self._read.limit(cell)) is not None:
                row.limits[kind] = read
            else:
                row.broken.add(kind)

    def _steps(self, raw: Iterable[RawRow]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for step in raw:
            read = self._read.fields(
                step, {"code": self._read.code, "name": self._read.line, "limit": self._read.limit}
            )
            if read and read["code"] in [each["code"] for each in found]:
                self._read.bad("rules.step_twice", step.cells["code"])
            elif read:
                found.append({**read, "limit": str(read["limit"])})
        return found

    # Rows beside each other

    def _check_categories(self, rows: list[_Row]) -> None:
        named = [row for row in rows if row.category is not None]
        if self._known is None:
            if named:
                self._note("note.categories_unchecked", self._whole)
            return
        directory = "登记册" if self._against == "registry" else "类别目录"
        for row in named:
            if row.category not in self._known:
                self._read.bad("rules.unknown_category", row.raw.cells["category"], directory)

    def _check_overlaps(self, rows: list[_Row]) -> None:
        first: dict[_Key, Place] = {}
        for row in rows:
            for urgency in row.urgencies:
                key = (urgency, row.category, row.condition)
                if key in first:
                    shown = " ".join(part for part in (urgency.value, row.category, row.condition) if part)
                    self._tell("rules.row_twice", row.raw.place, "", shown, first[key])
                first.setdefault(key, row.raw.place)

    def _check_defaults(self, rows: list[_Row]) -> None:
        """Every urgency has a row of its own, and that row has what every case needs."""
        defaults = [row for row in rows if row.rank == 0]
        for row in defaults:
            for kind in _NEEDED:
                if kind not in row.limits and kind not in row.broken:
                    self._tell("rules.default_limit_missing", row.raw.place, kind.value)
        # A row that could not be read is there all the same: one mistake is told once.
        written = [raw for raw in self._raw.rows if "category" not in raw.cells and "condition" not in raw.cells]
        if not written and self._base:
            return
        meant = [_meant(raw) for raw in written]
        if not all(meant):
            return
        for urgency in Urgency:
            if not any(urgency in each for each in meant):
                self._tell("rules.row_missing", self._whole, "", urgency.value)

    def _check_fallbacks(self, rows: list[_Row]) -> None:
        plain = {(urgency, row.category) for row in rows if row.condition is None for urgency in row.urgencies}
        told: set[str] = set()
        for row in rows:
            if row.category is None or row.condition is None or row.category in told:
                continue
            if any((urgency, row.category) not in plain for urgency in row.urgencies):
                told.add(row.category)
                place = row.raw.cells["category"].place
                if self._raw.by_condition:
                    self._note("note.no_fallback", place, row.category)
                else:
                    self._tell("rules.no_fallback", place, "", row.category)

    def _complete(self, rows: list[_Row]) -> list[dict[str, Any]]:
        """The rows of the book. Blank cells of a table take the limit of the category, else of the urgency."""
        made: dict[_Key, dict[str, Any]] = {}
        if self._base and not any(row.rank == 0 for row in rows):
            made = {(urgency, None, None): _row_of(self._base, urgency) for urgency in Urgency}
        for row in rows:
            for urgency in row.urgencies:
                made[urgency, row.category, row.condition] = self._completed(row, urgency, made)
        if self._without_extension:
            self._note("note.no_extension", self._whole, self._without_extension)
        return list(made.values())

    def _completed(self, row: _Row, urgency: Urgency, made: Mapping[_Key, dict[str, Any]]) -> dict[str, Any]:
        below: dict[str, Any] = {"limits": {}, "steps": [], "extension": None}
        if self._base:
            category, default = made.get((urgency, row.category, None)), made.get((urgency, None, None))
            below = category or default or _row_of(self._base, urgency)
        unset = row.off | row.broken
        limits = {kind: value for kind, value in below["limits"].items() if kind not in unset}
        limits |= {kind.value: str(value) for kind, value in row.limits.items()}
        completed: dict[str, Any] = {
            "urgency": urgency.value,
            "category": row.category,
            "condition": row.condition,
            "limits": limits,
            "steps": row.steps or _fitting(below["steps"], limits.get(ClockKind.HANDLE)),
            "extension": self._extension(row, limits.get(ClockKind.HANDLE), below["extension"]),
        }
        window = row.reopen_window or below.get("reopen_window")
        return completed | ({"reopen_window": str(window)} if window else {})

    def _extension(self, row: _Row, budget: str | None, inherited: str | None) -> str | None:
        """The longest extension, always in the unit of the budget: no unit can be added to another."""
        handle = Limit.model_validate(budget) if budget else None
        if row.no_extension or ClockKind.HANDLE in row.broken:
            return None
        if row.extension is None:
            if inherited is None or handle is None:
                return None
            if Limit.model_validate(inherited).unit == handle.unit:
                return inherited
            self._without_extension += 1
            return None
        if handle is None:
            self._read.bad("rules.extension_alone", row.raw.cells["extension"])
        elif handle.unit != row.extension.unit:
            self._read.bad("limit.other_unit", row.raw.cells["extension"], handle)
        return str(row.extension)

    # The other sections

    def _settings(self) -> dict[str, Any]:
        """The constants; those of the base where a table does not say."""
        values: dict[str, Any] = {}
        if self._base:
            values = self._base.model_dump(mode="json", exclude={"version", "name", "rows"})
        for name, cell in self._raw.settings.items():
            if name.startswith("wish."):
                values["wish"] = {**values.get("wish", {}), name.removeprefix("wish."): self._setting(name, cell)}
            else:
                values[name] = self._setting(name, cell)
        return values

    def _setting(self, name: str, cell: Cell) -> Any:
        if name == "version":
            return self._read.code(cell)
        if name == "name":
            return self._read.line(cell)
        if name in _COUNTS:
            return self._read.count(cell, _COUNTS[name])
        natural = name in _NATURAL or name.startswith("wish.")
        read = self._read.natural(cell) if natural else self._read.limit(cell)
        return None if read is None else str(read)

    def _ladder(self) -> dict[str, Any]:
        if self._raw.ladder is None:
            return {}
        read = self._read
        readers = {
            "code": read.code,
            "name": read.line,
            "at": read.point,
            "action": lambda cell: read.one(cell, words.ACTIONS),
            "clocks": lambda cell: read.several(cell, words.RUNG_CLOCKS, "rules.unknown_clock"),
            "to": lambda cell: read.several(cell, words.AUDIENCES),
            "unless_replied": read.truth,
            "level_up": read.truth,
        }
        found = []
        for raw in self._raw.ladder:
            rung = read.fields(raw, readers, ("clocks", "to", "unless_replied", "level_up"))
            if rung is not None:
                self._check_light(raw, rung)
                found.append(rung)
        self._twice(self._raw.ladder, "code")
        return {"ladder": found}

    def _check_light(self, raw: RawRow, rung: Mapping[str, Any]) -> None:
        yellow = rung["action"] is RungAction.YELLOW and not rung["at"].endswith("%")
        red = rung["action"] is RungAction.RED and rung["at"] != "due"
        if yellow or red:
            self._tell("ladder.misplaced", raw.cells["at"].place, raw.cells["at"].name, rung["code"])

    def _channels(self) -> dict[str, Any]:
        if self._raw.channels is None:
            return {}
        found = []
        for raw in self._raw.channels:
            read, row = self._read.fields(raw, {"channel": self._read.code}), _Row(raw)
            self._clocks(row)
            if read:
                found.append({**read, "limits": {kind.value: str(value) for kind, value in row.limits.items()}})
        self._twice(self._raw.channels, "channel")
        return {"channels": found}

    def _suspensions(self) -> dict[str, Any]:
        if self._raw.suspensions is None:
            return {}
        readers = {"reason": lambda cell: self._read.one(cell, words.REASONS), "longest": self._read.natural}
        said = {}
        for raw in self._raw.suspensions:
            read = self._read.fields(raw, readers)
            if read:
                said[read["reason"]] = str(read["longest"])
        self._twice(self._raw.suspensions, "reason")
        if self._base:
            # A table names the reasons it changes; the list itself is closed.
            said = {rule.reason: str(rule.longest) for rule in self._base.suspensions} | said
        return {"suspensions": [{"reason": each, "longest": said[each]} for each in SuspendReason if each in said]}

    def _twice(self, rows: Iterable[RawRow], name: str) -> None:
        first: dict[str, Place] = {}
        for cell in [row.cells[name] for row in rows if name in row.cells]:
            key = words.plain(str(cell.value))
            if key in first:
                self._read.bad("rules.twice", cell, first[key])
            first.setdefault(key, cell.place)

    # The book

    def _book(self, values: dict[str, Any], version: str | None) -> RuleBook | None:
        values = {"name": self._name(), **values}
        chosen = version or values.get("version") or self._own_version(values)
        try:
            book: RuleBook = parse(_BOOK, {**values, "version": chosen})
        except Refused as refused:
            said = refused.refusal.model_dump(exclude={"params", "field"})
            self._read.problems.append(
                RuleProblem(where=self._whole, field=refused.refusal.field or "", value="", **said)
            )
            return None
        return book

    def _name(self) -> str:
        try:
            return _LINE.validate_python(self._raw.stem)
        except ValidationError:
            return "规则"

    def _own_version(self, values: Mapping[str, Any]) -> str:
        content = json.dumps(values, ensure_ascii=False, sort_keys=True)
        stem = re.sub(r"[^\w.\-]+", "-", self._raw.stem).strip("-.")[:40] or "rules"
        return f"{stem}-{hashlib.sha256(content.encode()).hexdigest()[:8]}"


def _fitting(steps: list[dict[str, Any]], budget: str | None) -> list[dict[str, Any]]:
    """Inherited steps without those that would end after the whole budget."""
    whole = Limit.model_validate(budget) if budget else None
    if whole is None or not whole.is_natural:
        return steps
    limits = [(step, Limit.model_validate(step["limit"])) for step in steps]
    return [step for step, limit in limits if not limit.is_natural or limit.natural() < whole.natural()]


def _row_of(book: RuleBook, urgency: Urgency) -> dict[str, Any]:
    return book.row(urgency, None).model_dump(mode="json")


def _says_none(cell: Cell) -> bool:
    return isinstance(cell.value, str) and words.plain(cell.value) in words.NO_CLOCK


def _meant(raw: RawRow) -> set[Urgency]:
    """The urgencies a row speaks of, as far as they can be read."""
    cell = raw.cells.get("urgency")
    said = parts(cell.value) if cell is not None and isinstance(cell.value, str) else []
    if any(words.plain(each) in words.ALL for each in said):
        return set(Urgency)
    return {words.URGENCIES[words.plain(each)] for each in said if words.plain(each) in words.URGENCIES}
