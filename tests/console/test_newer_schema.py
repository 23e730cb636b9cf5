"""A database that a newer release has migrated: whatever is started by an older one refuses, clearly, at once."""

import json
from pathlib import Path

import asyncpg
import pytest

from console.failing import INFRASTRUCTURE
from console.http.serve import open_office
from domain.errors import Refused
from ledger.migrate import load_migrations
from ledger.vault import MasterKey
from runtime.settings import Settings
from tests.console.calling import Call, error
from worker import open_ledger

COMMANDS = (
    ("case", "list"),
    ("case", "history", "case-00000000"),
    ("case", "deadlines", "case-00000000"),
    ("wish", "list"),
    ("task", "list", "--person", "worker"),
    ("feed",),
    ("registry", "show"),
    ("user", "list"),
    ("notice", "list"),
    ("rebuild",),
    ("migrate",),
    ("migrate", "--check"),
    ("upgrade", "--check"),
)


@pytest.fixture
async def newer(new_office: asyncpg.Connection) -> int:
    """The number of a schema this release does not know, in a database that has it."""
    number = len(load_migrations()) + 1
    await new_office.execute("insert into schema_version (number, name, sha256) values ($1, 'later', 'x')", number)
    return number


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_refuses_a_newer_schema(newer: int, call: Call, words: tuple[str, ...]) -> None:
    refused = error(call(*words, "--json"), INFRASTRUCTURE)

    assert refused["code"] == "ledger.schema_newer"
    assert f"第 {newer} 版" in refused["message"]
    assert "新版程序" in refused["remedy"]


def test_the_doctor_names_it(newer: int, call: Call) -> None:
    code, text = call("doctor", "--json")

    assert code == 2
    found = {each["check"]: each for each in json.loads(text)["checks"]}
    assert (found["database"]["verdict"], f"第 {newer} 版" in found["database"]["detail_zh"]) == ("FAIL", True)


async def test_worker_and_console_do_not_start(newer: int, migrated_database: str, tmp_path: Path) -> None:
    MasterKey.load(tmp_path / "key", create=True)
    settings = Settings.load(master_key_file=tmp_path / "key")

    with pytest.raises(Refused) as worker:
        await open_ledger(migrated_database, 1)
    with pytest.raises(Refused) as console:
        async with open_office(settings):
            raise AssertionError("the console has started")

    assert (worker.value.code, console.value.code) == ("ledger.schema_newer", "ledger.schema_newer")
