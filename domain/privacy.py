"""Why somebody may be shown what a resident told, and why it may be destroyed.

Owns the two closed lists of reasons and what must be said beside them.
"""

from enum import StrEnum

from domain.errors import Refused
from domain.text import normalise, redact

WORDS_LIMIT = 200
"""Most letters said beside a reason."""


class RevealReason(StrEnum):
    """What the name, number or address of a resident is needed for."""

    VISIT = "visit"
    CONTACT = "contact"
    ON_SITE = "on_site"
    COMPLAINT = "complaint"
    SUBJECT_REQUEST = "subject_request"
    INSPECTION = "inspection"
    OTHER = "other"


class EraseReason(StrEnum):
    """Why what was kept of a resident is destroyed."""

    RETENTION = "retention"
    SUBJECT_REQUEST = "subject_request"
    ORDER = "order"
    MISTAKE = "mistake"
    OTHER = "other"


_SPEAK_FOR_THEMSELVES = frozenset({"visit", "contact", "on_site", "retention"})


def said_beside(reason: RevealReason | EraseReason, words: str | None) -> str:
    """The words beside a reason as they are kept: normalised and with personal data masked.

    Raises ``Refused``: ``reason.words_missing`` where the reason alone says too little, ``reason.words_too_long``.
    """
    kept = redact(normalise(words or "")).strip()
    if len(kept) > WORDS_LIMIT:
        raise Refused("reason.words_too_long", field="words", limit=WORDS_LIMIT)
    if not kept and reason.value not in _SPEAK_FOR_THEMSELVES:
        raise Refused("reason.words_missing", field="words")
    return kept
