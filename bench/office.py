"""One installation to measure: servers, worker, desk and an invented neighbourhood, on a folder of its own.

Owns how they are started, as ``bihuan up`` starts them, and how they are metered. Used by every bench that needs an
engine; those of the ledger alone furnish ``bench.town``.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
from temporalio.client import Client

from bench.loop import NEIGHBOURHOOD
from bench.meters import Meter
from bench.ours import Ours
from bench.town import furnish
from bench.writes import make_tables
from console.desk import Desk
from console.rehydrating import PARALLEL
from console.reviving import Reviver
from domain.registry_problem import RawRegistry
from ledger.migrate import migrate
from ledger.vault import MasterKey, Vault
from runtime.codec import PayloadKeys
from runtime.embedded import Instance, own_child
from runtime.pool import open_pool
from runtime.settings import Settings
from runtime.temporal import connect
from worker import APP_ROLE

PROCESSES = ("worker", "temporal", "postgres")


@dataclass(frozen=True)
class Office:
    """What runs, and what a door has of it. ``pool`` acts as the application, ``plain`` as the owner of the tables."""

    folder: Path
    settings: Settings
    instance: Instance
    client: Client
    pool: asyncpg.Pool
    plain: asyncpg.Pool
    ours: Ours
    reviver: Reviver

    def pid(self, name: str) -> int:
        """The process id of a child; it must be running."""
        pid = self.instance.pid_of(name)
        assert pid is not None, f"{name} is down"
        return pid

    def meter(self, **others: int) -> Meter:
        """Reads the processor time of the children, of this process (``client``) and of ``others`` by their ids."""
        return Meter({"client": os.getpid(), **{name: self.pid(name) for name in PROCESSES}, **others})


@asynccontextmanager
async def office(folder: Path, *, worker: Mapping[str, str] | None = None) -> AsyncIterator[Office]:
    """An office on ``folder``; ``worker`` are settings of its worker by environment variable."""
    settings = Settings.load(data=folder)
    async with AsyncExitStack() as stack:
        key = MasterKey.load(settings.key_file, create=True)
        begin = ["-m", "runtime.begin", "worker"]
        instance = Instance(
            folder,
            migrate=_prepare,
            children=lambda at: [own_child("worker", begin, at, folder, environment=worker)],
        )
        await stack.enter_async_context(instance)
        at = instance.endpoints
        size = max(settings.pool_size, PARALLEL + 2)
        pool = await open_pool(at.postgres, size=size, role=APP_ROLE, name="bench ours", resets=False)
        plain = await open_pool(at.postgres, size=settings.pool_size, name="bench plain", resets=False)
        for each in (pool, plain):
            stack.push_async_callback(each.close)
        client = await connect(at.temporal, at.namespace, keys=PayloadKeys(key.payload_keys))
        desk = Desk(client, pool, Vault(key), task_queue=settings.task_queue, patience=timedelta(seconds=60))
        reviver = Reviver(client, pool, task_queue=settings.task_queue)
        yield Office(folder, settings, instance, client, pool, plain, Ours(desk, pool), reviver)


async def _prepare(dsn: str) -> None:
    if not await migrate(dsn):
        return  # the folder was furnished by an earlier start
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        await furnish(conn, RawRegistry.of(NEIGHBOURHOOD))
        await make_tables(conn)
    finally:
        await conn.close()


async def each_of(items: Iterable[Any], ask: Callable[[Any], Awaitable[Any]], at_once: int = 8) -> list[Any]:
    """The answers for all items in order, a few asked at once."""
    free = asyncio.Semaphore(at_once)

    async def one(item: Any) -> Any:
        async with free:
            return await ask(item)

    return await asyncio.gather(*(one(item) for item in items))
