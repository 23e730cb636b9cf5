"""Beginning a workflow again where the ledger left off, and telling one that it has fallen behind.

Owns the start that takes its input from the ledger. Nothing here writes events: what a workflow does after it has
begun is what it would have done anyway. Must not decide which streams need it.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import asyncpg
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowExecutionStatus
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from domain.process import Attributes
from ledger.resuming import Standing, standing_of
from ledger.world import Worlds
from workflows import ids
from workflows.ids import LOOK, WORKFLOW_TYPES, priority_of, workflow_id


class Begun(StrEnum):
    """What became of the wish that a workflow run."""

    RUNNING = "running"
    """It ran already."""
    BEGUN = "begun"
    """It has begun where the ledger left off."""
    NEEDLESS = "needless"
    """The ledger says that nothing more can happen, or does not know the stream."""


class Reviver:
    """Brings workflows back. One per process; it remembers the world it has read."""

    def __init__(self, client: Client, pool: asyncpg.Pool, *, task_queue: str = "bihuan") -> None:
        self.client = client
        self._pool = pool
        self._task_queue = task_queue
        self._worlds = Worlds()

    async def standing(self, stream: str) -> Standing | None:
        """Where the ledger says the stream stands; None when it does not know it."""
        async with self._pool.acquire() as conn:
            return await standing_of(conn, stream, await self._worlds.current(conn))

    async def runs(self, stream: str) -> bool:
        """Whether a workflow of the stream runs. Raises ``RPCError`` when nobody can say."""
        try:
            described = await self.client.get_workflow_handle(workflow_id(stream)).describe()
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return False
            raise
        return described.status is WorkflowExecutionStatus.RUNNING

    async def listed_as_running(self, streams: Sequence[str]) -> set[str]:
        """Those of ``streams`` whose workflows Temporal's lists show as running; the lists may lag by a second."""
        wanted = ", ".join(f"'{workflow_id(stream)}'" for stream in streams)
        if not wanted:
            return set()
        query = f"ExecutionStatus = 'Running' and WorkflowId in ({wanted})"
        return {each.id async for each in self.client.list_workflows(query, page_size=len(streams))}

    async def count_running(self) -> int:
        """How many workflows of ours Temporal's lists show as running; the lists may lag by a second."""
        return (await self.client.count_workflows(running_query())).count

    async def begin(self, stream: str) -> Begun:
        """Begin the workflow of an open stream that has none.

        Read the ledger only after ``runs`` has said no, as this does when called then: a workflow that ended has told
        the ledger before. Two who begin the same one at once begin one. Raises ``RPCError`` and what PostgreSQL raises
        when they are away.
        """
        standing = await self.standing(stream)
        if standing is None or not standing.is_open:
            return Begun.NEEDLESS
        try:
            await self._start(standing, WorkflowIDConflictPolicy.FAIL)
        except WorkflowAlreadyStartedError:
            return Begun.RUNNING
        return Begun.BEGUN

    async def replace(self, stream: str) -> Begun:
        """End the workflow that runs, whatever it believes, and begin where the ledger left off, in one step.

        What the ended workflow knew and the ledger does not is then in Temporal's history only.
        """
        standing = await self.standing(stream)
        if standing is None or not standing.is_open:
            return Begun.NEEDLESS
        await self._start(standing, WorkflowIDConflictPolicy.TERMINATE_EXISTING)
        return Begun.BEGUN

    async def nudge(self, stream: str) -> None:
        """Let the running workflow ask the ledger what it has missed; nothing happens when there is nothing.

        Raises ``RPCError``, with status not found when none runs.
        """
        await self.client.get_workflow_handle(workflow_id(stream)).signal(LOOK)

    def with_start(self, standing: Standing) -> WithStartWorkflowOperation[Any, str]:
        """The start for an update that begins the workflow if it does not run."""
        return WithStartWorkflowOperation(
            WORKFLOW_TYPES[standing.process.name],
            standing.as_start(),
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id=workflow_id(standing.stream),
            task_queue=self._task_queue,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=standing.title,
            search_attributes=_shown(standing.plan.attributes),
            priority=_priority(standing),
        )

    async def _start(self, standing: Standing, conflict: WorkflowIDConflictPolicy) -> None:
        await self.client.start_workflow(
            WORKFLOW_TYPES[standing.process.name],
            standing.as_start(),
            id=workflow_id(standing.stream),
            task_queue=self._task_queue,
            id_conflict_policy=conflict,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            static_summary=standing.title,
            search_attributes=_shown(standing.plan.attributes),
            priority=_priority(standing),
        )


def running_query() -> str:
    """Asks Temporal's lists for the running workflows of ours."""
    types = ", ".join(f"'{each}'" for each in WORKFLOW_TYPES.values())
    return f"ExecutionStatus = 'Running' and WorkflowType in ({types})"


def _priority(standing: Standing) -> Priority:
    """That of the case as it stands, which may be more pressing than it was when it came in."""
    return priority_of(standing.process.name, getattr(standing.state, "urgency", None))


def _shown(attributes: Attributes) -> TypedSearchAttributes:
    """What Temporal's lists show from the beginning: a workflow that carries on tells only what changes."""
    pairs = ids.shown(attributes).items()
    return TypedSearchAttributes([SearchAttributePair(key, value) for key, value in pairs if value is not None])
