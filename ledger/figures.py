"""The figures of the office: sums by place and month, the cases behind each, the open ledger.

Owns what of a case's facts makes a figure: the same expression is summed for the figure and shown for each case behind
it, so that the two cannot disagree. Statistics of a whole city come from ``ledger.sums`` where these reach, all others
from ``case_figure``. Must not read the log and must not write.
"""

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from domain.base import Frozen
from domain.clocks import Clock
from domain.errors import Refused
from domain.figures import BY_CODE, CONTENT, MEASURES, SATISFACTION_POINTS, Basis, Figure, Measure, Outcome
from domain.limits import Instant
from domain.rights import EVERYTHING, Reach
from ledger import sums
from ledger.log import Connection
from ledger.paging import Page, Where, bounded, fetch, page_of, read_cursor, write_cursor
from ledger.rows import ClockRow, clock_of

_LOOKED_AT = 100

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


def _summed(*columns: str) -> str:
    return " + ".join(f"f.{column}" for column in columns)


def _outcomes(column: str, outcomes: Iterable[Outcome]) -> list[str]:
    return [f"{column}_{each.value}" for each in outcomes]


_ANSWERED = _summed(*(each.value for each in SATISFACTION_POINTS))
_SUMMED: Mapping[str, _Counted] = {
    "response": _Counted(base=_summed(*_outcomes("response", _JUDGED)), hit="f.response_in_time"),
    "solved": _Counted(base="f.solved_yes + f.solved_no", hit="f.solved_yes"),
    "satisfied": _Counted(base=_ANSWERED, hit=_summed(*(each.value for each in CONTENT))),
    "points": _Counted(
        base=_ANSWERED, hit=" + ".join(f"f.{each.value} * ({points})" for each, points in SATISFACTION_POINTS.items())
    ),
    "on_time": _Counted(base=_summed(*_outcomes("handling", _JUDGED)), hit="f.handling_in_time"),
    "rework": _Counted(base="f.finished_once", hit="f.reworks"),
    "accurate": _Counted(base="f.dispatches", hit="f.dispatches - f.misdirected"),
    "first_time": _Counted(base="f.cases", hit="f.never_again"),
    "registered": _Counted(base="0", hit="f.cases"),
    "settled": _Counted(base="0", hit="f.cases"),
    "overdue": _Counted(base="0", hit="f.handling_late + f.handling_overdue"),
    "returned": _Counted(base="0", hit="f.returns"),
    "urged": _Counted(base="0", hit="f.urges + f.urgings"),
    "supervised": _Counted(base="0", hit="f.orders"),
}
"""The same over ``figure_sum f``, whose columns count the facts; a test holds the two together."""

_APART_OUTCOMES = [each for each in Outcome if each not in _JUDGED]
_REASONS: Mapping[str, Mapping[str, str]] = {
    "response": {each.value: f"f.response_{each.value}" for each in _APART_OUTCOMES},
    "on_time": {each.value: f"f.handling_{each.value}" for each in _APART_OUTCOMES},
    "solved": {"unreached": "f.cases - f.solved_yes - f.solved_no"},
    "satisfied": {"unreached": f"f.cases - ({_ANSWERED})"},
    "points": {"unreached": f"f.cases - ({_ANSWERED})"},
}
"""Why cases stand apart from a figure, and which column of the sums says how many do."""

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
    return sums.moments(first, last + timedelta(days=1))


def within(where: Where, reach: Reach, alias: str = "f", inside: str = "true") -> None:
    """Keep to what lies within ``reach``.

    ``inside`` is what the statement asks of the moments of ``alias`` anyway, said of ``case_row c``, which has
    ``registered_at`` and ``settled_at`` too: where the reach is looked up there, only cases of the period are.
    """
    if reach.everything:
        return
    ways = [
        f"{{alias}}.{column} = any({where.place(sorted(codes))}::text[])"
        for column, codes in (
            ("street", reach.streets), ("community", reach.communities), ("grid", reach.grids),
            ("opened_by", reach.people),
        )
        if codes
    ]  # fmt: skip
    if reach.departments:
        ways.append(f"{{alias}}.departments && {where.place(sorted(reach.departments))}::text[]")
    condition = "(" + " or ".join(ways) + ")" if ways else "false"
    if alias == "c" or not ways or (len(ways) == 1 and (reach.streets or reach.communities or reach.departments)):
        where.add(condition.replace("{alias}", alias))
    else:
        # The rows of the cases have an index for each of these ways, and for several at once.
        reached = f"{condition.replace('{alias}', 'c')} and {inside}"
        where.add(f"{alias}.id in (select c.id from case_row c where {reached})")


def _youngest_first(moment: str, reach: Reach) -> str:
    """The order of the cases behind a number.

    What few cases of a reach have in common is not told by how common it is in the city: a server that walks along
    the time until it has found enough of them walks through all cases. Within a reach of at most one street the order
    is therefore by a sum that no index has, and the server begins with the cases of the reach.
    """
    large = reach.everything or len(reach.streets) > 1
    return f"{moment} desc, f.id desc" if large else f"{moment} + interval '0' desc, f.id desc"


class Groups(Mapping[str | None, Mapping[str, Figure]]):
    """The figures of each group, reckoned when they are asked for: a city has tens of thousands of grids."""

    def __init__(self, sums: Mapping[str | None, "_Sums"], codes: Collection[str]) -> None:
        self._sums, self._codes = sums, codes

    def __getitem__(self, code: str | None) -> Mapping[str, Figure]:
        return self._sums[code].figures(self._codes)

    def __iter__(self) -> Iterator[str | None]:
        return iter(self._sums)

    def __len__(self) -> int:
        return len(self._sums)

    def largest(self, most: int) -> list[str | None]:
        """The groups with the most registered cases, at most so many, the largest first."""
        return heapq.nsmallest(most, self._sums, key=lambda code: (-self._sums[code].hit["registered"], code or ""))


@dataclass(frozen=True)
class Table:
    """Figures of one selection: altogether, by group (None: cases without one), and by month (``2026-11``)."""

    total: Mapping[str, Figure]
    groups: Groups
    months: Mapping[str, Mapping[str, Figure]]


class _Sums:
    """Sums of bases, hits and reasons, measure by measure."""

    def __init__(self) -> None:
        self.base = dict.fromkeys(BY_CODE, 0)
        self.hit = dict.fromkeys(BY_CODE, 0)
        self.apart: dict[str, dict[str, int]] = {}

    def add(self, code: str, base: int, hit: int) -> None:
        self.base[code] += base
        self.hit[code] += hit

    def stand_apart(self, code: str, reason: str, cases: int) -> None:
        of_code = self.apart.setdefault(code, {})
        of_code[reason] = of_code.get(reason, 0) + cases

    def figures(self, codes: Collection[str] = tuple(BY_CODE)) -> dict[str, Figure]:
        return {
            code: Figure(
                measure=code,
                base=self.base[code],
                hit=self.hit[code],
                apart={reason: cases for reason, cases in sorted(self.apart.get(code, {}).items()) if cases},
            )
            for code in codes
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
        if codes:
            sources = await _sources(conn, chosen, basis, reach, by)
            await _add_sums(conn, codes, sources, total, groups, months)
    return Table(
        total=total.figures(),
        groups=Groups(groups if by else {}, only),
        months={month: months[month].figures() for month in sorted(months)},
    )


@dataclass(frozen=True)
class _Source:
    """A relation ``f`` to sum over, written with its values into a statement; its group and month, what each row
    counts for, and what of it makes a figure."""

    rows: Callable[[Where], str]
    unit: str
    month: str
    times: str
    counted: Mapping[str, _Counted]


async def _sources(
    conn: Connection, chosen: Selection, basis: Basis, reach: Reach, by: Group | None
) -> Sequence[_Source]:
    """Where the figures come from: the sums that are kept, with what has changed since and the days they do not keep;
    or, for what they do not tell apart, the cases themselves."""
    unit, moment, month = _GROUP[by] if by else "null::text", _MOMENT[basis], _MONTH[basis]

    def within_ranges(relation: str, ranges: Sequence[sums.Span]) -> Callable[[Where], str]:
        return lambda where: f"{relation} f where {_selected(where, chosen, moment, reach, ranges)}"

    part = _part(chosen, reach, by)
    if part is None:
        return [_Source(within_ranges("case_figure", [(chosen.begin, chosen.end)]), unit, month, "1", _COUNTED)]
    spans = sums.spans(chosen.begin, chosen.end, await sums.first_day(conn))

    def kept(where: Where) -> str:
        return f"figure_sum f where {sums.kept(where, part, basis.value, spans)} and {_narrow(where, chosen, reach)}"

    begins = "(extract(year from f.begins) * 100 + extract(month from f.begins))::int"
    found = [
        _Source(kept, unit, begins, "1", _SUMMED),
        _Source(within_ranges("figure_change", spans.kept), unit, month, "f.sign", _COUNTED),
        _Source(within_ranges("case_figure", spans.read), unit, month, "1", _COUNTED),
    ]
    return found if spans.read else found[:2]


def _part(chosen: Selection, reach: Reach, by: Group | None) -> str | None:
    """Which part of the sums is as fine as this asks for; None where none is."""
    by_subject = chosen.department or chosen.category or chosen.urgency or by in (Group.DEPARTMENT, Group.CATEGORY)
    by_place = chosen.street or chosen.community or by in (Group.STREET, Group.COMMUNITY) or not reach.everything
    finer = chosen.grid or by is Group.GRID or reach.grids or reach.people or reach.departments
    if finer or (by_subject and by_place) or not sums.whole_days(chosen.begin, chosen.end):
        return None
    return "subject" if by_subject else "place"


def _selected(where: Where, chosen: Selection, moment: str, reach: Reach, ranges: Sequence[sums.Span]) -> str:
    """The condition for what is selected and has its ``moment`` in one of these ranges."""
    inside = sums.within(where, moment, ranges)
    return f"{inside} and {_narrow(where, chosen, reach, inside.replace('f.', 'c.'))}"


def _narrow(where: Where, chosen: Selection, reach: Reach, inside: str = "true") -> str:
    """What of the selection is not its period, as the sums, their changes and the cases have it alike."""
    found = [
        f"f.{column} = {where.place(value)}"
        for column, value in (
            ("street", chosen.street), ("community", chosen.community), ("grid", chosen.grid),
            ("lead", chosen.department), ("category", chosen.category), ("urgency", chosen.urgency),
        )
        if value is not None
    ]  # fmt: skip
    reached = Where(where.values)
    within(reached, reach, inside=inside)
    return " and ".join([*found, *reached.conditions]) or "true"


async def _add_sums(
    conn: Connection,
    codes: Sequence[str],
    sources: Sequence[_Source],
    total: _Sums,
    groups: dict[str | None, _Sums],
    months: dict[str, _Sums],
) -> None:
    """Add what the sources say of these figures; how many cases stand apart is told of all together only."""
    where, apart = Where(), [(code, reason) for code in codes if code in _APART for reason in _REASONS[code]]
    # In one go: reading the cases takes longer than reckoning with them.
    rows = " union all ".join(
        f"(select {each.unit} as unit, {each.month} as month, {_columns(each, codes, apart)} from {each.rows(where)})"
        for each in sources
    )
    names = [f"{side}_{code}" for code in codes for side in "bh"] + [f"r{number}" for number in range(len(apart))]
    found = await fetch(
        conn,
        f"""
        select grouping(month) as of_unit, unit, month, {", ".join(f"sum({name}) as {name}" for name in names)}
        from ({rows}) r
        group by grouping sets ((unit), (month))
        """,
        where.values,
    )
    for row in found:
        if row["of_unit"]:
            places = [groups.setdefault(row["unit"], _Sums())]
        else:
            month = f"{row['month'] // 100:04}-{row['month'] % 100:02}"
            places = [total, months.setdefault(month, _Sums())]
            for number, (code, reason) in enumerate(apart):
                total.stand_apart(code, reason, int(row[f"r{number}"]))
        for code in codes:
            for place in places:
                place.add(code, row[f"b_{code}"], row[f"h_{code}"])


def _columns(source: _Source, codes: Sequence[str], apart: Sequence[tuple[str, str]]) -> str:
    """What a row of the source adds to bases and hits, and to the cases that stand apart for these reasons."""
    columns = []
    for code in codes:
        counted = source.counted[code]
        columns += [f"{source.times} * ({counted.base}) as b_{code}", f"{source.times} * ({counted.hit}) as h_{code}"]
    for number, (code, reason) in enumerate(apart):
        if source.counted is _SUMMED:
            stands = _REASONS[code][reason]
        else:
            stands = f"coalesce(({source.counted[code].apart}) = '{reason}', false)::int"
        columns.append(f"{source.times} * ({stands}) as r{number}")
    return ", ".join(columns)


async def one_figure(conn: Connection, code: str, chosen: Selection, *, reach: Reach = EVERYTHING) -> Figure:
    """One figure of the selection. Raises ``Refused`` ``stats.unknown_measure``."""
    measure_of(code)
    return (await table(conn, chosen, reach=reach, only=(code,))).total[code]


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
    where = Where()
    where.add(_selected(where, chosen, moment, reach, [(chosen.begin, chosen.end)]))
    where.add(_side(measure, side))
    if reason is not None:
        where.add(f"({counted.apart}) = {{}}", reason)
    if cursor is not None:
        at, names = read_cursor(f"figure.{code}.{side}", cursor, 1)
        where.add(f"({moment}, f.id) < ({{}}::timestamptz, {{}}::text)", at, names[0])
    rows = await fetch(
        conn,
        f"""
        select f.id, c.title, c.stage, c.light, f.street, f.community, f.grid, f.lead, f.category, {moment} as at,
            {counted.base} as base, {counted.hit} as hit, {counted.apart} as apart,
            coalesce({_RULES.get(code, "f.rules_version")}, f.rules_version) as rules
        from case_figure f
        join case_row c on c.id = f.id
        {where.sql}
        order by {_youngest_first(moment, reach)}
        limit {limit + 1}
        """,
        where.values,
    )
    found = [FigureCase(**row) for row in rows]
    return page_of(found, limit, lambda row: write_cursor(f"figure.{code}.{side}", row.at, row.id))


class LedgerColumn(StrEnum):
    """The four states of the open ledger (S0): built, struck off, published, settled."""

    REGISTERED = "registered"
    STRUCK_OFF = "struck_off"
    PUBLISHED = "published"
    SETTLED = "settled"


_AT = {each: f"f.{each.value}_at" for each in LedgerColumn}


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
    rows = await fetch(conn, await _ledger_lines(conn, Selection(begin=begin, end=end), reach, where), where.values)
    return [LedgerLine(**row) for row in rows]


_UNSETTLED = "f.settled_at is null and f.handling <> 'ended' and f.response <> 'ended'"


async def _ledger_lines(conn: Connection, chosen: Selection, reach: Reach, where: Where) -> str:
    """The statement of the lines: from the sums where they answer for the whole period, else from the cases."""
    spans = None
    if _part(chosen, reach, Group.COMMUNITY) is not None:
        spans = sums.spans(chosen.begin, chosen.end, await sums.first_day(conn))
    if spans is None or spans.read:
        inside = {each: sums.within(where, moment, [(chosen.begin, chosen.end)]) for each, moment in _AT.items()}
        counts = ", ".join(f"count(*) filter (where {test}) as {each}" for each, test in inside.items())
        return f"""
            select f.community, {counts},
                count(*) filter (where {inside[LedgerColumn.REGISTERED]} and {_UNSETTLED}) as open
            from case_figure f
            where ({" or ".join(inside.values())}) and {_narrow(where, chosen, reach)}
            group by f.community
            order by f.community nulls last
        """
    kept = " or ".join(f"({sums.kept(where, 'place', each.value, spans)})" for each in LedgerColumn)
    moments = ", ".join(f"('{each}', {moment})" for each, moment in _AT.items())
    counts = ", ".join(f"coalesce(sum(cases) filter (where basis = '{each}'), 0) as {each}" for each in LedgerColumn)
    return f"""
        select community, {counts}, coalesce(sum(standing) filter (where basis = 'registered'), 0) as open
        from (
            select f.community, f.basis, f.cases, f.standing
            from figure_sum f
            where ({kept}) and {_narrow(where, chosen, reach)}
            union all
            select f.community, m.basis, f.sign, f.sign * ({_UNSETTLED})::int
            from figure_change f
            cross join lateral (values {moments}) m (basis, at)
            where {sums.within(where, "m.at", spans.kept)} and {_narrow(where, chosen, reach)}
        ) lines
        group by community
        having sum(cases) <> 0
        order by community nulls last
    """


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
    moment, limit, where = _AT[column], bounded(limit), Where()
    where.add(f"{moment} >= {{}} and {moment} < {{}}", begin, end)
    within(where, reach)
    if community is not None:
        where.add("f.community = {}", community)
    if cursor is not None:
        at, names = read_cursor(f"ledger.{column}", cursor, 1)
        where.add(f"({moment}, f.id) < ({{}}::timestamptz, {{}}::text)", at, names[0])
    rows = await fetch(
        conn,
        f"""
        select f.id, c.title, f.community, f.category, f.lead, c.stage, {moment} as at
        from case_figure f
        join case_row c on c.id = f.id
        {where.sql}
        order by {_youngest_first(moment, reach)}
        limit {limit + 1}
        """,
        where.values,
    )
    return page_of(
        [LedgerCase(**row) for row in rows], limit, lambda row: write_cursor(f"ledger.{column}", row.at, row.id)
    )


async def uncounted(conn: Connection) -> bool:
    """Whether there are cases without figures: those of an older release, before a rebuild.

    Looks at the oldest and the youngest: what an upgrade leaves uncounted is among the former, and a rebuild goes on in
    an order that has nothing to do with age.
    """
    found: bool = await conn.fetchval(
        f"""
        select exists (
            select
            from (
                (select id from case_row order by registered_at, id limit {_LOOKED_AT})
                union all
                (select id from case_row order by registered_at desc, id desc limit {_LOOKED_AT})
            ) looked_at
            where not exists (select from case_figure f where f.id = looked_at.id)
        )
        """
    )
    return found


async def late_handling(conn: Connection, streams: Sequence[str]) -> dict[str, Clock]:
    """The handling clocks of those of these cases that missed it: what overtime is reckoned from."""
    rows = await conn.fetch(
        "select * from clock where stream = any($1) and kind = 'handle' and overdue_at is not null", list(streams)
    )
    return {row["stream"]: clock_of(ClockRow(**row)) for row in rows}
