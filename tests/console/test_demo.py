"""The demo: its files, its judge, and the real thing as a newcomer starts it."""

import asyncio
import json
import os
import re
import signal
import sys
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest
from temporalio.client import Client

from console.demo.checking import Checker
from console.demo.paths import PATHS
from console.demo.people import NEIGHBOURHOOD, Matter, NotAsScripted, Request, Street, refused, requests
from console.demo.playing import matters, play
from console.demo.rules import CONNECTED, DEMO_BOOK
from console.desk import Desk
from domain.people import Role
from domain.registry import Registry
from domain.registry_check import registry_of
from domain.text import normalise, redact
from ledger.calendars import store_calendar
from ledger.migrate import migrate
from ledger.registry import load_registry, store_rule_book
from ledger.registry_files import read_registry_files
from ledger.vault import MasterKey, Vault
from runtime.endpoints import read_endpoints
from runtime.pool import open_pool
from runtime.settings import Settings
from runtime.temporal import connect
from runtime.temporal_server import EmbeddedTemporal, free_ports
from tests.keys import KEYS
from tests.neighbourhood import CALENDAR
from tests.scraping import expressions, names_in, scrape
from tests.waiting import eventually
from worker import make_worker, open_ledger

# --- the files ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def registry() -> Registry:
    return registry_of(read_registry_files(NEIGHBOURHOOD))


def test_the_street_is_as_large_as_promised(registry: Registry) -> None:
    kinds = Counter(each.kind.value for each in registry.organisations)
    assert kinds == {"district": 1, "street": 1, "community": 2, "department": 8}
    assert len(registry.grids) == 6
    assert [each.code for each in registry.organisations if each.queue] == [CONNECTED]


def test_every_grid_and_department_has_its_people(registry: Registry) -> None:
    for grid in registry.grids:
        assert len(registry.people_with(Role.GRID_WORKER, grid=grid.code)) >= 2
        assert registry.people_with(Role.GRID_HEAD, grid=grid.code)
        assert registry.people_with(Role.VANGUARD_CAPTAIN, grid=grid.code)
    for unit in registry.organisations:
        if unit.kind == "department":
            assert registry.people_with(Role.DEPARTMENT_HANDLER, organisation=unit.code)


def test_every_path_has_requests_and_every_request_a_path() -> None:
    assert set(requests()) == set(PATHS)
    assert 40 <= len(matters()) <= 50


def test_what_residents_say_is_told_without_their_names() -> None:
    told = [each.words for group in requests().values() for each in group]
    masked = [words for words in told if redact(normalise(words)) != normalise(words)]
    assert len(masked) >= 3


# --- the judge ---------------------------------------------------------------------------------------------------


@dataclass
class Stage:
    """A street of its own with everything behind it."""

    street: Street
    checker: Checker
    owner: asyncpg.Pool

    async def judged(self, matter: Matter) -> Any:
        (verdict,) = await play(self.street, self.checker, [matter], lambda _verdict: None)
        return verdict


@pytest.fixture(scope="module")
async def temporal(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A server whose time is the real one: nothing here may be archived by a skipped week."""
    async with EmbeddedTemporal(tmp_path_factory.mktemp("temporal"), ui=False) as server:
        yield await connect(server.address, keys=KEYS)


@pytest.fixture
async def stage(fresh_database: str, temporal: Client, registry: Registry, tmp_path: Path) -> AsyncIterator[Stage]:
    await migrate(fresh_database)
    owner = await open_pool(fresh_database, size=2)
    async with owner.acquire() as conn:
        await load_registry(conn, read_registry_files(NEIGHBOURHOOD), "test")
        await store_rule_book(conn, DEMO_BOOK.version, DEMO_BOOK.model_dump(mode="json"))
        await store_calendar(conn, CALENDAR)
    pool = await open_ledger(fresh_database, 4)
    queue = f"demo-{uuid.uuid4().hex}"
    desk = Desk(temporal, pool, Vault(MasterKey.load(tmp_path / "key", create=True)), task_queue=queue)
    async with make_worker(temporal, pool, Settings.load(data=tmp_path), task_queue=queue):
        yield Stage(Street(desk, pool, registry), Checker(temporal, pool), owner)
    await pool.close()
    await owner.close()


def on(path: str) -> Matter:
    return Matter(PATHS[path].process, path, requests()[path][0])


async def test_a_request_that_went_its_way_is_as_scripted(stage: Stage) -> None:
    verdict = await stage.judged(on("against_the_rules"))
    assert verdict.deviations == ()
    assert verdict.as_scripted
    assert verdict.stage == "appraised"
    assert verdict.refusals == PATHS["against_the_rules"].refusals


async def test_a_falsified_row_is_found(stage: Stage) -> None:
    matter = on("on_the_spot")
    assert (await stage.judged(matter)).as_scripted
    async with stage.owner.acquire() as conn:
        await conn.execute("update case_row set light = 'red', grid = 'G06' where id = $1", matter.id)
    verdict = await stage.checker.judge(matter, None)
    assert not verdict.as_scripted
    assert "case_row" in verdict.deviations[0]
    assert "grid, light" in verdict.deviations[0]


async def test_another_ending_is_found(stage: Stage) -> None:
    matter = on("declined")
    people = stage.street.people("G03")
    await people.worker.register(matter)
    verdict = await stage.checker.judge(matter, None)
    assert verdict.deviations[0] == "stage = registered ≠ declined"
    assert "declined × 0 ≠ 1" in verdict.deviations


async def test_a_script_that_breaks_off_spoils_its_own_request_only(stage: Stage) -> None:
    broken = Matter("case", "plain", Request(title="井", words="井", done="好", grid="G01", category="K03", lead="D77"))
    sound = on("on_the_spot")
    spoilt, good = await play(stage.street, stage.checker, [broken, sound], lambda _verdict: None)
    assert spoilt.deviations[0].startswith("department.unknown")
    assert good.as_scripted


async def test_an_act_that_was_not_refused_is_found(stage: Stage) -> None:
    matter, people = on("plain"), stage.street.people("G01")
    with pytest.raises(NotAsScripted):
        await refused(matter, "actor.wrong_role", people.worker.register(matter))
    with pytest.raises(NotAsScripted):
        await refused(matter, "verify.own_work", people.worker.verify(matter))
    assert matter.refusals == []


_BUSY = ("grid_worker", "grid_head", "vanguard_captain", "community", "street_dispatcher", "department_handler")
"""The roles for which the demo leaves work."""

# --- the real thing ----------------------------------------------------------------------------------------------


async def demo(*options: str, folder: Path, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "console.cli", "demo", *options),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(folder), "BIHUAN_LANGUAGE": "zh", "BIHUAN_CONSOLE_PORT": "0", **environment},
    )


async def test_the_whole_demo(tmp_path: Path) -> None:
    process = await demo("--once", "--json", folder=tmp_path)
    out, err = await process.communicate()
    assert process.returncode == 0, out.decode() + err.decode()
    assert out.count(b"\n") == 1
    summary = json.loads(out)
    assert summary["ok"] is True
    assert isinstance(summary["seconds"], int)
    assert summary["temporal_ui"].startswith("http://127.0.0.1:")
    assert summary["url"].startswith("http://127.0.0.1:")
    assert {each["role"] for each in summary["logins"]} == set(Role) - {Role.RESIDENT, Role.SYSTEM}
    assert all(each["user"] and each["password"] and each["token"] for each in summary["logins"])
    cases = summary["cases"]
    assert {each["path"] for each in cases} == set(PATHS)
    assert len(cases) == len(matters())
    assert len({each["id"] for each in cases}) == len(cases)
    for each in cases:
        assert each["as_scripted"], each
        assert each["stage"] == PATHS[each["path"]].ends
        assert 0 < each["events"] < each["history_events"]
    assert max(each["history_events"] for each in cases if each["path"] == "plain") <= 90
    assert list(tmp_path.iterdir()) == [], "the temporary folder is removed"


async def test_an_interrupted_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    process = await demo("--once", folder=tmp_path)
    assert process.stderr is not None
    while "✓" not in (line := (await process.stderr.readline()).decode()):
        assert line, "the demo ended before its first request"
    (folder,) = tmp_path.iterdir()
    children = json.loads((folder / "children.json").read_text(encoding="utf-8"))
    started = [psutil.Process(each["pid"]) for each in children]
    assert len(started) == 5
    process.send_signal(signal.SIGINT)
    await process.communicate()
    assert process.returncode == 130
    assert not [each for each in started if each.is_running()]
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("hello", encoding="utf-8")
    process = await demo("--once", "--json", "--data", str(tmp_path), folder=tmp_path)
    out, _ = await process.communicate()
    assert json.loads(out)["error"]["code"] == "instance.folder_not_ours"
    assert process.returncode != 0
    assert [each.name for each in tmp_path.iterdir()] == ["letter.txt"]


async def test_a_visitor_finds_something_to_do_in_every_role_and_the_watch_has_seen_it_all(tmp_path: Path) -> None:
    worker, console = (f"127.0.0.1:{port}" for port in free_ports(2))
    process = await demo("--json", folder=tmp_path, BIHUAN_WORKER_METRICS=worker, BIHUAN_CONSOLE_METRICS=console)
    assert process.stdout is not None
    try:
        summary = json.loads(await process.stdout.readline())
        tokens = {each["role"]: {"Authorization": f"Bearer {each['token']}"} for each in summary["logins"]}
        waiting: dict[str, list[str]] = {}
        async with httpx.AsyncClient(base_url=summary["url"], trust_env=False, timeout=60) as client:
            for role in _BUSY:
                answer = await client.get("/api/v1/tasks", headers=tokens[role])
                waiting[role] = [each["stream"] for each in answer.json()["items"]]
            assert min(map(len, waiting.values())) > 0, waiting
            case = next(each for each in waiting["community"] if each.startswith("case-"))
            headers = {**tokens["community"], "Idempotency-Key": str(uuid.uuid4())}
            command = {"kind": "comment", "text": "已看"}
            acted = await client.post(f"/api/v1/cases/{case}/commands", json=command, headers=headers)
            assert acted.status_code == 200, acted.text
        (folder,) = tmp_path.iterdir()
        await _check_what_is_counted(folder, worker, console)
    finally:
        process.send_signal(signal.SIGINT)
        await process.communicate()


async def _check_what_is_counted(folder: Path, worker: str, console: str) -> None:
    """Worker and console as they really run have counted what the ledger holds, and know all that is asked of them."""
    endpoints = read_endpoints(folder)
    assert endpoints is not None
    conn = await asyncpg.connect(endpoints.postgres)

    async def agree() -> bool:
        found = await scrape(worker)
        rows = await conn.fetch("select kind, count(*) as times from event group by kind")
        return all(found.sum("bihuan_events_total", kind=row["kind"]) == row["times"] for row in rows)

    try:
        # A light may turn between the two questions.
        await eventually(agree, "the worker's counts are the ledger's", within=60)
    finally:
        await conn.close()
    told = [await scrape(worker), await scrape(console)]
    assert told[0].sum("bihuan_loops_closed_total") == told[0].sum("bihuan_events_total", kind="archived") > 0
    assert told[1].sum("bihuan_door_answers_total", door="api", status="200") == len(_BUSY) + 1
    assert told[1].sum("bihuan_act_answer_seconds_count", end="answered") == 1
    known = told[0].names | told[1].names | {"up"}
    assert {name for _, each in expressions() for name in names_in(each)} - known == set()
    for each in told:
        assert each.text.isascii(), "what people write is not in there"
        assert not [value for _, value in each.labels() if re.search(r"case-|wish-|[0-9]{5}", value)]
        assert len(each.series) < 2000
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        for address in (worker, console):
            answer = await client.get(f"http://{address}/readyz")
            assert (answer.status_code, answer.json()["ready"]) == (200, True), answer.text
