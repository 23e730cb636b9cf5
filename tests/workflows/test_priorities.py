"""What is pressing goes first, and departments that share a queue take turns: the real matching service decides."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio import activity
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.worker import Worker

from domain.process import HAND_OVER, HandOver, HandOverResult, Report
from ledger.registry import load_registry
from runtime.settings import Settings
from runtime.temporal import connect
from runtime.temporal_server import EmbeddedTemporal
from tests.keys import KEYS
from tests.neighbourhood import LEAD, OTHER, REGISTRY, raw_registry
from tests.waiting import eventually
from tests.workflows.office import Office, open_office
from worker import make_worker
from workflows.ids import turn_of

WORKFLOWS, ACTIVITIES = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY


@pytest.fixture
async def plain_office(
    forgetful_server: EmbeddedTemporal, furnished_database: str, tmp_path: Path
) -> AsyncIterator[Office]:
    """An office in real time, on a server with the queues of ``bihuan up``."""
    client = await connect(forgetful_server.address, keys=KEYS, sandboxed=True)
    async with open_office(client, furnished_database, tmp_path / "key") as office:
        yield office


async def until_waiting(office: Office, queue: str, kind: "TaskQueueType.ValueType", count: int) -> None:
    """Wait until so many tasks lie in the queue."""

    async def waiting() -> bool:
        request = DescribeTaskQueueRequest(
            namespace=office.client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind, report_stats=True
        )
        answer = await office.client.workflow_service.describe_task_queue(request)
        return answer.stats.approximate_backlog_count >= count

    await eventually(waiting, f"{count} tasks wait in {queue}")


async def grade(office: Office, stream: str) -> int:
    """Where Temporal has the work of the stream; 0 is not said."""
    info = (await office.handle(stream).describe()).raw_description.workflow_execution_info
    return info.priority.priority_key


async def test_a_pressing_request_overtakes_those_that_wait(plain_office: Office) -> None:
    office, queue = plain_office, f"crowded-{uuid4().hex[:8]}"
    office.task_queue = queue
    office.desk = office.another_desk()
    openings = []
    for waiting, urgency in enumerate(["general"] * 3 + ["complex"] * 2 + ["livelihood", "emergency"], start=1):
        openings.append(asyncio.create_task(office.register(urgency=urgency)))
        await until_waiting(office, queue, WORKFLOWS, waiting)

    settings = Settings(max_cached_workflows=100, workflow_pollers=2, workflow_slots=2)
    async with make_worker(office.client, office.ledger, settings, task_queue=queue):
        streams = await asyncio.gather(*openings)

        async with office.owner.acquire() as conn:
            rows = await conn.fetch("select stream from event where seq = 1 order by tx")
        order = [streams.index(row["stream"]) for row in rows]
        # Two are worked on at once: which of them is recorded first, nobody promises.
        assert set(order[:2]) == {5, 6}
        await office.check()


async def test_a_request_that_becomes_pressing_is_treated_as_pressing_from_then_on(plain_office: Office) -> None:
    office = plain_office
    stream = await office.register()
    assert await grade(office, stream) == 3

    await office.do(stream, "community", "correct", reason="有人受伤", urgency="emergency")
    assert await grade(office, stream) == 1

    wish = await office.publish()
    assert await grade(office, wish) == 4


async def test_departments_that_share_a_queue_take_turns(plain_office: Office) -> None:
    office, queue, seen = plain_office, f"shared-{uuid4().hex[:8]}", list[str | None]()

    @activity.defn(name=HAND_OVER)
    async def hand_over(handed: HandOver) -> Report:
        seen.append(handed.task.organisation)
        return Report(result=HandOverResult.DELIVERED)

    systems = {LEAD: {"queue": queue}, OTHER: {"queue": queue}}
    units = [unit | systems.get(unit["code"], {}) for unit in REGISTRY["organisations"]]
    async with office.owner.acquire() as conn:
        await load_registry(conn, raw_registry(organisations=units), "test")
    await office.learn()
    for lead in (LEAD, LEAD, LEAD, LEAD, OTHER):
        stream = await office.register()
        await office.do(stream, "community", "whistle", reason="reflected", departments=[lead], approver="approver")
        await office.do(stream, "dispatcher", "dispatch", lead=lead)
    await until_waiting(office, queue, ACTIVITIES, 5)

    async with Worker(office.client, task_queue=queue, activities=[hand_over], max_concurrent_activities=1):

        async def all_seen() -> bool:
            return len(seen) == 5

        await eventually(all_seen, "every task has arrived")

    assert seen.index(OTHER) <= 1, "one department's flood must not keep the other waiting"


@pytest.mark.parametrize("code", ["D01", "城市管理和综合行政执法局环境卫生科第一作业队负责人窗口"])
def test_a_turn_is_named_by_what_temporal_takes(code: str) -> None:
    named = turn_of(code).fairness_key
    assert named is not None
    assert 0 < len(named.encode()) <= 64
    assert turn_of(code) == turn_of(code) != turn_of(code + "二")
    assert turn_of(code).priority_key is None, "the grade is that of the case"
