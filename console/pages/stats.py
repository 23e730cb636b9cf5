"""Rates and counts, open down to their cases; the open ledger of every community."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from console import figures as shown
from console.figures import Asked
from console.http.caller import Caller, may
from console.http.problems import status_of
from console.http.rendering import page
from console.listing import category_name, choices, grid_name, organisation_name
from console.output import say
from domain.case.explain import overtime_permille
from domain.errors import Refused
from domain.figures import OUTCOME_NAMES
from domain.registry import Registry
from domain.rights import Permission
from ledger.figures import (
    FigureCase,
    Side,
    cases_of,
    late_handling,
    measure_of,
    one_figure,
    table,
    uncounted,
)
from ledger.log import Connection

router = APIRouter()

_PAGE, _GROUPS = 30, 200

Asks = Annotated[Asked, Query()]
Code = Annotated[str, Path(max_length=40)]


@router.get("/stats")
async def stats(request: Request, caller: Annotated[Caller, may(Permission.STATS_READ)], asked: Asks) -> Response:
    """All figures of a period and place, with what each is made of; by community, department or another group."""
    reach, refusal, found, missing = caller.reach(Permission.STATS_READ), None, None, False
    try:
        chosen = asked.selection(caller.today)
        async with caller.office.pool.acquire() as conn:
            found = await table(conn, chosen, reach=reach, by=asked.group)
            missing = await uncounted(conn)
    except Refused as refused:
        refusal = refused.refusal
    return page(
        request,
        "stats/overview.html",
        caller=caller,
        asked=asked,
        days=_days(asked, caller),
        offered=choices(caller.registry, reach, caller.today),
        groups=[(each.value, say(*names)) for each, names in shown.GROUP_NAMES.items()],
        group_name=say(*shown.GROUP_NAMES[asked.group]),
        cards=shown.cards(found, asked) if found else [],
        rows=shown.rows(found, asked, caller.registry, _GROUPS) if found else [],
        hidden=max(len(found.groups) - _GROUPS, 0) if found else 0,
        missing=missing,
        refusal=refusal,
        status=status_of(refusal) if refusal else 200,
    )


def _days(asked: Asked, caller: Caller) -> tuple[str, str]:
    """The days as the form shows them: what was written comes back, also when it will not do."""
    try:
        first, last = asked.days(caller.today)
    except Refused:
        return asked.since, asked.until
    return first.isoformat(), last.isoformat()


@router.get("/stats/{code}")
async def stats_cases(
    request: Request, code: Code, caller: Annotated[Caller, may(Permission.STATS_READ)], asked: Asks
) -> Response:
    """The cases behind one figure."""
    reach, measure = caller.reach(Permission.STATS_READ), measure_of(code)
    side = asked.chosen_side or (Side.HIT if measure.base is None else Side.BASE)
    chosen, reason = asked.selection(caller.today), asked.reason if asked.reason in OUTCOME_NAMES else None
    async with caller.office.pool.acquire() as conn:
        figure = await one_figure(conn, code, chosen, reach=reach)
        found = await cases_of(
            conn, code, chosen, side=side, reason=reason, reach=reach, limit=_PAGE, cursor=asked.cursor or None
        )
        items = await with_overtime(caller, conn, found.items) if code in ("overdue", "on_time") else found.items
    sides = [Side.HIT] if measure.base is None else [Side.BASE, Side.HIT, Side.MISS]
    return page(
        request,
        "stats/cases.html",
        caller=caller,
        asked=asked,
        card=shown.card(figure, asked),
        where=_where(asked, caller.registry),
        days=_days(asked, caller),
        sides=[(each.value, _side_name(each, code), asked.address(f"/stats/{code}", side=each.value, reason=None))
               for each in sides],
        side=side.value,
        reason=say(*OUTCOME_NAMES[reason]) if reason else None,
        rows=[_named(each, caller.registry) for each in items],
        onward=asked.address(f"/stats/{code}", cursor=found.next) if found.next else None,
        first=asked.address(f"/stats/{code}") if asked.cursor else None,
        back=asked.address("/stats", side=None, reason=None),
    )  # fmt: skip


def _side_name(side: Side, code: str) -> str:
    measure = measure_of(code)
    if side is Side.HIT:
        return say(*measure.hit)
    if side is Side.BASE and measure.base is not None:
        return say(*measure.base)
    return say(*shown.SIDE_NAMES[side])


def _where(asked: Asked, registry: Registry) -> list[str]:
    names = [organisation_name(registry, each) for each in (asked.street, asked.community, asked.department)]
    return [each for each in (*names, grid_name(registry, asked.grid), category_name(registry, asked.category)) if each]


async def with_overtime(caller: Caller, conn: Connection, rows: tuple[FigureCase, ...]) -> tuple[FigureCase, ...]:
    """The rows with (used - limit) / limit for those whose handling was late, each by the calendar it lives by."""
    clocks = await late_handling(conn, [each.id for each in rows])
    calendars = (caller.world).calendars if clocks else {}
    now, found = datetime.now(UTC), []
    for row in rows:
        clock = clocks.get(row.id)
        calendar = calendars.get(clock.calendar_version or "") if clock else None
        if clock is not None and (clock.limit.is_natural or calendar is not None):
            over = overtime_permille(clock, calendar, clock.stopped_at or now)
            row = row.model_copy(update={"overtime_permille": over})
        found.append(row)
    return tuple(found)


def _named(row: FigureCase, registry: Registry) -> dict[str, object]:
    over = row.overtime_permille
    return {
        "row": row,
        "title": row.title or say("（无标题）", "(untitled)"),
        "place": grid_name(registry, row.grid) or organisation_name(registry, row.community),
        "category": category_name(registry, row.category),
        "lead": organisation_name(registry, row.lead),
        "apart": say(*OUTCOME_NAMES[row.apart]) if row.apart else "",
        "over": None if over is None else f"{over // 1000}.{over % 1000 // 10:02}",
    }
