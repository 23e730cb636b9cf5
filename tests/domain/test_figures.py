"""What a case adds to the figures: judged by what was recorded in its day."""

from fractions import Fraction
from typing import Any

import pytest

from domain.case.vocabulary import Satisfaction
from domain.figures import (
    BY_CODE,
    MEASURES,
    OUTCOME_NAMES,
    SATISFACTION_POINTS,
    Facts,
    Figure,
    Outcome,
    facts_of,
    rounded,
)
from tests.domain import routes as r
from tests.domain.spec import Story


def facts(story: Story) -> Facts:
    return facts_of(story.state)


def test_a_case_without_departments_has_neither_response_nor_handling() -> None:
    assert facts(r.until("registered")).response is Outcome.NOT_DISPATCHED
    assert facts(r.until("whistled")).handling is Outcome.NOT_DISPATCHED
    assert facts(r.spot_until("on_the_spot")).handling is Outcome.ON_THE_SPOT
    declined = r.until("registered").when(r.DECLINE, "community").happens()
    assert (facts(declined).response, facts(declined).handling) == (Outcome.ENDED, Outcome.ENDED)


def test_who_was_called_within_the_limit_was_answered_in_time() -> None:
    dispatched = r.working_until("handling")
    called = dispatched.when(r.PROGRESS, "handler").happens()

    assert facts(dispatched).response is Outcome.OPEN
    assert facts(called).response is Outcome.IN_TIME
    assert facts(called).response_rules == called.state.rules.version


def test_who_was_called_after_the_limit_was_answered_late_for_ever() -> None:
    missed = r.working_until("handling").left_alone(days=2)
    called = missed.when(r.PROGRESS, "handler").happens()

    assert facts(missed).response is Outcome.OVERDUE
    assert facts(called).response is Outcome.LATE


def test_work_struck_off_without_a_call_was_never_answered() -> None:
    assert facts(r.working_until("struck_off")).response is Outcome.MISSED


def test_work_is_in_time_when_it_was_struck_off_before_the_due_and_open_again_with_rework() -> None:
    done = r.working_until("struck_off")
    again = done.when(r.FAIL, "checker").happens()

    assert facts(r.working_until("handling")).handling is Outcome.OPEN
    assert facts(done).handling is Outcome.IN_TIME
    assert facts(again).handling is Outcome.OPEN
    assert (facts(again).reworks, facts(again).finished_once, facts(again).struck_off_at) == (1, True, None)


def test_work_done_after_the_due_stays_late_whatever_the_rules_say_today() -> None:
    overdue = r.working_until("helper struck off").left_alone(days=12)
    done = overdue.when(r.STRIKE_OFF, "handler").happens()

    assert facts(overdue).handling is Outcome.OVERDUE
    assert facts(done).handling is Outcome.LATE
    assert facts(done).handling_rules == done.state.rules.version


def test_a_clock_that_stands_still_is_open_and_not_done() -> None:
    story = r.working_until("handling").when(r.SUSPEND, "dispatcher").happens()

    assert facts(story).handling is Outcome.OPEN


def test_a_return_is_a_wrong_dispatch_only_when_the_street_says_so() -> None:
    pending = r.disputed()
    forced = pending.when(r.FORCE, "dispatcher").happens()
    elsewhere = pending.when(r.REDISPATCH, "dispatcher").happens()

    assert (facts(pending).dispatches, facts(pending).misdirected, facts(pending).returns) == (1, 0, 1)
    assert (facts(forced).dispatches, facts(forced).misdirected) == (1, 0)
    assert (facts(elsewhere).dispatches, facts(elsewhere).misdirected) == (2, 1)


def test_a_plain_second_dispatch_admits_that_the_first_was_wrong() -> None:
    story = r.returned().when({**r.DISPATCH, "lead": "D03", "helpers": []}, "dispatcher").happens()

    assert (facts(story).dispatches, facts(story).misdirected) == (2, 1)


def test_of_several_answers_the_worst_counts_for_satisfaction_and_the_last_for_the_solution() -> None:
    unhappy = r.until("fed_back").when({**r.UNHAPPY, "solved": False}, "worker").happens()
    story = unhappy.when(r.STRIKE_OFF, "handler").happens()
    for raw, by in ((r.VERIFY, "checker"), (r.sign, "captain"), (r.sign, "head"), (r.TELL_DEPARTMENT, "checker"),
                    (r.TELL_RESIDENT, "checker"), (r.CONTENT, "worker")):  # fmt: skip
        story = story.when(raw, by).happens()

    assert facts(unhappy).solved is None
    assert facts(story).satisfaction is Satisfaction.DISSATISFIED
    assert facts(story).solved is True
    assert (facts(story).reworks, facts(story).reopenings) == (1, 0)


def test_a_reopened_case_says_so_and_owes_its_result_again() -> None:
    settled = r.until("settled")
    again = settled.when(r.REOPEN, "resident").happens()

    assert facts(settled).published_at is not None
    assert facts(settled).struck_off_at is not None
    assert (facts(again).reopenings, facts(again).reworks) == (1, 0)
    assert (facts(again).published_at, facts(again).struck_off_at) == (None, None)


def test_what_is_handled_on_the_spot_is_struck_off_and_published_at_once() -> None:
    story = r.spot_until("on_the_spot")

    assert facts(story).struck_off_at == facts(story).published_at == story.at


def test_reminders_and_orders_are_counted_apart() -> None:
    story = r.working_until("handling")
    for raw in (r.URGE, r.URGE, r.SUPERVISE):
        story = story.when(raw, "supervisor").happens()

    assert (facts(story).urges, facts(story).urgings, facts(story).orders) == (2, 0, 1)


def test_the_written_urging_of_the_ladder_is_no_supervisors_order() -> None:
    story = r.working_until("handling").left_alone(days=20)

    assert facts(story).urgings > 0
    assert facts(story).orders == 0


def figure(code: str, base: int, hit: int, **apart: int) -> Figure:
    return Figure(measure=code, base=base, hit=hit, apart=apart)


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        (figure("response", 3, 2), "66.7%"),
        (figure("response", 0, 0), "-"),
        (figure("response", 10_000, 9_999), "99.9%"),
        (figure("response", 100_000, 1), "0.1%"),
        (figure("response", 8, 8), "100.0%"),
        (figure("rework", 1, 3), "300.0%"),
        (figure("points", 3, -100), "-33.3"),
        (figure("points", 10_000, -1), "-0.1"),
        (figure("points", 2, 0), "0.0"),
        (figure("urged", 0, 7), "7"),
    ],
)
def test_a_figure_is_rounded_only_when_it_is_shown(found: Figure, shown: str) -> None:
    assert found.shown == shown


def test_a_rate_is_an_exact_fraction() -> None:
    assert figure("response", 3, 1).value == Fraction(1, 3)
    assert figure("response", 0, 0).value is None


def test_halves_are_rounded_to_even() -> None:
    assert [str(rounded(Fraction(value, 100))) for value in (125, 135, -125)] == ["1.2", "1.4", "-1.2"]


def test_every_grade_has_its_points() -> None:
    assert [SATISFACTION_POINTS[each] for each in Satisfaction] == [100, 80, 50, 0, -100]


def test_every_measure_says_what_it_counts_in_both_languages() -> None:
    for each in MEASURES:
        words: tuple[Any, ...] = (each.name, each.formula, each.hit, each.why, *((each.base,) if each.base else ()))
        assert all(zh and en and zh != en for zh, en in words), each.code
    assert len(BY_CODE) == len(MEASURES)
    assert {each.value for each in Outcome} < set(OUTCOME_NAMES)
