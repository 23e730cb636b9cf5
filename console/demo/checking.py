"""Did every request end as its path says? Asked of the ledger, the read models and the workflow, never of the script.

Owns the comparison. A request is as scripted when the fold of its events, its rows and the memory of its workflow are
one and the same state, and that state is the ending of its path.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import asyncpg
from temporalio.client import Client

from console.demo.paths import PATHS, Path
from console.demo.people import Matter
from domain.base import Frozen, Recalled
from domain.process import Plan, Start, World
from domain.processes import process_of
from ledger.log import Recorded, history
from ledger.projection import project
from ledger.queries import clocks_of, one_case, one_wish, open_tasks_of
from ledger.world import read_world
from workflows.ids import STATE, workflow_id

_END_PATIENCE = timedelta(seconds=15)


class Verdict(Frozen):
    """What became of one request; ``deviations`` say in words where it left its path, empty when it did not."""

    id: str
    path: str
    stage: str
    events: int
    history_events: int
    as_scripted: bool
    refusals: tuple[str, ...] = ()
    deviations: tuple[str, ...] = ()


class Checker:
    """Judges requests one by one, with one view of the registry and the rule books."""

    def __init__(self, client: Client, pool: asyncpg.Pool) -> None:
        self._client = client
        self._pool = pool
        self._world: World | None = None

    async def judge(self, matter: Matter, failure: str | None) -> Verdict:
        """The verdict on ``matter``; ``failure`` is what stopped its script, None when it came to its end."""
        path, process = PATHS[matter.path], process_of(matter.id)
        async with self._pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            world = await self._known_world(conn)
            events = await history(conn, matter.id)
            state: Any = None
            for event in events:
                state = process.evolve(state, process.read_event(event.body))
            if state is None:
                return _verdict(matter, "-", 0, 0, [failure or "未登记 / never registered"])
            plan = process.plan(state, world)
            deviations = [failure] if failure else []
            deviations += await _rows_that_differ(conn, matter.id, events, state, plan)
        deviations += await self._memory_that_differs(matter.id, events[-1], state, plan)
        deviations += _other_endings(path, matter, events, process.state.dump_python(state, mode="json"))
        described = await self._client.get_workflow_handle(workflow_id(matter.id)).describe()
        return _verdict(matter, plan.stage, len(events), described.history_length, deviations)

    async def _known_world(self, conn: Any) -> World:
        if self._world is None:
            self._world = await read_world(conn)
        return self._world

    async def _memory_that_differs(self, stream: str, last: Recorded, state: Any, plan: Plan) -> list[str]:
        """What the workflow remembers otherwise than the ledger; it must also have ended when its plan is finished."""
        handle = self._client.get_workflow_handle(workflow_id(stream))
        found = []
        if plan.finished:
            try:
                await asyncio.wait_for(handle.result(), _END_PATIENCE.total_seconds())
            except TimeoutError:
                found.append("工作流没有结束 / the workflow has not ended")
        held = await handle.query(STATE, result_type=Start)
        memory = process_of(stream).state
        remembered = None if held.state is None else memory.validate_python(held.state)
        if (held.seq, held.hash) != (last.seq, last.hash):
            found.append(
                f"工作流停在第 {held.seq} 条，账本在第 {last.seq} 条 / workflow and ledger at different events"
            )
        if remembered != state:
            differing = _keys(dict(remembered or {}), dict(state))
            found.append(f"工作流与账本不一致：{differing} / workflow ≠ ledger")
        if held.plan is None or held.plan.model_dump() != plan.model_dump():
            found.append("工作流的计划与账本推出的不一致 / the workflow's plan ≠ the ledger's")
        return found


def _verdict(matter: Matter, stage: str, events: int, history_events: int, deviations: list[str]) -> Verdict:
    return Verdict(
        id=matter.id,
        path=matter.path,
        stage=stage,
        events=events,
        history_events=history_events,
        as_scripted=not deviations,
        refusals=tuple(matter.refusals),
        deviations=tuple(deviations),
    )


async def _rows_that_differ(conn: Any, stream: str, events: list[Recorded], state: Any, plan: Plan) -> list[str]:
    """Where the read models say otherwise than the fold of the events."""
    folded = project(stream, events[-1].seq, events[-1].at, None, (state, plan))
    row = await (one_case(conn, stream) if stream.startswith("case-") else one_wish(conn, stream))
    tables: dict[str, Sequence[Recalled]] = {
        "case_row" if "case_row" in folded else "wish": [] if row is None else [row],
        "task": await open_tasks_of(conn, stream),
        "clock": await clocks_of(conn, stream),
    }
    found = []
    for table, rows in tables.items():
        kept = {str(each["id"]): each for each in (row.model_dump(mode="json") for row in rows)}
        wanted = {str(each["id"]): each for each in folded.get(table, [])}
        if kept != wanted:
            where = [_keys(kept.get(name, {}), wanted.get(name, {})) for name in sorted({*kept, *wanted})]
            found.append(f"查询表 {table} 与账本不一致：{'; '.join(filter(None, where))} / read model ≠ ledger")
    return found


def _keys(one: dict[str, Any], other: dict[str, Any]) -> str:
    return ", ".join(sorted(key for key in {*one, *other} if one.get(key) != other.get(key)))


def _other_endings(path: Path, matter: Matter, events: list[Recorded], state: dict[str, Any]) -> Iterator[str]:
    """Where the ending is not that of the path."""
    if state["stage"] != path.ends:
        yield f"stage = {state['stage']} ≠ {path.ends}"
    for name, value in path.holds.items():
        if state[name] != value:
            yield f"{name} = {state[name]} ≠ {value}"
    counted = Counter(event.kind for event in events)
    for kind, number in path.facts.items():
        if counted[kind] != number:
            yield f"{kind} × {counted[kind]} ≠ {number}"
    if tuple(matter.refusals) != path.refusals:
        yield f"拒绝 / refusals: {', '.join(matter.refusals)} ≠ {', '.join(path.refusals)}"
