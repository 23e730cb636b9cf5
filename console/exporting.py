"""A list of cases as a workbook for Excel.

Owns the columns. Bounded, written row by row to a file of its own and never held in memory. Everything people wrote is
text and stays text: no cell is ever a formula or a link. Neither residents' data nor what they told leave by it.
"""

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from console import words
from console.listing import Named, named
from console.output import local, say
from domain.registry import Registry
from domain.rights import Reach
from domain.zone import OFFICE_ZONE
from ledger.log import Connection
from ledger.queries import PAGE_LIMIT, CaseFilter, Sort, list_cases

EXPORTED = 20_000
"""Most cases of one workbook."""


@dataclass(frozen=True)
class Workbook:
    """A workbook on disk, which whoever asked for it removes; ``whole`` unless there were more cases than ``rows``."""

    path: Path
    name: str
    rows: int
    whole: bool


@dataclass(frozen=True)
class _Column:
    name: tuple[str, str]
    width: int
    value: Callable[[Named], str | int | datetime | None]


def _yes(value: bool | None) -> str:
    return "" if value is None else say("是", "yes") if value else say("否", "no")


_COLUMNS: tuple[_Column, ...] = (
    _Column(("编号", "Number"), 38, lambda each: each.row.id),
    _Column(("标题", "Title"), 36, lambda each: each.row.title),
    _Column(("阶段", "Stage"), 10, lambda each: words.word(words.STAGE, each.row.stage)),
    _Column(("灯", "Light"), 8, lambda each: "" if each.row.finished else words.word(words.LIGHT, each.row.light)),
    _Column(("时限", "Due"), 17, lambda each: None if each.row.finished else each.row.due_at),
    _Column(("曾经超期", "Was overdue"), 10, lambda each: _yes(each.row.was_overdue)),
    _Column(("紧急程度", "Urgency"), 10, lambda each: words.word(words.URGENCY, each.row.urgency)),
    _Column(("办理方式", "Mode"), 12, lambda each: words.word(words.MODE, each.row.mode) if each.row.mode else ""),
    _Column(("类别", "Category"), 14, lambda each: each.category),
    _Column(("街道", "Street"), 14, lambda each: each.street),
    _Column(("社区", "Community"), 14, lambda each: each.community),
    _Column(("网格", "Grid"), 14, lambda each: each.place if each.row.grid else ""),
    _Column(("主办", "Lead"), 16, lambda each: each.lead),
    _Column(("协办", "Helpers"), 20, lambda each: "、".join(each.helpers)),
    _Column(("来源", "Source"), 10, lambda each: each.row.source),
    _Column(("来源工单号", "Number there"), 18, lambda each: each.row.external_id),
    _Column(("登记时间", "Registered"), 17, lambda each: each.row.registered_at),
    _Column(("结账时间", "Settled"), 17, lambda each: each.row.settled_at),
    _Column(("归档时间", "Archived"), 17, lambda each: each.row.archived_at),
    _Column(("返工次数", "Reworks"), 9, lambda each: each.row.rework_count),
    _Column(("退单次数", "Returns"), 9, lambda each: each.row.returns),
    _Column(("督办未复", "Orders unanswered"), 9, lambda each: each.row.open_orders),
    _Column(("停表", "Suspended"), 8, lambda each: _yes(each.row.suspended)),
    _Column(("挂账", "Shelved"), 8, lambda each: _yes(each.row.shelved)),
    _Column(("负责层级", "Level"), 10, lambda each: words.word(words.LEVEL, each.row.level) if each.row.level else ""),
    _Column(("解决", "Solved"), 8, lambda each: _yes(each.row.solved)),
    _Column(("满意度", "Satisfaction"), 12, lambda each: _grade(each.row.satisfaction)),
    _Column(("规则版本", "Rules"), 14, lambda each: each.row.rules_version),
)


def _grade(code: str | None) -> str:
    return words.word(words.SATISFACTION, code) if code else ""


async def write_workbook(
    conn: Connection,
    wanted: CaseFilter,
    *,
    reach: Reach,
    sort: Sort,
    registry: Registry,
    asked_for: str,
    by: str,
    most: int = EXPORTED,
) -> Workbook:
    """Write the first ``most`` cases that fit, and a second sheet that says what they are and whether that is all.

    Raises ``Refused`` as ``list_cases`` does; then there is no file.
    """
    at = datetime.now(UTC)
    page = await list_cases(conn, wanted, reach=reach, sort=sort, limit=PAGE_LIMIT)
    with tempfile.NamedTemporaryFile(prefix="bihuan-", suffix=".xlsx", delete=False) as file:
        path = Path(file.name)
    try:
        sheet = await asyncio.to_thread(_Writing, path)
        rows = 0
        while True:
            taken = page.items[: most - rows]
            await asyncio.to_thread(sheet.add, named(taken, registry))
            rows += len(taken)
            if page.next is None or rows >= most:
                break
            page = await list_cases(conn, wanted, reach=reach, sort=sort, limit=PAGE_LIMIT, cursor=page.next)
        whole = page.next is None and len(taken) == len(page.items)
        await asyncio.to_thread(sheet.close, _about(at, by, asked_for, rows, whole=whole))
    except BaseException:
        await asyncio.to_thread(path.unlink, missing_ok=True)
        raise
    name = f"{say('诉求', 'requests')}-{at.astimezone(OFFICE_ZONE):%Y%m%d-%H%M}.xlsx"
    return Workbook(path, name, rows, whole)


def _about(at: datetime, by: str, asked_for: str, rows: int, *, whole: bool) -> list[tuple[str, str]]:
    left_out = say(
        f"符合条件的超过 {rows} 件，本表只有前 {rows} 件。请缩小条件分批导出。",
        f"More than {rows} requests fit; these are the first {rows}. Narrow the conditions and export in parts.",
    )
    return [
        (say("导出时间", "Exported"), local(at)),
        (say("导出人", "By"), by),
        (say("条件", "Conditions"), asked_for),
        (say("件数", "Requests"), str(rows)),
        (say("是否完整", "Complete"), say("是", "yes") if whole else left_out),
        (say("说明", "Note"), say("不含居民信息和诉求原文。", "Without residents' data and the wording of requests.")),
    ]


class _Writing:
    """The workbook while it is written; its methods run in a thread, one after the other."""

    def __init__(self, path: Path) -> None:
        import xlsxwriter  # type: ignore[import-untyped]  # only who exports pays for it

        options = {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "default_date_format": "yyyy-mm-dd hh:mm",
        }
        self._book = xlsxwriter.Workbook(str(path), options)
        self._head = self._book.add_format({"bold": True, "bg_color": "#E8EEF7", "border": 1})
        self._sheet: Any = self._book.add_worksheet(say("诉求", "Requests"))
        self._sheet.freeze_panes(1, 2)
        for place, column in enumerate(_COLUMNS):
            self._sheet.set_column(place, place, column.width)
            self._sheet.write_string(0, place, say(*column.name), self._head)
        self._row = 0

    def add(self, rows: Sequence[Named]) -> None:
        """Write these rows under the last one."""
        for each in rows:
            self._row += 1
            for place, column in enumerate(_COLUMNS):
                self._cell(self._row, place, column.value(each))

    def _cell(self, row: int, place: int, value: str | int | datetime | None) -> None:
        match value:
            case datetime():
                self._sheet.write_datetime(row, place, value.astimezone(OFFICE_ZONE).replace(tzinfo=None))
            case int():
                self._sheet.write_number(row, place, value)
            case str() if value:
                self._sheet.write_string(row, place, value)

    def close(self, about: Sequence[tuple[str, str]]) -> None:
        """Add the sheet that says what this is, and finish the file."""
        if self._row:
            self._sheet.autofilter(0, 0, self._row, len(_COLUMNS) - 1)
        sheet: Any = self._book.add_worksheet(say("说明", "About"))
        sheet.set_column(0, 0, 14)
        sheet.set_column(1, 1, 80)
        for row, (name, value) in enumerate(about):
            sheet.write_string(row, 0, name, self._head)
            sheet.write_string(row, 1, value)
        self._book.close()
