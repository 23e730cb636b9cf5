"""Waiting for conditions instead of sleeping."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    condition: Callable[[], Awaitable[T]], what: str, *, within: float = 60.0, every: float = 0.03
) -> T:
    """The first true answer of ``condition``; fails, saying ``what`` was awaited, when none comes in time."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while True:
        answer = await condition()
        if answer:
            return answer
        assert loop.time() < deadline, f"did not happen within {within} s: {what}"
        await asyncio.sleep(every)
