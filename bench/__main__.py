"""``python -m bench``: the plain loop on our shell, on the bare engine and on the database alone, in one go.

Owns the servers for the run and the order of the rounds. Sides alternate, and every other round begins with the
bare engine, so that neither drift nor warm-up favours one of them. The exit code is 0 when our closed loops per second
reach the bar, 1 when they do not. Afterwards the doors are measured and shown; their own bars, which others on the
machine move, decide about the exit code of ``python -m bench.doors`` only.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import asyncpg
from rich.console import Console
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from bench import doors
from bench.bare import Bare
from bench.floor import Floor
from bench.loop import NEIGHBOURHOOD, PLAIN_LOOP, Side, play
from bench.meters import Answers, Meter, Throughput, closed_loops
from bench.ours import Ours
from bench.report import Figures, History, as_object, show
from bench.writes import LoopWrites, make_tables
from console.desk import Desk
from domain.case.vocabulary import PHASES, Stage
from domain.errors import Refused
from domain.registry_problem import RawRegistry
from ledger.calendar_files import from_library
from ledger.calendars import store_calendar
from ledger.migrate import migrate
from ledger.registry import load_registry, store_rule_book
from ledger.rule_files import example_book
from ledger.vault import MasterKey, Vault
from runtime.children import Child
from runtime.codec import PayloadKeys
from runtime.embedded import Instance, own_child
from runtime.leaving import leave
from runtime.logging import set_up_logging
from runtime.pool import open_pool
from runtime.settings import Settings
from runtime.temporal import connect
from worker import APP_ROLE

# The processes of each side by the meter's name, and the name they are shown under.
MEMBERS = {
    "ours": {"worker": "worker", "temporal": "temporal", "postgres": "postgres", "client": "client"},
    "bare": {"bare": "worker", "temporal": "temporal", "postgres": "postgres", "client": "client"},
    "indexed": {"bare": "worker", "temporal": "temporal", "postgres": "postgres", "client": "client"},
    "floor": {"postgres": "postgres", "client": "client"},
}


@dataclass(frozen=True)
class Size:
    """How much is measured; ``cases`` (of a round) and ``slow_cases`` are numbers of cases of each side."""

    rounds: int
    cases: int
    at_once: int
    slow_cases: int


FULL = Size(rounds=10, cases=80, at_once=8, slow_cases=20)
QUICK = Size(rounds=6, cases=32, at_once=8, slow_cases=4)


# Cases in the ledger, and how often each page is asked.
_DOORS, _DOORS_QUICK = (100_000, 40), (20_000, 10)


def say(line: str) -> None:
    """Show progress, on standard error."""
    print(line, file=sys.stderr, flush=True)


async def measure(folder: Path, size: Size) -> Figures:
    """Start everything on ``folder``, measure, stop everything."""
    settings = Settings.load(data=folder)
    async with AsyncExitStack() as stack:
        say("启动 starting PostgreSQL, Temporal and the workers")
        key = MasterKey.load(settings.key_file, create=True)
        begin = ["-m", "runtime.begin", "worker"]
        instance = Instance(folder, migrate=_prepare, children=lambda at: [own_child("worker", begin, at, folder)])
        await stack.enter_async_context(instance)
        endpoints = instance.endpoints
        pool = await open_pool(endpoints.postgres, size=settings.pool_size, role=APP_ROLE, name="bench ours")
        plain = await open_pool(endpoints.postgres, size=settings.pool_size, name="bench bare", resets=False)
        for each in (pool, plain):
            stack.push_async_callback(each.close)
        keys = PayloadKeys(key.payload_keys)
        client = await connect(endpoints.temporal, endpoints.namespace, keys=keys)
        ours = Ours(Desk(client, pool, Vault(key), task_queue=settings.task_queue), pool)
        async with plain.acquire() as conn:
            writes = await LoopWrites.recorded(conn, await play(ours))
        writes.save(folder / "writes.json")
        command = ["-m", "bench.bare", str(folder / "writes.json")]
        peer = Child(own_child("bare", command, endpoints, folder), instance.logs)
        stack.push_async_callback(peer.stop)
        await peer.start()
        peer_client = await Client.connect(endpoints.temporal, namespace=endpoints.namespace)
        peers = {name: Bare(peer_client, plain, indexed=name == "indexed") for name in ("bare", "indexed")}
        sides: dict[str, Side] = {"ours": ours, **peers, "floor": Floor(plain, writes)}
        histories = {name: await _history(client, await play(sides[name]), writes) for name in ("ours", *peers)}
        for side in sides.values():
            await asyncio.gather(*(play(side) for _ in range(size.at_once)))
        rounds = await _rounds(sides, _meter(instance, peer), size)
        answers = await _answers(sides, size)
        say("结束 stopping")
        return Figures(rounds=rounds, answers=answers, histories=histories, at_once=size.at_once)


async def _prepare(dsn: str) -> None:
    """Migrate, load the neighbourhood and the rules, and make the plain tables of the other two sides."""
    await migrate(dsn)
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        await load_registry(conn, RawRegistry.of(NEIGHBOURHOOD), "bench")
        example = example_book()
        await store_rule_book(conn, example.version, example.model_dump(mode="json"))
        await store_calendar(conn, from_library())
        await make_tables(conn)
    finally:
        await conn.close()


def _meter(instance: Instance, peer: Child) -> Meter:
    pids = {"client": os.getpid(), "bare": peer.pid}
    pids |= {name: instance.pid_of(name) for name in ("worker", "temporal", "postgres")}
    return Meter({name: pid for name, pid in pids.items() if pid is not None})


async def _history(client: Client, stream: str, writes: LoopWrites) -> History:
    events = (await client.get_workflow_handle(stream).fetch_history()).events
    upsert = EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES
    stages = [act.rows["case_row"][0]["stage"] for act in writes.acts]
    return History(
        events=len(events),
        size=sum(event.ByteSize() for event in events),
        upserts=sum(event.event_type == upsert for event in events),
        phases=len({PHASES[Stage(stage)] for stage in stages}),
    )


async def _rounds(sides: Mapping[str, Side], meter: Meter, size: Size) -> dict[str, list[Throughput]]:
    rounds: dict[str, list[Throughput]] = {name: [] for name in sides}
    for number in range(size.rounds):
        order = ("ours", "bare", "indexed", "floor") if number % 2 == 0 else ("indexed", "bare", "ours", "floor")
        for name in order:
            # The work an engine still does after its last answer must not be charged to the next side.
            await asyncio.sleep(0.5)
            done = await closed_loops(sides[name], meter, MEMBERS[name], size.cases, size.at_once)
            rounds[name].append(done)
            say(f"{number + 1}/{size.rounds} {name:9} {done.loops_per_second:6.1f}/s {done.cpu_of_all:6.1f} ms CPU")
    return rounds


async def _answers(sides: Mapping[str, Side], size: Size) -> dict[str, Answers]:
    """Play cases one at a time, with pauses before every act, so that nobody waits for anybody else's act."""
    draw = random.Random(1)
    pauses = [timedelta(milliseconds=draw.randrange(20, 80)) for _ in range(len(PLAIN_LOOP))]
    answers = {"ours": Answers(), "bare": Answers()}
    say(f"答复时间 answers at human pace, {size.slow_cases} cases of each side")
    for _ in range(size.slow_cases):
        for name, each in answers.items():
            await play(sides[name], each.note, pauses)
    return answers


def main() -> None:
    """Parse the arguments, measure in a temporary folder, show the figures."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about one minute instead of five")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    arguments = parser.parse_args()
    set_up_logging("warning")
    code = 1
    try:
        with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
            figures = asyncio.run(measure(Path(folder), QUICK if arguments.quick else FULL))
        console = Console(stderr=arguments.json, width=None if sys.stderr.isatty() else 112)
        show(figures, console)
        say("页面 the doors")
        at_doors = asyncio.run(doors.run(*(_DOORS_QUICK if arguments.quick else _DOORS)))
        doors.show(at_doors, console)
        if arguments.json:
            print(json.dumps({**as_object(figures), "doors": doors.as_object(at_doors)}, ensure_ascii=False))
        code = 0 if figures.passed else 1
    except Refused as refused:
        say(refused.refusal.sentence())
    leave(code)


if __name__ == "__main__":
    main()
