"""A whole office that is watched: what is counted is what happened, and neither metrics nor traces nor logs tell of
persons."""

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import structlog
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from temporalio.worker import Replayer

from console.desk import Desk
from console.http.app import make_app
from console.http.office import Office as HttpOffice
from ledger.vault import MasterKey, Vault
from runtime.logging import set_up_logging
from runtime.plugin import bihuan_plugin
from runtime.settings import Settings
from runtime.telemetry import Watch, watching
from runtime.temporal import connect
from runtime.tracing import tracing
from tests.console.http.doors import SITE, Doors, _by_header
from tests.keys import KEYS
from tests.logs import log_plainly
from tests.neighbourhood import GRID, LEAD, ORDINARY
from tests.scraping import scrape
from tests.workflows.clockwork import Clockwork
from tests.workflows.office import Office, open_office
from workflows.hosted import HOSTED

NAME, PHONE = "柳春分", "13900001234"
ASKED = {"title": "路面破损", "text": f"我叫{NAME}，电话{PHONE}，门口路面有坑", "grid": GRID, "category": ORDINARY}
WHISTLE = {"kind": "whistle", "reason": "reflected", "departments": [LEAD], "approver": "approver"}


@dataclass
class Collector:
    """Takes traces as a collector does, and keeps what it was sent."""

    address: str = ""
    bodies: list[bytes] = field(default_factory=list)

    def spans(self) -> dict[str, list[bytes]]:
        """The names of all spans, with the traces they belong to."""
        found: dict[str, list[bytes]] = {}
        for body in self.bodies:
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        found.setdefault(span.name, []).append(span.trace_id)
        return found


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector on loopback."""
    collector = Collector()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                length = int(head.partition("content-length:")[2].split("\r\n")[0])
                collector.bodies.append(await reader.readexactly(length))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        collector.address = f"http://{host}:{port}/v1/traces"
        yield collector


@dataclass
class Watched:
    """Doors, worker and ledger of one office, and the one place where all of it is watched."""

    doors: Doors
    office: Office
    watch: Watch
    collector: Collector
    stack: AsyncExitStack
    log: Path

    async def stop_tracing(self) -> None:
        """Send what is left; afterwards nothing is traced."""
        await self.stack.aclose()

    def lines(self) -> list[dict[str, object]]:
        """What has been logged, but for what the test's own clients say of what they ask."""
        lines = (json.loads(line) for line in self.log.read_text("utf-8").splitlines())
        return [line for line in lines if not str(line["logger"]).startswith(("httpx", "httpcore"))]


@pytest.fixture
async def watched(furnished_database: str, clockwork: Clockwork, tmp_path: Path) -> AsyncIterator[Watched]:
    address, key = clockwork.client.service_client.config.target_host, tmp_path / "key"
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    async with AsyncExitStack() as stack, AsyncExitStack() as traces:
        stream = stack.enter_context((tmp_path / "log").open("a", encoding="utf-8"))
        set_up_logging("debug", "json", stream, service="office")
        collector = await stack.enter_async_context(collecting())
        settings = Settings.load(data=tmp_path, database_url=furnished_database, tracing_endpoint=collector.address)
        watch = await stack.enter_async_context(watching("127.0.0.1:0", "office"))
        traced = await traces.enter_async_context(tracing(settings, "office"))
        client = await connect(
            address,
            keys=KEYS,
            sandboxed=True,
            runtime=watch.runtime,
            metrics=watch.metrics,
            interceptors=traced.interceptors,
        )
        office = await stack.enter_async_context(
            open_office(client, furnished_database, key, cached=True, metrics=watch.metrics)
        )
        master = MasterKey.load(key)
        desk = Desk(client, office.ledger, Vault(master), task_queue=office.task_queue, metrics=watch.metrics)
        shared = HttpOffice(pool=office.ledger, desk=desk, vault=Vault(master), key=master, settings=settings)
        app = make_app(shared, SITE, identify=_by_header, metrics=watch.metrics, tracing=traced)
        doors = Doors(app, shared)
        stack.push_async_callback(doors.close)
        yield Watched(doors, office, watch, collector, traces, tmp_path / "log")
    logging.getLogger().handlers[:], logging.getLogger().level = handlers, level
    structlog.reset_defaults()
    log_plainly()


def key() -> dict[str, str]:
    """A fresh number for an act."""
    return {"Idempotency-Key": str(uuid.uuid4())}


async def _go(watched: Watched) -> str:
    """Two registrations, one of them repeated, a whistle, one that the workflow refuses, and three bad requests."""
    worker, community = watched.doors.program("worker"), watched.doors.program("community")
    reporter, number = {"reporter": {"name": NAME, "phone": PHONE}}, key()
    first = await worker.post("/api/v1/cases", json=ASKED | reporter, headers=number)
    again = await worker.post("/api/v1/cases", json=ASKED | reporter, headers=number)
    assert (first.status_code, again.status_code) == (201, 200), (first.text, again.text)
    case = first.json()["case"]["id"] if "case" in first.json() else first.json()["id"]
    commands = f"/api/v1/cases/{case}/commands"
    assert (await community.post(commands, json=WHISTLE, headers=key())).status_code == 200
    assert (await community.post(commands, json=WHISTLE, headers=key())).status_code == 409
    for typed in (NAME, PHONE, "nowhere"):
        assert (await worker.get(f"/api/v1/{typed}")).status_code == 404
    assert (await watched.doors.browser().get(f"/tracking?code={PHONE}")).status_code == 200
    return str(case)


async def test_what_is_counted_is_what_happened_and_tells_of_no_person(watched: Watched) -> None:
    case = await _go(watched)

    found = await scrape(str(watched.watch.address))

    def acts(**labels: str) -> float:
        return found.sum("bihuan_acts_total", process="case", **labels)

    assert (acts(kind="register", end="recorded"), acts(kind="whistle", end="recorded")) == (1, 1)
    assert acts(end="recorded") == 2
    assert acts(end="failed") == 0
    assert found.sum("bihuan_refusals_total") == 2
    assert found.sum("bihuan_refusals_total", kind="whistle", code="case.wrong_stage", by="workflow") == 1
    # The dry run knows no numbers of commands; the desk then finds what was recorded under this one.
    assert found.sum("bihuan_refusals_total", kind="register", code="case.already_registered", by="workflow") == 1
    async with watched.office.owner.acquire() as conn:
        recorded = await conn.fetch("select kind, count(*) as times from event group by kind")
    assert {each["kind"]: found.sum("bihuan_events_total", kind=each["kind"]) for each in recorded} == {
        each["kind"]: each["times"] for each in recorded
    }
    assert found.sum("bihuan_act_seconds_count", end="recorded") == 2
    assert found.sum("bihuan_act_answer_seconds_count", end="answered") == 3
    assert found.sum("bihuan_act_answer_seconds_count", end="refused") == 1
    assert found.sum("bihuan_door_answers_total", door="api", status="201") == 1
    assert found.sum("bihuan_door_answers_total", door="api", status="404") == 3
    assert found.sum("bihuan_door_refusals_total", door="api", code="request.not_found") == 3
    assert found.sum("bihuan_door_refusals_total", door="api", code="case.wrong_stage") == 1
    assert found.sum("bihuan_door_answer_seconds_count", door="residents", asked="read") == 1
    assert found.sum("temporal_workflow_task_schedule_to_start_latency_count") > 0
    assert found.text.isascii()
    assert all(value not in found.text for value in (PHONE, case, case.partition("-")[2]))
    assert len(found.series) < 2000


async def test_one_act_is_one_trace_without_what_anybody_wrote(watched: Watched) -> None:
    case = await _go(watched)
    history = await watched.office.handle(case).fetch_history()
    await watched.stop_tracing()

    spans = watched.collector.spans()
    sent = b"".join(watched.collector.bodies)
    (door,) = spans["POST /api/v1/cases/{id}/commands"][:1]
    assert door in spans["StartWorkflowUpdate:submit"]
    assert door in spans["RunActivity:act"]
    written = (NAME, PHONE, "路面", "当前阶段", "exception.message", "stacktrace")
    assert [each for each in written if each.encode() in sent] == []
    # Who is not traced reads what was.
    await Replayer(workflows=HOSTED, plugins=[bihuan_plugin(KEYS, sandboxed=True)]).replay_workflow(history)


async def test_every_line_says_where_it_comes_from_and_what_it_belongs_to(watched: Watched) -> None:
    # An activity that has something to say: nobody works for this department's system.
    await watched.office.give_system(f"department.nobody-{uuid.uuid4().hex[:8]}", pick_up_within="1s")
    case = await _go(watched)
    await watched.office.do(case, "dispatcher", "dispatch", lead=LEAD)
    await watched.office.until_handed_over(case)
    await watched.office.give_system(None)
    answer = await watched.doors.browser().get("/sign-in")

    lines = watched.lines()
    assert {line["service"] for line in lines} == {"office"}
    assert all(line["version"] and line["instance"] and line["timestamp"] for line in lines)
    requests = [line for line in lines if line["event"] == "request_answered"]
    assert answer.headers["x-request-id"] == requests[-1]["request_id"]
    assert len({line["request_id"] for line in requests}) == len(requests)
    assert [line for line in lines if NAME in str(line) or PHONE in str(line)] == []
    assert case in {line["workflow_id"] for line in lines if "workflow_id" in line}
