"""Rates and counts, open down to their cases."""

from datetime import UTC, date, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response

from console.api.common import Page, problems, told
from console.figures import DAYS
from console.http.caller import Caller, may
from domain.figures import BY_CODE, OUTCOME_NAMES, Figure
from domain.limits import Instant
from domain.rights import Permission
from domain.rules import Urgency
from domain.text import Code
from ledger.board import Board, read_board
from ledger.figures import (
    FigureCase,
    Group,
    LedgerCase,
    LedgerColumn,
    LedgerLine,
    Selection,
    Side,
    cases_of,
    ledger_cases,
    open_ledger,
    period,
    table,
)

router = APIRouter(tags=["stats"])

MeasureCode = Annotated[str, Path(alias="code", max_length=40, description="A measure", examples=["response"])]


class PeriodQuery(BaseModel):
    """Days of the office, both included; the last thirty where none is named."""

    model_config = ConfigDict(extra="forbid")

    from_: date | None = Field(default=None, alias="from", description="First day")
    to: date | None = Field(default=None, description="Last day, included")

    def moments(self, today: date) -> tuple[datetime, datetime]:
        """The moments of these days. Raises ``Refused`` ``period.invalid``."""
        last = self.to or today
        before = max(last.toordinal() - DAYS + 1, 1)
        return period(self.from_ or date.fromordinal(before), last)


class StatsQuery(PeriodQuery):
    """Which cases to count; all that is given must hold."""

    street: Code | None = None
    community: Code | None = None
    grid: Code | None = None
    department: Code | None = Field(default=None, description="The lead in the end")
    category: Code | None = None
    urgency: Urgency | None = None

    def selection(self, today: date) -> Selection:
        """The selection of the ledger. Raises ``Refused`` ``period.invalid``."""
        begin, end = self.moments(today)
        places = ("street", "community", "grid", "department", "category", "urgency")
        return Selection(begin=begin, end=end, **{name: getattr(self, name) for name in places})


class RatesQuery(StatsQuery):
    """As above, told apart by a group."""

    by: Group = Group.COMMUNITY


class FigureCasesQuery(StatsQuery):
    """Which cases behind the figure."""

    side: Side = Side.BASE
    reason: str | None = Field(
        default=None, pattern=f"^({'|'.join(OUTCOME_NAMES)})$", description="Of those that stand apart"
    )
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=400)


class FigureShown(BaseModel):
    """A figure: `value` is `hit`/`base` rounded for people; `apart` are cases that cannot be assessed, by reason."""

    base: int
    hit: int
    apart: dict[str, int] = Field(default_factory=dict)
    value: str = Field(examples=["66.7%"], description="`-` where nothing is below the line")


class MeasureShown(BaseModel):
    """What a figure means."""

    code: str
    name: str
    name_en: str
    formula: str
    formula_en: str
    basis: str = Field(description="By registration or settlement a case falls into the period")
    kind: str


class Rates(BaseModel):
    """All figures of a selection: altogether, by group (`""`: none), by month."""

    begin: Instant
    end: Instant
    by: Group
    measures: list[MeasureShown]
    total: dict[str, FigureShown]
    groups: dict[str, dict[str, FigureShown]]
    months: dict[str, dict[str, FigureShown]]


class OpenLedger(BaseModel):
    """The open ledger of a period: 建账, 销账, 晒账, 结账 of each community."""

    begin: Instant
    end: Instant
    lines: list[LedgerLine]


class LedgerQuery(PeriodQuery):
    """The cases behind a number of the open ledger."""

    community: Code | None = None
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=400)


def _figure(figure: Figure) -> FigureShown:
    return FigureShown(base=figure.base, hit=figure.hit, apart=dict(figure.apart), value=figure.shown)


def _measures() -> list[MeasureShown]:
    return [
        MeasureShown(
            code=each.code, name=each.name[0], name_en=each.name[1], formula=each.formula[0],
            formula_en=each.formula[1], basis=each.basis.value, kind=each.kind.value,
        )
        for each in BY_CODE.values()
    ]  # fmt: skip


@router.get(
    "/stats/rates", operation_id="rates", summary="Rates and counts", response_model=Rates, responses=problems()
)
async def rates(caller: Annotated[Caller, may(Permission.STATS_READ)], query: Annotated[RatesQuery, Query()]) -> Any:
    """All figures (DOMAIN §6) with what stands above and below the line, within the caller's reach."""
    chosen = query.selection(caller.today)
    async with caller.office.pool.acquire() as conn:
        found = await table(conn, chosen, reach=caller.reach(Permission.STATS_READ), by=query.by)
    return Rates(
        begin=chosen.begin,
        end=chosen.end,
        by=query.by,
        measures=_measures(),
        total={code: _figure(each) for code, each in found.total.items()},
        groups={
            unit or "": {code: _figure(each) for code, each in figures.items()}
            for unit, figures in sorted(found.groups.items(), key=lambda each: each[0] or "")
        },
        months={
            month: {code: _figure(each) for code, each in figures.items()} for month, figures in found.months.items()
        },
    )


@router.get(
    "/stats/rates/{code}/cases",
    operation_id="cases_of_rate",
    summary="The cases behind a figure",
    response_model=Page[FigureCase],
    responses=problems(404),
)
async def cases_of_rate(
    request: Request,
    code: MeasureCode,
    caller: Annotated[Caller, may(Permission.STATS_READ)],
    query: Annotated[FigureCasesQuery, Query()],
) -> Response:
    """The youngest first; over all pages their `base` and `hit` add up to the figure's."""
    async with caller.office.pool.acquire() as conn:
        page = await cases_of(
            conn, code, query.selection(caller.today), side=query.side, reason=query.reason,
            reach=caller.reach(Permission.STATS_READ), limit=query.limit, cursor=query.cursor,
        )  # fmt: skip
    return told(request, page.items, page.next)


@router.get(
    "/stats/ledger",
    operation_id="open_ledger",
    summary="The open ledger",
    response_model=OpenLedger,
    responses=problems(),
)
async def ledger(caller: Annotated[Caller, may(Permission.STATS_READ)], query: Annotated[PeriodQuery, Query()]) -> Any:
    """建账 (registered), 销账 (struck off), 晒账 (result told to both sides), 结账 (settled), by community."""
    begin, end = query.moments(caller.today)
    async with caller.office.pool.acquire() as conn:
        lines = await open_ledger(conn, begin, end, reach=caller.reach(Permission.STATS_READ))
    return OpenLedger(begin=begin, end=end, lines=lines)


@router.get(
    "/stats/ledger/{column}/cases",
    operation_id="cases_of_ledger",
    summary="The cases behind a number of the open ledger",
    response_model=Page[LedgerCase],
    responses=problems(),
)
async def cases_of_ledger(
    request: Request,
    column: LedgerColumn,
    caller: Annotated[Caller, may(Permission.STATS_READ)],
    query: Annotated[LedgerQuery, Query()],
) -> Response:
    """The youngest first."""
    begin, end = query.moments(caller.today)
    async with caller.office.pool.acquire() as conn:
        page = await ledger_cases(
            conn, column, begin, end, community=query.community, reach=caller.reach(Permission.STATS_READ),
            limit=query.limit, cursor=query.cursor,
        )  # fmt: skip
    return told(request, page.items, page.next)


@router.get(
    "/stats/board", operation_id="board", summary="What the wall shows", response_model=Board, responses=problems()
)
async def board(caller: Annotated[Caller, may(Permission.BOARD_READ)]) -> Any:
    """Counts, lights, rates, units and the most urgent cases; nothing of it is about a person."""
    async with caller.office.pool.acquire() as conn:
        return await read_board(conn, datetime.now(UTC), reach=caller.reach(Permission.BOARD_READ))
