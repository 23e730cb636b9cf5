"""All facts in the order in which they became visible: for systems that keep a copy or react to what happens."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import JSONResponse, Response

from console.api.common import Fact, Page, fact_json, problems
from console.http.caller import Caller, may
from domain.rights import Permission
from ledger.log import Cursor, feed
from ledger.queries import located

router = APIRouter(tags=["feed"])

_MOST = 500


class Facts(Page[Fact]):
    """Some facts, and the place to go on from."""

    next: str | None = Field(description="Give it as `after` to go on; null only where there has never been a fact")
    more: bool = Field(description="Whether further facts may be waiting already; otherwise ask again after a while")


@router.get("/feed", operation_id="feed", summary="All facts in order", response_model=Facts, responses=problems())
async def facts(
    caller: Annotated[Caller, may(Permission.FEED_READ)],
    after: Annotated[
        str | None,
        Query(
            max_length=40,
            pattern=r"^[0-9]{1,20}\.[0-9]{1,10}(\.[0-9a-f]{8})?$",
            description="`next` of the answer before; leave it out to begin with the first fact. Refused "
            "(`feed.other_line`) after the office was restored from a backup: begin anew, facts keep their ids",
            examples=["812.4"],
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=_MOST, description="Most facts looked at")] = 100,
) -> Response:
    """The facts of all cases and wishes within your reach, none missed and none twice.

    `next` is always the place to go on from, also when nothing is shown: a page holds those of the next `limit` facts
    that lie within your reach, so that it may be short or empty while `more` is true.
    """
    place, reach = Cursor.parse(after) if after else None, caller.reach(Permission.FEED_READ)
    async with caller.office.pool.acquire() as conn:
        events, reached = await feed(conn, place, limit)
        if not reach.everything:
            rows = await located(conn, list({event.stream for event in events}))
            shown = [event for event in events if event.stream in rows and reach.covers(rows[event.stream])]
        else:
            shown = events
    return JSONResponse(
        {
            "items": [fact_json(each) for each in shown],
            "next": str(reached) if reached else None,
            "more": len(events) == limit,
        }
    )
