"""Which request a tracking code belongs to, as the database knows it: by keyed hashes only.

Owns the table and its statements. Codes, digits and the key stay with ``console.tracking``; nothing here could be shown
to anybody. Every function works in the caller's transaction or in one of its own.
"""

from datetime import datetime
from typing import Any

import asyncpg

from domain.base import Frozen
from domain.errors import Refused
from ledger.log import Connection


class TrackingRow(Frozen):
    """The code in force of one request; ``number`` counts its codes from 1, ``phone`` is None where none was left."""

    stream: str
    number: int
    code: bytes
    phone: bytes | None
    issued_at: datetime
    issued_by: str


_COLUMNS = "stream, number, code, phone, issued_at, issued_by"


def _row(row: Any) -> TrackingRow | None:
    return None if row is None else TrackingRow(**dict(row))


async def tracking_of(conn: Connection, stream: str) -> TrackingRow | None:
    """The code in force of a request."""
    return _row(await conn.fetchrow(f"select {_COLUMNS} from tracking where stream = $1", stream))


async def tracking_by(conn: Connection, code: bytes) -> TrackingRow | None:
    """The request whose code in force has this hash."""
    return _row(await conn.fetchrow(f"select {_COLUMNS} from tracking where code = $1", code))


async def keep_tracking(conn: Connection, row: TrackingRow) -> TrackingRow:
    """Keep a first code; where the request has one already, that one stays and is returned.

    Raises ``Refused`` ``tracking.erased`` when nothing is kept of the resident any more.
    """
    try:
        made = await conn.fetchrow(
            f"""
            insert into tracking ({_COLUMNS})
            values ($1, $2, $3, $4, $5, $6)
            on conflict (stream) do nothing
            returning {_COLUMNS}
            """,
            row.stream,
            row.number,
            row.code,
            row.phone,
            row.issued_at,
            row.issued_by,
        )
    except asyncpg.ForeignKeyViolationError:
        raise Refused("tracking.erased") from None
    kept = _row(made) or await tracking_of(conn, row.stream)
    assert kept is not None, "what was in the way of a first code is a code"
    return kept


async def replace_tracking(
    conn: Connection, stream: str, *, number: int, code: bytes, at: datetime, by: str
) -> TrackingRow | None:
    """Put the code ``number`` in the place of the one before it; None when that is not the one in force any more."""
    return _row(
        await conn.fetchrow(
            f"""
            update tracking
            set number = $2, code = $3, issued_at = $4, issued_by = $5
            where stream = $1 and number = $2 - 1
            returning {_COLUMNS}
            """,
            stream,
            number,
            code,
            at,
            by,
        )
    )
