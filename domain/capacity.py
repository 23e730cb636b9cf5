"""From figures of one machine to the machines of an office: a calculation anybody can repeat.

Owns the figures, each with where it comes from, and the formulas over them. Pure arithmetic with whole numbers and
fractions; what is a count of processes is rounded up. It knows no machine: what it says is a beginning, to be compared
with what the metrics say later.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from types import MappingProxyType
from typing import Literal

_DAY_S, _HOUR_S, _YEAR_D = 86_400, 3_600, 365


@dataclass(frozen=True)
class Figure:
    """One figure the calculation stands on: measured with a command of the bench, read somewhere, or assumed."""

    code: str
    value: int
    unit: str
    kind: Literal["measured", "read", "assumed"]
    meaning: tuple[str, str]
    source: str


_BENCH, _DOORS = "make bench, 2026-11-27 (docs/benchmarks.md)", "make bench-doors, 2026-11-27 (docs/benchmarks.md)"
_SIZES, _CACHE = "python -m bench.sizes, 2026-11-27", "make bench-open, 2026-11-27 (docs/benchmarks.md)"
_HERE = "docs/operations/city.md"


def _measured(code: str, value: int, unit: str, zh: str, en: str, source: str) -> Figure:
    return Figure(code, value, unit, "measured", (zh, en), source)


def _assumed(code: str, value: int, unit: str, zh: str, en: str) -> Figure:
    return Figure(code, value, unit, "assumed", (zh, en), _HERE)


def _read(code: str, value: int, unit: str, zh: str, en: str, source: str) -> Figure:
    return Figure(code, value, unit, "read", (zh, en), source)


FIGURES: tuple[Figure, ...] = (
    _measured("loop_acts", 12, "acts", "完整闭环里人的操作", "acts of people in a plain loop", _BENCH),
    _measured("loop_history_events", 77, "events", "闭环的历史事件", "history events of it", _BENCH),
    _measured("loop_history_bytes", 43_200, "B", "闭环的历史字节", "bytes of that history", _BENCH),
    _measured("loop_worker_us", 100_000, "µs", "办理进程处理器时间", "processor time of workers", _BENCH),
    _measured("loop_temporal_us", 106_000, "µs", "Temporal 处理器时间", "of Temporal, one process, SQLite", _BENCH),
    _measured("loop_postgres_us", 27_000, "µs", "PostgreSQL 处理器时间", "of PostgreSQL", _BENCH),
    _measured("loop_door_us", 25_000, "µs", "网页进程处理器时间", "of the door, acts alone", _BENCH),
    _measured("page_us", 8_000, "µs", "打开一页的处理器时间", "processor time of a page", _DOORS),
    _measured("loop_store_writes", 14, "writes", "闭环写 Temporal 存储的次数", "writes into Temporal's store", _SIZES),
    _measured("loop_store_bytes", 75_000, "B", "闭环在 Temporal 存储的字节", "bytes left in that store", _SIZES),
    _measured("loop_events", 30, "events", "闭环的账本流水", "events of it in the ledger", _SIZES),
    _measured("loop_ledger_bytes", 45_000, "B", "闭环的账本字节，含索引", "bytes in the ledger, with indexes", _SIZES),
    _measured("loop_wal_bytes", 100_000, "B", "闭环的 WAL，不含整页", "WAL of it without whole pages", _SIZES),
    _measured("kept_case_bytes", 204_800, "B", "内存里留一个流程", "memory of a case a worker keeps", _CACHE),
    _assumed("replay_us", 20_000, "µs", "重放一个流程", "a replay of a case that is not in memory"),
    _assumed("time_acts", 4, "acts", "一件诉求里时间引起的操作", "acts of time: lights, rungs, publishing, sealing"),
    _assumed("pages_an_act", 5, "pages", "每次操作看几页", "pages looked at for each act"),
    _assumed("page_postgres_us", 3_000, "µs", "一页在 PostgreSQL 的处理器时间", "processor time of PostgreSQL for it"),
    _assumed("engine_factor", 2, "×", "Temporal 分成多个服务的代价", "Temporal in parts and on PostgreSQL"),
    _assumed("wal_factor", 8, "×", "检查点后整页写入使 WAL 增大", "WAL with whole pages after checkpoints"),
    _assumed("photograph_bytes", 900_000, "B", "每件诉求的照片", "photographs of a request"),
    _read("shard_cases", 1_000, "cases", "每个历史分片的未结诉求", "open cases for each history shard", _HERE),
    _read("least_shards", 512, "shards", "最少的历史分片", "fewest history shards", _HERE),
)
"""Everything the calculation stands on."""

_KNOWN: Mapping[str, int] = MappingProxyType({each.code: each.value for each in FIGURES})


@dataclass(frozen=True)
class Load:
    """What an office has to carry.

    ``busiest_percent`` is the share of a day's work in its busiest hour, ``use_percent`` how much of a processor is
    planned to be used then. ``acts`` are those of people for one request; fewer than a plain loop's make everything
    that grows with acts smaller. ``retention_days`` is how long Temporal keeps what has ended.
    """

    requests_per_day: int
    days_open: int = 14
    acts: int = _KNOWN["loop_acts"]
    busiest_percent: int = 25
    use_percent: int = 50
    retention_days: int = 30
    years: int = 1


@dataclass(frozen=True)
class Line:
    """One result: ``value`` is a count where it is whole by nature, else a rate rounded to a hundredth."""

    code: str
    value: int | float
    unit: str
    meaning: tuple[str, str]
    formula: str


def capacity(load: Load, figures: Mapping[str, int] = _KNOWN) -> tuple[Line, ...]:
    """What the load needs, line by line, each with its formula in words of the codes above it."""
    return tuple(_lines(load, figures))


def _lines(load: Load, known: Mapping[str, int]) -> Iterator[Line]:
    share = Fraction(load.acts, known["loop_acts"])
    use = Fraction(load.use_percent, 100)
    opened = Fraction(load.requests_per_day * load.busiest_percent, 100 * _HOUR_S)
    loops = opened * share
    acts = opened * load.acts
    timed = Fraction(load.requests_per_day * known["time_acts"], _DAY_S)
    open_cases = load.requests_per_day * load.days_open
    writes = loops * known["loop_store_writes"] + timed * 2

    yield _count("open", open_cases, "cases", ("同时未结的诉求", "open at a time"), "requests × days open")
    yield _rate(
        "opened", opened, ("最忙一小时：每秒登记", "opened a second, busiest hour"), "requests × busiest / 3600"
    )
    yield _rate("acts", acts, ("每秒人的操作", "acts of people a second"), "opened × acts")
    yield _rate("timed", timed, ("每秒时间引起的操作", "acts of time a second"), "requests × time_acts / 86400")
    yield _count("timers", open_cases, "timers", ("同时等待的定时器", "timers that wait"), "one for each open case")
    yield _rate(
        "events", loops * known["loop_events"], ("每秒账本流水", "ledger events a second"), "loops × loop_events"
    )
    yield _rate(
        "history_events",
        loops * known["loop_history_events"],
        ("每秒历史事件", "history events a second"),
        "loops × loop_history_events",
    )

    yield from _processes(load, known, loops=loops, acts=acts, use=use)
    yield from _engine(load, known, loops=loops, writes=writes, use=use)
    yield from _ledger(load, known, loops=loops, acts=acts + timed, use=use, share=share)


def _processes(
    load: Load, known: Mapping[str, int], *, loops: Fraction, acts: Fraction, use: Fraction
) -> Iterator[Line]:
    # At the worst no act finds its case in memory: then each costs a replay as well.
    worker = _cores(loops * known["loop_worker_us"] + acts * known["replay_us"])
    door = _cores(loops * known["loop_door_us"] + acts * known["pages_an_act"] * known["page_us"])
    yield _rate(
        "worker_cores",
        worker,
        ("办理进程用的核", "cores workers use"),
        "loops × loop_worker_us + acts × replay_us",
        unit="cores",
    )
    yield _count(
        "workers",
        max(3, ceil(worker / use) + 1),
        "processes",
        ("办理进程（每个一核）", "workers of one core"),
        "worker_cores / use, one more, at least 3",
    )
    yield _count(
        "kept_mib",
        ceil(Fraction(load.requests_per_day * known["kept_case_bytes"], 2**20)),
        "MiB",
        ("把一天的诉求留在内存", "memory to keep a day's requests, all workers"),
        "requests × kept_case_bytes",
    )
    yield _rate(
        "console_cores",
        door,
        ("网页进程用的核", "cores consoles use"),
        "loops × loop_door_us + acts × pages_an_act × page_us",
        unit="cores",
    )
    yield _count(
        "consoles",
        max(2, ceil(door / use) + 1),
        "processes",
        ("网页进程（每个一核）", "consoles of one core"),
        "console_cores / use, one more, at least 2",
    )
    yield _rate(
        "hand_overs",
        loops,
        ("每秒派给部门系统的任务，全部部门都有系统时", "hand-overs a second, if every department has a system"),
        "one for each loop",
    )
    yield _count(
        "replayed_kib_s",
        ceil(acts * known["loop_history_bytes"] / 2 / 1024),
        "KiB/s",
        ("每秒重放读取的历史，内存里都没有时", "histories read for replays a second, if nothing is kept"),
        "acts × loop_history_bytes / 2",
    )


def _engine(
    load: Load, known: Mapping[str, int], *, loops: Fraction, writes: Fraction, use: Fraction
) -> Iterator[Line]:
    cores = _cores(loops * known["loop_temporal_us"] * known["engine_factor"])
    kept = load.requests_per_day * (load.days_open + load.retention_days)
    share = Fraction(load.acts, known["loop_acts"])
    yield _rate(
        "temporal_cores",
        cores,
        ("Temporal 用的核", "cores Temporal uses"),
        "loops × loop_temporal_us × engine_factor",
        unit="cores",
    )
    for code, part, zh in (
        ("frontends", Fraction(1, 4), "Temporal frontend"),
        ("histories", Fraction(1, 2), "Temporal history"),
        ("matchings", Fraction(1, 4), "Temporal matching"),
    ):
        yield _count(
            code,
            max(2, ceil(cores * part / use) + 1),
            "processes",
            (f"{zh}（每个一核）", f"{zh}, one core each"),
            f"{part} of temporal_cores / use, one more, at least 2",
        )
    yield _count(
        "history_shards",
        _power_of_two(max(known["least_shards"], ceil(Fraction(kept_open(load), known["shard_cases"])))),
        "shards",
        ("历史分片（以后不能改）", "history shards, for good"),
        "open / shard_cases, next power of two, at least least_shards",
    )
    yield _rate(
        "store_writes",
        writes,
        ("每秒写 Temporal 存储", "writes into Temporal's store a second"),
        "loops × loop_store_writes + timed × 2",
    )
    yield _count(
        "store_gib",
        ceil(share * kept * known["loop_store_bytes"] / 2**30),
        "GiB",
        ("Temporal 存储", "Temporal's store"),
        "requests × (days open + retention) × loop_store_bytes",
    )


def _ledger(
    load: Load, known: Mapping[str, int], *, loops: Fraction, acts: Fraction, use: Fraction, share: Fraction
) -> Iterator[Line]:
    pages = loops * known["loop_acts"] * known["pages_an_act"]
    cores = _cores(loops * known["loop_postgres_us"] + pages * known["page_postgres_us"])
    requests = load.requests_per_day * _YEAR_D * load.years
    yield _rate(
        "postgres_cores",
        cores,
        ("账本 PostgreSQL 用的核", "cores the ledger's PostgreSQL uses"),
        "loops × loop_postgres_us + pages × page_postgres_us",
        unit="cores",
    )
    yield _count(
        "postgres_machine",
        max(4, ceil(cores / use)),
        "cores",
        ("账本机器的核", "cores of its machine"),
        "postgres_cores / use, at least 4",
    )
    yield _rate("commits", acts, ("每秒提交（WAL 刷盘）", "commits a second, each a flush"), "acts + timed")
    yield _count(
        "wal_kib_s",
        ceil(loops * known["loop_wal_bytes"] * known["wal_factor"] / 1024),
        "KiB/s",
        ("每秒 WAL", "WAL a second"),
        "loops × loop_wal_bytes × wal_factor",
    )
    yield _count(
        "ledger_gib",
        ceil(share * requests * known["loop_ledger_bytes"] / 2**30),
        "GiB",
        ("账本", "the ledger"),
        "requests × days × loop_ledger_bytes",
    )
    yield _count(
        "photographs_gib",
        ceil(Fraction(requests * known["photograph_bytes"], 2**30)),
        "GiB",
        ("照片", "photographs"),
        "requests × days × photograph_bytes",
    )


def kept_open(load: Load) -> int:
    """How many requests are open at a time."""
    return load.requests_per_day * load.days_open


def _cores(microseconds_a_second: Fraction) -> Fraction:
    return microseconds_a_second / 1_000_000


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()


def _count(code: str, value: int, unit: str, meaning: tuple[str, str], formula: str) -> Line:
    return Line(code, value, unit, meaning, formula)


def _rate(code: str, value: Fraction, meaning: tuple[str, str], formula: str, unit: str = "/s") -> Line:
    return Line(code, round(float(value), 2), unit, meaning, formula)
