"""``python -m bench.rehydrate``: Temporal's whole store is deleted, and every open case comes back from the ledger.

Owns the cases: opened through the desk and left at different stages. Everything is stopped, the store deleted and all
started again; then one run brings the workflows back while worker and servers run. What is measured is that run; what
is checked is that every workflow has its alarm as it was with a timer that fires then, that nothing was begun twice,
and that the ledger has no event more. A second run must find nothing to do. ``--json`` prints one object.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
from temporalio.api.enums.v1 import EventType

from bench.loop import NEIGHBOURHOOD
from bench.ours import Ours
from console.desk import Desk, new_stream
from console.rehydrating import PARALLEL, Rehydration
from console.reviving import Reviver
from domain.process import Start
from domain.registry_problem import RawRegistry
from ledger.calendar_files import from_library
from ledger.calendars import store_calendar
from ledger.migrate import migrate
from ledger.registry import load_registry, store_rule_book
from ledger.rule_files import example_book
from ledger.vault import MasterKey, Vault
from runtime.codec import PayloadKeys
from runtime.embedded import Instance, own_child
from runtime.leaving import leave
from runtime.logging import set_up_logging
from runtime.pool import open_pool
from runtime.settings import Settings
from runtime.temporal import connect
from worker import APP_ROLE
from workflows.ids import STATE

CASES = 1000
TARGET_PER_S = 30
AT_ONCE = 8
ACTS = (1, 2, 3, 4)
"""How many acts of the loop a case has had: registered, whistled, dispatched, accepted."""
EXACT = timedelta(seconds=2)


def say(line: str) -> None:
    """Show progress, on standard error."""
    print(line, file=sys.stderr, flush=True)


async def figures(folder: Path, cases: int) -> dict[str, Any]:
    """Open the cases, lose the store, bring them back."""
    say(f"登记 opening {cases} cases")
    async with _office(folder) as office:
        streams = await _each(range(cases), office.opened)
        alarms = dict(zip(streams, await _each(streams, office.alarm), strict=True))
        events = await office.events()
    _lose_store(folder)
    say("恢复 the store is deleted; bringing them back")
    async with _office(folder) as office:
        began = time.perf_counter()
        tally = await Rehydration(office.reviver, office.pool).run()
        begun_s = time.perf_counter() - began
        held = dict(zip(streams, await _each(streams, office.alarm), strict=True))
        answering_s = time.perf_counter() - began
        timers = dict(zip(streams, await _each(streams, office.timers), strict=True))
        again_from = time.perf_counter()
        again = await Rehydration(office.reviver, office.pool).run()
        again_s = time.perf_counter() - again_from
        runs = [each async for each in office.reviver.client.list_workflows("WorkflowType = 'Case'")]
        return {
            "cases": cases,
            "begun": tally.begun,
            "failed": tally.failed,
            "begun_s": round(begun_s, 1),
            "per_s": round(tally.begun / begun_s, 1),
            "target_per_s": TARGET_PER_S,
            "all_answering_s": round(answering_s, 1),
            "alarm_differs": sum(held[stream] != alarms[stream] for stream in streams),
            "timer_differs": sum(not _right(timers[stream], alarms[stream]) for stream in streams),
            "doubled": len(runs) - len({each.id for each in runs}),
            "events_more": await office.events() - events,
            "second_run_begun": again.begun,
            "second_run_s": round(again_s, 1),
        }


def _lose_store(folder: Path) -> None:
    for path in folder.glob("temporal.db*"):
        path.unlink()


class _Office:
    """Desk, reviver and worker on the folder."""

    def __init__(self, pool: asyncpg.Pool, ours: Ours, reviver: Reviver) -> None:
        self.pool, self._ours, self.reviver = pool, ours, reviver

    async def opened(self, number: int) -> str:
        """A case that has come as far as its number says."""
        stream = new_stream("case")
        for act in range(ACTS[number % len(ACTS)]):
            await self._ours.act(stream, act, "")
        return stream

    async def alarm(self, stream: str) -> datetime | None:
        """The alarm the workflow waits for."""
        handle = self.reviver.client.get_workflow_handle(stream)
        held: Start = await handle.query(STATE, result_type=Start)
        return held.plan.alarm if held.plan is not None else None

    async def timers(self, stream: str) -> list[datetime]:
        """When the timers of the running workflow fire."""
        events = (await self.reviver.client.get_workflow_handle(stream).fetch_history()).events
        return [
            event.event_time.ToDatetime(tzinfo=UTC)
            + event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
            for event in events
            if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED
        ]

    async def events(self) -> int:
        """How many events the ledger has."""
        return int(await self.pool.fetchval("select count(*) from event"))


@asynccontextmanager
async def _office(folder: Path) -> AsyncIterator[_Office]:
    """The instance on ``folder`` with everything the bench needs of it."""
    settings = Settings.load(data=folder)
    async with AsyncExitStack() as stack:
        key = MasterKey.load(settings.key_file, create=True)
        instance = Instance(
            folder,
            migrate=_prepare,
            ui=False,
            children=lambda at: [own_child("worker", ["-m", "runtime.begin", "worker"], at, folder)],
        )
        await stack.enter_async_context(instance)
        pool = await open_pool(instance.endpoints.postgres, size=PARALLEL + 2, role=APP_ROLE)
        stack.push_async_callback(pool.close)
        keys = PayloadKeys(key.payload_keys)
        client = await connect(instance.endpoints.temporal, instance.endpoints.namespace, keys=keys)
        desk = Desk(client, pool, Vault(key), task_queue=settings.task_queue, patience=timedelta(seconds=60))
        yield _Office(pool, Ours(desk, pool), Reviver(client, pool, task_queue=settings.task_queue))


async def _prepare(dsn: str) -> None:
    if not await migrate(dsn):
        return
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        await load_registry(conn, RawRegistry.of(NEIGHBOURHOOD), "bench")
        example = example_book()
        await store_rule_book(conn, example.version, example.model_dump(mode="json"))
        await store_calendar(conn, from_library())
    finally:
        await conn.close()


async def _each(items: Iterable[Any], ask: Callable[[Any], Awaitable[Any]]) -> list[Any]:
    """The answers for all items in order, a few asked at once."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(item: Any) -> Any:
        async with free:
            return await ask(item)

    return await asyncio.gather(*(one(item) for item in items))


def _right(timers: list[datetime], alarm: datetime | None) -> bool:
    return not timers if alarm is None else len(timers) == 1 and abs(timers[0] - alarm) < EXACT


def _passed(found: dict[str, Any]) -> bool:
    wrong = ("failed", "alarm_differs", "timer_differs", "doubled", "events_more", "second_run_begun")
    complete = found["begun"] == found["cases"] and not any(found[name] for name in wrong)
    return complete and found["per_s"] >= TARGET_PER_S


def main() -> None:
    """Print the figures; the exit code is 1 when a case did not come back as it was, or too slowly."""
    parser = argparse.ArgumentParser(prog="python -m bench.rehydrate", description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--cases", type=int, default=CASES, help=f"how many (default {CASES})")
    given = parser.parse_args()
    set_up_logging("error")
    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
        # A folder inside: as root the database server is another user, and must be let through.
        found = asyncio.run(figures(Path(folder) / "data", given.cases))
    if given.json:
        print(json.dumps(found))
    else:
        print(f"{found['begun']} of {found['cases']} cases begun again in {found['begun_s']} s: {found['per_s']}/s")
        print(f"  target {TARGET_PER_S}/s; all of them answering after {found['all_answering_s']} s")
        print(f"  alarms that differ {found['alarm_differs']}, timers that differ {found['timer_differs']}")
        print(f"  begun twice {found['doubled']}, events more {found['events_more']}")
        print(f"  a second run began {found['second_run_begun']} in {found['second_run_s']} s")
    leave(0 if _passed(found) else 1)


if __name__ == "__main__":
    main()
