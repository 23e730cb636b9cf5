"""The OpenAPI document of ``/api/v1``.

Owns what FastAPI cannot say by itself: bodies the domain reads, examples, headers, links from what makes something to
what is done with it, the one vocabulary of fields.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter
from starlette.responses import Response

from console.api.common import Problem
from console.api.examples import ANSWERS, LINKS
from console.api.vocabulary import FIELDS
from console.http.caller import Caller, public
from console.http.problems import as_json
from domain.case.commands import Command as CaseCommand
from domain.errors import Refused
from domain.wish import Command as WishCommand

router = APIRouter()

NOUNS = ("cases", "commands", "tasks", "wishes", "feed", "stats", "files", "reporters", "security", "me")
"""The modules of this package that have routes, in the order of the document."""

_REF = "#/components/schemas/{model}"
_ABOUT = """Closed-loop handling of residents' requests.

Programs carry a token of a person (`Authorization: Bearer bhn_…`) and act with that person's rights, never further.
Every act carries an `Idempotency-Key`; sent again it takes effect once and gets the same answer. Refusals are
`application/problem+json` with a stable `code`; their sentences are Chinese and English.
Instants are ISO 8601 with an offset, in UTC in answers unless said otherwise. Lists go on with `next`, given as
`cursor`; parameters that a route does not know are refused. A browser may come with its session cookie instead of a
token, and then sends `X-CSRF-Token` with everything that changes something.
"""
_TAGS = {
    "cases": "诉求: one resident's request",
    "acts": "What became of an act",
    "tasks": "待办: what waits to be done",
    "wishes": "微心愿: small wishes",
    "feed": "All facts in order",
    "stats": "Rates and counts",
    "files": "Photographs",
    "reporters": "Who reported a case, and who was shown it",
    "security": "安全日志: who came in, who was refused, who changed rights",
    "me": "Who I am",
}


@router.get("/openapi.json", include_in_schema=False)
async def openapi(
    caller: Annotated[Caller | None, public("what the API is like is no secret, and tools ask before they sign in")],
) -> Response:
    """The document."""
    return Response(text(), media_type="application/json")


@lru_cache(maxsize=1)
def text() -> str:
    """The document as it is served and kept under ``docs/``."""
    return json.dumps(document(), ensure_ascii=False, indent=1) + "\n"


def document() -> dict[str, Any]:
    """The document of all nouns, with the commands as the domain reads them."""
    app = FastAPI(openapi_url=None)
    for name in NOUNS:
        app.include_router(import_module(f"console.api.{name}").router, prefix="/api/v1")
    made = get_openapi(
        title="Bihuan 闭环",
        version="1",
        openapi_version="3.1.0",
        description=_ABOUT,
        routes=app.routes,
        tags=[{"name": name, "description": about} for name, about in _TAGS.items()],
        servers=[{"url": "/"}],
    )
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    _add_commands(schemas)
    # FastAPI describes its own form of invalid requests, which nobody is ever answered here.
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for schema in schemas.values():
        _describe(schema)
    made["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "A token of a person, `bhn_…`"},
        "session": {
            "type": "apiKey",
            "in": "cookie",
            "name": "session",
            "description": "The session of a browser (`__Host-session` over https); beside it `X-CSRF-Token` wherever "
            "something is changed",
        },
    }
    made["security"] = [{"token": []}, {"session": []}]
    for operation in _operations(made):
        _complete(operation)
    return made


def _add_commands(schemas: dict[str, Any]) -> None:
    for name, adapter in (
        ("Problem", TypeAdapter(Problem)),
        ("CaseCommand", TypeAdapter(CaseCommand)),
        ("WishCommand", TypeAdapter(WishCommand)),
    ):
        schema = adapter.json_schema(ref_template=_REF)
        for inner, definition in schema.pop("$defs", {}).items():
            schemas.setdefault(inner, definition)
        schemas[name] = schema
    for schema in schemas.values():
        # The kind tells the commands apart and is never left out, though the model fills it in.
        kind = schema.get("properties", {}).get("kind", {})
        if "const" in kind and "kind" not in schema.get("required", []):
            kind.pop("default", None)
            schema["required"] = ["kind", *schema.get("required", [])]
    schemas["Registration"] = _opening(schemas["Register"], "Registration")
    schemas["Publication"] = _opening(schemas["PublishWish"], "Publication")


def _opening(command: dict[str, Any], title: str) -> dict[str, Any]:
    """What a door takes to open something: the command without its references, and the reporter as they are."""
    fields = {name: each for name, each in command["properties"].items() if name not in ("wording", "reporter")}
    words = {"type": "string", "maxLength": 2000}
    fields["reporter"] = {
        "anyOf": [
            {
                "type": "object",
                "properties": {"name": words, "phone": words, "address": words},
                "additionalProperties": False,
            },
            {"type": "null"},
        ],
        "description": "Goes to the vault and nowhere else",
    }
    required = [name for name in command["required"] if name != "kind"]
    return {**command, "title": title, "required": required, "properties": fields}


def _operations(made: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in made["paths"].values():
        yield from (operation for method, operation in path.items() if method in ("get", "post"))


def _describe(schema: dict[str, Any]) -> None:
    """Say of each field what the vocabulary says, where it does not say anything itself."""
    for name, field in schema.get("properties", {}).items():
        if name in FIELDS and "description" not in field:
            field["description"] = FIELDS[name]


_URL = {"schema": {"type": "string", "format": "uri-reference"}}
_SECONDS = {"description": "Seconds to wait", "schema": {"type": "string", "pattern": "^[0-9]+$"}}
_HEADERS: dict[str, dict[str, Any]] = {
    "202": {"Location": _URL, "Retry-After": _SECONDS},
    "401": {"WWW-Authenticate": {"schema": {"type": "string"}}},
    "429": {"Retry-After": _SECONDS},
}
_OPENING = ("register_case", "publish_wish")
_SHOWN: dict[str, tuple[Refused, ...]] = {
    "400": (Refused("json.malformed", line=1, column=9),),
    "401": (Refused("access.signed_out"), Refused("access.token_invalid")),
    "403": (Refused("access.denied", permission="act.dispatch"), Refused("access.out_of_reach")),
    "404": (Refused("case.unknown"),),
    "409": (Refused("task.done", department="D01"), Refused("command.reused", field="command_id")),
    "413": (Refused("request.too_large", limit="1024 KiB"),),
    "415": (Refused("request.not_json"),),
    "422": (Refused("field.missing", field="text"),),
    "429": (Refused("request.too_many", seconds=12),),
    "503": (Refused("postgres.unreachable"),),
}


def _complete(operation: dict[str, Any]) -> None:
    """Examples, headers and links of the answers."""
    name = operation["operationId"]
    pages = any(each["name"] == "cursor" for each in operation.get("parameters", ()))
    for status, answer in operation["responses"].items():
        content = answer.get("content", {})
        if "application/problem+json" in content:
            shown = {each.code: {"value": as_json(each.refusal)} for each in _SHOWN.get(status, ())}
            content["application/problem+json"]["examples"] = shown
        elif "application/json" in content:
            example = ANSWERS.get("late" if status == "202" else name)
            if example is not None:
                content["application/json"]["example"] = example
        if status in _HEADERS:
            answer["headers"] = _HEADERS[status]
        elif name in _OPENING and status in ("200", "201"):
            answer["headers"] = {"Location": _URL}
        elif status == "200" and pages:
            answer["headers"] = {"Link": {"description": "The next page, `rel=next`", "schema": {"type": "string"}}}
        if status in ("200", "201") and name in LINKS:
            answer["links"] = LINKS[name]
