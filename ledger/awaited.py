"""What time should have said by now: processes whose next light is past and was never recorded.

Owns one question to the read model of clocks. By the clock of the database, so that several workers agree.
"""

from datetime import timedelta

from ledger.log import Connection


async def overslept(conn: Connection, *, since: timedelta, limit: int = 100) -> list[str]:
    """Streams with a running clock that should have turned yellow or red longer than ``since`` ago, the oldest first.

    Wishes that should have lapsed are among them. Their workflow is slow, behind the ledger, or lost.
    """
    rows = await conn.fetch(
        """
        select stream, min(awaited) as awaited
        from (
            select stream, least(due_at, case when warned_at is null then warn_at end) as awaited
            from clock
            where stopped_at is null and overdue_at is null
                and least(due_at, case when warned_at is null then warn_at end) < now() - $1::interval
            union all
            select id, lapses_at from wish where not finished and lapses_at < now() - $1::interval
        ) past
        group by stream
        order by awaited, stream
        limit $2
        """,
        since,
        limit,
    )
    return [row["stream"] for row in rows]
