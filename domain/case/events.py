"""The facts of a case. Names are the past of the commands; time and supervision have facts of their own.

This module is the one name for all of them: those of ``domain.case.time_events`` are here as well.
Facts read back from history may come from an older or a newer release: new fields need defaults, and unknown
fields are ignored.
"""

from typing import Annotated, Literal

from pydantic import Field

from domain.case.time_events import *
from domain.case.vocabulary import (
    Arbitration,
    Audience,
    Confirmation,
    DeclineReason,
    Evidence,
    Level,
    Mode,
    Place,
    ReworkCause,
    Satisfaction,
    Scores,
    WhistleReason,
    Workload,
)
from domain.limits import Instant
from domain.process import Event
from domain.rules import Pinned, Urgency


class Registered(Event):
    """The case entered the ledger; the rules it lives by are pinned here."""

    kind: Literal["registered"] = "registered"
    title: str
    text: str
    channel: str
    source: str | None = None
    external_id: str | None = None
    found_at: Instant
    place: Place
    category: str | None = None
    condition: str | None = None
    everyday: bool = False
    urgency: Urgency
    label: str | None = None
    wording: str | None = None
    reporter: str | None = None
    evidence: tuple[Evidence, ...] = ()
    rules: Pinned


class HandledOnSpot(Event):
    """A grid worker settled the matter at once."""

    kind: Literal["handled_on_spot"] = "handled_on_spot"
    measures: str
    evidence: tuple[Evidence, ...]


class Declined(Event):
    """The request was not taken on."""

    kind: Literal["declined"] = "declined"
    reason: DeclineReason
    explanation: str


class Withdrawn(Event):
    """The reporter took the request back."""

    kind: Literal["withdrawn"] = "withdrawn"
    reason: str


class Whistled(Event):
    """The community called for departments."""

    kind: Literal["whistled"] = "whistled"
    reason: WhistleReason
    departments: tuple[str, ...]
    approver: str
    explanation: str | None = None


class Dispatched(Event):
    """The street gave the case to a lead and helpers, who may return it until ``return_until``."""

    kind: Literal["dispatched"] = "dispatched"
    lead: str
    helpers: tuple[str, ...] = ()
    mode: Mode
    instruction: str | None = None
    return_until: Instant | None = None


class Accepted(Event):
    """A department signed for its task, or is ``deemed`` to have: its silence ended at ``since``."""

    kind: Literal["accepted"] = "accepted"
    department: str
    lead: bool
    deemed: bool = False
    since: Instant | None = None


class Arrived(Event):
    """A department was on the site."""

    kind: Literal["arrived"] = "arrived"
    department: str
    note: str | None = None


class ProgressReported(Event):
    """A department said how far it is; ``step`` is done with this report."""

    kind: Literal["progress_reported"] = "progress_reported"
    department: str
    text: str
    contacted: bool
    step: str | None = None


class HandedOver(Event):
    """A department gave its task to another of its people."""

    kind: Literal["handed_over"] = "handed_over"
    department: str
    to: str


class HelperAdded(Event):
    """The lead asked another department to help."""

    kind: Literal["helper_added"] = "helper_added"
    department: str
    reason: str
    return_until: Instant | None = None


class TaskReturned(Event):
    """A department said that the task is not theirs; ``to_arbitration`` when a plain dispatch no longer does."""

    kind: Literal["task_returned"] = "task_returned"
    department: str
    lead: bool
    reason: str
    legal_basis: str
    proposed: str | None = None
    to_arbitration: bool = False


class Arbitrated(Event):
    """The street decided on a return.

    A return that is not ``justified`` is charged to the returner: ``charged_to`` from ``charged_from`` to now.
    ``final``: those it names may not return the case any more.
    """

    kind: Literal["arbitrated"] = "arbitrated"
    decision: Arbitration
    lead: str
    helpers: tuple[str, ...] = ()
    reason: str
    legal_basis: str | None = None
    justified: bool
    final: bool
    charged_to: str | None = None
    charged_from: Instant | None = None
    return_until: Instant | None = None


class StruckOff(Event):
    """A department claims that its part is done; ``concluding`` when it was the lead.

    ``step`` is done with it for good: a last step that ends before the whole budget, say a first answer.
    """

    kind: Literal["struck_off"] = "struck_off"
    department: str
    concluding: bool
    measures: str
    workload: Workload
    evidence: tuple[Evidence, ...]
    step: str | None = None


class Verified(Event):
    """The result was checked in the field; ``digest`` covers result and evidence and is what the signers sign."""

    kind: Literal["verified"] = "verified"
    passed: bool
    note: str | None = None
    evidence: tuple[Evidence, ...]
    digest: str


class Signed(Event):
    """One of the two signatures over ``digest``; without ``confirmation`` nobody asked the signer for a password."""

    kind: Literal["signed"] = "signed"
    digest: str
    confirmation: Confirmation | None = None


class SignatureRefused(Event):
    """A signer refused."""

    kind: Literal["signature_refused"] = "signature_refused"
    reason: str


class FedBack(Event):
    """The result was told to one side."""

    kind: Literal["fed_back"] = "fed_back"
    to: Audience
    text: str


class Visited(Event):
    """The resident was asked, with or without an answer."""

    kind: Literal["visited"] = "visited"
    answered: bool
    satisfaction: Satisfaction | None = None
    solved: bool | None = None
    word: str | None = None


class Settled(Event):
    """The case is closed on the resident's word, or marked as not reached (未能联系)."""

    kind: Literal["settled"] = "settled"
    reached: bool
    reopen_until: Instant


class ReworkOrdered(Event):
    """The case goes back to the lead department; ``round`` counts from 1."""

    kind: Literal["rework_ordered"] = "rework_ordered"
    cause: ReworkCause
    round: int


class LevelRaised(Event):
    """One level up answers for the case from now on."""

    kind: Literal["level_raised"] = "level_raised"
    level: Level


class Appraised(Event):
    """The community scored one department."""

    kind: Literal["appraised"] = "appraised"
    department: str
    scores: Scores
    word: str | None = None


class Reopened(Event):
    """The settled case is taken up again."""

    kind: Literal["reopened"] = "reopened"
    reason: str
    round: int


class Archived(Event):
    """The dossier is sealed."""

    kind: Literal["archived"] = "archived"


class Commented(Event):
    """Somebody said something on the record."""

    kind: Literal["commented"] = "commented"
    text: str
    public: bool = False


class Attached(Event):
    """A file was put on the record."""

    kind: Literal["attached"] = "attached"
    evidence: Evidence


class Corrected(Event):
    """Place, category or urgency were corrected; ``rules`` is the row that applies to clocks started from now on."""

    kind: Literal["corrected"] = "corrected"
    reason: str
    place: Place
    category: str | None = None
    condition: str | None = None
    everyday: bool = False
    urgency: Urgency
    rules: Pinned


CaseEvent = Annotated[
    Registered
    | HandledOnSpot
    | Declined
    | Withdrawn
    | Whistled
    | Dispatched
    | Accepted
    | Arrived
    | ProgressReported
    | TaskReturned
    | HandedOver
    | HelperAdded
    | Arbitrated
    | ExtensionRequested
    | ExtensionDecided
    | Suspended
    | Resumed
    | Shelved
    | ShelfReviewCame
    | BacklogMarked
    | Unshelved
    | ResidentAsked
    | ResidentReplied
    | QuestionLapsed
    | Urged
    | SupervisionOrdered
    | SupervisionReplied
    | RungReached
    | RulesAdopted
    | StruckOff
    | Verified
    | Signed
    | SignatureRefused
    | FedBack
    | Visited
    | Settled
    | ReworkOrdered
    | LevelRaised
    | Appraised
    | Reopened
    | Archived
    | Commented
    | Attached
    | Corrected
    | ClockStarted
    | ClockStopped
    | ClockResumed
    | ClockExtended
    | ClockWarned
    | ClockExpired,
    Field(discriminator="kind"),
]
