"""A workflow and a ledger that are not in step: answers missed, streams forked, facts lost."""

from typing import Any
from uuid import uuid4

import asyncpg

from domain.process import ActInput, Envelope, Outcome, Start
from ledger.acting import act
from ledger.world import Worlds
from tests.neighbourhood import ACTORS, AFTER, LEAD
from tests.refusals import refused
from tests.workflows.office import Office
from workflows.ids import STATE


async def behind_its_back(office: Office, stream: str, who: str, kind: str, **fields: object) -> Outcome:
    """Record a command as if its answer had been lost on the way to the workflow."""
    held = await office.handle(stream).query(STATE, result_type=Start)
    command = await office.command(stream, kind, fields)
    last = (await office.events(stream))[-1]
    given = ActInput(
        process="case",
        stream=stream,
        seq=held.seq,
        hash=held.hash,
        at=last.at,
        command_id=str(uuid4()),
        state=held.state,
        envelope=Envelope(command_id=str(uuid4()), actor=ACTORS[who], command=command),
    )
    return await act(office.ledger, Worlds(), given)


async def test_a_workflow_that_missed_an_answer_catches_up_with_the_ledger(office: Office) -> None:
    stream = await office.register()
    missed = await behind_its_back(office, stream, "worker", "comment", text="没有送到的话")
    assert missed.answer is not None
    answer = await office.do(stream, "community", "whistle", reason="other", departments=[LEAD], approver="approver")
    assert answer.seq_from == missed.seq + 1
    assert (await office.walk(stream, after="whistle"))[-1].stage == "appraised"


async def test_a_missed_change_of_stage_is_followed_even_when_the_next_command_is_refused(office: Office) -> None:
    stream = await office.register()
    whistle: dict[str, Any] = {"reason": "other", "departments": [LEAD], "approver": "approver"}
    await behind_its_back(office, stream, "community", "whistle", **whistle)
    await refused(office.do(stream, "community", "whistle", **whistle), "case.wrong_stage")
    assert (await office.do(stream, "dispatcher", "dispatch", lead=LEAD)).stage == "dispatched"


async def test_a_command_is_not_refused_by_a_workflow_that_is_behind_the_ledger(office: Office) -> None:
    stream = await office.register()
    whistle: dict[str, Any] = {"reason": "other", "departments": [LEAD], "approver": "approver"}
    await behind_its_back(office, stream, "community", "whistle", **whistle)
    # The workflow still believes the case to be registered; everybody who looks at the ledger knows better.
    assert (await office.do(stream, "dispatcher", "dispatch", lead=LEAD)).stage == "dispatched"
    await behind_its_back(office, stream, "handler", "accept")
    await refused(office.do(stream, "checker", "verify", passed=True, evidence=[AFTER]), "case.wrong_stage")
    assert (await office.walk(stream, after="accept"))[-1].stage == "appraised"


async def test_a_fork_is_found_and_nothing_is_written_over(office: Office) -> None:
    stream = await office.register()
    await office.do(stream, "worker", "comment", text="第一句")
    await _without_triggers(office, "update event set hash = repeat('0', 64) where stream = $1 and seq = 3", stream)
    office.forked.add(stream)
    facts = await office.kinds(stream)
    refusal = await refused(office.do(stream, "worker", "comment", text="第二句"), "ledger.forked")
    assert refusal.refusal.params["stream"] == stream
    assert await office.kinds(stream) == facts


async def test_a_gap_is_found_and_nothing_is_written_into_it(office: Office) -> None:
    stream = await office.register()
    for text in ("第一句", "第二句"):
        await office.do(stream, "worker", "comment", text=text)
    await _without_triggers(office, "delete from event where stream = $1 and seq >= 4", stream)
    office.forked.add(stream)
    facts = await office.kinds(stream)
    refusal = await refused(office.do(stream, "worker", "comment", text="第三句"), "ledger.gap")
    assert (refusal.refusal.params["expected"], refusal.refusal.params["actual"]) == ("4", "3")
    assert await office.kinds(stream) == facts


async def _without_triggers(office: Office, statement: str, stream: str) -> None:
    """What only somebody who owns the tables and means harm, or a restore, can do."""
    async with office.owner.acquire() as conn:
        await _switch(conn, "disable trigger")
        await conn.execute(statement, stream)
        await _switch(conn, "enable always trigger")


async def _switch(conn: asyncpg.pool.PoolConnectionProxy, how: str) -> None:
    for trigger in ("event_no_change", "event_no_truncate"):
        await conn.execute(f"alter table event {how} {trigger}")
