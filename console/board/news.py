"""News of the ledger within one console: who waits is woken when something was recorded anywhere.

Owns one listening connection for all who wait, opened with the first and closed after the last. Wakes at most once a
second, for a wall is not read faster. Must not know what is shown.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from domain.errors import Refused
from runtime.logging import get_logger
from runtime.pool import AWAY

log = get_logger(__name__)

CHANNEL = "ledger"
MOST = 100
"""Most who may wait at a time in one console."""

_AT_MOST_EVERY = 1.0
_AGAIN_AFTER = 2.0


class News:
    """Tells everybody who waits that the ledger has something new."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._waiting: set[asyncio.Event] = set()
        self._listening: asyncio.Task[None] | None = None
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
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen(), name="news of the ledger")
        try:
            yield mine
        finally:
            self._waiting.discard(mine)
            if not self._waiting and self._listening is not None:
                self._listening.cancel()
                self._listening = None

    async def _listen(self) -> None:
        while True:
            try:
                async with self._pool.acquire() as conn:
                    await self._hear(conn)
            except AWAY as error:
                log.warning("news_interrupted", kind=type(error).__name__)
            # What happened while nobody listened is news, too.
            self._tell()
            await asyncio.sleep(_AGAIN_AFTER)

    async def _hear(self, conn: Any) -> None:
        heard, lost = asyncio.Event(), asyncio.Event()

        def note(*_: object) -> None:
            heard.set()

        def end(*_: object) -> None:
            lost.set()
            heard.set()

        conn.add_termination_listener(end)
        await conn.add_listener(CHANNEL, note)
        try:
            self._tell()
            while not lost.is_set():
                await heard.wait()
                heard.clear()
                self._tell()
                await asyncio.sleep(_AT_MOST_EVERY)
        finally:
            if not lost.is_set():
                conn.remove_termination_listener(end)
                await conn.remove_listener(CHANNEL, note)

    def _tell(self) -> None:
        for each in self._waiting:
            each.set()
