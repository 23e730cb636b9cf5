"""Tracking codes: what a resident is handed, and how they find their own request with it.

Owns the form of a code, the keys of its hashes, and the throttle of look-ups. Knows no HTTP. A code is never logged,
never part of an address, and kept as a keyed hash only.

A code is made of the request and a secret key instead of being drawn and thrown away: whoever repeats a registration
whose answer was lost is told the very same code, and no code is ever killed by accident. What makes it unguessable is
the key, which is derived from the key of the vault. ``reissue`` makes the next code; only that ends the one before.
"""

import hashlib
import hmac
import re
import unicodedata
from datetime import datetime, timedelta
from math import ceil
from typing import NamedTuple

from console.access.throttle import Pace, client_group
from domain.base import Frozen
from domain.errors import Refused
from ledger import access as attempts
from ledger.log import Connection
from ledger.tracking import TrackingRow, keep_tracking, replace_tracking, tracking_by, tracking_of
from ledger.vault import MasterKey

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Thirty-two signs. I, L and O are read as 1, 1 and 0; U is left out."""

_SIGNS, _GROUP = 11, 4
_BITS = 5
_READ_AS = str.maketrans("ILO", "110")
_LETTERS = re.compile(f"[{ALPHABET}]{{{_SIGNS + 1}}}")
_BETWEEN = re.compile(r"[\s\-‐‑‒–—―_.·]+")
_NOBODY = "case-nobody"

SHOWN_FOR = timedelta(hours=1)
"""How long after it was made the one who made it may still be shown a code: answers get lost, printers jam."""


class Tracked(NamedTuple):
    """Whom a look-up let in: the request, and the number of its code, which a later code replaces."""

    stream: str
    number: int


def _times_alpha(value: int) -> int:
    """One step in the field of 32 elements (x⁵ + x² + 1)."""
    value <<= 1
    return value ^ 0b100101 if value & 0b100000 else value


def _check(values: list[int]) -> int:
    """The check sign: it tells every single wrong sign and every two signs that changed places."""
    total = 0
    for value in values:
        total = _times_alpha(total ^ value)
    return total


def _shown(values: list[int]) -> str:
    signs = "".join(ALPHABET[value] for value in (*values, _check(values)))
    return "-".join(signs[start : start + _GROUP] for start in range(0, len(signs), _GROUP))


def read_code(given: str) -> str:
    """The code somebody typed, in its one form: any case, any dashes, full-width signs, O for 0.

    Raises ``Refused`` ``tracking.mistyped`` when this cannot be a code; it asks nobody, so it tells nothing.
    """
    plain = _BETWEEN.sub("", unicodedata.normalize("NFKC", given[:64])).upper().translate(_READ_AS)
    if not _LETTERS.fullmatch(plain):
        raise Refused("tracking.mistyped", field="code")
    values = [ALPHABET.index(sign) for sign in plain]
    if _check(values[:-1]) != values[-1]:
        raise Refused("tracking.mistyped", field="code")
    return _shown(values[:-1])


def last_four(phone: str | None) -> str | None:
    """The last four digits of a phone number; None where there are none."""
    digits = re.sub(r"[^0-9]", "", unicodedata.normalize("NFKC", phone or ""))
    return digits[-4:] if len(digits) >= len("0000") else None


class Paces(Frozen):
    """How look-ups are slowed that found nothing: for one code, for one group of machines, for everybody together.

    All together are only ever slowed a little: whoever guesses must not be able to shut the door to the others.
    """

    code: Pace = Pace(free=5, longest=timedelta(hours=1))
    client: Pace = Pace(free=20, longest=timedelta(minutes=10))
    everybody: Pace = Pace(free=500, longest=timedelta(seconds=2))
    forgotten_after: timedelta = timedelta(hours=24)


class Tracking:
    """Makes codes and finds requests by them."""

    def __init__(self, key: MasterKey, paces: Paces | None = None) -> None:
        self._paces = paces or Paces()
        self._making, self._hashing = key.derive("tracking code"), key.derive("tracking hash")

    async def issue(self, conn: Connection, stream: str, phone: str | None, *, by: str, at: datetime) -> str:
        """The code of a request, made now if it has none: issuing again gives the code in force and changes nothing.

        ``phone`` is the number the reporter left; without one the code alone opens the page. ``by`` is who hands it
        out. Raises ``Refused`` ``tracking.erased``.
        """
        digits = last_four(phone)
        kept = await keep_tracking(
            conn,
            TrackingRow(
                stream=stream,
                number=1,
                code=self._hash_code(self._code(stream, 1)),
                phone=self._hash_phone(stream, digits) if digits else None,
                issued_at=at,
                issued_by=by,
            ),
        )
        return self._code(stream, kept.number)

    async def reissue(self, conn: Connection, stream: str, *, by: str, at: datetime) -> str:
        """A new code for a request whose code was lost; the one before ends now, and so do pages it had opened.

        Two at once make one new code. Raises ``Refused`` ``tracking.none`` when there was never one.
        """
        known = await tracking_of(conn, stream)
        if known is None:
            raise Refused("tracking.none")
        number = known.number + 1
        code = self._code(stream, number)
        made = await replace_tracking(conn, stream, number=number, code=self._hash_code(code), at=at, by=by)
        if made is None:
            known = await tracking_of(conn, stream)
            if known is None:
                raise Refused("tracking.none")
            return self._code(stream, known.number)
        return code

    async def shown_to(self, conn: Connection, stream: str, person: str, at: datetime) -> str | None:
        """The code, for the one who handed it out and while it is fresh; None for everybody else and later."""
        row = await tracking_of(conn, stream)
        if row is None or row.issued_by != person or at - row.issued_at > SHOWN_FOR:
            return None
        return self._code(stream, row.number)

    async def find(self, conn: Connection, code: str, digits: str) -> Tracked:
        """The request of a code and the last four digits of the phone that was left.

        A request without a phone needs the code alone. As much work is done for a wrong code as for a right one.
        Raises ``Refused``: ``tracking.mistyped``; ``tracking.no_match``, which does not tell what did not match.
        """
        row = await tracking_by(conn, self._hash_code(read_code(code)))
        given = unicodedata.normalize("NFKC", digits[:64]).strip()
        found = self._hash_phone(row.stream if row else _NOBODY, given)
        expected = row.phone if row is not None and row.phone is not None else found
        same = hmac.compare_digest(found, expected)
        if row is None or not same:
            raise Refused("tracking.no_match", field="code")
        return Tracked(row.stream, row.number)

    async def look_up(self, conn: Connection, code: str, digits: str, *, client: str, at: datetime) -> Tracked:
        """``find`` for somebody at a public page, who is slowed down the more often nothing is found.

        ``client`` is the address they come from. Attempts are counted in the database before they are made, so that
        many at once, or at several consoles, gain nothing.
        Raises ``Refused`` as ``find`` does, and ``tracking.slow_down``.
        """
        plain = read_code(code)
        names = {
            self._keyed(self._hashing, "attempt", "code", plain): self._paces.code,
            self._keyed(self._hashing, "attempt", "client", client_group(client)): self._paces.client,
            self._keyed(self._hashing, "attempt", "everybody"): self._paces.everybody,
        }
        async with conn.transaction():
            known = await attempts.lock_attempts(conn, tuple(names), at)
            failures = {
                name: each.failures if at - each.last_at < self._paces.forgotten_after else 0
                for name, each in known.items()
            }
            wait = max(known[name].last_at + pace.delay(failures[name]) - at for name, pace in names.items())
            if wait > timedelta(0):
                raise Refused("tracking.slow_down", seconds=ceil(wait.total_seconds()))
            for name in sorted(names):
                await attempts.count_attempt(conn, name, failures[name] + 1, at)
        found = await self.find(conn, plain, digits)
        # One good look-up forgives itself only, or a code of one's own would buy guesses at others.
        await attempts.take_back_attempt(conn, tuple(names))
        return found

    async def still(self, conn: Connection, tracked: Tracked) -> bool:
        """Whether the code that was looked up is in force still."""
        row = await tracking_of(conn, tracked.stream)
        return row is not None and row.number == tracked.number

    def _code(self, stream: str, number: int) -> str:
        drawn = int.from_bytes(self._keyed(self._making, stream, str(number)), "big")
        return _shown([drawn >> (_BITS * place) & (len(ALPHABET) - 1) for place in range(_SIGNS)])

    def _hash_code(self, code: str) -> bytes:
        return self._keyed(self._hashing, "code", code)

    def _hash_phone(self, stream: str, digits: str) -> bytes:
        return self._keyed(self._hashing, "phone", stream, digits)

    @staticmethod
    def _keyed(key: bytes, *parts: str) -> bytes:
        content = "\n".join(parts).encode(errors="surrogatepass")
        return hmac.new(key, content, hashlib.sha256).digest()
