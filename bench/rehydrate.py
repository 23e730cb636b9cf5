"""``python -m bench.rehydrate``: Temporal's whole store is deleted, and every open case comes back from the ledger.

Owns the cases: opened through the desk and left at different stages. Everything is stopped, the store deleted and all
started again; then one run brings the workflows back while worker and servers run. What is measured is that run; what
is checked is that every workflow has its alarm as it was with a timer that fires then, that nothing was begun twice,
and that the ledger has no event more. A second run must find nothing to do. ``--json`` prints one object.
"""

import argparse
import asyncio
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import EventType

from bench.office import Office, each_of, office
from bench.results import hand_out, say
from console.desk import new_stream
from console.rehydrating import Rehydration
from domain.process import Start
from runtime.leaving import leave
from runtime.logging import set_up_logging
from workflows.ids import STATE

CASES = 1000
TARGET_PER_S = 30
ACTS = (1, 2, 3, 4)
"""How many acts of the loop a case has had: registered, whistled, dispatched, accepted."""
EXACT = timedelta(seconds=2)


async def figures(folder: Path, cases: int) -> dict[str, Any]:
    """Open the cases, lose the store, bring them back."""
    say(f"登记 opening {cases} cases")
    async with office(folder) as here:
        cast = _Cast(here)
        streams = await each_of(range(cases), cast.opened)
        alarms = dict(zip(streams, await each_of(streams, cast.alarm), strict=True))
        events = await cast.events()
    _lose_store(folder)
    say("恢复 the store is deleted; bringing them back")
    async with office(folder) as here:
        cast = _Cast(here)
        began = time.perf_counter()
        tally = await Rehydration(here.reviver, here.pool).run()
        begun_s = time.perf_counter() - began
        held = dict(zip(streams, await each_of(streams, cast.alarm), strict=True))
        answering_s = time.perf_counter() - began
        timers = dict(zip(streams, await each_of(streams, cast.timers), strict=True))
        again_from = time.perf_counter()
        again = await Rehydration(here.reviver, here.pool).run()
        again_s = time.perf_counter() - again_from
        runs = [each async for each in here.client.list_workflows("WorkflowType = 'Case'")]
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
            "events_more": await cast.events() - events,
            "second_run_begun": again.begun,
            "second_run_s": round(again_s, 1),
        }


def _lose_store(folder: Path) -> None:
    for path in folder.glob("temporal.db*"):
        path.unlink()


class _Cast:
    """The cases of the bench, in the office that runs now."""

    def __init__(self, here: Office) -> None:
        self._here = here

    async def opened(self, number: int) -> str:
        """A case that has come as far as its number says."""
        stream = new_stream("case")
        for act in range(ACTS[number % len(ACTS)]):
            await self._here.ours.act(stream, act, "")
        return stream

    async def alarm(self, stream: str) -> datetime | None:
        """The alarm the workflow waits for."""
        handle = self._here.client.get_workflow_handle(stream)
        held: Start = await handle.query(STATE, result_type=Start)
        return held.plan.alarm if held.plan is not None else None

    async def timers(self, stream: str) -> list[datetime]:
        """When the timers of the running workflow fire."""
        events = (await self._here.client.get_workflow_handle(stream).fetch_history()).events
        return [
            event.event_time.ToDatetime(tzinfo=UTC)
            + event.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
            for event in events
            if event.event_type == EventType.EVENT_TYPE_TIMER_STARTED
        ]

    async def events(self) -> int:
        """How many events the ledger has."""
        return int(await self._here.pool.fetchval("select count(*) from event"))


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
    hand_out("rehydrate", found, as_json=given.json)
    if not given.json:
        print(f"{found['begun']} of {found['cases']} cases begun again in {found['begun_s']} s: {found['per_s']}/s")
        print(f"  target {TARGET_PER_S}/s; all of them answering after {found['all_answering_s']} s")
        print(f"  alarms that differ {found['alarm_differs']}, timers that differ {found['timer_differs']}")
        print(f"  begun twice {found['doubled']}, events more {found['events_more']}")
        print(f"  a second run began {found['second_run_begun']} in {found['second_run_s']} s")
    leave(0 if _passed(found) else 1)


if __name__ == "__main__":
    main()
