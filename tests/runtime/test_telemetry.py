"""Where a process tells how it is: addresses, readiness, and the files that ask for its metrics."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from domain.errors import Refused
from runtime.metrics import SPECS
from runtime.settings import Settings
from runtime.telemetry import Readiness, examine, watching
from tests.scraping import DASHBOARDS, ROOT, alerts, expressions, names_in, scrape

LOOPBACK = "127.0.0.1:0"


async def well() -> None:
    return None


def fails(error: Exception) -> Callable[[], Awaitable[None]]:
    async def check() -> None:
        raise error

    return check


async def test_a_process_without_an_address_tells_nothing_and_counts_nothing() -> None:
    async with watching(None, "worker") as watch:
        watch.metrics.count("bihuan_loops_closed_total")

        assert (watch.address, watch.runtime, watch.metrics.are_kept) == (None, None, False)


async def test_a_process_lives_before_it_is_ready_and_says_what_is_wrong_without_details() -> None:
    async with watching(LOOPBACK, "worker") as watch, httpx.AsyncClient(base_url=f"http://{watch.address}") as client:
        early = await client.get("/readyz")
        watch.checks = {
            "ledger": fails(ConnectionRefusedError("postgresql://clerk:s3cret@10.0.0.7/bihuan")),
            "schema": fails(Refused("ledger.schema_older", count=2)),
            "temporal": well,
        }
        wrong = await client.get("/readyz")
        alive = await client.get("/healthz")
        watch.checks = {"ledger": well}
        ready = await client.get("/readyz")

    assert (early.status_code, early.json()["wrong"]) == (503, {"started": "starting"})
    assert wrong.status_code == 503
    assert wrong.json() == {
        "ready": False,
        "ledger": False,
        "schema": False,
        "temporal": True,
        "wrong": {"ledger": "unreachable", "schema": "ledger.schema_older"},
    }
    assert alive.status_code == 200
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "ledger": True})


async def test_a_check_that_hangs_is_wrong_after_its_patience() -> None:
    async def hangs() -> None:
        await asyncio.Event().wait()

    assert await examine({"temporal": hangs}, patience=0.01) == Readiness(
        {"temporal": False}, {"temporal": "unreachable"}
    )


async def test_only_three_addresses_are_answered_and_nonsense_is_hung_up_on() -> None:
    async with watching(LOOPBACK, "worker") as watch, httpx.AsyncClient(base_url=f"http://{watch.address}") as client:
        assert (await client.get("/")).status_code == 404
        assert (await client.post("/metrics")).status_code == 405
        host, _, port = (watch.address or "").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"x" * 100_000)
        assert await reader.read() == b""
        writer.close()


async def test_two_processes_cannot_tell_at_one_address() -> None:
    async with watching(LOOPBACK, "worker") as watch:
        with pytest.raises(Refused) as refused:
            async with watching(watch.address, "console"):
                pass

    assert refused.value.code == "metrics.address_taken"


async def test_what_is_counted_is_exposed_with_its_version_and_its_memory() -> None:
    async with watching(LOOPBACK, "worker") as watch:
        watch.metrics.count("bihuan_loops_closed_total", 3)
        watch.metrics.record("bihuan_said_late_seconds", 7.5, what="light")
        found = await scrape(str(watch.address))

    assert found.sum("bihuan_loops_closed_total") == 3
    assert found.sum("bihuan_said_late_seconds_bucket", what="light", le="5") == 0
    assert found.sum("bihuan_said_late_seconds_bucket", what="light", le="10") == 1
    assert found.sum("bihuan_build_info", service="worker") == 1
    assert found.sum("bihuan_process_memory_bytes") > 10_000_000


@pytest.mark.parametrize("value", ["9464", "host", "http://host:1", "host:123456", "[::1:80"])
def test_an_address_is_a_host_and_a_port(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("BIHUAN_WORKER_METRICS", value)

    with pytest.raises(Refused) as refused:
        Settings.load()

    assert refused.value.refusal.field == "BIHUAN_WORKER_METRICS"


# --- the files -------------------------------------------------------------------------------------------------------


def test_every_expression_of_dashboards_and_alerts_is_promql() -> None:
    found = [(where, names_in(expression)) for where, expression in expressions()]

    assert len(found) > 50
    assert all(names for _, names in found)


def test_every_metric_of_ours_is_watched_and_explained_and_none_is_made_up() -> None:
    asked = {re.sub(r"_(bucket|sum|count)$", "", name) for _, each in expressions() for name in names_in(each)}
    ours = {spec.name for spec in SPECS}
    page = (ROOT / "docs/observability.md").read_text("utf-8")

    assert {name for name in asked if name.startswith("bihuan_")} == ours
    assert [name for name in ours if f"`{name}`" not in page] == []


def test_every_alert_says_what_to_do() -> None:
    page = (ROOT / "docs/operations/alerts.md").read_text("utf-8")
    headings = re.findall(r"^## (\w+)$", page, re.MULTILINE)

    assert headings == [rule["alert"] for rule in alerts()]
    for rule in alerts():
        assert rule["annotations"]["runbook"] == f"docs/operations/alerts.md#{rule['alert'].lower()}"
        assert rule["labels"]["severity"] in ("critical", "warning")


@pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
def test_a_dashboard_is_whole(file: Path) -> None:
    board = json.loads(file.read_text("utf-8"))
    panels = board["panels"]

    assert board["uid"] == f"bihuan-{file.stem}"
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)
    assert {target["datasource"]["uid"] for panel in panels for target in panel["targets"]} == {"${datasource}"}
