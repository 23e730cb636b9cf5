"""How a case begins and ends early: register, correct, handle on the spot, decline, withdraw."""

from datetime import datetime, timedelta

from domain.case import commands as c
from domain.case import events as e
from domain.case.draft import Draft
from domain.case.guards import in_stage, local
from domain.case.state import has
from domain.case.vocabulary import FINAL, EvidenceKind, Place, Stage
from domain.errors import Refused
from domain.ladder import ClockKind
from domain.people import Actor, Role, in_role
from domain.process import Event, World
from domain.zone import office_day

CLOCK_SKEW = timedelta(minutes=5)
"""How far in the future a time of discovery may lie before it is taken for a mistake."""

# In the order of the stages, so that a refusal lists them the same way every time.
OPEN = tuple(stage for stage in Stage if stage not in FINAL)


def register(command: c.Register, actor: Actor, at: datetime, world: World) -> tuple[Event, ...]:
    """A request enters the ledger; the rules it will live by are pinned here."""
    in_role(actor, Role.GRID_WORKER, Role.COMMUNITY, Role.STREET_DISPATCHER, Role.HOTLINE, Role.RESIDENT)
    if (command.source is None) != (command.external_id is None):
        raise Refused("register.half_source", field="external_id" if command.source else "source")
    found_at = command.found_at or at
    if found_at > at + CLOCK_SKEW:
        raise Refused("register.found_later", field="found_at", found_at=found_at.isoformat())
    place, everyday = _place(command.grid, command.street, at, world), _everyday(command.category, at, world)
    if world.current_rules is None:
        raise Refused("rules.none")
    book = world.rule_books[world.current_rules]
    rules = book.pin(command.urgency, command.category, command.condition, calendar=world.current_calendar)
    draft = Draft(None, actor, at, world)
    shared = command.model_dump(exclude={"kind", "street", "grid", "found_at", "evidence"})
    draft.add(
        e.Registered,
        **shared,
        evidence=command.evidence,
        found_at=found_at,
        place=place,
        everyday=everyday,
        rules=rules,
    )
    draft.start(ClockKind.PLACE)
    draft.start(ClockKind.PUBLISH)
    return tuple(draft.events)


def _place(grid: str | None, street: str | None, at: datetime, world: World) -> Place:
    registry = world.registry
    if registry is None:
        return Place(street=street, grid=grid)
    if grid is not None:
        known = registry.place_of(grid, office_day(at))
        if known is None:
            raise Refused("grid.unknown", field="grid", grid=grid)
        found, community = known
        if street is not None and street != found:
            raise Refused("grid.other_street", field="street", grid=grid, street=street)
        return Place(street=found, community=community, grid=grid)
    streets = registry.streets(office_day(at))
    if street is None:
        return Place(street=streets[0].code if len(streets) == 1 else None)
    if street not in {each.code for each in streets}:
        raise Refused("organisation.unknown", field="street", organisation=street)
    return Place(street=street)


def _everyday(category: str | None, at: datetime, world: World) -> bool:
    if category is None or world.registry is None:
        return False
    entry = world.registry.category(category, office_day(at))
    if entry is None:
        raise Refused("category.unknown", field="category", category=category)
    return entry.on_the_spot


def correct(draft: Draft, command: c.Correct, world: World) -> None:
    """Place, category or urgency are put right with a reason; clocks started from now on follow the new row.

    Steps that only the old row knows end, those that only the new one knows begin now.
    """
    in_stage(draft, *(stage for stage in OPEN if stage not in {Stage.SETTLED, Stage.APPRAISED}))
    case = draft.case
    if command.grid is command.category is command.urgency is command.condition is None:
        raise Refused("correct.nothing", field="grid")
    # A case that lies nowhere yet can only be placed by its street.
    placed = (Role.COMMUNITY, Role.GRID_WORKER) if case.place.grid is not None else ()
    local(draft, Role.STREET_DISPATCHER, *placed)
    place = case.place if command.grid is None else _place(command.grid, None, draft.at, world)
    category = command.category or case.category
    condition = command.condition or (case.condition if category == case.category else None)
    urgency = command.urgency or case.urgency
    book = world.rule_books.get(case.rules.version)
    rules = book.pin(urgency, category, condition, calendar=case.rules.calendar) if book else case.rules
    for clock in draft.running(ClockKind.STEP):
        if rules.row.step(clock.step or "") is None:
            draft.stop_one(clock.id)  # nobody owes it any more
    draft.add(
        e.Corrected,
        reason=command.reason,
        place=place,
        category=category,
        condition=condition,
        everyday=_everyday(category, draft.at, world) if command.category and world.registry else case.everyday,
        urgency=urgency,
        rules=rules,
    )
    draft.run_steps()


# --- the short way, declining, withdrawing ----------------------------------------------------------------------


def handle_on_spot(draft: Draft, command: c.HandleOnSpot, world: World) -> None:
    """A grid worker settles an everyday matter at once, with evidence before and after."""
    in_stage(draft, Stage.REGISTERED)
    local(draft, Role.GRID_WORKER)
    if draft.case.place.grid is None:
        raise Refused("case.not_placed", field="grid")
    if not draft.case.everyday:
        raise Refused("case.not_everyday", field="category", category=draft.case.category or "-")
    for kind, name, name_en in ((EvidenceKind.BEFORE, "处置前", "before"), (EvidenceKind.AFTER, "处置后", "after")):
        if not has(command.evidence, kind):
            raise Refused("evidence.missing", field="evidence", what=name, what_en=name_en)
    draft.stop(ClockKind.PLACE)
    draft.add(e.HandledOnSpot, measures=command.measures, evidence=command.evidence)
    draft.start(ClockKind.VISIT)


def decline(draft: Draft, command: c.Decline, world: World) -> None:
    """Community or street do not take the request on, and say why."""
    in_stage(draft, Stage.REGISTERED, Stage.WHISTLED)
    local(draft, Role.COMMUNITY, Role.STREET_DISPATCHER)
    draft.stop()
    draft.add(e.Declined, reason=command.reason, explanation=command.explanation)


def withdraw(draft: Draft, command: c.Withdraw, world: World) -> None:
    """The reporter takes the request back while nobody has answered it."""
    answered = {Stage.ON_THE_SPOT, Stage.FED_BACK, Stage.SETTLED, Stage.APPRAISED}
    in_stage(draft, *(stage for stage in OPEN if stage not in answered))
    # The reporter speaks through the resident's door or through the person who registered the request.
    if draft.actor.role != Role.RESIDENT and draft.actor.person != draft.case.registered_by.person:
        raise Refused("withdraw.not_reporter", field="actor.person")
    draft.stop()
    draft.add(e.Withdrawn, reason=command.reason)
