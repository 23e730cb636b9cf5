"""The use cases behind every door: open a process, submit a command, and know what became of it.

Owns the path of an act from a door to its workflow and back. A lost answer is never a lost act: the same command id
submitted again finds the recorded answer, in Temporal or in the ledger. Must not decide anything.
"""

import asyncio
import hashlib
import random
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from console.grading import regrade
from console.reviving import Reviver
from domain.errors import Refusal, Refused
from domain.parsing import parse_command
from domain.people import Actor
from domain.process import Answer, Envelope, Json, Start
from domain.processes import PROCESSES
from ledger.acting import envelope_digest, recorded_answer
from ledger.log import Connection, head_of
from ledger.vault import Vault
from runtime.logging import get_logger
from runtime.metrics import OFF, Metrics
from workflows.ids import SUBMIT, WORKFLOW_TYPES, at_start, priority_of, workflow_id

_log = get_logger(__name__)

_NAMES = uuid.UUID("1f1a3c9e-7a1d-4b92-9a0e-2c8f6d1b7e55")


_CHANGES_THE_URGENCY = "corrected"
"""The kind of the fact by which an open case becomes more or less pressing."""

_LOOK = 1.0
"""Seconds that a look after a late command may take."""


class Pending(Refused):
    """The command is on its way, its answer is late. The same command id may be submitted again."""


def new_stream(process: str) -> str:
    """A random id for a process that nobody has numbered yet."""
    return f"{process}-{uuid.uuid4().hex}"


def stream_of(process: str, source: str, external_id: str) -> str:
    """The id of what ``source`` calls ``external_id``: always the same, and telling nobody either of them."""
    name = f"{process}\n{source}\n{external_id}"
    return f"{process}-{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def opening_command_id(stream: str) -> str:
    """The command id under which a numbered process is opened, so that opening it again changes nothing."""
    return str(uuid.uuid5(_NAMES, stream))


UNCLEAR = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.ABORTED,
        RPCStatusCode.INTERNAL,
        # A connection that was cut in the middle of an answer, which is what a killed server looks like.
        RPCStatusCode.UNKNOWN,
    }
)
"""Failures after which nobody can say whether Temporal has taken a command: it was away, busy or cut off."""


class Desk:
    """Submits commands on behalf of people.

    ``patience`` is how long an answer is waited for; afterwards ``Pending`` is raised and the act goes on by itself.
    """

    def __init__(
        self,
        client: Client,
        pool: asyncpg.Pool,
        vault: Vault,
        *,
        task_queue: str = "bihuan",
        patience: timedelta = timedelta(seconds=20),
        metrics: Metrics = OFF,
    ) -> None:
        self._client = client
        self._pool = pool
        self._vault = vault
        self._task_queue = task_queue
        self._reviver = Reviver(client, pool, task_queue=task_queue)
        self._patience = patience.total_seconds()
        self._metrics = metrics

    async def open(
        self,
        stream: str,
        actor: Actor,
        command: Mapping[str, Any],
        *,
        command_id: str | None = None,
        private: Mapping[str, str] | None = None,
    ) -> Answer:
        """Open the process ``stream`` with its first command and return the answer.

        ``private`` goes to the vault first, encrypted, under the names the command may refer to. Opening again
        with the same content gives the same answer; with other content it is refused.
        Raises ``Refused`` and ``Pending``.
        """
        envelope = prepare(stream, actor, command, command_id or opening_command_id(stream))
        if private:
            async with self._pool.acquire() as conn:
                await self._vault.write(conn, stream, private)
        start: WithStartWorkflowOperation[Any, str] = WithStartWorkflowOperation(
            WORKFLOW_TYPES[_process(stream).name],
            Start(stream=stream, sparing=True),
            id=workflow_id(stream),
            task_queue=self._task_queue,
            # A refused opening leaves a closed workflow behind and may be mended and tried again; what keeps a
            # process from being opened twice is the ledger.
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            # What Temporal's pages show in lists; redacted like everything in a command, at most 400 bytes.
            static_summary=str(envelope.command.get("title", ""))[:100],
            search_attributes=at_start(_process(stream).first_phase),
            priority=priority_of(_process(stream).name, _urgency(envelope)),
        )
        return await self._timed(
            stream,
            envelope,
            # No update id: Temporal would answer a known one from a closed run too, and a refused opening could never
            # be mended under its id. What makes an opening take effect once is the ledger.
            self._client.execute_update_with_start_workflow(
                SUBMIT, envelope, start_workflow_operation=start, result_type=Answer
            ),
        )

    async def submit(
        self, stream: str, actor: Actor, command: Mapping[str, Any], *, command_id: str | None = None
    ) -> Answer:
        """Submit one command to an open process and return its answer. Raises ``Refused`` and ``Pending``."""
        envelope = prepare(stream, actor, command, command_id or str(uuid.uuid4()))
        answer = await self._timed(stream, envelope, self._sent(stream, envelope), revive=True)
        urgency = _urgency(envelope)
        if urgency is not None and _CHANGES_THE_URGENCY in answer.kinds:
            await regrade(self._client, stream, _process(stream).name, urgency)
        return answer

    async def look_for(self, stream: str, command_id: str) -> None:
        """Look for a command that the ledger does not know; return when Temporal does not know it either.

        Raises ``Pending`` while it is on its way or Temporal is away, ``Refused`` what it was refused with.
        """
        handle = self._client.get_workflow_handle(workflow_id(stream))
        try:
            if await self._is_opening(stream):
                # An opening bears no id of its own; a refused one has closed its workflow.
                if (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
                    raise Pending("command.pending", command_id=command_id)
                return
            await asyncio.wait_for(handle.get_update_handle(command_id, result_type=Answer).result(), _LOOK)
        except WorkflowUpdateFailedError as error:
            raise _refused(error)[0] from None
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
            raise Pending("command.pending", command_id=command_id) from None
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                # Nobody can say now what became of it.
                raise Pending("command.pending", command_id=command_id) from error

    async def _is_opening(self, stream: str) -> bool:
        async with self._pool.acquire() as conn:
            return await head_of(conn, stream) == 0

    async def is_reachable(self) -> bool:
        """Whether Temporal answers within two seconds."""
        try:
            return await self._client.service_client.check_health(timeout=timedelta(seconds=2))
        except (RPCError, RuntimeError):
            return False

    async def _sent(self, stream: str, envelope: Envelope) -> Answer:
        handle = self._client.get_workflow_handle(workflow_id(stream))
        while True:
            try:
                answer: Answer = await handle.execute_update(
                    SUBMIT, envelope, id=envelope.command_id, result_type=Answer
                )
            except RPCError as error:
                if error.status != RPCStatusCode.RESOURCE_EXHAUSTED:
                    raise
                # Ten are on their way to this process already, and Temporal has not taken this one: nobody would ever
                # do it. It is sent again, under the same id, for as long as its answer is waited for.
                await asyncio.sleep(random.uniform(0.1, 0.4))
            else:
                return answer

    async def _timed(self, stream: str, envelope: Envelope, call: Any, *, revive: bool = False) -> Answer:
        """The answer, and how long whoever asked has waited for it."""
        began, end = time.perf_counter(), "failed"
        try:
            answer = await self._answer(stream, envelope, call, revive=revive)
            end = "answered"
        except Pending:
            end = "pending"
            raise
        except Refused:
            end = "refused"
            raise
        finally:
            took, process = time.perf_counter() - began, _process(stream).name
            self._metrics.record("bihuan_act_answer_seconds", took, process=process, end=end)
        return answer

    async def _answer(self, stream: str, envelope: Envelope, call: Any, *, revive: bool = False) -> Answer:
        try:
            answer: Answer = await asyncio.wait_for(call, self._patience)
        except WorkflowUpdateFailedError as error:
            refused, judged_at = _refused(error)
            head = await self._head_after(stream, envelope, judged_at)
            if head is not None:
                # A worker died between recording and telling: the workflow judged by what was true before that.
                again = envelope.model_copy(update={"known_seq": head})
                return await self._answer(stream, again, self._sent(stream, again))
            return await self._recorded_or(stream, envelope, refused)
        except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError):
            return await self._recorded_or(stream, envelope, Pending("command.pending", command_id=envelope.command_id))
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return await self._without_workflow(stream, envelope, revive=revive)
            if error.status in UNCLEAR:
                late = Pending("command.pending", command_id=envelope.command_id)
                return await self._recorded_or(stream, envelope, late)
            raise
        if answer.digest != envelope_digest(envelope):
            # Temporal answers a known update id without looking at what came with it.
            raise Refused("command.reused", field="command_id")
        return answer

    async def _head_after(self, stream: str, envelope: Envelope, judged_at: int | None) -> int | None:
        """The last event of the stream if the workflow that refused this was behind it and may not have been."""
        if judged_at is None:
            return None
        async with self._reading(envelope) as conn:
            head = await head_of(conn, stream)
        return head if head > max(judged_at, envelope.known_seq) else None

    @asynccontextmanager
    async def _reading(self, envelope: Envelope) -> AsyncIterator[Connection]:
        """A connection to the ledger. Without it nobody can say what became of the command: raises ``Pending``."""
        async with self._away_is_pending(envelope), self._pool.acquire() as conn:
            yield conn

    @asynccontextmanager
    async def _away_is_pending(self, envelope: Envelope) -> AsyncIterator[None]:
        try:
            yield
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise Pending("command.pending", command_id=envelope.command_id) from error

    async def _recorded_or(self, stream: str, envelope: Envelope, refused: Refused) -> Answer:
        """The recorded answer of a command that had been accepted before, else the refusal.

        A workflow's own memory of command ids ends with its run; the ledger's does not.
        """
        async with self._reading(envelope) as conn:
            recorded = await recorded_answer(conn, stream, envelope)
        if recorded is None:
            raise refused
        return recorded

    async def _without_workflow(self, stream: str, envelope: Envelope, *, revive: bool) -> Answer:
        """The answer where no workflow runs: recorded, over, unknown; or the engine has lost an open process.

        Then its workflow begins again where the ledger left off, and this command is the first it hears.
        """
        async with self._reading(envelope) as conn:
            recorded = await recorded_answer(conn, stream, envelope)
        if recorded is not None:
            return recorded
        async with self._away_is_pending(envelope):
            standing = await self._reviver.standing(stream)
        process = _process(stream)
        if standing is None:
            raise Refused(f"{process.name}.unknown")
        if not standing.is_open:
            zh, en = process.stage_names[standing.plan.stage]
            raise Refused(f"{process.name}.finished", stage=zh, stage_en=en)
        if not revive:
            raise Pending("command.pending", command_id=envelope.command_id)
        _log.warning("workflow_begun_again", stream=stream, seq=standing.seq)
        return await self._answer(
            stream,
            envelope,
            # No update id, as in an opening: a run that was ended must not answer for this one.
            self._client.execute_update_with_start_workflow(
                SUBMIT, envelope, start_workflow_operation=self._reviver.with_start(standing), result_type=Answer
            ),
        )


def prepare(stream: str, actor: Actor, command: Mapping[str, Any], command_id: str) -> Envelope:
    """The envelope for ``command`` in its one canonical form. Raises ``Refused`` for what cannot be read."""
    process = _process(stream)
    try:
        checked = str(uuid.UUID(command_id))
    except ValueError:
        raise Refused("command.bad_id", field="command_id") from None
    parsed = parse_command(process, dict(command))
    body: Json = parsed.model_dump(mode="json", exclude_none=True)
    return Envelope(command_id=checked, actor=actor, command=body)


def _process(stream: str) -> Any:
    name = stream.partition("-")[0]
    if name not in PROCESSES:
        raise Refused("case.unknown")
    return PROCESSES[name]


def _urgency(envelope: Envelope) -> str | None:
    given = envelope.command.get("urgency")
    return given if isinstance(given, str) else None


def _refused(error: WorkflowUpdateFailedError) -> tuple[Refused, int | None]:
    """The refusal, and the last event the workflow knew of when it alone had judged."""
    cause = error.cause
    if not isinstance(cause, ApplicationError) or not cause.details:
        raise error
    refusal, *context = cause.details
    return Refused.from_refusal(Refusal.model_validate(refusal)), context[0]["judged_at"] if context else None
