"""Releases of the worker that Temporal tells apart: who takes which process, on the real server."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.worker import Worker

from domain.errors import Refused
from runtime.settings import Settings
from runtime.temporal import connect
from runtime.temporal_server import EmbeddedTemporal
from runtime.versioning import build_of, make_current, read_deployment
from tests.keys import KEYS
from tests.waiting import eventually
from tests.workflows.departments import Department, at_work
from tests.workflows.office import Office, open_office
from worker import make_worker


@pytest.fixture
async def office(forgetful_server: EmbeddedTemporal, furnished_database: str, tmp_path: Path) -> AsyncIterator[Office]:
    """An office in real time with a worker that says nothing of its version."""
    client = await connect(forgetful_server.address, keys=KEYS, sandboxed=True)
    async with open_office(client, furnished_database, tmp_path / "key") as office:
        yield office


@pytest.fixture
def deployment() -> str:
    return f"office-{uuid4().hex[:8]}"


def settings_of(deployment: str, build: str, versioning: str = "auto_upgrade") -> Settings:
    return Settings.load(
        worker_deployment=deployment,
        worker_build=build,
        worker_versioning=versioning,
        workflow_pollers=4,
        graceful_shutdown=timedelta(seconds=1),
    )


def another_worker(office: Office, settings: Settings) -> Worker:
    return make_worker(office.client, office.ledger, settings, task_queue=office.task_queue)


async def switched(office: Office, settings: Settings) -> None:
    """Make the build current as soon as the server has heard of its worker."""

    async def is_current() -> bool:
        try:
            await make_current(office.client, settings)
        except Refused:
            return False
        return (await read_deployment(office.client, settings)).current == build_of(settings)

    await eventually(is_current, "the build is current")


async def build_of_process(office: Office, stream: str) -> str:
    """The build that did the last work for a process; empty when its worker said nothing of its version."""
    described = await office.handle(stream).describe()
    info = described.raw_description.workflow_execution_info.versioning_info
    return info.deployment_version.build_id


async def until_served_by(office: Office, stream: str, build: str) -> None:
    """Act on the process until this build does the work: a switch reaches every part of the server within seconds."""

    async def served() -> bool:
        await office.do(stream, "worker", "comment", text="已联系居民")
        return await build_of_process(office, stream) == build

    await eventually(served, f"{stream} is served by {build}")


async def test_an_open_process_moves_to_the_build_made_current_and_back(office: Office, deployment: str) -> None:
    old, new = settings_of(deployment, "1.0"), settings_of(deployment, "2.0")
    stream = await office.register()
    assert await build_of_process(office, stream) == ""

    async with another_worker(office, old):
        await switched(office, old)
        await until_served_by(office, stream, "1.0")

        async with another_worker(office, new):
            # The switch to 1.0 may still be on its way to other parts of the server, where nobody says a version yet.
            await office.do(stream, "worker", "comment", text="第二版还没轮到")
            assert await build_of_process(office, stream) != "2.0"
            await switched(office, new)
            await until_served_by(office, stream, "2.0")

        await switched(office, old)
        await until_served_by(office, stream, "1.0")
        await office.check()


async def test_a_pinned_process_stays_with_the_build_that_opened_it(office: Office, deployment: str) -> None:
    old, new = settings_of(deployment, "1.0", "pinned"), settings_of(deployment, "2.0", "pinned")

    async def opened_by(build: str) -> str:
        """A process that this build has opened."""

        async def found() -> str:
            stream = await office.register()
            return stream if await build_of_process(office, stream) == build else ""

        return await eventually(found, f"{build} opens a process")

    async with another_worker(office, old), another_worker(office, new):
        await switched(office, old)
        first = await opened_by("1.0")
        await switched(office, new)
        second = await opened_by("2.0")
        await office.do(first, "worker", "comment", text="先开的")

        assert (await build_of_process(office, first), await build_of_process(office, second)) == ("1.0", "2.0")
        await office.check()


async def test_a_system_of_a_department_needs_no_version(office: Office, deployment: str) -> None:
    settings = settings_of(deployment, "1.0")

    async with another_worker(office, settings), at_work(office, Department()):
        await switched(office, settings)
        stream = await office.register()
        await office.walk(stream, until="dispatch")
        await office.until(stream, "struck_off")
        await until_served_by(office, stream, "1.0")


async def test_a_build_without_a_worker_is_not_made_current(office: Office, deployment: str) -> None:
    old = settings_of(deployment, "1.0")

    with pytest.raises(Refused) as never_seen:
        await make_current(office.client, old)
    async with another_worker(office, old):
        await switched(office, old)
        with pytest.raises(Refused) as not_there:
            await make_current(office.client, settings_of(deployment, "2.0"))
        with pytest.raises(Refused) as not_versioned:
            await make_current(office.client, Settings.load())

        assert (await read_deployment(office.client, old)).current == "1.0"
    codes = [each.value.code for each in (never_seen, not_there, not_versioned)]
    assert codes == ["upgrade.unknown_deployment", "upgrade.no_worker", "upgrade.not_versioned"]
