"""The courier: takes notices from the outbox to people, for as long as the worker lives.

Owns the loop: when to look, how many at once, when to try again. The outbox says what is due, the channels say
whether it went; nothing is remembered here, so a courier may die at any moment. What it was about to deliver is then
delivered by another, or by itself later: at least once, under the same id.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

import asyncpg

from activities.channels import Channel, open_channels
from activities.messages import Message, Undelivered
from domain.registry import Registry
from domain.zone import office_day
from ledger.outbox import EMAIL, WAKE, Claim, Directory, claim, mark_delivered, mark_failed, route
from runtime.logging import get_logger
from runtime.pool import AWAY
from runtime.settings import Settings

_log = get_logger(__name__)

_GRACE = timedelta(seconds=5)


@dataclass(frozen=True)
class Backoff:
    """How long to wait after each failure: doubled from ``first`` up to ``longest``, and no more after ``attempts``.

    By default twelve attempts within eight hours: a night's outage of a mail server is outlived.
    """

    first: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(hours=2)
    attempts: int = 12

    def after(self, attempt: int) -> timedelta | None:
        """The pause after this attempt (counted from 1) has failed; None when it was the last."""
        if attempt >= self.attempts:
            return None
        # Beyond some doublings the product would leave the range of a timedelta.
        return min(self.longest, self.first * (1 << min(attempt - 1, 30)))


@dataclass(frozen=True)
class Pace:
    """How the courier works: ``poll`` is how often it looks unasked, ``patience`` how long one attempt may take.

    ``gather`` is how long it lets notices come in before it looks for all of them at once: an act brings several, and
    nobody feels a quarter of a second, but a transaction for each cost a worker more than the notices themselves.

    ``lease`` is how long a delivery is left to a courier that does not answer for it; it must be longer than
    ``patience``. ``batch`` is how many deliveries of one channel are under way at once.
    """

    poll: timedelta = timedelta(seconds=5)
    gather: timedelta = timedelta(milliseconds=250)
    patience: timedelta = timedelta(seconds=30)
    lease: timedelta = timedelta(minutes=2)
    batch: int = 8
    backoff: Backoff = Backoff()


class Courier:
    """Routes notices and delivers them on ``channels``; several couriers share the work.

    ``dsn`` is where to listen for new notices; without one it only looks every ``pace.poll``.
    """

    def __init__(
        self, pool: asyncpg.Pool, channels: Sequence[Channel], *, dsn: str | None = None, pace: Pace | None = None
    ) -> None:
        self._pool = pool
        self._channels = tuple(channels)
        self._dsn = dsn
        self._pace = pace or Pace()
        self._directory = Directory()
        self._bells: list[asyncio.Event] = []
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Deliver until ``stop`` is called; what goes wrong is logged and tried again, it never ends by itself.

        Each channel has a loop of its own, so that a server that hangs holds up nobody else's notices.
        """
        async with asyncio.TaskGroup() as group:
            group.create_task(self._lane("routing", self.route))
            for channel in self._channels:
                group.create_task(self._lane(channel.name, partial(self.deliver, channel)))
            if self._dsn is not None:
                group.create_task(self._lane("listening", self._listen))

    def stop(self) -> None:
        """Let ``run`` end once the attempts under way have ended."""
        self._stopped.set()
        self._ring()

    async def route(self) -> bool:
        """Give new notices their deliveries; whether there were any."""
        async with self._pool.acquire() as conn:
            registry = await self._directory.registry(conn)
            done = await route(
                conn,
                registry,
                office_day(datetime.now(UTC)),
                email=any(channel.name == EMAIL for channel in self._channels),
                addresses=[(channel.name, each) for channel in self._channels for each in channel.receivers or ()],
            )
        if done.notices:
            _log.info("notices_routed", notices=done.notices, nobody=done.nobody)
            self._ring()
        return done.notices > 0

    async def deliver(self, channel: Channel) -> bool:
        """Try what is due on ``channel``, at most one batch at once; whether there was anything."""
        async with self._pool.acquire() as conn:
            claims = await claim(conn, channel.name, limit=self._pace.batch, lease=self._pace.lease)
            registry = await self._directory.registry(conn) if claims else Registry()
        ends = await asyncio.gather(*(self._try(channel, each, registry) for each in claims), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException):
                raise end
        return bool(claims)

    async def _try(self, channel: Channel, claimed: Claim, registry: Registry) -> None:
        failed = await self._sent(channel, claimed, registry)
        facts = {"notice": str(claimed.id), "channel": channel.name, "attempt": claimed.attempt}
        async with self._pool.acquire() as conn:
            if failed is None:
                await mark_delivered(conn, claimed)
                _log.info("notice_delivered", **facts)
                return
            again = None if failed.final else self._pace.backoff.after(claimed.attempt)
            await mark_failed(conn, claimed, failed.reason, again)
        _log.warning("notice_undelivered", reason=failed.reason, given_up=again is None, **facts)

    async def _sent(self, channel: Channel, claimed: Claim, registry: Registry) -> Undelivered | None:
        """None when the receiver has it, else why not."""
        if claimed.notice is None:
            return Undelivered("no longer in the log", final=True)
        address = None
        if channel.receivers is None:
            person = registry.person(claimed.receiver, office_day(datetime.now(UTC)))
            address = person.email if person else None
        try:
            async with asyncio.timeout(self._pace.patience.total_seconds()):
                await channel.send(Message(claimed.notice, address), claimed.receiver)
        except Undelivered as error:
            return error
        except TimeoutError:
            return Undelivered("timeout")
        except Exception as error:  # noqa: BLE001 - one broken delivery must not stop the others
            _log.error("delivery_broke", notice=str(claimed.id), channel=channel.name, exc_info=error)
            return Undelivered(type(error).__name__)
        return None

    async def _lane(self, name: str, step: Callable[[], Awaitable[bool]]) -> None:
        bell, away = asyncio.Event(), False
        self._bells.append(bell)
        while not self._stopped.is_set():
            # Before looking: what comes while we look rings again.
            bell.clear()
            busy = False
            try:
                busy = await step()
                if away:
                    _log.info("courier_resumed", lane=name)
                away = False
            except AWAY as error:
                if not away:
                    _log.warning("courier_waits", lane=name, error=type(error).__name__)
                away = True
            except Exception as error:  # noqa: BLE001 - whatever it was, notices must go on being delivered
                _log.error("courier_failed", lane=name, exc_info=error)
            if not busy and not self._stopped.is_set():
                await _rest(bell, self._pace.poll)
                if bell.is_set() and not self._stopped.is_set():
                    await _rest(self._stopped, self._pace.gather)

    async def _listen(self) -> bool:
        """Hear of new notices until the connection is lost; always false, so that the next try waits for a while."""
        assert self._dsn is not None, "listening needs an address"
        conn: asyncpg.Connection = await asyncpg.connect(
            self._dsn, timeout=5, server_settings={"application_name": "bihuan courier"}
        )
        lost = asyncio.Event()
        try:
            conn.add_termination_listener(lambda _conn: lost.set())
            await conn.add_listener(WAKE, lambda *_: self._ring())
            # What came while nobody listened.
            self._ring()
            ends = [asyncio.ensure_future(each.wait()) for each in (lost, self._stopped)]
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for end in ends:
                    end.cancel()
        finally:
            await conn.close(timeout=2)
        return False

    def _ring(self) -> None:
        for bell in self._bells:
            bell.set()


@asynccontextmanager
async def delivering(settings: Settings, pool: asyncpg.Pool, dsn: str) -> AsyncIterator[None]:
    """A courier beside whatever else this process does, unless the settings say that others deliver.

    On leaving, attempts under way get a few seconds to end; what does not end is delivered later by another courier.
    Raises ``Refused`` as ``open_channels`` does.
    """
    if not settings.courier:
        yield
        return
    channels = open_channels(settings)
    courier = Courier(pool, channels, dsn=dsn, pace=Pace(poll=settings.courier_poll))
    task = asyncio.create_task(courier.run(), name="courier")
    task.add_done_callback(_say_how_it_ended)
    _log.info("courier_started", channels=[channel.name for channel in channels])
    try:
        yield
    finally:
        courier.stop()
        await asyncio.wait({task}, timeout=_GRACE.total_seconds())
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        for channel in channels:
            await channel.close()


def _say_how_it_ended(task: asyncio.Task[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _log.error("courier_ended", exc_info=error)


async def _rest(bell: asyncio.Event, length: timedelta) -> None:
    try:
        async with asyncio.timeout(length.total_seconds()):
            await bell.wait()
    except TimeoutError:
        return
