"""The stock hand-over: the task into the department's inbox.

The task already lies in the ledger's ``task`` table, written by the act that opened it; what is left to do is to
make sure of it and to say so. People then finish the task at the console.
"""

import asyncpg
from structlog.contextvars import bound_contextvars
from temporalio import activity

from domain.process import HAND_OVER, HandOver, HandOverResult, Report
from ledger.queries import open_tasks_of
from runtime.logging import get_logger

_log = get_logger(__name__)


class Inbox:
    """Hands tasks over to departments without a system of their own, and takes those no system picked up."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    @activity.defn(name=HAND_OVER)
    async def hand_over(self, handed: HandOver) -> Report:
        """Confirm that the task lies open in the department's inbox; answers ``delivered``.

        A task that was closed in the meantime needs no inbox either. Raises, to be tried again, when the ledger
        cannot be read.
        """
        with bound_contextvars(workflow_id=handed.stream):
            async with self._pool.acquire() as conn:
                waiting = {task.id for task in await open_tasks_of(conn, handed.stream)}
            _log.info("task_delivered", stream=handed.stream, task=handed.task.id, waiting=handed.task.id in waiting)
        return Report(result=HandOverResult.DELIVERED)
