"""``python -m bench.figures``: how long statistics and the board take with a hundred thousand cases in the ledger.

Owns the questions and the bars they must reach at p95: 300 ms for the data of a page of statistics, 100 ms for the
board. The exit code is 0 when all do.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg

from bench.crowd import NOW, fill
from bench.lists import COMMUNITY, MIXED, STREET, Times
from bench.results import hand_out
from domain.rights import EVERYTHING, Reach
from ledger.board import read_board
from ledger.figures import Group, LedgerColumn, Selection, Side, cases_of, ledger_cases, one_figure, open_ledger, table
from ledger.migrate import migrate
from runtime.leaving import leave
from runtime.postgres import EmbeddedPostgres

PAGE_MS, BOARD_MS = 300.0, 100.0

YEARS = Selection(begin=NOW - timedelta(days=730), end=NOW)
MONTH = Selection(begin=NOW - timedelta(days=30), end=NOW)
REACHES: dict[str, Reach] = {"everything": EVERYTHING, "street": STREET, "community": COMMUNITY, "mixed": MIXED}

Question = tuple[float, Callable[[asyncpg.Connection], Awaitable[Any]]]


def questions() -> dict[str, Question]:
    """Every kind of question under every reach, with its bar."""
    asked: dict[str, Question] = {}
    for far, reach in REACHES.items():
        for name, chosen in (("two years", YEARS), ("a month", MONTH)):
            asked[f"statistics · {name} · {far}"] = PAGE_MS, _table(chosen, reach)
            asked[f"one figure · {name} · {far}"] = PAGE_MS, _one(chosen, reach)
            asked[f"its cases · {name} · {far}"] = PAGE_MS, _cases(chosen, reach)
        asked[f"open ledger · a month · {far}"] = PAGE_MS, _ledger(reach)
        asked[f"board · {far}"] = BOARD_MS, _board(reach)
    return asked


def _table(chosen: Selection, reach: Reach) -> Callable[[asyncpg.Connection], Awaitable[Any]]:
    return lambda conn: table(conn, chosen, reach=reach, by=Group.COMMUNITY)


def _one(chosen: Selection, reach: Reach) -> Callable[[asyncpg.Connection], Awaitable[Any]]:
    return lambda conn: one_figure(conn, "on_time", chosen, reach=reach)


def _cases(chosen: Selection, reach: Reach) -> Callable[[asyncpg.Connection], Awaitable[Any]]:
    return lambda conn: cases_of(conn, "on_time", chosen, side=Side.MISS, reach=reach)


def _ledger(reach: Reach) -> Callable[[asyncpg.Connection], Awaitable[Any]]:
    async def ask(conn: asyncpg.Connection) -> None:
        await open_ledger(conn, MONTH.begin, MONTH.end, reach=reach)
        await ledger_cases(conn, LedgerColumn.SETTLED, MONTH.begin, MONTH.end, reach=reach)

    return ask


def _board(reach: Reach) -> Callable[[asyncpg.Connection], Awaitable[Any]]:
    return lambda conn: read_board(conn, NOW, reach=reach)


async def measure(conn: asyncpg.Connection, times: int) -> list[tuple[Times, float]]:
    """Ask every question ``times`` times, in turn; with the bar of each."""
    asked = questions()
    found = {name: Times(name) for name in asked}
    for _, ask in asked.values():
        await ask(conn)
    for _ in range(times):
        for name, (_, ask) in asked.items():
            begun = time.perf_counter()
            await ask(conn)
            found[name].took.append((time.perf_counter() - begun) * 1000)
    return sorted(((found[name], bar) for name, (bar, _) in asked.items()), key=lambda each: -each[0].p95 / each[1])


async def run(count: int, times: int, *, as_json: bool) -> bool:
    """Measure on a database of our own; True when every bar is reached."""
    with tempfile.TemporaryDirectory(prefix="bihuan-") as folder:
        async with EmbeddedPostgres(Path(folder) / "postgres") as server:
            await server.create_database("figures")
            await migrate(server.dsn("figures"))
            conn: asyncpg.Connection = await asyncpg.connect(server.dsn("figures"))
            begun = time.perf_counter()
            await fill(conn, count)
            await conn.execute("vacuum analyze case_figure")
            print(f"{count} cases written in {time.perf_counter() - begun:.1f} s", file=sys.stderr)
            found = await measure(conn, times)
            await conn.close()
    rows = [
        {"name": e.name, "median_ms": round(e.median, 2), "p95_ms": round(e.p95, 2), "bar_ms": bar} for e, bar in found
    ]
    hand_out("figures", {"cases": count, "questions": rows}, as_json=as_json)
    if not as_json:
        for each, bar in found:
            print(f"{each.p95:8.1f} ms p95 {each.median:8.1f} ms median, bar {bar:.0f} ms  {each.name}")
    return all(each.p95 <= bar for each, bar in found)


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.figures", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=20, help="how often each question is asked")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    leave(0 if asyncio.run(run(args.cases, args.times, as_json=args.json)) else 1)


if __name__ == "__main__":
    main()
