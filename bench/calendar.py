"""``python -m bench.calendar``: how long it takes to find a due time.

Owns 100,000 due computations over a calendar with the official lists of ten years, a quarter of them for each kind of
unit, every second one with pauses, and the time to lay the calendar out, which happens once. Starts, limits and pauses
come from a seed and are made before the clock runs. ``--json`` prints the figures as one object.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from chinese_calendar.constants import holidays, workdays  # type: ignore[import-untyped]

from bench.results import hand_out
from domain.calendar import FIXED_OFF, Day, Pause, WorkCalendar, standard_week
from domain.limits import Limit, Unit

COMPUTATIONS = 100_000
FIRST_YEAR, LAST_YEAR = 2017, 2026
SEED = 12345
# The longest limits an office gives in each unit, so that the computations are not kinder than the office.
LONGEST = {
    Unit.WORKING_HOUR: 80,
    Unit.WORKING_DAY: 60,
    Unit.WORKING_DAY_BY_MINUTES: 60,
    Unit.HOUR: 720,
}

Job = tuple[datetime, Limit, tuple[Pause, ...]]


def ten_years() -> WorkCalendar:
    """A fresh calendar with nothing laid out yet."""

    def days(named: dict[date, str]) -> tuple[Day, ...]:
        return tuple(Day(on=on, name=name) for on, name in named.items() if FIRST_YEAR <= on.year <= LAST_YEAR)

    return WorkCalendar(
        version="bench",
        name="Ten years",
        week=standard_week(),
        off=days(holidays),
        made_up=days(workdays),
        fixed_off=FIXED_OFF,
        published_from=date(FIRST_YEAR, 1, 1),
        published_until=date(LAST_YEAR, 12, 31),
    )


def jobs(unit: Unit, count: int) -> list[Job]:
    """Starts at any moment of the ten years; half of the jobs with one to three pauses of up to a week."""
    chance = random.Random(SEED)
    minutes = (datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC) - datetime(FIRST_YEAR, 1, 1, tzinfo=UTC)) // timedelta(
        minutes=1
    )
    made = []
    for i in range(count):
        start = datetime(FIRST_YEAR, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(minutes))
        pauses = []
        for _ in range(chance.randint(1, 3) if i % 2 else 0):
            begin = start + timedelta(minutes=chance.randrange(20_000))
            pauses.append(Pause(begin=begin, end=begin + timedelta(minutes=chance.randrange(10_080))))
        made.append((start, Limit(amount=chance.randint(1, LONGEST[unit]), unit=unit), tuple(pauses)))
    return made


def measure(calendar: WorkCalendar, work: Sequence[Job]) -> float:
    """Seconds for all of the ``work``."""
    begun = time.perf_counter()
    for start, limit, pauses in work:
        calendar.due(start, limit, pauses)
    return time.perf_counter() - begun


def figures(count: int) -> dict[str, Any]:
    """The measured figures: ``build_ms``, microseconds for each unit and over all, and the total in seconds."""
    calendar = ten_years()
    work = {unit: jobs(unit, count // len(LONGEST)) for unit in LONGEST}
    some_day = datetime(LAST_YEAR, 1, 5, tzinfo=UTC)
    begun = time.perf_counter()
    calendar.add(some_day, Limit(amount=1, unit=Unit.WORKING_HOUR))
    built = time.perf_counter() - begun
    seconds = {unit: measure(calendar, made) for unit, made in work.items()}
    total, done = sum(seconds.values()), sum(len(made) for made in work.values())
    return {
        "computations": done,
        "years": LAST_YEAR - FIRST_YEAR + 1,
        "build_ms": round(built * 1e3, 1),
        "total_s": round(total, 3),
        "us_each": round(total / done * 1e6, 2),
        "us_each_by_unit": {unit.value: round(seconds[unit] / len(work[unit]) * 1e6, 2) for unit in work},
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.calendar", description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--computations", type=int, default=COMPUTATIONS, help=f"how many (default {COMPUTATIONS})")
    given = parser.parse_args()
    if given.computations < len(LONGEST):
        parser.error(f"--computations: give at least {len(LONGEST)}, one for each unit")
    found = figures(given.computations)
    hand_out("calendar", found, as_json=given.json)
    if given.json:
        return
    print(f"{found['computations']} due times over {found['years']} years on Python {sys.version.split()[0]}")
    print(f"  laying the calendar out, once: {found['build_ms']} ms")
    for unit, each in found["us_each_by_unit"].items():
        print(f"  {unit:8} {each:6.2f} us each")
    print(f"  all      {found['us_each']:6.2f} us each, {found['total_s']} s in total")


if __name__ == "__main__":
    main()
