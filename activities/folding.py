"""The folding: what acts have added to the sums of statistics is taken in, again and again, beside the worker.

Owns the round. However late it is, no figure is wrong by it: who reads takes what waits into account. It only keeps
what waits short. Several workers may do it; while one folds, the others find nothing to do.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg

from ledger.sums import FOLDED, fold
from runtime.logging import get_logger
from runtime.pool import AWAY

_log = get_logger(__name__)

EVERY = timedelta(seconds=60)
"""Long enough that what a case adds and takes back within its busy minutes is added once."""


async def fold_all(pool: asyncpg.Pool) -> int:
    """Take in what waits, step by step, so that none holds anybody up for long; how many lines there were."""
    folded = 0
    while True:
        async with pool.acquire() as conn:
            step = await fold(conn)
        folded += step
        if step < FOLDED:
            return folded
        await asyncio.sleep(0)


async def _rounds(pool: asyncpg.Pool, every: timedelta) -> None:
    while True:
        await asyncio.sleep(every.total_seconds())
        try:
            await fold_all(pool)
        except AWAY as error:
            _log.warning("folding_waits", error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - whatever it was, the next round tries again
            _log.error("folding_failed", exc_info=error)


@asynccontextmanager
async def folding(pool: asyncpg.Pool, *, every: timedelta = EVERY) -> AsyncIterator[None]:
    """The rounds beside whatever else this process does."""
    task = asyncio.create_task(_rounds(pool, every), name="folding")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
