"""How facts change the state of a case.

Facts are never refused here: what is in the ledger has happened.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from domain.calendar import Pause
from domain.case import events as e
from domain.case.state import (
    Assignment,
    Case,
    ExtensionRequest,
    Order,
    Question,
    Return,
    Shelf,
    Signature,
    StoodStill,
    Suspension,
    Tally,
)
from domain.case.vocabulary import (
    GRADES,
    LEVELS,
    Arbitration,
    Audience,
    Level,
    Mode,
    Stage,
)
from domain.clocks import Clock, apply
from domain.people import Role


def evolve(state: Case | None, event: e.CaseEvent) -> Case:
    """The state after ``event``. The first event of a case is ``Registered``; any later one needs a state."""
    if isinstance(event, e.Registered):
        return _registered(event)
    assert state is not None, "the first fact of a case is its registration"
    if isinstance(event, e.ClockEvent):
        return state.model_copy(update={"clocks": _clocks(state, event), "was_overdue": _overdue(state, event)})
    changes = _changes(state, event)
    if "stage" in changes and changes["stage"] != state.stage:
        changes["waiting_since"] = event.at
    return state.model_copy(update=changes)


def _registered(event: e.Registered) -> Case:
    return Case(
        stage=Stage.REGISTERED,
        title=event.title,
        text=event.text,
        channel=event.channel,
        source=event.source,
        external_id=event.external_id,
        label=event.label,
        place=event.place,
        category=event.category,
        condition=event.condition,
        everyday=event.everyday,
        level=Level.GRID if event.everyday and event.place.grid is not None else Level.COMMUNITY,
        urgency=event.urgency,
        registered_by=event.by,
        registered_at=event.at,
        found_at=event.found_at,
        rules=event.rules,
        evidence_count=len(event.evidence),
        waiting_since=event.at,
    )


def _clocks(state: Case, event: e.ClockEvent) -> tuple[Clock, ...]:
    if isinstance(event, e.ClockStarted):
        return (*state.clocks, event.clock)
    return tuple(_clock(clock, event) if clock.id == event.clock_id else clock for clock in state.clocks)


def _clock(clock: Clock, event: Any) -> Clock:
    change: dict[str, Any]
    match event:
        case e.ClockStopped():
            change = {"stopped_at": event.since or event.at}
        case e.ClockResumed():
            assert clock.stopped_at is not None
            pause = Pause(begin=clock.stopped_at, end=event.since or event.at)
            change = {
                "stopped_at": None,
                "pauses": (*clock.pauses, pause),
                "warn_at": event.warn_at,
                "due_at": event.due_at,
                "provisional": event.provisional,
                "rungs": event.rungs,
            }
        case e.ClockExtended():
            return apply(clock, event.reckoning, extended=(*clock.extended, event.length))
        case e.ClockWarned():
            change = {"warned_at": event.at}
        case e.ClockExpired():
            change = {"overdue_at": event.at}
        case e.RungReached():
            change = {
                "reached": (*clock.reached, event.rung),
                "rungs": tuple(point for point in clock.rungs if point.code != event.rung),
            }
        case _ as never:
            raise TypeError(type(never).__name__)
    return clock.model_copy(update=change)


def _overdue(state: Case, event: e.ClockEvent) -> bool:
    return state.was_overdue or isinstance(event, e.ClockExpired)


def _changes(state: Case, event: Any) -> dict[str, Any]:
    fold = _FOLDS.get(type(event))
    return fold(state, event) if fold else {}


def _handled_on_spot(state: Case, event: e.HandledOnSpot) -> dict[str, Any]:
    return {
        "stage": Stage.ON_THE_SPOT,
        "mode": Mode.ON_THE_SPOT,
        "handlers": _with(state.handlers, event.by.person),
        "evidence_count": state.evidence_count + len(event.evidence),
        # Nothing has to be told to a department, and the result lies open at once.
        "tally": _counted(state, struck_off_at=event.at, published_at=event.at),
    }


def _counted(state: Case, **change: Any) -> Tally:
    return state.tally.model_copy(update=change)


def _accepted(state: Case, event: e.Accepted) -> dict[str, Any]:
    changed = _assignment(state, event.department, accepted_at=event.since or event.at)
    result: dict[str, Any] = {"assignments": changed}
    if not event.deemed:
        result["handlers"] = _with(state.handlers, event.by.person)
    if event.lead:
        result |= {"stage": Stage.HANDLING, "first_acceptor": state.first_acceptor or event.department}
    return result


def _was_there(state: Case, event: e.Arrived) -> dict[str, Any]:
    return {"handlers": _with(state.handlers, event.by.person)}


def _progressed(state: Case, event: e.ProgressReported) -> dict[str, Any]:
    changes: dict[str, Any] = {"handlers": _with(state.handlers, event.by.person)}
    if event.contacted:
        changes["contacted_at"] = state.contacted_at or event.at
    if event.step is not None:
        changes["steps_done"] = _with(state.steps_done, event.step)
    return changes


def _helper_added(state: Case, event: e.HelperAdded) -> dict[str, Any]:
    number = state.dispatches + 1
    part = Assignment(
        department=event.department,
        lead=False,
        assigned_at=event.at,
        dispatch=number,
        return_until=event.return_until,
    )
    return {"assignments": (*state.assignments, part), "dispatches": number}


def _arbitrated(state: Case, event: e.Arbitrated) -> dict[str, Any]:
    changes: dict[str, Any] = {"to_arbitration": False}
    if event.decision != Arbitration.FORCE:
        changes["assignments"] = _assigned(state, event, final=event.final)
        return changes | {"stage": Stage.DISPATCHED, "dispatches": state.dispatches + 1}
    # The return is refused: the same part is in force again, with everything that was done in it.
    last = max(index for index, part in enumerate(state.assignments) if part.department == event.lead and part.lead)
    # Its task is a new one, for the one it had was closed by the return.
    number = state.dispatches + 1
    again = {"returned_at": None, "final": True, "dispatch": number, "reopened_at": event.at}
    part = state.assignments[last].model_copy(update=again)
    changes["assignments"] = (*state.assignments[:last], part, *state.assignments[last + 1 :])
    return changes | {"stage": Stage.HANDLING if part.accepted_at else Stage.DISPATCHED, "dispatches": number}


def _returned(state: Case, event: e.TaskReturned) -> dict[str, Any]:
    changed: dict[str, Any] = {
        "assignments": _assignment(state, event.department, returned_at=event.at),
        "returns": (*state.returns, Return(department=event.department, at=event.at, lead=event.lead)),
    }
    if event.to_arbitration:
        changed["to_arbitration"] = True
    return changed | ({"stage": Stage.RETURNED, "extension_request": None} if event.lead else {})


def _verified(state: Case, event: e.Verified) -> dict[str, Any]:
    seen = {"verified_by": event.by.person, "evidence_count": state.evidence_count + len(event.evidence)}
    return seen | ({"stage": Stage.VERIFIED, "digest": event.digest} if event.passed else {})


def _signed(state: Case, event: e.Signed) -> dict[str, Any]:
    signatures = (*state.signatures, Signature(by=event.by, at=event.at, confirmed=event.confirmation is not None))
    both = len({signature.by.role for signature in signatures}) > 1
    return {"signatures": signatures} | ({"stage": Stage.SIGNED} if both else {})


def _fed_back(state: Case, event: e.FedBack) -> dict[str, Any]:
    told = (*state.fed_back, event.to)
    if set(told) != set(Audience):
        return {"fed_back": told}
    return {"fed_back": told, "stage": Stage.FED_BACK, "tally": _counted(state, published_at=event.at)}


def _visited(state: Case, event: e.Visited) -> dict[str, Any]:
    if not event.answered:
        return {"visited_by": event.by.person, "unanswered": (*state.unanswered, event.at)}
    # A resident who speaks directly was visited by nobody.
    by = state.visited_by if event.by.role == Role.RESIDENT else event.by.person
    grades = [grade for grade in (state.tally.worst, event.satisfaction) if grade is not None]
    worst = max(grades, key=GRADES.index, default=None)
    said = {"satisfaction": event.satisfaction, "solved": event.solved}
    return {"visited_by": by, "tally": _counted(state, worst=worst), **said}


def _rework(state: Case, event: e.ReworkOrdered) -> dict[str, Any]:
    return _again(state, event.at) | {"rework_count": state.rework_count + 1, "round": event.round}


def _appraised(state: Case, event: e.Appraised) -> dict[str, Any]:
    parts = _assignment(state, event.department, scores=event.scores)
    done = all(part.scores for part in parts if part.returned_at is None)
    return {"assignments": parts} | ({"stage": Stage.APPRAISED, "appraised_at": event.at} if done else {})


def _reopened(state: Case, event: e.Reopened) -> dict[str, Any]:
    return _again(state, event.at) | {
        "settled_at": None,
        "reopen_until": None,
        "appraised_at": None,
        "round": event.round,
    }


def _corrected(state: Case, event: e.Corrected) -> dict[str, Any]:
    return {
        "place": event.place,
        "category": event.category,
        "condition": event.condition,
        "everyday": event.everyday,
        "urgency": event.urgency,
        "rules": event.rules,
    }


def _with(people: tuple[str, ...], person: str) -> tuple[str, ...]:
    return people if person in people else (*people, person)


def _assigned(state: Case, event: e.Dispatched | e.Arbitrated, *, final: bool = False) -> tuple[Assignment, ...]:
    # Helpers of an earlier dispatch keep what they have done; a new dispatch replaces everybody else.
    past = tuple(part for part in state.assignments if part.returned_at is not None)
    kept = {part.department: part for part in state.assignments if part.returned_at is None}
    new: dict[str, Any] = {
        "assigned_at": event.at,
        "dispatch": state.dispatches + 1,
        "return_until": event.return_until,
        "final": final,
    }
    parts = [Assignment(department=event.lead, lead=True, **new)]
    for helper in event.helpers:
        parts.append(kept.get(helper) or Assignment(department=helper, lead=False, **new))
    return (*past, *parts)


def _suspended(state: Case, event: e.Suspended) -> dict[str, Any]:
    return {
        "suspension": Suspension(since=event.at, clocks=event.clocks, reason=event.reason, until=event.until),
    }


def _resumed(state: Case, event: e.Resumed) -> dict[str, Any]:
    assert state.suspension is not None
    over = StoodStill(reason=state.suspension.reason, span=Pause(begin=state.suspension.since, end=event.since))
    return {"suspension": None, "stood_still": (*state.stood_still, over)}


def _shelved(state: Case, event: e.Shelved) -> dict[str, Any]:
    # A review may put the case back on the shelf: then it has lain there all the time.
    since = state.shelf.since if state.shelf else event.at
    is_backlog = state.shelf.is_backlog if state.shelf else False
    shelf = Shelf(
        since=since, clocks=event.clocks, reviews=event.reviews, backlog_at=event.backlog_at, is_backlog=is_backlog
    )
    return {"shelf": shelf}


def _shelf(state: Case, **change: Any) -> dict[str, Any]:
    assert state.shelf is not None
    return {"shelf": state.shelf.model_copy(update=change)}


def _reviewed(state: Case, event: e.ShelfReviewCame) -> dict[str, Any]:
    assert state.shelf is not None
    left = tuple(at for at in state.shelf.reviews if at > event.review)
    return _shelf(state, reviews=left, review_come=event.at) | {"reviews": state.reviews + 1}


def _asked(state: Case, event: e.ResidentAsked) -> dict[str, Any]:
    question = Question(asked_at=event.at, until=event.until, clock_id=event.clock_id)
    return {"question": question, "questions": state.questions + int(event.clock_id is not None)}


def _lapsed(state: Case, event: e.QuestionLapsed) -> dict[str, Any]:
    assert state.question is not None
    changes: dict[str, Any] = {"question": None}
    # Where the whole case stands still, the clock that stood still for the question runs on with the others.
    for name, still in (("suspension", state.suspension), ("shelf", state.shelf)):
        if still is not None and state.question.clock_id is not None:
            clocks = _with(still.clocks, state.question.clock_id)
            changes[name] = still.model_copy(update={"clocks": clocks})
    return changes


def _answered(state: Case, event: e.ResidentReplied) -> dict[str, Any]:
    # An answer before the departments' contact clock has started is none to them.
    asked = state.question is not None and state.question.clock_id is not None
    return {"question": None, "contacted_at": state.contacted_at or (event.at if asked else None)}


def _extension_requested(state: Case, event: e.ExtensionRequested) -> dict[str, Any]:
    number = state.extension_requests + 1
    request = ExtensionRequest(number=number, department=event.department, length=event.length, asked_at=event.at)
    return {"extension_request": request, "extension_requests": number}


def _extension_decided(state: Case, event: e.ExtensionDecided) -> dict[str, Any]:
    return {"extension_request": None, "extensions": state.extensions + int(event.granted)}


def _ordered(state: Case, event: e.SupervisionOrdered) -> dict[str, Any]:
    order = Order(
        number=event.order,
        to=event.to,
        at=event.at,
        urging=event.urging,
        clock_id=event.clock_id,
        about=event.about,
    )
    return {"orders": (*state.orders, order)}


def _replied(state: Case, event: e.SupervisionReplied) -> dict[str, Any]:
    return {
        "orders": tuple(
            order.model_copy(update={"replied_at": event.at}) if order.number == event.order else order
            for order in state.orders
        )
    }


def _adopted(state: Case, event: e.RulesAdopted) -> dict[str, Any]:
    moved = {change.clock_id: change for change in event.changes}
    version, calendar = event.rules.version, event.rules.calendar
    clocks = tuple(
        apply(
            clock,
            moved[clock.id].reckoning,
            limit=moved[clock.id].limit,
            rules_version=version,
            calendar_version=None if moved[clock.id].limit.is_natural else calendar,
        )
        if clock.id in moved
        else clock.model_copy(
            update={"rules_version": version, "calendar_version": None if clock.limit.is_natural else calendar}
        )
        if clock.id in event.followed
        else clock
        for clock in state.clocks
    )
    return {"rules": event.rules, "clocks": clocks}


def _ended(state: Case, stage: Stage) -> dict[str, Any]:
    return {"stage": stage, "suspension": None, "shelf": None, "question": None, "extension_request": None}


def _assignment(state: Case, department: str, **change: Any) -> tuple[Assignment, ...]:
    return tuple(
        part.model_copy(update=change) if part.department == department and part.returned_at is None else part
        for part in state.assignments
    )


def _struck_off(state: Case, event: e.StruckOff) -> dict[str, Any]:
    changed = _assignment(
        state,
        event.department,
        struck_off_at=event.at,
        measures=event.measures,
        workload=event.workload,
        evidence=event.evidence,
    )
    result: dict[str, Any] = {
        "assignments": changed,
        "handlers": _with(state.handlers, event.by.person),
        "evidence_count": state.evidence_count + len(event.evidence),
    }
    if event.concluding:
        result |= {"stage": Stage.STRUCK_OFF, "extension_request": None}
        result["tally"] = _counted(state, struck_off_at=event.at)
        if event.step is not None:
            result["steps_done"] = _with(state.steps_done, event.step)
        if state.question is not None:
            # The contact clock is over with the work; a question that is still open no longer holds it.
            result["question"] = state.question.model_copy(update={"clock_id": None})
    return result


def _again(state: Case, at: datetime) -> dict[str, Any]:
    """Back to the lead: everything that was said about the former result is void, the clocks are not."""
    lead = state.lead
    changes: dict[str, Any] = {
        "stage": Stage.HANDLING if lead else Stage.REGISTERED,
        "verified_by": None,
        "digest": None,
        "signatures": (),
        "fed_back": (),
        "unanswered": (),
        "satisfaction": None,
        "solved": None,
        "tally": _counted(state, struck_off_at=None, published_at=None),
    }
    if lead:
        parts = tuple(part.model_copy(update={"scores": None}) for part in state.assignments)
        again = state.model_copy(update={"assignments": parts})
        changes["assignments"] = _assignment(again, lead.department, struck_off_at=None, reopened_at=at)
    return changes


_FOLDS: dict[type[Any], Callable[[Case, Any], dict[str, Any]]] = {
    e.HandledOnSpot: _handled_on_spot,
    e.Declined: lambda state, event: _ended(state, Stage.DECLINED),
    e.Withdrawn: lambda state, event: _ended(state, Stage.WITHDRAWN),
    e.Whistled: lambda state, event: {
        "stage": Stage.WHISTLED,
        "level": max(state.level, Level.COMMUNITY, key=LEVELS.index),
    },
    e.Dispatched: lambda state, event: {
        "stage": Stage.DISPATCHED,
        "mode": event.mode,
        "assignments": _assigned(state, event),
        "dispatches": state.dispatches + 1,
    },
    e.Accepted: _accepted,
    e.Arrived: _was_there,
    e.ProgressReported: _progressed,
    e.HandedOver: lambda state, event: {"assignments": _assignment(state, event.department, person=event.to)},
    e.HelperAdded: _helper_added,
    e.TaskReturned: _returned,
    e.Arbitrated: _arbitrated,
    e.ExtensionRequested: _extension_requested,
    e.ExtensionDecided: _extension_decided,
    e.Suspended: _suspended,
    e.Resumed: _resumed,
    e.Shelved: _shelved,
    e.ShelfReviewCame: _reviewed,
    e.BacklogMarked: lambda state, event: _shelf(state, is_backlog=True),
    e.Unshelved: lambda state, event: {"shelf": None},
    e.ResidentAsked: _asked,
    e.ResidentReplied: _answered,
    e.QuestionLapsed: _lapsed,
    e.Urged: lambda state, event: {"tally": _counted(state, urges=state.tally.urges + 1)},
    e.SupervisionOrdered: _ordered,
    e.SupervisionReplied: _replied,
    e.RulesAdopted: _adopted,
    e.StruckOff: _struck_off,
    e.Verified: _verified,
    e.Signed: _signed,
    e.FedBack: _fed_back,
    e.Visited: _visited,
    e.Settled: lambda state, event: {
        "stage": Stage.SETTLED,
        "settled_at": event.at,
        "reopen_until": event.reopen_until,
    },
    e.ReworkOrdered: _rework,
    e.LevelRaised: lambda state, event: {"level": event.level},
    e.Appraised: _appraised,
    e.Reopened: _reopened,
    e.Archived: lambda state, event: {"stage": Stage.ARCHIVED, "archived_at": event.at},
    e.Attached: lambda state, event: {"evidence_count": state.evidence_count + 1},
    e.Corrected: _corrected,
}
"""What each fact changes; comments, refused signatures and clocks change no field of their own here."""
