"""Requests of residents: registering, acting, listing, one case and what is known of it."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response

from console.api.common import (
    CASE,
    CURSOR,
    ActingAs,
    CaseSheet,
    ConfirmedWith,
    Done,
    Fact,
    IdempotencyKey,
    JsonObject,
    Late,
    Limit,
    Offers,
    Page,
    PlaceText,
    acted_on,
    body_of,
    case_within,
    command_schema,
    facts_of,
    offers_of,
    opened,
    problems,
    proof_of,
    told,
)
from console.api.examples import COMMANDS, REGISTER
from console.case_sheet import sheet_json
from console.deadline_sheet import deadlines_json
from console.http.caller import Caller, may
from domain.case.deadlines import ClockStory
from domain.case.explain import explain
from domain.case.offers import menu
from domain.case.vocabulary import Mode, Stage
from domain.errors import Refused
from domain.limits import Instant
from domain.rights import Permission
from domain.rules import Urgency
from domain.text import Code
from ledger.acting import state_of, state_of_events
from ledger.calendars import read_calendars
from ledger.log import history
from ledger.queries import WORDS_LIMIT, CaseFilter, Sort, list_cases
from ledger.rows import CaseRow

router = APIRouter(tags=["cases"])

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
    cursor: str | None = Field(default=None, max_length=400, pattern="^[A-Za-z0-9_-]+$", description=CURSOR)

    def filter(self) -> CaseFilter:
        """The filter of the ledger."""
        other = {"stage", "from_", "to", "sort", "limit", "cursor"}
        return CaseFilter(
            stages=tuple(each.value for each in self.stage),
            registered_from=self.from_,
            registered_to=self.to,
            **{name: getattr(self, name) for name in type(self).model_fields if name not in other},
        )


class StepShown(BaseModel):
    """A span on the way to a due."""

    begin: datetime
    end: datetime
    counted: str = Field(description="What of it counts, as an ISO 8601 duration", examples=["PT4H"])
    counted_days: int
    reason: str
    name: str | None
    days: int
    text: str


class Remark(BaseModel):
    """Why a due is provisional."""

    code: str
    message: str
    message_en: str


class ClockShown(ClockStory):
    """Everything about one clock: start, limit, pauses, extensions, rungs of the ladder, who had it."""

    # ``on_time`` is reckoned by the story, so it is described here instead of being a field.
    model_config = ConfigDict(
        json_schema_extra=lambda schema: schema["properties"].update(
            on_time={
                "anyOf": [{"type": "boolean"}, {"type": "null"}],
                "description": "Whether it was done in time; null while that is open",
            }
        )
    )

    limit_text: str
    notes: tuple[Remark, ...]
    steps: tuple[StepShown, ...] | None = Field(default=None, description="Only with `steps=true`")


class Deadlines(BaseModel):
    """All clocks of a case in the order they started, as known at `at`, by the rules and calendar pinned then."""

    id: str
    at: datetime
    rules: str
    calendar: str | None
    clocks: tuple[ClockShown, ...]


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
    responses={**_ACTED, **problems(404, 409, 413, 415)},
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
    return await opened(caller, "case", "register", body, key, acting_as)


@router.post(
    "/cases/{id}/commands",
    operation_id="act_on_case",
    summary="Act on a case",
    response_model=Done,
    responses={202: _ACTED[202], **problems(404, 409, 413, 415)},
    openapi_extra=body_of(command_schema("case"), COMMANDS),
)
async def act_on_case(
    caller: Annotated[Caller, may(Permission.CASE_ACT)],
    row: Annotated[CaseRow, case_within(Permission.CASE_ACT)],
    key: IdempotencyKey,
    request: Request,
    body: JsonObject,
    acting_as: ActingAs = None,
    confirmation: ConfirmedWith = None,
) -> Response:
    """Send one command; `kind` says which. The answer is the case as it stood after it, and the facts of this act."""
    return await acted_on(caller, row.id, body, key, acting_as, proof_of(request, confirmation))


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
    return told(request, page.items, page.next)


_Read = Annotated[Caller, may(Permission.CASE_READ)]
_Row = Annotated[CaseRow, case_within(Permission.CASE_READ)]


@router.get(
    "/cases/{id}",
    operation_id="show_case",
    summary="One case, now or as of an instant",
    response_model=CaseSheet,
    response_model_exclude_none=True,
    responses=problems(404),
)
async def case(caller: _Read, row: _Row, at: At = None) -> Any:
    """Everything the ledger knows of the case, with its open tasks. `at` shows it as it stood then."""
    async with caller.office.pool.acquire() as conn:
        events = await history(conn, row.id, until=at)
    if not events:
        raise _not_yet(at)
    return sheet_json(row.id, state_of_events(row.id, events), len(events), at)


def _not_yet(at: datetime | None) -> Refused:
    return Refused("case.not_yet", at=at.isoformat() if at else "-")


@router.get(
    "/cases/{id}/history",
    operation_id="case_history",
    summary="All facts of a case",
    response_model=Page[Fact],
    responses=problems(404),
)
async def case_history(
    request: Request, caller: _Read, row: _Row, limit: Limit = 100, cursor: PlaceText = None
) -> Response:
    """The facts in order, each with the hash that chains it to the one before."""
    async with caller.office.pool.acquire() as conn:
        return await facts_of(request, conn, row.id, cursor, limit)


@router.get(
    "/cases/{id}/deadlines",
    operation_id="case_deadlines",
    summary="Why each deadline is what it is",
    response_model=Deadlines,
    responses=problems(404),
)
async def case_deadlines(
    caller: _Read,
    row: _Row,
    at: At = None,
    steps: Annotated[bool, Query(description="Also the spans that were counted, day by day")] = False,
) -> Response:
    """Each clock with its start, limit, pauses, extensions and rungs; instants have the offset of the office."""
    async with caller.office.pool.acquire() as conn:
        facts = [CASE.read_event(each.body) for each in await history(conn, row.id, until=at)]
        calendars = (await read_calendars(conn)).calendars
    if not facts:
        raise _not_yet(at)
    # The clocks of two machines may differ; what is on record has happened.
    sheet = explain(facts, at=at or max([datetime.now(UTC), facts[-1].at]), calendars=calendars)
    told = deadlines_json(row.id, sheet, sheet.clocks, calendars)
    for clock in told["clocks"]:
        clock["steps"] = clock["steps"] if steps else None
    return Response(to_json(told), media_type="application/json")


@router.get(
    "/cases/{id}/offers",
    operation_id="case_offers",
    summary="What you may do with a case now",
    response_model=Offers,
    response_model_exclude_none=True,
    responses=problems(404),
)
async def case_offers(
    caller: Annotated[Caller, may(Permission.CASE_ACT)],
    row: Annotated[CaseRow, case_within(Permission.CASE_ACT)],
) -> Any:
    """Exactly the acts the rules would accept from you now, with the choices each field has."""
    async with caller.office.pool.acquire() as conn:
        state = await state_of(conn, row.id)
        world = caller.world
    now = datetime.now(UTC)
    kinds = [kind for kind in COMMANDS if kind != "register"]
    return offers_of(caller, row, kinds, lambda actors, some: menu(state, actors, now, world, some))
