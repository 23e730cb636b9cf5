"""Makes one part of the city's requests: plays the histories it needs and stamps them onto days, places and words.

Owns when requests come (seasons, days of the week, hours of the day) and which history a request gets. A part depends
on its order alone, so the same order makes the same requests in whatever process. Reads and writes nothing.
"""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import accumulate

from console.city.playing import GoneWrong, play
from console.city.stamping import COLUMNS, History
from console.city.town import MATTERS, NUMBER, TEXT, TITLE, City, Matter, pattern_registry, words
from domain.base import Frozen
from domain.calendar import WorkCalendar
from domain.process import World
from domain.registry_check import registry_of
from domain.rules import RuleBook
from domain.zone import OFFICE_ZONE

BATCH = 1_000
"""So many requests travel together."""

LIVES = timedelta(days=200)
"""No history looks further than this from its beginning: calendars of the pattern are compared for so long."""

_WEEK = (112, 108, 106, 105, 104, 84, 81)
"""How many requests come on Monday to Sunday, a mean day being 100."""

_HOURS = (6, 3, 2, 2, 3, 8, 22, 48, 88, 110, 106, 84, 58, 66, 92, 98, 90, 76, 58, 52, 48, 38, 24, 12)
"""How many requests come in each hour of the day."""


class Order(Frozen):
    """What one part is to be: ``cases`` requests of the ``days`` days before ``until``, numbered on from ``first``."""

    seed: int
    part: int
    first: int
    cases: int
    until: datetime
    days: int
    histories: int
    book: RuleBook
    calendar: WorkCalendar
    city: City = City()


@dataclass(frozen=True)
class Batch:
    """Some requests as lines for ``COPY``, table by table; ``open`` of them are not finished yet."""

    cases: int
    events: int
    open: int
    lines: Mapping[str, bytes]


def make(order: Order) -> Iterator[Batch]:
    """The requests of a part, the oldest first."""
    return _Part(order).batches()


class _Part:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._dice = random.Random(f"{order.seed}/{order.part}")
        book, calendar = order.book, order.calendar
        self._world = World(
            registry=registry_of(pattern_registry()),
            rule_books={book.version: book},
            current_rules=book.version,
            calendars={calendar.version: calendar},
            current_calendar=calendar.version,
        )
        self._today = order.until.astimezone(OFFICE_ZONE).date()
        self._days = [self._today - timedelta(days=back) for back in range(order.days - 1, -1, -1)]
        shapes: dict[object, str] = {}
        first, last = self._days[0] - LIVES, self._days[-1] + LIVES
        self._shape_from = first
        self._shape = "".join(
            shapes.setdefault(calendar.shape(first + timedelta(days=each)), chr(0x100 + len(shapes)))
            for each in range((last - first).days + 1)
        )
        self._usable: dict[date, list[tuple[Matter, History, int]]] = {day: [] for day in self._days}

    def batches(self) -> Iterator[Batch]:
        """The requests in the order of their days."""
        self._play_all()
        counts = self._counts()
        lines: dict[str, list[str]] = {table: [] for table in COLUMNS}
        cases = events = still_open = number = 0
        for day, count in zip(self._days, counts, strict=True):
            chosen = self._choose(day, count)
            # By the hour of their registration, as they would have come.
            chosen.sort(key=lambda each: each[1].begins)
            for matter, history, shift in chosen:
                acts = history.acts_until(self._order.until, shift)
                if acts == 0:
                    continue  # it would come later today
                events += self._stamp(lines, matter, history, shift, acts, number)
                still_open += not history.ends_with(acts)
                cases, number = cases + 1, number + 1
                if cases == BATCH:
                    yield _batch(cases, events, still_open, lines)
                    cases = events = still_open = 0
        if cases:
            yield _batch(cases, events, still_open, lines)

    def _stamp(
        self, lines: Mapping[str, list[str]], matter: Matter, history: History, shift: int, acts: int, number: int
    ) -> int:
        dice = self._dice
        title, text = words(matter, dice)
        codes = self._order.city.somewhere(dice).codes(dice)
        codes |= {TITLE: title, TEXT: text, NUMBER: f"{self._order.first + number:012}"}
        return history.stamp(lines, f"case-{dice.getrandbits(128):032x}", shift, acts, codes, _uuids(dice))

    # --- histories ----------------------------------------------------------------------------------------------

    def _play_all(self) -> None:
        """Play histories for every day, and let each serve all days around which the calendar looks the same."""
        order, dice = self._order, self._dice
        for number in range(order.histories):
            self._play_one(self._days[number * len(self._days) // order.histories], dice)
        for day in self._days:
            while not self._usable[day]:
                self._play_one(day, dice)

    def _play_one(self, day: date, dice: random.Random) -> None:
        matter = dice.choices(MATTERS, [each.share * each.months[day.month - 1] for each in MATTERS])[0]
        hour = dice.choices(range(24), _HOURS)[0]
        begun = datetime.combine(day, time(hour, dice.randrange(60), dice.randrange(60)), OFFICE_ZONE).astimezone(UTC)
        try:
            history = History(play(self._world, matter, begun, dice))
        except GoneWrong:
            return
        before, span = (history.first - history.day).days - 1, (history.last - history.first).days + 3
        at = (day - self._shape_from).days + before
        if at < 0 or at + span > len(self._shape):
            return
        wanted = self._shape[at : at + span]
        found = self._shape.find(wanted)
        while found >= 0:
            other = self._shape_from + timedelta(days=found - before)
            if other in self._usable:
                self._usable[other].append((matter, history, (other - day).days))
            found = self._shape.find(wanted, found + 1)

    # --- how many, and which ------------------------------------------------------------------------------------

    def _counts(self) -> list[int]:
        weights = [_WEEK[day.weekday()] * sum(each.share * each.months[day.month - 1] for each in MATTERS)
                   for day in self._days]  # fmt: skip
        total, cases = sum(weights), self._order.cases
        ends = [cases * each // total for each in accumulate(weights)]
        return [end - begin for begin, end in zip([0, *ends[:-1]], ends, strict=True)]

    def _choose(self, day: date, count: int) -> list[tuple[Matter, History, int]]:
        usable = self._usable[day]
        held: dict[str, int] = {}
        for matter, _, _ in usable:
            held[matter.category] = held.get(matter.category, 0) + 1
        weights = [max(1, m.share * m.months[day.month - 1]) * 1000 // held[m.category] for m, _, _ in usable]
        return self._dice.choices(usable, weights, k=count)


def _uuids(dice: random.Random) -> Iterator[str]:
    while True:
        text = f"{dice.getrandbits(128):032x}"
        yield f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def _batch(cases: int, events: int, still_open: int, lines: Mapping[str, list[str]]) -> Batch:
    whole = {table: ("\n".join(found) + "\n").encode() for table, found in lines.items() if found}
    for found in lines.values():
        found.clear()
    return Batch(cases, events, still_open, whole)
