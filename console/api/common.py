"""What all routes of the API share: reading JSON, pages, documented problems, the answer to an act.

Owns the shapes of ``/api/v1`` that belong to no noun.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from fastapi import Depends, Header, Path, Query
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from console.case_sheet import sheet_json
from console.doing import event_json
from console.http.acting import Acted
from console.http.caller import Caller
from domain.case import CASE
from domain.case.state import Case
from domain.errors import Refused
from domain.limits import Instant
from domain.parsing import parse_json
from domain.people import Actor
from domain.process import Json, World
from domain.processes import process_of
from domain.wish import Wish
from ledger.acting import state_of
from ledger.log import Connection, Recorded, history
from ledger.queries import PAGE_LIMIT

T = TypeVar("T")

CaseId = Annotated[
    str,
    Path(alias="id", description="Id of the case", pattern=r"^case-[0-9a-z-]{4,60}$", examples=["case-3f9c…"]),
]
WishId = Annotated[str, Path(alias="id", description="Id of the wish", pattern=r"^wish-[0-9a-z-]{4,60}$")]
Limit = Annotated[int, Query(ge=1, le=PAGE_LIMIT, description="Most rows of the page")]
CursorText = Annotated[
    str | None, Query(max_length=400, description="`next` of the page before; leave it out for the first page")
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
    next: str | None = Field(default=None, description="Give it as `cursor` to go on")


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


class Late(BaseModel):
    """The act is on its way; ask again at `status_url`, or send it again with the same id."""

    command_id: UUID
    status_url: str


_MEANINGS: Mapping[int, str] = {
    400: "The request cannot be read",
    401: "No token, or one that is not valid",
    403: "No role of yours has this right, or not in this place",
    404: "There is no such thing",
    409: "The state of the matter refuses this now, or the id was used for something else",
    413: "Too large",
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


async def json_object(request: Request) -> dict[str, Any]:
    """The JSON object a request carries.

    Raises ``Refused``: ``request.unreadable`` when it is not sent as JSON, ``json.malformed``, ``field.invalid``.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused("request.not_json")
    value = parse_json(await request.body())
    if not isinstance(value, dict):
        raise Refused("field.invalid", field="body", reason="{ … }")
    return value


JsonObject = Annotated[dict[str, Any], Depends(json_object)]


def told(request: Request, page: Any, rows: Sequence[Any] | None = None) -> Response:
    """A page of rows with the link to the next one."""
    items = page.items if rows is None else rows
    content = {"items": [each if isinstance(each, dict) else each.model_dump(mode="json") for each in items]}
    answer = JSONResponse({**content, "next": page.next})
    if page.next:
        asked = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
        answer.headers["Link"] = f'<{request.url.path}?{urlencode([*asked, ("cursor", page.next)])}>; rel="next"'
    return answer


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
    """The answer to a recorded act."""
    answer = acted.answer
    events = await history(conn, answer.stream, answer.seq_from - 1, limit=answer.seq_to - answer.seq_from + 1)
    return await _done(conn, answer.stream, answer.command_id, acted.actor, events, acted.masked, acted.tracking)


async def done_before(conn: Connection, stream: str, command_id: str, events: Sequence[Recorded]) -> dict[str, Any]:
    """The answer to an act that was recorded some time ago."""
    actor = Actor.model_validate(events[0].body["by"])
    return await _done(conn, stream, command_id, actor, events, (), None)


async def _done(
    conn: Connection,
    stream: str,
    command_id: str,
    actor: Actor,
    events: Sequence[Recorded],
    masked: tuple[str, ...],
    tracking: str | None,
) -> dict[str, Any]:
    state = await state_of(conn, stream)
    seq = len(await history(conn, stream))
    body = {
        "command_id": command_id,
        "actor": actor,
        "kinds": [event.kind for event in events],
        "masked": masked,
        "events": [event_json(event) for event in events],
        "tracking_code": tracking,
        **_SHEETS[stream.partition("-")[0]](stream, state, seq),
    }
    return TypeAdapter(Done).validate_python(body).model_dump(mode="json", exclude_none=True)


def late(command_id: str) -> Response:
    """202: the act is on its way."""
    url = f"/api/v1/commands/{command_id}"
    return JSONResponse({"command_id": command_id, "status_url": url}, 202, {"Location": url, "Retry-After": "2"})


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


async def reached(caller: Caller, conn: Connection, stream: str, permission: str) -> Any:
    """The row of a matter that the caller reaches. Raises ``Refused``: unknown, ``access.out_of_reach``."""
    from console.http.acting import row_of

    row = await row_of(conn, stream)
    caller.authorize(permission, row)
    return row


__all__ = ["CASE", "CaseId", "CaseSheet", "CursorText", "Done", "Fact", "Late", "Limit", "Page", "Problem", "WishId"]
