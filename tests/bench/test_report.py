"""What the bench hands out: one object with the promised ratios, and one page that asks nobody for anything."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from bench import page
from bench.loop import PLAIN_LOOP
from bench.meters import Answers, Throughput
from bench.open_cases import Cache, Level
from bench.open_cases import as_object as open_cases_as_object
from bench.paths import Path as Walked
from bench.report import Figures, History, as_object
from bench.results import hand_out, keep
from runtime.tuning import memory_of

SECOND = 1_000_000


def rounds(*seconds: float, cpu: int = 1) -> list[Throughput]:
    """Rounds of ten cases that took so many seconds and so many seconds of a processor."""
    return [
        Throughput(cases=10, took=round(each * SECOND), cpu={"worker": cpu * SECOND, "client": 0}, others=3)
        for each in seconds
    ]


def answers(*milliseconds: int) -> Answers:
    return Answers({act.label: [each * 1000 for each in milliseconds] for act in PLAIN_LOOP})


FIGURES = Figures(
    rounds={
        "ours": rounds(1.0, 2.0, 1.0, cpu=3),
        "bare": rounds(0.8, 1.0, 0.8, cpu=2),
        "usual": rounds(2.0, 3.0, 2.0),
        "dbos": rounds(4.0, 6.0, 4.0),
        "floor": rounds(0.1, 0.1, 0.1),
    },
    answers={"ours": answers(10, 20), "bare": answers(8, 16)},
    histories={"ours": History(79, 40_000, 4, 4), "bare": History(74, 17_000, 0, 4)},
    paths={"plain_loop": Walked(12, 79, 40_000), "on_the_spot": Walked(2, 15, 6_000)},
    at_once=8,
)


def test_one_object_has_the_promised_ratios_at_its_top(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hand_out("loop", as_object(FIGURES), as_json=True, folder=tmp_path)
    said = json.loads(capsys.readouterr().out)

    # Medians of the rounds' ratios: two of the three rounds are alike.
    assert said["loops_ratio_to_bare"] == 0.8
    assert said["cpu_ratio_to_bare"] == 1.5
    assert (said["loops_ratio_to_usual"], said["loops_ratio_to_dbos"]) == (2.0, 4.0)
    assert said["history_events"] == 79
    assert said["answer_ratio_to_bare"] == {"p50": 1.25, "p95": 1.25}
    assert said["history_by_path"]["on_the_spot"]["events"] == 15
    assert "loops_ratio_to_indexed" not in said, "a peer that did not take part has no figure"
    assert json.loads((tmp_path / "loop.json").read_text(encoding="utf-8"))["figures"] == said


def level(open_cases: int) -> Level:
    """A level that reaches every bar."""
    return Level(
        open=open_cases,
        fill_per_s=50.0,
        loops={"full": rounds(1.0), "empty": rounds(1.0)},
        memory={"worker": 300, "temporal": 900, "postgres": 100},
        memory_of_empty=300,
        burst=[1000, 2000],
        burst_took=SECOND,
        restarts=[2 * SECOND],
        recovery={"worker": SECOND, "temporal": SECOND, "postgres": SECOND},
    )


def slow(missing: Level) -> None:
    missing.loops["full"] = rounds(1.2)


def large(missing: Level) -> None:
    missing.memory["worker"] = 400


def reckless(missing: Level) -> None:
    missing.memory["worker"] = missing.memory_of_empty = memory_of(1000) + 1


def late(missing: Level) -> None:
    missing.restarts = [4 * SECOND]


def refusing(missing: Level) -> None:
    missing.refused = 1


@pytest.mark.parametrize("spoil", [slow, large, reckless, late, refusing])
def test_every_bar_of_the_open_cases_decides(spoil: Callable[[Level], None]) -> None:
    cache, few, many = Cache(1000, {250: 200, 1000: 300}), level(10_000), level(50_000)

    assert open_cases_as_object(cache, [few, many])["passed"]
    spoil(many)
    assert not open_cases_as_object(cache, [few, many])["passed"]


def test_the_page_shows_what_was_kept_and_asks_nobody_for_anything(tmp_path: Path) -> None:
    keep("loop", as_object(FIGURES), tmp_path)
    keep("open_cases", open_cases_as_object(Cache(1000, {250: 200, 1000: 300}), [level(10_000)]), tmp_path)
    keep("of_tomorrow", {"cases": 3, "rows": [{"name": "<b>new</b>", "ms": 1.5}]}, tmp_path)

    page.write(tmp_path / "bench.html", tmp_path)

    text = (tmp_path / "bench.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href|url)\s*[=(]|<script|@import""", text)
    assert "10,000 件" in text
    # Below the bar of 0.85: the goal is shown as missed, and only the goals that are.
    assert re.findall(r'goal missed"><span class="name">([^<]+)', text) == ["吞吐，对裸引擎", "处理器，对裸引擎"]
    assert "&lt;b&gt;new&lt;/b&gt;" in text, "a bench that the page does not know is shown as a table"


KEPT = {
    "rehydrate": {"cases": 1000, "per_s": 58.1, "target_per_s": 30},
    "topology": {
        "acts": 90,
        "refused": 1,
        "lost": 0,
        "doubled": 0,
        "p99_bar": 5,
        "phases": {"calm": {"acts": 90, "p99": 1.5}},
    },
    "reading": {
        "cases": 7000,
        "kinds": {"as_of": {"p95_ms": 7.5, "bar_ms": 20, "slowest": "one", "slowest_p95_ms": 9.0}},
    },
    "city": {
        "cases": 7000,
        "rebuild": {"seconds": 6.0, "bar_us": 900},
        "sizes": {"bytes_per_case": 31_000, "tables": {"event": {"rows": 1, "bytes": 2, "indexes": 3}}},
    },
    "doors": {"cases": 7000, "pages": [{"name": "inbox", "median_ms": 6.0, "p95_ms": 11.0}]},
    "lists": {"cases": 7000, "questions": [{"name": "list · open · street", "median_ms": 2.0, "p95_ms": 12.3}]},
    "audit": {"events": 2_000_000, "wall_ms": 100_000, "sound": True},
    "metering": {"act_cpu_ms_on": 1.6, "act_cpu_ms_off": 1.5},
}
"""Of each command what its chapter speaks of."""


def test_every_command_has_its_chapter_and_its_goals(tmp_path: Path) -> None:
    for name, figures in KEPT.items():
        keep(name, figures, tmp_path)

    page.write(tmp_path / "bench.html", tmp_path)

    text = (tmp_path / "bench.html").read_text(encoding="utf-8")
    assert text.count("<section>") == len(KEPT)
    assert re.findall(r'goal missed"><span class="name">([^<]+)', text) == ["滚动时拒绝、丢失、重复"]
    assert re.findall(r"<b>([^<]+)<i>", text) == ["58.1", "1", "1.5", "7.5", "0.1", "50"]
    assert all(figure in text for figure in ("12.3", "31,000", "✓"))
