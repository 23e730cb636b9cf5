"""The supervisor's desk: what is late, what was ordered and not answered, and urging or ordering from the list."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Query
from pydantic import ValidationError
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console import words
from console.acts import find_stream, new_command_id
from console.exporting import EXPORTED
from console.http.acting import row_of, submit
from console.http.asking import Asks
from console.http.caller import Caller, may
from console.http.office import office_of
from console.http.problems import status_of
from console.http.rendering import COMMAND_ID_FIELD, page
from console.listing import Asked, choices, named, rungs_by_action
from console.output import say
from console.times import read_time
from domain.case.responsible import addressee
from domain.case.state import Case
from domain.errors import Refusal, Refused
from domain.limits import limit
from domain.process import World
from domain.rights import Permission, Reach, act
from domain.text import TEXT_LIMIT
from ledger.acting import state_of
from ledger.log import Connection
from ledger.queries import PAGE_LIMIT, WORDS_LIMIT, CaseFilter, count_cases, count_each, list_cases, rungs_of
from ledger.rows import CaseRow

router = APIRouter(prefix="/supervise")

_PAGE = 15
_AT_ONCE = 5
_ACTS = ("urge", "supervise")
_LATE = "command.pending"
_NAMES = uuid.UUID("5e0f2c0b-8a58-4a8c-9a77-0d2b9f0b6c11")

VIEWS: Mapping[str, tuple[tuple[str, str], Mapping[str, str]]] = {
    "overdue": (("超期", "Overdue"), {"light": "red", "state": "open", "sort": "due"}),
    "soon": (("临期", "Due soon"), {"light": "yellow", "state": "open", "sort": "due"}),
    "urged": (("已发催办通知书", "Urged in writing"), {"rung": "urge", "state": "open", "sort": "due"}),
    "circular": (("已通报", "Circular"), {"rung": "circular", "state": "open", "sort": "due"}),
    "interview": (("已约谈", "Interview"), {"rung": "interview", "state": "open", "sort": "due"}),
    "unanswered": (("督办未复", "Orders unanswered"), {"supervised": "unanswered", "state": "open", "sort": "due"}),
    "raised": (("已提级", "Level raised"), {"supervised": "raised", "state": "open", "sort": "due"}),
    "suspended": (("停表", "Suspended"), {"standing": "suspended", "state": "open", "sort": "due"}),
    "backlog": (("积存", "Backlog"), {"standing": "backlog", "state": "open", "sort": "due"}),
}
"""The lists of the desk: each is the form of the search with these fields filled in."""

_LISTS = {key: Asked.model_validate(fields) for key, (_, fields) in VIEWS.items()}
_TILES = [(key, names, fields, _LISTS[key].address("/supervise")) for key, (names, fields) in VIEWS.items()]

WITHIN = ("1wd", "2wd", "3wd", "5wd", "10wd")
"""The times to reply in that are offered where somebody wants another than that of the rules."""

_Supervises = Annotated[Caller, may(Permission.SUPERVISE_DESK)]


@dataclass(frozen=True)
class _Sent:
    """What was written under the list and for which requests.

    ``refused`` are those it was refused for, ``done`` counts the others; of ``late`` ones the answer is not there yet.
    """

    act: str = ""
    text: str = ""
    within: str = ""
    cases: tuple[str, ...] = ()
    refused: tuple[tuple[str, Refusal], ...] = ()
    done: int = 0
    late: int = 0
    refusal: Refusal | None = None


@router.get("")
async def desk(
    request: Request,
    caller: _Supervises,
    asked: Asks,
) -> Response:
    """The requests a supervisor looks after, the overdue ones where nothing else is asked for."""
    return await _desk(request, caller, asked, _Sent(done=_number(request, "done"), late=_number(request, "late")))


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    return int(text) if len(text) < 4 and text.isascii() and text.isdigit() else 0


@router.get("/history")
async def history_of(
    caller: _Supervises,
    case: Annotated[str, Query(max_length=80)] = "",
    at: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """To the page of a case as it was at an instant: the case by the beginning of its number.

    Raises ``Refused``: ``case.unknown``, ``case.ambiguous``, ``access.out_of_reach``, ``cli.time_unreadable``.
    """
    moment = read_time(at.strip() or None, "at")
    async with caller.office.pool.acquire() as conn:
        stream = await find_stream(conn, "case", case.strip().lower())
        caller.authorize(Permission.CASE_READ, await row_of(conn, stream))
    then = "" if moment is None else f"?at={quote(moment.isoformat())}"
    return RedirectResponse(f"/cases/{stream}{then}", 303)


@router.post("")
async def act_on_list(request: Request, caller: _Supervises) -> Response:
    """Urge, or order supervision of, every request that was ticked.

    Each is a command of its own under an id that follows from the form's, so that the form sent twice acts once.
    """
    form = await request.form()
    try:
        asked = Asked.model_validate({name: value for name, value in form.items() if isinstance(value, str)})
    except ValidationError:
        raise Refused("request.unreadable") from None
    given = _read(form)
    if given.refusal is not None:
        return await _desk(request, caller, asked, given)
    command_id = new_command_id(_last(form, COMMAND_ID_FIELD) or None)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(stream: str) -> Refusal | None:
        async with gate:
            return await _act(caller, stream, given, command_id)

    answers = await asyncio.gather(*(one(stream) for stream in given.cases))
    told = [(stream, why) for stream, why in zip(given.cases, answers, strict=True) if why is not None]
    refused = tuple((stream, why) for stream, why in told if why.code != _LATE)
    done, late = len(given.cases) - len(refused), len(told) - len(refused)
    if not refused:
        return RedirectResponse(asked.address("/supervise", done=str(done), late=str(late) if late else None), 303)
    return await _desk(request, caller, asked, replace(given, refused=refused, done=done, late=late))


def _last(form: FormData, name: str) -> str:
    values = [each for each in form.getlist(name) if isinstance(each, str)]
    return values[-1].strip() if values else ""


def _read(form: FormData) -> _Sent:
    """What was sent; with the refusal where it cannot be acted on."""
    ticked = (str(each)[:80] for each in form.getlist("case"))
    cases = tuple(dict.fromkeys(each for each in ticked if each.startswith("case-")))
    kind, text = _last(form, "act"), _last(form, "text")
    refusal = None
    if kind not in _ACTS:
        refusal = Refused("request.not_found").refusal
    elif not cases:
        refusal = Refused("supervise.none_chosen", field="case").refusal
    elif len(cases) > _PAGE:
        refusal = Refused("field.invalid", field="case", reason=f"1–{_PAGE}").refusal
    elif not text:
        refusal = Refused("field.missing", field="text").refusal
    elif len(text) > TEXT_LIMIT:
        refusal = Refused("text.too_long", field="text", length=len(text), limit=TEXT_LIMIT).refusal
    within = _last(form, "reply_within")
    if within and within not in WITHIN:
        refusal = refusal or Refused("field.invalid", field="reply_within", reason="、".join(WITHIN)).refusal
    return _Sent(act=kind, text=text, within=within, cases=cases, refusal=refusal)


async def _act(caller: Caller, stream: str, given: _Sent, command_id: str) -> Refusal | None:
    """Send the act for one request; the refusal where there is one, which for a late answer says that it is late."""
    raw: dict[str, Any] = {"kind": given.act, "text": given.text}
    try:
        if given.act == "supervise":
            raw["to"] = await _addressee(caller, stream)
            if given.within:
                raw["reply_within"] = given.within
        await submit(caller, stream, raw, command_id=str(uuid.uuid5(_NAMES, f"{command_id}:{stream}")))
    except Refused as refused:
        return refused.refusal
    return None


async def _addressee(caller: Caller, stream: str) -> str:
    """Whoever the most pressing clock of the case waits for."""
    async with caller.office.pool.acquire() as conn:
        caller.authorize(act("supervise"), await row_of(conn, stream))
        state: Case = await state_of(conn, stream)
    running = sorted((clock for clock in state.clocks if clock.is_running), key=lambda clock: (clock.due_at, clock.id))
    if running:
        return addressee(state, running[0])
    return (state.lead.department if state.lead else None) or state.place.community or state.place.street or "-"


async def _desk(request: Request, caller: Caller, asked: Asked, given: _Sent) -> Response:
    if not asked.fields():
        asked = asked.model_copy(update=VIEWS["overdue"][1])
    reach = caller.reach(Permission.SUPERVISE_DESK)
    rows: tuple[CaseRow, ...] = ()
    number, after, refusal = None, None, None
    async with office_of(request).pool.acquire() as conn:
        world = caller.world
        counts = await _counts(conn, world, reach)
        try:
            wanted = asked.filter(rungs_by_action(world))
            found = await list_cases(
                conn, wanted, reach=reach, sort=asked.order, limit=_PAGE, cursor=asked.cursor or None
            )
            rows, after = found.items, found.next
            number = await _number_of(conn, asked, wanted, reach, counts) if after or asked.cursor else len(rows)
        except Refused as refused:
            refusal = refused.refusal
        rungs = await rungs_of(conn, [row.id for row in rows])
    given_fields = asked.fields()
    worst = refusal or given.refusal or (given.refused[0][1] if given.refused else None)
    return page(
        request,
        "supervise/desk.html",
        caller=caller,
        asked=asked,
        offered=choices(caller.registry, reach, caller.today),
        views=[(say(*names), address, fields == given_fields, counts[key]) for key, names, fields, address in _TILES],
        rows=named(rows, caller.registry),
        rungs={row.id: _highest(rungs.get(row.id, []), row, world) for row in rows},
        number=number,
        most=PAGE_LIMIT,
        most_words=WORDS_LIMIT,
        onward=asked.address("/supervise", cursor=after) if after else None,
        first=asked.address("/supervise") if asked.cursor else None,
        export=asked.address("/search/export") if caller.may(Permission.CASE_EXPORT) else None,
        most_exported=EXPORTED,
        given=given,
        titles={row.id: row.title for row in rows},
        within=[(code, say(limit(code).chinese, code)) for code in WITHIN],
        may_act=[kind for kind in _ACTS if caller.may(act(kind))],
        text_limit=TEXT_LIMIT,
        refusal=refusal,
        status=status_of(worst) if worst else 200,
    )


async def _number_of(
    conn: Connection, asked: Asked, wanted: CaseFilter, reach: Reach, counts: Mapping[str, int]
) -> int:
    """How many fit; what is one of the lists of the desk is counted already."""
    chosen = asked.fields()
    known = next((key for key, (_, fields) in VIEWS.items() if chosen == fields), None)
    return await count_cases(conn, wanted, reach=reach) if known is None else counts[known]


async def _counts(conn: Connection, world: World, reach: Reach) -> dict[str, int]:
    """How many requests each list of the desk holds, counted up to a page's bound."""
    rungs = rungs_by_action(world)
    lists = {key: each.filter(rungs) for key, each in _LISTS.items()}
    return await count_each(conn, lists, reach=reach)


def _highest(reached: Sequence[tuple[str, tuple[str, ...]]], row: CaseRow, world: World) -> list[str]:
    """The last rung each running clock has reached beyond its lights, in words."""
    book = world.rule_books.get(row.rules_version or "")
    names = {rung.code: rung.name for rung in book.ladder} if book else {}
    lights = {rung.code for rung in book.ladder if rung.action.value in ("yellow", "red")} if book else set()
    shown = []
    for kind, codes in reached:
        last = next((code for code in reversed(codes) if code not in lights), None)
        if last is not None:
            shown.append(f"{words.word(words.CLOCK, kind)} · {names.get(last, last)}")
    return shown
