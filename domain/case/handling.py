"""The departments' part of a case: whistle, dispatch, accept, arrive, report, return, strike off."""

from datetime import datetime

from domain.case import commands as c
from domain.case import events as e
from domain.case.draft import Draft
from domain.case.guards import accepted_part, in_stage, local, open_part
from domain.case.opening import correct
from domain.case.vocabulary import Stage
from domain.errors import Refused
from domain.limits import office_day
from domain.people import Role
from domain.process import World
from domain.rules import ClockKind

# Helpers go on while the street looks for another lead.
WITH_DEPARTMENTS = (Stage.DISPATCHED, Stage.HANDLING, Stage.RETURNED)


def whistle(draft: Draft, command: c.Whistle, world: World) -> None:
    """The community calls for departments, with an approver who is somebody else."""
    in_stage(draft, Stage.REGISTERED)
    local(draft, Role.COMMUNITY)
    if draft.case.place.community is None:
        raise Refused("case.not_placed", field="grid")
    if not command.departments:
        raise Refused("whistle.no_department", field="departments")
    known_departments(command.departments, "departments", draft.at, world)
    if command.approver == draft.actor.person:
        raise Refused("whistle.own_approver", field="approver")
    if world.registry is not None and not world.registry.assignments_of(command.approver, office_day(draft.at)):
        raise Refused("person.unknown", field="approver", person=command.approver)
    draft.stop(ClockKind.PLACE)
    urgency = command.urgency
    if urgency is not None and urgency != draft.case.urgency:
        correct(draft, c.Correct(reason="吹哨时调整紧急程度", urgency=urgency), world)
    draft.add(
        e.Whistled,
        reason=command.reason,
        departments=command.departments,
        approver=command.approver,
        explanation=command.explanation,
    )
    draft.start(ClockKind.DISPATCH)


def known_departments(codes: tuple[str, ...], field: str, at: datetime, world: World) -> None:
    """Each department is named once and stands in the registry on the day."""
    if len(set(codes)) != len(codes):
        raise Refused("department.twice", field=field)
    for code in codes:
        if world.registry is None:
            continue
        unit = world.registry.organisation(code, office_day(at))
        if unit is None or unit.kind not in ("department", "partner"):
            raise Refused("department.unknown", field=field, department=code)


def dispatch(draft: Draft, command: c.Dispatch, world: World) -> None:
    """The street gives the case to a lead and helpers; helpers who stay keep what they have done."""
    in_stage(draft, Stage.WHISTLED, Stage.RETURNED)
    local(draft, Role.STREET_DISPATCHER)
    known_departments((command.lead,), "lead", draft.at, world)
    known_departments((command.lead, *command.helpers), "helpers", draft.at, world)
    draft.stop(ClockKind.DISPATCH)
    staying = set(draft.case.departments) & set(command.helpers)
    for department in draft.case.departments:
        if department not in staying:
            draft.stop(ClockKind.SIGN_FOR, department)
    draft.add(
        e.Dispatched,
        lead=command.lead,
        helpers=command.helpers,
        mode=command.mode,
        instruction=command.instruction,
    )
    for part in draft.case.assignments:
        if part.is_open and part.department not in staying:
            draft.start(ClockKind.SIGN_FOR, part.department)
    if not any(clock.kind == ClockKind.CONTACT for clock in draft.case.clocks):
        draft.start(ClockKind.CONTACT)
    draft.resume_budget()


def accept(draft: Draft, command: c.Accept, world: World) -> None:
    """The department signs for its task; the case is being handled once the lead has."""
    in_stage(draft, *WITH_DEPARTMENTS)
    part = open_part(draft)
    if part.accepted_at is not None:
        raise Refused("task.already_accepted", department=part.department)
    draft.stop(ClockKind.SIGN_FOR, part.department)
    draft.add(e.Accepted, department=part.department, lead=part.lead)


def arrive(draft: Draft, command: c.Arrive, world: World) -> None:
    """The department is on the site (到场)."""
    in_stage(draft, *WITH_DEPARTMENTS)
    draft.add(e.Arrived, department=open_part(draft).department, note=command.note)


def report_progress(draft: Draft, command: c.ReportProgress, world: World) -> None:
    """The department says how far it is; having spoken to the resident stops the contact clock."""
    in_stage(draft, *WITH_DEPARTMENTS)
    part = accepted_part(draft)
    if command.contacted:
        draft.stop(ClockKind.CONTACT)
    draft.add(e.ProgressReported, department=part.department, text=command.text, contacted=command.contacted)


def return_task(draft: Draft, command: c.ReturnTask, world: World) -> None:
    """The department says that the task is not theirs; a returning lead sends the case back to the street."""
    in_stage(draft, *WITH_DEPARTMENTS)
    part = open_part(draft)
    if command.proposed is not None:
        known_departments((command.proposed,), "proposed", draft.at, world)
    draft.stop(ClockKind.SIGN_FOR, part.department)
    draft.add(
        e.TaskReturned,
        department=part.department,
        lead=part.lead,
        reason=command.reason,
        legal_basis=command.legal_basis,
        proposed=command.proposed,
    )
    if part.lead:
        # The department's budget runs on while the street looks for the right one: ping-pong cannot refill it.
        draft.start(ClockKind.DISPATCH)


def strike_off(draft: Draft, command: c.StrikeOff, world: World) -> None:
    """The department claims its part done, with evidence and workload; the lead's claim comes last and concludes."""
    in_stage(draft, *WITH_DEPARTMENTS)
    part = accepted_part(draft)
    if not command.evidence:
        raise Refused("evidence.missing", field="evidence", what="处置结果", what_en="the result")
    waiting = [each.department for each in draft.case.assignments if each.is_open and not each.lead]
    if part.lead and waiting:
        raise Refused("strike_off.helpers_open", departments="、".join(waiting))
    if part.lead:
        for kind in (ClockKind.HANDLE, ClockKind.CONTACT, ClockKind.SIGN_FOR):
            draft.stop(kind)
    draft.add(
        e.StruckOff,
        department=part.department,
        concluding=part.lead,
        measures=command.measures,
        workload=command.workload,
        evidence=command.evidence,
    )
    if part.lead:
        draft.start(ClockKind.VERIFY)
