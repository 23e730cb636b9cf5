"""Signed addresses by which a wall shows the board without a log-in.

Owns what such an address says: for which unit, until when. It opens the board and nothing else, and the board
knows nobody's data. An address cannot be called back before its end, so it ends within a year.
"""

import base64
import binascii
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

from domain.base import Frozen
from domain.errors import Refused
from domain.limits import Instant
from domain.registry import OrganisationKind, Registry
from domain.rights import EVERYTHING, Reach

LONGEST = timedelta(days=366)
_SEAL = 32


class Address(Frozen):
    """The board of one street or community, or of all (None), until ``until``."""

    unit: str | None = None
    until: Instant

    def reach(self, registry: Registry) -> Reach:
        """What the board shows. Raises ``Refused`` ``board.link_invalid`` when the unit is no more."""
        if self.unit is None:
            return EVERYTHING
        return unit_reach(self.unit, registry)


def unit_reach(code: str, registry: Registry) -> Reach:
    """What lies in a street or community. Raises ``Refused`` ``board.link_invalid`` for any other code."""
    unit = registry.organisation(code)
    match unit.kind if unit else None:
        case OrganisationKind.STREET:
            return Reach(streets=frozenset({code}))
        case OrganisationKind.COMMUNITY:
            return Reach(communities=frozenset({code}))
        case _:
            raise Refused("board.link_invalid")


def seal(key: bytes, address: Address) -> str:
    """The address as it stands behind ``?s=``."""
    content = json.dumps([address.unit, int(address.until.timestamp())], separators=(",", ":")).encode()
    body = base64.urlsafe_b64encode(content).decode().rstrip("=")
    return f"{body}.{_signature(key, body)}"


def unseal(key: bytes, text: str, at: datetime) -> Address:
    """What a sealed address says. Raises ``Refused`` ``board.link_invalid`` when it was changed or has ended."""
    body, _, signature = text.partition(".")
    if not hmac.compare_digest(signature.encode(errors="replace"), _signature(key, body).encode()):
        raise Refused("board.link_invalid")
    try:
        unit, until = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        address = Address(unit=unit, until=datetime.fromtimestamp(until, UTC))
    except (ValueError, TypeError, binascii.Error, OverflowError):
        raise Refused("board.link_invalid") from None
    if address.until <= at:
        raise Refused("board.link_invalid")
    return address


def _signature(key: bytes, body: str) -> str:
    return hmac.new(key, body.encode(errors="replace"), hashlib.sha256).hexdigest()[:_SEAL]
