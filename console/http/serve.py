"""The console process: ``python -m console.http.serve``.

Owns the composition of one console: settings, connections, application, server. Nothing imports this module but the
command line and tests.
"""

import asyncio
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from types import FrameType

import asyncpg
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from console.carrying import stop_all
from console.desk import Desk
from console.http.app import make_app
from console.http.condition import checks_of
from console.http.office import Office
from console.http.site import listen, site_of
from console.http.upkeep import upkeep
from console.session import APP_ROLE
from domain.errors import Refused
from domain.rights import APART, MATRIX
from ledger.migrate import pending
from ledger.vault import MasterKey, Vault
from runtime import event_loop
from runtime.codec import PayloadKeys
from runtime.embedded import say_ready
from runtime.leaving import leave
from runtime.logging import get_logger, set_up_logging
from runtime.memory import settle
from runtime.metrics import OFF
from runtime.pool import AWAY, open_pool
from runtime.settings import Settings, find_endpoints
from runtime.telemetry import Watch, pool_gauge, up_gauge, watching
from runtime.temporal import connect
from runtime.tracing import UNTRACED, Tracing, tracing

log = get_logger(__name__)

ANSWER_WITHIN = timedelta(seconds=8)
"""How long a page waits for the answer to an act before it says that the act is on its way."""

_BACKLOG = 200
_SPEAKS_WITHIN = 1.0
"""Seconds in which who connected before the end must have asked."""


@asynccontextmanager
async def open_office(
    settings: Settings,
    *,
    patience: timedelta = timedelta(seconds=30),
    watch: Watch | None = None,
    traced: Tracing = UNTRACED,
) -> AsyncIterator[Office]:
    """The office of one console process, connected; ``watch`` is told how it is, ``traced`` what it asks of Temporal.

    Raises ``Refused``: ``postgres.unreachable`` and ``temporal.unreachable`` after ``patience``,
    ``ledger.schema_older`` before the migrations, ``vault.key_missing``, ``vault.wrong_key``.
    """
    endpoints = find_endpoints(settings)
    key = MasterKey.load(settings.key_file)
    vault = Vault(key)
    pool = await _patient_pool(endpoints.postgres, settings.pool_size, patience)
    try:
        async with pool.acquire() as conn:
            await vault.check(conn)
        keys = PayloadKeys(key.payload_keys)
        metrics = OFF if watch is None else watch.metrics
        client = await connect(
            endpoints.temporal,
            endpoints.namespace,
            keys=keys,
            tls=endpoints.tls,
            patience=patience,
            runtime=None if watch is None else watch.runtime,
            metrics=metrics,
            interceptors=traced.interceptors,
        )
        desk = Desk(client, pool, vault, task_queue=settings.task_queue, patience=ANSWER_WITHIN, metrics=metrics)
        matrix = APART if settings.separation else MATRIX
        office = Office(pool=pool, desk=desk, vault=vault, key=key, settings=settings, matrix=matrix)
        if watch is not None:
            watch_over(watch, office)
        async with upkeep(office):
            yield office
            # They hold connections; what they have done stands, and a person starts them again.
            await stop_all()
    finally:
        await asyncio.shield(pool.close())


async def _patient_pool(dsn: str, size: int, patience: timedelta) -> asyncpg.Pool:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience.total_seconds()
    while True:
        try:
            missing = await pending(dsn)
            if missing:
                raise Refused("ledger.schema_older", count=len(missing))
            return await open_pool(dsn, size=size, role=APP_ROLE, name="bihuan console", resets=False)
        except AWAY as error:
            if loop.time() > deadline:
                raise Refused("postgres.unreachable") from error
            await asyncio.sleep(0.3)


def watch_over(watch: Watch, office: Office) -> None:
    """Let the watch tell whether this console can serve."""
    watch.checks = checks_of(office)
    watch.gauges += [
        pool_gauge(watch.metrics, office.pool),
        up_gauge(watch.metrics, "bihuan_ledger_up", watch.checks["ledger"]),
        up_gauge(watch.metrics, "bihuan_temporal_up", watch.checks["temporal"]),
    ]
    watch.metrics.count("bihuan_codec_failures_total", 0)


class ConsoleServer(uvicorn.Server):
    """A server that says when it is ready, and leaves without dropping anybody when it is told to.

    First it is not ready any more and ends every connection with the answer on it, for as long as ``drain`` says; then
    it takes in who has knocked already, stops listening, and answers what is under way. A second signal ends the
    first part at once. Here and not in a handler of ours: while it serves, the server's own handlers are in force.
    """

    def __init__(self, config: uvicorn.Config, office: Office) -> None:
        super().__init__(config)
        self._office, self._drain = office, office.settings.drain.total_seconds()
        self._leaves_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to leave; the second time, come to the end of it."""
        if self._leaves_at is None and self._drain:
            self._leaves_at = time.monotonic() + self._drain
        else:
            super().handle_exit(sig, frame)
        self._office.leaving = True
        self._office.news.close()

    async def on_tick(self, counter: int) -> bool:
        """Whether to stop serving."""
        if self._leaves_at is not None and time.monotonic() >= self._leaves_at:
            self.should_exit = True
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say that this console is ready."""
        await super().startup(sockets)
        settle()
        say_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, answer what is under way, and end."""
        await self._take_in(sockets or [])
        await super().shutdown(sockets)

    async def _take_in(self, sockets: list[socket.socket]) -> None:
        """Stop listening; who was connected by the system already is accepted, and waited for until they have asked.

        A socket that is merely closed resets them: nobody could tell them from requests that were begun.
        """
        knocked: list[socket.socket] = []
        for bound in sockets:
            knocked += _accept_all(bound)
        # Without a pause since the last look, so that nobody comes in between.
        for server in self.servers:
            server.close()
        loop = asyncio.get_running_loop()
        for each in knocked:
            await loop.connect_accepted_socket(self._protocol, each)
        deadline = time.monotonic() + _SPEAKS_WITHIN
        while time.monotonic() < deadline and any(map(_is_silent, self.server_state.connections)):  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.02)

    def _protocol(self) -> asyncio.Protocol:
        return H11Protocol(self.config, self.server_state, self.lifespan.state)


def _accept_all(bound: socket.socket) -> list[socket.socket]:
    bound.setblocking(False)
    found = []
    while True:
        try:
            found.append(bound.accept()[0])
        except BlockingIOError:
            return found
        except OSError as error:
            # The one who knocked has gone, or there is no room for them.
            log.info("connection_not_taken", kind=type(error).__name__)
            return found


def _is_silent(connection: object) -> bool:
    """Whether nothing has been asked on this connection so far."""
    return isinstance(connection, H11Protocol) and connection.cycle is None


def make_server(app: ASGIApp, office: Office) -> ConsoleServer:
    """The server of the console's application, as the office's settings say."""
    return ConsoleServer(
        uvicorn.Config(
            app,
            http=H11Protocol,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=True,
            proxy_headers=True,
            forwarded_allow_ips=office.settings.trusted_proxies,
            backlog=_BACKLOG,
            h11_max_incomplete_event_size=32 * 1024,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=int(office.settings.graceful_shutdown.total_seconds()),
        ),
        office,
    )


async def run() -> None:
    """Serve until SIGINT or SIGTERM, then let what is under way finish and leave."""
    settings = Settings.load()
    set_up_logging(settings.log_level, settings.log_format, service="console")
    with listen(settings) as bound:
        site = site_of(settings, bound.getsockname()[1])
        async with (
            watching(settings.console_metrics, "console") as watch,
            tracing(settings, "console") as traced,
            open_office(settings, watch=watch, traced=traced) as office,
        ):
            server = make_server(make_app(office, site, metrics=watch.metrics, tracing=traced), office)
            # What the server puts back when it has served, and then raises the signal again.
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, server.handle_exit)
            log.info("console_ready", url=site.url)
            await server.serve(sockets=[bound])
            log.info("console_stopped")


def main() -> None:
    """Run the console; the exit code is 0 after a clean stop and 1 after a refusal."""
    code = 0
    try:
        event_loop.run(run())
    except Refused as refused:
        log.error("console_refused", code=refused.code, reason=refused.refusal.sentence())
        code = 1
    leave(code)


if __name__ == "__main__":
    main()
