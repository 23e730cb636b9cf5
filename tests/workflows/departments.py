"""Departments with systems of their own, as small as they can be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from domain.process import HAND_OVER, HandOver, HandOverResult, Report
from tests.neighbourhood import AFTER, LEAD, OTHER
from tests.workflows.office import WORKLOAD, Office

SOON = timedelta(milliseconds=100)


def handled(person: str = "handler", **changes: Any) -> Report:
    """The report that a task is done."""
    fields = {"measures": "系统派工完成", "workload": WORKLOAD, "evidence": [AFTER], **changes}
    return Report(result=HandOverResult.HANDLED, person=person, fields=fields)


def returned() -> Report:
    """The report that a task is not the department's."""
    fields: dict[str, Any] = {"reason": "不属我部门", "legal_basis": "职责清单第三条", "proposed": OTHER}
    return Report(result=HandOverResult.RETURNED, person="handler", fields=fields)


class Department:
    """A department's system: gives its reports one after the other, the last one again and again.

    ``fails`` is how often it breaks down first; it ``waits`` for ``finish`` where it is told to.
    """

    def __init__(self, *reports: Report, report: Report | None = None, waits: bool = False, fails: int = 0) -> None:
        self.reports = list(reports) if reports else [report or handled()]
        self.waits, self.fails = waits, fails
        self.seen: list[HandOver] = []
        self.cancelled = asyncio.Event()
        self._begun, self._finish = asyncio.Event(), asyncio.Event()

    @activity.defn(name=HAND_OVER)
    async def hand_over(self, handed: HandOver) -> Report:
        """Work on one task."""
        self.seen.append(handed)
        self._begun.set()
        if self.fails:
            self.fails -= 1
            raise RuntimeError("the system is down")
        try:
            while self.waits and not self._finish.is_set():
                activity.heartbeat("under way")
                await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return self.reports.pop(0) if len(self.reports) > 1 else self.reports[0]

    async def began(self) -> None:
        """Wait until a task has arrived."""
        await asyncio.wait_for(self._begun.wait(), 60)

    def finish(self) -> None:
        """Let a waiting task end."""
        self._finish.set()


class BrokenDepartment(Department):
    """A department whose system refuses for good whatever it is given."""

    @activity.defn(name=HAND_OVER)
    async def hand_over(self, handed: HandOver) -> Report:
        """Refuse the task as a program does, not as a department may."""
        self.seen.append(handed)
        raise ApplicationError("no such form", non_retryable=True)


@asynccontextmanager
async def at_work(office: Office, department: Department, *, code: str = LEAD) -> AsyncIterator[Department]:
    """The department's system on its own queue, entered in the registry of the office."""
    queue = f"department.{code}-{uuid4().hex[:8]}"
    await office.give_system(queue, department=code)
    async with Worker(
        office.client,
        task_queue=queue,
        activities=[department.hand_over],
        default_heartbeat_throttle_interval=SOON,
        max_heartbeat_throttle_interval=SOON,
    ):
        yield department
