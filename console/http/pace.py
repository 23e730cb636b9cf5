"""How often one caller may ask: a moving window per token, session or address, kept by each console for itself.

Owns the limit of the API; guessing of passwords and tracking codes is slowed down elsewhere, across consoles.
"""

import hashlib
import time

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request

from console.http.identity import SESSION_COOKIE
from domain.errors import Refused


class Pace:
    """Counts requests of the last minute."""

    def __init__(self, per_minute: int) -> None:
        self._limit: RateLimitItem = parse(f"{per_minute}/minute")
        self._window = MovingWindowRateLimiter(MemoryStorage())

    def count(self, name: str) -> None:
        """Count one request of ``name``. Raises ``Refused`` ``request.too_many`` with the seconds to wait."""
        if not self._window.hit(self._limit, name):
            free = self._window.get_window_stats(self._limit, name).reset_time
            raise Refused("request.too_many", seconds=max(1, int(free - time.time()) + 1))


async def paced(request: Request) -> None:
    """The dependency of every route of the API. Looked at before anything is read from the ledger."""
    shown = request.headers.get("authorization") or request.cookies.get(
        request.app.state.site.cookie(SESSION_COOKIE), ""
    )
    # The digest of what was shown, for the secret itself has no business in a table of ours.
    name = hashlib.sha256(shown.encode(errors="replace")).hexdigest() if shown else _address(request)
    pace: Pace = request.app.state.pace
    pace.count(name)


def _address(request: Request) -> str:
    return request.client.host if request.client else "-"
