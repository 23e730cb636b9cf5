"""The restore drill of docs/backup.md: an instance on the restored folder is in good health."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.console.backup.conftest import SmallOffice
from tests.console.calling import called, value

ROOT = Path(__file__).parents[3]


async def test_after_a_restore_the_doctor_finds_nothing_wrong(small_office: SmallOffice, tmp_path: Path) -> None:
    copy, keys, target = str(tmp_path / "copy.zip"), str(tmp_path / "keys.json"), str(tmp_path / "new")
    for words in (["create", copy, "--keys", keys], ["restore", copy, "--keys", keys, "--into", target]):
        value(await asyncio.to_thread(called, "backup", *words, "--json"))

    report = await asyncio.to_thread(_doctor_of_an_instance, Path(target))

    found = {each["check"]: each["verdict"] for each in report["checks"]}
    for machine in ("disk", "work calendar"):
        found.pop(machine)
    assert set(found.values()) == {"OK"}, report


def _doctor_of_an_instance(data: Path) -> dict[str, list[dict[str, str]]]:
    """What the doctor says of ``bihuan up`` on the folder."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("BIHUAN_")}
    command = [sys.executable, "-m", "console.cli"]
    up = subprocess.Popen(
        [*command, "up", "--no-ui", "--json", "--data", str(data)],
        cwd=ROOT,
        env={**own, "BIHUAN_CONSOLE_PORT": "0"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert up.stdout is not None
        ready = up.stdout.readline()
        assert ready, "the restored instance did not start"
        done = subprocess.run(
            [*command, "doctor", "--json", "--data", str(data)],
            cwd=ROOT,
            env=own,
            check=False,
            capture_output=True,
            text=True,
            timeout=110,
        )
        report: dict[str, list[dict[str, str]]] = json.loads(done.stdout)
        return report
    finally:
        up.send_signal(signal.SIGINT)
        up.communicate(timeout=60)
