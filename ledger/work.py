"""What somebody must do now: the open tasks of all roles of a person, in the order in which they are due.

Owns the question which tasks wait for whom, as far as rows can tell; the case's own rules decide when somebody acts.
Every role is one range of an index of open tasks, so a page costs the same however many tasks there are.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import JsonValue

from domain.base import Frozen
from domain.errors import Refused
from domain.limits import Instant
from domain.people import Actor, Role
from domain.registry import Registry
from domain.rights import Subject, reach_of
from ledger.log import Connection
from ledger.paging import PAGE_LIMIT, read_cursor, write_cursor
from ledger.rows import TaskRow

COUNTED = 300
"""Tasks are counted up to here: beyond it a number tells nobody anything."""

_DEPARTMENT = (Role.DEPARTMENT_HANDLER, Role.DEPARTMENT_HEAD)
_ORDER = "coalesce(due_at, 'infinity'::timestamptz), stream, id"
_LIST = "work"


class Work(TaskRow):
    """A task with what is known of the matter it belongs to; ``warn_at`` is when its clock turns yellow."""

    title: str | None = None
    stage: str | None = None
    urgency: str | None = None
    category: str | None = None
    place_grid: str | None = None
    place_community: str | None = None
    registered_at: Instant | None = None
    warn_at: Instant | None = None
    visit_attempts: int = 0
    signed_for: bool = True
    suspended: bool = False

    def light(self, at: datetime) -> str | None:
        """The light of the task at the moment ``at``; None for a task without a deadline."""
        if self.due_at is None:
            return None
        if self.due_at <= at:
            return "red"
        return "yellow" if self.warn_at is not None and self.warn_at <= at else "green"


class Waiting(Frozen):
    """How many tasks of one kind wait for one role: all, those past their time, those due until the end of the day."""

    role: str
    kind: str
    tasks: int
    overdue: int
    today: int


@dataclass(frozen=True)
class WorkPage:
    """Some tasks, and the cursor of the page after them; None when this is the last one."""

    items: tuple[Work, ...]
    next: str | None


class _Values:
    """The numbered values of a statement; values never become part of it."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def __call__(self, value: Any) -> str:
        self.values.append(value)
        return f"${len(self.values)}"


def _roles(role: Role) -> list[str]:
    """The roles whose tasks somebody in this role does: the head of a department may do what its people may."""
    return [str(each) for each in _DEPARTMENT] if role in _DEPARTMENT else [str(role)]


def _ranges(subject: Subject, registry: Registry, value: _Values, *, others: bool = False) -> Iterator[str]:
    """One condition for each range of tasks that wait for the person; the ranges may overlap.

    With ``others`` also what waits for a colleague by name, where the person holds the same role in the same place.
    """
    me = value(subject.person)
    yield f"person = {me}"
    mine, nobodys = ("", "") if others else (f" and (person is null or person = {me})", " and person is null")
    for actor in subject.holds:
        for role in map(value, _roles(actor.role)):
            for place in _places(actor, registry, value):
                yield f"{place} and role = {role}{mine}"
            # What lies nowhere yet waits for whoever holds the role, anywhere.
            yield f"organisation is null and grid is null{nobodys} and role = {role}"


def _places(actor: Actor, registry: Registry, value: _Values) -> Iterator[str]:
    if actor.grid is not None:
        yield f"grid = {value(actor.grid)}"
    elif actor.organisation is not None:
        for code in sorted({actor.organisation, *reach_of(actor, registry).streets}):
            yield f"organisation = {value(code)} and grid is null"
    else:
        yield "organisation is not null and grid is null"


def _waiting(ranges: Sequence[str], more: str, columns: str, limit: int) -> str:
    """The tasks of all ranges, each at most once; of each range only as many as can be wanted."""
    return " union ".join(
        f"(select {columns} from task where closed_at is null and {each}{more} order by {_ORDER} limit {limit})"
        for each in ranges
    )


async def list_work(
    conn: Connection,
    subject: Subject,
    registry: Registry,
    *,
    kinds: Sequence[str] = (),
    role: Role | None = None,
    others: bool = False,
    limit: int = 50,
    cursor: str | None = None,
) -> WorkPage:
    """One page of the open tasks of a person in all their roles, the most urgent first, those without a deadline last.

    ``kinds`` and ``role`` narrow them; ``others`` adds what waits for a colleague by name. Raises ``Refused``:
    ``feed.bad_cursor``; ``field.invalid`` for a limit outside 1 to 200.
    """
    if not 1 <= limit <= PAGE_LIMIT:
        raise Refused("field.invalid", field="limit", reason=f"1–{PAGE_LIMIT}")
    value = _Values()
    ranges = tuple(_ranges(subject, registry, value, others=others))
    more = f" and kind = any({value(list(kinds))}::text[])" if kinds else ""
    more += f" and role = any({value(_roles(role))}::text[])" if role is not None else ""
    if cursor is not None:
        at, (stream, task) = read_cursor(_LIST, cursor, 2)
        after = f"coalesce({value(at)}::timestamptz, 'infinity'::timestamptz), {value(stream)}, {value(task)}"
        more += f" and ({_ORDER}) > ({after})"
    rows = await conn.fetch(
        f"""
        with waiting as ({_waiting(ranges, more, "*", limit + 1)}),
        wanted as (select * from waiting order by {_ORDER} limit {limit + 1})
        select
            w.*,
            coalesce(c.title, h.title) as title,
            coalesce(c.stage, h.stage) as stage,
            c.urgency,
            c.category,
            coalesce(c.grid, h.grid) as place_grid,
            coalesce(c.community, h.community) as place_community,
            coalesce(c.registered_at, h.published_at) as registered_at,
            coalesce(c.visit_attempts, 0) as visit_attempts,
            coalesce(c.suspended, false) as suspended,
            t.warn_at,
            not coalesce(t.unsigned, false) as signed_for
        from wanted w
        left join case_row c on c.id = w.stream
        left join wish h on h.id = w.stream
        left join lateral (
            select
                min(warn_at) filter (where k.due_at = w.due_at) as warn_at,
                bool_or(k.kind = 'sign_for' and k.organisation = w.organisation) as unsigned
            from clock k
            where k.stream = w.stream and k.stopped_at is null
        ) t on true
        order by coalesce(w.due_at, 'infinity'::timestamptz), w.stream, w.id
        """,
        *value.values,
    )
    items = tuple(Work(**row) for row in rows[:limit])
    last = items[-1] if len(rows) > limit else None
    return WorkPage(items, None if last is None else write_cursor(_LIST, last.due_at, last.stream, last.id))


async def count_work(
    conn: Connection, subject: Subject, registry: Registry, *, now: datetime, tomorrow: datetime
) -> list[Waiting]:
    """How many tasks wait, by role and kind, the likeliest role first; at most ``COUNTED`` of each role and place."""
    value = _Values()
    ranges = tuple(_ranges(subject, registry, value))
    rows = await conn.fetch(
        f"""
        with waiting as ({_waiting(ranges, "", "stream, id, role, kind, due_at", COUNTED)})
        select
            coalesce(role, '') as role,
            kind,
            count(*)::integer as tasks,
            (count(*) filter (where due_at <= {value(now)}))::integer as overdue,
            (count(*) filter (where due_at > {value(now)} and due_at < {value(tomorrow)}))::integer as today
        from waiting
        group by role, kind
        order by role, kind
        """,
        *value.values,
    )
    return [Waiting(**row) for row in rows]


async def usual_categories(conn: Connection, community: str, *, among: int = 300, limit: int = 8) -> list[str]:
    """The categories that the youngest ``among`` cases of a community have most, the most frequent first."""
    rows = await conn.fetch(
        """
        select category
        from (
            select category from case_row where community = $1 order by registered_at desc, id desc limit $2
        ) youngest
        where category is not null
        group by category
        order by count(*) desc, category
        limit $3
        """,
        community,
        among,
        limit,
    )
    return [row["category"] for row in rows]


def _decoded(body: Any) -> Any:
    """A connection without a codec gives JSON columns as text."""
    return json.loads(body) if isinstance(body, str) else body


class Fact(Frozen):
    """The last fact of one kind of one stream."""

    stream: str
    kind: str
    at: Instant
    body: dict[str, JsonValue]


async def last_facts(conn: Connection, streams: Sequence[str], kinds: Sequence[str]) -> dict[tuple[str, str], Fact]:
    """The last fact of each of these kinds, by stream and kind; what never happened is absent."""
    rows = await conn.fetch(
        """
        select distinct on (stream, kind) stream, kind, at, body
        from event
        where stream = any($1::text[]) and kind = any($2::text[])
        order by stream, kind, seq desc
        """,
        list(streams),
        list(kinds),
    )
    return {
        (row["stream"], row["kind"]): Fact(
            stream=row["stream"], kind=row["kind"], at=row["at"], body=_decoded(row["body"])
        )
        for row in rows
    }
