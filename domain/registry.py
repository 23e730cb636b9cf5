"""The registry: which organisations, grids, categories and people there are, and who holds which role.

Owns the values and their lookups; ``domain.registry_check`` decides whether a registry is sound. Every entry is
valid from a day to a day, both included, counted in the office's own calendar (Asia/Shanghai by default). A later
version of the same code is another entry, so that a lookup with a date finds what was true on that day.
Must not know where a registry comes from or is kept.
"""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Generic, TypeVar

from domain.base import Frozen
from domain.people import Role
from domain.rules import Urgency

BEGINNING = date(1970, 1, 1)
"""First day of validity of entries that name none: they have always been valid."""


class OrganisationKind(StrEnum):
    """The kinds of organisations in the tree; partners are handlers outside government (物业, 业委会, 共建单位)."""

    DISTRICT = "district"
    STREET = "street"
    COMMUNITY = "community"
    DEPARTMENT = "department"
    PARTNER = "partner"


class Entry(Frozen):
    """What every entry has: its days of validity, both included; no ``valid_to`` means until further notice."""

    valid_from: date = BEGINNING
    valid_to: date | None = None

    def valid(self, at: date) -> bool:
        """Whether the entry holds on the day ``at``."""
        return self.valid_from <= at and (self.valid_to is None or at <= self.valid_to)

    def overlaps(self, other: "Entry") -> bool:
        """Whether there is a day on which both entries hold."""
        return self.valid_from <= (other.valid_to or date.max) and other.valid_from <= (self.valid_to or date.max)


class Organisation(Entry):
    """An organisation in the tree.

    ``queue`` is the task queue of the organisation's own system, None for the stock inbox; a task that system does
    not pick up within ``pick_up_within`` (a limit as text, None for the default) falls back to the inbox.
    """

    code: str
    name: str
    kind: OrganisationKind
    parent: str | None = None
    queue: str | None = None
    pick_up_within: str | None = None


class Grid(Entry):
    """A grid of a community; ``override_reason`` says why it may lie outside the usual size."""

    code: str
    name: str
    community: str
    households: int | None = None
    people: int | None = None
    override_reason: str | None = None


class Category(Entry):
    """A kind of request; ``on_the_spot`` marks everyday matters that a grid worker may settle at once."""

    code: str
    name: str
    parent: str | None = None
    on_the_spot: bool = False
    urgency: Urgency | None = None


class Person(Entry):
    """A member of staff; acts and facts carry ``id`` only. ``email`` is where notices reach them, None for nowhere."""

    id: str
    name: str
    email: str | None = None


class Assignment(Entry):
    """A person holds a role in an organisation, in a grid, or (supervisors and the like) everywhere."""

    person: str
    role: Role
    organisation: str | None = None
    grid: str | None = None


E = TypeVar("E", bound=Entry)


class _Index(Generic[E]):
    """Entries by key, the youngest version first."""

    def __init__(self, entries: Iterable[E], key: str) -> None:
        self._entries: dict[str, tuple[E, ...]] = {}
        for entry in sorted(entries, key=lambda each: each.valid_from, reverse=True):
            code: str = getattr(entry, key)
            self._entries[code] = (*self._entries.get(code, ()), entry)

    def versions(self, code: str) -> tuple[E, ...]:
        return self._entries.get(code, ())

    def one(self, code: str, at: date | None) -> E | None:
        versions = self.versions(code)
        if at is None:
            return versions[0] if versions else None
        return next((entry for entry in versions if entry.valid(at)), None)


class Registry(Frozen):
    """An immutable registry as loaded under one revision; 0 is the empty registry before the first load.

    Lookups take the day ``at``; None means the youngest version, valid or not. They answer None for what there is
    not, and never raise. The indexes are built once, at first use.
    """

    revision: int = 0
    organisations: tuple[Organisation, ...] = ()
    grids: tuple[Grid, ...] = ()
    categories: tuple[Category, ...] = ()
    persons: tuple[Person, ...] = ()
    assignments: tuple[Assignment, ...] = ()

    @cached_property
    def _organisation_index(self) -> _Index[Organisation]:
        return _Index(self.organisations, "code")

    @cached_property
    def _grid_index(self) -> _Index[Grid]:
        return _Index(self.grids, "code")

    @cached_property
    def _category_index(self) -> _Index[Category]:
        return _Index(self.categories, "code")

    @cached_property
    def _person_index(self) -> _Index[Person]:
        return _Index(self.persons, "id")

    @cached_property
    def _assignment_index(self) -> _Index[Assignment]:
        return _Index(self.assignments, "person")

    @cached_property
    def _holders(self) -> dict[Role, tuple[Assignment, ...]]:
        return {role: tuple(each for each in self.assignments if each.role is role) for role in Role}

    @cached_property
    def _holders_at(self) -> dict[tuple[Role, str | None], list[Assignment]]:
        """The assignments by role and place, organisation or grid; under None those that hold everywhere."""
        found: dict[tuple[Role, str | None], list[Assignment]] = {}
        for each in self.assignments:
            for place in {each.organisation, each.grid} - {None} or {None}:
                found.setdefault((each.role, place), []).append(each)
        return found

    def organisation(self, code: str, at: date | None = None) -> Organisation | None:
        """The organisation with this code."""
        return self._organisation_index.one(code, at)

    def grid(self, code: str, at: date | None = None) -> Grid | None:
        """The grid with this code."""
        return self._grid_index.one(code, at)

    def category(self, code: str, at: date | None = None) -> Category | None:
        """The category with this code."""
        return self._category_index.one(code, at)

    def person(self, id: str, at: date | None = None) -> Person | None:  # noqa: A002 - the column is called so
        """The member of staff with this id."""
        return self._person_index.one(id, at)

    def place_of(self, grid_code: str, at: date | None = None) -> tuple[str, str] | None:
        """The codes of the street and the community the grid belongs to, in this order."""
        grid = self.grid(grid_code, at)
        community = self.organisation(grid.community, at) if grid else None
        if community is None or community.parent is None:
            return None
        return community.parent, community.code

    def ancestors(self, code: str, at: date | None = None) -> tuple[Organisation, ...]:
        """The organisations above this one, the nearest first."""
        found: list[Organisation] = []
        here = self.organisation(code, at)
        while here and here.parent and all(here.parent != each.code for each in found):
            here = self.organisation(here.parent, at)
            if here:
                found.append(here)
        return tuple(found)

    def streets(self, at: date | None = None) -> tuple[Organisation, ...]:
        """All streets in the order of their codes; with ``at`` only those valid on that day."""
        codes = sorted({each.code for each in self.organisations if each.kind is OrganisationKind.STREET})
        found = (self.organisation(code, at) for code in codes)
        return tuple(each for each in found if each and each.kind is OrganisationKind.STREET)

    def departments(self, at: date) -> tuple[Organisation, ...]:
        """The departments and partners of the day, which tasks may be given to, in the order of their codes."""
        kinds = (OrganisationKind.DEPARTMENT, OrganisationKind.PARTNER)
        found = (each for each in self.organisations if each.kind in kinds and each.valid(at))
        return tuple(sorted(found, key=lambda each: each.code))

    def staff(self, at: date) -> tuple[Person, ...]:
        """Everybody who holds a role on the day, in the order of their ids."""
        ids = {each.person for each in self.assignments if each.valid(at)}
        people = (self.person(each, at) for each in sorted(ids))
        return tuple(each for each in people if each)

    def assignments_of(self, person: str, at: date | None = None) -> tuple[Assignment, ...]:
        """The roles the person holds; with ``at`` only those held on that day."""
        return tuple(each for each in self._assignment_index.versions(person) if at is None or each.valid(at))

    def people_with(
        self, role: Role, organisation: str | None = None, grid: str | None = None, at: date | None = None
    ) -> tuple[Person, ...]:
        """The people holding ``role``, in the order of their ids.

        With ``organisation`` or ``grid`` only those who hold it in exactly that place; with ``at`` only those who
        hold it on that day.
        """
        place = grid if organisation is None else organisation
        ids = {
            each.person
            for each in (self._holders[role] if place is None else self._holders_at.get((role, place), ()))
            if (organisation is None or each.organisation == organisation)
            and (grid is None or each.grid == grid)
            and (at is None or each.valid(at))
        }
        people = (self.person(each, at) for each in sorted(ids))
        return tuple(each for each in people if each)

    def holders(self, role: Role, organisation: str | None, grid: str | None, at: date) -> tuple[Person, ...]:
        """Whoever answers for ``role`` at a place on the day ``at``, in the order of their ids.

        These are the people who hold the role in exactly that place and those who hold it everywhere; without any
        place everybody who holds it. Who is no longer with the office on that day is not among them.
        """
        there = {person.id for person in self.people_with(role, organisation, grid, at)}
        there |= {each.person for each in self._holders_at.get((role, None), ()) if each.valid(at)}
        people = (self.person(each, at) for each in sorted(there))
        return tuple(each for each in people if each)
