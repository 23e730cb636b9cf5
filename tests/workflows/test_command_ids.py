"""A command id takes effect once, whoever sends it again and whenever."""

import asyncio
from uuid import uuid4

from console.desk import new_stream, opening_command_id, stream_of
from tests.neighbourhood import ACTORS
from tests.refusals import refused
from tests.workflows.office import REGISTRATION, Office


def number() -> str:
    """The number of a request in another system; Temporal outlives the databases of the tests, so none comes twice."""
    return f"A-{uuid4().hex[:12]}"


COMMENT = {"kind": "comment", "text": "已联系居民"}


async def test_the_same_id_gets_the_same_answer(office: Office) -> None:
    stream, command_id = await office.register(), str(uuid4())
    first = await office.do(stream, "worker", "comment", text="已联系居民", command_id=command_id)
    again = await office.do(stream, "worker", "comment", text="已联系居民", command_id=command_id)
    elsewhere = await office.another_desk().submit(stream, ACTORS["worker"], COMMENT, command_id=command_id)
    assert first == again == elsewhere
    assert (await office.kinds(stream)).count("commented") == 1


async def test_the_same_id_sent_many_times_at_once_takes_effect_once(office: Office) -> None:
    stream, command_id = await office.register(), str(uuid4())
    desks = [office.another_desk() for _ in range(5)]
    answers = await asyncio.gather(
        *(desk.submit(stream, ACTORS["worker"], COMMENT, command_id=command_id) for desk in desks)
    )
    assert all(answer == answers[0] for answer in answers)
    assert (await office.kinds(stream)).count("commented") == 1


async def test_the_same_id_gets_its_answer_also_where_the_state_would_now_refuse_it(office: Office) -> None:
    stream, command_id = await office.register(), str(uuid4())
    whistle = {"reason": "other", "departments": ["D01"], "approver": "approver"}
    first = await office.do(stream, "community", "whistle", command_id=command_id, **whistle)
    await office.do(stream, "dispatcher", "dispatch", lead="D01")
    assert await office.do(stream, "community", "whistle", command_id=command_id, **whistle) == first


async def test_the_same_id_gets_its_answer_after_the_workflow_has_closed(office: Office) -> None:
    stream, command_id = await office.register(), str(uuid4())
    first = await office.do(stream, "worker", "withdraw", reason="居民撤回", command_id=command_id)
    await office.until_closed(stream)
    again = await office.another_desk().submit(
        stream, ACTORS["worker"], {"kind": "withdraw", "reason": "居民撤回"}, command_id=command_id
    )
    assert again == first
    await refused(office.do(stream, "worker", "withdraw", reason="再撤回"), "case.finished")


async def test_opening_again_gives_the_first_answer_while_it_runs_and_afterwards(office: Office) -> None:
    external_id = number()
    stream = stream_of("case", "12345", external_id)
    actor, command = ACTORS["hotline"], {**REGISTRATION, "source": "12345", "external_id": external_id}
    first = await office.desk.open(stream, actor, command)
    assert await office.another_desk().open(stream, actor, command) == first
    await office.do(stream, "hotline", "withdraw", reason="重复来电")
    await office.until_closed(stream)
    assert await office.desk.open(stream, actor, command) == first
    assert (await office.kinds(stream)).count("registered") == 1


async def test_two_desks_opening_the_same_request_at_once_open_one_case(office: Office) -> None:
    external_id = number()
    stream = stream_of("case", "12345", external_id)
    command = {**REGISTRATION, "source": "12345", "external_id": external_id}
    answers = await asyncio.gather(*(office.another_desk().open(stream, ACTORS["hotline"], command) for _ in range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert (await office.kinds(stream)).count("registered") == 1


async def test_a_request_registered_under_another_id_is_refused_and_leaves_nothing(office: Office) -> None:
    numbered = {"source": "12345", "external_id": number()}
    await office.register("hotline", stream=stream_of("case", *numbered.values()), **numbered)
    other = new_stream("case")
    await refused(office.register("hotline", stream=other, **numbered), "case.already_registered")
    assert await office.events(other) == []
    assert await office.until_closed(other) == "refused"


async def test_other_content_under_a_used_id_is_refused_in_the_same_run(office: Office) -> None:
    stream, command_id = await office.register(), str(uuid4())
    await office.do(stream, "worker", "comment", text="第一次", command_id=command_id)
    await refused(office.do(stream, "worker", "comment", text="第二次", command_id=command_id), "command.reused")
    await refused(office.do(stream, "checker", "comment", text="第一次", command_id=command_id), "command.reused")
    assert (await office.kinds(stream)).count("commented") == 1


async def test_an_id_used_in_another_case_is_refused(office: Office) -> None:
    first, second, command_id = await office.register(), await office.register(), str(uuid4())
    await office.do(first, "worker", "comment", text="已联系居民", command_id=command_id)
    await refused(office.do(second, "worker", "comment", text="已联系居民", command_id=command_id), "command.reused")
    assert "commented" not in await office.kinds(second)


async def test_other_content_under_a_used_id_is_refused_when_the_case_is_closed(office: Office) -> None:
    stream, command_id = await office.register(), str(uuid4())
    await office.do(stream, "worker", "withdraw", reason="居民撤回", command_id=command_id)
    await office.until_closed(stream)
    await refused(office.do(stream, "worker", "withdraw", reason="别的原因", command_id=command_id), "command.reused")


async def test_opening_with_other_content_is_refused(office: Office) -> None:
    stream = await office.register()
    other = {**REGISTRATION, "title": "另一件事"}
    await refused(office.desk.open(stream, ACTORS["worker"], other), "command.reused")
    fresh = office.desk.open(stream, ACTORS["worker"], other, command_id=str(uuid4()))
    await refused(fresh, "case.already_registered")
    assert opening_command_id(stream) == str((await office.events(stream))[0].command_id)
