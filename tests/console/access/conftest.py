"""Access to a fresh ledger by a clock that stands still until it is moved, in the role of the doors."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from console.access.door import Access
from console.access.passwords import Hashing, argon2
from console.session import APP_ROLE
from runtime.pool import open_pool
from runtime.settings import Settings

PASSWORD = "柳树下的 green tractor"


@dataclass
class Clock:
    """The moment it is, until somebody moves it."""

    at: datetime = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at

    def move(self, by: timedelta) -> None:
        self.at += by


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def quick_hash() -> Hashing:
    """Argon2 at its least costs: real, and quick."""
    return argon2(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
async def app_pool(migrated_database: str) -> AsyncIterator[asyncpg.Pool]:
    """A pool in the role of the doors."""
    pool = await open_pool(migrated_database, size=6, role=APP_ROLE)
    yield pool
    await pool.close()


@pytest.fixture
def access(app_pool: asyncpg.Pool, clock: Clock, quick_hash: Hashing) -> Access:
    """Accounts, sessions and tokens as the settings have them when nothing is set."""
    return Access.open(app_pool, Settings(), clock=clock, hashing=quick_hash)


@pytest.fixture
async def worker(access: Access) -> str:
    """The login name of a person who has chosen ``PASSWORD``."""
    added = await access.accounts.add("W01", by="admin")
    assert added.password is not None
    session = await access.sessions.sign_in("w01", added.password, "10.0.0.1")
    await access.sessions.change_password(session.identity, added.password, PASSWORD, "10.0.0.1")
    return added.account.login
