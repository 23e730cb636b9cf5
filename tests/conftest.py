"""Real servers for the tests, started once per session under a temporary folder."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from runtime.leaving import leave
from runtime.plugin import bihuan_plugin
from runtime.postgres import EmbeddedPostgres
from runtime.temporal_server import temporal_binary

# Failures inside the helpers of the domain tests are explained as those in the tests themselves. Here, because tests of
# other folders use them too and may come first.
pytest.register_assert_rewrite("tests.domain.spec", "tests.domain.routes")

SEARCH_ATTRIBUTE_KEYS = (
    SearchAttributeKey.for_keyword("BihuanStage"),
    SearchAttributeKey.for_keyword_list("BihuanDepartment"),
    SearchAttributeKey.for_keyword("BihuanStreet"),
    SearchAttributeKey.for_datetime("BihuanDue"),
    SearchAttributeKey.for_keyword("BihuanRules"),
)


_exit_code = pytest.StashKey[int]()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_exit_code] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave as every entry point does: the interpreter's own shutdown sometimes turns a success into an abort."""
    if _exit_code in config.stash:
        leave(config.stash[_exit_code])


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[EmbeddedPostgres]:
    """A running PostgreSQL 18 for the whole session.

    Not under pytest's own folder: a second session beside this one closes that to the user the server runs as.
    """
    with tempfile.TemporaryDirectory(prefix="bihuan-") as folder:
        async with EmbeddedPostgres(Path(folder) / "postgres") as server:
            yield server


@pytest.fixture
async def fresh_database(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The address of a new, empty database, dropped after the test."""
    name = f"t_{uuid4().hex}"
    await postgres.create_database(name)
    yield postgres.dsn(name)
    await postgres.drop_database(name)


@pytest.fixture(scope="session")
async def temporal_env() -> AsyncIterator[WorkflowEnvironment]:
    """A real Temporal server on which every workflow has its own clock, and waiting costs no time."""
    environment = await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=str(temporal_binary()),
        search_attributes=SEARCH_ATTRIBUTE_KEYS,
        plugins=[bihuan_plugin(sandboxed=True)],
        dev_server_extra_args=[
            "--dynamic-config-value",
            "frontend.WorkflowTimeSkippingEnabled=true",
            # Timers fire as soon as the clock is moved instead of a second later.
            "--dynamic-config-value",
            'history.timerProcessorMaxTimeShift="1ms"',
        ],
    )
    async with environment:
        yield environment
