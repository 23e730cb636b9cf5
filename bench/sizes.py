"""``python -m bench.sizes``: what a case takes on disks; the figures behind ``bihuan capacity``.

Owns three measurements. What one closed loop writes into the logs of PostgreSQL, and what it asks of Temporal's own
store and leaves there. What a case takes in the ledger, table by table with its indexes, over many of them with whole
histories but without notices, which are measured with the loops. The memory of a worker is measured by
``bench.open_cases``.
"""

import argparse
import asyncio
import re
import sqlite3
import tempfile
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import asyncpg
import psutil

from bench.backup import furnish
from bench.loop import play
from bench.office import Office, each_of, office
from bench.results import hand_out, say
from runtime.leaving import leave
from runtime.logging import set_up_logging
from runtime.postgres import EmbeddedPostgres

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

_NOTICES = """
    select sum(pg_total_relation_size(each)) from unnest(array['notice', 'routing', 'delivery']::regclass[]) each
"""

_WAL = "select wal_records, wal_fpi, wal_bytes::bigint as wal_bytes from pg_stat_wal"


async def one_loop(folder: Path, loops: int) -> dict[str, Any]:
    """What one closed loop writes: the mean of ``loops``, eight at once, after as many that are not counted."""
    async with office(folder) as here:

        async def closed(_number: int) -> None:
            await play(here.ours)

        say(f"一次闭环写多少 what a closed loop writes: {loops} + {loops}")
        # Pages that are written for the first time since this are written whole: count them apart.
        await here.plain.execute("checkpoint")
        await each_of(range(loops), closed)
        asked, stored, wal = _asked_of_the_store(here), _store(folder), await _wal(here)
        await each_of(range(loops), closed)
        asked_after, stored_after = _asked_of_the_store(here), _store(folder)
        wal_after = await _wal(here)
        notices = await here.plain.fetchval(_NOTICES)
    requests = {
        name: round((count - asked.get(name, 0)) / loops, 1)
        for name, count in sorted(asked_after.items())
        if count - asked.get(name, 0) >= loops / 2
    }
    written = {name: round((wal_after[name] - wal[name]) / loops, 1) for name in wal}
    return {
        "wal_per_loop": written,
        "notice_bytes_per_loop": int(notices) // (2 * loops),
        "temporal_store_bytes_per_loop": (stored_after - stored) // loops,
        "temporal_store_requests_per_loop": requests,
    }


async def _wal(here: Office) -> dict[str, int]:
    row = await here.plain.fetchrow(_WAL)
    assert row is not None, "the view has one row"
    return dict(row)


def _store(folder: Path) -> int:
    """Bytes of Temporal's own store: SQLite here, without what is free in it."""
    (path,) = folder.rglob("temporal.db")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as conn:
        size, pages, free = (conn.execute(f"pragma {each}").fetchone()[0] for each in _PRAGMAS)
    return int(size * (pages - free))


def _asked_of_the_store(here: Office) -> dict[str, int]:
    """How often each operation was asked of Temporal's store so far, as its server counts."""
    words = psutil.Process(here.pid("temporal")).cmdline()
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


def main() -> None:
    """Read the arguments, measure, hand out."""
    parser = argparse.ArgumentParser(prog="python -m bench.sizes", description=__doc__)
    parser.add_argument("--loops", type=int, default=200, help="loops that are counted")
    parser.add_argument("--cases", type=int, default=20_000, help="cases in the ledger")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    arguments = parser.parse_args()
    set_up_logging("warning")
    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
        found = asyncio.run(one_loop(Path(folder), arguments.loops))
    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
        found |= asyncio.run(ledger(Path(folder), arguments.cases))
    hand_out("sizes", found, as_json=arguments.json)
    leave(0)


if __name__ == "__main__":
    main()
