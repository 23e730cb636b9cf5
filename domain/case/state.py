"""The state of a case: everything a decision about it needs to know.

Owns the values; ``domain.case.evolve`` says how facts change them.
"""

from domain.base import Recalled
from domain.calendar import Pause
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
from domain.clocks import Clock, worst_light
from domain.limits import Instant, Limit
from domain.people import Actor
from domain.rules import Pinned, SuspendReason, Urgency


class Assignment(Recalled):
    """One department's part in a case; ``dispatch`` is the number of the dispatch that gave it, counted from 1.

    It may be returned until ``return_until``, and not at all when it is ``final``; ``person`` is who it was handed to.
    """

    department: str
    lead: bool
    assigned_at: Instant
    dispatch: int = 1
    return_until: Instant | None = None
    final: bool = False
    person: str | None = None
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
    """Who signed in which role, and whether they confirmed it with their password."""

    by: Actor
    at: Instant
    confirmed: bool = False


class Standstill(Recalled):
    """A suspension or a place on the shelf: since when, and which clocks stand still because of it."""

    since: Instant
    clocks: tuple[str, ...] = ()


class Suspension(Standstill):
    """Clocks stand still for one reason, until ``until`` at the latest."""

    reason: SuspendReason
    until: Instant


class Shelf(Standstill):
    """A hard case on the shelf: review dates still to come, and when it counts as backlog."""

    reviews: tuple[Instant, ...] = ()
    review_come: Instant | None = None
    backlog_at: Instant
    is_backlog: bool = False


class StoodStill(Recalled):
    """A suspension that is over."""

    reason: SuspendReason
    span: Pause


class Question(Recalled):
    """What the resident was asked and has not answered yet; ``clock_id`` is the clock that stands still."""

    asked_at: Instant
    until: Instant
    clock_id: str | None = None


class ExtensionRequest(Recalled):
    """More time that was asked for and not yet decided on; ``number`` counts the requests of the case from 1."""

    number: int = 1
    department: str
    length: Limit
    asked_at: Instant


class Order(Recalled):
    """A supervision order or a written urging; ``to`` is the organisation that owes the reply."""

    number: int
    to: str
    at: Instant
    urging: bool = False
    clock_id: str | None = None
    about: str | None = None
    replied_at: Instant | None = None


class Return(Recalled):
    """One return by one department."""

    department: str
    at: Instant
    lead: bool


class Tally(Recalled):
    """What no decision asks for and figures count.

    ``worst`` is the worst of all answers the resident has given; ``struck_off_at`` and ``published_at``, the moment the
    result was known to both sides, hold of the present round.
    """

    urges: int = 0
    worst: Satisfaction | None = None
    struck_off_at: Instant | None = None
    published_at: Instant | None = None


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
    condition: str | None = None
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
    steps_done: tuple[str, ...] = ()
    contacted_at: Instant | None = None
    first_acceptor: str | None = None
    returns: tuple[Return, ...] = ()
    to_arbitration: bool = False
    suspension: Suspension | None = None
    stood_still: tuple[StoodStill, ...] = ()
    shelf: Shelf | None = None
    question: Question | None = None
    questions: int = 0
    extension_request: ExtensionRequest | None = None
    extension_requests: int = 0
    extensions: int = 0
    reviews: int = 0
    orders: tuple[Order, ...] = ()
    tally: Tally = Tally()
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

    def order(self, number: int) -> Order | None:
        """The order of this number."""
        return next((order for order in self.orders if order.number == number), None)

    @property
    def standing(self) -> frozenset[str]:
        """The clocks that stand still for a while: suspended, on the shelf, or while the resident is asked."""
        names = {name for still in (self.suspension, self.shelf) if still is not None for name in still.clocks}
        asked = self.question.clock_id if self.question else None
        return frozenset(names | ({asked} if asked else set()))

    @property
    def light(self) -> str:
        """The worst light of the clocks that run or stand still for a while: no pause hides that a case is late."""
        return worst_light(self.clocks, self.standing)

    @property
    def open_orders(self) -> tuple[Order, ...]:
        """The orders that wait for their reply."""
        return tuple(order for order in self.orders if order.replied_at is None)

    def clock(self, clock_id: str) -> Clock | None:
        """The clock of this id."""
        return next((clock for clock in self.clocks if clock.id == clock_id), None)


def has(evidence: tuple[Evidence, ...], kind: EvidenceKind) -> bool:
    """Whether a piece of evidence of this kind is among them."""
    return any(piece.kind == kind for piece in evidence)
