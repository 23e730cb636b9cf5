"""What follows for a worker from its settings and from the memory there is."""

import gc
from pathlib import Path

import pytest
from temporalio.worker import PollerBehaviorAutoscaling, PollerBehaviorSimpleMaximum

from runtime.memory import Memory, memory_here, settle
from runtime.settings import Settings
from runtime.tuning import cached_of, cases_that_fit, memory_of, remembered_of, tuning_of

GIB = 1024**3
MACHINE = "MemTotal:       16777216 kB\nMemFree: 1 kB\nMemAvailable:    8388608 kB\n"


def system(folder: Path, group: str, **limits: str) -> tuple[Path, Path]:
    """Files as the kernel shows them; limits are given as ``a__b`` for the file of the group ``a/b``."""
    proc, groups = folder / "proc", folder / "groups"
    (proc / "self").mkdir(parents=True)
    (proc / "self" / "cgroup").write_text(group, "ascii")
    (proc / "meminfo").write_text(MACHINE, "ascii")
    for name, limit in limits.items():
        path = groups.joinpath(*name.replace("dot", ".").split("__"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(limit, "ascii")
    return proc, groups


def test_the_smallest_limit_around_the_process_counts(tmp_path: Path) -> None:
    limits = {
        "office__worker__memorydotmax": "max\n",
        "office__memorydotmax": f"{GIB}\n",
        "memorydotmax": f"{4 * GIB}\n",
    }
    assert memory_here(*system(tmp_path, "0::/office/worker\n", **limits)) == Memory(GIB, "limit")


def test_in_a_container_the_limit_lies_at_the_root(tmp_path: Path) -> None:
    assert memory_here(*system(tmp_path, "0::/elsewhere/x\n", memorydotmax=f"{GIB}\n")) == Memory(GIB, "limit")


def test_control_groups_of_the_first_version_are_read_and_their_no_limit_is_none(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    limited = system(one, "5:cpu:/\n4:memory:/w\n", memory__w__memorydotlimit_in_bytes=f"{2 * GIB}\n")
    free = system(two, "4:memory:/\n0::/\n", memory__memorydotlimit_in_bytes="9223372036854771712\n")
    assert memory_here(*limited) == Memory(2 * GIB, "limit")
    assert memory_here(*free) == Memory(8 * GIB, "available")


def test_a_limit_beyond_the_machine_is_none_and_another_system_tells_nothing(tmp_path: Path) -> None:
    assert memory_here(*system(tmp_path, "0::/\n", memorydotmax=f"{64 * GIB}\n")) == Memory(8 * GIB, "available")
    assert memory_here(tmp_path / "nothing", tmp_path / "nothing") is None


@pytest.mark.parametrize(
    ("memory", "least", "most"),
    [
        (Memory(GIB // 4, "limit"), 200, 200),
        (Memory(GIB, "limit"), 1_000, 5_000),
        (Memory(2 * GIB, "limit"), 4_000, 10_000),
        (Memory(2 * GIB, "available"), 200, 1_000),
        (Memory(256 * GIB, "available"), 20_000, 20_000),
        (None, 1_000, 1_000),
    ],
)
def test_what_is_kept_fits_into_the_memory(memory: Memory | None, least: int, most: int) -> None:
    fits = cases_that_fit(memory)
    assert least <= fits <= most
    if memory is not None and fits > 200:
        assert memory_of(fits) < memory.size


def test_what_is_set_is_taken_and_what_is_not_follows_from_the_pool() -> None:
    plain = tuning_of(Settings(pool_size=7, max_cached_workflows=0))
    assert (plain["max_concurrent_activities"], plain["max_concurrent_local_activities"]) == (7, 7)
    assert plain["max_cached_workflows"] == cached_of(Settings(max_cached_workflows=0)) == 0
    assert plain["workflow_task_poller_behavior"] == PollerBehaviorSimpleMaximum(16)

    given = tuning_of(Settings(activity_slots=3, local_activity_slots=4, pollers="autoscaling", workflow_pollers=2))
    assert (given["max_concurrent_activities"], given["max_concurrent_local_activities"]) == (3, 4)
    assert given["workflow_task_poller_behavior"] == PollerBehaviorAutoscaling(minimum=2, initial=2, maximum=2)


def test_no_more_states_are_remembered_than_processes_are_kept() -> None:
    kept_and_remembered = {0: 0, 300: 300, 20_000: 2_000}
    for kept, remembered in kept_and_remembered.items():
        assert remembered_of(Settings(max_cached_workflows=kept)) == remembered


def test_what_was_loaded_before_serving_is_not_walked_through_again() -> None:
    try:
        before: list[list[int]] = [[]]
        settle()
        after: list[list[int]] = [[]]
        walked = gc.get_objects()
        assert not any(each is before for each in walked)
        assert any(each is after for each in walked)
    finally:
        gc.unfreeze()


def test_a_worker_lets_more_gather_before_it_collects() -> None:
    before = gc.get_threshold()
    try:
        settle()
        assert gc.get_threshold() == before
        settle(collect_after=12_345)
        assert gc.get_threshold() == (12_345, *before[1:])
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
