"""One machine loses its power: the engine's file is older than the ledger, and the next start mends it by itself."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.console.forked import ROOT
from tests.console.test_cli import Running, _environment
from tests.neighbourhood import REGISTRY
from tests.waiting import eventually


@contextmanager
def up(data: Path, last: signal.Signals = signal.SIGINT) -> Iterator[Running]:
    """``bihuan up`` on the folder until the block ends, with this signal."""
    with (data.parent / "up.err").open("a") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "console.cli", "up", "--no-ui", "--json", "--data", str(data)],
            cwd=ROOT,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            assert line, (data.parent / "up.err").read_text()
            yield Running(data, json.loads(line))
        finally:
            process.send_signal(last)
            process.wait(60)
            process.stdout.close()


def store(data: Path) -> list[Path]:
    """The files of the engine's store."""
    return sorted(data.glob("temporal.db*"))


def compared(office: Running, *options: str) -> Any:
    """What the comparison of ledger, read models and workflows found."""
    done = office.run("doctor", "--deep", "--json", *options)
    return json.loads(done.stdout)["deep"]


def rehydrated(office: Running, *options: str) -> Any:
    """What the command says it did; it listens to Ctrl-C, which only a process of its own can."""
    done = office.run("rehydrate", "--json", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.timeout(600)
async def test_a_start_after_the_engine_lost_its_last_hours_brings_everything_back(tmp_path: Path) -> None:
    data, kept = tmp_path / "office", tmp_path / "kept"
    kept.mkdir()
    registry = tmp_path / "registry.yaml"
    registry.write_text(yaml.safe_dump(REGISTRY, allow_unicode=True), encoding="utf-8")
    with up(data) as office:
        office.json("registry", "load", str(registry))
        old = office.register()
        assert compared(office) == {
            "streams": 1, "workflows_asked": 1, "agrees": True, "fixed": 0, "remaining": {}, "differences": [],
        }  # fmt: skip
    for path in store(data):
        shutil.copy(path, kept)
    with up(data, signal.SIGKILL) as office:
        office.json("case", "do", old, "-", "--as", "worker", command={"kind": "comment", "text": "还有一句"})
        young = office.register()
    for path in store(data):
        path.unlink()
    for path in kept.iterdir():
        shutil.copy(path, data)

    with up(data) as office:
        log = data / "logs" / "instance.log"

        async def mended() -> bool:
            text = log.read_text("utf-8")
            return "workflows_begun_again" in text and "examined_after_violent_end" in text

        await eventually(mended, "the instance has mended itself", within=60)
        assert compared(office, "--all")["differences"] == []
        counted = {"open": 2, "seen": 2, "running": 2, "begun": 0, "needless": 0, "failed": 0, "failures": []}
        assert rehydrated(office, "--dry-run") == {**counted, "dry_run": True}
        assert rehydrated(office) == {**counted, "dry_run": False}
        for case in (old, young):
            office.json("case", "do", case, "-", "--as", "worker", command={"kind": "comment", "text": "又一句"})
        told = office.run("rehydrate", young, "--replace").stdout
        assert "已恢复 1 件" in told
        shown = office.run("doctor", "--deep", "--lang", "en").stdout
        assert "2 streams, 2 workflows asked, all agree" in " ".join(shown.split())


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    nowhere = Running(tmp_path, {})
    assert nowhere.refusal("rehydrate", "--replace")["code"] == "rehydrate.name_one"
    assert nowhere.refusal("doctor", "--fix")["code"] == "doctor.deep_only"
    assert nowhere.refusal("doctor", "--all")["code"] == "doctor.deep_only"
