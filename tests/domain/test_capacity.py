"""The calculation from figures to machines: right by hand for a city, and moving the way it should."""

from dataclasses import replace

import pytest

from domain.capacity import FIGURES, Load, capacity

CITY = Load(requests_per_day=65_000)


def needs(load: Load, **changed: int) -> dict[str, float]:
    known = {each.code: each.value for each in FIGURES} | changed
    return {line.code: line.value for line in capacity(load, known)}


def test_a_city_reckoned_by_hand() -> None:
    found = needs(CITY, loop_worker_us=100_000, replay_us=20_000, loop_ledger_bytes=2**14, loop_store_bytes=2**16)

    assert found["open"] == 65_000 * 14
    assert found["opened"] == 4.51  # a quarter of 65,000 in 3,600 seconds
    assert found["acts"] == 54.17
    assert found["worker_cores"] == 1.53  # 0.4514 for loops, 1.0833 for replays
    assert found["workers"] == 5  # 3.07 at half use, so four, and one more
    assert found["ledger_gib"] == 363  # 23,725,000 requests of 16 KiB: 362.01
    assert found["store_gib"] == 175  # 65,000 × 44 days × 64 KiB: 174.56
    assert found["history_shards"] == 1024


def test_a_street_needs_the_least_of_everything() -> None:
    found = needs(Load(requests_per_day=300))
    assert [found[each] for each in ("workers", "consoles", "frontends", "histories", "matchings")] == [3, 2, 2, 2, 2]
    assert found["history_shards"] == 512
    assert found["ledger_gib"] < 10


@pytest.mark.parametrize(
    ("change", "grows"),
    [
        ({"requests_per_day": 130_000}, {"open", "opened", "acts", "worker_cores", "ledger_gib", "wal_kib_s"}),
        ({"days_open": 28}, {"open", "timers", "store_gib", "history_shards"}),
        ({"acts": 24}, {"acts", "events", "worker_cores", "store_writes", "ledger_gib"}),
        ({"busiest_percent": 50}, {"opened", "acts", "worker_cores", "console_cores", "commits"}),
        ({"retention_days": 60}, {"store_gib"}),
        ({"years": 2}, {"ledger_gib", "photographs_gib"}),
    ],
)
def test_what_grows_with_what(change: dict[str, int], grows: set[str]) -> None:
    before, after = needs(CITY), needs(replace(CITY, **change))
    assert grows <= {code for code in before if after[code] > before[code]}
    assert not {code for code in before if after[code] < before[code]}


def test_every_figure_moves_something_and_says_where_it_is_from() -> None:
    for each in FIGURES:
        assert each.source
        assert all(each.meaning)
        assert needs(CITY, **{each.code: each.value * 7}) != needs(CITY), f"{each.code} is used nowhere"
