"""What a resident told, in full: shown with a right and a reason, written down; and who was shown it, for auditors."""

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Form, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from console import words
from console.http.acting import row_of
from console.http.caller import Caller, may
from console.http.problems import status_of
from console.http.rendering import page
from console.pages.case.opened import number_of
from console.personal import reveal
from domain.errors import Refused
from domain.privacy import WORDS_LIMIT, RevealReason
from domain.rights import Permission
from ledger.queries import located
from ledger.reveals import list_reveals

router = APIRouter()

_Sees = Annotated[Caller, may(Permission.CASE_REPORTER)]
_Stream = Annotated[str, Path(pattern="^case-[0-9a-f]{32}$")]
_PAGE = 50


@router.get("/cases/{stream}/reporter")
async def ask(request: Request, caller: _Sees, stream: _Stream, reason: RevealReason | None = None) -> Response:
    """The form that asks what it is needed for."""
    return await _form(request, caller, stream, reason=reason)


@router.post("/cases/{stream}/reporter")
async def show(
    request: Request,
    caller: _Sees,
    stream: _Stream,
    reason: Annotated[str, Form(max_length=40)] = "",
    said: Annotated[str, Form(alias="words", max_length=1000)] = "",
) -> Response:
    """Name, number and address; that they were shown, to whom and why, is on record, what they are never."""
    try:
        chosen = RevealReason(reason)
    except ValueError:
        return await _form(request, caller, stream, refused=Refused("field.missing", field="reason"), said=said)
    try:
        async with caller.office.pool.acquire() as conn:
            row = await row_of(conn, stream)
            actor = caller.authorize(Permission.CASE_REPORTER, row)[0]
            found = await reveal(conn, caller.office.vault, stream, actor=actor, door="page", reason=chosen, words=said)
    except Refused as refused:
        if refused.refusal.field != "words":
            raise
        return await _form(request, caller, stream, refused=refused, reason=chosen, said=said)
    return page(
        request,
        "personal/shown.html",
        caller=caller,
        row=row,
        stream=stream,
        number=number_of(stream),
        reporter=found,
        calls=chosen is RevealReason.VISIT,
    )


async def _form(
    request: Request,
    caller: Caller,
    stream: str,
    *,
    refused: Refused | None = None,
    reason: RevealReason | None = None,
    said: str = "",
) -> Response:
    async with caller.office.pool.acquire() as conn:
        row = await row_of(conn, stream)
    caller.authorize(Permission.CASE_REPORTER, row)
    return page(
        request,
        "personal/ask.html",
        caller=caller,
        row=row,
        stream=stream,
        number=number_of(stream),
        reasons=[(each.value, words.word(words.REVEAL, each.value)) for each in RevealReason],
        chosen=reason.value if reason else "",
        said=said,
        limit=WORDS_LIMIT,
        refusal=refused.refusal if refused else None,
        status=status_of(refused.refusal) if refused else 200,
    )


@router.get("/reveals")
async def reveals(
    request: Request,
    caller: Annotated[Caller, may(Permission.REVEAL_READ)],
    person: Annotated[str, Query(max_length=64)] = "",
    case: Annotated[str, Query(max_length=64)] = "",
    cursor: Annotated[str | None, Query(max_length=400)] = None,
) -> Response:
    """Who was shown what residents told, the last first; within the caller's reach, so a page may be short."""
    reach = caller.reach(Permission.REVEAL_READ)
    async with caller.office.pool.acquire() as conn:
        found = await list_reveals(conn, stream=case or None, person=person or None, limit=_PAGE, cursor=cursor)
        where = await located(conn, list({each.stream for each in found.items}))
    rows = [
        {
            "look": each,
            "number": number_of(each.stream),
            "name": known.name if (known := caller.registry.person(each.person)) else each.person,
            "role": words.role(each.role),
            "door": words.word(words.DOOR, each.door),
            "reason": words.word(words.REVEAL, each.reason.value),
        }
        for each in found.items
        if each.stream in where and reach.covers(where[each.stream])
    ]
    kept = "".join(f"{name}={quote(value)}&" for name, value in (("person", person), ("case", case)) if value)
    return page(
        request,
        "personal/reveals.html",
        caller=caller,
        rows=rows,
        person=person,
        case=case,
        onward=f"/reveals?{kept}cursor={found.next}" if found.next else None,
        first="/reveals" if cursor else None,
    )
