"""The instance as a process tree: it starts, heals, stops and leaves nothing behind."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import asyncpg
import psutil
import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from domain.errors import Refused
from runtime.children import ChildSpec
from runtime.embedded import Instance, own_child
from runtime.endpoints import Endpoints, read_endpoints
from runtime.postgres import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[2]

HOST = """
import asyncio, sys
from pathlib import Path
from runtime.embedded import Instance
from runtime.logging import set_up_logging

set_up_logging()
asyncio.run(Instance(Path(sys.argv[1]), ui=False).run())
print("left in order")
"""

READY_CHILD = """
import time
from runtime.embedded import say_ready

say_ready()
time.sleep(600)
"""


async def until(claim: Callable[[], bool], seconds: int = 60) -> None:
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.05)


def descendants(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def living(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    # A process nobody has waited for yet is dead all the same.
    return [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


async def fetch(endpoints: Endpoints, statement: str) -> object:
    connection = await asyncpg.connect(endpoints.postgres)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def restarted(instance: Instance, name: str, killed: int) -> None:
    await until(lambda: instance.pid_of(name) not in (None, killed))


async def test_start_and_stop_leave_no_process(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "data")
    before = set(descendants(os.getpid()))

    endpoints = await instance.start()
    started = [each for each in descendants(os.getpid()) if each not in before]
    shown = await fetch(endpoints, "select current_setting('server_version_num')::int / 10000")
    await instance.stop()

    assert shown == 18
    assert len(started) > 2
    assert living(started) == []
    assert not (tmp_path / "data" / "endpoints.json").exists()
    assert not (tmp_path / "data" / "children.json").exists()


async def test_the_published_endpoints_are_private_and_complete(tmp_path: Path) -> None:
    async with Instance(tmp_path / "data") as instance:
        path = tmp_path / "data" / "endpoints.json"

        content = json.loads(path.read_text(encoding="utf-8"))

        assert path.stat().st_mode & 0o777 == 0o600
        assert set(content) == {"pid", "postgres", "temporal", "namespace", "tls", "ui", "console", "started_at"}
        assert content["pid"] == os.getpid()
        assert content["ui"].startswith("http://127.0.0.1:")
        assert read_endpoints(tmp_path / "data") == instance.endpoints


async def test_a_killed_postgres_comes_back_with_its_data(tmp_path: Path) -> None:
    async with Instance(tmp_path / "data", ui=False) as instance:
        endpoints = instance.endpoints
        await fetch(endpoints, "create table kept (id int)")
        await fetch(endpoints, "insert into kept values (42)")
        pid = instance.pid_of("postgres")
        assert pid is not None

        os.kill(pid, signal.SIGKILL)
        await restarted(instance, "postgres", pid)

        async def kept() -> object:
            while True:
                try:
                    return await fetch(endpoints, "select id from kept")
                except (OSError, asyncpg.CannotConnectNowError):
                    await asyncio.sleep(0.1)

        assert await asyncio.wait_for(kept(), 60) == 42


async def test_a_killed_temporal_comes_back_on_its_port_with_its_workflows(tmp_path: Path) -> None:
    async with Instance(tmp_path / "data", ui=False) as instance:
        client = await Client.connect(instance.endpoints.temporal)
        handle = await client.start_workflow("nobody-runs-this", id="kept", task_queue="none")
        pid = instance.pid_of("temporal")
        assert pid is not None

        os.kill(pid, signal.SIGKILL)
        await restarted(instance, "temporal", pid)

        async def described() -> str:
            while True:
                try:
                    return (await handle.describe()).id
                except RPCError:
                    await asyncio.sleep(0.1)

        assert await asyncio.wait_for(described(), 60) == "kept"


async def test_a_second_instance_on_the_folder_is_refused_and_disturbs_nothing(tmp_path: Path) -> None:
    async with Instance(tmp_path / "data", ui=False) as first:
        with pytest.raises(Refused) as refused:
            await Instance(tmp_path / "data", ui=False).start()

        assert refused.value.code == "instance.folder_in_use"
        assert refused.value.refusal.params["pid"] == str(os.getpid())
        assert await fetch(first.endpoints, "select 1") == 1
        assert read_endpoints(tmp_path / "data") == first.endpoints


async def test_a_further_child_is_started_last_told_where_and_healed(tmp_path: Path) -> None:
    order: list[str] = []

    async def migrate(dsn: str) -> None:
        connection = await asyncpg.connect(dsn)
        await connection.close()
        order.append("migrated")

    def children(endpoints: Endpoints) -> list[ChildSpec]:
        order.append("children")
        environment = {"PYTHONPATH": str(ROOT)}
        return [own_child("clerk", ["-c", READY_CHILD], endpoints, tmp_path / "data", environment=environment)]

    async with Instance(tmp_path / "data", migrate=migrate, children=children, ui=False) as instance:
        assert order == ["migrated", "children"]
        pid = instance.pid_of("clerk")
        assert pid is not None
        assert psutil.Process(pid).environ()["BIHUAN_DATABASE_URL"] == instance.endpoints.postgres
        assert (tmp_path / "data" / "clerk.ready").read_text(encoding="ascii") == f"{pid}\n"
        assert instance.is_ready("clerk")

        os.kill(pid, signal.SIGKILL)
        await until(lambda: not instance.is_ready("clerk"))
        await restarted(instance, "clerk", pid)

        await until(lambda: instance.is_ready("clerk"))
        assert (tmp_path / "data" / "clerk.ready").exists()
    assert not psutil.pid_exists(pid)


async def test_a_child_that_cannot_start_is_named_and_everything_is_stopped(tmp_path: Path) -> None:
    before = set(descendants(os.getpid()))

    def children(_endpoints: Endpoints) -> list[ChildSpec]:
        command = [sys.executable, "-c", "raise SystemExit('no paper')"]
        return [ChildSpec(name="broken", command=command, ready_file=tmp_path / "never")]

    with pytest.raises(Refused) as refused:
        await Instance(tmp_path / "data", children=children, ui=False).start()

    assert refused.value.code == "instance.child_failed"
    assert refused.value.refusal.params["name"] == "broken"
    assert "no paper" in (tmp_path / "data" / "logs" / "broken.log").read_text(encoding="utf-8")
    assert living([each for each in descendants(os.getpid()) if each not in before]) == []
    assert read_endpoints(tmp_path / "data") is None


async def test_an_instance_that_need_not_stay_stops_after_its_work(tmp_path: Path) -> None:
    seen: list[object] = []

    async def work(endpoints: Endpoints) -> None:
        seen.append(await fetch(endpoints, "select 7"))

    await Instance(tmp_path / "data", ui=False).run(work, stay=False)

    assert seen == [7]
    assert read_endpoints(tmp_path / "data") is None


async def test_a_failing_migration_is_raised_as_it_is_and_the_folder_is_free_again(tmp_path: Path) -> None:
    async def migrate(_dsn: str) -> None:
        raise ValueError("column missing")

    with pytest.raises(ValueError, match="column missing"):
        await Instance(tmp_path / "data", migrate=migrate, ui=False).start()

    async with Instance(tmp_path / "data", ui=False) as instance:
        assert await fetch(instance.endpoints, "select 1") == 1


async def started_host(data: Path) -> "subprocess.Popen[str]":
    host = subprocess.Popen([sys.executable, "-c", HOST, str(data)], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    await until(lambda: read_endpoints(data) is not None)
    return host


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_the_whole_tree_in_order(tmp_path: Path, number: signal.Signals) -> None:
    host = await started_host(tmp_path / "data")
    tree = descendants(host.pid)

    host.send_signal(number)
    output, _ = await asyncio.to_thread(host.communicate, timeout=60)

    assert (output, host.returncode) == ("left in order\n", 0)
    assert len(tree) > 2
    assert living(tree) == []
    assert not (tmp_path / "data" / "endpoints.json").exists()
    assert "database system is shut down" in (tmp_path / "data" / "logs" / "postgres.log").read_text(encoding="utf-8")


async def test_a_killed_parent_leaves_no_orphan_and_the_folder_can_be_used_again(tmp_path: Path) -> None:
    host = await started_host(tmp_path / "data")
    tree = descendants(host.pid)

    host.kill()
    await asyncio.to_thread(host.communicate, timeout=60)

    assert read_endpoints(tmp_path / "data") is None
    if sys.platform == "linux":
        await until(lambda: living(tree) == [])
    async with Instance(tmp_path / "data", ui=False) as instance:
        assert await fetch(instance.endpoints, "select 1") == 1
        assert living(tree) == []


async def test_recorded_leftovers_are_ended_but_not_a_stranger_with_their_number(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    leftover, stranger = subprocess.Popen(sleeper), subprocess.Popen(sleeper)
    try:
        entries = [
            {"name": "old", "pid": leftover.pid, "born": psutil.Process(leftover.pid).create_time(), "signal": 15},
            {"name": "gone", "pid": stranger.pid, "born": 1_000_000.0, "signal": 15},
        ]
        (data / "children.json").write_text(json.dumps(entries), encoding="utf-8")

        async with Instance(data, ui=False):
            assert leftover.poll() == -signal.SIGTERM
            assert stranger.poll() is None
    finally:
        for each in (leftover, stranger):
            each.kill()
            each.wait()


async def test_a_pid_file_whose_number_is_now_a_strangers_does_not_block_the_start(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path / "pg") as server:
        stale = (tmp_path / "pg" / "cluster" / "postmaster.pid").read_text(encoding="ascii").splitlines()
        assert server.pid == int(stale[0])
    # Our own number: surely alive, surely no PostgreSQL.
    stale[0] = str(os.getpid())
    (tmp_path / "pg" / "cluster" / "postmaster.pid").write_text("\n".join(stale) + "\n", encoding="ascii")

    async with EmbeddedPostgres(tmp_path / "pg") as server:
        assert server.pid is not None


async def test_a_half_made_cluster_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "pg" / "cluster.new" / "base").mkdir(parents=True)
    (tmp_path / "pg" / "cluster.new" / "PG_VERSION").write_text("18\n", encoding="ascii")

    async with EmbeddedPostgres(tmp_path / "pg") as server:
        assert server.pid is not None


async def test_a_long_folder_name_gets_a_short_and_private_socket(tmp_path: Path) -> None:
    folder = tmp_path / ("长" * 40) / "pg"
    folder.parent.mkdir()

    async with EmbeddedPostgres(folder) as server:
        connection = await asyncpg.connect(server.dsn())
        assert await connection.fetchval("show data_checksums") == "on"
        assert await connection.fetchval("show fsync") == "on"
        assert await connection.fetchval("select datlocale from pg_database where datname = 'bihuan'") == "C.UTF-8"
        await connection.close()
        assert folder not in server.socket_folder.parents
        assert server.socket_folder.stat().st_mode & 0o777 == 0o700
    assert EmbeddedPostgres(folder).socket_folder == server.socket_folder
