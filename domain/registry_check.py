"""Whether a registry is sound, and the registry that sound rows make.

Owns the checks. Must not read files: rows arrive with the place they stand in, so that each problem can be found and
mended by the person who wrote it.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from pydantic import ValidationError

from domain.errors import Refused
from domain.limits import Limit
from domain.people import ADMINISTRATIVE, ROLE_NAMES, Role
from domain.registry import (
    Assignment,
    Category,
    Entry,
    Grid,
    Organisation,
    OrganisationKind,
    Person,
    Registry,
)
from domain.registry_problem import SECTIONS, GridBounds, Problem, RawRegistry, RawRow, Where, problem
from domain.rules import Urgency
from domain.text import CODE_LIMIT, LINE_LIMIT


class _Unreadable(Exception):  # noqa: N818 - becomes a Problem at once
    def __init__(self, code: str, hint: object = "") -> None:
        self.code, self.hint = code, hint


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _Unreadable("registry.not_text")
    if len(value) > LINE_LIMIT or not value.isprintable():
        raise _Unreadable("registry.bad_name", LINE_LIMIT)
    return value.strip()


def _code(value: object) -> str:
    text = value.strip() if isinstance(value, str) else _text(value)
    if len(text) > CODE_LIMIT or not re.fullmatch(r"[\w.\-:/#]+", text):
        raise _Unreadable("registry.bad_code", CODE_LIMIT)
    return text


def _count(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1_000_000:
        return value
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,6}", value.strip()):
        return int(value)
    raise _Unreadable("registry.bad_value", "0, 1, 2 …")


_TRUTH = {"true": True, "yes": True, "1": True, "是": True, "false": False, "no": False, "0": False, "否": False}


def _truth(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _TRUTH:
        return _TRUTH[value.strip().lower()]
    raise _Unreadable("registry.bad_value", "true / false / 是 / 否")


def _day(value: object) -> date:
    if type(value) is date:
        return value
    if isinstance(value, str):
        try:
            return date.fromisoformat(value.strip())
        except ValueError:
            pass
    raise _Unreadable("registry.bad_value", "2026-01-31")


def _limit(value: object) -> str:
    try:
        read = Limit.model_validate(_text(value))
    except ValidationError:
        raise _Unreadable("registry.bad_value", "30s, 5m, 2h, 1d") from None
    if not read.is_natural:
        raise _Unreadable("registry.bad_value", "30s, 5m, 2h, 1d")
    return str(read)


# Plain addresses only: what mail servers of offices accept, and nothing that could end a line of the protocol.
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{1,63}")


def _email(value: object) -> str:
    text = _text(value)
    if len(text) > 254 or not _EMAIL.fullmatch(text):
        raise _Unreadable("registry.bad_value", "name@example.org")
    return text


def _kind(value: object) -> OrganisationKind:
    try:
        return OrganisationKind(_text(value))
    except ValueError:
        raise _Unreadable("registry.bad_value", ", ".join(OrganisationKind)) from None


def _urgency(value: object) -> Urgency:
    try:
        return Urgency(_text(value))
    except ValueError:
        raise _Unreadable("registry.bad_value", ", ".join(Urgency)) from None


# Nobody is assigned to be time itself.
_ASSIGNABLE = tuple(role for role in Role if role is not Role.SYSTEM)


def _role(value: object) -> Role:
    try:
        role = Role(_text(value))
    except ValueError:
        role = Role.SYSTEM
    if role not in _ASSIGNABLE:
        raise _Unreadable("registry.unknown_role", ", ".join(_ASSIGNABLE))
    return role


@dataclass(frozen=True)
class _Field:
    read: Callable[[object], Any]
    required: bool = False


_VALIDITY = {"valid_from": _Field(_day), "valid_to": _Field(_day)}
_FIELDS: dict[str, tuple[type[Entry], dict[str, _Field]]] = {
    "organisations": (Organisation, {
        "code": _Field(_code, True), "name": _Field(_text, True), "kind": _Field(_kind, True),
        "parent": _Field(_code), "queue": _Field(_code), "pick_up_within": _Field(_limit), **_VALIDITY,
    }),
    "grids": (Grid, {
        "code": _Field(_code, True), "name": _Field(_text, True), "community": _Field(_code, True),
        "households": _Field(_count), "people": _Field(_count), "override_reason": _Field(_text), **_VALIDITY,
    }),
    "categories": (Category, {
        "code": _Field(_code, True), "name": _Field(_text, True), "parent": _Field(_code),
        "on_the_spot": _Field(_truth), "urgency": _Field(_urgency), **_VALIDITY,
    }),
    "people": (Person, {
        "id": _Field(_code, True), "name": _Field(_text, True), "email": _Field(_email), **_VALIDITY,
    }),
    "assignments": (Assignment, {
        "person": _Field(_code, True), "role": _Field(_role, True),
        "organisation": _Field(_code), "grid": _Field(_code), **_VALIDITY,
    }),
}  # fmt: skip


def _empty(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _read_row(row: RawRow, problems: list[Problem]) -> Entry | None:
    """The entry a row stands for, or None after noting what is wrong with it."""
    if row.where.section not in _FIELDS:
        problems.append(problem("registry.unknown_section", row.where, "", row.where.section, ", ".join(SECTIONS)))
        return None
    model, fields = _FIELDS[row.where.section]
    before = len(problems)
    read: dict[str, Any] = {}
    for name in row.values:
        if name not in fields:
            problems.append(problem("registry.unknown_field", row.where, str(name), "", ", ".join(fields)))
    for name, field in fields.items():
        value = row.values.get(name)
        if _empty(value):
            if field.required:
                problems.append(problem("registry.missing", row.where, name, ""))
            continue
        try:
            read[name] = field.read(value)
        except _Unreadable as error:
            problems.append(problem(error.code, row.where, name, value, error.hint))
    if len(problems) > before:
        return None
    entry = model(**read)
    if entry.valid_to is not None and entry.valid_to < entry.valid_from:
        problems.append(problem("registry.ends_before_start", row.where, "valid_to", entry.valid_to, entry.valid_from))
    return entry


T = TypeVar("T", bound=Entry)


class _Read:
    """The readable entries with their places; broken rows count as present so that one mistake is reported once."""

    def __init__(self, raw: RawRegistry) -> None:
        self.problems: list[Problem] = []
        self._rows: list[tuple[Entry, Where]] = []
        self._broken: set[tuple[str, str]] = set()
        for row in raw.rows:
            entry = _read_row(row, self.problems)
            if entry is None:
                key = row.values.get("id" if row.where.section == "people" else "code")
                self._broken.add((row.where.section, str(key)))
            else:
                self._rows.append((entry, row.where))

    def of(self, model: type[T]) -> list[tuple[T, Where]]:
        return [(entry, where) for entry, where in self._rows if isinstance(entry, model)]

    def versions(self, model: type[T], section: str) -> Callable[[str, Entry], list[T] | None]:
        """A lookup of the entries with a code that share a day with another; None when such a row is unreadable."""
        found: dict[str, list[T]] = {}
        for entry, _ in self.of(model):
            found.setdefault(_key(entry), []).append(entry)

        def look(code: str, other: Entry) -> list[T] | None:
            if (section, code) in self._broken:
                return None
            return [entry for entry in found.get(code, []) if entry.overlaps(other)]

        return look


def _key(entry: Entry) -> str:
    key: str = entry.id if isinstance(entry, Person) else getattr(entry, "code", "")
    return key


def _twice(
    rows: Iterable[tuple[T, Where]], key: Callable[[T], object], code: str, field: str, value: Callable[[T], str]
) -> Iterator[Problem]:
    seen: dict[object, list[tuple[T, Where]]] = {}
    for entry, where in rows:
        others = seen.setdefault(key(entry), [])
        for other, at in others:
            if entry.overlaps(other):
                yield problem(code, where, field, value(entry), at)
                break
        others.append((entry, where))


_PARENTS: dict[OrganisationKind, tuple[OrganisationKind, ...]] = {
    OrganisationKind.DISTRICT: (),
    OrganisationKind.STREET: (OrganisationKind.DISTRICT,),
    OrganisationKind.COMMUNITY: (OrganisationKind.STREET,),
    OrganisationKind.DEPARTMENT: (OrganisationKind.DISTRICT, OrganisationKind.STREET, OrganisationKind.DEPARTMENT),
    OrganisationKind.PARTNER: (OrganisationKind.DISTRICT, OrganisationKind.STREET, OrganisationKind.COMMUNITY),
}


def _check_organisations(read: _Read) -> Iterator[Problem]:
    look = read.versions(Organisation, "organisations")
    for entry, where in read.of(Organisation):
        allowed = _PARENTS[entry.kind]
        if entry.parent is None:
            # Without its street a community could not say where a grid lies.
            if entry.kind is OrganisationKind.COMMUNITY:
                yield problem("registry.missing_parent", where, "parent", "", ", ".join(allowed))
            continue
        parents = look(entry.parent, entry)
        if parents is None:
            continue
        if not parents:
            yield problem("registry.unknown_parent", where, "parent", entry.parent)
        elif any(parent.kind not in allowed for parent in parents):
            yield problem("registry.wrong_parent_kind", where, "parent", entry.parent, ", ".join(allowed) or "-")
    yield from _cycles(read.of(Organisation))


def _check_grids(read: _Read, bounds: GridBounds) -> Iterator[Problem]:
    look = read.versions(Organisation, "organisations")
    usual = (
        f"{bounds.households_min}–{bounds.households_max} 户 households / "
        f"{bounds.people_min}–{bounds.people_max} 人 people"
    )
    for entry, where in read.of(Grid):
        parents = look(entry.community, entry)
        if parents is not None and not parents:
            yield problem("registry.unknown_parent", where, "community", entry.community)
        elif parents and any(parent.kind is not OrganisationKind.COMMUNITY for parent in parents):
            yield problem("registry.wrong_parent_kind", where, "community", entry.community, "community")
        households, people = entry.households, entry.people
        fits = (households is not None and bounds.households_min <= households <= bounds.households_max) or (
            people is not None and bounds.people_min <= people <= bounds.people_max
        )
        if not fits and not entry.override_reason:
            size = f"{'-' if households is None else households} / {'-' if people is None else people}"
            yield problem("registry.grid_size", where, "households", size, usual)


def _check_categories(read: _Read) -> Iterator[Problem]:
    look = read.versions(Category, "categories")
    for entry, where in read.of(Category):
        if entry.parent is not None and look(entry.parent, entry) == []:
            yield problem("registry.unknown_parent", where, "parent", entry.parent)
    yield from _cycles(read.of(Category))


def _cycles(rows: Sequence[tuple[Organisation, Where]] | Sequence[tuple[Category, Where]]) -> Iterator[Problem]:
    parents = {entry.code: entry.parent for entry, _ in rows}
    for entry, where in rows:
        here, steps = entry.parent, 0
        while here is not None and here != entry.code and steps <= len(parents):
            here, steps = parents.get(here), steps + 1
        if here == entry.code:
            yield problem("registry.parent_cycle", where, "parent", entry.code)


_EVERYWHERE = frozenset({Role.SUPERVISOR, Role.HOTLINE, Role.RESIDENT, *ADMINISTRATIVE})


def _check_assignments(read: _Read) -> Iterator[Problem]:
    organisations = read.versions(Organisation, "organisations")
    grids = read.versions(Grid, "grids")
    people = read.versions(Person, "people")
    for entry, where in read.of(Assignment):
        if people(entry.person, entry) == []:
            yield problem("registry.unknown_person", where, "person", entry.person)
        if entry.organisation is not None and organisations(entry.organisation, entry) == []:
            yield problem("registry.unknown_organisation", where, "organisation", entry.organisation)
        if entry.grid is not None and grids(entry.grid, entry) == []:
            yield problem("registry.unknown_grid", where, "grid", entry.grid)
        if entry.organisation is None and entry.grid is None and entry.role not in _EVERYWHERE:
            yield problem("registry.missing_place", where, "organisation", entry.role)
    yield from _twice(
        read.of(Assignment),
        lambda each: (each.person, each.role, each.organisation, each.grid),
        "registry.overlapping_assignment",
        "person",
        lambda each: each.person,
    )


def _check_separation(read: _Read) -> Iterator[Problem]:
    """三员分立: two administrative roles in one person's hands, on whichever day."""
    held: dict[str, list[tuple[Assignment, Where]]] = {}
    for entry, where in read.of(Assignment):
        if entry.role in ADMINISTRATIVE:
            others = held.setdefault(entry.person, [])
            for other, at in others:
                if other.role is not entry.role and other.overlaps(entry):
                    yield problem("registry.roles_apart", where, "role", ROLE_NAMES[entry.role][0], at)
                    break
            others.append((entry, where))


def _problems(read: _Read, bounds: GridBounds) -> list[Problem]:
    found = list(read.problems)
    for model, field in ((Organisation, "code"), (Grid, "code"), (Category, "code"), (Person, "id")):
        rows: list[tuple[Entry, Where]] = [(entry, where) for entry, where in read.of(model)]
        found += _twice(rows, _key, "registry.duplicate_code", field, _key)
    found += _check_organisations(read)
    found += _check_grids(read, bounds)
    found += _check_categories(read)
    found += _check_assignments(read)
    found += _check_separation(read)
    return found


def check(raw: RawRegistry, bounds: GridBounds | None = None) -> list[Problem]:
    """Everything wrong with the rows, in the order of the checks; empty when they make a sound registry."""
    return _problems(_Read(raw), bounds or GridBounds())


def registry_of(raw: RawRegistry, revision: int = 0, bounds: GridBounds | None = None) -> Registry:
    """The registry the rows make.

    Raises ``Refused`` ``registry.unsound`` with the number of problems and the first of them.
    """
    read = _Read(raw)
    problems = _problems(read, bounds or GridBounds())
    if problems:
        first = problems[0]
        raise Refused("registry.unsound", count=len(problems), where=first.where, first=first.message)
    return Registry(
        revision=revision,
        organisations=tuple(entry for entry, _ in read.of(Organisation)),
        grids=tuple(entry for entry, _ in read.of(Grid)),
        categories=tuple(entry for entry, _ in read.of(Category)),
        persons=tuple(entry for entry, _ in read.of(Person)),
        assignments=tuple(entry for entry, _ in read.of(Assignment)),
    )
