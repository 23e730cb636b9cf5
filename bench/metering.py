"""What it costs an act to be counted: the worker's recording activity with metrics and without, in turns.

    python -m bench.metering [--cases N] [--rounds N] [--json]

The same real cases are recorded in a PostgreSQL of the bench's own, one after the other, by two recording activities
on one pool; only one of them has an exposition. Processor time is this process's own. At the end: a scrape, and the
statement that the gauges of the ledger ask.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import asyncpg

from activities.gauging import ledger_gauge
from activities.recording import Recording
from bench.results import hand_out
from bench.town import furnish, play_straight
from ledger.migrate import migrate
from runtime.leaving import leave
from runtime.logging import set_up_logging
from runtime.pool import open_pool
from runtime.postgres import EmbeddedPostgres
from runtime.telemetry import Watch, pool_gauge, watching


class Round(NamedTuple):
    """One round: milliseconds and processor milliseconds of one act, on average."""

    wall: float
    cpu: float


async def _record(recording: Recording, pool: asyncpg.Pool, cases: int) -> Round:
    acts, began, used = 0, time.perf_counter(), time.process_time()
    for _ in range(cases):
        done = await play_straight(recording.act, pool, begun=datetime.now(UTC), apart=timedelta(milliseconds=1))
        acts += done[1]
    return Round((time.perf_counter() - began) / acts * 1000, (time.process_time() - used) / acts * 1000)


async def _furnish(dsn: str) -> None:
    await migrate(dsn)
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        await furnish(conn)
    finally:
        await conn.close()


async def _measure(dsn: str, watch: Watch, cases: int, rounds: int) -> dict[str, float]:
    pool = await open_pool(dsn, role="bihuan_app", resets=False)
    try:
        sides = {"off": Recording(pool), "on": Recording(pool, watch.metrics)}
        found: dict[str, list[Round]] = {name: [] for name in sides}
        for number in range(-1, rounds):
            # In turns, and each first every other time; the first turn only warms up.
            for name in ("off", "on") if number % 2 else ("on", "off"):
                done = await _record(sides[name], pool, cases)
                if number >= 0:
                    found[name].append(done)
        gauge = ledger_gauge(watch.metrics, pool, since=timedelta(minutes=1))
        watch.gauges += [pool_gauge(watch.metrics, pool), gauge]
        asked, scraped = await _timed(gauge), await _timed(watch.exposition)
    finally:
        await pool.close()
    figures = {
        f"act_{what}_ms_{name}": round(statistics.median(getattr(each, what) for each in found[name]), 3)
        for name in sides
        for what in ("wall", "cpu")
    }
    return {**figures, "gauges_ms": asked, "scrape_ms": scraped}


async def _timed(step: Callable[[], Awaitable[object]]) -> float:
    took = []
    for _ in range(20):
        began = time.perf_counter()
        await step()
        took.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(took), 2)


async def _run(cases: int, rounds: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="bihuan-") as folder:
        async with EmbeddedPostgres(Path(folder) / "postgres") as server, watching("127.0.0.1:0", "worker") as watch:
            await server.create_database("bihuan")
            await _furnish(server.dsn("bihuan"))
            return await _measure(server.dsn("bihuan"), watch, cases, rounds)


def main() -> None:
    """Print what an act costs with and without metrics, medians of the rounds."""
    parser = argparse.ArgumentParser(prog="python -m bench.metering", description="what it costs to be counted")
    parser.add_argument("--cases", type=int, default=20, help="cases of one round and side")
    parser.add_argument("--rounds", type=int, default=9, help="rounds of each side")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    given = parser.parse_args()
    set_up_logging("warning")
    found = asyncio.run(_run(given.cases, given.rounds))
    hand_out("metering", found, as_json=given.json)
    if not given.json:
        for name, value in found.items():
            print(f"{name:16} {value}")
    leave(0)


if __name__ == "__main__":
    main()
