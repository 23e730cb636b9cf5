"""What goes wrong, when and where: drawn from a seed, done to the processes and wires of one town.

Owns the faults. Signals only processes of its own town, each found by the town's own record of them.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psutil

from bench.diary import Diary
from tests.chaos.town import LINKS, PROCESSES, Town
from tests.waiting import eventually

_READY_WITHIN = 180.0
A_BACKEND, EVERYTHING = "a backend", "everything"


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong: ``what`` is done to the process or wire ``on`` for ``seconds`` (kills: at once)."""

    what: str
    on: str
    seconds: float = 0.0
    how: str = ""

    def __str__(self) -> str:
        rest = f" {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.what} {self.on}{rest}{' ' + self.how if self.how else ''}"


def faults(dice: random.Random) -> Iterator[tuple[Fault, ...]]:
    """Rounds of one or two faults without end; every fault comes before any comes again."""
    on_processes, on_wires = _shuffled(dice, _of_processes), _shuffled(dice, _of_wires)
    while True:
        roll = dice.random()
        if roll < 0.5:
            yield (next(on_processes),)
        elif roll < 0.75:
            yield (next(on_wires),)
        else:
            yield next(on_processes), next(on_wires)


def _shuffled(dice: random.Random, deck: Callable[[random.Random], list[Fault]]) -> Iterator[Fault]:
    while True:
        cards = deck(dice)
        dice.shuffle(cards)
        yield from cards


def _of_processes(dice: random.Random) -> list[Fault]:
    kills = [Fault("kill", name) for name in PROCESSES]
    pauses = [Fault("pause", name, dice.uniform(1, 9)) for name in PROCESSES]
    return [*kills, *kills, *pauses, Fault("kill", A_BACKEND), Fault("kill", EVERYTHING)]


def _of_wires(dice: random.Random) -> list[Fault]:
    cards: list[Fault] = []
    for name in LINKS:
        cards += [
            Fault("cut", name, dice.uniform(0.5, 8)),
            Fault("slow", name, dice.uniform(2, 8), f"{dice.uniform(0.05, 0.8):.2f}"),
            Fault("hold", name, dice.uniform(1, 9), dice.choice(["there", "back", "there back"])),
            Fault("hold and reset", name, dice.uniform(1, 9), dice.choice(["there", "back", "there back"])),
            Fault("deaden", name),
        ]
    return cards


class Nemesis:
    """Lets one round of faults follow the other."""

    def __init__(self, town: Town, diary: Diary, dice: random.Random) -> None:
        self._town, self._diary, self._dice = town, diary, dice
        self.rounds = faults(dice)

    async def run(self, stop: asyncio.Event, *, every: tuple[float, float] = (1.5, 4.0)) -> None:
        """Round after round until ``stop``; what was begun is undone before this returns."""
        while not stop.is_set():
            await asyncio.gather(*(self._do(fault) for fault in next(self.rounds)))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self._dice.uniform(*every))

    async def _do(self, fault: Fault) -> None:
        self._diary.note("fault", what=fault.what, on=fault.on, seconds=round(fault.seconds, 1), how=fault.how)
        if fault.what == "kill":
            await self._kill(fault.on)
        elif fault.what == "pause":
            await self._pause(fault.on, fault.seconds)
        else:
            await self._spoil(fault)
        self._diary.note("healed", what=fault.what, on=fault.on)

    async def _spoil(self, fault: Fault) -> None:
        link = self._town.links[fault.on]
        if fault.what == "cut":
            link.cut()
        elif fault.what == "slow":
            link.slow(float(fault.how))
        elif fault.what == "deaden":
            link.deaden()
        else:
            link.hold(*fault.how.split())
        # How long it lasts is the fault itself.
        await asyncio.sleep(fault.seconds)
        link.heal(reset=fault.what == "hold and reset")

    async def _kill(self, name: str) -> None:
        if name == A_BACKEND:
            await self._kill_a_backend()
            return
        names = PROCESSES if name == EVERYTHING else (name,)
        await asyncio.gather(*(self.kill(each) for each in names))

    async def kill(self, name: str) -> float:
        """Kill -9 a process with all of its own, wait until another one is ready; how many seconds that took."""
        instance = self._town.instance
        await eventually(lambda: self._is_ready(name), f"{name} is there to be killed", within=_READY_WITHIN)
        pid = instance.pid_of(name)
        began = asyncio.get_running_loop().time()
        for process in tree(pid):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

        async def replaced() -> bool:
            return instance.is_ready(name) and instance.pid_of(name) != pid

        await eventually(replaced, f"{name} is ready again", within=_READY_WITHIN)
        took = asyncio.get_running_loop().time() - began
        self._diary.note("ready", on=name, seconds=round(took, 2))
        return took

    async def _is_ready(self, name: str) -> bool:
        return self._town.instance.is_ready(name)

    async def _kill_a_backend(self) -> None:
        """One of the server's own dies, as of a bug or for lack of memory: the server throws all out and recovers."""
        backends = tree(self._town.instance.pid_of("postgres"))[1:]
        if backends:
            with contextlib.suppress(psutil.NoSuchProcess):
                self._dice.choice(backends).kill()

    async def _pause(self, name: str, seconds: float) -> None:
        stopped = tree(self._town.instance.pid_of(name))
        for process in stopped:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        try:
            await asyncio.sleep(seconds)
        finally:
            for process in stopped:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()


def tree(pid: int | None) -> list[psutil.Process]:
    """The process and everything it has started, itself first; empty when it is gone."""
    try:
        process = psutil.Process(pid) if pid is not None else None
        return [process, *process.children(recursive=True)] if process else []
    except psutil.NoSuchProcess:
        return []
