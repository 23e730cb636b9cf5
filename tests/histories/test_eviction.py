"""What leaves a worker's cache leaves nothing behind, whether the workflow had ended or not."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from runtime.plugin import bihuan_plugin
from tests.histories.test_replay import history
from tests.keys import KEYS
from workflows.hosted import HOSTED

HERE = Path(__file__).parent


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Cycles stay until the end of the test."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def _alive() -> int:
    return sum(type(each) in HOSTED for each in gc.get_objects())


def _begun(whole: WorkflowHistory) -> WorkflowHistory:
    """The history up to its fourth completed task: the workflow waits for what comes next."""
    completed = [
        number
        for number, event in enumerate(whole.events)
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
    ]
    return WorkflowHistory(whole.workflow_id, whole.events[: completed[3] + 1])


@pytest.mark.parametrize("name", ["encrypted_loop", "helpers_and_return", "wish_thanked"])
@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.usefixtures("uncollected")
async def test_an_evicted_workflow_needs_no_collector(name: str, ended: bool) -> None:
    whole = history(HERE / f"{name}.json")
    replayer = Replayer(workflows=HOSTED, plugins=[bihuan_plugin(KEYS)])

    await replayer.replay_workflow(whole if ended else _begun(whole))

    assert _alive() == 0
