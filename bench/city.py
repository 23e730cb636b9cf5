"""``python -m bench.city``: a ledger of a whole city: how long it takes to fill, read and rebuild, how large it is.

Owns the order of the steps and the bars: a city of a million requests is written, and all its read models are rebuilt,
within a quarter of an hour each, and in proportion for a smaller one; what is read keeps the bars of
``bench.reading``. ``--folder`` keeps the city (about 30 GB for a million requests), and a second run on it measures
without filling again. The exit code is 0 when every bar is reached.
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from bench import reading
from bench.meters import Meter
from bench.results import hand_out, keep, say
from console.city.building import build
from console.instance import prepare_ledger
from console.progress import Told
from console.rebuilding import rebuild_all
from ledger.rebuild import TABLES
from runtime.leaving import leave
from runtime.logging import set_up_logging
from runtime.postgres import EmbeddedPostgres

UNTIL = datetime(2026, 11, 27, 4, 0, tzinfo=UTC)
"""When the history of the city ends: nothing of it depends on the day of the measurement."""

SEED_BAR_US = REBUILD_BAR_US = 900
"""Microseconds for each request: a quarter of an hour for a million."""

SHIPPED = Path(__file__).parents[1] / "deploy" / "postgres" / "postgresql.conf"
"""PostgreSQL's settings for an office that outgrows ``bihuan up``: a city is measured with them."""

_ELSEWHERE = frozenset({"listen_addresses", "wal_compression"})
"""What of them is for a server in the network, and what is a matter of how a server was built."""

CASES = 20_000

READ_TIMES = 20
"""How often each question of reading is asked."""

Section = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where the city stands: the server, the address of its database, how many requests it is to have."""

    server: EmbeddedPostgres
    dsn: str
    cases: int


Step = Callable[[Place], Awaitable[Section]]
"""Measures one thing and says what it found; a section with ``passed: False`` has missed its bar."""


def shipped_settings() -> dict[str, str]:
    """The settings of ``SHIPPED`` that this server can take, by name."""
    lines = SHIPPED.read_text("utf-8").splitlines()
    given = dict(line.split(" = ", 1) for line in lines if line and not line.startswith("#"))
    return {name: value.strip("'") for name, value in given.items() if name not in _ELSEWHERE}


def _tenths(done_with: str) -> Told:
    """Somewhere to tell the count to, which says at every tenth part how many requests are ``done_with``."""
    shown = 0

    def told(done: int, total: int) -> None:
        nonlocal shown
        if total and (done * 10 // total) > shown:
            shown = done * 10 // total
            say(f"  {done} of {total} requests {done_with}")

    return told


class _Watch:
    """Seconds by the clock, and of processor time of the server and of all our own processes."""

    def __init__(self, place: Place) -> None:
        assert place.server.pid is not None, "the server runs while it is measured"
        self._meter = Meter({"server": place.server.pid})
        self._before, self._own, self._began = self._meter.read()["server"], os.times(), time.monotonic()

    def read(self, cases: int, bar_us: int) -> Section:
        """What was used since it was made."""
        took, own = time.monotonic() - self._began, os.times()
        server = (self._meter.read()["server"] - self._before) / 1_000_000
        ours = sum(own[:4]) - sum(self._own[:4])
        return {
            "seconds": round(took, 1),
            "server_cpu_seconds": round(server, 1),
            "own_cpu_seconds": round(ours, 1),
            "per_case_us": round(took / cases * 1_000_000),
            "bar_us": bar_us,
            "passed": took / cases * 1_000_000 <= bar_us,
        }


async def seed(place: Place) -> Section:
    """Fill the ledger, unless the city is there."""
    conn: asyncpg.Connection = await asyncpg.connect(place.dsn)
    try:
        there = await conn.fetchval("select to_regclass('case_row') is not null") and await conn.fetchval(
            "select count(*) from case_row"
        )
    finally:
        await conn.close()
    if there:
        return {"cases": there, "kept": True}
    await prepare_ledger(place.dsn)
    watch = _Watch(place)
    built = await build(place.dsn, place.cases, seed=1, until=UNTIL, by="bench", told=_tenths("written"))
    return {**built.model_dump(), **watch.read(place.cases, SEED_BAR_US)}


async def sizes(place: Place) -> Section:
    """How large the tables and their indexes are, in bytes, and what that makes for each request."""
    conn: asyncpg.Connection = await asyncpg.connect(place.dsn)
    try:
        rows = await conn.fetch(
            """
            select relname::text as name, pg_table_size(oid) as bytes, pg_indexes_size(oid) as indexes,
                reltuples::bigint as rows
            from pg_class
            where relkind = 'r' and relnamespace = 'public'::regnamespace
            order by pg_total_relation_size(oid) desc
            limit 10
            """
        )
        indexes = await conn.fetch(
            """
            select i.indexrelid::regclass::text as name, pg_relation_size(i.indexrelid) as bytes
            from pg_index i join pg_class c on c.oid = i.indrelid
            where c.relnamespace = 'public'::regnamespace
            order by 2 desc
            limit 12
            """
        )
        whole = await conn.fetchval("select pg_database_size(current_database())")
    finally:
        await conn.close()
    return {
        "database_bytes": whole,
        "bytes_per_case": whole // place.cases,
        "tables": {row["name"]: {key: row[key] for key in ("rows", "bytes", "indexes")} for row in rows},
        "indexes": {row["name"]: row["bytes"] for row in indexes},
    }


async def rebuild_lost(place: Place) -> Section:
    """Every read model is lost and made anew from the log."""
    conn: asyncpg.Connection = await asyncpg.connect(place.dsn)
    try:
        await conn.execute("truncate " + ", ".join(TABLES))
    finally:
        await conn.close()
    return await _rebuilt(place)


async def rebuild_sound(place: Place) -> Section:
    """Every read model is compared with the log while others may work; nothing may differ."""
    return await _rebuilt(place)


async def _rebuilt(place: Place) -> Section:
    watch = _Watch(place)
    done = await rebuild_all(place.dsn, told=_tenths("rebuilt"))
    found = watch.read(place.cases, REBUILD_BAR_US)
    found["passed"] = found["passed"] and not done.differing and not done.strays
    return {"streams": done.streams, "rows": done.rows, "anew": done.anew, "differing": done.differing, **found}


async def read(place: Place) -> Section:
    """What it takes to read from it: lists, search, one case as of an instant, statistics, the board."""
    conn: asyncpg.Connection = await asyncpg.connect(place.dsn)
    try:
        known, found = await reading.measure(conn, READ_TIMES)
    finally:
        await conn.close()
    whole = reading.as_object(known, found)
    keep("reading", whole)
    return {key: whole[key] for key in ("open", "passed", "kinds")}


STEPS: Mapping[str, Step] = {
    "seed": seed,
    "sizes": sizes,
    "read": read,
    "rebuild": rebuild_lost,
    "compare": rebuild_sound,
}
"""What is measured, in this order."""


async def measure(folder: Path, cases: int, wanted: frozenset[str]) -> dict[str, Section]:
    """Run the wanted steps on the city in ``folder``, which is made where it is missing."""
    found: dict[str, Section] = {}
    async with EmbeddedPostgres(folder / "postgres", settings=shipped_settings()) as server:
        place = Place(server, server.dsn(), cases)
        for name, step in STEPS.items():
            if name in wanted:
                say(f"{name} …")
                found[name] = await step(place)
    return found


def show(found: Mapping[str, Section]) -> None:
    """The figures for people."""
    for name, section in found.items():
        print(f"{name}{'' if section.get('passed', True) else '   MISSED ITS BAR'}")
        for key, value in section.items():
            if isinstance(value, dict):
                for inner, each in value.items():
                    print(f"  {key} {inner}: {each}")
            else:
                print(f"  {key}: {value}")


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.city", description=__doc__.split("\n")[0])
    parser.add_argument("--cases", type=int, default=CASES, help=f"how many requests (default {CASES})")
    parser.add_argument("--folder", type=Path, help="keep the city here, or measure the one that is here")
    parser.add_argument("--only", action="append", choices=list(STEPS), help="this step only; may be repeated")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    given = parser.parse_args()
    set_up_logging("error")
    with ExitStack() as stack:
        folder = given.folder
        if folder is None:
            # A folder inside: as root the database server is another user, and must be let through.
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bihuan-bench-"))) / "city"
        found = asyncio.run(measure(folder, given.cases, frozenset(given.only or STEPS)))
    hand_out("city", {"cases": given.cases, **found}, as_json=given.json)
    if not given.json:
        show(found)
    leave(0 if all(section.get("passed", True) for section in found.values()) else 1)


if __name__ == "__main__":
    main()
