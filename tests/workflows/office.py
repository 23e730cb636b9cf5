"""An office for tests: a database, a worker, a desk, and everybody of ``tests.neighbourhood`` at work."""

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHandle

from console.desk import Desk, new_stream
from domain.people import Actor
from domain.process import HAND_OVER, Answer, Start, World
from domain.rules import RuleBook
from ledger.acting import state_of
from ledger.calendars import store_calendar
from ledger.log import Recorded, history
from ledger.migrate import migrate
from ledger.registry import load_registry, store_rule_book
from ledger.vault import MasterKey, Vault
from ledger.world import read_world
from runtime.metrics import OFF, Metrics
from runtime.pool import open_pool
from runtime.settings import Settings
from tests.neighbourhood import (
    ACTORS,
    AFTER,
    BEFORE,
    CALENDAR,
    EVERYDAY,
    GRID,
    LEAD,
    NATURAL_BOOK,
    ORDINARY,
    REGISTRY,
    raw_registry,
)
from tests.waiting import eventually
from tests.workflows.accounts import check_books
from tests.workflows.clockwork import Clockwork
from worker import make_worker, open_ledger
from workflows.ids import STATE

WORKLOAD = {"people": 2, "minutes": 45}
SCORES = {"speed": 90, "quality": 85, "attitude": 95}

# The plain loop as DOMAIN tells it: who does what, in order.
PLAIN_LOOP: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("community", "whistle", {"reason": "reflected", "departments": [LEAD], "approver": "approver"}),
    ("dispatcher", "dispatch", {"lead": LEAD}),
    ("handler", "accept", {}),
    ("handler", "strike_off", {"measures": "路面已补好", "workload": WORKLOAD, "evidence": [AFTER]}),
    ("checker", "verify", {"passed": True, "evidence": [AFTER]}),
    ("captain", "sign", {}),
    ("head", "sign", {}),
    ("worker", "feed_back", {"to": "department", "text": "结果已核实"}),
    ("worker", "feed_back", {"to": "resident", "text": "路面已补好"}),
    ("worker", "visit", {"answered": True, "satisfaction": "satisfied", "solved": True}),
    ("community", "appraise", {"department": LEAD, "scores": SCORES}),
)

REGISTRATION: dict[str, Any] = {
    "kind": "register",
    "title": "路面破损",
    "text": "东塘一网格门口路面有坑",
    "grid": GRID,
    "category": ORDINARY,
}


class Office:
    """A working office; everything goes through its desk."""

    def __init__(
        self, client: Client, dsn: str, ledger: asyncpg.Pool, owner: asyncpg.Pool, vault: Vault, task_queue: str
    ) -> None:
        self.client, self.dsn, self.ledger, self.owner, self.task_queue = client, dsn, ledger, owner, task_queue
        self._vault = vault
        self.desk = self.another_desk()
        self.forked: set[str] = set()
        self._world = World()

    def another_desk(self, *, patience: timedelta = timedelta(seconds=60)) -> Desk:
        """A desk that shares nothing with the first one but the servers."""
        return Desk(self.client, self.ledger, self._vault, task_queue=self.task_queue, patience=patience)

    # --- acting -----------------------------------------------------------------------------------------------

    async def register(self, who: str = "worker", stream: str | None = None, **fields: Any) -> str:
        """Register a request of the first grid and return its stream."""
        stream = stream or new_stream("case")
        given = {name: value for name, value in {**REGISTRATION, **fields}.items() if value is not None}
        await self.desk.open(stream, ACTORS[who], given)
        return stream

    async def publish(self, who: str = "resident", **fields: Any) -> str:
        """Publish a wish in the first grid and return its stream."""
        stream = new_stream("wish")
        wish = {"kind": "publish_wish", "title": "修椅子", "text": "想要一把修好的椅子", "grid": GRID, **fields}
        await self.desk.open(stream, ACTORS[who], wish)
        return stream

    async def do(
        self, stream: str, who: str | Actor, kind: str, *, command_id: str | None = None, **fields: Any
    ) -> Answer:
        """Submit one command."""
        actor = ACTORS[who] if isinstance(who, str) else who
        return await self.desk.submit(stream, actor, await self.command(stream, kind, fields), command_id=command_id)

    async def command(self, stream: str, kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
        """The command as a person would send it; a signature covers the result that is there to be signed."""
        command = {"kind": kind, **fields}
        if kind == "sign" and "digest" not in command:
            command["digest"] = (await self.state(stream)).digest
        return command

    async def walk(self, stream: str, *, until: str | None = None, after: str | None = None) -> list[Answer]:
        """Go the plain loop, from the first step after ``after`` to ``until`` (kinds of command, both optional)."""
        kinds = [kind for _, kind, _ in PLAIN_LOOP]
        begin = 0 if after is None else len(kinds) - kinds[::-1].index(after)
        end = len(kinds) if until is None else len(kinds) - kinds[::-1].index(until)
        return [await self.do(stream, who, kind, **fields) for who, kind, fields in PLAIN_LOOP[begin:end]]

    async def on_the_spot(self) -> str:
        """An everyday matter, settled and visited."""
        stream = await self.register(category=EVERYDAY)
        await self.do(stream, "worker", "handle_on_spot", measures="已清理", evidence=[BEFORE, AFTER])
        await self.do(stream, "worker", "visit", answered=True, satisfaction="very_satisfied", solved=True)
        return stream

    async def give_system(self, queue: str | None, *, department: str = LEAD, pick_up_within: str = "5m") -> None:
        """Enter in the registry that ``department`` takes its tasks from ``queue``."""
        system = {"queue": queue, "pick_up_within": pick_up_within}
        units = [unit | (system if unit["code"] == department else {}) for unit in REGISTRY["organisations"]]
        async with self.owner.acquire() as conn:
            await load_registry(conn, raw_registry(organisations=units), "test")
        await self.learn()

    async def live_by(self, book: RuleBook) -> None:
        """Let cases opened from now on live by ``book``."""
        async with self.owner.acquire() as conn:
            await store_rule_book(conn, book.version, book.model_dump(mode="json"))
        await self.learn()

    async def learn(self) -> None:
        """Know the registry and the rule books as they stand now."""
        async with self.owner.acquire() as conn:
            self._world = await read_world(conn)

    # --- looking ----------------------------------------------------------------------------------------------

    def handle(self, stream: str) -> WorkflowHandle[Any, Any]:
        return self.client.get_workflow_handle(stream)

    async def state(self, stream: str) -> Any:
        """The state as the ledger has it."""
        async with self.ledger.acquire() as conn:
            return await state_of(conn, stream)

    async def events(self, stream: str) -> list[Recorded]:
        async with self.ledger.acquire() as conn:
            return await history(conn, stream)

    async def kinds(self, stream: str) -> list[str]:
        return [event.kind for event in await self.events(stream)]

    async def until(self, stream: str, kind: str, times: int = 1) -> list[Recorded]:
        """Wait until the ledger has the fact ``kind`` that many times; the answer is these facts."""

        async def found() -> list[Recorded]:
            facts = [event for event in await self.events(stream) if event.kind == kind]
            return facts if len(facts) >= times else []

        return await eventually(found, f"{times} × {kind} in {stream}")

    async def held(self, stream: str) -> Start:
        """What the workflow holds in memory."""
        held: Start = await self.handle(stream).query(STATE, result_type=Start)
        return held

    async def until_handed_over(self, stream: str, times: int = 1) -> None:
        """Wait until so many hand-overs of the stream have come to an end, in a system or in an inbox.

        Looks at the history, not into the workflow: a query sent while a local activity runs makes a worker
        without a cache drop the run in mid-task.
        """

        async def ended() -> bool:
            events = (await self.handle(stream).fetch_history()).events
            inbox = [event.marker_recorded_event_attributes.SerializeToString() for event in events]
            systems = [event for event in events if event.HasField("activity_task_completed_event_attributes")]
            return sum(HAND_OVER.encode() in marker for marker in inbox) + len(systems) >= times

        await eventually(ended, f"{times} hand-overs of {stream} ended")

    async def until_patient(self, stream: str) -> None:
        """Wait until an act has given up its short attempts and waits as a normal activity."""

        async def patient() -> bool:
            return (await self.temporal_history(stream))["ACTIVITY_TASK_SCHEDULED"] > 0

        await eventually(patient, f"an act on {stream} waits patiently")

    async def runs(self, stream: str) -> int:
        """How many runs the workflow has had so far, each continuing the one before."""
        count, run_id = 0, None
        while count == 0 or run_id:
            handle = self.client.get_workflow_handle(stream, run_id=run_id)
            first = (await handle.fetch_history()).events[0].workflow_execution_started_event_attributes
            count, run_id = count + 1, first.continued_execution_run_id
        return count

    async def until_closed(self, stream: str) -> str:
        """Wait until the workflow has ended; the answer is its last stage."""
        last: str = await self.handle(stream).result()
        return last

    async def temporal_history(self, stream: str) -> Counter[str]:
        """How many events of each type Temporal's history of the current run has."""
        history_ = await self.handle(stream).fetch_history()
        return Counter(EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in history_.events)

    async def check(self) -> int:
        """Whether the books agree for every stream but those a test has spoilt on purpose."""
        async with self.owner.acquire() as conn:
            names = {row["stream"] for row in await conn.fetch("select distinct stream from event")}
            return await check_books(conn, self.client, lambda: self._world, only=names - self.forked)


async def furnish(dsn: str, book: RuleBook = NATURAL_BOOK) -> None:
    """Schema, registry and rule book of the neighbourhood in an empty database."""
    await migrate(dsn)
    conn = await asyncpg.connect(dsn)
    try:
        await load_registry(conn, raw_registry(), "test")
        await store_rule_book(conn, book.version, book.model_dump(mode="json"))
        await store_calendar(conn, CALENDAR)
    finally:
        await conn.close()


@asynccontextmanager
async def open_office(
    client: Client, dsn: str, key_file: Path, *, cached: bool = True, metrics: Metrics = OFF
) -> AsyncIterator[Office]:
    """An office on a furnished database, with a worker on a task queue of its own.

    Without a cache the worker forgets every workflow after each task, so that everything is replayed all the time.
    """
    queue = f"office-{uuid.uuid4().hex[:12]}"
    settings = Settings(
        max_cached_workflows=1000 if cached else 0,
        workflow_pollers=4,
        pool_size=10,
        graceful_shutdown=timedelta(seconds=1),
    )
    vault = Vault(MasterKey.load(key_file, create=True))
    ledger, owner = await open_ledger(dsn, settings.pool_size), await open_pool(dsn, size=2)
    try:
        office = Office(client, dsn, ledger, owner, vault, queue)
        await office.learn()
        async with make_worker(client, ledger, settings, task_queue=queue, metrics=metrics):
            yield office
    finally:
        await ledger.close()
        await owner.close()


__all__ = ["PLAIN_LOOP", "REGISTRATION", "SCORES", "WORKLOAD", "Clockwork", "Office", "furnish", "open_office"]
