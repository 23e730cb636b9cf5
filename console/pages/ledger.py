"""The open ledger: 建账、销账、晒账、结账 of every community, counts and titles as everybody may read them."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, NamedTuple

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from console.board.address import Address, seal, unseal
from console.figures import Asked
from console.http.caller import Caller, public
from console.http.office import Office, office_of
from console.http.problems import status_of
from console.http.rendering import page
from console.listing import category_name, organisation_name
from console.output import say
from domain.errors import Refused
from domain.publishing import public_title
from domain.registry import Registry
from domain.rights import Permission, Reach
from domain.zone import office_day
from ledger.figures import LedgerColumn, LedgerLine, ledger_cases, open_ledger, period

router = APIRouter()

PURPOSE = "open-ledger"
"""What addresses of the open ledger are signed for; one of the board does not open it, nor the other way round."""

HANGS = timedelta(days=90)
"""How long an address that is hung out works."""

_PAGE = 40
_HANGS_OUT = "a signed address hangs it out for everybody; others need stats.read"

Viewer = Annotated[Caller | None, public(_HANGS_OUT)]
Sealed = Annotated[str, Query(max_length=300, alias="s")]
Asks = Annotated[Asked, Query()]


class _View(NamedTuple):
    """What may be seen: how far, where that is, and by which signed address, if by one."""

    reach: Reach
    name: str
    sealed: str
    registry: Registry


async def _registry(office: Office) -> Registry:
    async with office.pool.acquire() as conn:
        registry = (await office.world(conn)).registry
    assert registry is not None, "a registry read from the ledger is never None"
    return registry


async def _view(request: Request, caller: Caller | None, sealed: str) -> _View:
    """What may be seen by this address, or by whoever is signed in.

    Raises ``Refused``: ``board.link_invalid``, ``access.signed_out``, ``access.denied``.
    """
    office = office_of(request)
    if sealed:
        address, registry = unseal(office.key.derive(PURPOSE), sealed, datetime.now(UTC)), await _registry(office)
        return _View(address.reach(registry), organisation_name(registry, address.unit), sealed, registry)
    if caller is None:
        raise Refused("access.signed_out")
    if caller.session is not None and caller.session.must_change:
        raise Refused("access.must_change_password")
    caller.authorize(Permission.STATS_READ)
    reach = caller.reach(Permission.STATS_READ)
    places = [organisation_name(caller.registry, each) for each in sorted(reach.streets | reach.communities)]
    return _View(reach, say("、", ", ").join(places[:3]), "", caller.registry)


def _hung_out(request: Request, caller: Caller | None) -> str | None:
    """The address by which everybody may read the ledger of the caller's street; None for who may not hang it out."""
    if caller is None or not caller.may(Permission.BOARD_LINK):
        return None
    reach = caller.reach(Permission.BOARD_LINK)
    units = [None] if reach.everything else sorted(reach.streets | reach.communities)
    if not units:
        return None
    # To the day, so that the page is the same whenever it is looked at.
    until = datetime.now(UTC).replace(hour=16, minute=0, second=0, microsecond=0) + HANGS
    sealed = seal(caller.office.key.derive(PURPOSE), Address(unit=units[0], until=until))
    return f"{request.app.state.site.url}/ledger?s={sealed}"


_COLUMNS: Mapping[LedgerColumn, tuple[str, str, str, str]] = {
    LedgerColumn.REGISTERED: ("建账", "registered", "登记入账", "entered"),
    LedgerColumn.STRUCK_OFF: ("销账", "struck off", "部门报告办完或现场办结", "said to be done"),
    LedgerColumn.PUBLISHED: ("晒账", "published", "结果已双向反馈", "result told to both sides"),
    LedgerColumn.SETTLED: ("结账", "settled", "居民确认后结账", "closed on the resident's word"),
}


@router.get("/ledger")
async def ledger(request: Request, caller: Viewer, asked: Asks, sealed: Sealed = "") -> Response:
    """建账、销账、晒账、结账 of every community in a period."""
    view = await _view(request, caller, sealed)
    refusal, days = None, (asked.since, asked.until)
    lines: list[LedgerLine] = []
    try:
        first, last = asked.days(_today(caller))
        days = (first.isoformat(), last.isoformat())
        begin, end = period(first, last)
        async with office_of(request).pool.acquire() as conn:
            lines = await open_ledger(conn, begin, end, reach=view.reach)
    except Refused as refused:
        refusal = refused.refusal

    def to(column: LedgerColumn, community: str | None) -> str:
        return asked.address(f"/ledger/{column}", community=community, s=view.sealed)

    return page(
        request,
        "ledger/ledger.html",
        caller=caller,
        name=view.name,
        sealed=view.sealed,
        hung_out=None if view.sealed else _hung_out(request, caller),
        days=days,
        refusal=refusal,
        heads=[(say(names[0], names[1]), say(names[2], names[3])) for names in _COLUMNS.values()],
        rows=[
            {
                "name": organisation_name(view.registry, line.community) or say("待落格", "to be placed"),
                "cells": [
                    (getattr(line, each), to(each, line.community) if line.community else "") for each in _COLUMNS
                ],
                "open": line.open,
            }
            for line in lines
        ],
        total=[(sum(getattr(line, each) for line in lines), to(each, None)) for each in _COLUMNS],
        total_open=sum(line.open for line in lines),
        status=status_of(refusal) if refusal else 200,
    )


@router.get("/ledger/{column}")
async def ledger_list(
    request: Request,
    column: Annotated[LedgerColumn, Path()],
    caller: Viewer,
    asked: Asks,
    sealed: Sealed = "",
) -> Response:
    """The cases behind a number of the open ledger; titles as everybody may read them."""
    view = await _view(request, caller, sealed)
    first, last = asked.days(_today(caller))
    begin, end = period(first, last)
    async with office_of(request).pool.acquire() as conn:
        found = await ledger_cases(
            conn, column, begin, end, community=asked.community or None, reach=view.reach, limit=_PAGE,
            cursor=asked.cursor or None,
        )  # fmt: skip
    path, names = f"/ledger/{column}", _COLUMNS[column]
    return page(
        request,
        "ledger/cases.html",
        caller=caller,
        title=say(names[0], names[1]),
        under=say(names[2], names[3]),
        where=organisation_name(view.registry, asked.community),
        days=(first.isoformat(), last.isoformat()),
        rows=[
            {
                "row": each,
                "title": public_title(each.title)
                or category_name(view.registry, each.category)
                or say("居民诉求", "a request"),
                "community": organisation_name(view.registry, each.community),
                "lead": organisation_name(view.registry, each.lead),
            }
            for each in found.items
        ],
        may_open=caller is not None and caller.may(Permission.CASE_READ) and not view.sealed,
        onward=asked.address(path, cursor=found.next, s=view.sealed) if found.next else None,
        first=asked.address(path, s=view.sealed) if asked.cursor else None,
        back=asked.address("/ledger", community=None, s=view.sealed),
    )


def _today(caller: Caller | None) -> date:
    return office_day(datetime.now(UTC)) if caller is None else caller.today
