"""Doors for each test: over a furnished ledger alone, or over a whole office with Temporal and a worker."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from console.access.door import Access
from console.desk import Desk
from console.http.identity import identify
from ledger.vault import MasterKey, Vault
from runtime.pool import open_pool
from runtime.postgres import EmbeddedPostgres
from runtime.settings import Settings
from tests.console.http.doors import Doors, open_doors
from tests.console.http.signing import Clock, Front, quick_hash
from tests.console.http.two_streets import Streets, open_streets
from tests.copies import copy_database
from tests.workflows.clockwork import Clockwork
from tests.workflows.conftest import clockwork, furnished_database, template
from tests.workflows.office import Office, open_office

__all__ = ["clockwork", "furnished_database", "template"]


@pytest.fixture
async def reading_doors(furnished_database: str, tmp_path: Path) -> AsyncIterator[Doors]:
    """Doors over the ledger of the small neighbourhood; no Temporal answers, so nothing can be acted on."""
    key = MasterKey.load(tmp_path / "master.key", create=True)
    settings = Settings.load(data=tmp_path, database_url=furnished_database, temporal_address="127.0.0.1:9")
    pool = await open_pool(furnished_database, size=4, role="bihuan_app")
    no_temporal: Desk = Desk(None, pool, Vault(key))  # type: ignore[arg-type]
    async with open_doors(pool, no_temporal, key, settings) as doors:
        yield doors
    await pool.close()


@pytest.fixture
async def working_office(furnished_database: str, clockwork: Clockwork, tmp_path: Path) -> AsyncIterator[Office]:
    """An office of the small neighbourhood with a worker, in which acts are recorded and time runs as outside."""
    async with open_office(clockwork.client, furnished_database, tmp_path / "key", cached=True) as office:
        yield office


@pytest.fixture
async def doors(working_office: Office, furnished_database: str, tmp_path: Path) -> AsyncIterator[Doors]:
    """Doors of a working office."""
    key = MasterKey.load(tmp_path / "key")
    settings = Settings.load(data=tmp_path, database_url=furnished_database, temporal_address="127.0.0.1:9")
    async with open_doors(working_office.ledger, working_office.desk, key, settings) as doors:
        yield doors


@pytest.fixture
async def front(furnished_database: str, tmp_path: Path) -> AsyncIterator[Front]:
    """Doors over a ledger alone before which people really have to sign in."""
    key = MasterKey.load(tmp_path / "master.key", create=True)
    settings = Settings.load(data=tmp_path, database_url=furnished_database, temporal_address="127.0.0.1:9")
    pool = await open_pool(furnished_database, size=4, role="bihuan_app")
    no_temporal: Desk = Desk(None, pool, Vault(key))  # type: ignore[arg-type]
    clock = Clock()
    async with open_doors(pool, no_temporal, key, settings, identify=identify) as doors:
        access = Access.open(pool, settings, clock=clock, hashing=quick_hash())
        doors.office.access = access
        yield Front(doors, access, clock)
    await pool.close()


@pytest.fixture(scope="session")
async def streets(
    postgres: EmbeddedPostgres, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Streets]:
    """Two streets for all tests that only look; whoever uses them changes nothing of them."""
    name = f"t_{uuid4().hex}"
    await copy_database(postgres, template, name)
    async with open_streets(postgres.dsn(name), tmp_path_factory.mktemp("streets")) as streets:
        yield streets
    await postgres.drop_database(name)


@pytest.fixture
async def fresh_streets(furnished_database: str, tmp_path: Path) -> AsyncIterator[Streets]:
    """Two streets for a test that changes something."""
    async with open_streets(furnished_database, tmp_path) as streets:
        yield streets


@pytest.fixture
def deaf(streets: Streets) -> Iterator[Streets]:
    """The streets while the desk only counts what it is asked: nothing changes."""
    streets.desk.deaf = True
    yield streets
    streets.desk.deaf = False
