"""Invented cases for statistics: every combination of facts, spread over places and months."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import asyncpg

from domain.case.vocabulary import Satisfaction
from domain.figures import Outcome
from domain.zone import office_month
from ledger.log import canonical
from ledger.rows import CaseFigureRow, CaseRow

BEGIN = datetime(2026, 7, 31, 16, 0, tzinfo=UTC)
"""The first of August in Shanghai."""

END = BEGIN + timedelta(days=92)


def invented(count: int, seed: int = 3) -> Iterator[tuple[CaseRow, CaseFigureRow]]:
    """Cases registered from ``BEGIN`` to ``END``; some are settled, many of them in a later month."""
    dice = random.Random(seed)
    for number in range(count):
        at = BEGIN + (END - BEGIN) * number / count
        settled = at + timedelta(days=dice.randint(1, 40)) if dice.random() < 0.7 else None
        reached = settled is not None and dice.random() < 0.9
        community = dice.choice(("C01", "C02", "C11", None))
        lead = dice.choice(("D01", "D02", "D03", None))
        row = CaseFigureRow(
            id=f"case-{dice.getrandbits(64):016x}",
            street=None if community is None else f"S{community[1]}",
            community=community,
            grid=None if community is None else f"G{community[1:]}{dice.randint(1, 3)}",
            category=dice.choice(("K01", "K02")),
            urgency=dice.choice(("general", "emergency")),
            departments=() if lead is None else (lead, *({"D04"} if dice.random() < 0.2 else ())),
            lead=lead,
            opened_by=f"p-{dice.randint(1, 5)}",
            rules_version="example-1",
            response=dice.choice(list(Outcome)),
            handling=dice.choice(list(Outcome)),
            response_rules=dice.choice(("example-1", "example-2", None)),
            finished_once=(once := dice.random() < 0.8),
            dispatches=(sent := dice.randint(0, 3)),
            misdirected=dice.randint(0, sent),
            returns=dice.randint(0, 2),
            reworks=dice.choice((0, 0, 0, 1, 2)) if once else 0,
            reopenings=dice.choice((0, 0, 0, 1)),
            urges=dice.randint(0, 2),
            urgings=dice.randint(0, 1),
            orders=dice.randint(0, 1),
            satisfaction=dice.choice(list(Satisfaction)) if reached else None,
            solved=dice.random() < 0.8 if reached else None,
            registered_at=at,
            struck_off_at=settled - timedelta(hours=3) if settled else None,
            published_at=settled - timedelta(hours=1) if settled else None,
            settled_at=settled,
            registered_month=office_month(at),
            settled_month=office_month(settled) if settled else None,
        )
        case = CaseRow(
            id=row.id, seq=3, stage="settled" if settled else "handling", title="路面破损", street=row.street,
            community=row.community, grid=row.grid, registered_at=at, updated_at=at, settled_at=settled,
            light=None if settled else dice.choice(("green", "yellow", "red")),
            due_at=None if settled else at + timedelta(days=5), lead=lead, departments=row.departments,
            urgency=row.urgency, category=row.category,
        )  # fmt: skip
        yield case, row


async def fill(conn: asyncpg.Connection, count: int, seed: int = 3) -> list[CaseFigureRow]:
    """Write ``count`` invented cases and return what they add to the figures."""
    pairs = list(invented(count, seed))
    rows = {
        "case_row": [case.model_dump(mode="json") for case, _ in pairs],
        "case_figure": [row.model_dump(mode="json") for _, row in pairs],
    }
    await conn.execute("select ledger_rows($1::text::jsonb)", canonical(rows))
    return [row for _, row in pairs]
