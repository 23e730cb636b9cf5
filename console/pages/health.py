"""Whether the console lives and whether it can serve; for supervisors of processes, not for people."""

import asyncio
from typing import Annotated

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from console.http.caller import Caller, public
from console.http.office import office_of
from runtime.pool import AWAY

router = APIRouter()

_NO_ANSWER: tuple[type[Exception], ...] = (TimeoutError, *AWAY)


@router.get("/healthz")
async def alive(caller: Annotated[Caller | None, public("a load balancer asks")]) -> Response:
    """The process lives and its loop turns."""
    return JSONResponse({"alive": True})


@router.get("/readyz")
async def ready(request: Request, caller: Annotated[Caller | None, public("a load balancer asks")]) -> Response:
    """Ledger and Temporal answer; 503 with what does not."""
    office = office_of(request)
    found = {"ledger": await _ledger(request), "temporal": await office.desk.is_reachable()}
    return JSONResponse({"ready": all(found.values()), **found}, 200 if all(found.values()) else 503)


async def _ledger(request: Request) -> bool:
    try:
        async with asyncio.timeout(2), office_of(request).pool.acquire() as conn:
            await conn.fetchval("select 1")
    except _NO_ANSWER:
        return False
    return True
