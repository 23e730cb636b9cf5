"""How the ledger stands, in a few numbers that are cheap to ask for every few seconds.

Owns one statement. Each part of it reads a partial index, a bounded number of rows or the sums that are kept of open
cases, so that its cost does not grow with the ledger; counts of what waits end at ``MOST``. All ages are in seconds by
the clock of the database, 0 when there is nothing to wait for. Must not change anything.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from ledger.log import Connection

MOST = 10_000
"""What is counted at most; more is as bad."""

_NEWEST = 100
"""The last events that are compared with the read models."""


@dataclass(frozen=True)
class Gauges:
    """The numbers of one moment.

    ``unrouted`` are notices without deliveries yet, ``waiting`` deliveries that are due, ``failed`` those given up
    within a day. ``clock_lag`` is how long ago the oldest moment came that was not acted on, ``overslept`` how
    many processes that is true of for longer than the waker's patience. ``feed_lag`` is the age of the oldest event
    that the feed holds back for a transaction still open, ``read_model_lag`` that of the oldest among the last hundred
    events that its row does not know, ``checkpoint_lag`` the time since the last checkpoint while events wait for one.
    ``open_green``, ``open_yellow`` and ``open_red`` are the open cases by light, exactly.
    """

    unrouted: int
    unrouted_age: float
    waiting: int
    waiting_age: float
    failed: int
    clock_lag: float
    overslept: int
    feed_lag: float
    read_model_lag: float
    checkpoint_lag: float
    open_green: int
    open_yellow: int
    open_red: int


async def read_gauges(conn: Connection, *, since: timedelta) -> Gauges:
    """The numbers as of now; ``since`` is how late that may be before a process counts as overslept."""
    row = await conn.fetchrow(
        """
        with past as (
            select stream, at from awaited where at < now() order by at, stream limit $2
        ), newest as (
            select stream, max(seq) as seq, min(at) as at
            from (select stream, seq, at from event order by tx desc, stream desc, seq desc limit $3) last
            group by stream
        ), lit as (
            select coalesce(light, 'green') as light, sum(cases)::bigint as cases
            from (
                select light, cases from open_sum where part = 'community'
                union all
                select light, sign from open_change
            ) counted
            group by 1
        ), stated as (
            select position, made_at from checkpoint order by number desc limit 1
        )
        select
            (
                select count(*)
                from (select from routing where routed_at is null limit $2) open
            ) as unrouted,
            (
                select extract(epoch from now() - created_at)::float8
                from routing where routed_at is null
                order by created_at, notice
                limit 1
            ) as unrouted_age,
            (
                select count(*)
                from (select from delivery where state = 'waiting' and next_at <= now() limit $2) due
            ) as waiting,
            (
                select extract(epoch from now() - min(next_at))::float8
                from (select next_at from delivery where state = 'waiting' and next_at <= now() limit $2) due
            ) as waiting_age,
            (
                select count(*)
                from (
                    select from delivery where state = 'failed' and created_at > now() - interval '1 day' limit $2
                ) given_up
            ) as failed,
            (select extract(epoch from now() - min(at))::float8 from past) as clock_lag,
            (select count(*) from past where at < now() - $1::interval) as overslept,
            (
                select extract(epoch from now() - min(at))::float8
                from (select at from event where tx >= pg_snapshot_xmin(pg_current_snapshot()) limit $2) held
            ) as feed_lag,
            (
                select extract(epoch from now() - min(n.at))::float8
                from newest n
                left join case_row c on c.id = n.stream
                left join wish w on w.id = n.stream
                where coalesce(c.seq, w.seq, 0) < n.seq
            ) as read_model_lag,
            (
                select extract(epoch from now() - coalesce(
                    (select made_at from stated), (select at from event order by tx, stream, seq limit 1)
                ))::float8
                where exists (select from event where tx >= coalesce((select position from stated), '0'::xid8))
            ) as checkpoint_lag,
            coalesce((select cases from lit where light = 'green'), 0) as open_green,
            coalesce((select cases from lit where light = 'yellow'), 0) as open_yellow,
            coalesce((select cases from lit where light = 'red'), 0) as open_red
        """,
        since,
        MOST,
        _NEWEST,
    )
    assert row is not None, "a statement without a table returns one row"
    found: dict[str, Any] = {
        name: value if isinstance(value, int) else max(0.0, value or 0.0) for name, value in row.items()
    }
    return Gauges(**found)
