"""Our side of the measurement: the loop through the desk, as any door does it."""

import asyncpg

from bench.loop import PLAIN_LOOP, WORDING
from console.desk import Desk


class Ours:
    """The product: desk, vault, shell, decider, ledger."""

    name = "ours"

    def __init__(self, desk: Desk, pool: asyncpg.Pool) -> None:
        self._desk = desk
        self._pool = pool

    async def act(self, stream: str, number: int, digest: str) -> None:
        """Do one act through the desk; the first one opens the case and fills the vault."""
        act = PLAIN_LOOP[number]
        command = act.for_case(stream, digest)
        if number == 0:
            await self._desk.open(stream, act.actor, command, private={command["wording"]: WORDING})
        else:
            await self._desk.submit(stream, act.actor, command)

    async def digest(self, stream: str) -> str:
        """Read the digest where a signing page would: in the verified fact."""
        query = "select body ->> 'digest' from event where stream = $1 and kind = 'verified'"
        return str(await self._pool.fetchval(query, stream))
