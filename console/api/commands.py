"""What became of an act whose answer was late."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path
from starlette.responses import JSONResponse, Response

from console.api.common import Done, done_before, problems, reached
from console.http.caller import Caller, may
from domain.errors import Refused
from domain.rights import Permission
from ledger.log import command_of, history

router = APIRouter(tags=["acts"])


@router.get(
    "/commands/{id}",
    operation_id="show_command",
    summary="What became of an act",
    response_model=Done,
    responses=problems(404),
)
async def command(
    command_id: Annotated[UUID, Path(alias="id", description="The Idempotency-Key of the act")],
    caller: Annotated[Caller, may(Permission.CASE_READ)],
) -> Response:
    """The answer of a recorded act.

    404 while it is not recorded: it may still be on its way, was refused, or never came. Sending it again with the same
    id is always safe.
    """
    async with caller.office.pool.acquire() as conn:
        recorded = await command_of(conn, command_id)
        if recorded is None:
            raise Refused("command.unknown")
        await reached(caller, conn, recorded.stream, Permission.CASE_READ)
        events = await history(
            conn, recorded.stream, recorded.seq_from - 1, limit=max(recorded.seq_to - recorded.seq_from + 1, 1)
        )
        if not events or recorded.seq_to < recorded.seq_from:
            raise Refused("command.unknown")
        return JSONResponse(await done_before(conn, recorded.stream, str(command_id), events))
