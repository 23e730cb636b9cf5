"""A workflow that knows less than the ledger is woken by the deadline it would have missed."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.waking import AT_ONCE, Waker, waking
from domain.process import ActInput, Envelope, Outcome, Start
from ledger.acting import act
from ledger.awaited import overslept
from ledger.world import Worlds
from tests.neighbourhood import ACTORS, GRID, LEAD
from tests.waiting import eventually
from tests.workflows.clockwork import Clockwork
from tests.workflows.office import REGISTRATION, Office
from tests.workflows.test_missteps import behind_its_back
from worker import make_wake
from workflows.ids import WORKFLOW_TYPES, workflow_id

WHISTLE: dict[str, Any] = {"reason": "other", "departments": [LEAD], "approver": "approver"}
LONG_AGO = timedelta(days=30)


WISH: dict[str, Any] = {"kind": "publish_wish", "title": "修椅子", "text": "想要一把修好的椅子", "grid": GRID}


async def in_the_ledger_alone(
    office: Office, command: dict[str, Any] = REGISTRATION, *, at: datetime | None = None
) -> str:
    """A request or a wish that was recorded while its workflow was lost on the way."""
    process = "wish" if command is WISH else "case"
    stream = f"{process}-{uuid4().hex}"
    await record(office, stream, "worker", command, Outcome(seq=0, hash=""), at or datetime.now(UTC))
    return stream


async def record(
    office: Office, stream: str, who: str, command: dict[str, Any], last: Outcome, at: datetime
) -> Outcome:
    """One act of which no workflow hears, after the ``last`` one."""
    envelope = Envelope(command_id=str(uuid4()), actor=ACTORS[who], command=command)
    given = ActInput(
        process=stream.partition("-")[0],
        stream=stream,
        seq=last.seq,
        hash=last.hash,
        at=at,
        command_id=envelope.command_id,
        envelope=envelope,
    )
    outcome = await act(office.ledger, Worlds(), given)
    assert outcome.answer is not None, outcome.refusal
    return outcome


async def agrees(office: Office, stream: str) -> bool:
    """Whether the workflow holds what the ledger has."""
    return (await office.held(stream)).seq == len(await office.events(stream))


async def test_a_workflow_that_is_behind_is_told_and_waits_for_the_new_deadline(office: Office) -> None:
    stream = await office.register()
    await behind_its_back(office, stream, "community", "whistle", **WHISTLE)
    assert not await agrees(office, stream)

    await make_wake(office.client, office.task_queue)(stream)

    await eventually(lambda: agrees(office, stream), "the workflow has caught up")
    held = await office.held(stream)
    assert held.plan is not None
    assert held.plan.stage == "whistled"
    assert (await office.do(stream, "dispatcher", "dispatch", lead=LEAD)).stage == "dispatched"


async def test_a_case_that_has_lost_its_workflow_is_brought_back_from_the_ledger(office: Office) -> None:
    stream = await in_the_ledger_alone(office)

    await make_wake(office.client, office.task_queue)(stream)

    await eventually(lambda: agrees(office, stream), "there is a workflow, and it knows everything")
    assert (await office.walk(stream))[-1].stage == "appraised"


async def test_an_opening_whose_answer_was_lost_is_found_at_the_second_look(
    office: Office, clockwork: Clockwork
) -> None:
    """The server forgot the update that opened the case; the workflow it had started is there all the same."""
    stream = await in_the_ledger_alone(office)
    await office.client.start_workflow(
        WORKFLOW_TYPES["case"], Start(stream=stream), id=workflow_id(stream), task_queue=office.task_queue
    )

    assert await clockwork.forward(stream, timedelta(minutes=6))

    await eventually(lambda: agrees(office, stream), "it has looked into the ledger instead of ending")


async def test_told_for_nothing_a_workflow_stays_as_it_is(office: Office) -> None:
    stream = await office.register()
    before = await office.held(stream)

    await make_wake(office.client, office.task_queue)(stream)

    await eventually(lambda: looked(office, stream), "it has looked")
    assert await office.held(stream) == before


async def looked(office: Office, stream: str) -> bool:
    history = await office.temporal_history(stream)
    return history["WORKFLOW_EXECUTION_SIGNALED"] == 1 and history["MARKER_RECORDED"] >= 2


async def test_what_the_ledger_does_not_know_either_ends(office: Office, clockwork: Clockwork) -> None:
    stream = f"case-{uuid4().hex}"

    await make_wake(office.client, office.task_queue)(stream)
    await clockwork.forward(stream, timedelta(minutes=6))

    assert await office.until_closed(stream) == "refused"
    assert await office.events(stream) == []


async def test_the_waker_finds_what_was_never_said_and_tells_it_once_in_a_while(office: Office) -> None:
    late = await in_the_ledger_alone(office, at=datetime.now(UTC) - LONG_AGO)
    await in_the_ledger_alone(office)
    told: list[str] = []

    async def wake(stream: str) -> None:
        told.append(stream)

    waker = Waker(office.ledger, wake, since=timedelta(minutes=1))
    rounds = [await waker.look() for _ in range(6)]

    assert rounds == [[late], [], [], [], [late], []]
    assert told == [late, late]
    office.forked |= {late, *await all_streams(office)}


async def test_however_many_have_slept_in_one_round_tells_them_all(office: Office) -> None:
    """After a long outage; one that cannot be told is no hindrance."""
    told: list[str] = []

    async def wake(stream: str) -> None:
        told.append(stream)
        if stream == "case-7":
            raise RPCError("unheard of", RPCStatusCode.INVALID_ARGUMENT, b"")

    async with office.owner.acquire() as conn:
        await conn.execute(
            "insert into awaited select 'case-' || n, now() - interval '1 day' from generate_series(1, $1) as n",
            AT_ONCE * 2 + 1,
        )
    waker = Waker(office.ledger, wake, since=timedelta(seconds=1))

    assert len(await waker.look()) == AT_ONCE * 2
    assert len(set(told)) == len(told) == AT_ONCE * 2 + 1
    assert await waker.look() == []
    async with office.owner.acquire() as conn:
        await conn.execute("delete from awaited where at < now() - interval '12 hours'")


async def all_streams(office: Office) -> set[str]:
    async with office.ledger.acquire() as conn:
        return {row["stream"] for row in await conn.fetch("select distinct stream from event")}


async def test_a_wish_that_nobody_let_lapse_is_woken_too(office: Office) -> None:
    stream = await in_the_ledger_alone(office, WISH, at=datetime.now(UTC) - LONG_AGO)

    assert await Waker(office.ledger, make_wake(office.client, office.task_queue), since=timedelta(minutes=1)).look()

    assert await office.until_closed(stream) == "lapsed"


async def test_a_case_whose_suspension_ended_in_its_sleep_is_woken_too(office: Office) -> None:
    """No clock of it runs meanwhile: what is watched is whatever the plan names."""
    stream, last, at = f"case-{uuid4().hex}", Outcome(seq=0, hash=""), datetime.now(UTC) - LONG_AGO
    for who, command in (
        ("worker", REGISTRATION),
        ("community", {"kind": "whistle", **WHISTLE}),
        ("dispatcher", {"kind": "dispatch", "lead": LEAD}),
        ("handler", {"kind": "accept"}),
        ("dispatcher", {"kind": "suspend", "reason": "awaiting_party", "explanation": "等当事人返回"}),
    ):
        last = await record(office, stream, who, command, last, at)

    assert (
        stream
        in await Waker(office.ledger, make_wake(office.client, office.task_queue), since=timedelta(minutes=1)).look()
    )

    await office.until(stream, "resumed")
    assert [event.kind for event in await office.events(stream)].count("resumed") == 1


async def test_the_waker_beside_a_worker_lets_a_forgotten_deadline_be_said(office: Office) -> None:
    stream = await in_the_ledger_alone(office, at=datetime.now(UTC) - LONG_AGO)
    async with office.ledger.acquire() as conn:
        assert await overslept(conn, since=timedelta(minutes=1)) == [stream]

    async with waking(office.ledger, make_wake(office.client, office.task_queue), since=timedelta(seconds=1)):
        await office.until(stream, "clock_expired")

    assert [event.kind for event in await office.events(stream)].count("clock_expired") == 1
    assert (await office.client.get_workflow_handle(stream).describe()).status == WorkflowExecutionStatus.RUNNING


async def test_a_server_that_is_away_is_waited_for(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    stream = await in_the_ledger_alone(office, at=datetime.now(UTC) - LONG_AGO)
    office.forked.add(stream)
    tried = asyncio.Event()
    calls: list[str] = []

    async def wake(each: str) -> None:
        calls.append(each)
        if len(calls) == 1:
            raise asyncpg.PostgresConnectionError("away")
        tried.set()

    async with waking(office.ledger, wake, since=timedelta(seconds=1)):
        await asyncio.wait_for(tried.wait(), 60)

    assert calls == [stream, stream]
