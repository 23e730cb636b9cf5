"""Workbooks (``.xlsx``, ``.xls``, ``.ods``): their cells, read by a process of their own with limits of its own.

Owns how that process is started and what its end means. Must not know what a cell means.
"""

import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

from domain.errors import Refused
from ledger.workbook_child import SECONDS

_ROW_LIMIT = 64 * 2**20
"""Longest line of the child in bytes."""

Cell = str | bool | int | float
"""What stands in a cell: moments and spans as text, nothing as empty text."""


@dataclass(frozen=True)
class Leaf:
    """A sheet and its rows, counted as the writer's program does."""

    name: str
    rows: tuple[tuple[Cell, ...], ...]


def read_workbook(
    data: bytes, *, shown: object, rows: int, columns: int, unpacked: int, only_first: bool = False
) -> list[Leaf]:
    """The sheets in ``data``, all of them or the first; blocking.

    No sheet has more than ``rows`` and ``columns``, and the file unpacks to at most ``unpacked`` bytes. ``shown`` is
    what refusals call the file. Raises ``Refused``: ``file.unreadable``, also for what takes more memory or time than
    a workbook may, ``import.file_too_large``, ``import.too_many_columns``.
    """
    _check_unpacked(data, shown, unpacked)
    arguments = [sys.executable, "-P", "-m", "ledger.workbook_child", str(rows), str(columns), str(int(only_first))]
    with tempfile.TemporaryFile() as given:
        given.write(data)
        given.seek(0)
        with subprocess.Popen(arguments, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
            assert child.stdout is not None, "a pipe was asked for"
            try:
                found = list(_leaves(child.stdout, shown, rows, columns))
                code = child.wait(timeout=SECONDS)
            except subprocess.TimeoutExpired:
                raise _unreadable(shown, f"> {SECONDS} s") from None
            finally:
                child.kill()
    if code != 0:
        raise _unreadable(shown, "too large or damaged")
    return found


def _leaves(lines: IO[bytes], shown: object, rows: int, columns: int) -> Iterator[Leaf]:
    while (head := _line(lines, shown)) is not None:
        if isinstance(head, dict):
            raise _unreadable(shown, str(head.get("error")))
        name, height, width = head
        if width > columns:
            raise Refused("import.too_many_columns", columns=width, limit=columns)
        if height > rows:
            raise Refused("file.unreadable", path=shown, reason=f"超过 {rows} 行", reason_en=f"> {rows} rows")
        found: list[tuple[Cell, ...]] = []
        while (row := _line(lines, shown, ends=True)) is not None:
            found.append(tuple(row))
        yield Leaf(name, tuple(found))


def _line(lines: IO[bytes], shown: object, *, ends: bool = False) -> Any:
    """The next line, None at the end: of a sheet, or of everything where no sheet is open."""
    line = lines.readline(_ROW_LIMIT)
    if not line and not ends:
        return None
    try:
        return json.loads(line)
    except ValueError:
        # The child was ended in the middle of a line, or of a sheet.
        raise _unreadable(shown, "too large or damaged") from None


def _check_unpacked(data: bytes, shown: object, limit: int) -> None:
    if not data.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            size = sum(each.file_size for each in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise _unreadable(shown, type(error).__name__) from None
    if size > limit:
        raise Refused("import.file_too_large", path=shown, size=f"{size // 2**20} MB", limit=f"{limit // 2**20} MB")


def _unreadable(shown: object, reason: str) -> Refused:
    return Refused("file.unreadable", path=shown, reason=reason)
