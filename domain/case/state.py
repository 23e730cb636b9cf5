"""The state of a case and how facts change it.

Owns ``Case`` and ``evolve``. Facts are never refused here: what is in the ledger has happened.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, assert_never

from domain.base import Recalled
from domain.case import events as e
from domain.case.vocabulary import (
    FINAL,
    Audience,
    Evidence,
    EvidenceKind,
    Level,
    Mode,
    Place,
    Satisfaction,
    Scores,
    Stage,
    Workload,
)
from domain.clocks import Clock
from domain.limits import Instant
from domain.people import Actor
from domain.rules import Pinned, Urgency


class Assignment(Recalled):
    """One department's part in a case; ``dispatch`` is the number of the dispatch that gave it, counted from 1."""

    department: str
    lead: bool
    assigned_at: Instant
    dispatch: int = 1
    reopened_at: Instant | None = None
    accepted_at: Instant | None = None
    struck_off_at: Instant | None = None
    returned_at: Instant | None = None
    measures: str | None = None
    workload: Workload | None = None
    evidence: tuple[Evidence, ...] = ()
    scores: Scores | None = None

    @property
    def is_open(self) -> bool:
        """Whether the department still has to do its part."""
        return self.struck_off_at is None and self.returned_at is None


class Signature(Recalled):
    """Who signed in which role."""

    by: Actor
    at: Instant


class Case(Recalled):
    """Everything a decision about a case needs to know; all instants in UTC."""

    stage: Stage
    title: str
    text: str
    channel: str
    source: str | None = None
    external_id: str | None = None
    label: str | None = None
    place: Place
    category: str | None = None
    everyday: bool = False
    urgency: Urgency
    mode: Mode | None = None
    registered_by: Actor
    registered_at: Instant
    found_at: Instant
    rules: Pinned
    clocks: tuple[Clock, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    handlers: tuple[str, ...] = ()
    verified_by: str | None = None
    digest: str | None = None
    signatures: tuple[Signature, ...] = ()
    fed_back: tuple[Audience, ...] = ()
    unanswered: tuple[Instant, ...] = ()
    visited_by: str | None = None
    satisfaction: Satisfaction | None = None
    solved: bool | None = None
    rework_count: int = 0
    round: int = 0
    dispatches: int = 0
    level: Level = Level.COMMUNITY
    evidence_count: int = 0
    was_overdue: bool = False
    settled_at: Instant | None = None
    reopen_until: Instant | None = None
    appraised_at: Instant | None = None
    archived_at: Instant | None = None
    waiting_since: Instant

    @property
    def lead(self) -> Assignment | None:
        """The lead's assignment that is in force."""
        return next((part for part in self.assignments if part.lead and part.returned_at is None), None)

    @property
    def departments(self) -> tuple[str, ...]:
        """The departments in force, the lead first."""
        active = [part for part in self.assignments if part.returned_at is None]
        return tuple(part.department for part in sorted(active, key=lambda part: (not part.lead, part.department)))

    @property
    def is_final(self) -> bool:
        """Whether nothing more can happen."""
        return self.stage in FINAL

    def assignment(self, department: str | None) -> Assignment | None:
        """The assignment of ``department`` that is in force."""
        return next(
            (part for part in self.assignments if part.department == department and part.returned_at is None), None
        )

    def clock(self, clock_id: str) -> Clock | None:
        """The clock of this id."""
        return next((clock for clock in self.clocks if clock.id == clock_id), None)


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
        everyday=event.everyday,
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
    change: dict[str, Any]
    match event:
        case e.ClockStopped():
            change = {"stopped_at": event.at}
        case e.ClockResumed():
            change = {"stopped_at": None, "warn_at": event.warn_at, "due_at": event.due_at}
        case e.ClockWarned():
            change = {"warned_at": event.at}
        case e.ClockExpired():
            change = {"overdue_at": event.at}
        case _ as never:
            assert_never(never)
    return tuple(clock.model_copy(update=change) if clock.id == event.clock_id else clock for clock in state.clocks)


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
    }


def _accepted(state: Case, event: e.Accepted) -> dict[str, Any]:
    changed = _assignment(state, event.department, accepted_at=event.at)
    result: dict[str, Any] = {"assignments": changed, "handlers": _with(state.handlers, event.by.person)}
    return result | ({"stage": Stage.HANDLING} if event.lead else {})


def _was_there(state: Case, event: e.Arrived | e.ProgressReported) -> dict[str, Any]:
    return {"handlers": _with(state.handlers, event.by.person)}


def _returned(state: Case, event: e.TaskReturned) -> dict[str, Any]:
    changed: dict[str, Any] = {"assignments": _assignment(state, event.department, returned_at=event.at)}
    return changed | ({"stage": Stage.RETURNED} if event.lead else {})


def _verified(state: Case, event: e.Verified) -> dict[str, Any]:
    seen = {"verified_by": event.by.person, "evidence_count": state.evidence_count + len(event.evidence)}
    return seen | ({"stage": Stage.VERIFIED, "digest": event.digest} if event.passed else {})


def _signed(state: Case, event: e.Signed) -> dict[str, Any]:
    signatures = (*state.signatures, Signature(by=event.by, at=event.at))
    both = len({signature.by.role for signature in signatures}) > 1
    return {"signatures": signatures} | ({"stage": Stage.SIGNED} if both else {})


def _fed_back(state: Case, event: e.FedBack) -> dict[str, Any]:
    told = (*state.fed_back, event.to)
    return {"fed_back": told} | ({"stage": Stage.FED_BACK} if set(told) == set(Audience) else {})


def _visited(state: Case, event: e.Visited) -> dict[str, Any]:
    if not event.answered:
        return {"visited_by": event.by.person, "unanswered": (*state.unanswered, event.at)}
    return {"visited_by": event.by.person, "satisfaction": event.satisfaction, "solved": event.solved}


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
        "everyday": event.everyday,
        "urgency": event.urgency,
        "rules": event.rules,
    }


def _with(people: tuple[str, ...], person: str) -> tuple[str, ...]:
    return people if person in people else (*people, person)


def _dispatched(state: Case, event: e.Dispatched) -> tuple[Assignment, ...]:
    # Helpers of an earlier dispatch keep what they have done; a new dispatch replaces everybody else.
    past = tuple(part for part in state.assignments if part.returned_at is not None)
    kept = {part.department: part for part in state.assignments if part.returned_at is None}
    number = state.dispatches + 1
    parts = [Assignment(department=event.lead, lead=True, assigned_at=event.at, dispatch=number)]
    for helper in event.helpers:
        fresh = Assignment(department=helper, lead=False, assigned_at=event.at, dispatch=number)
        parts.append(kept.get(helper) or fresh)
    return (*past, *parts)


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
    return result | ({"stage": Stage.STRUCK_OFF} if event.concluding else {})


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
    }
    if lead:
        parts = tuple(part.model_copy(update={"scores": None}) for part in state.assignments)
        again = state.model_copy(update={"assignments": parts})
        changes["assignments"] = _assignment(again, lead.department, struck_off_at=None, reopened_at=at)
    return changes


_FOLDS: dict[type[Any], Callable[[Case, Any], dict[str, Any]]] = {
    e.HandledOnSpot: _handled_on_spot,
    e.Declined: lambda state, event: {"stage": Stage.DECLINED},
    e.Withdrawn: lambda state, event: {"stage": Stage.WITHDRAWN},
    e.Whistled: lambda state, event: {"stage": Stage.WHISTLED},
    e.Dispatched: lambda state, event: {
        "stage": Stage.DISPATCHED,
        "mode": event.mode,
        "assignments": _dispatched(state, event),
        "dispatches": state.dispatches + 1,
    },
    e.Accepted: _accepted,
    e.Arrived: _was_there,
    e.ProgressReported: _was_there,
    e.TaskReturned: _returned,
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


def has(evidence: tuple[Evidence, ...], kind: EvidenceKind) -> bool:
    """Whether a piece of evidence of this kind is among them."""
    return any(piece.kind == kind for piece in evidence)
