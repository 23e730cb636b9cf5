"""Closed cases and their clocks out of the read models, a part at a time, for a rehearsal.

Owns the reading only; ``domain.rehearsal`` judges. A closed case is one that is settled or finished. It hardly ever
changes any more, and each is read in one statement, so parts may be read at different moments and by several readers.
"""

from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

import asyncpg
from pydantic import TypeAdapter

from domain.base import Frozen
from domain.calendar import Pause
from domain.errors import Refused
from domain.ladder import ClockKind
from domain.limits import Instant, Limit, limit
from domain.rehearsal import PastCase, PastClock
from domain.rules import Urgency
from ledger.log import Connection

_PAUSES = TypeAdapter(tuple[Pause, ...])
_BATCH = 2000
"""Rows that travel from the server at once."""


class Selection(Frozen):
    """Which closed cases: registered from ``begin`` (included) to ``end`` (not included), of one street."""

    begin: Instant | None = None
    end: Instant | None = None
    street: str | None = None


class Part(NamedTuple):
    """Some of the selected cases: those whose id comes after ``after`` and is not after ``until``."""

    after: str
    until: str
    cases: int


_SELECTED = """
    (c.finished or c.settled_at is not null)
    and ($1::timestamptz is null or c.registered_at >= $1)
    and ($2::timestamptz is null or c.registered_at < $2)
    and ($3::text is null or c.street = $3)
"""


def _values(selection: Selection) -> tuple[datetime | None, datetime | None, str | None]:
    return selection.begin, selection.end, selection.street


async def count_closed(conn: Connection, selection: Selection) -> int:
    """How many cases are selected."""
    return int(await conn.fetchval(f"select count(*) from case_row c where {_SELECTED}", *_values(selection)))


async def parts(conn: Connection, selection: Selection, size: int) -> AsyncIterator[Part]:
    """The selected cases in parts of ``size``, in the order of their ids; the last part may be smaller."""
    after = ""
    while True:
        found = await conn.fetchrow(
            f"""
            select max(id) as until, count(*) as cases
            from (select c.id from case_row c where c.id > $4 and {_SELECTED} order by c.id limit $5) part
            """,
            *_values(selection),
            after,
            size,
        )
        if found is None or found["until"] is None:
            return
        yield Part(after, found["until"], found["cases"])
        after = found["until"]


async def read_part(conn: Connection, selection: Selection, part: Part) -> AsyncIterator[PastCase]:
    """The cases of one part, in the order of their ids, through a cursor on the server.

    Raises ``Refused`` ``rehearse.unreadable`` for a row that no release has written.
    """
    rows: list[asyncpg.Record] = []
    async with conn.transaction(readonly=True):
        cursor = await conn.cursor(_CLOCKS, *_values(selection), part.after, part.until)
        while batch := await cursor.fetch(_BATCH):
            rows += batch
            rest = len(rows) - 1
            while rest and rows[rest - 1]["id"] == rows[-1]["id"]:
                rest -= 1  # the clocks of the last case may go on in the next batch
            for case in _cases(rows[:rest]):
                yield case
            rows = rows[rest:]
    for case in _cases(rows):
        yield case


_CLOCKS = f"""
    select c.id, c.urgency, c.category, c.condition, c.channel, c.street, c.community, c.lead,
        k.kind, k.started_at, k.stopped_at, k.organisation, k.step, k.limit_text, k.extended,
        case when k.pauses = '[]' then null else k.pauses::text end as pauses,
        k.rules_version, k.warned_at is not null as warned, k.overdue_at is not null as late, k.reached
    from case_row c
    -- Said twice, so that neither table is read as a whole for a part.
    left join clock k on k.stream = c.id and k.stream > $4 and k.stream <= $5
    where c.id > $4 and c.id <= $5 and {_SELECTED}
    order by c.id, k.started_at, k.id
"""


def _cases(rows: Iterable[asyncpg.Record]) -> Iterator[PastCase]:
    for stream, group in groupby(rows, lambda row: row[0]):
        of_case = list(group)
        first = of_case[0]
        try:
            yield PastCase(
                id=first[0],
                urgency=_URGENCIES[first[1]],
                category=first[2],
                condition=first[3],
                channel=first[4] or "",
                street=first[5],
                community=first[6],
                lead=first[7],
                clocks=tuple(_clock(row) for row in of_case if row[8] is not None),
            )
        except (KeyError, ValueError) as error:
            # The value may be anything, so only its place is told.
            raise Refused("rehearse.unreadable", stream=stream) from error


def _clock(row: asyncpg.Record) -> PastClock:
    # By position, and most columns as they come: this runs a million times.
    return PastClock(
        _KINDS[row[8]],
        row[9],
        row[10],
        row[11],
        row[12],
        _limit(row[13]),
        tuple(map(_limit, row[14])) if row[14] else (),
        _PAUSES.validate_json(row[15]) if row[15] else (),
        row[16],
        row[17],
        row[18],
        tuple(row[19]) if row[19] else (),
    )


_KINDS = {kind.value: kind for kind in ClockKind}
_URGENCIES = {urgency.value: urgency for urgency in Urgency}


@lru_cache(maxsize=4096)
def _limit(text: str) -> Limit:
    return limit(text)
