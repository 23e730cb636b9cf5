"""Openings by programs, evenly apart: a burst of them waits here, before anything is begun, and people pass.

Owns whose turn it is at one console. Nothing is kept: who waits holds neither a connection nor a lock.
"""

import asyncio

from domain.errors import Refused

LONGEST = 10.0
"""Seconds a program waits for its turn at most; one that would have to wait longer is told when to come again."""


class Openings:
    """At most ``rate`` openings a second of programs, those of people counted in.

    A person, or an emergency by whomever, never waits and is never refused; programs then wait the longer.
    """

    def __init__(self, rate: int) -> None:
        self._apart = 1 / rate
        self._next = 0.0

    def count(self) -> None:
        """An opening that does not wait."""
        self._next = max(self._next, asyncio.get_running_loop().time()) + self._apart

    async def turn(self) -> None:
        """Wait for the turn of a program. Raises ``Refused`` ``request.too_many`` with the seconds to wait."""
        now = asyncio.get_running_loop().time()
        waits = max(self._next - now, 0.0)
        if waits > LONGEST:
            raise Refused("request.too_many", seconds=int(waits) + 1)
        self.count()
        if waits:
            await asyncio.sleep(waits)
