"""Who was shown what a resident told, and why.

Owns the table ``reveal``: rows are only ever added. What was shown is never here, in no column and no word.
"""

import uuid

from domain.base import Frozen
from domain.limits import Instant
from domain.privacy import RevealReason
from ledger.log import Connection
from ledger.paging import Page, Where, bounded, fetch, page_of, read_cursor, write_cursor
from ledger.security import Kind, record


class Reveal(Frozen):
    """One look: ``person`` in ``role`` at a ``door`` (page, api, command) at what was kept for ``stream``."""

    id: str
    at: Instant
    person: str
    role: str
    door: str
    stream: str
    reason: RevealReason
    words: str


_COLUMNS = "id::text as id, at, person, role, door, stream, reason, words"


async def record_reveal(
    conn: Connection, stream: str, *, person: str, role: str, door: str, reason: RevealReason, words: str
) -> None:
    """Write down that this is being shown; what cannot be written down must not be shown.

    ``words`` are as ``domain.privacy.said_beside`` gives them. The one way in: whoever keeps a log of security keeps
    it from here.
    """
    await conn.execute(
        "insert into reveal (id, person, role, door, stream, reason, words) values ($1, $2, $3, $4, $5, $6, $7)",
        uuid.uuid4(),
        person,
        role,
        door,
        stream,
        reason.value,
        words,
    )
    detail = {"reason": reason.value, "role": role, "door": door}
    await record(conn, Kind.REVEALED, actor=person, subject=stream, detail=detail)


async def list_reveals(
    conn: Connection,
    *,
    stream: str | None = None,
    person: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[Reveal]:
    """The looks, the last first; of one stream or one person where given.

    Raises ``Refused``: ``feed.bad_cursor``, ``field.invalid`` for a ``limit`` outside 1 to 200.
    """
    where = Where()
    if stream is not None:
        where.add("stream = {}", stream)
    if person is not None:
        where.add("person = {}", person)
    if cursor is not None:
        at, (after,) = read_cursor("reveal", cursor, 1)
        where.add("(at, id::text) < ({}, {})", at, after)
    rows = await fetch(
        conn,
        f"select {_COLUMNS} from reveal {where.sql} order by at desc, id::text desc limit {bounded(limit) + 1}",
        where.values,
    )
    return page_of([Reveal(**row) for row in rows], limit, lambda row: write_cursor("reveal", row.at, row.id))
