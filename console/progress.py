"""How far a long command is, told beside its result.

Owns where and how often people are told. Must not know what is being done.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from console import output
from console.session import options

Told = Callable[[int, int], None]
"""Hears how many are done, and of how many; 0 while nobody knows."""

_LINE_EVERY = 3.0


@contextmanager
def progress(what: tuple[str, str], unit: tuple[str, str]) -> Iterator[Told]:
    """Somewhere to tell the count to, on standard error: a bar on a terminal, else a line every few seconds.

    ``what`` is being done to ``unit``, both in Chinese and English. Beside ``--json`` nothing is printed.
    """
    if options().json:
        yield lambda _done, _total: None
    elif not sys.stderr.isatty():
        yield _Lines(unit).tell
    else:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=output.console(stderr=True), transient=True) as bar:
            task = bar.add_task(output.say(*what), total=None)
            yield lambda done, total: bar.update(task, completed=done, total=total or None)


class _Lines:
    """A line every few seconds, where nobody could see a bar move."""

    def __init__(self, unit: tuple[str, str]) -> None:
        self._unit = unit
        self._last = time.monotonic()

    def tell(self, done: int, total: int) -> None:
        """Say how far it is, unless that was just said."""
        now = time.monotonic()
        if now - self._last < _LINE_EVERY:
            return
        self._last = now
        zh, en = self._unit
        if total:
            output.note(f"已处理 {done}/{total} {zh}", f"{done} of {total} {en}")
        else:
            output.note(f"已处理 {done} {zh}", f"{done} {en}")
