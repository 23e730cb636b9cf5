"""What happens to a case when somebody acts or time passes: the rules of DOMAIN §2 and §3.

Owns ``decide`` and every refusal of the case process. Pure: the time is an argument, knowledge comes from the
state and the world. Time is caught up first: a command at 10:00 is judged after everything that 10:00 makes true.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from domain.case import commands as c
from domain.case import events as e
from domain.case.state import Assignment, Case, evolve, has
from domain.case.vocabulary import (
    DISSATISFIED,
    STAGE_NAMES,
    Audience,
    EvidenceKind,
    Level,
    Place,
    ReworkCause,
    Stage,
)
from domain.clocks import Clock, resumed, start
from domain.errors import Refused
from domain.limits import office_day
from domain.people import ROLE_NAMES, SYSTEM, Actor, Role
from domain.process import Event, TimePasses, World
from domain.rules import ClockKind

CLOCK_SKEW = timedelta(minutes=5)
"""How far in the future a time of discovery may lie before it is taken for a mistake."""

DEPARTMENT_ROLES = (Role.DEPARTMENT_HANDLER, Role.DEPARTMENT_HEAD)
SIGNERS = (Role.VANGUARD_CAPTAIN, Role.GRID_HEAD)
LEVELS = (Level.COMMUNITY, Level.STREET, Level.DISTRICT)
OPEN = frozenset(Stage) - {Stage.ARCHIVED, Stage.DECLINED, Stage.WITHDRAWN}


class Draft:
    """The facts of one decision in the making; each fact is applied at once, so that later ones see it."""

    def __init__(self, state: Case | None, actor: Actor, at: datetime) -> None:
        self._state = state
        self.actor = actor
        self.at = at
        self.events: list[Event] = []

    @property
    def case(self) -> Case:
        """The case as it stands after the facts so far."""
        assert self._state is not None
        return self._state

    def add(self, fact: type[Any], *, by: Actor | None = None, **fields: Any) -> None:
        """Record one more fact."""
        event = fact(at=self.at, by=by or self.actor, **fields)
        self.events.append(event)
        self._state = evolve(self._state, event)

    def start(self, kind: ClockKind, organisation: str | None = None) -> None:
        """Start a clock by the pinned rules; a kind without a limit does not run."""
        runs = sum(1 for clock in self.case.clocks if clock.kind == kind and clock.organisation == organisation)
        clock = start(kind, self.case.rules, self.at, organisation=organisation, run=runs)
        if clock is not None:
            self.add(e.ClockStarted, by=SYSTEM, clock=clock)

    def stop(self, kind: ClockKind, organisation: str | None = None) -> None:
        """Stop the running clocks of this kind, of one organisation when it is given."""
        for clock in self.case.clocks:
            if clock.is_running and clock.kind == kind and organisation in (None, clock.organisation):
                self.add(e.ClockStopped, by=SYSTEM, clock_id=clock.id)

    def stop_all(self) -> None:
        """Stop every running clock."""
        for clock in self.case.clocks:
            if clock.is_running:
                self.add(e.ClockStopped, by=SYSTEM, clock_id=clock.id)

    def resume_budget(self) -> None:
        """Let the department's one budget run on: neither rework nor a new dispatch refills it."""
        budget = next((clock for clock in self.case.clocks if clock.kind == ClockKind.HANDLE), None)
        if budget is None:
            self.start(ClockKind.HANDLE)
        elif not budget.is_running:
            again = resumed(budget, self.case.rules, self.at)
            self.add(e.ClockResumed, by=SYSTEM, clock_id=again.id, warn_at=again.warn_at, due_at=again.due_at)


def decide(state: Case | None, command: Any, actor: Actor, at: datetime, world: World) -> tuple[Event, ...]:
    """The facts that ``command`` of ``actor`` makes true at ``at`` (UTC).

    Raises ``Refused`` with a code of the catalogue when the act is not allowed; then nothing has happened.
    """
    if isinstance(command, c.Register):
        if state is not None:
            raise Refused("case.already_registered")
        return _register(command, actor, at, world)
    if state is None:
        raise Refused("case.unknown")
    draft = Draft(state, actor, at)
    _time_passes(draft)
    if isinstance(command, TimePasses):
        return tuple(draft.events)
    if draft.case.is_final:
        raise Refused(
            "case.finished", stage=STAGE_NAMES[draft.case.stage][0], stage_en=STAGE_NAMES[draft.case.stage][1]
        )
    _RULES[type(command)](draft, command, world)
    return tuple(draft.events)


# --- time -------------------------------------------------------------------------------------------------------


def _time_passes(draft: Draft) -> None:
    for clock in draft.case.clocks:
        _ring(draft, clock)
    case = draft.case
    settled = case.stage == Stage.APPRAISED or (case.stage == Stage.SETTLED and not case.departments)
    if settled and case.reopen_until is not None and draft.at >= case.reopen_until:
        draft.stop_all()
        draft.add(e.Archived, by=SYSTEM)


def _ring(draft: Draft, clock: Clock) -> None:
    # A clock that ran out while nobody looked warns and expires in one go; each happens once in its life.
    if not clock.is_running or clock.overdue_at is not None:
        return
    if clock.warned_at is None and draft.at >= min(clock.warn_at, clock.due_at):
        draft.add(e.ClockWarned, by=SYSTEM, clock_id=clock.id, due_at=clock.due_at)
    if draft.at >= clock.due_at:
        draft.add(e.ClockExpired, by=SYSTEM, clock_id=clock.id, due_at=clock.due_at)


# --- who and when -----------------------------------------------------------------------------------------------


def _in_stage(draft: Draft, *stages: Stage) -> None:
    stage = draft.case.stage
    if stage not in stages:
        raise Refused(
            "case.wrong_stage",
            stage=STAGE_NAMES[stage][0],
            allowed="、".join(STAGE_NAMES[each][0] for each in stages),
            stage_en=STAGE_NAMES[stage][1],
            allowed_en=", ".join(STAGE_NAMES[each][1] for each in stages),
        )


def _role(actor: Actor, *roles: Role) -> None:
    if actor.role not in roles:
        raise Refused(
            "actor.wrong_role",
            field="actor.role",
            role=ROLE_NAMES[actor.role][0],
            allowed="、".join(ROLE_NAMES[role][0] for role in roles),
            role_en=ROLE_NAMES[actor.role][1],
            allowed_en=", ".join(ROLE_NAMES[role][1] for role in roles),
        )


def _of(actor: Actor, organisation: str | None) -> None:
    if organisation is not None and actor.organisation != organisation:
        raise Refused(
            "actor.wrong_organisation",
            field="actor.organisation",
            organisation=actor.organisation or "-",
            expected=organisation,
        )


def _in_grid(actor: Actor, case: Case) -> None:
    if case.place.grid is not None and actor.grid != case.place.grid:
        raise Refused("actor.wrong_grid", field="actor.grid", grid=actor.grid or "-", expected=case.place.grid)


def _local(draft: Draft, *roles: Role) -> None:
    """The actor holds one of the roles in the grid, community or street of the case."""
    actor, place = draft.actor, draft.case.place
    _role(actor, *roles)
    if actor.role in (Role.GRID_WORKER, *SIGNERS):
        _in_grid(actor, draft.case)
    elif actor.role == Role.COMMUNITY:
        _of(actor, place.community)
    elif actor.role == Role.STREET_DISPATCHER:
        _of(actor, place.street)


def _part(draft: Draft) -> Assignment:
    """The actor's department and its open part in the case."""
    _role(draft.actor, *DEPARTMENT_ROLES)
    part = draft.case.assignment(draft.actor.organisation)
    if part is None:
        raise Refused("task.not_yours", field="actor.organisation", organisation=draft.actor.organisation or "-")
    if not part.is_open:
        raise Refused("task.done", department=part.department)
    return part


def _accepted_part(draft: Draft) -> Assignment:
    part = _part(draft)
    if part.accepted_at is None:
        raise Refused("task.not_accepted", department=part.department)
    return part


# --- registering ------------------------------------------------------------------------------------------------


def _register(command: c.Register, actor: Actor, at: datetime, world: World) -> tuple[Event, ...]:
    _role(actor, Role.GRID_WORKER, Role.COMMUNITY, Role.STREET_DISPATCHER, Role.HOTLINE, Role.RESIDENT)
    if (command.source is None) != (command.external_id is None):
        raise Refused("register.half_source", field="external_id" if command.source else "source")
    found_at = command.found_at or at
    if found_at > at + CLOCK_SKEW:
        raise Refused("register.found_later", field="found_at", found_at=found_at.isoformat())
    place, everyday = _place(command.grid, command.street, at, world), _everyday(command.category, world)
    if world.current_rules is None:
        raise Refused("rules.none")
    rules = world.rule_books[world.current_rules].pin(command.urgency, command.category)
    draft = Draft(None, actor, at)
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
    streets = registry.streets()
    if street is None:
        return Place(street=streets[0].code if len(streets) == 1 else None)
    if street not in {each.code for each in streets}:
        raise Refused("organisation.unknown", field="street", organisation=street)
    return Place(street=street)


def _everyday(category: str | None, world: World) -> bool:
    if category is None or world.registry is None:
        return False
    entry = world.registry.category(category)
    if entry is None:
        raise Refused("category.unknown", field="category", category=category)
    return entry.on_the_spot


def _correct(draft: Draft, command: c.Correct, world: World) -> None:
    _in_stage(draft, *(OPEN - {Stage.SETTLED, Stage.APPRAISED}))
    case = draft.case
    if command.grid is command.category is command.urgency is None:
        raise Refused("correct.nothing", field="grid")
    # A case that lies nowhere yet can only be placed by its street.
    placed = (Role.COMMUNITY, Role.GRID_WORKER) if case.place.grid is not None else ()
    _local(draft, Role.STREET_DISPATCHER, *placed)
    place = case.place if command.grid is None else _place(command.grid, None, draft.at, world)
    category = command.category or case.category
    urgency = command.urgency or case.urgency
    book = world.rule_books.get(case.rules.version)
    draft.add(
        e.Corrected,
        reason=command.reason,
        place=place,
        category=category,
        everyday=_everyday(category, world) if world.registry else case.everyday,
        urgency=urgency,
        rules=book.pin(urgency, category) if book else case.rules,
    )


# --- the short way, declining, withdrawing ----------------------------------------------------------------------


def _handle_on_spot(draft: Draft, command: c.HandleOnSpot, world: World) -> None:
    _in_stage(draft, Stage.REGISTERED)
    _local(draft, Role.GRID_WORKER)
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


def _decline(draft: Draft, command: c.Decline, world: World) -> None:
    _in_stage(draft, Stage.REGISTERED, Stage.WHISTLED)
    _local(draft, Role.COMMUNITY, Role.STREET_DISPATCHER)
    draft.stop_all()
    draft.add(e.Declined, reason=command.reason, explanation=command.explanation)


def _withdraw(draft: Draft, command: c.Withdraw, world: World) -> None:
    _in_stage(draft, *(OPEN - {Stage.ON_THE_SPOT, Stage.FED_BACK, Stage.SETTLED, Stage.APPRAISED}))
    # The reporter speaks through the resident's door or through the person who registered the request.
    if draft.actor.role != Role.RESIDENT and draft.actor.person != draft.case.registered_by.person:
        raise Refused("withdraw.not_reporter", field="actor.person")
    draft.stop_all()
    draft.add(e.Withdrawn, reason=command.reason)


# --- whistle, dispatch, the department's part -------------------------------------------------------------------


def _whistle(draft: Draft, command: c.Whistle, world: World) -> None:
    _in_stage(draft, Stage.REGISTERED)
    _local(draft, Role.COMMUNITY)
    if draft.case.place.community is None:
        raise Refused("case.not_placed", field="grid")
    if not command.departments:
        raise Refused("whistle.no_department", field="departments")
    _departments(command.departments, "departments", draft.at, world)
    if command.approver == draft.actor.person:
        raise Refused("whistle.own_approver", field="approver")
    if world.registry is not None and not world.registry.assignments_of(command.approver, office_day(draft.at)):
        raise Refused("person.unknown", field="approver", person=command.approver)
    draft.stop(ClockKind.PLACE)
    urgency = command.urgency
    if urgency is not None and urgency != draft.case.urgency:
        _correct(draft, c.Correct(reason="吹哨时调整紧急程度", urgency=urgency), world)
    draft.add(
        e.Whistled,
        reason=command.reason,
        departments=command.departments,
        approver=command.approver,
        explanation=command.explanation,
    )
    draft.start(ClockKind.DISPATCH)


def _departments(codes: tuple[str, ...], field: str, at: datetime, world: World) -> None:
    if len(set(codes)) != len(codes):
        raise Refused("department.twice", field=field)
    for code in codes:
        if world.registry is None:
            continue
        unit = world.registry.organisation(code, office_day(at))
        if unit is None or unit.kind not in ("department", "partner"):
            raise Refused("department.unknown", field=field, department=code)


def _dispatch(draft: Draft, command: c.Dispatch, world: World) -> None:
    _in_stage(draft, Stage.WHISTLED, Stage.RETURNED)
    _local(draft, Role.STREET_DISPATCHER)
    _departments((command.lead, *command.helpers), "helpers", draft.at, world)
    draft.stop(ClockKind.DISPATCH)
    for gone in set(draft.case.departments) - {command.lead, *command.helpers}:
        draft.stop(ClockKind.SIGN_FOR, gone)
    draft.add(
        e.Dispatched,
        lead=command.lead,
        helpers=command.helpers,
        mode=command.mode,
        instruction=command.instruction,
    )
    for part in draft.case.assignments:
        if part.is_open and part.assigned_at == draft.at:
            draft.start(ClockKind.SIGN_FOR, part.department)
    if not any(clock.kind == ClockKind.CONTACT for clock in draft.case.clocks):
        draft.start(ClockKind.CONTACT)
    draft.resume_budget()


def _accept(draft: Draft, command: c.Accept, world: World) -> None:
    _in_stage(draft, Stage.DISPATCHED, Stage.HANDLING)
    part = _part(draft)
    if part.accepted_at is not None:
        raise Refused("task.already_accepted", department=part.department)
    draft.stop(ClockKind.SIGN_FOR, part.department)
    draft.add(e.Accepted, department=part.department, lead=part.lead)


def _arrive(draft: Draft, command: c.Arrive, world: World) -> None:
    _in_stage(draft, Stage.DISPATCHED, Stage.HANDLING)
    draft.add(e.Arrived, department=_part(draft).department, note=command.note)


def _report_progress(draft: Draft, command: c.ReportProgress, world: World) -> None:
    _in_stage(draft, Stage.DISPATCHED, Stage.HANDLING)
    part = _accepted_part(draft)
    if command.contacted:
        draft.stop(ClockKind.CONTACT)
    draft.add(e.ProgressReported, department=part.department, text=command.text, contacted=command.contacted)


def _return_task(draft: Draft, command: c.ReturnTask, world: World) -> None:
    _in_stage(draft, Stage.DISPATCHED, Stage.HANDLING)
    part = _part(draft)
    if command.proposed is not None:
        _departments((command.proposed,), "proposed", draft.at, world)
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


def _strike_off(draft: Draft, command: c.StrikeOff, world: World) -> None:
    _in_stage(draft, Stage.DISPATCHED, Stage.HANDLING)
    part = _accepted_part(draft)
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


# --- checking, signing, telling ---------------------------------------------------------------------------------


def _not_a_handler(draft: Draft, code: str) -> None:
    if draft.actor.person in draft.case.handlers:
        raise Refused(code, field="actor.person")


def _verify(draft: Draft, command: c.Verify, world: World) -> None:
    _in_stage(draft, Stage.STRUCK_OFF)
    _local(draft, Role.GRID_WORKER)
    _not_a_handler(draft, "verify.own_work")
    if not command.evidence:
        raise Refused("evidence.missing", field="evidence", what="现场核查", what_en="the field check")
    draft.stop(ClockKind.VERIFY)
    draft.add(
        e.Verified,
        passed=command.passed,
        note=command.note,
        evidence=command.evidence,
        digest=_result_digest(draft.case, command),
    )
    if command.passed:
        draft.start(ClockKind.SIGN)
    else:
        _rework(draft, ReworkCause.CHECK_FAILED)


def _result_digest(case: Case, check: c.Verify) -> str:
    result = {
        "round": case.round,
        "struck_off": [
            part.model_dump(mode="json", include={"department", "measures", "workload", "evidence", "struck_off_at"})
            for part in case.assignments
            if part.returned_at is None
        ],
        "check": check.model_dump(mode="json"),
    }
    text = json.dumps(result, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _signer(draft: Draft) -> None:
    _in_stage(draft, Stage.VERIFIED)
    _local(draft, *SIGNERS)
    _not_a_handler(draft, "sign.handler")
    if draft.actor.person == draft.case.verified_by:
        raise Refused("sign.verifier", field="actor.person")
    for signature in draft.case.signatures:
        if signature.by.person == draft.actor.person:
            raise Refused("sign.same_person", field="actor.person")
        if signature.by.role == draft.actor.role:
            raise Refused("sign.same_role", field="actor.role", role=ROLE_NAMES[draft.actor.role][0])


def _sign(draft: Draft, command: c.Sign, world: World) -> None:
    _signer(draft)
    if command.digest != draft.case.digest:
        raise Refused("sign.other_result", field="digest")
    draft.add(e.Signed, digest=command.digest)
    if draft.case.stage == Stage.SIGNED:
        draft.stop(ClockKind.SIGN)
        draft.start(ClockKind.FEED_BACK)


def _refuse_signature(draft: Draft, command: c.RefuseSignature, world: World) -> None:
    _signer(draft)
    draft.stop(ClockKind.SIGN)
    draft.add(e.SignatureRefused, reason=command.reason)
    _rework(draft, ReworkCause.SIGNATURE_REFUSED)


def _feed_back(draft: Draft, command: c.FeedBack, world: World) -> None:
    _in_stage(draft, Stage.SIGNED)
    _local(draft, Role.GRID_WORKER, Role.COMMUNITY)
    if command.to in draft.case.fed_back:
        raise Refused("feed_back.already", field="to", to="部门" if command.to == Audience.DEPARTMENT else "居民")
    draft.add(e.FedBack, to=command.to, text=command.text)
    if draft.case.stage == Stage.FED_BACK:
        draft.stop(ClockKind.FEED_BACK)
        draft.start(ClockKind.VISIT)


# --- the resident's word ----------------------------------------------------------------------------------------


def _visit(draft: Draft, command: c.Visit, world: World) -> None:
    _in_stage(draft, Stage.FED_BACK, Stage.ON_THE_SPOT)
    case, actor = draft.case, draft.actor
    if actor.person != case.registered_by.person:
        _local(draft, Role.COMMUNITY)
    verdict = command.satisfaction is not None and command.solved is not None
    if command.answered != verdict or (not command.answered and (command.satisfaction or command.solved is not None)):
        raise Refused("visit.verdict", field="satisfaction")
    if not command.answered and case.unanswered:
        again = case.unanswered[-1] + case.rules.visit_gap.natural()
        if draft.at < again:
            raise Refused("visit.too_soon", field="answered", again=again.isoformat(), gap=case.rules.visit_gap.chinese)
    draft.add(
        e.Visited,
        answered=command.answered,
        satisfaction=command.satisfaction,
        solved=command.solved,
        word=command.word,
    )
    unhappy = command.satisfaction in DISSATISFIED or command.solved is False
    if command.answered and unhappy:
        draft.stop(ClockKind.VISIT)
        _rework(draft, ReworkCause.RESIDENT_DISSATISFIED)
    elif command.answered or len(draft.case.unanswered) >= case.rules.visit_attempts:
        draft.stop(ClockKind.VISIT)
        window = case.rules.row.reopen_window.natural()
        draft.add(e.Settled, by=SYSTEM, reached=command.answered, reopen_until=draft.at + window)
        if draft.case.departments:
            draft.start(ClockKind.APPRAISE)


def _rework(draft: Draft, cause: ReworkCause) -> None:
    case = draft.case
    exhausted = case.rework_count >= case.rules.rework_most
    draft.add(e.ReworkOrdered, by=SYSTEM, cause=cause, round=case.round + 1)
    if exhausted and case.level != LEVELS[-1]:
        draft.add(e.LevelRaised, by=SYSTEM, level=LEVELS[LEVELS.index(case.level) + 1])
    if draft.case.lead is not None:
        draft.resume_budget()
    else:
        draft.start(ClockKind.PLACE)


def _appraise(draft: Draft, command: c.Appraise, world: World) -> None:
    _in_stage(draft, Stage.SETTLED)
    _local(draft, Role.COMMUNITY)
    part = draft.case.assignment(command.department)
    if part is None:
        raise Refused("appraise.not_involved", field="department", department=command.department)
    if part.scores is not None:
        raise Refused("appraise.already", field="department", department=command.department)
    draft.add(e.Appraised, department=command.department, scores=command.scores, word=command.word)
    if draft.case.stage == Stage.APPRAISED:
        draft.stop(ClockKind.APPRAISE)
        _time_passes(draft)  # the window may be over already: then the dossier is sealed with the last score


def _reopen(draft: Draft, command: c.Reopen, world: World) -> None:
    _in_stage(draft, Stage.SETTLED, Stage.APPRAISED)
    case, actor = draft.case, draft.actor
    if actor.role != Role.RESIDENT and actor.person != case.visited_by:
        raise Refused("reopen.not_allowed", field="actor.person")
    assert case.reopen_until is not None
    if draft.at >= case.reopen_until:
        raise Refused("reopen.too_late", field="kind", until=case.reopen_until.isoformat())
    draft.stop(ClockKind.APPRAISE)
    draft.add(e.Reopened, reason=command.reason, round=case.round + 1)
    if draft.case.lead is not None:
        draft.resume_budget()
    else:
        draft.start(ClockKind.PLACE)


# --- the record -------------------------------------------------------------------------------------------------


def _comment(draft: Draft, command: c.Comment, world: World) -> None:
    draft.add(e.Commented, text=command.text)


def _attach(draft: Draft, command: c.Attach, world: World) -> None:
    draft.add(e.Attached, evidence=command.evidence)


_RULES: dict[type[Any], Callable[[Draft, Any, World], None]] = {
    c.HandleOnSpot: _handle_on_spot,
    c.Decline: _decline,
    c.Withdraw: _withdraw,
    c.Whistle: _whistle,
    c.Dispatch: _dispatch,
    c.Accept: _accept,
    c.Arrive: _arrive,
    c.ReportProgress: _report_progress,
    c.ReturnTask: _return_task,
    c.StrikeOff: _strike_off,
    c.Verify: _verify,
    c.Sign: _sign,
    c.RefuseSignature: _refuse_signature,
    c.FeedBack: _feed_back,
    c.Visit: _visit,
    c.Appraise: _appraise,
    c.Reopen: _reopen,
    c.Comment: _comment,
    c.Attach: _attach,
    c.Correct: _correct,
}
