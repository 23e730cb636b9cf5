"""From what a request carries to an account: the session cookie of a browser, the token of a program.

Owns the question, not the rights that follow from the answer.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request

from console.http.office import Office


@dataclass(frozen=True)
class SignedIn:
    """A session: ``binding`` is what its forms are bound to; ``must_change`` lets nothing happen but a new password."""

    id: str
    binding: str
    must_change: bool = False


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
    """Nobody yet: accounts are not there."""
    return None
