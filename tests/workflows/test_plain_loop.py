"""The plain loop on the real server, and what it costs."""

from datetime import datetime
from typing import Any

import pytest

from domain.case.vocabulary import PHASES, Stage
from domain.ladder import ClockKind
from domain.process import Outcome
from tests.neighbourhood import LEAD
from tests.waiting import eventually
from tests.workflows.office import PLAIN_LOOP, Office
from workflows import ids


async def test_the_plain_loop_reaches_its_appraisal_within_80_history_events(office: Office) -> None:
    stream = await office.register()
    answers = await office.walk(stream)
    assert answers[-1].stage == "appraised"
    assert len(answers) == len(PLAIN_LOOP) == 11
    assert (await office.temporal_history(stream)).total() <= 80


async def test_a_workflow_takes_over_the_states_its_worker_has_just_reckoned(
    office: Office, cached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream, taken = await office.register(), list[Any]()

    def spied(outcome: Outcome) -> Any:
        taken.append(getattr(outcome, "_state", None))
        return taken[-1]

    monkeypatch.setattr(Outcome, "state", property(spied))
    answers = await office.walk(stream)

    reckoned = [state for state in taken if state is not None]
    assert reckoned[-1] == await office.state(stream)
    assert {answer.stage for answer in answers} <= {state.stage for state in reckoned}
    assert reckoned == taken or not cached, "only what is read out of a history is folded"


async def test_search_attributes_are_written_when_the_phase_changes_and_at_no_other_act(office: Office) -> None:
    stream = await office.register()
    stages = ["registered", *(answer.stage for answer in await office.walk(stream))]
    await office.do(stream, "worker", "comment", text="居民来电致谢")
    counts = await office.temporal_history(stream)
    phases = dict.fromkeys(PHASES[Stage(stage)] for stage in stages)
    assert stages[-1] == "appraised"
    # The first is told by the start itself.
    assert counts["UPSERT_WORKFLOW_SEARCH_ATTRIBUTES"] == len(phases) - 1 == 1


async def test_the_limit_the_departments_had_stays_shown_when_they_are_done(office: Office) -> None:
    stream = await office.register()
    await office.walk(stream, until="accept")
    told = await due_of(office, stream)

    await office.walk(stream, after="accept", until="verify")

    assert told is not None
    assert await due_of(office, stream) == told


async def test_a_case_that_waits_for_triage_is_shown_as_such_without_being_told(office: Office) -> None:
    stream = await office.register()
    shown = (await office.handle(stream).describe()).typed_search_attributes
    assert shown.get(ids.PHASE) == "triage"
    assert (await office.temporal_history(stream))["UPSERT_WORKFLOW_SEARCH_ATTRIBUTES"] == 0


async def test_a_due_that_changes_within_a_phase_is_told(office: Office) -> None:
    stream = await office.register()
    await office.walk(stream, until="accept")
    told = [await due_of(office, stream)]

    await office.do(stream, "dispatcher", "suspend", reason="awaiting_party", explanation="户主外出", requested_by=LEAD)
    told.append(await due_of(office, stream))
    await office.do(stream, "dispatcher", "resume", reason="户主已回")
    told.append(await due_of(office, stream))

    budget = next(clock for clock in (await office.state(stream)).clocks if clock.kind == ClockKind.HANDLE)
    assert told[1] is None
    assert told[0] is not None
    assert told[2] == budget.due_at > told[0]


async def due_of(office: Office, stream: str) -> datetime | None:
    return (await office.handle(stream).describe()).typed_search_attributes.get(ids.DUE)


async def test_the_search_attributes_tell_phase_department_street_due_and_rules(office: Office) -> None:
    stream = await office.register()
    await office.walk(stream, until="accept")
    described = await office.handle(stream).describe()
    attributes, state = described.typed_search_attributes, await office.state(stream)
    assert attributes.get(ids.PHASE) == "handling"
    assert attributes.get(ids.DEPARTMENT) == [LEAD]
    assert attributes.get(ids.STREET) == "S01"
    assert attributes.get(ids.RULES) == state.rules.version
    assert attributes.get(ids.DUE) == next(clock.due_at for clock in state.clocks if clock.kind == ClockKind.HANDLE)


async def test_cases_can_be_found_by_phase_on_the_pages_of_temporal(office: Office) -> None:
    stream = await office.register()
    await office.walk(stream, until="dispatch")
    query = f"BihuanPhase = 'handling' and BihuanDepartment = '{LEAD}' and WorkflowId = '{stream}'"

    async def found() -> list[str]:
        return [each.id async for each in office.client.list_workflows(query)]

    assert await eventually(found, "the case is listed") == [stream]


async def test_an_answer_names_the_events_of_its_command(office: Office) -> None:
    stream = await office.register()
    answer = await office.do(stream, "community", "whistle", reason="other", departments=[LEAD], approver="approver")
    recorded = [event for event in await office.events(stream) if answer.seq_from <= event.seq <= answer.seq_to]
    assert [event.kind for event in recorded] == list(answer.kinds)
    assert {str(event.command_id) for event in recorded} == {answer.command_id}
    assert "whistled" in answer.kinds
    assert answer.stage == "whistled"


async def test_cases_run_side_by_side_without_touching_each_other(office: Office) -> None:
    streams = [await office.register() for _ in range(3)]
    await office.walk(streams[1], until="dispatch")
    await office.walk(streams[2], until="sign")
    assert [(await office.state(stream)).stage.value for stream in streams] == ["registered", "dispatched", "signed"]
