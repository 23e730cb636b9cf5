"""Who reported a case, in full and for a reason; and who was shown it."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from console.api.common import CursorText, Limit, Page, body_of, case_within, json_object, problems, told
from console.http.caller import Caller, may
from console.personal import reveal
from domain.parsing import parse
from domain.privacy import RevealReason
from domain.rights import Permission
from domain.text import Code
from ledger.queries import located
from ledger.reveals import Reveal, list_reveals
from ledger.rows import CaseRow

router = APIRouter(tags=["reporters"])


class Why(BaseModel):
    """What the reporter's data is needed for."""

    model_config = ConfigDict(extra="forbid")

    reason: RevealReason
    words: str = Field(default="", max_length=1000)


_WHY = TypeAdapter(Why)
_SENT = body_of(
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["reason"],
        "properties": {
            "reason": {"type": "string", "enum": [each.value for each in RevealReason], "description": "Why"},
            "words": {
                "type": "string",
                "maxLength": 1000,
                "description": "Beside the reason, without names and numbers; "
                "needed for all but visit, contact and on_site",
            },
        },
    },
    {"visit": {"reason": "visit"}, "complaint": {"reason": "complaint", "words": "核对投诉所述地点"}},
)


class ReporterShown(BaseModel):
    """Who reported the case, as far as they said; empty where they did not."""

    name: str = Field(description="As they gave it")
    phone: str = Field(description="As they gave it")
    address: str = Field(description="As they gave it")
    erased: bool = Field(description="Whether what was kept has been destroyed; then the rest is empty")


@router.post(
    "/cases/{id}/reporter",
    operation_id="show_reporter",
    summary="Who reported it, in full",
    response_model=ReporterShown,
    responses=problems(404, 413, 415),
    openapi_extra=_SENT,
)
async def show(
    request: Request,
    caller: Annotated[Caller, may(Permission.CASE_REPORTER)],
    row: Annotated[CaseRow, case_within(Permission.CASE_REPORTER)],
) -> Response:
    """Name, phone and address. That you were shown them, and why, is on record before you are.

    Each call is recorded, also a repeated one.
    """
    why = parse(_WHY, await json_object(request))
    actor = caller.authorize(Permission.CASE_REPORTER, row)[0]
    office = caller.office
    async with office.pool.acquire() as conn:
        found = await reveal(conn, office.vault, row.id, actor=actor, door="api", reason=why.reason, words=why.words)
    return JSONResponse(vars(found), headers={"Cache-Control": "no-store"})


@router.get(
    "/reveals",
    operation_id="list_reveals",
    summary="Who was shown who reported",
    response_model=Page[Reveal],
    responses=problems(),
)
async def reveals(
    request: Request,
    caller: Annotated[Caller, may(Permission.REVEAL_READ)],
    person: Annotated[Code | None, Query(description="Only looks of this person")] = None,
    stream: Annotated[str | None, Query(max_length=64, description="Only looks at this case")] = None,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Response:
    """The looks at what lies within your reach, the last first; never what was shown.

    A page looks at `limit` of them and holds those within your reach, so it may be short.
    """
    reach = caller.reach(Permission.REVEAL_READ)
    async with caller.office.pool.acquire() as conn:
        page = await list_reveals(conn, stream=stream, person=person, limit=limit, cursor=cursor)
        where = await located(conn, list({each.stream for each in page.items}))
    rows = [
        each.model_dump(mode="json") for each in page.items if each.stream in where and reach.covers(where[each.stream])
    ]
    return told(request, rows, page.next)
