"""The connection to Temporal.

Owns how a client is made. Must not start servers or name workflows.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from pathlib import Path

from temporalio.client import Client, Interceptor, Plugin
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    PrometheusConfig,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)
from temporalio.service import GrpcCompression, RPCError, TLSConfig

from domain.errors import Refused, unreadable
from runtime.codec import PayloadKeys
from runtime.endpoints import TemporalTls
from runtime.metrics import OFF, Metrics
from runtime.plugin import bihuan_plugin


async def connect(
    address: str,
    namespace: str = "default",
    *,
    keys: PayloadKeys,
    tls: TemporalTls | None = None,
    sandboxed: bool = False,
    compresses: bool = False,
    patience: timedelta = timedelta(seconds=20),
    runtime: Runtime | None = None,
    metrics: Metrics = OFF,
    interceptors: Sequence[Interceptor] = (),
) -> Client:
    """A client for ``namespace`` that carries the plugin, so workers made from it carry it too.

    ``keys`` are those of the payloads; processes that are to understand each other have the same. Without ``tls`` the
    connection is plain text. With ``compresses`` what it sends is made smaller (``runtime.compression``). ``runtime``
    is one that exposes what it counts, ``metrics`` where payloads are counted that cannot be opened, ``interceptors``
    what else the plugin brings to client and workers. Tries again until the server answers, for at most ``patience``;
    afterwards raises ``Refused('temporal.unreachable')``, also for a server that does not take the
    certificate; ``Refused('file.unreadable')`` for one that is not there. A connected client heals by itself when the
    server comes back.
    """
    plugin = bihuan_plugin(keys, sandboxed=sandboxed, compresses=compresses, metrics=metrics, interceptors=interceptors)
    return await _connect(address, namespace, tls, [plugin], patience, runtime)


async def connect_plainly(
    address: str, namespace: str, *, tls: TemporalTls | None = None, patience: timedelta = timedelta(seconds=20)
) -> Client:
    """A client that knows no payloads, for work on the server itself. Waits and raises as ``connect`` does."""
    return await _connect(address, namespace, tls, [], patience)


async def _connect(
    address: str,
    namespace: str,
    tls: TemporalTls | None,
    plugins: Sequence[Plugin],
    patience: timedelta,
    runtime: Runtime | None = None,
) -> Client:
    protected, runtime = read_tls(tls), _runtime() if runtime is None else runtime
    deadline = time.monotonic() + patience.total_seconds()
    while True:
        try:
            client = await Client.connect(
                address,
                namespace=namespace,
                tls=protected,
                plugins=plugins,
                runtime=runtime,
                # What is sent is encrypted, and made smaller before that: the library would pack all of it once more.
                grpc_compression=GrpcCompression.NONE,
            )
            if await client.service_client.check_health():
                return client
        except (RuntimeError, RPCError) as error:
            # The library reports a refused connection as a bare RuntimeError.
            if time.monotonic() >= deadline:
                raise Refused("temporal.unreachable", address=address) from error
        if time.monotonic() >= deadline:
            raise Refused("temporal.unreachable", address=address)
        await asyncio.sleep(0.2)


def read_tls(tls: TemporalTls | None) -> TLSConfig | bool:
    """What the library is told of ``tls``; False for plain text. Raises ``Refused`` ``file.unreadable``."""
    if tls is None:
        return False
    return TLSConfig(
        server_root_ca_cert=_content(tls.ca_file),
        client_cert=_content(tls.cert_file),
        client_private_key=_content(tls.key_file),
        domain=tls.name,
    )


def _content(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def make_runtime(metrics: PrometheusConfig | None = None) -> Runtime:
    """The engine room of the library for one process; with ``metrics`` it exposes what it counts.

    Raises ``ValueError`` when it cannot listen where ``metrics`` says.
    """
    # By itself the library writes its warnings to standard output, where a command's answer belongs.
    forwarding = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
    logs = LoggingConfig(filter=TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarding)
    return Runtime(telemetry=TelemetryConfig(logging=logs, metrics=metrics, attach_service_name=False))


_runtime = cache(make_runtime)
