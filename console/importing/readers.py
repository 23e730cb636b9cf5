"""Files become rows: ``.jsonl``, ``.csv`` and ``.xlsx``, every cell as text under its header.

Owns formats, encodings and the limits of a file. A row that cannot be read becomes the refusal that says why and the
rest go on. Must not know what a column means.
"""

import codecs
import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from domain.errors import Refused, unreadable
from ledger.workbook import Cell, read_workbook

FILE_LIMIT = 64 * 2**20
"""Largest file in bytes."""

UNPACKED_LIMIT = 512 * 2**20
"""Largest content of a workbook in bytes after unpacking."""

ROW_LIMIT = 1_048_576
"""Most rows of a sheet: what a spreadsheet can have."""

COLUMN_LIMIT = 200
CELL_LIMIT = 100_000
"""Longest cell in characters, before anything is cleaned."""

_DELIMITERS = ",;\t"
_HALF = re.compile("[\ud800-\udfff]")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


@dataclass(frozen=True)
class Row:
    """One row as read: ``number`` counts as the sender's program does (lines of ``.jsonl``, rows of a table with the
    header as row 1), ``cells`` hold text under unique headers."""

    number: int
    cells: dict[str, str]


@dataclass(frozen=True)
class BadRow:
    """A row that could not be read, and why."""

    number: int
    refused: Refused


CheckHeader = Callable[[Sequence[str]], None]
"""Raises ``Refused`` when a table with this header is of no use."""


def read_rows(path: Path, check_header: CheckHeader = lambda _headers: None) -> Iterator[Row | BadRow]:
    """The rows of the file in their order; rows without any content are passed over.

    The header of a table is read and checked at once. Raises ``Refused`` when the file as a whole cannot be read:
    ``file.unreadable``, ``import.unknown_format``, ``import.file_too_large``, ``import.too_many_columns``,
    ``import.no_sheet``, ``import.no_text_column``, and whatever ``check_header`` raises.
    """
    suffix = path.suffix.lower()
    if suffix not in (".jsonl", ".csv", ".xlsx"):
        raise Refused("import.unknown_format", field="file", suffix=suffix or path.name)
    try:
        size = path.stat().st_size
        if size > FILE_LIMIT:
            raise _too_large(path, size, FILE_LIMIT)
        data = path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None
    match suffix:
        case ".jsonl":
            return _from_jsonl(data)
        case ".csv":
            return _from_csv(path, data, check_header)
        case _:
            return _from_xlsx(path, data, check_header)


def _too_large(path: Path, size: int, limit: int) -> Refused:
    return Refused("import.file_too_large", path=path, size=f"{size // 2**20} MB", limit=f"{limit // 2**20} MB")


# --- JSON lines -------------------------------------------------------------------------------------------------


def _from_jsonl(data: bytes) -> Iterator[Row | BadRow]:
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            yield Row(number, _json_cells(line, number))
        except Refused as refused:
            yield BadRow(number, refused)


def _json_cells(line: bytes, number: int) -> dict[str, str]:
    try:
        # Numbers stay as they are written: 007 is no number, and 1.10 must not become 1.1.
        pairs = json.loads(
            line.decode(), parse_int=str, parse_float=str, parse_constant=_no_number, object_pairs_hook=_Pairs
        )
    except UnicodeDecodeError:
        raise Refused("import.encoding") from None
    except json.JSONDecodeError as error:
        raise Refused("json.malformed", line=number, column=error.colno) from None
    except (RecursionError, ValueError):
        raise Refused("json.malformed", line=number, column=1) from None
    if not isinstance(pairs, _Pairs):
        raise Refused("import.not_an_object")
    if len(pairs) > COLUMN_LIMIT:
        raise Refused("import.too_many_columns", columns=len(pairs), limit=COLUMN_LIMIT)
    headers = _unique([str(name) for name, _ in pairs])
    cells = {header: _json_text(value) for header, (_, value) in zip(headers, pairs, strict=True)}
    _check_cells(cells.values())
    return {header: _clean(text) for header, text in cells.items()}


class _Pairs(list[tuple[str, Any]]):
    """An object as its pairs, so that a name given twice hides nothing."""


def _no_number(name: str) -> Any:
    raise ValueError(name)


def _json_text(value: Any) -> str:
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            return str(value).lower()
        case _:
            return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return {name: _plain(each) for name, each in value}
    return [_plain(each) for each in value] if isinstance(value, list) else value


# --- tables -----------------------------------------------------------------------------------------------------


def _from_csv(path: Path, data: bytes, check_header: CheckHeader) -> Iterator[Row | BadRow]:
    lines = list(io.StringIO(_decode(path, data), newline=""))
    csv.field_size_limit(FILE_LIMIT)  # our own limit is checked per row, so that one long cell spoils one row only
    records = _records(lines, _delimiter(lines))
    return _from_table(records, check_header)


def _decode(path: Path, data: bytes) -> str:
    """The text of a table; bytes that are wrong in an otherwise readable file become surrogates.

    UTF-8 when more lines are UTF-8 than are not: one damaged letter must not turn a whole file into nonsense.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                return data.decode(encoding, "surrogateescape" if mark == codecs.BOM_UTF8 else "strict")
            except UnicodeDecodeError:
                raise Refused("file.unreadable", path=path, reason=encoding) from None
    telling = [line for line in data.split(b"\n") if not line.isascii()]
    if 2 * sum(map(_is_utf8, telling)) >= len(telling):
        return data.decode("utf-8", "surrogateescape")
    return data.decode("gb18030", "surrogateescape")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _delimiter(lines: Sequence[str]) -> str:
    """The separator that splits the header into most cells."""
    header = next((line for line in lines if line.strip()), "")
    return max(_DELIMITERS, key=lambda each: len(next(csv.reader([header], delimiter=each), [])))


def _records(lines: Sequence[str], delimiter: str) -> Iterator[list[str] | Refused]:
    """The records of a table; after one whose quotes do not match reading goes on with the next line."""
    start = 0
    while start < len(lines):
        feed = _Feed(lines, start)
        reader = csv.reader(feed, delimiter=delimiter, strict=True)
        while True:
            start = feed.next
            feed.begin()
            try:
                yield next(reader)
            except StopIteration:
                start = len(lines)
                break
            except csv.Error:
                yield Refused("import.csv_malformed")
                start += 1
                break
            except _TooLongError:
                yield Refused("import.cell_too_long", limit=CELL_LIMIT)
                start += 1
                break


class _TooLongError(Exception):
    """A record goes on and on: its closing quote is missing."""


class _Feed:
    """Lines for the reader of the library, no more of them than one record may have."""

    def __init__(self, lines: Sequence[str], start: int) -> None:
        self._lines = lines
        self._taken = 0
        self.next = start

    def begin(self) -> None:
        """A new record begins with the next line."""
        self._taken = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self.next >= len(self._lines):
            raise StopIteration
        line = self._lines[self.next]
        if self._taken and self._taken + len(line) > 2 * CELL_LIMIT:
            raise _TooLongError
        self._taken += len(line)
        self.next += 1
        return line


def _from_xlsx(path: Path, data: bytes, check_header: CheckHeader) -> Iterator[Row | BadRow]:
    leaves = read_workbook(
        data, shown=path, rows=ROW_LIMIT, columns=COLUMN_LIMIT, unpacked=UNPACKED_LIMIT, only_first=True
    )
    if not leaves:
        raise Refused("import.no_sheet", path=path)
    return _from_table(([_cell_text(cell) for cell in row] for row in leaves[0].rows), check_header)


def _cell_text(cell: Cell) -> str:
    if isinstance(cell, float):
        # Spreadsheets keep whole numbers as floats; a work order 20200106.0 was never written so.
        return str(int(cell)) if cell.is_integer() else repr(cell)
    return str(cell)


def _from_table(records: Iterator[list[str] | Refused], check_header: CheckHeader) -> Iterator[Row | BadRow]:
    """Rows under the first record that has any content; it is read at once, so that its faults are the file's."""
    numbered = enumerate(records, start=1)
    for _, record in numbered:
        if isinstance(record, Refused):
            raise record
        if any(cell.strip() for cell in record):
            break
    else:
        raise Refused("import.no_text_column")
    while record and not record[-1].strip():
        record.pop()
    if len(record) > COLUMN_LIMIT:
        raise Refused("import.too_many_columns", columns=len(record), limit=COLUMN_LIMIT)
    check_header(record)
    return _under(_unique(record), numbered)


def _under(headers: list[str], numbered: Iterator[tuple[int, list[str] | Refused]]) -> Iterator[Row | BadRow]:
    for number, record in numbered:
        try:
            if isinstance(record, Refused):
                raise record
            if any(cell.strip() for cell in record):
                yield Row(number, _table_cells(headers, record))
        except Refused as refused:
            yield BadRow(number, refused)


def _table_cells(headers: list[str], record: list[str]) -> dict[str, str]:
    if any(cell.strip() for cell in record[len(headers) :]):
        raise Refused("import.too_many_cells", cells=len(record), columns=len(headers))
    _check_cells(record)
    if any("\udc80" <= letter <= "\udcff" for cell in record for letter in cell):
        raise Refused("import.encoding")
    # A short row has lost empty cells at its end, as spreadsheets write them.
    return dict(zip(headers, map(_clean, record), strict=False))


def _check_cells(cells: Any) -> None:
    if any(len(cell) > CELL_LIMIT for cell in cells):
        raise Refused("import.cell_too_long", limit=CELL_LIMIT)


def _clean(text: str) -> str:
    """The text with half characters replaced: nothing can store them."""
    return _HALF.sub("\ufffd", text)


def _unique(headers: Sequence[str]) -> list[str]:
    """The headers with a number where one comes again or is blank."""
    found: list[str] = []
    for place, header in enumerate(headers, start=1):
        name = _clean(header.strip()) or f"({place})"
        while name in found:
            name = f"{name} ({place})"
        found.append(name)
    return found
