"""All facts in the order in which they became visible: for systems that keep a copy or react to what happens."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import JSONResponse, Response

from console.api.common import Fact, Page, problems
from console.doing import event_json
from console.http.caller import Caller, may
from domain.errors import Refused
from domain.rights import Permission
from ledger.log import Cursor, feed

router = APIRouter(tags=["feed"])


@router.get("/feed", operation_id="feed", summary="All facts in order", response_model=Page[Fact], responses=problems())
async def facts(
    caller: Annotated[Caller, may(Permission.FEED_READ)],
    after: Annotated[str | None, Query(max_length=120, description="`next` of the answer before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """Facts of all processes after a place, none missed and none twice.

    `next` is always the place to go on from, also when there is nothing new. For those whose right reaches everything.
    """
    if not caller.reach(Permission.FEED_READ).everything:
        raise Refused("access.whole_reach")
    place = Cursor.parse(after) if after else None
    async with caller.office.pool.acquire() as conn:
        events, reached = await feed(conn, place, limit)
    shown = [Fact.model_validate(event_json(each)).model_dump(mode="json") for each in events]
    return JSONResponse({"items": shown, "next": str(reached) if reached else None})
