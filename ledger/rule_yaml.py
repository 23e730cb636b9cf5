"""Rule books as YAML: read with the line of every value, and written so that they read back the same.

Owns the form of the file: the fields of ``domain.rules.RuleBook``. Must not judge what the values say:
``domain.rule_check`` does.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from domain import rule_words as words
from domain.errors import Refused
from domain.ladder import ClockKind
from domain.rule_problem import Cell, Place, RawBook, RawRow, RuleProblem, problem
from domain.rules import RuleBook
from ledger.tables import read_bytes

_SECTIONS = ("rows", "ladder", "channels", "suspensions", "categories", "wish")
_SETTINGS = tuple(dict.fromkeys(meaning for meaning in words.SETTINGS.values() if not meaning.startswith("wish.")))
_WISH = tuple(
    meaning.removeprefix("wish.") for meaning in dict.fromkeys(words.SETTINGS.values()) if meaning.startswith("wish.")
)
_ROW = ("urgency", "category", "condition", "limits", "steps", "extension", "reopen_window")
_STEP = ("code", "name", "limit")
_RUNG = ("code", "name", "at", "action", "clocks", "to", "unless_replied", "level_up")


def read_rule_yaml(path: Path) -> RawBook:
    """The rule book in a YAML file, unjudged. Raises ``Refused`` ``file.unreadable`` with the line."""
    return _Yaml(path.name, path.stem, read_bytes(path)).read()


@dataclass
class _Node:
    """A value with its line: a scalar, a tuple of nodes, or nodes by their keys."""

    place: Place
    path: str
    value: Any

    def cell(self) -> Cell:
        """The value of a scalar, or of a list of scalars; nothing else fits into a cell."""
        value = self.value
        if isinstance(value, tuple):
            value = tuple(each.value for each in value)
        parts = value if isinstance(value, tuple) else (value,)
        if any(isinstance(part, tuple | dict) for part in parts):
            value = _Nested()
        return Cell(value, self.place, self.path)


class _Nested:
    """Stands for lists and mappings where a single value belongs."""

    def __str__(self) -> str:
        return "[…]"


class _Yaml:
    def __init__(self, file: str, stem: str, data: bytes) -> None:
        self._file, self._stem, self._data = file, stem, data
        self._problems: list[RuleProblem] = []
        # A value that is referred to is one value with one place, however often it is used.
        self._made: dict[int, _Node] = {}

    def read(self) -> RawBook:
        """The book as written."""
        root = self._parse()
        if not isinstance(root.value, dict):
            raise self._unreadable(root.place.row, "version, name, rows …")
        settings: dict[str, Cell] = {}
        sections: dict[str, _Node] = {}
        for key, node in root.value.items():
            if key in _SECTIONS:
                sections[key] = node
            elif key in _SETTINGS:
                settings[key] = node.cell()
            else:
                known = ", ".join((*_SETTINGS, *_SECTIONS))
                self._problems.append(problem("rules.unknown_section", node.place, key, key, known))
        for key, node in self._fields(sections.get("wish"), _WISH).items():
            settings[f"wish.{key}"] = node.cell()
        return RawBook(
            file=self._file,
            stem=self._stem,
            rows=tuple(self._row(node) for node in self._items(sections.get("rows"))),
            settings={name: cell for name, cell in settings.items() if cell.value is not None},
            ladder=self._list(sections.get("ladder"), _RUNG),
            channels=self._channels(sections.get("channels")),
            suspensions=self._list(sections.get("suspensions"), ("reason", "longest")),
            categories=self._categories(sections.get("categories")),
            problems=tuple(self._problems),
        )

    def _unreadable(self, line: int, reason: object) -> Refused:
        return Refused("file.unreadable", path=f"{self._file}:{line}", reason=reason)

    # From text to nodes

    def _parse(self) -> _Node:
        try:
            text = self._data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise self._unreadable(1, "UTF-8") from None
        try:
            loader = yaml.SafeLoader(text)
            try:
                root = loader.get_single_node()
                if root is None:
                    raise self._unreadable(1, "version, name, rows …")
                return self._node(loader, root, "", "", ())
            finally:
                loader.dispose()
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise self._unreadable(line, error.problem or "YAML") from None
        except (yaml.YAMLError, RecursionError):
            raise self._unreadable(1, "YAML") from None

    def _node(
        self, loader: yaml.SafeLoader, node: yaml.Node, section: str, path: str, around: tuple[int, ...]
    ) -> _Node:
        place = Place(file=self._file, sheet=section, row=node.start_mark.line + 1)
        if id(node) in around:
            raise self._unreadable(place.row, "& *")
        if id(node) not in self._made:
            value = self._value(loader, node, place, path, (*around, id(node)))
            self._made[id(node)] = _Node(place, path, value)
        return self._made[id(node)]

    def _value(self, loader: yaml.SafeLoader, node: yaml.Node, place: Place, path: str, around: tuple[int, ...]) -> Any:
        if isinstance(node, yaml.SequenceNode):
            items = enumerate(node.value)
            return tuple(self._node(loader, each, place.sheet, f"{path}[{i}]", around) for i, each in items)
        if isinstance(node, yaml.MappingNode):
            self._check_keys(node, place)
            # Writes what ``<<`` refers to before the keys of the mapping itself, so that these win.
            loader.flatten_mapping(node)
            found: dict[str, _Node] = {}
            for key, value in node.value:
                name = str(key.value)
                inner = f"{path}.{name}" if path else name
                found[name] = self._node(loader, value, place.sheet or name, inner, around)
            return found
        try:
            return loader.construct_object(node)
        except ValueError as error:
            raise self._unreadable(place.row, error) from None

    def _check_keys(self, node: yaml.MappingNode, place: Place) -> None:
        """YAML lets the last of two equal keys win, silently."""
        first: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise self._unreadable(line, "key: value")
            if key.value in first and key.value != "<<":
                where = place.model_copy(update={"row": line})
                other = place.model_copy(update={"row": first[key.value]})
                self._problems.append(problem("rules.twice", where, key.value, key.value, other))
            first[key.value] = line

    # From nodes to rows

    def _items(self, node: _Node | None) -> tuple[_Node, ...]:
        """The parts of a list of mappings; anything else is a problem."""
        if node is None or node.value is None:
            return ()
        if not isinstance(node.value, tuple):
            self._bad(node, "- …")
            return ()
        for each in node.value:
            if not isinstance(each.value, dict):
                self._bad(each, "key: value")
        return tuple(each for each in node.value if isinstance(each.value, dict))

    def _bad(self, node: _Node, hint: str) -> None:
        shown = node.value if isinstance(node.value, str | int) else ""
        self._problems.append(problem("rules.bad_value", node.place, node.path, shown, hint))

    def _fields(self, node: _Node | None, known: Iterable[str]) -> dict[str, _Node]:
        """The filled fields of a mapping; unknown ones are problems."""
        if node is None or node.value is None:
            return {}
        if not isinstance(node.value, dict):
            self._bad(node, "key: value")
            return {}
        for name, value in node.value.items():
            if name not in known:
                self._problems.append(problem("rules.unknown_column", value.place, value.path, name, ", ".join(known)))
        return {name: value for name, value in node.value.items() if name in known and value.value not in (None, ())}

    def _list(self, node: _Node | None, known: Iterable[str]) -> tuple[RawRow, ...] | None:
        if node is None:
            return None
        return tuple(self._plain(each, known) for each in self._items(node))

    def _plain(self, node: _Node, known: Iterable[str]) -> RawRow:
        return RawRow(node.place, {name: each.cell() for name, each in self._fields(node, known).items()})

    def _row(self, node: _Node) -> RawRow:
        fields = self._fields(node, _ROW)
        cells = {name: each.cell() for name, each in fields.items() if name not in ("limits", "steps")}
        steps = tuple(self._plain(each, _STEP) for each in self._items(fields.get("steps")))
        return RawRow(node.place, cells | self._limits(fields.get("limits")), steps)

    def _limits(self, node: _Node | None) -> dict[str, Cell]:
        if node is not None and not isinstance(node.value, dict):
            self._bad(node, "dispatch: 24h …")
            return {}
        found: dict[str, Cell] = {}
        for name, value in (node.value if node is not None else {}).items():
            if name not in list(ClockKind) or name == ClockKind.STEP:
                told = problem("rules.unknown_clock", value.place, value.path, name, words.shown_clocks())
                self._problems.append(told)
            elif value.value is not None:
                found[f"limits.{name}"] = value.cell()
        return found

    def _channels(self, node: _Node | None) -> tuple[RawRow, ...] | None:
        if node is None:
            return None
        rows = []
        for each in self._items(node):
            fields = self._fields(each, ("channel", "limits"))
            cells = {"channel": fields["channel"].cell()} if "channel" in fields else {}
            rows.append(RawRow(each.place, cells | self._limits(fields.get("limits"))))
        return tuple(rows)

    def _categories(self, node: _Node | None) -> frozenset[str] | None:
        """The codes of the file's own directory: a list of codes, or of mappings with a code."""
        if node is None:
            return None
        codes: set[str] = set()
        for each in node.value if isinstance(node.value, tuple) else ():
            code = each.value.get("code") if isinstance(each.value, dict) else each
            if code is not None and isinstance(code.value, str):
                codes.add(code.value)
            else:
                self._bad(each, "code")
        if not isinstance(node.value, tuple):
            self._bad(node, "- …")
        return frozenset(codes)


def rule_book_yaml(book: RuleBook) -> str:
    """The book as a YAML file that ``read_rule_yaml`` reads back to the same book."""
    body = _without_nothing(book.model_dump(mode="json"))
    for part in (*body["rows"], *body["channels"]):
        # The database keeps an order of its own; people read the clocks in the order of the work.
        part["limits"] = {kind.value: part["limits"][kind] for kind in ClockKind if kind in part["limits"]}
    # Unknown to the dumper: two equal rows are written twice, not as a reference that nobody can edit.
    dumper = type("_Plain", (yaml.SafeDumper,), {"ignore_aliases": lambda _self, _data: True})
    return yaml.dump(body, Dumper=dumper, allow_unicode=True, sort_keys=False, width=120)


def _without_nothing(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nothing(each) for key, each in value.items() if each is not None}
    return [_without_nothing(each) for each in value] if isinstance(value, list) else value
