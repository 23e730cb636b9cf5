"""Parts of a long piece of work, done in several processes.

Owns how processes begin, how they hear of Ctrl-C (they do not: the one that waits for them does), and how they end.
"""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from multiprocessing import get_context, resource_tracker
from typing import Any, TypeVar

P = TypeVar("P")
R = TypeVar("R")


@contextmanager
def deaf_to_ctrl_c() -> Iterator[None]:
    """Processes started within never hear Ctrl-C, which goes to all processes of a terminal.

    This one hears it right afterwards and tells them when to end.
    """
    resource_tracker.ensure_running()  # else the first start would begin it with signals unblocked
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@asynccontextmanager
async def spread(
    processes: int, begin: Callable[..., None], given: tuple[Any, ...], work: Callable[[P], R]
) -> "AsyncIterator[Callable[[P], asyncio.Future[R]]]":
    """A way to have ``work`` done elsewhere; leaving it waits for the parts under way and drops the others.

    Each process calls ``begin(*given)`` once. All of it, parts and answers must be fit for travelling.
    """
    # A fresh interpreter: this one runs threads and an event loop, of which a copy could be left in any state.
    executor = ProcessPoolExecutor(processes, get_context("spawn"), begin, given)
    loop = asyncio.get_running_loop()

    def submit(part: P) -> "asyncio.Future[R]":
        with deaf_to_ctrl_c():  # this starts a process when there are too few
            return loop.run_in_executor(executor, work, part)

    try:
        yield submit
    finally:
        await asyncio.to_thread(executor.shutdown, cancel_futures=True)


async def abreast_of(
    parts: AsyncIterator[P], submit: "Callable[[P], asyncio.Future[R]]", most: int
) -> AsyncIterator[R]:
    """The answers as they come; at most so many parts are under way, and no more of them are read ahead."""
    waiting: set[asyncio.Future[R]] = set()
    more = True
    while more or waiting:
        while more and len(waiting) < most:
            try:
                waiting.add(submit(await anext(parts)))
            except StopAsyncIteration:
                more = False
        if waiting:
            ready, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for each in ready:
                yield each.result()


def without_collector() -> None:
    """Let this process never look for circles of values.

    Values of the domain hold no circles, and looking through tens of thousands of them over and over takes as long as
    making them. What does hold some (an error with its trace) is little, and the process ends soon.
    """
    gc.collect()
    gc.disable()
