"""The engine's store is lost, older or reset: every open process goes on from the ledger, and nothing happens twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from console.desk import new_stream
from console.examining import Examination, Found, Kind
from console.rehydrating import Rehydration, Tally
from console.reviving import Begun, Reviver, running_query
from domain.process import ActInput, Envelope, Start
from ledger.acting import act
from ledger.world import Worlds
from runtime.temporal import connect
from runtime.temporal_server import EmbeddedTemporal
from tests.keys import KEYS
from tests.neighbourhood import ACTORS
from tests.refusals import refused
from tests.waiting import eventually
from tests.workflows.departments import Department, at_work, handled
from tests.workflows.office import REGISTRATION, Office, open_office
from workflows.ids import WORKFLOW_TYPES

CASES = 40
STAGES = (None, "whistle", "dispatch", "accept")
COUNTED = ("begun", "running", "needless", "failed")


class Engine:
    """A server of Temporal whose store can be lost."""

    def __init__(self, server: EmbeddedTemporal) -> None:
        self._server = server
        self.address = server.address

    async def lose_everything(self) -> None:
        """Stop it, delete its store, start it again."""
        await self._server.stop()
        for path in self._server.folder.glob("temporal.db*"):
            path.unlink()
        await self._server.start()


@pytest.fixture(scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with EmbeddedTemporal(tmp_path_factory.mktemp("engine"), ui=False) as server:
        yield Engine(server)


@pytest.fixture
async def office(engine: Engine, furnished_database: str, tmp_path: Path) -> AsyncIterator[Office]:
    """An office in real time on an engine of its own; at the end its books must agree."""
    client = await connect(engine.address, keys=KEYS)
    async with open_office(client, furnished_database, tmp_path / "key") as office:
        yield office
        await office.check()
        await _end_everything(office)


async def _end_everything(office: Office) -> None:
    """The next office shares the engine and must find nothing in its lists."""

    async def ended() -> bool:
        running = [each async for each in office.client.list_workflows(running_query())]
        for each in running:
            with suppress(RPCError):
                await office.handle(each.id).terminate()
        return not running

    await eventually(ended, "Temporal lists nothing any more", every=0.2)


def reviver(office: Office) -> Reviver:
    return Reviver(office.client, office.ledger, task_queue=office.task_queue)


async def rehydrated(office: Office, **options: Any) -> tuple[int, ...]:
    """How many workflows were begun, were running, needed nothing, failed."""
    tally = await Rehydration(reviver(office), office.ledger, **options).run()
    return tuple(getattr(tally, name) for name in COUNTED)


async def found(office: Office, *, fix: bool = False, **options: Any) -> list[Found]:
    """What differs between ledger, read models and workflows."""
    owner = office.owner if fix else None
    report = await Examination(office.ledger, reviver(office), owner=owner, **options).run()
    return report.found


async def all_events(office: Office) -> list[tuple[str, int, str]]:
    async with office.ledger.acquire() as conn:
        rows = await conn.fetch("select stream, seq, hash from event order by stream, seq")
    return [tuple(row) for row in rows]


async def is_up(office: Office, stream: str) -> bool:
    try:
        await office.held(stream)
    except RPCError:
        return False
    return True


async def fires_at(office: Office, stream: str) -> list[datetime]:
    """When the timers of the running workflow will fire, counted from the moment the workflow took for now.

    The server counts from when it heard of them, later by as long as the task took.
    """
    events = {event.event_id: event for event in (await office.handle(stream).fetch_history()).events}
    fires = []
    for event in events.values():
        if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED:
            timer = event.timer_started_event_attributes
            task = events[timer.workflow_task_completed_event_id].workflow_task_completed_event_attributes
            now = events[task.started_event_id].event_time.ToDatetime(tzinfo=UTC)
            fires.append(now + timer.start_to_fire_timeout.ToTimedelta())
    return fires


# --- the store is lost ------------------------------------------------------------------------------------------


@pytest.mark.timeout(600)
async def test_forty_open_cases_come_back_with_their_time_right_and_none_twice(engine: Engine, office: Office) -> None:
    async def opened(number: int) -> str:
        stream = await office.register()
        if (until := STAGES[number % len(STAGES)]) is not None:
            await office.walk(stream, until=until)
        return stream

    streams = await asyncio.gather(*(opened(number) for number in range(CASES)))
    over = await office.register()
    await office.do(over, "worker", "withdraw", reason="已自行解决")
    office.forked.add(over)  # Temporal will know nothing of it any more, and nobody misses it
    before = dict(zip(streams, await asyncio.gather(*map(office.held, streams)), strict=True))
    facts = await all_events(office)
    await engine.lose_everything()

    assert await rehydrated(office, dry_run=True) == (CASES, 0, 0, 0)
    assert await rehydrated(office) == (CASES, 0, 0, 0)
    await eventually(lambda: is_up(office, streams[-1]), "the worker has found the new store")
    for stream in streams:
        held = await office.held(stream)
        assert held.model_copy(update={"handed_over": ()}) == before[stream].model_copy(update={"handed_over": ()})
        assert held.plan is not None
        assert held.plan.alarm is not None
        (fires,) = await fires_at(office, stream)
        assert abs(fires - held.plan.alarm) < timedelta(seconds=1)
    assert await rehydrated(office) == (0, CASES, 0, 0)
    assert await rehydrated(office, trusting=True) == (0, CASES, 0, 0)
    assert await found(office, everything=True) == []
    assert await all_events(office) == facts
    assert [await office.runs(stream) for stream in streams] == [1] * CASES
    assert (await office.walk(streams[0]))[-1].stage == "appraised"


async def test_what_fell_due_while_the_workflow_was_missing_happens_once_and_at_once(office: Office) -> None:
    stream, long_ago = new_stream("case"), datetime.now(UTC) - timedelta(days=30)
    given = ActInput(
        process="case",
        stream=stream,
        seq=0,
        hash="",
        at=long_ago,
        command_id=str(uuid4()),
        envelope=Envelope(command_id=str(uuid4()), actor=ACTORS["worker"], command=REGISTRATION),
    )
    assert (await act(office.ledger, Worlds(), given)).refusal is None
    assert await rehydrated(office) == (1, 0, 0, 0)
    (expired,) = await office.until(stream, "clock_expired")
    assert expired.at - long_ago > timedelta(hours=1)
    assert await found(office) == []
    assert (await office.kinds(stream)).count("clock_expired") == 1


async def test_a_department_is_handed_its_open_task_once_more_and_its_answer_counts_once(
    engine: Engine, office: Office
) -> None:
    async with at_work(office, Department(waits=True, report=handled())) as before:
        stream = await office.register()
        await office.walk(stream, until="dispatch")
        await before.began()
        await engine.lose_everything()
    async with at_work(office, Department(waits=True, report=handled())) as after:
        assert await rehydrated(office) == (1, 0, 0, 0)
        await after.began()
        assert await rehydrated(office) == (0, 1, 0, 0)
        after.finish()
        await office.until(stream, "struck_off")
    assert (await office.kinds(stream)).count("struck_off") == 1


async def test_an_act_on_a_case_without_a_workflow_brings_it_back(engine: Engine, office: Office) -> None:
    stream, over = await office.register(), await office.register()
    await office.do(over, "worker", "withdraw", reason="已自行解决")
    office.forked.add(over)  # as above
    await engine.lose_everything()
    command_id = str(uuid4())
    answer = await office.do(stream, "worker", "comment", text="还在", command_id=command_id)
    assert await office.do(stream, "worker", "comment", text="还在", command_id=command_id) == answer
    assert await rehydrated(office) == (0, 1, 0, 0)
    await refused(office.do(over, "worker", "comment", text="还有"), "case.finished")
    await refused(office.do(new_stream("case"), "worker", "comment", text="谁"), "case.unknown")


async def test_a_workflow_that_was_ended_by_hand_is_begun_again(office: Office) -> None:
    stream, other = await office.register(), await office.register()
    for each in (stream, other):
        await office.handle(each).terminate()
    (difference,) = await found(office, only=[stream])
    assert (difference.kind, difference.ledger_seq, difference.fixed) == (Kind.MISSING, 2, False)
    (difference,) = await found(office, only=[stream], fix=True)
    assert (difference.kind, difference.fixed) == (Kind.MISSING, True)
    assert (await office.do(other, "worker", "comment", text="还在")).kinds == ("commented",)


async def test_ten_who_bring_a_case_back_at_once_begin_it_once(office: Office) -> None:
    stream = await office.register()
    await office.handle(stream).terminate()
    begun = await asyncio.gather(*(reviver(office).begin(stream) for _ in range(10)))
    assert Counter(begun) == {Begun.BEGUN: 1, Begun.RUNNING: 9}


async def test_a_run_that_is_stopped_leaves_the_rest_for_the_next(office: Office) -> None:
    streams = [await office.register() for _ in range(6)]
    for stream in streams:
        await office.handle(stream).terminate()
    work: Rehydration

    def tell(tally: Tally) -> None:
        if tally.begun == 2:
            work.stop.set()

    work = Rehydration(reviver(office), office.ledger, parallel=1, tell=tell)
    assert (await work.run()).begun == 2
    assert await rehydrated(office) == (4, 2, 0, 0)


# --- the store is older, or was reset ----------------------------------------------------------------------------


async def reset(office: Office, stream: str, *, task: int) -> None:
    """Reset the workflow to its ``task``-th finished workflow task; what came later is not applied again."""
    events = (await office.handle(stream).fetch_history()).events
    finished = [each for each in events if each.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED]
    await office.client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=office.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=stream),
            reason="test",
            workflow_task_finish_event_id=finished[task].event_id,
            request_id=str(uuid4()),
            reset_reapply_exclude_types=[
                ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL,
                ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE,
            ],
        )
    )


@pytest.mark.parametrize("task", [0, 2], ids=["to its beginning", "to its middle"])
async def test_a_reset_doubles_and_loses_no_event_and_is_reported_and_mended(office: Office, task: int) -> None:
    stream = await office.register()
    for text in ("第一句", "第二句"):
        await office.do(stream, "worker", "comment", text=text)
    await office.walk(stream, until="dispatch")
    facts = await all_events(office)
    await reset(office, stream, task=task)

    (difference,) = await found(office)
    assert (difference.kind, difference.reset, difference.ledger_seq) == (Kind.BEHIND, True, facts[-1][1])
    assert difference.workflow_seq is not None
    assert difference.workflow_seq < facts[-1][1]
    assert await all_events(office) == facts

    (difference,) = await found(office, fix=True)
    assert (difference.kind, difference.fixed) == (Kind.BEHIND, True)
    assert await found(office) == []
    assert await all_events(office) == facts
    assert (await office.walk(stream, after="dispatch"))[-1].stage == "appraised"
    counted = Counter(await office.kinds(stream))
    assert [counted[kind] for kind in ("commented", "whistled", "dispatched", "accepted")] == [2, 1, 1, 1]


async def test_after_a_reset_the_next_act_is_recorded_once_behind_all_that_happened(office: Office) -> None:
    stream = await office.register()
    await office.walk(stream, until="dispatch")
    facts = await all_events(office)
    await reset(office, stream, task=1)
    assert (await office.do(stream, "handler", "accept")).seq_from == facts[-1][1] + 1
    assert (await all_events(office))[: len(facts)] == facts
    assert await found(office) == []


async def test_a_reset_that_brings_a_finished_case_back_to_life_ends_again(office: Office) -> None:
    stream = await office.register()
    await office.do(stream, "worker", "withdraw", reason="已自行解决")
    await office.until_closed(stream)
    facts = await all_events(office)
    await reset(office, stream, task=0)

    async def listed() -> bool:
        return bool(await reviver(office).listed_as_running([stream]))

    await eventually(listed, "Temporal lists the workflow as running")
    (difference,) = await found(office, fix=True)
    assert (difference.kind, difference.fixed) == (Kind.BEHIND, True)
    assert await office.until_closed(stream) == "withdrawn"
    assert await all_events(office) == facts


async def test_to_look_when_nothing_was_missed_changes_nothing(office: Office) -> None:
    stream = await office.register()
    facts, timers = await all_events(office), await fires_at(office, stream)
    for _ in range(3):
        await reviver(office).nudge(stream)

    async def looked() -> bool:
        return (await office.temporal_history(stream))["MARKER_RECORDED"] >= 2

    await eventually(looked, "the workflow has asked the ledger")
    assert await all_events(office) == facts
    assert await fires_at(office, stream) == timers
    assert await found(office) == []


# --- the workflow contradicts the ledger --------------------------------------------------------------------------


async def begin_with(office: Office, stream: str, **changes: Any) -> None:
    """Exchange the workflow for one that believes something else."""
    start = (await office.held(stream)).model_copy(update=changes)
    await office.client.start_workflow(
        WORKFLOW_TYPES["case"],
        start,
        id=stream,
        task_queue=office.task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
    )


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"hash": "0" * 64}, Kind.FORKED, "ledger.forked"),
        ({"seq": 9, "hash": "0" * 64}, Kind.AHEAD, "ledger.gap"),
    ],
    ids=["forked", "ahead"],
)
async def test_a_workflow_that_contradicts_the_ledger_is_refused_reported_and_left_to_people(
    office: Office, changes: dict[str, Any], kind: Kind, code: str
) -> None:
    stream = await office.register()
    facts = await all_events(office)
    await begin_with(office, stream, **changes)
    await refused(office.do(stream, "worker", "comment", text="一句"), code)
    assert [(each.kind, each.fixed) for each in await found(office, fix=True)] == [(kind, False)]
    assert await all_events(office) == facts
    # What only a person may decide: the ledger counts.
    assert await rehydrated(office, only=[stream], replacing=True) == (1, 0, 0, 0)
    assert await found(office) == []
    assert (await office.do(stream, "worker", "comment", text="一句")).seq_from == facts[-1][1] + 1


async def test_a_workflow_with_another_state_or_plan_is_named_and_a_plan_is_renewed(office: Office) -> None:
    stream = await office.register()
    held = await office.held(stream)
    assert held.plan is not None
    assert held.state is not None
    await begin_with(office, stream, plan=held.plan.model_copy(update={"alarm": None}))
    (difference,) = await found(office, fix=True)
    assert (difference.kind, difference.parts, difference.fixed) == (Kind.PLAN, ("alarm",), True)
    assert await fires_at(office, stream) != []
    await begin_with(office, stream, state={**held.state, "title": "另一件"})
    (difference,) = await found(office, fix=True)
    assert (difference.kind, difference.parts, difference.fixed) == (Kind.STATE, ("title",), False)
    await reviver(office).replace(stream)


async def test_a_workflow_of_which_the_ledger_knows_nothing_is_reported(office: Office) -> None:
    known, unknown = await office.register(), new_stream("case")
    held = await office.held(known)
    await office.client.start_workflow(
        WORKFLOW_TYPES["case"], held.model_copy(update={"stream": unknown}), id=unknown, task_queue=office.task_queue
    )

    async def listed() -> bool:
        return bool(await reviver(office).listed_as_running([unknown]))

    await eventually(listed, "Temporal lists the workflow as running")
    (difference,) = await found(office, fix=True)
    assert (difference.stream, difference.kind, difference.fixed) == (unknown, Kind.UNKNOWN, False)
    await office.handle(unknown).terminate()


async def test_a_workflow_that_nobody_works_for_is_reported_as_silent(office: Office) -> None:
    stream = await office.register()
    held = await office.held(stream)
    await office.client.start_workflow(
        WORKFLOW_TYPES["case"],
        Start.model_validate(held.model_dump()),
        id=stream,
        task_queue=f"nobody-{uuid4().hex}",
        id_conflict_policy=WorkflowIDConflictPolicy.TERMINATE_EXISTING,
    )
    (difference,) = await found(office)
    assert (difference.kind, difference.fixed) == (Kind.SILENT, False)
    await reviver(office).replace(stream)
    described = await office.handle(stream).describe()
    assert described.status is WorkflowExecutionStatus.RUNNING


# --- the read models ---------------------------------------------------------------------------------------------


async def test_rows_that_are_not_what_the_log_says_are_named_and_rebuilt(office: Office) -> None:
    hidden, wrong, stray = await office.register(), await office.register(), new_stream("case")
    async with office.owner.acquire() as conn:
        await conn.execute("update case_row set title = '另一件', finished = true where id = $1", hidden)
        await conn.execute("delete from task where stream = $1", wrong)
        await conn.execute("delete from case_row where id = $1", wrong)
        await conn.execute("update clock set stream = $1 where stream = $2", stray, wrong)

    async def listed() -> bool:
        return len(await reviver(office).listed_as_running([hidden, wrong])) == 2

    await eventually(listed, "Temporal lists both workflows as running")
    named = await found(office)
    assert {(each.stream, each.kind, each.table) for each in named} >= {
        (hidden, Kind.ROW_DIFFERS, "case_row"),
        (wrong, Kind.ROW_MISSING, "case_row"),
        (wrong, Kind.ROW_MISSING, "task"),
        (wrong, Kind.ROW_MISSING, "clock"),
    }
    (row,) = [each for each in named if each.stream == hidden]
    assert row.columns == ("title", "finished")
    mended = await found(office, everything=True, fix=True)
    assert (stray, Kind.ROW_SURPLUS, "clock") in {(each.stream, each.kind, each.table) for each in mended}
    assert all(each.fixed for each in mended)
    assert await found(office, everything=True) == []
