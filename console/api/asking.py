"""What stands behind the question mark: only what a route knows, and each name once unless it is a list.

A misspelt filter that is passed over would show everything; of two different values nobody can say which was meant.
"""

import re
from collections import Counter
from datetime import date, datetime
from typing import Any, get_origin

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import AwareDatetime, BaseModel
from starlette.requests import Request

from console.http.caller import caller_of
from domain.errors import Refused

_NUMBER = re.compile(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")


async def asked_well(request: Request) -> None:
    """The dependency of every route of the API. Raises ``Refused``: ``field.unknown``, ``request.repeated``."""
    route = request.scope.get("route")
    # Who is nobody is told that first.
    if not request.query_params or not isinstance(route, APIRoute) or await caller_of(request) is None:
        return
    known = dict(_names(route.dependant))
    for name, times in Counter(name for name, _ in request.query_params.multi_items()).items():
        if name not in known:
            raise Refused("field.unknown", field=name[:64])
        if times > 1 and not _is(known[name], list):
            raise Refused("request.repeated", field=name)
        # A number would be read as seconds since 1970, which nobody means.
        if _is(known[name], date, datetime, AwareDatetime) and _NUMBER.fullmatch(request.query_params[name]):
            reason, english = "应为时间，如 2026-11-25T10:00:00+08:00", "a time such as 2026-11-25T10:00:00+08:00"
            raise Refused("field.invalid", field=name, reason=reason, reason_en=english)


def _names(dependant: Dependant) -> list[tuple[str, Any]]:
    """The names a route knows, and the type of each."""
    found: list[tuple[str, Any]] = []
    for field in dependant.query_params:
        kind: Any = field.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += [(each.alias or name, each.annotation) for name, each in kind.model_fields.items()]
        else:
            found.append((field.alias, kind))
    return found + [name for inner in dependant.dependencies for name in _names(inner)]


def _is(kind: Any, *wanted: type) -> bool:
    """Whether a value of this type is one of these, or may be."""
    return (
        kind in wanted
        or get_origin(kind) in wanted
        or any(_is(each, *wanted) for each in getattr(kind, "__args__", ()))
    )
