"""The figures of the loops as tables for people and one object for machines."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.loop import PLAIN_LOOP
from bench.meters import Answers, Throughput, median_of, median_ratio, percentile
from bench.paths import Path

BAR = 0.85
"""Our closed loops per second must be at least this share of the bare engine's."""

PROCESSES = ("worker", "temporal", "postgres", "client")

NAMES = {
    "ours": "闭环 ours",
    "bare": "裸引擎 bare",
    "indexed": "带检索属性 indexed",
    "usual": "通常做法 usual",
    "dbos": "DBOS",
    "floor": "只写库 floor",
}
"""The sides as people read them, in the order they are shown."""


@dataclass(frozen=True)
class History:
    """What one case left in Temporal; ``upserts`` are changes of search attributes, ``phases`` the phases it saw."""

    events: int
    size: int
    upserts: int
    phases: int


@dataclass(frozen=True)
class Figures:
    """Everything measured, by side; ``paths`` are what other ways through a case left in Temporal.

    The sides are ``ours``, ``bare`` and ``floor``, and of ``indexed``, ``usual`` and ``dbos`` those that took part;
    the bar is for ``bare``.
    """

    rounds: Mapping[str, list[Throughput]]
    answers: Mapping[str, Answers]
    histories: Mapping[str, History]
    paths: Mapping[str, Path]
    at_once: int

    def loops_ratio(self, peer: str) -> float:
        """Median of the rounds' ratios of closed loops per second, ours to a peer that took part."""
        return median_ratio(self.rounds["ours"], self.rounds[peer], lambda each: each.loops_per_second)

    def cpu_ratio(self, peer: str) -> float:
        """Median of the rounds' ratios of processor time per case, ours to a peer that took part."""
        return median_ratio(self.rounds["ours"], self.rounds[peer], lambda each: each.cpu_of_all)

    @property
    def peers(self) -> list[str]:
        """All sides but ours, in the order they are shown."""
        return [name for name in NAMES if name != "ours" and name in self.rounds]

    @property
    def passed(self) -> bool:
        """Whether the bar is reached."""
        return self.loops_ratio("bare") >= BAR

    def loops(self, side: str) -> float:
        """Median closed loops per second of a side."""
        return median_of(self.rounds[side], lambda each: each.loops_per_second)

    def cpu(self, side: str, process: str | None = None) -> float:
        """Median milliseconds of processor time per case of a side, or of one process of it; 0 where it has none."""
        if process is None:
            return median_of(self.rounds[side], lambda each: each.cpu_of_all)
        return median_of(self.rounds[side], lambda each: each.cpu_per_case(process) if process in each.cpu else 0)

    @property
    def others(self) -> int:
        """The largest share of the machine, in percent, that foreign processes took in any round."""
        return max(each.others for rounds in self.rounds.values() for each in rounds)


def as_object(figures: Figures) -> dict[str, Any]:
    """The figures for machines; times in milliseconds, sizes in bytes. A peer that did not take part has none."""
    ours = figures.histories["ours"]
    answers = {name: _answers(each) for name, each in figures.answers.items()}
    return {
        "passed": figures.passed,
        "bar": BAR,
        **{f"loops_ratio_to_{name}": round(figures.loops_ratio(name), 3) for name in figures.peers},
        **{f"cpu_ratio_to_{name}": round(figures.cpu_ratio(name), 3) for name in figures.peers},
        "answer_ratio_to_bare": {
            share: round(answers["ours"][share] / answers["bare"][share], 3) for share in ("p50", "p95")
        },
        "loops_per_second": round(figures.loops("ours"), 2),
        "bare_loops_per_second": round(figures.loops("bare"), 2),
        "history_events": ours.events,
        "history_bytes": ours.size,
        "search_attribute_upserts": ours.upserts,
        "phases": ours.phases,
        "sides": {name: _side(figures, name) for name in figures.rounds},
        "history_by_path": {name: vars(path) for name, path in figures.paths.items()},
        "rounds": len(figures.rounds["ours"]),
        "cases_per_round": figures.rounds["ours"][0].cases,
        "cases_at_once": figures.at_once,
        "others_percent": figures.others,
    }


def _side(figures: Figures, side: str) -> dict[str, Any]:
    """What was measured of one side: always loops and processor time, the rest where it has it."""
    found: dict[str, Any] = {
        "loops_per_second": round(figures.loops(side), 2),
        "cpu_ms_per_case": round(figures.cpu(side), 1),
        "cpu_ms_by_process": {
            name: round(figures.cpu(side, name), 1) for name in PROCESSES if name in figures.rounds[side][0].cpu
        },
    }
    if side in figures.answers:
        found["answer_ms"] = _answers(figures.answers[side])
        found["answer_ms_by_act"] = _by_act(figures.answers[side])
    if side in figures.histories:
        found["history_events"] = figures.histories[side].events
        found["history_bytes"] = figures.histories[side].size
    return found


def _answers(answers: Answers) -> dict[str, float]:
    return _shares(answers.all)


def _by_act(answers: Answers) -> dict[str, dict[str, float]]:
    return {label: _shares(took) for label, took in answers.by_act.items()}


def _shares(took: list[int]) -> dict[str, float]:
    return {f"p{share}": round(percentile(took, share), 1) for share in (50, 95)}


def show(figures: Figures, console: Console) -> None:
    """Print the figures for people."""
    for table in (_summary(figures), _acts(figures), _paths(figures)):
        console.print(table)
    verdict = "达标 passed" if figures.passed else "未达标 below the bar"
    console.print(f"{verdict}: {figures.loops_ratio('bare'):.2f} × bare, bar {BAR}")
    if figures.others > 15:
        console.print(
            f"注意 note: 其他程序占用了最多 {figures.others}% 的处理器，数字偏低。"
            f" Other programs used up to {figures.others}% of the processors; figures are low, ratios less so."
        )


def _table(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="left" if place == 0 else "right")
    return table


def _summary(figures: Figures) -> Table:
    rounds, sides = figures.rounds["ours"], ["ours", *figures.peers]
    title = f"闭环基准 plain loop: {len(rounds)} × {rounds[0].cases} cases, {figures.at_once} at once (medians)"
    table = _table(title, "", *(NAMES[side] for side in sides))

    def row(label: str, cells: Mapping[str, str]) -> None:
        table.add_row(label, *(cells.get(side, "–") for side in sides))

    row("闭环/秒 closed loops per second", {side: f"{figures.loops(side):.1f}" for side in sides})
    row("  ours / it", {side: f"{figures.loops_ratio(side):.2f}" for side in figures.peers})
    row("CPU ms/件 per case", {side: f"{figures.cpu(side):.1f}" for side in sides})
    row("  ours / it", {side: f"{figures.cpu_ratio(side):.2f}" for side in figures.peers})
    for name in PROCESSES:
        row(f"  {name}", {side: f"{cpu:.1f}" for side in sides if (cpu := figures.cpu(side, name))})
    for share in (50, 95):
        took = {side: percentile(each.all, share) for side, each in figures.answers.items()}
        row(f"答复 answer p{share}, ms", {side: f"{each:.1f}" for side, each in took.items()})
    row("历史事件 history events", {side: str(each.events) for side, each in figures.histories.items()})
    row("历史字节 history bytes", {side: str(each.size) for side, each in figures.histories.items()})
    row("检索属性更新 attribute upserts", {side: str(each.upserts) for side, each in figures.histories.items()})
    return table


def _acts(figures: Figures) -> Table:
    sides = list(figures.answers)
    headings = [f"{side} p{share}" for side in sides for share in (50, 95)]
    table = _table("答复时间 answers at human pace, ms", "act", *headings)
    for act in PLAIN_LOOP:
        took = [figures.answers[side].by_act[act.label] for side in sides]
        table.add_row(act.label, *(f"{percentile(each, share):.1f}" for each in took for share in (50, 95)))
    return table


def _paths(figures: Figures) -> Table:
    table = _table("各路径的历史 history by path", "path", "acts", "events", "bytes")
    for name, path in figures.paths.items():
        table.add_row(name, str(path.acts), str(path.events), str(path.size))
    return table
