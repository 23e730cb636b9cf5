"""The register of processes: the one place that lists what the shell can host."""

from typing import Any

from domain.case import CASE
from domain.process import Process
from domain.wish import WISH

PROCESSES: dict[str, Process[Any]] = {process.name: process for process in (CASE, WISH)}
"""Every process by its name, which is also the prefix of its streams."""


def process_of(stream: str) -> Process[Any]:
    """The process a stream belongs to. Raises ``KeyError`` for a stream of no process."""
    return PROCESSES[stream.partition("-")[0]]
