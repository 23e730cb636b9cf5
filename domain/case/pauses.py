"""When a case stands still or gets more time: extension, suspension, shelf, and questions to the resident.

A department can never stop its own clock: it asks, the dispatcher decides (DOMAIN §3).
"""

from datetime import datetime, timedelta

from domain.case import commands as c
from domain.case import events as e
from domain.case.draft import Draft
from domain.case.guards import DEPARTMENT_ROLES, accepted_part, decides_on_time, in_stage, local, moving
from domain.case.moments import end_shelf, end_suspension
from domain.case.state import Case
from domain.case.vocabulary import WITH_DEPARTMENTS, Stage
from domain.clocks import Clock, again
from domain.errors import Refused
from domain.ladder import ClockKind
from domain.limits import Limit
from domain.people import SYSTEM, Role
from domain.process import World
from domain.rules import SUSPEND_REASON_NAMES, SuspendReason
from domain.zone import office_day

_DEPARTMENT_CLOCKS = (ClockKind.HANDLE, ClockKind.STEP, ClockKind.CONTACT, ClockKind.SIGN_FOR)
_SHELF_CLOCKS = (*_DEPARTMENT_CLOCKS, ClockKind.DISPATCH)
# A street that has taken a case over speaks to the resident like a department.
_HANDLING_ROLES = (*DEPARTMENT_ROLES, Role.STREET_DISPATCHER)


def _budget(case: Case) -> Clock | None:
    return next((clock for clock in case.clocks if clock.kind == ClockKind.HANDLE), None)


# --- extension ----------------------------------------------------------------------------------------------------


def request_extension(draft: Draft, command: c.RequestExtension, world: World) -> None:
    """The lead asks for more time before its budget has run out, within the row's longest extension."""
    in_stage(draft, Stage.HANDLING)
    part = accepted_part(draft)
    if not part.lead:
        raise Refused("extension.not_lead", department=part.department)
    if draft.case.extension_request is not None:
        raise Refused("extension.pending")
    _may_be_extended(draft, command.length)
    draft.add(e.ExtensionRequested, department=part.department, length=command.length, reason=command.reason)


def _may_be_extended(draft: Draft, length: Limit) -> Clock:
    case, longest = draft.case, draft.case.rules.row.extension
    budget = _budget(case)
    if longest is None or budget is None or longest.unit != budget.limit.unit:
        raise Refused("extension.none")  # a corrected case may have a row that counts otherwise than its budget
    if budget.overdue_at is not None:
        raise Refused("extension.too_late", due=budget.due_at.isoformat())
    if length.unit != longest.unit:
        raise Refused(
            "extension.other_unit",
            field="length",
            value=length.chinese,
            value_en=length,
            longest=longest.chinese,
            longest_en=longest,
        )
    if length.amount > longest.amount:
        raise Refused(
            "extension.too_long",
            field="length",
            value=length.chinese,
            value_en=length,
            longest=longest.chinese,
            longest_en=longest,
        )
    if draft.book is not None and case.extensions >= draft.book.extension_most:
        raise Refused("extension.used_up", most=draft.book.extension_most)
    return budget


def decide_extension(draft: Draft, command: c.DecideExtension, world: World) -> None:
    """The dispatcher grants or denies, also less than was asked for; the last step of a row moves with the budget."""
    request = draft.case.extension_request
    decides_on_time(draft)
    if request is None:
        raise Refused("extension.not_requested")
    if not command.granted:
        # What is denied is what was asked for, whatever length the denial names.
        draft.add(
            e.ExtensionDecided,
            department=request.department,
            granted=False,
            length=request.length,
            reason=command.reason,
        )
        return
    length = command.length or request.length
    if length.unit == request.length.unit and length.amount > request.length.amount:
        raise Refused(
            "extension.more_than_asked",
            field="length",
            value=length.chinese,
            value_en=length,
            asked=request.length.chinese,
            asked_en=request.length,
        )
    budget = _may_be_extended(draft, length)
    if not world.is_blank:
        _extend(draft, budget, length)
    after = _budget(draft.case)
    draft.add(
        e.ExtensionDecided,
        department=request.department,
        granted=True,
        length=length,
        reason=command.reason,
        due_at=after.due_at if after else None,
    )


def _extend(draft: Draft, budget: Clock, length: Limit) -> None:
    case, clocks = draft.case, [budget]
    last = case.rules.row.steps[-1:]
    # A last step that is as long as the budget is the end of it; a shorter one, say a first answer, is not put off.
    clocks += [
        clock
        for clock in case.clocks
        if any(clock.step == step.code and clock.limit == budget.limit for step in last)
        and clock.step not in case.steps_done
        and clock.overdue_at is None
    ]
    for clock in clocks:
        whole = clock.whole_limit.extended(length)
        reckoning = again(clock, draft.calendar_of(clock), draft.ladder_of(clock), limit=whole)
        draft.add(e.ClockExtended, by=SYSTEM, clock_id=clock.id, length=length, reckoning=reckoning)


# --- suspension ---------------------------------------------------------------------------------------------------


def suspend(draft: Draft, command: c.Suspend, world: World) -> None:
    """The departments' clocks stand still for one of the closed reasons, never longer than the book allows it.

    All suspensions of the case for one reason count together, so that none is prolonged by being repeated.
    """
    in_stage(draft, Stage.DISPATCHED, Stage.HANDLING)
    decides_on_time(draft)
    moving(draft)
    if command.requested_by is not None and draft.case.assignment(command.requested_by) is None:
        raise Refused("suspend.not_involved", field="requested_by", department=command.requested_by)
    until = _until(draft, command.reason, command.until)
    draft.add(
        e.Suspended,
        reason=command.reason,
        explanation=command.explanation,
        until=until,
        requested_by=command.requested_by,
        evidence=command.evidence,
        clocks=draft.stop(*_DEPARTMENT_CLOCKS),
    )


def _until(draft: Draft, reason: SuspendReason, wanted: datetime | None) -> datetime:
    if wanted is not None and wanted <= draft.at:
        raise Refused("suspend.over_already", field="until", until=wanted.isoformat())
    if draft.book is None:
        return wanted or draft.at + timedelta(days=1)
    zh, en = SUSPEND_REASON_NAMES[reason]
    longest = draft.book.longest_suspension(reason)
    if longest is None:
        raise Refused("suspend.reason_not_allowed", field="reason", reason=zh, reason_en=en)
    used = sum(
        (
            # The clocks of servers may jump back; that gives no time either.
            max(each.span.end - each.span.begin, timedelta(0))
            for each in draft.case.stood_still
            if each.reason == reason
        ),
        timedelta(0),
    )
    latest = draft.at + longest.natural() - used
    if latest <= draft.at:
        raise Refused(
            "suspend.used_up", field="reason", reason=zh, reason_en=en, longest=longest.chinese, longest_en=longest
        )
    if wanted is not None and wanted > latest:
        raise Refused(
            "suspend.too_long",
            field="until",
            reason=zh,
            reason_en=en,
            longest=longest.chinese,
            longest_en=longest,
            latest=latest.isoformat(),
        )
    return wanted or latest


def resume(draft: Draft, command: c.Resume, world: World) -> None:
    """The reason is gone; the clocks run on with what was left of them."""
    decides_on_time(draft)
    if draft.case.suspension is None:
        raise Refused("resume.not_suspended")
    end_suspension(draft, command.reason, since=draft.at)


# --- shelf --------------------------------------------------------------------------------------------------------


def shelve(draft: Draft, command: c.Shelve, world: World) -> None:
    """A hard case goes on the shelf: dispatcher and supervisor agree in writing and say when they look at it again."""
    in_stage(draft, *WITH_DEPARTMENTS)
    local(draft, Role.STREET_DISPATCHER)
    shelf = draft.case.shelf
    if shelf is None or shelf.review_come is None:
        moving(draft)  # a case under review may be put back, with new dates
    if command.approver == draft.actor.person:
        raise Refused("shelve.own_approver", field="approver")
    if world.registry is not None:
        held = world.registry.assignments_of(command.approver, office_day(draft.at))
        if not any(each.role == Role.SUPERVISOR for each in held):
            raise Refused("shelve.not_supervisor", field="approver", person=command.approver)
    reviews = tuple(sorted(set(command.reviews)))
    if reviews[0] <= draft.at:
        raise Refused("shelve.review_past", field="reviews", review=reviews[0].isoformat())
    _reviewed_often_enough(draft, reviews)
    backlog_after = draft.book.backlog_after.natural() if draft.book else timedelta(days=60)
    draft.add(
        e.Shelved,
        reason=command.reason,
        approver=command.approver,
        reviews=reviews,
        backlog_at=shelf.backlog_at if shelf else draft.at + backlog_after,
        clocks=shelf.clocks if shelf else draft.stop(*_SHELF_CLOCKS),
    )


def _reviewed_often_enough(draft: Draft, reviews: tuple[datetime, ...]) -> None:
    if draft.book is None:
        return
    longest = draft.book.shelf_review_within
    for before, after in zip((draft.at, *reviews), reviews, strict=False):
        if after - before > longest.natural():
            raise Refused(
                "shelve.review_late",
                field="reviews",
                review=after.isoformat(),
                longest=longest.chinese,
                longest_en=longest,
            )


def unshelve(draft: Draft, command: c.Unshelve, world: World) -> None:
    """The case comes off the shelf; its clocks run on with what was left of them."""
    local(draft, Role.STREET_DISPATCHER)
    if draft.case.shelf is None:
        raise Refused("unshelve.not_shelved")
    end_shelf(draft, command.reason)


# --- the resident -------------------------------------------------------------------------------------------------


def ask_resident(draft: Draft, command: c.AskResident, world: World) -> None:
    """Ask the resident something; the contact clock stands still until the answer, at most for the book's time."""
    in_stage(draft, Stage.REGISTERED, Stage.WHISTLED, *WITH_DEPARTMENTS)
    if draft.actor.role in _HANDLING_ROLES:
        accepted_part(draft)
    else:
        local(draft, Role.COMMUNITY)
    if draft.case.question is not None:
        raise Refused("question.open", until=draft.case.question.until.isoformat())
    within = draft.book.ask_within.natural() if draft.book else timedelta(days=1)
    # Only so many questions let the clock stand still: asking again and again is no way to gain time.
    stops = draft.book is None or draft.case.questions < draft.book.ask_most
    clock_id = _contact(draft.case) if stops else None
    if clock_id is not None:
        draft.stop(ClockKind.CONTACT)
    draft.add(e.ResidentAsked, question=command.question, until=draft.at + within, clock_id=clock_id)


def _contact(case: Case) -> str | None:
    """The contact clock that a question lets stand still: it runs, or stands still with the whole case."""
    if case.contacted_at is not None:
        return None
    contact = (clock for clock in case.clocks if clock.kind == ClockKind.CONTACT)
    return next((clock.id for clock in contact if clock.is_running or clock.id in case.standing), None)


def record_reply(draft: Draft, command: c.RecordReply, world: World) -> None:
    """What the resident answered, by the resident or by whoever heard it."""
    if draft.case.question is None:
        raise Refused("question.none")
    if draft.actor.role in _HANDLING_ROLES:
        accepted_part(draft)
    elif draft.actor.role not in (Role.RESIDENT, Role.HOTLINE):
        local(draft, Role.COMMUNITY, Role.GRID_WORKER)
    draft.add(e.ResidentReplied, text=command.text)
