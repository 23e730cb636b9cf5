"""What the records suggest to whoever registers or dispatches a case: the same request, the department for it.

Owns the choice of candidates; ``domain.similarity`` scores them. Suggestions only: nothing here decides, merges or
writes. Reads the read models within the asker's reach, and of the log only what a whistle asked for.
"""

import json
from datetime import datetime, timedelta

from domain.base import Frozen
from domain.rights import EVERYTHING, Reach
from domain.similarity import Scored, alike
from ledger.log import Connection
from ledger.queries import CaseFilter, list_cases
from ledger.rows import CaseRow

RECENT = timedelta(days=7)
"""How far back the same request is looked for."""

LOOKED_BACK = timedelta(days=365)
"""How far back earlier dispatches are counted."""

_COUNTED = 500


class Habit(Frozen):
    """A department, and in how many of the earlier cases of this kind it was the lead."""

    department: str
    cases: int
    of: int


async def similar_cases(
    conn: Connection,
    *,
    grid: str,
    title: str,
    text: str,
    now: datetime,
    since: timedelta = RECENT,
    but: str | None = None,
    reach: Reach = EVERYTHING,
    limit: int = 5,
) -> list[Scored[CaseRow]]:
    """Cases of the same grid registered within ``since`` that may tell of the same thing, the most alike first.

    Looks at the 200 youngest of them; ``but`` is the case itself, which is not among them.
    """
    wanted = CaseFilter(grid=grid, registered_from=now - since)
    found = await list_cases(conn, wanted, reach=reach, limit=200)
    others = ((row.title or "", row.text or "", row) for row in found.items if row.id != but)
    return alike(title, text, others)[:limit]


async def usual_leads(
    conn: Connection,
    *,
    category: str,
    street: str | None,
    now: datetime,
    since: timedelta = LOOKED_BACK,
    limit: int = 3,
) -> list[Habit]:
    """Which departments led the earlier cases of this category in this street, the most frequent first.

    Counts the 500 youngest dispatched cases registered within ``since``.
    """
    rows = await conn.fetch(
        """
        with earlier as (
            select lead
            from case_row
            where category = $1 and street is not distinct from $2 and registered_at >= $3 and lead is not null
            order by registered_at desc, id desc
            limit $4
        )
        select lead, count(*) as cases, sum(count(*)) over () as earlier
        from earlier
        group by lead
        order by cases desc, lead
        limit $5
        """,
        category,
        street,
        now - since,
        _COUNTED,
        limit,
    )
    return [Habit(department=row["lead"], cases=row["cases"], of=int(row["earlier"])) for row in rows]


async def whistled_for(conn: Connection, stream: str) -> tuple[str, ...]:
    """The departments the last whistle of the case asked for; none when nobody has whistled."""
    body = await conn.fetchval(
        "select body -> 'departments' from event where stream = $1 and kind = 'whistled' order by seq desc limit 1",
        stream,
    )
    # A connection without a codec gives JSON as text.
    departments = json.loads(body) if isinstance(body, str) else body
    return tuple(departments or ())
