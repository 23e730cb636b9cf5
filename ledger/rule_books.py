"""The rule books as an office looks at them: one version, all versions, and who put which in force.

Owns the questions about versions. ``ledger.registry`` keeps the books and reads them for the rules.
"""

from dataclasses import dataclass
from datetime import datetime

from domain.base import Frozen
from domain.errors import Refused
from domain.rules import RuleBook
from ledger.log import Connection
from ledger.registry import store_rule_book

_CURRENT = "select version from rule_book_choice order by number desc limit 1"


class RuleBookRow(Frozen):
    """A version: when it came (UTC), when it was last put in force and by whom; ``current``: in force now."""

    version: str
    name: str
    added_at: datetime
    chosen_at: datetime | None
    chosen_by: str | None
    current: bool


@dataclass(frozen=True)
class RuleBookPage:
    """Some versions, and the cursor of the page after them; None when this is the last one."""

    items: tuple[RuleBookRow, ...]
    next: str | None


async def choose_rule_book(conn: Connection, book: RuleBook, by: str, *, choose: bool = True) -> str | None:
    """Keep the book for ever and, unless ``choose`` is false, let new cases pin it; ``by`` is the code of a person.

    Returns the version in force before. All or nothing; storing the same content again is fine, choosing the version in
    force changes nothing. Raises ``Refused`` ``rules.version_exists`` when the version stands for other content.
    """
    async with conn.transaction():
        # Takes the lock under which books are kept and chosen, until the end of this transaction.
        await store_rule_book(conn, book.version, book.model_dump(mode="json"), choose=False)
        before: str | None = await conn.fetchval(_CURRENT)
        if choose and before != book.version:
            await conn.execute("insert into rule_book_choice (version, chosen_by) values ($1, $2)", book.version, by)
    return before


async def read_rule_book(conn: Connection, version: str | None = None) -> RuleBook:
    """The book of a version, of the one in force by default.

    Raises ``Refused`` ``rules.unknown`` for a version there is not, ``rules.none`` before the first book.
    """
    body = await conn.fetchval(f"select body::text from rule_book where version = coalesce($1, ({_CURRENT}))", version)
    if body is None:
        raise Refused("rules.none") if version is None else Refused("rules.unknown", field="version", version=version)
    return RuleBook.model_validate_json(body)


async def current_version(conn: Connection) -> str | None:
    """The version new cases pin; None before the first book."""
    version: str | None = await conn.fetchval(_CURRENT)
    return version


async def list_rule_books(conn: Connection, *, limit: int = 50, cursor: str | None = None) -> RuleBookPage:
    """The versions, the newest first; ``cursor`` is the last version of the page before.

    Raises ``Refused`` ``feed.bad_cursor`` for a version that is not there.
    """
    known = "select exists (select from rule_book where version = $1)"
    if cursor is not None and not await conn.fetchval(known, cursor):
        raise Refused("feed.bad_cursor", field="cursor")
    rows = await conn.fetch(
        f"""
        select b.version, b.body ->> 'name' as name, b.adopted_at as added_at, l.chosen_at, l.chosen_by,
            b.version is not distinct from ({_CURRENT}) as current
        from rule_book b
        left join lateral (
            select c.chosen_at, c.chosen_by from rule_book_choice c where c.version = b.version
            order by c.number desc limit 1
        ) l on true
        where $1::text is null
            or (b.adopted_at, b.version) < (select p.adopted_at, p.version from rule_book p where p.version = $1)
        order by b.adopted_at desc, b.version desc
        limit $2 + 1
        """,
        cursor,
        limit,
    )
    items = tuple(RuleBookRow.model_validate(dict(row)) for row in rows[:limit])
    return RuleBookPage(items, items[-1].version if len(rows) > limit else None)


async def open_cases_by_other_rules(conn: Connection, version: str) -> int:
    """How many open cases live by another rule book than this one."""
    found = await conn.fetchval(
        "select count(*) from case_row where not finished and rules_version is distinct from $1", version
    )
    return int(found)
