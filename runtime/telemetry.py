"""The place where one process tells how it is: ``/metrics``, ``/healthz`` and ``/readyz`` at an address of its own.

Owns the small server, the exposition of the Temporal library behind it, and what every process tells of itself. Off
unless an address is set. Must not know what is counted or what readiness means: both are given by the composition.
It speaks plain HTTP to whoever may reach the address and tells nothing about persons; it belongs on loopback or into
a network of the operator's own.
"""

import asyncio
import json
import os
import resource
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path

import asyncpg
from temporalio.client import Client
from temporalio.runtime import PrometheusConfig, Runtime
from temporalio.service import RPCError
from temporalio.worker import Worker

from domain.errors import Refused
from runtime.logging import get_logger
from runtime.metrics import OFF, SPECS, Metrics
from runtime.pool import AWAY
from runtime.temporal import make_runtime
from runtime.temporal_server import free_ports

_log = get_logger(__name__)

_LOOPBACK = "127.0.0.1"
_PATIENCE = 2.0
"""Seconds in which a check must be answered, and in which whoever asks must have said what they want."""
_LONGEST_QUESTION = 8 * 1024
_AT_ONCE = 8
_TRIES = 5

Check = Callable[[], Awaitable[None]]
"""Returns when all is well. Raises ``Refused``, or what it looks like when a server is away."""

Gauge = Callable[[], Awaitable[None]]
"""Brings gauges up to date when somebody asks for them."""

_UNREACHABLE: tuple[type[Exception], ...] = (TimeoutError, RPCError, RuntimeError, asyncpg.PostgresError, *AWAY)


@dataclass(frozen=True)
class Readiness:
    """Which checks went well; ``wrong`` names for each other one the code of what is wrong, and nothing else."""

    checks: Mapping[str, bool]
    wrong: Mapping[str, str]

    @property
    def is_ready(self) -> bool:
        """Whether there is nothing wrong."""
        return not self.wrong

    def as_json(self) -> dict[str, object]:
        """What is told: no address, no sentence, no value."""
        return {"ready": self.is_ready, **self.checks, **({"wrong": dict(self.wrong)} if self.wrong else {})}


async def examine(checks: Mapping[str, Check], *, patience: float = _PATIENCE) -> Readiness:
    """Make all checks at once; one that takes longer than ``patience`` seconds went wrong."""
    wrong = await asyncio.gather(*(_wrong(check, patience) for check in checks.values()))
    found = dict(zip(checks, wrong, strict=True))
    return Readiness(
        checks={name: code is None for name, code in found.items()},
        wrong={name: code for name, code in found.items() if code is not None},
    )


async def _wrong(check: Check, patience: float = _PATIENCE) -> str | None:
    try:
        async with asyncio.timeout(patience):
            await check()
    except Refused as refused:
        return refused.code
    except _UNREACHABLE:
        return "unreachable"
    return None


def temporal_answers(client: Client) -> Check:
    """The check that the Temporal server of this client serves."""

    async def check() -> None:
        if not await client.service_client.check_health():
            raise Refused("temporal.unreachable", address="")

    return check


def takes_work(watch: "Watch", worker: Worker, stop: asyncio.Event) -> Check:
    """The check that this worker asks Temporal for work, and is not about to leave."""

    async def check() -> None:
        if stop.is_set():
            raise Refused("worker.stopping")
        if not worker.is_running or not await watch.polls():
            raise Refused("worker.not_polling")

    return check


class Watch:
    """What one process tells of itself at ``address``. ``checks`` and ``gauges`` are filled in as the process comes up.

    Until ``checks`` are given it is not ready.
    """

    def __init__(self, service: str, metrics: Metrics, runtime: Runtime | None, exposition: int | None) -> None:
        self.service, self.metrics, self.runtime = service, metrics, runtime
        self.address: str | None = None
        self.checks: Mapping[str, Check] | None = None
        self.gauges: list[Gauge] = []
        self._exposition = exposition
        self._turn = asyncio.Lock()
        self._places = asyncio.Semaphore(_AT_ONCE)

    async def ready(self) -> Readiness:
        """Whether the process can do its work now."""
        if self.checks is None:
            return Readiness({"started": False}, {"started": "starting"})
        return await examine(self.checks)

    async def exposition(self) -> bytes:
        """All metrics as text, gauges as of now; what cannot be asked now keeps its last value."""
        assert self._exposition is not None, "there is something to ask for when there is an address to ask at"
        async with self._turn:
            for gauge in self.gauges:
                with suppress(*_UNREACHABLE):
                    async with asyncio.timeout(_PATIENCE):
                        await gauge()
            return await _library_text(self._exposition)

    async def polls(self) -> bool:
        """Whether the Temporal library says that pollers of this process ask for work."""
        assert self._exposition is not None, "as above"
        text = await _library_text(self._exposition)
        lines = (line for line in text.decode().splitlines() if line.startswith("temporal_num_pollers{"))
        return any(float(line.rpartition(" ")[2]) > 0 for line in lines)

    def tell_itself(self) -> None:
        """Gauges about the process as such."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        self.metrics.set("bihuan_process_cpu_seconds", used.ru_utime + used.ru_stime)
        self.metrics.set("bihuan_process_memory_bytes", _resident(used.ru_maxrss))

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer, then the line is closed."""
        try:
            async with self._places, asyncio.timeout(_PATIENCE * 5):
                async with asyncio.timeout(_PATIENCE):
                    question = await reader.readuntil(b"\r\n\r\n")
                writer.write(_written(*await self._answer(question.split(b"\r\n", 1)[0])))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # Whoever asked went away, is slow on purpose or says too much: nothing is owed to them.
            return
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> tuple[HTTPStatus, str, bytes]:
        method, _, rest = line.partition(b" ")
        if method not in (b"GET", b"HEAD"):
            return HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", b""
        match rest.split(b" ")[0].split(b"?")[0]:
            case b"/metrics":
                return HTTPStatus.OK, "text/plain; version=0.0.4; charset=utf-8", await self.exposition()
            case b"/healthz":
                return HTTPStatus.OK, "application/json", b'{"alive": true}'
            case b"/readyz":
                found = await self.ready()
                status = HTTPStatus.OK if found.is_ready else HTTPStatus.SERVICE_UNAVAILABLE
                return status, "application/json", json.dumps(found.as_json()).encode()
        return HTTPStatus.NOT_FOUND, "text/plain", b""


def _written(status: HTTPStatus, kind: str, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Cache-Control: no-store\r\nConnection: close\r\n\r\n".encode() + body


def _resident(peak: int) -> float:
    """Bytes of memory held now; where the system does not tell, the most there ever were."""
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return float(peak if sys.platform == "darwin" else peak * 1024)
    return float(pages * os.sysconf("SC_PAGESIZE"))


async def _library_text(port: int) -> bytes:
    """What the Temporal library exposes, our own metrics among it."""
    reader, writer = await asyncio.open_connection(_LOOPBACK, port)
    try:
        writer.write(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
        await writer.drain()
        return (await reader.read()).partition(b"\r\n\r\n")[2]
    finally:
        writer.close()


def pool_gauge(metrics: Metrics, pool: asyncpg.Pool) -> Gauge:
    """The connections of this pool."""

    async def gauge() -> None:
        idle = pool.get_idle_size()
        metrics.set("bihuan_pool_connections", pool.get_size() - idle, state="used")
        metrics.set("bihuan_pool_connections", idle, state="idle")
        metrics.set("bihuan_pool_limit", pool.get_max_size())

    return gauge


def up_gauge(metrics: Metrics, name: str, check: Check) -> Gauge:
    """1 or 0 by whether the check goes well."""

    async def gauge() -> None:
        metrics.set(name, float(await _wrong(check) is None))

    return gauge


@asynccontextmanager
async def watching(address: str | None, service: str) -> AsyncIterator[Watch]:
    """Tell at ``address`` (host:port) how this process is, for as long as this is open; without one nothing is told.

    Raises ``Refused`` ``metrics.address_taken`` when nobody can be heard there.
    """
    if address is None:
        yield Watch(service, OFF, None, None)
        return
    host, _, port = address.rpartition(":")
    runtime, exposition = _measured()
    watch = Watch(service, Metrics(runtime.metric_meter), runtime, exposition)
    watch.metrics.set("bihuan_build_info", 1, service=service, version=version("bihuan"))

    async def itself() -> None:
        watch.tell_itself()

    watch.gauges.append(itself)
    try:
        server = await asyncio.start_server(watch.answer, host.strip("[]"), int(port), limit=_LONGEST_QUESTION)
    except (OSError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Refused("metrics.address_taken", address=address, reason=reason) from error
    watch.address = f"{host}:{server.sockets[0].getsockname()[1]}"
    _log.info("telemetry_started", address=watch.address)
    async with server:
        yield watch


def _measured() -> tuple[Runtime, int]:
    """A runtime of the Temporal library that exposes what it counts on a port of loopback, and that port."""
    buckets = {each.name: each.buckets for each in SPECS if each.kind == "histogram"}
    for attempt in range(_TRIES):
        port = free_ports(1)[0]
        try:
            config = PrometheusConfig(
                bind_address=f"{_LOOPBACK}:{port}", durations_as_seconds=True, histogram_bucket_overrides=buckets
            )
            return make_runtime(config), port
        except ValueError:
            # Somebody else has taken the port between the look and the call.
            if attempt == _TRIES - 1:
                raise
    raise AssertionError("unreachable")
