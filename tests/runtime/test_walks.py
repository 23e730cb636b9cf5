"""The library walks through the payloads of a task where a codec or a store of payloads is to see them, only there."""

from collections.abc import Sequence
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.bridge import worker as bridge
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import DataConverter, PayloadCodec

from runtime.walks import WALKS, leave_out_walks


class Marking(PayloadCodec):
    """Marks what it has seen."""

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload(data=b"encoded " + each.data) for each in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [Payload(data=b"decoded " + each.data) for each in payloads]


def begun() -> WorkflowActivation:
    task = WorkflowActivation()
    task.jobs.add().initialize_workflow.arguments.add(data=b"word")
    return task


def ended() -> WorkflowActivationCompletion:
    task = WorkflowActivationCompletion()
    task.successful.commands.add().complete_workflow_execution.result.data = b"word"
    return task


def told(task: Any) -> bytes:
    """The payload of a task from above."""
    if isinstance(task, WorkflowActivation):
        return bytes(task.jobs[0].initialize_workflow.arguments[0].data)
    return bytes(task.successful.commands[0].complete_workflow_execution.result.data)


async def walk(name: str, task: Any, converter: DataConverter) -> Any:
    options = {"decode_activation": ("decode_headers",), "encode_completion": ("encode_headers",)}[name]
    return await getattr(bridge, name)(task, converter, **dict.fromkeys(options, True), storage_concurrency_limit=1)


@pytest.mark.parametrize("name", WALKS)
async def test_the_library_has_the_walks_that_are_left_out(name: str) -> None:
    """A release that calls them otherwise would walk again, at a tenth of a worker's time."""
    leave_out_walks()
    replaced = getattr(bridge, name)
    leave_out_walks()

    assert getattr(bridge, name) is replaced
    assert type(replaced).__module__ == "runtime.walks"


@pytest.mark.parametrize(("name", "make"), [(WALKS[0], begun), (WALKS[1], ended)])
async def test_without_a_codec_nothing_is_walked_through(name: str, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out_walks()
    visited: list[Any] = []

    async def visit(_self: Any, _functions: Any, task: Any) -> None:
        visited.append(task)

    monkeypatch.setattr("temporalio.bridge.worker.CommandAwarePayloadVisitor.visit", visit)
    moved = await walk(name, make(), DataConverter())

    assert moved.payload_count == 0
    assert all(each == type(each)() for each in visited), "a task was walked through"


@pytest.mark.parametrize(
    ("name", "make", "seen"), [(WALKS[0], begun, b"decoded word"), (WALKS[1], ended, b"encoded word")]
)
async def test_a_codec_sees_every_payload(name: str, make: Any, seen: bytes) -> None:
    leave_out_walks()
    task = make()

    await walk(name, task, DataConverter(payload_codec=Marking()))

    assert told(task) == seen
