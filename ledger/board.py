"""What the wall shows: how many, how late, whose, and which are the most urgent. Nothing of it is about a person.

Owns the questions of the board. Titles leave here only as ``domain.publishing`` lets them; ids do not leave at all.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from domain.base import Frozen
from domain.figures import Figure
from domain.limits import Instant
from domain.publishing import public_title
from domain.rights import EVERYTHING, Reach
from domain.zone import OFFICE_ZONE, office_day
from ledger.figures import Group, Selection, table, within
from ledger.log import Connection
from ledger.paging import Where, fetch

LINES_MOST = 60
"""Most cases of the list; more than a wall pages through in a quarter of an hour helps nobody."""

WINDOW = timedelta(days=30)
"""The days behind the rates of the board, to the end of today."""

RATES = ("response", "on_time", "solved", "satisfied")
"""The rates of the board, in their order."""

_SHOWN = (*RATES, "settled")
_OPEN = "not c.finished and c.settled_at is null"


class BoardLine(Frozen):
    """A case of the list; ``title`` is None where it might have spoken of a person."""

    title: str | None
    category: str | None
    community: str | None
    lead: str | None
    urgency: str | None
    stage: str
    light: str | None
    due_at: Instant | None


class BoardCounts(Frozen):
    """The numbers at the top, and the open cases by light."""

    open: int = 0
    new_today: int = 0
    due_today: int = 0
    overdue: int = 0
    settled_today: int = 0
    lights: Mapping[str, int] = {}


class BoardUnit(Frozen):
    """A community or a department: what is open there, how much of it is red, and its rates."""

    code: str | None
    open: int
    red: int
    figures: Mapping[str, Figure]


class Board(Frozen):
    """Everything on the wall, as of ``at``; the rates are those of ``begin`` to ``end``."""

    at: Instant
    begin: Instant
    end: Instant
    counts: BoardCounts
    rates: tuple[Figure, ...]
    communities: tuple[BoardUnit, ...]
    departments: tuple[BoardUnit, ...]
    lines: tuple[BoardLine, ...]


def office_midnight(at: datetime) -> datetime:
    """The begin of the office's day in which ``at`` lies."""
    return at.astimezone(OFFICE_ZONE).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)


async def read_board(conn: Connection, at: datetime, *, reach: Reach = EVERYTHING) -> Board:
    """The board as it is at ``at`` for what lies within ``reach``."""
    today = office_midnight(at)
    end = today + timedelta(days=1)
    chosen = Selection(begin=end - WINDOW, end=end)
    open_ = await _open_cases(conn, today, end, reach)
    places = await table(conn, chosen, reach=reach, by=Group.COMMUNITY, only=_SHOWN)
    leads = await table(conn, chosen, reach=reach, by=Group.DEPARTMENT, only=_SHOWN)
    return Board(
        at=at,
        begin=chosen.begin,
        end=chosen.end,
        counts=open_.counts.model_copy(update=await _today(conn, today, end, reach)),
        rates=tuple(places.total[code] for code in RATES),
        communities=_units(open_.communities, places.groups),
        departments=_units(open_.departments, leads.groups),
        lines=await _lines(conn, reach),
    )


class _Open(Frozen):
    counts: BoardCounts
    communities: Mapping[str | None, tuple[int, int]]
    departments: Mapping[str | None, tuple[int, int]]


async def _open_cases(conn: Connection, today: datetime, end: datetime, reach: Reach) -> _Open:
    if reach.everything:
        return await _all_open(conn, today)
    where = Where()
    where.add(_OPEN)
    within(where, reach, "c")
    first = len(where.values) + 1
    rows = await fetch(
        conn,
        f"""
        select c.community, c.lead, c.light, count(*) as cases,
            count(*) filter (where c.due_at >= ${first} and c.due_at < ${first + 1}) as due
        from case_row c
        {where.sql}
        group by 1, 2, 3
        """,
        [*where.values, today, end],
    )
    lights: dict[str, int] = {"red": 0, "yellow": 0, "green": 0}
    units: tuple[dict[str | None, tuple[int, int]], ...] = ({}, {})
    for row in rows:
        red = row["cases"] if row["light"] == "red" else 0
        lights[row["light"] or "green"] = lights.get(row["light"] or "green", 0) + row["cases"]
        for known, code in zip(units, (row["community"], row["lead"]), strict=True):
            before = known.get(code, (0, 0))
            known[code] = (before[0] + row["cases"], before[1] + red)
    counts = BoardCounts(
        open=sum(lights.values()), due_today=sum(row["due"] for row in rows), overdue=lights["red"], lights=lights
    )
    return _Open(counts=counts, communities=units[0], departments=units[1])


async def _all_open(conn: Connection, today: datetime) -> _Open:
    """The open cases of the whole ledger, by the sums that are kept of them and what has changed since."""
    rows = await conn.fetch(
        """
        select part, code, light, sum(cases) as cases
        from (
            select part, code, light, cases from open_sum where part <> 'due' or due_on = $1
            union all
            select m.part, m.code, c.light, c.sign
            from open_change c
            cross join lateral (values ('community', c.community), ('lead', c.lead)) m (part, code)
            union all
            select 'due', null, null, sign from open_change where due_on = $1
        ) counted
        group by part, code, light
        having sum(cases) <> 0
        """,
        office_day(today),
    )
    lights: dict[str, int] = {"red": 0, "yellow": 0, "green": 0}
    units: dict[str, dict[str | None, tuple[int, int]]] = {"community": {}, "lead": {}, "due": {}}
    for row in rows:
        cases, light = int(row["cases"]), row["light"] or "green"
        known = units[row["part"]]
        before = known.get(row["code"], (0, 0))
        known[row["code"]] = (before[0] + cases, before[1] + (cases if light == "red" else 0))
        if row["part"] == "community":
            lights[light] = lights.get(light, 0) + cases
    due = sum(cases for cases, _ in units["due"].values())
    counts = BoardCounts(open=sum(lights.values()), due_today=due, overdue=lights["red"], lights=lights)
    return _Open(counts=counts, communities=units["community"], departments=units["lead"])


async def _today(conn: Connection, today: datetime, end: datetime, reach: Reach) -> Mapping[str, int]:
    found = {}
    for name, moment in (("new_today", "registered_at"), ("settled_today", "settled_at")):
        where = Where()
        begins, ends = where.place(today), where.place(end)
        where.add(f"f.{moment} >= {begins} and f.{moment} < {ends}")
        within(where, reach, inside=f"c.{moment} >= {begins} and c.{moment} < {ends}")
        [row] = await fetch(conn, f"select count(*) as cases from case_figure f {where.sql}", where.values)
        found[name] = row["cases"]
    return found


def _units(
    known: Mapping[str | None, tuple[int, int]], groups: Mapping[str | None, Mapping[str, Figure]]
) -> tuple[BoardUnit, ...]:
    codes = sorted({*known, *groups} - {None}, key=str)
    return tuple(
        BoardUnit(
            code=code,
            open=known.get(code, (0, 0))[0],
            red=known.get(code, (0, 0))[1],
            figures={
                name: figures[name] if name in figures else Figure(measure=name, base=0, hit=0) for name in _SHOWN
            },
        )
        for code in codes
        for figures in (groups.get(code, {}),)
    )


async def _lines(conn: Connection, reach: Reach) -> tuple[BoardLine, ...]:
    where = Where()
    where.add(_OPEN)
    within(where, reach, "c")
    rows = await fetch(
        conn,
        f"""
        select c.title, c.category, c.community, c.lead, c.urgency, c.stage, c.light, c.due_at
        from case_row c
        {where.sql}
        order by coalesce(c.due_at, 'infinity'::timestamptz), c.id
        limit {LINES_MOST}
        """,
        where.values,
    )
    found = (BoardLine.model_validate(dict(row)) for row in rows)
    return tuple(each.model_copy(update={"title": public_title(each.title)}) for each in found)
