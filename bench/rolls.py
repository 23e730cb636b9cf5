"""What came of a rolling restart: the answers of each phase, what was refused, lost or doubled, as figures and tables.

Owns the bars and what counts as a refusal nobody may meet. Must not start or stop anything.
"""

import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import asyncpg
from rich.console import Console
from rich.table import Table

from bench.diary import Attempt, History
from bench.judging import Finding, Json

P99_BAR_S = 5.0
_UNEXPECTED = frozenset({401, 408, 429})
"""Statuses that are no answer of a rule: nobody may be asked to sign in again or to slow down by a restart."""


@dataclass(frozen=True)
class Log:
    """Events and commands of the ledger, by stream."""

    streams: Mapping[str, Json]

    def commands(self) -> list[tuple[str, Json]]:
        """Every recorded command with its stream."""
        return [(stream, row) for stream, found in self.streams.items() for row in found["commands"]]

    @classmethod
    async def read(cls, conn: asyncpg.Connection) -> "Log":
        """Everything that is recorded."""
        streams: dict[str, Json] = defaultdict(lambda: {"events": [], "commands": []})
        columns = "stream, seq, id::text, kind, hash, command_id::text, body"
        for row in await conn.fetch(f"select {columns} from event order by stream, seq"):
            streams[row["stream"]]["events"].append({**row, "body": json.loads(row["body"])})
        for row in await conn.fetch("select stream, id::text, seq_from, seq_to from command order by stream, seq_from"):
            streams[row["stream"]]["commands"].append(dict(row))
        return cls(streams)


@dataclass(frozen=True)
class Phase:
    """How long the answers of one phase took, in seconds, from when an act was first sent to its answer."""

    name: str
    took: Sequence[float]

    def quantile(self, of: float) -> float:
        """The time that this part of the answers stays within."""
        ordered = sorted(self.took)
        return ordered[min(len(ordered) - 1, int(of * len(ordered)))] if ordered else 0.0


@dataclass(frozen=True)
class Figures:
    """What came of a run. ``refused`` counts by what was said instead of an answer; ``rules`` are refusals of rules."""

    history: History
    findings: Sequence[Finding]
    unfinished: int
    """Tasks of the connector's department that were never reported."""

    @cached_property
    def attempts(self) -> list[Attempt]:
        """Everything the clients tried."""
        return list(self.history.attempts())

    @property
    def acts(self) -> int:
        """Acts that were acknowledged."""
        return len({each.key for each in self.attempts if each.end == "ok"})

    @property
    def refused(self) -> Counter[str]:
        """What clients got instead of an answer of a rule."""
        wrong = [each.ended for each in self.attempts if each.end == "info" or each.ended.get("status") in _UNEXPECTED]
        return Counter(f"{each.get('status', '-')} {each.get('why') or each.get('code')}" for each in wrong)

    @property
    def rules(self) -> Counter[str]:
        """Refusals of rules, which people met as they would on a calm day."""
        fails = [each.ended for each in self.attempts if each.end == "fail"]
        return Counter(each["code"] for each in fails if each.get("status") not in _UNEXPECTED)

    def counted(self, code: str) -> int:
        """Findings of this kind."""
        return sum(each.code == code for each in self.findings)

    @property
    def phases(self) -> list[Phase]:
        """Answers by the phase in which the act was first sent."""
        starts = [(line["t"], str(line["name"])) for line in self.history.of("phase")]
        begun: dict[str, float] = {}
        took: dict[str, list[float]] = {name: [] for _, name in starts}
        for each in self.attempts:
            at = begun.setdefault(each.key, each.invoked["t"])
            if each.end == "info":
                continue  # no answer yet: the same is sent again, and whoever waits goes on waiting
            del begun[each.key]
            if each.end == "ok":
                name = max((start, name) for start, name in starts if start <= at)[1]
                took[name].append(each.ended["t"] - at)
        return [Phase(name, found) for name, found in took.items()]

    @property
    def passed(self) -> bool:
        """Whether every bar is kept."""
        slow = [phase for phase in self.phases if phase.quantile(0.99) >= P99_BAR_S]
        return not (self.refused or self.findings or self.unfinished or slow) and self.acts > 0

    def as_object(self) -> Json:
        """The figures as one JSON object; times in seconds."""
        return {
            "acts": self.acts,
            "refused": sum(self.refused.values()),
            "refused_by": dict(self.refused),
            "lost": self.counted("lost"),
            "doubled": self.counted("doubled"),
            "findings": [f"{each.code} {each.where}: {each.what}" for each in self.findings],
            "unfinished": self.unfinished,
            "rules": dict(self.rules),
            "phases": {
                each.name: {
                    "acts": len(each.took),
                    **{f"p{round(of * 100)}": round(each.quantile(of), 3) for of in (0.5, 0.95, 0.99)},
                    "max": round(each.quantile(1.0), 3),
                }
                for each in self.phases
            },
            "stopped": self._seconds("stopped"),
            "started": self._seconds("started"),
            "p99_bar": P99_BAR_S,
            "passed": self.passed,
        }

    def _seconds(self, kind: str) -> Json:
        found: dict[str, list[float]] = defaultdict(list)
        for line in self.history.of(kind):
            found[line["on"].partition("-")[0]].append(line["seconds"])
        return {name: {"median": round(statistics.median(each), 2), "max": max(each)} for name, each in found.items()}


def show(figures: Figures, console: Console) -> None:
    """The figures as tables."""
    table = Table(
        "阶段 phase", "acts", "p50 s", "p95 s", "p99 s", "max s", title="滚动重启与升级 rolling restart and upgrade"
    )
    for each in figures.phases:
        times = [f"{each.quantile(of):.3f}" for of in (0.5, 0.95, 0.99, 1.0)]
        table.add_row(each.name, str(len(each.took)), *times)
    console.print(table)
    found = figures.as_object()
    console.print(
        f"{figures.acts} acts acknowledged; refused {found['refused']} {found['refused_by'] or ''}, "
        f"lost {found['lost']}, doubled {found['doubled']}, unfinished {figures.unfinished}; "
        f"{sum(figures.rules.values())} refusals of rules"
    )
    console.print(f"seconds to stop {found['stopped']}, to be ready again {found['started']}")
    for line in found["findings"][:20]:
        console.print(f"FOUND {line}")
    console.print("达标 all bars are kept" if figures.passed else "未达标 a bar is missed")
