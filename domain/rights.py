"""Who may open which door: role × permission × reach, denied unless granted.

Owns the permissions, the matrix that gives them to roles (data, with a default), and ``authorize``, the one function
every door asks. Whether an act is possible in the state a case is in, the case's own rules decide again. Must not know
sessions, tokens or routes.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Protocol

from domain.base import Frozen
from domain.errors import Refused
from domain.people import Actor, Role
from domain.registry import OrganisationKind, Registry

_GRID = (Role.GRID_WORKER, Role.GRID_HEAD, Role.VANGUARD_CAPTAIN)
_DEPARTMENT = (Role.DEPARTMENT_HANDLER, Role.DEPARTMENT_HEAD)
_OFFICE = (Role.COMMUNITY, Role.STREET_DISPATCHER)
_STAFF = (*_GRID, *_OFFICE, *_DEPARTMENT, Role.SUPERVISOR, Role.HOTLINE, Role.AUDITOR)
_ADMINISTRATORS = (Role.ADMINISTRATOR, Role.SECURITY_ADMINISTRATOR)
_EVERYBODY = (*_STAFF, *_ADMINISTRATORS)


class Permission(StrEnum):
    """What a door may ask for, beside the acts themselves (``act.<kind>``, see ``act``)."""

    CASE_READ = "case.read"
    CASE_REGISTER = "case.register"
    CASE_ACT = "case.act"
    CASE_EXPORT = "case.export"
    CASE_REPORTER = "case.reporter"
    DISPATCH_DESK = "desk.dispatch"
    SUPERVISE_DESK = "desk.supervise"
    WISH_READ = "wish.read"
    WISH_ACT = "wish.act"
    TASK_READ = "task.read"
    FILE_UPLOAD = "file.upload"
    FEED_READ = "feed.read"
    STATS_READ = "stats.read"
    BOARD_READ = "board.read"
    BOARD_LINK = "board.link"
    REGISTRY_READ = "registry.read"
    REGISTRY_WRITE = "registry.write"
    RULES_READ = "rules.read"
    RULES_WRITE = "rules.write"
    CALENDAR_READ = "calendar.read"
    CALENDAR_WRITE = "calendar.write"
    ACCOUNT_MANAGE = "account.manage"
    SECURITY_READ = "security.read"
    OWN_ACCOUNT = "account.own"
    REVEAL_READ = "reveal.read"
    PERSONAL_ERASE = "personal.erase"
    PERSONAL_EXPORT = "personal.export"
    TEMPORAL_DECODE = "temporal.decode"


def act(kind: str) -> str:
    """The permission to send a command of this kind."""
    return f"act.{kind}"


_LOCAL = (*_GRID, *_OFFICE)

ACTS: Mapping[str, tuple[Role, ...]] = {
    # DOMAIN §3; the case's own rules look at stage, unit and person beside this.
    "register": (Role.GRID_WORKER, *_OFFICE, Role.HOTLINE, Role.RESIDENT),
    "handle_on_spot": (Role.GRID_WORKER,),
    "decline": _OFFICE,
    "withdraw": (Role.GRID_WORKER, *_OFFICE, Role.HOTLINE, Role.RESIDENT),
    "whistle": (Role.COMMUNITY,),
    "dispatch": (Role.STREET_DISPATCHER,),
    "accept": (*_DEPARTMENT, Role.STREET_DISPATCHER),
    "arrive": (*_DEPARTMENT, Role.STREET_DISPATCHER),
    "report_progress": (*_DEPARTMENT, Role.STREET_DISPATCHER),
    "hand_over": (*_DEPARTMENT, Role.STREET_DISPATCHER),
    "add_helper": (*_DEPARTMENT, Role.STREET_DISPATCHER),
    "return_task": (*_DEPARTMENT, Role.STREET_DISPATCHER),
    "arbitrate": (Role.STREET_DISPATCHER,),
    "request_extension": (*_DEPARTMENT, Role.STREET_DISPATCHER),
    "decide_extension": (Role.STREET_DISPATCHER, Role.SUPERVISOR),
    "suspend": (Role.STREET_DISPATCHER, Role.SUPERVISOR),
    "resume": (Role.STREET_DISPATCHER, Role.SUPERVISOR),
    "shelve": (Role.STREET_DISPATCHER, Role.SUPERVISOR),
    "unshelve": (Role.STREET_DISPATCHER, Role.SUPERVISOR),
    "ask_resident": (*_DEPARTMENT, *_OFFICE),
    "record_reply": (*_DEPARTMENT, *_LOCAL, Role.HOTLINE, Role.RESIDENT),
    "strike_off": (*_DEPARTMENT, Role.STREET_DISPATCHER),
    "verify": (Role.GRID_WORKER,),
    "sign": (Role.VANGUARD_CAPTAIN, Role.GRID_HEAD),
    "refuse_signature": (Role.VANGUARD_CAPTAIN, Role.GRID_HEAD),
    "feed_back": (Role.GRID_WORKER, Role.COMMUNITY),
    "visit": (Role.GRID_WORKER, *_OFFICE, Role.HOTLINE, Role.RESIDENT),
    "appraise": (Role.COMMUNITY,),
    "reopen": (*_LOCAL, Role.HOTLINE, Role.RESIDENT),
    "urge": (*_OFFICE, Role.SUPERVISOR),
    "supervise": (Role.SUPERVISOR,),
    "reply_supervision": (*_DEPARTMENT, *_LOCAL),
    "comment": (*_STAFF, Role.RESIDENT),
    "attach": (*_STAFF, Role.RESIDENT),
    "correct": (Role.GRID_WORKER, *_OFFICE),
    "adopt_rules": (Role.ADMINISTRATOR,),
    "publish_wish": (*_LOCAL, Role.RESIDENT),
    "claim_wish": (*_STAFF, Role.RESIDENT),
    "fulfil_wish": (*_STAFF, Role.RESIDENT),
    "thank_for_wish": (*_LOCAL, Role.RESIDENT),
}

_DEFAULT: Mapping[str, tuple[Role, ...]] = {
    Permission.CASE_READ: _STAFF,
    Permission.CASE_REGISTER: (Role.GRID_WORKER, *_OFFICE, Role.HOTLINE),
    Permission.CASE_ACT: _STAFF,
    Permission.CASE_EXPORT: (Role.STREET_DISPATCHER, Role.SUPERVISOR, Role.AUDITOR),
    Permission.CASE_REPORTER: (Role.GRID_WORKER, *_OFFICE, *_DEPARTMENT, Role.HOTLINE),
    Permission.DISPATCH_DESK: (Role.STREET_DISPATCHER,),
    Permission.SUPERVISE_DESK: (Role.SUPERVISOR,),
    Permission.WISH_READ: _STAFF,
    Permission.WISH_ACT: _STAFF,
    Permission.TASK_READ: _STAFF,
    Permission.FILE_UPLOAD: (*_GRID, *_OFFICE, *_DEPARTMENT, Role.HOTLINE),
    Permission.FEED_READ: (Role.SUPERVISOR, Role.AUDITOR),
    Permission.STATS_READ: (*_OFFICE, Role.DEPARTMENT_HEAD, Role.SUPERVISOR, Role.AUDITOR),
    Permission.BOARD_READ: (*_OFFICE, Role.DEPARTMENT_HEAD, Role.SUPERVISOR, Role.AUDITOR),
    Permission.BOARD_LINK: (Role.SUPERVISOR, Role.STREET_DISPATCHER),
    Permission.REGISTRY_READ: (*_ADMINISTRATORS, Role.SUPERVISOR, Role.STREET_DISPATCHER, Role.AUDITOR),
    Permission.REGISTRY_WRITE: _ADMINISTRATORS,
    Permission.RULES_READ: _EVERYBODY,
    Permission.RULES_WRITE: (Role.ADMINISTRATOR,),
    Permission.CALENDAR_READ: _EVERYBODY,
    Permission.CALENDAR_WRITE: (Role.ADMINISTRATOR,),
    Permission.ACCOUNT_MANAGE: _ADMINISTRATORS,
    Permission.SECURITY_READ: (Role.AUDITOR,),
    Permission.OWN_ACCOUNT: _EVERYBODY,
    Permission.REVEAL_READ: (Role.AUDITOR,),
    Permission.PERSONAL_ERASE: (Role.ADMINISTRATOR,),
    Permission.PERSONAL_EXPORT: (Role.ADMINISTRATOR,),
    Permission.TEMPORAL_DECODE: (Role.ADMINISTRATOR,),
}


_WISH_ACTS = ("publish_wish", "claim_wish", "fulfil_wish", "thank_for_wish")


def widened(permissions: Iterable[str]) -> frozenset[str]:
    """These permissions and the single acts they stand for, so that a limit may be told in a few words."""
    found = set(permissions)
    if Permission.CASE_REGISTER in found:
        found.add(act("register"))
    if Permission.CASE_ACT in found:
        found.update(act(kind) for kind in ACTS if kind != "register" and kind not in _WISH_ACTS)
    if Permission.WISH_ACT in found:
        found.update(act(kind) for kind in _WISH_ACTS)
    return frozenset(map(str, found))


class Matrix(Frozen):
    """Which roles hold which permission; what is not listed is nobody's."""

    roles: Mapping[str, tuple[Role, ...]]

    def grants(self, role: Role, permission: str) -> bool:
        """Whether the role holds the permission."""
        return role in self.roles.get(permission, ())


MATRIX = Matrix(
    roles={
        **{str(name): roles for name, roles in _DEFAULT.items()},
        **{act(kind): roles for kind, roles in ACTS.items()},
    }
)
"""The matrix an office starts with (DOMAIN §3)."""

APART = Matrix(
    roles={
        **MATRIX.roles,
        Permission.ACCOUNT_MANAGE: (Role.SECURITY_ADMINISTRATOR,),
        Permission.REGISTRY_WRITE: (Role.SECURITY_ADMINISTRATOR,),
    }
)
"""The matrix of an office that keeps administration in three hands: who may come in and as what (security
administrator), by which rules and days the office works (administrator), and who looks at the records (auditor)."""


class Located(Protocol):
    """What lies somewhere: a case, a wish or a task, as far as reach asks."""

    @property
    def street(self) -> str | None: ...  # noqa: D102
    @property
    def community(self) -> str | None: ...  # noqa: D102
    @property
    def grid(self) -> str | None: ...  # noqa: D102
    @property
    def departments(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def opened_by(self) -> str | None: ...  # noqa: D102


class Reach(Frozen):
    """How far somebody sees: everything, or what lies in one of these places, is one of these departments' work, or was
    registered by one of these people (who found something outside their own grid must be able to follow it).

    The empty reach covers nothing.
    """

    everything: bool = False
    streets: frozenset[str] = frozenset()
    communities: frozenset[str] = frozenset()
    grids: frozenset[str] = frozenset()
    departments: frozenset[str] = frozenset()
    people: frozenset[str] = frozenset()

    def covers(self, thing: Located) -> bool:
        """Whether the thing lies within this reach."""
        return (
            self.everything
            or thing.street in self.streets
            or thing.community in self.communities
            or thing.grid in self.grids
            or not self.departments.isdisjoint(thing.departments)
            or thing.opened_by in self.people
        )

    def __or__(self, other: "Reach") -> "Reach":
        """What either of the two covers."""
        return Reach(
            everything=self.everything or other.everything,
            streets=self.streets | other.streets,
            communities=self.communities | other.communities,
            grids=self.grids | other.grids,
            departments=self.departments | other.departments,
            people=self.people | other.people,
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is covered."""
        return self == NOTHING


NOTHING = Reach()
EVERYTHING = Reach(everything=True)


class Subject(Frozen):
    """A signed-in person with the roles they hold today, each as the actor they would act as.

    ``only`` are the permissions a token is limited to; it can take away, and never gives.
    """

    person: str
    holds: tuple[Actor, ...] = ()
    only: frozenset[str] | None = None


def reach_of(actor: Actor, registry: Registry, permission: str = "") -> Reach:
    """How far a role held in a place reaches down the tree of organisations, and to what the person registered.

    A role held nowhere in particular reaches everything; an organisation the registry does not know only the latter.
    A department or partner reaches its work, wherever that lies; wishes, which are nobody's work before somebody
    claims them, it reaches where it belongs itself.
    """
    if actor.role == Role.RESIDENT:
        return NOTHING
    return _place_of(actor, registry, wishes=permission in _OF_WISHES) | Reach(people=frozenset({actor.person}))


_OF_WISHES = frozenset(map(str, (Permission.WISH_READ, Permission.WISH_ACT, *map(act, _WISH_ACTS))))


def _place_of(actor: Actor, registry: Registry, *, wishes: bool) -> Reach:
    if actor.grid is not None:
        return Reach(grids=frozenset({actor.grid}))
    if actor.organisation is None:
        return EVERYTHING
    unit = registry.organisation(actor.organisation)
    match unit.kind if unit else None:
        case OrganisationKind.DISTRICT:
            below = (each.code for each in registry.organisations if each.kind is OrganisationKind.STREET)
            return Reach(streets=frozenset(code for code in below if _under(code, actor.organisation, registry)))
        case OrganisationKind.STREET:
            return Reach(streets=frozenset({actor.organisation}))
        case OrganisationKind.COMMUNITY:
            return Reach(communities=frozenset({actor.organisation}))
        case OrganisationKind.DEPARTMENT | OrganisationKind.PARTNER if unit and unit.parent and wishes:
            return _place_of(actor.model_copy(update={"organisation": unit.parent}), registry, wishes=True)
        case OrganisationKind.DEPARTMENT | OrganisationKind.PARTNER:
            return Reach(departments=frozenset({actor.organisation}))
        case _:
            return NOTHING


def _under(code: str, above: str, registry: Registry) -> bool:
    return any(each.code == above for each in registry.ancestors(code))


def granted(subject: Subject, permission: str, matrix: Matrix = MATRIX) -> tuple[Actor, ...]:
    """The roles of the subject that hold the permission, in the order they are held."""
    if subject.only is not None and permission not in subject.only:
        return ()
    return tuple(each for each in subject.holds if matrix.grants(each.role, permission))


def reach(subject: Subject, permission: str, registry: Registry, matrix: Matrix = MATRIX) -> Reach:
    """How far the subject may use the permission; ``NOTHING`` where it is not held."""
    return _sum(reach_of(each, registry, permission) for each in granted(subject, permission, matrix))


def _sum(reaches: Iterable[Reach]) -> Reach:
    total = NOTHING
    for each in reaches:
        total |= each
    return total


def authorize(
    subject: Subject,
    permission: str,
    registry: Registry,
    thing: Located | None = None,
    matrix: Matrix = MATRIX,
) -> tuple[Actor, ...]:
    """The roles in which the subject may do this, here where ``thing`` is given.

    Raises ``Refused``: ``access.denied`` when no role holds the permission, ``access.out_of_reach`` when none of
    those that do reaches the thing.
    """
    roles = granted(subject, permission, matrix)
    if not roles:
        raise Refused("access.denied", permission=permission)
    if thing is None:
        return roles
    near = tuple(each for each in roles if reach_of(each, registry, permission).covers(thing))
    if not near:
        raise Refused("access.out_of_reach")
    return near
