"""One case: its page, its acts, its prints.

Owns the routes. Reads in ``console.pages.case.opened``, words in ``console.pages.case.telling``, acts by the one door
``console.http.acting``. An act sent twice is one act and leads to the same page; one whose answer is late leads to a
page that looks for it.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.desk import Pending
from console.forms.reading import Sent, read, sent
from console.forms.showing import moment_field, only_changes
from console.http.acting import Proof, row_of, submit
from console.http.caller import Caller, may
from console.http.problems import status_of
from console.http.rendering import page
from console.pages.case.acts import acts_of, form_for, offered, why_not
from console.pages.case.opened import Opened, number_of, open_case
from console.pages.case.reporter import reporter_of
from console.pages.case.telling import (
    Names,
    clocks_of,
    facts_of,
    orders_of,
    outcome_of,
    parts_of,
    said_done,
    since,
    timeline_of,
    waiting_of,
    way_of,
)
from console.pages.signing_in import client_of
from domain.case.vocabulary import EvidenceKind
from domain.errors import Refused
from domain.rights import Permission
from domain.zone import OFFICE_ZONE
from ledger.dossier import create_dossier
from ledger.log import Connection, Recorded, command_of, events_of
from ledger.rows import CaseRow
from ledger.security import Kind, record

router = APIRouter()

Reading = Annotated[Caller, may(Permission.CASE_READ)]
Acting = Annotated[Caller, may(Permission.CASE_ACT)]

_TRIES = 40
"""How often a page looks for a late answer by itself before it asks the person to look."""


@router.get("/cases/{stream}")
async def show_case(
    request: Request,
    caller: Reading,
    stream: str,
    at: Annotated[str, Query(max_length=40)] = "",
    done: Annotated[str, Query(max_length=40)] = "",
    masked: Annotated[str, Query(max_length=3)] = "",
) -> Response:
    """The page of a case, now or as it was ``at``.

    ``done`` is the command of the reader that has just led here, ``masked`` whether something in it was masked.
    """
    now = datetime.now(UTC)
    then = _instant(at)
    async with caller.office.pool.acquire() as conn:
        case = await open_case(caller, conn, stream, now, then if then is not None and then < now else None)
        reporter = await reporter_of(caller, conn, case)
        own = await _own_command(conn, caller, stream, done) if done else []
    names = Names(case.registry)
    photos = case.photos
    return page(
        request,
        "case/show.html",
        caller=caller,
        case=case,
        way=way_of(case),
        waiting=waiting_of(case, names),
        acts=None if case.is_past else acts_of(caller, case, now),
        facts=facts_of(case, names),
        photos=[(kind, [each.evidence for each in photos if each.evidence.kind == kind]) for kind in EvidenceKind],
        parts=parts_of(case, names),
        orders=orders_of(case, names),
        outcome=outcome_of(case, names),
        clocks=clocks_of(case),
        timeline=timeline_of(case, names),
        reporter=reporter,
        dossier=_may_take(caller, case),
        notice=said_done(own, masked=bool(masked)) if own else None,
        latest=moment_field(case.at),
    )


@router.get("/cases/{stream}/dossier")
async def dossier(caller: Annotated[Caller, may(Permission.CASE_EXPORT)], stream: str) -> Response:
    """The dossier of a case that is over, as far as the right to export reaches: it leaves the house, so on record.

    As ``bihuan dossier create`` writes it, without what Temporal still has.
    """
    office = caller.office
    async with office.pool.acquire() as conn:
        row = await row_of(conn, stream)
        caller.authorize(Permission.CASE_EXPORT, row)
        if not isinstance(row, CaseRow):
            raise Refused("case.unknown")
        content = await create_dossier(conn, stream, office.signing)
        await record(conn, Kind.EXPORTED, actor=caller.person, subject=stream, detail={"what": "dossier"})
    name = f"{stream}.zip"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, media_type="application/zip", headers=headers)


def _may_take(caller: Caller, case: Opened) -> bool:
    """Whether there is a dossier of the case for this reader."""
    if case.is_past or not case.state.is_final or not caller.may(Permission.CASE_EXPORT):
        return False
    try:
        caller.authorize(Permission.CASE_EXPORT, case.row)
    except Refused:
        return False
    return True


def _instant(text: str) -> datetime | None:
    """An instant as a page or a person writes it, in office time unless it says otherwise."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return (found if found.tzinfo else found.replace(tzinfo=OFFICE_ZONE)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused(
            "field.invalid",
            field="at",
            reason="应为时间，如 2026-11-25T10:00",
            reason_en="should be a time such as 2026-11-25T10:00",
        ) from None


async def _own_command(conn: Connection, caller: Caller, stream: str, command_id: str) -> list[Recorded]:
    """The facts of the caller's command on this case; none for what is not theirs or not recorded."""
    try:
        found = await events_of(conn, uuid.UUID(command_id))
    except ValueError:
        return []
    mine = any(each.body["by"]["person"] == caller.person for each in found if isinstance(each.body["by"], dict))
    return [each for each in found if each.stream == stream] if mine else []


# --- acts ---------------------------------------------------------------------------------------------------------


@router.get("/cases/{stream}/acts/{kind}")
async def show_act(
    request: Request, caller: Acting, stream: str, kind: str, variant: Annotated[str, Query(max_length=40)] = ""
) -> Response:
    """The form of one act on a page of its own; where it is not possible, why."""
    now = datetime.now(UTC)
    async with caller.office.pool.acquire() as conn:
        case = await open_case(caller, conn, stream, now, None)
    given = offered(caller, case, now, (kind,))
    name = f"{kind}:{variant}" if variant else kind
    if not variant and given and name not in {each.name for each in given}:
        name = given[0].name  # an act with several ways and none named: the first; the others are on the case's page
    form = form_for(caller, case, name, now)
    if form is None:
        refusal = why_not(caller, case, kind, now)
        raise Refused.from_refusal(refusal) if refusal else Refused("access.denied", permission=f"act.{kind[:40]}")
    return _act_page(request, caller, case, form=form)


@router.post("/cases/{stream}/acts/{kind}")
async def send_act(request: Request, caller: Acting, stream: str, kind: str) -> Response:
    """Send an act; afterwards the case, the same page however often it is sent."""
    # Closed at the end of it: what was uploaded lies in temporary files until then.
    async with request.form() as data:
        return await _send(request, caller, stream, kind, data)


async def _send(request: Request, caller: Caller, stream: str, kind: str, data: FormData) -> Response:
    given = sent(data, kind)
    try:
        raw = await read(data, given, caller)
        if kind == "correct":
            raw = await _changes(caller, stream, given, raw)
        acted = await submit(
            caller,
            stream,
            raw,
            command_id=given.command_id,
            acting_as=given.acting_as,
            proof=Proof(given.password, client_of(request)),
        )
    except Pending as pending:
        return RedirectResponse(f"/cases/{stream}/pending/{pending.refusal.params['command_id']}", 303)
    except Refused as refused:
        return await _came_back(request, caller, stream, given, refused)
    masked = "&masked=yes" if acted.masked else ""
    return RedirectResponse(given.onward or f"/cases/{stream}?done={acted.answer.command_id}{masked}", 303)


async def _changes(caller: Caller, stream: str, given: Sent, raw: dict[str, Any]) -> dict[str, Any]:
    """A correction begins with what is recorded; only what somebody changed is sent."""
    now = datetime.now(UTC)
    async with caller.office.pool.acquire() as conn:
        case = await open_case(caller, conn, stream, now, None)
    offers = offered(caller, case, now, (given.kind,))
    return only_changes(offers[0], raw) if offers else raw


async def _came_back(request: Request, caller: Caller, stream: str, given: Sent, refused: Refused) -> Response:
    """The form again with what was written, the sentence at its field, and what others have done meanwhile.

    It carries a fresh command id: nothing was recorded, and an answer is remembered under the id it was given for.
    """
    refusal, now = refused.refusal, datetime.now(UTC)
    if refusal.code.startswith("access.") or refusal.code == "request.not_found":
        raise refused
    async with caller.office.pool.acquire() as conn:
        case = await open_case(caller, conn, stream, now, None)
    given.command_id = None
    form = form_for(caller, case, given.name, now, given=given, refusal=refusal)
    names = Names(case.registry)
    return _act_page(
        request,
        caller,
        case,
        form=form,
        refusal=refusal,
        meanwhile=since(case, given.seen, names) if given.seen is not None else [],
        written=[] if form else _written(given),
        status=status_of(refusal),
    )


def _written(given: Sent) -> list[str]:
    """What somebody wrote into a form that is no longer offered, so that it is not lost."""
    fields = (values for name, values in given.written.items() if not name.startswith(("_", "=")))
    return [text.strip() for values in fields for text in values if len(text.strip()) > 3]


def _act_page(
    request: Request,
    caller: Caller,
    case: Opened,
    *,
    form: Any,
    refusal: Any = None,
    meanwhile: Sequence[Any] = (),
    written: Sequence[str] = (),
    status: int = 200,
) -> Response:
    names = Names(case.registry)
    return page(
        request,
        "case/act.html",
        caller=caller,
        case=case,
        form=form,
        refusal=refusal,
        meanwhile=meanwhile,
        written=written,
        facts=facts_of(case, names),
        parts=parts_of(case, names),
        photos=[each.evidence for each in case.photos][-8:],
        status=status,
    )


@router.get("/cases/{stream}/pending/{command_id}")
async def show_pending(
    request: Request,
    caller: Acting,
    stream: str,
    command_id: uuid.UUID,
    tried: Annotated[int, Query(ge=0, le=1000)] = 0,
) -> Response:
    """An act whose answer is late: asks again by itself until the answer is found, then leads to the case."""
    async with caller.office.pool.acquire() as conn:
        case = await open_case(caller, conn, stream, datetime.now(UTC), None)
        found = await command_of(conn, command_id)
    if found is not None and found.stream == stream:
        return RedirectResponse(f"/cases/{stream}?done={command_id}", 303)
    answer = page(
        request,
        "case/pending.html",
        caller=caller,
        case=case,
        command_id=command_id,
        looking=tried < _TRIES,
        status=202,
    )
    if tried < _TRIES:
        # A header, so that it also works where no script runs.
        after = 2 if tried < 10 else 5
        answer.headers["Refresh"] = f"{after}; url=/cases/{case.stream}/pending/{command_id}?tried={tried + 1}"
    return answer


# --- prints -------------------------------------------------------------------------------------------------------


@router.get("/cases/{stream}/print")
async def print_case(request: Request, caller: Reading, stream: str) -> Response:
    """The case sheet (办理单) for paper."""
    async with caller.office.pool.acquire() as conn:
        case = await open_case(caller, conn, stream, datetime.now(UTC), None)
        reporter = await reporter_of(caller, conn, case)
    names = Names(case.registry)
    return page(
        request,
        "case/print.html",
        caller=caller,
        case=case,
        reporter=reporter,
        facts=facts_of(case, names),
        parts=parts_of(case, names),
        orders=orders_of(case, names),
        outcome=outcome_of(case, names),
        way=way_of(case),
        clocks=clocks_of(case),
        names=names,
    )


@router.get("/cases/{stream}/orders/{number}/print")
async def print_order(request: Request, caller: Reading, stream: str, number: int) -> Response:
    """A written urging (催办通知书) or a supervision order for paper, with its slip for the reply."""
    async with caller.office.pool.acquire() as conn:
        case = await open_case(caller, conn, stream, datetime.now(UTC), None)
    names = Names(case.registry)
    found = next((each for each in orders_of(case, names) if each.number == number), None)
    if found is None:
        raise Refused("supervision.unknown_order", field="order", order=number)
    return page(
        request,
        "case/order.html",
        caller=caller,
        case=case,
        order=found,
        serial=f"{found.at.astimezone(OFFICE_ZONE):%Y}-{number_of(stream)}-{number}",
        facts=facts_of(case, names),
        clocks=[each for each in clocks_of(case) if each.light == "red"],
        street=names.unit(case.state.place.street) if case.state.place.street else "",
    )
