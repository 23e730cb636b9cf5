"""The other ways through a case, and the wish, on the real server."""

from typing import Any

from tests.neighbourhood import AFTER, GRID, HELPER, LEAD, OTHER, OTHER_GRID
from tests.refusals import refused
from tests.workflows.office import SCORES, WORKLOAD, Office


async def test_every_helper_strikes_off_before_the_lead_concludes(office: Office) -> None:
    stream = await office.register()
    await office.do(stream, "community", "whistle", reason="other", departments=[LEAD], approver="approver")
    await office.do(stream, "dispatcher", "dispatch", lead=LEAD, helpers=[HELPER])
    await office.do(stream, "handler", "accept")
    done: dict[str, Any] = {"measures": "已处置", "workload": WORKLOAD, "evidence": [AFTER]}
    await refused(office.do(stream, "handler", "strike_off", **done), "strike_off.helpers_open")
    await office.do(stream, "helper", "accept")
    assert (await office.do(stream, "helper", "strike_off", **done)).stage == "handling"
    assert (await office.do(stream, "handler", "strike_off", **done)).stage == "struck_off"


async def test_a_failed_check_and_a_refused_signature_send_the_case_back(office: Office) -> None:
    stream = await office.register()
    await office.walk(stream, until="strike_off")
    answer = await office.do(stream, "checker", "verify", passed=False, evidence=[AFTER], note="坑还在")
    assert answer.stage == "handling"
    done: dict[str, Any] = {"measures": "重新补好", "workload": WORKLOAD, "evidence": [AFTER]}
    await office.do(stream, "handler", "strike_off", **done)
    await office.do(stream, "checker", "verify", passed=True, evidence=[AFTER])
    await office.do(stream, "captain", "sign")
    assert (await office.do(stream, "head", "refuse_signature", reason="照片不清")).stage == "handling"
    await office.do(stream, "handler", "strike_off", **done)
    answers = await office.walk(stream, after="strike_off")
    assert answers[-1].stage == "appraised"
    assert (await office.state(stream)).rework_count == 2


async def test_a_dissatisfied_resident_and_a_reopened_case_go_round_again(office: Office) -> None:
    stream = await office.register()
    await office.walk(stream, until="feed_back")
    visit: dict[str, Any] = {"answered": True, "satisfaction": "dissatisfied", "solved": False}
    assert (await office.do(stream, "worker", "visit", **visit)).stage == "handling"
    done: dict[str, Any] = {"measures": "重新补好", "workload": WORKLOAD, "evidence": [AFTER]}
    await office.do(stream, "handler", "strike_off", **done)
    await office.walk(stream, after="strike_off")
    assert (await office.do(stream, "resident", "reopen", reason="又坏了")).stage == "handling"
    await office.do(stream, "handler", "strike_off", **done)
    assert (await office.walk(stream, after="strike_off"))[-1].stage == "appraised"
    assert (await office.state(stream)).round == 2


async def test_a_request_without_a_grid_waits_for_the_street_to_place_it(office: Office) -> None:
    stream = await office.register("hotline", grid=None, category=None)
    state = await office.state(stream)
    assert (state.place.street, state.place.grid) == ("S01", None)
    whistle: dict[str, Any] = {"reason": "other", "departments": [LEAD], "approver": "approver"}
    await refused(office.do(stream, "community", "whistle", **whistle), "case.not_placed")
    await office.do(stream, "dispatcher", "correct", reason="核实地点", grid=GRID)
    # A hotline neither checks nor visits: the community asks the resident.
    await office.walk(stream, until="feed_back")
    visit: dict[str, Any] = {"answered": True, "satisfaction": "satisfied", "solved": True}
    assert (await office.do(stream, "community", "visit", **visit)).stage == "settled"


async def test_a_request_may_be_moved_to_another_grid(office: Office) -> None:
    stream = await office.register()
    await office.do(stream, "worker", "correct", reason="在二网格", grid=OTHER_GRID)
    await refused(office.do(stream, "worker", "handle_on_spot", measures="清理", evidence=[]), "actor.wrong_grid")


async def test_a_returned_task_goes_to_the_department_it_belongs_to(office: Office) -> None:
    stream = await office.register()
    await office.walk(stream, until="dispatch")
    returned: dict[str, Any] = {"reason": "不属我部门", "legal_basis": "职责清单第三条", "proposed": OTHER}
    assert (await office.do(stream, "handler", "return_task", **returned)).stage == "returned"
    await office.do(stream, "dispatcher", "dispatch", lead=OTHER)
    await refused(office.do(stream, "handler", "accept"), "task.not_yours")
    assert (await office.do(stream, "other", "accept")).stage == "handling"
    await office.do(stream, "other", "strike_off", measures="已修", workload=WORKLOAD, evidence=[AFTER])
    await office.walk(stream, after="strike_off", until="visit")
    assert (await office.do(stream, "community", "appraise", department=OTHER, scores=SCORES)).stage == "appraised"


async def test_declined_and_withdrawn_cases_end_their_workflows(office: Office) -> None:
    declined, withdrawn = await office.register(), await office.register()
    await office.do(declined, "community", "decline", reason="not_in_scope", explanation="不在受理范围")
    await office.do(withdrawn, "worker", "withdraw", reason="居民撤回")
    assert await office.until_closed(declined) == "declined"
    assert await office.until_closed(withdrawn) == "withdrawn"


async def test_a_wish_is_claimed_fulfilled_and_thanked_for(office: Office) -> None:
    stream = await office.publish()
    await office.do(stream, "worker", "claim_wish", promise="周末送去")
    await refused(office.do(stream, "checker", "claim_wish"), "wish.wrong_stage")
    await office.do(stream, "worker", "fulfil_wish", text="椅子修好了")
    answer = await office.do(stream, "resident", "thank_for_wish", word="谢谢")
    assert answer.stage == "thanked"
    assert await office.until_closed(stream) == "thanked"
    counts = await office.temporal_history(stream)
    # When it lapses, who has claimed it, that it is done; its end is told by Temporal itself.
    assert counts["UPSERT_WORKFLOW_SEARCH_ATTRIBUTES"] == 3
