"""Table files: ``.csv``, ``.xlsx``, ``.xls`` and ``.ods``, read into sheets of text cells that know where they stand.

Owns formats, encodings and the limits of a file. Must not know what a column means.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from domain.errors import Refused, unreadable
from ledger.workbook import Cell, read_workbook

SUFFIXES = (".csv", ".xlsx", ".xls", ".ods")
FILE_LIMIT = 32 * 2**20
"""Largest file in bytes."""

UNPACKED_LIMIT = 256 * 2**20
"""Largest content of a workbook in bytes after unpacking."""

ROW_LIMIT, COLUMN_LIMIT = 50_000, 200


@dataclass(frozen=True)
class Sheet:
    """A sheet: rows of text cells, counted as the writer's program does; ``rows[0]`` is row 1. Empty cells are ``""``.

    The only sheet of a ``.csv`` file is named after the file; ``lines`` has for each of its rows the line it ends on.
    """

    name: str
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...] = ()

    def number(self, index: int) -> int:
        """What the writer calls the row ``rows[index]``."""
        return self.lines[index] if self.lines else index + 1


def read_bytes(path: Path) -> bytes:
    """The content of a file. Raises ``Refused`` ``file.unreadable`` and ``import.file_too_large``."""
    try:
        size = path.stat().st_size
        if size > FILE_LIMIT:
            raise _too_large(path, size, FILE_LIMIT)
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path.name, error) from None


def read_sheets(path: Path) -> tuple[Sheet, ...]:
    """The sheets of a table file, in their order; those without any content are left out.

    Raises ``Refused`` ``file.unreadable`` (for ``.csv`` with the line), ``import.file_too_large``,
    ``import.too_many_columns`` and ``import.no_sheet``.
    """
    data = read_bytes(path)
    sheets = [_csv_sheet(path, data)] if path.suffix.lower() == ".csv" else _workbook(path, data)
    found = tuple(sheet for sheet in sheets if any(cell for row in sheet.rows for cell in row))
    if not found:
        raise Refused("import.no_sheet", path=path.name)
    for sheet in found:
        _check_size(path, len(sheet.rows), max(map(len, sheet.rows)))
    return found


def letter(column: int) -> str:
    """What a spreadsheet calls the column, counted from 0: ``A`` … ``Z``, ``AA`` …"""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name


def _too_large(path: Path, size: int, limit: int) -> Refused:
    return Refused("import.file_too_large", path=path.name, size=f"{size // 2**20} MB", limit=f"{limit // 2**20} MB")


def _check_size(path: Path, rows: int, columns: int) -> None:
    if columns > COLUMN_LIMIT:
        raise Refused("import.too_many_columns", columns=columns, limit=COLUMN_LIMIT)
    if rows > ROW_LIMIT:
        raise Refused("file.unreadable", path=path.name, reason=f"超过 {ROW_LIMIT} 行", reason_en=f"> {ROW_LIMIT} rows")


def _decoded(path: Path, data: bytes) -> str:
    """The text of a table as Chinese offices save it: UTF-8 with or without a mark, else GB18030."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Refused("file.unreadable", path=path.name, reason="UTF-8 / GB18030")


def _csv_sheet(path: Path, data: bytes) -> Sheet:
    text = _decoded(path, data)
    head = text[:1000].splitlines()[0] if text.strip() else ""
    delimiter = max(",;\t", key=head.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, lines = [], []
    try:
        for row in reader:
            rows.append(tuple(map(_clean, row)))
            lines.append(reader.line_num)
    except csv.Error as error:
        raise Refused("file.unreadable", path=f"{path.name}:{reader.line_num}", reason=error) from None
    return Sheet(path.stem, tuple(rows), tuple(lines))


def _workbook(path: Path, data: bytes) -> list[Sheet]:
    leaves = read_workbook(data, shown=path.name, rows=ROW_LIMIT, columns=COLUMN_LIMIT, unpacked=UNPACKED_LIMIT)
    return [Sheet(leaf.name, tuple(tuple(_clean(_text(cell)) for cell in row) for row in leaf.rows)) for leaf in leaves]


def _text(cell: Cell) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float):
        # Spreadsheets keep whole numbers as floats.
        return str(int(cell)) if cell.is_integer() else repr(cell)
    return str(cell)


def _clean(text: str) -> str:
    return text.replace("\ufeff", "").replace("\u00a0", " ").strip()
