"""The recording activity: one command, one transaction."""

import asyncpg
from structlog.contextvars import bound_contextvars
from temporalio import activity

from activities.counting import Counted, Tally
from domain.errors import Refused
from domain.process import ACT, ActInput, Outcome
from ledger.acting import act
from ledger.world import States, Worlds
from runtime.logging import get_logger
from runtime.metrics import OFF, Metrics

_log = get_logger(__name__)

# What trying again does not cure: our own mistakes, and values the database does not take.
_MISTAKES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
)


class Recording:
    """Lets the ledger decide and record; holds the pool and what it knows of the world.

    ``states`` are those it remembers, beside the workflows that are kept in memory.
    """

    def __init__(self, pool: asyncpg.Pool, metrics: Metrics = OFF, *, states: States | None = None) -> None:
        self._pool = pool
        self._tally = Tally(metrics)
        self._worlds = Worlds()
        self._states = States() if states is None else states

    @activity.defn(name=ACT)
    async def act(self, given: ActInput) -> Outcome:
        """Decide and record; safe to repeat, see ``ledger.acting.act``.

        Raises, to be tried again, when PostgreSQL is away. A command at which our own code fails is refused with
        ``command.failed`` and nothing is written: tried for ever, it would stop the process for everybody else. With
        the database's disk full a person is refused with ``ledger.disk_full``; what time itself or a department's
        system brings is tried again, for nobody else would bring it.
        """
        with bound_contextvars(workflow_id=given.stream):
            counted, outcome = self._tally.begin(given), None
            try:
                outcome = await self._act(given, counted)
            finally:
                counted.end(outcome)
        return outcome

    async def _act(self, given: ActInput, counted: Counted) -> Outcome:
        try:
            return await act(self._pool, self._worlds, given, self._states, told=counted.told)
        except asyncpg.DiskFullError:
            _log.error("disk_full", stream=given.stream, command_id=given.command_id)
            if given.envelope is None:
                raise
            return Outcome(seq=given.seq, hash=given.hash, refusal=Refused("ledger.disk_full").refusal)
        except _MISTAKES as error:
            _log.error("act_failed", stream=given.stream, command_id=given.command_id, exc_info=error)
            refusal = Refused("command.failed", command_id=given.command_id).refusal
            return Outcome(seq=given.seq, hash=given.hash, refusal=refusal)
