"""Builds the city into a ledger: several processes make requests, one transaction takes them in.

Owns how the parts are shared out, and that a ledger somebody works in is never touched.
"""

import asyncio
import traceback
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from typing import NamedTuple

from console.city.making import Batch, Order, make
from console.city.stamping import COLUMNS
from console.city.town import City
from console.spreading import deaf_to_ctrl_c
from domain.base import Frozen
from domain.calendar import WorkCalendar
from domain.errors import Refused
from domain.rules import RuleBook
from ledger.calendars import read_calendars
from ledger.city import is_untouched
from ledger.loading import PER_POSITION, Loading, Table, connected, fill_search
from ledger.log import Connection
from ledger.registry import load_registry, read_rule_books

PROCESSES = 2
"""So many processes make requests at once; a third, the server's, writes them down meanwhile."""

PART = 50_000
"""A part has at least so many requests, for each plays histories of its own."""

_MOST_PARTS, _MOST_HISTORIES = 8, 1_000
_EVENTS_EACH = 20
"""Room in the feed for so many events of each request; what does not fill up costs nothing."""

_TABLES = (*COLUMNS, "case_text")


class Built(Frozen):
    """What a city has come to: requests, events, how many requests are open; people and grids of its registry."""

    cases: int = 0
    events: int = 0
    open: int = 0
    people: int = 0
    grids: int = 0


class Living(NamedTuple):
    """What the city lives by."""

    book: RuleBook
    calendar: WorkCalendar


def orders(cases: int, living: Living, *, seed: int, until: datetime, days: int, city: City) -> list[Order]:
    """The parts of a city of so many requests; the same for the same arguments."""
    parts = max(1, min(_MOST_PARTS, cases // PART))
    ends = [cases * number // parts for number in range(parts + 1)]
    return [
        Order(
            seed=seed,
            part=number,
            first=ends[number],
            cases=ends[number + 1] - ends[number],
            until=until,
            days=days,
            histories=max(days, min(_MOST_HISTORIES, cases // parts // 25)),
            book=living.book,
            calendar=living.calendar,
            city=city,
        )
        for number in range(parts)
    ]


async def build(
    dsn: str,
    cases: int,
    *,
    seed: int,
    until: datetime,
    days: int = 365,
    city: City | None = None,
    by: str,
    processes: int = PROCESSES,
    told: Callable[[int, int], None] = lambda _done, _all: None,
) -> Built:
    """Fill the ledger at ``dsn``: the registry of the city, then all requests or none of them.

    The ledger has the schema of this release, rules and a calendar, and nothing else: raises ``Refused``
    ``seed.not_empty`` otherwise, ``rules.none`` and ``seed.no_calendar`` without them. ``told`` hears how many requests
    are written, and of how many.
    """
    city = city or City()
    async with connected(dsn) as conn:
        living = await _untouched(conn, by)
        registry = city.registry()
        await load_registry(conn, registry, by)
    parts = orders(cases, living, seed=seed, until=until, days=days, city=city)
    built = Built()
    told(0, cases)
    async with Loading.into(dsn, cases * _EVENTS_EACH, only=_TABLES) as loading:
        places = _Places(loading.positions)
        async with aclosing(_made(parts, processes)) as made:
            async for batch in made:
                for table, lines in batch.lines.items():
                    await _put(loading, places, table, lines)
                built = Built(
                    cases=built.cases + batch.cases, events=built.events + batch.events, open=built.open + batch.open
                )
                told(built.cases, cases)
        await fill_search(loading.conn)
    sections = [row.where.section for row in registry.rows]
    return built.model_copy(update={"people": sections.count("people"), "grids": sections.count("grids")})


async def _put(loading: Loading, places: "_Places", table: str, lines: bytes) -> None:
    if table == "event":
        await loading.put(Table(name=table, columns=("tx", *COLUMNS[table])), places.of(lines))
    else:
        await loading.put(Table(name=table, columns=COLUMNS[table]), lines)


class _Places:
    """Gives events their places in the feed, as many to each as a restore does, in the order they come."""

    def __init__(self, positions: Sequence[str]) -> None:
        self._positions = positions
        self._at = 0

    def of(self, rows: bytes) -> bytes:
        """The rows with their places before them."""
        lines = rows.split(b"\n")
        lines.pop()
        placed: list[bytes] = []
        for begin in range(0, len(lines), PER_POSITION):
            mark = self._positions[min(self._at, len(self._positions) - 1)].encode() + b"\t"
            self._at += 1
            placed += [mark, (b"\n" + mark).join(lines[begin : begin + PER_POSITION]), b"\n"]
        return b"".join(placed)


async def _untouched(conn: Connection, by: str) -> Living:
    if not await is_untouched(conn, by):
        raise Refused("seed.not_empty")
    books, calendars = await read_rule_books(conn), await read_calendars(conn)
    if books.current is None:
        raise Refused("rules.none")
    if calendars.current is None:
        raise Refused("seed.no_calendar")
    return Living(books.books[books.current], calendars.calendars[calendars.current])


# --- the other processes ----------------------------------------------------------------------------------------


async def _made(parts: Sequence[Order], processes: int) -> AsyncGenerator[Batch]:
    """What the parts are made of, as it comes; so many of them are made at a time."""
    ready, room, turns = asyncio.Queue[Batch | None](), asyncio.Semaphore(processes), asyncio.Semaphore(processes)

    async def follow(order: Order) -> None:
        async with turns, aclosing(_made_elsewhere(order)) as made:
            async for batch in made:
                await room.acquire()
                ready.put_nowait(batch)

    async def follow_all() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for order in parts:
                    group.create_task(follow(order))
        finally:
            ready.put_nowait(None)

    following = asyncio.create_task(follow_all())
    try:
        while (batch := await ready.get()) is not None:
            room.release()
            yield batch
        await following
    finally:
        following.cancel()
        await asyncio.wait([following])


async def _made_elsewhere(order: Order) -> AsyncGenerator[Batch]:
    """The batches of one part, out of a process of its own that ends with this generator."""
    # A fresh interpreter: this one runs threads and an event loop, of which a copy could be left in any state.
    context = get_context("spawn")
    near, far = context.Pipe(duplex=False)
    process = context.Process(target=_make_part, args=(order.model_dump_json(), far), daemon=True)
    with deaf_to_ctrl_c():
        process.start()
    far.close()
    try:
        while (found := await asyncio.to_thread(near.recv)) is not None:
            if isinstance(found, str):
                raise RuntimeError(found)
            yield found
    finally:
        process.terminate()
        await asyncio.to_thread(process.join)
        near.close()


def _make_part(order: str, out: Pipe) -> None:
    try:
        for batch in make(Order.model_validate_json(order)):
            out.send(batch)
        out.send(None)
    except BaseException:  # noqa: BLE001 - told to the process that waits for the part, which raises it
        out.send(traceback.format_exc())
