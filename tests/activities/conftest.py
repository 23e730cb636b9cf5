"""A migrated ledger with a registry, a pool as the application, and servers that take what is sent."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from ledger.registry import load_registry
from runtime.pool import open_pool
from tests.activities.posting import Certificate, Hooks, Mail, staff


@pytest.fixture
async def ledger(migrated_database: str) -> str:
    """The address of a database with the schema of this release and the neighbourhood's registry."""
    conn: asyncpg.Connection = await asyncpg.connect(migrated_database)
    await load_registry(conn, staff(), "lead")
    await conn.close()
    return migrated_database


@pytest.fixture
async def conn(ledger: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the owner of the tables."""
    connection = await asyncpg.connect(ledger)
    yield connection
    await connection.close()


@pytest.fixture
async def pool(ledger: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections as the worker has them."""
    opened = await open_pool(ledger, size=10, role="bihuan_app", resets=False)
    yield opened
    await opened.close()


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    """A web server that checks the signature of what it gets."""
    server = Hooks()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def mail() -> Iterator[Mail]:
    """A mail server without encryption."""
    server = Mail()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    """A certificate for ``localhost`` that this process trusts."""
    made = Certificate.make(tmp_path, "localhost")
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    return made
