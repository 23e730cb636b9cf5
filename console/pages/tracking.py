"""Residents' own page: found by code and last four digits, and what they may do there; the slip they are handed.

The code is typed into a form and never part of an address. Whoever is let in is the resident of one request and of
nothing else; what they may do, the rights matrix and the rules of the case say.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import segno
from fastapi import APIRouter, Form, Path
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.acts import clean, new_command_id
from console.desk import Pending
from console.http.acting import row_of
from console.http.caller import Caller, may, public
from console.http.office import Office, office_of
from console.http.problems import status_of
from console.http.rendering import COMMAND_ID_FIELD, page
from console.http.resident import let_in, resident_of, show_out
from console.output import say
from console.resident_view import ACTS, ResidentView, resident_view
from console.tracking import Tracked, Tracking
from console.words import SATISFACTION
from domain.case import CASE
from domain.errors import Refusal, Refused
from domain.people import RESIDENT, Role
from domain.rights import Permission, act
from ledger.files import file_of_stream, files_of_stream
from ledger.log import history

router = APIRouter()

_WHY = "a resident has no account; the code they were handed lets them in"
_MAX_WORD, _MAX_LINE = 2000, 200

Public = Annotated[Caller | None, public(_WHY)]
Short = Annotated[str, Form(max_length=64)]
Long = Annotated[str, Form(max_length=_MAX_WORD)]
Stream = Annotated[str, Path(max_length=64)]
CommandId = Annotated[str | None, Form(alias=COMMAND_ID_FIELD, max_length=64)]


# --- finding the own request --------------------------------------------------------------------------------------


@router.get("/tracking")
async def enter(request: Request, caller: Public) -> Response:
    """The form."""
    return page(request, "tracking/enter.html", caller=caller, refusal=None)


@router.post("/tracking")
async def look_up(request: Request, caller: Public, code: Short = "", digits: Short = "") -> Response:
    """Let somebody in; what they typed is never shown again, so that nobody reads it over their shoulder."""
    office = office_of(request)
    client = request.client.host if request.client else "-"
    try:
        async with office.pool.acquire() as conn:
            tracked = await Tracking(office.key).look_up(conn, code, digits, client=client, at=datetime.now(UTC))
    except Refused as refused:
        return _entry(request, caller, refused.refusal)
    answer = RedirectResponse("/tracking/mine", 303)
    let_in(request, answer, tracked)
    return answer


def _entry(request: Request, caller: Caller | None, refusal: Refusal) -> Response:
    answer = page(request, "tracking/enter.html", caller=caller, refusal=refusal, status=status_of(refusal))
    if "seconds" in refusal.params:
        answer.headers["Retry-After"] = refusal.params["seconds"]
    return answer


@router.post("/tracking/leave")
async def leave(request: Request, caller: Public) -> Response:
    """Close the page."""
    answer = RedirectResponse("/tracking", 303)
    show_out(request, answer)
    return answer


# --- the own request ----------------------------------------------------------------------------------------------


@router.get("/tracking/mine")
async def mine(request: Request, caller: Public, done: str = "") -> Response:
    """How far the request is."""
    try:
        tracked = await resident_of(request)
    except Refused as refused:
        return _entry(request, caller, refused.refusal)
    return await _mine(request, caller, tracked, done=done)


@router.post("/tracking/mine/visit")
async def rate(
    request: Request,
    caller: Public,
    satisfaction: Short = "",
    solved: Short = "",
    word: Long = "",
    command_id: CommandId = None,
) -> Response:
    """The resident's word on the result."""
    raw = {"kind": "visit", "answered": True, "word": word.strip() or None}
    raw |= {"satisfaction": satisfaction or None, "solved": {"yes": True, "no": False}.get(solved)}
    return await _act(request, caller, raw, command_id)


@router.post("/tracking/mine/record_reply")
async def reply(request: Request, caller: Public, text: Long = "", command_id: CommandId = None) -> Response:
    """The resident's answer to a question."""
    return await _act(request, caller, {"kind": "record_reply", "text": text}, command_id)


@router.post("/tracking/mine/withdraw")
async def withdraw(
    request: Request,
    caller: Public,
    reason: Annotated[str, Form(max_length=_MAX_LINE)] = "",
    command_id: CommandId = None,
) -> Response:
    """The resident takes the request back."""
    return await _act(request, caller, {"kind": "withdraw", "reason": reason}, command_id)


@router.post("/tracking/mine/reopen")
async def reopen(
    request: Request,
    caller: Public,
    reason: Annotated[str, Form(max_length=_MAX_LINE)] = "",
    command_id: CommandId = None,
) -> Response:
    """The resident has the request taken up again."""
    return await _act(request, caller, {"kind": "reopen", "reason": reason}, command_id)


async def _act(request: Request, caller: Caller | None, raw: dict[str, Any], command_id: str | None) -> Response:
    try:
        tracked = await resident_of(request)
    except Refused as refused:
        return _entry(request, caller, refused.refusal)
    try:
        await _submit(office_of(request), tracked, raw, command_id)
    except Refused as refused:
        written = {**raw, "command_id": command_id}
        return await _mine(request, caller, tracked, refused=refused, written=written)
    answer = RedirectResponse(f"/tracking/mine?done={raw['kind']}", 303)
    let_in(request, answer, tracked)
    return answer


async def _submit(office: Office, tracked: Tracked, raw: dict[str, Any], command_id: str | None) -> None:
    kind = str(raw["kind"])
    if kind not in ACTS or not office.matrix.grants(Role.RESIDENT, act(kind)):
        raise Refused("access.denied", permission=act(kind))
    cleaned = clean(CASE, {name: value for name, value in raw.items() if value is not None})
    await office.desk.submit(tracked.stream, RESIDENT, cleaned.command, command_id=new_command_id(command_id))


_UNWRITTEN = dict.fromkeys(("kind", "solved", "satisfaction", "word", "text", "reason", "command_id"))
_SAID = {
    "visit": ("评价已提交，谢谢！", "Your word has been recorded. Thank you!"),
    "record_reply": ("答复已提交。", "Your answer has been recorded."),
    "withdraw": ("诉求已撤回。", "The request has been withdrawn."),
    "reopen": ("已要求重开，将重新办理。", "The request has been taken up again."),
}


async def _mine(
    request: Request,
    caller: Caller | None,
    tracked: Tracked,
    *,
    done: str = "",
    refused: Refused | None = None,
    written: dict[str, Any] | None = None,
) -> Response:
    view = await _view(office_of(request), tracked.stream)
    late = isinstance(refused, Pending)
    answer = page(
        request,
        "tracking/mine.html",
        caller=caller,
        view=view,
        stream=tracked.stream,
        notice=say(*_SAID[done]) if done in _SAID else None,
        refusal=refused.refusal if refused is not None else None,
        late=late,
        written={**_UNWRITTEN, **(written or {})},
        grades=[(code, say(*names)) for code, names in SATISFACTION.items()],
        status=200 if refused is None else status_of(refused.refusal),
    )
    let_in(request, answer, tracked)
    return answer


async def _view(office: Office, stream: str) -> ResidentView:
    async with office.pool.acquire() as conn:
        world = await office.world(conn)
        facts = [CASE.read_event(each.body) for each in await history(conn, stream)]
        kept = {each.digest for each in await files_of_stream(conn, stream)}
    if not facts:
        raise Refused("tracking.ended")
    assert world.registry is not None, "a registry read from the ledger is never None"
    view = resident_view(stream, facts, world.registry, datetime.now(UTC), world)
    # Evidence may be named that was never uploaded here, by an import or a department's own system.
    return replace(view, photos=tuple(each for each in view.photos if each.digest in kept))


@router.get("/tracking/mine/photos/{digest}")
async def photo(
    request: Request, caller: Public, digest: Annotated[str, Path(pattern="^[0-9a-f]{64}$")], thumb: bool = False
) -> Response:
    """A photograph of the result of the own request; of no other, and of no other kind."""
    tracked, office = await resident_of(request), office_of(request)
    view = await _view(office, tracked.stream)
    if digest not in {each.digest for each in view.photos}:
        raise Refused("file.unknown")
    async with office.pool.acquire() as conn:
        row = await file_of_stream(conn, tracked.stream, digest)
    if row is None:
        raise Refused("file.unknown")
    content = await office.files.store.get(row.thumb if thumb else row.digest)
    headers = {
        "Content-Security-Policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
        "Content-Disposition": f'inline; filename="{digest[:16]}.jpg"',
        "Cache-Control": "private, no-cache",
    }
    return Response(content, media_type=row.media_type, headers=headers)


# --- the slip -----------------------------------------------------------------------------------------------------


@router.get("/tracking/slips/{stream}")
async def slip(request: Request, caller: Annotated[Caller, may(Permission.CASE_REGISTER)], stream: Stream) -> Response:
    """The slip for the resident: the address as a QR code, and the code for who has just handed it out."""
    office = caller.office
    async with office.pool.acquire() as conn:
        row = await row_of(conn, stream)
        caller.authorize(Permission.CASE_READ, row)
        code = await Tracking(office.key).shown_to(conn, stream, caller.person, datetime.now(UTC))
    address = f"{request.app.state.site.url}/tracking"
    # The QR code holds the address alone: a picture of the slip's back must not open anything.
    drawing = segno.make(address, error="m").svg_data_uri(scale=6, border=2, encode_minimal=False)
    values: dict[str, Any] = {"row": row, "code": code, "address": address, "drawing": drawing, "stream": stream}
    return page(request, "tracking/slip.html", caller=caller, **values)


@router.post("/tracking/slips/{stream}")
async def hand_out(
    request: Request, caller: Annotated[Caller, may(Permission.CASE_REGISTER)], stream: Stream
) -> Response:
    """Hand out a code: the first one, or a new one in the place of one that was lost."""
    office, tracking, now = caller.office, Tracking(caller.office.key), datetime.now(UTC)
    async with office.pool.acquire() as conn:
        row = await row_of(conn, stream)
        caller.authorize(Permission.CASE_READ, row)
        if stream.partition("-")[0] != CASE.name:
            raise Refused("case.unknown")
        try:
            await tracking.reissue(conn, stream, by=caller.person, at=now)
        except Refused as refused:
            if refused.code != "tracking.none":
                raise
            phone = await office.vault.read(conn, stream, "reporter_phone")
            await tracking.issue(conn, stream, phone, by=caller.person, at=now)
    return RedirectResponse(f"/tracking/slips/{stream}", 303)
