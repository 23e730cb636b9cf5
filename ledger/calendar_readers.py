"""Files that say which days are off: JSON, YAML, CSV and ICS, read into what they say of each day and where.

Owns formats and encodings. Must not judge the days: ``ledger.calendar_files`` does. What cannot be read becomes a
problem with its place, and the reading goes on, so that a clerk sees all of them at once.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import yaml

from domain.errors import Refused, unreadable
from domain.registry_problem import Where

FILE_LIMIT = 8 * 2**20
"""Largest file in bytes; the official lists of a hundred years are smaller."""

Kind = Literal["off", "work"]

_OFF = frozenset((
    "off", "holiday", "rest", "true", "yes", "休", "假", "放假", "休息", "休假", "假日", "假期", "节假日", "法定节假日",
    "法定假日", "放假日", "公休",
))  # fmt: skip
_WORK = frozenset((
    "work", "workday", "working", "false", "no", "班", "上班", "补班", "工作日", "调休上班", "调休补班", "补班日",
    "上班日",
))  # fmt: skip
_DATE = re.compile(
    r"(\d{4})(?:(?P<sign>[-/.])(\d{1,2})(?P=sign)(\d{1,2})|年(\d{1,2})月(\d{1,2})日|(\d{2})(\d{2}))", re.ASCII
)
_MIDNIGHT = re.compile(r"[T ]0{1,2}:00(?::00(?:\.0+)?)?$")

_DATE_NAMES = ("date", "日期", "day", "on")
_KIND_NAMES = ("isOffDay", "kind", "type", "类型", "状态", "status")
_NAME_NAMES = ("name", "名称", "节日", "说明", "summary")
_OFF_SECTIONS = ("holidays", "off", "放假", "节假日")
_WORK_SECTIONS = ("workdays", "made_up", "work", "上班", "补班")


@dataclass(frozen=True)
class Said:
    """What one place of a file says of one day; ``name`` is empty where the file has none."""

    where: Where
    on: date
    kind: Kind
    name: str


@dataclass(frozen=True)
class Wrong:
    """What could not be understood: the code of a problem, its place, the field and its value."""

    code: str
    where: Where
    field: str
    value: str


@dataclass
class Read:
    """What a file says, in its order; ``years`` are those it declares itself to be for, ``passed_over`` the entries it
    marks as being no business of working time."""

    said: list[Said] = field(default_factory=list)
    wrong: list[Wrong] = field(default_factory=list)
    years: set[int] = field(default_factory=set)
    passed_over: list[str] = field(default_factory=list)


class Broken(Exception):  # noqa: N818 - becomes a refusal at once
    """A file that cannot be read from some place on, whatever it wants to say."""

    def __init__(self, path: Path, line: int, reason: object, code: str = "calendar_file.syntax") -> None:
        super().__init__(reason)
        self.wrong = Wrong(code, Where(file=path.name, section="", row=line), "", str(reason)[:80])


def read_bytes(path: Path) -> bytes:
    """The content of the file. Raises ``Refused`` ``file.unreadable``, also for one that is too large."""
    try:
        if path.stat().st_size > FILE_LIMIT:
            raise Refused("file.unreadable", path=path.name, reason=f"> {FILE_LIMIT // 2**20} MB")
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path.name, error) from None


def decoded(path: Path, data: bytes) -> str:
    """The text of a file in UTF-8 (with or without byte order mark), UTF-16 with a mark, or else GB18030.

    Raises ``Broken`` for bytes that are none of them.
    """
    encodings = ["utf-16"] if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ["utf-8-sig", "gb18030"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Broken(path, 1, "UTF-8 / GB18030")


# --- values -----------------------------------------------------------------------------------------------------


def day_of(value: object) -> date | None:
    """The day written as ``2027-01-01``, ``2027/1/1``, ``2027.1.1``, ``2027年1月1日`` or ``20270101``; None for others.

    Midnight behind a day is what spreadsheets add to it. A day needs its year, and must exist.
    """
    if not isinstance(value, str):
        return None
    found = _DATE.fullmatch(_MIDNIGHT.sub("", value.strip()))
    if found is None:
        return None
    month, day = (int(each) for each in (found[3] or found[5] or found[7], found[4] or found[6] or found[8]))
    try:
        return date(int(found[1]), month, day)
    except ValueError:
        return None


def kind_of(value: object) -> Kind | None:
    """Off or worked, as lists say it; true is a day off. None for words that say neither, or could be both (调休)."""
    if isinstance(value, bool):
        return "off" if value else "work"
    word = value.strip().casefold() if isinstance(value, str) else ""
    return "off" if word in _OFF else "work" if word in _WORK else None


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _say(read: Read, where: Where, on: object, kind: object, name: object = "") -> None:
    """Note what an entry says, or everything that is wrong with it."""
    day, of_kind = day_of(on), kind_of(kind)
    if on in (None, ""):
        read.wrong.append(Wrong("calendar_file.missing", where, "date", ""))
    elif day is None:
        read.wrong.append(Wrong("calendar_file.bad_date", where, "date", _shown(on)))
    if kind in (None, ""):
        read.wrong.append(Wrong("calendar_file.missing", where, "kind", ""))
    elif of_kind is None:
        read.wrong.append(Wrong("calendar_file.bad_kind", where, "kind", _shown(kind)))
    if day is not None and of_kind is not None:
        read.said.append(Said(where, day, of_kind, name.strip() if isinstance(name, str) else ""))


# --- JSON and YAML ----------------------------------------------------------------------------------------------


def parsed(path: Path, text: str) -> Any:
    """The value of a JSON or YAML file; in YAML every scalar stays the text it is written as.

    YAML would make ``off`` and ``on`` truth values and ``08:00`` a number. Raises ``Broken``, also
    for names given twice in one object, because one of them would hide the other.
    """
    value = _json(path, text) if path.suffix.lower() == ".json" else _yaml(path, text)
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        # Half a character, written as an escape; nothing can store it.
        raise Broken(path, 1, "\\ud800 … \\udfff") from None
    return value


def _yaml(path: Path, text: str) -> Any:
    try:
        root = yaml.compose(text, yaml.SafeLoader)
        return None if root is None else _plain(path, root, set())
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise Broken(path, line, error.problem or "YAML") from None
    except (yaml.YAMLError, RecursionError):
        raise Broken(path, 1, "YAML") from None


def _json(path: Path, text: str) -> Any:
    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise Broken(path, 1, f"{twice[:40]} × 2")
        return found

    try:
        return json.loads(text, object_pairs_hook=object_of)
    except json.JSONDecodeError as error:
        raise Broken(path, error.lineno, f"JSON: {error.msg}") from None
    except (ValueError, RecursionError):
        raise Broken(path, 1, "JSON") from None


def _plain(path: Path, node: yaml.Node, seen: set[int]) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return node.value
    # Aliases let a small file stand for an endless one; no list of days needs them.
    if id(node) in seen:
        raise Broken(path, node.start_mark.line + 1, "YAML: *alias")
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(path, each, seen) for each in node.value]
    assert isinstance(node, yaml.MappingNode)
    found: dict[str, Any] = {}
    for key, value in node.value:
        name = str(key.value)
        if name in found:
            raise Broken(path, key.start_mark.line + 1, f"{name[:40]} × 2")
        found[name] = _plain(path, value, seen)
    return found


def read_value(path: Path, value: Any) -> Read:
    """What a decoded JSON or YAML value says: a year with its days, a list of days, holidays and workdays apart, or an
    object with a day as each name. Raises ``Broken`` for any other shape."""
    read = Read()
    documents = value if isinstance(value, list) and value and all(_has_days(each) for each in value) else [value]
    for document in documents:
        _read_document(read, path, document)
    return read


def _has_days(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("days"), list)


def _read_document(read: Read, path: Path, value: Any) -> None:
    if isinstance(value, list):
        _read_entries(read, path, "days", value, None)
        return
    if not isinstance(value, Mapping):
        raise Broken(path, 1, '{"year": …, "days": […]}')
    if "year" in value:
        year = str(value["year"]).strip()
        if re.fullmatch(r"2[0-9]{3}", year):
            read.years.add(int(year))
        else:
            read.wrong.append(
                Wrong("calendar_file.bad_year", Where(file=path.name, section="year", row=1), "year", year)
            )
    if _has_days(value):
        _read_entries(read, path, "days", value["days"], None)
        return
    sections = [name for name in (*_OFF_SECTIONS, *_WORK_SECTIONS) if name in value]
    for name in sections:
        _read_entries(read, path, name, value[name], "off" if name in _OFF_SECTIONS else "work")
    if not sections:
        days = {name: each for name, each in value.items() if name not in ("year", "$schema", "$id", "papers")}
        _read_entries(read, path, "days", days, None)


def _read_entries(read: Read, path: Path, section: str, entries: Any, kind: Kind | None) -> None:
    """Entries of a list, or of an object whose names are days; ``kind`` is what the section itself says of them."""
    if isinstance(entries, Mapping):
        for number, (on, value) in enumerate(entries.items(), start=1):
            where = Where(file=path.name, section=section, row=number)
            if isinstance(value, Mapping):
                _say(read, where, on, kind or _first(value, _KIND_NAMES), _first(value, _NAME_NAMES))
            else:
                _say(read, where, on, kind or value, value if kind else "")
        return
    if not isinstance(entries, list):
        if entries not in (None, ""):
            raise Broken(path, 1, f"{section}: [ … ]")
        return
    for number, entry in enumerate(entries, start=1):
        where = Where(file=path.name, section=section, row=number)
        if isinstance(entry, Mapping):
            _say(
                read, where, _first(entry, _DATE_NAMES), kind or _first(entry, _KIND_NAMES), _first(entry, _NAME_NAMES)
            )
        elif kind is not None:
            _say(read, where, entry, kind)
        else:
            read.wrong.append(Wrong("calendar_file.bad_entry", where, "", _shown(entry)))


def _first(entry: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((entry[name] for name in names if name in entry), None)


# --- tables -----------------------------------------------------------------------------------------------------


def read_csv(path: Path, text: str) -> Read:
    """What a table with a header says, one day in each row; separated by comma, semicolon or tab.

    Raises ``Broken`` when the quotes do not match or a column is missing.
    """
    read, header = Read(), dict[str, int]()
    for line, cells in _records(path, text):
        if not header:
            header = _columns(path, line, cells)
            continue
        where = Where(file=path.name, section="", row=line)
        if any(cell.strip() for cell in cells[header["width"] :]):
            read.wrong.append(Wrong("calendar_file.too_many_cells", where, "", cells[header["width"]]))
            continue
        padded = [*cells, *[""] * header["width"]]
        _say(read, where, padded[header["date"]].strip(), padded[header["kind"]].strip(), padded[header["name"]])
    if not header:
        raise Broken(path, 1, "date, kind")
    return read


def _records(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that have any content, each with the line it ends in."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise Broken(path, reader.line_num, error) from None


def _columns(path: Path, line: int, cells: list[str]) -> dict[str, int]:
    """Where date, kind and name stand; without a column of names its place is behind the last one."""
    names = [cell.strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    lower = [name.casefold() for name in names]
    found = {"width": len(names), "name": len(names)}
    for column, known in (("date", _DATE_NAMES), ("kind", _KIND_NAMES), ("name", _NAME_NAMES)):
        places = [place for place, name in enumerate(lower) if name in {each.casefold() for each in known}]
        if len(places) > 1:
            raise Broken(path, line, f"{names[places[1]]} × 2")
        if places:
            found[column] = places[0]
    missing = [column for column in ("date", "kind") if column not in found]
    if missing:
        expected = {"date": "date/日期", "kind": "kind/type/类型/状态"}
        raise Broken(path, line, ", ".join(expected[each] for each in missing), "calendar_file.no_column")
    return found
