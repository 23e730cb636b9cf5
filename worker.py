"""The worker process: settings, connections, one Temporal worker, courier, waker and witness. Nothing imports it.

Owns the composition only. Tuned as docs/operations/tuning.md says; no sandbox in production.
"""

import asyncio
import signal
from datetime import timedelta

import asyncpg
from temporalio.client import Client
from temporalio.worker import Worker

from activities.counting import CountsDryRuns
from activities.courier import delivering
from activities.folding import folding
from activities.gauging import ledger_gauge
from activities.inbox import Inbox
from activities.recording import Recording
from activities.waking import Wake, waking
from activities.witness import witnessing
from domain.errors import Refused
from domain.process import Start
from ledger.keys import MasterKey
from ledger.migrate import check_schema, pending
from ledger.world import States
from runtime import event_loop
from runtime.codec import PayloadKeys
from runtime.embedded import say_ready
from runtime.leaving import leave
from runtime.logging import get_logger, set_up_logging
from runtime.memory import settle
from runtime.metrics import OFF, Metrics
from runtime.pool import open_pool
from runtime.settings import Settings, find_endpoints
from runtime.telemetry import Watch, pool_gauge, takes_work, temporal_answers, up_gauge, watching
from runtime.temporal import connect
from runtime.tracing import tracing
from runtime.tuning import remembered_of, tuning_of
from runtime.versioning import deployment_of
from workflows.hosted import HOSTED
from workflows.ids import LOOK, WORKFLOW_TYPES, workflow_id

APP_ROLE = "bihuan_app"
"""The database role of workers and doors: it may append through the ledger's functions and rewrite nothing."""

_COLLECT_AFTER = 10_000
"""New objects after which Python looks for rings among them: an act makes thousands and leaves hardly any."""

log = get_logger(__name__)


def make_worker(
    client: Client, pool: asyncpg.Pool, settings: Settings, *, task_queue: str | None = None, metrics: Metrics = OFF
) -> Worker:
    """The worker that hosts every process and its activities on ``task_queue`` (default: the setting)."""
    inbox, recording = Inbox(pool), Recording(pool, metrics, states=States(remembered_of(settings)))
    return Worker(
        client,
        task_queue=task_queue or settings.task_queue,
        workflows=HOSTED,
        deployment_config=deployment_of(settings),
        activities=[recording.act, inbox.hand_over],
        interceptors=[CountsDryRuns(metrics)] if metrics.are_kept else [],
        **tuning_of(settings),
        # Workflow code runs in the event loop's own thread: see docs/decisions/0033.
        debug_mode=not settings.sandbox,
        # No payload of ours lies elsewhere: otherwise each is looked at in an asyncio task of its own.
        max_workflow_task_external_storage_concurrency=1,
    )


def make_wake(client: Client, task_queue: str) -> Wake:
    """Tells the workflow of a stream to look into the ledger; one that is gone is started, and finds all."""

    async def wake(stream: str) -> None:
        await client.start_workflow(
            WORKFLOW_TYPES[stream.partition("-")[0]],
            Start(stream=stream, sparing=True),
            id=workflow_id(stream),
            task_queue=task_queue,
            start_signal=LOOK,
            rpc_timeout=timedelta(seconds=10),
        )

    return wake


async def open_ledger(dsn: str, size: int, *, patience: timedelta = timedelta(seconds=30)) -> asyncpg.Pool:
    """A pool as the application role, waiting for a PostgreSQL that is still coming up.

    Raises ``Refused``: ``postgres.unreachable`` after ``patience``, ``ledger.schema_older`` before the migrations.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + patience.total_seconds()
    while True:
        try:
            missing = await pending(dsn)
            if missing:
                raise Refused("ledger.schema_older", count=len(missing))
            return await open_pool(dsn, size=size, role=APP_ROLE, name="bihuan worker", resets=False)
        except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError) as error:
            if loop.time() > deadline:
                raise Refused("postgres.unreachable") from error
            await asyncio.sleep(0.3)


async def run() -> None:
    """Work until SIGINT or SIGTERM, then finish what is under way and leave."""
    settings = Settings.load()
    set_up_logging(settings.log_level, settings.log_format, service="worker")
    endpoints = find_endpoints(settings)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    keys = PayloadKeys(MasterKey.load(settings.key_file).payload_keys)
    async with watching(settings.worker_metrics, "worker") as watch, tracing(settings, "worker") as traced:
        pool = await open_ledger(endpoints.postgres, settings.pool_size)
        client = await connect(
            endpoints.temporal,
            endpoints.namespace,
            keys=keys,
            tls=endpoints.tls,
            sandboxed=settings.sandbox,
            compresses=settings.compress_payloads,
            runtime=watch.runtime,
            metrics=watch.metrics,
            interceptors=traced.interceptors,
        )
        worker = make_worker(client, pool, settings, metrics=watch.metrics)
        watch_over(watch, worker, client, pool, settings, stop)
        async with (
            delivering(settings, pool, endpoints.postgres),
            waking(pool, make_wake(client, settings.task_queue), since=settings.wake_after),
            witnessing(settings, pool),
            folding(pool),
            worker,
        ):
            settle(collect_after=_COLLECT_AFTER)
            log.info("worker_ready", task_queue=settings.task_queue)
            say_ready()
            await stop.wait()
            log.info("worker_stopping")
        await pool.close()


def watch_over(
    watch: Watch, worker: Worker, client: Client, pool: asyncpg.Pool, settings: Settings, stop: asyncio.Event
) -> None:
    """Let the watch tell whether this worker works, and how the ledger stands."""

    async def ledger() -> None:
        async with pool.acquire() as conn:
            await conn.fetchval("select 1")

    async def schema() -> None:
        async with pool.acquire() as conn:
            await check_schema(conn)

    temporal = temporal_answers(client)
    polling = takes_work(watch, worker, stop)
    watch.checks = {"polling": polling, "ledger": ledger, "schema": schema, "temporal": temporal}
    watch.gauges += [
        pool_gauge(watch.metrics, pool),
        up_gauge(watch.metrics, "bihuan_temporal_up", temporal),
        up_gauge(watch.metrics, "bihuan_ledger_up", ledger),
        ledger_gauge(watch.metrics, pool, since=settings.wake_after),
    ]


def main() -> None:
    """Run the worker; the exit code is 0 after a clean stop and 1 after a refusal."""
    code = 0
    try:
        event_loop.run(run())
    except Refused as refused:
        log.error("worker_refused", code=refused.code, reason=refused.refusal.sentence())
        code = 1
    leave(code)


if __name__ == "__main__":
    main()
