"""Cases put straight into the lists of a ledger, for pages that only read them."""

from collections.abc import Sequence

import asyncpg

from ledger.log import Json
from tests.ledger.facts import fact, write


async def put(dsn: str, **rows: Sequence[Json]) -> None:
    """Write rows of read models as their owner would, in one append to a stream of their own."""
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        stream = f"filler-{await conn.fetchval('select count(*) from command')}"
        await write(conn, stream, 0, [fact("noted")], rows={name: list(each) for name, each in rows.items()})
    finally:
        await conn.close()
