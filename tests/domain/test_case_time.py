"""What time does to a case: warnings, expiry, the budget that nothing refills, the window that closes."""

from datetime import timedelta

import pytest

from domain.case.state import Case
from domain.clocks import Clock, worst_light
from tests.domain import routes as r
from tests.domain.routes import archived, disputed, returned, spot_until, until
from tests.domain.spec import Story, clocks_of
from tests.neighbourhood import HELPER, LEAD, OTHER


def budget(story: Story) -> Clock:
    (found,) = [clock for clock in story.state.clocks if clock.kind == "handle"]
    assert isinstance(found, Clock)
    return found


def test_a_clock_warns_then_expires_and_each_once() -> None:
    story = until("registered")
    story.later("19h").then(clocks="")
    story = story.later("20h").then(clocks="?place")
    story = story.later("1h").then(clocks="")
    story = story.later("5h").then(clocks="!place")
    assert story.later("30d").then(clocks="").plan.alarm is None
    assert story.state.was_overdue
    assert worst_light(story.state.clocks) == "red"


def test_a_clock_that_ran_out_unseen_warns_and_expires_in_one_go() -> None:
    until("registered").later("3d").then(clocks="?place !place")


def test_the_clock_ticks_over_at_its_due_and_not_before() -> None:
    story = until("registered")
    due = story.state.clock("place").due_at
    story.later(due - story.at - timedelta(microseconds=1)).then(clocks="?place")
    story.later(due - story.at).then(clocks="?place !place")


def test_a_clock_stopped_after_its_due_is_marked_expired_before_it_stops() -> None:
    # The act comes before the alarm was looked at; being late is a fact all the same.
    story = (
        until("registered")
        .when(r.WHISTLE, "community", after="25h")
        .then("whistled", clocks="?place !place -place +dispatch")
    )
    assert story.state.clock("place").light == "red"
    assert story.state.was_overdue


def test_a_refused_act_records_no_passing_of_time() -> None:
    story = until("registered")
    story.when(r.WHISTLE, "worker", after="25h").then_refused("actor.wrong_role")
    story.later("25h").then(clocks="?place !place")


def test_return_and_new_dispatch_leave_the_budget_alone() -> None:
    first = budget(until("dispatched"))
    story = returned().when(r.DISPATCH, "dispatcher", after="2h", lead=OTHER, helpers=[HELPER]).happens()
    assert budget(story) == first
    story = story.when(r.RETURN, "other", after="3h", proposed=LEAD).happens()
    assert budget(story) == first
    story = story.when(r.NAME_LEAD, "dispatcher", after="3h", lead=LEAD, helpers=[]).happens()
    assert budget(story) == first


def test_rework_gives_back_what_was_left_and_no_more() -> None:
    before = budget(until("helper struck off"))
    struck_off = until("helper struck off").when(r.STRIKE_OFF, "handler", after="1d").happens()
    story = struck_off.when(r.FAIL, "checker", after="5h").happens()
    assert budget(story).due_at == before.due_at + timedelta(hours=5)
    assert budget(story).is_running
    again = story.when(r.STRIKE_OFF, "handler", after="1h").happens().when(r.FAIL, "checker", after="7h").happens()
    assert budget(again).due_at == before.due_at + timedelta(hours=12), "the second pause does not drop the first"


def test_a_budget_that_ran_out_stays_run_out() -> None:
    story = until("helper struck off").when(r.STRIKE_OFF, "handler", after="8d").happens()
    spent = budget(story)
    assert spent.overdue_at is not None
    story = story.when(r.FAIL, "checker", after="1h").happens()
    assert (budget(story).due_at, budget(story).overdue_at) == (spent.due_at, spent.overdue_at)
    story.later("30d").then(clocks="")


def test_a_budget_that_warned_before_a_pause_does_not_warn_again() -> None:
    story = until("helper struck off").later("6d").happens()
    assert budget(story).warned_at is not None
    story = story.when(r.STRIKE_OFF, "handler").happens().when(r.FAIL, "checker", after="1h").happens()
    story = story.later("2d").happens()
    assert [sign for sign in clocks_of(story.events) if sign.endswith("handle")] == [
        "+handle", "?handle", "-handle", "~handle", "!handle",
    ]  # fmt: skip


def test_the_contact_clock_starts_with_the_first_dispatch_only() -> None:
    story = until("handling").when(r.PROGRESS, "handler").then("progress_reported", clocks="-contact")
    story = story.when(r.RETURN, "handler").happens()
    story.when(r.NAME_LEAD, "dispatcher").then("arbitrated", clocks="-dispatch#1 +sign_for:D03")
    assert [each for each in clocks_of(disputed().events) if "contact" in each] == ["+contact"]


def test_repeated_clocks_have_names_of_their_own() -> None:
    story = until("struck_off").when(r.FAIL, "checker").happens().when(r.STRIKE_OFF, "handler").happens()
    names = [clock.id for clock in story.state.clocks]
    assert len(set(names)) == len(names)
    assert "verify#1" in names


def test_visits_must_lie_apart_and_the_gap_ends_to_the_minute() -> None:
    story = until("fed_back").when(r.SILENT, "worker").happens()
    story.when(r.SILENT, "worker", after="119m").then_refused("visit.too_soon", gap="2小时")
    story.when(r.SILENT, "worker", after="120m").then("visited")
    story.when(r.CONTENT, "worker", after="1m").then("visited", "settled")


def test_the_dossier_waits_for_the_window_and_for_the_scores() -> None:
    until("settled").later("60d").then(clocks="?appraise !appraise", stage="settled")
    until("appraised").later("6d").then()
    assert archived().state.archived_at == archived().at


@pytest.mark.parametrize("place", ["settled", "appraised"])
def test_the_window_for_reopening_is_not_prolonged_by_anything(place: str) -> None:
    story = until(place)
    until_then: Case = story.state
    for raw, by in ((r.COMMENT, "resident"), (r.ATTACH, "worker")):
        story = story.when(raw, by, after="1d").happens()
    assert story.state.reopen_until == until_then.reopen_until


def test_reopening_on_the_last_second_is_in_time() -> None:
    story = spot_until("settled")
    story.when(r.REOPEN, "resident", after=timedelta(days=7, seconds=-1)).then("reopened")
    story.when(r.REOPEN, "resident", after="7d").then_refused("case.finished")


@pytest.mark.parametrize("place", [name for name, _, _ in r.LONG_WAY])
def test_time_at_the_alarm_always_gets_somewhere(place: str) -> None:
    story = until(place)
    for _ in range(30):
        alarm = story.plan.alarm
        if alarm is None:
            break
        assert alarm > story.at
        story = story.later(alarm - story.at).happens()
        assert story.plan.alarm is None or story.plan.alarm > alarm
    assert story.plan.alarm is None
