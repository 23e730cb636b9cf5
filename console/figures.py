"""Statistics as people ask for them: the fields of a form become a selection, figures get names, cards and charts.

Owns words and layout of figures for pages. Must not know HTTP, and never widens what the caller reaches: the reach is
applied by the queries.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Annotated
from urllib.parse import urlencode

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from console.listing import category_name, grid_name, organisation_name
from console.output import say
from domain.errors import Refused
from domain.figures import BASIS_NAMES, BY_CODE, MEASURES, OUTCOME_NAMES, Figure, Kind
from domain.registry import Registry
from ledger.figures import Group, Selection, Side, Table, period

DAYS = 30
"""Days of a statistic for which nobody named any, today included."""

GROUP_NAMES: Mapping[Group, tuple[str, str]] = {
    Group.COMMUNITY: ("社区", "community"),
    Group.STREET: ("街道", "street"),
    Group.GRID: ("网格", "grid"),
    Group.DEPARTMENT: ("主办部门", "lead department"),
    Group.CATEGORY: ("类别", "category"),
}
SIDE_NAMES: Mapping[Side, tuple[str, str]] = {
    Side.BASE: ("分母", "below the line"),
    Side.HIT: ("分子", "above the line"),
    Side.MISS: ("未达标", "failed"),
    Side.APART: ("不纳入", "not assessable"),
}
_WIDE, _HIGH = 120, 28


def _text(value: object) -> object:
    return "" if value is None else value


Word = Annotated[str, BeforeValidator(_text), StringConstraints(strip_whitespace=True, max_length=64)]
_PLACES = ("street", "community", "grid", "department", "category", "urgency")


class Asked(BaseModel):
    """The fields of the form as they come in an address; what is empty asks for nothing, unknown fields neither."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)

    since: Word = Field(default="", alias="from")
    until: Word = Field(default="", alias="to")
    street: Word = ""
    community: Word = ""
    grid: Word = ""
    department: Word = ""
    category: Word = ""
    urgency: Word = ""
    by: Word = ""
    side: Word = ""
    reason: Word = ""
    cursor: Annotated[str, BeforeValidator(_text), StringConstraints(max_length=400)] = ""

    def days(self, today: date) -> tuple[date, date]:
        """The first and the last day. Raises ``Refused`` ``field.invalid`` for a day that is none."""
        last = _day(self.until, "to") or today
        return _day(self.since, "from") or last - timedelta(days=DAYS - 1), last

    def selection(self, today: date) -> Selection:
        """What these fields select. Raises ``Refused``: ``field.invalid``, ``period.invalid``."""
        begin, end = period(*self.days(today))
        return Selection(begin=begin, end=end, **{name: getattr(self, name) or None for name in _PLACES})

    @property
    def group(self) -> Group:
        """By what the table tells figures apart; by community where nothing else is asked for."""
        return Group(self.by) if self.by in set(Group) else Group.COMMUNITY

    @property
    def chosen_side(self) -> Side | None:
        """Which cases behind the figure; None where nothing is asked for."""
        return Side(self.side) if self.side in set(Side) else None

    def fields(self) -> dict[str, str]:
        """What was filled in, without the place in a list."""
        return {name: value for name, value in self.model_dump(by_alias=True, exclude={"cursor"}).items() if value}

    def address(self, path: str, **changes: str | None) -> str:
        """``path`` with what was filled in and ``changes`` to it."""
        fields = {name: value for name, value in {**self.fields(), **changes}.items() if value}
        return f"{path}?{urlencode(fields)}" if fields else path


def _day(text: str, field: str) -> date | None:
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or not 2000 <= day.year <= 9000:
        raise Refused(
            "field.invalid", field=field, reason="日期写作 2026-11-27", reason_en="a day is written 2026-11-27"
        )
    return day


@dataclass(frozen=True)
class Part:
    """A number of a figure and the address of the cases behind it."""

    name: str
    number: int
    address: str


@dataclass(frozen=True)
class Card:
    """A figure with everything a reader needs to check it."""

    code: str
    name: str
    shown: str
    unit: str
    formula: str
    basis: str
    why: str
    is_count: bool
    address: str
    parts: tuple[Part, ...]
    apart: tuple[Part, ...]
    line: "Line | None"


@dataclass(frozen=True)
class Line:
    """A small line chart: the points of an SVG polyline, the last one, and the same in words."""

    points: str
    last: tuple[str, str]
    words: str
    wide: int = _WIDE
    high: int = _HIGH


def card(figure: Figure, asked: Asked, months: Mapping[str, Figure] | None = None) -> Card:
    """The card of a figure; ``months`` make its small chart."""
    measure = BY_CODE[figure.measure]
    path = f"/stats/{measure.code}"

    def to(side: Side, reason: str | None = None) -> str:
        return asked.address(path, side=side.value, reason=reason, by=None)

    parts = [Part(say(*measure.hit), figure.hit, to(Side.HIT))]
    if measure.base is not None:
        parts.append(Part(say(*measure.base), figure.base, to(Side.BASE)))
    return Card(
        code=measure.code,
        name=say(*measure.name),
        shown=figure.shown,
        unit=say(*measure.unit),
        formula=say(*measure.formula),
        basis=say(*BASIS_NAMES[measure.basis]),
        why=say(*measure.why),
        is_count=measure.kind is Kind.COUNT,
        address=to(Side.HIT if measure.base is None else Side.BASE),
        parts=tuple(parts),
        apart=tuple(
            Part(say(*OUTCOME_NAMES[reason]), number, to(Side.APART, reason)) for reason, number in figure.apart.items()
        ),
        line=line(months) if months and len(months) > 1 else None,
    )


def cards(found: Table, asked: Asked) -> list[Card]:
    """The cards of all figures in their order."""
    return [
        card(found.total[each.code], asked, {month: figures[each.code] for month, figures in found.months.items()})
        for each in MEASURES
    ]


def line(months: Mapping[str, Figure]) -> Line | None:
    """The chart of a figure by months; None where fewer than two months have a value."""
    values = [(month, figure) for month, figure in months.items() if figure.value is not None]
    if len(values) < 2:
        return None
    numbers = [figure.value for _, figure in values if figure.value is not None]
    low, span = min(numbers), max(numbers) - min(numbers)
    points = []
    for place, number in enumerate(numbers):
        across = 3 + (_WIDE - 6) * place // (len(numbers) - 1)
        up = int((number - low) * (_HIGH - 8) / span) if span else (_HIGH - 8) // 2
        points.append((str(across), str(_HIGH - 4 - up)))
    told = say("，", ", ").join(f"{month} {figure.shown}" for month, figure in values)
    return Line(points=" ".join(",".join(point) for point in points), last=points[-1], words=told)


@dataclass(frozen=True)
class Cell:
    """A figure in a table: what is shown, what it is made of, and its cases."""

    head: str
    shown: str
    made_of: str
    address: str
    empty: bool


@dataclass(frozen=True)
class Row:
    """A group of a table: its name, the address of its own statistics, its figures."""

    name: str
    address: str | None
    cells: tuple[Cell, ...]


SHOWN = ("registered", "response", "on_time", "solved", "satisfied", "rework", "accurate", "first_time", "overdue")
"""The columns of the table of groups."""


def unit_name(registry: Registry, by: Group, code: str | None) -> str:
    """What a group is called."""
    if code is None:
        return say("未定", "none yet")
    if by is Group.CATEGORY:
        return category_name(registry, code)
    return grid_name(registry, code) if by is Group.GRID else organisation_name(registry, code)


def rows(found: Table, asked: Asked, registry: Registry, most: int) -> list[Row]:
    """The table of groups, those with the most cases first, ``most`` at most."""
    by = asked.group
    return [
        Row(
            name=unit_name(registry, by, code),
            address=asked.address("/stats", **{by.value: code}) if code else None,
            cells=tuple(_cell(figures[name], asked, by, code) for name in SHOWN),
        )
        for code in found.groups.largest(most)
        for figures in (found.groups[code],)
    ]


def _cell(figure: Figure, asked: Asked, by: Group, code: str | None) -> Cell:
    measure = BY_CODE[figure.measure]
    counted = measure.kind is Kind.COUNT
    side = Side.HIT if counted else Side.BASE
    return Cell(
        head=say(*measure.name),
        shown=figure.shown,
        made_of="" if counted else f"{figure.hit}/{figure.base}",
        address=asked.address(f"/stats/{measure.code}", side=side.value, by=None, **{by.value: code}) if code else "",
        empty=not figure.hit and not figure.base,
    )
