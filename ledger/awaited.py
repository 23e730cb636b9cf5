"""What time should have said by now: processes whose awaited moment is past and was never recorded.

Owns one question to the read model of awaited moments, which each act writes as the plan names it: one for every kind
of moment and of process. By the clock of the database, so that several workers agree.
"""

from collections.abc import Collection
from datetime import timedelta

from ledger.log import Connection


async def overslept(conn: Connection, *, since: timedelta, limit: int = 100, but: Collection[str] = ()) -> list[str]:
    """Streams whose awaited moment came longer than ``since`` ago, the oldest first; ``but`` are left out.

    Their workflow is slow, behind the ledger, or lost.
    """
    rows = await conn.fetch(
        """
        select stream
        from awaited
        where at < now() - $1::interval and stream <> all($2::text[])
        order by at, stream
        limit $3
        """,
        since,
        list(but),
        limit,
    )
    return [row["stream"] for row in rows]
