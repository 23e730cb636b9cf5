"""What waits to be done."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from console.api.common import (
    ActingAs,
    CursorText,
    Done,
    IdempotencyKey,
    Late,
    Limit,
    Page,
    acted_on,
    case_within,
    problems,
    told,
)
from console.http.caller import Caller, may
from domain.case.plan import HANDLE
from domain.errors import Refused
from domain.limits import Instant
from domain.rights import Permission
from domain.text import Code
from ledger.log import Connection, events_of
from ledger.queries import cases_of, open_tasks_of
from ledger.rows import CaseRow, TaskRow
from ledger.work import list_work

router = APIRouter(tags=["tasks"])


class TaskShown(BaseModel):
    """An open task with the case it belongs to."""

    stream: str
    id: str
    process: str
    kind: str
    role: str | None = None
    organisation: str | None = None
    grid: str | None = None
    person: str | None = None
    opened_at: Instant
    due_at: Instant | None = None
    case: CaseRow | None = None


@router.get(
    "/tasks", operation_id="list_tasks", summary="What I must do", response_model=Page[TaskShown], responses=problems()
)
async def tasks(
    request: Request,
    caller: Annotated[Caller, may(Permission.TASK_READ)],
    kind: Annotated[list[Code] | None, Query(max_length=20, description="Only tasks of these kinds")] = None,
    others: Annotated[bool, Query(description="Also those given to a colleague by name")] = False,
    limit: Limit = 50,
    cursor: CursorText = None,
) -> Response:
    """Open tasks for you in all your roles, the most urgent first.

    A task is done by the command that answers it, sent to its case or wish (`stream`).
    """
    async with caller.office.pool.acquire() as conn:
        page = await list_work(
            conn, caller.subject, caller.registry, kinds=kind or (), others=others, limit=limit, cursor=cursor
        )
        cases = await cases_of(conn, [each.stream for each in page.items])
    shown = set(TaskShown.model_fields) - {"case"}
    rows = [
        {
            **each.model_dump(mode="json", include=shown),
            "case": cases[each.stream].model_dump(mode="json") if each.stream in cases else None,
        }
        for each in page.items
    ]
    return told(request, rows, page.next)


@router.post(
    "/tasks/{id}/{task}/claim",
    operation_id="claim_task",
    summary="Take a task over by name",
    response_model=Done,
    responses={202: {"model": Late, "description": "On its way; the answer is late"}, **problems(404, 409)},
)
async def claim(
    caller: Annotated[Caller, may(Permission.CASE_ACT)],
    row: Annotated[CaseRow, case_within(Permission.CASE_ACT)],
    task: Annotated[str, Path(pattern=r"^[\w.\-:#]{1,100}$", description="Id of the task", examples=["handle:D01"])],
    key: IdempotencyKey,
    acting_as: ActingAs = None,
) -> Response:
    """Sign for a task of your department that nobody has (`accept`), or take it over from a colleague (`hand_over`).

    409 where the task lies open no longer, is yours already, or is of a kind that nobody can take by name.
    """
    async with caller.office.pool.acquire() as conn:
        recorded = await events_of(conn, key)
        if recorded:
            # Sent again: what it was is judged by what was recorded, for the task is another one by now.
            given = any(event.kind == "handed_over" for event in recorded)
        else:
            given = (await _claimable(conn, caller, row.id, task)).person is not None
    command = {"kind": "hand_over", "to": caller.person} if given else {"kind": "accept"}
    return await acted_on(caller, row.id, command, key, acting_as)


async def _claimable(conn: Connection, caller: Caller, stream: str, task: str) -> TaskRow:
    found = next((each for each in await open_tasks_of(conn, stream) if each.id == task), None)
    if found is None:
        raise Refused("task.unknown")
    if found.kind != HANDLE:
        raise Refused("task.not_claimable")
    if found.person == caller.person:
        raise Refused("task.yours_already")
    return found
