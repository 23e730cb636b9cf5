"""What other ways through a case leave in Temporal: on the spot, returned and given to another, rework, more time.

Owns the scripts of these paths; the plain loop is theirs with a few acts more, fewer or by others.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client

from bench.loop import (
    AFTER,
    BEFORE,
    DISPATCHER,
    GRID,
    HANDLER,
    OTHER,
    OTHER_HANDLER,
    PLAIN_LOOP,
    WORKER,
    Act,
    act_of,
)
from bench.ours import Ours
from console.desk import new_stream

_BY_LABEL = {act.label: act for act in PLAIN_LOOP}


def _part(begin: str, end: str) -> tuple[Act, ...]:
    labels = list(_BY_LABEL)
    return PLAIN_LOOP[labels.index(begin) : labels.index(end) + 1]


PATHS: dict[str, tuple[Act, ...]] = {
    "plain_loop": PLAIN_LOOP,
    "on_the_spot": (
        act_of("register", WORKER, "register", title="楼道堆物", text="楼道堆放纸箱", grid=GRID, category="K02"),
        act_of("handle_on_spot", WORKER, "handle_on_spot", measures="当场清理", evidence=[*BEFORE, *AFTER]),
    ),
    "returned": (
        *_part("register", "dispatch"),
        act_of(
            "return_task", HANDLER, "return_task", reason="不属我部门", legal_basis="职责清单第三条", proposed=OTHER
        ),
        act_of("dispatch 2", DISPATCHER, "dispatch", lead=OTHER),
        Act("accept", OTHER_HANDLER, _BY_LABEL["accept"].command),
        Act("strike_off", OTHER_HANDLER, _BY_LABEL["strike_off"].command),
        *_part("verify", "visit"),
        Act("appraise", _BY_LABEL["appraise"].actor, {**_BY_LABEL["appraise"].command, "department": OTHER}),
    ),
    "rework": (
        *_part("register", "strike_off"),
        act_of("verify failed", WORKER, "verify", passed=False, note="还有一盏不亮", evidence=AFTER),
        *_part("strike_off", "appraise"),
    ),
    "extension": (
        *_part("register", "accept"),
        act_of("request_extension", HANDLER, "request_extension", length="1wd", reason="材料未到"),
        act_of("decide_extension", DISPATCHER, "decide_extension", granted=True, reason="同意"),
        *_part("strike_off", "appraise"),
    ),
}


@dataclass(frozen=True)
class Path:
    """One path as it was walked: acts of people, events and bytes of history."""

    acts: int
    events: int
    size: int


async def walk(ours: Ours, client: Client) -> dict[str, Path]:
    """Walk every path once with a case of its own, and read what Temporal has kept of it."""
    found = {}
    for name, acts in PATHS.items():
        stream, digest = new_stream("case"), ""
        for act in acts:
            if act.command["kind"] == "sign" and not digest:
                digest = await ours.digest(stream)
            await ours.do(stream, act, digest)
        events = await settled_history(client, stream)
        found[name] = Path(len(acts), len(events), sum(event.ByteSize() for event in events))
    return found


async def settled_history(client: Client, stream: str) -> Sequence[HistoryEvent]:
    """The history of a workflow that has answered, once the engine has written all that follows from the answer."""
    handle, before = client.get_workflow_handle(stream), -1
    while True:
        events = (await handle.fetch_history()).events
        if len(events) == before:
            return events
        before = len(events)
        await asyncio.sleep(0.3)
