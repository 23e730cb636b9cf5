"""What administrators have under way: files that wait to be confirmed, and rules on their way to open cases.

Owns the tables ``draft`` and ``adoption_run``. Must not judge a file or move a case.
"""

import json
from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import BeforeValidator

from domain.base import Frozen
from domain.errors import Refused
from domain.limits import Instant
from ledger.log import Connection
from ledger.security import Kind, record
from ledger.whence import NOBODY

KEPT_FOR = timedelta(days=1)
"""How long a file waits to be confirmed."""

RUNS_SHOWN = 20


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


Parsed = BeforeValidator(_json)


class Draft(Frozen):
    """An uploaded file; ``files`` are names and contents in base64, ``options`` what was chosen beside it."""

    id: UUID
    kind: str
    person: str
    created_at: Instant
    options: Annotated[dict[str, Any], Parsed]
    files: Annotated[dict[str, str], Parsed]


class Run(Frozen):
    """One carrying of rules to open cases, and how far it is."""

    id: UUID
    person: str
    rules: str | None
    calendar: str | None
    reason: str
    started_at: Instant
    told_at: Instant
    ended_at: Instant | None
    stopped: bool
    failed_with: str | None
    tally: Annotated[dict[str, Any], Parsed]


async def keep_draft(conn: Connection, draft: Draft) -> None:
    """Keep an uploaded file until it is confirmed; what nobody confirmed in ``KEPT_FOR`` goes."""
    await conn.execute("delete from draft where created_at < $1", draft.created_at - KEPT_FOR)
    await conn.execute(
        """
        insert into draft (id, kind, person, created_at, options, files)
        values ($1, $2, $3, $4, $5::text::jsonb, $6::text::jsonb)
        """,
        draft.id,
        draft.kind,
        draft.person,
        draft.created_at,
        json.dumps(draft.options),
        json.dumps(draft.files),
    )


async def read_draft(conn: Connection, id: UUID, kind: str, person: str) -> Draft:  # noqa: A002 - the column
    """The file this person uploaded. Raises ``Refused`` ``draft.unknown``."""
    row = await conn.fetchrow(
        """
        select id, kind, person, created_at, options::text as options, files::text as files
        from draft
        where id = $1 and kind = $2 and person = $3
        """,
        id,
        kind,
        person,
    )
    if row is None:
        raise Refused("draft.unknown")
    return Draft(**dict(row))


async def forget_draft(conn: Connection, id: UUID) -> None:  # noqa: A002 - the column
    """The file was confirmed or thrown away."""
    await conn.execute("delete from draft where id = $1", id)


_RUN = """
    id, person, rules, calendar, reason, started_at, told_at, ended_at, stopped, failed_with, tally::text as tally
"""


async def begin_run(conn: Connection, run: Run) -> bool:
    """Write down that a run begins; False when it was written down before: a form sent twice begins one run."""
    async with conn.transaction():
        made = await conn.fetchval(
            """
            insert into adoption_run (id, person, rules, calendar, reason, started_at, told_at)
            values ($1, $2, $3, $4, $5, $6, $6)
            on conflict (id) do nothing
            returning true
            """,
            run.id,
            run.person,
            run.rules,
            run.calendar,
            run.reason,
            run.started_at,
        )
        if made:
            await record_adoption(conn, run.person, rules=run.rules, calendar=run.calendar)
    return bool(made)


async def record_adoption(conn: Connection, person: str, *, rules: str | None, calendar: str | None) -> None:
    """A line of the security log: rules or a calendar begin to reach open cases."""
    detail = {"rules": rules or NOBODY, "calendar": calendar or NOBODY}
    await record(conn, Kind.RULES_ADOPTED, actor=person, detail=detail)


async def tell_run(
    conn: Connection,
    id: UUID,  # noqa: A002 - the column
    tally: dict[str, Any],
    *,
    at: datetime,
    ended: bool = False,
    failed_with: str | None = None,
) -> bool:
    """Say how far a run is; returns whether somebody asked it to stop."""
    return bool(
        await conn.fetchval(
            """
            update adoption_run
            set tally = $2::text::jsonb, told_at = $3, failed_with = $4,
                ended_at = case when $5 then $3 else ended_at end
            where id = $1
            returning stopped
            """,
            id,
            json.dumps(tally),
            at,
            failed_with,
            ended,
        )
    )


async def stop_run(conn: Connection, id: UUID) -> None:  # noqa: A002 - the column
    """Ask a run to stop after the cases under way, whichever console it is at."""
    await conn.execute("update adoption_run set stopped = true where id = $1 and ended_at is null", id)


async def one_run(conn: Connection, id: UUID) -> Run:  # noqa: A002 - the column
    """A run. Raises ``Refused`` ``adoption.unknown``."""
    row = await conn.fetchrow(f"select {_RUN} from adoption_run where id = $1", id)
    if row is None:
        raise Refused("adoption.unknown")
    return Run(**dict(row))


async def latest_runs(conn: Connection) -> tuple[Run, ...]:
    """The last runs, the youngest first."""
    rows = await conn.fetch(f"select {_RUN} from adoption_run order by started_at desc, id limit $1", RUNS_SHOWN)
    return tuple(Run(**dict(row)) for row in rows)
