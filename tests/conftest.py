"""Real servers for the tests, started once per session under a temporary folder."""

import shutil
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from temporalio.common import SearchAttributeKey
from temporalio.testing import WorkflowEnvironment

from ledger.migrate import migrate
from runtime.leaving import leave
from runtime.plugin import bihuan_plugin
from runtime.postgres import EmbeddedPostgres
from runtime.temporal_server import temporal_binary
from tests.copies import copy_database
from tests.keys import KEYS
from tests.logs import log_plainly
from tests.scratch import make_scratch
from tests.turns import ByFiles, by_turns

# Failures inside the helpers of the domain tests are explained as those in the tests themselves. Here, because tests of
# other folders use them too and may come first.
pytest.register_assert_rewrite("tests.domain.spec", "tests.domain.routes")

log_plainly()
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell that starts this in the background lets it ignore SIGINT, and with it every command that is under test.
    signal.signal(signal.SIGINT, signal.default_int_handler)

SEARCH_ATTRIBUTE_KEYS = (
    SearchAttributeKey.for_keyword("BihuanPhase"),
    SearchAttributeKey.for_keyword_list("BihuanDepartment"),
    SearchAttributeKey.for_keyword("BihuanStreet"),
    SearchAttributeKey.for_datetime("BihuanDue"),
    SearchAttributeKey.for_keyword("BihuanRules"),
)


_scratch = pytest.StashKey[Path | None]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_scratch] = make_scratch()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    by_turns(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFiles | None:
    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # by the number of their tests, which says nothing about how long they take
    return ByFiles(config, log)


_exit_code = pytest.StashKey[int]()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_exit_code] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave as every entry point does: the interpreter's own shutdown sometimes turns a success into an abort."""
    if _exit_code in config.stash:
        folder = config.stash.get(_scratch, None)
        if folder is not None and config.stash[_exit_code] == 0:
            shutil.rmtree(folder, ignore_errors=True)
        leave(config.stash[_exit_code])


@pytest.fixture(scope="session")
async def postgres() -> AsyncIterator[EmbeddedPostgres]:
    """A running PostgreSQL 18 for the whole session.

    Not under pytest's own folder: a second session beside this one closes that to the user the server runs as.
    Nobody pulls the plug of this server; tests of what survives that start servers of their own.
    """
    with tempfile.TemporaryDirectory(prefix="bihuan-") as folder:
        async with EmbeddedPostgres(Path(folder) / "postgres", fleeting=True) as server:
            yield server


@pytest.fixture
async def fresh_database(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    """The address of a new, empty database, dropped after the test."""
    name = f"t_{uuid4().hex}"
    await postgres.create_database(name)
    yield postgres.dsn(name)
    await postgres.drop_database(name)


@pytest.fixture(scope="session")
async def schema(postgres: EmbeddedPostgres) -> str:
    """The name of a database with the schema of this release, to be copied; copying takes a tenth of migrating."""
    await postgres.create_database("schema_of_this_release")
    await migrate(postgres.dsn("schema_of_this_release"))
    return "schema_of_this_release"


@pytest.fixture
async def migrated_database(postgres: EmbeddedPostgres, schema: str) -> AsyncIterator[str]:
    """The address of a database with the schema of this release and nothing in it, dropped after the test."""
    name = f"t_{uuid4().hex}"
    await copy_database(postgres, schema, name)
    yield postgres.dsn(name)
    await postgres.drop_database(name)


@pytest.fixture(scope="session")
async def temporal_env() -> AsyncIterator[WorkflowEnvironment]:
    """A real Temporal server on which every workflow has its own clock, and waiting costs no time."""
    environment = await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=str(temporal_binary()),
        search_attributes=SEARCH_ATTRIBUTE_KEYS,
        plugins=[bihuan_plugin(KEYS, sandboxed=True)],
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
