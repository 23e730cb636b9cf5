"""The books must agree: events folded = read models = what the workflow holds, and the chain is whole."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle

from domain.notices import Notice
from domain.process import Event, Plan, Start, World
from domain.processes import process_of
from ledger.chain import verify_chain
from ledger.log import Connection, Json, Recorded, history, streams
from ledger.projection import project
from ledger.rows import AwaitedRow, CaseFigureRow, CaseRow, ClockRow, NoticeRow, TaskRow, WishRow
from tests.waiting import eventually
from workflows.ids import STATE

Table = dict[tuple[str, ...], Json]
STREAM = {
    "case_row": "id", "case_figure": "id", "task": "stream", "clock": "stream", "wish": "id", "notice": "stream",
    "awaited": "stream",
}  # fmt: skip
KEYS = {
    "case_row": ("id",), "case_figure": ("id",), "task": ("stream", "id"), "clock": ("stream", "id"), "wish": ("id",),
    "notice": ("id",), "awaited": ("stream",),
}  # fmt: skip
MODELS: dict[str, Any] = {
    "case_row": CaseRow,
    "case_figure": CaseFigureRow,
    "task": TaskRow,
    "clock": ClockRow,
    "wish": WishRow,
    "notice": NoticeRow,
    "awaited": AwaitedRow,
}


class Folded:
    """A stream folded from its events, command by command as they were recorded."""

    def __init__(self, stream: str, events: list[Recorded], times: dict[str, datetime], world: World) -> None:
        self.stream, self.process = stream, process_of(stream)
        self.state: Any = None
        self.plan: Plan | None = None
        self.seq, self.hash = events[-1].seq, events[-1].hash
        self.tables: dict[str, Table] = {name: {} for name in KEYS}
        before: tuple[Any, Plan] | None = None
        told: list[tuple[int, Event, tuple[Notice, ...]]] = []
        for number, event in enumerate(events):
            fact = self.process.read_event(event.body)
            self.state = self.process.evolve(self.state, fact)
            if notices := self.process.notices(self.state, fact):
                told.append((event.seq, fact, notices))
            last = number + 1 == len(events) or events[number + 1].command_id != event.command_id
            if last:
                self.plan = self.process.plan(self.state, world)
                at = times[str(event.command_id)]
                self._keep(project(stream, event.seq, at, before, (self.state, self.plan), told))
                before, told = (self.state, self.plan), []

    def _keep(self, rows: dict[str, list[Json]]) -> None:
        for name, changed in rows.items():
            for row in changed:
                self.tables[name][tuple(str(row[column]) for column in KEYS[name])] = row

    @property
    def state_json(self) -> Json:
        dumped: Json = self.process.state.dump_python(self.state, mode="json")
        return dumped


def _of_one_moment(conn: Connection) -> Any:
    """A transaction in which everything is read as of one moment, for clocks may ring meanwhile."""
    return conn.transaction(isolation="repeatable_read", readonly=True)


async def fold(conn: Connection, stream: str, world: World) -> Folded:
    async with _of_one_moment(conn):
        commands = await conn.fetch("select id, at from command where stream = $1", stream)
        times = {str(row["id"]): row["at"] for row in commands}
        return Folded(stream, await history(conn, stream), times, world)


async def read_models(conn: Connection, stream: str) -> dict[str, Table]:
    """The rows of a stream as the database has them, in the form the projection writes."""
    found: dict[str, Table] = {}
    for name, columns in KEYS.items():
        rows = await conn.fetch(f"select * from {name} where {STREAM[name]} = $1", stream)
        models = [MODELS[name](**row).model_dump(mode="json") for row in rows]
        found[name] = {tuple(str(row[column]) for column in columns): row for row in models}
    return found


async def check_books(
    conn: Connection, client: Client | None, world_of: Callable[[], World], *, only: set[str] | None = None
) -> int:
    """Compare everything with everything for every stream of the database; the answer is how many there are.

    Without a ``client`` the workflows are not asked.
    """
    names = [name for name in await streams(conn) if only is None or name in only]
    for stream in names:
        async with _of_one_moment(conn):
            assert await verify_chain(conn, stream) == []
            folded = await fold(conn, stream, world_of())
            assert await read_models(conn, stream) == folded.tables, stream
        if client is not None:
            await _check_workflow(conn, client, stream, world_of)
    return len(names)


async def _check_workflow(conn: Connection, client: Client, stream: str, world_of: Callable[[], World]) -> None:
    handle = client.get_workflow_handle(stream)

    async def agrees() -> bool:
        # An alarm may be on its way: what is compared is what both say once they stand still.
        folded = await fold(conn, stream, world_of())
        return await _says_the_same(handle, folded)

    await eventually(agrees, f"{stream}: the workflow agrees with the ledger")


async def _says_the_same(handle: WorkflowHandle[Any, Any], folded: Folded) -> bool:
    assert folded.plan is not None
    now = await handle.describe()
    if now.raw_description.HasField("pending_workflow_task"):
        # A query that meets a local activity in a worker without a cache can stop the worker for good (SDK).
        return False
    status = now.status
    if folded.plan.finished:
        return status == WorkflowExecutionStatus.COMPLETED
    assert status == WorkflowExecutionStatus.RUNNING, (folded.stream, status)
    held = await handle.query(STATE, result_type=Start)
    return (held.seq, held.hash, held.state, held.plan) == (
        folded.seq,
        folded.hash,
        folded.state_json,
        folded.plan,
    )
