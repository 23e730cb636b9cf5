"""A small neighbourhood for tests: one street, two communities, three grids, three departments, a full staff."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from domain.ladder import ClockKind
from domain.limits import limit
from domain.people import Actor, Role
from domain.process import World
from domain.registry import Registry
from domain.registry_check import registry_of
from domain.registry_problem import RawRegistry
from domain.rules import RuleBook, RuleRow, Urgency
from ledger.rule_files import example_book
from tests.calendars import office_calendar

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
"""Monday noon in Shanghai."""

DIGEST = "a" * 64
BEFORE: dict[str, Any] = {"kind": "before", "ref": "file-before", "digest": DIGEST}
AFTER: dict[str, Any] = {"kind": "after", "ref": "file-after", "digest": DIGEST}

GRID, OTHER_GRID, FAR_GRID = "G01", "G02", "G11"
EVERYDAY, ORDINARY = "K01", "K02"
LEAD, HELPER, OTHER = "D01", "D02", "D03"

_GRID_STAFF = [
    ("worker", Role.GRID_WORKER),
    ("checker", Role.GRID_WORKER),
    ("head", Role.GRID_HEAD),
    ("captain", Role.VANGUARD_CAPTAIN),
]
_UNIT_STAFF = [
    ("community", Role.COMMUNITY, "C01"),
    ("approver", Role.COMMUNITY, "C01"),
    ("far-community", Role.COMMUNITY, "C02"),
    ("dispatcher", Role.STREET_DISPATCHER, "S01"),
    ("handler", Role.DEPARTMENT_HANDLER, LEAD),
    ("helper", Role.DEPARTMENT_HANDLER, HELPER),
    ("other", Role.DEPARTMENT_HANDLER, OTHER),
    ("department-head", Role.DEPARTMENT_HEAD, LEAD),
    ("hotline", Role.HOTLINE, "S01"),
    ("supervisor", Role.SUPERVISOR, "S01"),
]

ACTORS: dict[str, Actor] = {
    **{name: Actor(person=name, role=role, organisation=unit) for name, role, unit in _UNIT_STAFF},
    **{name: Actor(person=name, role=role, grid=GRID) for name, role in _GRID_STAFF},
    "other-worker": Actor(person="other-worker", role=Role.GRID_WORKER, grid=OTHER_GRID),
    "resident": Actor(person="resident-1", role=Role.RESIDENT),
}
"""Everybody by a short name; the name is the person's code in the registry."""

REGISTRY: dict[str, list[dict[str, Any]]] = {
    "organisations": [
        {"code": "Q01", "name": "示例区", "kind": "district"},
        {"code": "S01", "name": "杏林街道", "kind": "street", "parent": "Q01"},
        {"code": "C01", "name": "东塘社区", "kind": "community", "parent": "S01"},
        {"code": "C02", "name": "西塘社区", "kind": "community", "parent": "S01"},
        {"code": LEAD, "name": "城市管理", "kind": "department", "parent": "S01"},
        {"code": HELPER, "name": "供水", "kind": "department", "parent": "S01"},
        {"code": OTHER, "name": "园林", "kind": "department", "parent": "S01"},
    ],
    "grids": [
        {"code": GRID, "name": "东塘一网格", "community": "C01", "households": 420, "people": 1180},
        {"code": OTHER_GRID, "name": "东塘二网格", "community": "C01", "households": 360, "people": 1010},
        {"code": FAR_GRID, "name": "西塘一网格", "community": "C02", "households": 480, "people": 1400},
    ],
    "categories": [
        {"code": EVERYDAY, "name": "楼道杂物", "on_the_spot": True, "urgency": "general"},
        {"code": ORDINARY, "name": "路面破损", "on_the_spot": False, "urgency": "general"},
    ],
    "people": [{"id": actor.person, "name": actor.person} for actor in ACTORS.values() if actor.role != Role.RESIDENT],
    "assignments": [
        {
            key: value
            for key, value in {
                "person": actor.person,
                "role": actor.role.value,
                "organisation": actor.organisation,
                "grid": actor.grid,
            }.items()
            if value is not None
        }
        for actor in ACTORS.values()
        if actor.role != Role.RESIDENT
    ],
}


def raw_registry(**changes: list[dict[str, Any]]) -> RawRegistry:
    """The rows as a file would give them; ``changes`` replace whole sections."""
    return RawRegistry.of({**REGISTRY, **changes})


def registry() -> Registry:
    """The registry as a value."""
    return registry_of(raw_registry())


_COLUMNS = (
    ClockKind.DISPATCH,
    ClockKind.SIGN_FOR,
    ClockKind.CONTACT,
    ClockKind.HANDLE,
    ClockKind.VERIFY,
    ClockKind.SIGN,
    ClockKind.FEED_BACK,
    ClockKind.VISIT,
    ClockKind.APPRAISE,
    ClockKind.PLACE,
)


def _row(urgency: Urgency, *limits: str) -> RuleRow:
    columns = dict(zip(_COLUMNS, map(limit, limits), strict=True))
    return RuleRow(urgency=urgency, limits=columns, reopen_window=limit("7d"))


NATURAL_BOOK = RuleBook(
    version="natural-1",
    name="自然时规则",
    rows=(
        #              dispatch sign contact handle verify sign feed visit appraise place
        _row(Urgency.EMERGENCY, "1h", "15m", "30m", "24h", "2h", "2h", "2h", "24h", "3d", "15m"),
        _row(Urgency.LIVELIHOOD, "2h", "1h", "2h", "24h", "8h", "8h", "8h", "24h", "3d", "1h"),
        _row(Urgency.GENERAL, "24h", "8h", "24h", "7d", "24h", "24h", "24h", "24h", "3d", "24h"),
        _row(Urgency.COMPLEX, "24h", "24h", "24h", "15d", "2d", "24h", "24h", "2d", "3d", "24h"),
    ),
)
"""Natural limits and the two lights only: a test sees the rule it asks about, not the calendar or the ladder."""

EXAMPLE_BOOK = example_book()
"""The rule book that ships with the product."""

CALENDAR = office_calendar()

WORLD = World(
    registry=registry(),
    rule_books={book.version: book for book in (NATURAL_BOOK, EXAMPLE_BOOK)},
    current_rules=NATURAL_BOOK.version,
    calendars={CALENDAR.version: CALENDAR},
    current_calendar=CALENDAR.version,
)

WORKING_WORLD = replace(WORLD, current_rules=EXAMPLE_BOOK.version)
"""The same neighbourhood living by the book that ships with the product, in working time."""
