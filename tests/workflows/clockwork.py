"""Virtual time: the one place of the tests that knows Temporal's experimental time skipping."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment


class Clockwork:
    """Moves the clock of single workflows; without a move, time runs as it does outside."""

    def __init__(self, environment: WorkflowEnvironment) -> None:
        self._environment = environment

    @property
    def client(self) -> Client:
        return self._environment.client

    @contextmanager
    def by_hand(self) -> Iterator[None]:
        """Workflows started inside wait for ``forward`` instead of skipping to their next timer by themselves."""
        with self._environment.with_time_skipping_disabled():
            yield

    async def forward(self, workflow_id: str, duration: timedelta) -> bool:
        """Move the clock; every timer on the way fires in its order. False when the workflow ended before that."""
        return await self._environment.fast_forward(self.client.get_workflow_handle(workflow_id), duration)

    async def now(self, workflow_id: str) -> datetime:
        """What time it is for the workflow, in UTC."""
        return await self._environment.get_current_time(self.client.get_workflow_handle(workflow_id))
