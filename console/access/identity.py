"""Who has been recognised, and as whom they may act today.

Owns the value every door starts from, and the step from it to the ``Subject`` that ``domain.rights`` judges.
"""

from datetime import date
from uuid import UUID

from domain.base import Frozen
from domain.people import Actor, Role, kept_apart
from domain.registry import Registry
from domain.rights import Subject


class Identity(Frozen):
    """Somebody recognised by a session or by a token; ``only`` are the permissions a token is limited to."""

    login: str
    person: str
    is_administrator: bool = False
    must_change: bool = False
    session: UUID | None = None
    token: UUID | None = None
    only: frozenset[str] | None = None


def subject_of(identity: Identity, registry: Registry, day: date) -> Subject:
    """The roles the person holds on that day, as the registry says, and administration where the account gives it.

    Who is no longer with the office on that day holds nothing, whatever their assignments say. Two administrative roles
    never count together.
    """
    holds: tuple[Actor, ...] = ()
    if registry.person(identity.person, day) is not None:
        holds = tuple(
            Actor(person=identity.person, role=each.role, organisation=each.organisation, grid=each.grid)
            for each in registry.assignments_of(identity.person, day)
        )
    if identity.is_administrator and all(each.role is not Role.ADMINISTRATOR for each in holds):
        holds = (*holds, Actor(person=identity.person, role=Role.ADMINISTRATOR))
    return Subject(person=identity.person, holds=kept_apart(holds), only=identity.only)
