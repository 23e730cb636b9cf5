"""The OpenAPI document of ``/api/v1``."""

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from console.api.common import Problem
from console.http.caller import Caller, public
from domain.case.commands import Command as CaseCommand
from domain.wish import Command as WishCommand

router = APIRouter()

_REF = "#/components/schemas/{model}"
_ABOUT = """Closed-loop handling of residents' requests.

Programs carry a token of a person (`Authorization: Bearer bhn_…`) and act with that person's rights, never further.
Every act carries an `Idempotency-Key`; sent again it takes effect once. Refusals are `application/problem+json` with a
stable `code`.
Instants are ISO 8601 with an offset, in UTC in answers. Lists go on with `next`, given as `cursor`.
"""


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request, caller: Annotated[Caller | None, public("it holds no secret")]) -> Response:
    """The document."""
    return JSONResponse(document(request.app))


def document(app: FastAPI) -> dict[str, Any]:
    """The document of the application, with the commands as the domain reads them."""
    known: dict[str, Any] | None = app.openapi_schema
    if known is not None:
        return known
    made = get_openapi(
        title="Bihuan 闭环",
        version="1",
        openapi_version="3.1.0",
        description=_ABOUT,
        routes=app.routes,
        tags=[
            {"name": "cases", "description": "诉求: one resident's request"},
            {"name": "acts", "description": "What became of an act"},
            {"name": "tasks", "description": "待办: what waits to be done"},
            {"name": "wishes", "description": "微心愿: small wishes"},
            {"name": "files", "description": "Photographs"},
            {"name": "stats", "description": "Rates and counts"},
            {"name": "feed", "description": "All facts in order"},
            {"name": "me", "description": "Who I am"},
        ],
        servers=[{"url": "/"}],
    )
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for name, adapter in (
        ("Problem", TypeAdapter(Problem)),
        ("CaseCommand", TypeAdapter(CaseCommand)),
        ("WishCommand", TypeAdapter(WishCommand)),
    ):
        schema = adapter.json_schema(ref_template=_REF)
        for inner, definition in schema.pop("$defs", {}).items():
            schemas.setdefault(inner, definition)
        schemas[name] = schema
    schemas["Registration"] = _registration(schemas["Register"])
    # FastAPI describes its own form of invalid requests, which nobody is ever answered here.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    made["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of a person, `bhn_…`"},
    }
    made["security"] = [{"token": []}]
    app.openapi_schema = made
    return made


def _registration(register: dict[str, Any]) -> dict[str, Any]:
    """What a door takes for a new request: the command without its references, and the reporter as they are."""
    fields = {name: each for name, each in register["properties"].items() if name not in ("wording", "reporter")}
    words = {"type": "string", "maxLength": 2000}
    fields["reporter"] = {
        "type": "object",
        "description": "Goes to the vault and nowhere else",
        "properties": {"name": words, "phone": words, "address": words},
        "additionalProperties": False,
    }
    return {**register, "title": "Registration", "properties": fields}
