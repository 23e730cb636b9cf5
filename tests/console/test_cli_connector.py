"""The worked example of a department: orders are done once, cancelled when nobody wants them, kept when it stops."""

import asyncio
import hashlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity
from temporalio.testing import ActivityEnvironment

from activities.connector import Connector, Orders, Profile
from domain.case import CASE, commands
from domain.parsing import parse_command
from domain.process import HandOver, HandOverResult, Report, Task
from tests.neighbourhood import NOON, ORDINARY


def _handed(task: str = "handle:D03#0", text: str = "树枝断了") -> HandOver:
    opened = Task(id=task, kind="handle", role="department_handler", organisation="D03", opened_at=NOON)
    return HandOver(process="case", stream="case-a", task=opened, title="断枝", text=text, category=ORDINARY)


def _connector(folder: Path, **profile: Any) -> Connector:
    given = {"department": "D03", "person": "other", "work_seconds": 0, **profile}
    return Connector(Profile(**given), Orders(folder))


def _states(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "orders.db") as db:
        rows = db.execute("select state from work_order order by number").fetchall()
    db.close()
    return [row[0] for row in rows]


async def _hand_over(connector: Connector, handed: HandOver) -> Report:
    report: Report = await ActivityEnvironment().run(connector.hand_over, handed)
    return report


async def test_a_handled_task_reports_a_strike_off_the_rules_can_read(tmp_path: Path) -> None:
    report = await _hand_over(_connector(tmp_path), _handed())
    assert (report.result, report.person) == (HandOverResult.HANDLED, "other")
    command = parse_command(CASE, {"kind": "strike_off", **report.fields})
    assert isinstance(command, commands.StrikeOff)
    file = tmp_path / f"{command.evidence[0].ref.rpartition('/')[2]}.txt"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == command.evidence[0].digest


async def test_a_task_handed_over_again_is_answered_and_not_done_again(tmp_path: Path) -> None:
    first = await _hand_over(_connector(tmp_path), _handed())
    again = await _hand_over(_connector(tmp_path, returns=("树枝",)), _handed())
    assert again == first
    await _hand_over(_connector(tmp_path), _handed("handle:D03#1"))
    assert _states(tmp_path) == ["done", "done"]


@pytest.mark.parametrize("word", ["树枝", "断枝", ORDINARY])
async def test_what_is_not_its_job_is_returned(word: str, tmp_path: Path) -> None:
    report = await _hand_over(_connector(tmp_path, returns=(word,), proposes="D01"), _handed())
    assert report.result == HandOverResult.RETURNED
    command = parse_command(CASE, {"kind": "return_task", **report.fields})
    assert isinstance(command, commands.ReturnTask)
    assert command.proposed == "D01"


@pytest.mark.parametrize(("wanted", "state"), [(False, "cancelled"), (True, "open")])
async def test_a_cancelled_task_is_marked_and_a_stopped_program_goes_on_later(
    wanted: bool, state: str, tmp_path: Path
) -> None:
    environment, begun = ActivityEnvironment(), asyncio.Event()
    environment.on_heartbeat = lambda *_: begun.set()
    doing = asyncio.ensure_future(environment.run(_connector(tmp_path, work_seconds=3600).hand_over, _handed()))
    await begun.wait()
    details = activity.ActivityCancellationDetails(worker_shutdown=wanted, cancel_requested=not wanted)
    environment.cancel(cancellation_details=details)
    with pytest.raises(asyncio.CancelledError):
        await doing
    assert _states(tmp_path) == [state]
    assert (await _hand_over(_connector(tmp_path), _handed())).result == HandOverResult.HANDLED
    assert _states(tmp_path) == ["done"]
