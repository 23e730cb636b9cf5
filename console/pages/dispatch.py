"""The dispatch desk: what waits for the street, and one request with everything needed to decide on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.advice import Advice, advice
from console.desk import Pending
from console.forms.reading import Sent, read, sent
from console.forms.showing import ShownForm, only_changes, show
from console.http.acting import row_of, submit
from console.http.caller import Caller, may
from console.http.office import office_of
from console.http.problems import status_of
from console.http.rendering import page
from console.listing import Named
from domain.case.offers import menu
from domain.case.state import Case
from domain.errors import Refusal, Refused
from domain.offers import Offer
from domain.people import Actor
from domain.process import World
from domain.rights import Permission, Subject
from ledger.acting import state_of
from ledger.files import files_of_stream
from ledger.log import Recorded, history
from ledger.queries import titles_of
from ledger.rows import CaseRow
from ledger.work import COUNTED, count_work, list_work

router = APIRouter(prefix="/dispatch")

KINDS = ("dispatch", "arbitrate", "place", "decide_extension", "review_shelf")
"""The tasks that lie on this desk."""

_PAGE = 30
_Dispatches = Annotated[Caller, may(Permission.DISPATCH_DESK)]


@router.get("")
async def desk(
    request: Request,
    caller: _Dispatches,
    kind: Annotated[str, Query(max_length=40)] = "",
    cursor: Annotated[str | None, Query(max_length=400)] = None,
    done: Annotated[str | None, Query(max_length=80)] = None,
) -> Response:
    """What waits for a decision of the street, the most urgent first."""
    now, kinds = datetime.now(UTC), (kind,) if kind in KINDS else KINDS
    subject = Subject(person=caller.person, holds=caller.authorize(Permission.DISPATCH_DESK))
    async with office_of(request).pool.acquire() as conn:
        waiting = await count_work(conn, subject, caller.registry, now=now, tomorrow=now)
        found = await list_work(conn, subject, caller.registry, kinds=kinds, limit=_PAGE, cursor=cursor or None)
        title = (await titles_of(conn, [done])).get(done) if done else None
    chosen = f"kind={kind}&" if kind in KINDS else ""
    return page(
        request,
        "dispatch/desk.html",
        caller=caller,
        rows=found.items,
        registry=caller.registry,
        counts={each.kind: each for each in waiting if each.kind in KINDS},
        counted=COUNTED,
        kinds=KINDS,
        kind=kind if kind in KINDS else "",
        now=now,
        done=title,
        onward=f"/dispatch?{chosen}cursor={found.next}" if found.next else None,
        first=f"/dispatch?{chosen}".rstrip("?&") if cursor else None,
    )


@dataclass(frozen=True)
class _Opened:
    """One request as it lies open on the desk."""

    row: CaseRow
    state: Case
    facts: Sequence[Recorded]
    offers: Mapping[str, list[Offer]]
    advice: Advice
    known: frozenset[str]


@router.get("/{stream}")
async def one(request: Request, caller: _Dispatches, stream: str) -> Response:
    """One request with suggestions, what is alike, and the forms that decide on it."""
    return await _one(request, caller, stream)


@router.post("/{stream}/{kind}")
async def act(request: Request, caller: _Dispatches, stream: str, kind: str) -> Response:
    """Decide on a request by one form; afterwards the desk again, for the next one."""
    form = await request.form()
    given = sent(form, kind)
    try:
        raw = await read(form, given, caller)
        if kind == "correct":
            # The form begins with what is recorded; what was left as it is, is no correction.
            offers = (await _open(request, caller, stream)).offers.get(given.name)
            raw = only_changes(offers[0], raw) if offers else raw
        await submit(caller, stream, raw, command_id=given.command_id, acting_as=given.acting_as)
    except Pending:
        raise
    except Refused as refused:
        return await _one(request, caller, stream, given=given, refusal=refused.refusal)
    return RedirectResponse(f"/dispatch?done={stream}", 303)


async def _open(request: Request, caller: Caller, stream: str) -> _Opened:
    """Raises ``Refused``: ``case.unknown``, ``access.out_of_reach``."""
    office, at = office_of(request), datetime.now(UTC)
    async with office.pool.acquire() as conn:
        row = await row_of(conn, stream)
        if not isinstance(row, CaseRow):
            raise Refused("case.unknown")
        actors = caller.authorize(Permission.DISPATCH_DESK, row)
        world = caller.world
        state: Case = await state_of(conn, stream)
        reach = caller.reach(Permission.CASE_READ)
        advised = await advice(conn, row, state, actors[0], at, world, caller.registry, reach)
        facts = await history(conn, stream)
        files = await files_of_stream(conn, stream)
    return _Opened(
        row=row,
        state=state,
        facts=facts,
        offers=_offers(state, actors, at, world, advised),
        advice=advised,
        known=frozenset(each.digest for each in files),
    )


def _offers(
    state: Case, actors: Sequence[Actor], at: datetime, world: World, advised: Advice
) -> dict[str, list[Offer]]:
    """The ways to decide that belong on this desk, by name, the likeliest first."""
    kinds = {"dispatch", "arbitrate", "decide_extension", "decline"}
    if state.place.grid is None:
        kinds.add("correct")
    if state.shelf is not None and state.shelf.review_come is not None:
        kinds |= {"shelve", "unshelve"}
    found: dict[str, list[Offer]] = {}
    for offer in menu(state, actors, at, world, kinds).offers:
        leads = [choice.code for choice in offer.choices.get("lead", ())]
        if (lead := advised.lead(leads)) is not None and offer.kind == "dispatch":
            offer = replace(offer, suggested={**offer.suggested, "lead": lead})
        found.setdefault(offer.name, []).append(offer)
    return found


async def _one(
    request: Request, caller: Caller, stream: str, *, given: Sent | None = None, refusal: Refusal | None = None
) -> Response:
    opened = await _open(request, caller, stream)
    shown = [_form(opened, offers, caller, given, refusal) for offers in opened.offers.values()]
    answered = given is not None and any(form.name == given.name for form in shown)
    return page(
        request,
        "dispatch/one.html",
        caller=caller,
        each=Named(opened.row, caller.registry),
        state=opened.state,
        advice=opened.advice,
        due=[form for form in shown if form.is_due],
        others=[form for form in shown if not form.is_due],
        opened=given.name if given else None,
        evidence=_evidence(opened.facts),
        known=opened.known,
        request_=opened.state.extension_request,
        # What can no longer be done has no form to say why it was refused: the page says it.
        refusal=None if answered else refusal,
        status=status_of(refusal) if refusal else 200,
    )


def _form(
    opened: _Opened, offers: Sequence[Offer], caller: Caller, given: Sent | None, refusal: Refusal | None
) -> ShownForm:
    name = offers[0].name
    mine = given if given is not None and given.name == name else None
    form = show(
        offers,
        caller.registry,
        action=f"/dispatch/{opened.row.id}/{offers[0].kind}",
        given=mine,
        refusal=refusal if mine else None,
        held=len(caller.holds),
    )
    if mine is None and name == "dispatch":
        wanted = opened.advice.helpers([choice.code for choice in offers[0].choices.get("helpers", ())])
        fields = tuple(replace(each, values=wanted) if each.name == "helpers" else each for each in form.fields)
        form = replace(form, fields=fields)
    return form


def _evidence(facts: Sequence[Recorded]) -> list[dict[str, Any]]:
    """The photographs recorded so far, as the events carry them, each once."""
    found: dict[str, dict[str, Any]] = {}
    for fact in facts:
        pieces = fact.body.get("evidence")
        for piece in pieces if isinstance(pieces, list) else [pieces]:
            if isinstance(piece, dict) and "digest" in piece:
                found.setdefault(str(piece["digest"]), {"note": None, **piece})
    return list(found.values())
