"""What is measured and how: processor time by process, answers by act, closed loops by time.

Owns the figures and their medians. All times are integers of microseconds until they are shown.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

import psutil

from bench.loop import Side, play

MICROSECOND = timedelta(microseconds=1)


class Meter:
    """Processor time used so far by each named process and its living and ended children, in microseconds."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}

    def read(self) -> dict[str, int]:
        """The reading now; the difference of two readings is what was used in between."""
        return {name: _used(process, alone=name == "client") for name, process in self._processes.items()}


def _used(process: psutil.Process, *, alone: bool) -> int:
    own = process.cpu_times()
    seconds = own.user + own.system
    if not alone:
        # An ended child is counted by its parent from then on, so nothing is lost and nothing counted twice.
        seconds += own.children_user + own.children_system
        for child in process.children(recursive=True):
            try:
                times = child.cpu_times()
            except psutil.NoSuchProcess:
                continue
            seconds += times.user + times.system
    return round(seconds * 1_000_000)


def machine() -> tuple[int, int]:
    """Processor time used by the whole machine and processor time there was, in microseconds since its start."""
    times = psutil.cpu_times()
    total = sum(times) - getattr(times, "guest", 0) - getattr(times, "guest_nice", 0)
    idle = times.idle + getattr(times, "iowait", 0)
    return round((total - idle) * 1_000_000), round(total * 1_000_000)


@dataclass(frozen=True)
class Throughput:
    """One side in one round: cases closed, time taken, processor time per process, all in microseconds.

    ``others`` is the share of the machine, in percent, that processes foreign to this measurement used meanwhile.
    """

    cases: int
    took: int
    cpu: dict[str, int]
    others: int

    @property
    def loops_per_second(self) -> float:
        """Closed loops per second."""
        return self.cases * 1_000_000 / self.took

    def cpu_per_case(self, name: str) -> float:
        """Milliseconds of processor time of one process per case."""
        return self.cpu[name] / self.cases / 1000

    @property
    def cpu_of_all(self) -> float:
        """Milliseconds of processor time of all processes per case."""
        return sum(self.cpu.values()) / self.cases / 1000


async def closed_loops(side: Side, meter: Meter, names: Mapping[str, str], cases: int, at_once: int) -> Throughput:
    """Close ``cases`` cases with always ``at_once`` of them under way.

    ``names`` maps the meter's processes that belong to the side to the names they are shown under.
    """
    numbers = count()

    async def person() -> None:
        while next(numbers) < cases:
            await play(side)

    cpu, (busy, there), began = meter.read(), machine(), time.perf_counter_ns()
    await asyncio.gather(*(person() for _ in range(at_once)))
    took = (time.perf_counter_ns() - began) // 1000
    busy_after, there_after = machine()
    after = meter.read()
    used = {shown: after[name] - cpu[name] for name, shown in names.items()}
    ours = sum(after[name] - cpu[name] for name in after)
    others = max(0, busy_after - busy - ours) * 100 // max(1, there_after - there)
    return Throughput(cases, took, used, others)


@dataclass
class Answers:
    """How long answers took, by act, in microseconds."""

    by_act: dict[str, list[int]] = field(default_factory=dict)

    def note(self, label: str, took: timedelta) -> None:
        """Keep one answer."""
        self.by_act.setdefault(label, []).append(took // MICROSECOND)

    @property
    def all(self) -> list[int]:
        """The answers of all acts together."""
        return [took for each in self.by_act.values() for took in each]


def percentile(values: Sequence[int], share: int) -> float:
    """The value in milliseconds below which ``share`` percent of ``values`` (microseconds) lie."""
    ordered = sorted(values)
    position = min(len(ordered) - 1, len(ordered) * share // 100)
    return ordered[position] / 1000


def median_of(rounds: Sequence[Throughput], figure: Callable[[Throughput], float]) -> float:
    """The median of one figure over the rounds."""
    return statistics.median(figure(each) for each in rounds)


def median_ratio(
    ours: Sequence[Throughput], theirs: Sequence[Throughput], figure: Callable[[Throughput], float]
) -> float:
    """The median over the rounds of our figure divided by theirs of the same round."""
    return statistics.median(figure(a) / figure(b) for a, b in zip(ours, theirs, strict=True))
