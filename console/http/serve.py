"""The console process: ``python -m console.http.serve``.

Owns the composition of one console: settings, connections, application, server. Nothing imports this module but the
command line and tests.
"""

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from types import FrameType

import asyncpg
import uvicorn

from console.board.news import News
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


class _Server(uvicorn.Server):
    """A server that says when it is ready, and sends streams home when it is told to leave.

    Here and not in a handler of ours: while it serves, the server's own handlers are in force.
    """

    def __init__(self, config: uvicorn.Config, news: News) -> None:
        super().__init__(config)
        self._news = news

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._news.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        settle()
        say_ready()


def settle() -> None:
    """Take what was loaded so far for as lasting as the process: the garbage collector no longer walks through it."""
    gc.collect()
    gc.freeze()


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
            server = _Server(
                uvicorn.Config(
                    make_app(office, site, metrics=watch.metrics, tracing=traced),
                    log_config=None,
                    access_log=False,
                    server_header=False,
                    date_header=True,
                    proxy_headers=True,
                    forwarded_allow_ips=settings.trusted_proxies,
                    backlog=_BACKLOG,
                    h11_max_incomplete_event_size=32 * 1024,
                    timeout_keep_alive=30,
                    timeout_graceful_shutdown=int(settings.graceful_shutdown.total_seconds()),
                ),
                office.news,
            )
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
