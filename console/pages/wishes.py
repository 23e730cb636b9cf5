"""Small wishes 微心愿: the list, publishing one, and what may be done with it next."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.desk import Pending
from console.http.acting import open_process, row_of, submit
from console.http.caller import Caller, may
from console.http.problems import status_of
from console.http.rendering import COMMAND_ID_FIELD, page
from console.output import say
from domain.errors import Refused
from domain.parsing import parse_command
from domain.people import Actor
from domain.process import World
from domain.registry import Grid
from domain.rights import Permission, act
from domain.wish import STAGE_NAMES, WISH, Stage, Wish
from ledger.acting import state_of
from ledger.log import history
from ledger.queries import list_wishes
from ledger.rows import WishRow

router = APIRouter(prefix="/wishes")

Reads = Annotated[Caller, may(Permission.WISH_READ)]
Acts = Annotated[Caller, may(Permission.WISH_ACT)]
WishId = Annotated[str, Path(pattern="^wish-[0-9a-f]{32}$")]
CommandId = Annotated[str | None, Form(alias=COMMAND_ID_FIELD, max_length=64)]
Line = Annotated[str, Form(max_length=200)]
Words = Annotated[str, Form(max_length=2000)]

_PAGE = 30
_TRIED: dict[str, dict[str, Any]] = {
    "claim_wish": {"kind": "claim_wish"},
    "fulfil_wish": {"kind": "fulfil_wish", "text": "…"},
    "thank_for_wish": {"kind": "thank_for_wish", "word": "…"},
}


@router.get("")
async def show_all(
    request: Request,
    caller: Reads,
    stage: Annotated[str, Query(max_length=20)] = "",
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The wishes within reach, the youngest first."""
    chosen = stage if stage in {each.value for each in Stage} else ""
    async with caller.office.pool.acquire() as conn:
        found = await list_wishes(
            conn, reach=caller.reach(Permission.WISH_READ), stage=chosen or None, limit=_PAGE, cursor=cursor
        )
    return page(
        request,
        "wishes/list.html",
        caller=caller,
        found=found,
        stage=chosen,
        stages=_stages(),
        grids=_names(caller),
        first=cursor is not None,
        may_publish=caller.may(act("publish_wish")),
    )


def _stages() -> list[tuple[str, str]]:
    return [(each.value, say(*names)) for each, names in STAGE_NAMES.items()]


def _names(caller: Caller) -> dict[str, str]:
    return {each.code: each.name for each in caller.registry.grids}


# --- publishing ---------------------------------------------------------------------------------------------------


def _grids(caller: Caller) -> list[tuple[str, str]]:
    """The grids somebody may publish for: those within reach, the own one first."""
    reach = caller.reach(act("publish_wish"))
    own = {each.grid for each in caller.holds}
    found = [each for each in caller.registry.grids if each.valid(caller.today) and _within(each, caller, reach)]
    return [(each.code, each.name) for each in sorted(found, key=lambda each: (each.code not in own, each.code))]


def _within(grid: Grid, caller: Caller, reach: Any) -> bool:
    place = caller.registry.place_of(grid.code)
    street = place[0] if place else None
    return bool(
        reach.everything or grid.code in reach.grids or grid.community in reach.communities or street in reach.streets
    )


@router.get("/new")
async def form(request: Request, caller: Acts) -> Response:
    """The form."""
    caller.authorize(act("publish_wish"))
    return _form(request, caller, {}, None)


def _form(request: Request, caller: Caller, written: dict[str, Any], refused: Refused | None) -> Response:
    return page(
        request,
        "wishes/new.html",
        caller=caller,
        grids=_grids(caller),
        written={"title": "", "text": "", "grid": "", "command_id": None, **written},
        refusal=refused.refusal if refused else None,
        late=isinstance(refused, Pending),
        status=status_of(refused.refusal) if refused else 200,
    )


@router.post("")
async def publish(
    request: Request,
    caller: Acts,
    title: Line = "",
    text: Words = "",
    grid: Annotated[str, Form(max_length=64)] = "",
    command_id: CommandId = None,
) -> Response:
    """Publish a wish; what personal data it holds is masked, the original goes to the vault."""
    given = {name: value for name, value in (("title", title), ("text", text), ("grid", grid)) if value.strip()}
    try:
        acted = await open_process(caller, "wish", "publish_wish", given, command_id=command_id)
    except Refused as refused:
        return _form(request, caller, {**given, "command_id": command_id}, refused)
    return RedirectResponse(f"/wishes/{acted.answer.stream}?done=publish_wish", 303)


# --- one wish -----------------------------------------------------------------------------------------------------

_DONE = {
    "publish_wish": ("心愿已发布。", "The wish is published."),
    "claim_wish": ("已认领，请按时实现。", "Claimed: it is yours to fulfil."),
    "fulfil_wish": ("已记下，等待致谢。", "Recorded; thanks are awaited."),
    "thank_for_wish": ("已致谢。", "Thanks are recorded."),
}


@router.get("/{wish}")
async def show(
    request: Request, caller: Reads, wish: WishId, done: Annotated[str, Query(max_length=20)] = ""
) -> Response:
    """One wish: how far it is, what happened, and what the caller may do now."""
    return await _show(request, caller, wish, done=done)


async def _show(
    request: Request,
    caller: Caller,
    stream: str,
    *,
    done: str = "",
    written: dict[str, Any] | None = None,
    refused: Refused | None = None,
) -> Response:
    async with caller.office.pool.acquire() as conn:
        row = await row_of(conn, stream)
        caller.authorize(Permission.WISH_READ, row)
        assert isinstance(row, WishRow), "an id that begins with wish is a wish"
        world = caller.world
        state: Wish = await state_of(conn, stream)
        facts = [WISH.read_event(each.body) for each in await history(conn, stream)]
    names = {each.id: each.name for each in caller.registry.persons}
    return page(
        request,
        "wishes/show.html",
        caller=caller,
        stream=stream,
        row=row,
        facts=[(fact.kind, fact.at, _said(fact), names.get(fact.by.person)) for fact in facts],
        stage_names={each.value: names for each, names in STAGE_NAMES.items()},
        grid=_names(caller).get(row.grid or "", row.grid),
        offers={kind for kind in _TRIED if _may(caller, row, state, kind, world)},
        written={"kind": "", "text": "", "command_id": None, **(written or {})},
        refusal=refused.refusal if refused else None,
        late=isinstance(refused, Pending),
        notice=say(*_DONE[done]) if done in _DONE else None,
        status=status_of(refused.refusal) if refused else 200,
    )


def _said(fact: Any) -> str:
    return next((value for name in ("promise", "text", "word") if (value := getattr(fact, name, None))), "")


def _may(caller: Caller, row: WishRow, state: Wish, kind: str, world: World) -> bool:
    """Whether any role of the caller may do it here and the rules would allow it."""
    try:
        actors: tuple[Actor, ...] = caller.authorize(act(kind), row)
    except Refused:
        return False
    command = parse_command(WISH, dict(_TRIED[kind]))
    for actor in actors:
        try:
            WISH.decide(state, command, actor, datetime.now(UTC), world)
        except Refused:
            continue
        return True
    return False


@router.post("/{wish}/claim_wish")
async def claim(
    request: Request, caller: Acts, wish: WishId, promise: Line = "", command_id: CommandId = None
) -> Response:
    """Promise to fulfil it."""
    raw = {"kind": "claim_wish", **({"promise": promise} if promise.strip() else {})}
    return await _act(request, caller, wish, raw, promise, command_id)


@router.post("/{wish}/fulfil_wish")
async def fulfil(
    request: Request, caller: Acts, wish: WishId, text: Words = "", command_id: CommandId = None
) -> Response:
    """Say that it came true."""
    return await _act(request, caller, wish, {"kind": "fulfil_wish", "text": text}, text, command_id)


@router.post("/{wish}/thank_for_wish")
async def thank(
    request: Request, caller: Acts, wish: WishId, word: Words = "", command_id: CommandId = None
) -> Response:
    """Thank whoever fulfilled it."""
    return await _act(request, caller, wish, {"kind": "thank_for_wish", "word": word}, word, command_id)


async def _act(
    request: Request, caller: Caller, stream: str, raw: dict[str, Any], text: str, command_id: str | None
) -> Response:
    try:
        await submit(caller, stream, raw, command_id=command_id)
    except Refused as refused:
        if refused.code.startswith("access."):
            raise
        written = {"kind": raw["kind"], "text": text, "command_id": command_id}
        return await _show(request, caller, stream, written=written, refused=refused)
    return RedirectResponse(f"/wishes/{stream}?done={raw['kind']}", 303)
