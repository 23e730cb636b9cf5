"""What was wrong with a file, row by row, as a table a clerk can open.

Owns the report file. Must not repeat what a row said: it may be personal.
"""

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from domain.errors import Refusal, Refused

HEADER = ("row", "field", "code", "reason", "remedy", "reason_en", "remedy_en")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Rejection:
    """A row that was not imported, and why; ``field`` in the sender's words."""

    row: int
    refusal: Refusal


def place_of_report(file: Path, wanted: Path | None) -> Path:
    """Where the report goes: ``wanted``, else beside the file, else, where nobody may write there, the working folder.

    Raises ``Refused`` ``import.report_unwritable`` when a wanted place cannot be written.
    """
    if wanted is None:
        beside = file.with_name(f"{file.name}.report.csv")
        return beside if _is_writable(beside) else Path.cwd() / beside.name
    if not _is_writable(wanted):
        raise Refused("import.report_unwritable", field="--report", path=wanted, reason=_reason(wanted))
    if wanted.exists() and file.exists() and wanted.samefile(file):
        raise Refused("import.report_unwritable", field="--report", path=wanted, reason=file.name)
    return wanted


def _is_writable(path: Path) -> bool:
    return path.parent.is_dir() and not path.is_dir() and os.access(path if path.exists() else path.parent, os.W_OK)


def _reason(path: Path) -> str:
    return "not a folder" if not path.parent.is_dir() else "is a folder" if path.is_dir() else "permission denied"


def write_report(path: Path, rejections: Iterable[Rejection]) -> Path | None:
    """Write the report and return where it is; without rejections none is made, and an old one is emptied.

    Raises ``Refused`` ``import.report_unwritable``.
    """
    ordered = sorted(rejections, key=lambda each: each.row)
    if not ordered and not path.exists():
        return None
    try:
        # The mark lets spreadsheets see that the text is UTF-8.
        path.write_text(_table(ordered), encoding="utf-8-sig", newline="")
    except OSError as error:
        raise Refused("import.report_unwritable", field="--report", path=path, reason=error.strerror) from None
    return path if ordered else None


def _table(ordered: Iterable[Rejection]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(HEADER)
    for each in ordered:
        refusal = each.refusal
        texts = (refusal.message, refusal.remedy, refusal.message_en, refusal.remedy_en)
        writer.writerow([each.row, *map(_harmless, (refusal.field or "", refusal.code, *texts))])
    return text.getvalue()


def _harmless(cell: str) -> str:
    """The text so that no spreadsheet takes it for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
