"""Reading the ledger at size: what lists, filters, search, one case as of an instant, statistics and the board take.

Owns the questions, who asks them, and the bars their 95th percentiles must reach. Asks a furnished database and
writes nothing; places, departments and words are picked from what stands in it, so that it serves any town.
``python -m bench.reading --dsn …`` asks one, ``python -m bench.city`` furnishes one first. The exit code is 0 when
every bar is reached.
"""

import argparse
import asyncio
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from bench.results import hand_out, say
from domain.people import Actor, Role
from domain.registry import Registry
from domain.rights import EVERYTHING, Reach, Subject
from ledger.acting import state_of
from ledger.board import read_board
from ledger.figures import Group, LedgerColumn, Selection, Side, cases_of, ledger_cases, one_figure, open_ledger, table
from ledger.queries import CaseFilter, Sort, count_cases, count_each, inbox, list_cases
from ledger.work import count_work, list_work
from runtime.leaving import leave

BARS_MS: Mapping[str, float] = {"list": 50.0, "search": 100.0, "as_of": 20.0, "statistics": 300.0, "board": 300.0}
"""The bar of each kind of question: 19 of 20 askings of all its questions stay within."""

UNKEPT = "unkept"
"""A kind without a bar: what no sum tells apart and no place narrows, a whole city by grids."""

DEEP = 40
"""Pages turned before the deep page of a list is asked for."""

_AS_OF = 200

Ask = Callable[[asyncpg.Connection], Awaitable[Any]]


@dataclass
class Times:
    """How long each asking of a question took, in milliseconds, and what kind of question it is."""

    kind: str
    name: str
    took: list[float] = field(default_factory=list)

    @property
    def p50(self) -> float:
        """The middle time."""
        return statistics.median(self.took)

    @property
    def p95(self) -> float:
        """The time 19 of 20 stay within."""
        return statistics.quantiles(self.took, n=20)[-1] if len(self.took) > 1 else self.took[0]

    @property
    def used(self) -> float:
        """Which part of its bar the question uses up."""
        return self.p95 / BARS_MS.get(self.kind, float("inf"))


@dataclass(frozen=True)
class Known:
    """What the database holds that questions can name; ``words`` by how often they come."""

    now: datetime
    cases: int
    open: int
    reaches: Mapping[str, Reach]
    filters: Mapping[str, CaseFilter]
    words: Mapping[str, str]
    people: Mapping[str, Actor]
    streams: Sequence[tuple[str, datetime]]


# --- what there is ----------------------------------------------------------------------------------------------------


async def look(conn: asyncpg.Connection, seed: int = 7) -> Known:
    """Pick what to ask for: the busiest and a small street, department and so on, and words out of the texts."""
    dice = random.Random(seed)
    now: datetime = await conn.fetchval("select max(registered_at) from case_row")
    street, quiet = await _ends(conn, "street")
    community, _ = await _ends(conn, "community")
    grid, _ = await _ends(conn, "grid")
    lead, small = await _ends(conn, "lead")
    category, rare_category = await _ends(conn, "category")
    person = await conn.fetchval(
        "select person from task where person is not null group by person order by count(*) desc limit 1"
    )
    opened_by = await conn.fetchval("select opened_by from case_row order by registered_at desc limit 1")
    recent = timedelta(days=3)
    return Known(
        now=now,
        cases=await conn.fetchval("select count(*) from case_row"),
        open=await conn.fetchval("select count(*) from case_row where not finished"),
        reaches={
            "everything": EVERYTHING,
            "street": Reach(streets=frozenset({street})),
            "community": Reach(communities=frozenset({community})),
            "grid": Reach(grids=frozenset({grid}), people=frozenset({opened_by})),
            "large department": Reach(departments=frozenset({lead})),
            "small department": Reach(departments=frozenset({small})),
            "mixed": Reach(communities=frozenset({community}), grids=frozenset({grid}), departments=frozenset({small})),
        },
        filters={
            "no filter": CaseFilter(),
            "open": CaseFilter(finished=False),
            "stage": CaseFilter(stages=("handling", "returned")),
            "overdue open": CaseFilter(overdue=True, finished=False),
            "red": CaseFilter(light="red"),
            "supervised": CaseFilter(supervised=True),
            "unanswered": CaseFilter(unanswered=True),
            "raised": CaseFilter(raised=True),
            "ladder": CaseFilter(rungs=("remind", "urge", "supervise"), finished=False),
            "mode and urgency": CaseFilter(mode="within_limit", urgency="emergency"),
            "urgency of a stage": CaseFilter(urgency="complex", stages=("whistled",)),
            "source": CaseFilter(source="12345", finished=False),
            "category": CaseFilter(category=category),
            "rare category": CaseFilter(category=rare_category, urgency="complex"),
            "quiet street": CaseFilter(street=quiet),
            "community and category": CaseFilter(community=community, category=rare_category),
            "handler": CaseFilter(handler=person),
            "large department": CaseFilter(department=lead),
            "small department": CaseFilter(department=small),
            "lead's red": CaseFilter(department=lead, light="red"),
            "last days": CaseFilter(registered_from=now - recent),
            "days long ago": CaseFilter(registered_from=now - recent * 4, registered_to=now - recent * 3, light="red"),
            "shelved": CaseFilter(shelved=True),
            "nothing fits": CaseFilter(urgency="emergency", category="none", light="red"),
        },
        words=await _words(conn),
        people={
            "handler": Actor(person=person, role=Role.DEPARTMENT_HANDLER, organisation=lead),
            "head": Actor(person="p-0", role=Role.DEPARTMENT_HEAD, organisation=lead),
            "community": Actor(person="p-1", role=Role.COMMUNITY, organisation=community),
            "grid worker": Actor(person=opened_by, role=Role.GRID_WORKER, grid=grid),
            "dispatcher": Actor(person="p-2", role=Role.STREET_DISPATCHER, organisation=street),
            "supervisor": Actor(person="p-3", role=Role.SUPERVISOR),
        },
        streams=[
            (row["stream"], row["at"] + timedelta(seconds=dice.random()))
            for row in await conn.fetch(
                """
                select l.stream, l.at
                from (select id from case_row order by md5(id) limit $1) c
                cross join lateral (
                    select stream, at from event e where e.stream = c.id order by md5(e.id::text) limit 1
                ) l
                """,
                _AS_OF,
            )
        ],
    )


async def _ends(conn: asyncpg.Connection, column: str) -> tuple[str, str]:
    """The value of the column that most cases have, and the one that fewest have."""
    rows = await conn.fetch(
        f"select {column} as code from case_row where {column} is not null group by 1 order by count(*) desc, 1"
    )
    return rows[0]["code"], rows[-1]["code"]


async def _words(conn: asyncpg.Connection) -> dict[str, str]:
    """Pairs of characters by how often they come, a word of one case, and what people type besides."""
    rows = await conn.fetch(
        """
        select g as gram, count(*) as cases
        from (select plain from case_text order by md5(id) limit 3000) t
        cross join lateral unnest(cjk_grams(t.plain)) g
        where length(g) = 2 and g ~ '^[一-龥]{2}$'
        group by g
        order by cases desc, g
        """
    )
    grams = [row["gram"] for row in rows]
    some = await conn.fetchrow("select id, plain from case_text order by md5(id) limit 1")
    assert some is not None, "there are cases"
    middle, rare = grams[len(grams) // 4], grams[-1]
    return {
        "the commonest pair": grams[0],
        "噪音": "噪音",
        "a pair of every hundredth": next((r["gram"] for r in rows if r["cases"] <= 30), rare),
        "a middling pair": middle,
        "a rare pair": rare,
        "one text": some["plain"].split()[-1][:20],
        "two common pairs": f"{grams[0]} {grams[3]}",
        "common and rare": f"{grams[0]} {rare}",
        "common pairs never together": f"{grams[len(grams) // 6]} {grams[len(grams) // 5]} {middle}",
        "no such word": "紫色风车",
        "no such number": "98761号楼",
        "a number": "12号楼3",
        "one character": grams[0][0],
        "one rare character": rare[0],
        "an id": some["id"][:12],
        "full width": "１２号楼",
    }


# --- the questions ----------------------------------------------------------------------------------------------------


def _list(wanted: CaseFilter, reach: Reach, sort: Sort, cursor: str | None = None) -> Ask:
    return lambda conn: list_cases(conn, wanted, reach=reach, sort=sort, limit=50, cursor=cursor)


def _count(wanted: CaseFilter, reach: Reach) -> Ask:
    return lambda conn: count_cases(conn, wanted, reach=reach)


async def lists(conn: asyncpg.Connection, known: Known) -> dict[str, tuple[str, Ask]]:
    """Every filter within every reach in both orders, its count, and a page in the depth of it."""
    asked: dict[str, tuple[str, Ask]] = {}
    for far, reach in known.reaches.items():
        for name, wanted in known.filters.items():
            asked[f"count · {name} · {far}"] = "list", _count(wanted, reach)
            for sort in Sort:
                asked[f"list · {name} · {far} · by {sort}"] = "list", _list(wanted, reach, sort)
                if (deep := await _deep(conn, wanted, reach, sort)) is not None:
                    asked[f"page {DEEP} · {name} · {far} · by {sort}"] = "list", _list(wanted, reach, sort, deep)
    return asked | _work(known)


async def _deep(conn: asyncpg.Connection, wanted: CaseFilter, reach: Reach, sort: Sort) -> str | None:
    cursor = None
    for _ in range(DEEP * 50 // 200):
        page = await list_cases(conn, wanted, reach=reach, sort=sort, limit=200, cursor=cursor)
        if page.next is None:
            return cursor
        cursor = page.next
    return cursor


def _work(known: Known) -> dict[str, tuple[str, Ask]]:
    asked: dict[str, tuple[str, Ask]] = {}
    for name, actor in known.people.items():
        subject = Subject(person=actor.person, holds=(actor,))

        def work(conn: asyncpg.Connection, subject: Subject = subject) -> Awaitable[Any]:
            return list_work(conn, subject, Registry())

        def waiting(conn: asyncpg.Connection, subject: Subject = subject) -> Awaitable[Any]:
            return count_work(conn, subject, Registry(), now=known.now, tomorrow=known.now + timedelta(days=1))

        def tasks(conn: asyncpg.Connection, actor: Actor = actor) -> Awaitable[Any]:
            return inbox(conn, organisation=actor.organisation, person=None if actor.organisation else actor.person)

        asked |= {f"work · {name}": ("list", work), f"work counted · {name}": ("list", waiting)}
        asked[f"inbox · {name}"] = "list", tasks
    desk = ("overdue open", "red", "supervised", "unanswered", "raised", "ladder", "shelved")
    tiles = {key: known.filters[key] for key in desk}
    for far, reach in known.reaches.items():

        def counted(conn: asyncpg.Connection, reach: Reach = reach) -> Awaitable[Any]:
            return count_each(conn, tiles, reach=reach)

        asked[f"supervisor's desk · counts · {far}"] = "list", counted
    return asked


def searches(known: Known) -> dict[str, tuple[str, Ask]]:
    """Every word within every reach: its cases, their number, and the most urgent of them."""
    asked: dict[str, tuple[str, Ask]] = {}
    for far, reach in known.reaches.items():
        for name, words in known.words.items():
            for more, wanted in (("", CaseFilter(q=words)), (" · open", CaseFilter(q=words, finished=False))):
                asked[f"search · {name}{more} · {far}"] = "search", _list(wanted, reach, Sort.REGISTERED)
            asked[f"search · {name} · {far} · by due"] = "search", _list(CaseFilter(q=words), reach, Sort.DUE)
            asked[f"count · {name} · {far}"] = "search", _count(CaseFilter(q=words), reach)
        asked[f"search · red 噪音 · {far}"] = "search", _list(CaseFilter(q="噪音", light="red"), reach, Sort.DUE)
    return asked


def _as_of(known: Known) -> dict[str, tuple[str, Ask]]:
    streams = list(known.streams)
    if not streams:
        return {}
    turn = iter(range(10**9))

    def ask(conn: asyncpg.Connection) -> Awaitable[Any]:
        stream, at = streams[next(turn) % len(streams)]
        return state_of(conn, stream, until=at)

    return {"one case as of an instant": ("as_of", ask)}


def figures(known: Known) -> dict[str, tuple[str, Ask]]:
    """The page of statistics by every group and for two periods, single figures and their cases, the open ledger."""
    asked: dict[str, tuple[str, Ask]] = {}
    end = known.now + timedelta(days=1)
    end = end.replace(hour=16, minute=0, second=0, microsecond=0) - timedelta(days=end.hour < 16)
    spans = {"a month": Selection(begin=end - timedelta(days=30), end=end)}
    spans["two years"] = Selection(begin=end - timedelta(days=730), end=end)
    for far, reach in known.reaches.items():
        for span, chosen in spans.items():
            asked |= _statistics(f"{span} · {far}", chosen, reach)

        def ledger(conn: asyncpg.Connection, reach: Reach = reach) -> Awaitable[Any]:
            return open_ledger(conn, end - timedelta(days=30), end, reach=reach)

        def settled(conn: asyncpg.Connection, reach: Reach = reach) -> Awaitable[Any]:
            return ledger_cases(conn, LedgerColumn.SETTLED, end - timedelta(days=30), end, reach=reach)

        def board(conn: asyncpg.Connection, reach: Reach = reach) -> Awaitable[Any]:
            return read_board(conn, known.now, reach=reach)

        asked[f"open ledger · {far}"] = "statistics", ledger
        asked[f"open ledger · settled · {far}"] = "list", settled
        asked[f"board · {far}"] = "board", board
    return asked


def _statistics(name: str, chosen: Selection, reach: Reach) -> dict[str, tuple[str, Ask]]:
    asked: dict[str, tuple[str, Ask]] = {}
    for group in Group:

        def page(conn: asyncpg.Connection, group: Group = group) -> Awaitable[Any]:
            return table(conn, chosen, reach=reach, by=group)

        kind = UNKEPT if group is Group.GRID and reach.everything else "statistics"
        asked[f"statistics by {group} · {name}"] = kind, page
    asked[f"one figure · {name}"] = "statistics", lambda conn: one_figure(conn, "on_time", chosen, reach=reach)
    for side in (Side.MISS, Side.APART):

        def behind(conn: asyncpg.Connection, side: Side = side) -> Awaitable[Any]:
            return cases_of(conn, "on_time", chosen, side=side, reach=reach)

        asked[f"its cases · {side} · {name}"] = "list", behind
    return asked


# --- asking -----------------------------------------------------------------------------------------------------------


async def measure(conn: asyncpg.Connection, times: int, *, only: str = "") -> tuple[Known, list[Times]]:
    """Ask every question once to warm up and then ``times`` times, in turn; the slowest against their bars first.

    After every turn it says how far it is.
    """
    known = await look(conn)
    asked = await lists(conn, known) | searches(known) | _as_of(known) | figures(known)
    asked = {name: each for name, each in asked.items() if only in name}
    found = {name: Times(kind, name) for name, (kind, _) in asked.items()}
    for number in range(times + 1):
        for name, (kind, ask) in asked.items():
            for _ in range(10 if kind == "as_of" else 1):
                begun = time.perf_counter()
                await ask(conn)
                if number:
                    found[name].took.append((time.perf_counter() - begun) * 1000)
        say(f"  {len(asked)} questions asked, {f'{number} of {times} times' if number else 'to warm up'}")
    return known, sorted(found.values(), key=lambda each: (-each.used, -each.p95))


def as_object(known: Known, found: Sequence[Times]) -> dict[str, Any]:
    """The figures for programs: of each kind how many questions, the middle, the 95th percentile over all of its
    askings, the slowest question, and every question by itself."""
    kinds: dict[str, Any] = {}
    for kind, bar in BARS_MS.items():
        of_kind = [each for each in found if each.kind == kind]
        if of_kind:
            together = Times(kind, kind, [took for each in of_kind for took in each.took])
            kinds[kind] = {
                "questions": len(of_kind),
                "p50_ms": round(together.p50, 2),
                "p95_ms": round(together.p95, 2),
                "slowest": of_kind[0].name,
                "slowest_p95_ms": round(of_kind[0].p95, 2),
                "bar_ms": bar,
                "passed": together.p95 <= bar,
            }
    return {
        "cases": known.cases,
        "open": known.open,
        "passed": all(each["passed"] for each in kinds.values()),
        "kinds": kinds,
        "questions": [
            {"kind": each.kind, "name": each.name, "p50_ms": round(each.p50, 2), "p95_ms": round(each.p95, 2)}
            for each in found
        ],
    }


def show(known: Known, found: Sequence[Times], most: int) -> str:
    """The figures for people: one line of each kind, and the slowest questions."""
    kinds = as_object(known, found)["kinds"]
    lines = [f"{known.cases} cases, {known.open} of them open"]
    lines += [
        f"{kind:10} {each['questions']:4} questions  p50 {each['p50_ms']:7.1f}  p95 {each['p95_ms']:7.1f} ms"
        f"  bar {each['bar_ms']:.0f}  {'ok' if each['passed'] else 'MISSED'}"
        f"  slowest {each['slowest_p95_ms']:.1f} ms: {each['slowest']}"
        for kind, each in kinds.items()
    ]
    lines += [f"{each.p95:9.1f} ms p95 {each.p50:9.1f} ms p50  {each.name}" for each in found[:most]]
    return "\n".join(lines)


async def _run(dsn: str, times: int, most: int, only: str, *, as_json: bool) -> bool:
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        known, found = await measure(conn, times, only=only)
    finally:
        await conn.close()
    print(show(known, found, most), file=sys.stderr if as_json else sys.stdout)
    whole = as_object(known, found)
    hand_out("reading", whole, as_json=as_json)
    return bool(whole["passed"])


def main() -> None:
    """Read the arguments, ask, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.reading", description=__doc__)
    parser.add_argument("--dsn", required=True, help="a furnished database")
    parser.add_argument("--times", type=int, default=20, help="how often each question is asked")
    parser.add_argument("--show", type=int, default=25, help="how many of the slowest are shown")
    parser.add_argument("--only", default="", help="questions with this in their name")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    args = parser.parse_args()
    leave(0 if asyncio.run(_run(args.dsn, args.times, args.show, args.only, as_json=args.json)) else 1)


if __name__ == "__main__":
    main()
