"""``python -m bench``: the plain loop on our shell, on four peers and on the database alone, in one go.

Owns the order of the rounds. Sides alternate, and every other round runs in the opposite order, so that neither drift
nor warm-up favours one of them. The exit code is 0 when our closed loops per second reach the bar, 1 when they do not.
Afterwards the doors are measured and shown; their own bars, which others on the machine move, decide about the exit
code of ``python -m bench.doors`` only.

``--report FILE`` measures nothing: it makes one page with charts from what the commands of the bench have kept.
"""

import argparse
import asyncio
import random
import sys
import tempfile
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from bench import doors, page
from bench.bare import LIKE_OURS, Bare, Design
from bench.durable import Durable, is_installed
from bench.floor import Floor
from bench.loop import PLAIN_LOOP, Side, play
from bench.meters import Answers, Meter, Throughput, closed_loops
from bench.office import Office, office
from bench.paths import settled_history, walk
from bench.report import Figures, History, as_object, show
from bench.results import hand_out, keep, say
from bench.writes import LoopWrites, rows_of
from domain.case.vocabulary import PHASES, Stage
from domain.errors import Refused
from runtime import event_loop
from runtime.children import Child
from runtime.embedded import own_child
from runtime.leaving import leave
from runtime.logging import set_up_logging
from runtime.memory import settle

_ENGINE = {"temporal": "temporal", "postgres": "postgres", "client": "client"}
# The processes of each side by the meter's name, and the name they are shown under. DBOS lives in the client.
MEMBERS = {
    "ours": {"worker": "worker", **_ENGINE},
    **{design.value: {"bare": "worker", **_ENGINE} for design in Design},
    "dbos": {"postgres": "postgres", "client": "client"},
    "floor": {"postgres": "postgres", "client": "client"},
}


@dataclass(frozen=True)
class Size:
    """How much is measured; ``cases`` (of a round) and ``slow_cases`` are numbers of cases of each side.

    A side that is known to be slow plays the part of the cases that ``FEWER`` names: what is compared is its speed.
    """

    rounds: int
    cases: int
    at_once: int
    slow_cases: int


FULL = Size(rounds=10, cases=80, at_once=8, slow_cases=20)
QUICK = Size(rounds=6, cases=32, at_once=8, slow_cases=4)
FEWER = {"dbos": 2}

OPTIONAL = ("indexed", "usual", "dbos")

# Cases in the ledger, and how often each page is asked.
_DOORS, _DOORS_QUICK = (100_000, 40), (20_000, 10)


async def measure(
    folder: Path, size: Size, without: frozenset[str] = frozenset(), *, like_ours: bool = False
) -> Figures:
    """Start everything on ``folder``, measure, stop everything."""
    say("启动 starting PostgreSQL, Temporal and the workers")
    async with AsyncExitStack() as stack:
        here = await stack.enter_async_context(office(folder))
        ours = await play(here.ours)
        async with here.plain.acquire() as conn:
            writes = await LoopWrites.recorded(conn, ours)
        sides, worker = await _sides(stack, here, writes, size, without, like_ours=like_ours)
        histories = {}
        for name, side in sides.items():
            async with _at_work(side):
                stream = ours if name == "ours" else await play(side)
            if name != "ours":
                await _compare(here, name, stream, ours)
            if "temporal" in MEMBERS[name]:
                histories[name] = await _history(here.client, stream, writes)
        for side in sides.values():
            async with _at_work(side):
                await asyncio.gather(*(play(side) for _ in range(size.at_once)))
        settle()  # as a console does, for which this process stands; DBOS lives in it
        assert worker.pid is not None, "the worker of the peers is down"
        rounds = await _rounds(sides, here.meter(bare=worker.pid), size)
        answers = await _answers(sides, size)
        paths = await walk(here.ours, here.client)
        say("结束 stopping")
        return Figures(rounds=rounds, answers=answers, histories=histories, paths=paths, at_once=size.at_once)


async def _sides(
    stack: AsyncExitStack,
    here: Office,
    writes: LoopWrites,
    size: Size,
    without: frozenset[str],
    *,
    like_ours: bool,
) -> tuple[dict[str, Side], Child]:
    """Every side that takes part, and the process that works for those on plain Temporal."""
    endpoints = here.instance.endpoints
    writes.save(here.folder / "writes.json")
    command = ["-m", "bench.bare", str(here.folder / "writes.json"), *([LIKE_OURS] if like_ours else [])]
    worker = Child(own_child("bare", command, endpoints, here.folder), here.instance.logs)
    stack.push_async_callback(worker.stop)
    await worker.start()
    client = await Client.connect(endpoints.temporal, namespace=endpoints.namespace)
    designs = [design for design in Design if design.value not in without]
    sides: dict[str, Side] = {"ours": here.ours}
    sides |= {design.value: Bare(client, here.plain, design) for design in designs}
    if "dbos" not in without:
        durable = Durable(endpoints.postgres, here.plain, writes, at_once=size.at_once)
        stack.callback(durable.stop)
        sides["dbos"] = durable
    sides["floor"] = Floor(here.plain, writes)
    return sides, worker


async def _compare(here: Office, name: str, stream: str, ours: str) -> None:
    """A peer that writes less than a case of ours, or more, is no peer."""
    theirs, wanted = await rows_of(here.plain, stream, "bare_"), await rows_of(here.plain, ours)
    if theirs != wanted:
        raise RuntimeError(f"{name} wrote {theirs}, ours {wanted}")


async def _history(client: Client, stream: str, writes: LoopWrites) -> History:
    events = await settled_history(client, stream)
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
        for name in list(sides)[:: 1 if number % 2 == 0 else -1]:
            async with _at_work(sides[name]):
                # The work an engine still does after its last answer must not be charged to the next side.
                await asyncio.sleep(0.5)
                cases = size.cases // FEWER.get(name, 1)
                done = await closed_loops(sides[name], meter, MEMBERS[name], cases, size.at_once)
            rounds[name].append(done)
            say(f"{number + 1}/{size.rounds} {name:9} {done.loops_per_second:6.1f}/s {done.cpu_of_all:6.1f} ms CPU")
    return rounds


async def _answers(sides: Mapping[str, Side], size: Size) -> dict[str, Answers]:
    """Play cases one at a time, with pauses before every act, so that nobody waits for anybody else's act."""
    draw = random.Random(1)
    pauses = [timedelta(milliseconds=draw.randrange(20, 80)) for _ in range(len(PLAIN_LOOP))]
    answers = {name: Answers() for name in sides if name in ("ours", "bare", "usual", "dbos")}
    say(f"答复时间 answers at human pace, {size.slow_cases} cases of each side")
    # DBOS comes after the others, who take turns: it would have to begin anew for every case.
    alone = [name for name in answers if isinstance(sides[name], Durable)]
    for names in ([name for name in answers if name not in alone], alone):
        async with AsyncExitStack() as stack:
            for name in names:
                await stack.enter_async_context(_at_work(sides[name]))
            for _ in range(size.slow_cases):
                for name in names:
                    await play(sides[name], answers[name].note, pauses)
    return answers


def _at_work(side: Side) -> AbstractAsyncContextManager[None]:
    """What is needed for ``side`` to take acts, and would burden the others."""
    return side.at_work() if isinstance(side, Durable) else nullcontext()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="about three minutes instead of eleven")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--without", action="append", default=[], choices=OPTIONAL, help="leave a peer out; repeatable")
    parser.add_argument(
        "--peers-like-ours", action="store_true", help="the peers' worker on uvloop and without threads, as ours is"
    )
    parser.add_argument("--no-doors", action="store_true", help="leave out the pages")
    parser.add_argument("--report", type=Path, metavar="FILE", help="make the page of all figures; measure nothing")
    return parser.parse_args()


def main() -> None:
    """Parse the arguments, measure in a temporary folder, show the figures; or make the page."""
    arguments = _arguments()
    set_up_logging("warning")
    if arguments.report is not None:
        page.write(arguments.report)
        say(f"{arguments.report}")
        leave(0)
    without = frozenset(arguments.without)
    if "dbos" not in without and not is_installed():
        say("没有安装 DBOS，不参加比较 DBOS is not installed and left out: make bench installs it")
        without |= {"dbos"}
    code = 1
    try:
        with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
            figures = event_loop.run(
                measure(Path(folder), QUICK if arguments.quick else FULL, without, like_ours=arguments.peers_like_ours)
            )
        found = as_object(figures)
        console = Console(stderr=arguments.json, width=None if sys.stderr.isatty() else 132)
        show(figures, console)
        if not arguments.no_doors:
            say("页面 the doors")
            at_doors = asyncio.run(doors.run(*(_DOORS_QUICK if arguments.quick else _DOORS)))
            doors.show(at_doors, console)
            found["doors"] = doors.as_object(at_doors)
            keep("doors", found["doors"])
        hand_out("loop", found, as_json=arguments.json)
        code = 0 if figures.passed else 1
    except Refused as refused:
        say(refused.refusal.sentence())
    leave(code)


if __name__ == "__main__":
    main()
