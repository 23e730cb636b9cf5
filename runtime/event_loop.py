"""The event loop of a long-lived process of ours.

Owns which one it is: uvloop, on which a worker needs an eighth less processor time, where there is one (not on
Windows). Must not be used by commands that end soon; they take the standard loop and save its import.
"""

import asyncio
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` to its end, as ``asyncio.run`` does."""
    if sys.platform == "win32":
        return asyncio.run(main)
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
