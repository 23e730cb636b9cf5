"""Adopting: every open case that lives by other rules is told to live by those in force.

Owns throttling, retries and the count. A run may be broken off at any moment and started again: a case that has adopted
the rules is no candidate any more, and one whose answer was lost is asked under the same command id. Each case decides
for itself what moves (``domain.case.adoption``); nothing is decided here.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import asyncpg
from temporalio.service import RPCError, RPCStatusCode

from console.desk import Desk, Pending
from domain.base import Frozen
from domain.case import CASE
from domain.case.commands import AdoptRules
from domain.case.events import RulesAdopted
from domain.case.time_events import DueChange
from domain.errors import Refusal, Refused
from domain.limits import Instant, office_day
from domain.people import RULES_OFFICE, Actor, Role
from domain.process import World
from domain.registry import Registry
from ledger.acting import state_of
from ledger.adoptions import Candidate, Wanted, adopted_between, candidates, count_candidates, is_finished
from ledger.openings import take_turn

PATIENCE = timedelta(minutes=10)
"""How long one case is tried while servers are away."""

GRACE = timedelta(seconds=5)
"""How long an interrupted run waits for the answers that are under way."""

PARALLEL = 8
"""How many cases are asked at once."""

CHANGES_KEPT = 50
"""How many changes of due times a dry run lists."""

_NAMES = uuid.UUID("7a3f0c1e-52d4-4b8b-8a55-0d8c4f9e6b21")
_TURN = "adopt"
_PAGE = 200
_PAUSE_MOST = 5.0
_DONE = frozenset({"adopt.nothing_new", "case.finished"})
_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
_BUSY = (
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.ABORTED,
    RPCStatusCode.INTERNAL,
    RPCStatusCode.UNKNOWN,
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.DEADLINE_EXCEEDED,
)


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


@asynccontextmanager
async def turn(pool: asyncpg.Pool, on_wait: Callable[[], None]) -> AsyncIterator[None]:
    """One run at a time, so that the rate means what it says; ``on_wait`` is called when another run has the turn."""
    async with pool.acquire() as conn:
        told = False
        while not await take_turn(conn, _TURN):
            if not told:
                on_wait()
            told = True
            await asyncio.sleep(0.3)
        yield


def command_id(candidate: Candidate, settings: Settings) -> str:
    """The same id for the same command, so that asking again changes nothing twice.

    The number of earlier adoptions belongs to it: an office may go back to a rule book, and then forward again.
    """
    parts = (
        candidate.stream,
        str(candidate.adoptions),
        settings.wanted.rules,
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
        self._next_start = 0.0
        self._page: list[Candidate] = []
        self._after: str | None = ""
        self._taken = 0
        self._turning = asyncio.Lock()
        self.stop = asyncio.Event()
        self.tally = Tally()

    async def run(self) -> Tally:
        """Deal with every case and return the count.

        Raises ``Pending`` when servers stay away for longer than ``PATIENCE``; what was counted until then stands in
        ``tally``.
        """
        async with self._pool.acquire() as conn:
            total = await count_candidates(conn, self._settings.wanted)
        self.tally.total = total if self._settings.limit is None else min(total, self._settings.limit)
        self._tell(self.tally)
        working: asyncio.Future[list[None]] = asyncio.gather(*(self._work() for _ in range(self._settings.parallel)))
        stopping: asyncio.Future[None] = asyncio.create_task(self._stopped())
        try:
            await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            working.cancel()
            stopping.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)
        async with self._pool.acquire() as conn:
            self.tally.left = await count_candidates(conn, self._settings.wanted)
        return self.tally

    async def _stopped(self) -> None:
        """Ends some time after the stop: answers under way are still counted."""
        await self.stop.wait()
        await asyncio.sleep(GRACE.total_seconds())

    async def _work(self) -> None:
        while not self.stop.is_set() and (candidate := await self._next()) is not None:
            if self._desk is not None:
                await self._pace()
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
            # A workflow that is gone says so too; the ledger knows whether the case is really over.
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

    async def _pace(self) -> None:
        """Wait for the next start: starts are evenly apart, and time lost is not made up in a burst."""
        now = asyncio.get_running_loop().time()
        self._next_start = max(self._next_start, now) + 1 / self._settings.rate
        await asyncio.sleep(max(0.0, self._next_start - 1 / self._settings.rate - now))

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
        """Send the command, again and again while servers are away; its id makes it take effect once."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + PATIENCE.total_seconds(), 0.2
        body, name = command.model_dump(mode="json", exclude_none=True), command_id(candidate, self._settings)
        while True:
            late: Refused
            try:
                answer = await desk.submit(candidate.stream, self._settings.actor, body, command_id=name)
                async with self._pool.acquire() as conn:
                    return await adopted_between(conn, candidate.stream, answer.seq_from, answer.seq_to)
            except Pending as pending:
                late = pending
            except _AWAY:
                late = Pending("command.pending", command_id=name)
            except RPCError as error:
                if error.status not in _BUSY:
                    raise
                late = Pending("command.pending", command_id=name)
            if loop.time() > deadline:
                raise late
            await asyncio.sleep(pause)
            pause = min(pause * 2, _PAUSE_MOST)
