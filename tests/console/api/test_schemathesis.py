"""The API against its own document: requests made up by schemathesis, valid and not, as people in several roles."""

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.people import Role
from tests.console.api.serving import Served, served
from tests.console.http.two_streets import NEAR, person

HERE = Path(__file__).parent
SECONDS = 25
"""The time for one role: a minute and a quarter for all of them."""


@pytest.fixture
def streets(furnished_database: str, tmp_path: Path) -> Iterator[Served]:
    with served(furnished_database, tmp_path) as found:
        yield found


@pytest.mark.timeout(600)
@pytest.mark.parametrize("role", [Role.STREET_DISPATCHER, Role.GRID_WORKER, Role.SUPERVISOR])
async def test_no_request_gets_an_answer_the_document_does_not_know(streets: Served, role: Role) -> None:
    seed = os.environ.get("BIHUAN_TEST_SEED", "20261126")
    run = await asyncio.create_subprocess_exec(
        *(str(Path(sys.executable).with_name("st")), "--config-file", str(HERE / "schemathesis.toml")),
        *(
            "run",
            f"{streets.url}/api/v1/openapi.json",
            "-H",
            f"Authorization: Bearer {streets.token(person(role, NEAR))}",
        ),
        *("--phases", "examples,coverage,fuzzing,stateful", "--checks", "all", "--seed", seed, "--no-color"),
        *("--max-examples", "5", "--max-time", str(SECONDS), "--no-shrink"),
        cwd=streets.folder,
        env={
            **os.environ,
            "NEAR": streets.streets.cases[NEAR],
            "WISH": streets.streets.wishes[NEAR],
            "COMMAND": streets.streets.commands[NEAR],
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    told, _ = await run.communicate()

    assert run.returncode == 0, f"seed {seed}, as {role}:\n{told.decode()}"
