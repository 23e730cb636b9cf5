"""The story of each clock of a case, gathered fact by fact.

Owns which fact started, stopped, moved or marked a clock. A decision records several facts at one instant; what stopped
a clock stands before or behind the stop by the order in which the rules of the case record them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from domain.calendar import WorkCalendar, due
from domain.case import events as e
from domain.case.deadlines import Adoption, Cause, DueSet, Extension, Mark, Outcome, Standing
from domain.case.evolve import evolve
from domain.case.state import Case
from domain.case.vocabulary import Stage
from domain.clocks import Clock
from domain.errors import Refused
from domain.ladder import ClockKind, RungAction

# A clock is stopped before the fact that stops it is recorded ...
_STOPPERS = (
    e.HandledOnSpot, e.Declined, e.Withdrawn, e.Whistled, e.Dispatched, e.Accepted, e.ProgressReported, e.TaskReturned,
    e.Arbitrated, e.Suspended, e.Shelved, e.ResidentAsked, e.SupervisionReplied, e.StruckOff, e.Verified,
    e.SignatureRefused, e.Reopened, e.Archived, e.Commented, e.Corrected,
)  # fmt: skip
# ... but for those that are stopped because a stage has been reached.
_STOPPED_AFTER: dict[ClockKind, tuple[type[Any], Stage | None]] = {
    ClockKind.SIGN: (e.Signed, Stage.SIGNED),
    ClockKind.FEED_BACK: (e.FedBack, Stage.FED_BACK),
    ClockKind.VISIT: (e.Visited, None),
    ClockKind.APPRAISE: (e.Appraised, Stage.APPRAISED),
}
_RESUMERS = (
    e.Resumed, e.Unshelved, e.QuestionLapsed, e.ReworkOrdered, e.Reopened, e.Dispatched, e.Arbitrated, e.Corrected,
    e.RulesAdopted,
)  # fmt: skip
_STARTERS = (
    e.Registered, e.HandledOnSpot, e.Whistled, e.Dispatched, e.HelperAdded, e.TaskReturned, e.Arbitrated, e.StruckOff,
    e.Verified, e.Signed, e.FedBack, e.Settled, e.ReworkOrdered, e.Reopened, e.Corrected, e.RulesAdopted, e.Resumed,
    e.Unshelved,
)  # fmt: skip
_STANDING = ("suspended", "shelved", "resident_asked")
_DEPARTMENT_KINDS = (ClockKind.HANDLE, ClockKind.STEP, ClockKind.CONTACT, ClockKind.SIGN_FOR)


@dataclass
class Held:
    """A holding in the making."""

    organisation: str | None
    seeking: bool
    begin: datetime
    end: datetime | None = None
    charged_to: str | None = None


@dataclass
class Story:
    """The story of one clock in the making; ``stop`` is what stopped it last."""

    id: str
    kind: ClockKind
    started: Cause
    step_name: str | None = None
    stop: Cause | None = None
    finished: Cause | None = None
    agrees: bool = True
    dues: list[DueSet] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)
    extensions: list[Extension] = field(default_factory=list)
    adoptions: list[Adoption] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)


class Walk:
    """The facts in order, the state after each, and the stories so far."""

    def __init__(
        self,
        events: tuple[e.CaseEvent, ...],
        calendars: Mapping[str, WorkCalendar],
        states: Sequence[Case] | None = None,
    ) -> None:
        self.events = events
        self._states = states
        self.calendars = calendars
        self.index = 0
        self.before: Case | None = None
        self.state: Case | None = None
        self.stories: dict[str, Story] = {}

    def take(self, index: int) -> None:
        """Go on by the fact at ``index``."""
        event = self.events[index]
        self.index, self.before = index, self.state
        self.state = evolve(self.state, event) if self._states is None else self._states[index]
        tell = _TELLERS.get(type(event))
        if tell is not None:
            tell(self, event)

    def clock(self, name: str) -> Clock:
        """The clock after the present fact."""
        assert self.state is not None
        found = self.state.clock(name)
        assert found is not None
        return found

    def clock_before(self, name: str) -> Clock:
        """The clock before the present fact."""
        assert self.before is not None
        found = self.before.clock(name)
        assert found is not None
        return found

    @property
    def budget(self) -> Story | None:
        """The story of the departments' one budget, once it runs."""
        return next((story for story in self.stories.values() if story.kind is ClockKind.HANDLE), None)

    def calendar(self, version: str | None) -> WorkCalendar | None:
        """The calendar of this version. Raises ``Refused`` ``calendar.unknown``."""
        if version is None:
            return None
        if version not in self.calendars:
            raise Refused("calendar.unknown", field="calendar", version=version)
        return self.calendars[version]

    def cause(self, index: int | None = None) -> Cause:
        """The fact at ``index`` (default: the present one) as a cause."""
        index = self.index if index is None else index
        event: Any = self.events[index]
        # Asked of the class: a model is slow in saying that it has no such field.
        known = type(event).model_fields
        reason = (event.reason if "reason" in known else None) or (event.cause if "cause" in known else None)
        return Cause(
            seq=index + 1, kind=event.kind, at=event.at, by=event.by, reason=None if reason is None else str(reason)
        )

    def ahead(self, *kinds: type[Any]) -> Cause | None:
        """The next fact of these kinds within the same act."""
        for index in range(self.index + 1, len(self.events)):
            if self.events[index].at != self.events[self.index].at:
                break
            if isinstance(self.events[index], kinds):
                return self.cause(index)
        return None

    def back(self, *kinds: type[Any]) -> Cause | None:
        """The last fact of these kinds before the present one."""
        indexes = range(self.index - 1, -1, -1)
        return next((self.cause(index) for index in indexes if isinstance(self.events[index], kinds)), None)

    def reckoned(self, story: Story, cause: Cause) -> None:
        """Note the due that the present fact has set, and whether counting again leads to it."""
        clock = self.clock(story.id)
        story.dues.append(
            DueSet(
                cause=cause,
                limit=clock.whole_limit,
                rules=clock.rules_version,
                calendar=clock.calendar_version,
                due_at=clock.due_at,
                provisional=clock.provisional,
            )
        )
        again = due(self.calendar(clock.calendar_version), clock.started_at, clock.whole_limit, clock.pauses)
        story.agrees = story.agrees and again == (clock.due_at, clock.provisional)


# --- what each fact adds ------------------------------------------------------------------------------------------


def _started(walk: Walk, event: e.ClockStarted) -> None:
    clock = event.clock
    cause = walk.ahead(e.SupervisionOrdered) if clock.kind is ClockKind.REPLY else walk.back(*_STARTERS)
    story = Story(clock.id, clock.kind, cause or walk.cause())
    walk.stories[clock.id] = story
    assert walk.state is not None
    step = walk.state.rules.row.step(clock.step or "")
    story.step_name = step.name if step else None
    walk.reckoned(story, story.started)
    if clock.kind is ClockKind.HANDLE:
        _hold(walk, story, clock.started_at)


def _stopped(walk: Walk, event: e.ClockStopped) -> None:
    story, clock, state = walk.stories[event.clock_id], walk.clock(event.clock_id), walk.state
    assert state is not None
    after, stage = _STOPPED_AFTER.get(clock.kind, (e.ProgressReported, None))
    is_after = clock.step in state.steps_done if clock.step else clock.kind in _STOPPED_AFTER
    is_after = is_after and stage in (None, state.stage)
    story.stop = (walk.back(after) if is_after else walk.ahead(*_STOPPERS)) or walk.cause()
    if story.stop.kind not in _STANDING:
        story.finished = story.stop
        _let_go(story, event.at)


def _resumed(walk: Walk, event: e.ClockResumed) -> None:
    story, stopped = walk.stories[event.clock_id], walk.clock_before(event.clock_id)
    assert stopped.stopped_at is not None
    cause, end = walk.back(*_RESUMERS) or walk.cause(), event.since or event.at
    story.standings.append(
        Standing(begin=stopped.stopped_at, end=end, begun_by=story.stop or walk.cause(), ended_by=cause)
    )
    story.stop = story.finished = None
    walk.reckoned(story, cause)
    if story.kind is ClockKind.HANDLE and story.held[-1].end is not None:
        _hold(walk, story, end)


def _warned(walk: Walk, event: e.ClockWarned) -> None:
    stood_at = min(walk.clock_before(event.clock_id).warn_at, event.due_at)
    _light(walk, event, RungAction.YELLOW, stood_at)


def _expired(walk: Walk, event: e.ClockExpired) -> None:
    _light(walk, event, RungAction.RED, event.due_at)


def _light(walk: Walk, event: e.ClockWarned | e.ClockExpired, action: RungAction, stood_at: datetime) -> None:
    walk.stories[event.clock_id].marks.append(
        Mark(
            cause=walk.cause(),
            action=action,
            code=action.value,
            name="",
            stood_at=stood_at,
            due_at=event.due_at,
            told=event.told,
        )
    )


def _reached(walk: Walk, event: e.RungReached) -> None:
    walk.stories[event.clock_id].marks.append(
        Mark(
            cause=walk.cause(),
            action=event.action,
            code=event.rung,
            name=event.name,
            stood_at=event.stood_at,
            due_at=event.due_at,
            told=event.told,
            skipped=event.skipped,
        )
    )


def _extension_asked(walk: Walk, event: e.ExtensionRequested) -> None:
    if walk.budget is not None:
        walk.budget.extensions.append(
            Extension(asked=walk.cause(), department=event.department, asked_length=event.length, length=event.length)
        )


def _extended(walk: Walk, event: e.ClockExtended) -> None:
    """The budget's own request is decided now; a step that moves with it takes the request over."""
    story, budget = walk.stories[event.clock_id], walk.budget
    decided = walk.ahead(e.ExtensionDecided) or walk.cause()
    walk.reckoned(story, decided)
    assert budget is not None
    request = budget.extensions[-1].model_copy(
        update={
            "decided": decided,
            "granted": True,
            "length": event.length,
            "old_due_at": walk.clock_before(story.id).due_at,
            "due_at": walk.clock(story.id).due_at,
        }
    )
    kept = story.extensions[:-1] if story is budget else story.extensions
    story.extensions = [*kept, request]


def _extension_decided(walk: Walk, event: e.ExtensionDecided) -> None:
    if walk.budget is not None and not event.granted:
        denied = {"decided": walk.cause(), "granted": False, "length": event.length}
        walk.budget.extensions[-1] = walk.budget.extensions[-1].model_copy(update=denied)


def _adopted(walk: Walk, event: e.RulesAdopted) -> None:
    moved = {each.clock_id for each in event.changes}
    kept = {each.clock_id: each.why for each in event.kept}
    for story in walk.stories.values():
        before, after = walk.clock_before(story.id), walk.clock(story.id)
        if story.id in moved or story.id in event.followed:
            walk.reckoned(story, walk.cause())
        elif story.finished is not None:
            continue
        story.adoptions.append(
            Adoption(
                cause=walk.cause(),
                rules=event.rules.version,
                calendar=event.rules.calendar,
                outcome=Outcome.MOVED
                if story.id in moved
                else Outcome.FOLLOWED
                if story.id in event.followed
                else Outcome.KEPT,
                why=kept.get(story.id) or ("expired" if before.overdue_at is not None else None),
                old_limit=before.whole_limit,
                limit=after.whole_limit,
                old_due_at=before.due_at,
                due_at=after.due_at,
                old_provisional=before.provisional,
                provisional=after.provisional,
            )
        )


def _done(walk: Walk, event: Any) -> None:
    """What ends a clock that stands still: its reason is gone, so that nothing will let it run on."""
    for story in walk.stories.values():
        clock = walk.clock(story.id)
        if not clock.is_running and story.finished is None and _ends(event, clock, walk.state):
            story.finished = walk.cause()
            _let_go(story, event.at)


def _ends(event: Any, clock: Clock, state: Case | None) -> bool:
    if state is not None and state.contacted_at is not None and clock.kind is ClockKind.CONTACT:
        return True
    match event:
        case e.Declined() | e.Withdrawn() | e.Archived():
            return True
        case e.Accepted():
            return clock.kind is ClockKind.SIGN_FOR and clock.organisation == event.department
        case e.ProgressReported():
            return clock.kind is ClockKind.STEP and clock.step == event.step
        case e.StruckOff():
            return event.concluding and clock.kind in _DEPARTMENT_KINDS
    return False


# --- who had the budget -------------------------------------------------------------------------------------------


def _hold(walk: Walk, story: Story, begin: datetime) -> None:
    """From ``begin`` on the lead has the budget, or the street while there is none."""
    assert walk.state is not None
    lead, street = walk.state.lead, walk.state.place.street
    story.held.append(Held(lead.department if lead else street, lead is None, begin))


def _let_go(story: Story, at: datetime) -> None:
    if story.held and story.held[-1].end is None:
        story.held[-1].end = at


def _handed(walk: Walk, event: e.Dispatched | e.TaskReturned | e.Arbitrated) -> None:
    story = walk.budget
    if story is None or story.finished is not None or (isinstance(event, e.TaskReturned) and not event.lead):
        return
    _let_go(story, event.at)
    if isinstance(event, e.Arbitrated):
        story.held[-1].charged_to = event.charged_to
    _hold(walk, story, event.at)


_TELLERS: dict[type[Any], Callable[[Walk, Any], None]] = {
    e.ClockStarted: _started,
    e.ClockStopped: _stopped,
    e.ClockResumed: _resumed,
    e.ClockWarned: _warned,
    e.ClockExpired: _expired,
    e.RungReached: _reached,
    e.ExtensionRequested: _extension_asked,
    e.ClockExtended: _extended,
    e.ExtensionDecided: _extension_decided,
    e.RulesAdopted: _adopted,
    e.Dispatched: _handed,
    e.TaskReturned: _handed,
    e.Arbitrated: _handed,
    e.Accepted: _done,
    e.ProgressReported: _done,
    e.ResidentReplied: _done,
    e.StruckOff: _done,
    e.Declined: _done,
    e.Withdrawn: _done,
    e.Archived: _done,
}
