"""What became of an act whose answer was late."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query
from starlette.responses import JSONResponse, Response

from console.api.common import Done, Late, done_before, late, problems, reached
from console.desk import Pending
from console.http.caller import Caller, may
from domain.errors import Refused
from domain.rights import Permission
from ledger.log import Connection, command_of

router = APIRouter(tags=["acts"])

_STILL: dict[int | str, dict[str, Any]] = {202: {"model": Late, "description": "Still on its way; ask again"}}


@router.get(
    "/commands/{id}",
    operation_id="show_command",
    summary="What became of an act",
    response_model=Done,
    responses={**_STILL, **problems(404, 409)},
)
async def command(
    command_id: Annotated[UUID, Path(alias="id", description="The Idempotency-Key of the act")],
    caller: Annotated[Caller, may(Permission.CASE_READ)],
    matter: Annotated[
        str | None,
        Query(
            pattern=r"^(case|wish)-[0-9a-z-]{4,60}$",
            description="The case or wish it is about, as the 202 named it: only with it is an act seen that is not "
            "recorded yet, or was refused meanwhile",
        ),
    ] = None,
) -> Response:
    """The answer of a recorded act; the refusal of one that was refused late.

    404 when nothing is known of it: it never came, or was refused at once. Sending it again with the same id is always
    safe.
    """
    async with caller.office.pool.acquire() as conn:
        recorded = await command_of(conn, command_id)
        if recorded is not None:
            await reached(caller, conn, recorded.stream, _read(recorded.stream))
            return JSONResponse(await done_before(conn, recorded))
        if matter is not None:
            await _check_reached(caller, conn, matter)
    if matter is not None:
        try:
            await caller.office.desk.look_for(matter, str(command_id))
        except Pending:
            return late(str(command_id), matter)
    raise Refused("command.unknown")


def _read(stream: str) -> Permission:
    return Permission.WISH_READ if stream.startswith("wish-") else Permission.CASE_READ


async def _check_reached(caller: Caller, conn: Connection, matter: str) -> None:
    """What is not in the ledger yet lies nowhere; whoever knows its random id has just sent it."""
    try:
        await reached(caller, conn, matter, _read(matter))
    except Refused as refused:
        if refused.code not in ("case.unknown", "wish.unknown"):
            raise
