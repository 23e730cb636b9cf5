"""Ctrl-C and SIGTERM for commands that can be taken up again.

Owns the listening. What ending in good order means is the business of the work that is stopped.
"""

import asyncio
import signal
from typing import Generic, Protocol, Self, TypeVar

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stoppable(Protocol):
    """Work that ends in good order soon after ``stop`` is set."""

    @property
    def stop(self) -> asyncio.Event:
        """The wish that it end."""


WorkT = TypeVar("WorkT", bound=Stoppable)


class Stop(Generic[WorkT]):
    """The wish of a person to end a command: heard once its work ends in good order, heard twice at once.

    ``work`` is None until there is something to end; before that the first wish ends the command at once.
    """

    def __init__(self) -> None:
        self.asked = False
        self.work: WorkT | None = None

    def __enter__(self) -> Self:
        """Listen for as long as the block runs."""
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def ask() -> None:
            if self.asked or self.work is None:
                task.cancel()
            else:
                self.work.stop.set()
            self.asked = True

        for number in _SIGNALS:
            loop.add_signal_handler(number, ask)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_more: object) -> bool:
        """A cancellation that was asked for ends the block, not the command."""
        for number in _SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)
        return self.asked and kind is not None and issubclass(kind, asyncio.CancelledError)
