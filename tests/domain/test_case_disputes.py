"""Who has to do it: returns, arbitration, hand-over, helpers, and the budget that none of them refills."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from domain.clocks import Clock
from domain.people import Actor, Role
from domain.registry_check import registry_of
from tests.domain import routes as r
from tests.domain.routes import disputed, returned, until, working_until
from tests.domain.spec import Story, Wrong, clocks_of, fact, moment, shown
from tests.neighbourhood import HELPER, LEAD, OTHER, REGISTRY, raw_registry

FAR_DISPATCHER = Actor(person="far", role=Role.STREET_DISPATCHER, organisation="S02")
SECOND_DISPATCHER = {"person": "second-dispatcher", "role": "street_dispatcher", "organisation": "S01"}


def at(place: str) -> Callable[[], Story]:
    return lambda: until(place)


def but(command: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    return {**command, **changes}


def budget(story: Story) -> Clock:
    (found,) = [clock for clock in story.state.clocks if clock.kind == "handle"]
    assert isinstance(found, Clock)
    return found


def handed(story: Story) -> list[str]:
    return [task.organisation or "" for task in story.plan.tasks if task.kind == "handle"]


# --- returns ------------------------------------------------------------------------------------------------------


def test_the_street_that_leads_does_not_decide_on_its_own_time() -> None:
    story = working_until("handling").when(r.RETURN, "handler").happens()
    story = story.when(r.TAKE_OVER, "dispatcher").happens().when(r.ACCEPT, "dispatcher").happens()
    story = story.when(r.MORE_TIME, "dispatcher").then("extension_requested")
    (task,) = [each for each in story.plan.tasks if each.kind == "decide_extension"]
    assert (task.role, task.organisation) == ("supervisor", "S01")
    for raw in (r.GRANT, r.DENY, r.SUSPEND):
        story.when(raw, "dispatcher").then_refused("actor.wrong_role", field="actor.role")
    story = story.when(r.GRANT, "supervisor").then("extension_decided", clocks="^handle")
    story = story.when(r.SUSPEND, "supervisor").then("suspended")
    story.when(r.RESUME, "dispatcher").then_refused("actor.wrong_role", field="actor.role")
    story.when(r.RESUME, "supervisor").then("resumed")


def test_the_window_for_returning_is_part_of_the_dispatch() -> None:
    story = (
        until("whistled").when(r.DISPATCH, "dispatcher").then(fact("dispatched", return_until="2026-11-24T10:00:00Z"))
    )
    story = story.when(r.ACCEPT, "handler").happens().when(r.ACCEPT, "helper").happens()
    story.when(r.RETURN, "handler", on="11-24 18:00").then("task_returned")
    story.when(r.RETURN, "handler", on="11-24 18:01").then_refused(
        "return.too_late", field=None, until="2026-11-24T10:00:00+00:00"
    )


def test_a_return_says_why_by_which_rule_and_whose_it_is() -> None:
    until("dispatched").when(r.RETURN, "handler").then(
        fact("task_returned", department=LEAD, lead=True, reason="不属本部门职责", legal_basis="职责清单第三条",
             proposed=OTHER, to_arbitration=False),
    )  # fmt: skip


def twice_returned() -> Story:
    """Two departments gave the case back unsigned: as often as it may be."""
    story = returned().when(r.DISPATCH, "dispatcher", lead=OTHER).happens()
    return story.when(r.RETURN, "other", proposed=LEAD).then(
        fact("task_returned", to_arbitration=True), stage="returned"
    )


def test_at_the_limit_of_returns_only_an_arbitration_names_who_leads() -> None:
    story = twice_returned()
    assert [task.kind for task in story.plan.tasks] == ["arbitrate", "handle"]
    story.when(r.DISPATCH, "dispatcher").then_refused("dispatch.needs_arbitration", field=None, returns="2")
    story.when(r.REDISPATCH, "dispatcher", lead=LEAD).then(fact("arbitrated", lead=LEAD, final=True))


def test_the_first_acceptor_stays_the_lead_unless_an_arbitration_says_otherwise() -> None:
    story = disputed()
    assert story.state.first_acceptor == LEAD
    story.when(r.DISPATCH, "dispatcher", lead=OTHER).then_refused("dispatch.needs_arbitration", returns="1")
    moved = story.when(r.NAME_LEAD, "dispatcher").happens().when(r.ACCEPT, "other").happens()
    assert moved.state.first_acceptor == LEAD, "who was first stays on record"


def test_deemed_receipt_makes_a_first_acceptor_too() -> None:
    story = working_until("dispatched").by_time("11-24 09:00").happens()
    story = story.when(r.RETURN, "handler").then(fact("task_returned", to_arbitration=True))
    story.when(r.DISPATCH, "dispatcher", lead=OTHER).then_refused("dispatch.needs_arbitration")


def test_a_helper_s_return_counts_but_leaves_the_case_where_it_is() -> None:
    story = until("handling").when(r.RETURN, "helper").then(fact("task_returned", lead=False), stage="handling")
    assert [each.department for each in story.state.returns] == [HELPER]
    assert handed(story) == [LEAD]


RETURN = [
    Wrong("a lead does not return without a proposal", at("dispatched"), but(r.RETURN, proposed=None), "handler",
          "return.no_proposal", "proposed"),
    Wrong("nobody proposes oneself", at("dispatched"), but(r.RETURN, proposed=LEAD), "handler",
          "return.own_proposal", "proposed", {"department": LEAD}),
    Wrong("nobody proposes a community", at("dispatched"), but(r.RETURN, proposed="C01"), "handler",
          "department.unknown", "proposed", {"department": "C01"}),
    Wrong("no department returns twice",
          lambda: returned().when(r.DISPATCH, "dispatcher").happens(), r.RETURN, "handler", "return.unit_limit", None,
          {"department": LEAD, "most": "1"}),
    Wrong("no third return of a case",
          lambda: twice_returned().when(r.REDISPATCH, "dispatcher", lead=LEAD, helpers=[HELPER]).happens(),
          r.RETURN, "helper", "return.case_limit", None, {"most": "2"}),
    Wrong("what was forced is not returned", lambda: forced(), r.RETURN, "handler", "return.final", None,
          {"department": LEAD}),
    Wrong("what a lead was named for is not returned",
          lambda: disputed().when(r.NAME_LEAD, "dispatcher").happens(), r.RETURN, "other", "return.final", None,
          {"department": OTHER}),
    Wrong("a returned part is not returned again", returned, r.RETURN, "handler", "task.not_yours",
          "actor.organisation"),
]  # fmt: skip


@pytest.mark.parametrize("wrong", RETURN, ids=[each.sentence for each in RETURN])
def test_return_refuses(wrong: Wrong) -> None:
    wrong.check()


# --- arbitration --------------------------------------------------------------------------------------------------


def forced() -> Story:
    return disputed().when(r.FORCE, "dispatcher", after="3h").happens()


def test_force_sends_it_back_and_charges_the_returner() -> None:
    story = disputed().when(r.FORCE, "dispatcher", after="3h").then(
        fact("arbitrated", decision="force", lead=LEAD, helpers=[], justified=False, final=True, charged_to=LEAD,
             charged_from="2026-11-23T04:06:00Z", legal_basis="职责清单第一条"),
        clocks="-dispatch#1", stage="handling",
    )  # fmt: skip
    part = story.state.lead
    assert (part.department, part.accepted_at, part.final) == (LEAD, until("handling").at, True)
    assert handed(story) == [LEAD, HELPER], "the helper stays"
    assert budget(story) == budget(until("handling"))


def test_forcing_what_was_not_accepted_asks_for_a_signature_again() -> None:
    returned().when(r.FORCE, "dispatcher").then("arbitrated", clocks="-dispatch#1 +sign_for:D01#1", stage="dispatched")


def test_redispatch_gives_it_to_another_who_may_return_it_once_more() -> None:
    story = disputed().when(r.REDISPATCH, "dispatcher", helpers=[HELPER]).then(
        fact("arbitrated", decision="redispatch", lead=OTHER, helpers=[HELPER], justified=True, final=False,
             charged_to=None, charged_from=None),
        clocks="-dispatch#1 +sign_for:D03", stage="dispatched",
    )  # fmt: skip
    story.when(r.RETURN, "other", proposed=LEAD).then(fact("task_returned", to_arbitration=True))


def test_a_lead_is_named_for_good() -> None:
    story = disputed().when(r.NAME_LEAD, "dispatcher", helpers=[LEAD]).then(
        fact("arbitrated", decision="name_lead", lead=OTHER, helpers=[LEAD], justified=True, final=True),
        clocks="-dispatch#1 +sign_for:D03 +sign_for:D01#1", stage="dispatched",
    )  # fmt: skip
    assert handed(story) == [OTHER, LEAD]


def test_the_department_that_returned_may_be_named_all_the_same() -> None:
    disputed().when(r.NAME_LEAD, "dispatcher", lead=LEAD).then(
        fact("arbitrated", lead=LEAD, justified=True, charged_to=None), clocks="-dispatch#1 +sign_for:D01#1"
    )


def test_the_street_takes_the_case_over_and_does_the_work_itself() -> None:
    story = disputed().when(r.TAKE_OVER, "dispatcher").then(
        fact("arbitrated", decision="take_over", lead="S01", justified=True, final=True),
        clocks="-dispatch#1 +sign_for:S01", stage="dispatched",
    )  # fmt: skip
    (task,) = [task for task in story.plan.tasks if task.kind == "handle"]
    assert (task.role, task.organisation) == ("street_dispatcher", "S01")
    before = budget(until("handling"))
    story = story.when(r.ACCEPT, "dispatcher").then(fact("accepted", department="S01", lead=True), stage="handling")
    story = story.when(r.PROGRESS, "dispatcher").then("progress_reported", clocks="-contact")
    assert budget(story) == before
    story = story.when(r.STRIKE_OFF, "dispatcher").then(
        fact("struck_off", department="S01", concluding=True), clocks="-handle +verify", stage="struck_off"
    )
    story = story.when(r.VERIFY, "checker").happens()
    for signer in ("captain", "head"):
        story = story.when(r.sign, signer).happens()
    for told in (r.TELL_DEPARTMENT, r.TELL_RESIDENT):
        story = story.when(told, "checker").happens()
    story = story.when(r.CONTENT, "worker").then("visited", "settled", stage="settled")
    story.when(r.APPRAISE, "community", department="S01").then("appraised", stage="appraised")


def test_a_street_that_took_over_hands_on_among_its_dispatchers() -> None:
    people = [*REGISTRY["people"], {"id": "second-dispatcher", "name": "second-dispatcher"}]
    assignments = [*REGISTRY["assignments"], SECOND_DISPATCHER]
    story = disputed().when(r.TAKE_OVER, "dispatcher").happens()
    story = story.in_world(registry=registry_of(raw_registry(people=people, assignments=assignments)))
    story.when(r.HAND_OVER, "dispatcher", to="second-dispatcher").then(
        fact("handed_over", department="S01", to="second-dispatcher"), clocks=""
    )
    story.when(r.HAND_OVER, "dispatcher", to="handler").then_refused("hand_over.not_colleague", department="S01")


def test_an_arbitration_needs_no_limit_to_be_reached() -> None:
    returned().when(r.NAME_LEAD, "dispatcher").then("arbitrated", stage="dispatched")


def test_a_decision_with_a_legal_basis_or_without() -> None:
    disputed().when(r.FORCE, "dispatcher", legal_basis=None).then(fact("arbitrated", legal_basis=None))


ARBITRATION = [
    Wrong("a department does not arbitrate", disputed, r.FORCE, "handler", "actor.wrong_role", "actor.role"),
    Wrong("another street does not arbitrate", disputed, r.FORCE, FAR_DISPATCHER, "actor.wrong_organisation",
          "actor.organisation"),
    Wrong("nothing is arbitrated that was not returned", at("handling"), r.FORCE, "dispatcher", "case.wrong_stage"),
    Wrong("force names nobody else", disputed, but(r.FORCE, lead=OTHER), "dispatcher", "arbitrate.force_elsewhere",
          "lead", {"department": LEAD}),
    Wrong("force names no helpers", disputed, but(r.FORCE, helpers=[OTHER]), "dispatcher",
          "arbitrate.force_elsewhere", "lead", {"department": LEAD}),
    Wrong("nobody else takes over", disputed, but(r.TAKE_OVER, lead=OTHER), "dispatcher",
          "arbitrate.take_over_elsewhere", "lead", {"street": "S01"}),
    Wrong("a new lead has a name", disputed, but(r.NAME_LEAD, lead=None), "dispatcher", "arbitrate.no_lead", "lead"),
    Wrong("a new dispatch has a lead", disputed, but(r.REDISPATCH, lead=None), "dispatcher", "arbitrate.no_lead",
          "lead"),
    Wrong("a new dispatch goes elsewhere", disputed, but(r.REDISPATCH, lead=LEAD), "dispatcher",
          "arbitrate.redispatch_same", "lead", {"department": LEAD}),
    Wrong("no lead nobody knows", disputed, but(r.NAME_LEAD, lead="D99"), "dispatcher", "department.unknown", "lead"),
    Wrong("no helper nobody knows", disputed, but(r.NAME_LEAD, helpers=["D99"]), "dispatcher", "department.unknown",
          "helpers"),
    Wrong("the lead is not its own helper", disputed, but(r.NAME_LEAD, helpers=[OTHER]), "dispatcher",
          "department.twice", "helpers"),
    Wrong("no helper twice", disputed, but(r.TAKE_OVER, helpers=[HELPER, HELPER]), "dispatcher", "department.twice",
          "helpers"),
    Wrong("no way nobody knows", disputed, but(r.FORCE, decision="ignore"), "dispatcher", "field.invalid",
          "decision"),
]  # fmt: skip


@pytest.mark.parametrize("wrong", ARBITRATION, ids=[each.sentence for each in ARBITRATION])
def test_arbitration_refuses(wrong: Wrong) -> None:
    wrong.check()


# --- hand-over and helpers ----------------------------------------------------------------------------------------


def test_a_department_hands_its_task_to_a_colleague_and_no_clock_notices() -> None:
    before = until("handling")
    story = before.when(r.HAND_OVER, "handler").then(
        fact("handed_over", department=LEAD, to="department-head"), clocks="", stage="handling"
    )
    assert story.state.clocks == before.state.clocks
    (task,) = [task for task in story.plan.tasks if task.organisation == LEAD]
    assert task.person == "department-head"
    assert task.id in {task.id for task in before.plan.tasks}, "it is the same task"
    story.when(r.HAND_OVER, "department-head", to="handler").then("handed_over")


def test_a_task_is_handed_over_before_it_is_accepted_too() -> None:
    until("dispatched").when(r.HAND_OVER, "handler").then("handed_over", clocks="", stage="dispatched")


def test_the_lead_asks_another_department_to_help() -> None:
    story = until("handling").when(r.ADD_HELPER, "handler").then(
        fact("helper_added", department=OTHER, reason="需园林配合", return_until="2026-11-24T10:00:00Z"),
        clocks="+sign_for:D03", stage="handling",
    )  # fmt: skip
    assert handed(story) == [LEAD, HELPER, OTHER]
    assert budget(story) == budget(until("handling"))
    story.when(r.RETURN, "other", proposed=HELPER).then(fact("task_returned", lead=False))
    done = story.when(r.STRIKE_OFF, "helper").happens()
    done.when(r.STRIKE_OFF, "handler").then_refused("strike_off.helpers_open", departments=OTHER)
    done = done.when(r.ACCEPT, "other").then("accepted", clocks="-sign_for:D03").when(r.STRIKE_OFF, "other").happens()
    done.when(r.STRIKE_OFF, "handler").then(fact("struck_off", concluding=True))


def test_a_helper_that_returned_may_be_asked_again() -> None:
    story = until("handling").when(r.RETURN, "helper").happens()
    story = story.when(r.ADD_HELPER, "handler", department=HELPER).then("helper_added", clocks="+sign_for:D02#1")
    story.when(r.RETURN, "helper").then_refused("return.unit_limit", most="1")


HELP = [
    Wrong("a task is not handed to oneself", at("handling"), but(r.HAND_OVER, to="handler"), "handler",
          "hand_over.to_self", "to"),
    Wrong("nor to whoever has it already",
          lambda: until("handling").when(r.HAND_OVER, "handler").happens(), r.HAND_OVER, "handler",
          "hand_over.to_self", "to"),
    Wrong("nor to another department", at("handling"), but(r.HAND_OVER, to="helper"), "handler",
          "hand_over.not_colleague", "to", {"person": "helper", "department": LEAD}),
    Wrong("nor to nobody", at("handling"), but(r.HAND_OVER, to="nobody"), "handler", "hand_over.not_colleague", "to"),
    Wrong("nor by somebody without a part", at("handling"), r.HAND_OVER, "other", "task.not_yours",
          "actor.organisation"),
    Wrong("a helper asks for no help", at("handling"), r.ADD_HELPER, "helper", "helper.not_lead", None,
          {"department": HELPER}),
    Wrong("a lead that has not accepted does not either", at("helper accepted"), r.ADD_HELPER, "handler",
          "task.not_accepted"),
    Wrong("whoever is there already is not asked", at("handling"), but(r.ADD_HELPER, department=HELPER), "handler",
          "helper.already", "department", {"department": HELPER}),
    Wrong("nor the lead itself", at("handling"), but(r.ADD_HELPER, department=LEAD), "handler", "helper.already",
          "department"),
    Wrong("nor a department nobody knows", at("handling"), but(r.ADD_HELPER, department="D99"), "handler",
          "department.unknown", "department"),
]  # fmt: skip


@pytest.mark.parametrize("wrong", HELP, ids=[each.sentence for each in HELP])
def test_hand_over_and_help_refuse(wrong: Wrong) -> None:
    wrong.check()


# --- ping-pong ----------------------------------------------------------------------------------------------------


def test_ping_pong_between_two_departments_ends_in_arbitration_and_the_budget_has_run_through() -> None:
    story = working_until("handling")
    first = budget(story)
    story = story.when(r.RETURN, "handler", on="11-23 15:00").then("task_returned", stage="returned")
    story.when(r.DISPATCH, "dispatcher", lead=OTHER).then_refused("dispatch.needs_arbitration")
    story = story.when(r.FORCE, "dispatcher", on="11-23 17:00").then(
        fact("arbitrated", charged_to=LEAD, charged_from="2026-11-23T07:00:00Z"), stage="handling"
    )
    story.when(r.RETURN, "handler").then_refused("return.final")

    story = working_until("helper accepted").when(r.RETURN, "handler", on="11-23 15:00").happens()
    story = story.when(r.DISPATCH, "dispatcher", on="11-23 16:00", lead=OTHER).then("dispatched")
    story = story.when(r.RETURN, "other", on="11-24 09:00", proposed=LEAD).then(
        fact("task_returned", to_arbitration=True), stage="returned"
    )
    story.when(r.DISPATCH, "dispatcher", on="11-24 11:00").then_refused("dispatch.needs_arbitration", returns="2")
    story = story.when(r.FORCE, "dispatcher", on="11-24 11:00").then(
        fact("arbitrated", lead=OTHER, charged_to=OTHER, charged_from="2026-11-24T01:00:00Z")
    )
    story.when(r.RETURN, "other").then_refused("return.final", department=OTHER)

    last = budget(story)
    assert (last.id, last.started_at, last.limit, last.pauses) == ("handle", first.started_at, first.limit, ())
    assert shown(last.due_at) == "11-30 18:00"
    assert [sign for sign in clocks_of(story.events) if "handle" in sign] == ["+handle"]
    late = story.by_time("11-30 18:00").happens()
    assert budget(late).overdue_at == moment("11-30 18:00")
