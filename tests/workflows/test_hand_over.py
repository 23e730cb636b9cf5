"""Tasks on their way to departments: own systems, inboxes, and the ways between them."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from domain.process import HandOverResult, Report
from tests.neighbourhood import AFTER, LEAD
from tests.workflows.departments import BrokenDepartment, Department, at_work, handled, returned
from tests.workflows.office import REGISTRATION, WORKLOAD, Office


async def dispatched(office: Office) -> str:
    stream = await office.register()
    await office.walk(stream, until="dispatch")
    return stream


async def finish_by_hand(office: Office, stream: str) -> None:
    """The people of the department find the task in their inbox and do it."""
    await office.do(stream, "handler", "accept")
    done: dict[str, Any] = {"measures": "人工处置", "workload": WORKLOAD, "evidence": [AFTER]}
    assert (await office.do(stream, "handler", "strike_off", **done)).stage == "struck_off"


async def test_a_task_handled_by_the_departments_system_is_signed_for_and_struck_off(office: Office) -> None:
    async with at_work(office, Department(report=handled())) as department:
        stream = await dispatched(office)
        (struck_off,) = await office.until(stream, "struck_off")
        (accepted,) = await office.until(stream, "accepted")
    assert (accepted.actor, struck_off.actor) == ("handler", "handler")
    assert accepted.command_id == struck_off.command_id
    assert struck_off.body["measures"] == "系统派工完成"
    (handed,) = department.seen
    assert (handed.stream, handed.task.organisation, handed.title) == (stream, LEAD, REGISTRATION["title"])
    assert (await office.walk(stream, after="strike_off"))[-1].stage == "appraised"


async def test_a_task_already_signed_for_by_a_person_is_only_struck_off(office: Office) -> None:
    async with at_work(office, Department(report=handled(), waits=True)) as department:
        stream = await dispatched(office)
        await department.began()
        await office.do(stream, "handler", "accept")
        department.finish()
        await office.until(stream, "struck_off")
    assert (await office.kinds(stream)).count("accepted") == 1


async def test_a_task_returned_by_the_system_goes_back_and_is_handed_over_anew_when_it_comes_again(
    office: Office,
) -> None:
    async with at_work(office, Department(returned(), handled())) as department:
        stream = await dispatched(office)
        await office.until(stream, "task_returned")
        assert (await office.state(stream)).stage == "returned"
        await office.do(stream, "dispatcher", "dispatch", lead=LEAD)
        await office.until(stream, "struck_off")
    assert len(department.seen) == 2


async def test_a_task_delivered_by_the_system_waits_for_people(office: Office) -> None:
    async with at_work(office, Department(report=Report(result=HandOverResult.DELIVERED))):
        stream = await dispatched(office)
        await office.until_handed_over(stream)
        assert (await office.state(stream)).stage == "dispatched"
        await finish_by_hand(office, stream)


async def test_a_task_nobody_picks_up_falls_back_to_the_inbox(office: Office) -> None:
    await office.give_system(f"department.nobody-{uuid4().hex[:8]}", pick_up_within="1s")
    stream = await dispatched(office)
    await office.until_handed_over(stream)
    counts = await office.temporal_history(stream)
    assert (counts["ACTIVITY_TASK_SCHEDULED"], counts["ACTIVITY_TASK_TIMED_OUT"]) == (1, 1)
    await finish_by_hand(office, stream)


async def test_a_system_that_breaks_down_is_tried_again(office: Office) -> None:
    async with at_work(office, Department(report=handled(), fails=1)) as department:
        stream = await dispatched(office)
        await office.until(stream, "struck_off")
    assert len(department.seen) == 2


async def test_a_system_that_fails_for_good_leaves_the_task_to_people(office: Office) -> None:
    async with at_work(office, BrokenDepartment()):
        stream = await dispatched(office)
        await office.until_handed_over(stream)
        assert (await office.temporal_history(stream))["ACTIVITY_TASK_FAILED"] == 1
        await finish_by_hand(office, stream)


@pytest.mark.parametrize(
    "report",
    [
        pytest.param(handled(evidence=[]), id="without evidence"),
        pytest.param(handled(person="nobody"), id="of a person the registry does not know"),
        pytest.param(handled(person="helper"), id="of a person of another department"),
        pytest.param(handled(measures="联系人电话13800138000"), id="with a telephone number"),
        pytest.param(handled(cost=1.5), id="with a field that is none"),
        pytest.param(Report(result=HandOverResult.RETURNED, person="handler"), id="returned without a reason"),
    ],
)
async def test_a_report_the_rules_refuse_leaves_the_task_to_people(office: Office, report: Report) -> None:
    async with at_work(office, Department(report=report)) as department:
        stream = await dispatched(office)
        facts = await office.kinds(stream)
        await department.began()
        # The stock hand-over, a local activity, follows the refused report.
        await office.until_handed_over(stream, 2)
        assert await office.kinds(stream) == facts
        await finish_by_hand(office, stream)
    assert len(department.seen) == 1


async def test_a_task_closed_meanwhile_is_cancelled_at_the_department(office: Office) -> None:
    async with at_work(office, Department(report=handled(), waits=True)) as department:
        stream = await dispatched(office)
        await department.began()
        await finish_by_hand(office, stream)
        await asyncio.wait_for(department.cancelled.wait(), 60)
    assert (await office.kinds(stream)).count("struck_off") == 1


async def test_a_withdrawn_case_cancels_what_departments_are_working_on(office: Office) -> None:
    async with at_work(office, Department(report=handled(), waits=True)) as department:
        stream = await dispatched(office)
        await department.began()
        await office.do(stream, "worker", "withdraw", reason="居民撤回")
        assert await office.until_closed(stream) == "withdrawn"
        await asyncio.wait_for(department.cancelled.wait(), 60)
