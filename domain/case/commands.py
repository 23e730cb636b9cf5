"""The commands of a case: what people may ask for. One model for each word of DOMAIN §8."""

from typing import Annotated, Literal

from pydantic import Field
from pydantic.json_schema import SkipJsonSchema

from domain.base import Frozen
from domain.case.vocabulary import (
    Arbitration,
    Audience,
    Confirmation,
    DeclineReason,
    Digest,
    Evidence,
    Mode,
    Satisfaction,
    Scores,
    WhistleReason,
    Workload,
)
from domain.limits import Instant, Limit
from domain.rules import SuspendReason, Urgency
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
    condition: Line | None = None
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
    """The department says how far it is; ``contacted`` when the resident was spoken to.

    ``step`` names the step of the rule row that is done with this report.
    """

    kind: Literal["report_progress"] = "report_progress"
    text: Text
    contacted: bool = False
    step: Code | None = None


class HandOver(Frozen):
    """A department gives its task to another of its people."""

    kind: Literal["hand_over"] = "hand_over"
    to: Code


class AddHelper(Frozen):
    """The lead asks another department to help."""

    kind: Literal["add_helper"] = "add_helper"
    department: Code
    reason: Line


class ReturnTask(Frozen):
    """The department says that the task is not theirs, by which rule, and whose it is."""

    kind: Literal["return_task"] = "return_task"
    reason: Text
    legal_basis: Line
    proposed: Code | None = None


class Arbitrate(Frozen):
    """The street decides on a return; ``lead`` where the decision names one."""

    kind: Literal["arbitrate"] = "arbitrate"
    decision: Arbitration
    lead: Code | None = None
    helpers: Departments = ()
    reason: Text
    legal_basis: Line | None = None


class RequestExtension(Frozen):
    """The lead asks for more time before its budget has run out."""

    kind: Literal["request_extension"] = "request_extension"
    length: Limit
    reason: Text


class DecideExtension(Frozen):
    """The dispatcher grants or denies the extension; ``length`` may grant less than was asked for."""

    kind: Literal["decide_extension"] = "decide_extension"
    granted: bool
    reason: Text
    length: Limit | None = None


class Suspend(Frozen):
    """The dispatcher lets the department's clocks stand still, at most until ``until``.

    ``requested_by`` is the department that asked for it; a department never stops its own clock.
    """

    kind: Literal["suspend"] = "suspend"
    reason: SuspendReason
    explanation: Text
    until: Instant | None = None
    requested_by: Code | None = None
    evidence: Evidences = ()


class Resume(Frozen):
    """The reason for standing still is gone."""

    kind: Literal["resume"] = "resume"
    reason: Line


class Shelve(Frozen):
    """Put a hard case on the shelf (挂账): written reason, a supervisor's approval, review dates."""

    kind: Literal["shelve"] = "shelve"
    reason: Text
    approver: Code
    reviews: Annotated[tuple[Instant, ...], Field(min_length=1, max_length=24)]


class Unshelve(Frozen):
    """Take the case off the shelf."""

    kind: Literal["unshelve"] = "unshelve"
    reason: Line


class AskResident(Frozen):
    """Ask the resident something; the contact clock stands still until the answer or the end of the question."""

    kind: Literal["ask_resident"] = "ask_resident"
    question: Text


class RecordReply(Frozen):
    """What the resident answered."""

    kind: Literal["record_reply"] = "record_reply"
    text: Text


class Urge(Frozen):
    """Remind those the case waits for; ``to`` is one of its organisations."""

    kind: Literal["urge"] = "urge"
    text: Text
    to: Code | None = None


class Supervise(Frozen):
    """A supervision order to one organisation of the case; it needs a written reply."""

    kind: Literal["supervise"] = "supervise"
    to: Code
    text: Text
    reply_within: Limit | None = None


class ReplySupervision(Frozen):
    """The written reply to a supervision order or a written urging, by its number in the case."""

    kind: Literal["reply_supervision"] = "reply_supervision"
    order: Annotated[int, Field(ge=1, le=10_000)]
    text: Text


class AdoptRules(Frozen):
    """Let an open case live by another rule book, another calendar, or both; nothing moves without it."""

    kind: Literal["adopt_rules"] = "adopt_rules"
    rules: Code | None = None
    calendar: Code | None = None
    reason: Line


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
    """Sign for the result whose digest is given; the signer confirms it with their password."""

    kind: Literal["sign"] = "sign"
    digest: Digest
    # Put there by the door that has asked for the password. No door takes one from outside, so none documents it.
    confirmation: SkipJsonSchema[Confirmation | None] = None


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
    """Say something on the record; ``public`` when it was answered where the request was made (a chat group, S4)."""

    kind: Literal["comment"] = "comment"
    text: Text
    public: bool = False


class Attach(Frozen):
    """Put a file on the record by reference and digest."""

    kind: Literal["attach"] = "attach"
    evidence: Evidence


class Correct(Frozen):
    """Correct where the case belongs, what it is about or how urgent it is; at least one of them.

    A new category drops the condition that belonged to the old one.
    """

    kind: Literal["correct"] = "correct"
    reason: Line
    grid: Code | None = None
    category: Code | None = None
    condition: Line | None = None
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
    | HandOver
    | AddHelper
    | ReturnTask
    | Arbitrate
    | RequestExtension
    | DecideExtension
    | Suspend
    | Resume
    | Shelve
    | Unshelve
    | AskResident
    | RecordReply
    | StrikeOff
    | Verify
    | Sign
    | RefuseSignature
    | FeedBack
    | Visit
    | Appraise
    | Reopen
    | Urge
    | Supervise
    | ReplySupervision
    | Comment
    | Attach
    | Correct
    | AdoptRules,
    Field(discriminator="kind"),
]
