"""The witness: states again and again where the streams stand, and writes it down outside the database.

Owns the loop beside the worker. The worker makes checkpoints, and not the console: it is the process without which
nothing is recorded, so there are no events without somebody to state them; and it may hold the signing key where no
browser ever reaches. What is stated is ``ledger.checkpoints``' and remembered in the database, so a witness may die at
any moment: it, or another, goes on where it was.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

import asyncpg
from pydantic import JsonValue

from activities.messages import Undelivered
from domain.errors import Refused
from ledger.anchors import AnchorFile, catch_up
from ledger.checkpoints import Checkpoint, Due, is_due, make_all, mark_sent, unsent
from ledger.log import Connection, instant_text
from ledger.signing import SigningKey
from runtime.logging import get_logger
from runtime.pool import AWAY
from runtime.settings import PREFIX, Settings

if TYPE_CHECKING:
    from activities.webhook import SignedWebhook

_log = get_logger(__name__)

_LONGEST_POLL = timedelta(seconds=10)


class Witness:
    """Makes checkpoints when they are due; several may share a ledger, each with a file of its own."""

    def __init__(
        self, pool: asyncpg.Pool, key: SigningKey, anchors: AnchorFile, due: Due, webhook: "SignedWebhook | None" = None
    ) -> None:
        self._pool, self._key, self._anchors, self._due, self._webhook = pool, key, anchors, due, webhook
        self._looked_at_all = False
        self._said: dict[str, str] = {}

    async def run(self) -> None:
        """Go the round until cancelled; what goes wrong is logged and tried again, it never ends by itself."""
        poll = min(_LONGEST_POLL, self._due.every / 2)
        steps: dict[str, Callable[[Connection], Awaitable[None]]] = {"stating": self.round}
        if self._webhook is not None:
            steps["sending"] = self.send
        while True:
            for name, step in steps.items():
                await self._try(name, step)
            await asyncio.sleep(poll.total_seconds())

    async def _try(self, name: str, step: Callable[[Connection], Awaitable[None]]) -> None:
        try:
            async with self._pool.acquire() as conn:
                await step(conn)
            self._said.pop(name, None)
        except Refused as refused:
            self._say(name, "anchors_refused", refused.code)
        except Undelivered as error:
            self._say(name, "checkpoint_undelivered", error.reason)
        except AWAY as error:
            self._say(name, "witness_waits", type(error).__name__)
        except Exception as error:  # noqa: BLE001 - whatever it was, the next checkpoint must still be made
            _log.error("witness_failed", step=name, exc_info=error)

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

    async def send(self, conn: Connection) -> None:
        """Send the checkpoints that have not been sent, each as the very line of the file, in their order.

        Arrives at least once, under the same id. Raises ``activities.channels.Undelivered``, and ``Refused``
        ``audit.checkpoint_broken`` for one that was changed in the database.
        """
        assert self._webhook is not None, "only a witness with a webhook sends"
        async for each in unsent(conn):
            if isinstance(each, int):
                raise Refused("audit.checkpoint_broken", number=each)
            event = _told(each)
            await self._webhook.post(str(event["id"]), event)
            await mark_sent(conn, each.number)

    def _say(self, step: str, event: str, reason: str) -> None:
        """Once for each reason: a disk that stays full must not fill another one with log lines."""
        if self._said.get(step) != reason:
            _log.error(event, reason=reason)
        self._said[step] = reason


def _told(checkpoint: Checkpoint) -> dict[str, JsonValue]:
    """The checkpoint as a CloudEvent 1.0; ``data.line`` belongs into an anchors file as it is."""
    return {
        "specversion": "1.0",
        "id": f"checkpoint-{checkpoint.number}-{checkpoint.hash[:16]}",
        "type": "cn.bihuan.checkpoint",
        "source": "urn:bihuan",
        "time": instant_text(checkpoint.at),
        "datacontenttype": "application/json",
        "data": {"number": checkpoint.number, "hash": checkpoint.hash, "line": checkpoint.line},
    }


@asynccontextmanager
async def witnessing(settings: Settings, pool: asyncpg.Pool) -> AsyncIterator[None]:
    """A witness beside whatever else this process does, unless the settings say that others make checkpoints.

    Without a signing key nothing is stated, which is logged. Raises ``Refused`` ``key_file.open`` for a key that others
    may read, ``settings.invalid`` for a webhook that cannot be used.
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
    webhook = None
    if settings.checkpoint_webhook:
        if settings.webhook_url is None:
            variable = f"{PREFIX}CHECKPOINT_WEBHOOK"
            raise Refused("settings.invalid", field=variable, name=variable, reason=f"{PREFIX}WEBHOOK_URL ?")
        from activities.webhook import SignedWebhook

        webhook = SignedWebhook(settings.webhook_url, settings.webhook_secret, private=settings.webhook_private)
    witness = Witness(pool, key, AnchorFile(settings.anchors), due, webhook)
    task = asyncio.create_task(witness.run(), name="witness")
    _log.info("witness_started", public_key=key.public, anchors=str(settings.anchors))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})
        if webhook is not None:
            await webhook.close()
