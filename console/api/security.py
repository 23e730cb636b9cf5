"""The security log, for systems that watch over several offices."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import JSONResponse, Response

from console.api.common import CursorText, Limit, Page, problems
from console.http.caller import Caller, may
from domain.limits import Instant
from domain.rights import Permission
from ledger.security import Kind, Line, LineFilter, Outcome, list_lines

router = APIRouter(tags=["security"])


class SecurityLine(Line):
    """One line of the security log: codes only, and a network instead of an address."""

    id: int = Field(description="Its number; the numbers have no gaps")
    actor: str = Field(description="Code of the person; `-` for whoever has not shown who they are")
    place: str = Field(description="The route or the command")
    source: str = Field(description="The network it came from (/24 of IPv4, /48 of IPv6); `-` where unknown")
    subject: str = Field(description="What it was about: a login name, a version")
    hash: str = Field(description="Over this line and the one before it")


@router.get(
    "/security",
    operation_id="security_log",
    summary="The security log",
    response_model=Page[SecurityLine],
    responses=problems(),
)
async def security_log(
    caller: Annotated[Caller, may(Permission.SECURITY_READ)],
    kind: Annotated[Kind | None, Query(description="Only lines of this kind")] = None,
    actor: Annotated[str | None, Query(max_length=100, description="Only acts of this person")] = None,
    subject: Annotated[str | None, Query(max_length=200, description="Only what is about this")] = None,
    outcome: Annotated[Outcome | None, Query(description="Only what was done, or only what was refused")] = None,
    since: Annotated[Instant | None, Query(description="Only lines from this moment on")] = None,
    until: Annotated[Instant | None, Query(description="Only lines before this moment")] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Response:
    """The lines that fit, the youngest first."""
    wanted = LineFilter(
        since=since,
        until=until,
        kinds=(kind.value,) if kind else (),
        actor=actor,
        subject=subject,
        outcome=outcome,
    )
    async with caller.office.pool.acquire() as conn:
        page = await list_lines(conn, wanted, limit=limit, cursor=cursor)
    return JSONResponse({"items": [each.model_dump(mode="json") for each in page.items], "next": page.next})
