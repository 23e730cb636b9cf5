"""What would break if this release took over: schema, open processes in Temporal, open streams in the ledger.

Owns the order and the bounds of the check before an upgrade. Changes nothing and decides nothing: it lets the shell
and the rules of this release read what others have written. The one place of the doors that knows the workflows
themselves, because the check must run the very code that will take over.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum

import asyncpg
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Plugin, Replayer
from temporalio.workflow import NondeterminismError

from domain.base import Frozen
from domain.process import World
from domain.processes import process_of
from ledger.acting import state_of
from ledger.migrate import Migration
from ledger.queries import count_open_streams, open_streams
from workflows.hosted import HOSTED
from workflows.ids import workflow_id

_AT_ONCE = 8
"""Histories fetched ahead while one is replayed: the replay is the slow part, and each may be megabytes."""

_PAGE = 500

_KEPT = 100
"""Findings named one by one; the others are counted."""

_UNREADABLE = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)
"""How this release fails at facts it does not understand."""

_ENDED_BY_FORCE = (
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
)

Told = Callable[[int, int], None]


class Trouble(StrEnum):
    """Why an open process would not go on by itself."""

    OTHER_COMMANDS = "other_commands"
    """The shell of this release would not do what the history says was done."""
    NOT_REPLAYED = "not_replayed"
    """The shell of this release fails at the history."""
    NOT_FOLDED = "not_folded"
    """The rules of this release do not understand the facts in the ledger."""
    NO_PROCESS = "no_process"
    """The ledger knows it as open, Temporal does not know it, or ended it by force."""


class Finding(Frozen):
    """One open process that would not go on; ``detail`` is for whoever mends it and holds no words of people."""

    stream: str
    trouble: Trouble
    detail: str = ""


@dataclass
class Checked:
    """What the check has found; ``findings`` names the first ones, ``troubles`` counts all of them."""

    pending: list[Migration] = field(default_factory=list)
    open: int = 0
    replayed: int = 0
    folded: int = 0
    troubles: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def contracts(self) -> list[Migration]:
        """The migrations to come that the release before does not survive."""
        return [each for each in self.pending if each.is_contract or each.taken_away()]

    def note(self, stream: str, trouble: Trouble, detail: str = "") -> None:
        """Keep what was found."""
        self.troubles += 1
        if len(self.findings) < _KEPT:
            self.findings.append(Finding(stream=stream, trouble=trouble, detail=detail))


async def check_open(
    pool: asyncpg.Pool,
    client: Client,
    told: Told = lambda _done, _all: None,
    *,
    workflows: Sequence[type] = HOSTED,
    at_once: int = _AT_ONCE,
) -> Checked:
    """Fold every open stream with the rules of this release and replay its history with the shell of this release.

    Histories are those of the run that is open now. Processes opened or closed meanwhile may be missed or met
    unfinished; neither is a finding. Memory stays bounded, however many are open.
    """
    checked = Checked()
    async with pool.acquire() as conn:
        total = await count_open_streams(conn)
    told(0, total)
    # The client's own: what it reads and writes with, the replay must read with.
    plugins = [each for each in client.config()["plugins"] if isinstance(each, Plugin)]
    replayer = Replayer(
        workflows=workflows,
        plugins=plugins,
        namespace=client.namespace,
        runtime=client.service_client.config.runtime,
    )
    async with (
        aclosing(_histories(pool, client, checked, at_once)) as histories,
        replayer.workflow_replay_iterator(histories) as results,
    ):
        async for result in results:
            checked.replayed += 1
            told(checked.replayed, max(total, checked.open))
            if result.replay_failure is not None:
                _note_failure(checked, result.history.workflow_id, result.replay_failure)
    told(checked.open, checked.open)
    return checked


def _note_failure(checked: Checked, stream: str, failure: BaseException) -> None:
    if isinstance(failure, NondeterminismError):
        checked.note(stream, Trouble.OTHER_COMMANDS, str(failure)[:500])
    else:
        # The text may repeat a value from the history.
        checked.note(stream, Trouble.NOT_REPLAYED, str(failure).partition(":")[0][:80])


async def _histories(
    pool: asyncpg.Pool, client: Client, checked: Checked, at_once: int
) -> AsyncGenerator[WorkflowHistory]:
    """The histories of all open streams in their order, a few of them fetched ahead."""
    ahead: deque[asyncio.Task[WorkflowHistory | None]] = deque()
    try:
        async for stream in _open(pool):
            ahead.append(asyncio.create_task(_examine(pool, client, checked, stream)))
            if len(ahead) > at_once and (found := await ahead.popleft()) is not None:
                yield found
        while ahead:
            if (found := await ahead.popleft()) is not None:
                yield found
    finally:
        for task in ahead:
            task.cancel()
        await asyncio.gather(*ahead, return_exceptions=True)


async def _open(pool: asyncpg.Pool) -> AsyncGenerator[str]:
    last = ""
    while True:
        async with pool.acquire() as conn:
            page = await open_streams(conn, last, _PAGE)
        for stream in page:
            yield stream
        if not page:
            return
        last = page[-1]


async def _examine(pool: asyncpg.Pool, client: Client, checked: Checked, stream: str) -> WorkflowHistory | None:
    """Fold the stream and fetch the history of its process; None when there is none."""
    checked.open += 1
    async with pool.acquire() as conn:
        try:
            process, state = process_of(stream), await state_of(conn, stream)
            process.plan(state, World())
            process.read_state(process.state.dump_python(state, mode="json"))
            checked.folded += 1
        except _UNREADABLE as error:
            checked.note(stream, Trouble.NOT_FOLDED, type(error).__name__)
    try:
        found = await client.get_workflow_handle(workflow_id(stream)).fetch_history()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        checked.note(stream, Trouble.NO_PROCESS)
        return None
    if found.events and found.events[-1].event_type in _ENDED_BY_FORCE:
        checked.note(stream, Trouble.NO_PROCESS, EventType.Name(found.events[-1].event_type))
        return None
    return found
