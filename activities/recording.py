"""The recording activity: one command, one transaction."""

import asyncpg
from temporalio import activity

from domain.process import ACT, ActInput, Outcome
from ledger.acting import act
from ledger.world import Worlds


class Recording:
    """Lets the ledger decide and record; holds the pool and what it knows of the world."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._worlds = Worlds()

    @activity.defn(name=ACT)
    async def act(self, given: ActInput) -> Outcome:
        """Decide and record; safe to repeat, see ``ledger.acting.act``."""
        return await act(self._pool, self._worlds, given)
