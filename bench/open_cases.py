"""``python -m bench.open_cases``: what many open cases cost those that are being worked on.

Two offices stand beside each other, one empty, one that is filled: a case is acted on until its department has
accepted it, the ledger is given so many more like it, and their workflows are begun as ``bihuan rehydrate`` begins
them. Sides alternate as in ``python -m bench``, so that neither the machine's moods nor warm-up count. For each number
of open cases: loops per second, processor time and memory of the worker against the empty office, a burst of openings,
the first answer after a worker is started again, and after each process was killed. The cache of a worker holds fewer
cases than are open; before its memory is read each has closed as many loops as its cache holds.

The exit code is 0 when every bar is reached.
"""

import argparse
import asyncio
import os
import random
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from bench.copies import multiply
from bench.loop import HANDLER, act_of
from bench.meters import MICROSECOND, Throughput, closed_loops, median_of, median_ratio, percentile
from bench.office import PROCESSES, Office, each_of, office
from bench.results import hand_out, say
from console.desk import Pending, new_stream
from console.pacing import patiently
from console.reviving import Begun
from domain.errors import Refused
from runtime import event_loop
from runtime.leaving import leave
from runtime.logging import set_up_logging
from runtime.memory import settle
from runtime.tuning import memory_of
from workflows.ids import STATE

LOOPS_BAR, FIRST_ANSWER_BAR, MEMORY_BAR = 0.9, timedelta(seconds=3), 1.2
"""Share of the empty office's loops per second; answer after a restart; memory against the empty office's worker.

Nor may a worker take more than is reckoned for its cache (``runtime.tuning.memory_of``).
"""

CACHE = 1000
_BEGUN_CASES = 4
"""Acts that an open case has had: registered, whistled, dispatched, accepted."""
_AT_ONCE, _PARALLEL, _BATCH, _LOOK = 8, 24, 5000, 2000
_SIDE = {"worker": "worker", "temporal": "temporal", "postgres": "postgres", "client": "client"}
_PROGRESS = act_of("report_progress", HANDLER, "report_progress", text="正在处理")


@dataclass(frozen=True)
class Size:
    """How much is measured at each number of open cases; ``cases`` are those of a round and side."""

    rounds: int
    cases: int
    burst: int
    restarts: int


FULL = Size(rounds=10, cases=64, burst=500, restarts=3)


@dataclass
class Level:
    """What was measured with ``open`` cases; times in microseconds, memory in bytes."""

    open: int
    fill_per_s: float
    loops: dict[str, list[Throughput]] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    memory_of_empty: int = 0
    burst: list[int] = field(default_factory=list)
    burst_took: int = 0
    refused: int = 0
    restarts: list[int] = field(default_factory=list)
    recovery: dict[str, int] = field(default_factory=dict)


@dataclass
class Cache:
    """Memory of the worker, in bytes, by the number of cases in its cache, and how many the cache holds."""

    holds: int
    by_cases: dict[int, int] = field(default_factory=dict)

    @property
    def per_case(self) -> float:
        """Bytes of one case more in the cache, between the smallest and the largest number measured."""
        few, many = min(self.by_cases), max(self.by_cases)
        return (self.by_cases[many] - self.by_cases[few]) / max(1, many - few)


async def measure(folder: Path, levels: Sequence[int], size: Size, cache: int) -> tuple[Cache, list[Level]]:
    """Start both offices, fill the one step by step, and measure at every step."""
    say("启动 starting two offices")
    async with AsyncExitStack() as stack:
        worker = {"BIHUAN_MAX_CACHED_WORKFLOWS": str(cache)}
        empty = await stack.enter_async_context(office(folder / "empty", worker=worker))
        full = await stack.enter_async_context(office(folder / "full", worker=worker))
        for here in (empty, full):
            await closed_loops(here.ours, here.meter(), _SIDE, 3 * _AT_ONCE, _AT_ONCE)
        filling, found = _Filling(full, Cache(cache)), []
        await filling.begin()
        for level in levels:
            found.append(await _level(filling, empty, level, size))
        say("结束 stopping")
        return filling.cache, found


async def _level(filling: "_Filling", empty: Office, level: int, size: Size) -> Level:
    full = filling.here
    measured = Level(level, await filling.up_to(level))
    measured.loops = await _rounds(empty, full, size, filling.cache.holds)
    measured.memory = {name: _resident(full.pid(name)) for name in PROCESSES}
    measured.memory_of_empty = _resident(empty.pid("worker"))
    await _burst(full, measured, size.burst)
    for number in range(size.restarts):
        took = await _killed(full, "worker", signal.SIGTERM, filling.any_stream)
        measured.restarts.append(took)
        say(f"重启 restart {number + 1}/{size.restarts}: first answer after {took / 1e6:.2f} s")
    for name in PROCESSES:
        measured.recovery[name] = await _killed(full, name, signal.SIGKILL, filling.any_stream)
        say(f"杀死 killed {name}: first answer after {measured.recovery[name] / 1e6:.2f} s")
    return measured


class _Filling:
    """The office that is filled: its open cases, and what the cache of its worker weighs meanwhile."""

    def __init__(self, here: Office, cache: Cache) -> None:
        self.here, self.cache = here, cache
        self._template = ""
        self._streams: list[str] = []
        self._draw = random.Random(1)

    async def begin(self) -> None:
        """Act on the case that is copied."""
        self._template = new_stream("case")
        for number in range(_BEGUN_CASES):
            await self.here.ours.act(self._template, number, "")

    def any_stream(self) -> str:
        """One of the open cases; with many of them hardly one that the cache holds."""
        return self._draw.choice(self._streams)

    async def up_to(self, level: int) -> float:
        """Open cases until there are ``level``; how many a second were begun."""
        missing = level - len(self._streams)
        say(f"登记 {missing} cases into the ledger")
        fresh = await self._copied(missing)
        began, done = time.perf_counter(), 0
        for step in self._steps(len(fresh)):
            await self._start(fresh[done:step])
            done = step
            held = _resident(self.here.pid("worker"))
            if len(self._streams) + done <= self.cache.holds:
                self.cache.by_cases[len(self._streams) + done] = held
            per_s = done / (time.perf_counter() - began)
            say(f"开始 {done}/{missing} workflows, {per_s:.0f}/s, worker {_mib(held)} MiB")
        took = time.perf_counter() - began
        self._streams += fresh
        return missing / took

    async def _copied(self, missing: int) -> list[str]:
        # A connection of its own: those of the pool give up a statement after half a minute.
        conn: asyncpg.Connection = await asyncpg.connect(self.here.instance.endpoints.postgres)
        try:
            batches = [
                await multiply(conn, self._template, min(_BATCH, missing - first))
                for first in range(0, missing, _BATCH)
            ]
            await conn.execute("vacuum analyze")
        finally:
            await conn.close()
        return [stream for batch in batches for stream in batch]

    def _steps(self, missing: int) -> list[int]:
        """Where to stop and look: while the cache fills, and then at every so many."""
        looks = {*range(_LOOK, missing, _LOOK), missing}
        if not self._streams:
            looks |= {self.cache.holds // 4, self.cache.holds}
        return sorted(look for look in looks if 0 < look <= missing)

    async def _start(self, streams: list[str]) -> None:
        became = await each_of(streams, self.here.reviver.begin, _PARALLEL)
        if set(became) != {Begun.BEGUN}:
            raise RuntimeError(f"of {len(streams)} workflows {became.count(Begun.BEGUN)} were begun")
        # A start is answered before the worker has seen it; the queue is first come, first served.
        await each_of(streams[-2 * _PARALLEL :], self._has_begun, _PARALLEL)

    async def _has_begun(self, stream: str) -> None:
        await self.here.client.get_workflow_handle(stream).query(STATE)


async def _rounds(empty: Office, full: Office, size: Size, cache: int) -> dict[str, list[Throughput]]:
    sides = {"empty": empty, "full": full}
    meters = {name: here.meter() for name, here in sides.items()}
    rounds: dict[str, list[Throughput]] = {name: [] for name in sides}
    # One office has just been filled, the other has rested meanwhile: neither is what it is in a day's work. After the
    # last round both caches hold cases of these loops alone, which take more memory than those that were filled in.
    before = max(size.cases, cache - size.rounds * size.cases)
    for name, here in sides.items():
        say(f"预热 {before} loops in the {name} office")
        await closed_loops(here.ours, meters[name], _SIDE, before, _AT_ONCE)
    settle()
    for number in range(size.rounds):
        for name in list(sides)[:: 1 if number % 2 == 0 else -1]:
            await asyncio.sleep(0.5)
            done = await closed_loops(sides[name].ours, meters[name], _SIDE, size.cases, _AT_ONCE)
            rounds[name].append(done)
            say(f"{number + 1}/{size.rounds} {name:6} {done.loops_per_second:6.1f}/s {done.cpu_of_all:6.1f} ms CPU")
    return rounds


async def _burst(here: Office, measured: Level, count: int) -> None:
    """Open ``count`` cases at the same moment."""

    async def opening() -> None:
        began = time.perf_counter_ns()
        try:
            await here.ours.act(new_stream("case"), 0, "")
        except (Refused, Pending):
            measured.refused += 1
        else:
            measured.burst.append((time.perf_counter_ns() - began) // 1000)

    began = time.perf_counter_ns()
    await asyncio.gather(*(opening() for _ in range(count)))
    measured.burst_took = (time.perf_counter_ns() - began) // 1000
    say(f"突发 {count} openings at once: {measured.burst_took / 1e6:.1f} s, {measured.refused} refused")


async def _killed(here: Office, name: str, by: signal.Signals, stream: Callable[[], str]) -> int:
    """Microseconds from ending a process until an act on an open case is answered by those that are left or back.

    The act is sent once the process is gone, so that nothing of it can still answer.
    """
    pid = here.pid(name)
    began = time.perf_counter_ns()
    os.kill(pid, by)
    await _until(lambda: not psutil.pid_exists(pid))

    async def act() -> None:
        await here.ours.do(stream(), _PROGRESS)

    await patiently(act)
    took = (time.perf_counter_ns() - began) // 1000
    await _until(lambda: here.instance.pid_of(name) not in (None, pid) and here.instance.is_ready(name))
    return took


async def _until(holds: Callable[[], bool]) -> None:
    while True:
        if holds():
            return
        await asyncio.sleep(0.005)


def _resident(pid: int) -> int:
    return psutil.Process(pid).memory_info().rss


def as_object(cache: Cache, levels: Sequence[Level]) -> dict[str, Any]:
    """The figures for machines: seconds, milliseconds, mebibytes, and whether each bar is reached."""
    reckoned = memory_of(cache.holds)
    rows = [_as_row(level, reckoned) for level in levels]
    return {
        "passed": all(row["passed"] for row in rows),
        "bars": {
            "loops_ratio": LOOPS_BAR,
            "first_answer_s": FIRST_ANSWER_BAR.total_seconds(),
            "worker_memory_ratio": MEMORY_BAR,
            "burst_refused": 0,
        },
        "cache": cache.holds,
        "worker_mib_reckoned": _mib(reckoned),
        "worker_mib_by_cached_cases": {str(cases): _mib(held) for cases, held in sorted(cache.by_cases.items())},
        "kib_per_cached_case": round(cache.per_case / 1024, 1),
        "levels": rows,
    }


def _as_row(level: Level, reckoned: int) -> dict[str, Any]:
    ratio = median_ratio(level.loops["full"], level.loops["empty"], lambda each: each.loops_per_second)
    first, memory = statistics.median(level.restarts) / 1e6, level.memory["worker"] / level.memory_of_empty
    reached = (
        ratio >= LOOPS_BAR,
        first <= FIRST_ANSWER_BAR / timedelta(seconds=1),
        memory <= MEMORY_BAR,
        level.memory["worker"] <= reckoned,
        level.refused == 0,
    )
    return {
        "open": level.open,
        "passed": all(reached),
        "loops_ratio": round(ratio, 3),
        "cpu_ratio": round(median_ratio(level.loops["full"], level.loops["empty"], lambda each: each.cpu_of_all), 3),
        "loops_per_second": {
            name: round(median_of(each, lambda one: one.loops_per_second), 2) for name, each in level.loops.items()
        },
        "cpu_ms_per_case": {
            name: round(median_of(each, lambda one: one.cpu_of_all), 1) for name, each in level.loops.items()
        },
        "begun_per_s": round(level.fill_per_s, 1),
        "memory_mib": {name: _mib(held) for name, held in level.memory.items()},
        "worker_memory_ratio": round(memory, 3),
        "worker_mib_of_empty": _mib(level.memory_of_empty),
        "burst": {
            "openings": len(level.burst) + level.refused,
            "refused": level.refused,
            "p50_ms": round(percentile(level.burst, 50)),
            "p95_ms": round(percentile(level.burst, 95)),
            "per_s": round(len(level.burst) / (level.burst_took * MICROSECOND / timedelta(seconds=1)), 1),
        },
        "first_answer_s": round(first, 2),
        "first_answers_s": [round(each / 1e6, 2) for each in level.restarts],
        "recovery_s": {name: round(took / 1e6, 2) for name, took in level.recovery.items()},
        "others_percent": max(each.others for rounds in level.loops.values() for each in rounds),
    }


def _mib(held: int) -> int:
    return held // 1024 // 1024


def show(found: dict[str, Any]) -> None:
    """Print the figures for people."""
    each, most = found["kib_per_cached_case"], found["worker_mib_reckoned"]
    print(f"cache of {found['cache']} cases, {each} KiB each, {most} MiB reckoned for such a worker")
    for row in found["levels"]:
        loops, burst, memory = row["loops_per_second"], row["burst"], row["memory_mib"]
        print(f"{row['open']} open: {'达标 reached' if row['passed'] else '未达标 MISSED'}")
        print(f"  loops/s {loops['full']} of {loops['empty']}: {row['loops_ratio']}, CPU × {row['cpu_ratio']}")
        print(f"  worker {memory['worker']} MiB (× {row['worker_memory_ratio']}), Temporal {memory['temporal']} MiB")
        times = f"p50 {burst['p50_ms']} p95 {burst['p95_ms']} ms"
        print(f"  burst of {burst['openings']}: {times}, refused {burst['refused']}")
        print(f"  first answer after a restart {row['first_answer_s']} s; after a kill {row['recovery_s']}")


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.open_cases", description=__doc__.split("\n")[0])
    parser.add_argument("--open", type=int, nargs="+", default=[10_000], help="how many cases are open, one or more")
    parser.add_argument("--cache", type=int, default=CACHE, help="cases the worker keeps in memory")
    parser.add_argument("--rounds", type=int, default=FULL.rounds, help="rounds of each side at each number")
    parser.add_argument("--cases", type=int, default=FULL.cases, help="loops of one round and side")
    parser.add_argument("--burst", type=int, default=FULL.burst, help="openings at the same moment")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    given = parser.parse_args()
    set_up_logging("error")
    size = Size(given.rounds, given.cases, given.burst, FULL.restarts)
    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
        cache, levels = event_loop.run(measure(Path(folder), sorted(given.open), size, given.cache))
    found = as_object(cache, levels)
    hand_out("open_cases", found, as_json=given.json)
    if not given.json:
        show(found)
    leave(0 if found["passed"] else 1)


if __name__ == "__main__":
    main()
