"""An office for each test, twice: once with the worker's cache, once replaying everything at every task."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.testing import WorkflowEnvironment

from runtime.postgres import EmbeddedPostgres
from runtime.temporal import connect
from runtime.temporal_server import EmbeddedTemporal
from tests.copies import copy_database
from tests.keys import KEYS
from tests.workflows.clockwork import Clockwork
from tests.workflows.office import Office, furnish, open_office

TEMPLATE = "furnished"


@pytest.fixture(params=["cached", "replayed"])
def cached(request: pytest.FixtureRequest) -> bool:
    """Whether the worker keeps workflows in memory between their tasks."""
    return bool(request.param == "cached")


@pytest.fixture(scope="session")
async def template(postgres: EmbeddedPostgres) -> str:
    """A furnished database to copy; copying takes a tenth of furnishing."""
    await postgres.create_database(TEMPLATE)
    await furnish(postgres.dsn(TEMPLATE))
    return TEMPLATE


@pytest.fixture
async def furnished_database(postgres: EmbeddedPostgres, template: str) -> AsyncIterator[str]:
    """The address of a database of its own with registry and rule book; dropped after the test."""
    name = f"t_{uuid4().hex}"
    await copy_database(postgres, template, name)
    yield postgres.dsn(name)
    await postgres.drop_database(name)


@pytest.fixture
def clockwork(temporal_env: WorkflowEnvironment) -> Iterator[Clockwork]:
    """The clocks of the workflows; they stand still until a test moves them."""
    clockwork = Clockwork(temporal_env)
    with clockwork.by_hand():
        yield clockwork


@pytest.fixture
async def office(clockwork: Clockwork, furnished_database: str, cached: bool, tmp_path: Path) -> AsyncIterator[Office]:
    """A working office. After the test the books must agree: events, read models, workflows, chain."""
    async with open_office(clockwork.client, furnished_database, tmp_path / "key", cached=cached) as office:
        yield office
        await office.check()


@pytest.fixture(scope="session")
async def forgetful_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedTemporal]:
    """A server that asks a workflow to continue as new after 40 events, and counts queues whenever it is asked."""
    config = ["limit.historyCount.suggestContinueAsNew=40", 'matching.taskQueueInfoByBuildIdTTL="1ms"']
    async with EmbeddedTemporal(tmp_path_factory.mktemp("temporal"), ui=False, dynamic_config=config) as server:
        yield server


@pytest.fixture
async def restless_office(
    forgetful_server: EmbeddedTemporal, furnished_database: str, cached: bool, tmp_path: Path
) -> AsyncIterator[Office]:
    """An office in real time whose workflows continue as new every few acts; the books must agree all the same."""
    client = await connect(forgetful_server.address, keys=KEYS, sandboxed=True)
    async with open_office(client, furnished_database, tmp_path / "key", cached=cached) as office:
        yield office
        await office.check()
