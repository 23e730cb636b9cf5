"""What is refused, and that a refusal leaves nothing behind."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from domain.people import Actor, Role
from domain.process import TimePasses
from tests.neighbourhood import ACTORS, LEAD
from tests.refusals import refused
from tests.workflows.office import REGISTRATION, Office
from workflows.ids import SUBMIT


async def test_a_refusal_by_state_leaves_no_history_event(office: Office) -> None:
    stream = await office.register()
    before, facts = await office.temporal_history(stream), await office.kinds(stream)
    acts: tuple[tuple[str, str, dict[str, Any], str], ...] = (
        ("dispatcher", "dispatch", {"lead": LEAD}, "case.wrong_stage"),
        ("worker", "whistle", {"reason": "other", "departments": [LEAD], "approver": "approver"}, "actor.wrong_role"),
        ("far-community", "decline", {"reason": "other", "explanation": "不是本社区"}, "actor.wrong_organisation"),
        ("worker", "register", {"title": "同一件事", "text": "又登记一次"}, "case.already_registered"),
    )
    for who, kind, fields, code in acts:
        await refused(office.do(stream, who, kind, **fields), code)
    assert await office.temporal_history(stream) == before
    assert await office.kinds(stream) == facts


async def test_a_refused_opening_ends_the_workflow_at_once_and_can_be_mended(office: Office) -> None:
    stream = f"case-{uuid4().hex}"
    await refused(office.register(stream=stream, grid="G99"), "grid.unknown")
    assert await office.until_closed(stream) == "refused"
    assert await office.events(stream) == []
    await refused(office.do(stream, "worker", "comment", text="在吗"), "case.unknown")
    await office.register(stream=stream)
    assert (await office.kinds(stream))[0] == "registered"


async def test_a_role_that_is_not_held_is_refused_with_no_fact_written(office: Office) -> None:
    stream = await office.register()
    impostor = Actor(person="worker", role=Role.COMMUNITY, organisation="C01")
    stranger = Actor(person="nobody", role=Role.GRID_WORKER, grid="G01")
    time_itself = Actor(person="system", role=Role.SYSTEM)
    facts = await office.kinds(stream)
    for actor in (impostor, stranger, time_itself):
        await refused(office.do(stream, actor, "comment", text="我也来说一句"), "actor.role_not_held")
    assert await office.kinds(stream) == facts
    other = f"case-{uuid4().hex}"
    await refused(office.desk.open(other, stranger, REGISTRATION), "actor.role_not_held")
    assert await office.events(other) == []


async def test_a_command_for_a_finished_case_is_refused(office: Office) -> None:
    stream = await office.register()
    await office.do(stream, "worker", "withdraw", reason="居民撤回")
    await office.until_closed(stream)
    await refused(office.do(stream, "worker", "comment", text="还有一句"), "case.finished")
    await refused(
        office.desk.open(stream, ACTORS["worker"], REGISTRATION, command_id=str(uuid4())), "case.already_registered"
    )
    assert (await office.kinds(stream))[-1] == "withdrawn"


async def test_a_command_for_a_case_nobody_knows_is_refused(office: Office) -> None:
    await refused(office.do(f"case-{uuid4().hex}", "worker", "comment", text="有人吗"), "case.unknown")
    await refused(office.do(f"wish-{uuid4().hex}", "worker", "claim_wish"), "wish.unknown")


@pytest.mark.parametrize("kind", ["whistle", "accept", "comment"])
async def test_only_an_opening_opens(office: Office, kind: str) -> None:
    stream, fields = f"case-{uuid4().hex}", {"comment": {"text": "没有登记"}, "accept": {}}
    command = {"kind": kind, **fields.get(kind, {"reason": "other", "departments": [LEAD], "approver": "approver"})}
    await refused(office.desk.open(stream, ACTORS["community"], command), "case.unknown")
    assert await office.events(stream) == []


async def test_two_people_claiming_one_task_have_one_winner_and_one_refusal(office: Office) -> None:
    for _ in range(3):
        stream = await office.register()
        await office.walk(stream, until="dispatch")
        outcomes = await asyncio.gather(
            office.do(stream, "handler", "accept"),
            office.do(stream, "department-head", "accept"),
            return_exceptions=True,
        )
        (loss,) = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert getattr(loss, "code", loss) == "task.already_accepted"
        assert (await office.kinds(stream)).count("accepted") == 1


def _envelope(**changes: Any) -> dict[str, Any]:
    actor = ACTORS["worker"].model_dump(mode="json")
    return {"command_id": str(uuid4()), "actor": actor, "command": {"kind": "comment", "text": "好"}, **changes}


RESIDENT = {"person": "resident-1", "role": "resident"}
UNREADABLE: dict[str, Any] = {
    "a text": "garbage",
    "nothing": None,
    "a list": [1, 2],
    "an empty object": {},
    "an unknown field": _envelope(urgent=True),
    "no actor": {key: value for key, value in _envelope().items() if key != "actor"},
    "an unknown role": _envelope(actor={"person": "worker", "role": "emperor"}),
}
UNLAWFUL: dict[str, tuple[dict[str, Any], str]] = {
    "an id that is no UUID": (_envelope(command_id="first"), "command.bad_id"),
    "an unknown command": (_envelope(command={"kind": "obey"}), "command.unknown_kind"),
    "time itself": (_envelope(command=TimePasses().model_dump()), "command.unknown_kind"),
    "no kind": (_envelope(command={"text": "好"}), "field.missing"),
    "an unknown field": (_envelope(command={"kind": "comment", "text": "好", "loud": True}), "field.unknown"),
    "a float": (_envelope(command={"kind": "comment", "text": 1.5}), "field.invalid"),
    "control characters": (_envelope(command={"kind": "comment", "text": "好\u0000"}), "text.control_characters"),
    "an over-long text": (_envelope(command={"kind": "comment", "text": "好" * 20_001}), "text.too_long"),
    "a person with a line break": (_envelope(actor={**RESIDENT, "person": "a\nb"}), "code.malformed"),
    "a person with NUL": (_envelope(actor={**RESIDENT, "person": "a\u0000b"}), "code.malformed"),
    "a person without a name": (_envelope(actor={**RESIDENT, "person": ""}), "code.malformed"),
    "an over-long person": (_envelope(actor={**RESIDENT, "person": "a" * 10_000}), "text.too_long"),
}


async def test_garbage_sent_past_the_desk_is_refused_and_harms_nothing(office: Office) -> None:
    stream = await office.register()
    before = await office.temporal_history(stream)
    payloads: list[tuple[str, Any, str | None]] = [(name, payload, None) for name, payload in UNREADABLE.items()]
    payloads += [(name, payload, code) for name, (payload, code) in UNLAWFUL.items()]
    for name, payload, code in payloads:
        with pytest.raises(WorkflowUpdateFailedError) as caught:
            await asyncio.wait_for(office.handle(stream).execute_update(SUBMIT, payload), 60)
        cause = caught.value.cause
        assert isinstance(cause, ApplicationError), name
        assert code in (None, cause.type), (name, cause)
    assert await office.temporal_history(stream) == before
    assert await office.kinds(stream) == ["registered", "clock_started"]
    await office.walk(stream, until="accept")


async def test_time_is_nobodys_command(office: Office) -> None:
    stream = await office.register()
    await refused(office.do(stream, "worker", "time_passes"), "command.unknown_kind")
