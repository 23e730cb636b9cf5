"""How often one caller may ask: a moving window per token, session or address, kept by each console for itself.

Owns the limit of the API; guessing of passwords and tracking codes is slowed down elsewhere, across consoles.
"""

import time

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request

from console.access.throttle import client_group
from console.http.caller import caller_of
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
    """The dependency of every route of the API.

    A token that is none counts for the address it came from: made-up ones must not each have a window of their own.
    """
    pace: Pace = request.app.state.pace
    try:
        caller = await caller_of(request)
    except Refused:
        pace.count(_address(request))
        raise
    if caller is None:
        pace.count(_address(request))
    elif caller.session is not None:
        pace.count(f"session {caller.session.id}")
    else:
        pace.count(f"token {caller.token_id}")


def _address(request: Request) -> str:
    return f"address {client_group(request.client.host)}" if request.client else "-"
