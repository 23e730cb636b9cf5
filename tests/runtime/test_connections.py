"""The pool, the Temporal client and the log."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import asyncpg
import pytest
from pydantic import BaseModel
from temporalio import workflow
from temporalio.service import GrpcCompression
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from domain.errors import Refused
from domain.process import Start
from runtime.codec import ENCODING
from runtime.logging import get_logger, set_up_logging
from runtime.plugin import bihuan_plugin
from runtime.pool import AWAY, open_pool
from runtime.postgres import EmbeddedPostgres
from runtime.temporal import connect
from runtime.temporal_server import free_ports
from tests.keys import KEYS


class Parcel(BaseModel):
    weight: Decimal


@workflow.defn
class Post:
    @workflow.run
    async def run(self, parcel: Parcel) -> Parcel:
        await workflow.sleep(timedelta(days=30))
        return Parcel(weight=parcel.weight * 2)


@pytest.fixture
def _logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


async def test_the_pool_speaks_json_and_utc_and_keeps_its_role(fresh_database: str) -> None:
    owner = await asyncpg.connect(fresh_database)
    await owner.execute("drop role if exists clerk_of_test")
    await owner.execute("create role clerk_of_test")
    pool = await open_pool(fresh_database, size=1, role="clerk_of_test")
    try:
        for _ in range(2):
            # The second round sees the connection after it was given back and reset.
            assert await pool.fetchval("select current_user") == "clerk_of_test"
            assert await pool.fetchval("show timezone") == "UTC"
            assert await pool.fetchval("show statement_timeout") == "30s"
        assert await pool.fetchval("select $1::jsonb", {"名": ["甲", None, 1]}) == {"名": ["甲", None, 1]}
    finally:
        await pool.close()
        await owner.execute("drop role clerk_of_test")
        await owner.close()


async def test_a_model_crosses_a_month_of_virtual_time(temporal_env: WorkflowEnvironment) -> None:
    async with Worker(temporal_env.client, task_queue="post", workflows=[Post]):
        result = await temporal_env.client.execute_workflow(
            Post.run, Parcel(weight=Decimal("1.50")), id="post-1", task_queue="post"
        )

    assert result == Parcel(weight=Decimal("3.00"))


async def test_a_client_brings_its_plugin_to_the_worker(temporal_env: WorkflowEnvironment) -> None:
    address = temporal_env.client.service_client.config.target_host

    for sandboxed, runner in ((True, SandboxedWorkflowRunner), (False, UnsandboxedWorkflowRunner)):
        client = await connect(address, keys=KEYS, sandboxed=sandboxed)
        worker = Worker(client, task_queue="post-2", workflows=[Post])
        assert isinstance(worker.config(active_config=True)["workflow_runner"], runner)


async def test_what_is_encrypted_is_not_packed_again_on_the_way(temporal_env: WorkflowEnvironment) -> None:
    client = await connect(temporal_env.client.service_client.config.target_host, keys=KEYS)

    assert client.service_client.config.grpc_compression is GrpcCompression.NONE


async def test_an_unreachable_server_is_refused_after_the_patience() -> None:
    address = f"127.0.0.1:{free_ports(1)[0]}"

    with pytest.raises(Refused) as refused:
        await connect(address, keys=KEYS, patience=timedelta(milliseconds=100))

    assert refused.value.code == "temporal.unreachable"


def test_the_plugin_carries_values_of_pydantic_encrypted() -> None:
    config = bihuan_plugin(KEYS).configure_client({})  # type: ignore[typeddict-item]
    converter = config["data_converter"].payload_converter_class()
    start = Start(stream="case-1", seq=7)

    payloads = converter.to_payloads([start, "text", None])

    assert [payload.metadata["encoding"] for payload in payloads] == [ENCODING] * 3
    assert converter.from_payloads(payloads, [Start, str, type(None)]) == [start, "text", None]


@pytest.mark.usefixtures("_logging_restored")
def test_ours_and_the_libraries_records_share_one_form() -> None:
    stream = io.StringIO()
    set_up_logging("info", "json", stream)

    get_logger("ours").info("case_opened", case_id="c-1")
    logging.getLogger("theirs").warning("hello %s", "there")
    get_logger("ours").debug("not_shown")

    ours, theirs = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (ours["event"], ours["case_id"], ours["level"], ours["logger"]) == ("case_opened", "c-1", "info", "ours")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("hello there", "warning", "theirs")
    assert ours["timestamp"].endswith("Z")


@pytest.mark.usefixtures("_logging_restored")
@pytest.mark.parametrize("form", ["console", "json"])
def test_a_traceback_shows_no_values_of_variables(form: str) -> None:
    stream = io.StringIO()
    set_up_logging("info", "json" if form == "json" else "console", stream)

    def fail(secret_phone: str) -> None:
        raise ValueError(f"length {len(secret_phone)}")

    try:
        fail("139" + "0000" + "1234")
    except ValueError:
        get_logger("ours").exception("act_failed")

    assert "act_failed" in stream.getvalue()
    assert "ValueError" in stream.getvalue()
    assert "13900001234" not in stream.getvalue()


async def test_a_connection_that_is_ended_between_two_statements_looks_like_a_server_that_is_away(
    postgres: EmbeddedPostgres,
) -> None:
    """The driver has several names for it, depending on when the server's farewell is read; waiting helps with all."""
    other = await asyncpg.connect(postgres.dsn("postgres"))
    try:
        for pause in (0, 0, 0, 0.001, 0.01, 0.05):
            conn = await asyncpg.connect(postgres.dsn("postgres"))
            pid = await conn.fetchval("select pg_backend_pid()")
            killing = asyncio.ensure_future(other.execute("select pg_terminate_backend($1)", pid))
            await asyncio.sleep(pause)
            with pytest.raises(AWAY):
                await _ask_for_ever(conn)
            await killing
            conn.terminate()
    finally:
        await other.close()


async def _ask_for_ever(conn: asyncpg.Connection) -> None:
    while True:
        await conn.fetchval("select 1")


def test_what_the_driver_raises_at_the_farewell_of_a_server_is_among_what_waiting_helps_with() -> None:
    assert issubclass(asyncpg.InternalClientError, AWAY)
    assert not issubclass(asyncpg.UniqueViolationError, AWAY)
