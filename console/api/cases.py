"""Requests of residents: registering, acting, listing, one case and what is known of it."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from console.api.common import (
    CASE,
    CaseId,
    CaseSheet,
    CursorText,
    Done,
    Fact,
    IdempotencyKey,
    JsonObject,
    Late,
    Limit,
    Page,
    body_of,
    command_schema,
    done,
    late,
    problems,
    reached,
    told,
)
from console.api.examples import COMMANDS, REGISTER
from console.case_sheet import sheet_json
from console.deadline_sheet import deadlines_json
from console.desk import Pending
from console.doing import event_json
from console.http.acting import open_process, submit
from console.http.caller import Caller, may
from domain.case.explain import explain
from domain.case.offers import menu
from domain.case.state import Case
from domain.case.vocabulary import Mode, Stage
from domain.errors import Refused
from domain.limits import Instant
from domain.people import Actor
from domain.rights import Permission, act
from domain.rules import Urgency
from domain.text import Code
from ledger.acting import state_of
from ledger.calendars import read_calendars
from ledger.log import history
from ledger.queries import WORDS_LIMIT, CaseFilter, Sort, list_cases
from ledger.rows import CaseRow

router = APIRouter(tags=["cases"])

ActingAs = Annotated[
    str | None,
    Query(
        alias="as",
        max_length=100,
        description="The role to act in, as `role` or `role@place`; needed only by who holds several that fit",
        examples=["grid_worker@G01"],
    ),
]
At = Annotated[Instant | None, Query(description="As of this instant, ISO 8601 with its offset")]


class CaseQuery(BaseModel):
    """Which cases to list; all that is given must hold, several stages are alternatives."""

    model_config = ConfigDict(extra="forbid")

    stage: list[Stage] = Field(default_factory=list, max_length=20)
    mode: Mode | None = None
    urgency: Urgency | None = None
    category: Code | None = None
    light: str | None = Field(default=None, pattern="^(green|yellow|red)$")
    street: Code | None = None
    community: Code | None = None
    grid: Code | None = None
    department: Code | None = Field(default=None, description="Takes part as lead or helper")
    handler: Code | None = Field(default=None, description="A person who has a task of the case by name")
    source: Code | None = None
    supervised: bool | None = Field(default=None, description="An order waits for its reply, or a higher level answers")
    overdue: bool | None = Field(default=None, description="Whether a deadline was ever missed")
    finished: bool | None = None
    from_: Instant | None = Field(default=None, alias="from", description="Registered at or after")
    to: Instant | None = Field(default=None, description="Registered before")
    q: str | None = Field(default=None, max_length=WORDS_LIMIT, description="Words in title or text, or an id")
    sort: Sort = Sort.REGISTERED
    limit: int = Field(default=50, ge=1, le=200)
    cursor: str | None = Field(default=None, max_length=400)

    def filter(self) -> CaseFilter:
        """The filter of the ledger."""
        other = {"stage", "from_", "to", "sort", "limit", "cursor"}
        return CaseFilter(
            stages=tuple(each.value for each in self.stage),
            registered_from=self.from_,
            registered_to=self.to,
            **{name: getattr(self, name) for name in type(self).model_fields if name not in other},
        )


class OfferShown(BaseModel):
    """One way in which the caller may act now."""

    kind: str
    variant: str = ""
    actor: Actor
    settled: dict[str, Any] = Field(default_factory=dict, description="Values that come with this way")
    choices: dict[str, list[dict[str, Any]]] = Field(default_factory=dict, description="What a field may be")
    suggested: dict[str, Any] = Field(default_factory=dict)
    needed: list[str] = Field(default_factory=list, description="Fields that may not be left out here")
    longest: str | None = None
    latest: datetime | None = None
    task: str | None = Field(default=None, description="The open task this answers")


class WithheldShown(BaseModel):
    """An act of the caller's role that is refused just now, and why."""

    kind: str
    actor: Actor
    code: str
    message: str
    message_en: str


class Offers(BaseModel):
    """What the caller may do with a case now, the likeliest first, and what not."""

    offers: list[OfferShown]
    withheld: list[WithheldShown]


_ACTED: dict[int | str, dict[str, Any]] = {
    200: {"model": Done, "description": "Recorded before under the same id; the same answer"},
    201: {"model": Done, "description": "Recorded"},
    202: {"model": Late, "description": "On its way; the answer is late"},
}
_REGISTRATION = {"$ref": "#/components/schemas/Registration"}


@router.post(
    "/cases",
    operation_id="register_case",
    summary="Register a request",
    status_code=201,
    responses={**_ACTED, **problems(404, 409, 413)},
    openapi_extra=body_of(_REGISTRATION, {"register": REGISTER}),
)
async def register_case(
    caller: Annotated[Caller, may(Permission.CASE_REGISTER)],
    key: IdempotencyKey,
    body: JsonObject,
    acting_as: ActingAs = None,
) -> Response:
    """Open one case.

    Name, phone and address of the reporter and the original wording go to the vault; personal data in the text is
    masked, and `masked` says where.
    """
    if body.get("kind", "register") != "register":
        raise Refused("command.unknown_kind", field="kind", kind=str(body["kind"])[:40], known="register")
    try:
        acted = await open_process(caller, "case", "register", body, command_id=str(key), acting_as=acting_as)
    except Pending:
        return late(str(key))
    async with caller.office.pool.acquire() as conn:
        content = await done(conn, acted)
    status = 200 if acted.repeated else 201
    return JSONResponse(content, status, {"Location": f"/api/v1/cases/{acted.answer.stream}"})


@router.post(
    "/cases/{id}/commands",
    operation_id="act_on_case",
    summary="Act on a case",
    response_model=Done,
    responses={202: _ACTED[202], **problems(404, 409, 413)},
    openapi_extra=body_of(command_schema("case"), COMMANDS),
)
async def act_on_case(
    stream: CaseId,
    caller: Annotated[Caller, may(Permission.CASE_ACT)],
    key: IdempotencyKey,
    body: JsonObject,
    acting_as: ActingAs = None,
) -> Response:
    """Send one command; `kind` says which. The answer is the case as it stands then, and the facts of this act."""
    try:
        acted = await submit(caller, stream, body, command_id=str(key), acting_as=acting_as)
    except Pending:
        return late(str(key))
    async with caller.office.pool.acquire() as conn:
        return JSONResponse(await done(conn, acted))


@router.get(
    "/cases", operation_id="list_cases", summary="List cases", response_model=Page[CaseRow], responses=problems()
)
async def cases(
    request: Request, caller: Annotated[Caller, may(Permission.CASE_READ)], asked: Annotated[CaseQuery, Query()]
) -> Response:
    """The cases within your reach, a page at a time; `Link` leads to the next page."""
    async with caller.office.pool.acquire() as conn:
        page = await list_cases(
            conn,
            asked.filter(),
            reach=caller.reach(Permission.CASE_READ),
            sort=asked.sort,
            limit=asked.limit,
            cursor=asked.cursor,
        )
    return told(request, page)


@router.get(
    "/cases/{id}",
    operation_id="show_case",
    summary="One case, now or as of an instant",
    response_model=CaseSheet,
    response_model_exclude_none=True,
    responses=problems(404),
)
async def case(stream: CaseId, caller: Annotated[Caller, may(Permission.CASE_READ)], at: At = None) -> Any:
    """Everything the ledger knows of the case, with its open tasks. `at` shows it as it stood then."""
    async with caller.office.pool.acquire() as conn:
        await reached(caller, conn, stream, Permission.CASE_READ)
        state: Case | None = await state_of(conn, stream, until=at)
        if state is None:
            raise Refused("case.not_yet", at=at.isoformat() if at else "-")
        seq = len(await history(conn, stream, until=at))
    return sheet_json(stream, state, seq, at)


@router.get(
    "/cases/{id}/history",
    operation_id="case_history",
    summary="All facts of a case",
    response_model=Page[Fact],
    responses=problems(404),
)
async def case_history(
    request: Request,
    stream: CaseId,
    caller: Annotated[Caller, may(Permission.CASE_READ)],
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Only facts after this number")] = 0,
    limit: Limit = 100,
) -> Response:
    """The facts in order, each with the hash that chains it to the one before."""
    async with caller.office.pool.acquire() as conn:
        await reached(caller, conn, stream, Permission.CASE_READ)
        events = await history(conn, stream, after, limit=limit + 1)
    more = len(events) > limit
    shown = [Fact.model_validate(event_json(each)).model_dump(mode="json") for each in events[:limit]]
    return JSONResponse({"items": shown, "next": str(events[limit - 1].seq) if more else None})


@router.get(
    "/cases/{id}/deadlines",
    operation_id="case_deadlines",
    summary="Why each deadline is what it is",
    response_model=dict[str, Any],
    responses=problems(404),
)
async def case_deadlines(
    stream: CaseId, caller: Annotated[Caller, may(Permission.CASE_READ)], at: At = None
) -> dict[str, Any]:
    """Each clock with its start, limit, pauses, extensions, rungs of the ladder and the days that were counted."""
    async with caller.office.pool.acquire() as conn:
        await reached(caller, conn, stream, Permission.CASE_READ)
        facts = [CASE.event.validate_python(each.body) for each in await history(conn, stream, until=at)]
        calendars = (await read_calendars(conn)).calendars
    if not facts:
        raise Refused("case.not_yet", at=at.isoformat() if at else "-")
    seen = at or max([datetime.now(UTC), facts[-1].at])
    sheet = explain(facts, at=seen, calendars=calendars)
    return deadlines_json(stream, sheet, sheet.clocks, calendars)


@router.get(
    "/cases/{id}/offers",
    operation_id="case_offers",
    summary="What you may do with a case now",
    response_model=Offers,
    response_model_exclude_none=True,
    responses=problems(404),
)
async def case_offers(stream: CaseId, caller: Annotated[Caller, may(Permission.CASE_ACT)]) -> Any:
    """Exactly the acts the rules would accept from you now, with the choices each field has."""
    async with caller.office.pool.acquire() as conn:
        row = await reached(caller, conn, stream, Permission.CASE_READ)
        state = await state_of(conn, stream)
        world = await caller.office.world(conn)
    near = caller.authorize(Permission.CASE_ACT, row)
    found = menu(state, near, datetime.now(UTC), world)
    return Offers(
        offers=[
            OfferShown(
                kind=each.kind,
                variant=each.variant,
                actor=each.actor,
                settled=dict(each.settled),
                choices={
                    name: [{key: value for key, value in one._asdict().items() if value is not None} for one in many]
                    for name, many in each.choices.items()
                },
                suggested=dict(each.suggested),
                needed=sorted(each.needed),
                longest=str(each.longest) if each.longest else None,
                latest=each.latest,
                task=each.task,
            )
            for each in found.offers
            if caller.may(act(each.kind))
        ],
        withheld=[
            WithheldShown(
                kind=each.kind,
                actor=each.actor,
                code=each.refusal.code,
                message=each.refusal.message,
                message_en=each.refusal.message_en,
            )
            for each in found.withheld
        ],
    )


__all__ = ["CursorText", "router"]
