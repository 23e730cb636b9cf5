"""Wishes 微心愿: publishing, claiming, fulfilling, thanking."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from console.api.common import (
    ActingAs,
    CursorText,
    Done,
    Fact,
    IdempotencyKey,
    JsonObject,
    Late,
    Limit,
    Offers,
    Page,
    PlaceText,
    WishSheet,
    acted_on,
    body_of,
    command_schema,
    facts_of,
    offers_of,
    opened,
    problems,
    told,
    wish_json,
    wish_within,
)
from console.api.examples import WISH, WISH_COMMANDS
from console.http.caller import Caller, may
from domain.offers import Menu
from domain.people import Actor
from domain.rights import Permission
from domain.text import Code
from domain.wish import Stage
from domain.wish_offers import menu
from ledger.acting import state_of, state_of_events
from ledger.log import history
from ledger.queries import list_wishes
from ledger.rows import WishRow

router = APIRouter(tags=["wishes"])

_ACTED: dict[int | str, dict[str, Any]] = {
    200: {"model": Done, "description": "Recorded before under the same id; the same answer"},
    201: {"model": Done, "description": "Recorded"},
    202: {"model": Late, "description": "On its way; the answer is late"},
}
_Read = Annotated[Caller, may(Permission.WISH_READ)]
_Row = Annotated[WishRow, wish_within(Permission.WISH_READ)]


@router.get(
    "/wishes", operation_id="list_wishes", summary="List wishes", response_model=Page[WishRow], responses=problems()
)
async def wishes(
    request: Request,
    caller: _Read,
    stage: Annotated[Stage | None, Query()] = None,
    community: Annotated[Code | None, Query()] = None,
    finished: Annotated[bool | None, Query()] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Response:
    """The wishes within your reach, the youngest first."""
    async with caller.office.pool.acquire() as conn:
        page = await list_wishes(
            conn,
            reach=caller.reach(Permission.WISH_READ),
            stage=stage.value if stage else None,
            community=community,
            finished=finished,
            limit=limit,
            cursor=cursor,
        )
    return told(request, page.items, page.next)


@router.post(
    "/wishes",
    operation_id="publish_wish",
    summary="Publish a wish",
    status_code=201,
    responses={**_ACTED, **problems(404, 409, 413, 415)},
    openapi_extra=body_of({"$ref": "#/components/schemas/Publication"}, {"publish_wish": WISH}),
)
async def publish_wish(
    caller: Annotated[Caller, may(Permission.WISH_ACT)],
    key: IdempotencyKey,
    body: JsonObject,
    acting_as: ActingAs = None,
) -> Response:
    """Make a wish known in a grid. The original wording goes to the vault; personal data in the text is masked."""
    return await opened(caller, "wish", "publish_wish", body, key, acting_as)


@router.get(
    "/wishes/{id}",
    operation_id="show_wish",
    summary="One wish",
    response_model=WishSheet,
    response_model_exclude_none=True,
    responses=problems(404),
)
async def wish(caller: _Read, row: _Row) -> Any:
    """The wish with its open tasks."""
    async with caller.office.pool.acquire() as conn:
        events = await history(conn, row.id)
    return wish_json(row.id, state_of_events(row.id, events), len(events))


@router.get(
    "/wishes/{id}/history",
    operation_id="wish_history",
    summary="All facts of a wish",
    response_model=Page[Fact],
    responses=problems(404),
)
async def wish_history(
    request: Request, caller: _Read, row: _Row, limit: Limit = 100, cursor: PlaceText = None
) -> Response:
    """The facts in order, each with the hash that chains it to the one before."""
    async with caller.office.pool.acquire() as conn:
        return await facts_of(request, conn, row.id, cursor, limit)


@router.get(
    "/wishes/{id}/offers",
    operation_id="wish_offers",
    summary="What you may do with a wish now",
    response_model=Offers,
    response_model_exclude_none=True,
    responses=problems(404),
)
async def wish_offers(
    caller: Annotated[Caller, may(Permission.WISH_ACT)], row: Annotated[WishRow, wish_within(Permission.WISH_ACT)]
) -> Any:
    """Exactly the acts the rules would accept from you now."""
    async with caller.office.pool.acquire() as conn:
        state = await state_of(conn, row.id)
        world = caller.world
    now = datetime.now(UTC)

    def ask(actors: tuple[Actor, ...], kinds: set[str]) -> Menu:
        offers, withheld = menu(state, actors, now, world)
        return Menu(
            tuple(each for each in offers if each.kind in kinds),
            tuple(each for each in withheld if each.kind in kinds),
        )

    return offers_of(caller, row, WISH_COMMANDS, ask)


@router.post(
    "/wishes/{id}/commands",
    operation_id="act_on_wish",
    summary="Act on a wish",
    response_model=Done,
    responses={202: _ACTED[202], **problems(404, 409, 413, 415)},
    openapi_extra=body_of(command_schema("wish"), WISH_COMMANDS),
)
async def act_on_wish(
    caller: Annotated[Caller, may(Permission.WISH_ACT)],
    row: Annotated[WishRow, wish_within(Permission.WISH_ACT)],
    key: IdempotencyKey,
    body: JsonObject,
    acting_as: ActingAs = None,
) -> Response:
    """Claim it, fulfil it, say thanks."""
    return await acted_on(caller, row.id, body, key, acting_as)
