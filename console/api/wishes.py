"""Small wishes 微心愿."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from console.api.common import (
    CursorText,
    Done,
    IdempotencyKey,
    JsonObject,
    Late,
    Limit,
    Page,
    WishId,
    WishSheet,
    body_of,
    command_schema,
    done,
    late,
    problems,
    reached,
    told,
    wish_json,
)
from console.api.examples import WISH, WISH_COMMANDS
from console.desk import Pending
from console.http.acting import open_process, submit
from console.http.caller import Caller, may
from domain.errors import Refused
from domain.rights import Permission
from domain.text import Code
from domain.wish import Stage
from ledger.acting import state_of
from ledger.log import history
from ledger.queries import list_wishes
from ledger.rows import WishRow

router = APIRouter(tags=["wishes"])

_ACTED: dict[int | str, dict[str, Any]] = {
    200: {"model": Done, "description": "Recorded before under the same id; the same answer"},
    201: {"model": Done, "description": "Recorded"},
    202: {"model": Late, "description": "On its way; the answer is late"},
}


@router.get(
    "/wishes", operation_id="list_wishes", summary="List wishes", response_model=Page[WishRow], responses=problems()
)
async def wishes(
    request: Request,
    caller: Annotated[Caller, may(Permission.WISH_READ)],
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
    return told(request, page)


@router.post(
    "/wishes",
    operation_id="publish_wish",
    summary="Publish a wish",
    status_code=201,
    responses={**_ACTED, **problems(404, 409, 413)},
    openapi_extra=body_of({"$ref": "#/components/schemas/PublishWish"}, {"publish_wish": WISH}),
)
async def publish_wish(
    caller: Annotated[Caller, may(Permission.WISH_ACT)], key: IdempotencyKey, body: JsonObject
) -> Response:
    """Make a wish known in a grid."""
    if body.get("kind", "publish_wish") != "publish_wish":
        raise Refused("command.unknown_kind", field="kind", kind=str(body["kind"])[:40], known="publish_wish")
    try:
        acted = await open_process(caller, "wish", "publish_wish", body, command_id=str(key))
    except Pending:
        return late(str(key))
    async with caller.office.pool.acquire() as conn:
        content = await done(conn, acted)
    status = 200 if acted.repeated else 201
    return JSONResponse(content, status, {"Location": f"/api/v1/wishes/{acted.answer.stream}"})


@router.get(
    "/wishes/{id}",
    operation_id="show_wish",
    summary="One wish",
    response_model=WishSheet,
    response_model_exclude_none=True,
    responses=problems(404),
)
async def wish(stream: WishId, caller: Annotated[Caller, may(Permission.WISH_READ)]) -> Any:
    """The wish with its open tasks."""
    async with caller.office.pool.acquire() as conn:
        await reached(caller, conn, stream, Permission.WISH_READ)
        return wish_json(stream, await state_of(conn, stream), len(await history(conn, stream)))


@router.post(
    "/wishes/{id}/commands",
    operation_id="act_on_wish",
    summary="Act on a wish",
    response_model=Done,
    responses={202: _ACTED[202], **problems(404, 409, 413)},
    openapi_extra=body_of(command_schema("wish"), WISH_COMMANDS),
)
async def act_on_wish(
    stream: WishId, caller: Annotated[Caller, may(Permission.WISH_ACT)], key: IdempotencyKey, body: JsonObject
) -> Response:
    """Claim it, fulfil it, say thanks."""
    try:
        acted = await submit(caller, stream, body, command_id=str(key))
    except Pending:
        return late(str(key))
    async with caller.office.pool.acquire() as conn:
        return JSONResponse(await done(conn, acted))
