"""The connection to Temporal.

Owns how a client is made. Must not start servers or name workflows.
"""

import asyncio
import logging
import time
from datetime import timedelta
from functools import cache

from temporalio.client import Client
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError

from domain.errors import Refused
from runtime.codec import PayloadKeys
from runtime.plugin import bihuan_plugin


async def connect(
    address: str,
    namespace: str = "default",
    *,
    keys: PayloadKeys,
    sandboxed: bool = False,
    patience: timedelta = timedelta(seconds=20),
) -> Client:
    """A client for ``namespace`` that carries the plugin, so workers made from it carry it too.

    ``keys`` are those of the payloads; processes that are to understand each other have the same.
    Tries again until the server answers, for at most ``patience``; afterwards raises
    ``Refused('temporal.unreachable')``. A connected client heals by itself when the server comes back.
    """
    deadline = time.monotonic() + patience.total_seconds()
    while True:
        try:
            client = await Client.connect(
                address, namespace=namespace, plugins=[bihuan_plugin(keys, sandboxed=sandboxed)], runtime=_runtime()
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


@cache
def _runtime() -> Runtime:
    # By itself the library writes its warnings to standard output, where a command's answer belongs.
    forwarding = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
    logs = LoggingConfig(filter=TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarding)
    return Runtime(telemetry=TelemetryConfig(logging=logs))
