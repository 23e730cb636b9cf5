"""How long the plan of a case takes: everything that follows from a state, read anew after every act.

    python -m bench.plan [--json]

A case with ten running clocks under the shipped rule book, each with its rungs; best of several rounds.
"""

import sys
import timeit
from datetime import UTC, datetime

from bench.results import hand_out
from domain.calendar import WorkCalendar
from domain.case.plan import plan
from domain.case.state import Assignment, Case
from domain.case.vocabulary import Place, Stage
from domain.clocks import Clock, start
from domain.ladder import ClockKind
from domain.limits import Limit
from domain.people import Actor, Role
from domain.process import World
from domain.rules import Urgency
from ledger.calendar_files import from_library
from ledger.rule_files import example_book

_AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
_ROUNDS, _TIMES = 7, 2000


def ten_clocks() -> Case:
    """A case in the middle of its handling, with a lead, two helpers, orders to answer and ten running clocks."""
    book, calendar = example_book(), from_library()
    rules = book.pin(Urgency.GENERAL, None, calendar=calendar.version)
    parts = ("D01", "D02", "D03")
    kinds = [
        *((ClockKind.SIGN_FOR, part) for part in parts),
        *((ClockKind.REPLY, part) for part in parts),
        *((kind, None) for kind in (ClockKind.HANDLE, ClockKind.CONTACT, ClockKind.VERIFY, ClockKind.VISIT)),
    ]
    return Case(
        stage=Stage.HANDLING,
        title="路面破损",
        text="路面有坑",
        channel="grid",
        place=Place(street="S01", community="C01", grid="G01"),
        urgency=Urgency.GENERAL,
        registered_by=Actor(person="G01-1", role=Role.GRID_WORKER, grid="G01"),
        registered_at=_AT,
        found_at=_AT,
        waiting_since=_AT,
        rules=rules,
        clocks=tuple(_clock(kind, unit, rules.row.limits[kind], calendar) for kind, unit in kinds),
        assignments=tuple(
            Assignment(department=part, lead=part == "D01", assigned_at=_AT, accepted_at=_AT) for part in parts
        ),
    )


def _clock(kind: ClockKind, unit: str | None, length: Limit, calendar: WorkCalendar) -> Clock:
    book = example_book()
    rules = book.pin(Urgency.GENERAL, None, calendar=calendar.version)
    return start(kind, length, rules, _AT, calendar=calendar, ladder=book.ladder, organisation=unit)


def main() -> None:
    """Print microseconds for one plan, the best round of several."""
    case, world = ten_clocks(), World()
    assert sum(clock.is_running for clock in case.clocks) == 10
    rounds = timeit.repeat(lambda: plan(case, world), number=_TIMES, repeat=_ROUNDS)
    best = min(rounds) / _TIMES * 1e6
    middle = sorted(rounds)[_ROUNDS // 2] / _TIMES * 1e6
    as_json = "--json" in sys.argv
    figures = {"clocks": 10, "microseconds_best": round(best, 1), "microseconds_median": round(middle, 1)}
    hand_out("plan", figures, as_json=as_json)
    if not as_json:
        print(f"plan of a case with 10 running clocks: {best:.1f} µs (median {middle:.1f} µs)")


if __name__ == "__main__":
    main()
