"""The database floor: the durable writes of the loop and no engine at all."""

import hashlib
import json
from uuid import uuid4

import asyncpg

from bench.loop import PLAIN_LOOP
from bench.writes import LoopWrites, digest_of, keep_wording, record


class Floor:
    """Each act is one transaction from the client; nothing would survive a crash between two acts."""

    name = "floor"

    def __init__(self, pool: asyncpg.Pool, writes: LoopWrites) -> None:
        self._pool = pool
        self._writes = writes

    async def act(self, stream: str, number: int, digest: str) -> None:
        """Write one act."""
        if number == 0:
            await keep_wording(self._pool, stream)
        command = json.dumps(PLAIN_LOOP[number].for_case(stream, digest))
        content = hashlib.sha256(command.encode()).hexdigest()
        await record(self._pool, self._writes.acts[number], stream, uuid4(), content)

    async def digest(self, stream: str) -> str:
        """Read the digest from the plain tables."""
        return await digest_of(self._pool, stream)
