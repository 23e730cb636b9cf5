"""The departments' part of a case: whistle, dispatch, accept, arrive, report, hand over, ask for help, strike off."""

from datetime import datetime

from domain.case import commands as c
from domain.case import events as e
from domain.case.draft import Draft
from domain.case.guards import DEPARTMENT_ROLES, accepted_part, in_stage, local, moving, open_part
from domain.case.moments import end_shelf, end_suspension
from domain.case.opening import correct
from domain.case.state import Assignment
from domain.case.vocabulary import WITH_DEPARTMENTS, Stage
from domain.errors import Refused
from domain.ladder import ClockKind
from domain.people import Role
from domain.process import World
from domain.zone import office_day


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
    moving(draft)
    known_departments((command.lead,), "lead", draft.at, world)
    known_departments((command.lead, *command.helpers), "helpers", draft.at, world)
    if draft.case.to_arbitration:
        raise Refused("dispatch.needs_arbitration", returns=len(draft.case.returns))
    staying = leave(draft, command.helpers)
    draft.add(
        e.Dispatched,
        lead=command.lead,
        helpers=command.helpers,
        mode=command.mode,
        instruction=command.instruction,
        return_until=return_until(draft),
    )
    begin(draft, staying)


def return_until(draft: Draft) -> datetime | None:
    """Until when a part given now may be returned."""
    return draft.due_of(draft.book.return_within) if draft.book else None


def leave(draft: Draft, helpers: tuple[str, ...]) -> set[str]:
    """End what a new dispatch ends; answers the helpers who stay and keep what they have done."""
    draft.stop(ClockKind.DISPATCH)
    staying = set(draft.case.departments) & set(helpers)
    for department in draft.case.departments:
        if department not in staying:
            draft.stop(ClockKind.SIGN_FOR, organisation=department)
    return staying


def begin(draft: Draft, staying: set[str]) -> None:
    """Start what a new dispatch starts: signing for the new parts, contact once, and the one budget."""
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
    draft.stop(ClockKind.SIGN_FOR, organisation=part.department)
    draft.add(e.Accepted, department=part.department, lead=part.lead)


def arrive(draft: Draft, command: c.Arrive, world: World) -> None:
    """The department is on the site (到场)."""
    in_stage(draft, *WITH_DEPARTMENTS)
    draft.add(e.Arrived, department=open_part(draft).department, note=command.note)


def report_progress(draft: Draft, command: c.ReportProgress, world: World) -> None:
    """The department says how far it is; having spoken to the resident stops the contact clock, a step its own."""
    in_stage(draft, *WITH_DEPARTMENTS)
    part = accepted_part(draft)
    if command.step is not None:
        _step_is_owed(draft, part, command.step)
    if command.contacted:
        draft.stop(ClockKind.CONTACT)
    draft.add(
        e.ProgressReported,
        department=part.department,
        text=command.text,
        contacted=command.contacted,
        step=command.step,
    )
    if command.step is not None:
        draft.stop(ClockKind.STEP, step=command.step)


def _step_is_owed(draft: Draft, part: Assignment, step: str) -> None:
    # A step that only the rules before the present ones knew keeps its clock, and is reported like any other.
    steps = {clock.step: clock.step for clock in draft.running(ClockKind.STEP) if clock.step is not None}
    steps |= {each.code: each.name for each in draft.case.rules.row.steps}
    if step not in steps:
        raise Refused("step.unknown", field="step", step=step, known="、".join(steps) or "-")
    if not part.lead:
        raise Refused("step.not_lead", field="step", department=part.department)
    if step in draft.case.steps_done:
        raise Refused("step.done", field="step", step=steps[step])


def hand_over(draft: Draft, command: c.HandOver, world: World) -> None:
    """A department gives its task to another of its people; clocks and budget do not notice."""
    in_stage(draft, *WITH_DEPARTMENTS)
    part = open_part(draft)
    if command.to == (part.person or draft.actor.person):
        raise Refused("hand_over.to_self", field="to")
    if world.registry is not None:
        held = world.registry.assignments_of(command.to, office_day(draft.at))
        # A street that has taken a case over hands it on among its dispatchers.
        street = part.department == draft.case.place.street
        roles = (Role.STREET_DISPATCHER,) if street else DEPARTMENT_ROLES
        if not any(each.role in roles and each.organisation == part.department for each in held):
            raise Refused("hand_over.not_colleague", field="to", person=command.to, department=part.department)
    draft.add(e.HandedOver, department=part.department, to=command.to)


def add_helper(draft: Draft, command: c.AddHelper, world: World) -> None:
    """The lead asks another department to help; the helper signs for its part, the budget stays the one budget."""
    in_stage(draft, *WITH_DEPARTMENTS)
    moving(draft)
    part = accepted_part(draft)
    if not part.lead:
        raise Refused("helper.not_lead", department=part.department)
    known_departments((command.department,), "department", draft.at, world)
    if draft.case.assignment(command.department) is not None:
        raise Refused("helper.already", field="department", department=command.department)
    draft.add(e.HelperAdded, department=command.department, reason=command.reason, return_until=return_until(draft))
    draft.start(ClockKind.SIGN_FOR, command.department)


def strike_off(draft: Draft, command: c.StrikeOff, world: World) -> None:
    """The department claims its part done, with evidence and workload; the lead's claim comes last and concludes."""
    in_stage(draft, *WITH_DEPARTMENTS)
    part = accepted_part(draft)
    if not command.evidence:
        raise Refused("evidence.missing", field="evidence", what="处置结果", what_en="the result")
    waiting = [each.department for each in draft.case.assignments if each.is_open and not each.lead]
    if part.lead and waiting:
        raise Refused("strike_off.helpers_open", departments="、".join(waiting))
    answered = _answered(draft) if part.lead else None
    if part.lead:
        _steps_are_done(draft)
        _stand_up(draft)
        draft.stop(ClockKind.HANDLE, ClockKind.STEP, ClockKind.CONTACT, ClockKind.SIGN_FOR)
    draft.add(
        e.StruckOff,
        department=part.department,
        concluding=part.lead,
        measures=command.measures,
        workload=command.workload,
        evidence=command.evidence,
        step=answered,
    )
    if part.lead:
        draft.start(ClockKind.VERIFY)


def _steps_are_done(draft: Draft) -> None:
    # The concluding claim is the last step's own; every step before it has been reported.
    owed = [each for each in draft.case.rules.row.steps[:-1] if each.code not in draft.case.steps_done]
    if owed:
        raise Refused("strike_off.steps_open", steps="、".join(each.name for each in owed))


def _answered(draft: Draft) -> str | None:
    """The last step where it is a shorter one than the whole budget: rework does not ask for it a second time."""
    case = draft.case
    for last in case.rules.row.steps[-1:]:
        clocks = [clock for clock in case.clocks if clock.step == last.code and last.code not in case.steps_done]
        if clocks and clocks[-1].limit not in [clock.limit for clock in case.clocks if clock.kind == ClockKind.HANDLE]:
            return last.code
    return None


def _stand_up(draft: Draft) -> None:
    """Work that is done ends a suspension and takes a case off the shelf."""
    if draft.case.suspension is not None:
        end_suspension(draft, "已销账", since=draft.at, automatic=True)
    if draft.case.shelf is not None:
        end_shelf(draft, "已销账", automatic=True)
