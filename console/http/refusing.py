"""Refusals that belong into the security log: somebody wanted what they may not have.

Owns the list of codes. Whatever answers a request with such a refusal notes it; the outermost layer writes it down
before the answer goes out, so that no answer of this kind leaves without its line.
"""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.types import Scope

from console.http.office import office_of
from domain.errors import Refusal
from ledger.security import Kind, record_refusal
from ledger.whence import NOBODY

STATUSES = frozenset({401, 403})

RECORDED = frozenset(
    {
        "access.denied",
        "access.out_of_reach",
        "access.token_invalid",
        "access.provider_failed",
        "actor.role_not_held",
        "actor.wrong_role",
        "actor.wrong_organisation",
        "actor.wrong_grid",
        "board.link_invalid",
        "request.forged",
    }
)
"""Who is signed out is sent to the form, and refused sign-ins are recorded where they are refused."""


def note(request: Request, refusal: Refusal) -> None:
    """The answer under way tells of this refusal."""
    request.state.refused = refusal


def noted_in(values: Mapping[str, Any]) -> Refusal | None:
    """The refusal a page is about to tell of, by itself or in its form."""
    for value in values.values():
        found = value if isinstance(value, Refusal) else getattr(value, "refusal", None)
        if isinstance(found, Refusal):
            return found
    return None


async def put_on_record(scope: Scope) -> None:
    """Write down the refusal that was noted, if it is one of those. Raises what the database raises."""
    request = Request(scope)
    refusal: Refusal | None = getattr(request.state, "refused", None)
    if refusal is None or refusal.code not in RECORDED:
        return
    caller = getattr(request.state, "caller", None)
    right = refusal.params.get("permission")
    async with office_of(request).pool.acquire() as conn:
        await record_refusal(
            conn,
            Kind.ACCESS_REFUSED,
            refusal.code,
            actor=caller.person if caller is not None else NOBODY,
            detail={"right": right} if right else None,
        )
