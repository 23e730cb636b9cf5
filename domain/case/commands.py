"""The commands of a case: what people may ask for. One model for each word of DOMAIN §8."""

from typing import Annotated, Literal

from pydantic import Field

from domain.base import Frozen
from domain.case.vocabulary import (
    Audience,
    DeclineReason,
    Digest,
    Evidence,
    Mode,
    Satisfaction,
    Scores,
    WhistleReason,
    Workload,
)
from domain.limits import Instant
from domain.rules import Urgency
from domain.text import Code, Line, Text

Evidences = Annotated[tuple[Evidence, ...], Field(max_length=50)]
Departments = Annotated[tuple[Code, ...], Field(max_length=20)]


class Register(Frozen):
    """Enter a request into the ledger. ``wording`` and ``reporter`` are references into the vault."""

    kind: Literal["register"] = "register"
    title: Line
    text: Text
    channel: Code = "grid"
    source: Code | None = None
    external_id: Code | None = None
    found_at: Instant | None = None
    street: Code | None = None
    grid: Code | None = None
    category: Code | None = None
    urgency: Urgency = Urgency.GENERAL
    label: Line | None = None
    wording: Code | None = None
    reporter: Code | None = None
    evidence: Evidences = ()


class HandleOnSpot(Frozen):
    """Settle an everyday matter at once, with evidence before and after."""

    kind: Literal["handle_on_spot"] = "handle_on_spot"
    measures: Text
    evidence: Evidences = ()


class Decline(Frozen):
    """Do not take the request on, and say why."""

    kind: Literal["decline"] = "decline"
    reason: DeclineReason
    explanation: Text


class Withdraw(Frozen):
    """The reporter takes the request back."""

    kind: Literal["withdraw"] = "withdraw"
    reason: Line


class Whistle(Frozen):
    """The community calls for departments; ``approver`` is the person who agreed to it."""

    kind: Literal["whistle"] = "whistle"
    reason: WhistleReason
    departments: Departments
    approver: Code
    urgency: Urgency | None = None
    explanation: Text | None = None


class Dispatch(Frozen):
    """Give the case to a lead department and its helpers."""

    kind: Literal["dispatch"] = "dispatch"
    lead: Code
    helpers: Departments = ()
    mode: Literal[Mode.WITHIN_LIMIT, Mode.CONSULTATION] = Mode.WITHIN_LIMIT
    instruction: Text | None = None


class Accept(Frozen):
    """The department signs for the task."""

    kind: Literal["accept"] = "accept"


class Arrive(Frozen):
    """The department is on the site."""

    kind: Literal["arrive"] = "arrive"
    note: Line | None = None


class ReportProgress(Frozen):
    """The department says how far it is; ``contacted`` when the resident was spoken to."""

    kind: Literal["report_progress"] = "report_progress"
    text: Text
    contacted: bool = False


class ReturnTask(Frozen):
    """The department says that the task is not theirs, by which rule, and whose it is."""

    kind: Literal["return_task"] = "return_task"
    reason: Text
    legal_basis: Line
    proposed: Code | None = None


class StrikeOff(Frozen):
    """The department claims that its part is done; the lead's claim concludes."""

    kind: Literal["strike_off"] = "strike_off"
    measures: Text
    workload: Workload
    evidence: Evidences = ()


class Verify(Frozen):
    """A grid worker has checked the result in the field."""

    kind: Literal["verify"] = "verify"
    passed: bool
    note: Text | None = None
    evidence: Evidences = ()


class Sign(Frozen):
    """Sign for the result whose digest is given."""

    kind: Literal["sign"] = "sign"
    digest: Digest


class RefuseSignature(Frozen):
    """Refuse to sign, with a reason; the case goes back to the department."""

    kind: Literal["refuse_signature"] = "refuse_signature"
    reason: Line


class FeedBack(Frozen):
    """Tell the result to the department or to the resident."""

    kind: Literal["feed_back"] = "feed_back"
    to: Audience
    text: Text


class Visit(Frozen):
    """Ask the resident. An unanswered attempt has neither grade nor verdict."""

    kind: Literal["visit"] = "visit"
    answered: bool
    satisfaction: Satisfaction | None = None
    solved: bool | None = None
    word: Text | None = None


class Appraise(Frozen):
    """The community scores one department for this very case."""

    kind: Literal["appraise"] = "appraise"
    department: Code
    scores: Scores
    word: Text | None = None


class Reopen(Frozen):
    """Take a settled case up again within the window."""

    kind: Literal["reopen"] = "reopen"
    reason: Line


class Comment(Frozen):
    """Say something on the record."""

    kind: Literal["comment"] = "comment"
    text: Text


class Attach(Frozen):
    """Put a file on the record by reference and digest."""

    kind: Literal["attach"] = "attach"
    evidence: Evidence


class Correct(Frozen):
    """Correct where the case belongs, what it is about or how urgent it is; at least one of them."""

    kind: Literal["correct"] = "correct"
    reason: Line
    grid: Code | None = None
    category: Code | None = None
    urgency: Urgency | None = None


Command = Annotated[
    Register
    | HandleOnSpot
    | Decline
    | Withdraw
    | Whistle
    | Dispatch
    | Accept
    | Arrive
    | ReportProgress
    | ReturnTask
    | StrikeOff
    | Verify
    | Sign
    | RefuseSignature
    | FeedBack
    | Visit
    | Appraise
    | Reopen
    | Comment
    | Attach
    | Correct,
    Field(discriminator="kind"),
]
