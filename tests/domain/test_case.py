"""What happens to a case: one sentence for every act, every way back and every end."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from domain.people import RESIDENT, Actor
from domain.process import HandOverResult, Report
from tests.domain import routes as r
from tests.domain.routes import archived, disputed, returned, spot_until, until
from tests.domain.spec import Fact, Raw, Story, fact, given
from tests.neighbourhood import AFTER, EVERYDAY, FAR_GRID, GRID, HELPER, LEAD, OTHER, OTHER_GRID


class Yes(NamedTuple):
    """One act that is allowed, the facts that follow, the clocks it moves and the stage it leads to."""

    sentence: str
    story: Story
    command: Raw
    by: str | Actor
    facts: tuple[str | Fact, ...]
    clocks: str
    stage: str
    after: str = "1m"


UNPLACED = given().when(r.UNPLACED, "hotline").happens()
TWICE_SILENT = until("fed_back").when(r.SILENT, "worker").happens().when(r.SILENT, "worker", after="2h").happens()
HEARD = until("fed_back").when(r.CONTENT, RESIDENT).happens()
OVERDUE_SETTLED = until("lead appraised").later("4d").then(clocks="?appraise !appraise").later("4d").then(clocks="")

TABLE = [
    Yes("a worker registers what was found", given(), r.REGISTER, "worker",
        (fact("registered", found_at="2026-11-23T03:30:00Z", urgency="general", everyday=False,
              place={"street": "S01", "community": "C01", "grid": GRID}),),
        "+place", "registered"),
    Yes("the hotline registers what has no place yet", given(), {**r.UNPLACED, "source": "12345",
                                                                 "external_id": "2026-7"}, "hotline",
        (fact("registered", place={"street": "S01", "community": None, "grid": None}, source="12345"),),
        "+place", "registered"),
    Yes("a resident registers", given(), r.REGISTER, "resident", ("registered",), "+place", "registered"),
    Yes("an everyday matter is handled on the spot", spot_until("registered"), r.ON_THE_SPOT, "worker",
        (fact("handled_on_spot", measures="当场清理"),), "-place +visit", "on_the_spot"),
    Yes("the community declines", until("registered"), r.DECLINE, "community", (fact("declined", reason="in_court"),),
        "-place", "declined"),
    Yes("the street declines after the whistle", until("whistled"), r.DECLINE, "dispatcher", ("declined",),
        "-dispatch", "declined"),
    Yes("the registrar withdraws for the reporter", until("registered"), r.WITHDRAW, "worker", ("withdrawn",),
        "-place", "withdrawn"),
    Yes("the resident withdraws while departments work", until("handling"), r.WITHDRAW, "resident", ("withdrawn",),
        "-contact -handle", "withdrawn"),
    Yes("the resident withdraws while the street looks for another department", returned(), r.WITHDRAW, "resident",
        ("withdrawn",), "-contact -handle -dispatch#1", "withdrawn"),
    Yes("the community whistles", until("registered"), r.WHISTLE, "community",
        (fact("whistled", departments=[LEAD], approver="approver"),), "-place +dispatch", "whistled"),
    Yes("the community whistles and raises the urgency", until("registered"), {**r.WHISTLE, "urgency": "emergency"},
        "community", (fact("corrected", urgency="emergency"), "whistled"), "-place +dispatch", "whistled"),
    Yes("the community whistles with the urgency it has", until("registered"), {**r.WHISTLE, "urgency": "general"},
        "community", ("whistled",), "-place +dispatch", "whistled"),
    Yes("the street dispatches", until("whistled"), r.DISPATCH, "dispatcher",
        (fact("dispatched", lead=LEAD, helpers=[HELPER], mode="within_limit"),),
        "-dispatch +sign_for:D01 +sign_for:D02 +contact +handle", "dispatched"),
    Yes("a helper accepts", until("dispatched"), r.ACCEPT, "helper", (fact("accepted", lead=False),),
        "-sign_for:D02", "dispatched"),
    Yes("the lead accepts", until("dispatched"), r.ACCEPT, "handler", (fact("accepted", lead=True),),
        "-sign_for:D01", "handling"),
    Yes("a department musters before it has accepted", until("dispatched"), r.ARRIVE, "handler",
        (fact("arrived", department=LEAD),), "", "dispatched"),
    Yes("a department reports that it has spoken to the resident", until("handling"), r.PROGRESS, "handler",
        (fact("progress_reported", contacted=True),), "-contact", "handling"),
    Yes("a department reports without contact", until("handling"), {**r.PROGRESS, "contacted": False}, "helper",
        (fact("progress_reported", contacted=False, department=HELPER),), "", "handling"),
    Yes("the lead returns before accepting", until("dispatched"), {**r.RETURN, "proposed": OTHER}, "handler",
        (fact("task_returned", lead=True, proposed=OTHER, to_arbitration=False),), "-sign_for:D01 +dispatch#1",
        "returned"),
    Yes("the lead returns after accepting, its budget runs on", until("handling"), r.RETURN, "handler",
        (fact("task_returned", to_arbitration=True),), "+dispatch#1", "returned"),
    Yes("a helper returns and the lead goes on", until("handling"), r.RETURN, "helper",
        (fact("task_returned", lead=False, to_arbitration=False),), "", "handling"),
    Yes("a helper returns without saying whose it is", until("handling"), {**r.RETURN, "proposed": None}, "helper",
        (fact("task_returned", lead=False, proposed=None),), "", "handling"),
    Yes("the street gives it back to the same department", returned(), {**r.DISPATCH, "helpers": []}, "dispatcher",
        (fact("dispatched", lead=LEAD),), "-dispatch#1 +sign_for:D01#1", "dispatched"),
    Yes("the helper becomes the lead and signs for it anew", returned(),
        {**r.DISPATCH, "lead": HELPER, "helpers": [OTHER]}, "dispatcher",
        (fact("dispatched", lead=HELPER, helpers=[OTHER]),), "-dispatch#1 +sign_for:D02#1 +sign_for:D03",
        "dispatched"),
    Yes("a helper goes on while the street looks for another lead", returned(), r.STRIKE_OFF, "helper",
        (fact("struck_off", department=HELPER, concluding=False),), "", "returned"),
    Yes("a helper that stays does not sign for it again", returned(), {**r.DISPATCH, "lead": OTHER}, "dispatcher",
        ("dispatched",), "-dispatch#1 +sign_for:D03", "dispatched"),
    Yes("a helper strikes off its part", until("handling"), r.STRIKE_OFF, "helper",
        (fact("struck_off", concluding=False, department=HELPER),), "", "handling"),
    Yes("the lead concludes", until("helper struck off"), r.STRIKE_OFF, "handler",
        (fact("struck_off", concluding=True, workload=r.WORK),), "-contact -handle +verify", "struck_off"),
    Yes("the lead concludes without a helper that returned",
        until("handling").when(r.RETURN, "helper").happens(), r.STRIKE_OFF, "department-head",
        (fact("struck_off", concluding=True),), "-contact -handle +verify", "struck_off"),
    Yes("another worker verifies", until("struck_off"), r.VERIFY, "checker", (fact("verified", passed=True),),
        "-verify +sign", "verified"),
    Yes("the check fails and the lead handles again", until("struck_off"), r.FAIL, "checker",
        (fact("verified", passed=False), fact("rework_ordered", cause="check_failed", round=1)),
        "-verify ~handle", "handling"),
    Yes("one signature is not two", until("verified"), r.sign, "captain", ("signed",), "", "verified"),
    Yes("two signatures are two", until("captain signed"), r.sign, "head", ("signed",), "-sign +feed_back", "signed"),
    Yes("a signer refuses and the lead handles again", until("captain signed"), r.REFUSE, "head",
        ("signature_refused", fact("rework_ordered", cause="signature_refused", round=1)), "-sign ~handle",
        "handling"),
    Yes("the department is told", until("signed"), r.TELL_DEPARTMENT, "community", (fact("fed_back", to="department"),),
        "", "signed"),
    Yes("the resident is told too", until("department told"), r.TELL_RESIDENT, "worker",
        (fact("fed_back", to="resident"),), "-feed_back +visit", "fed_back"),
    Yes("the registrar asks and the resident is content", until("fed_back"), r.CONTENT, "worker",
        (fact("visited", satisfaction="very_satisfied", solved=True),
         fact("settled", reached=True, reopen_until="2026-11-30T04:13:00Z")), "-visit +appraise", "settled"),
    Yes("the community asks in the registrar's place", until("fed_back"), {**r.CONTENT, "satisfaction": "fair"},
        "community", ("visited", "settled"), "-visit +appraise", "settled"),
    Yes("the resident is not satisfied", until("fed_back"), r.UNHAPPY, "worker",
        (fact("visited", satisfaction="dissatisfied"), fact("rework_ordered", cause="resident_dissatisfied")),
        "-visit ~handle", "handling"),
    Yes("the resident is satisfied but nothing is solved", until("fed_back"), {**r.CONTENT, "solved": False},
        "worker", (fact("visited", solved=False), "rework_ordered"), "-visit ~handle", "handling"),
    Yes("the resident speaks directly and is content", until("fed_back"), r.CONTENT, RESIDENT,
        (fact("visited", satisfaction="very_satisfied", solved=True), fact("settled", reached=True)),
        "-visit +appraise", "settled"),
    Yes("the resident speaks directly and is not satisfied", until("fed_back"), r.UNHAPPY, RESIDENT,
        (fact("visited", satisfaction="dissatisfied"), fact("rework_ordered", cause="resident_dissatisfied")),
        "-visit ~handle", "handling"),
    Yes("the resident judges at once what was settled on the spot", spot_until("on_the_spot"), r.CONTENT, RESIDENT,
        ("visited", "settled"), "-visit", "settled"),
    Yes("who would have asked reopens after the resident spoke directly", HEARD, r.REOPEN, "worker",
        ("reopened",), "-appraise ~handle", "handling"),
    Yes("the resident does not answer", until("fed_back"), r.SILENT, "worker", (fact("visited", answered=False),), "",
        "fed_back"),
    Yes("the resident does not answer a third time", TWICE_SILENT, r.SILENT, "community",
        ("visited", fact("settled", reached=False)), "-visit +appraise", "settled", "2h"),
    Yes("the matter settled on the spot is not settled", spot_until("on_the_spot"), r.UNHAPPY, "worker",
        ("visited", "rework_ordered"), "-visit +place#1", "registered"),
    Yes("a matter settled on the spot is settled", spot_until("on_the_spot"), r.CONTENT, "worker",
        ("visited", "settled"), "-visit", "settled"),
    Yes("the community scores one of two departments", until("settled"), r.APPRAISE, "approver",
        (fact("appraised", department=LEAD, scores=r.SCORES),), "", "settled"),
    Yes("the community scores the last one", until("lead appraised"), r.APPRAISE_HELPER, "community",
        ("appraised",), "-appraise", "appraised"),
    Yes("the last score after the window seals the dossier", OVERDUE_SETTLED, r.APPRAISE_HELPER, "community",
        ("appraised", "archived"), "-appraise", "archived"),
    Yes("the resident reopens", until("settled"), r.REOPEN, "resident", (fact("reopened", round=1),),
        "-appraise ~handle", "handling"),
    Yes("the visitor reopens what is appraised", until("appraised"), r.REOPEN, "worker", ("reopened",), "~handle",
        "handling"),
    Yes("the resident reopens what was settled on the spot", spot_until("settled"), r.REOPEN, "resident",
        ("reopened",), "+place#1", "registered"),
    Yes("anybody comments", until("verified"), r.COMMENT, "supervisor", (fact("commented", text="请尽快"),), "",
        "verified"),
    Yes("anybody attaches", until("registered"), r.ATTACH, "resident",
        (fact("attached", evidence={**AFTER, "kind": "document", "note": None}),), "", "registered"),
    Yes("the street places a case that lay nowhere", UNPLACED, {"kind": "correct", "reason": "落格", "grid": FAR_GRID},
        "dispatcher",
        (fact("corrected", place={"street": "S01", "community": "C02", "grid": FAR_GRID}, urgency="general"),), "",
        "registered"),
    Yes("a worker corrects the category", until("registered"),
        {"kind": "correct", "reason": "归类有误", "category": EVERYDAY}, "worker",
        (fact("corrected", category=EVERYDAY, everyday=True),), "", "registered"),
    Yes("the community passes the case to another grid", until("registered"),
        {"kind": "correct", "reason": "属二网格", "grid": OTHER_GRID}, "community", ("corrected",), "", "registered"),
]  # fmt: skip


@pytest.mark.parametrize("case", TABLE, ids=[each.sentence for each in TABLE])
def test_happens(case: Yes) -> None:
    case.story.when(case.command, case.by, after=case.after).then(*case.facts, clocks=case.clocks, stage=case.stage)


def test_the_whole_way_from_registration_to_the_archive() -> None:
    story = archived()
    assert story.state.stage == "archived"
    assert story.plan.finished
    assert not [clock for clock in story.state.clocks if clock.is_running]


def test_a_matter_settled_on_the_spot_goes_to_the_archive_by_itself() -> None:
    story = spot_until("settled")
    assert story.plan.alarm == story.state.reopen_until
    story.later("6d").then()
    story.later("7d").then("archived", stage="archived")


def test_the_third_rework_raises_the_level_and_so_does_the_fourth() -> None:
    story, levels = until("struck_off"), []
    for _ in range(5):
        story = story.when(r.FAIL, "checker").happens()
        levels.append(story.state.level)
        story = story.when(r.STRIKE_OFF, "handler").happens()
    assert levels == ["community", "community", "street", "district", "district"]
    assert story.kinds.count("level_raised") == 2
    assert story.state.rework_count == 5


def test_rework_voids_what_was_said_about_the_former_result() -> None:
    story = until("fed_back").when(r.UNHAPPY, "worker").happens()
    case = story.state
    assert (case.verified_by, case.digest, case.signatures, case.fed_back, case.satisfaction) == (
        None,
        None,
        (),
        (),
        None,
    )
    again = story.when(r.STRIKE_OFF, "handler").then("struck_off").when(r.VERIFY, "checker").then("verified")
    assert again.state.digest != until("verified").state.digest
    former = until("verified").state.digest
    again.when("sign", "captain", digest=former).then_refused("sign.other_result")


def test_reopening_voids_the_scores_and_the_next_settlement_asks_for_new_ones() -> None:
    story = until("lead appraised").when(r.REOPEN, "resident").then("reopened", stage="handling")
    assert [part.scores for part in story.state.assignments] == [None, None]
    assert (story.state.settled_at, story.state.reopen_until) == (None, None)
    for by, raw in (
        ("handler", r.STRIKE_OFF), ("checker", r.VERIFY), ("captain", r.sign), ("head", r.sign),
        ("community", r.TELL_DEPARTMENT), ("community", r.TELL_RESIDENT), ("worker", r.CONTENT),
    ):  # fmt: skip
        story = story.when(raw, by).happens()
    assert [task.id for task in story.plan.tasks] == ["appraise:D01#1", "appraise:D02#1"]
    story.when(r.APPRAISE, "community").then("appraised")


def test_the_digest_covers_what_was_checked() -> None:
    digests = {
        until("struck_off").when(r.VERIFY, "checker", note=note).happens().state.digest
        for note in (None, "完好", "完好。")
    }
    assert len(digests) == 3


def test_a_signature_for_one_round_never_fits_the_next_even_at_the_same_instant() -> None:
    claimed = until("struck_off")
    first = claimed.when(r.VERIFY, "checker", after=None).happens()
    again = claimed
    for raw, by in ((r.FAIL, "checker"), (r.STRIKE_OFF, "handler"), (r.VERIFY, "checker")):
        again = again.when(raw, by, after=None).happens()
    again.when("sign", "captain", digest=first.state.digest).then_refused("sign.other_result")


def test_raising_the_urgency_with_the_whistle_shortens_the_clocks_that_start_from_then_on() -> None:
    story = until("registered").when(r.WHISTLE, "community", urgency="emergency").happens()
    assert story.state.clock("dispatch").limit.chinese == "1小时"
    assert story.state.rules.row.urgency == "emergency"
    story = story.when(r.DISPATCH, "dispatcher").happens()
    assert story.state.clock("handle").limit.chinese == "24小时"


def test_a_correction_never_moves_a_clock_that_runs() -> None:
    before = until("handling")
    after = before.when(r.CORRECT, "dispatcher", urgency="emergency").then("corrected", clocks="")
    assert after.state.clocks == before.state.clocks


def test_a_department_dispatched_again_is_handed_a_task_of_its_own() -> None:
    def handed(story: Story) -> list[str]:
        return [task.id for task in story.plan.tasks if task.kind == "handle"]

    first = handed(until("dispatched"))
    again = returned().when(r.DISPATCH, "dispatcher").happens()
    assert len(first) == 2
    assert first[1] in handed(again), "the helper goes on with its task"
    assert first[0] not in handed(again), "the lead begins anew"
    promoted = returned().when(r.DISPATCH, "dispatcher", lead=HELPER, helpers=[]).happens()
    assert not set(handed(promoted)) & set(first), "a helper made lead begins anew"


def test_a_forced_department_is_handed_a_new_task() -> None:
    def handed(story: Story) -> set[str]:
        return {task.id for task in story.plan.tasks if task.kind == "handle"}

    before = handed(until("handling"))
    story = disputed().when(r.FORCE, "dispatcher").happens()
    (task,) = handed(story) - before
    assert handed(story) & before == {"handle:D02#0.1"}, "the helper goes on with its task"
    assert task.startswith("handle:D01#")
    assert next(each.opened_at for each in story.plan.tasks if each.id == task) == story.at


def test_a_dispatch_at_the_same_instant_leaves_the_helper_s_signature_alone() -> None:
    story = until("whistled").when(r.DISPATCH, "dispatcher").happens()
    for raw, by in ((r.ACCEPT, "helper"), (r.RETURN, "handler")):
        story = story.when(raw, by, after=None).happens()
    story.when(r.DISPATCH, "dispatcher", after=None).then("dispatched", clocks="-dispatch#1 +sign_for:D01#1")


def test_departments_that_leave_stop_counting_in_the_order_they_had() -> None:
    story = until("whistled").when(r.DISPATCH, "dispatcher", helpers=[OTHER, HELPER]).happens()
    story = story.when(r.RETURN, "handler").happens()
    story.when(r.DISPATCH, "dispatcher", helpers=[]).then(
        "dispatched", clocks="-dispatch#1 -sign_for:D02 -sign_for:D03 +sign_for:D01#1"
    )


def test_every_piece_of_evidence_counts() -> None:
    assert until("verified").state.evidence_count == 3


HANDLED: Mapping[str, Any] = {key: value for key, value in r.STRIKE_OFF.items() if key != "kind"}


def _report(story: Story, department: str, result: HandOverResult, **fields: Any) -> list[tuple[str, Any]]:
    task = next(task for task in until("dispatched").plan.tasks if task.organisation == department)
    report = Report(result=result, person="robot", fields=fields)
    answers = story.process.answer(story.state, task, report)
    assert all(actor.person == "robot" and actor.organisation == department for actor, _ in answers)
    return [(str(raw["kind"]), raw) for _, raw in answers]


@pytest.mark.parametrize(
    ("place", "department", "result", "kinds"),
    [
        ("dispatched", LEAD, HandOverResult.HANDLED, ["accept", "strike_off"]),
        ("handling", LEAD, HandOverResult.HANDLED, ["strike_off"]),
        ("dispatched", LEAD, HandOverResult.RETURNED, ["return_task"]),
        ("dispatched", LEAD, HandOverResult.DELIVERED, []),
        ("helper struck off", HELPER, HandOverResult.HANDLED, []),
        ("registered", HELPER, HandOverResult.HANDLED, []),
    ],
)
def test_a_department_s_system_answers_with_the_commands_of_a_person(
    place: str, department: str, result: HandOverResult, kinds: list[str]
) -> None:
    assert [kind for kind, _ in _report(until(place), department, result, **HANDLED)] == kinds


@pytest.mark.parametrize("result", [HandOverResult.HANDLED, HandOverResult.RETURNED])
def test_a_report_is_never_another_command_in_disguise(result: HandOverResult) -> None:
    (answer,) = _report(until("handling"), LEAD, result, kind="comment", text="done")
    assert answer[0] in ("strike_off", "return_task")


def test_what_is_handed_over_names_the_case_and_no_person() -> None:
    story = until("dispatched")
    handed = story.process.hand_over(story.state, story.plan.tasks[0], "case-1")
    assert (handed.stream, handed.title, handed.category) == ("case-1", "路面破损", "K02")


TASKS = [
    ("registered", ["triage"], ["community"]),
    ("whistled", ["dispatch"], ["street_dispatcher"]),
    ("dispatched", ["handle", "handle"], ["department_handler"] * 2),
    ("helper struck off", ["handle"], ["department_handler"]),
    ("struck_off", ["verify"], ["grid_worker"]),
    ("verified", ["sign", "sign"], ["vanguard_captain", "grid_head"]),
    ("captain signed", ["sign"], ["grid_head"]),
    ("signed", ["feed_back_department", "feed_back_resident"], ["grid_worker"] * 2),
    ("department told", ["feed_back_resident"], ["grid_worker"]),
    ("fed_back", ["visit"], ["grid_worker"]),
    ("settled", ["appraise", "appraise"], ["community"] * 2),
    ("lead appraised", ["appraise"], ["community"]),
    ("appraised", [], []),
]


@pytest.mark.parametrize(("place", "kinds", "roles"), TASKS, ids=[name for name, _, _ in TASKS])
def test_who_must_act(place: str, kinds: list[str], roles: list[str]) -> None:
    tasks = until(place).plan.tasks
    assert [task.kind for task in tasks] == kinds
    assert [task.role for task in tasks] == roles


def test_who_must_act_beside_the_long_way() -> None:
    assert [task.kind for task in UNPLACED.plan.tasks] == ["place"]
    assert [task.kind for task in spot_until("registered").plan.tasks] == ["triage", "handle_on_spot"]
    assert [task.kind for task in returned().plan.tasks] == ["dispatch", "handle"]
    assert [task.kind for task in disputed().plan.tasks] == ["arbitrate", "handle"]
    (visit,) = until("fed_back").plan.tasks
    assert visit.person == "worker"


def test_a_hotline_case_is_visited_by_the_community() -> None:
    story = given().when(r.REGISTER, "hotline").happens()
    for _, by, raw in r.LONG_WAY[1:12]:
        story = story.when(raw, by).happens()
    (visit,) = story.plan.tasks
    assert (visit.kind, visit.role, visit.organisation, visit.person) == ("visit", "community", "C01", None)


@pytest.mark.parametrize("raw", [r.DECLINE, r.WITHDRAW])
def test_an_end_has_neither_tasks_nor_alarm(raw: Mapping[str, Any]) -> None:
    by = "community" if raw is r.DECLINE else "worker"
    plan = until("registered").when(raw, by).happens().plan
    assert (plan.finished, plan.tasks, plan.alarm, plan.attributes.due_at) == (True, (), None, None)
