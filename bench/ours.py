"""Our side of the measurement: the loop through the desk, as any door does it."""

import asyncpg

from bench.loop import PLAIN_LOOP, WORDING, Act
from console.desk import Desk


class Ours:
    """The product: desk, vault, shell, decider, ledger."""

    name = "ours"

    def __init__(self, desk: Desk, pool: asyncpg.Pool) -> None:
        self._desk = desk
        self._pool = pool

    async def act(self, stream: str, number: int, digest: str) -> None:
        """Do one act of the plain loop."""
        await self.do(stream, PLAIN_LOOP[number], digest)

    async def do(self, stream: str, act: Act, digest: str = "") -> None:
        """Do one act through the desk; a registration opens the case and fills the vault."""
        command = act.for_case(stream, digest)
        if command["kind"] == "register":
            await self._desk.open(stream, act.actor, command, private={command["wording"]: WORDING})
        else:
            await self._desk.submit(stream, act.actor, command)

    async def digest(self, stream: str) -> str:
        """Read the digest where a signing page would: in the newest verified fact."""
        query = "select body ->> 'digest' from event where stream = $1 and kind = 'verified' order by seq desc limit 1"
        return str(await self._pool.fetchval(query, stream))
