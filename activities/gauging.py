"""What the worker tells of the ledger when somebody asks for its metrics.

Owns the way from the ledger's numbers to gauges. Every worker tells the same of the ledger, so a dashboard takes the
greatest.
"""

from datetime import timedelta

import asyncpg

from ledger.gauges import read_gauges
from runtime.metrics import Metrics
from runtime.telemetry import Gauge


def ledger_gauge(metrics: Metrics, pool: asyncpg.Pool, *, since: timedelta) -> Gauge:
    """Open cases, outbox, clocks and what is read, as they stand; ``since`` is the waker's patience."""

    async def gauge() -> None:
        async with pool.acquire() as conn:
            found = await read_gauges(conn, since=since)
        metrics.set("bihuan_outbox_depth", found.unrouted, stage="unrouted")
        metrics.set("bihuan_outbox_depth", found.waiting, stage="waiting")
        metrics.set("bihuan_outbox_depth", found.failed, stage="failed")
        metrics.set("bihuan_outbox_age_seconds", found.unrouted_age, stage="unrouted")
        metrics.set("bihuan_outbox_age_seconds", found.waiting_age, stage="waiting")
        metrics.set("bihuan_clock_lag_seconds", found.clock_lag)
        metrics.set("bihuan_clocks_overslept", found.overslept)
        metrics.set("bihuan_projection_lag_seconds", found.feed_lag, of="feed")
        metrics.set("bihuan_projection_lag_seconds", found.read_model_lag, of="read_models")
        metrics.set("bihuan_projection_lag_seconds", found.checkpoint_lag, of="checkpoints")
        metrics.set("bihuan_open_cases", found.open_green, light="green")
        metrics.set("bihuan_open_cases", found.open_yellow, light="yellow")
        metrics.set("bihuan_open_cases", found.open_red, light="red")

    return gauge
