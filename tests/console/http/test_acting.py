"""One way from what somebody wrote to the recorded answer, for every door."""

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from console.http.acting import open_process, submit
from console.http.caller import Caller
from console.http.openings import LONGEST, Openings
from domain.errors import Refused
from domain.process import World
from domain.rights import Subject
from domain.zone import office_day
from tests.console.http.doors import Doors
from tests.neighbourhood import FAR_GRID, GRID, LEAD, ORDINARY, registry
from tests.workflows.office import Office

WHISTLE = {"kind": "whistle", "reason": "reflected", "departments": [LEAD], "approver": "approver"}
ASKED = {"title": "路面破损", "text": "门口路面有坑", "grid": GRID, "category": ORDINARY}


def caller(doors: Doors, person: str) -> Caller:
    """The person with every role the registry gives them."""
    from domain.people import Actor

    held = registry().assignments_of(person, office_day(datetime.now(UTC)))
    holds = tuple(Actor(person=person, role=x.role, organisation=x.organisation, grid=x.grid) for x in held)
    return Caller(Subject(person=person, holds=holds), doors.office, World(registry=registry()))


async def test_a_repeated_act_gets_the_recorded_answer_also_when_the_case_has_moved_on(
    doors: Doors, working_office: Office
) -> None:
    case, command_id = await working_office.register(), str(uuid.uuid4())
    first = await submit(caller(doors, "community"), case, WHISTLE, command_id=command_id)
    await working_office.do(case, "dispatcher", "dispatch", lead=LEAD)

    again = await submit(caller(doors, "community"), case, WHISTLE, command_id=command_id)

    assert again.answer == first.answer
    assert (first.repeated, again.repeated) == (False, True)


async def test_an_id_used_by_somebody_else_or_for_something_else_is_refused(
    doors: Doors, working_office: Office
) -> None:
    case, command_id = await working_office.register(), str(uuid.uuid4())
    await submit(caller(doors, "community"), case, WHISTLE, command_id=command_id)

    for person, command in (("dispatcher", WHISTLE), ("community", {**WHISTLE, "reason": "other"})):
        with pytest.raises(Refused) as refused:
            await submit(caller(doors, person), case, command, command_id=command_id)
        assert refused.value.code == "command.reused"


async def test_two_taps_at_once_are_one_act(doors: Doors, working_office: Office) -> None:
    case, command_id = await working_office.register(), str(uuid.uuid4())
    who = caller(doors, "community")

    answers = await asyncio.gather(*(submit(who, case, WHISTLE, command_id=command_id) for _ in range(3)))

    assert len({each.answer.seq_to for each in answers}) == 1
    assert [event.kind for event in await working_office.events(case)].count("whistled") == 1


async def test_of_two_dispatchers_at_once_one_wins_and_the_other_is_told_why(
    doors: Doors, working_office: Office
) -> None:
    case = await working_office.register()
    await submit(caller(doors, "community"), case, WHISTLE)
    who = caller(doors, "dispatcher")

    ends = await asyncio.gather(
        *(submit(who, case, {"kind": "dispatch", "lead": LEAD}) for _ in range(2)), return_exceptions=True
    )

    (lost,) = [each for each in ends if isinstance(each, Refused)]
    assert lost.code == "case.wrong_stage"
    assert [event.kind for event in await working_office.events(case)].count("dispatched") == 1


async def test_what_lies_elsewhere_is_out_of_reach_and_what_one_registered_is_not(
    doors: Doors, working_office: Office
) -> None:
    far = await open_process(caller(doors, "worker"), "case", "register", {**ASKED, "grid": FAR_GRID})

    commented = await submit(caller(doors, "worker"), far.answer.stream, {"kind": "comment", "text": "已告知西塘社区"})
    with pytest.raises(Refused) as refused:
        await submit(caller(doors, "other-worker"), far.answer.stream, {"kind": "comment", "text": "看看"})

    assert commented.answer.kinds == ("commented",)
    assert refused.value.code == "access.out_of_reach"


async def test_a_role_that_may_not_is_refused_before_the_rules_are_asked(doors: Doors, working_office: Office) -> None:
    case = await working_office.register()

    with pytest.raises(Refused) as refused:
        await submit(caller(doors, "handler"), case, WHISTLE)

    assert refused.value.code == "access.denied"


async def test_a_registration_sent_twice_opens_one_case_and_keeps_the_reporter_in_the_vault(
    doors: Doors, working_office: Office
) -> None:
    command_id = str(uuid.uuid4())
    asked = {**ASKED, "reporter": {"name": "谢知夏", "phone": "13900001234"}}

    first = await open_process(caller(doors, "worker"), "case", "register", asked, command_id=command_id)
    again = await open_process(caller(doors, "worker"), "case", "register", asked, command_id=command_id)

    assert again.answer == first.answer
    assert again.repeated
    async with doors.office.pool.acquire() as conn:
        assert await doors.office.vault.read(conn, first.answer.stream, "reporter_phone") == "13900001234"
    assert all("13900001234" not in str(event.body) for event in await working_office.events(first.answer.stream))


async def test_a_burst_of_programs_waits_while_people_and_emergencies_pass(doors: Doors) -> None:
    person, program = caller(doors, "worker"), replace(caller(doors, "worker"), token_id="a-program")
    doors.office.openings = Openings(1)
    number = str(uuid.uuid4())
    first = await open_process(program, "case", "register", ASKED, command_id=number)
    for _ in range(20):
        doors.office.openings.count()  # as many people in this very second

    with pytest.raises(Refused) as told:
        await open_process(program, "case", "register", ASKED)
    passed = [
        await open_process(person, "case", "register", ASKED),
        await open_process(program, "case", "register", {**ASKED, "urgency": "emergency"}),
        await open_process(program, "case", "register", ASKED, command_id=number),
    ]

    assert told.value.code == "request.too_many"
    assert int(str(told.value.refusal.params["seconds"])) > LONGEST
    assert [each.repeated for each in passed] == [False, False, True]
    assert passed[2].answer == first.answer


async def test_programs_take_their_turns_in_the_order_they_came() -> None:
    openings, came = Openings(200), list[int]()

    async def one(number: int) -> None:
        await openings.turn()
        came.append(number)

    await asyncio.gather(*(one(number) for number in range(6)))

    assert came == list(range(6))
