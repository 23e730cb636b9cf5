"""What stands behind the question mark: only what a route knows, and each name once unless it is a list.

A misspelt filter that is passed over would show everything; of two different values nobody can say which was meant.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, get_origin

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.requests import Request

from console.http.caller import caller_of
from domain.errors import Refused


async def asked_well(request: Request) -> None:
    """The dependency of every route of the API. Raises ``Refused``: ``field.unknown``, ``request.repeated``."""
    route = request.scope.get("route")
    # Who is nobody is told that first.
    if not request.query_params or not isinstance(route, APIRoute) or await caller_of(request) is None:
        return
    known = _known(route)
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in known:
            raise Refused("field.unknown", field=name[:64])
        if times > 1 and not known[name]:
            raise Refused("request.repeated", field=name)


def _known(route: APIRoute) -> Mapping[str, bool]:
    """The names a route knows, and whether each may stand several times."""
    return dict(_names(route.dependant))


def _names(dependant: Dependant) -> list[tuple[str, bool]]:
    found: list[tuple[str, bool]] = []
    for field in dependant.query_params:
        kind: Any = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += [(each.alias or name, _several(each.annotation)) for name, each in kind.model_fields.items()]
        else:
            found.append((field.alias, _several(kind)))
    return found + [name for inner in dependant.dependencies for name in _names(inner)]


def _several(kind: Any) -> bool:
    """Whether a value of this type is a list, or may be one."""
    return get_origin(kind) is list or any(_several(each) for each in getattr(kind, "__args__", ()))
