"""Who is told of what happened to a case.

Owns the choice of receivers and parameters for each fact; the sentences stand in ``domain.notices``. Parameters carry
codes, instants and redacted text only.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from domain.case import events as e
from domain.case.responsible import Holder, audience, handler, unit
from domain.case.state import Case
from domain.case.vocabulary import LEVEL_NAMES
from domain.clocks import Clock
from domain.ladder import CLOCK_NAMES, RungAction, RungAudience
from domain.limits import Limit
from domain.notices import Notice
from domain.people import Role
from domain.rules import SUSPEND_REASON_NAMES

_ACTIONS = {
    RungAction.REMIND: "remind",
    RungAction.URGE: "urged",
    RungAction.CIRCULAR: "circular",
    RungAction.INTERVIEW: "interview",
}


def notices(state: Case, event: Any) -> tuple[Notice, ...]:
    """The notices that follow from ``event``; ``state`` already has it in it."""
    tell = _TELLERS.get(type(event))
    return tuple(tell(state, event)) if tell else ()


def _notice(kind: str, state: Case, to: Holder, **params: object) -> Notice:
    shown = {name: _shown(value) for name, value in params.items() if value is not None}
    return Notice(
        kind=kind,
        role=to.role,
        organisation=to.organisation,
        grid=to.grid,
        person=to.person,
        params={"title": state.title, **shown},
    )


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return value.chinese if isinstance(value, Limit) else str(value)


def _resident(state: Case) -> Holder:
    # A resident who registered the case has a code of their own; others are reached by whoever registered it for them.
    by = state.registered_by
    return Holder(Role.RESIDENT, person=by.person if by.role == Role.RESIDENT else None)


def _street(state: Case) -> Holder:
    return Holder(Role.STREET_DISPATCHER, state.place.street)


def _lead(state: Case) -> Holder:
    return unit(state, state.lead.department) if state.lead else _street(state)


def _of_clock(kind: str, state: Case, clock: Clock, told: Iterable[RungAudience], **params: object) -> list[Notice]:
    zh, en = CLOCK_NAMES[clock.kind]
    holders = dict.fromkeys(audience(state, clock, each) for each in told)
    return [
        _notice(kind, state, to, clock=zh, clock_en=en, clock_id=clock.id, due_at=clock.due_at, **params)
        for to in holders
    ]


def _clock(state: Case, clock_id: str) -> Clock:
    clock = state.clock(clock_id)
    assert clock is not None
    return clock


def _warned(state: Case, event: e.ClockWarned) -> list[Notice]:
    return _of_clock("warned", state, _clock(state, event.clock_id), event.told)


def _expired(state: Case, event: e.ClockExpired) -> list[Notice]:
    return _of_clock("expired", state, _clock(state, event.clock_id), event.told)


def _rung(state: Case, event: e.RungReached) -> list[Notice]:
    if event.skipped or event.action == RungAction.URGE:
        return []  # a written urging is an order of its own, told with its number and reply time
    kind = _ACTIONS.get(event.action, "remind")
    return _of_clock(kind, state, _clock(state, event.clock_id), event.told, rung=event.rung, name=event.name)


def _ordered(state: Case, event: e.SupervisionOrdered) -> list[Notice]:
    if not event.urging or event.about is None:
        to = unit(state, event.to)
        return [_notice("supervision_ordered", state, to, text=event.text, order=event.order, reply_by=event.reply_by)]
    clock = _clock(state, event.about)
    params = {"order": event.order, "reply_by": event.reply_by}
    # To whoever owes the work, with a copy to the leader in charge.
    kind = "urged" if event.reply_by else "urged_open"
    return _of_clock(kind, state, clock, (RungAudience.HANDLER, RungAudience.HEAD, RungAudience.LEADER), **params)


def _level(state: Case, event: e.LevelRaised) -> list[Notice]:
    zh, en = LEVEL_NAMES[event.level]
    to = {_street(state): None, Holder(Role.SUPERVISOR, state.place.street): None}
    return [_notice("level_raised", state, each, level=zh, level_en=en) for each in to]


def _accepted(state: Case, event: e.Accepted) -> list[Notice]:
    return [_notice("deemed_received", state, unit(state, event.department))] if event.deemed else []


def _granted(state: Case, event: e.ExtensionDecided) -> list[Notice]:
    if not event.granted:
        return [_notice("extension_denied", state, unit(state, event.department), reason=event.reason)]
    # The resident is told (DOMAIN §3).
    to = (unit(state, event.department), _resident(state))
    return [_notice("extension_granted", state, each, due_at=event.due_at, reason=event.reason) for each in to]


def _suspended(state: Case, event: e.Suspended) -> list[Notice]:
    zh, en = SUSPEND_REASON_NAMES[event.reason]
    return [_notice("suspended", state, _lead(state), reason=zh, reason_en=en, until=event.until)]


def _reviewed(state: Case, event: e.ShelfReviewCame) -> list[Notice]:
    to = (_street(state), Holder(Role.SUPERVISOR, state.place.street))
    return [_notice("shelf_review", state, each) for each in to]


def _asked(state: Case, event: e.ResidentAsked) -> list[Notice]:
    return [_notice("resident_asked", state, _resident(state), text=event.question, until=event.until)]


def _replied(state: Case, event: e.SupervisionReplied) -> list[Notice]:
    supervisor = Holder(Role.SUPERVISOR, state.place.street)
    return [_notice("supervision_replied", state, supervisor, text=event.text, order=event.order)]


def _arbitrated(state: Case, event: e.Arbitrated) -> list[Notice]:
    to = dict.fromkeys(unit(state, each) for each in (event.lead, *event.helpers))
    return [_notice("arbitrated", state, each, lead=event.lead, reason=event.reason) for each in to]


def _handed_over(state: Case, event: e.HandedOver) -> list[Notice]:
    return [_notice("handed_over", state, Holder(Role.DEPARTMENT_HANDLER, event.department, None, event.to))]


def _adopted(state: Case, event: e.RulesAdopted) -> list[Notice]:
    found = []
    for change in event.changes:
        clock = _clock(state, change.clock_id)
        # Who has less time than before is told; more time is seen in the lists, and would only fill inboxes.
        if clock.is_running and change.reckoning.due_at < change.old_due_at:
            to = handler(state, clock)
            found.append(_notice("rules_adopted", state, to, clock_id=clock.id, due_at=clock.due_at))
    return found


_TELLERS: dict[type[Any], Callable[[Case, Any], Iterable[Notice]]] = {
    e.ClockWarned: _warned,
    e.ClockExpired: _expired,
    e.RungReached: _rung,
    e.SupervisionOrdered: _ordered,
    e.SupervisionReplied: _replied,
    e.LevelRaised: _level,
    e.Accepted: _accepted,
    e.Urged: lambda state, event: [_notice("urged_by_hand", state, unit(state, event.to), text=event.text)],
    e.ExtensionRequested: lambda state, event: [
        _notice("extension_requested", state, _street(state), length=event.length, reason=event.reason)
    ],
    e.ExtensionDecided: _granted,
    e.Suspended: _suspended,
    e.Resumed: lambda state, event: [_notice("resumed", state, _lead(state))],
    e.Shelved: lambda state, event: [_notice("shelved", state, _lead(state), review=event.reviews[0])],
    e.ShelfReviewCame: _reviewed,
    e.BacklogMarked: lambda state, event: [_notice("backlog", state, Holder(Role.SUPERVISOR, state.place.street))],
    e.Unshelved: lambda state, event: [_notice("unshelved", state, _lead(state))],
    e.ResidentAsked: _asked,
    e.ResidentReplied: lambda state, event: [_notice("resident_replied", state, _lead(state))],
    e.QuestionLapsed: lambda state, event: [_notice("question_lapsed", state, _lead(state))],
    e.TaskReturned: lambda state, event: [
        _notice("task_returned", state, _street(state), department=event.department, reason=event.reason)
    ],
    e.Arbitrated: _arbitrated,
    e.HelperAdded: lambda state, event: [
        _notice("helper_added", state, unit(state, event.department), reason=event.reason)
    ],
    e.HandedOver: _handed_over,
    e.RulesAdopted: _adopted,
}
