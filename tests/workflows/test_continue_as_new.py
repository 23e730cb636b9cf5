"""A process outlives its runs: nothing is lost or doubled where one run hands on to the next."""

import asyncio
from uuid import uuid4

from tests.neighbourhood import ACTORS
from tests.refusals import refused
from tests.workflows.departments import Department, at_work, handled
from tests.workflows.office import Office
from workflows import ids

COMMENTERS = ("worker", "checker", "community", "dispatcher", "handler", "resident", "hotline", "supervisor")


async def test_forty_comments_at_once_across_runs_are_neither_lost_nor_doubled(restless_office: Office) -> None:
    office = restless_office
    stream = await office.register()
    sent = {str(uuid4()): (COMMENTERS[number % len(COMMENTERS)], f"第{number}句") for number in range(40)}
    answers = await asyncio.gather(
        *(
            office.do(stream, who, "comment", text=text, command_id=command_id)
            for command_id, (who, text) in sent.items()
        )
    )
    written = [event for event in await office.events(stream) if event.kind == "commented"]
    assert len(written) == len(answers) == 40
    assert {(str(event.command_id), event.actor, event.body["text"]) for event in written} == {
        (command_id, ACTORS[who].person, text) for command_id, (who, text) in sent.items()
    }
    assert {answer.seq_from for answer in answers} == {event.seq for event in written}
    assert await office.runs(stream) > 1


async def test_a_loop_walks_through_several_runs(restless_office: Office) -> None:
    office = restless_office
    stream = await office.register()
    assert (await office.walk(stream))[-1].stage == "appraised"
    assert await office.runs(stream) > 1


async def test_an_id_of_an_earlier_run_gets_its_answer_and_refuses_other_content(restless_office: Office) -> None:
    office = restless_office
    stream, command_id = await office.register(), str(uuid4())
    first = await office.do(stream, "worker", "comment", text="第一句", command_id=command_id)
    whistle_id, whistle = str(uuid4()), {"reason": "other", "departments": ["D01"], "approver": "approver"}
    whistled = await office.do(stream, "community", "whistle", command_id=whistle_id, **whistle)
    runs = await office.runs(stream)
    while await office.runs(stream) == runs:
        await office.do(stream, "checker", "comment", text="还有一句")
    assert await office.do(stream, "worker", "comment", text="第一句", command_id=command_id) == first
    # The state would refuse this one by now; what was recorded is answered all the same.
    assert await office.do(stream, "community", "whistle", command_id=whistle_id, **whistle) == whistled
    await refused(office.do(stream, "worker", "comment", text="另一句", command_id=command_id), "command.reused")


async def test_what_temporal_was_never_told_is_told_by_a_later_run(restless_office: Office) -> None:
    office = restless_office
    stream = await office.register()
    # While a case waits for triage its street is not told; the run that follows must know that.
    runs = await office.runs(stream)
    while await office.runs(stream) == runs:
        await office.do(stream, "worker", "comment", text="还有一句")
    await office.walk(stream, until="dispatch")
    shown = (await office.handle(stream).describe()).typed_search_attributes
    assert (shown.get(ids.PHASE), shown.get(ids.STREET)) == ("handling", "S01")
    assert shown.get(ids.RULES) == (await office.state(stream)).rules.version


async def test_a_task_at_work_in_a_department_survives_the_change_of_run(restless_office: Office) -> None:
    office = restless_office
    async with at_work(office, Department(waits=True, report=handled())) as department:
        stream = await office.register()
        await office.walk(stream, until="dispatch")
        await department.began()
        runs = await office.runs(stream)
        while await office.runs(stream) == runs:
            await office.do(stream, "checker", "comment", text="请抓紧")
        department.finish()
        await office.until(stream, "struck_off")
    assert (await office.kinds(stream)).count("struck_off") == 1
