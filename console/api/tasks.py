"""What waits to be done."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from console.api.common import CursorText, Limit, Page, problems, told
from console.http.caller import Caller, may
from domain.limits import Instant
from domain.rights import Permission
from domain.text import Code
from ledger.queries import work_of
from ledger.rows import CaseRow

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

    A task is done by the command that answers it; to take one over by name, send `hand_over` to yourself.
    """
    async with caller.office.pool.acquire() as conn:
        page = await work_of(
            conn, caller.subject, caller.registry, kinds=kind or (), others=others, limit=limit, cursor=cursor
        )
    rows = [
        {
            **each.task.model_dump(mode="json", exclude={"closed_at"}),
            "case": each.case.model_dump(mode="json") if each.case else None,
        }
        for each in page.items
    ]
    return told(request, page, rows)
