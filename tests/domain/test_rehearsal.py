"""The rehearsal: it says of a clock what the clock itself would have said, and counts it where it belongs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, settings
from hypothesis import given as given_any
from hypothesis import strategies as st

from domain.calendar import Pause
from domain.case.state import Case
from domain.clocks import reckon
from domain.errors import Refused
from domain.ladder import ClockKind, Rung, RungAction
from domain.limits import limit
from domain.rehearsal import (
    DEEMED,
    OTHER_UNIT,
    RUNNING,
    TOO_FAR,
    CaseChange,
    PastCase,
    PastClock,
    Rehearsal,
    Rehearsed,
    Tally,
    Totals,
)
from domain.rules import ChannelRule, RuleBook, RuleStep, Urgency
from tests.calendars import local, office_calendar
from tests.domain.routes import FAIL, LONG_WAY, RESUME, SUSPEND
from tests.domain.spec import Story
from tests.neighbourhood import EXAMPLE_BOOK, LEAD, NATURAL_BOOK, NOON, WORKING_WORLD

CALENDAR = office_calendar()
MONDAY = local("2025-03-03 09:00")
PAST = {book.version: book for book in (EXAMPLE_BOOK, NATURAL_BOOK)}


def book(version: str = "trial", **limits: str) -> RuleBook:
    """The example book with other limits for general matters."""
    changed = {ClockKind(kind): limit(each) for kind, each in limits.items()}
    rows = tuple(
        row.model_copy(update={"limits": row.limits | changed, "extension": None})
        if row.urgency is Urgency.GENERAL and row.category is None
        else row
        for row in EXAMPLE_BOOK.rows
    )
    return EXAMPLE_BOOK.model_copy(update={"version": version, "rows": rows})


def past(*clocks: PastClock, name: str = "case-1", **fields: Any) -> PastCase:
    about = PastCase(name, Urgency.GENERAL, None, None, "grid", "S01", "C01", LEAD, clocks)
    return about._replace(**fields)


def handled(stop: datetime, start: datetime = MONDAY, **fields: Any) -> PastClock:
    """The budget of a general matter under the example book, five working days."""
    whole = PastClock(ClockKind.HANDLE, start, stop, limit=limit("5wd"), rules_version="example-2", late=False)
    return whole._replace(**fields)


def judge(clock: PastClock, on_trial: RuleBook, **fields: Any) -> Rehearsed:
    (found,) = Rehearsal(on_trial, CALENDAR, PAST).judge(past(clock, **fields))
    return found


# --- one clock --------------------------------------------------------------------------------------------------


def test_a_shorter_budget_shows_what_would_have_been_late() -> None:
    clock = handled(local("2025-03-07 17:00"))

    same, shorter = judge(clock, EXAMPLE_BOOK), judge(clock, book(handle="3wd"))

    # Five working days from Monday close on the next Monday; three on Thursday.
    assert (same.due_at, same.late, same.overtime) == (local("2025-03-10 18:00"), False, 0)
    assert (shorter.due_at, shorter.late) == (local("2025-03-06 18:00"), True)
    assert shorter.overtime == 7 * 60  # Friday until five, without lunch
    assert shorter.responsible == LEAD
    assert (shorter.warned, shorter.rungs) == (True, ("remind", "urge"))


def test_the_used_share_is_of_working_time_and_rounded_down() -> None:
    # 8 of 16 working hours from Monday nine: five of the three working days' 31 hours are not 16.
    half = judge(handled(local("2025-03-04 09:00")), book(handle="16wh"))
    assert (half.share, half.rungs) == (50, ("remind",))
    assert judge(handled(local("2025-03-04 08:59")), book(handle="16wh")).share == 49


def test_rungs_after_the_due_are_reached_in_the_calendar_on_trial() -> None:
    found = judge(handled(local("2025-04-01 12:00")), book(handle="1wd"))

    # Due on Tuesday the 4th; five working days later the circular, ten later the interview.
    assert found.rungs == ("remind", "urge", "circular", "interview")
    assert found.level_ups == 1


def test_a_clock_the_rules_on_trial_do_not_know_is_never_late() -> None:
    rows = tuple(
        row.model_copy(update={"limits": {kind: each for kind, each in row.limits.items() if kind != ClockKind.VISIT}})
        for row in EXAMPLE_BOOK.rows
    )
    clock = handled(local("2025-12-01 09:00"), late=True)._replace(kind=ClockKind.VISIT)

    found = judge(clock, EXAMPLE_BOOK.model_copy(update={"rows": rows}))

    assert (found.due_at, found.late, found.unknown) == (None, False, None)


def test_pauses_do_not_count_and_extensions_do() -> None:
    pause = Pause(begin=local("2025-03-04 09:00"), end=local("2025-03-10 09:00"))
    stop = local("2025-03-12 17:00")

    plain = judge(handled(stop), book(handle="4wd"))
    paused = judge(handled(stop, pauses=(pause,)), book(handle="4wd"))
    extended = judge(handled(stop, extended=(limit("5wd"),)), book(handle="4wd"))

    assert (plain.late, paused.late, extended.late) == (True, False, False)
    assert paused.due_at == local("2025-03-13 18:00")  # the closes of the 4th to the 7th lie in the pause


def test_the_row_of_the_condition_the_step_and_the_channel_are_found() -> None:
    general = EXAMPLE_BOOK.row(Urgency.GENERAL, None)
    special = general.model_copy(
        update={
            "category": "K01",
            "condition": "夜间",
            "limits": {**general.limits, ClockKind.HANDLE: limit("2h")},
            "extension": None,
            "steps": (RuleStep(code="stop", name="制止", limit=limit("1h")),),
        }
    )
    on_trial = EXAMPLE_BOOK.model_copy(
        update={
            "rows": (*EXAMPLE_BOOK.rows, special),
            "channels": (ChannelRule(channel="chat", limits={ClockKind.PUBLISH: limit("30m")}),),
        }
    )
    clock = handled(MONDAY + timedelta(hours=3))
    about = {"category": "K01", "condition": "夜间", "channel": "chat"}

    assert judge(clock, on_trial, **about).due_at == MONDAY + timedelta(hours=2)
    assert not judge(clock, on_trial, **(about | {"condition": None})).late
    step = clock._replace(kind=ClockKind.STEP, step="stop")
    assert judge(step, on_trial, **about).due_at == MONDAY + timedelta(hours=1)
    assert judge(step._replace(step="other"), on_trial, **about).due_at is None
    publish = clock._replace(kind=ClockKind.PUBLISH)
    assert judge(publish, on_trial, **about).due_at == MONDAY + timedelta(minutes=30)


def test_an_order_with_a_limit_of_its_own_keeps_it() -> None:
    usual = handled(local("2025-03-05 09:00"), organisation=LEAD, limit=limit("1wd"))._replace(kind=ClockKind.REPLY)
    own = usual._replace(limit=limit("3wd"))
    on_trial = book(reply="2wd")

    assert judge(usual, on_trial).due_at == local("2025-03-05 18:00")
    assert judge(own, on_trial).due_at == local("2025-03-06 18:00")
    # Nobody knows whether a limit was the usual one where its rule book is lost.
    assert judge(usual._replace(rules_version="lost"), on_trial).due_at == local("2025-03-04 18:00")


def test_of_a_clock_that_ended_by_running_out_nothing_is_said_for_a_longer_limit() -> None:
    stop = local("2025-03-03 14:00")
    clock = PastClock(ClockKind.SIGN_FOR, MONDAY, stop, LEAD, limit=limit("4wh"), late=True)

    assert judge(clock, book(sign_for="2wh")).late
    assert judge(clock, book(sign_for="8wh")).unknown == DEEMED
    # Signed for in time then: a shorter limit would have run out first, and so ended the clock.
    shorter = judge(clock._replace(late=False), book(sign_for="1wh"))
    assert (shorter.late, shorter.share, shorter.overtime, shorter.rungs) == (True, 100, 0, ("remind",))


@pytest.mark.parametrize(
    ("clock", "reason"),
    [
        (handled(MONDAY)._replace(stopped_at=None), RUNNING),
        (handled(local("2025-03-12 17:00"), extended=(limit("2d"),)), OTHER_UNIT),
        (handled(local("1999-01-08 09:00"), start=local("1999-01-04 09:00")), TOO_FAR),
    ],
    ids=[RUNNING, OTHER_UNIT, TOO_FAR],
)
def test_what_cannot_be_judged_says_why(clock: PastClock, reason: str) -> None:
    assert judge(clock, EXAMPLE_BOOK) == Rehearsed(LEAD, unknown=reason)


def test_working_limits_without_a_calendar_are_refused() -> None:
    with pytest.raises(Refused, match=r"limit\.needs_calendar"):
        Rehearsal(EXAMPLE_BOOK, None).judge(past(handled(local("2025-03-07 17:00"))))
    (found,) = Rehearsal(NATURAL_BOOK, None).judge(past(handled(local("2025-03-07 17:00"))))
    assert found.due_at == MONDAY + timedelta(days=7)


def test_a_due_beyond_the_published_days_is_provisional() -> None:
    late_in_2026 = local("2026-12-28 09:00")
    assert judge(handled(late_in_2026 + timedelta(days=3), start=late_in_2026), EXAMPLE_BOOK).provisional


@pytest.mark.parametrize(
    ("kind", "responsible"),
    [
        (ClockKind.DISPATCH, "S01"),
        (ClockKind.SIGN_FOR, "D09"),
        (ClockKind.REPLY, "D09"),
        (ClockKind.HANDLE, LEAD),
        (ClockKind.CONTACT, LEAD),
        (ClockKind.VERIFY, "C01"),
        (ClockKind.VISIT, "C01"),
    ],
)
def test_every_clock_counts_for_those_it_waited_for(kind: ClockKind, responsible: str) -> None:
    clock = handled(local("2025-03-04 09:00"))._replace(kind=kind, organisation="D09")
    assert judge(clock, EXAMPLE_BOOK).responsible == responsible


# --- it says what the clocks themselves say ---------------------------------------------------------------------

_MOMENTS = st.integers(0, 60 * 24 * 700).map(lambda minutes: local("2024-06-03 00:00") + timedelta(minutes=minutes))
_LIMITS = st.one_of(
    st.tuples(st.integers(1, 300), st.sampled_from(["m", "h"])),
    st.tuples(st.integers(1, 40), st.sampled_from(["d", "wh", "wd", "wd/min"])),
).map(lambda pair: f"{pair[0]}{pair[1]}")
_PAUSES = st.lists(st.tuples(st.integers(0, 20_000), st.integers(0, 20_000)), max_size=3)


@given_any(
    start=_MOMENTS, length=_LIMITS, after=st.integers(0, 120_000), pauses=_PAUSES, kind=st.sampled_from(list(ClockKind))
)
@settings(max_examples=300, deadline=None)
# Half is used before the second pause of the list, and only as long as the first is not known of.
@example(start=local("2024-06-03 00:00"), length="1wd", after=1081, pauses=[(1080, 0), (0, 481)], kind=ClockKind.PLACE)
# Four fifths are used when a pause begins that moves the end by a day, of which they are less.
@example(start=local("2025-04-23 12:20"), length="3wd", after=5645, pauses=[(5644, 456)], kind=ClockKind.PLACE)
def test_a_rehearsed_clock_agrees_with_the_clock_itself(
    start: datetime, length: str, after: int, pauses: list[tuple[int, int]], kind: ClockKind
) -> None:
    if kind in (ClockKind.SIGN_FOR, ClockKind.STEP, ClockKind.REPLY):
        kind = ClockKind.HANDLE
    stop = start + timedelta(minutes=after)
    spans = tuple(
        Pause(begin=start + timedelta(minutes=begin), end=start + timedelta(minutes=begin + span))
        for begin, span in pauses
    )
    ladder = [rung for rung in EXAMPLE_BOOK.ladder if rung.stands_on(kind)]
    truth = reckon(limit(length), start, spans, CALENDAR, ladder)
    # What was reached before a pause was, however far the pause moves what is still to come.
    known = sorted(spans, key=lambda pause: pause.begin)
    looks = [
        *((pause.begin, known[:number]) for number, pause in enumerate(known) if pause.begin < stop),
        (stop, spans),
    ]
    seen = [(at, reckon(limit(length), start, pauses_then, CALENDAR, ladder)) for at, pauses_then in looks]

    found = judge(PastClock(kind, start, stop, pauses=spans), book(**{kind.value: length}))

    assert (found.due_at, found.provisional) == (truth.due_at, truth.provisional)
    assert (found.late, found.warned) == (truth.due_at <= stop, any(then.warn_at <= at for at, then in seen))
    assert set(found.rungs) == {point.code for at, then in seen for point in then.rungs if point.at <= at}


def past_of(case: Case) -> PastCase:
    """The case as the read models keep it."""
    clocks = tuple(
        PastClock(
            kind=clock.kind,
            started_at=clock.started_at,
            stopped_at=clock.stopped_at,
            organisation=clock.organisation,
            step=clock.step,
            limit=clock.limit,
            extended=clock.extended,
            pauses=clock.pauses,
            rules_version=clock.rules_version,
            warned=clock.warned_at is not None,
            late=clock.overdue_at is not None,
            reached=clock.reached,
        )
        for clock in case.clocks
    )
    lead = case.lead.department if case.lead else None
    return PastCase(
        "case-1", case.urgency, case.category, case.condition, case.channel, case.place.street, case.place.community,
        lead, clocks,
    )  # fmt: skip


def played(hours: Sequence[int], *, suspended: bool, reworked: bool) -> Story:
    """The long way with so many hours before each act; what is refused by then is left out."""
    story = Story(world=WORKING_WORLD)
    way = [(by, raw) for _, by, raw in LONG_WAY]
    if reworked:
        verified = next(place for place, (name, _, _) in enumerate(LONG_WAY) if name == "verified")
        way[verified:verified] = [("checker", FAIL), way[verified - 1]]
    if suspended:
        way[5:5] = [("dispatcher", SUSPEND), ("dispatcher", RESUME)]
    for (by, raw), wait in zip(way, hours, strict=False):
        step = story.when(raw, by, after=timedelta(hours=wait, minutes=7))
        try:
            story = step.happens()
        except Refused:
            story = story.later(timedelta(hours=wait)).happens()
    return story


@given_any(
    hours=st.lists(st.one_of(st.integers(0, 6), st.integers(0, 500)), min_size=19, max_size=19),
    suspended=st.booleans(),
    reworked=st.booleans(),
)
# Reminded before a pause that made a working day's limit end a day later.
@example(hours=[0, 0, 6, 6, 6, 6, 6, 4, 1, 3, 6, 5, 5, 4, 2, 2, 163, 1, 5], suspended=True, reworked=True)
@settings(max_examples=40, deadline=None)
def test_the_rules_of_its_day_change_nothing(hours: list[int], suspended: bool, reworked: bool) -> None:
    case = past_of(played(hours, suspended=suspended, reworked=reworked).state)
    totals = Totals(keep=1)

    totals.add(Rehearsal(EXAMPLE_BOOK, CALENDAR, PAST), case)

    assert totals.most_changed() == []
    whole = totals.whole
    assert whole.clocks == len(case.clocks) > 1
    assert (whole.late_before, whole.warned_before) == (whole.late_after, whole.warned_after)
    assert (whole.rungs_before, whole.level_ups_before) == (whole.rungs_after, whole.level_ups_after)


def test_a_case_left_alone_was_late_then_and_is_late_now() -> None:
    # Guards the test above against cases in which nothing ever happens.
    case = past_of(played([1, 1, 1, 1, 1, 1, 900, 1, 1, 1, 1, 1, 1, 1, 1], suspended=False, reworked=False).state)
    budget = next(clock for clock in case.clocks if clock.kind is ClockKind.HANDLE)

    assert budget.late
    assert budget.reached == ("remind", "urge", "circular", "interview")
    assert judge(budget, EXAMPLE_BOOK).rungs == budget.reached
    assert not judge(budget, book(handle="60wd")).late


# --- counting ---------------------------------------------------------------------------------------------------


def some_cases() -> list[PastCase]:
    days = (3, 4, 6, 7, 10, 11, 25, 31)
    return [
        past(
            handled(local(f"2025-03-{day:02} 12:00"), late=day > 10, warned=day > 9),
            PastClock(ClockKind.VISIT, MONDAY, MONDAY + timedelta(hours=day), late=False),
            name=f"case-{day}",
            lead=LEAD if day % 2 else None,
        )
        for day in days
    ]


def test_figures_are_counted_by_those_responsible_and_by_clock() -> None:
    totals = Totals(keep=2)
    rehearsal = Rehearsal(book(handle="3wd"), CALENDAR, PAST)
    for case in some_cases():
        totals.add(rehearsal, case)

    assert totals.cases == 8
    # Due on Thursday the 6th at six: the cases of the 7th and the 10th become late, those from the 11th on stay so, and
    # that of the 6th would have been reminded.
    assert (totals.late_before, totals.late_after, totals.changed) == (3, 5, 6)
    assert list(totals.by_responsible()) == ["C01", LEAD, "S01"]
    lead = totals.by_responsible()[LEAD]
    assert (lead.clocks, lead.recorded, lead.late_before, lead.late_after, lead.newly_late) == (5, 5, 3, 4, 1)
    visits = totals.by_kind()[ClockKind.VISIT]
    assert (visits.clocks, visits.late_after) == (8, 0)
    assert totals.whole.clocks == 16
    assert [each.id for each in totals.most_changed()] == ["case-10", "case-7"]


@given_any(cut=st.integers(0, 8))
def test_parts_counted_apart_come_to_the_same(cut: int) -> None:
    rehearsal, cases = Rehearsal(book(handle="2wd"), CALENDAR, PAST), some_cases()
    whole, first, second = Totals(keep=3), Totals(keep=3), Totals(keep=3)
    for case in cases:
        whole.add(rehearsal, case)
    for place, case in enumerate(cases):
        (first if place < cut else second).add(rehearsal, case)

    second.merge(first)

    assert second.most_changed() == whole.most_changed()
    assert replace(second, worst=[]) == replace(whole, worst=[])


def test_only_the_cases_changed_most_are_kept_of_many() -> None:
    rehearsal, totals = Rehearsal(book(handle="1wd"), CALENDAR, PAST), Totals(keep=2)
    for number in range(400):
        worse = number in (123, 321)
        stop = local("2025-04-01 12:00") if worse else local("2025-03-05 12:00")
        totals.add(rehearsal, past(handled(stop), name=f"case-{number:03}"))

    assert len(totals.worst) < 400
    assert [each.id for each in totals.most_changed()] == ["case-123", "case-321"]
    assert totals.changed == 400


def test_nothing_is_kept_unless_wanted() -> None:
    totals = Totals()
    totals.add(Rehearsal(book(handle="1wd"), CALENDAR, PAST), past(handled(local("2025-04-01 12:00"))))
    assert (totals.changed, totals.worst, totals.most_changed()) == (1, [], [])


def test_a_clock_without_a_mark_of_its_own_is_not_called_newly_late() -> None:
    totals = Totals()
    clock = handled(local("2025-04-01 12:00"), late=None)
    totals.add(Rehearsal(book(handle="1wd"), CALENDAR, PAST), past(clock))

    whole = totals.whole
    assert (whole.recorded, whole.late_after, whole.newly_late, whole.no_longer_late) == (0, 1, 0, 0)


def test_what_cannot_be_judged_is_in_no_other_figure() -> None:
    totals = Totals()
    clock = handled(MONDAY, late=True, reached=("remind",))._replace(stopped_at=None)
    totals.add(Rehearsal(EXAMPLE_BOOK, CALENDAR, PAST), past(clock))

    assert totals.whole == Tally(clocks=1, unknown=totals.whole.unknown)
    assert totals.whole.unknown == {RUNNING: 1}
    assert (totals.late_before, totals.changed) == (0, 0)


def test_a_level_raised_by_a_rung_of_its_day_is_counted() -> None:
    rehearsal = Rehearsal(book(handle="60wd"), CALENDAR, PAST)
    clock = handled(local("2025-04-01 12:00"), late=True, reached=("remind", "urge", "circular", "interview"))
    totals = Totals(keep=1)

    totals.add(rehearsal, past(clock))

    (change,) = totals.most_changed()
    assert change == CaseChange("case-1", 1, 1, 0, 4, 0, 1, 0, 1, 4, 0)
    assert change.weight == (1, 1, 4)
    # A rung of a book that is lost raises nothing.
    assert rehearsal.level_ups(clock._replace(rules_version="lost")) == 0


@pytest.mark.parametrize(
    ("shares", "median", "most"),
    [([], None, None), ([7], 7, 7), ([1, 2, 3], 2, 3), (range(1, 101), 50, 95), ([0, 0, 0, 400], 0, 400)],
)
def test_shares_are_told_by_the_nearest_rank(shares: Sequence[int], median: int | None, most: int | None) -> None:
    tally = Tally()
    for share in shares:
        tally.add(
            PastClock(ClockKind.HANDLE, NOON, NOON, late=False), Rehearsed(None, due_at=NOON, share=share), raised=0
        )
    assert (tally.share(50), tally.share(95)) == (median, most)


def test_a_ladder_without_a_warning_warns_at_the_due() -> None:
    ladder = tuple(rung for rung in EXAMPLE_BOOK.ladder if rung.action != "yellow")
    ladder += (Rung(code="early", name="早", at="1%", action=RungAction.REMIND),)
    on_trial = EXAMPLE_BOOK.model_copy(update={"ladder": ladder})
    assert not judge(handled(local("2025-03-10 17:59")), on_trial).warned
    found = judge(handled(local("2025-03-10 18:00")), on_trial)
    assert (found.warned, found.late) == (True, True)
    assert "early" in found.rungs
