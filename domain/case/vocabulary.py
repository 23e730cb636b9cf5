"""The words of a case (DOMAIN §8): stages, reasons, grades, and the small values that commands and events share."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from domain.base import Frozen
from domain.text import Code, Line


class Stage(StrEnum):
    """The stages of a case (DOMAIN §2)."""

    REGISTERED = "registered"
    ON_THE_SPOT = "on_the_spot"
    WHISTLED = "whistled"
    DISPATCHED = "dispatched"
    HANDLING = "handling"
    RETURNED = "returned"
    STRUCK_OFF = "struck_off"
    VERIFIED = "verified"
    SIGNED = "signed"
    FED_BACK = "fed_back"
    SETTLED = "settled"
    APPRAISED = "appraised"
    ARCHIVED = "archived"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


STAGE_NAMES: dict[Stage, tuple[str, str]] = {
    Stage.REGISTERED: ("已登记", "registered"),
    Stage.ON_THE_SPOT: ("现场办结", "handled on the spot"),
    Stage.WHISTLED: ("已吹哨", "whistled"),
    Stage.DISPATCHED: ("已派单", "dispatched"),
    Stage.HANDLING: ("处置中", "handling"),
    Stage.RETURNED: ("已退单", "returned"),
    Stage.STRUCK_OFF: ("已销账", "struck off"),
    Stage.VERIFIED: ("已核查", "verified"),
    Stage.SIGNED: ("已双签", "signed"),
    Stage.FED_BACK: ("已反馈", "fed back"),
    Stage.SETTLED: ("已结账", "settled"),
    Stage.APPRAISED: ("已考评", "appraised"),
    Stage.ARCHIVED: ("已归档", "archived"),
    Stage.DECLINED: ("不予受理", "declined"),
    Stage.WITHDRAWN: ("已撤回", "withdrawn"),
}

FINAL = frozenset({Stage.ARCHIVED, Stage.DECLINED, Stage.WITHDRAWN})
"""Stages from which nothing leads on."""

WITH_DEPARTMENTS = (Stage.DISPATCHED, Stage.HANDLING, Stage.RETURNED)
"""Stages in which departments act; helpers go on while the street looks for another lead."""


class Phase(StrEnum):
    """The parts of the loop that Temporal's lists tell apart; several stages each.

    ``HANDLING`` is from the dispatch, or from handling on the spot, to the archive: the departments have it or had it.
    Plans recorded by an older release also say ``concluding``, for what follows the department's done.
    """

    TRIAGE = "triage"
    HANDLING = "handling"
    CLOSED = "closed"


PHASES: dict[Stage, Phase] = {
    Stage.REGISTERED: Phase.TRIAGE,
    Stage.WHISTLED: Phase.TRIAGE,
    **dict.fromkeys(WITH_DEPARTMENTS, Phase.HANDLING),
    Stage.ON_THE_SPOT: Phase.HANDLING,
    Stage.STRUCK_OFF: Phase.HANDLING,
    Stage.VERIFIED: Phase.HANDLING,
    Stage.SIGNED: Phase.HANDLING,
    Stage.FED_BACK: Phase.HANDLING,
    Stage.SETTLED: Phase.HANDLING,
    Stage.APPRAISED: Phase.HANDLING,
    **dict.fromkeys(FINAL, Phase.CLOSED),
}
"""The phase of each stage."""


class Mode(StrEnum):
    """办理方式: on the spot, within a limit, by consultation."""

    ON_THE_SPOT = "on_the_spot"
    WITHIN_LIMIT = "within_limit"
    CONSULTATION = "consultation"


class Level(StrEnum):
    """The level that answers for the case; rework beyond the limit and the ladder raise it."""

    GRID = "grid"
    COMMUNITY = "community"
    STREET = "street"
    DISTRICT = "district"


LEVELS = tuple(Level)
"""The levels from the lowest to the highest."""

LEVEL_NAMES: dict[Level, tuple[str, str]] = {
    Level.GRID: ("网格", "grid"),
    Level.COMMUNITY: ("社区", "community"),
    Level.STREET: ("街道", "street"),
    Level.DISTRICT: ("区", "district"),
}


class WhistleReason(StrEnum):
    """Why the community calls for departments."""

    REFLECTED = "reflected"
    JOINT_ENFORCEMENT = "joint_enforcement"
    EMERGENCY_RESPONSE = "emergency_response"
    OTHER = "other"


class DeclineReason(StrEnum):
    """Why a request is not taken on."""

    NOT_IN_SCOPE = "not_in_scope"
    NO_FACTS = "no_facts"
    IN_COURT = "in_court"
    ALREADY_ANSWERED = "already_answered"
    OTHER = "other"


class Satisfaction(StrEnum):
    """The resident's grade."""

    VERY_SATISFIED = "very_satisfied"
    SATISFIED = "satisfied"
    FAIR = "fair"
    DISSATISFIED = "dissatisfied"
    VERY_DISSATISFIED = "very_dissatisfied"


GRADES = tuple(Satisfaction)
"""The grades from the best to the worst."""

DISSATISFIED = frozenset({Satisfaction.DISSATISFIED, Satisfaction.VERY_DISSATISFIED})


class Audience(StrEnum):
    """Whom the result is told: 双向反馈 is two facts."""

    DEPARTMENT = "department"
    RESIDENT = "resident"


class ReworkCause(StrEnum):
    """What sends a case back to the department."""

    CHECK_FAILED = "check_failed"
    SIGNATURE_REFUSED = "signature_refused"
    RESIDENT_DISSATISFIED = "resident_dissatisfied"


class Arbitration(StrEnum):
    """What the street decides on a return: 直派 (the return is refused), 改派, 指定牵头, 兜底."""

    FORCE = "force"
    REDISPATCH = "redispatch"
    NAME_LEAD = "name_lead"
    TAKE_OVER = "take_over"


class EvidenceKind(StrEnum):
    """What a piece of evidence shows."""

    BEFORE = "before"
    AFTER = "after"
    DOCUMENT = "document"


def _check_digest(value: str) -> str:
    # Every digest of every fact that is read comes here: nothing is left of one that has no other letters.
    if len(value) != 64 or value.strip("0123456789abcdef"):
        raise PydanticCustomError("digest.malformed", "not a SHA-256 digest")
    return value


Digest = Annotated[str, AfterValidator(_check_digest), WithJsonSchema({"type": "string", "pattern": "^[0-9a-f]{64}$"})]
"""A SHA-256 digest as 64 lower-case hexadecimal letters."""


class Evidence(Frozen):
    """A file by reference and digest; the file itself never enters an event."""

    kind: EvidenceKind
    ref: Code
    digest: Digest
    note: Line | None = None


class ConfirmedBy(StrEnum):
    """How a signer was recognised at the moment of signing."""

    PASSWORD = "password"


def _check_signature(value: str) -> str:
    if len(value) != 128 or any(letter not in "0123456789abcdef" for letter in value):
        raise PydanticCustomError("digest.malformed", "not an Ed25519 signature")
    return value


class Confirmation(Frozen):
    """The office's word that the signer confirmed this very signature; ``domain.case.signing`` says what is signed.

    ``key`` is the office's public key, ``signature`` Ed25519 over the statement, both in hexadecimal.
    """

    method: ConfirmedBy
    key: Digest
    signature: Annotated[str, AfterValidator(_check_signature)]


class Workload(Frozen):
    """What a department spent on the case (费随事转). Cost in fen; all counts whole numbers."""

    people: int = Field(ge=0, le=10_000)
    minutes: int = Field(ge=0, le=10_000_000)
    vehicles: int = Field(default=0, ge=0, le=1_000)
    cost_fen: int = Field(default=0, ge=0, le=10**13)


class Scores(Frozen):
    """What the community thinks of a department's work in this case, 0 to 100 each."""

    speed: int = Field(ge=0, le=100)
    quality: int = Field(ge=0, le=100)
    attitude: int = Field(ge=0, le=100)


class Place(Frozen):
    """Where a case belongs, as the registry had it on the day. A case without a grid waits to be placed."""

    street: str | None = None
    community: str | None = None
    grid: str | None = None
