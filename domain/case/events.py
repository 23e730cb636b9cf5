"""The facts of a case. Names are the past of the commands; clocks have facts of their own.

Facts read back from history may come from an older or a newer release: new fields need defaults, and unknown
fields are ignored.
"""

from typing import Annotated, Literal

from pydantic import Field

from domain.case.vocabulary import (
    Audience,
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
from domain.clocks import Clock
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
    """The street gave the case to a lead and helpers."""

    kind: Literal["dispatched"] = "dispatched"
    lead: str
    helpers: tuple[str, ...] = ()
    mode: Mode
    instruction: str | None = None


class Accepted(Event):
    """A department signed for its task."""

    kind: Literal["accepted"] = "accepted"
    department: str
    lead: bool


class Arrived(Event):
    """A department was on the site."""

    kind: Literal["arrived"] = "arrived"
    department: str
    note: str | None = None


class ProgressReported(Event):
    """A department said how far it is."""

    kind: Literal["progress_reported"] = "progress_reported"
    department: str
    text: str
    contacted: bool


class TaskReturned(Event):
    """A department said that the task is not theirs."""

    kind: Literal["task_returned"] = "task_returned"
    department: str
    lead: bool
    reason: str
    legal_basis: str
    proposed: str | None = None


class StruckOff(Event):
    """A department claims that its part is done; ``concluding`` when it was the lead."""

    kind: Literal["struck_off"] = "struck_off"
    department: str
    concluding: bool
    measures: str
    workload: Workload
    evidence: tuple[Evidence, ...]


class Verified(Event):
    """The result was checked in the field; ``digest`` covers result and evidence and is what the signers sign."""

    kind: Literal["verified"] = "verified"
    passed: bool
    note: str | None = None
    evidence: tuple[Evidence, ...]
    digest: str


class Signed(Event):
    """One of the two signatures over ``digest``."""

    kind: Literal["signed"] = "signed"
    digest: str


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
    everyday: bool = False
    urgency: Urgency
    rules: Pinned


class ClockStarted(Event):
    """A limit began to run; all its due times are stored here."""

    kind: Literal["clock_started"] = "clock_started"
    clock: Clock


class ClockStopped(Event):
    """A limit stopped counting."""

    kind: Literal["clock_stopped"] = "clock_stopped"
    clock_id: str


class ClockResumed(Event):
    """A stopped limit counts again with what was left of it."""

    kind: Literal["clock_resumed"] = "clock_resumed"
    clock_id: str
    warn_at: Instant
    due_at: Instant


class ClockWarned(Event):
    """A limit is close to its end (yellow)."""

    kind: Literal["clock_warned"] = "clock_warned"
    clock_id: str
    due_at: Instant


class ClockExpired(Event):
    """A limit has run out (red)."""

    kind: Literal["clock_expired"] = "clock_expired"
    clock_id: str
    due_at: Instant


ClockEvent = ClockStarted | ClockStopped | ClockResumed | ClockWarned | ClockExpired

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
    | ClockWarned
    | ClockExpired,
    Field(discriminator="kind"),
]
