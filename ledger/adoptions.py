"""Open cases that live by other rules or another calendar than an office wants, and what adopting did to them.

Owns the questions of ``bihuan rules adopt`` to the ledger. Must not write: a case adopts rules by a command.
"""

from typing import NamedTuple

from domain.case import CASE
from domain.case.events import RulesAdopted
from ledger.log import Connection


class Wanted(NamedTuple):
    """The rules and the calendar to live by (None: whichever each case has), of the cases of one street or of all."""

    rules: str | None
    calendar: str | None
    street: str | None = None


class Candidate(NamedTuple):
    """An open case that is not pinned to what is wanted; ``adoptions`` counts how often its rules have changed."""

    stream: str
    adoptions: int


_OTHERS = """
    not r.finished
    and (
        ($1::text is not null and r.rules_version is distinct from $1)
        or ($2::text is not null and r.calendar_version is distinct from $2)
    )
    and ($3::text is null or r.street = $3)
"""


async def candidates(conn: Connection, wanted: Wanted, *, after: str = "", limit: int = 200) -> list[Candidate]:
    """The next cases by id after the case ``after``; none are left where the list is empty."""
    rows = await conn.fetch(
        f"""
        select r.id, (select count(*) from event e where e.stream = r.id and e.kind = 'rules_adopted') as adoptions
        from case_row r
        where r.id > $4 and {_OTHERS}
        order by r.id
        limit $5
        """,
        *wanted,
        after,
        limit,
    )
    return [Candidate(row["id"], row["adoptions"]) for row in rows]


async def count_candidates(conn: Connection, wanted: Wanted) -> int:
    """How many cases there are to adopt."""
    return int(await conn.fetchval(f"select count(*) from case_row r where {_OTHERS}", *wanted))


async def is_finished(conn: Connection, stream: str) -> bool:
    """Whether nothing more can happen to the case."""
    return bool(await conn.fetchval("select finished from case_row where id = $1", stream))


async def adopted_between(conn: Connection, stream: str, first: int, last: int) -> RulesAdopted | None:
    """The adoption among the events ``first`` to ``last`` of a case; None when there is none."""
    body = await conn.fetchval(
        "select body::text from event where stream = $1 and seq between $2 and $3 and kind = 'rules_adopted'",
        stream,
        first,
        last,
    )
    found = None if body is None else CASE.event.validate_json(body, extra="ignore")
    return found if isinstance(found, RulesAdopted) else None
