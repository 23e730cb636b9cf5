"""What every command of the command line shares: its options, its settings, its way to ledger and desk.

Owns the opening and closing of connections for one command. Must not print and must not decide. Temporal is imported
only where it is used: reading the ledger must not wait for it.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from domain.errors import Refused
from runtime.settings import Settings, find_endpoints

if TYPE_CHECKING:
    import asyncpg
    from temporalio.client import Client

    from console.desk import Desk
    from console.reviving import Reviver
    from ledger.log import Connection
    from runtime.endpoints import Endpoints

APP_ROLE = "bihuan_app"
"""The database role of every door: it reads everything and writes through the ledger's functions only."""

SHARED = "通用选项，写在前后都可以：--data 目录  --json  --lang zh|en / shared options, anywhere on the line"
"""What the help of every command says about the options that all of them share."""

_PATIENCE = timedelta(seconds=5)

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """The options that every command takes, before or after its name; ``arguments`` are all the others."""

    data: Path | None = None
    json: bool = False
    language: str | None = None
    debug: bool = False
    arguments: tuple[str, ...] = ()


_options: ContextVar[Options] = ContextVar("options")


def options() -> Options:
    """The options of the running command."""
    return _options.get(Options())


def use(given: Options) -> None:
    """Make ``given`` the options of the running command."""
    _options.set(given)


def settings() -> Settings:
    """The settings of the running command.

    ``--data`` means the instance on that folder, also where the environment names servers: who names a folder must
    not reach another database. Raises ``Refused`` ``settings.invalid``.
    """
    given = options()
    if given.data is None:
        loaded = Settings.load()
        return loaded.model_copy(update={"data": loaded.data.absolute()})
    return Settings.load(data=given.data.expanduser().absolute(), database_url=None, temporal_address=None)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do the asynchronous ``work`` of a command and return its result."""
    return asyncio.run(work)


@asynccontextmanager
async def ledger(*, owner: bool = False, size: int = 2) -> "AsyncIterator[asyncpg.Pool]":
    """Connections to the ledger of the running command, as the door's role, or as the owner of the tables.

    Raises ``Refused``: ``instance.not_running``, ``postgres.unreachable``, ``ledger.schema_older`` before the
    migrations and the other refusals of ``ledger.migrate.pending``.
    """
    pool = await open_ledger(find_endpoints(settings()), owner=owner, size=size)
    try:
        yield pool
    finally:
        await pool.close()


async def open_ledger(
    endpoints: "Endpoints", *, owner: bool = False, size: int = 2, older: bool = False
) -> "asyncpg.Pool":
    """A pool on the ledger at ``endpoints``; the caller closes it.

    ``older`` takes one before the migrations as well. Raises ``Refused`` as ``ledger`` does.
    """
    import asyncpg

    from ledger.migrate import pending
    from runtime.pool import open_pool

    try:
        missing = await pending(endpoints.postgres)
        if missing and not older:
            raise Refused("ledger.schema_older", count=len(missing))
        role = None if owner else APP_ROLE
        return await open_pool(endpoints.postgres, size=size, role=role, name="bihuan console")
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Refused("postgres.unreachable") from error


async def open_temporal(*, patience: timedelta = _PATIENCE) -> "Client":
    """A client of the Temporal server of the running command, with the office's keys.

    Raises ``Refused``: ``temporal.unreachable``, ``vault.key_missing``, ``file.unreadable``.
    """
    from ledger.vault import MasterKey
    from runtime.codec import PayloadKeys
    from runtime.temporal import connect

    chosen = settings()
    endpoints = find_endpoints(chosen)
    keys = PayloadKeys(MasterKey.load(chosen.key_file).payload_keys)
    return await connect(endpoints.temporal, endpoints.namespace, keys=keys, tls=endpoints.tls, patience=patience)


async def open_desk(pool: "asyncpg.Pool", *, patience: timedelta = timedelta(seconds=20)) -> "Desk":
    """The desk of the running command; ``patience`` is how long it waits for an answer.

    Raises ``Refused``: ``temporal.unreachable``, ``vault.key_missing``, ``vault.wrong_key``, ``file.unreadable``.
    """
    from console.desk import Desk
    from ledger.vault import MasterKey, Vault

    chosen = settings()
    vault = Vault(MasterKey.load(chosen.key_file))
    async with pool.acquire() as conn:
        await vault.check(conn)
    client = await open_temporal()
    return Desk(client, pool, vault, task_queue=chosen.task_queue, patience=patience)


async def open_reviver(pool: "asyncpg.Pool", *, patience: timedelta = _PATIENCE) -> "Reviver":
    """What brings workflows back for the running command.

    Raises ``Refused``: ``temporal.unreachable``, ``vault.key_missing``, ``vault.wrong_key``, ``file.unreadable``.
    """
    from console.reviving import Reviver

    client = await open_temporal(patience=patience)
    return Reviver(client, pool, task_queue=settings().task_queue)


async def hand_out(conn: "Connection", stream: str, phone: str | None, person: str) -> str:
    """The tracking code of a request just registered by ``person``; the same one when it is registered again."""
    from console.tracking import Tracking
    from ledger.vault import MasterKey

    tracking = Tracking(MasterKey.load(settings().key_file))
    return await tracking.issue(conn, stream, phone, by=person, at=datetime.now(UTC))
