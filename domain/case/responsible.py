"""Whom a clock of a case waits for, and who stands above them.

Owns the way from a clock to people: by role and place only, because who holds a role is looked up when it matters.
"""

from typing import NamedTuple

from domain.case.state import Case
from domain.clocks import Clock
from domain.ladder import ClockKind, RungAudience
from domain.people import Role


class Holder(NamedTuple):
    """Whoever holds a role in an organisation or a grid, or one person by code."""

    role: Role
    organisation: str | None = None
    grid: str | None = None
    person: str | None = None


def handler(case: Case, clock: Clock) -> Holder:
    """Whom the clock waits for."""
    place = case.place
    community, street = Holder(Role.COMMUNITY, place.community), Holder(Role.STREET_DISPATCHER, place.street)
    match clock.kind:
        case ClockKind.PLACE:
            return street if place.grid is None else community
        case ClockKind.DISPATCH:
            return street
        case ClockKind.SIGN_FOR | ClockKind.REPLY:
            return unit(case, clock.organisation)
        case ClockKind.HANDLE | ClockKind.CONTACT | ClockKind.STEP:
            return unit(case, case.lead.department) if case.lead else street
        case ClockKind.VERIFY | ClockKind.FEED_BACK:
            return Holder(Role.GRID_WORKER, grid=place.grid)
        case ClockKind.SIGN:
            return Holder(Role.GRID_HEAD, grid=place.grid)
        case ClockKind.VISIT:
            return visitor(case)
        case ClockKind.APPRAISE | ClockKind.PUBLISH:
            return community if place.community else street


def unit(case: Case, organisation: str | None) -> Holder:
    """The people of an organisation who act for it in this case."""
    roles = {case.place.street: Role.STREET_DISPATCHER, case.place.community: Role.COMMUNITY}
    return Holder(roles.get(organisation, Role.DEPARTMENT_HANDLER), organisation)


def visitor(case: Case) -> Holder:
    """Who asks the resident: the one who registered the case, else the community."""
    by = case.registered_by
    if by.role in (Role.HOTLINE, Role.RESIDENT):
        return Holder(Role.COMMUNITY, case.place.community)
    return Holder(by.role, by.organisation, by.grid, by.person)


def addressee(case: Case, clock: Clock) -> str:
    """The organisation that is urged when the clock runs out; grids are urged through their community."""
    place = case.place
    return handler(case, clock).organisation or place.community or place.street or "-"


def audience(case: Case, clock: Clock, told: RungAudience) -> Holder:
    """The people meant by a word of the ladder, for this clock."""
    place = case.place
    who = handler(case, clock)
    supervisor = Holder(Role.SUPERVISOR, place.street)
    if told == RungAudience.HANDLER:
        return who
    if told == RungAudience.SUPERVISOR or who.role == Role.STREET_DISPATCHER:
        return supervisor
    leader = Holder(Role.STREET_DISPATCHER, place.street)
    if told == RungAudience.LEADER:
        return leader
    if who.role == Role.DEPARTMENT_HANDLER:
        return Holder(Role.DEPARTMENT_HEAD, who.organisation)
    if who.role == Role.GRID_WORKER:
        return Holder(Role.GRID_HEAD, grid=who.grid or place.grid)
    return leader
