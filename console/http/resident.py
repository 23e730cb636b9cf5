"""Whom a tracking code let in, for as long as they look: a short-lived cookie bound to one request.

Owns the cookie. It holds the request's id and the number of its code, signed; neither is personal, and neither is of
use without the signature. A code handed out anew ends it.
"""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response

from console.http.office import office_of
from console.tracking import Tracked, Tracking
from domain.errors import Refused

COOKIE = "resident"
LASTS = timedelta(minutes=30)
"""How long the page stays open without being looked at: it may have been opened on a neighbour's phone."""


def let_in(request: Request, answer: Response, tracked: Tracked) -> None:
    """Let this browser look at the request from now on."""
    site = request.app.state.site
    until = str(int((datetime.now(UTC) + LASTS).timestamp()))
    parts = (tracked.stream, str(tracked.number), until)
    answer.set_cookie(
        site.cookie(COOKIE),
        ".".join((*parts, _seal(request, parts))),
        max_age=int(LASTS.total_seconds()),
        path="/",
        secure=site.secure,
        httponly=True,
        samesite="lax",
    )


def show_out(request: Request, answer: Response) -> None:
    """Let this browser look at nothing any more."""
    site = request.app.state.site
    answer.delete_cookie(site.cookie(COOKIE), path="/", secure=site.secure, httponly=True, samesite="lax")


async def resident_of(request: Request) -> Tracked:
    """The request this browser may look at. Raises ``Refused`` ``tracking.ended``."""
    parts = request.cookies.get(request.app.state.site.cookie(COOKIE), "").split(".")
    if len(parts) != len(("stream", "number", "until", "seal")):
        raise Refused("tracking.ended")
    *signed, seal = parts
    good = hmac.compare_digest(seal.encode(), _seal(request, tuple(signed)).encode())
    if not good or int(signed[2]) < datetime.now(UTC).timestamp():
        raise Refused("tracking.ended")
    tracked, office = Tracked(signed[0], int(signed[1])), office_of(request)
    async with office.pool.acquire() as conn:
        if not await Tracking(office.key).still(conn, tracked):
            raise Refused("tracking.ended")
    return tracked


def _seal(request: Request, parts: tuple[str, ...]) -> str:
    key = office_of(request).key.derive("resident session")
    return hmac.new(key, "\n".join(parts).encode(errors="surrogatepass"), hashlib.sha256).hexdigest()
