"""One run: start the office, let clients and nemesis loose, wait until all is well again, judge, report.

Owns the order of a run and its report.
"""

import asyncio
import contextlib
import random
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from temporalio.client import Client as TemporalClient

from bench.clients import Client, Crowd
from bench.diary import Diary, History
from bench.judging import Finding
from ledger.awaited import overslept
from ledger.keys import MasterKey
from runtime.codec import PayloadKeys
from runtime.temporal import connect
from tests.chaos.checkers import judge, point_of
from tests.chaos.dump import Ledger, outbox, take
from tests.chaos.nemesis import Nemesis
from tests.chaos.town import PROCESSES, Town, open_town
from tests.waiting import eventually
from worker import make_wake

CLIENTS, TASK_QUEUE = 8, "bihuan"
_SETTLES_WITHIN = timedelta(minutes=5).total_seconds()

Json = dict[str, Any]


@dataclass
class Report:
    """What came of a run; times in seconds."""

    seed: int
    minutes: float
    faults: Counter[str] = field(default_factory=Counter)
    attempts: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    cases: int = 0
    events: int = 0
    ready: dict[str, list[float]] = field(default_factory=dict)
    answered_after_worker: list[float] = field(default_factory=list)
    settled: float = 0.0
    deadlines: int = 0
    behind: int = 0
    lateness: list[float] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def counted(self, code: str) -> int:
        """How many acts or streams there are with a finding of this kind."""
        return len({each.where for each in self.findings if each.code == code})


async def play(folder: Path, *, seed: int, seconds: float, clients: int = CLIENTS) -> Report:
    """One run of so many seconds of load on an empty ``folder``; leaves ``history.jsonl`` and ``ledger.json.gz``."""
    diary = Diary(folder / "history.jsonl")
    try:
        async with open_town(folder / "data") as town:
            say(f"seed {seed}: the office stands, {seconds:.0f} s of load and faults")
            keys = PayloadKeys(MasterKey.load(folder / "data" / "master.key").payload_keys)
            client = await connect(town.instance.endpoints.temporal, keys=keys)
            await _load(town, diary, seed=seed, seconds=seconds, clients=clients)
            settled = await _settle(town, client, diary)
            ledger = await take(town.instance.endpoints.postgres, client, make_wake(client, TASK_QUEUE))
    finally:
        diary.close()
    ledger.write(folder / "ledger.json.gz")
    say("stopped, judging")
    history = History.read(folder / "history.jsonl")
    return report_on(history, ledger, seed=seed, minutes=round(seconds / 60, 1), settled=settled)


def say(line: str) -> None:
    """Progress, on standard error."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


async def _load(town: Town, diary: Diary, *, seed: int, seconds: float, clients: int) -> None:
    crowd = await Crowd.gather(town, diary)
    nemesis = Nemesis(town, diary, random.Random(f"{seed} nemesis"))
    stop, healed, give_up = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def trouble() -> None:
        # At first all is well, so that there are cases to make trouble for.
        await asyncio.sleep(3)
        await nemesis.run(healed)
        diary.note("recovered")
        say(f"no more faults; {crowd.answered} acts acknowledged")

    async def end() -> None:
        await asyncio.sleep(seconds)
        healed.set()
        stop.set()
        # Whoever still waits for an answer gets one, for nothing is broken any more.
        await asyncio.sleep(60)
        give_up.set()

    async with asyncio.TaskGroup() as group:
        troubling, ending = group.create_task(trouble()), group.create_task(end())
        acting = [
            group.create_task(Client(number, crowd, random.Random(f"{seed} client {number}")).run(stop, give_up))
            for number in range(clients)
        ]
        await asyncio.wait(acting)
        await troubling
        ending.cancel()


async def _settle(town: Town, client: TemporalClient, diary: Diary) -> float:
    """Wait until everything is up, said and delivered; how many seconds that took."""
    began = asyncio.get_running_loop().time()
    conn = await asyncpg.connect(town.instance.endpoints.postgres)

    async def is_well() -> bool:
        if not all(town.instance.is_ready(name) for name in PROCESSES):
            return False
        async with town.client() as http:
            try:
                if (await http.get("/readyz", timeout=5)).status_code != 200:
                    return False
            except httpx.HTTPError:
                return False
        waiting = await outbox(conn)
        late = await overslept(conn, since=timedelta(seconds=2))
        return not (late or waiting["unrouted"] or waiting["waiting"])

    try:
        with contextlib.suppress(AssertionError):
            # What is not well by then, the checkers name one by one.
            await eventually(is_well, "all is well again", within=_SETTLES_WITHIN, every=0.5)
    finally:
        await conn.close()
    took = round(asyncio.get_running_loop().time() - began, 1)
    diary.note("settled", seconds=took)
    say(f"settled after {took} s")
    return took


def report_on(history: History, ledger: Ledger, *, seed: int, minutes: float, settled: float) -> Report:
    """Judge a run and gather its figures."""
    report = Report(seed=seed, minutes=minutes, settled=settled)
    report.faults.update(f"{line['what']} {line['on']}" for line in history.of("fault"))
    attempts = list(history.attempts())
    report.attempts.update(attempt.end for attempt in attempts)
    report.acknowledged = len({attempt.key for attempt in attempts if attempt.end == "ok"})
    report.cases = len(ledger.streams)
    report.events = sum(len(found["events"]) for found in ledger.streams.values())
    report.behind = sum(found["was_behind"] is not None for found in ledger.streams.values())
    for line in history.of("ready"):
        report.ready.setdefault(line["on"], []).append(line["seconds"])
    report.answered_after_worker = _answered_after(history, "worker")
    for stream in ledger.streams:
        for event in ledger.events(stream):
            report.deadlines += event.kind in ("clock_warned", "clock_expired", "rung_reached")
            if (due := point_of(event)) is not None:
                report.lateness.append(_seconds(event.at - due))
    report.findings = judge(history, ledger)
    return report


def _seconds(length: timedelta) -> float:
    return round(length.total_seconds(), 2)


def _answered_after(history: History, name: str) -> list[float]:
    """How long after each kill of a process the first act was acknowledged that cannot have been done before it."""
    oks = [(attempt.invoked["t"], attempt.ended["t"]) for attempt in history.attempts() if attempt.end == "ok"]
    found = []
    for fault in history.of("fault"):
        if fault["what"] == "kill" and fault["on"] == name:
            later = [ended for _, ended in oks if ended > fault["t"] + 0.3]
            found += [round(min(later) - fault["t"], 2)] if later else []
    return found


def told(report: Report) -> str:
    """The report as text."""
    kinds = Counter(each.code for each in report.findings)
    late = sorted(report.lateness)
    ends = ", ".join(f"{times} {end}" for end, times in report.attempts.most_common())
    lines = [
        f"seed {report.seed}, {report.minutes} min of load, {CLIENTS} clients",
        f"attempts: {sum(report.attempts.values())} ({ends})",
        f"acknowledged acts: {report.acknowledged} on {report.cases} cases, {report.events} events",
        f"lost {report.counted('lost')}, doubled {report.counted('doubled')}, findings {len(report.findings)}"
        + (f" ({dict(kinds)})" if kinds else ""),
        f"faults: {sum(report.faults.values())}",
        *(f"    {times} × {name}" for name, times in sorted(report.faults.items())),
        "ready again after kill -9 (s): "
        + "; ".join(f"{name} {_spread(found)}" for name, found in sorted(report.ready.items())),
        f"first answer after a worker's kill (s): {_spread(report.answered_after_worker)}",
        f"workflows that had never been told of an act whose client gave up: {report.behind}, all woken",
        f"all well {report.settled} s after the last answer; {report.deadlines} due points said, "
        + (f"late by median {late[len(late) // 2]} s, most {late[-1]} s" if late else ""),
    ]
    return "\n".join(lines)


def _spread(found: list[float]) -> str:
    if not found:
        return "–"
    ordered = sorted(found)
    return f"{ordered[0]:.1f}–{ordered[-1]:.1f}, median {ordered[len(ordered) // 2]:.1f} ({len(found)}×)"
