"""Registry files: a YAML file, a workbook, or a folder of CSV files, read into rows that remember where they stand.

Owns the reading. Must not judge the rows: ``domain.registry_check`` does. The sections of a YAML file, the sheets of a
workbook and the names of the CSV files are those of ``domain.registry_problem.SECTIONS``.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from domain.errors import Refused
from domain.registry_problem import SECTIONS, RawRegistry, RawRow, Where
from ledger.tables import read_sheets

WORKBOOKS = (".xlsx", ".xls", ".ods")


def read_registry_files(path: Path) -> RawRegistry:
    """The rows of a YAML file, of a workbook with a sheet for each section, or of a folder with ``organisations.csv``,
    ``grids.csv`` and so on.

    Text stays text: a CSV cell is never turned into a number, so codes keep their leading zeros; what YAML reads as
    a number is left so and found by the checks. Raises ``Refused`` ``file.unreadable`` with file
    and line.
    """
    if path.is_dir():
        files = [path / f"{section}.csv" for section in SECTIONS]
        present = [file for file in files if file.is_file()]
        if not present:
            raise Refused("file.unreadable", path=path.name, reason=" / ".join(file.name for file in files))
        return RawRegistry(tuple(row for file in present for row in _csv_rows(file)))
    if not path.is_file():
        raise Refused("file.unreadable", path=path.name, reason="没有这个文件", reason_en="no such file")
    if path.suffix.lower() in WORKBOOKS:
        return RawRegistry(tuple(_sheet_rows(path)))
    return RawRegistry(tuple(_yaml_rows(path)))


def _sheet_rows(path: Path) -> Iterator[RawRow]:
    """The rows of a workbook; its first line of each sheet names the columns. Other sheets are the office's own."""
    sheets = [sheet for sheet in read_sheets(path) if sheet.name.strip().lower() in SECTIONS]
    if not sheets:
        raise Refused("file.unreadable", path=path.name, reason=" / ".join(SECTIONS))
    for sheet in sheets:
        section = sheet.name.strip().lower()
        first = next(index for index, row in enumerate(sheet.rows) if any(row))
        heads = sheet.rows[first]
        for index, row in enumerate(sheet.rows[first + 1 :], start=first + 1):
            if any(cell for head, cell in zip(heads, row, strict=False) if not head):
                raise _unreadable(path.name, sheet.number(index), "columns ≠ header")
            values = {head: cell for head, cell in zip(heads, row, strict=False) if head}
            if any(values.values()):
                yield RawRow(Where(file=path.name, section=section, row=sheet.number(index)), values)


def _unreadable(file: str, row: int, reason: object) -> Refused:
    return Refused("file.unreadable", path=f"{file}:{row}", reason=reason)


def _text_of(file: Path) -> str:
    try:
        # Spreadsheet programs put a byte order mark before the first heading.
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise _unreadable(file.name, 1, "UTF-8") from None


def _csv_rows(file: Path) -> Iterator[RawRow]:
    reader = csv.DictReader(_text_of(file).splitlines(keepends=True), strict=True)
    rows = iter(reader)
    while True:
        try:
            cells = next(rows, None)
        except csv.Error as error:
            # The inner reader counts lines also when a row cannot be read.
            raise _unreadable(file.name, reader.reader.line_num, error) from None
        if cells is None:
            return
        # DictReader files surplus cells under None: a row with more cells than headings has slipped.
        if None in cells or None in cells.values():
            raise _unreadable(file.name, reader.line_num, "columns ≠ header")
        values = {name.strip(): cell for name, cell in cells.items()}
        yield RawRow(Where(file=file.name, section=file.stem, row=reader.line_num), values)


def _yaml_rows(file: Path) -> Iterator[RawRow]:
    loader = yaml.SafeLoader(_text_of(file))
    try:
        root = loader.get_single_node()
        yield from _sections(loader, root, file.name)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _unreadable(file.name, line, error.problem or "YAML") from None
    except yaml.YAMLError:
        raise _unreadable(file.name, 1, "YAML") from None
    finally:
        loader.dispose()


def _sections(loader: yaml.SafeLoader, root: yaml.Node | None, name: str) -> Iterator[RawRow]:
    if not isinstance(root, yaml.MappingNode):
        raise _unreadable(name, 1, ", ".join(SECTIONS))
    for key, section in root.value:
        if isinstance(section, yaml.ScalarNode) and section.value == "":
            continue
        if not isinstance(section, yaml.SequenceNode):
            raise _unreadable(name, section.start_mark.line + 1, "list")
        for row in section.value:
            line = row.start_mark.line + 1
            if not isinstance(row, yaml.MappingNode):
                raise _unreadable(name, line, "key: value")
            yield RawRow(Where(file=name, section=str(key.value), row=line), _values(loader, row, name))


def _values(loader: yaml.SafeLoader, row: yaml.MappingNode, name: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in row.value:
        # YAML lets the last of two equal keys win, silently.
        if str(key.value) in values:
            raise _unreadable(name, key.start_mark.line + 1, f"{key.value} × 2")
        try:
            values[str(key.value)] = loader.construct_object(value, deep=True)
        except ValueError as error:
            raise _unreadable(name, value.start_mark.line + 1, error) from None
    return values
