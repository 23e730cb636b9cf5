"""The witness: states again and again where the streams stand, and writes it down outside the database.

Owns the loop beside the worker. The worker makes checkpoints, and not the console: it is the process without which
nothing is recorded, so there are no events without somebody to state them; and it may hold the signing key where no
browser ever reaches. What is stated is ``ledger.checkpoints``' and remembered in the database, so a witness may die at
any moment: it, or another, goes on where it was.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg

from domain.errors import Refused
from ledger.anchors import AnchorFile, catch_up
from ledger.checkpoints import Due, is_due, make_all
from ledger.log import Connection
from ledger.signing import SigningKey
from runtime.logging import get_logger
from runtime.pool import AWAY
from runtime.settings import Settings

_log = get_logger(__name__)

_LONGEST_POLL = timedelta(seconds=10)


class Witness:
    """Makes checkpoints when they are due; several may share a ledger, each with a file of its own."""

    def __init__(self, pool: asyncpg.Pool, key: SigningKey, anchors: AnchorFile, due: Due) -> None:
        self._pool, self._key, self._anchors, self._due = pool, key, anchors, due
        self._looked_at_all = False
        self._said: str | None = None

    async def run(self) -> None:
        """Go the round until cancelled; what goes wrong is logged and tried again, it never ends by itself."""
        poll = min(_LONGEST_POLL, self._due.every / 2)
        while True:
            try:
                async with self._pool.acquire() as conn:
                    await self.round(conn)
                self._said = None
            except Refused as refused:
                self._say("anchors_refused", refused.code)
            except AWAY as error:
                self._say("witness_waits", type(error).__name__)
            except Exception as error:  # noqa: BLE001 - whatever it was, the next checkpoint must still be made
                _log.error("witness_failed", exc_info=error)
            await asyncio.sleep(poll.total_seconds())

    async def round(self, conn: Connection) -> None:
        """Make the checkpoints that are due, and bring the file up to what has been made.

        The first round looks at every stream: what was changed while nobody worked here is stated or found too.
        Raises ``Refused`` as ``ledger.anchors.catch_up`` does, after the checkpoint has been made.
        """
        if await is_due(conn, self._due):
            async for made in make_all(conn, self._key, everything=not self._looked_at_all):
                if made.checkpoint is not None:
                    _log.info("checkpoint_made", number=made.checkpoint.number, heads=len(made.checkpoint.heads))
                if made.changed:
                    _log.error("streams_changed", streams=len(made.changed), first=made.changed[0])
            self._looked_at_all = True
        await catch_up(conn, self._anchors)

    def _say(self, event: str, reason: str) -> None:
        """Once for each reason: a disk that stays full must not fill another one with log lines."""
        if self._said != reason:
            _log.error(event, reason=reason)
        self._said = reason


@asynccontextmanager
async def witnessing(settings: Settings, pool: asyncpg.Pool) -> AsyncIterator[None]:
    """A witness beside whatever else this process does, unless the settings say that others make checkpoints.

    Without a signing key nothing is stated, which is logged. Raises ``Refused`` ``key_file.open`` for a key that others
    may read.
    """
    if not settings.checkpoints:
        yield
        return
    try:
        key = SigningKey.load(settings.signing_file)
    except Refused as refused:
        if refused.code != "audit.key_missing":
            raise
        _log.warning("witness_without_key", path=str(settings.signing_file))
        yield
        return
    due = Due(events=settings.checkpoint_events, every=settings.checkpoint_every)
    task = asyncio.create_task(Witness(pool, key, AnchorFile(settings.anchors), due).run(), name="witness")
    _log.info("witness_started", public_key=key.public, anchors=str(settings.anchors))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
