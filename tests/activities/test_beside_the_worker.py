"""The courier in the real worker process: it delivers, outlives an outage of PostgreSQL, and stops with the worker."""

import os
import tempfile
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import pytest

from console.instance import make_keys
from ledger.migrate import migrate
from ledger.registry import load_registry
from runtime.children import Child
from runtime.embedded import own_child
from runtime.endpoints import Endpoints
from runtime.postgres import EmbeddedPostgres
from runtime.settings import Settings
from runtime.temporal_server import EmbeddedTemporal
from tests.activities.posting import SECRET, Hooks, put_notice, staff
from tests.waiting import eventually


async def _put(dsn: str) -> str:
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        return str(await put_notice(conn))
    finally:
        await conn.close()


async def _arrives(hooks: Hooks, notice: str) -> None:
    async def arrived() -> bool:
        return notice in hooks.ids

    await eventually(arrived, "the webhook has the notice", within=60)


@pytest.mark.timeout(600)
async def test_the_worker_delivers_before_and_after_an_outage_of_postgresql(hooks: Hooks) -> None:
    async with AsyncExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bihuan-")))
        postgres = await stack.enter_async_context(EmbeddedPostgres(data / "postgres"))
        temporal = await stack.enter_async_context(EmbeddedTemporal(data / "temporal", ui=False))
        make_keys(Settings.load(data=data))
        await migrate(postgres.dsn())
        conn: asyncpg.Connection = await asyncpg.connect(postgres.dsn())
        await load_registry(conn, staff(), "lead")
        await conn.close()
        endpoints = Endpoints(
            pid=os.getpid(),
            postgres=postgres.dsn(),
            temporal=temporal.address,
            namespace="default",
            started_at=datetime.now(UTC),
        )
        environment = {
            "BIHUAN_WEBHOOK_URL": hooks.url(),
            "BIHUAN_WEBHOOK_SECRET": SECRET,
            "BIHUAN_WEBHOOK_PRIVATE": "true",
            "BIHUAN_COURIER_POLL": "200ms",
        }
        worker = Child(own_child("worker", ["-m", "worker"], endpoints, data, environment=environment), data)
        await worker.start()
        stack.push_async_callback(worker.stop)
        pid = worker.pid
        first = await _put(postgres.dsn())
        await _arrives(hooks, first)

        await postgres.stop()
        log = data / "worker.log"

        async def waits() -> bool:
            return "courier_waits" in log.read_text(encoding="utf-8")

        await eventually(waits, "the courier has noticed the outage", within=60)
        await postgres.start()
        later = await _put(postgres.dsn())
        await _arrives(hooks, later)

        assert hooks.ids == [first, later]
        assert worker.pid == pid, "the worker has outlived the outage"
        await worker.stop()
        assert "courier_failed" not in log.read_text(encoding="utf-8")
        assert SECRET not in log.read_text(encoding="utf-8")
