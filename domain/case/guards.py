"""Who may act on a case and when: stage, role, organisation, grid, the department's part.

Owns the refusals that many rules share. Each function returns when the act is allowed so far and raises ``Refused``
when it is not.
"""

from domain.case.draft import Draft
from domain.case.state import Assignment, Case
from domain.case.vocabulary import STAGE_NAMES, Stage
from domain.errors import Refused
from domain.people import Actor, Role, in_role

DEPARTMENT_ROLES = (Role.DEPARTMENT_HANDLER, Role.DEPARTMENT_HEAD)
SIGNERS = (Role.VANGUARD_CAPTAIN, Role.GRID_HEAD)


def in_stage(draft: Draft, *stages: Stage) -> None:
    """The case is in one of the stages."""
    stage = draft.case.stage
    if stage not in stages:
        raise Refused(
            "case.wrong_stage",
            stage=STAGE_NAMES[stage][0],
            allowed="、".join(STAGE_NAMES[each][0] for each in stages),
            stage_en=STAGE_NAMES[stage][1],
            allowed_en=", ".join(STAGE_NAMES[each][1] for each in stages),
        )


def of_organisation(actor: Actor, organisation: str | None) -> None:
    """The actor acts for this organisation; None means that any will do."""
    if organisation is not None and actor.organisation != organisation:
        raise Refused(
            "actor.wrong_organisation",
            field="actor.organisation",
            organisation=actor.organisation or "-",
            expected=organisation,
        )


def in_grid(actor: Actor, case: Case) -> None:
    """The actor acts for the grid of the case; a case without a grid asks for none."""
    if case.place.grid is not None and actor.grid != case.place.grid:
        raise Refused("actor.wrong_grid", field="actor.grid", grid=actor.grid or "-", expected=case.place.grid)


def local(draft: Draft, *roles: Role) -> None:
    """The actor holds one of the roles in the grid, community or street of the case."""
    actor, place = draft.actor, draft.case.place
    in_role(actor, *roles)
    if actor.role in (Role.GRID_WORKER, *SIGNERS):
        in_grid(actor, draft.case)
    elif actor.role == Role.COMMUNITY:
        of_organisation(actor, place.community)
    elif actor.role == Role.STREET_DISPATCHER:
        of_organisation(actor, place.street)


def supervises(draft: Draft) -> None:
    """The actor supervises the street of the case, or all of them."""
    in_role(draft.actor, Role.SUPERVISOR)
    if draft.actor.organisation is not None:
        of_organisation(draft.actor, draft.case.place.street)


def decides_on_time(draft: Draft) -> None:
    """The dispatcher decides on pauses and extensions; where the street itself leads, its supervisor does.

    Nobody decides on the time of their own work (DOMAIN §3).
    """
    lead = draft.case.lead
    if lead is not None and lead.department == draft.case.place.street:
        supervises(draft)
    else:
        local(draft, Role.STREET_DISPATCHER)


def moving(draft: Draft) -> None:
    """The case neither is suspended nor lies on the shelf."""
    if draft.case.suspension is not None:
        raise Refused("case.suspended", until=draft.case.suspension.until.isoformat())
    if draft.case.shelf is not None:
        raise Refused("case.shelved")


def open_part(draft: Draft) -> Assignment:
    """The actor's department and its open part in the case; a street that took the case over acts for itself."""
    in_role(draft.actor, *DEPARTMENT_ROLES, Role.STREET_DISPATCHER)
    part = draft.case.assignment(draft.actor.organisation)
    if part is None:
        raise Refused("task.not_yours", field="actor.organisation", organisation=draft.actor.organisation or "-")
    if not part.is_open:
        raise Refused("task.done", department=part.department)
    return part


def accepted_part(draft: Draft) -> Assignment:
    """The actor's department's open part, which it has signed for."""
    part = open_part(draft)
    if part.accepted_at is None:
        raise Refused("task.not_accepted", department=part.department)
    return part
