"""PostgreSQL is gone for half a minute while people work: acts wait, none is lost, none happens twice."""

import asyncio
import os
import tempfile
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from ledger.vault import MasterKey, Vault
from runtime.children import Child
from runtime.codec import PayloadKeys
from runtime.embedded import own_child
from runtime.endpoints import Endpoints
from runtime.pool import open_pool
from runtime.postgres import EmbeddedPostgres
from runtime.temporal import connect
from runtime.temporal_server import EmbeddedTemporal, free_ports
from tests.faults.clerks import Clerks
from tests.scraping import scrape
from tests.waiting import eventually
from tests.workflows.office import PLAIN_LOOP, Office, furnish
from worker import APP_ROLE

CASES, COMMENTS = 20, 2
OUTAGE = timedelta(seconds=30)


@pytest.mark.timeout(600)
async def test_an_outage_of_postgresql_under_load_loses_and_doubles_nothing() -> None:
    async with AsyncExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bihuan-")))
        key = MasterKey.load(data / "master.key", create=True)
        postgres = await stack.enter_async_context(EmbeddedPostgres(data / "postgres"))
        temporal = await stack.enter_async_context(EmbeddedTemporal(data / "temporal", ui=False))
        await furnish(postgres.dsn())
        endpoints = Endpoints(
            pid=os.getpid(),
            postgres=postgres.dsn(),
            temporal=temporal.address,
            namespace="default",
            started_at=datetime.now(UTC),
        )
        address = f"127.0.0.1:{free_ports(1)[0]}"
        watched = {"BIHUAN_WORKER_METRICS": address}
        worker = Child(own_child("worker", ["-m", "worker"], endpoints, data, environment=watched), data)
        await worker.start()
        stack.push_async_callback(worker.stop)
        client = await connect(temporal.address, keys=PayloadKeys(key.payload_keys))
        ledger = await open_pool(postgres.dsn(), role=APP_ROLE)
        stack.push_async_callback(ledger.close)
        owner = await open_pool(postgres.dsn(), size=2)
        stack.push_async_callback(owner.close)
        office = Office(client, postgres.dsn(), ledger, owner, Vault(key), "bihuan")
        await office.learn()
        clerks = Clerks(office, office.another_desk(patience=timedelta(seconds=4)))
        async with asyncio.timeout(400), asyncio.TaskGroup() as group:
            walks = [group.create_task(clerks.walk(comments=COMMENTS)) for _ in range(CASES)]
            assert await _readiness(address) == {"ready": True, **dict.fromkeys(_CHECKS, True)}
            await _outage(postgres, clerks, address)
            assert not any(walk.done() for walk in walks)
        streams = [walk.result() for walk in walks]
        acts = len(PLAIN_LOOP) + 1 + COMMENTS
        await clerks.check_nothing_lost_or_doubled(streams, acts)
        assert clerks.late > 0, "nobody felt the outage"
        found = await scrape(address)
        assert found.sum("bihuan_acts_total", end="recorded") == len(streams) * acts
        assert found.sum("bihuan_acts_total", end="failed") > 0
        assert found.sum("bihuan_ledger_up") == 1
        assert worker.pid is not None, "the worker has outlived the outage"
        # And all is well: the next request goes through as if nothing had been.
        streams.append(await clerks.walk(comments=COMMENTS))
        await clerks.check_nothing_lost_or_doubled(streams, acts)


_CHECKS = ("polling", "ledger", "schema", "temporal")


async def _readiness(address: str) -> dict[str, Any]:
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        alive, ready = await client.get(f"http://{address}/healthz"), await client.get(f"http://{address}/readyz")
    assert alive.status_code == 200
    assert ready.status_code == (200 if ready.json()["ready"] else 503)
    found: dict[str, Any] = ready.json()
    return found


async def _outage(postgres: EmbeddedPostgres, clerks: Clerks, address: str) -> None:
    """Stop the server once everybody is at work, and start it again after half a minute."""

    async def at_work() -> bool:
        return len(clerks.answers) >= CASES * 2

    await eventually(at_work, "everybody is at work", within=60)
    await postgres.stop()
    answered = len(clerks.answers)
    # The outage itself, in real time: its length is what is tested.
    await asyncio.sleep(OUTAGE.total_seconds())
    away = await _readiness(address)
    assert (away["polling"], away["temporal"]) == (True, True)
    assert away["wrong"] == {"ledger": "unreachable", "schema": "unreachable"}
    assert (await scrape(address)).sum("bihuan_ledger_up") == 0
    # What was committed as the server went down may still have been answered; nothing else can have been.
    assert len(clerks.answers) - answered <= CASES
    await postgres.start()
