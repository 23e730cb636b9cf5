"""How soon the office is back after kill -9 of one of its processes, under load, with many cases open.

Owns the measurement; judged by nobody but the reader, for it depends on the machine.
"""

import asyncio
import random
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.diary import Diary
from tests.chaos.nemesis import Nemesis
from tests.chaos.play import say
from tests.chaos.town import PROCESSES, Town, open_town
from tests.neighbourhood import EVERYDAY, GRID

Json = dict[str, Any]

ROUNDS, CLIENTS, CALM = 3, 8, 6.0


@dataclass
class Recovered:
    """Seconds after each kill: until the process was ready again, and until somebody had an answer to an act."""

    open_cases: int
    ready: dict[str, list[float]] = field(default_factory=dict)
    answered: dict[str, list[float]] = field(default_factory=dict)
    calm: float = 0.0

    def told(self) -> str:
        """The figures as text."""
        lines = [f"{self.open_cases} open cases, {CLIENTS} clients, {self.calm:.1f} acts/s before the first kill"]
        for name in self.ready:
            ready, answered = (" ".join(f"{each:.1f}" for each in found[name]) for found in (self.ready, self.answered))
            lines.append(f"kill -9 {name:9} ready again after {ready} s; first answered act after {answered} s")
        return "\n".join(lines)


class _Load:
    """People who write something down in one case after the other, and try again when they are not answered."""

    def __init__(self, town: Town, dice: random.Random) -> None:
        self._town, self._dice = town, dice
        self.cases: list[str] = []
        self.answers: list[float] = []

    async def register(self, count: int) -> None:
        """Open so many cases."""
        waiting = iter(range(count))

        async def clerk() -> None:
            async with self._town.client() as http:
                for _ in waiting:
                    body = {"title": "楼道杂物", "text": "楼道里有杂物", "grid": GRID, "category": EVERYDAY}
                    told = await self._persist(http, "/api/v1/cases", body)
                    self.cases.append(told["events"][0]["stream"])
                    if len(self.cases) % 500 == 0:
                        say(f"{len(self.cases)} cases are open")

        await asyncio.gather(*(clerk() for _ in range(CLIENTS)))

    async def comment(self) -> None:
        """Act until cancelled."""
        async with self._town.client() as http:
            while True:
                stream = self._dice.choice(self.cases)
                await self._persist(http, f"/api/v1/cases/{stream}/commands", {"kind": "comment", "text": "已联系"})
                self.answers.append(asyncio.get_running_loop().time())
                await asyncio.sleep(self._dice.uniform(0.05, 0.25))

    async def _persist(
        self, http: httpx.AsyncClient, path: str, body: dict[str, str]
    ) -> dict[str, list[dict[str, str]]]:
        headers = {"authorization": f"Bearer {self._town.tokens['worker']}", "idempotency-key": str(uuid.uuid4())}
        while True:
            try:
                answer = await http.post(path, json=body, headers=headers, timeout=10)
                if answer.status_code in (200, 201):
                    told: Json = answer.json()
                    return told
            except httpx.HTTPError:
                # Gone in the middle of a word: said again below.
                pass
            await asyncio.sleep(0.2)


async def measure(folder: Path, *, open_cases: int, seed: int) -> Recovered:
    """Kill each process some times under load and watch how it comes back."""
    found, diary, dice = Recovered(open_cases), Diary(folder / "recovery.jsonl"), random.Random(seed)
    loop = asyncio.get_running_loop()
    async with open_town(folder / "data") as town:
        load, nemesis = _Load(town, dice), Nemesis(town, diary, dice)
        say(f"opening {open_cases} cases")
        await load.register(open_cases)
        acting = [asyncio.create_task(load.comment()) for _ in range(CLIENTS)]
        try:
            await asyncio.sleep(CALM * 2)
            found.calm = sum(at > loop.time() - CALM for at in load.answers) / CALM
            for name in PROCESSES * ROUNDS:
                began = loop.time()
                found.ready.setdefault(name, []).append(await nemesis.kill(name))
                # An answer that was already on its way does not count.
                while not (late := [at for at in load.answers if at > began + 0.3]):
                    await asyncio.sleep(0.02)
                found.answered.setdefault(name, []).append(late[0] - began)
                say(f"{name}: ready {found.ready[name][-1]:.1f} s, answered {found.answered[name][-1]:.1f} s")
                await asyncio.sleep(CALM)
        finally:
            for each in acting:
                each.cancel()
            await asyncio.gather(*acting, return_exceptions=True)
    diary.close()
    return found
