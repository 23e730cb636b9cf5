"""The import itself: look up what is there, judge the rest, open what is new.

Owns the order of things and the count. An import may be interrupted at any moment and run again: every request has
one stream and one command id, so what was opened is found and what was not is opened. Must not parse files.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import asyncpg

from console.desk import Desk, Pending
from console.importing.columns import Request, in_words_of, understand
from console.importing.identity import PROCESS, Found, candidates, is_recorded, number_apart, tell_apart
from console.importing.readers import BadRow, Row
from console.importing.report import Rejection
from console.pacing import Pace, abreast, patiently
from domain.errors import Refused
from domain.parsing import parse_command
from domain.people import IMPORT, Actor, Role
from domain.process import Json, World
from domain.processes import PROCESSES
from domain.registry import Registry
from domain.zone import office_day
from ledger.openings import opening_events
from ledger.world import read_world
from workflows.ids import priority_of

TURN = "import"
"""Imports have one turn: each request is counted once."""


@dataclass
class Tally:
    """What became of the rows so far; ``rows`` is the sum of the three others."""

    opened: int = 0
    already: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    total: int = 0

    @property
    def rejected(self) -> int:
        """Rows that were not imported."""
        return len(self.rejections)

    @property
    def rows(self) -> int:
        """Rows dealt with."""
        return self.opened + self.already + self.rejected


Tell = Callable[[Tally], None]


@dataclass(frozen=True)
class Settings:
    """How an import runs: at most ``rate`` openings a second, ``parallel`` of them at once.

    ``source`` names the origin of rows that name none, ``street`` the street of rows without grid and street.
    """

    source: str
    street: str | None = None
    rate: int = 25
    parallel: int = 8


async def world_of(pool: asyncpg.Pool) -> World:
    """The registry and the rules in force. Raises ``Refused`` ``rules.none``."""
    async with pool.acquire() as conn:
        world = await read_world(conn)
    if world.current_rules is None:
        raise Refused("rules.none")
    return world


def importer(registry: Registry, person: str | None) -> Actor:
    """Who imports: ``person`` in the role hotline, else the only hotline person there is, else the built-in account.

    Raises ``Refused``: ``person.unknown``, ``actor.role_not_held``, ``person.several_roles``, ``import.which_person``.
    """
    today = office_day(datetime.now(UTC))
    if person is None:
        people = registry.people_with(Role.HOTLINE, at=today)
        if not people:
            return IMPORT
        if len(people) > 1:
            raise Refused("import.which_person", field="--as", people=", ".join(each.id for each in people))
        person = people[0].id
    elif person == IMPORT.person:
        return IMPORT
    elif registry.person(person) is None:
        raise Refused("person.unknown", field="--as", person=person)
    held = [each for each in registry.assignments_of(person, today) if each.role is Role.HOTLINE]
    if not held:
        raise Refused("actor.role_not_held", field="--as", person=person, role=Role.HOTLINE.value)
    if len(held) > 1:
        places = ", ".join(f"hotline {each.organisation or each.grid or '-'}" for each in held)
        raise Refused("person.several_roles", field="--as", person=person, roles=places)
    return Actor(person=person, role=Role.HOTLINE, organisation=held[0].organisation, grid=held[0].grid)


class Import:
    """One run over one file. ``stop`` ends it early; ``tell`` hears of every row that is dealt with."""

    def __init__(
        self,
        desk: Desk | None,
        pool: asyncpg.Pool,
        world: World,
        actor: Actor,
        settings: Settings,
        *,
        tell: Tell = lambda _tally: None,
    ) -> None:
        self._desk = desk
        self._pool = pool
        self._world = world
        self._actor = actor
        self._settings = settings
        self._tell = tell
        self._pace = Pace(settings.rate)
        self.stop = asyncio.Event()
        self.tally = Tally()

    async def run(self, rows: Iterable[Row | BadRow]) -> Tally:
        """Deal with every row and return the count; without a desk nothing is opened but counted as if.

        Raises ``Pending`` as ``console.pacing.patiently`` does; what was counted until then stands in ``tally``.
        """
        requests = await self._understand(rows)
        found = await self._look_up(requests)
        known = [each for each in found if each.known]
        fresh = [each for each in found if not each.known and not each.twin and each.refused is None]
        self.tally.already += len(known)
        for each in found:
            if each.refused is not None:
                self._reject(each.request, each.refused)
        self._tell(self.tally)
        outcomes = await self._open_all(fresh)
        for twin in (each for each in found if each.twin):
            self._follow(twin, outcomes)
        self._tell(self.tally)
        return self.tally

    async def _understand(self, rows: Iterable[Row | BadRow]) -> list[Request]:
        requests: list[Request] = []
        for number, row in enumerate(rows, start=1):
            self.tally.total = number
            try:
                if isinstance(row, BadRow):
                    raise row.refused
                requests.append(understand(row, self._settings.source))
            except Refused as refused:
                self.tally.rejections.append(Rejection(row.number, refused.refusal))
            if number % 200 == 0:
                await asyncio.sleep(0)  # signals are heard here
        return number_apart(requests)

    async def _look_up(self, requests: Sequence[Request]) -> list[Found]:
        """What each request is; those the rules refuse hold no number."""
        streams = sorted({stream for request in requests for stream in candidates(request)})
        async with self._pool.acquire() as conn:
            recorded = await opening_events(conn, streams)
        now, found = datetime.now(UTC), list[Found]()
        groups: dict[tuple[str, str], list[Request]] = {}
        for request in requests:
            refused = self._judge(request, now)
            if refused is None:
                groups.setdefault((request.source, request.number), []).append(request)
            else:
                found.append(_refused_unless_recorded(request, refused, recorded))
        for group in groups.values():
            found += tell_apart(group, recorded)
        return found

    def _judge(self, request: Request, now: datetime) -> Refused | None:
        """Why the request cannot be registered, as far as this side can tell: nothing is sent that must come back."""
        process, stream = PROCESSES[PROCESS], candidates(request)[0]
        try:
            command = parse_command(process, self._command(request, request.number, stream))
            process.decide(None, command, self._actor, now, self._world)
        except Refused as refused:
            return refused
        return None

    def _command(self, request: Request, external_id: str, stream: str) -> Json:
        command: dict[str, Any] = {
            "kind": "register",
            **request.content,
            "source": request.source,
            "external_id": external_id,
            "wording": f"{stream}/wording",
        }
        if any(name.startswith("reporter") for name in request.private):
            command["reporter"] = f"{stream}/reporter"
        if self._settings.street is not None and "grid" not in command:
            command.setdefault("street", self._settings.street)
        return command

    async def _open_all(self, fresh: Sequence[Found]) -> dict[str, Refused | None]:
        """Open all of them and return, by stream, how it ended; what was not dealt with before the stop is absent."""
        outcomes: dict[str, Refused | None] = {}
        if self._desk is None:
            self.tally.opened += len(fresh)
            return dict.fromkeys((each.stream for each in fresh), None)
        # The last row may be the most pressing one; among equals the order of the file stays.
        desk, waiting = self._desk, iter(sorted(fresh, key=_grade))
        await abreast(lambda: self._work(desk, waiting, outcomes), self._settings.parallel, self.stop)
        return outcomes

    async def _work(self, desk: Desk, waiting: Iterable[Found], outcomes: dict[str, Refused | None]) -> None:
        for found in waiting:
            await self._pace.wait()
            if self.stop.is_set():
                return
            outcomes[found.stream] = refused = await self._open(desk, found)
            if refused is None:
                self.tally.opened += 1
            else:
                self._reject(found.request, refused)
            self._tell(self.tally)

    async def _open(self, desk: Desk, found: Found) -> Refused | None:
        """Open the request, or say why not. Raises ``Pending``."""
        command = self._command(found.request, found.external_id, found.stream)
        try:
            await patiently(lambda: desk.open(found.stream, self._actor, command, private=found.request.private))
        except Pending:
            raise
        except Refused as refused:
            return refused
        return None

    def _follow(self, twin: Found, outcomes: Mapping[str, Refused | None]) -> None:
        """A row that repeats an earlier one shares its fate."""
        if twin.stream not in outcomes:
            return
        refused = outcomes[twin.stream]
        if refused is None:
            self.tally.already += 1
        else:
            self._reject(twin.request, refused)

    def _reject(self, request: Request, refused: Refused) -> None:
        self.tally.rejections.append(Rejection(request.row, in_words_of(request.headers, refused).refusal))


def _grade(found: Found) -> int:
    """Where the work of the request will stand among others: smaller goes first."""
    return priority_of(PROCESS, str(found.request.content.get("urgency"))).priority_key or 0


def _refused_unless_recorded(request: Request, refused: Refused, recorded: Mapping[str, Json]) -> Found:
    """What is in the ledger stays there, also when the registry would not have it today."""
    for stream in candidates(request):
        if stream in recorded and is_recorded(request, recorded[stream]):
            return Found(request, request.number, stream, known=True)
    return Found(request, request.number, candidates(request)[0], refused=refused)
