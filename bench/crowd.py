"""A hundred thousand believable cases, written straight into the read models.

Owns the invented words and how often they come: a few frequent ones, a long tail, one that stands in a single case.
Makes rows only, no events: lists, search and pages read nothing else. The same seed gives the same rows.
"""

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg

from domain.case.vocabulary import FINAL, Mode, Stage
from domain.zone import office_month
from ledger.rows import CaseFigureRow, CaseRow, ClockRow, TaskRow

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)

_TOPICS = (
    ("K02", "路面破损", ("路面坑洼", "井盖松动", "人行道地砖翘起", "减速带缺失", "路沿石破损")),
    ("K03", "供水", ("水压不足", "水管爆裂", "自来水发黄", "夜间停水", "水表井漏水")),
    ("K04", "路灯", ("路灯不亮", "路灯常亮不灭", "灯杆倾斜", "景观灯闪烁")),
    ("K05", "环境卫生", ("垃圾桶满溢", "楼道堆放杂物", "河道有漂浮物", "公厕异味", "装修垃圾未清运")),
    ("K06", "噪音扰民", ("夜间施工噪音", "广场舞音量大", "空调外机噪音", "犬吠扰民")),
    ("K07", "停车", ("占用消防通道", "乱停乱放", "充电桩被占", "僵尸车长期停放")),
    ("K08", "电梯", ("电梯停运", "电梯困人", "电梯异响", "电梯年检过期")),
    ("K09", "绿化", ("树枝遮挡采光", "绿篱枯死", "行道树倒伏", "草坪被毁")),
)
_PLACES = ("东塘", "西塘", "南苑", "北辰", "花园里", "梧桐苑", "富强新村", "团结湖", "望江", "新海", "杏林", "百合园")
_CLAUSES = (
    "居民反映多次未见处理", "影响老人出行", "请尽快安排人员查看", "下雨天更为严重", "孩子上学必经之路",
    "物业称不在其职责范围", "已持续一周", "存在安全隐患", "周边商户也有反映", "希望给予答复",
    "小区内多户都有同样情况", "早晚高峰尤其明显", "之前报修过一次", "请相关部门协调解决",
)  # fmt: skip
_LEADS = ("D01", "D02", "D03", "D04", "D05", "D06", "D07", "D08")
RARE = "蓝色琉璃瓦檐"
"""Words that stand in one case only."""

FREQUENT = "居民"
"""A word that stands in very many cases."""


Row = CaseRow | CaseFigureRow | TaskRow | ClockRow
Rows = dict[str, list[Row]]


@dataclass(frozen=True)
class Town:
    """How the cases are spread: streets of communities of grids, coded ``S01``, ``C0101``, ``G010101``."""

    streets: int = 4
    communities: int = 10
    grids: int = 12


def cases(count: int = 100_000, town: Town | None = None, seed: int = 7) -> Iterator[CaseRow]:
    """Cases of the two years before ``NOW``, the oldest first; one in twelve is still open.

    Department ``D09`` has a single case in two thousand, and ``RARE`` stands in the one in the middle.
    """
    town = town or Town()
    dice = random.Random(seed)
    step = timedelta(days=730) / count
    for number in range(count):
        at = NOW - step * (count - number) + timedelta(seconds=dice.randrange(60))
        yield _case(number, at, dice, town, rare=number == count // 2)


def _case(number: int, at: datetime, dice: random.Random, town: Town, *, rare: bool) -> CaseRow:
    category, name, troubles = _TOPICS[min(int(dice.expovariate(0.45)), len(_TOPICS) - 1)]
    trouble, place = dice.choice(troubles), dice.choice(_PLACES)
    spot = f"{place}{dice.randint(1, 60)}号楼{dice.randint(1, 6)}单元"
    words = "，".join(dice.sample(_CLAUSES, dice.randint(2, 5)))
    street = dice.randint(1, town.streets)
    community = f"C{street:02}{dice.randint(1, town.communities):02}"
    stage = _stage(number, dice)
    lead = "D09" if number % 2000 == 0 else dice.choice(_LEADS)
    dispatched = stage not in (Stage.REGISTERED, Stage.WHISTLED, Stage.DECLINED, Stage.WITHDRAWN, Stage.ON_THE_SPOT)
    parts = (lead, *({dice.choice(_LEADS)} - {lead} if dice.random() < 0.2 else ())) if dispatched else ()
    closed = stage in FINAL
    due = None if closed else NOW + timedelta(minutes=dice.randint(-4000, 12000))
    late = dice.random() < 0.06 or (due is not None and due < NOW)
    return CaseRow(
        id=f"case-{dice.getrandbits(128):032x}",
        seq=dice.randint(3, 20),
        stage=stage.value,
        street=f"S{street:02}",
        community=community,
        grid=f"G{community[1:]}{dice.randint(1, town.grids):02}",
        category=category,
        urgency=dice.choices(("general", "livelihood", "emergency", "complex"), (80, 14, 4, 2))[0],
        mode=Mode.WITHIN_LIMIT.value if dispatched else None,
        channel="hotline",
        source="12345" if number % 3 == 0 else None,
        external_id=f"2026{number:08}" if number % 3 == 0 else None,
        title=f"{spot}{trouble}",
        text=f"{name}：{spot}附近{trouble}，{words}。{RARE if rare else ''}",
        registered_at=at,
        due_at=due,
        light=None if closed else ("red" if late else dice.choice(("green", "green", "green", "yellow"))),
        lead=lead if dispatched else None,
        departments=parts,
        level=dice.choices(("community", "street", "district"), (97, 2, 1))[0],
        rework_count=int(dice.random() < 0.05),
        satisfaction=dice.choice(("satisfied", "very_satisfied", "fair", "dissatisfied")) if closed else None,
        solved=dice.random() < 0.9 if closed else None,
        was_overdue=late,
        settled_at=at + timedelta(days=4) if closed else None,
        archived_at=at + timedelta(days=7) if closed else None,
        finished=closed,
        rules_version="example-1",
        opened_by=f"p-{dice.randint(1, 400):03}",
        updated_at=at,
        open_orders=int(not closed and dice.random() < 0.04),
    )


def _stage(number: int, dice: random.Random) -> Stage:
    if number % 12:
        return dice.choices((Stage.ARCHIVED, Stage.DECLINED, Stage.WITHDRAWN), (94, 4, 2))[0]
    return dice.choice([stage for stage in Stage if stage not in FINAL])


def tasks_of(case: CaseRow, dice: random.Random) -> list[TaskRow]:
    """The task of a case: open for its lead or its community while the case is, else done by somebody by name."""
    here = {"organisation": case.lead or case.community, "role": "department_handler" if case.lead else "community"}
    if case.lead is None and case.finished:
        return []
    person = f"h-{case.lead}-{dice.randint(1, 20):02}" if case.lead and dice.random() < 0.4 else None
    return [
        TaskRow(
            stream=case.id, id=f"handle:{case.lead}#1.1" if case.lead else "triage#0", process="case",
            kind="handle" if case.lead else "triage", person=person, opened_at=case.registered_at, due_at=case.due_at,
            closed_at=case.settled_at, **here,
        )
    ]  # fmt: skip


def clocks_of(case: CaseRow) -> list[ClockRow]:
    """The handling clock of a case that was dispatched."""
    if case.lead is None:
        return []
    return [
        ClockRow(
            stream=case.id, id="handle:0", process="case", kind="handle", organisation=case.lead, limit_text="5wd",
            rules_version=case.rules_version, started_at=case.registered_at, due_at=case.due_at,
            stopped_at=case.settled_at, overdue_at=case.due_at if case.was_overdue else None,
            state="stopped" if case.finished else (case.light or "green"),
        )
    ]  # fmt: skip


def figure_of(case: CaseRow, dice: random.Random) -> CaseFigureRow:
    """What a case adds to the figures."""
    given = case.lead is not None
    late = "late" if case.settled_at else "overdue"
    return CaseFigureRow(
        id=case.id, street=case.street, community=case.community, grid=case.grid, category=case.category,
        urgency=case.urgency, departments=case.departments, lead=case.lead, opened_by=case.opened_by,
        rules_version=case.rules_version, registered_at=case.registered_at, settled_at=case.settled_at,
        registered_month=office_month(case.registered_at),
        settled_month=office_month(case.settled_at) if case.settled_at else None,
        struck_off_at=case.settled_at, published_at=case.settled_at,
        response=dice.choices(("in_time", "late", "open"), (90, 8, 2))[0] if given else "not_dispatched",
        handling=(late if case.was_overdue else "in_time" if case.settled_at else "open") if given else "ended",
        on_the_spot=False, finished_once=case.settled_at is not None, dispatches=int(given),
        misdirected=int(given and dice.random() < 0.04), returns=int(given and dice.random() < 0.06),
        reworks=case.rework_count, urges=int(dice.random() < 0.1), urgings=int(case.was_overdue),
        orders=case.open_orders, satisfaction=case.satisfaction, solved=case.solved,
    )  # fmt: skip


async def fill(conn: asyncpg.Connection, count: int = 100_000, town: Town | None = None, seed: int = 7) -> None:
    """Write the cases with their tasks and clocks into a migrated database, and let the planner know them."""
    dice = random.Random(seed)
    rows: Rows = {"case_row": [], "case_figure": [], "task": [], "clock": []}
    for case in cases(count, town, seed):
        rows["case_row"].append(case)
        rows["case_figure"].append(figure_of(case, dice))
        rows["task"] += tasks_of(case, dice)
        rows["clock"] += clocks_of(case)
        if len(rows["case_row"]) == 5000:
            await _write(conn, rows)
    await _write(conn, rows)
    for table in (*rows, "case_text"):
        await conn.execute(f"vacuum analyze {table}")


async def _write(conn: asyncpg.Connection, rows: Rows) -> None:
    for table, found in rows.items():
        if found:
            columns = list(type(found[0]).model_fields)
            await conn.copy_records_to_table(table, records=_records(found, columns), columns=columns)
            found.clear()


def _records(rows: Sequence[Row], columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        # JSON columns take text where the connection has no codec.
        yield tuple(json.dumps([]) if column == "pauses" else getattr(row, column) for column in columns)
