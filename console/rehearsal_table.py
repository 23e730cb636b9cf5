"""Closed cases out of a table of another system: one row each, with the times somebody wrote down.

Owns the names of columns, Chinese and English, and what is wrong with a row. Reading files is the business of
``console.importing.readers``. A row has clocks only for the times it gives: the budget from dispatch (else from
opening) to closing, and, where a time of dispatch is given, the clocks of the dispatch and of signing for it.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from console.importing.columns import URGENCIES
from console.importing.readers import BadRow, Row, read_rows
from console.importing.times import read_time
from domain.base import Frozen
from domain.errors import Refusal, Refused
from domain.ladder import ClockKind
from domain.rehearsal import PastCase, PastClock
from domain.rules import Urgency
from domain.text import CODE_LIMIT, LINE_LIMIT, normalise, redact

COLUMNS: dict[str, tuple[str, ...]] = {
    "opened": ("opened", "opened_at", "registered_at", "受理时间", "登记时间", "立案时间", "留言时间"),
    "closed": ("closed", "closed_at", "办结时间", "结案时间", "完成时间", "处置完成时间"),
    "dispatched": ("dispatched", "dispatched_at", "派单时间", "派遣时间", "交办时间"),
    "accepted": ("accepted", "accepted_at", "签收时间", "接单时间"),
    "due": ("due", "due_at", "截止时间", "到期时间", "应办结时间"),
    "late": ("late", "overdue", "是否超期", "超期"),
    "number": ("number", "external_id", "message_no", "编号", "工单号", "工单编号", "诉求编号"),
    "urgency": ("urgency", "紧急程度"),
    "category": ("category", "类别编码", "类别", "小类代码"),
    "condition": ("condition", "条件", "立案条件"),
    "channel": ("channel", "渠道"),
    "department": ("department", "部门", "部门编码", "承办单位", "处置部门", "责任单位"),
}
"""What each column may be called; of several for one meaning the first in this order is read."""

MARKS: dict[str, bool] = {
    **dict.fromkeys(("是", "超期", "已超期", "逾期", "yes", "true", "1", "y"), True),
    **dict.fromkeys(("否", "未超期", "按期", "按时", "no", "false", "0", "n"), False),
}
"""What may stand in the column that says whether a case was late."""

_NEEDED = ("opened", "closed")
_TIMES = ("opened", "dispatched", "accepted", "closed", "due")


class BadCell(Frozen):
    """What is wrong with a row, counted as the writer's program does; the field of the refusal is the column."""

    row: int
    refusal: Refusal


@dataclass
class TableRead:
    """What was read so far: rows that became cases, rows that are not closed yet, and rows with problems."""

    cases: int = 0
    open: int = 0
    rows: int = 0
    problems: list[BadCell] = field(default_factory=list)


def read_past_cases(
    path: Path,
    categories: Collection[str],
    read: TableRead,
    *,
    begin: datetime | None = None,
    end: datetime | None = None,
) -> Iterator[PastCase]:
    """The closed cases of a table, opened from ``begin`` (included) to ``end`` (not included).

    ``categories`` are the codes there are. What is wrong with single rows is collected in ``read``, and the others go
    on. Raises ``Refused`` for a file that cannot be read as a whole: ``rehearse.no_columns`` and those of
    ``console.importing.readers.read_rows``.
    """
    return _past_cases(read_rows(path, _check_header), categories, read, begin, end)


def _past_cases(
    rows: Iterable[Row | BadRow],
    categories: Collection[str],
    read: TableRead,
    begin: datetime | None,
    end: datetime | None,
) -> Iterator[PastCase]:
    for row in rows:
        read.rows += 1
        try:
            if isinstance(row, BadRow):
                raise row.refused
            cells = _Cells(row)
            if not cells.text("closed"):
                read.open += 1
                continue
            case = _case(cells, categories)
        except Refused as refused:
            read.problems.append(BadCell(row=row.number, refusal=refused.refusal))
            continue
        opened = case.clocks[0].started_at
        if (begin is None or opened >= begin) and (end is None or opened < end):
            read.cases += 1
            yield case


def _check_header(headers: Sequence[str]) -> None:
    known = {_MEANINGS.get(_plain(header)) for header in headers}
    for name in _NEEDED:
        if name not in known:
            names = " / ".join(COLUMNS[name])
            zh = next(each for each in COLUMNS[name] if not each.isascii())
            raise Refused("rehearse.no_columns", field="file", missing=zh, missing_en=COLUMNS[name][0], known=names)


def _plain(header: str) -> str:
    return re.sub(r"[\s*＊：:]+", "", normalise(header)).casefold()


_MEANINGS = {name: meaning for meaning, names in COLUMNS.items() for name in names}


@lru_cache(maxsize=4096)
def _one_line(cell: str) -> str:
    """Departments and categories come again and again."""
    return redact(" ".join(normalise(cell).split()))


@lru_cache(maxsize=64)
def _headers(headers: tuple[str, ...]) -> dict[str, str]:
    """Which of the headers stands for which meaning."""
    named: dict[str, dict[str, str]] = {}
    for header in headers:
        plain = _plain(header)
        if plain in _MEANINGS:
            named.setdefault(_MEANINGS[plain], {}).setdefault(plain, header)
    return {
        meaning: next(found[name] for name in COLUMNS[meaning] if name in found) for meaning, found in named.items()
    }


class _Cells:
    """The cells of a row by meaning, and what the writer calls them."""

    def __init__(self, row: Row) -> None:
        self.number = row.number
        # A line of JSON need not have every column, so each row is asked for its own.
        self._headers = _headers(tuple(row.cells))
        self._cells = row.cells

    def header(self, meaning: str) -> str:
        """What the writer calls the column."""
        return self._headers.get(meaning, COLUMNS[meaning][-1])

    def text(self, meaning: str) -> str:
        """The cleaned content; empty where there is none."""
        return normalise(self._cells.get(self._headers.get(meaning, ""), ""))

    def line(self, meaning: str, limit: int = LINE_LIMIT) -> str | None:
        """The content as one masked line; None where there is none. Raises ``Refused`` ``text.too_long``."""
        text = _one_line(self._cells.get(self._headers.get(meaning, ""), ""))
        if len(text) > limit:
            raise Refused("text.too_long", field=self.header(meaning), length=len(text), limit=limit)
        return text or None

    def time(self, meaning: str) -> datetime | None:
        """The moment; None where there is none. Raises ``Refused`` ``import.time_unreadable``."""
        text = self.text(meaning)
        if not text:
            return None
        try:
            return read_time(text)
        except Refused as refused:
            value = refused.refusal.params["value"]
            raise Refused("import.time_unreadable", field=self.header(meaning), value=value) from None


def _case(cells: _Cells, categories: Collection[str]) -> PastCase:
    times = {meaning: cells.time(meaning) for meaning in _TIMES}
    opened, closed = times["opened"], times["closed"]
    if opened is None:
        raise Refused("field.missing", field=cells.header("opened"))
    assert closed is not None
    _check_order(cells, times)
    category = cells.line("category")
    if category is not None and category not in categories:
        raise Refused("rehearse.unknown_category", field=cells.header("category"), value=category[:CODE_LIMIT])
    department = cells.line("department")
    return PastCase(
        id=f"#{cells.number} {cells.line('number') or ''}".strip(),
        urgency=_urgency(cells),
        category=category,
        condition=cells.line("condition"),
        channel=cells.line("channel") or "",
        street=None,
        community=None,
        lead=department,
        clocks=_clocks(cells, times, opened, closed, department),
    )


def _check_order(cells: _Cells, times: dict[str, datetime | None]) -> None:
    """Raises ``Refused`` ``rehearse.out_of_order`` when a later step has the earlier time."""
    before: tuple[str, datetime] | None = None
    for meaning in ("opened", "dispatched", "accepted", "closed"):
        at = times[meaning]
        if at is None:
            continue
        if before is not None and at < before[1]:
            raise Refused("rehearse.out_of_order", field=cells.header(meaning), earlier=cells.header(before[0]))
        before = (meaning, at)


def _clocks(
    cells: _Cells, times: dict[str, datetime | None], opened: datetime, closed: datetime, department: str | None
) -> tuple[PastClock, ...]:
    dispatched, accepted, begin = times["dispatched"], times["accepted"], opened
    clocks = []
    if dispatched is not None:
        begin = dispatched
        clocks.append(PastClock(ClockKind.DISPATCH, opened, dispatched))
        if accepted is not None:
            clocks.append(PastClock(ClockKind.SIGN_FOR, dispatched, accepted, department))
    clocks.append(PastClock(ClockKind.HANDLE, begin, closed, late=_late(cells, times["due"], closed)))
    return tuple(clocks)


def _late(cells: _Cells, due: datetime | None, closed: datetime) -> bool | None:
    """Whether it was late then: as the table says, else by its own due, else nobody knows."""
    mark = cells.text("late").casefold()
    if mark:
        if mark not in MARKS:
            raise Refused("rehearse.unknown_mark", field=cells.header("late"), known=" / ".join(MARKS))
        return MARKS[mark]
    return None if due is None else closed > due


def _urgency(cells: _Cells) -> Urgency:
    text = cells.line("urgency")
    if text is None:
        return Urgency.GENERAL
    found = URGENCIES.get(text.casefold())
    if found is None:
        known = " / ".join(URGENCIES)
        raise Refused("rehearse.unknown_urgency", field=cells.header("urgency"), value=text[:CODE_LIMIT], known=known)
    return found
