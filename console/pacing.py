"""Many commands sent by one run: evenly apart, several under way at once, patient with servers that are away.

Owns throttling, retries, the turn of a run and how it ends early. Must not know what is sent. Whoever sends a command
again sends it under the same id, so that it takes effect once.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

import asyncpg
from temporalio.service import RPCError

from console.desk import UNCLEAR, Pending
from ledger.openings import take_turn
from runtime.pool import AWAY

PATIENCE = timedelta(minutes=10)
"""How long one command is tried while servers are away."""

GRACE = timedelta(seconds=5)
"""How long a run that was stopped waits for the answers that are under way."""

_PAUSE_FIRST, _PAUSE_MOST = 0.2, 5.0
_TURN_EVERY = 0.3

T = TypeVar("T")


@asynccontextmanager
async def turn(pool: asyncpg.Pool, name: str, on_wait: Callable[[], None]) -> AsyncIterator[None]:
    """One run called ``name`` at a time, so that its rate means what it says and everything is counted once.

    ``on_wait`` is called when another run has the turn. The turn of a process that dies is free at once.
    """
    async with pool.acquire() as conn:
        told = False
        while not await take_turn(conn, name):
            if not told:
                on_wait()
            told = True
            await asyncio.sleep(_TURN_EVERY)
        yield


class Pace:
    """At most ``rate`` starts a second: evenly apart, and time lost is not made up in a burst."""

    def __init__(self, rate: int) -> None:
        self._apart = 1 / rate
        self._next = 0.0

    async def wait(self) -> None:
        """Wait for the next start."""
        now = asyncio.get_running_loop().time()
        start = max(self._next, now)
        self._next = start + self._apart
        await asyncio.sleep(start - now)


async def abreast(worker: Callable[[], Coroutine[Any, Any, None]], count: int, stop: asyncio.Event) -> None:
    """Run ``count`` workers until all of them have ended, or ``GRACE`` after ``stop``.

    Workers look at ``stop`` before they begin anything; answers that are under way then still come in. The first error
    of a worker ends all of them and is raised.
    """

    async def stopped() -> None:
        await stop.wait()
        await asyncio.sleep(GRACE.total_seconds())

    workers = [asyncio.create_task(worker()) for _ in range(count)]
    working, stopping = asyncio.gather(*workers), asyncio.create_task(stopped())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        # One by one: those beside a worker that failed would go on, for what gathered them has ended with it.
        for each in (*workers, stopping):
            each.cancel()
        await asyncio.gather(working, *workers, stopping, return_exceptions=True)


async def patiently(attempt: Callable[[], Awaitable[T]]) -> T:
    """The answer of ``attempt``, which is made again and again while servers are away or the answer is late.

    Raises ``Pending`` when they stay away for longer than ``PATIENCE``, and what else the attempt raises.
    """
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + PATIENCE.total_seconds(), _PAUSE_FIRST
    while True:
        try:
            return await attempt()
        except Pending as pending:
            late = pending
        except AWAY:
            late = Pending("postgres.unreachable")
        except RPCError as error:
            if error.status not in UNCLEAR:
                raise
            late = Pending("temporal.unreachable", address=error.status.name)
        if loop.time() > deadline:
            raise late
        await asyncio.sleep(pause)
        pause = min(pause * 2, _PAUSE_MOST)
