"""Supervision by people: urging, supervision orders, and the written replies to them.

What the ladder does by itself stands in ``domain.case.moments``.
"""

from domain.case import commands as c
from domain.case import events as e
from domain.case.draft import Draft
from domain.case.guards import DEPARTMENT_ROLES, local, of_organisation, supervises
from domain.case.moments import order
from domain.case.responsible import addressee
from domain.errors import Refused
from domain.ladder import ClockKind
from domain.people import Role, in_role
from domain.process import World


def _involved(draft: Draft) -> tuple[str, ...]:
    case = draft.case
    return tuple(each for each in (*case.departments, case.place.community, case.place.street) if each)


def urge(draft: Draft, command: c.Urge, world: World) -> None:
    """Somebody is reminded by hand; without ``to`` whoever the most pressing clock waits for."""
    if draft.actor.role == Role.SUPERVISOR:
        supervises(draft)
    else:
        local(draft, Role.STREET_DISPATCHER, Role.COMMUNITY)
    to = command.to
    if to is None:
        running = sorted(draft.running(), key=lambda clock: (clock.due_at, clock.id))
        if not running:
            raise Refused("urge.nobody", field="to")
        to = addressee(draft.case, running[0])
    elif to not in _involved(draft):
        raise Refused("supervise.not_involved", field="to", organisation=to, known="、".join(_involved(draft)) or "-")
    draft.add(e.Urged, to=to, text=command.text)


def supervise(draft: Draft, command: c.Supervise, world: World) -> None:
    """A supervision order to one organisation of the case; it has a clock of its own and needs a written reply."""
    supervises(draft)
    if command.to not in _involved(draft):
        known = "、".join(_involved(draft)) or "-"
        raise Refused("supervise.not_involved", field="to", organisation=command.to, known=known)
    if command.reply_within is None and draft.limit_of(ClockKind.REPLY) is None:
        raise Refused("supervise.no_limit", field="reply_within")
    order(draft, command.to, command.text, length=command.reply_within)


def reply_supervision(draft: Draft, command: c.ReplySupervision, world: World) -> None:
    """The written reply of the organisation that owes it."""
    in_role(draft.actor, *DEPARTMENT_ROLES, Role.COMMUNITY, Role.STREET_DISPATCHER)
    found = draft.case.order(command.order)
    if found is None:
        raise Refused("supervision.unknown_order", field="order", order=command.order)
    of_organisation(draft.actor, found.to)
    if found.replied_at is not None:
        raise Refused("supervision.replied", field="order", order=command.order)
    for clock in draft.running(ClockKind.REPLY):
        if clock.id == found.clock_id:
            draft.stop_one(clock.id)
    draft.add(e.SupervisionReplied, order=found.number, to=found.to, text=command.text)
