"""What a dispatcher is told before dispatching: whom the records suggest, how long it would take, what is alike.

Owns the gathering of suggestions for one case. Suggests and never decides; reads only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from console.listing import Named, organisation_name
from domain.case import CASE
from domain.case.commands import Dispatch
from domain.case.state import Case
from domain.case.time_events import ClockStarted
from domain.errors import Refused
from domain.ladder import ClockKind
from domain.limits import Limit
from domain.people import Actor
from domain.process import World
from domain.registry import Registry
from domain.rights import Reach
from ledger.log import Connection
from ledger.rows import CaseRow
from ledger.suggestions import RECENT, Habit, similar_cases, usual_leads, whistled_for


@dataclass(frozen=True)
class Twin:
    """A case that may tell of the same thing; ``percent`` how alike it is."""

    case: Named
    percent: int


@dataclass(frozen=True)
class Advice:
    """What the records suggest for one case; ``lead`` and ``helpers`` are what a form begins with.

    ``wanted`` are the departments the whistle called for, ``usual`` those that led earlier cases of this kind here.
    ``budget`` is the departments' limit by the pinned rules, ``due_at`` when it would be over if dispatched now.
    """

    wanted: tuple[str, ...] = ()
    usual: tuple[Habit, ...] = ()
    budget: Limit | None = None
    sign_for: Limit | None = None
    due_at: datetime | None = None
    twins: tuple[Twin, ...] = ()
    names: dict[str, str] = field(default_factory=dict)

    def lead(self, allowed: Sequence[str]) -> str | None:
        """The lead to suggest: the first the whistle called for, else the most usual; of those that are allowed."""
        named = (*self.wanted, *(each.department for each in self.usual))
        return next((code for code in named if code in allowed), None)

    def helpers(self, allowed: Sequence[str]) -> tuple[str, ...]:
        """The helpers to suggest: the others the whistle called for."""
        lead = self.lead(allowed)
        return tuple(code for code in self.wanted if code in allowed and code != lead)


async def advice(
    conn: Connection,
    row: CaseRow,
    state: Case,
    actor: Actor,
    at: datetime,
    world: World,
    registry: Registry,
    reach: Reach,
) -> Advice:
    """What the records suggest to somebody who would dispatch the case as ``actor`` and sees as far as ``reach``."""
    wanted = await whistled_for(conn, row.id)
    usual: list[Habit] = []
    if row.category is not None:
        usual = await usual_leads(conn, category=row.category, street=row.street, now=at)
    twins: list[Twin] = []
    if row.grid is not None:
        found = await similar_cases(
            conn,
            grid=row.grid,
            title=row.title or "",
            text=row.text or "",
            now=at,
            since=at - row.registered_at + RECENT,
            but=row.id,
            reach=reach,
        )
        twins = [Twin(Named(each.thing, registry), round(each.score * 100)) for each in found]
    codes = {*wanted, *(each.department for each in usual)}
    limits = state.rules.row.limits
    lead = next(iter((*wanted, *(each.department for each in usual))), None)
    return Advice(
        wanted=wanted,
        usual=tuple(usual),
        budget=limits.get(ClockKind.HANDLE),
        sign_for=limits.get(ClockKind.SIGN_FOR),
        due_at=_due(state, lead, actor, at, world) if lead else None,
        twins=tuple(twins),
        names={code: organisation_name(registry, code) for code in codes},
    )


def _due(state: Case, lead: str, actor: Actor, at: datetime, world: World) -> datetime | None:
    """When the departments' budget would be over, by what the rules say to a dispatch at this moment."""
    probe: Any = Dispatch(lead=lead)
    try:
        events = CASE.decide(state, probe, actor, at, world)
    except Refused:
        return None
    clocks = (each.clock for each in events if isinstance(each, ClockStarted))
    return next((clock.due_at for clock in clocks if clock.kind == ClockKind.HANDLE), None)
