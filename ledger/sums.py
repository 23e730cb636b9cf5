"""The sums that statistics of a whole city are made of, kept as the cases change, so that no page reads all cases.

Owns which days and months of a period the tables ``figure_sum`` and ``open_sum`` can answer for, and the taking in of
what acts have added since (``fold``). Which facts make a figure is the business of ``ledger.figures``. A sum counts
only together with the lines not yet taken in (``figure_change``, ``open_change``): whoever reads, reads both in one
statement, and how far the folding is changes no figure.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from domain.zone import OFFICE_ZONE, office_day
from ledger.log import Connection
from ledger.paging import Where

DAYS = 90
"""So many days of the office before today may be asked for one by one; the tables keep a few more."""

FOLDED = 5000
"""Lines that one step takes in: a second or so of the server's time."""

Span = tuple[datetime, datetime]
"""From the first moment to the one before the last."""


@dataclass(frozen=True)
class Spans:
    """A period in parts: whole months, single days, and days too long ago to be kept."""

    months: tuple[date, date] | None
    days: Sequence[tuple[date, date]]
    unkept: Sequence[tuple[date, date]]

    @property
    def kept(self) -> list[Span]:
        """The moments for which the sums answer."""
        return [moments(*each) for each in (*((self.months,) if self.months else ()), *self.days)]

    @property
    def read(self) -> list[Span]:
        """The moments for which cases must be read."""
        return [moments(*each) for each in self.unkept]


def moments(first: date, end: date) -> Span:
    """From the begin of the day ``first`` to that of ``end``, days of the office."""
    begin, over = (datetime(day.year, day.month, day.day, tzinfo=OFFICE_ZONE).astimezone(UTC) for day in (first, end))
    return begin, over


def whole_days(begin: datetime, end: datetime) -> bool:
    """Whether the period is one of whole days of the office; the sums know no other."""
    return all(moments(day := office_day(at), day)[0] == at for at in (begin, end))


async def first_day(conn: Connection) -> date:
    """The first of the days that may be asked for one by one."""
    found: date = await conn.fetchval("select office_day(now()) - $1::int", DAYS)
    return found


def spans(begin: datetime, end: datetime, first: date) -> Spans:
    """The parts of a period of whole days, of which those from ``first`` on are kept one by one."""
    opens, closes = office_day(begin), office_day(end)
    last = closes.replace(day=1)
    month = opens if opens.day == 1 else (opens.replace(day=1) + timedelta(days=32)).replace(day=1)
    edges = [(opens, month), (last, closes)] if month < last else [(opens, closes)]
    days = [(max(begins, first), ends) for begins, ends in edges]
    unkept = [(begins, min(ends, first)) for begins, ends in edges]
    return Spans(
        months=(month, last) if month < last else None,
        days=[each for each in days if each[0] < each[1]],
        unkept=[each for each in unkept if each[0] < each[1]],
    )


def kept(where: Where, part: str, basis: str, asked: Spans) -> str:
    """The condition for the rows ``f`` of ``figure_sum`` that answer for this."""
    ways = [*_units(where, "month", (asked.months,) if asked.months else ()), *_units(where, "day", asked.days)]
    return f"f.part = '{part}' and f.basis = '{basis}' and " + _either(ways)


def _units(where: Where, unit: str, ranges: Sequence[tuple[date, date]]) -> Iterator[str]:
    for begins, ends in ranges:
        first, end = where.place(begins), where.place(ends)
        yield f"(f.unit = '{unit}' and f.begins >= {first}::date and f.begins < {end}::date)"


def within(where: Where, moment: str, ranges: Sequence[Span]) -> str:
    """The condition that ``moment`` lies in one of these."""
    ways = []
    for begin, end in ranges:
        first, last = where.place(begin), where.place(end)
        ways.append(f"({moment} >= {first}::timestamptz and {moment} < {last}::timestamptz)")
    return _either(ways)


def _either(ways: Sequence[str]) -> str:
    return "(" + " or ".join(ways) + ")" if ways else "false"


async def fold(conn: Connection, most: int = FOLDED) -> int:
    """Take up to ``most`` lines of each kind into the sums and return how many there were.

    Of several that fold at the same time one does it, for the others there is nothing to do.
    """
    return int(await conn.fetchval("select figures_fold($1)", most))


async def has_sums(conn: Connection) -> bool:
    """Whether there are sums, or lines for them: a copy of a whole ledger brings its own along."""
    if not await _knows_sums(conn):
        return False
    tables = ("figure_sum", "figure_change", "open_sum", "open_change")
    found: bool = await conn.fetchval("select " + " or ".join(f"exists (select from {name})" for name in tables))
    return found


async def _knows_sums(conn: Connection) -> bool:
    found: bool = await conn.fetchval("select to_regprocedure('figures_anew()') is not null")
    return found


async def count_anew(conn: Connection) -> None:
    """Make the sums anew out of all cases, as their owner: after rows came by a way that no trigger saw.

    Within the transaction in which they came, or while nobody acts. Does nothing where the schema is too old for sums.
    """
    if await _knows_sums(conn):
        await conn.execute("select figures_anew()")
        await conn.execute("select figures_fold(2147483647)")
