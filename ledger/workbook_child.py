"""The process that opens one workbook: it reads the file on standard input and writes its cells on standard output.

Owns nothing but its own limits. A workbook is somebody else's file for a library that takes its word: six kilobytes can
say that their last cell stands in row 1,048,576 and have the memory for all cells before it taken. So it is opened
here, where the system ends what takes too much, and not in the console or the worker. Run by ``ledger.workbook``.
"""

import io
import json
import resource
import sys
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

MEMORY, SECONDS = 2 * 2**30, 60


def main() -> None:
    """Write the sheets: a line ``[name, height, width]`` for each, then its rows as arrays; or ``{"limit": …}``.

    The arguments are the most rows and columns of a sheet, and whether only the first sheet is wanted.
    """
    rows, columns, only_first = (int(each) for each in sys.argv[1:4])
    for kind, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(kind, (most, most))

    import python_calamine

    try:
        book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read()))
        for place, name in enumerate(book.sheet_names):
            if only_first and place:
                break
            sheet = book.get_sheet_by_index(place)
            _say([name, sheet.total_height, sheet.total_width])
            if sheet.total_height > rows or sheet.total_width > columns:
                return
            # Leading empty rows are kept: problems name the row that the writer sees.
            for row in sheet.to_python(skip_empty_area=False):
                _say([_plain(cell) for cell in row])
            _say(None)
    except (python_calamine.CalamineError, OSError, MemoryError) as error:
        _say({"error": type(error).__name__})


def _plain(cell: object) -> object:
    match cell:
        case datetime() | date() | time():
            return cell.isoformat()
        case timedelta():
            return str(cell)
        case bool() | int() | float() | str():
            return cell
        case _:
            return ""


def _say(value: Sequence[Any] | dict[str, str] | None) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


if __name__ == "__main__":
    main()
