"""``python -m bench.lists``: how long lists, search and inboxes take with a hundred thousand cases in the ledger.

Owns the questions that are asked and the bar they must reach: p95 of 100 ms for each. The exit code is 0 when all
reach it.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg

from bench.crowd import FREQUENT, NOW, RARE, fill
from bench.results import hand_out
from domain.people import Actor, Role
from domain.registry import Registry
from domain.rights import EVERYTHING, Reach, Subject
from ledger.migrate import migrate
from ledger.queries import CaseFilter, Sort, count_cases, list_cases
from ledger.suggestions import similar_cases, usual_leads
from ledger.work import list_work
from runtime.leaving import leave
from runtime.postgres import EmbeddedPostgres

BAR_MS = 100.0

STREET = Reach(streets=frozenset({"S02"}))
COMMUNITY = Reach(communities=frozenset({"C0203"}))
GRID = Reach(grids=frozenset({"G020304"}))
SMALL = Reach(departments=frozenset({"D09"}))
LARGE = Reach(departments=frozenset({"D01"}))
MIXED = Reach(communities=frozenset({"C0203"}), grids=frozenset({"G010101", "G010102"}), departments=frozenset({"D09"}))
REACHES = {
    "everything": EVERYTHING, "street": STREET, "community": COMMUNITY, "grid": GRID, "small department": SMALL,
    "large department": LARGE, "mixed": MIXED,
}  # fmt: skip

FILTERS: dict[str, CaseFilter] = {
    "no filter": CaseFilter(),
    "open": CaseFilter(finished=False),
    "stage": CaseFilter(stages=("handling", "returned")),
    "overdue open": CaseFilter(overdue=True, finished=False),
    "red": CaseFilter(light="red"),
    "supervised": CaseFilter(supervised=True),
    "mode and urgency": CaseFilter(mode="within_limit", urgency="emergency"),
    "category": CaseFilter(category="K08"),
    "handler": CaseFilter(handler="h-D03-07"),
    "small department": CaseFilter(department="D09"),
    "last month": CaseFilter(registered_from=NOW - timedelta(days=30)),
    "shelved": CaseFilter(shelved=True),
}

SEARCHES = {
    "frequent word": FREQUENT,
    "frequent topic": "电梯停运",
    "rare words": RARE,
    "no such word": "紫色风车",
    "address": "团结湖12号楼3单元电梯",
    "two words": "电梯 消防",
    "one character": "梯",
    "one rare character": "琉",
    "id": "case-3f",
    "number": "202600000123",
    "full width": "１２号楼",
}


@dataclass
class Times:
    """How long each asking of a question took, in milliseconds."""

    name: str
    took: list[float] = field(default_factory=list)

    @property
    def p95(self) -> float:
        """The time 19 of 20 stay within."""
        return statistics.quantiles(self.took, n=20)[-1] if len(self.took) > 1 else self.took[0]

    @property
    def median(self) -> float:
        """The middle time."""
        return statistics.median(self.took)


Question = Callable[[asyncpg.Connection], Awaitable[Any]]


def _list(wanted: CaseFilter, reach: Reach, sort: Sort) -> Question:
    async def ask(conn: asyncpg.Connection) -> None:
        await list_cases(conn, wanted, reach=reach, sort=sort, limit=50)

    return ask


def _count(wanted: CaseFilter, reach: Reach) -> Question:
    async def ask(conn: asyncpg.Connection) -> None:
        await count_cases(conn, wanted, reach=reach)

    return ask


def questions() -> dict[str, Question]:
    """Every filter and search under every reach, in both orders, and what suggestions and workbenches ask."""
    asked: dict[str, Question] = {}
    for far, reach in REACHES.items():
        for name, wanted in FILTERS.items():
            for sort in Sort:
                asked[f"list · {name} · {far} · by {sort}"] = _list(wanted, reach, sort)
        for name, words in SEARCHES.items():
            asked[f"search · {name} · {far}"] = _list(CaseFilter(q=words), reach, Sort.REGISTERED)
            asked[f"count · {name} · {far}"] = _count(CaseFilter(q=words), reach)
        asked[f"search · frequent word by due · {far}"] = _list(CaseFilter(q=FREQUENT), reach, Sort.DUE)
        asked[f"search · rare words by due · {far}"] = _list(CaseFilter(q=RARE), reach, Sort.DUE)
    return asked | {f"work · {name}": _work(actor) for name, actor in _PEOPLE.items()} | _suggestions()


_PEOPLE = {
    "handler": Actor(person="h-D03-07", role=Role.DEPARTMENT_HANDLER, organisation="D03"),
    "community": Actor(person="p-1", role=Role.COMMUNITY, organisation="C0203"),
    "supervisor": Actor(person="p-2", role=Role.SUPERVISOR),
}


def _work(actor: Actor) -> Question:
    async def ask(conn: asyncpg.Connection) -> None:
        await list_work(conn, Subject(person=actor.person, holds=(actor,)), Registry())

    return ask


def _suggestions() -> dict[str, Question]:
    async def similar(conn: asyncpg.Connection) -> None:
        await similar_cases(conn, grid="G020304", title="团结湖12号楼电梯停运", text="电梯停运，影响老人出行", now=NOW)

    async def leads(conn: asyncpg.Connection) -> None:
        await usual_leads(conn, category="K02", street="S01", now=NOW)

    return {"similar cases": similar, "usual leads": leads}


async def measure(conn: asyncpg.Connection, times: int) -> list[Times]:
    """Ask every question ``times`` times, in turn."""
    asked = questions()
    found = {name: Times(name) for name in asked}
    for ask in asked.values():
        await ask(conn)
    for _ in range(times):
        for name, ask in asked.items():
            begun = time.perf_counter()
            await ask(conn)
            found[name].took.append((time.perf_counter() - begun) * 1000)
    return sorted(found.values(), key=lambda each: -each.p95)


async def run(count: int, times: int, show: int, *, as_json: bool, dsn: str | None) -> bool:
    """Measure on a database of our own, or on the filled one at ``dsn``; True when the bar is reached."""
    if dsn is not None:
        return await _run_on(dsn, count, times, show, as_json=as_json)
    with tempfile.TemporaryDirectory(prefix="bihuan-") as folder:
        async with EmbeddedPostgres(Path(folder) / "postgres") as server:
            await server.create_database("lists")
            await migrate(server.dsn("lists"))
            conn: asyncpg.Connection = await asyncpg.connect(server.dsn("lists"))
            begun = time.perf_counter()
            await fill(conn, count)
            print(f"{count} cases written in {time.perf_counter() - begun:.1f} s", file=sys.stderr)
            await conn.close()
            return await _run_on(server.dsn("lists"), count, times, show, as_json=as_json)


async def _run_on(dsn: str, count: int, times: int, show: int, *, as_json: bool) -> bool:
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        found = await measure(conn, times)
    finally:
        await conn.close()
    rows = [{"name": e.name, "median_ms": round(e.median, 2), "p95_ms": round(e.p95, 2)} for e in found]
    hand_out("lists", {"cases": count, "bar_ms": BAR_MS, "questions": rows}, as_json=as_json)
    if not as_json:
        for each in found[:show]:
            print(f"{each.p95:8.1f} ms p95 {each.median:8.1f} ms median  {each.name}")
        print(f"{len(found)} questions, slowest p95 {found[0].p95:.1f} ms, bar {BAR_MS:.0f} ms")
    return found[0].p95 <= BAR_MS


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.lists", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=20, help="how often each question is asked")
    parser.add_argument("--show", type=int, default=25, help="how many of the slowest are shown")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--dsn", help="a filled database to ask instead of one of our own")
    args = parser.parse_args()
    reached = asyncio.run(run(args.cases, args.times, args.show, as_json=args.json, dsn=args.dsn))
    leave(0 if reached else 1)


if __name__ == "__main__":
    main()
