"""Recorded histories replay: with this release, with other rules, and not with another order of commands."""

import dataclasses
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from domain.case import CASE
from domain.errors import Refused
from domain.process import HandOver, Process, Start, Task
from domain.wish import WISH
from runtime.plugin import bihuan_plugin
from tests.histories.record import PATHS
from tests.keys import KEYS
from workflows.case import CaseWorkflow
from workflows.hosted import HOSTED
from workflows.shell import Shell
from workflows.wish import WishWorkflow

FILES = sorted(Path(__file__).parent.glob("*.json"))


def history(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(path.stem, path.read_text(encoding="utf-8"))


def refuse(*_: Any) -> NoReturn:
    raise Refused("case.unknown")


def describe_otherwise(state: Any, task: Task, stream: str) -> HandOver:
    return HandOver(process="other", stream=stream, task=task, title="另一件事", text="另一段话")


def contrary(process: Process[Any]) -> Process[Any]:
    """The same process with every rule replaced; what it learns from facts (``evolve``) is no rule."""
    return dataclasses.replace(process, decide=refuse, plan=refuse, answer=refuse, hand_over=describe_otherwise)


def test_every_path_is_recorded_and_every_record_is_replayed() -> None:
    names = {path.stem for path in FILES}
    assert {path.__name__ for path in PATHS} <= names
    assert {"continued_first_run", "continued_last_run"} <= names


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_a_recorded_history_replays(path: Path) -> None:
    replayer = Replayer(workflows=HOSTED, plugins=[bihuan_plugin(KEYS, sandboxed=True)])
    await replayer.replay_workflow(history(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
async def test_a_replay_does_not_notice_that_every_rule_refuses(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CaseWorkflow, "process", contrary(CASE))
    monkeypatch.setattr(WishWorkflow, "process", contrary(WISH))
    replayer = Replayer(workflows=HOSTED, plugins=[bihuan_plugin(KEYS, sandboxed=False)])
    await replayer.replay_workflow(history(path))


@workflow.defn(name="Case")
class Dawdling(Shell):
    """A shell that takes its time: its commands no longer are those of the history."""

    process = CASE

    @workflow.init
    def __init__(self, start: Start) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: Start) -> str:
        await workflow.sleep(timedelta(seconds=1))
        return await self.host()


@pytest.mark.parametrize("path", [path for path in FILES if "wish" not in path.stem], ids=lambda path: path.stem)
async def test_a_replay_does_notice_another_order_of_commands(path: Path) -> None:
    replayer = Replayer(workflows=[Dawdling], plugins=[bihuan_plugin(KEYS, sandboxed=False)])
    with pytest.raises(workflow.NondeterminismError):
        await replayer.replay_workflow(history(path))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_record_holds_no_trace_of_its_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "@" not in text.replace("#", "")
    assert not any(place in text for place in ("/home/", "/root/", "/tmp/", "/work/", "/Users/"))
