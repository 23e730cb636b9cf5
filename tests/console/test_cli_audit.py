"""``bihuan audit`` and ``bihuan dossier`` at the command line."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ledger.anchors import AnchorFile
from ledger.security import LineFilter, list_lines
from ledger.signing import SigningKey
from runtime.settings import Settings
from tests.console.calling import Answer, Call, error, value
from tests.domain.routes import spot_until, working_until
from tests.ledger.facts import fact, write
from tests.ledger.test_dossier import STREAM, record


async def _call(call: Call, *words: str) -> Answer:
    return await asyncio.to_thread(call, *words)


@pytest.fixture
async def office(new_office: asyncpg.Connection) -> asyncpg.Connection:
    """A ledger with two streams of no process of ours, and a signing key."""
    SigningKey.load(Settings.load().signing_file, create=True)
    for stream in ("log-1", "log-2"):
        await write(new_office, stream, 0, [fact("registered"), fact("whistled", 1)])
    return new_office


async def test_an_untouched_ledger_is_sound(call: Call, office: asyncpg.Connection) -> None:
    made = value(await _call(call, "audit", "checkpoint", "--json"))
    assert made == {"checkpoints": [1], "changed": []}
    assert value(await _call(call, "audit", "checkpoint", "--json")) == {"checkpoints": [], "changed": []}

    report = value(await _call(call, "audit", "verify", "--json"))

    key = value(await _call(call, "audit", "key", "--json"))["public_key"]
    assert report["sound"] is True
    assert (report["events"], report["streams"], report["checkpoints_in_file"], report["heads"]) == (4, 2, 1, 2)
    assert report["keys"] == [key]
    code, text = await _call(call, "audit", "verify")
    assert code == 0
    assert "没有发现改动" in text


async def test_a_rewritten_stream_is_named_and_ends_with_one(
    call: Call, office: asyncpg.Connection, tmp_path: Path
) -> None:
    await _call(call, "audit", "checkpoint")
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(Settings.load().anchors.read_bytes())
    await office.execute("alter table event disable trigger all")
    await office.execute("update event set hash = repeat('0', 64) where stream = 'log-2' and seq = 2")

    report = value(await _call(call, "audit", "verify", "--anchor", str(copy), "--json"), 1)

    found = {(each["stream"], each["seq"], each["code"]) for each in report["first_findings"]}
    assert found == {("log-2", 2, "chain.hash"), ("log-2", 2, "anchor.rewritten")}
    assert report["findings"] == 2
    code, text = await _call(call, "audit", "verify")
    assert code == 1
    assert "检查点之后被重写" in text
    assert value(await _call(call, "audit", "checkpoint", "--json"), 1)["changed"] == ["log-2"]


async def test_without_a_file_elsewhere_people_are_told_what_that_means(call: Call, office: asyncpg.Connection) -> None:
    code, text = await _call(call, "audit", "verify")

    assert code == 0
    assert "整体重写无法发现" in text


async def test_a_key_of_somebody_else_is_a_finding(call: Call, office: asyncpg.Connection) -> None:
    await _call(call, "audit", "checkpoint")

    report = value(await _call(call, "audit", "verify", "--key", "0" * 64, "--json"), 1)

    assert [(each["seq"], each["field"]) for each in report["first_findings"]] == [(1, "key")]


async def test_what_is_asked_wrongly_is_refused(call: Call, office: asyncpg.Connection, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "none.jsonl")
    assert error(await _call(call, "audit", "verify", "--key", "abc", "--json"))["code"] == "audit.bad_key"
    assert error(await _call(call, "audit", "verify", "--anchor", nowhere, "--json"))["code"] == "audit.anchors_missing"
    Settings.load().signing_file.unlink()
    assert error(await _call(call, "audit", "key", "--json"))["code"] == "audit.key_missing"
    assert error(await _call(call, "audit", "checkpoint", "--json"))["code"] == "audit.key_missing"


@pytest.mark.parametrize(
    ("spoil", "verdict"),
    [
        ("nothing", "OK"),
        ("key", "WARN"),
        ("file from elsewhere", "FAIL"),
    ],
)
async def test_the_doctor_looks_at_the_checkpoints(
    call: Call, office: asyncpg.Connection, spoil: str, verdict: str
) -> None:
    await _call(call, "audit", "checkpoint")
    chosen = Settings.load()
    if spoil == "key":
        chosen.signing_file.unlink()
    if spoil == "file from elsewhere":
        (first,) = AnchorFile(chosen.anchors).read()
        assert not isinstance(first, ValueError)
        chosen.anchors.write_text(first.line.replace('number\\":1', 'number\\":7') + "\n", encoding="utf-8")

    _, text = await _call(call, "doctor", "--json")

    report = json.loads(text)
    assert "checks" in report, report
    (found,) = [each for each in report["checks"] if each["check"] == "checkpoints"]
    assert found["verdict"] == verdict, found


# --- dossiers -----------------------------------------------------------------------------------------------------


async def test_a_dossier_is_made_and_judged_on_a_machine_without_anything(
    call: Call, office: asyncpg.Connection, tmp_path: Path
) -> None:
    await record(office, working_until("appraised").left_alone())
    file = tmp_path / "case.zip"

    made = value(await _call(call, "dossier", "create", STREAM, str(file), "--by", "wang", "--json"))

    (line,) = (await list_lines(office, LineFilter(kinds=("exported",)))).items
    assert (line.actor, line.subject, line.detail) == ("wang", STREAM, {"what": "dossier"})
    judged = _elsewhere("dossier", "verify", str(file), "--key", made["key"])
    assert judged["sound"] is True
    assert {name: judged[name] for name in ("stream", "events", "head", "key", "checkpoint")} == {
        name: made[name] for name in ("stream", "events", "head", "key", "checkpoint")
    }
    assert file.stat().st_mode & 0o777 == 0o600
    changed = bytearray(file.read_bytes())
    changed[len(changed) // 2] ^= 1
    file.write_bytes(changed)
    assert _elsewhere("dossier", "verify", str(file), code=1)["error"]["code"] in (
        "dossier.changed",
        "dossier.unreadable",
    )


def _elsewhere(*words: str, code: int = 0) -> Any:
    """A process that knows neither database nor data folder."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("BIHUAN_")}
    done = subprocess.run(
        [sys.executable, "-m", "console.cli", *words, "--json"],
        env={**environment, "BIHUAN_DATA": "/nonexistent"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == code, done
    return json.loads(done.stdout)


async def test_people_read_what_a_dossier_proves(call: Call, office: asyncpg.Connection, tmp_path: Path) -> None:
    await record(office, spot_until("settled").left_alone())
    file = str(tmp_path / "case.zip")

    code, text = await _call(call, "dossier", "create", STREAM, file)
    assert code == 0, text
    assert error(await _call(call, "dossier", "create", STREAM, file, "--json"))["code"] == "file.exists"
    code, text = await _call(call, "dossier", "verify", file)

    assert code == 0, text
    assert "卷宗完好" in text
    assert "请把上面的公钥与出具单位公布的核对" in text


async def test_a_dossier_that_cannot_be_is_refused(call: Call, office: asyncpg.Connection, tmp_path: Path) -> None:
    await record(office, working_until("verified"))
    file, nowhere = tmp_path / "case.zip", str(tmp_path / "no" / "case.zip")

    assert error(await _call(call, "dossier", "create", STREAM, str(file), "--json"))["code"] == "dossier.not_over"
    assert not file.exists()
    assert error(await _call(call, "dossier", "verify", nowhere, "--json"))["code"] == "file.unreadable"
    file.write_bytes(b"nothing")
    assert error(await _call(call, "dossier", "verify", str(file), "--json"))["code"] == "dossier.unreadable"
    assert error(await _call(call, "dossier", "verify", str(file), "--key", "x", "--json"))["code"] == "audit.bad_key"
