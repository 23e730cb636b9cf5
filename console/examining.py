"""Examining: does the ledger agree with its read models and with what the workflows themselves report?

Owns the comparison, the names of what can differ, and which of it heals by a step forward. Must not write events: a
remedy rebuilds rows, begins a workflow that is missing, or lets one that is behind ask the ledger. A workflow that
contradicts the ledger is only reported; the ledger refuses every act of it.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import partial
from typing import Any

import asyncpg
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError, RPCStatusCode

from console.pacing import abreast, patiently
from console.reviving import Reviver, running_query
from domain.base import Frozen
from domain.process import Start
from ledger.log import Connection, streams
from ledger.rebuild import differences, rebuild, stray_streams
from ledger.resuming import Standing, count_open, open_streams, streams_without_rows, unseen_among
from workflows.ids import STATE, workflow_id

PARALLEL = 8
"""How many streams are examined at once."""

_PAGE = 200
_KEPT = 1000
_PATIENCE = timedelta(seconds=5)
"""How long a workflow may take to say what it holds."""
_LOOKS, _APART = 4, 0.4
"""How often, and how far apart, a stream is looked at before a difference counts: acts may be under way."""
_HEALED_WITHIN = 15.0
_SILENT_ENOUGH = 20
"""After so many in a row that say nothing there is no worker, and waiting for each of thousands helps nobody."""


class Kind(StrEnum):
    """What can differ."""

    ROW_MISSING = "row.missing"
    """The log has it, the read model has not."""
    ROW_SURPLUS = "row.surplus"
    """The read model has it, the log has not."""
    ROW_DIFFERS = "row.differs"
    """The row is not what the log says."""
    MISSING = "workflow.missing"
    """The ledger says open, and no workflow runs."""
    BEHIND = "workflow.behind"
    """The workflow stands at an earlier event of the very same history: answers lost, store older, or a reset."""
    PLAN = "workflow.plan"
    """The workflow knows all events and follows another plan than today's rules and registry give."""
    STATE = "workflow.state"
    """The workflow knows all events and has made something else of them."""
    AHEAD = "workflow.ahead"
    """The workflow knows events that the ledger has not: the ledger has lost them, or is an older copy."""
    FORKED = "workflow.forked"
    """The workflow's last event is not the ledger's event of that number."""
    UNKNOWN = "workflow.unknown"
    """A workflow with events runs, and the ledger does not know the stream."""
    SILENT = "workflow.silent"
    """The workflow runs and does not say what it holds."""


HEALING = frozenset({Kind.ROW_MISSING, Kind.ROW_SURPLUS, Kind.ROW_DIFFERS, Kind.MISSING, Kind.BEHIND, Kind.PLAN})
"""What heals by a step forward."""

_ROWS = {"missing": Kind.ROW_MISSING, "too_many": Kind.ROW_SURPLUS, "differs": Kind.ROW_DIFFERS}


class Found(Frozen):
    """One difference of one stream.

    For rows ``table``, ``key`` and ``columns`` say where; for workflows ``ledger_seq`` and ``workflow_seq`` which
    event each stands at, ``parts`` what of the state or plan differs, and ``reset`` whether its run comes from a reset.
    ``fixed`` says that it is gone after the remedy.
    """

    stream: str
    kind: Kind
    table: str = ""
    key: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    ledger_seq: int | None = None
    workflow_seq: int | None = None
    parts: tuple[str, ...] = ()
    reset: bool = False
    fixed: bool = False


@dataclass
class Report:
    """What an examination has found: the first differences, how many of each kind remain, and how many are mended.

    ``asked`` is how many workflows said what they hold; ``total`` how many streams there were when it began.
    """

    total: int = 0
    streams: int = 0
    asked: int = 0
    fixed: int = 0
    remaining: Counter[Kind] = field(default_factory=Counter)
    found: list[Found] = field(default_factory=list)

    @property
    def agrees(self) -> bool:
        """Whether nothing differs any more."""
        return not self.remaining.total()

    def keep(self, found: Found) -> None:
        """Count a difference and keep the first ones."""
        if found.fixed:
            self.fixed += 1
        else:
            self.remaining[found.kind] += 1
        if len(self.found) < _KEPT:
            self.found.append(found)


Tell = Callable[[Report], None]

_Read = Callable[[Connection, str, int], Awaitable[list[str]]]
_WHOLE_LEDGER: tuple[_Read, ...] = (streams, stray_streams)
_OPEN_LEDGER: tuple[_Read, ...] = (open_streams, streams_without_rows)


@dataclass(frozen=True)
class _Look:
    """One look at one stream."""

    differences: tuple[Found, ...]
    asked: bool


class Examination:
    """One examination; ``stop`` ends it early, ``tell`` hears of every stream.

    Without a ``reviver`` the workflows are left out. ``everything`` looks at finished streams too, otherwise at the
    open ones and at those whose workflow runs all the same. ``only`` names the streams instead. With ``owner``, a
    pool as the owner of the tables, what heals by a step forward is healed and looked at again.
    """

    def __init__(
        self,
        pool: asyncpg.Pool,
        reviver: Reviver | None,
        *,
        owner: asyncpg.Pool | None = None,
        only: list[str] | None = None,
        everything: bool = False,
        parallel: int = PARALLEL,
        tell: Tell = lambda _report: None,
    ) -> None:
        self._pool, self._reviver, self._owner = pool, reviver, owner
        self._only, self._everything, self._parallel = only, everything, parallel
        self._tell = tell
        self._turning = asyncio.Lock()
        self._silent = 0
        self.stop = asyncio.Event()
        self.report = Report()

    async def run(self) -> Report:
        """Examine everything that is asked for, page by page.

        Raises ``Pending`` when a server stays away for longer than ``console.pacing.PATIENCE``.
        """
        async with self._pool.acquire() as conn:
            if self._only is not None:
                self.report.total = len(self._only)
            elif self._everything:
                self.report.total = await conn.fetchval("select count(distinct stream) from event")
            else:
                self.report.total = await count_open(conn)
        self._tell(self.report)
        waiting = self._streams()

        async def work() -> None:
            while not self.stop.is_set() and (stream := await self._next(waiting)) is not None:
                await self._examine(stream)

        await abreast(work, self._parallel, self.stop)
        return self.report

    async def _next(self, waiting: AsyncIterator[str]) -> str | None:
        async with self._turning:
            return await anext(waiting, None)

    async def _streams(self) -> AsyncIterator[str]:
        """The names to look at: of the ledger first, then of workflows that run though the ledger says no."""
        if self._only is not None:
            for stream in self._only:
                yield stream
            return
        async for stream in self._of_ledger():
            yield stream
        if self._reviver is not None:
            async for stream in self._running_all_the_same(self._reviver):
                yield stream

    async def _of_ledger(self) -> AsyncIterator[str]:
        for read in _WHOLE_LEDGER if self._everything else _OPEN_LEDGER:
            after = ""
            while True:
                async with self._pool.acquire() as conn:
                    page = await read(conn, after, _PAGE)
                if not page:
                    break
                for stream in page:
                    yield stream
                after = page[-1]

    async def _running_all_the_same(self, reviver: Reviver) -> AsyncIterator[str]:
        page: list[str] = []
        async for each in reviver.client.list_workflows(running_query(), page_size=_PAGE):
            page.append(each.id)
            if len(page) == _PAGE:
                for stream in await self._unseen(page):
                    yield stream
                page = []
        for stream in await self._unseen(page):
            yield stream

    async def _unseen(self, page: list[str]) -> list[str]:
        async with self._pool.acquire() as conn:
            return await unseen_among(conn, page, everything=self._everything)

    # --- one stream ---------------------------------------------------------------------------------------------

    async def _examine(self, stream: str) -> None:
        look = await self._settled(stream)
        self.report.asked += look.asked
        remaining = look.differences
        if self._owner is not None and any(each.kind in HEALING for each in remaining):
            await self._heal(self._owner, stream, {each.kind for each in remaining})
            remaining = (await self._settled(stream, within=_HEALED_WITHIN)).differences
            gone = [each for each in look.differences if _place(each) not in {_place(left) for left in remaining}]
            for each in gone:
                self.report.keep(each.model_copy(update={"fixed": True}))
        for each in remaining:
            self.report.keep(each)
        self.report.streams += 1
        self.report.total = max(self.report.total, self.report.streams)
        self._tell(self.report)

    async def _settled(self, stream: str, *, within: float = _LOOKS * _APART) -> _Look:
        """Look until nothing differs, or until a difference has stood for long enough not to be an act under way."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        while True:
            look = await patiently(partial(self._look, stream))
            if not look.differences or loop.time() > deadline or all(_stands(each) for each in look.differences):
                return look
            await asyncio.sleep(_APART)

    async def _look(self, stream: str) -> _Look:
        # The workflow first: what it knows the ledger has had before.
        held = await self._held(self._reviver, stream) if self._reviver is not None else None
        async with (
            self._pool.acquire() as conn,
            # One snapshot for rows and log: the stream may be growing.
            conn.transaction(isolation="repeatable_read", readonly=True),
        ):
            rows = [
                Found(stream=stream, kind=_ROWS[each.what], table=each.table, key=each.key, columns=each.columns)
                for each in await differences(conn, stream)
            ]
        if held is None or self._reviver is None:
            return _Look(tuple(rows), asked=False)
        standing = await self._reviver.standing(stream)
        told = _compare(stream, standing, held)
        return _Look((*rows, *told), asked=held.start is not None)

    async def _held(self, reviver: Reviver, stream: str) -> "_Held":
        handle = reviver.client.get_workflow_handle(workflow_id(stream))
        try:
            described = await handle.describe()
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND:
                return _Held(runs=False)
            raise
        reset = described.raw_description.workflow_extended_info.HasField("last_reset_time")
        if described.status is not WorkflowExecutionStatus.RUNNING:
            return _Held(runs=False, reset=reset)
        return _Held(runs=True, reset=reset, start=await self._told(handle))

    async def _told(self, handle: WorkflowHandle[Any, Any]) -> Start | None:
        """What the workflow says of itself; None when it does not say it: no worker, or it cannot go on."""
        if self._silent >= _SILENT_ENOUGH:
            return None
        try:
            start: Start = await handle.query(STATE, result_type=Start, rpc_timeout=_PATIENCE)
        except WorkflowQueryFailedError:
            return None
        except RPCError as error:
            if error.status in (RPCStatusCode.UNAVAILABLE, RPCStatusCode.RESOURCE_EXHAUSTED):
                raise
            self._silent += 1
            return None
        self._silent = 0
        return start

    async def _heal(self, owner: asyncpg.Pool, stream: str, kinds: set[Kind]) -> None:
        if kinds & set(_ROWS.values()):
            async with owner.acquire() as conn:
                await rebuild(conn, stream=stream)
        if self._reviver is None:
            return
        if Kind.MISSING in kinds:
            await patiently(partial(self._reviver.begin, stream))
        elif kinds & {Kind.BEHIND, Kind.PLAN}:
            await patiently(partial(self._reviver.nudge, stream))


@dataclass(frozen=True)
class _Held:
    """What Temporal says of a workflow, and what the workflow says of itself when it answers."""

    runs: bool
    reset: bool = False
    start: Start | None = None


def _compare(stream: str, standing: Standing | None, held: _Held) -> list[Found]:
    if not held.runs:
        is_missing = standing is not None and standing.is_open
        return [_found(stream, Kind.MISSING, standing, held)] if is_missing else []
    start = held.start
    if start is None:
        return [_found(stream, Kind.SILENT, standing, held)]
    if standing is None:
        # One that knows nothing either waits for its opening, and ends by itself when none comes.
        return [_found(stream, Kind.UNKNOWN, standing, held)] if start.seq else []
    if start.seq > standing.seq:
        return [_found(stream, Kind.AHEAD, standing, held)]
    if not standing.holds(start.seq, start.hash):
        return [_found(stream, Kind.FORKED, standing, held)]
    if start.seq < standing.seq:
        return [_found(stream, Kind.BEHIND, standing, held)]
    expected = standing.as_start()
    if start.state != expected.state:
        parts = tuple(sorted(_parts(start.state or {}, expected.state or {})))
        return [_found(stream, Kind.STATE, standing, held, parts)]
    if parts := _plan_parts(start, standing):
        return [_found(stream, Kind.PLAN, standing, held, parts)]
    return []


def _found(stream: str, kind: Kind, standing: Standing | None, held: _Held, parts: tuple[str, ...] = ()) -> Found:
    return Found(
        stream=stream,
        kind=kind,
        ledger_seq=standing.seq if standing is not None else 0,
        workflow_seq=held.start.seq if held.start is not None else None,
        parts=parts,
        reset=held.reset,
    )


def _parts(held: Mapping[str, object], folded: Mapping[str, object]) -> set[str]:
    return {name for name in held.keys() | folded.keys() if held.get(name) != folded.get(name)}


def _plan_parts(start: Start, standing: Standing) -> tuple[str, ...]:
    """What of the plan differs that a workflow acts by: its alarm, its tasks, its stage, whether it is over."""
    plan, today = start.plan, standing.plan
    if plan is None:
        return ("plan",)
    pairs = {
        "alarm": (plan.alarm, today.alarm),
        "tasks": ({task.id for task in plan.tasks}, {task.id for task in today.tasks}),
        "stage": (plan.stage, today.stage),
        "finished": (plan.finished, today.finished),
    }
    return tuple(name for name, (old, new) in pairs.items() if old != new)


def _stands(found: Found) -> bool:
    """Whether a second look could not show anything else: only a workflow under way changes what it was compared by."""
    return found.kind not in (Kind.MISSING, Kind.BEHIND, Kind.PLAN)


def _place(found: Found) -> tuple[object, ...]:
    """What makes two findings the same difference: where, not how much."""
    if found.table:
        return ("row", found.table, found.key)
    return ("workflow",)
