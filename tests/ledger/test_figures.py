"""Figures and the cases behind them: the two can never disagree."""

from datetime import UTC, date, datetime
from itertools import product

import asyncpg
import pytest

from domain.errors import Refused
from domain.figures import MEASURES, Kind
from domain.rights import EVERYTHING, NOTHING, Reach
from ledger.figures import (
    FigureCase,
    Group,
    LedgerCase,
    LedgerColumn,
    Selection,
    Side,
    cases_of,
    ledger_cases,
    one_figure,
    open_ledger,
    period,
    table,
    uncounted,
)
from tests.ledger.figure_rows import fill

AUTUMN = period(date(2026, 9, 1), date(2026, 10, 15))
ALL = Selection(begin=AUTUMN[0], end=AUTUMN[1])
SELECTIONS = (
    ALL,
    ALL.model_copy(update={"community": "C01", "urgency": "general"}),
    ALL.model_copy(update={"department": "D02", "category": "K01"}),
    ALL.model_copy(update={"street": "S1", "grid": "G111"}),
)
REACHES = (
    EVERYTHING,
    Reach(communities=frozenset({"C01", "C02"})),
    Reach(departments=frozenset({"D04"}), people=frozenset({"p-1"})),
    NOTHING,
)


async def behind(
    conn: asyncpg.Connection,
    code: str,
    side: Side,
    chosen: Selection = ALL,
    reach: Reach = EVERYTHING,
    reason: str | None = None,
) -> list[FigureCase]:
    found: list[FigureCase] = []
    cursor = None
    while True:
        page = await cases_of(conn, code, chosen, side=side, reason=reason, reach=reach, limit=37, cursor=cursor)
        found += page.items
        cursor = page.next
        if cursor is None:
            return found


async def test_the_cases_behind_every_figure_add_up_to_it_for_every_selection_and_reach(
    conn: asyncpg.Connection,
) -> None:
    await fill(conn, 400)

    seen = 0
    for chosen, reach in product(SELECTIONS, REACHES):
        figures = (await table(conn, chosen, reach=reach)).total
        for measure in MEASURES:
            figure = figures[measure.code]
            assert figure == await one_figure(conn, measure.code, chosen, reach=reach)
            hits = await behind(conn, measure.code, Side.HIT, chosen, reach)
            assert sum(each.hit for each in hits) == figure.hit
            below = await behind(conn, measure.code, Side.BASE, chosen, reach)
            assert sum(each.base for each in below) == figure.base
            apart = await behind(conn, measure.code, Side.APART, chosen, reach)
            assert len(apart) == sum(figure.apart.values())
            for reason, count in figure.apart.items():
                assert len(await behind(conn, measure.code, Side.APART, chosen, reach, reason)) == count
            assert {each.id for each in apart}.isdisjoint(each.id for each in below)
            if measure.kind is not Kind.COUNT:
                assert {each.id for each in hits} <= {each.id for each in below}
            seen += len(hits)
    assert seen > 1000


async def test_those_that_failed_are_those_below_the_line_that_did_not_succeed(conn: asyncpg.Connection) -> None:
    await fill(conn, 300)

    for code in ("response", "solved", "satisfied", "on_time", "accurate", "first_time"):
        below = await behind(conn, code, Side.BASE)
        assert [each.id for each in await behind(conn, code, Side.MISS)] == [
            each.id for each in below if each.hit < each.base
        ]


@pytest.mark.parametrize("by", list(Group))
async def test_groups_and_months_add_up_to_the_total(conn: asyncpg.Connection, by: Group) -> None:
    await fill(conn, 300)

    found = await table(conn, ALL, by=by)

    assert len(found.groups) > 1
    assert list(found.months) == ["2026-09", "2026-10"]
    for measure in MEASURES:
        for parts in (found.groups.values(), found.months.values()):
            figures = [each[measure.code] for each in parts]
            assert sum(each.hit for each in figures) == found.total[measure.code].hit
            assert sum(each.base for each in figures) == found.total[measure.code].base


async def test_the_figure_of_a_group_is_that_of_a_selection_of_it(conn: asyncpg.Connection) -> None:
    await fill(conn, 300)

    groups = (await table(conn, ALL, by=Group.DEPARTMENT)).groups
    alone = (await table(conn, ALL.model_copy(update={"department": "D02"}))).total

    assert {code: (each.base, each.hit) for code, each in groups["D02"].items()} == {
        code: (each.base, each.hit) for code, each in alone.items()
    }


async def test_a_period_takes_its_first_moment_and_leaves_its_last_to_the_next(conn: asyncpg.Connection) -> None:
    rows = await fill(conn, 50)
    at = rows[20].registered_at

    starting = Selection(begin=at, end=datetime(2027, 1, 1, tzinfo=UTC))
    ending = Selection(begin=datetime(2026, 1, 1, tzinfo=UTC), end=at)

    assert (await one_figure(conn, "registered", starting)).hit == 30
    assert (await one_figure(conn, "registered", ending)).hit == 20


def test_days_of_a_period_are_those_of_the_office_and_both_belong_to_it() -> None:
    assert period(date(2026, 9, 1), date(2026, 9, 1)) == (
        datetime(2026, 8, 31, 16, tzinfo=UTC),
        datetime(2026, 9, 1, 16, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("first", "last"), [("2026-09-02", "2026-09-01"), ("2020-01-01", "2026-01-01"), ("9999-01-01", "9999-12-31")]
)
def test_a_period_that_will_not_do_is_refused(first: str, last: str) -> None:
    with pytest.raises(Refused) as refused:
        period(date.fromisoformat(first), date.fromisoformat(last))

    assert refused.value.code == "period.invalid"


async def test_an_unknown_figure_and_the_cursor_of_another_are_refused(conn: asyncpg.Connection) -> None:
    await fill(conn, 60)
    cursor = (await cases_of(conn, "response", ALL, limit=1)).next

    with pytest.raises(Refused) as unknown:
        await cases_of(conn, "happiness", ALL)
    with pytest.raises(Refused) as foreign:
        await cases_of(conn, "on_time", ALL, cursor=cursor)

    assert (unknown.value.code, foreign.value.code) == ("stats.unknown_measure", "feed.bad_cursor")


async def test_every_number_of_the_open_ledger_opens_to_its_cases(conn: asyncpg.Connection) -> None:
    rows = await fill(conn, 300)
    reach = Reach(streets=frozenset({"S0", "S1"}))

    lines = await open_ledger(conn, *AUTUMN, reach=reach)

    assert [each.community for each in lines] == ["C01", "C02", "C11"]
    for line in lines:
        for column in LedgerColumn:
            found: list[LedgerCase] = []
            cursor = None
            while True:
                page = await ledger_cases(
                    conn, column, *AUTUMN, community=line.community, reach=reach, limit=20, cursor=cursor
                )
                found += page.items
                cursor = page.next
                if cursor is None:
                    break
            assert len(found) == getattr(line, column)
            expected = {
                each.id
                for each in rows
                if each.community == line.community
                and (at := getattr(each, f"{column}_at")) is not None
                and AUTUMN[0] <= at < AUTUMN[1]
            }
            assert {each.id for each in found} == expected


async def test_cases_of_an_older_release_are_told_of_until_they_are_counted(conn: asyncpg.Connection) -> None:
    await fill(conn, 3)
    assert not await uncounted(conn)

    await conn.execute("delete from case_figure where id = (select min(id) from case_figure)")

    assert await uncounted(conn)
