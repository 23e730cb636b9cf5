"""The rehearsal itself: closed cases past the rules on trial, a part at a time, in several processes.

Owns the spreading and the counting. ``ledger.rehearsal`` reads, ``domain.rehearsal`` judges. A rehearsal writes nothing
and may be broken off at any moment.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import asyncpg

from console.rehearsal_table import TableRead, read_past_cases
from console.session import APP_ROLE
from console.spreading import spread
from domain.calendar import WorkCalendar
from domain.errors import Refusal, Refused
from domain.rehearsal import Rehearsal, Totals
from domain.rules import RuleBook
from ledger.rehearsal import Part, Selection, count_closed, parts, read_part
from runtime.pool import AWAY

PROCESSES = 2
"""How many processes rehearse at once; each has a connection of its own."""

PART = 1000
"""Cases that one process rehearses in one go: about a third of a second, so the bar moves and Ctrl-C is heard."""

_FEW = 3 * PART
"""Up to so many cases starting further processes takes longer than it saves."""

_ROWS_BETWEEN = 500

Told = Callable[[int, int], None]
"""Is told how many cases (or rows) are done, and of how many."""


@dataclass(frozen=True)
class Trial:
    """What is tried out, and what was in force: all rule books of the past by version."""

    book: RuleBook
    calendar: WorkCalendar
    past: dict[str, RuleBook] = field(default_factory=dict)

    def rehearsal(self) -> Rehearsal:
        """The judge."""
        return Rehearsal(self.book, self.calendar, self.past)


async def rehearse_ledger(
    pool: asyncpg.Pool,
    dsn: str,
    trial: Trial,
    selection: Selection,
    *,
    keep: int = 0,
    processes: int = PROCESSES,
    told: Told = lambda _done, _all: None,
) -> Totals:
    """Rehearse the selected closed cases of the ledger at ``dsn``; the answer keeps the ``keep`` cases changed most.

    Raises ``Refused`` as ``Rehearsal`` does, ``rehearse.unreadable`` for rows nobody can read and
    ``postgres.unreachable`` when the server goes away.
    """
    totals, done = Totals(keep=keep), 0
    async with pool.acquire() as conn:
        everything = await count_closed(conn, selection)
        told(0, everything)
        if processes < 2 or everything <= _FEW:
            rehearsal = trial.rehearsal()
            async for part in parts(conn, selection, PART):
                async for case in read_part(conn, selection, part):
                    totals.add(rehearsal, case)
                done += part.cases
                told(done, max(done, everything))
            return totals
        async with spread(processes, _begin, _given(dsn, trial, selection, keep), _rehearse_part) as submit:
            waiting = {submit(part) async for part in parts(conn, selection, PART)}
            while waiting:
                ready, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for each in ready:
                    found = each.result()
                    if isinstance(found, Refusal):
                        raise Refused.from_refusal(found)
                    totals.merge(found)
                    done += found.cases
                told(done, max(done, everything))
    return totals


def rehearse_table(
    path: Path,
    trial: Trial,
    categories: Collection[str],
    *,
    begin: datetime | None = None,
    end: datetime | None = None,
    keep: int = 0,
    told: Told = lambda _done, _all: None,
) -> tuple[Totals, TableRead]:
    """Rehearse the closed cases of a table, opened from ``begin`` (included) to ``end`` (not included).

    ``categories`` are the codes there are. Bad rows are collected and the others go on. Raises ``Refused`` as
    ``console.rehearsal_table.read_past_cases`` and ``Rehearsal`` do.
    """
    totals, read, rehearsal = Totals(keep=keep), TableRead(), trial.rehearsal()
    for number, case in enumerate(read_past_cases(path, categories, read, begin=begin, end=end), start=1):
        totals.add(rehearsal, case)
        if number % _ROWS_BETWEEN == 0:
            told(read.rows, 0)
    told(read.rows, read.rows)
    return totals, read


# --- in the other processes -------------------------------------------------------------------------------------

_Outcome = Totals | Refusal
"""Exceptions of ours do not travel between processes, refusals do."""


def _given(dsn: str, trial: Trial, selection: Selection, keep: int) -> tuple[object, ...]:
    """What each of the processes is told."""
    past = {version: book.model_dump_json() for version, book in trial.past.items()}
    return (
        dsn,
        trial.book.model_dump_json(),
        trial.calendar.model_dump_json(),
        past,
        selection.model_dump_json(),
        keep,
    )


@dataclass
class _Work:
    """What one of the processes knows."""

    dsn: str
    rehearsal: Rehearsal
    selection: Selection
    keep: int


_work: list[_Work] = []


def _begin(dsn: str, book: str, calendar: str, past: dict[str, str], selection: str, keep: int) -> None:
    """Prepare this process, once."""
    rehearsal = Rehearsal(
        RuleBook.model_validate_json(book),
        WorkCalendar.model_validate_json(calendar),
        {version: RuleBook.model_validate_json(body) for version, body in past.items()},
    )
    _work.append(_Work(dsn, rehearsal, Selection.model_validate_json(selection), keep))


def _rehearse_part(part: Part) -> _Outcome:
    try:
        return asyncio.run(_part_of(_work[0], part))
    except Refused as refused:
        return refused.refusal
    except AWAY:
        return Refused("postgres.unreachable").refusal


async def _part_of(work: _Work, part: Part) -> Totals:
    totals = Totals(keep=work.keep)
    settings = {"application_name": "bihuan rehearse", "timezone": "UTC", "role": APP_ROLE}
    conn = await asyncpg.connect(work.dsn, timeout=5, server_settings=settings)
    try:
        async for case in read_part(conn, work.selection, part):
            totals.add(work.rehearsal, case)
    finally:
        await conn.close()
    return totals
