"""Signing in with the office's own identity provider: to it and back.

Both ways are plain links: the policy of our pages lets no form lead to another site.
"""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.access.oidc import PATIENCE, Memory, Provider
from console.http.caller import Caller, public
from console.http.office import office_of
from console.pages.preferences import path_here
from console.pages.signing_in import after_sign_in, device, end_present, with_session
from domain.errors import Refused

router = APIRouter(prefix="/sign-in/provider")

_COOKIE = "provider"
_WHY = "whoever comes to be recognised is signed out"


def _provider(request: Request) -> Provider:
    """The provider, kept between requests with what it has told about itself."""
    state = request.app.state
    if not hasattr(state, "provider"):
        state.provider = Provider.of(office_of(request).settings)
    provider: Provider = state.provider
    return provider


def _back(request: Request) -> str:
    address: str = request.app.state.site.url
    return f"{address}/sign-in/provider/back"


def _key(request: Request) -> bytes:
    return office_of(request).key.derive("provider")


@router.get("")
async def go(
    request: Request,
    caller: Annotated[Caller | None, public(_WHY, of_nobody=True)],
    next: Annotated[str, Query(max_length=1000)] = "/",  # noqa: A002 - the word of the address
) -> Response:
    """Send the person to the provider."""
    begun = await _provider(request).begin(_back(request), path_here(next), datetime.now(UTC))
    site = request.app.state.site
    answer = RedirectResponse(begun.address, 303)
    answer.set_cookie(
        site.cookie(_COOKIE),
        begun.memory.sealed(_key(request)),
        max_age=int(PATIENCE.total_seconds()),
        secure=site.secure,
        httponly=True,
        samesite="lax",
        path="/",
    )
    return answer


@router.get("/back")
async def back(
    request: Request,
    caller: Annotated[Caller | None, public(_WHY, of_nobody=True)],
    state: Annotated[str, Query(max_length=200)] = "",
    code: Annotated[str, Query(max_length=4000)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Sign in whom the provider has recognised, if they have an account here."""
    site = request.app.state.site
    kept = request.cookies.get(site.cookie(_COOKIE), "")
    memory = Memory.unsealed(kept, _key(request), datetime.now(UTC))
    if memory is None or error:
        # What the provider says is not repeated: whoever made the link may have written it.
        raise Refused("access.provider_failed", reason="error" if error else "state")
    person = await _provider(request).finish(_back(request), memory, state=state, code=code)
    begun = await office_of(request).access.sessions.sign_in_known(person, device=device(request))
    await end_present(request)
    answer = with_session(request, RedirectResponse(after_sign_in(begun, memory.next), 303), begun)
    answer.delete_cookie(site.cookie(_COOKIE), path="/", secure=site.secure, httponly=True, samesite="lax")
    return answer
