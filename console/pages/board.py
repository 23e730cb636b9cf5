"""The board on the wall, its signed addresses, and the stream that keeps it fresh."""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from console.board.address import LONGEST, Address, seal, unit_reach, unseal
from console.http.caller import Caller, may, public
from console.http.office import Office, office_of
from console.http.rendering import environment, page, static_digest
from console.output import language
from domain.errors import Refused
from domain.figures import BY_CODE
from domain.registry import Organisation, OrganisationKind, Registry
from domain.rights import Permission, Reach
from domain.zone import OFFICE_ZONE
from ledger.board import RATES, read_board
from ledger.security import Kind, record

router = APIRouter()

HEARTBEAT = 15.0
"""Seconds after which a stream says that it lives, and looks again: limits run out without anybody acting."""

_LIVES = 600.0
_FRESH = 1.0
_LINES = 10
_ON_A_WALL = "a signed address shows it in the hall without a log-in; others need board.read"

Viewer = Annotated[Caller | None, public(_ON_A_WALL)]
Sealed = Annotated[str, Query(max_length=300, alias="s")]


def _allowed(request: Request, caller: Caller | None, sealed: str, registry: Registry) -> tuple[Reach, str | None]:
    """What may be shown to whoever asks, and the unit it is about.

    Raises ``Refused``: ``board.link_invalid``, ``access.signed_out``, ``access.denied``.
    """
    if sealed:
        address = unseal(office_of(request).key.derive("board"), sealed, datetime.now(UTC))
        return address.reach(registry), address.unit
    if caller is None:
        raise Refused("access.signed_out")
    if caller.session is not None and caller.session.must_change:
        raise Refused("access.must_change_password")
    actors = caller.authorize(Permission.BOARD_READ)
    unit = next((each.organisation for each in actors if each.organisation), None)
    return caller.reach(Permission.BOARD_READ), unit


async def _registry(office: Office) -> Registry:
    async with office.pool.acquire() as conn:
        registry = (await office.world(conn)).registry
    assert registry is not None, "a registry read from the ledger is never None"
    return registry


class _Shown:
    """The board as it was rendered last, shared by all streams that show the same."""

    def __init__(self) -> None:
        self._known: dict[tuple[Reach, str], tuple[float, str, str]] = {}
        self._turn = asyncio.Lock()

    async def get(
        self, office: Office, reach: Reach, spoken: str, *, after: float | None = None
    ) -> tuple[str, str, datetime]:
        """The inside of the board, its digest, and the instant it is of; rendered at most once a second.

        ``after`` is when something was heard of (``time.monotonic``): what was rendered before that will not do, and
        is waited for, or the wall would miss it until it looks again by itself.
        """
        async with self._turn:
            known = self._known.get((reach, spoken))
            now = time.monotonic()
            if known is not None and after is not None and known[0] <= after and now - known[0] < _FRESH:
                await asyncio.sleep(_FRESH - (now - known[0]))
                now = time.monotonic()
            if known is None or now - known[0] >= _FRESH:
                inside = await _inside(office, reach)
                known = (now, inside, hashlib.sha256(inside.encode()).hexdigest()[:16])
                if len(self._known) > 50:
                    self._known.clear()
                self._known[reach, spoken] = known
        return known[1], known[2], datetime.now(UTC)


async def _inside(office: Office, reach: Reach) -> str:
    async with office.pool.acquire() as conn:
        board = await read_board(conn, datetime.now(UTC), reach=reach)
        registry = (await office.world(conn)).registry
    assert registry is not None
    return (
        environment(language())
        .get_template("board/_inside.html")
        .render(board=board, registry=registry, measures=BY_CODE, rates=RATES, lines=_LINES)
    )


def _shown(request: Request) -> _Shown:
    if not hasattr(request.app.state, "board_shown"):
        request.app.state.board_shown = _Shown()
    shown: _Shown = request.app.state.board_shown
    return shown


@router.get("/board")
async def board(
    request: Request,
    caller: Viewer,
    sealed: Sealed = "",
    theme: Annotated[str, Query(max_length=10)] = "dark",
    width: Annotated[int, Query(alias="w", ge=0, le=20_000)] = 0,
    height: Annotated[int, Query(alias="h", ge=0, le=20_000)] = 0,
) -> Response:
    """The wall. ``theme=light`` for daylight and print; ``w`` and ``h`` where a spliced wall lies about its size."""
    office = office_of(request)
    registry = await _registry(office)
    reach, unit = _allowed(request, caller, sealed, registry)
    inside, digest, at = await _shown(request).get(office, reach, language())
    known = registry.organisation(unit) if unit else None
    return page(
        request,
        "board/wall.html",
        caller=caller,
        inside=inside,
        digest=digest,
        at=at,
        unit=known.name if known else None,
        sealed=sealed,
        theme="light" if theme == "light" else "dark",
        width=width,
        height=height,
        assets=static_digest(),
        offset=int((at.astimezone(OFFICE_ZONE).utcoffset() or timedelta(0)).total_seconds()) // 60,
    )


@router.get("/board/events")
async def events(request: Request, caller: Viewer, sealed: Sealed = "") -> Response:
    """The board again each time something was recorded: server-sent events for ten minutes, then the page asks anew.

    The id of an event is the digest of what it shows, so who comes back with the last one is told only what differs.
    """
    office = office_of(request)
    reach, _ = _allowed(request, caller, sealed, await _registry(office))
    spoken, last = language(), request.headers.get("last-event-id", "")
    # Counted before the answer begins, for a stream that has begun cannot be refused any more.
    waiting = office.news.waiting()
    woken = await waiting.__aenter__()

    async def told() -> AsyncIterator[str]:
        seen, ends, news = last, time.monotonic() + _LIVES, None
        try:
            yield f"retry: 3000\nevent: assets\ndata: {static_digest()}\n\n"
            while time.monotonic() < ends and not office.news.closed:
                inside, digest, at = await _shown(request).get(office, reach, spoken, after=news)
                yield _event(inside if digest != seen else None, digest, at)
                seen = digest
                try:
                    await asyncio.wait_for(woken.wait(), HEARTBEAT)
                    woken.clear()
                    news = time.monotonic()
                except TimeoutError:
                    continue
        finally:
            await waiting.__aexit__(None, None, None)

    return StreamingResponse(told(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


def _event(inside: str | None, digest: str, at: datetime) -> str:
    """The board, or that it is still the same."""
    data = json.dumps({"at": at.isoformat(), "inside": inside}, ensure_ascii=False)
    return f"id: {digest}\nevent: board\ndata: {data}\n\n"


# --- signed addresses -----------------------------------------------------------------------------------------------


def _units(caller: Caller) -> list[tuple[str, str]]:
    """The streets and communities the caller may make addresses for; an empty code means all."""
    reach, registry = caller.reach(Permission.BOARD_LINK), caller.registry

    def near(unit: Organisation) -> bool:
        places = {unit.code, unit.parent} & (reach.streets | reach.communities)
        return reach.everything or bool(places)

    kinds = (OrganisationKind.STREET, OrganisationKind.COMMUNITY)
    found = [(unit.code, unit.name) for unit in registry.organisations if unit.kind in kinds and near(unit)]
    return list(dict.fromkeys([("", ""), *found] if reach.everything else found))


@router.get("/board/links")
async def links(request: Request, caller: Annotated[Caller, may(Permission.BOARD_LINK)]) -> Response:
    """The form for a new address."""
    return page(request, "board/links.html", caller=caller, units=_units(caller), made=None, refusal=None, given={})


@router.post("/board/links")
async def make_link(
    request: Request,
    caller: Annotated[Caller, may(Permission.BOARD_LINK)],
    unit: Annotated[str, Form(max_length=64)] = "",
    days: Annotated[str, Form(max_length=5)] = "90",
    theme: Annotated[str, Form(max_length=10)] = "dark",
) -> Response:
    """A signed address for a wall; it is shown on the page and kept nowhere."""
    units, given = _units(caller), {"unit": unit, "days": days, "theme": theme}
    refusal = None
    if unit not in {code for code, _ in units}:
        refusal = Refused(
            "field.invalid", field="unit", reason="请从列表中选择", reason_en="choose from the list"
        ).refusal
    elif not (days.isascii() and days.isdigit() and 1 <= int(days) <= LONGEST.days):
        refusal = Refused("field.invalid", field="days", reason=f"1–{LONGEST.days}").refusal
    if refusal is not None:
        return page(
            request, "board/links.html", caller=caller, units=units, made=None, refusal=refusal, given=given, status=422
        )
    if unit:
        unit_reach(unit, caller.registry)
    until = datetime.now(UTC) + timedelta(days=int(days))
    async with caller.office.pool.acquire() as conn:
        detail = {"days": int(days)}
        await record(conn, Kind.BOARD_LINK_MADE, actor=caller.person, subject=unit or None, detail=detail)
    sealed = seal(caller.office.key.derive("board"), Address(unit=unit or None, until=until))
    address = f"{request.app.state.site.url}/board?s={sealed}" + ("&theme=light" if theme == "light" else "")
    made: dict[str, Any] = {"address": address, "until": until.astimezone(OFFICE_ZONE)}
    return page(request, "board/links.html", caller=caller, units=units, made=made, refusal=None, given=given)
