"""What each command of the bench has to say on the page: which of its figures are goals, charts, tables or facts.

Owns the names and the order of the sections. A command that is not known by name is shown as tables, so a new bench
needs nothing here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from bench.charts import Bar, Chart, Fact, Goal, Part, Rows, Section
from bench.report import NAMES, PROCESSES

Json = dict[str, Any]

_PROCESS_NAMES = {
    "worker": ("工作进程", "worker"),
    "temporal": ("Temporal", ""),
    "postgres": ("PostgreSQL", ""),
    "client": ("发起方", "client"),
}
_KIND_NAMES = {
    "list": ("列表与筛选", "lists and filters"),
    "search": ("检索", "search"),
    "as_of": ("某一时刻的诉求", "one case as of an instant"),
    "statistics": ("统计", "statistics"),
    "board": ("看板", "board"),
}
_HOSTED = {"dbos": "流程在发起方的进程里 workflows live in the client"}
_PATH_NAMES = {
    "plain_loop": ("普通闭环", "plain loop"),
    "on_the_spot": ("能办即办", "on the spot"),
    "returned": ("退单改派", "returned, given to another"),
    "rework": ("返工", "rework"),
    "extension": ("延期", "more time"),
}


# --- the loops --------------------------------------------------------------------------------------------------------


def _loop(section: Section, found: Json) -> None:
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
    section.say = (
        f"{found['rounds']} 轮 rounds × {found['cases_per_round']} 件 cases · 同时 at once {found['cases_at_once']} · "
        f"其他程序 others ≤ {found['others_percent']}% · 不用引擎、只写数据库 the database alone: "
        f"{sides['floor']['loops_per_second']:.0f} / s"
    )


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
    return "" if ratio is None else f"闭环为其 {ratio:.2f} 倍 ours / it"


def _bar(name: str, value: float, text: str, note: str = "") -> Bar:
    zh, _, en = NAMES[name].rpartition(" ")
    return Bar(zh or en, en if zh else "", (Part(value),), text, note, own=name == "ours")


def _stack(name: str, side: Json) -> Bar:
    used: Mapping[str, float] = side["cpu_ms_by_process"]
    parts = tuple(Part(used[process], kind) for kind, process in enumerate(PROCESSES) if process in used)
    zh, _, en = NAMES[name].rpartition(" ")
    return Bar(
        zh or en, en if zh else "", parts, f"{side['cpu_ms_per_case']:.0f}", _HOSTED.get(name, ""), own=name == "ours"
    )


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


def _open_cases(section: Section, found: Json) -> None:
    bars, levels = found["bars"], found["levels"]
    most = levels[-1]
    section.goals.append(
        Goal(f"{most['open']:,} 件在办时的吞吐", "loops / none open", most["loops_ratio"], bars["loops_ratio"], "×")
    )
    memory, most_memory = max(level["worker_memory_ratio"] for level in levels), bars["worker_memory_ratio"]
    section.goals.append(
        Goal("工作进程内存，对空库", "worker memory / none open", memory, most_memory, "×", at_most=True)
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
    section.facts += [
        Fact("工作进程缓存，件", "cases in the worker's cache", f"{found['cache']:,}"),
        Fact("缓存每件，KiB", "KiB per cached case", _text(found["kib_per_cached_case"])),
        Fact(
            "缓存装满时，MiB", "worker with a full cache, MiB", _text(max(found["worker_mib_by_cached_cases"].values()))
        ),
        Fact("按设置预计，MiB", "reckoned for such a cache, MiB", _text(found["worker_mib_reckoned"])),
        Fact("每秒开始的流程", "workflows begun per second", _text(most["begun_per_s"])),
        Fact("突发中被拒绝", "refused in the bursts", _text(sum(level["burst"]["refused"] for level in levels))),
        Fact("处理器，对空库", "CPU / none open", _text(most["cpu_ratio"])),
    ]


def _by_level(
    zh: str, en: str, levels: Sequence[Json], value: Callable[[Json], float], unit: str, limit: float | None = None
) -> Chart:
    bars = [
        Bar(
            f"{level['open']:,} 件",
            "在办 open",
            (Part(value(level)),),
            f"{value(level):,.2f}".rstrip("0").rstrip(".") + unit,
            own=True,
        )
        for level in levels
    ]
    return Chart(zh, en, bars, limit=limit)


# --- questions to pages and lists -------------------------------------------------------------------------------------


def _pages(section: Section, found: Json) -> None:
    slowest = sorted(found["pages"], key=lambda each: -each["p95_ms"])
    section.charts.append(
        Chart(
            f"{found['cases']:,} 件时的页面，p95 毫秒",
            "pages, p95 ms",
            [
                Bar(
                    each["name"],
                    "",
                    (Part(each["p95_ms"]),),
                    f"{each['p95_ms']:.0f}",
                    f"中位 median {each['median_ms']:.0f}",
                )
                for each in slowest[:12]
            ],
        )
    )


def _questions(section: Section, found: Json) -> None:
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


def _reading(section: Section, found: Json) -> None:
    """Each kind of question against its bar; bars are as long as the part of it that is used up."""
    cases = f"{found['cases']:,} 件"
    for kind, each in found["kinds"].items():
        zh, en = _KIND_NAMES.get(kind, (kind, kind))
        section.goals.append(
            Goal(f"{cases}，{zh} p95", f"{en}, p95", each["p95_ms"], each["bar_ms"], "ms", at_most=True)
        )
    section.charts.append(
        Chart(
            f"{cases}时每类问题的 p95，占上限的份额",
            "p95 of each kind of question, as a share of its bar",
            [_against_its_bar(kind, each) for kind, each in found["kinds"].items()],
            limit=1.0,
        )
    )


def _against_its_bar(kind: str, each: Json) -> Bar:
    zh, en = _KIND_NAMES.get(kind, (kind, ""))
    note = f"≤ {each['bar_ms']:.0f} ms · 最慢 slowest {each['slowest_p95_ms']:.1f}: {each['slowest']}"
    return Bar(zh, en, (Part(each["p95_ms"] / each["bar_ms"]),), f"{each['p95_ms']:.1f} ms", note)


def _city(section: Section, found: Json) -> None:
    """Filling and rebuilding a whole city, and how large it is."""
    cases = found["cases"]
    for name, zh, en in (("rebuild", "重建全部读模型", "rebuild of all read models"), ("seed", "装入", "seed")):
        step = found.get(name, {})
        if "bar_us" in step:
            bar = step["bar_us"] * cases / 60_000_000
            took = round(step["seconds"] / 60, 1)
            section.goals.append(Goal(f"{cases:,} 件，{zh}", en, took, round(bar, 1), "min", at_most=True))
    _facts(
        ("cases", "件数", "cases"),
        ("seed.seconds", "装入，秒", "seed, s"),
        ("seed.own_cpu_seconds", "装入，程序处理器秒", "seed, own CPU, s"),
        ("seed.server_cpu_seconds", "装入，数据库处理器秒", "seed, server CPU, s"),
        ("rebuild.seconds", "重建，秒", "rebuild, s"),
        ("rebuild.own_cpu_seconds", "重建，程序处理器秒", "rebuild, own CPU, s"),
        ("rebuild.server_cpu_seconds", "重建，数据库处理器秒", "rebuild, server CPU, s"),
        ("rebuild.differences", "重建后的差异", "differences"),
        ("sizes.database_bytes", "数据库，字节", "database, bytes"),
        ("sizes.bytes_per_case", "每件，字节", "bytes per case"),
    )(section, found)
    if tables := found.get("sizes", {}).get("tables"):
        lines = [[name, *(_text(each[key]) for key in ("rows", "bytes", "indexes"))] for name, each in tables.items()]
        section.tables.append(
            Rows("最大的表", "largest tables", ["表 table", "行 rows", "字节 bytes", "索引 indexes"], lines)
        )


# --- everything else --------------------------------------------------------------------------------------------------


def _facts(*wanted: tuple[str, str, str]) -> Callable[[Section, Json], None]:
    """Shows these figures one by one: where each stands, with dots in between, and what it is called."""

    def show(section: Section, found: Json) -> None:
        for path, zh, en in wanted:
            value: Any = found
            for step in path.split("."):
                value = value.get(step) if isinstance(value, dict) else None
            if value is not None:
                section.facts.append(Fact(zh, en, _text(value)))

    return show


def _rehydrate(section: Section, found: Json) -> None:
    section.goals.append(Goal("每秒恢复", "cases begun again per second", found["per_s"], found["target_per_s"], "/s"))
    _facts(
        ("cases", "件数", "cases"),
        ("begun_s", "用时，秒", "seconds"),
        ("per_s", "每秒恢复", "per second"),
        ("all_answering_s", "全部可答复，秒", "all answering, s"),
        ("failed", "失败", "failed"),
        ("doubled", "重复开始", "begun twice"),
        ("alarm_differs", "时刻不符", "alarms that differ"),
        ("second_run_s", "再跑一遍，秒", "second run, s"),
    )(section, found)


def _topology(section: Section, found: Json) -> None:
    refused = found["refused"] + found["lost"] + found["doubled"]
    section.goals.append(
        Goal("滚动时拒绝、丢失、重复", "refused, lost or doubled while rolling", refused, 0, at_most=True)
    )
    worst = max(phase["p99"] for phase in found["phases"].values())
    section.goals.append(Goal("滚动时答复 p99", "answer p99 while rolling", worst, found["p99_bar"], "s", at_most=True))
    section.charts.append(
        Chart(
            "各阶段的答复 p99，秒",
            "answers p99 by phase, s",
            [
                Bar(name, "", (Part(phase["p99"]),), f"{phase['p99']:.2f} s", f"{phase['acts']:,} 个行为 acts")
                for name, phase in found["phases"].items()
            ],
            limit=found["p99_bar"],
        )
    )
    _facts(
        ("acts", "行为", "acts"),
        ("refused", "拒绝", "refused"),
        ("lost", "丢失", "lost"),
        ("doubled", "重复", "doubled"),
    )(section, found)


def _audit(section: Section, found: Json) -> None:
    a_million = found["wall_ms"] * 1000 / found["events"]
    section.goals.append(
        Goal("核验每百万事件", "audit of a million events", round(a_million, 1), 120, "s", at_most=True)
    )
    _facts(
        ("events", "事件", "events"),
        ("streams", "流程", "streams"),
        ("wall_ms", "用时，毫秒", "took, ms"),
        ("command_cpu_ms", "命令处理器，毫秒", "CPU of the command, ms"),
        ("server_cpu_ms", "数据库处理器，毫秒", "CPU of the server, ms"),
        ("command_peak_mib", "命令最多内存，MiB", "most memory, MiB"),
        ("sound", "完好", "sound"),
    )(section, found)


def _anything(section: Section, found: Any) -> None:
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


Build = Callable[[Section, Any], None]

SECTIONS: dict[str, tuple[str, str, str, Build]] = {
    "loop": ("闭环", "the loop", "make bench", _loop),
    "open_cases": ("在办诉求", "open cases", 'make bench-open OPEN="10000 50000"', _open_cases),
    "rehydrate": ("从台账恢复", "back from the ledger", "make bench-rehydrate", _rehydrate),
    "topology": ("滚动重启与升级", "rolling restart and upgrade", "make bench-topology", _topology),
    "reading": ("大规模查询", "reading at size", "python -m bench.reading", _reading),
    "city": ("一座城市的台账", "the ledger of a city", 'make bench-city ARGS="--cases 1000000"', _city),
    "doors": ("页面", "pages", "make bench-doors", _pages),
    "lists": ("列表与检索", "lists and search", "python -m bench.lists", _questions),
    "figures": ("统计与看板", "statistics and board", "python -m bench.figures", _questions),
    "audit": ("核验", "audit", "make bench-audit", _audit),
    "backup": (
        "备份",
        "backup",
        "python -m bench.backup",
        _facts(
            ("cases", "件数", "cases"),
            ("create.seconds", "备份，秒", "create, s"),
            ("create.bytes", "大小，字节", "bytes"),
            ("verify.restored_seconds", "试恢复，秒", "restored to try, s"),
            ("verify.checked_seconds", "逐条核对，秒", "checked, s"),
            ("restore.seconds", "恢复，秒", "restore, s"),
            ("verify.verdict", "结论", "verdict"),
        ),
    ),
    "calendar": (
        "算期限",
        "due times",
        "make bench-time",
        _facts(
            ("computations", "期限个数", "due times"),
            ("total_s", "合计，秒", "all of them, s"),
            ("us_each", "每个，微秒", "each, µs"),
            ("build_ms", "铺开日历，毫秒", "laying out, ms"),
        ),
    ),
    "plan": (
        "下一步",
        "plans",
        "make bench-time",
        _facts(
            ("clocks", "运行中的时钟", "running clocks"),
            ("microseconds_best", "一次，微秒", "one plan, µs"),
            ("microseconds_median", "中位，微秒", "median, µs"),
        ),
    ),
    "rehearse": (
        "演练",
        "rehearsal",
        "make bench-time",
        _facts(
            ("cases", "件数", "cases"),
            ("clocks", "时钟", "clocks"),
            ("ledger_s", "从台账，秒", "out of the ledger, s"),
            ("table_s", "从表格，秒", "out of a table, s"),
            ("us_per_clock", "每个时钟，微秒", "each clock, µs"),
        ),
    ),
    "metering": (
        "计量",
        "counting",
        "make bench-metering",
        _facts(
            ("act_cpu_ms_off", "不计量，处理器毫秒", "an act without, CPU ms"),
            ("act_cpu_ms_on", "计量，处理器毫秒", "an act with, CPU ms"),
            ("scrape_ms", "抓取一次，毫秒", "a scrape, ms"),
            ("gauges_ms", "台账仪表，毫秒", "gauges of the ledger, ms"),
        ),
    ),
}
"""What is known by name, in the order it is shown: Chinese, English, how to repeat it, how to show it."""


def fill(section: Section, name: str, found: Any) -> None:
    """Put the figures of the command ``name`` into its section."""
    known = SECTIONS.get(name)
    (_anything if known is None else known[3])(section, found)


def title_of(name: str) -> tuple[str, str, str]:
    """Chinese and English title of the command ``name``, and how to repeat it."""
    known = SECTIONS.get(name)
    return known[:3] if known is not None else (name, "", f"python -m bench.{name}")
