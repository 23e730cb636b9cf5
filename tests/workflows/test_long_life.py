"""What time does to a process that stays open for years, and to one that was over long ago."""

from collections import Counter
from datetime import date, timedelta
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.service import RPCError, RPCStatusCode

from domain.calendar import WorkCalendar
from domain.people import RULES_OFFICE
from ledger.calendars import store_calendar
from tests.neighbourhood import ACTORS, CALENDAR, EXAMPLE_BOOK
from tests.refusals import refused
from tests.waiting import eventually
from tests.workflows.clockwork import Clockwork
from tests.workflows.office import REGISTRATION, Office

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
QUARTERS = 8


@pytest.fixture
def cached() -> bool:
    """That a replay does the same is asked elsewhere, of shorter lives."""
    return True


def published(year: int) -> WorkCalendar:
    """A calendar whose official list ends with the year."""
    return CALENDAR.model_copy(update={"version": f"until-{year}", "published_until": date(year, 12, 31)})


async def publish(office: Office, calendar: WorkCalendar) -> None:
    async with office.owner.acquire() as conn:
        await store_calendar(conn, calendar)
    await office.learn()


async def test_a_case_open_for_two_years_says_everything_once_and_stays_small(
    office: Office, clockwork: Clockwork
) -> None:
    await office.live_by(EXAMPLE_BOOK)
    stream = await office.register()
    year = (await clockwork.now(stream)).year
    await publish(office, published(year))
    await office.do(stream, RULES_OFFICE, "adopt_rules", calendar=f"until-{year}", reason="本年日历")
    await office.walk(stream, until="accept")

    for _ in range(QUARTERS):
        now = await clockwork.now(stream)
        reviews = [(now + days * DAY).isoformat() for days in (25, 50, 75)]
        await office.do(stream, "dispatcher", "shelve", reason="产权不清", approver="supervisor", reviews=reviews)
        await clockwork.forward(stream, 91 * DAY)
        await office.do(stream, "dispatcher", "unshelve", reason="再次处理")
        await office.do(stream, "handler", "report_progress", text="已协调产权单位", contacted=True)
        budget, now = (await office.state(stream)).clock("handle"), await clockwork.now(stream)
        assert budget.is_running
        while budget.due_at.astimezone(now.tzinfo).year > year:
            # Its end lies beyond the official list: it is a provisional one, until the next list is adopted.
            assert budget.provisional
            year += 1
            await publish(office, published(year))
            await office.do(stream, RULES_OFFICE, "adopt_rules", calendar=f"until-{year}", reason="新日历发布")
            budget = (await office.state(stream)).clock("handle")
        assert not budget.provisional

    await clockwork.forward(stream, 60 * DAY)
    await office.until(stream, "level_raised")
    events = await office.events(stream)
    said = Counter(
        (event.kind, event.body["clock_id"], event.body.get("rung"))
        for event in events
        if event.kind in ("clock_warned", "clock_expired", "rung_reached")
    )
    assert set(said.values()) == {1}
    assert events[-1].at - events[0].at > 730 * DAY
    assert sum(event.kind == "rules_adopted" for event in events) >= 3

    held, timers = await office.held(stream), await office.temporal_history(stream)
    async with office.owner.acquire() as conn:
        awaited = await conn.fetch("select at from awaited where stream = $1", stream)
    assert held.plan is not None
    assert [row["at"] for row in awaited] == [held.plan.alarm]
    # Far from where Temporal would have it continue as new (4,096 events, 4 MiB), and no timer is left behind.
    temporal = (await office.handle(stream).fetch_history()).events
    assert len(temporal) < 1_000
    assert sum(event.ByteSize() for event in temporal) < 400_000
    assert len(held.model_dump_json()) < 20_000
    assert timers["TIMER_STARTED"] - timers["TIMER_FIRED"] - timers["TIMER_CANCELED"] <= 3

    await office.walk(stream, after="accept")
    await clockwork.forward(stream, 8 * DAY)
    assert await office.until_closed(stream) == "archived"


async def purge(office: Office, stream: str) -> None:
    """What Temporal does by itself when the retention time of a closed workflow is over."""
    request = DeleteWorkflowExecutionRequest(
        namespace=office.client.namespace, workflow_execution=WorkflowExecution(workflow_id=stream)
    )
    await office.client.workflow_service.delete_workflow_execution(request)

    async def is_gone() -> bool:
        try:
            await office.handle(stream).describe()
        except RPCError as error:
            return error.status == RPCStatusCode.NOT_FOUND
        return False

    await eventually(is_gone, f"{stream} is purged")


async def test_what_temporal_has_purged_is_answered_from_the_ledger_and_new_acts_are_told_what_to_do(
    office: Office, clockwork: Clockwork
) -> None:
    stream, command_id = f"case-{uuid4().hex}", str(uuid4())
    opened = await office.desk.open(stream, ACTORS["worker"], REGISTRATION)
    comment = await office.do(stream, "worker", "comment", text="第一句", command_id=command_id)
    await office.do(stream, "worker", "withdraw", reason="已自行解决")
    await office.until_closed(stream)
    recorded = await office.events(stream)
    await purge(office, stream)

    assert await office.do(stream, "worker", "comment", text="第一句", command_id=command_id) == comment
    reopening = await refused(office.do(stream, "resident", "reopen", reason="又坏了"), "case.finished")
    assert "另行登记" in reopening.refusal.remedy
    # Registered once more under the same number: the same request, and no second life.
    assert await office.desk.open(stream, ACTORS["worker"], REGISTRATION) == opened
    assert await office.events(stream) == recorded
    await office.until_closed(stream)
    office.forked.add(stream)
