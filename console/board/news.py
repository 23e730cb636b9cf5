"""News of the ledger within one console: who waits is woken when something was recorded anywhere.

Owns one look at the log a second for all who wait, while somebody does: a wall is not read faster, and to be told of
every append would cost those who act more than looking does (docs/decisions/0040). Must not know what is shown.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from domain.errors import Refused
from ledger.log import Seen, look
from runtime.logging import get_logger
from runtime.pool import AWAY

log = get_logger(__name__)

MOST = 100
"""Most who may wait at a time in one console."""

_EVERY = 1.0


class News:
    """Tells everybody who waits that the ledger has something new."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._waiting: set[asyncio.Event] = set()
        self._watching: asyncio.Task[None] | None = None
        self.closed = False

    def close(self) -> None:
        """Send everybody home: the console is leaving, and streams must not hold it up."""
        self.closed = True
        self._tell()

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[asyncio.Event]:
        """An event that is set when something was recorded; whoever has seen it clears it.

        Raises ``Refused`` ``board.too_many`` when too many wait already.
        """
        if len(self._waiting) >= MOST:
            raise Refused("board.too_many", seconds=30)
        mine = asyncio.Event()
        self._waiting.add(mine)
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="news of the ledger")
        try:
            yield mine
        finally:
            self._waiting.discard(mine)
            if not self._waiting and self._watching is not None:
                self._watching.cancel()
                self._watching = None

    async def _watch(self) -> None:
        seen: Seen | None = None
        while True:
            try:
                async with self._pool.acquire() as conn:
                    seen, is_more = await look(conn, seen)
            except AWAY as error:
                log.warning("news_interrupted", kind=type(error).__name__)
                is_more = True  # what could not be seen may be news
            if is_more:
                self._tell()
            await asyncio.sleep(_EVERY)

    def _tell(self) -> None:
        for each in self._waiting:
            each.set()
