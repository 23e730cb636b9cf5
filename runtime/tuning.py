"""How the worker of the Temporal library is tuned, out of the settings.

Owns the translation, and the number of processes that fit into the memory there is. Each default has its reason in
docs/operations/tuning.md.
"""

from datetime import timedelta
from typing import TypedDict

from temporalio.worker import PollerBehavior, PollerBehaviorAutoscaling, PollerBehaviorSimpleMaximum

from runtime.memory import Memory, memory_here
from runtime.settings import Settings

KIB_PER_CACHED = 200
"""Memory a worker takes for one process that it keeps; measured, see docs/operations/tuning.md."""

_MIB = 1024 * 1024
_EMPTY_WORKER = 200 * _MIB
_LEAST, _MOST = 200, 20_000
_UNKNOWN = 1_000
_MOST_REMEMBERED = 2_000


class Tuning(TypedDict):
    """What ``temporalio.worker.Worker`` is told."""

    max_cached_workflows: int
    max_concurrent_workflow_tasks: int
    max_concurrent_activities: int
    max_concurrent_local_activities: int
    workflow_task_poller_behavior: PollerBehavior
    activity_task_poller_behavior: PollerBehavior
    nonsticky_to_sticky_poll_ratio: float
    sticky_queue_schedule_to_start_timeout: timedelta
    graceful_shutdown_timeout: timedelta


def tuning_of(settings: Settings) -> Tuning:
    """What the settings say, and for those that say nothing what follows from the others and from the memory here."""
    return Tuning(
        max_cached_workflows=cached_of(settings),
        max_concurrent_workflow_tasks=settings.workflow_slots,
        max_concurrent_activities=settings.activity_slots or settings.pool_size,
        max_concurrent_local_activities=settings.local_activity_slots or settings.pool_size,
        workflow_task_poller_behavior=_pollers(settings, settings.workflow_pollers, least=2),
        activity_task_poller_behavior=_pollers(settings, settings.activity_pollers, least=1),
        nonsticky_to_sticky_poll_ratio=settings.nonsticky_ratio,
        sticky_queue_schedule_to_start_timeout=settings.sticky_timeout,
        graceful_shutdown_timeout=settings.graceful_shutdown,
    )


def cached_of(settings: Settings) -> int:
    """How many processes the worker keeps in memory: what the setting says, else what fits."""
    return settings.max_cached_workflows if settings.max_cached_workflows is not None else cases_that_fit(memory_here())


def remembered_of(settings: Settings) -> int:
    """Of how many processes the worker remembers the last state: no more than it keeps in memory, at most 2,000."""
    return min(cached_of(settings), _MOST_REMEMBERED)


def cases_that_fit(memory: Memory | None) -> int:
    """How many processes a worker may keep: half of its own limit, or an eighth of what a shared machine has left.

    Before that what an empty worker takes is set aside. At least 200, at most 20,000; 1,000 where nobody knows.
    """
    if memory is None:
        return _UNKNOWN
    share = memory.size // (2 if memory.kind == "limit" else 8)
    return max(_LEAST, min(_MOST, (share - _EMPTY_WORKER) // (KIB_PER_CACHED * 1024)))


def memory_of(cases: int) -> int:
    """Bytes that a worker is reckoned to take which keeps so many processes; ``cases_that_fit`` the other way round."""
    return _EMPTY_WORKER + cases * KIB_PER_CACHED * 1024


def _pollers(settings: Settings, most: int, *, least: int) -> PollerBehavior:
    if settings.pollers == "fixed":
        return PollerBehaviorSimpleMaximum(most)
    return PollerBehaviorAutoscaling(minimum=least, initial=max(least, min(most, 4)), maximum=most)
