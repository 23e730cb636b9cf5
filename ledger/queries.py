"""Questions about the read models: lists with filters, search and keyset paging, one case, inboxes, clocks, counts.

Owns how far a list reaches: rows out of the asker's ``Reach`` never leave the database. Must not read the log and must
not write.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import asyncpg
from pydantic import Field

from domain.base import Frozen
from domain.case.vocabulary import LEVELS, Level
from domain.errors import Refused
from domain.limits import Instant
from domain.rights import EVERYTHING, Reach
from domain.similarity import grams, plain
from ledger.log import Connection
from ledger.paging import PAGE_LIMIT as PAGE_LIMIT
from ledger.paging import Page as Page
from ledger.paging import Where, bounded, fetch, page_of, read_cursor, write_cursor
from ledger.rows import CaseRow, ClockRow, TaskRow, WishRow

WORDS_LIMIT, TERMS_LIMIT = 100, 8
"""Longest search in characters, and most words of it that are looked at."""

WALKED, TRIED = 6_000, 1_000
"""Cases of a list whose texts a search reads one by one, in the order of the list, before it asks the index of words,
and after how many it first looks whether the page will be full by then.

Words that fill no page on the way stand in less than about one case of a hundred: so few that the index names all of
them sooner than their order could be walked. Words that are found often never get there, and would have the index name
a million. A list that ends on the way is read to its end.
"""


class Sort(StrEnum):
    """The orders of a list of cases."""

    REGISTERED = "registered"
    """The youngest first."""
    DUE = "due"
    """The most urgent first; cases without a deadline last."""


class CaseFilter(Frozen):
    """Which cases to list; everything given must hold, several stages are alternatives.

    ``overdue`` asks whether a deadline of the case was ever missed, ``light`` for its state now;
    ``department`` whether a department takes part, as lead or helper; ``handler`` for a person to whom a task of the
    case lies open by name or to whom a department's part was ever given; ``supervised`` whether an order waits for its
    reply or a level above the community answers for the case, ``unanswered`` and ``raised`` for one of the two;
    ``rungs`` for a running clock that has reached one of these rungs of the ladder, by code. ``registered_from`` is
    included, ``registered_to`` is not.

    ``q`` are words that must all stand in title or text, whatever their width, case and punctuation; it also finds
    a case by the beginning of its id and by its number in another system. Words after ``TERMS_LIMIT`` are not looked
    at; blanks only ask for nothing.
    """

    stages: tuple[str, ...] = ()
    q: str | None = None
    mode: str | None = None
    urgency: str | None = None
    category: str | None = None
    light: str | None = None
    street: str | None = None
    community: str | None = None
    grid: str | None = None
    department: str | None = None
    handler: str | None = None
    source: str | None = None
    overdue: bool | None = None
    supervised: bool | None = None
    unanswered: bool | None = None
    raised: bool | None = None
    rungs: tuple[str, ...] | None = None
    suspended: bool | None = None
    shelved: bool | None = None
    backlog: bool | None = None
    finished: bool | None = None
    registered_from: Instant | None = Field(default=None)
    registered_to: Instant | None = Field(default=None)


_EQUAL = (
    "mode", "urgency", "category", "light", "street", "community", "grid", "source", "suspended", "shelved", "backlog",
    "finished",
)  # fmt: skip

_RAISED = ", ".join(f"'{level.value}'" for level in LEVELS[LEVELS.index(Level.COMMUNITY) + 1 :])
_ABOVE = f"c.level in ({_RAISED})"
# As the indexes say it, word for word.
_SUPERVISED = f"(c.open_orders > 0 or {_ABOVE})"
_RUNNING = "stopped_at is null and cardinality(reached) > 0"
_ID = re.compile(r"case-[0-9a-z-]{1,60}|[0-9a-f][0-9a-f-]{3,40}")


class _Cases(Where):
    """The conditions of a list of cases; what must stand in their texts is kept apart, in ``terms``."""

    def __init__(
        self,
        filter: CaseFilter,  # noqa: A002 - the word of the interface
        reach: Reach,
        values: list[Any] | None = None,
    ) -> None:
        super().__init__(values)
        self.terms: list[str] = []
        self._reach = reach
        self._within(reach)
        self._plain(filter)
        self._supervision(filter)
        self._search(filter.q or "")

    def _within(self, reach: Reach) -> None:
        if reach.everything:
            return
        ways = [
            self._way(f"c.{column} = ", codes)
            for column, codes in (
                ("street", reach.streets),
                ("community", reach.communities),
                ("grid", reach.grids),
                ("opened_by", reach.people),
            )
            if codes
        ]
        if reach.departments:
            self.values.append(sorted(reach.departments))
            ways.append(f"c.departments && ${len(self.values)}::text[]")
        self.add("(" + " or ".join(ways) + ")" if ways else "false")

    def _is_all_reached(self, department: str) -> bool:
        # Said twice, the server takes it for two conditions, and a large department's list for a short one.
        return self._reach == Reach(departments=frozenset({department}))

    def _way(self, equals: str, codes: Iterable[str]) -> str:
        # One code by itself lets an index give the order as well.
        several = sorted(codes)
        self.values.append(several if len(several) > 1 else several[0])
        place = f"${len(self.values)}"
        return equals + (f"any({place}::text[])" if len(several) > 1 else place)

    def _plain(self, filter: CaseFilter) -> None:  # noqa: A002
        if filter.stages:
            self.add("c.stage = any({}::text[])", list(filter.stages))
        for column in _EQUAL:
            value = getattr(filter, column)
            if value is not None:
                self.add(f"c.{column} = {{}}", value)
        if filter.department is not None and not self._is_all_reached(filter.department):
            self.add("c.departments @> array[{}::text]", filter.department)
        if filter.handler is not None:
            self.add(
                "c.id in (select stream from task where person = {} and (closed_at is null or kind = 'handle'))",
                filter.handler,
            )
        if filter.suspended or filter.shelved or filter.backlog:
            self.add("(c.suspended or c.shelved)")  # follows from the others, and names the index
        if filter.overdue is not None:
            self.add("c.was_overdue = {}", filter.overdue)
        if filter.registered_from is not None:
            self.add("c.registered_at >= {}", filter.registered_from)
        if filter.registered_to is not None:
            self.add("c.registered_at < {}", filter.registered_to)

    def _supervision(self, filter: CaseFilter) -> None:  # noqa: A002
        for wanted, condition in (
            (filter.supervised, _SUPERVISED),
            (filter.unanswered, "c.open_orders > 0"),
            (filter.raised, _ABOVE),
        ):
            if wanted is not None:
                self.add(condition if wanted else f"({condition}) is not true")
        if filter.rungs is not None:
            reached = f"select stream from clock where {_RUNNING} and reached && {{}}::text[]"
            self.add(f"c.id in ({reached})", list(filter.rungs))

    def _search(self, words: str) -> None:
        words = words.replace("\0", "").strip().lower()
        if len(words) > WORDS_LIMIT:
            raise Refused("search.too_long", field="q", limit=WORDS_LIMIT)
        if not words:
            return
        if _ID.fullmatch(words):
            self._by_name(words)
        else:
            self.terms = [term for term in map(plain, words.split()[:TERMS_LIMIT]) if term]
            if not self.terms:
                self.add("false")

    def _by_name(self, name: str) -> None:
        """What looks like an id may be one, a number of another system, or just a number in a text."""
        beginning = name if name.startswith("case-") else f"case-{name}"
        self.values += [beginning, name]
        begins, is_called = f"${len(self.values) - 1}::text", f"${len(self.values)}::text"
        ways = [
            f"select id from case_row where id like {begins} || '%'",
            f"select id from case_row where external_id = {is_called}",
        ]
        if not name.startswith("case-"):
            words = [plain(name)]
            ways.append(f"select t.id from case_text t where {_indexed(self, words)}")
        self.add("c.id in (" + " union all ".join(ways) + ")")


def _holds(where: Where, terms: Sequence[str]) -> str:
    """That the text ``t`` holds every one of these words as a whole, for whoever walks through texts.

    A pattern, because the server knows from its statistics about how many texts one fits, and so whether an order is
    worth walking; words in their plain form hold none of the signs of a pattern.
    """
    return " and ".join(f"t.plain like {where.place(f'%{term}%')}::text" for term in terms)


def _indexed(where: Where, terms: Sequence[str]) -> str:
    """The same for whoever asks the index of pairs: all their pairs stand in the text ``t``, and not only somewhere.

    One letter is looked up by itself, and pairs without their letters: who reckons how many rows there will be
    takes every further gram for a further condition. For the same reason the whole word is no pattern here, and is
    unequal to nowhere, which counts for nothing, instead of somewhere behind it, which counts for a third.
    """
    wanted = [
        f"cjk_grams(t.plain) @> {where.place(sorted(grams(term)) or [term])}::text[]"
        f" and strpos(t.plain, {where.place(term)}::text) <> 0"
        for term in terms
    ]
    return " and ".join(wanted)


_MOMENT = {Sort.REGISTERED: "c.registered_at", Sort.DUE: "coalesce(c.due_at, 'infinity'::timestamptz)"}
_DIRECTION = {Sort.REGISTERED: "desc", Sort.DUE: "asc"}
_ORDER = {each: f"{_MOMENT[each]} {_DIRECTION[each]}, c.id {_DIRECTION[each]}" for each in Sort}


async def list_cases(
    conn: Connection,
    filter: CaseFilter | None = None,  # noqa: A002 - the word of the interface
    *,
    reach: Reach = EVERYTHING,
    sort: Sort = Sort.REGISTERED,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[CaseRow]:
    """One page of the cases within ``reach``.

    Raises ``Refused`` ``feed.bad_cursor`` for a cursor that is not of this list and order, ``field.invalid`` for a
    limit outside 1 to 200, ``search.too_long`` for more words than ``WORDS_LIMIT`` characters.
    """
    where, limit = _Cases(filter or CaseFilter(), reach), bounded(limit)
    sort = Sort(sort)
    order = _ORDER[sort]
    if sort is Sort.REGISTERED:
        if cursor is not None:
            at, names = read_cursor(sort, cursor, 1)
            where.add("(c.registered_at, c.id) < ({}::timestamptz, {}::text)", at, names[0])
    elif cursor is not None:
        at, names = read_cursor(sort, cursor, 1)
        moment = _MOMENT[sort]
        if at is None:
            # Most cases are behind their last deadline, and what comes after never looks to the server like no row.
            where.add(f"{moment} = 'infinity'::timestamptz and c.id > {{}}::text", names[0])
        else:
            where.add(f"({moment}, c.id) > ({{}}::timestamptz, {{}}::text)", at, names[0])
    if where.terms:
        found = await _search(conn, where, sort, limit + 1)
    else:
        found = await fetch(
            conn, f"select c.* from case_row c {where.sql} order by {order} limit {limit + 1}", where.values
        )
    rows = [CaseRow(**row) for row in found]
    return page_of(
        rows,
        limit,
        lambda row: write_cursor(sort, row.registered_at if sort is Sort.REGISTERED else row.due_at, row.id),
    )


async def _search(conn: Connection, where: _Cases, sort: Sort, most: int) -> list[asyncpg.Record]:
    """The first ``most`` cases of the list in whose texts all words stand.

    The texts of its first cases are read; only where they do not fill the page and the list goes on, the index of words
    is asked.
    """
    walked, values = _walked(where, most, sort)
    rows = await fetch(
        conn,
        f"""
        with {walked}
        select c.*, look.is_whole
        from look left join found on true left join case_row c on c.id = found.id
        order by {_ORDER[sort]}
        """,
        values,
    )
    if len(rows) < most and not rows[0]["is_whole"]:
        return await _look_up(conn, where, sort, most)
    return [row for row in rows if row["id"] is not None]


def _walked(where: _Cases, most: int, sort: Sort | None = None) -> tuple[str, list[Any]]:
    """A walk through the texts of a list, in its order or in any: the queries of a ``with``, and their values.

    ``found`` has the ids of the first ``most`` cases in whose texts all words stand. Where they are fewer,
    ``look.is_whole`` tells whether the list has no more; else it goes on behind ``WALKED``, or reading on after
    ``TRIED`` was not worth it.
    """
    asked = where.beside()
    moment, order, again = "null", "", ""
    if sort is not None:
        moment, order = _MOMENT[sort], f"order by {_ORDER[sort]}"
        again = f"order by w.moment {_DIRECTION[sort]}, w.id {_DIRECTION[sort]}"
    holds = _holds(asked, where.terms)
    # The list by itself, so that nobody reckons how soon words will be found who cannot know whether the cases of this
    # list have them. It is read no further than the page needs: how long it is, is asked only where the page is not
    # full after the first look. Its order is known outside by the column of that name. Ids only: what is put in order
    # is mostly thrown away.
    return (
        f"""
        walked as materialized (
            select c.id, {moment} as moment from case_row c {where.sql} {order} limit {WALKED}
        ), tried as materialized (
            select w.id
            from (select w.id, w.moment from walked w {again} limit {TRIED}) w
            join case_text t on t.id = w.id
            where {holds}
            {again}
            limit {most}
        ), look as materialized (
            select
                count(*) as tried,
                case when count(*) < {most} then (select count(*) from walked) < {WALKED} end as is_whole
            from tried
        ), further as materialized (
            select w.id
            from (select w.id, w.moment from walked w {again} offset {TRIED}) w
            join case_text t on t.id = w.id
            where {holds}
                and (select is_whole or (tried < {most} and tried * {WALKED} >= {most * TRIED}) from look)
            {again}
            limit {most}
        ), found as (
            select id from tried union all select id from further limit {most}
        )
        """,
        asked.values,
    )


async def _look_up(conn: Connection, where: _Cases, sort: Sort, most: int) -> list[asyncpg.Record]:
    asked = where.beside()
    # Texts know when their cases were registered: where nothing else is asked for, only those shown are looked up. By a
    # sum that no index has: who may follow the order of an index walks on through texts instead of asking for words.
    plain_list = sort is Sort.REGISTERED and not where.conditions
    first = f"order by t.registered_at + interval '0' desc, t.id desc limit {most}" if plain_list else ""
    return await fetch(
        conn,
        f"""
        with found as materialized (
            select t.id from case_text t where {_indexed(asked, where.terms)} {first}
        )
        select c.* from found join case_row c on c.id = found.id {where.sql} order by {_ORDER[sort]} limit {most}
        """,
        asked.values,
    )


async def count_cases(
    conn: Connection,
    filter: CaseFilter | None = None,  # noqa: A002 - the word of the interface
    *,
    reach: Reach = EVERYTHING,
    at_most: int = PAGE_LIMIT,
) -> int:
    """How many cases there are within ``reach``, counted up to ``at_most`` + 1: that one more says "and more"."""
    found = await count_each(conn, {"": filter or CaseFilter()}, reach=reach, at_most=at_most)
    return found[""]


async def count_each(
    conn: Connection, filters: Mapping[str, CaseFilter], *, reach: Reach = EVERYTHING, at_most: int = PAGE_LIMIT
) -> dict[str, int]:
    """``count_cases`` of several lists by their names; those without words in one question to the server."""
    values: list[Any] = []
    counted: dict[str, int] = {}
    lists: dict[str, str] = {}
    for name, each in filters.items():
        if (alone := _Cases(each, reach)).terms:
            counted[name] = await _count_found(conn, alone, at_most + 1)
        else:
            lists[name] = f"(select from case_row c {_Cases(each, reach, values).sql} limit {int(at_most) + 1}) found"
    if lists:
        statement = "select " + ", ".join(f"(select count(*) from {each})" for each in lists.values())
        counted |= zip(lists, map(int, (await fetch(conn, statement, values))[0].values()), strict=True)
    return {name: counted[name] for name in filters}


async def _count_found(conn: Connection, where: _Cases, most: int) -> int:
    """In how many cases of the list all words stand, counted up to ``most``; found as ``_search`` finds them."""
    walked, values = _walked(where, most)
    statement = f"with {walked} select (select count(*) from found) as cases, is_whole from look"
    read = (await fetch(conn, statement, values))[0]
    if read["cases"] == most or read["is_whole"]:
        return int(read["cases"])
    asked = where.beside()
    found = await fetch(
        conn,
        f"""
        with found as materialized (select t.id from case_text t where {_indexed(asked, where.terms)})
        select count(*) as cases
        from (select from found join case_row c on c.id = found.id {where.sql} limit {most}) counted
        """,
        asked.values,
    )
    return int(found[0]["cases"])


async def one_case(conn: Connection, id: str) -> CaseRow | None:  # noqa: A002 - the column is called so
    """The case with this id, or None."""
    row = await conn.fetchrow("select * from case_row where id = $1", id)
    return CaseRow(**row) if row else None


async def case_of_source(conn: Connection, source: str, external_id: str) -> CaseRow | None:
    """The case opened for this request of another system, or None."""
    row = await conn.fetchrow("select * from case_row where source = $1 and external_id = $2", source, external_id)
    return CaseRow(**row) if row else None


_BY_TASK = "coalesce(due_at, 'infinity'::timestamptz), stream, id"
_AFTER_TASK = f"({_BY_TASK}) > (coalesce({{}}::timestamptz, 'infinity'::timestamptz), {{}}::text, {{}}::text)"


async def inbox(
    conn: Connection,
    *,
    organisation: str | None = None,
    person: str | None = None,
    grid: str | None = None,
    role: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[TaskRow]:
    """One page of open tasks, the most urgent first, tasks without a deadline last.

    Whose tasks: of an organisation, of a person, or of a grid; ``role`` narrows any of them. Everything given must
    hold. Raises ``ValueError`` when none of the three is given, ``Refused`` as ``list_cases`` does.
    """
    if organisation is None and person is None and grid is None:
        raise ValueError("an inbox is that of an organisation, a person or a grid")
    limit = bounded(limit)
    where = Where()
    where.add("closed_at is null")
    for column, value in (("organisation", organisation), ("person", person), ("grid", grid), ("role", role)):
        if value is not None:
            where.add(f"{column} = {{}}", value)
    if cursor is not None:
        at, names = read_cursor("inbox", cursor, 2)
        where.add(_AFTER_TASK, at, *names)
    found = await conn.fetch(f"select * from task {where.sql} order by {_BY_TASK} limit {limit + 1}", *where.values)
    rows = [TaskRow(**row) for row in found]
    return page_of(rows, limit, lambda row: write_cursor("inbox", row.due_at, row.stream, row.id))


async def cases_of(conn: Connection, streams: Sequence[str]) -> dict[str, CaseRow]:
    """The cases among these streams."""
    rows = await conn.fetch("select * from case_row where id = any($1::text[])", list(streams))
    return {row["id"]: CaseRow(**row) for row in rows}


async def open_tasks_of(conn: Connection, stream: str) -> list[TaskRow]:
    """The open tasks of one process, the most urgent first."""
    rows = await conn.fetch(
        """
        select *
        from task
        where stream = $1 and closed_at is null
        order by coalesce(due_at, 'infinity'::timestamptz), id
        """,
        stream,
    )
    return [TaskRow(**row) for row in rows]


async def clocks_of(conn: Connection, stream: str) -> list[ClockRow]:
    """All clocks of one process, also stopped ones, in the order they started."""
    rows = await conn.fetch("select * from clock where stream = $1 order by started_at, id", stream)
    return [ClockRow(**row) for row in rows]


async def rungs_of(conn: Connection, streams: Sequence[str]) -> dict[str, list[tuple[str, tuple[str, ...]]]]:
    """The rungs that running clocks of these processes have reached, by stream: kind of the clock, codes in order."""
    rows = await conn.fetch(
        f"""
        select stream, kind, reached
        from clock
        where stream = any($1::text[]) and {_RUNNING}
        order by stream, due_at, id
        """,
        list(streams),
    )
    found: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for row in rows:
        found.setdefault(row["stream"], []).append((row["kind"], tuple(row["reached"])))
    return found


async def list_wishes(
    conn: Connection,
    *,
    reach: Reach = EVERYTHING,
    stage: str | None = None,
    community: str | None = None,
    finished: bool | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[WishRow]:
    """One page of the wishes within ``reach``, the youngest first. Raises ``Refused`` as ``list_cases`` does."""
    limit = bounded(limit)
    where = Where()
    if not reach.everything:
        where.add(
            "(street = any({}) or community = any({}) or grid = any({}))",
            *(sorted(each) for each in (reach.streets, reach.communities, reach.grids)),
        )
    for column, value in (("stage", stage), ("community", community), ("finished", finished)):
        if value is not None:
            where.add(f"{column} = {{}}", value)
    if cursor is not None:
        at, names = read_cursor("wish", cursor, 1)
        where.add("(published_at, id) < ({}::timestamptz, {}::text)", at, names[0])
    found = await conn.fetch(
        f"select * from wish {where.sql} order by published_at desc, id desc limit {limit + 1}", *where.values
    )
    rows = [WishRow(**row) for row in found]
    return page_of(rows, limit, lambda row: write_cursor("wish", row.published_at, row.id))


async def one_wish(conn: Connection, id: str) -> WishRow | None:  # noqa: A002 - the column is called so
    """The wish with this id, or None."""
    row = await conn.fetchrow("select * from wish where id = $1", id)
    return WishRow(**row) if row else None


async def counts_by_stage(
    conn: Connection,
    filter: CaseFilter | None = None,  # noqa: A002 - the word of the interface
    *,
    reach: Reach = EVERYTHING,
) -> dict[str, int]:
    """How many cases within ``reach`` stand in each stage; stages without a case are absent."""
    where = _Cases(filter or CaseFilter(), reach)
    if where.terms:
        words = f"select t.id from case_text t where {_holds(where, where.terms)} and {_indexed(where, where.terms)}"
        where.add(f"c.id in ({words})")
    rows = await fetch(
        conn, f"select c.stage, count(*) as cases from case_row c {where.sql} group by c.stage", where.values
    )
    return {row["stage"]: row["cases"] for row in rows}


_TABLES = {"case": "case_row", "wish": "wish"}


async def ids_beginning(conn: Connection, process: str, beginning: str, limit: int = 2) -> list[str]:
    """Ids of ``process`` (``case`` or ``wish``) that begin like this, in order; two tell whether it is ambiguous."""
    rows = await conn.fetch(
        f"select id from {_TABLES[process]} where starts_with(id, $1) order by id limit $2", beginning, limit
    )
    return [row["id"] for row in rows]


async def titles_of(conn: Connection, streams: Sequence[str]) -> dict[str, str]:
    """The redacted titles of these cases and wishes, by stream; unknown streams are absent."""
    rows = await conn.fetch(
        "select id, title from case_row where id = any($1) union all select id, title from wish where id = any($1)",
        list(streams),
    )
    return {row["id"]: row["title"] for row in rows}


async def located(conn: Connection, streams: Sequence[str]) -> dict[str, CaseRow | WishRow]:
    """The rows of these cases and wishes, by stream, as ``Reach.covers`` asks for them; unknown ones are absent."""
    cases = await conn.fetch("select * from case_row where id = any($1)", list(streams))
    wishes = await conn.fetch("select * from wish where id = any($1)", list(streams))
    return {row["id"]: CaseRow(**row) for row in cases} | {row["id"]: WishRow(**row) for row in wishes}


async def open_streams(conn: Connection, after: str = "", limit: int = 500) -> list[str]:
    """The streams after ``after``, bytewise, in which something may still happen; at most ``limit``."""
    rows = await conn.fetch(
        """
        (select id from case_row where not finished and id > $1 order by id limit $2)
        union all
        (select id from wish where not finished and id > $1 order by id limit $2)
        order by id
        limit $2
        """,
        after,
        limit,
    )
    return [row["id"] for row in rows]


async def count_open_streams(conn: Connection) -> int:
    """How many streams ``open_streams`` names in all."""
    count: int = await conn.fetchval(
        """
        select (select count(*) from case_row where not finished) + (select count(*) from wish where not finished)
        """
    )
    return count


_EVENTS_OF_A_CASE = 50
"""More events than most cases have."""


async def latest_streams(conn: Connection, limit: int) -> list[str]:
    """The streams that were written to last, the latest first."""
    looked = limit * _EVENTS_OF_A_CASE
    while True:
        # Of every stream among the newest events its own newest is there, so nothing older can come before it.
        rows = await conn.fetch(
            """
            select stream, count(*) as events
            from (select stream, tx from event order by event.tx desc limit $1) newest
            group by stream
            order by max(tx) desc
            """,
            looked,
        )
        if len(rows) >= limit or sum(row["events"] for row in rows) < looked:
            return [row["stream"] for row in rows[:limit]]
        looked *= 10


async def clock_and_newest(conn: Connection) -> tuple[datetime, datetime | None]:
    """The time by the database's clock, and when the event written last happened; None where there is none."""
    row = await conn.fetchrow(
        "select clock_timestamp() as now, (select at from event order by event.tx desc limit 1) as newest"
    )
    assert row is not None, "a query without a table returns one row"
    return row["now"], row["newest"]
