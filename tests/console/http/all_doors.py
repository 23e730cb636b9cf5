"""All routes of the application as they are declared, and an address for each."""

import re
import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts
from pydantic import BaseModel
from starlette.routing import Mount

from console.http.caller import May, Public
from domain.rights import Permission
from tests.console.http.two_streets import Streets

ASKED_INSIDE: Mapping[str, str] = {
    "/board": Permission.BOARD_READ,
    "/board/events": Permission.BOARD_READ,
    "/ledger": Permission.STATS_READ,
    "/ledger/{column}": Permission.STATS_READ,
}
"""Doors that a signed address opens too; without one they ask for this permission themselves."""

_NO_FILE = "0" * 64


class Door(NamedTuple):
    """A route as it is declared."""

    method: str
    path: str
    gate: May | Public
    queries: tuple[str, ...] = ()

    @property
    def permission(self) -> str | None:
        """The permission asked for; None for everybody."""
        if isinstance(self.gate, May):
            return str(self.gate.permission)
        return ASKED_INSIDE.get(self.path)


def gates(route: RouteContext) -> list[May | Public]:
    """The declarations of a route, its own and those of its routers."""
    return [each.call for each in route.dependant.dependencies if isinstance(each.call, May | Public)]


def _queries(dependant: Any) -> set[str]:
    """What may stand behind the question mark: single names, those of a model, and what a dependency of ours reads."""
    found: set[str] = set()
    for each in dependant.query_params:
        model = each.field_info.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            found |= {field.alias or name for name, field in model.model_fields.items()}
        else:
            found.add(str(each.alias))
    return found.union(*(_queries(each) for each in dependant.dependencies))


def doors_of(app: FastAPI) -> list[Door]:
    """All routes of the application by method; only folders of static files are beside them."""
    found: list[Door] = []
    for route in iter_route_contexts(app.routes):
        if isinstance(route.route, Mount):
            assert route.name == "static"
            continue
        assert isinstance(route.original_route, APIRoute), route
        declared, path = gates(route), str(route.path)
        assert len(declared) == 1, f"{path} declares {len(declared)} rights instead of one"
        methods = sorted((route.methods or set()) - {"HEAD", "OPTIONS"})
        queries = tuple(sorted(_queries(route.dependant)))
        found += [Door(method, path, declared[0], queries) for method in methods]
    assert len(found) > 20, "the routes of the application have been found"
    return found


def address(door: Door, streets: Streets, side: str) -> tuple[str, bool]:
    """The address of this door for what lies on this side, and whether it names something that lies anywhere."""
    located = False

    def value(match: re.Match[str]) -> str:
        nonlocal located
        noun = door.path[: match.start()].rstrip("/").rpartition("/")[2]
        found, lies_there = _named(match[1], noun, streets, side)
        located = located or lies_there
        return found

    return re.sub(r"\{(\w+)(?::\w+)?\}", value, door.path), located


def _named(name: str, noun: str, streets: Streets, side: str) -> tuple[str, bool]:
    """What stands for ``{name}`` behind ``noun`` in an address, and whether that lies on one side."""
    if name in ("id", "stream", "case", "wish"):
        known = {"wishes": streets.wishes, "commands": streets.commands}.get(noun, streets.cases)
        return known[side], True
    fixed = {
        "digest": _NO_FILE,
        "task": "handle:D01%230.1",
        "session": str(uuid.UUID(int=1)),
        "token": str(uuid.UUID(int=2)),
        "draft": str(uuid.UUID(int=3)),
        "run": str(uuid.UUID(int=4)),
        **dict.fromkeys(("version", "figure", "measure", "rate", "name"), "no-such"),
        "code": "response",
        "column": "registered",
        "kind": "comment",
        "number": "1",
        "command_id": str(uuid.UUID(int=3)),
    }
    assert name in fixed, f"say in this test what {{{name}}} behind {noun} stands for"
    return fixed[name], False


def code_of(answer: httpx.Response) -> str | None:
    """The code of a refusal, on a page or in a problem."""
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        return str(answer.json()["code"])
    found = re.search(r'<p class="code">\S+ ([\w.]+)</p>', answer.text)
    return found[1] if found else None
