"""A worker killed in the middle of its acts: nothing acknowledged is lost, nothing happens twice."""

import asyncio
import os
import random
import signal
import sys
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from ledger.vault import MasterKey, Vault
from runtime.children import ChildSpec
from runtime.codec import PayloadKeys
from runtime.embedded import Instance, own_child
from runtime.endpoints import Endpoints
from runtime.pool import open_pool
from runtime.temporal import connect
from tests.faults.clerks import Clerks
from tests.waiting import eventually
from tests.workflows.office import PLAIN_LOOP, Office, furnish
from worker import APP_ROLE

CASES, KILLS = 8, 3


@pytest.mark.timeout(600)
async def test_a_worker_killed_in_the_middle_of_its_acts_loses_and_doubles_nothing() -> None:
    seed = random.SystemRandom().randrange(10**6)
    dice = random.Random(seed)
    sys.stdout.write(f"seed {seed}\n")
    with tempfile.TemporaryDirectory(prefix="bihuan-") as folder:
        data = Path(folder) / "data"
        key = MasterKey.load(data / "master.key", create=True)

        def children(endpoints: Endpoints) -> Sequence[ChildSpec]:
            return [own_child("worker", ["-m", "tests.faults.hesitant_worker"], endpoints, data)]

        async with Instance(data, migrate=furnish, ui=False, children=children) as instance:
            client = await connect(instance.endpoints.temporal, keys=PayloadKeys(key.payload_keys))
            ledger = await open_pool(instance.endpoints.postgres, role=APP_ROLE)
            owner = await open_pool(instance.endpoints.postgres, size=2)
            office = Office(client, instance.endpoints.postgres, ledger, owner, Vault(key), "bihuan")
            try:
                await office.learn()
                clerks = Clerks(office, office.another_desk(patience=timedelta(seconds=8)))
                hits = 0
                async with asyncio.timeout(400), asyncio.TaskGroup() as group:
                    walks = [group.create_task(clerks.walk()) for _ in range(CASES)]
                    for _ in range(KILLS):
                        await asyncio.sleep(dice.uniform(0.5, 1.5))
                        hits += await _kill(instance, clerks)
                streams = [walk.result() for walk in walks]
                await clerks.check_nothing_lost_or_doubled(streams, len(PLAIN_LOOP) + 1)
                # Otherwise this test has not tested what it is for.
                assert hits > 0, f"no kill came between commit and answer, seed {seed}"
            finally:
                await ledger.close()
                await owner.close()


async def _kill(instance: Instance, clerks: Clerks) -> int:
    """Kill the worker once acts are under way, wait for the next one; how many acts were recorded and unanswered."""

    async def between_commit_and_answer() -> set[str]:
        return await clerks.unanswered()

    await eventually(between_commit_and_answer, "an act is recorded and not answered", within=60, every=0.01)
    pid = instance.pid_of("worker")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    hit = len(await clerks.unanswered())

    async def replaced() -> bool:
        return instance.pid_of("worker") not in (None, pid)

    await eventually(replaced, "the worker is started again")
    return hit
