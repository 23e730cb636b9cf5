"""Whether the console lives and whether it can serve; for supervisors of processes, not for people."""

from typing import Annotated

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from console.http.caller import Caller, public
from console.http.condition import checks_of
from console.http.office import office_of
from runtime.telemetry import examine

router = APIRouter()


@router.get("/healthz")
async def alive(caller: Annotated[Caller | None, public("a load balancer asks")]) -> Response:
    """The process lives and its loop turns."""
    return JSONResponse({"alive": True})


@router.get("/readyz")
async def ready(request: Request, caller: Annotated[Caller | None, public("a load balancer asks")]) -> Response:
    """Ledger and Temporal answer, and the schema fits; 503 with the code of what is wrong, and no more."""
    found = await examine(checks_of(office_of(request)))
    return JSONResponse(found.as_json(), 200 if found.is_ready else 503)
