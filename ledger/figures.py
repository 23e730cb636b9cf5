"""The figures of the office out of ``case_figure``: sums by place and month, the cases behind each, the open ledger.

Owns what of a case's facts makes a figure, once: the same expression is summed for the figure and shown for each case
behind it, so that the two cannot disagree. Must not read the log and must not write.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum

from domain.base import Frozen
from domain.clocks import Clock
from domain.errors import Refused
from domain.figures import BY_CODE, CONTENT, MEASURES, SATISFACTION_POINTS, Basis, Figure, Measure, Outcome
from domain.limits import Instant
from domain.rights import EVERYTHING, Reach
from domain.zone import OFFICE_ZONE
from ledger.log import Connection
from ledger.paging import Page, Where, bounded, page_of, read_cursor, write_cursor
from ledger.rows import ClockRow, clock_of

YEARS_MOST = 3
"""Longest period of a statistic."""


def _among(column: str, codes: Iterable[str]) -> str:
    return f"{column} in ({', '.join(repr(str(code)) for code in codes)})"


@dataclass(frozen=True)
class _Counted:
    """What a case adds below and above the line, and why it may stand apart; expressions over ``case_figure f``.

    ``apart`` is null for a case that can be assessed or does not belong here at all.
    """

    base: str
    hit: str
    apart: str = "null::text"


_POINTS = " ".join(f"when '{grade.value}' then {points}" for grade, points in SATISFACTION_POINTS.items())
_UNREACHED = "case when {} is null then 'unreached' end"
_JUDGED = (Outcome.IN_TIME, Outcome.LATE, Outcome.OVERDUE, Outcome.MISSED)


def _limit(column: str) -> _Counted:
    judged = _among(f"f.{column}", _JUDGED)
    return _Counted(
        base=f"({judged})::int",
        hit=f"(f.{column} = 'in_time')::int",
        apart=f"case when not {judged} then f.{column} end",
    )


_COUNTED: Mapping[str, _Counted] = {
    "response": _limit("response"),
    "solved": _Counted(
        base="(f.solved is not null)::int",
        hit="coalesce(f.solved, false)::int",
        apart=_UNREACHED.format("f.solved"),
    ),
    "satisfied": _Counted(
        base="(f.satisfaction is not null)::int",
        hit=f"coalesce({_among('f.satisfaction', (each.value for each in CONTENT))}, false)::int",
        apart=_UNREACHED.format("f.satisfaction"),
    ),
    "points": _Counted(
        base="(f.satisfaction is not null)::int",
        hit=f"case f.satisfaction {_POINTS} else 0 end",
        apart=_UNREACHED.format("f.satisfaction"),
    ),
    "on_time": _limit("handling"),
    "rework": _Counted(base="f.finished_once::int", hit="f.reworks"),
    "accurate": _Counted(base="f.dispatches", hit="f.dispatches - f.misdirected"),
    "first_time": _Counted(base="1", hit="(f.reworks = 0 and f.reopenings = 0)::int"),
    "registered": _Counted(base="0", hit="1"),
    "settled": _Counted(base="0", hit="1"),
    "overdue": _Counted(base="0", hit="(f.handling in ('late', 'overdue'))::int"),
    "returned": _Counted(base="0", hit="f.returns"),
    "urged": _Counted(base="0", hit="f.urges + f.urgings"),
    "supervised": _Counted(base="0", hit="f.orders"),
}
"""What of the facts makes each figure. Only words of ours stand in these expressions."""

_APART = tuple(code for code, counted in _COUNTED.items() if counted.apart != "null::text")
_MONTH = {Basis.REGISTERED: "f.registered_month", Basis.SETTLED: "f.settled_month"}
_MOMENT = {Basis.REGISTERED: "f.registered_at", Basis.SETTLED: "f.settled_at"}


class Group(StrEnum):
    """By what figures are told apart. ``department`` is the lead in the end."""

    STREET = "street"
    COMMUNITY = "community"
    GRID = "grid"
    DEPARTMENT = "department"
    CATEGORY = "category"


_GROUP = {each: f"f.{'lead' if each is Group.DEPARTMENT else each.value}" for each in Group}


class Selection(Frozen):
    """Which cases a statistic is about: those of a period, ``begin`` included and ``end`` not, in these places."""

    begin: Instant
    end: Instant
    street: str | None = None
    community: str | None = None
    grid: str | None = None
    department: str | None = None
    category: str | None = None
    urgency: str | None = None


def period(first: date, last: date) -> tuple[datetime, datetime]:
    """The moments from the begin of ``first`` to the end of ``last``, days of the office.

    Raises ``Refused`` ``period.invalid`` for one that ends before it begins, is longer than ``YEARS_MOST`` years, or
    lies where no office has been.
    """
    if last < first or first.year < 1900 or last.year > 9000 or (last - first).days > YEARS_MOST * 366:
        raise Refused("period.invalid", field="to", years=YEARS_MOST)
    begin, end = (
        datetime(day.year, day.month, day.day, tzinfo=OFFICE_ZONE) for day in (first, last + timedelta(days=1))
    )
    return begin.astimezone(UTC), end.astimezone(UTC)


def within(where: Where, reach: Reach, alias: str = "f") -> None:
    """Keep to what lies within ``reach``."""
    if reach.everything:
        return
    ways: list[str] = []
    values: list[object] = []
    places = (("street", reach.streets), ("community", reach.communities), ("grid", reach.grids))
    for column, codes in (*places, ("opened_by", reach.people)):
        if codes:
            ways.append(f"{alias}.{column} = any({{}}::text[])")
            values.append(sorted(codes))
    if reach.departments:
        ways.append(f"{alias}.departments && {{}}::text[]")
        values.append(sorted(reach.departments))
    where.add("(" + " or ".join(ways) + ")" if ways else "false", *values)


def _selected(chosen: Selection, moment: str, reach: Reach) -> Where:
    where = Where()
    where.add(f"{moment} >= {{}} and {moment} < {{}}", chosen.begin, chosen.end)
    for column in ("street", "community", "grid", "category", "urgency"):
        value = getattr(chosen, column)
        if value is not None:
            where.add(f"f.{column} = {{}}", value)
    if chosen.department is not None:
        where.add("f.lead = {}", chosen.department)
    within(where, reach)
    return where


@dataclass(frozen=True)
class Table:
    """Figures of one selection: altogether, by group (None: cases without one), and by month (``2026-11``)."""

    total: Mapping[str, Figure]
    groups: Mapping[str | None, Mapping[str, Figure]]
    months: Mapping[str, Mapping[str, Figure]]


class _Sums:
    """Sums of bases, hits and reasons, measure by measure."""

    def __init__(self) -> None:
        self.base = dict.fromkeys(BY_CODE, 0)
        self.hit = dict.fromkeys(BY_CODE, 0)
        self.apart: dict[str, dict[str, int]] = {code: {} for code in BY_CODE}

    def add(self, code: str, base: int, hit: int) -> None:
        self.base[code] += base
        self.hit[code] += hit

    def figures(self) -> dict[str, Figure]:
        return {
            code: Figure(measure=code, base=self.base[code], hit=self.hit[code], apart=dict(sorted(apart.items())))
            for code, apart in self.apart.items()
        }


async def table(
    conn: Connection,
    chosen: Selection,
    *,
    reach: Reach = EVERYTHING,
    by: Group | None = None,
    only: Collection[str] = tuple(BY_CODE),
) -> Table:
    """The figures of the selection within ``reach``: all of them, or those named in ``only``.

    Read in a transaction of isolation level repeatable read where the parts must be of one moment.
    """
    total, groups, months = _Sums(), dict[str | None, _Sums](), dict[str, _Sums]()
    for basis in Basis:
        codes = [each.code for each in MEASURES if each.basis is basis and each.code in only]
        if not codes:
            continue
        moment = _MOMENT[basis]
        where = _selected(chosen, moment, reach)
        key = _GROUP[by] if by else "null::text"
        sums = ", ".join(
            f"sum({_COUNTED[code].base}) as b_{code}, sum({_COUNTED[code].hit}) as h_{code}" for code in codes
        )
        rows = await conn.fetch(
            f"""
            select {key} as unit, {_MONTH[basis]} as month, {sums}
            from case_figure f
            {where.sql}
            group by 1, 2
            """,
            *where.values,
        )
        for row in rows:
            month = f"{row['month'] // 100:04}-{row['month'] % 100:02}"
            places = [total, months.setdefault(month, _Sums())]
            if by:
                places.append(groups.setdefault(row["unit"], _Sums()))
            for code in codes:
                for place in places:
                    place.add(code, row[f"b_{code}"], row[f"h_{code}"])
        await _add_apart(conn, total, [code for code in codes if code in _APART], where)
    return Table(
        total=total.figures(),
        groups={unit: sums.figures() for unit, sums in groups.items()},
        months={month: months[month].figures() for month in sorted(months)},
    )


async def _add_apart(conn: Connection, total: _Sums, codes: Sequence[str], where: Where) -> None:
    if not codes:
        return
    reasons = ", ".join(f"{_COUNTED[code].apart} as a_{code}" for code in codes)
    places = ", ".join(str(number + 1) for number in range(len(codes)))
    rows = await conn.fetch(
        f"select {reasons}, count(*) as cases from case_figure f {where.sql} group by {places}", *where.values
    )
    for row in rows:
        for code in codes:
            if (reason := row[f"a_{code}"]) is not None:
                apart = total.apart[code]
                apart[reason] = apart.get(reason, 0) + row["cases"]


async def one_figure(conn: Connection, code: str, chosen: Selection, *, reach: Reach = EVERYTHING) -> Figure:
    """One figure of the selection. Raises ``Refused`` ``stats.unknown_measure``."""
    measure, counted = measure_of(code), _COUNTED[code]
    where = _selected(chosen, _MOMENT[measure.basis], reach)
    row = await conn.fetchrow(
        f"select coalesce(sum({counted.base}), 0) as base, coalesce(sum({counted.hit}), 0) as hit"
        f" from case_figure f {where.sql}",
        *where.values,
    )
    apart = await conn.fetch(
        f"select {counted.apart} as reason, count(*) as cases from case_figure f {where.sql} group by 1 order by 1",
        *where.values,
    )
    assert row is not None
    reasons = {each["reason"]: each["cases"] for each in apart if each["reason"] is not None}
    return Figure(measure=code, base=row["base"], hit=row["hit"], apart=reasons)


def measure_of(code: str) -> Measure:
    """The measure of this code. Raises ``Refused`` ``stats.unknown_measure``."""
    if code not in BY_CODE:
        raise Refused("stats.unknown_measure", field="code")
    return BY_CODE[code]


class Side(StrEnum):
    """Which cases behind a figure: those below the line, above it, below but not (all) above it, or standing apart."""

    BASE = "base"
    HIT = "hit"
    MISS = "miss"
    APART = "apart"


class FigureCase(Frozen):
    """A case behind a figure: what it adds below and above the line, or the reason why it stands apart.

    ``rules`` is the version of the rules by which it was judged, ``at`` the moment by which it falls into the period.
    """

    id: str
    title: str | None
    stage: str
    light: str | None
    street: str | None
    community: str | None
    grid: str | None
    lead: str | None
    category: str | None
    at: Instant
    base: int
    hit: int
    apart: str | None
    rules: str | None
    overtime_permille: int | None = None


def _side(measure: Measure, side: Side) -> str:
    counted = _COUNTED[measure.code]
    match side:
        case Side.APART:
            return f"({counted.apart}) is not null"
        case Side.HIT:
            # A grade of no points is an answer too.
            return f"({counted.hit}) <> 0"
        case Side.MISS:
            return f"({counted.base}) > 0 and ({counted.hit}) < ({counted.base})"
        case Side.BASE:
            return f"({counted.base}) > 0"


_RULES = {"response": "f.response_rules", "on_time": "f.handling_rules", "overdue": "f.handling_rules"}


async def cases_of(
    conn: Connection,
    code: str,
    chosen: Selection,
    *,
    side: Side = Side.BASE,
    reason: str | None = None,
    reach: Reach = EVERYTHING,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[FigureCase]:
    """One page of the cases behind a figure, the youngest first; ``reason`` narrows those that stand apart.

    Over all pages of a side their bases and hits add up to the figure's. Raises ``Refused``
    ``stats.unknown_measure``, ``feed.bad_cursor``, ``field.invalid``.
    """
    measure, counted, limit = measure_of(code), _COUNTED[measure_of(code).code], bounded(limit)
    moment = _MOMENT[measure.basis]
    where = _selected(chosen, moment, reach)
    where.add(_side(measure, side))
    if reason is not None:
        where.add(f"({counted.apart}) = {{}}", reason)
    if cursor is not None:
        at, names = read_cursor(f"figure.{code}.{side}", cursor, 1)
        where.add(f"({moment}, f.id) < ({{}}::timestamptz, {{}}::text)", at, names[0])
    rows = await conn.fetch(
        f"""
        select f.id, c.title, c.stage, c.light, f.street, f.community, f.grid, f.lead, f.category, {moment} as at,
            {counted.base} as base, {counted.hit} as hit, {counted.apart} as apart,
            coalesce({_RULES.get(code, "f.rules_version")}, f.rules_version) as rules
        from case_figure f
        join case_row c on c.id = f.id
        {where.sql}
        order by {moment} desc, f.id desc
        limit {limit + 1}
        """,
        *where.values,
    )
    found = [FigureCase(**row) for row in rows]
    return page_of(found, limit, lambda row: write_cursor(f"figure.{code}.{side}", row.at, row.id))


class LedgerColumn(StrEnum):
    """The four states of the open ledger (S0): built, struck off, published, settled."""

    REGISTERED = "registered"
    STRUCK_OFF = "struck_off"
    PUBLISHED = "published"
    SETTLED = "settled"


_LEDGER_MOMENT = {each: f"f.{each.value}_at" for each in LedgerColumn}


class LedgerLine(Frozen):
    """What a community's ledger says of a period; ``open`` are those registered in it and not settled yet."""

    community: str | None
    registered: int
    struck_off: int
    published: int
    settled: int
    open: int


async def open_ledger(
    conn: Connection, begin: datetime, end: datetime, *, reach: Reach = EVERYTHING
) -> list[LedgerLine]:
    """The open ledger of a period, community by community; each column counts by the moment of its own fact."""
    where = Where()
    within(where, reach)
    first = len(where.values) + 1
    inside = {each: f"{moment} >= ${first} and {moment} < ${first + 1}" for each, moment in _LEDGER_MOMENT.items()}
    counts = ", ".join(f"count(*) filter (where {test}) as {each}" for each, test in inside.items())
    where.add(
        "(" + " or ".join(f"({moment} >= {{0}} and {moment} < {{1}})" for moment in _LEDGER_MOMENT.values()) + ")",
        begin,
        end,
    )
    rows = await conn.fetch(
        f"""
        select f.community, {counts},
            count(*) filter (where {inside[LedgerColumn.REGISTERED]} and f.settled_at is null
                and f.handling <> 'ended' and f.response <> 'ended') as open
        from case_figure f
        {where.sql}
        group by f.community
        order by f.community nulls last
        """,
        *where.values,
    )
    return [LedgerLine(**row) for row in rows]


class LedgerCase(Frozen):
    """A line of the open ledger: nothing in it says who asked for it or where they live."""

    id: str
    title: str | None
    community: str | None
    category: str | None
    lead: str | None
    stage: str
    at: Instant


async def ledger_cases(
    conn: Connection,
    column: LedgerColumn,
    begin: datetime,
    end: datetime,
    *,
    community: str | None = None,
    reach: Reach = EVERYTHING,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[LedgerCase]:
    """One page of the cases behind a number of the open ledger, the youngest first.

    Raises ``Refused`` ``feed.bad_cursor``, ``field.invalid``.
    """
    moment, limit, where = _LEDGER_MOMENT[column], bounded(limit), Where()
    where.add(f"{moment} >= {{}} and {moment} < {{}}", begin, end)
    within(where, reach)
    if community is not None:
        where.add("f.community = {}", community)
    if cursor is not None:
        at, names = read_cursor(f"ledger.{column}", cursor, 1)
        where.add(f"({moment}, f.id) < ({{}}::timestamptz, {{}}::text)", at, names[0])
    rows = await conn.fetch(
        f"""
        select f.id, c.title, f.community, f.category, f.lead, c.stage, {moment} as at
        from case_figure f
        join case_row c on c.id = f.id
        {where.sql}
        order by {moment} desc, f.id desc
        limit {limit + 1}
        """,
        *where.values,
    )
    return page_of(
        [LedgerCase(**row) for row in rows], limit, lambda row: write_cursor(f"ledger.{column}", row.at, row.id)
    )


async def uncounted(conn: Connection) -> bool:
    """Whether there are cases without figures: those of an older release, before a rebuild."""
    found: bool = await conn.fetchval("select (select count(*) from case_row) > (select count(*) from case_figure)")
    return found


async def late_handling(conn: Connection, streams: Sequence[str]) -> dict[str, Clock]:
    """The handling clocks of those of these cases that missed it: what overtime is reckoned from."""
    rows = await conn.fetch(
        "select * from clock where stream = any($1) and kind = 'handle' and overdue_at is not null", list(streams)
    )
    return {row["stream"]: clock_of(ClockRow(**row)) for row in rows}
