"""Rehydrating: every open stream of the ledger has a running workflow again.

Owns the order of things, the throttle and the count. A run may be broken off at any moment and started again: a
workflow that runs is left alone, so a second run does nothing. Nothing is decided here and no event is written; what
fell due while a workflow was missing it does itself, first thing.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import asyncpg
from temporalio.service import RPCError

from console.desk import Pending
from console.pacing import Pace, abreast, patiently
from console.reviving import Begun, Reviver
from domain.base import Frozen
from domain.errors import Refusal, Refused
from ledger.resuming import count_open, open_streams

PARALLEL = 12
"""How many workflows are looked at or begun at once."""

RATE = 100
"""Most starts a second: an embedded engine takes some dozens, a larger one must not be flooded."""

TURN = "rehydrate"
"""Runs have one turn: the rate is that of all of them."""

_PAGE = 100
_KEPT = 1000


class NotBegun(Frozen):
    """A stream whose workflow could not be begun, and why."""

    stream: str
    refusal: Refusal


@dataclass
class Tally:
    """What became of the open streams so far.

    ``begun`` workflows began where the ledger left off (in a dry run: would have), ``running`` ran already,
    ``needless`` streams turned out to be over, ``failures`` are the first of those that ``failed``. ``total`` is how
    many there were to see when the run began.
    """

    total: int = 0
    running: int = 0
    begun: int = 0
    needless: int = 0
    failed: int = 0
    failures: list[NotBegun] = field(default_factory=list)

    @property
    def seen(self) -> int:
        """Streams dealt with."""
        return self.running + self.begun + self.needless + self.failed


Tell = Callable[[Tally], None]


class Rehydration:
    """One run over the open streams, or over the given ones. ``stop`` ends it early; ``tell`` hears of every stream.

    With ``trusting`` a workflow that Temporal's lists show as running is believed to run and not looked at one by
    one; one they do not show is looked at. ``replacing`` also ends and begins anew workflows that run: for one that
    contradicts the ledger, see ``Reviver.replace``.
    """

    def __init__(
        self,
        reviver: Reviver,
        pool: asyncpg.Pool,
        *,
        rate: int = RATE,
        parallel: int = PARALLEL,
        only: list[str] | None = None,
        dry_run: bool = False,
        trusting: bool = False,
        replacing: bool = False,
        tell: Tell = lambda _tally: None,
    ) -> None:
        self._reviver = reviver
        self._pool = pool
        self._parallel = parallel
        self._dry_run, self._trusting, self._replacing = dry_run, trusting, replacing
        self._tell = tell
        self._pace = Pace(rate)
        self._page: list[str] = list(only or ())
        self._after: str | None = "" if only is None else None
        self._turning = asyncio.Lock()
        self.stop = asyncio.Event()
        self.tally = Tally(total=len(self._page))

    async def run(self) -> Tally:
        """Deal with every open stream and return the count.

        Raises ``Pending`` as ``console.pacing.patiently`` does; what was counted until then stands in ``tally``.
        """
        if self._after is not None:
            async with self._pool.acquire() as conn:
                self.tally.total = await count_open(conn)
        self._tell(self.tally)
        await abreast(self._work, self._parallel, self.stop)
        return self.tally

    async def _work(self) -> None:
        while not self.stop.is_set() and (stream := await self._next()) is not None:
            try:
                became = await patiently(partial(self._begin, stream))
            except Pending:
                raise
            except Refused as refused:
                self._failed(stream, refused)
            except RPCError as error:
                self._failed(stream, Refused("temporal.refused", reason=error.status.name))
            else:
                self.tally.running += became is Begun.RUNNING
                self.tally.begun += became is Begun.BEGUN
                self.tally.needless += became is Begun.NEEDLESS
            self._tell(self.tally)

    def _failed(self, stream: str, refused: Refused) -> None:
        self.tally.failed += 1
        if len(self.tally.failures) < _KEPT:
            self.tally.failures.append(NotBegun(stream=stream, refusal=refused.refusal))

    async def _begin(self, stream: str) -> Begun:
        if self._replacing:
            await self._pace.wait()
            return await self._reviver.replace(stream)
        if await self._reviver.runs(stream):
            return Begun.RUNNING
        if self._dry_run:
            standing = await self._reviver.standing(stream)
            return Begun.BEGUN if standing is not None and standing.is_open else Begun.NEEDLESS
        await self._pace.wait()
        return await self._reviver.begin(stream)

    async def _next(self) -> str | None:
        async with self._turning:
            while not self._page and self._after is not None:
                async with self._pool.acquire() as conn:
                    page = await open_streams(conn, self._after, _PAGE)
                self._after = page[-1] if page else None
                self._page = await self._without_those_running(page) if self._trusting else page
                self._page.reverse()
            return self._page.pop() if self._page else None

    async def _without_those_running(self, page: list[str]) -> list[str]:
        known = await patiently(lambda: self._reviver.listed_as_running(page))
        self.tally.running += len(known)
        self._tell(self.tally)
        return [stream for stream in page if stream not in known]
