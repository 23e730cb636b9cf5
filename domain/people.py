"""Who acts: roles and actors.

Owns the role names (DOMAIN §8) and the actor that every command and every fact carries. Actors are named by the
code the registry gave them, never by a personal name.
"""

from collections.abc import Sequence
from enum import StrEnum

from domain.base import Recalled
from domain.errors import Refused


class Role(StrEnum):
    """The roles of the trade; ``system`` is time itself and rules acting on nobody's behalf."""

    GRID_WORKER = "grid_worker"
    GRID_HEAD = "grid_head"
    VANGUARD_CAPTAIN = "vanguard_captain"
    COMMUNITY = "community"
    STREET_DISPATCHER = "street_dispatcher"
    DEPARTMENT_HANDLER = "department_handler"
    DEPARTMENT_HEAD = "department_head"
    SUPERVISOR = "supervisor"
    RESIDENT = "resident"
    HOTLINE = "hotline"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    SECURITY_ADMINISTRATOR = "security_administrator"
    SYSTEM = "system"


ROLE_NAMES: dict[Role, tuple[str, str]] = {
    Role.GRID_WORKER: ("网格员", "grid worker"),
    Role.GRID_HEAD: ("网格长", "grid head"),
    Role.VANGUARD_CAPTAIN: ("先锋队长", "vanguard captain"),
    Role.COMMUNITY: ("社区", "community"),
    Role.STREET_DISPATCHER: ("街道派单员", "street dispatcher"),
    Role.DEPARTMENT_HANDLER: ("部门经办人", "department handler"),
    Role.DEPARTMENT_HEAD: ("部门负责人", "department head"),
    Role.SUPERVISOR: ("督办员", "supervisor"),
    Role.RESIDENT: ("居民", "resident"),
    Role.HOTLINE: ("热线", "hotline"),
    Role.AUDITOR: ("审计员", "auditor"),
    Role.ADMINISTRATOR: ("管理员", "administrator"),
    Role.SECURITY_ADMINISTRATOR: ("安全管理员", "security administrator"),
    Role.SYSTEM: ("系统", "system"),
}


ADMINISTRATIVE: tuple[Role, ...] = (Role.AUDITOR, Role.SECURITY_ADMINISTRATOR, Role.ADMINISTRATOR)
"""三员分立: no one person holds two of these at the same time. Where somebody does all the same, by rows of an older
release, the first of them counts and the others do not: who reads the records must not be able to cause them."""


class Actor(Recalled):
    """A person acting in one role at the time of the act.

    ``organisation`` is the unit the role is held in (community, street or department), ``grid`` the grid for
    roles held in a grid. A resident has neither.
    """

    person: str
    role: Role
    organisation: str | None = None
    grid: str | None = None


SYSTEM = Actor(person="system", role=Role.SYSTEM)

IMPORT = Actor(person="hotline-import", role=Role.HOTLINE)
"""The built-in service account of the import: it needs no entry in the registry, so a first file can be read before
anybody has loaded one. Only the import acts as it."""


RULES_OFFICE = Actor(person="rules-office", role=Role.ADMINISTRATOR)
"""The built-in service account by which a new rule book or calendar reaches open cases. Only that acts as it."""


RESIDENT = Actor(person="resident", role=Role.RESIDENT)
"""Whoever opens a request with its tracking code. The ledger knows them by this word only: who they are, the vault
knows."""


def kept_apart(held: Sequence[Actor]) -> tuple[Actor, ...]:
    """The roles that count: all of them, and of the administrative ones only one kind."""
    counting = next((role for role in ADMINISTRATIVE if any(each.role is role for each in held)), None)
    return tuple(each for each in held if each.role not in ADMINISTRATIVE or each.role is counting)


def in_role(actor: Actor, *roles: Role) -> None:
    """The actor acts in one of the roles. Raises ``Refused`` ``actor.wrong_role``."""
    if actor.role not in roles:
        raise Refused(
            "actor.wrong_role",
            field="actor.role",
            role=ROLE_NAMES[actor.role][0],
            allowed="、".join(ROLE_NAMES[role][0] for role in roles),
            role_en=ROLE_NAMES[actor.role][1],
            allowed_en=", ".join(ROLE_NAMES[role][1] for role in roles),
        )
