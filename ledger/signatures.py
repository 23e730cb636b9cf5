"""The two signatures of 双签字 as they stand in the log: made when a signer confirms, checked by whoever looks.

Owns the step from an event to the statement its signature is over. Pure: what keys are the office's the caller says.
"""

from collections.abc import Container
from enum import StrEnum

from pydantic import ValidationError

from domain.case.events import Signed
from domain.case.signing import statement
from domain.case.vocabulary import Confirmation, ConfirmedBy
from domain.people import Actor
from ledger.log import Json
from ledger.signing import SigningKey, is_signed


class Standing(StrEnum):
    """What a signature in the log is worth."""

    CONFIRMED = "confirmed"
    """The office states with its key that this person confirmed this result with their password."""
    UNCONFIRMED = "unconfirmed"
    """Recorded without a confirmation: by an operator or an import, or before confirmations were asked for."""
    OTHER_KEY = "other_key"
    """Rightly signed, with a key that is none of the office's."""
    FORGED = "forged"
    """The signature does not belong to this person, role, case, result and act."""


def confirm(key: SigningKey, stream: str, command_id: str, digest: str, by: Actor, method: ConfirmedBy) -> Confirmation:
    """The office's word, with its key, that ``by`` has just confirmed; the same again for the same act."""
    said = statement(stream, command_id, digest, by, method)
    return Confirmation(method=method, key=key.public, signature=key.sign(said))


def standing_of(stream: str, command_id: str, body: Json, keys: Container[str]) -> Standing:
    """What the fact ``body`` (kind ``signed``) of this stream and command is worth; needs no database and no clock.

    ``keys`` are the office's public keys, past ones included. A body that cannot be read is ``forged``.
    """
    try:
        fact = Signed.model_validate(body, extra="ignore")
    except ValidationError:
        return Standing.FORGED
    given = fact.confirmation
    if given is None:
        return Standing.UNCONFIRMED
    if not is_signed(statement(stream, command_id, fact.digest, fact.by, given.method), given.signature, given.key):
        return Standing.FORGED
    return Standing.CONFIRMED if given.key in keys else Standing.OTHER_KEY
