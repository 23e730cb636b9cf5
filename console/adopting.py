"""Adopting: every open case that lives by other rules is told to live by those in force.

Owns the order of things and the count. A run may be broken off at any moment and started again: a case that has adopted
the rules is no candidate any more, and one whose answer was lost is asked under the same command id. Each case decides
for itself what moves (``domain.case.adoption``); nothing is decided here.
"""

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import asyncpg

from console.desk import Desk, Pending
from console.pacing import Pace, abreast, patiently
from domain.base import Frozen
from domain.case import CASE
from domain.case.commands import AdoptRules
from domain.case.events import RulesAdopted
from domain.case.time_events import DueChange
from domain.errors import Refusal, Refused
from domain.limits import Instant
from domain.people import RULES_OFFICE, Actor, Role
from domain.process import World
from domain.registry import Registry
from domain.zone import office_day
from ledger.acting import state_of
from ledger.adoptions import Candidate, Wanted, adopted_between, candidates, count_candidates, is_finished

PARALLEL = 8
"""How many cases are asked at once."""

TURN = "adopt"
"""Runs have one turn: the rate is that of all of them."""

CHANGES_KEPT = 50
"""How many changes of due times a dry run lists."""

_NAMES = uuid.UUID("7a3f0c1e-52d4-4b8b-8a55-0d8c4f9e6b21")
_PAGE = 200
_DONE = frozenset({"adopt.nothing_new", "case.finished"})


class Change(Frozen):
    """What adopting does to one clock of one case; instants are UTC."""

    case: str
    clock: str
    old_limit: str
    limit: str
    old_due_at: Instant
    due_at: Instant
    old_provisional: bool
    provisional: bool

    @classmethod
    def of(cls, stream: str, change: DueChange) -> "Change":
        """The change a case recorded."""
        return cls(
            case=stream,
            clock=change.clock_id,
            old_limit=str(change.old_limit),
            limit=str(change.limit),
            old_due_at=change.old_due_at,
            due_at=change.reckoning.due_at,
            old_provisional=change.old_provisional,
            provisional=change.reckoning.provisional,
        )


class NotAdopted(Frozen):
    """A case that refused, and why."""

    case: str
    refusal: Refusal


@dataclass
class Tally:
    """What became of the cases so far: ``seen`` is the sum of ``adopted``, ``already`` and the refusals.

    Clocks: due ``earlier`` or ``later`` than before, or at the same moment with another limit or other rungs
    (``same_due``); ``made_final`` were provisional and are not any more; the others kept their due, and why.
    ``total`` is how many there were to see, ``left`` how many live by other rules after the run.
    """

    total: int = 0
    adopted: int = 0
    already: int = 0
    earlier: int = 0
    later: int = 0
    same_due: int = 0
    made_final: int = 0
    kept_in_the_past: int = 0
    kept_other_unit: int = 0
    left: int = 0
    refused: list[NotAdopted] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)

    @property
    def seen(self) -> int:
        """Cases dealt with."""
        return self.adopted + self.already + len(self.refused)

    def count(self, stream: str, fact: RulesAdopted) -> None:
        """Count what one case recorded."""
        self.adopted += 1
        for each in fact.changes:
            before, after = each.old_due_at, each.reckoning.due_at
            self.earlier += after < before
            self.later += after > before
            self.same_due += after == before
            self.made_final += each.old_provisional and not each.reckoning.provisional
            if len(self.changes) < CHANGES_KEPT:
                self.changes.append(Change.of(stream, each))
        for kept in fact.kept:
            self.kept_in_the_past += kept.why == "in_the_past"
            self.kept_other_unit += kept.why == "other_unit"


Tell = Callable[[Tally], None]


@dataclass(frozen=True)
class Settings:
    """How a run goes: at most ``rate`` commands a second, ``parallel`` at once, ``limit`` cases (None: all)."""

    wanted: Wanted
    reason: str
    actor: Actor
    rate: int = 20
    parallel: int = PARALLEL
    limit: int | None = None


def adopter(registry: Registry, person: str | None) -> Actor:
    """Who adopts: ``person`` as an administrator of the registry, else the built-in account of the rules office.

    Raises ``Refused``: ``person.unknown``, ``actor.role_not_held``.
    """
    if person is None or person == RULES_OFFICE.person:
        return RULES_OFFICE
    if registry.person(person) is None:
        raise Refused("person.unknown", field="--as", person=person)
    held = registry.assignments_of(person, office_day(datetime.now(UTC)))
    for each in held:
        if each.role is Role.ADMINISTRATOR:
            return Actor(person=person, role=each.role, organisation=each.organisation, grid=each.grid)
    raise Refused("actor.role_not_held", field="--as", person=person, role=Role.ADMINISTRATOR.value)


def command_id(candidate: Candidate, settings: Settings) -> str:
    """The same id for the same command, so that asking again changes nothing twice.

    The number of earlier adoptions belongs to it: an office may go back to a rule book, and then forward again.
    """
    parts = (
        candidate.stream,
        str(candidate.adoptions),
        settings.wanted.rules or "",
        settings.wanted.calendar or "",
        settings.reason,
        settings.actor.model_dump_json(),
    )
    return str(uuid.uuid5(_NAMES, "\n".join(parts)))


class Adoption:
    """One run over the open cases. ``stop`` ends it early; ``tell`` hears of every case that is dealt with.

    Without a desk nothing is sent: each case decides in memory (``world``), and the count is as if.
    """

    def __init__(
        self,
        desk: Desk | None,
        pool: asyncpg.Pool,
        world: World,
        settings: Settings,
        *,
        tell: Tell = lambda _tally: None,
    ) -> None:
        self._desk = desk
        self._pool = pool
        self._world = world
        self._settings = settings
        self._tell = tell
        self._pace = Pace(settings.rate)
        self._page: list[Candidate] = []
        self._after: str | None = ""
        self._taken = 0
        self._turning = asyncio.Lock()
        self.stop = asyncio.Event()
        self.tally = Tally()

    async def run(self) -> Tally:
        """Deal with every case and return the count.

        Raises ``Pending`` as ``console.pacing.patiently`` does; what was counted until then stands in ``tally``.
        """
        async with self._pool.acquire() as conn:
            total = await count_candidates(conn, self._settings.wanted)
        self.tally.total = total if self._settings.limit is None else min(total, self._settings.limit)
        self._tell(self.tally)
        await abreast(self._work, self._settings.parallel, self.stop)
        async with self._pool.acquire() as conn:
            self.tally.left = await count_candidates(conn, self._settings.wanted)
        return self.tally

    async def _work(self) -> None:
        while not self.stop.is_set() and (candidate := await self._next()) is not None:
            if self._desk is not None:
                await self._pace.wait()
            if self.stop.is_set():
                return
            try:
                fact = await self._adopt(candidate)
            except Pending:
                raise
            except Refused as refused:
                await self._refuse(candidate.stream, refused)
            else:
                self._count(candidate.stream, fact)
            self._tell(self.tally)

    def _count(self, stream: str, fact: RulesAdopted | None) -> None:
        if fact is None:
            self.tally.already += 1
        else:
            self.tally.count(stream, fact)

    async def _refuse(self, stream: str, refused: Refused) -> None:
        done = refused.code in _DONE
        if refused.code == "case.finished":
            # The page it came from may be older than its end, or its row may be wrong.
            async with self._pool.acquire() as conn:
                done = await is_finished(conn, stream)
        if done:
            self.tally.already += 1
        else:
            self.tally.refused.append(NotAdopted(case=stream, refusal=refused.refusal))

    async def _next(self) -> Candidate | None:
        """The next case; None when there is no other, or when as many as wanted have been taken."""
        async with self._turning:
            if self._settings.limit is not None and self._taken >= self._settings.limit:
                return None
            if not self._page and self._after is not None:
                async with self._pool.acquire() as conn:
                    self._page = await candidates(conn, self._settings.wanted, after=self._after, limit=_PAGE)
                self._page.reverse()
                self._after = self._page[0].stream if self._page else None
            if not self._page:
                return None
            self._taken += 1
            return self._page.pop()

    async def _adopt(self, candidate: Candidate) -> RulesAdopted | None:
        """What the case recorded, or would record; None when it recorded nothing new. Raises ``Refused``."""
        wanted = self._settings.wanted
        command = AdoptRules(rules=wanted.rules, calendar=wanted.calendar, reason=self._settings.reason)
        if self._desk is None:
            return await self._decide(candidate.stream, command)
        return await self._send(self._desk, candidate, command)

    async def _decide(self, stream: str, command: AdoptRules) -> RulesAdopted | None:
        async with self._pool.acquire() as conn:
            state = await state_of(conn, stream)
        facts = CASE.decide(state, command, self._settings.actor, datetime.now(UTC), self._world)
        return next((fact for fact in facts if isinstance(fact, RulesAdopted)), None)

    async def _send(self, desk: Desk, candidate: Candidate, command: AdoptRules) -> RulesAdopted | None:
        """Send the command; its id makes it take effect once, however often it is sent. Raises ``Refused``."""
        body, name = command.model_dump(mode="json", exclude_none=True), command_id(candidate, self._settings)

        async def attempt() -> RulesAdopted | None:
            answer = await desk.submit(candidate.stream, self._settings.actor, body, command_id=name)
            async with self._pool.acquire() as conn:
                return await adopted_between(conn, candidate.stream, answer.seq_from, answer.seq_to)

        return await patiently(attempt)
