"""The arithmetic of a running limit: start, warning, expiry, pause."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.clocks import Clock, next_alarm, resumed, start, worst_light
from domain.limits import limit
from domain.rules import EXAMPLE_BOOK, ClockKind, Pinned, Urgency
from tests.neighbourhood import NOON

RULES = EXAMPLE_BOOK.pin(Urgency.GENERAL, None)
HOUR = timedelta(hours=1)


def with_limit(text: str, warn_percent: int = 80) -> Pinned:
    row = RULES.row.model_copy(update={"limits": {ClockKind.HANDLE: limit(text)}})
    return RULES.model_copy(update={"row": row, "warn_percent": warn_percent})


def running(text: str = "10h") -> Clock:
    clock = start(ClockKind.HANDLE, with_limit(text), NOON)
    assert clock is not None
    return clock


def stopped(clock: Clock, after: timedelta) -> Clock:
    return clock.model_copy(update={"stopped_at": NOON + after})


def test_a_clock_stores_when_it_warns_and_when_it_is_due() -> None:
    clock = running()
    assert (clock.started_at, clock.warn_at, clock.due_at) == (NOON, NOON + 8 * HOUR, NOON + 10 * HOUR)
    assert (clock.light, clock.is_running, clock.next_alarm) == ("green", True, NOON + 8 * HOUR)
    assert clock.rules_version == "example-1"


def test_a_kind_without_a_limit_does_not_run() -> None:
    assert start(ClockKind.VERIFY, with_limit("10h"), NOON) is None


@pytest.mark.parametrize(
    ("organisation", "run", "name"),
    [(None, 0, "handle"), ("D01", 0, "handle:D01"), (None, 2, "handle#2"), ("D01", 1, "handle:D01#1")],
)
def test_the_name_of_a_clock(organisation: str | None, run: int, name: str) -> None:
    clock = start(ClockKind.HANDLE, with_limit("10h"), NOON, organisation=organisation, run=run)
    assert clock is not None
    assert clock.id == name


def test_lights_and_alarms() -> None:
    clock = running()
    warned = clock.model_copy(update={"warned_at": clock.warn_at})
    red = warned.model_copy(update={"overdue_at": clock.due_at})
    assert (warned.light, warned.next_alarm) == ("yellow", clock.due_at)
    assert (red.light, red.next_alarm) == ("red", None)
    assert stopped(clock, HOUR).next_alarm is None
    assert next_alarm([red, warned, clock]) == clock.warn_at
    assert next_alarm([red]) is None
    assert next_alarm([]) is None
    assert worst_light([clock, warned]) == "yellow"
    assert worst_light([clock, red, warned]) == "red"
    assert worst_light([stopped(red, 20 * HOUR), clock]) == "green"
    assert worst_light([]) == "green"


def test_what_is_left_is_kept_through_a_pause() -> None:
    again = resumed(stopped(running(), 3 * HOUR), RULES, NOON + 5 * HOUR)
    assert (again.warn_at, again.due_at, again.stopped_at) == (NOON + 10 * HOUR, NOON + 12 * HOUR, None)


def test_a_second_pause_does_not_drop_the_first() -> None:
    once = resumed(stopped(running(), 3 * HOUR), RULES, NOON + 5 * HOUR)
    twice = resumed(stopped(once, 6 * HOUR), RULES, NOON + 9 * HOUR)
    assert twice.due_at == NOON + 15 * HOUR


def test_a_clock_that_ran_out_is_not_refilled() -> None:
    red = running().model_copy(update={"warned_at": NOON, "overdue_at": NOON + 10 * HOUR})
    again = resumed(stopped(red, 12 * HOUR), RULES, NOON + 30 * HOUR)
    assert (again.due_at, again.overdue_at, again.is_running) == (red.due_at, red.overdue_at, True)
    assert again.next_alarm is None


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 99), st.integers(1, 9_999), st.sampled_from(["s", "m", "h", "d"]))
def test_a_clock_warns_after_it_starts_and_before_it_is_due(percent: int, amount: int, unit: str) -> None:
    clock = start(ClockKind.HANDLE, with_limit(f"{amount}{unit}", percent), NOON)
    assert clock is not None
    assert NOON < clock.warn_at < clock.due_at
    assert Clock.model_validate_json(clock.model_dump_json()) == clock


@settings(deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 10_000)), max_size=9))
def test_pauses_move_the_due_by_exactly_their_length(pauses: list[tuple[int, int]]) -> None:
    clock, at, paused = running(), NOON, timedelta(0)
    for worked, waited in pauses:
        at += timedelta(minutes=worked)
        halted = clock.model_copy(update={"stopped_at": at})
        at += timedelta(minutes=waited)
        paused += timedelta(minutes=waited)
        clock = resumed(halted, RULES, at)
    assert clock.due_at == NOON + 10 * HOUR + paused
    assert clock.due_at - clock.warn_at == 2 * HOUR
