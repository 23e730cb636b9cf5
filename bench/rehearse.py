"""``python -m bench.rehearse``: how long it takes to rehearse a hundred thousand closed cases.

Owns the invented cases: about ten clocks each, some paused or extended, from a seed. Marks and rungs are those their
rule book would have given, so rehearsing them against that very book must change nothing, which is checked. They are
written into the read models of a scratch server by ``copy``, and rehearsed by the way the command line goes; the same
cases are also rehearsed out of a table. ``--json`` prints the figures as one object.
"""

import argparse
import asyncio
import csv
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import asyncpg

from bench.results import hand_out, say
from console.rehearsing import PROCESSES, Trial, rehearse_ledger, rehearse_table
from console.session import APP_ROLE
from domain.calendar import Pause
from domain.ladder import ClockKind
from domain.limits import Limit, limit
from domain.rehearsal import PastCase, PastClock, Rehearsal, Totals
from domain.rules import RuleBook, Urgency
from ledger.calendar_files import from_library
from ledger.migrate import migrate
from ledger.rehearsal import Selection
from ledger.rule_files import example_book
from runtime.pool import open_pool
from runtime.postgres import EmbeddedPostgres

CASES = 100_000
CALENDAR = from_library()
SEED = 12345
TARGET_S = 60
FIRST, DAYS = datetime(2025, 1, 6, tzinfo=UTC), 500
URGENCIES = {Urgency.EMERGENCY: 3, Urgency.LIVELIHOOD: 12, Urgency.GENERAL: 75, Urgency.COMPLEX: 10}
CATEGORIES = (None, "E0101", *(f"C{number:02}01" for number in range(1, 20)))
DEPARTMENTS = tuple(f"D{number:02}" for number in range(1, 13))
COMMUNITIES = {f"C{number:02}": f"S0{number % 4}" for number in range(1, 25)}
IN_ORDER = (
    ClockKind.PLACE, ClockKind.DISPATCH, ClockKind.SIGN_FOR, ClockKind.CONTACT, ClockKind.HANDLE, ClockKind.VERIFY,
    ClockKind.SIGN, ClockKind.FEED_BACK, ClockKind.VISIT, ClockKind.APPRAISE,
)  # fmt: skip
FROM_DISPATCH = (ClockKind.CONTACT, ClockKind.HANDLE)
# How much of its limit a clock uses on average, in natural time; one in ten is late.
USED = 0.45


def other_book(book: RuleBook) -> RuleBook:
    """The book on trial: a general matter has three working days instead of five, a complex one ten."""
    shorter = {Urgency.GENERAL: limit("3wd"), Urgency.COMPLEX: limit("10wd")}
    rows = tuple(
        row.model_copy(update={"limits": {**row.limits, ClockKind.HANDLE: shorter[row.urgency]}})
        if row.category is None and row.urgency in shorter
        else row
        for row in book.rows
    )
    return book.model_copy(update={"version": "on-trial", "rows": rows})


class Office:
    """Invents cases that lived by ``book``."""

    def __init__(self, book: RuleBook) -> None:
        self.book = book
        self._chance = random.Random(SEED)
        self._rehearsal = Rehearsal(book, CALENDAR, {book.version: book})

    def cases(self, count: int) -> Iterator[PastCase]:
        """So many cases, with the marks the book would have given them."""
        for number in range(count):
            case = self._case(number)
            judged = self._rehearsal.judge(case)
            clocks = tuple(
                clock._replace(warned=found.warned, late=found.late, reached=found.rungs)
                for clock, found in zip(case.clocks, judged, strict=True)
            )
            yield case._replace(clocks=clocks)

    def _case(self, number: int) -> PastCase:
        chance = self._chance
        urgency = chance.choices(list(URGENCIES), list(URGENCIES.values()))[0]
        category, department = chance.choice(CATEGORIES), chance.choice(DEPARTMENTS)
        community = chance.choice(list(COMMUNITIES))
        row, at = self.book.row(urgency, category), FIRST + timedelta(minutes=chance.randrange(DAYS * 24 * 60))
        clocks: list[PastClock] = []
        dispatched = at
        for kind in IN_ORDER:
            length = row.limits.get(kind)
            if length is None:
                continue
            clock = self._clock(kind, length, dispatched if kind in FROM_DISPATCH else at, department)
            assert clock.stopped_at is not None
            clocks.append(clock)
            at = max(at, clock.stopped_at)
            if kind is ClockKind.DISPATCH:
                dispatched = at
        for step in row.steps:
            clocks.append(self._clock(ClockKind.STEP, step.limit, dispatched, None)._replace(step=step.code))
        return PastCase(
            id=f"case-{number:032x}",
            urgency=urgency,
            category=category,
            condition=None,
            channel="hotline",
            street=COMMUNITIES[community],
            community=community,
            lead=department,
            clocks=tuple(clocks),
        )

    def _clock(self, kind: ClockKind, length: Limit, start: datetime, department: str | None) -> PastClock:
        chance = self._chance
        days = length.amount * (1.6 if length.unit.value.startswith("wd") else 1 / 6)
        span = timedelta(days=days) if not length.is_natural else length.natural()
        stop = start + timedelta(minutes=int(chance.expovariate(1 / USED) * span / timedelta(minutes=1)) + 1)
        pauses: tuple[Pause, ...] = ()
        extended: tuple[Limit, ...] = ()
        if kind is ClockKind.HANDLE and chance.random() < 0.12:
            begin = start + (stop - start) / 2
            pauses = (Pause(begin=begin, end=begin + timedelta(hours=chance.randint(1, 200))),)
            stop += pauses[0].end - begin
        if kind is ClockKind.HANDLE and chance.random() < 0.05:
            extended = (length,)
        if kind is ClockKind.SIGN_FOR:
            stop = min(stop, CALENDAR.add(start, length))  # silence is receipt
        return PastClock(
            kind, start, stop, department if kind is ClockKind.SIGN_FOR else None, None, length, extended, pauses,
            self.book.version,
        )  # fmt: skip


async def write(dsn: str, table: Path, cases: Iterator[PastCase]) -> None:
    """Write the cases into the read models, and into a table as another system would give them."""
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        with table.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(_HEADINGS)
            while batch := list(islice(cases, _BATCH)):
                await conn.copy_records_to_table("case_row", records=map(_case_record, batch), columns=_CASE_COLUMNS)
                records = (_clock_record(case.id, clock) for case in batch for clock in case.clocks)
                await conn.copy_records_to_table("clock", records=records, columns=_CLOCK_COLUMNS)
                rows.writerows(map(_table_row, batch))
        await conn.execute("analyze case_row, clock")
    finally:
        await conn.close()


_BATCH = 5000
_HEADINGS = ("工单编号", "受理时间", "派单时间", "签收时间", "办结时间", "紧急程度", "类别编码", "承办单位", "是否超期")
_CASE_COLUMNS = (
    "id", "seq", "stage", "suspended", "shelved", "street", "community", "category", "urgency", "channel",
    "registered_at", "lead", "departments", "rework_count", "visit_attempts", "was_overdue", "finished", "updated_at",
)  # fmt: skip
_CLOCK_COLUMNS = (
    "stream", "id", "process", "kind", "organisation", "limit_text", "rules_version", "started_at", "provisional",
    "warned_at", "overdue_at", "stopped_at", "state", "step", "pauses", "extended", "reached",
)  # fmt: skip


def _case_record(case: PastCase) -> tuple[Any, ...]:
    late = any(clock.late for clock in case.clocks)
    begun, ended = case.clocks[0].started_at, case.clocks[-1].stopped_at
    return (
        case.id, 30, "archived", False, False, case.street, case.community, case.category, case.urgency.value,
        case.channel, begun, case.lead, [case.lead], 0, 0, late, True, ended,
    )  # fmt: skip


def _clock_record(stream: str, clock: PastClock) -> tuple[Any, ...]:
    name = ":".join(part for part in (clock.kind.value, clock.organisation or clock.step) if part)
    pauses = json.dumps([each.model_dump(mode="json") for each in clock.pauses])
    return (
        stream, name, "case", clock.kind.value, clock.organisation, str(clock.limit), clock.rules_version,
        clock.started_at, False, clock.stopped_at if clock.warned else None, clock.stopped_at if clock.late else None,
        clock.stopped_at, "stopped", clock.step, pauses, [str(each) for each in clock.extended], list(clock.reached),
    )  # fmt: skip


def _table_row(case: PastCase) -> tuple[object, ...]:
    known = {clock.kind: clock for clock in case.clocks}
    dispatch, handle, sign = (known[kind] for kind in (ClockKind.DISPATCH, ClockKind.HANDLE, ClockKind.SIGN_FOR))
    assert handle.stopped_at is not None
    assert sign.stopped_at is not None
    times = (dispatch.started_at, dispatch.stopped_at, min(sign.stopped_at, handle.stopped_at), handle.stopped_at)
    cells = (each.isoformat(sep=" ", timespec="seconds") if each else "" for each in times)
    late = "是" if handle.late else "否"
    return (case.id[-8:], *cells, case.urgency.value, case.category or "", case.lead, late)


async def figures(count: int, processes: int) -> dict[str, Any]:
    """The measured figures, times in seconds."""
    book = example_book()
    trial = Trial(other_book(book), CALENDAR, {book.version: book})
    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
        table = Path(folder) / "cases.csv"
        async with EmbeddedPostgres(Path(folder) / "postgres") as server:
            await migrate(server.dsn())
            say(f"inventing {count} cases")
            await write(server.dsn(), table, Office(book).cases(count))
            say("rehearsing")
            pool = await open_pool(server.dsn(), size=2, role=APP_ROLE, name="bench rehearse")
            try:
                begun = time.perf_counter()
                found = await rehearse_ledger(pool, server.dsn(), trial, Selection(), keep=10, processes=processes)
                ledger_s = time.perf_counter() - begun
                same = Trial(book, CALENDAR, {book.version: book})
                unchanged = await rehearse_ledger(pool, server.dsn(), same, Selection(), keep=3, processes=processes)
            finally:
                await pool.close()
        begun = time.perf_counter()
        listed, read = rehearse_table(table, trial, {code for code in CATEGORIES if code})
        table_s = time.perf_counter() - begun
    assert unchanged.changed == 0, unchanged.most_changed()
    assert not read.problems, read.problems[:3]
    return {
        "cases": found.cases,
        "clocks": found.whole.clocks,
        "processes": processes,
        "ledger_s": round(ledger_s, 2),
        "us_per_clock": round(ledger_s / found.whole.clocks * 1e6, 1),
        "target_s": TARGET_S,
        "table_s": round(table_s, 2),
        "table_rows": read.rows,
        **_changes(found),
        "table_late_after": listed.late_after,
    }


def _changes(found: Totals) -> dict[str, Any]:
    whole = found.whole
    return {
        "late_before": whole.late_before,
        "late_after": whole.late_after,
        "rungs_before": sum(whole.rungs_before.values()),
        "rungs_after": sum(whole.rungs_after.values()),
        "cases_changed": found.changed,
    }


def main() -> None:
    """Print the figures; the exit code is 1 when the ledger took longer than the target."""
    parser = argparse.ArgumentParser(prog="python -m bench.rehearse", description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--cases", type=int, default=CASES, help=f"how many (default {CASES})")
    parser.add_argument("--processes", type=int, default=PROCESSES, help=f"how many (default {PROCESSES})")
    given = parser.parse_args()
    found = asyncio.run(figures(given.cases, given.processes))
    hand_out("rehearse", found, as_json=given.json)
    if not given.json:
        print(f"{found['cases']} cases with {found['clocks']} clocks on Python {sys.version.split()[0]}")
        print(f"  out of the ledger, {found['processes']} processes: {found['ledger_s']} s (target {TARGET_S} s)")
        print(f"  {found['us_per_clock']} us for each clock; late {found['late_before']} -> {found['late_after']}")
        print(f"  out of a table of {found['table_rows']} rows, one process: {found['table_s']} s")
    sys.exit(found["ledger_s"] > TARGET_S)


if __name__ == "__main__":
    main()
