"""Data folders on which nothing runs, and ledgers the command line finds."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from console.instance import prepare_ledger
from tests.console.calling import Call, called


@pytest.fixture
def no_instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data folder on which nothing runs, whatever the developer's own shell says."""
    for name in [name for name in os.environ if name.startswith("BIHUAN_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("BIHUAN_DATA", str(tmp_path / "nowhere"))


@pytest.fixture
def call(no_instance: None) -> Call:
    """Runs the command line in this process."""
    return called


@pytest.fixture
async def new_office(
    no_instance: None, migrated_database: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[asyncpg.Connection]:
    """The ledger of a new office, which the command line finds by the environment; no Temporal answers there."""
    await prepare_ledger(migrated_database)
    monkeypatch.setenv("BIHUAN_DATABASE_URL", migrated_database)
    monkeypatch.setenv("BIHUAN_TEMPORAL_ADDRESS", "127.0.0.1:9")
    connection = await asyncpg.connect(migrated_database)
    yield connection
    await connection.close()
