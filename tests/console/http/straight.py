"""A desk without Temporal: what a worker would do at an act, done at once by the caller.

The decision and the record are the real ones (``ledger.acting.act``); only the way there is left out.
"""

import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg

from console.desk import Desk, Pending, opening_command_id, prepare
from domain.errors import Refused
from domain.people import Actor
from domain.process import ActInput, Answer, Envelope
from domain.processes import process_of
from ledger.acting import act, recorded_answer
from ledger.vault import Vault
from ledger.world import Worlds


class StraightDesk(Desk):
    """Decides and records in the ledger of the pool, whoever asks; counts what it was asked to do.

    While it is ``deaf`` it only counts: every answer is late. ``fails_with`` is a mistake of ours on the way.
    """

    def __init__(self, pool: asyncpg.Pool, vault: Vault) -> None:
        super().__init__(None, pool, vault)  # type: ignore[arg-type]
        self._straight_pool, self._straight_vault, self._worlds = pool, vault, Worlds()
        self.asked: list[tuple[str, str]] = []
        self.deaf = False
        self.fails_with: Exception | None = None

    async def open(
        self,
        stream: str,
        actor: Actor,
        command: Mapping[str, Any],
        *,
        command_id: str | None = None,
        private: Mapping[str, str] | None = None,
    ) -> Answer:
        """As the real desk, at once."""
        envelope = prepare(stream, actor, command, command_id or opening_command_id(stream))
        if private:
            async with self._straight_pool.acquire() as conn:
                await self._straight_vault.write(conn, stream, private)
        return await self._act(stream, envelope)

    async def submit(
        self, stream: str, actor: Actor, command: Mapping[str, Any], *, command_id: str | None = None
    ) -> Answer:
        """As the real desk, at once."""
        return await self._act(stream, prepare(stream, actor, command, command_id or str(uuid.uuid4())))

    async def look_for(self, stream: str, command_id: str) -> None:
        """Nothing is ever on its way."""

    async def is_reachable(self) -> bool:
        """Always there."""
        return True

    async def _act(self, stream: str, envelope: Envelope) -> Answer:
        self.asked.append((stream, str(envelope.command["kind"])))
        if self.fails_with is not None:
            raise self.fails_with
        if self.deaf:
            raise Pending("command.pending", command_id=envelope.command_id)
        async with self._straight_pool.acquire() as conn:
            known = await recorded_answer(conn, stream, envelope)
            if known is not None:
                return known
            head = await conn.fetchrow(
                "select seq, hash from event where stream = $1 order by seq desc limit 1", stream
            )
        outcome = await act(
            self._straight_pool,
            self._worlds,
            ActInput(
                process=process_of(stream).name,
                stream=stream,
                seq=head["seq"] if head else 0,
                hash=head["hash"] if head else "",
                at=datetime.now(UTC),
                command_id=envelope.command_id,
                envelope=envelope,
            ),
        )
        if outcome.refusal is not None:
            raise Refused.from_refusal(outcome.refusal)
        assert outcome.answer is not None, "an accepted command has an answer"
        return outcome.answer
