"""The arithmetic of a running limit: start, warning, rungs, expiry, pause, extension."""

from datetime import datetime, timedelta
from itertools import permutations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from domain.calendar import Pause, WorkCalendar
from domain.case.moments import moments_of
from domain.clocks import Clock, again, apply, present, reckon, resumed, start, worst_light
from domain.errors import Refused
from domain.ladder import ClockKind, Rung, lights
from domain.limits import limit
from domain.rules import Urgency
from tests.calendars import local, office_calendar
from tests.neighbourhood import EXAMPLE_BOOK, NATURAL_BOOK, NOON

RULES = NATURAL_BOOK.pin(Urgency.GENERAL, None)
HOUR = timedelta(hours=1)
CALENDAR = office_calendar()
LADDER = EXAMPLE_BOOK.ladder
MONDAY = local("2026-11-23 12:00")


def alarm(*clocks: Clock) -> datetime | None:
    """The first instant at which one of the clocks has something to say."""
    return min((moment.at for clock in clocks for moment in moments_of(clock)), default=None)


def lit(percent: int = 80) -> tuple[Rung, ...]:
    return tuple(Rung.model_validate(rung) for rung in lights(percent))


def running(text: str = "10h", warn_percent: int = 80) -> Clock:
    return start(ClockKind.HANDLE, limit(text), RULES, NOON, ladder=lit(warn_percent))


def working(text: str, at: datetime = MONDAY) -> Clock:
    return start(ClockKind.HANDLE, limit(text), RULES, at, calendar=CALENDAR, ladder=LADDER)


def stopped(clock: Clock, after: timedelta) -> Clock:
    return clock.model_copy(update={"stopped_at": clock.started_at + after})


def run_on(clock: Clock, at: datetime) -> Clock:
    """The stopped clock as it stands after it has run on at ``at``."""
    assert clock.stopped_at is not None
    pauses = (*clock.pauses, Pause(begin=clock.stopped_at, end=at))
    return apply(clock, resumed(clock, CALENDAR, lit(), at), stopped_at=None, pauses=pauses)


def test_standing_still_for_no_time_changes_nothing_after_another_calendar_was_adopted() -> None:
    before_the_holidays = local("2026-09-29 12:00")
    clock = start(ClockKind.HANDLE, limit("30m"), RULES, before_the_holidays, calendar=CALENDAR, ladder=LADDER)
    without = WorkCalendar.model_validate({**CALENDAR.model_dump(), "version": "without", "off": (), "made_up": ()})
    halted = stopped(clock, HOUR)
    assert halted.stopped_at is not None

    assert resumed(halted, without, LADDER, halted.stopped_at) == present(clock)
    assert resumed(halted, without, LADDER, halted.stopped_at + HOUR).rungs[-1].at < clock.rungs[-1].at


def test_a_clock_stores_when_it_warns_and_when_it_is_due() -> None:
    clock = running()
    assert (clock.started_at, clock.warn_at, clock.due_at) == (NOON, NOON + 8 * HOUR, NOON + 10 * HOUR)
    assert (clock.light, clock.is_running, alarm(clock)) == ("green", True, NOON + 8 * HOUR)
    assert (clock.rules_version, clock.calendar_version, clock.provisional) == ("natural-1", None, False)


def test_a_working_clock_stores_its_calendar_and_where_its_rungs_stand() -> None:
    clock = working("4wh")
    assert clock.calendar_version == CALENDAR.version
    assert (clock.warn_at, clock.due_at) == (local("2026-11-23 17:12"), local("2026-11-23 18:00"))
    assert [(rung.code, rung.at) for rung in clock.rungs] == [
        ("remind", local("2026-11-23 16:00")),
        ("urge", local("2026-11-23 18:00")),
        ("circular", local("2026-11-30 18:00")),
        ("interview", local("2026-12-07 18:00")),
    ]
    assert alarm(clock) == local("2026-11-23 16:00")


def test_rungs_stand_only_on_the_clocks_they_name() -> None:
    clock = start(ClockKind.REPLY, limit("1wd"), RULES, MONDAY, calendar=CALENDAR, ladder=LADDER)
    assert [rung.code for rung in clock.rungs] == ["remind"]


def test_the_earliest_yellow_rung_warns_and_without_one_the_due_does() -> None:
    early = Rung.model_validate({"code": "early", "name": "早", "at": "30%", "action": "yellow"})
    assert start(ClockKind.HANDLE, limit("10h"), RULES, NOON, ladder=(*lit(), early)).warn_at == NOON + 3 * HOUR
    assert start(ClockKind.HANDLE, limit("10h"), RULES, NOON).warn_at == NOON + 10 * HOUR


def test_working_time_needs_a_calendar_and_natural_time_none() -> None:
    with pytest.raises(Refused) as refused:
        start(ClockKind.HANDLE, limit("4wh"), RULES, NOON)
    assert refused.value.code == "limit.needs_calendar"
    with pytest.raises(Refused):
        start(ClockKind.HANDLE, limit("4h"), RULES, NOON, ladder=LADDER)  # its later rungs count working days
    assert start(ClockKind.HANDLE, limit("4h"), RULES, NOON, ladder=lit()).due_at == NOON + 4 * HOUR


@pytest.mark.parametrize(
    ("organisation", "step", "run", "name"),
    [
        (None, None, 0, "handle"),
        ("D01", None, 0, "handle:D01"),
        (None, None, 2, "handle#2"),
        ("D01", None, 1, "handle:D01#1"),
        (None, "stop", 0, "handle:stop"),
    ],
)
def test_the_name_of_a_clock(organisation: str | None, step: str | None, run: int, name: str) -> None:
    clock = start(ClockKind.HANDLE, limit("10h"), RULES, NOON, organisation=organisation, step=step, run=run)
    assert clock.id == name


def test_lights_and_alarms() -> None:
    clock = running()
    warned = clock.model_copy(update={"warned_at": clock.warn_at})
    red = warned.model_copy(update={"overdue_at": clock.due_at})
    assert (warned.light, alarm(warned)) == ("yellow", clock.due_at)
    assert (red.light, alarm(red)) == ("red", None)
    assert alarm(stopped(clock, HOUR)) is None
    assert alarm(red, warned, clock) == clock.warn_at
    assert alarm(red) is None
    assert alarm() is None
    assert worst_light([clock, warned]) == "yellow"
    assert worst_light([clock, red, warned]) == "red"
    assert worst_light([stopped(red, 20 * HOUR), clock]) == "green"
    assert worst_light([]) == "green"


def test_a_red_clock_still_climbs_its_ladder() -> None:
    clock = working("4wh")
    red = clock.model_copy(
        update={"warned_at": clock.warn_at, "overdue_at": clock.due_at, "rungs": clock.rungs[2:]},
    )
    assert alarm(red) == local("2026-11-30 18:00")


def test_what_is_left_is_kept_through_a_pause() -> None:
    clock = run_on(stopped(running(), 3 * HOUR), NOON + 5 * HOUR)
    assert (clock.warn_at, clock.due_at, clock.stopped_at) == (NOON + 10 * HOUR, NOON + 12 * HOUR, None)


def test_a_second_pause_does_not_drop_the_first() -> None:
    once = run_on(stopped(running(), 3 * HOUR), NOON + 5 * HOUR)
    twice = run_on(stopped(once, 6 * HOUR), NOON + 9 * HOUR)
    assert twice.due_at == NOON + 15 * HOUR


def test_a_pause_in_working_time_gives_back_working_time_only() -> None:
    # DOMAIN §4: 09:00 + 8 working hours, paused from 11:00 to 15:00 two days later.
    clock = working("8wh", local("2025-03-03 09:00"))
    halted = clock.model_copy(update={"stopped_at": local("2025-03-03 11:00")})
    again_ = resumed(halted, CALENDAR, LADDER, local("2025-03-05 15:00"))
    assert again_.due_at == local("2025-03-06 11:00")


def test_a_pause_after_the_due_moves_the_rungs_that_are_left_and_not_the_due() -> None:
    clock = working("4wh")
    red = clock.model_copy(update={"reached": ("remind", "urge"), "stopped_at": local("2026-11-24 09:00")})
    found = resumed(red, CALENDAR, LADDER, local("2026-11-26 09:00"))
    assert found.due_at == clock.due_at
    # The closes of the 24th and the 25th lie in the pause.
    assert [(rung.code, rung.at) for rung in found.rungs] == [
        ("circular", local("2026-12-02 18:00")),
        ("interview", local("2026-12-09 18:00")),
    ]


def test_a_clock_that_ran_out_is_not_refilled() -> None:
    red = running().model_copy(update={"warned_at": NOON, "overdue_at": NOON + 10 * HOUR})
    clock = run_on(stopped(red, 12 * HOUR), NOON + 30 * HOUR)
    assert (clock.due_at, clock.overdue_at, clock.is_running) == (red.due_at, red.overdue_at, True)
    assert alarm(clock) is None


def test_an_extension_is_added_to_the_limit_and_not_to_the_due() -> None:
    clock = working("5wd")
    assert clock.due_at == local("2026-11-30 18:00")
    found = again(clock, CALENDAR, LADDER, limit=clock.whole_limit.extended(limit("3wd")))
    assert found.due_at == local("2026-12-03 18:00")
    extended = apply(clock, found, extended=(limit("3wd"),))
    assert (extended.limit, extended.whole_limit) == (limit("5wd"), limit("8wd"))
    assert again(extended, CALENDAR, LADDER) == found


def test_reached_rungs_are_not_reckoned_again() -> None:
    found = reckon(limit("4wh"), MONDAY, (), CALENDAR, LADDER, reached=["remind", "circular"])
    assert [rung.code for rung in found.rungs] == ["urge", "interview"]


def test_a_deadline_beyond_the_published_days_is_provisional() -> None:
    assert working("15wd", local("2026-12-20 09:00")).provisional
    assert not working("5wd", local("2026-12-20 09:00")).provisional
    assert not running("30d").provisional


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 99), st.integers(1, 9_999), st.sampled_from(["s", "m", "h", "d"]))
def test_a_clock_warns_after_it_starts_and_before_it_is_due(percent: int, amount: int, unit: str) -> None:
    clock = running(f"{amount}{unit}", percent)
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
        clock = run_on(halted, at)
    assert clock.due_at == NOON + 10 * HOUR + paused
    assert clock.due_at - clock.warn_at == 2 * HOUR


LIMITS = st.sampled_from(["90m", "10h", "7d", "4wh", "12wh", "3wd", "15wd", "2wd/min"])
MINUTES = st.integers(0, 40 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))


@settings(deadline=None, derandomize=True)
@given(LIMITS, MINUTES, MINUTES)
def test_stopping_and_running_on_at_once_changes_nothing(text: str, began: timedelta, after: timedelta) -> None:
    clock = working(text, MONDAY + began)
    at = clock.started_at + after
    assume(at < clock.due_at)
    found = resumed(clock.model_copy(update={"stopped_at": at}), CALENDAR, LADDER, at)
    assert apply(clock, found) == clock


@settings(deadline=None, derandomize=True)
@given(LIMITS, MINUTES, st.lists(st.tuples(MINUTES, MINUTES), min_size=2, max_size=3))
def test_no_order_of_pauses_gives_another_due(
    text: str, began: timedelta, spans: list[tuple[timedelta, timedelta]]
) -> None:
    clock = working(text, MONDAY + began)
    pauses = [Pause(begin=clock.started_at + begin, end=clock.started_at + begin + length) for begin, length in spans]
    found = {again(clock, CALENDAR, LADDER, pauses=order) for order in permutations(pauses)}
    assert len(found) == 1


@settings(deadline=None, derandomize=True)
@given(LIMITS, MINUTES)
def test_rungs_stand_in_the_order_of_the_ladder(text: str, began: timedelta) -> None:
    clock = working(text, MONDAY + began)
    points = {rung.code: rung.at for rung in clock.rungs}
    ways = [clock.started_at, points["remind"], clock.warn_at, clock.due_at, points["circular"], points["interview"]]
    assert ways == sorted(ways)
    assert points["urge"] == clock.due_at
    assert len({*ways[3:]}) == 3
