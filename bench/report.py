"""The figures as one table for people and one object for machines."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.loop import PLAIN_LOOP
from bench.meters import Answers, Throughput, median_of, median_ratio, percentile

BAR = 0.7
"""Our closed loops per second must be at least this share of the bare engine's."""

PROCESSES = ("worker", "temporal", "postgres", "client")


@dataclass(frozen=True)
class History:
    """What one case left in Temporal; ``upserts`` are changes of search attributes, ``phases`` the phases it saw."""

    events: int
    size: int
    upserts: int
    phases: int


@dataclass(frozen=True)
class Figures:
    """Everything measured, rounds and histories by side (``ours``, ``bare``, ``indexed``, ``floor``).

    ``indexed`` is the bare engine that also keeps its phase in Temporal's visibility store as ours does; the bar is
    for ``bare``, which does not.
    """

    rounds: Mapping[str, list[Throughput]]
    answers: Mapping[str, Answers]
    histories: Mapping[str, History]
    at_once: int

    @property
    def loops_ratio(self) -> float:
        """Median of the rounds' ratios of closed loops per second, ours to bare."""
        return median_ratio(self.rounds["ours"], self.rounds["bare"], lambda each: each.loops_per_second)

    @property
    def loops_ratio_to_indexed(self) -> float:
        """The same to a bare engine that keeps its stage in the visibility store too."""
        return median_ratio(self.rounds["ours"], self.rounds["indexed"], lambda each: each.loops_per_second)

    @property
    def cpu_ratio(self) -> float:
        """Median of the rounds' ratios of processor time per case, ours to bare."""
        return median_ratio(self.rounds["ours"], self.rounds["bare"], lambda each: each.cpu_of_all)

    @property
    def passed(self) -> bool:
        """Whether the bar is reached."""
        return self.loops_ratio >= BAR

    def loops(self, side: str) -> float:
        """Median closed loops per second of a side."""
        return median_of(self.rounds[side], lambda each: each.loops_per_second)

    def cpu(self, side: str, process: str) -> float:
        """Median milliseconds of processor time per case of one process of a side; 0 where it has none."""
        return median_of(self.rounds[side], lambda each: each.cpu_per_case(process) if process in each.cpu else 0)

    @property
    def others(self) -> int:
        """The largest share of the machine, in percent, that foreign processes took in any round."""
        return max(each.others for rounds in self.rounds.values() for each in rounds)


def as_object(figures: Figures) -> dict[str, Any]:
    """The figures for machines; times in milliseconds, sizes in bytes."""
    ours, bare = figures.histories["ours"], figures.histories["bare"]
    return {
        "passed": figures.passed,
        "bar": BAR,
        "loops_ratio_to_bare": round(figures.loops_ratio, 3),
        "loops_ratio_to_indexed_bare": round(figures.loops_ratio_to_indexed, 3),
        "cpu_ratio_to_bare": round(figures.cpu_ratio, 3),
        "loops_per_second": round(figures.loops("ours"), 2),
        "bare_loops_per_second": round(figures.loops("bare"), 2),
        "indexed_bare_loops_per_second": round(figures.loops("indexed"), 2),
        "floor_loops_per_second": round(figures.loops("floor"), 1),
        "cpu_ms_per_case": _cpu(figures, "ours"),
        "bare_cpu_ms_per_case": _cpu(figures, "bare"),
        "floor_cpu_ms_per_case": _cpu(figures, "floor"),
        "answer_ms": _answers(figures.answers["ours"]),
        "bare_answer_ms": _answers(figures.answers["bare"]),
        "answer_ms_by_act": _by_act(figures.answers["ours"]),
        "bare_answer_ms_by_act": _by_act(figures.answers["bare"]),
        "history_events": ours.events,
        "history_bytes": ours.size,
        "search_attribute_upserts": ours.upserts,
        "phases": ours.phases,
        "bare_history_events": bare.events,
        "bare_history_bytes": bare.size,
        "rounds": len(figures.rounds["ours"]),
        "cases_per_round": figures.rounds["ours"][0].cases,
        "cases_at_once": figures.at_once,
        "others_percent": figures.others,
    }


def _cpu(figures: Figures, side: str) -> dict[str, float]:
    present = [name for name in PROCESSES if name in figures.rounds[side][0].cpu]
    return {name: round(figures.cpu(side, name), 1) for name in present}


def _answers(answers: Answers) -> dict[str, float]:
    return {"p50": round(percentile(answers.all, 50), 1), "p95": round(percentile(answers.all, 95), 1)}


def _by_act(answers: Answers) -> dict[str, dict[str, float]]:
    return {
        label: {"p50": round(percentile(took, 50), 1), "p95": round(percentile(took, 95), 1)}
        for label, took in answers.by_act.items()
    }


def show(figures: Figures, console: Console) -> None:
    """Print the figures for people."""
    console.print(_summary(figures))
    console.print(_acts(figures))
    verdict = "达标 passed" if figures.passed else "未达标 below the bar"
    console.print(f"{verdict}: {figures.loops_ratio:.2f} × bare, bar {BAR}")
    console.print(
        f"同样写检索属性的裸引擎 bare with search attributes: {figures.loops('indexed'):.1f}/s,"
        f" ours / it {figures.loops_ratio_to_indexed:.2f}"
    )
    if figures.others > 15:
        console.print(
            f"注意 note: 其他程序占用了最多 {figures.others}% 的处理器,数字偏低。"
            f" Other programs used up to {figures.others}% of the processors; figures are low, ratios less so."
        )


def _summary(figures: Figures) -> Table:
    rounds = figures.rounds["ours"]
    title = f"闭环基准 plain loop: {len(rounds)} × {rounds[0].cases} cases, {figures.at_once} at once (medians)"
    table = Table(title=title, title_justify="left")
    for heading in ("", "ours", "bare engine", "database floor", "ours / bare"):
        table.add_column(heading, justify="left" if not heading else "right")
    loops = [figures.loops(side) for side in ("ours", "bare", "floor")]
    table.add_row("闭环/秒 closed loops per second", *(f"{each:.1f}" for each in loops), f"{figures.loops_ratio:.2f}")
    totals = [median_of(figures.rounds[side], lambda each: each.cpu_of_all) for side in ("ours", "bare", "floor")]
    table.add_row("CPU ms/件 per case", *(f"{each:.1f}" for each in totals), f"{figures.cpu_ratio:.2f}")
    for name in PROCESSES:
        cpu = [figures.cpu(side, name) for side in ("ours", "bare", "floor")]
        ratio = f"{cpu[0] / cpu[1]:.2f}" if cpu[1] else "–"
        table.add_row(f"  {name}", *(f"{each:.1f}" if each else "–" for each in cpu), ratio)
    for share in (50, 95):
        took = [percentile(figures.answers[side].all, share) for side in ("ours", "bare")]
        table.add_row(f"答复 answer p{share}, ms", *(f"{each:.1f}" for each in took), "–", f"{took[0] / took[1]:.2f}")
    ours, bare = figures.histories["ours"], figures.histories["bare"]
    sizes = (("历史事件 history events", ours.events, bare.events), ("历史字节 history bytes", ours.size, bare.size))
    for label, mine, theirs in sizes:
        table.add_row(label, str(mine), str(theirs), "–", f"{mine / theirs:.2f}")
    table.add_row(
        "检索属性更新 attribute upserts", f"{ours.upserts} / {ours.phases} phases", str(bare.upserts), "–", "–"
    )
    return table


def _acts(figures: Figures) -> Table:
    table = Table(title="答复时间 answers at human pace, ms", title_justify="left")
    for heading in ("act", "ours p50", "ours p95", "bare p50", "bare p95"):
        table.add_column(heading, justify="left" if heading == "act" else "right")
    for act in PLAIN_LOOP:
        took = [figures.answers[side].by_act[act.label] for side in ("ours", "bare")]
        cells = [f"{percentile(each, share):.1f}" for each in took for share in (50, 95)]
        table.add_row(act.label, *cells)
    return table
