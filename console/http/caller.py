"""Who asks: the one way from a request to a person with rights.

Owns ``may`` and ``public``, by which every route says who it is for; a test goes through all routes. A session comes by
cookie and its forms are checked for forgery; a token comes by ``Authorization`` and only to the API.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from fastapi import Depends
from starlette.requests import Request

from console.access.identity import Identity as Known
from console.access.identity import subject_of
from console.http.identity import Identity, SignedIn
from console.http.office import Office, office_of
from console.output import language
from domain.errors import Refused
from domain.people import Actor
from domain.process import World
from domain.registry import Registry
from domain.rights import Permission, Reach, Subject, authorize, granted, reach
from domain.zone import office_day


@dataclass(frozen=True)
class Caller:
    """A signed-in person, by session or by token; ``scopes`` narrows a token to some permissions, None to all."""

    subject: Subject
    office: Office
    world: World
    session: SignedIn | None = None
    scopes: frozenset[str] | None = None
    token_id: str | None = None

    @property
    def registry(self) -> Registry:
        """Who is who as it stands for this request."""
        found = self.world.registry
        assert found is not None, "a registry read from the ledger is never None"
        return found

    @property
    def person(self) -> str:
        """The code of the person in the registry."""
        return self.subject.person

    @property
    def holds(self) -> tuple[Actor, ...]:
        """The roles held today."""
        return self.subject.holds

    @property
    def today(self) -> date:
        """The day of the office it is."""
        return office_day(datetime.now(UTC))

    @property
    def language(self) -> str:
        """``zh`` or ``en``."""
        return language()

    @property
    def name(self) -> str:
        """The person as colleagues call them; the code where the registry does not know them."""
        known = self.registry.person(self.person)
        return known.name if known else self.person

    def may(self, permission: str) -> bool:
        """Whether any role holds the permission, and the token carries it."""
        within = self.scopes is None or permission in self.scopes
        return within and bool(granted(self.subject, permission, self.office.matrix))

    def reach(self, permission: str, world: World | None = None) -> Reach:
        """How far the permission reaches; ``NOTHING`` where it is not held."""
        if self.scopes is not None and permission not in self.scopes:
            return Reach()
        registry = world.registry if world is not None and world.registry is not None else self.registry
        return reach(self.subject, permission, registry, self.office.matrix)

    def authorize(self, permission: str, thing: Any = None) -> tuple[Actor, ...]:
        """The roles in which this is allowed.

        Raises ``Refused`` as ``domain.rights.authorize`` does, and ``access.must_change_password`` where a session is
        good for nothing else yet.
        """
        if self.session is not None and self.session.must_change and permission != Permission.OWN_ACCOUNT:
            raise Refused("access.must_change_password")
        if self.scopes is not None and permission not in self.scopes:
            raise Refused("access.denied", permission=permission)
        return authorize(self.subject, permission, self.registry, thing, self.office.matrix)


async def caller_of(request: Request) -> Caller | None:
    """Who asks; None for somebody signed out. Found out once per request.

    Raises ``Refused`` ``access.token_invalid`` for a token that is none.
    """
    if hasattr(request.state, "caller"):
        known: Caller | None = request.state.caller
        return known
    office = office_of(request)
    identity: Identity | None = await request.app.state.identify(request, office)
    caller = None if identity is None else await _caller(office, identity)
    request.state.caller = caller
    return caller


async def _caller(office: Office, identity: Identity) -> Caller:
    async with office.pool.acquire() as conn:
        world = await office.world(conn)
    assert world.registry is not None, "a registry read from the ledger is never None"
    who = Known(login="", person=identity.person, is_administrator=identity.administrator, only=identity.scopes)
    return Caller(
        subject=subject_of(who, world.registry, office_day(datetime.now(UTC))),
        office=office,
        world=world,
        session=identity.session,
        scopes=identity.scopes,
        token_id=identity.token_id,
    )


class May:
    """The dependency of a route that is for holders of ``permission``.

    Who must change the password first gets no further than the routes that are open ``before_change``.
    """

    def __init__(self, permission: str, *, before_change: bool = False) -> None:
        self.permission, self.before_change = permission, before_change

    async def __call__(self, request: Request) -> Caller:
        """The caller.

        Raises ``Refused``: ``access.signed_out``, ``request.forged``, ``access.must_change_password``,
        ``access.denied``.
        """
        caller = await caller_of(request)
        if caller is None:
            raise Refused("access.signed_out")
        if caller.session is not None:
            await request.app.state.forms.check(request, caller.session.binding)
            if caller.session.must_change and not self.before_change:
                raise Refused("access.must_change_password")
        caller.authorize(self.permission)
        return caller


class FromOrigin(May):
    """The dependency of a route that pages of one other origin ask, and that changes nothing.

    In the place of a form's token stands the origin itself, which a browser does not let a page choose.
    """

    async def __call__(self, request: Request) -> Caller:
        """The caller. Raises ``Refused`` as ``May`` does; ``request.forged`` for another origin, or none."""
        caller = await caller_of(request)
        if caller is None:
            raise Refused("access.signed_out")
        caller.authorize(self.permission)
        wanted = caller.office.settings.temporal_ui_origin
        if caller.session is None or wanted is None or request.headers.get("origin") != wanted:
            raise Refused("request.forged")
        return caller


class Public:
    """The dependency of a route that is for everybody, and ``why``.

    Its forms are bound to the session where there is one; those ``of_nobody`` only to the browser, because they are
    shown to the signed out and may be sent when another window has signed in meanwhile.
    """

    def __init__(self, why: str, *, of_nobody: bool = False) -> None:
        self.why, self.of_nobody = why, of_nobody

    async def __call__(self, request: Request) -> Caller | None:
        """The caller, when somebody is signed in. Raises ``Refused`` ``request.forged``."""
        caller = await caller_of(request)
        session = None if caller is None or self.of_nobody else caller.session
        binding = "" if session is None else session.binding
        await request.app.state.forms.check(request, binding)
        return caller


def may(permission: str, *, before_change: bool = False) -> Any:
    """A route for holders of ``permission``: ``caller: Annotated[Caller, may(Permission.CASE_READ)]``."""
    return Depends(May(permission, before_change=before_change))


def from_origin(permission: str) -> Any:
    """A route for holders of ``permission`` that Temporal's own pages ask: see ``FromOrigin``."""
    return Depends(FromOrigin(permission))


def public(why: str, *, of_nobody: bool = False) -> Any:
    """A route for everybody: ``caller: Annotated[Caller | None, public("the form to sign in")]``."""
    return Depends(Public(why, of_nobody=of_nobody))
