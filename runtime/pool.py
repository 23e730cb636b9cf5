"""Connections to PostgreSQL.

Owns how a connection is set up: types, time zone, limits, role. Must not hold SQL of the ledger.
"""

import json
from datetime import timedelta

import asyncpg

_CONNECT_TIMEOUT = timedelta(seconds=5)

AWAY: tuple[type[Exception], ...] = (
    OSError,
    asyncpg.InterfaceError,
    # What the driver raises when the server's farewell comes in between two statements of a connection.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
"""What it looks like when PostgreSQL is away or cannot take more: waiting helps."""


async def open_pool(
    dsn: str, *, size: int = 10, role: str | None = None, name: str = "bihuan", resets: bool = True
) -> asyncpg.Pool:
    """A pool of at most ``size`` connections, one of them opened at once; the caller closes it.

    Each connection speaks UTC, reads and writes ``jsonb`` as Python values, gives up a statement after 30 s, a lock
    after 10 s and an idle transaction after 30 s, and acts as ``role`` when one is given. ``name`` is what
    PostgreSQL shows as the application. Without ``resets`` a connection comes back to the pool as it was left, but
    for an open transaction, which saves a round trip per use: for users that leave nothing in a session.

    Raises ``OSError`` or ``asyncpg.PostgresError`` when the server cannot be reached or refuses.
    """
    settings = {
        "application_name": name,
        "timezone": "UTC",
        "statement_timeout": "30s",
        "lock_timeout": "10s",
        "idle_in_transaction_session_timeout": "30s",
    }
    if role is not None:
        settings["role"] = role
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        init=_prepare,
        reset=None if resets else _keep_session,
        server_settings=settings,
        timeout=_CONNECT_TIMEOUT.total_seconds(),
        command_timeout=45,
    )


async def _keep_session(_connection: asyncpg.Connection) -> None:
    """Nothing to undo; an open transaction has been rolled back by the pool before this is called."""


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", encoder=_to_json, decoder=json.loads, schema="pg_catalog")


def _to_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
