"""The waker: tells processes that have missed a moment to look into the ledger, for as long as the worker lives.

Owns the round: when to ask the ledger, whom to tell, how often. An act is recorded before its workflow hears of it;
when the Temporal server dies in between, it forgets the act with everybody who waited for it, and the workflow sleeps
on by what it knew before. Nobody would wake it until the next act. What was recorded is never lost by that, but its
deadlines would be.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
from temporalio.service import RPCError, RPCStatusCode

from ledger.awaited import overslept
from runtime.logging import get_logger
from runtime.pool import AWAY

_log = get_logger(__name__)

Wake = Callable[[str], Awaitable[None]]
"""Tells the process of a stream to look, and starts it where it does not run."""

_SERVERS_AWAY: tuple[type[Exception], ...] = (RPCError, *AWAY)
_NOBODY_ANSWERS = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)

AT_ONCE = 100
"""So many processes are asked for and told in one go; a round has as many of them as it takes."""

_BREATHS = 60
"""So many goes fit into the time after which a process has overslept: those who wake have something to do."""

_AGAIN_AFTER = 4
"""Rounds after which a process that still says nothing is told again: it may merely wait for its turn."""


class Waker:
    """Looks for what was never said; several wakers only tell the same twice, which changes nothing."""

    def __init__(self, pool: asyncpg.Pool, wake: Wake, *, since: timedelta) -> None:
        self._pool, self._wake, self._since = pool, wake, since
        self._told: dict[str, int] = {}
        self._round = 0

    async def look(self) -> list[str]:
        """One round; the streams that were told. Raises when a server is away: the next round finds them again."""
        self._round += 1
        self._told = {stream: at for stream, at in self._told.items() if self._round - at < _AGAIN_AFTER}
        woken: list[str] = []
        while found := await self._overslept():
            woken += [stream for stream in found if await self._tell(stream)]
            if len(found) < AT_ONCE:
                break
            await asyncio.sleep(self._since.total_seconds() / _BREATHS)
        return woken

    async def _overslept(self) -> list[str]:
        # Those already told are not asked for: however many do not answer, they hide no others.
        async with self._pool.acquire() as conn:
            return await overslept(conn, since=self._since, limit=AT_ONCE, but=self._told)

    async def _tell(self, stream: str) -> bool:
        try:
            await self._wake(stream)
        except RPCError as error:
            if error.status in _NOBODY_ANSWERS:
                raise
            # One that cannot be told must not keep the others waiting.
            self._told[stream] = self._round
            _log.error("process_not_woken", stream=stream, status=error.status.name)
            return False
        self._told[stream] = self._round
        _log.warning("process_woken", stream=stream)
        return True

    async def run(self) -> None:
        """Round after round, every half of ``since``; what goes wrong is logged, it never ends by itself."""
        while True:
            await asyncio.sleep(self._since.total_seconds() / 2)
            try:
                await self.look()
            except _SERVERS_AWAY as error:
                _log.warning("waker_waits", error=type(error).__name__)
            except Exception as error:  # noqa: BLE001 - whatever it was, deadlines must go on being watched
                _log.error("waker_failed", exc_info=error)


@asynccontextmanager
async def waking(pool: asyncpg.Pool, wake: Wake, *, since: timedelta) -> AsyncIterator[None]:
    """A waker beside whatever else this process does."""
    task = asyncio.create_task(Waker(pool, wake, since=since).run(), name="waker")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
