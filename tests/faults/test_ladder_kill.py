"""A worker killed between two rungs of the ladder: each rung is still reached once, in order, and said once."""

import os
import signal
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from domain.rules import RuleBook
from ledger.vault import MasterKey, Vault
from runtime.children import ChildSpec
from runtime.codec import PayloadKeys
from runtime.embedded import Instance, own_child
from runtime.endpoints import Endpoints
from runtime.pool import open_pool
from runtime.temporal import connect
from tests.neighbourhood import EXAMPLE_BOOK
from tests.waiting import eventually
from tests.workflows.office import Office, furnish
from worker import APP_ROLE

RUNGS = ["remind", "urge", "circular", "interview"]


def in_seconds() -> RuleBook:
    """The shipped ladder on clocks of seconds."""
    body: dict[str, Any] = EXAMPLE_BOOK.model_dump(mode="json") | {"version": "seconds"}
    for row in body["rows"]:
        row["limits"] |= {"place": "6s", "reply": "2s"}
    for rung in body["ladder"]:
        rung["at"] = {"due+5wd": "due+5s", "due+10wd": "due+10s"}.get(rung["at"], rung["at"])
    return RuleBook.model_validate(body)


@pytest.mark.timeout(600)
async def test_a_worker_killed_between_two_rungs_repeats_none() -> None:
    with tempfile.TemporaryDirectory(prefix="bihuan-") as folder:
        data = Path(folder) / "data"
        key = MasterKey.load(data / "master.key", create=True)

        def children(endpoints: Endpoints) -> Sequence[ChildSpec]:
            return [own_child("worker", ["-m", "worker"], endpoints, data)]

        async def migrate(dsn: str) -> None:
            await furnish(dsn, in_seconds())

        async with Instance(data, migrate=migrate, ui=False, children=children) as instance:
            client = await connect(instance.endpoints.temporal, keys=PayloadKeys(key.payload_keys))
            ledger = await open_pool(instance.endpoints.postgres, role=APP_ROLE)
            owner = await open_pool(instance.endpoints.postgres, size=2)
            office = Office(client, instance.endpoints.postgres, ledger, owner, Vault(key), "bihuan")
            try:
                await office.learn()
                stream = await office.register()
                for number in (1, 2, 4):
                    # Between one rung and the next: they stand seconds apart, a worker comes back in about one. (The
                    # third is the reminder of the reply.)
                    await office.until(stream, "rung_reached", times=number)
                    await _kill(instance)
                await office.until(stream, "level_raised")
                await office.until(stream, "clock_warned", times=2)  # of the placing and of the reply
                events = await office.events(stream)
                rungs = [event.body for event in events if event.kind == "rung_reached"]
                assert [body["rung"] for body in rungs if body["clock_id"] == "place"] == RUNGS
                assert [event.kind for event in events].count("clock_warned") == 2
                assert [event.kind for event in events].count("supervision_ordered") == 1
                said = await ledger.fetch("select kind from notice where stream = $1", stream)
                assert [row["kind"] for row in said].count("interview") == 2
                assert await office.check() == 1
            finally:
                await ledger.close()
                await owner.close()


async def _kill(instance: Instance) -> None:
    pid = instance.pid_of("worker")
    assert pid is not None
    os.kill(pid, signal.SIGKILL)

    async def replaced() -> bool:
        return instance.pid_of("worker") not in (None, pid)

    await eventually(replaced, "the worker is started again")
