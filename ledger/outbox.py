"""The outbox: which notices are still to be delivered, to whom, and what has become of each delivery.

Owns the tables ``routing`` and ``delivery``, which are operational state and no fold of the log. A notice is routed
once, when its receivers are looked up in the registry of the day; each delivery is then claimed for a while, tried,
and marked. Must not send anything and must not know any server. Waiting is counted by the clock of the database, so
that couriers on several machines agree; all times are UTC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import asyncpg

from domain.base import Frozen, Recalled
from domain.errors import Refused
from domain.limits import Instant
from domain.people import Role
from domain.registry import Person, Registry
from ledger.log import Connection
from ledger.registry import read_registry
from ledger.rows import NoticeRow

INBOX = "inbox"
"""The channel every notice takes: it is delivered by being written down."""

EMAIL = "email"
"""The channel to people who have an address in the registry; its receivers are codes of persons too."""

NOBODY = "nobody"
"""The error of a notice that reaches no person; its one delivery to the inbox has no receiver."""

WAKE = "notice"
"""The channel of ``pg_notify`` on which the outbox says that there is something to deliver."""


class DeliveryRow(Recalled):
    """What has become of one notice on one channel for one receiver.

    ``receiver`` is the code of a person for the inbox and for e-mail, the number of an address in the settings for
    other channels. ``state`` is ``waiting``, ``delivered`` or ``failed``; ``last_error`` never holds personal data.
    """

    notice: UUID
    channel: str
    receiver: str
    state: str
    attempts: int
    created_at: Instant
    next_at: Instant | None = None
    delivered_at: Instant | None = None
    seen_at: Instant | None = None
    last_error: str | None = None


class Receiver(NamedTuple):
    """Somebody a notice is for: the code of the person, and whether the registry has an address for e-mail."""

    person: str
    has_email: bool


@dataclass(frozen=True)
class Claim:
    """A delivery that one courier may try now; ``attempt`` counts from 1 and tells a late courier from a newer one.

    ``notice`` is None when the log no longer knows the notice.
    """

    id: UUID
    channel: str
    receiver: str
    attempt: int
    notice: NoticeRow | None


_NOTICE = ", ".join(f"n.{column}" for column in NoticeRow.model_fields)


def _notice(row: asyncpg.Record) -> NoticeRow:
    return NoticeRow(**{column: row[column] for column in NoticeRow.model_fields})


class Directory:
    """The registry in force, read again only when there is a newer one."""

    def __init__(self) -> None:
        self._registry = Registry()

    async def registry(self, conn: Connection) -> Registry:
        """The registry in force now."""
        revision = await conn.fetchval("select coalesce(max(number), 0) from registry_revision")
        if revision != self._registry.revision:
            self._registry = await read_registry(conn, revision)
        return self._registry


class Origin(NamedTuple):
    """Where a matter comes from: who registered it, and its street; None for what is not known."""

    opened_by: str | None = None
    street: str | None = None


def receivers_of(notice: NoticeRow, registry: Registry, day: date, origin: Origin) -> tuple[Receiver, ...]:
    """Whom the notice reaches on ``day``; empty when nobody holds the role or the person has left.

    Somebody named by code whom the registry has never known (a resident, a service account) has an inbox all the
    same: it is theirs by the code. A resident without a code is reached by whoever registered the matter for them,
    and when that is no member of staff (an import) by the hotline of the street.
    """
    if notice.person is not None and registry.person(notice.person) is None:
        return (Receiver(notice.person, False),)
    role, organisation, person = notice.role, notice.organisation, notice.person
    if person is None and role == Role.RESIDENT:
        role, organisation = Role.HOTLINE, origin.street
        if origin.opened_by is not None and registry.person(origin.opened_by, day):
            person = origin.opened_by
    found: tuple[Person, ...] = ()
    if person is not None:
        known = registry.person(person, day)
        found = (known,) if known else ()
    elif role in set(Role):
        found = registry.holders(Role(role), organisation, notice.grid, day)
    return tuple(Receiver(each.id, each.email is not None) for each in found)


@dataclass(frozen=True)
class Routed:
    """What one round of routing did: notices looked at, and how many of them reach nobody."""

    notices: int
    nobody: int


async def route(
    conn: Connection,
    registry: Registry,
    day: date,
    *,
    email: bool = False,
    addresses: Sequence[tuple[str, str]] = (),
    limit: int = 100,
) -> Routed:
    """Give new notices their deliveries, the oldest first, at most ``limit`` of them, in one transaction.

    Each receiver gets the notice into the inbox at once, and with ``email`` a delivery by e-mail if the registry has
    an address; each of ``addresses`` (channel, receiver) gets one delivery. Couriers at work at the same time take
    different notices. A delivery that is there already stays as it is.
    """
    async with conn.transaction():
        rows = await conn.fetch(
            f"""
            select r.notice, c.opened_by, c.street, {_NOTICE}
            from routing r
            left join notice n on n.id = r.notice
            left join case_row c on c.id = n.stream
            where r.routed_at is null
            order by r.created_at, r.notice
            limit $1
            for update of r skip locked
            """,
            limit,
        )
        wanted: list[tuple[UUID, str, str]] = []
        nobody = 0
        for row in rows:
            if row["id"] is None:
                continue  # the log no longer knows it: there is nothing to say
            origin = Origin(row["opened_by"], row["street"])
            receivers = receivers_of(_notice(row), registry, day, origin)
            nobody += not receivers
            wanted += [(row["notice"], INBOX, each.person) for each in receivers] or [(row["notice"], INBOX, "")]
            wanted += [(row["notice"], EMAIL, each.person) for each in receivers if email and each.has_email]
            wanted += [(row["notice"], *address) for address in addresses]
        await _enter(conn, wanted)
        await conn.execute(
            "update routing set routed_at = now() where notice = any($1)", [row["notice"] for row in rows]
        )
    return Routed(len(rows), nobody)


async def _enter(conn: Connection, wanted: Sequence[tuple[UUID, str, str]]) -> None:
    """Add deliveries (notice, channel, receiver) that are not there yet; the inbox has its own at once."""
    await conn.execute(
        """
        insert into delivery (notice, channel, receiver, state, next_at, delivered_at, last_error)
        select
            w.notice,
            w.channel,
            w.receiver,
            case when w.channel <> $4 then 'waiting' when w.receiver = '' then 'failed' else 'delivered' end,
            case when w.channel <> $4 then now() end,
            case when w.channel = $4 and w.receiver <> '' then now() end,
            case when w.receiver = '' then $5 end
        from unnest($1::uuid[], $2::text[], $3::text[]) w (notice, channel, receiver)
        on conflict do nothing
        """,
        [notice for notice, _, _ in wanted],
        [channel for _, channel, _ in wanted],
        [receiver for _, _, receiver in wanted],
        INBOX,
        NOBODY,
    )


async def claim(conn: Connection, channel: str, *, limit: int, lease: timedelta) -> list[Claim]:
    """Deliveries of ``channel`` that are due, at most ``limit``, now this courier's for the time of ``lease``.

    A courier that neither marks nor returns in that time has died, and another takes over. Couriers at work at the
    same time get different ones.
    """
    rows = await conn.fetch(
        f"""
        with due as (
            select notice, receiver
            from delivery
            where channel = $1 and state = 'waiting' and next_at <= now()
            order by next_at
            limit $2
            for update skip locked
        ), claimed as (
            update delivery d
            set attempts = d.attempts + 1, next_at = now() + $3
            from due
            where d.notice = due.notice and d.channel = $1 and d.receiver = due.receiver
            returning d.notice, d.receiver, d.attempts
        )
        select c.notice, c.receiver, c.attempts, {_NOTICE}
        from claimed c
        left join notice n on n.id = c.notice
        """,
        channel,
        limit,
        lease,
    )
    return [
        Claim(row["notice"], channel, row["receiver"], row["attempts"], _notice(row) if row["id"] else None)
        for row in rows
    ]


async def mark_delivered(conn: Connection, claimed: Claim) -> None:
    """The receiver has it. True also when another courier has taken over meanwhile: then it has it twice."""
    await conn.execute(
        """
        update delivery
        set state = 'delivered', delivered_at = now(), next_at = null, last_error = null
        where notice = $1 and channel = $2 and receiver = $3 and state <> 'delivered'
        """,
        claimed.id,
        claimed.channel,
        claimed.receiver,
    )


async def mark_failed(conn: Connection, claimed: Claim, error: str, again: timedelta | None) -> None:
    """The attempt failed; try again after ``again``, or never of its own accord for None.

    Nothing happens when another courier has taken the delivery over meanwhile: what it finds counts.
    """
    await conn.execute(
        """
        update delivery
        set state = case when $5::interval is null then 'failed' else 'waiting' end,
            next_at = now() + $5::interval,
            last_error = $6
        where notice = $1 and channel = $2 and receiver = $3 and state = 'waiting' and attempts = $4
        """,
        claimed.id,
        claimed.channel,
        claimed.receiver,
        claimed.attempt,
        again,
        error,
    )


async def retry(conn: Connection, notice: UUID) -> int:
    """Let failed deliveries of a notice be tried again from the beginning, at once; how many there were.

    A notice that reached nobody is routed again, for somebody may hold the role by now.
    """
    async with conn.transaction():
        reopened = await conn.fetch(
            """
            update delivery
            set state = 'waiting', attempts = 0, next_at = now(), last_error = null
            where notice = $1 and state = 'failed' and receiver <> ''
            returning receiver
            """,
            notice,
        )
        unread = await conn.fetch("delete from delivery where notice = $1 and receiver = '' returning notice", notice)
        if unread:
            await conn.execute("update routing set routed_at = null where notice = $1", notice)
        await conn.execute("select pg_notify($1, '')", WAKE)
    return len(reopened) + len(unread)


async def mark_seen(conn: Connection, notice: UUID, person: str) -> bool:
    """The person has seen the notice, now or before; False when it does not lie in their inbox."""
    seen = await conn.fetchval(
        """
        update delivery
        set seen_at = coalesce(seen_at, now())
        where notice = $1 and channel = $2 and receiver = $3 and state = 'delivered'
        returning true
        """,
        notice,
        INBOX,
        person,
    )
    return bool(seen)


async def mark_all_seen(conn: Connection, notices: Sequence[UUID], person: str) -> None:
    """The person has seen these notices, as far as they lie in their inbox."""
    await conn.execute(
        """
        update delivery
        set seen_at = coalesce(seen_at, now())
        where notice = any($1) and channel = $2 and receiver = $3 and state = 'delivered'
        """,
        list(notices),
        INBOX,
        person,
    )


@dataclass(frozen=True)
class Health:
    """How the outbox stands: deliveries that fail are those of the last days, what is late should have been tried."""

    unrouted: int
    late: int
    failed: int
    nobody: int
    last_error: str | None

    @property
    def is_well(self) -> bool:
        """Whether nothing waits for help."""
        return not (self.unrouted or self.late or self.failed or self.nobody)


async def health(conn: Connection, *, patience: timedelta, since: timedelta) -> Health:
    """What waits for longer than ``patience`` without anybody trying, and what has failed within ``since``."""
    row = await conn.fetchrow(
        """
        select
            (select count(*) from routing where routed_at is null and created_at < now() - $1::interval) as unrouted,
            (select count(*) from delivery where state = 'waiting' and next_at < now() - $1::interval) as late,
            count(*) filter (where d.receiver <> '') as failed,
            count(*) filter (where d.receiver = '') as nobody,
            (array_agg(d.channel || ': ' || d.last_error order by d.created_at desc)
                filter (where d.receiver <> ''))[1] as last_error
        from delivery d
        where d.state = 'failed' and d.created_at > now() - $2::interval
        """,
        patience,
        since,
    )
    assert row is not None, "a count is one row"
    return Health(**dict(row))


class NoticeFilter(Frozen):
    """Which notices to list; everything given must hold.

    ``person`` means those in this person's inbox, ``unseen`` those that this person, or without one anybody, has not
    seen yet, ``failed`` those of which a delivery has failed.
    """

    stream: str | None = None
    person: str | None = None
    unseen: bool = False
    failed: bool = False


class Listed(NamedTuple):
    """A notice and what has become of its deliveries."""

    notice: NoticeRow
    deliveries: tuple[DeliveryRow, ...]


@dataclass(frozen=True)
class NoticePage:
    """Some notices, and the cursor of the page after them; None when this is the last one."""

    items: tuple[Listed, ...]
    next: str | None


PAGE_LIMIT = 200
"""Most notices of one page."""


async def list_notices(
    conn: Connection, wanted: NoticeFilter, *, limit: int = 50, cursor: str | None = None
) -> NoticePage:
    """One page of notices, the youngest first.

    Raises ``Refused`` ``feed.bad_cursor`` for a cursor that is none of ours, ``field.invalid`` for a limit outside
    1 to 200.
    """
    if not 1 <= limit <= PAGE_LIMIT:
        raise Refused("field.invalid", field="limit", reason=f"1–{PAGE_LIMIT}")
    at, last = _read_cursor(cursor) if cursor is not None else (None, None)
    rows = await conn.fetch(
        f"""
        select {_NOTICE}
        from notice n
        where ($1::text is null or n.stream = $1)
            and ($2::text is null and not $3 or exists (
                select from delivery d
                where d.notice = n.id
                    and d.channel = 'inbox'
                    and d.state = 'delivered'
                    and ($2::text is null or d.receiver = $2)
                    and (not $3 or d.seen_at is null)
            ))
            and (not $4 or exists (select from delivery d where d.notice = n.id and d.state = 'failed'))
            and ($5::timestamptz is null or (n.at, n.id) < ($5, $6::uuid))
        order by n.at desc, n.id desc
        limit $7
        """,
        wanted.stream,
        wanted.person,
        wanted.unseen,
        wanted.failed,
        at,
        last,
        limit + 1,
    )
    notices = [_notice(row) for row in rows[:limit]]
    found = await deliveries_of(conn, [notice.id for notice in notices])
    items = tuple(Listed(notice, found.get(notice.id, ())) for notice in notices)
    return NoticePage(items, _cursor(notices[-1]) if len(rows) > limit else None)


async def inbox_of(
    conn: Connection, person: str, *, unseen: bool = False, limit: int = 50, cursor: str | None = None
) -> NoticePage:
    """One page of what lies in a person's inbox, the youngest first, with the person's own deliveries.

    Begins with the person instead of the notices, so that somebody who is told little does not wait for what others
    are told. Raises ``Refused`` as ``list_notices`` does.
    """
    if not 1 <= limit <= PAGE_LIMIT:
        raise Refused("field.invalid", field="limit", reason=f"1–{PAGE_LIMIT}")
    at, last = _read_cursor(cursor) if cursor is not None else (None, None)
    rows = await conn.fetch(
        f"""
        with own as materialized (
            select * from delivery
            where receiver = $1 and channel = 'inbox' and state = 'delivered' and (not $2 or seen_at is null)
        )
        select {_NOTICE}, own.*
        from own
        join notice n on n.id = own.notice
        where $3::timestamptz is null or (n.at, n.id) < ($3, $4::uuid)
        order by n.at desc, n.id desc
        limit $5
        """,
        person,
        unseen,
        at,
        last,
        limit + 1,
    )
    items = tuple(
        Listed(_notice(row), (DeliveryRow(**{name: row[name] for name in DeliveryRow.model_fields}),))
        for row in rows[:limit]
    )
    return NoticePage(items, _cursor(items[-1].notice) if len(rows) > limit else None)


async def count_unseen(conn: Connection, person: str, *, at_most: int = 99) -> int:
    """How many notices in a person's inbox they have not seen, counted up to ``at_most`` + 1."""
    found = await conn.fetchval(
        """
        select count(*)
        from (
            select from delivery
            where receiver = $1 and channel = 'inbox' and state = 'delivered' and seen_at is null
            limit $2
        ) unseen
        """,
        person,
        at_most + 1,
    )
    return int(found)


def _cursor(last: NoticeRow) -> str:
    return f"{last.at.isoformat()}_{last.id}"


def _read_cursor(cursor: str) -> tuple[datetime, UUID]:
    at, _, last = cursor.partition("_")
    try:
        found = datetime.fromisoformat(at), UUID(last)
    except ValueError:
        raise Refused("feed.bad_cursor", field="cursor") from None
    if found[0].tzinfo is None:
        raise Refused("feed.bad_cursor", field="cursor")
    return found


async def deliveries_of(conn: Connection, notices: Sequence[UUID]) -> dict[UUID, tuple[DeliveryRow, ...]]:
    """The deliveries of these notices by channel and receiver; a notice not routed yet is absent."""
    rows = await conn.fetch(
        "select * from delivery where notice = any($1) order by notice, channel, receiver", list(notices)
    )
    found: dict[UUID, tuple[DeliveryRow, ...]] = {}
    for row in rows:
        found[row["notice"]] = (*found.get(row["notice"], ()), DeliveryRow(**dict(row)))
    return found


async def notices_beginning(conn: Connection, beginning: str, limit: int = 2) -> list[UUID]:
    """Ids of notices whose hexadecimal digits begin like this, in order; two tell whether it is ambiguous.

    Raises ``ValueError`` for what is no beginning of an id.
    """
    digits = beginning.replace("-", "")
    least, most = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    rows = await conn.fetch("select id from notice where id between $1 and $2 order by id limit $3", least, most, limit)
    return [row["id"] for row in rows]
