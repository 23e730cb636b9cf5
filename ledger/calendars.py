"""The work calendars as they stand in the database.

Owns their versions: a calendar is immutable under its version like a rule book, and the one in force is the last choice
made. Must not judge or change a calendar: ``domain.calendar`` and ``ledger.calendar_files`` do.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from domain.calendar import WorkCalendar
from domain.errors import Refused
from ledger.log import Connection, digest
from ledger.security import Kind, record
from ledger.versions import CALENDARS

_LOCK = "calendar"
_CURRENT = CALENDARS.current


@dataclass(frozen=True)
class Calendars:
    """All calendars by version, and the version new processes pin; None before the first calendar."""

    calendars: dict[str, WorkCalendar]
    current: str | None


async def store_calendar(
    conn: Connection, calendar: WorkCalendar, choose: bool = True, *, by: str = "administrator"
) -> None:
    """Keep a calendar for ever and, unless ``choose`` is false, let new processes pin it from now on.

    ``by`` is the code of the person who chose it. Storing the same content again is fine, choosing the calendar in
    force changes nothing. Raises ``Refused`` ``calendar.version_exists`` when the version stands for other content.
    """
    async with conn.transaction():
        await _lock(conn)
        new = await _keep(conn, calendar)
        chosen = choose and await conn.fetchval(_CURRENT) != calendar.version
        if chosen:
            await _choose(conn, calendar.version, by)
        await _recorded(conn, calendar, by, new=new, chosen=chosen)


async def replace_calendar(conn: Connection, calendar: WorkCalendar, *, current: str | None, by: str) -> None:
    """Keep and choose a calendar that was made from the one of version ``current`` and looked at beside it.

    Raises ``Refused`` ``calendar.moved_on`` when another one is in force by now, and as ``store_calendar`` does.
    """
    async with conn.transaction():
        await _lock(conn)
        found = await conn.fetchval(_CURRENT)
        if found != current:
            raise Refused("calendar.moved_on", current=found)
        new = await _keep(conn, calendar)
        if found != calendar.version:
            await _choose(conn, calendar.version, by)
        await _recorded(conn, calendar, by, new=new, chosen=found != calendar.version)


async def _recorded(conn: Connection, calendar: WorkCalendar, by: str, *, new: bool, chosen: bool) -> None:
    """A line of the security log, where anything has changed."""
    if new or chosen:
        detail = {"new": new, "chosen": chosen}
        await record(conn, Kind.CALENDAR_STORED, actor=by, subject=calendar.version, detail=detail)


async def _lock(conn: Connection) -> None:
    await conn.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", _LOCK)


async def _keep(conn: Connection, calendar: WorkCalendar) -> bool:
    """Keep the calendar; False when it was kept already."""
    body = calendar.model_dump(mode="json")
    content = digest(body)
    known = await conn.fetchval("select digest from calendar where version = $1", calendar.version)
    if known is None:
        await conn.execute(
            "insert into calendar (version, body, digest) values ($1, $2::text::jsonb, $3)",
            calendar.version,
            json.dumps(body, ensure_ascii=False),
            content,
        )
    elif known != content:
        raise Refused("calendar.version_exists", field="version", version=calendar.version)
    return known is None


async def check_version(conn: Connection, calendar: WorkCalendar) -> None:
    """Nothing when the calendar could be kept; raises ``Refused`` ``calendar.version_exists`` when it could not."""
    known = await conn.fetchval("select digest from calendar where version = $1", calendar.version)
    if known not in (None, digest(calendar.model_dump(mode="json"))):
        raise Refused("calendar.version_exists", field="version", version=calendar.version)


async def _choose(conn: Connection, version: str, by: str) -> None:
    await conn.execute("insert into calendar_choice (version, chosen_by) values ($1, $2)", version, by)


async def read_calendars(conn: Connection, known: Mapping[str, WorkCalendar] | None = None) -> Calendars:
    """All calendars and the version in force.

    A calendar never changes: those in ``known`` are taken as they are, with all they have worked out about their days,
    and only the others are read.
    """
    known = known or {}
    rows = await conn.fetch(
        """
        select version, case when version = any($1::text[]) then null else body::text end as body
        from calendar
        order by added_at, version
        """,
        list(known),
    )
    current = await conn.fetchval(_CURRENT)
    found = {
        row["version"]: known[row["version"]]
        if row["body"] is None
        else WorkCalendar.model_validate_json(row["body"], extra="ignore")
        for row in rows
    }
    return Calendars(found, current)


async def current_calendar(conn: Connection) -> WorkCalendar | None:
    """The calendar in force, None before the first one; reads no other."""
    body = await conn.fetchval(f"select body::text from calendar where version = ({_CURRENT})")
    return None if body is None else _read(body)


async def read_calendar(conn: Connection, version: str) -> WorkCalendar:
    """The calendar of this version, in force or not. Raises ``Refused`` ``calendar.unknown``."""
    body = await conn.fetchval("select body::text from calendar where version = $1", version)
    if body is None:
        raise Refused("calendar.unknown", field="version", version=version)
    return _read(body)


def _read(body: str) -> WorkCalendar:
    # A newer release may have written it: what this one does not know is passed over.
    return WorkCalendar.model_validate_json(body, extra="ignore")
