"""The bare engine: the same human inputs and durable writes on plain Temporal, as its documentation teaches it.

Owns the peers' workflow, its activity, its worker process (``python -m bench.bare WRITES``) and its client side. It
uses nothing of ours but settings, connections and the names of search attributes and phases: no decider, no
pydantic, default data converter, no sandbox. The worker is tuned as ours is.
"""

import asyncio
import hashlib
import json
import signal
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from temporalio import activity, workflow
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import RetryPolicy, SearchAttributeUpdate, WorkflowIDConflictPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from bench.loop import PLAIN_LOOP
from bench.writes import LoopWrites, digest_of, keep_wording, record
from domain.case.vocabulary import PHASES, Stage
from runtime import event_loop
from runtime.embedded import say_ready
from runtime.leaving import leave
from runtime.pool import open_pool
from runtime.settings import Settings, find_endpoints
from runtime.tuning import tuning_of
from workflows import ids

TASK_QUEUE = "bare"
LIKE_OURS = "like ours"
_RETRY = RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_interval=timedelta(seconds=1))
_ATTEMPT = timedelta(seconds=3)


class Design(StrEnum):
    """How a peer on plain Temporal is built."""

    BARE = "bare"
    """One local activity for each input."""
    INDEXED = "indexed"
    """The same, and it keeps its record in Temporal's visibility store as ours does: on a change of phase."""
    USUAL = "usual"
    """One normal activity for each input, the way most people begin; otherwise as bare."""


@dataclass
class HumanInput:
    """What a person sends."""

    command_id: str
    person: str
    role: str
    command: dict[str, Any]


@dataclass
class RecordInput:
    """One act for the activity."""

    case: str
    number: int
    given: HumanInput


@dataclass
class Recorded:
    """What the person is told."""

    case: str
    command_id: str
    last: int
    stage: str
    due: str | None


@workflow.defn(name="BareCase")
class BareCase:
    """Takes the human inputs one after the other and ends after the last."""

    @workflow.init
    def __init__(self, design: str) -> None:
        self._design = Design(design)
        self._phase = PHASES[Stage.REGISTERED]  # as the start says
        self._told = False
        self._done = 0

    @workflow.run
    async def run(self, design: str) -> int:
        """Wait until every input has come."""
        await workflow.wait_condition(lambda: self._done == len(PLAIN_LOOP) and workflow.all_handlers_finished())
        return self._done

    @workflow.update
    async def submit(self, given: HumanInput) -> Recorded:
        """Record one input and answer."""
        entry = RecordInput(workflow.info().workflow_id, self._done, given)
        recorded = await (self._by_activity(entry) if self._design is Design.USUAL else self._locally(entry))
        self._done += 1
        if self._design is Design.INDEXED and PHASES[Stage(recorded.stage)] != self._phase:
            self._index(recorded)
        return recorded

    async def _locally(self, entry: RecordInput) -> Recorded:
        recorded: Recorded = await workflow.execute_local_activity(
            "record", entry, result_type=Recorded, start_to_close_timeout=_ATTEMPT, retry_policy=_RETRY
        )
        return recorded

    async def _by_activity(self, entry: RecordInput) -> Recorded:
        recorded: Recorded = await workflow.execute_activity(
            "record", entry, result_type=Recorded, start_to_close_timeout=_ATTEMPT, retry_policy=_RETRY
        )
        return recorded

    def _index(self, recorded: Recorded) -> None:
        due = datetime.fromisoformat(recorded.due) if recorded.due else None
        changed: list[SearchAttributeUpdate[Any]] = [
            ids.PHASE.value_set(PHASES[Stage(recorded.stage)]),
            ids.DUE.value_set(due) if due else ids.DUE.value_unset(),
        ]
        if not self._told:
            changed += [ids.STREET.value_set("S01"), ids.RULES.value_set("1"), ids.DEPARTMENT.value_set([])]
        self._phase, self._told = PHASES[Stage(recorded.stage)], True
        workflow.upsert_search_attributes(changed)


class Recording:
    """The peer's one activity."""

    def __init__(self, pool: asyncpg.Pool, writes: LoopWrites) -> None:
        self._pool = pool
        self._writes = writes

    @activity.defn(name="record")
    async def record(self, given: RecordInput) -> Recorded:
        """Write one act in one transaction; safe to repeat."""
        content = hashlib.sha256(json.dumps(given.given.command).encode()).hexdigest()
        command_id = given.given.command_id
        act = self._writes.acts[given.number]
        last = await record(self._pool, act, given.case, UUID(command_id), content)
        row = act.rows["case_row"][0]
        return Recorded(given.case, command_id, last, row["stage"], row["due_at"])


class Bare:
    """The client side of a peer on plain Temporal."""

    def __init__(self, client: Client, pool: asyncpg.Pool, design: Design) -> None:
        self.name = design.value
        self._client = client
        self._pool = pool
        self._design = design

    async def act(self, stream: str, number: int, digest: str) -> None:
        """Send one input and wait for its answer; the first one starts the workflow."""
        act = PLAIN_LOOP[number]
        given = HumanInput(str(uuid4()), act.actor.person, act.actor.role.value, act.for_case(stream, digest))
        if number > 0:
            handle = self._client.get_workflow_handle_for(BareCase.run, stream)
            await handle.execute_update(BareCase.submit, given, id=given.command_id)
            return
        await keep_wording(self._pool, stream)
        start = WithStartWorkflowOperation(
            BareCase.run,
            self._design.value,
            id=stream,
            task_queue=TASK_QUEUE,
            search_attributes=ids.at_start(PHASES[Stage.REGISTERED]) if self._design is Design.INDEXED else None,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        await self._client.execute_update_with_start_workflow(
            BareCase.submit, given, start_workflow_operation=start, id=given.command_id
        )

    async def digest(self, stream: str) -> str:
        """Read the digest from the plain tables."""
        return await digest_of(self._pool, stream)


async def work(writes: LoopWrites, *, like_ours: bool) -> None:
    """Serve the bare workflow until SIGINT or SIGTERM; ``like_ours`` in the event loop's own thread."""
    settings = Settings.load()
    endpoints = find_endpoints(settings)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    pool = await open_pool(endpoints.postgres, size=settings.pool_size, name="bare worker", resets=False)
    client = await Client.connect(endpoints.temporal, namespace=endpoints.namespace)
    worker = Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[BareCase],
        activities=[Recording(pool, writes).record],
        workflow_runner=UnsandboxedWorkflowRunner(),
        debug_mode=like_ours,
        **tuning_of(settings),
    )
    async with worker:
        say_ready()
        await stop.wait()
    await pool.close()


def main() -> None:
    """Work as the library's documentation teaches it, or (``like ours``) on uvloop and without threads as ours does."""
    like_ours = sys.argv[2:] == [LIKE_OURS]
    (event_loop.run if like_ours else asyncio.run)(work(LoopWrites.load(Path(sys.argv[1])), like_ours=like_ours))
    leave(0)


if __name__ == "__main__":
    main()
