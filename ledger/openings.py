"""How streams began, many at a time, and whose turn it is to bring new ones.

Owns the questions of an import to the ledger. Must not write.
"""

import json
from collections.abc import Sequence

from ledger.log import Connection, Json

_BATCH = 1000


async def opening_events(conn: Connection, streams: Sequence[str]) -> dict[str, Json]:
    """The first event of each of the streams that exist, by stream."""
    found: dict[str, Json] = {}
    for start in range(0, len(streams), _BATCH):
        rows = await conn.fetch(
            "select stream, body::text as body from event where stream = any($1::text[]) and seq = 1",
            list(streams[start : start + _BATCH]),
        )
        found |= {row["stream"]: json.loads(row["body"]) for row in rows}
    return found


async def take_turn(conn: Connection, name: str) -> bool:
    """Whether this connection now holds the turn called ``name``; it keeps it until it is closed or reset."""
    return bool(await conn.fetchval("select pg_try_advisory_lock(hashtextextended($1, 1))", name))
