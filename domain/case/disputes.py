"""Who has to do it: returns, and the street's arbitration.

A return has a window, a legal basis and a proposal, and is counted; the departments' budget runs on through all of
it, so that ping-pong cannot refill it (DOMAIN §3).
"""

from datetime import datetime

from domain.calendar import due
from domain.case import commands as c
from domain.case import events as e
from domain.case.draft import Draft
from domain.case.guards import in_stage, local, moving, open_part
from domain.case.handling import begin, known_departments, leave, return_until
from domain.case.state import Assignment
from domain.case.vocabulary import WITH_DEPARTMENTS, Arbitration, Stage
from domain.errors import Refused
from domain.ladder import ClockKind
from domain.people import Role
from domain.process import World


def return_task(draft: Draft, command: c.ReturnTask, world: World) -> None:
    """The department says that the task is not theirs, by which rule, and whose it is.

    A returning lead sends the case back to the street.
    """
    in_stage(draft, *WITH_DEPARTMENTS)
    moving(draft)
    part = open_part(draft)
    _may_be_returned(draft, part)
    if part.lead and command.proposed is None:
        raise Refused("return.no_proposal", field="proposed")
    if command.proposed is not None:
        if command.proposed == part.department:
            raise Refused("return.own_proposal", field="proposed", department=part.department)
        known_departments((command.proposed,), "proposed", draft.at, world)
    draft.stop(ClockKind.SIGN_FOR, organisation=part.department)
    draft.add(
        e.TaskReturned,
        department=part.department,
        lead=part.lead,
        reason=command.reason,
        legal_basis=command.legal_basis,
        proposed=command.proposed,
        to_arbitration=_ends_here(draft) and (part.lead or draft.case.stage == Stage.RETURNED),
    )
    if part.lead:
        # The departments' budget runs on while the street looks for the right one.
        draft.start(ClockKind.DISPATCH)


def _may_be_returned(draft: Draft, part: Assignment) -> None:
    case, book = draft.case, draft.book
    if part.final:
        raise Refused("return.final", department=part.department)
    until = _return_until(draft, part)
    if until is not None and draft.at > until:
        raise Refused("return.too_late", until=until.isoformat())
    if book is None:
        return
    mine = sum(1 for each in case.returns if each.department == part.department)
    if mine >= book.returns_per_unit:
        raise Refused("return.unit_limit", department=part.department, most=book.returns_per_unit)
    if len(case.returns) >= book.returns_per_case:
        raise Refused("return.case_limit", most=book.returns_per_case)


def _return_until(draft: Draft, part: Assignment) -> datetime | None:
    """Until when the part may be returned.

    Nobody can return it while the case stands still, so that time is no part of the window either.
    """
    until, case = part.return_until, draft.case
    if until is None or part.reopened_at is not None:
        return until
    budget = (clock for clock in case.clocks if clock.kind == ClockKind.HANDLE)
    stood = [
        pause for clock in budget for pause in clock.pauses if part.assigned_at < pause.end and pause.begin < until
    ]
    if not stood:
        return until
    if draft.book is None:
        return None  # a dry run cannot count, and refuses nobody for it
    return max(until, due(draft.calendar, part.assigned_at, draft.book.return_within, stood).at)


def _ends_here(draft: Draft) -> bool:
    """Whether this return leaves the next word to an arbitration.

    首接负责 (Beijing ordinance of 2021): only an arbitration names another lead once a lead has accepted; and no case
    is sent to and fro for ever.
    """
    case, book = draft.case, draft.book
    return case.first_acceptor is not None or (book is not None and len(case.returns) + 1 >= book.returns_per_case)


def arbitrate(draft: Draft, command: c.Arbitrate, world: World) -> None:
    """The street decides on a return: force it back, send it elsewhere, name a lead for good, or take it over."""
    in_stage(draft, Stage.RETURNED)
    local(draft, Role.STREET_DISPATCHER)
    moving(draft)
    # A state of the first release knows its returns by the parts only.
    last = [part for part in draft.case.assignments if part.lead and part.returned_at is not None][-1]
    lead = _lead(draft, command, last, world)
    helpers = command.helpers
    if lead in helpers:
        raise Refused("department.twice", field="helpers")
    known_departments(helpers, "helpers", draft.at, world)
    forced = command.decision == Arbitration.FORCE
    book = draft.book
    ended = book is not None and len(draft.case.returns) >= book.returns_per_case
    if forced:
        draft.stop(ClockKind.DISPATCH)
        staying = set(draft.case.departments)
    else:
        staying = leave(draft, helpers)
    final = command.decision != Arbitration.REDISPATCH or ended
    draft.add(
        e.Arbitrated,
        decision=command.decision,
        lead=lead,
        helpers=helpers,
        reason=command.reason,
        legal_basis=command.legal_basis,
        justified=not forced,
        final=final,
        charged_to=last.department if forced else None,
        charged_from=last.returned_at if forced else None,
        return_until=None if final else return_until(draft),
    )
    part = draft.case.lead
    assert part is not None
    begin(draft, staying | {part.department} if part.accepted_at is not None else staying)


def _lead(draft: Draft, command: c.Arbitrate, last: Assignment, world: World) -> str:
    match command.decision:
        case Arbitration.FORCE:
            if command.lead not in (None, last.department) or command.helpers:
                raise Refused("arbitrate.force_elsewhere", field="lead", department=last.department)
            return last.department
        case Arbitration.TAKE_OVER:
            street = draft.case.place.street
            if command.lead not in (None, street) or street is None:
                raise Refused("arbitrate.take_over_elsewhere", field="lead", street=street or "-")
            return street
    if command.lead is None:
        raise Refused("arbitrate.no_lead", field="lead")
    if command.decision == Arbitration.REDISPATCH and command.lead == last.department:
        raise Refused("arbitrate.redispatch_same", field="lead", department=command.lead)
    known_departments((command.lead,), "lead", draft.at, world)
    return command.lead
