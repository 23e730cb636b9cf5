"""One page with charts of everything the commands of the bench have kept; ``python -m bench --report FILE``.

Owns what is shown and in which order. The page is one file: no script, no request to anywhere; its charts are boxes,
so it reads on a phone and prints. What a command keeps and this does not know by name is shown as a table, so a new
bench needs nothing here.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from bench.report import NAMES, PROCESSES
from bench.results import FOLDER

Json = dict[str, Any]

_STATIC = Path(__file__).parent.parent / "console" / "static"
_PROCESS_NAMES = {
    "worker": ("工作进程", "worker"),
    "temporal": ("Temporal", ""),
    "postgres": ("PostgreSQL", ""),
    "client": ("发起方", "client"),
}
_PATH_NAMES = {
    "plain_loop": ("普通闭环", "plain loop"),
    "on_the_spot": ("能办即办", "on the spot"),
    "returned": ("退单改派", "returned, given to another"),
    "rework": ("返工", "rework"),
    "extension": ("延期", "more time"),
}


@dataclass(frozen=True)
class Goal:
    """One promise with what was measured; ``at_most`` says on which side of ``bar`` it is kept."""

    zh: str
    en: str
    value: float
    bar: float
    unit: str = ""
    at_most: bool = False

    @property
    def kept(self) -> bool:
        """Whether the bar is reached."""
        return self.value <= self.bar if self.at_most else self.value >= self.bar


@dataclass(frozen=True)
class Part:
    """A piece of a bar: how long, and what it stands for (the number of its colour)."""

    value: float
    kind: int = 0


@dataclass(frozen=True)
class Bar:
    """One line of a chart; ``own`` is ours, which the others are compared with."""

    zh: str
    en: str
    parts: tuple[Part, ...]
    text: str
    note: str = ""
    own: bool = False


@dataclass(frozen=True)
class Chart:
    """Bars of one unit beside each other; ``limit`` is a bar that must be reached or kept."""

    zh: str
    en: str
    bars: list[Bar]
    legend: list[tuple[str, str]] = field(default_factory=list)
    limit: float | None = None

    @property
    def longest(self) -> float:
        """What fills the width."""
        return max([sum(part.value for part in bar.parts) for bar in self.bars] + [self.limit or 0, 1e-9])


@dataclass(frozen=True)
class Rows:
    """A table: names of its columns, texts of its lines."""

    zh: str
    en: str
    head: list[str]
    lines: list[list[str]]


@dataclass(frozen=True)
class Section:
    """What one command found; ``command`` repeats it."""

    zh: str
    en: str
    command: str
    at: str
    machine: str
    charts: list[Chart] = field(default_factory=list)
    tables: list[Rows] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    say: str = ""


def write(path: Path, folder: Path = FOLDER) -> None:
    """Make the page of what lies in ``folder``; an empty folder makes a page that says how to begin."""
    kept = {each.stem: json.loads(each.read_text(encoding="utf-8")) for each in sorted(folder.glob("*.json"))}
    order = [name for name in _SECTIONS if name in kept] + [name for name in kept if name not in _SECTIONS]
    sections = [_section(name, kept[name]) for name in order]
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    text = environment.get_template("page.html").render(
        sections=sections,
        goals=[goal for section in sections for goal in section.goals],
        mark=(_STATIC / "mark.svg").read_text(encoding="utf-8"),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def _section(name: str, kept: Json) -> Section:
    machine = kept["machine"]
    about = (
        f"{machine['cores']} 核 cores · Python {machine['python']} · {machine['system']} · 负载 load {machine['load']}"
    )
    zh, en, command, build = _known(name)
    return build(Section(zh, en, command, kept["at"], about), kept["figures"])


def _known(name: str) -> "_Known":
    return _SECTIONS.get(name, (name, "", f"python -m bench.{name}", _anything))


# --- the loops --------------------------------------------------------------------------------------------------------


def _loop(section: Section, found: Json) -> Section:
    sides: Json = {name: found["sides"][name] for name in NAMES if name in found["sides"]}
    section.goals.extend(_loop_goals(found))
    engines = {name: side for name, side in sides.items() if name != "floor"}
    section.charts.append(
        Chart(
            "每秒闭环",
            "closed loops per second",
            [
                _bar(name, side["loops_per_second"], f"{side['loops_per_second']:.1f}", _times(found, name))
                for name, side in engines.items()
            ],
        )
    )
    section.charts.append(
        Chart(
            "每件处理器毫秒",
            "processor ms per case",
            [_stack(name, side) for name, side in engines.items()],
            legend=[_PROCESS_NAMES[name] for name in PROCESSES],
        )
    )
    answers = {name: side["answer_ms"] for name, side in sides.items() if "answer_ms" in side}
    section.charts.extend(
        Chart(
            f"答复 {share}，毫秒",
            f"answer at human pace, {share}, ms",
            [_bar(name, each[share], f"{each[share]:.1f}") for name, each in answers.items()],
        )
        for share in ("p50", "p95")
    )
    section.charts.append(
        Chart(
            "历史事件",
            "history events of a plain loop",
            [
                _bar(
                    name, side["history_events"], str(side["history_events"]), f"{side['history_bytes'] / 1024:.1f} KB"
                )
                for name, side in sides.items()
                if "history_events" in side
            ],
            limit=80,
        )
    )
    section.tables.append(_paths(found["history_by_path"]))
    if "floor" in sides:
        floor = sides["floor"]["loops_per_second"]
        return _saying(section, f"不用引擎、只写数据库 the database alone: {floor:.0f} / s")
    return section


def _loop_goals(found: Json) -> Iterator[Goal]:
    yield Goal("吞吐，对裸引擎", "loops / bare engine", found["loops_ratio_to_bare"], 0.85, "×")
    yield Goal("处理器，对裸引擎", "CPU / bare engine", found["cpu_ratio_to_bare"], 1.2, "×", at_most=True)
    yield Goal("历史事件", "history events", found["history_events"], 80, at_most=True)
    for share, ratio in found["answer_ratio_to_bare"].items():
        yield Goal(f"答复 {share}，对裸引擎", f"answer {share} / bare", ratio, 1.3, "×", at_most=True)
    for peer, bar, zh in (("usual", 1.4, "吞吐，对通常做法"), ("dbos", 3.0, "吞吐，对 DBOS")):
        if f"loops_ratio_to_{peer}" in found:
            yield Goal(zh, f"loops / {peer}", found[f"loops_ratio_to_{peer}"], bar, "×")


def _times(found: Json, name: str) -> str:
    ratio = found.get(f"loops_ratio_to_{name}")
    return "" if ratio is None else f"闭环是它的 {ratio:.2f} 倍"


def _bar(name: str, value: float, text: str, note: str = "") -> Bar:
    zh, _, en = NAMES[name].rpartition(" ")
    return Bar(zh or en, en if zh else "", (Part(value),), text, note, own=name == "ours")


def _stack(name: str, side: Json) -> Bar:
    used: Mapping[str, float] = side["cpu_ms_by_process"]
    parts = tuple(Part(used[process], kind) for kind, process in enumerate(PROCESSES) if process in used)
    zh, _, en = NAMES[name].rpartition(" ")
    return Bar(zh or en, en if zh else "", parts, f"{side['cpu_ms_per_case']:.0f}", own=name == "ours")


def _paths(paths: Mapping[str, Json]) -> Rows:
    lines = [
        [
            " ".join(each for each in _PATH_NAMES.get(name, (name, "")) if each),
            str(path["acts"]),
            str(path["events"]),
            f"{path['size'] / 1024:.1f}",
        ]
        for name, path in paths.items()
    ]
    return Rows("各路径的历史", "history by path", ["路径 path", "行为 acts", "事件 events", "KB"], lines)


# --- open cases -------------------------------------------------------------------------------------------------------


def _open_cases(section: Section, found: Json) -> Section:
    bars, levels = found["bars"], found["levels"]
    most = levels[-1]
    section.goals.append(
        Goal(f"{most['open']:,} 件在办时的吞吐", "loops / none open", most["loops_ratio"], bars["loops_ratio"], "×")
    )
    first = max(level["first_answer_s"] for level in levels)
    section.goals.append(
        Goal("重启后首个答复", "first answer after restart", first, bars["first_answer_s"], "s", at_most=True)
    )
    section.charts.append(
        _by_level("吞吐，对空库", "loops / none open", levels, lambda level: level["loops_ratio"], "×", 0.9)
    )
    section.charts.append(
        _by_level("工作进程内存，MiB", "worker memory", levels, lambda level: level["memory_mib"]["worker"], " MiB")
    )
    section.charts.append(
        _by_level("重启后首个答复，秒", "first answer, s", levels, lambda level: level["first_answer_s"], " s", 3.0)
    )
    burst = levels[-1]["burst"]
    section.charts.append(
        Chart(
            f"{burst['openings']} 件同时登记的答复，毫秒",
            "answers of a burst of openings, ms",
            [
                Bar(
                    f"{level['open']:,} {share}",
                    "",
                    (Part(level["burst"][f"{share}_ms"]),),
                    f"{level['burst'][f'{share}_ms']:,}",
                )
                for level in levels
                for share in ("p50", "p95")
            ],
        )
    )
    section.tables.append(
        Rows(
            "被杀之后的首个答复，秒",
            "first answer after a kill, s",
            [
                "在办 open",
                *(" ".join(each for each in _PROCESS_NAMES[name] if each) for name in levels[0]["recovery_s"]),
            ],
            [[f"{level['open']:,}", *(f"{took:.2f}" for took in level["recovery_s"].values())] for level in levels],
        )
    )
    return _saying(
        section,
        f"缓存 cache {found['cache']:,} · 每件 {found['kib_per_cached_case']} KiB per cached case · 拒绝 refused "
        f"{sum(level['burst']['refused'] for level in levels)}",
    )


def _by_level(
    zh: str, en: str, levels: Sequence[Json], value: Callable[[Json], float], unit: str, limit: float | None = None
) -> Chart:
    bars = [
        Bar(
            f"{level['open']:,} 件在办",
            "open",
            (Part(value(level)),),
            f"{value(level):,.2f}".rstrip("0").rstrip(".") + unit,
            own=True,
        )
        for level in levels
    ]
    return Chart(zh, en, bars, limit=limit)


# --- questions to pages and lists -------------------------------------------------------------------------------------


def _pages(section: Section, found: Json) -> Section:
    slowest = sorted(found["pages"], key=lambda each: -each["p95_ms"])
    section.charts.append(
        Chart(
            f"{found['cases']:,} 件时的页面，p95 毫秒",
            "pages, p95 ms",
            [
                Bar(each["name"], "", (Part(each["p95_ms"]),), f"{each['p95_ms']:.0f}", f"中位 {each['median_ms']:.0f}")
                for each in slowest[:12]
            ],
        )
    )
    return section


def _questions(section: Section, found: Json) -> Section:
    """The slowest question of each group; a question's name begins with its group."""
    groups: dict[str, Json] = {}
    for each in found["questions"]:
        group = each["name"].split(" · ")[0]
        if group not in groups or each["p95_ms"] > groups[group]["p95_ms"]:
            groups[group] = each
    section.charts.append(
        Chart(
            f"{found['cases']:,} 件时每类最慢的问题，p95 毫秒",
            "slowest question of each kind, p95 ms",
            [
                Bar(group, "", (Part(each["p95_ms"]),), f"{each['p95_ms']:.1f}", each["name"].partition(" · ")[2])
                for group, each in sorted(groups.items(), key=lambda pair: -pair[1]["p95_ms"])
            ],
        )
    )
    return section


# --- everything else --------------------------------------------------------------------------------------------------


def _anything(section: Section, found: Any) -> Section:
    """Whatever it is, as tables: one for the plain values, one for each list of objects of the same kind."""
    if isinstance(found, list):
        found = {"": found}
    plain = [[key, _text(value)] for key, value in _plain(found)]
    if plain:
        section.tables.append(Rows("", "", ["指标 figure", "数值 value"], plain))
    for key, value in found.items():
        if _is_table(value):
            head = [name for name, cell in value[0].items() if not isinstance(cell, dict | list)]
            section.tables.append(Rows(key, "", head, [[_text(line.get(name, "")) for name in head] for line in value]))
    return section


def _plain(found: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in found.items():
        if isinstance(value, dict):
            yield from _plain(value, f"{before}{key} · ")
        elif not _is_table(value):
            yield f"{before}{key}".replace("_", " "), value


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _text(value: Any) -> str:
    match value:
        case bool():
            return "✓" if value else "✗"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.3f}".rstrip("0").rstrip(".")
        case list():
            return ", ".join(_text(each) for each in value)
        case _:
            return str(value)


def _saying(section: Section, text: str) -> Section:
    return Section(**{**vars(section), "say": text})


_Known = tuple[str, str, str, Callable[[Section, Any], Section]]
_SECTIONS: dict[str, _Known] = {
    "loop": ("闭环", "the loop", "make bench", _loop),
    "open_cases": ("在办诉求", "open cases", 'make bench-open OPEN="10000 50000"', _open_cases),
    "rehydrate": ("从台账恢复", "back from the ledger", "make bench-rehydrate", _anything),
    "doors": ("页面", "pages", "make bench-doors", _pages),
    "lists": ("列表与检索", "lists and search", "python -m bench.lists", _questions),
    "figures": ("统计与看板", "statistics and board", "python -m bench.figures", _questions),
    "audit": ("核验", "audit", "make bench-audit", _anything),
    "backup": ("备份", "backup", "python -m bench.backup", _anything),
    "calendar": ("算期限", "due times", "make bench-time", _anything),
    "plan": ("下一步", "plans", "make bench-time", _anything),
    "rehearse": ("演练", "rehearsal", "make bench-time", _anything),
    "metering": ("计量", "counting", "make bench-metering", _anything),
}
"""What is known by name, in the order it is shown: Chinese, English, how to repeat it, how to show it."""
