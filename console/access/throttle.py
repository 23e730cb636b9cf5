"""Slows down who guesses passwords, and keeps nobody out for good.

Owns the delays. Attempts are counted in the database, so that restarting or asking another console does not help. What
is counted are the login name, the group of machines (an address of the internet with its neighbours) and the pair of
the two, each known by a digest only. Where a person has got in before from the same group of machines only the pair
counts: strangers elsewhere cannot keep them out, and a crowded office is not slowed by its own mistypings.
"""

import hashlib
import ipaddress
from datetime import datetime, timedelta
from math import ceil
from typing import NamedTuple

from domain.base import Frozen
from domain.errors import Refused
from ledger import access as table
from ledger.log import Connection


class Pace(Frozen):
    """How one kind of name is slowed: so many failures are free, then each doubles the delay up to the longest."""

    free: int
    longest: timedelta

    def delay(self, failures: int) -> timedelta:
        """How long to wait after so many failures."""
        over = failures - self.free
        if over < 0:
            return timedelta(0)
        return min(timedelta(seconds=2 ** min(over, 20)), self.longest)


class Paces(Frozen):
    """The paces of the three kinds of names; failures older than ``forgotten_after`` no longer count."""

    pair: Pace = Pace(free=4, longest=timedelta(minutes=15))
    login: Pace = Pace(free=10, longest=timedelta(minutes=1))
    client: Pace = Pace(free=40, longest=timedelta(minutes=5))
    forgotten_after: timedelta = timedelta(hours=24)
    known_for: timedelta = timedelta(days=30)


class Attempting(NamedTuple):
    """One attempt under way: it counts as failed, under the names ``counted``, until it is known to be good."""

    pair: bytes
    counted: tuple[bytes, ...]


def client_group(address: str) -> str:
    """The machines counted together: an IPv4 address, the /64 of an IPv6 one; anything else counts as itself."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\n".join(parts).encode(errors="surrogatepass")).digest()


class Throttle:
    """Counts attempts and says when the next one may be made."""

    def __init__(self, paces: Paces | None = None) -> None:
        self._paces = paces or Paces()

    @property
    def remembered(self) -> timedelta:
        """How long an attempt is kept at all."""
        return max(self._paces.forgotten_after, self._paces.known_for)

    async def begin(self, conn: Connection, login: str, client: str, at: datetime) -> Attempting:
        """Begin an attempt; it counts as failed at once, so that many at the same time gain nothing.

        Raises ``Refused`` ``access.slow_down`` with the ``seconds`` to wait; such an attempt does not count.
        """
        group = client_group(client)
        pair = _digest("pair", login, group)
        wider = {_digest("login", login): self._paces.login, _digest("client", group): self._paces.client}
        async with conn.transaction():
            found = await table.lock_attempts(conn, (pair, *wider), at)
            good_at = found[pair].good_at
            known = good_at is not None and at - good_at < self._paces.known_for
            counted = {pair: self._paces.pair, **({} if known else wider)}
            wait = max(self._wait(found[name], pace, at) for name, pace in counted.items())
            if wait > timedelta(0):
                raise Refused("access.slow_down", seconds=ceil(wait.total_seconds()))
            for name in counted:
                await table.count_attempt(conn, name, self._failures(found[name], at) + 1, at)
        return Attempting(pair, tuple(counted))

    async def good(self, conn: Connection, trying: Attempting, at: datetime) -> None:
        """The attempt was good: the pair starts anew.

        The login name and the group of machines are forgiven this attempt only, or one good account would buy any
        number of guesses at others.
        """
        await table.take_back_attempt(conn, trying.counted)
        await table.start_anew(conn, trying.pair, at)

    def _failures(self, attempt: table.Attempt, at: datetime) -> int:
        return attempt.failures if at - attempt.last_at < self._paces.forgotten_after else 0

    def _wait(self, attempt: table.Attempt, pace: Pace, at: datetime) -> timedelta:
        return attempt.last_at + pace.delay(self._failures(attempt, at)) - at
