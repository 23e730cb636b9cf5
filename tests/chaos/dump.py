"""What the office holds after a run: log, commands, read models, workflows and outbox, as one file.

Owns the shape of the dump and how it is taken. A dump and its history can be judged again at any time, by other eyes.
"""

import asyncio
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import asyncpg
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from activities.waking import Wake
from domain.process import Start
from ledger.chain import verify_chain
from ledger.log import Recorded, history, streams
from ledger.rebuild import differences
from tests.workflows.accounts import read_models
from workflows.ids import STATE

Json = dict[str, Any]

_AGREE_WITHIN = 15.0


@dataclass(frozen=True)
class Ledger:
    """A dump that is read: everything by stream."""

    content: Json

    @classmethod
    def read(cls, path: Path) -> Self:
        """The dump in this file."""
        with gzip.open(path, "rt", encoding="utf-8") as file:
            return cls(json.load(file))

    def write(self, path: Path) -> None:
        """Keep it in this file."""
        with gzip.open(path, "wt", encoding="utf-8") as file:
            json.dump(self.content, file, ensure_ascii=False)

    @property
    def streams(self) -> dict[str, Json]:
        """What there is of each stream."""
        found: dict[str, Json] = self.content["streams"]
        return found

    def events(self, stream: str) -> list[Recorded]:
        """The events of a stream as the log has them."""
        return [
            Recorded(
                **{
                    **row,
                    "stream": stream,
                    "id": UUID(row["id"]),
                    "command_id": UUID(row["command_id"]),
                    "at": datetime.fromisoformat(row["at"]),
                }
            )
            for row in self.streams[stream]["events"]
        ]

    def commands(self) -> list[tuple[str, Json]]:
        """Every recorded command with its stream."""
        return [(stream, row) for stream, found in self.streams.items() for row in found["commands"]]


async def take(dsn: str, client: Client, wake: Wake) -> Ledger:
    """Look at everything, past all wires; each stream as its log, its rows and its workflow have it at one moment."""
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        await conn.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
        content: Json = {"streams": {}}
        content["outbox"] = await outbox(conn)
        for stream in await _all_streams(conn):
            content["streams"][stream] = await _stream(conn, client, wake, stream)
        content["chain"] = [repr(each) for each in await verify_chain(conn)]
        return Ledger(content)
    finally:
        await conn.close()


async def outbox(conn: asyncpg.Connection) -> Json:
    """What is still to be told, and what is told no more."""
    row = await conn.fetchrow(
        """
        select
            (select count(*) from routing where routed_at is null) as unrouted,
            (select count(*) from delivery where state = 'waiting') as waiting,
            (select count(*) from delivery where state = 'delivered') as delivered,
            (select count(*) from notice n where not exists (select from routing r where r.notice = n.id)) as unknown
        """
    )
    assert row is not None
    return dict(row)


async def _all_streams(conn: asyncpg.Connection) -> Sequence[str]:
    found: list[str] = []
    while page := await streams(conn, after=found[-1] if found else ""):
        found += page
    return found


async def _stream(conn: asyncpg.Connection, client: Client, wake: Wake, stream: str) -> Json:
    found = await _once_it_stands_still(conn, client, stream)
    workflow = found["workflow"]
    found["was_behind"] = None
    if workflow and workflow["status"] in ("RUNNING", "NONE") and workflow["seq"] != found["events"][-1]["seq"]:
        # An act of which the workflow was never told, by a client who gave up. The waker would come for the first
        # deadline that passes; here it comes now, and what the workflow waited for is judged as well.
        await wake(stream)
        found = await _once_it_stands_still(conn, client, stream) | {"was_behind": workflow["timers"]}
    return found


async def _once_it_stands_still(conn: asyncpg.Connection, client: Client, stream: str) -> Json:
    """Log, rows and workflow of a stream; time goes on meanwhile, so that they are looked at until they agree."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _AGREE_WITHIN
    while True:
        looked_at = datetime.now(UTC)
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            events = await history(conn, stream)
            commands = await conn.fetch("select * from command where stream = $1 order by seq_from, seq_to", stream)
            tables = await read_models(conn, stream)
            wrong = await differences(conn, stream)
        workflow = await _workflow(client.get_workflow_handle(stream), loop.time() < deadline)
        is_over = workflow is not None and workflow["status"] not in ("RUNNING", "NONE")
        if (workflow and (is_over or workflow["seq"] == events[-1].seq)) or loop.time() >= deadline:
            break
        await asyncio.sleep(0.3)
    return {
        "looked_at": looked_at.isoformat(),
        "events": [_event(each) for each in events],
        "commands": [_plain(dict(row)) for row in commands],
        "rows": {name: list(rows.values()) for name, rows in tables.items()},
        "differences": [each.model_dump(mode="json") for each in wrong],
        "workflow": workflow,
    }


async def _workflow(handle: WorkflowHandle[Any, Any], may_wait: bool) -> Json | None:
    """What the workflow says and what it waits for; None while it has something to do."""
    try:
        before = await handle.describe()
        if before.status != WorkflowExecutionStatus.RUNNING:
            return {"status": before.status.name if before.status else "NONE", "seq": None, "held": None, "timers": []}
        if may_wait and before.raw_description.HasField("pending_workflow_task"):
            return None
        held = await handle.query(STATE, result_type=Start, rpc_timeout=timedelta(seconds=10))
        timers = await _timers(handle)
        after = await handle.describe()
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return {"status": "NONE", "seq": None, "held": None, "timers": []}
        if may_wait:
            return None
        raise
    if may_wait and before.history_length != after.history_length:
        return None
    return {"status": "RUNNING", "seq": held.seq, "held": held.model_dump(mode="json"), "timers": timers}


async def _timers(handle: WorkflowHandle[Any, Any]) -> list[str]:
    """When the timers will fire for which the run waits."""
    waiting: dict[int, datetime] = {}
    for event in (await handle.fetch_history()).events:
        kind = event.event_type
        if kind == EventType.EVENT_TYPE_TIMER_STARTED:
            length = event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
            waiting[event.event_id] = event.event_time.ToDatetime(tzinfo=UTC) + length
        elif kind == EventType.EVENT_TYPE_TIMER_FIRED:
            waiting.pop(event.timer_fired_event_attributes.started_event_id, None)
        elif kind == EventType.EVENT_TYPE_TIMER_CANCELED:
            waiting.pop(event.timer_canceled_event_attributes.started_event_id, None)
    return [at.isoformat() for at in sorted(waiting.values())]


def _event(event: Recorded) -> Json:
    return _plain(
        {
            "seq": event.seq,
            "id": event.id,
            "kind": event.kind,
            "at": event.at,
            "actor": event.actor,
            "command_id": event.command_id,
            "body": event.body,
            "prev": event.prev,
            "hash": event.hash,
            "tx": event.tx,
        }
    )


def _plain(row: Json) -> Json:
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, UUID) else value
        for name, value in row.items()
    }
