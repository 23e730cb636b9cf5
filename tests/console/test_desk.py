"""What the desk says when Temporal fails in the middle of a command."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from temporalio.service import RPCError, RPCStatusCode

from console.desk import UNCLEAR, Desk, Pending
from ledger.vault import MasterKey, Vault
from runtime.pool import open_pool
from tests.neighbourhood import ACTORS


class Failing:
    """A Temporal that answers every command with this failure."""

    def __init__(self, status: RPCStatusCode) -> None:
        self.status = status

    def get_workflow_handle(self, _workflow_id: str) -> "Failing":
        return self

    async def execute_update(self, *_given: Any, **_named: Any) -> None:
        raise RPCError("transport error", self.status, b"")


@pytest.fixture
async def pool(migrated_database: str) -> AsyncIterator[asyncpg.Pool]:
    pool = await open_pool(migrated_database, size=1)
    yield pool
    await pool.close()


@pytest.mark.parametrize("status", [each for each in RPCStatusCode if each is not RPCStatusCode.NOT_FOUND])
async def test_an_act_of_which_nobody_knows_is_pending_and_no_mistake(
    pool: asyncpg.Pool, tmp_path: Path, status: RPCStatusCode
) -> None:
    desk = Desk(Failing(status), pool, Vault(MasterKey.load(tmp_path / "key", create=True)))  # type: ignore[arg-type]
    command_id = str(uuid.uuid4())

    with pytest.raises(Pending if status in UNCLEAR else RPCError) as raised:
        await desk.submit("case-1", ACTORS["worker"], {"kind": "comment", "text": "路灯不亮"}, command_id=command_id)

    if isinstance(raised.value, Pending):
        assert raised.value.refusal.params["command_id"] == command_id
