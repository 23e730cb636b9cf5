"""The facts of time and supervision: clocks, extensions, suspensions, the shelf, orders, rungs, other rules.

Read back like all facts, see ``domain.case.events``: new fields need defaults, unknown fields are ignored.
"""

from typing import Literal

from domain.base import Recalled
from domain.case.vocabulary import Evidence
from domain.clocks import Clock, Reckoning, RungPoint
from domain.ladder import RungAction, RungAudience
from domain.limits import Instant, Limit
from domain.process import Event
from domain.rules import Pinned, SuspendReason


class ExtensionRequested(Event):
    """The lead asked for more time."""

    kind: Literal["extension_requested"] = "extension_requested"
    department: str
    length: Limit
    reason: str


class ExtensionDecided(Event):
    """More time was granted or denied; the resident is told of a granted extension."""

    kind: Literal["extension_decided"] = "extension_decided"
    department: str
    granted: bool
    length: Limit
    reason: str
    due_at: Instant | None = None


class Suspended(Event):
    """The clocks named stand still, until ``until`` at the latest."""

    kind: Literal["suspended"] = "suspended"
    reason: SuspendReason
    explanation: str
    until: Instant
    requested_by: str | None = None
    evidence: tuple[Evidence, ...] = ()
    clocks: tuple[str, ...] = ()


class Resumed(Event):
    """The case moves again since ``since``; ``automatic`` when the time allowed was over or the work was done."""

    kind: Literal["resumed"] = "resumed"
    reason: str
    automatic: bool = False
    since: Instant


class Shelved(Event):
    """The case lies on the shelf until somebody takes it off; it counts as backlog (积存) from ``backlog_at``."""

    kind: Literal["shelved"] = "shelved"
    reason: str
    approver: str
    reviews: tuple[Instant, ...]
    backlog_at: Instant
    clocks: tuple[str, ...] = ()


class ShelfReviewCame(Event):
    """A review date of a shelved case has come."""

    kind: Literal["shelf_review_came"] = "shelf_review_came"
    review: Instant


class BacklogMarked(Event):
    """The case has been on the shelf for so long that it counts as backlog (积存)."""

    kind: Literal["backlog_marked"] = "backlog_marked"
    since: Instant


class Unshelved(Event):
    """The case came off the shelf."""

    kind: Literal["unshelved"] = "unshelved"
    reason: str
    automatic: bool = False


class ResidentAsked(Event):
    """The resident was asked something and may answer until ``until``."""

    kind: Literal["resident_asked"] = "resident_asked"
    question: str
    until: Instant
    clock_id: str | None = None


class ResidentReplied(Event):
    """The resident answered."""

    kind: Literal["resident_replied"] = "resident_replied"
    text: str


class QuestionLapsed(Event):
    """The resident did not answer in time."""

    kind: Literal["question_lapsed"] = "question_lapsed"
    since: Instant


class Urged(Event):
    """Somebody was reminded by hand."""

    kind: Literal["urged"] = "urged"
    to: str
    text: str


class SupervisionOrdered(Event):
    """An order that needs a written reply: a supervisor's, or the written urging (催办通知书) of the ladder.

    ``order`` numbers the orders of the case from 1, ``clock_id`` is the clock of the reply; ``about`` the clock the
    urging is about.
    """

    kind: Literal["supervision_ordered"] = "supervision_ordered"
    order: int
    to: str
    text: str
    urging: bool = False
    clock_id: str | None = None
    about: str | None = None
    reply_by: Instant | None = None


class SupervisionReplied(Event):
    """The written reply to an order."""

    kind: Literal["supervision_replied"] = "supervision_replied"
    order: int
    to: str
    text: str


class RungReached(Event):
    """A clock reached a rung of the ladder at ``stood_at``; ``skipped`` when its reason was gone.

    ``note`` says why: ``replied`` to the urging before it, or ``urged`` already by the urging the clock belongs to.
    """

    kind: Literal["rung_reached"] = "rung_reached"
    clock_id: str
    rung: str
    name: str
    action: RungAction
    stood_at: Instant
    due_at: Instant
    told: tuple[RungAudience, ...] = ()
    skipped: bool = False
    note: str = ""


class DueChange(Recalled):
    """What a change of rules did to one clock."""

    clock_id: str
    old_limit: Limit
    limit: Limit
    old_due_at: Instant
    old_provisional: bool = False
    reckoning: Reckoning


class DueKept(Recalled):
    """A clock that a change of rules left alone, and why: ``in_the_past`` or ``other_unit``."""

    clock_id: str
    why: str


class RulesAdopted(Event):
    """The case lives by other rules or another calendar from now on.

    Exactly the clocks in ``changes`` have moved, each with its old and new due; lights and facts of the past stay.
    Those in ``followed`` live by the new rules too, which reckon them as before; all others keep the rules they had.
    """

    kind: Literal["rules_adopted"] = "rules_adopted"
    reason: str
    old_rules: str
    old_calendar: str | None = None
    rules: Pinned
    changes: tuple[DueChange, ...] = ()
    kept: tuple[DueKept, ...] = ()
    followed: tuple[str, ...] = ()


class ClockStarted(Event):
    """A limit began to run; all its due times are stored here."""

    kind: Literal["clock_started"] = "clock_started"
    clock: Clock


class ClockStopped(Event):
    """A limit stopped counting, at ``since`` where time alone stopped it (else at the time of the fact)."""

    kind: Literal["clock_stopped"] = "clock_stopped"
    clock_id: str
    since: Instant | None = None


class ClockResumed(Event):
    """A stopped limit counts again since ``since`` (else the time of the fact) with what was left of it."""

    kind: Literal["clock_resumed"] = "clock_resumed"
    clock_id: str
    warn_at: Instant
    due_at: Instant
    since: Instant | None = None
    provisional: bool = False
    rungs: tuple[RungPoint, ...] = ()


class ClockExtended(Event):
    """A limit was extended by ``length``."""

    kind: Literal["clock_extended"] = "clock_extended"
    clock_id: str
    length: Limit
    reckoning: Reckoning


class ClockWarned(Event):
    """A limit is close to its end (yellow)."""

    kind: Literal["clock_warned"] = "clock_warned"
    clock_id: str
    due_at: Instant
    told: tuple[RungAudience, ...] = ()


class ClockExpired(Event):
    """A limit has run out (red)."""

    kind: Literal["clock_expired"] = "clock_expired"
    clock_id: str
    due_at: Instant
    told: tuple[RungAudience, ...] = ()


ClockEvent = ClockStarted | ClockStopped | ClockResumed | ClockExtended | ClockWarned | ClockExpired | RungReached
"""The facts that change one clock and nothing else."""
