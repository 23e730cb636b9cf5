"""A migrated database for each ledger test."""

from collections.abc import AsyncIterator

import asyncpg
import pytest


@pytest.fixture
def ledger(migrated_database: str) -> str:
    """The address of a database with the schema of this release and nothing in it."""
    return migrated_database


@pytest.fixture
async def conn(ledger: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection as the owner of the tables."""
    connection = await asyncpg.connect(ledger)
    yield connection
    await connection.close()
