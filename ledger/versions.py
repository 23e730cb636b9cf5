"""What an office keeps by version and puts in force, rule books and calendars: their lists and who lives by which.

Owns the questions that are the same for both. Writing them is the business of ``ledger.registry`` and
``ledger.calendars``.
"""

from dataclasses import dataclass
from datetime import datetime

from domain.base import Frozen
from domain.errors import Refused
from ledger.log import Connection


@dataclass(frozen=True)
class Kept:
    """A table of immutable versions, their choices in ``<table>_choice``: its last row names the version in force.

    ``added`` is the column that says when a version came, ``pinned`` the column of a case that names its version.
    """

    table: str
    added: str
    pinned: str

    @property
    def current(self) -> str:
        """The query for the version in force; no row before the first choice."""
        return f"select version from {self.table}_choice order by number desc limit 1"


RULE_BOOKS = Kept(table="rule_book", added="adopted_at", pinned="rules_version")
CALENDARS = Kept(table="calendar", added="added_at", pinned="calendar_version")


class VersionRow(Frozen):
    """A version: when it came (UTC), when it was last put in force and by whom; ``current``: in force now."""

    version: str
    name: str
    added_at: datetime
    chosen_at: datetime | None
    chosen_by: str | None
    current: bool


@dataclass(frozen=True)
class VersionPage:
    """Some versions, and the cursor of the page after them; None when this is the last one."""

    items: tuple[VersionRow, ...]
    next: str | None


async def list_versions(conn: Connection, kept: Kept, *, limit: int = 50, cursor: str | None = None) -> VersionPage:
    """The versions, the newest first; ``cursor`` is the last version of the page before.

    Raises ``Refused`` ``feed.bad_cursor`` for a version that is not there.
    """
    known = f"select exists (select from {kept.table} where version = $1)"
    if cursor is not None and not await conn.fetchval(known, cursor):
        raise Refused("feed.bad_cursor", field="cursor")
    rows = await conn.fetch(
        f"""
        select k.version, k.body ->> 'name' as name, k.{kept.added} as added_at, l.chosen_at, l.chosen_by,
            k.version is not distinct from ({kept.current}) as current
        from {kept.table} k
        left join lateral (
            select c.chosen_at, c.chosen_by from {kept.table}_choice c where c.version = k.version
            order by c.number desc limit 1
        ) l on true
        where $1::text is null
            or (k.{kept.added}, k.version) < (
                select p.{kept.added}, p.version from {kept.table} p where p.version = $1
            )
        order by k.{kept.added} desc, k.version desc
        limit $2 + 1
        """,
        cursor,
        limit,
    )
    items = tuple(VersionRow.model_validate(dict(row)) for row in rows[:limit])
    return VersionPage(items, items[-1].version if len(rows) > limit else None)


async def open_cases_elsewhere(conn: Connection, kept: Kept, version: str) -> int:
    """How many open cases live by another version than this one, or by none at all."""
    found = await conn.fetchval(
        f"select count(*) from case_row where not finished and {kept.pinned} is distinct from $1", version
    )
    return int(found)
