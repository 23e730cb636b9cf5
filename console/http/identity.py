"""From what a request carries to an account: the session cookie of a browser, the token of a program.

Owns the question and the names of the cookie and the header, not the rights that follow from the answer.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request

from console.http.office import Office
from domain.errors import Refused

SESSION_COOKIE = "session"
_API, _SCHEME = "/api/", "bearer"
_REFRESH = "x-refresh"


@dataclass(frozen=True)
class SignedIn:
    """A session: ``binding`` is what its forms are bound to; ``must_change`` lets nothing happen but a new password."""

    id: str
    binding: str
    must_change: bool = False
    login: str = ""


@dataclass(frozen=True)
class Identity:
    """Who an account is; ``administrator`` by itself, beside what the registry says.

    ``session`` for a browser; ``scopes`` and ``token_id`` for a token, which carries those permissions at most.
    """

    person: str
    administrator: bool = False
    session: SignedIn | None = None
    scopes: frozenset[str] | None = None
    token_id: str | None = None


Identify = Callable[[Request, Office], Awaitable[Identity | None]]
"""Finds who sent a request; None for somebody signed out. Raises ``Refused`` ``access.token_invalid``."""


async def identify(request: Request, office: Office) -> Identity | None:
    """Who sent the request: by the token it carries, which only the API takes, else by the cookie of a session.

    A session that is over is nobody's; a token that will not do is refused, for no program could tell why else.
    """
    carried = request.headers.get("authorization")
    if carried is not None and request.url.path.startswith(_API):
        return await _by_token(carried, office)
    cookie = request.cookies.get(request.app.state.site.cookie(SESSION_COOKIE))
    return await _by_session(cookie, office, by_itself=_REFRESH in request.headers) if cookie else None


async def _by_token(carried: str, office: Office) -> Identity:
    scheme, _, token = carried.partition(" ")
    if scheme.lower() != _SCHEME:
        raise Refused("access.token_invalid")
    found = await office.access.tokens.identify(token.strip())
    return Identity(
        person=found.person, administrator=found.is_administrator, scopes=found.only, token_id=str(found.token)
    )


async def _by_session(cookie: str, office: Office, *, by_itself: bool) -> Identity | None:
    try:
        found = await office.access.sessions.identify(cookie, by_itself=by_itself)
    except Refused:
        return None
    session = SignedIn(
        id=str(found.session), login=found.login, binding=str(found.session), must_change=found.must_change
    )
    return Identity(person=found.person, administrator=found.is_administrator, session=session)
