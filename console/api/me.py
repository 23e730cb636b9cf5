"""Who I am and what I may do."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from console.api.common import problems
from console.http.caller import Caller, may
from domain.people import Actor
from domain.rights import Permission

router = APIRouter(tags=["me"])


class Me(BaseModel):
    """The caller: roles held today, permissions held in any of them and carried by the token."""

    person: str
    name: str
    roles: tuple[Actor, ...]
    permissions: tuple[str, ...]
    by_token: bool = Field(description="Whether you came by a token, which may carry fewer permissions than you hold")


@router.get("/me", operation_id="me", summary="Who I am", response_model=Me, responses=problems())
async def me(caller: Annotated[Caller, may(Permission.RULES_READ)]) -> Me:
    """The person behind this token or session."""
    held = sorted(name for name in caller.office.matrix.roles if caller.may(name))
    return Me(
        person=caller.person,
        name=caller.name,
        roles=caller.holds,
        permissions=tuple(held),
        by_token=caller.token_id is not None,
    )
