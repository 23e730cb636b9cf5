"""Signing with one's password: from what a signer typed to the office's word in the command.

Owns when a confirmation is asked for and that none comes from outside. The password goes no further than the
comparison: it is in no command, no event, no log.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from domain.case.vocabulary import ConfirmedBy
from domain.errors import Refused
from domain.people import Actor
from ledger.log import Recorded
from ledger.signatures import confirm
from ledger.signing import SigningKey
from runtime.settings import Settings

FIELD = "confirmation"
"""The field of the command, and of refusals about the password."""


def refuse_foreign(command: Mapping[str, Any]) -> None:
    """Raise ``Refused`` ``field.unknown`` for a command that brings a confirmation along: those are ours to make."""
    if FIELD in command:
        raise Refused("field.unknown", field=FIELD)


def is_asked(settings: Settings, kind: str, *, operator: bool = False) -> bool:
    """Whether an act of this kind needs the password again; ``operator``: somebody at the office's own machine."""
    if kind != "sign" or settings.sign_confirmation == "never":
        return False
    return not operator or settings.sign_confirmation == "always"


def recorded(events: list[Recorded]) -> dict[str, Any]:
    """The confirmation with which this very act was recorded, as a command has it."""
    given = next((event.body.get(FIELD) for event in events if event.kind == "signed"), None)
    return {} if given is None else {FIELD: given}


async def confirmed(
    key: SigningKey,
    check: Callable[[str, str, str], Awaitable[None]],
    stream: str,
    actor: Actor,
    command: Mapping[str, Any],
    *,
    command_id: str,
    password: str | None,
    client: str,
) -> dict[str, Any]:
    """The command ``sign`` with the office's word that the actor has just given the right password.

    ``check`` compares person, password and where the attempt comes from, and raises. Raises besides
    ``sign.unconfirmed`` without a password.
    """
    if not password:
        raise Refused("sign.unconfirmed", field=FIELD)
    await check(actor.person, password, client)
    given = confirm(key, stream, command_id, str(command.get("digest")), actor, ConfirmedBy.PASSWORD)
    return {**command, FIELD: given.model_dump(mode="json")}
