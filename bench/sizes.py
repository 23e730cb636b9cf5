"""``python -m bench.sizes``: what a case takes; the figures behind ``bihuan capacity`` and the worker's memory.

Owns four measurements. The memory of a worker for one open process it keeps, as the slope between two numbers of
them. What one closed loop writes into the logs of PostgreSQL, and what it asks of Temporal's own store. What a closed
case takes in the ledger, table by table with its indexes, over many of them with whole histories.
"""

import argparse
import asyncio
import json
import os
import re
import sqlite3
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import asyncpg
import psutil

from bench.__main__ import _prepare, say
from bench.backup import furnish
from bench.loop import play
from bench.ours import Ours
from console.desk import Desk, new_stream
from ledger.keys import MasterKey
from ledger.vault import Vault
from runtime.codec import PayloadKeys
from runtime.embedded import Instance, own_child
from runtime.leaving import leave
from runtime.logging import set_up_logging
from runtime.pool import open_pool
from runtime.postgres import EmbeddedPostgres
from runtime.settings import Settings
from runtime.temporal import connect
from worker import APP_ROLE

ACTS_OF_AN_OPEN_CASE = 4
"""Register, whistle, dispatch, accept: a department is at it, as with most of what is open."""
AT_ONCE = 8

_PRAGMAS = ("page_size", "page_count", "freelist_count")

_TABLES = """
    select c.relname as name,
           pg_table_size(c.oid) as heap,
           pg_indexes_size(c.oid) as indexes,
           greatest(c.reltuples, 0)::bigint as rows
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.relkind = 'r' and n.nspname = 'public'
    order by pg_total_relation_size(c.oid) desc
"""


async def worker_and_log(folder: Path, cases: int) -> dict[str, Any]:
    """Bytes of worker memory for one kept process, and bytes of WAL for one closed loop."""
    os.environ["BIHUAN_MAX_CACHED_WORKFLOWS"] = str(10 * cases)
    settings = Settings.load(data=folder)
    async with AsyncExitStack() as stack:
        key = MasterKey.load(settings.key_file, create=True)
        begin = ["-m", "runtime.begin", "worker"]
        instance = Instance(folder, migrate=_prepare, children=lambda at: [own_child("worker", begin, at, folder)])
        await stack.enter_async_context(instance)
        endpoints = instance.endpoints
        pool = await open_pool(endpoints.postgres, size=settings.pool_size, role=APP_ROLE, name="bench sizes")
        stack.push_async_callback(pool.close)
        owner: asyncpg.Connection = await asyncpg.connect(endpoints.postgres)
        stack.push_async_callback(owner.close)
        client = await connect(endpoints.temporal, endpoints.namespace, keys=PayloadKeys(key.payload_keys))
        ours = Ours(Desk(client, pool, Vault(key), task_queue=settings.task_queue), pool)
        pid = instance.pid_of("worker")
        assert pid is not None, "the instance has a worker"
        worker = psutil.Process(pid)

        async def opened() -> None:
            stream = new_stream("case")
            for number in range(ACTS_OF_AN_OPEN_CASE):
                await ours.act(stream, number, "")

        async def closed() -> None:
            await play(ours)

        say(f"一个流程占内存 memory of a kept process: {cases} + {cases}")
        empty = worker.memory_info().rss
        await _each(opened, cases)
        first = worker.memory_info().rss
        await _each(opened, cases)
        second = worker.memory_info().rss

        loops = max(20, cases // 8)
        say(f"一次闭环写日志 WAL of a closed loop: {loops}")
        # Every page has been written once since this, so that what follows is the work and not copies of pages.
        await owner.execute("checkpoint")
        await _each(closed, loops)
        asked, stored = _asked_of_the_store(instance), _store(folder)
        before = await owner.fetchval("select pg_current_wal_insert_lsn()::text")
        await _each(closed, loops)
        written = await owner.fetchval("select (pg_current_wal_insert_lsn() - $1::text::pg_lsn)::bigint", before)
        asked_after = _asked_of_the_store(instance)
        requests = {
            name: round((count - asked.get(name, 0)) / loops, 1)
            for name, count in sorted(asked_after.items())
            if count - asked.get(name, 0) >= loops / 2
        }
        return {
            "temporal_store_bytes_per_loop": (_store(folder) - stored) // loops,
            "temporal_store_requests_per_loop": requests,
            "empty_worker_bytes": empty,
            "worker_bytes_per_kept_case": [(first - empty) // cases, (second - first) // cases],
            "wal_bytes_per_loop": int(written) // loops,
        }


def _store(folder: Path) -> int:
    """Bytes of Temporal's own store: SQLite here, without what is free in it."""
    (path,) = folder.rglob("temporal.db")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as conn:
        size, pages, free = (conn.execute(f"pragma {each}").fetchone()[0] for each in _PRAGMAS)
    return int(size * (pages - free))


def _asked_of_the_store(instance: Instance) -> dict[str, int]:
    """How often each operation was asked of Temporal's store so far, as its server counts."""
    pid = instance.pid_of("temporal")
    assert pid is not None, "the instance has a Temporal server"
    words = psutil.Process(pid).cmdline()
    port = words[words.index("--metrics-port") + 1]
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found: dict[str, int] = {}
    for line in lines:
        if line.startswith("persistence_requests") and (named := re.search(r'operation="(\w+)"', line)):
            found[named[1]] = found.get(named[1], 0) + int(float(line.rpartition(" ")[2]))
    return found


async def ledger(folder: Path, cases: int) -> dict[str, Any]:
    """Bytes of the ledger for one case, in all and by table; eleven of twelve cases are closed."""
    async with EmbeddedPostgres(folder / "postgres") as server:
        say(f"账本 the ledger: {cases}")
        (folder / "data").mkdir()
        await furnish(server.dsn(), folder / "data", cases)
        conn: asyncpg.Connection = await asyncpg.connect(server.dsn())
        try:
            rows = await conn.fetch(_TABLES)
        finally:
            await conn.close()
    tables = {
        row["name"]: {
            "rows": row["rows"] / cases,
            "heap_bytes": row["heap"] // cases,
            "index_bytes": row["indexes"] // cases,
        }
        for row in rows
        if row["heap"] + row["indexes"] >= cases
    }
    total = sum(each["heap_bytes"] + each["index_bytes"] for each in tables.values())
    return {"ledger_bytes_per_case": total, "tables_per_case": tables}


async def _each(act: Callable[[], Awaitable[None]], times: int) -> None:
    left = iter(range(times))

    async def some() -> None:
        for _ in left:
            await act()

    await asyncio.gather(*(some() for _ in range(AT_ONCE)))


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.sizes", description=__doc__)
    parser.add_argument("--kept", type=int, default=1_000, help="open cases in each half of the worker's memory")
    parser.add_argument("--cases", type=int, default=20_000, help="cases in the ledger")
    arguments = parser.parse_args()
    set_up_logging("warning")
    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
        found = asyncio.run(worker_and_log(Path(folder), arguments.kept))
    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
        found |= asyncio.run(ledger(Path(folder), arguments.cases))
    print(json.dumps(found, ensure_ascii=False, indent=2))
    leave(0)


if __name__ == "__main__":
    main()
