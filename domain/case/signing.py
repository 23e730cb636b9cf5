"""What a signature of 双签字 says, word for word.

Owns the statement that the office signs when a signer has confirmed with their password. Pure; must not know keys.
"""

import json

from domain.case.vocabulary import ConfirmedBy
from domain.people import Actor

FORM = "bihuan.signature.1"


def statement(stream: str, command_id: str, digest: str, by: Actor, method: ConfirmedBy) -> str:
    """The one text that is signed: who, in which role, has confirmed by what the result of which case.

    ``digest`` covers result and evidence. The command id makes it the statement of this one act, and the same however
    often that is sent. The moment is not in it: it is the event's, which the chain and the checkpoints cover.
    """
    said = {
        "form": FORM,
        "case": stream,
        "act": command_id,
        "result": digest,
        "person": by.person,
        "role": by.role.value,
        "organisation": by.organisation,
        "grid": by.grid,
        "confirmed_by": method.value,
    }
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
