"""What all routes of the API share: reading JSON, pages, documented problems, the answer to an act.

Owns the shapes of ``/api/v1`` that belong to no noun.
"""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Header, Path, Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from console.acts import clean
from console.case_sheet import sheet_json
from console.desk import Pending
from console.doing import event_json
from console.http.acting import Acted, Proof, open_process, row_of, submit
from console.http.caller import Caller, caller_of
from console.opening import prepare_opening
from domain.case import CASE
from domain.case.state import Case
from domain.errors import Refusal, Refused
from domain.limits import Instant
from domain.limits import Limit as Length
from domain.offers import Menu, Offer
from domain.parsing import check_types, parse_json
from domain.people import Actor
from domain.process import Json, World
from domain.processes import PROCESSES, process_of
from domain.rights import ACTS, act
from domain.wish import Wish
from ledger.acting import state_of_events
from ledger.log import Connection, Recorded, RecordedCommand, history
from ledger.queries import PAGE_LIMIT
from ledger.rows import CaseRow, WishRow

T = TypeVar("T")

CaseId = Annotated[
    str,
    Path(
        alias="id",
        description="Id of the case",
        pattern=r"^case-[0-9a-z-]{4,60}$",
        examples=["case-3f9c0a1b2c3d4e5f60718293a4b5c6d7"],
    ),
]
WishId = Annotated[
    str,
    Path(
        alias="id",
        description="Id of the wish",
        pattern=r"^wish-[0-9a-z-]{4,60}$",
        examples=["wish-0d2e4f6a8b0c1d3e5f7a9b1c3d5e7f90"],
    ),
]
Limit = Annotated[int, Query(ge=1, le=PAGE_LIMIT, description="Most rows of the page")]
CURSOR = "`next` of the page before; leave it out for the first page"
CursorText = Annotated[str | None, Query(max_length=400, pattern="^[A-Za-z0-9_-]+$", description=CURSOR)]
PlaceText = Annotated[str | None, Query(pattern="^[0-9]{1,9}$", description=CURSOR)]
ActingAs = Annotated[
    str | None,
    Query(
        alias="as",
        max_length=100,
        description="The role to act in, as `role` or `role@place`; needed only by who holds several that fit",
        examples=["grid_worker@G01"],
    ),
]
IdempotencyKey = Annotated[
    UUID,
    Header(
        alias="Idempotency-Key",
        description="A UUID of yours for this very act. Sent again with the same content it takes effect once and gets "
        "the same answer; with other content it is refused (`command.reused`).",
    ),
]


class Problem(BaseModel):
    """A refusal (RFC 9457): `code` is stable, the sentences are for people."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:bihuan:problem:case.wrong_stage"])
    title: str = Field(description="What is wrong", examples=["诉求现在是“已派单”，此操作只能在“已吹哨”时进行。"])
    status: int = Field(examples=[409])
    detail: str = Field(description="What to do about it", examples=["请刷新后查看当前进展。"])
    code: str = Field(examples=["case.wrong_stage"])
    field: str | None = Field(default=None, description="The field that is at fault")
    message: str = ""
    remedy: str = ""
    message_en: str = ""
    remedy_en: str = ""
    params: dict[str, str] = Field(default_factory=dict)


class Page(BaseModel, Generic[T]):
    """Some rows, and the cursor of the page after them; null when this is the last one."""

    items: Sequence[T]
    next: str | None = Field(description="Give it as `cursor` to go on")


class Fact(BaseModel):
    """An event as the ledger has it."""

    stream: str
    seq: int
    id: UUID
    kind: str
    at: datetime
    actor: str
    command_id: UUID
    body: Json
    hash: str


class Waiting(BaseModel):
    """Something somebody must do."""

    id: str
    kind: str
    role: str
    organisation: str | None = None
    grid: str | None = None
    person: str | None = None
    opened_at: Instant
    due_at: Instant | None = None


class CaseSheet(BaseModel):
    """A case as it stands, or stood at `at`."""

    id: str
    seq: int = Field(description="Number of its events")
    at: Instant | None = None
    stage: str
    finished: bool
    due_at: Instant | None = None
    light: str
    digest: str | None = Field(default=None, description="What the signers sign")
    departments: tuple[str, ...] = ()
    tasks: tuple[Waiting, ...] = ()
    case: Case


class WishSheet(BaseModel):
    """A wish as it stands."""

    id: str
    seq: int
    stage: str
    finished: bool
    tasks: tuple[Waiting, ...] = ()
    wish: Wish


class Done(BaseModel):
    """A recorded act: the matter as it stands now, and the facts this act made true."""

    command_id: UUID
    actor: Actor
    kinds: tuple[str, ...] = Field(description="The kinds of the facts, in order")
    masked: tuple[str, ...] = Field(default=(), description="Fields in which personal data was masked")
    events: tuple[Fact, ...]
    tracking_code: str | None = Field(
        default=None, description="For the resident, shown to who registered it within the hour"
    )
    case: CaseSheet | None = None
    wish: WishSheet | None = None


class ChoiceShown(BaseModel):
    """One value a field may take here."""

    code: str
    name: str | None = None
    group: str | None = Field(default=None, description="What it belongs to, as a grid to its community")
    until: Instant | None = Field(default=None, description="The latest moment that goes with it")


class OfferShown(BaseModel):
    """One way in which you may act now."""

    kind: str
    variant: str = Field(default="", description="Tells apart several ways of one kind: a check passes or fails")
    actor: Actor = Field(description="The role of yours it is for; `as` names it where several fit")
    settled: dict[str, Any] = Field(default_factory=dict, description="Values that come with this way")
    choices: dict[str, tuple[ChoiceShown, ...]] = Field(
        default_factory=dict, description="What a field may be; nothing else would be accepted"
    )
    suggested: dict[str, Any] = Field(default_factory=dict, description="Values to begin with")
    needed: tuple[str, ...] = Field(default=(), description="Fields that may be left out elsewhere but not here")
    shut: tuple[str, ...] = Field(default=(), description="Fields that must be left out here")
    longest: Length | None = Field(default=None, description="Bound of a length that is asked for")
    latest: Instant | None = Field(default=None, description="Bound of a moment that is asked for")
    task: str | None = Field(default=None, description="The open task this answers")


class WithheldShown(BaseModel):
    """An act of a role of yours that is refused just now, and why."""

    kind: str
    actor: Actor
    refusal: Refusal


class Offers(BaseModel):
    """What you may do now, the likeliest first, and what not."""

    offers: tuple[OfferShown, ...]
    withheld: tuple[WithheldShown, ...]


class Late(BaseModel):
    """The act is on its way; ask again at `status_url`, or send it again with the same id."""

    command_id: UUID
    matter: str = Field(description="Id of the case or wish it is about")
    status_url: str


_MEANINGS: Mapping[int, str] = {
    400: "The request cannot be read",
    401: "No token, or one that is not valid",
    403: "No role of yours has this right, or not in this place",
    404: "There is no such thing",
    409: "The state of the matter refuses this now, or the id was used for something else",
    413: "Too large",
    415: "The body is not sent as `application/json`",
    422: "A value is not valid; `field` names it",
    429: "Too many requests; `Retry-After` says when",
    503: "Ledger or Temporal is away; try again",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documentation of the refusals a route may answer, beside those every route may."""
    return {
        status: {
            "description": _MEANINGS[status],
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in sorted({400, 401, 403, 422, 429, 503, *statuses})
    }


_JSON_BYTES, _JSON_DEPTH = 1024 * 1024, 20
"""More than any command takes: its texts are short and its lists are counted."""


async def json_object(request: Request) -> dict[str, Any]:
    """The JSON object a request carries; at most a mebibyte is read.

    Raises ``Refused``: ``request.not_json`` when it is not sent as JSON, ``request.too_large``, ``json.malformed``,
    ``json.too_deep``, ``field.invalid``.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused("request.not_json")
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > _JSON_BYTES:
            raise Refused("request.too_large", limit=f"{_JSON_BYTES // 1024} KiB")
    value = parse_json(bytes(content))
    if not isinstance(value, dict):
        raise Refused("field.invalid", field="body", reason="{ … }")
    _check_depth(value, _JSON_DEPTH)
    return value


def _check_depth(value: Any, left: int) -> None:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if left == 0 and inner:
        raise Refused("json.too_deep", limit=_JSON_DEPTH)
    for each in inner:
        _check_depth(each, left - 1)


def check_command(process: str, body: Mapping[str, Any]) -> None:
    """Check that each field is of the type the document says. Raises ``Refused``."""
    found = PROCESSES[process]
    check_types(found, clean(found, body).command)


JsonObject = Annotated[dict[str, Any], Depends(json_object)]


def told(request: Request, rows: Sequence[Any], cursor: str | None) -> Response:
    """A page of rows with the link to the next one."""
    items = [each if isinstance(each, dict) else each.model_dump(mode="json") for each in rows]
    answer = JSONResponse({"items": items, "next": cursor})
    if cursor:
        asked = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
        answer.headers["Link"] = f'<{request.url.path}?{urlencode([*asked, ("cursor", cursor)])}>; rel="next"'
    return answer


def fact_json(event: Recorded) -> dict[str, Any]:
    """An event as ``Fact`` describes it."""
    return Fact.model_validate(event_json(event)).model_dump(mode="json")


async def facts_of(request: Request, conn: Connection, stream: str, after: str | None, limit: int) -> Response:
    """A page of the facts of one stream."""
    events = await history(conn, stream, int(after or 0), limit=limit + 1)
    shown = events[:limit]
    return told(request, [fact_json(each) for each in shown], str(shown[-1].seq) if len(events) > limit else None)


_SHEETS: Mapping[str, Callable[[str, Any, int], dict[str, Any]]] = {
    "case": lambda stream, state, seq: {"case": sheet_json(stream, state, seq, None)},
    "wish": lambda stream, state, seq: {"wish": wish_json(stream, state, seq)},
}


def wish_json(stream: str, state: Wish, seq: int) -> dict[str, Any]:
    """A wish with its open tasks."""
    plan = process_of(stream).plan(state, World())
    return {
        "id": stream,
        "seq": seq,
        "stage": plan.stage,
        "finished": plan.finished,
        "tasks": [task.model_dump(mode="json", exclude={"queue", "pick_up_within"}) for task in plan.tasks],
        "wish": state,
    }


async def done(conn: Connection, acted: Acted) -> dict[str, Any]:
    """The answer to a recorded act, the same however often it is sent."""
    answer = acted.answer
    return await _done(
        conn,
        answer.stream,
        answer.command_id,
        answer.seq_from,
        answer.seq_to,
        acted.actor,
        acted.masked,
        acted.tracking,
    )


async def done_before(conn: Connection, command: RecordedCommand) -> dict[str, Any]:
    """The answer to an act that was recorded some time ago; what was masked in it is no longer known."""
    return await _done(conn, command.stream, str(command.id), command.seq_from, command.seq_to)


async def _done(
    conn: Connection,
    stream: str,
    command_id: str,
    seq_from: int,
    seq_to: int,
    actor: Actor | None = None,
    masked: tuple[str, ...] = (),
    tracking: str | None = None,
) -> dict[str, Any]:
    before = await history(conn, stream, limit=seq_to)
    events = [event for event in before if event.seq >= seq_from]
    body = {
        "command_id": command_id,
        "actor": actor or Actor.model_validate(events[0].body["by"]),
        "kinds": [event.kind for event in events],
        "masked": masked,
        "events": [event_json(event) for event in events],
        "tracking_code": tracking,
        **_SHEETS[stream.partition("-")[0]](stream, state_of_events(stream, before), seq_to),
    }
    return TypeAdapter(Done).validate_python(body).model_dump(mode="json", exclude_none=True)


async def acted_on(
    caller: Caller,
    stream: str,
    body: Mapping[str, Any],
    key: UUID,
    acting_as: str | None = None,
    proof: Proof | None = None,
) -> Response:
    """Send one command of the caller; 200 with the answer, or 202 when that is late. Raises as ``submit`` does."""
    check_right(caller, body)
    check_command(stream.partition("-")[0], body)
    try:
        acted = await submit(caller, stream, body, command_id=str(key), acting_as=acting_as, proof=proof)
    except Pending:
        return late(str(key), stream)
    async with caller.office.pool.acquire() as conn:
        return JSONResponse(await done(conn, acted))


async def opened(
    caller: Caller, process: str, kind: str, body: Mapping[str, Any], key: UUID, acting_as: str | None = None
) -> Response:
    """Open a process for the caller; 201, or 200 when it had been opened by the same request before, or 202."""
    if body.get("kind", kind) != kind:
        raise Refused("command.unknown_kind", field="kind", kind=str(body["kind"])[:40], known=kind)
    if "wording" in body:
        # In a command it is a reference into the vault, which is ours to make.
        raise Refused("field.unknown", field="wording")
    check_command(process, {name: value for name, value in body.items() if name != "reporter"} | {"kind": kind})
    try:
        acted = await open_process(caller, process, kind, body, command_id=str(key), acting_as=acting_as)
    except Pending:
        return late(str(key), prepare_opening(process, kind, body, str(key)).stream)
    async with caller.office.pool.acquire() as conn:
        content = await done(conn, acted)
    where = {"Location": f"/api/v1/{PLURALS[process]}/{acted.answer.stream}"}
    return JSONResponse(content, 200 if acted.repeated else 201, where)


ConfirmedWith = Annotated[
    str | None,
    Header(
        alias="Bihuan-Confirmation",
        max_length=1024,
        description="Needed by `sign`: the caller's own password once more, as base64 of its UTF-8. It is compared and "
        "kept nowhere",
    ),
]


def proof_of(request: Request, given: str | None) -> Proof | None:
    """What the header says, and where it comes from; None without it, an empty proof for what is no base64."""
    if given is None:
        return None
    try:
        password = base64.b64decode(given, validate=True).decode()
    except ValueError:
        password = ""
    return Proof(password, request.client.host if request.client else "")


PLURALS: Mapping[str, str] = {"case": "cases", "wish": "wishes"}


def late(command_id: str, stream: str) -> Response:
    """202: the act is on its way."""
    url = f"/api/v1/commands/{command_id}?matter={stream}"
    body = {"command_id": command_id, "matter": stream, "status_url": url}
    return JSONResponse(body, 202, {"Location": url, "Retry-After": "2"})


def offers_of(
    caller: Caller, row: CaseRow | WishRow, kinds: Iterable[str], ask: Callable[[tuple[Actor, ...], set[str]], Menu]
) -> Offers:
    """What the caller may do here: each role is asked only about the kinds its rights cover."""
    wanted: dict[tuple[Actor, ...], set[str]] = {}
    for kind in kinds:
        try:
            wanted.setdefault(caller.authorize(act(kind), row), set()).add(kind)
        except Refused:
            continue
    menus = [ask(actors, some) for actors, some in wanted.items()]
    return Offers(
        offers=tuple(_offer(each) for menu in menus for each in menu.offers),
        withheld=tuple(
            WithheldShown(kind=each.kind, actor=each.actor, refusal=each.refusal)
            for menu in menus
            for each in menu.withheld
        ),
    )


def _offer(offer: Offer) -> OfferShown:
    return OfferShown(
        kind=offer.kind,
        variant=offer.variant,
        actor=offer.actor,
        settled=dict(offer.settled),
        choices={name: tuple(ChoiceShown(**one._asdict()) for one in many) for name, many in offer.choices.items()},
        suggested=dict(offer.suggested),
        needed=tuple(sorted(offer.needed)),
        shut=tuple(sorted(offer.shut)),
        longest=offer.longest,
        latest=offer.latest,
        task=offer.task,
    )


def command_schema(process: str) -> dict[str, Any]:
    """The schema of all commands of a process, as a reference."""
    return {"$ref": f"#/components/schemas/{process.title()}Command"}


def body_of(schema: Mapping[str, Any], examples: Mapping[str, Any]) -> dict[str, Any]:
    """How the documentation describes a body that the domain reads itself."""
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": schema,
                    "examples": {name: {"value": value} for name, value in examples.items()},
                }
            },
        }
    }


async def reached(caller: Caller, conn: Connection, stream: str, permission: str) -> CaseRow | WishRow:
    """The row of a matter that the caller reaches. Raises ``Refused``: unknown, ``access.out_of_reach``."""
    row = await row_of(conn, stream)
    caller.authorize(permission, row)
    return row


async def _reached(request: Request, stream: str, permission: str) -> CaseRow | WishRow:
    caller = await caller_of(request)
    if caller is None:
        raise Refused("access.signed_out")
    async with caller.office.pool.acquire() as conn:
        row = await row_of(conn, stream)
    try:
        caller.authorize(permission, row)
    except Refused as refused:
        if refused.code == "access.out_of_reach" and request.method == "POST":
            await _check_kind_sent(request, caller)
        raise
    return row


async def _check_kind_sent(request: Request, caller: Caller) -> None:
    """Who may not send such a command anywhere is told so, wherever it is sent."""
    try:
        body = await json_object(request)
    except Refused:
        return
    check_right(caller, body)


def check_right(caller: Caller, body: Mapping[str, Any]) -> None:
    """Check that some role of the caller may send a command of this kind. Raises ``Refused`` ``access.denied``."""
    kind = body.get("kind")
    if isinstance(kind, str) and kind in ACTS:
        caller.authorize(act(kind))


def case_within(permission: str) -> Any:
    """The case a route is about, where the caller has this permission: looked at before anything that was sent.

    Declare it behind ``may``. Raises ``Refused``: ``case.unknown``, ``access.out_of_reach``.
    """

    async def within(request: Request, stream: CaseId) -> CaseRow:
        row = await _reached(request, stream, permission)
        assert isinstance(row, CaseRow), "an id that begins with case- is that of a case"
        return row

    return Depends(within)


def wish_within(permission: str) -> Any:
    """The wish a route is about; see ``case_within``."""

    async def within(request: Request, stream: WishId) -> WishRow:
        row = await _reached(request, stream, permission)
        assert isinstance(row, WishRow), "an id that begins with wish- is that of a wish"
        return row

    return Depends(within)


__all__ = ["CASE", "CaseId", "CaseSheet", "CursorText", "Done", "Fact", "Late", "Limit", "Page", "Problem", "WishId"]
