"""When a case stands still or gets more time: extension, suspension, shelf."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from domain.people import Actor, Role
from tests.domain import routes as r
from tests.domain.routes import disputed, returned, until, working_until
from tests.domain.spec import Story, Wrong, clocks_of, fact, shown
from tests.neighbourhood import HELPER, LEAD

FAR_DISPATCHER = Actor(person="far", role=Role.STREET_DISPATCHER, organisation="S02")
EXTEND: Mapping[str, Any] = {**r.MORE_TIME, "length": "3wd"}


def at(place: str) -> Callable[[], Story]:
    return lambda: working_until(place)


def due(story: Story, clock: str = "handle") -> str:
    return shown(story.state.clock(clock).due_at)


def task(story: Story, kind: str) -> Any:
    (found,) = [task for task in story.plan.tasks if task.kind == kind]
    return found


def test_the_budget_that_these_stories_begin_with() -> None:
    assert due(working_until("handling")) == "11-30 18:00"
    assert due(working_until("handling"), "contact") == "11-24 18:00"


# --- extension ----------------------------------------------------------------------------------------------------


def asked() -> Story:
    return working_until("handling").when(EXTEND, "handler").happens()


def granted() -> Story:
    return asked().when(r.GRANT, "dispatcher").happens()


def test_the_lead_asks_for_more_time_and_the_dispatcher_has_to_decide() -> None:
    story = (
        working_until("handling")
        .when(EXTEND, "handler")
        .then(
            fact("extension_requested", department=LEAD, length="3wd", reason="材料未到"), clocks="", stage="handling"
        )
    )
    assert due(story) == "11-30 18:00", "asking moves nothing"
    decide = task(story, "decide_extension")
    assert (decide.role, decide.organisation, decide.opened_at) == ("street_dispatcher", "S01", story.at)
    assert decide.due_at == story.state.clock("handle").due_at


def test_the_dispatcher_grants() -> None:
    story = asked().when(r.GRANT, "dispatcher").then(
        fact("extension_decided", department=LEAD, granted=True, length="3wd", due_at="2026-12-03T10:00:00Z"),
        clocks="^handle", stage="handling",
    )  # fmt: skip
    assert due(story) == "12-03 18:00"
    assert due(story, "contact") == "11-24 18:00", "only the budget is extended"
    assert [each.kind for each in story.plan.tasks] == ["handle", "handle"]


def test_the_dispatcher_grants_less_than_was_asked_for() -> None:
    story = (
        asked()
        .when(r.GRANT, "dispatcher", length="1wd")
        .then(fact("extension_decided", granted=True, length="1wd"), clocks="^handle")
    )
    assert due(story) == "12-01 18:00"


def test_the_dispatcher_denies_and_the_lead_may_ask_again() -> None:
    story = (
        asked()
        .when(r.DENY, "dispatcher")
        .then(fact("extension_decided", granted=False, length="3wd", due_at=None), clocks="")
    )
    assert due(story) == "11-30 18:00"
    story = story.when(EXTEND, "handler").then("extension_requested")
    assert task(story, "decide_extension").id == "decide_extension#2", "another request is another task"


def test_a_denial_says_what_was_asked_for() -> None:
    asked().when(r.DENY, "dispatcher", length="1wd").then(
        fact("extension_decided", granted=False, length="3wd"), clocks=""
    )


def test_an_extension_granted_during_a_suspension_holds_beside_the_pause() -> None:
    story = asked().when(r.SUSPEND, "dispatcher", on="11-23 12:10").happens()
    story = story.when(r.GRANT, "dispatcher").then("extension_decided", clocks="^handle")
    story = story.when(r.RESUME, "dispatcher", on="11-25 12:00").happens()
    assert due(story) == "12-04 18:00", "eight working days without the Tuesday that closed in the pause"


def test_an_extension_after_a_pause_does_not_forget_the_pause() -> None:
    story = working_until("handling").when(r.SUSPEND, "dispatcher", on="11-23 12:10").happens()
    story = story.when(r.RESUME, "dispatcher", on="11-25 09:00").happens()
    story = story.when(EXTEND, "handler").happens().when(r.GRANT, "dispatcher").happens()
    assert due(story) == "12-04 18:00"


def test_a_warning_that_was_given_stays_given_and_rungs_ahead_move() -> None:
    story = asked().by_time("11-27 17:30").happens()
    assert story.state.clock("handle").light == "yellow"
    story = story.when(r.GRANT, "dispatcher", on="11-27 17:31").happens()
    assert story.state.clock("handle").light == "yellow"
    ahead = {point.code: shown(point.at) for point in story.state.clock("handle").rungs}
    assert ahead == {"urge": "12-03 18:00", "circular": "12-10 18:00", "interview": "12-17 18:00"}
    assert clocks_of(story.left_alone(days=7).events).count("?handle") == 1


def test_a_request_is_void_when_the_lead_is_done_or_gone() -> None:
    done = working_until("helper struck off").when(EXTEND, "handler").happens()
    done = done.when(r.STRIKE_OFF, "handler").happens()
    done.when(r.GRANT, "dispatcher").then_refused("extension.not_requested")
    gone = asked().when(r.RETURN, "handler").happens()
    gone.when(r.GRANT, "dispatcher").then_refused("extension.not_requested")


def test_a_request_in_time_that_is_decided_too_late_can_only_be_denied() -> None:
    story = asked().by_time("11-30 18:00").happens()
    late = "2026-11-30T10:00:00+00:00"
    story.when(r.GRANT, "dispatcher").then_refused("extension.too_late", due=late, field=None)
    story.when(r.DENY, "dispatcher").then("extension_decided", clocks="")


def test_an_extension_counts_in_the_unit_of_the_budget_even_after_a_correction() -> None:
    # The budget goes on in working days; the row of an emergency would extend it by hours.
    story = working_until("handling").when(r.CORRECT, "dispatcher", urgency="emergency").happens()
    story.when(EXTEND, "handler", length="2h").then_refused("extension.none")
    story.when(EXTEND, "handler").then_refused("extension.none")


EXTENSION = [
    Wrong("a helper asks for more time", at("handling"), EXTEND, "helper", "extension.not_lead", None,
          {"department": HELPER}),
    Wrong("nobody asks before accepting", at("helper accepted"), EXTEND, "handler", "case.wrong_stage"),
    Wrong("nobody asks twice at a time", asked, EXTEND, "handler", "extension.pending"),
    Wrong("the rules of the row allow none", lambda: until("handling"), EXTEND, "handler", "extension.none"),
    Wrong("nobody asks after expiry", lambda: working_until("handling").by_time("11-30 18:00").happens(), EXTEND,
          "handler", "extension.too_late", None, {"due": "2026-11-30T10:00:00+00:00"}, None),
    Wrong("not in another unit", at("handling"), {**EXTEND, "length": "3d"}, "handler", "extension.other_unit",
          "length", {"value": "3天", "longest": "10个工作日"}),
    Wrong("not for longer than the rules allow", at("handling"), {**EXTEND, "length": "11wd"}, "handler",
          "extension.too_long", "length", {"value": "11个工作日", "longest": "10个工作日"}),
    Wrong("not more often than the rules allow", granted, EXTEND, "handler", "extension.used_up", None,
          {"most": "1"}),
    Wrong("a department does not grant its own request", asked, r.GRANT, "handler", "actor.wrong_role",
          "actor.role"),
    Wrong("a helper does not decide either", asked, r.GRANT, "helper", "actor.wrong_role", "actor.role"),
    Wrong("another street decides nothing", asked, r.GRANT, FAR_DISPATCHER, "actor.wrong_organisation",
          "actor.organisation"),
    Wrong("there is nothing to decide", at("handling"), r.GRANT, "dispatcher", "extension.not_requested"),
    Wrong("not more than was asked for", asked, {**r.GRANT, "length": "4wd"}, "dispatcher",
          "extension.more_than_asked", "length", {"value": "4个工作日", "asked": "3个工作日"}),
    Wrong("not in a unit nobody asked for", asked, {**r.GRANT, "length": "1h"}, "dispatcher",
          "extension.other_unit", "length", {"value": "1小时"}),
    Wrong("an unreadable length", at("handling"), {**EXTEND, "length": "soon"}, "handler", "limit.unreadable",
          "length", {"value": "soon"}),
]  # fmt: skip


@pytest.mark.parametrize("wrong", EXTENSION, ids=[each.sentence for each in EXTENSION])
def test_extension_refuses(wrong: Wrong) -> None:
    wrong.check()


# --- suspension ---------------------------------------------------------------------------------------------------


def suspended(**fields: Any) -> Story:
    return working_until("handling").when({**r.SUSPEND, **fields}, "dispatcher", on="11-23 12:10").happens()


def test_the_dispatcher_suspends_for_a_reason_and_at_most_for_its_time() -> None:
    story = working_until("handling").when(r.SUSPEND, "dispatcher", on="11-23 12:10", requested_by=LEAD).then(
        fact("suspended", reason="awaiting_party", until="2026-12-08T04:10:00Z", requested_by=LEAD,
             clocks=["contact", "handle"]),
        clocks="-contact -handle", stage="handling",
    )  # fmt: skip
    assert shown(story.plan.alarm or story.at) == "12-08 12:10"
    story.later("14d").then(clocks="")


def test_before_the_departments_have_signed_their_windows_stand_still_too() -> None:
    working_until("dispatched").when(r.SUSPEND, "dispatcher").then(
        "suspended", clocks="-sign_for:D01 -sign_for:D02 -contact -handle", stage="dispatched"
    )


def test_the_clocks_run_on_with_what_was_left_of_them() -> None:
    story = (
        suspended()
        .when(r.RESUME, "dispatcher", on="11-25 09:00")
        .then(fact("resumed", automatic=False, since="2026-11-25T01:00:00Z"), clocks="~contact ~handle")
    )
    assert (due(story, "contact"), due(story)) == ("11-25 18:00", "12-01 18:00")


def test_a_suspension_ends_by_itself_and_counts_from_its_end_however_late_it_is_noticed() -> None:
    story = suspended(until="2026-11-25T09:00:00+08:00")
    assert shown(story.plan.alarm or story.at) == "11-25 09:00"
    late = story.by_time("11-27 12:00").then(
        fact("resumed", automatic=True, since="2026-11-25T01:00:00Z"),
        fact("supervision_ordered", urging=True, about="contact", to=LEAD),
        clocks="~contact ~handle /contact:remind ?contact !contact /contact:urge +reply:D01",
    )
    assert (due(late, "contact"), due(late)) == ("11-25 18:00", "12-01 18:00")
    noticed = story.by_time("11-25 09:00").happens()
    assert (due(noticed, "contact"), due(noticed)) == (due(late, "contact"), due(late))


def test_the_resumption_at_the_very_end_is_time_s_own() -> None:
    story = suspended(until="2026-11-25T09:00:00+08:00")
    story.when(r.RESUME, "dispatcher", on="11-25 09:00").then_refused("resume.not_suspended")


def test_suspending_and_resuming_at_once_changes_no_due() -> None:
    before = working_until("handling")
    after = before.when(r.SUSPEND, "dispatcher").happens().when(r.RESUME, "dispatcher", after=None).happens()
    assert [(clock.id, clock.due_at, clock.warn_at, clock.rungs) for clock in after.state.clocks] == [
        (clock.id, clock.due_at, clock.warn_at, clock.rungs) for clock in before.state.clocks
    ]


def test_all_suspensions_for_one_reason_share_its_time() -> None:
    story = suspended().when(r.RESUME, "dispatcher", after="10d").happens()
    once_more = story.when(r.SUSPEND, "dispatcher", after="1h").happens()
    assert once_more.state.suspension.until - once_more.at == suspended().state.suspension.until - suspended().at - (
        story.at - suspended().at
    ), "ten of the fifteen days are used"
    too_long = {**r.SUSPEND, "until": "2026-12-20T09:00:00+08:00"}
    story.when(too_long, "dispatcher", after="1h").then_refused(
        "suspend.too_long", field="until", reason="等待当事人", longest="15天", latest="2026-12-08T05:10:00+00:00"
    )
    over = once_more.later("5d").then(fact("resumed", automatic=True))
    over.when(r.SUSPEND, "dispatcher").then_refused(
        "suspend.used_up", field="reason", reason="等待当事人", longest="15天"
    )
    over.when(r.SUSPEND, "dispatcher", reason="force_majeure").then("suspended")


def test_work_that_is_done_ends_a_suspension_first() -> None:
    story = working_until("helper struck off").when(r.SUSPEND, "dispatcher").happens()
    story = story.when(r.STRIKE_OFF, "handler", after="2d").then(
        fact("resumed", automatic=True), fact("struck_off", concluding=True),
        clocks="~contact ~handle -contact -handle +verify", stage="struck_off",
    )  # fmt: skip
    assert story.state.suspension is None
    assert due(story) == "12-01 18:00", "the budget keeps what was left of it, for rework"


def test_a_helper_that_is_done_leaves_the_others_standing() -> None:
    suspended().when(r.STRIKE_OFF, "helper").then("struck_off", clocks="", stage="handling")


def test_what_was_done_meanwhile_does_not_run_on() -> None:
    story = working_until("dispatched").when(r.SUSPEND, "dispatcher").happens()
    story = story.when(r.ACCEPT, "handler").then("accepted", clocks="")
    story = story.when(r.PROGRESS, "handler").then(fact("progress_reported", contacted=True), clocks="")
    story.when(r.RESUME, "dispatcher").then("resumed", clocks="~sign_for:D02 ~handle")


def test_people_do_not_stand_still() -> None:
    story = suspended().when(r.HAND_OVER, "handler").then("handed_over", clocks="")
    story.when(r.COMMENT, "resident").then("commented").when(r.WITHDRAW, "resident").then(
        "withdrawn", clocks="", stage="withdrawn"
    )


def limited() -> Story:
    """By a book that knows force majeure only."""
    story = working_until("handling")
    book = story.world.rule_books["example-2"]
    rules = tuple(rule for rule in book.suspensions if rule.reason == "force_majeure")
    narrow = book.model_copy(update={"suspensions": rules})
    return story.in_world(rule_books={**story.world.rule_books, "example-2": narrow})


SUSPENSION = [
    *(Wrong(f"a department never stops its own clock ({who})", at("handling"), r.SUSPEND, who, "actor.wrong_role",
            "actor.role") for who in ("handler", "department-head", "helper")),
    Wrong("a community does not suspend", at("handling"), r.SUSPEND, "community", "actor.wrong_role", "actor.role"),
    Wrong("another street does not suspend", at("handling"), r.SUSPEND, FAR_DISPATCHER, "actor.wrong_organisation",
          "actor.organisation"),
    Wrong("for no reason of one's own", at("handling"), {**r.SUSPEND, "reason": "too_busy"}, "dispatcher",
          "field.invalid", "reason"),
    Wrong("for no reason the rules leave out", limited, r.SUSPEND, "dispatcher", "suspend.reason_not_allowed",
          "reason", {"reason": "等待当事人", "reason_en": "waiting for the person concerned"}),
    Wrong("not until yesterday", at("handling"), {**r.SUSPEND, "until": "2026-11-23T12:06:00+08:00"}, "dispatcher",
          "suspend.over_already", "until", {"until": "2026-11-23T04:06:00+00:00"}),
    Wrong("not for longer than the reason lasts", at("handling"),
          {**r.SUSPEND, "until": "2026-12-08T12:06:01+08:00"}, "dispatcher", "suspend.too_long", "until",
          {"latest": "2026-12-08T04:06:00+00:00"}),
    Wrong("not at the request of somebody without a part", at("handling"), {**r.SUSPEND, "requested_by": "D03"},
          "dispatcher", "suspend.not_involved", "requested_by", {"department": "D03"}),
    Wrong("not twice", suspended, r.SUSPEND, "dispatcher", "case.suspended", None,
          {"until": "2026-12-08T04:10:00+00:00"}),
    Wrong("no return meanwhile", suspended, r.RETURN, "handler", "case.suspended"),
    Wrong("no new helper meanwhile", suspended, r.ADD_HELPER, "handler", "case.suspended"),
    Wrong("no shelf meanwhile", suspended, r.SHELVE, "dispatcher", "case.suspended"),
    Wrong("not while the street looks for a department", returned, r.SUSPEND, "dispatcher", "case.wrong_stage"),
    Wrong("not once the result is claimed", at("struck_off"), r.SUSPEND, "dispatcher", "case.wrong_stage"),
    Wrong("a department does not resume", suspended, r.RESUME, "handler", "actor.wrong_role", "actor.role"),
    Wrong("nothing is resumed that moves", at("handling"), r.RESUME, "dispatcher", "resume.not_suspended"),
]  # fmt: skip


@pytest.mark.parametrize("wrong", SUSPENSION, ids=[each.sentence for each in SUSPENSION])
def test_suspension_refuses(wrong: Wrong) -> None:
    wrong.check()


# --- shelf --------------------------------------------------------------------------------------------------------


def shelved(*reviews: str) -> Story:
    dates = [f"2026-{day}T09:00:00+08:00" for day in reviews or ("12-08",)]
    return working_until("handling").when(r.SHELVE, "dispatcher", on="11-23 12:10", reviews=dates).happens()


def test_a_hard_case_goes_on_the_shelf_with_its_review_dates_in_order() -> None:
    dates = ["2026-12-20T09:00:00+08:00", "2026-12-08T09:00:00+08:00", "2026-12-08T01:00:00Z"]
    story = working_until("handling").when(r.SHELVE, "dispatcher", on="11-23 12:10", reviews=dates).then(
        fact("shelved", approver="supervisor", reviews=["2026-12-08T01:00:00Z", "2026-12-20T01:00:00Z"],
             backlog_at="2027-01-22T04:10:00Z", clocks=["contact", "handle"]),
        clocks="-contact -handle", stage="handling",
    )  # fmt: skip
    assert shown(story.plan.alarm or story.at) == "12-08 09:00"


def test_the_review_comes_and_the_dispatcher_has_to_look() -> None:
    story = (
        shelved("12-08", "12-20")
        .by_time("12-08 09:00")
        .then(fact("shelf_review_came", review="2026-12-08T01:00:00Z"), clocks="")
    )
    review = task(story, "review_shelf")
    assert (review.role, review.organisation, review.opened_at) == ("street_dispatcher", "S01", story.at)
    story = story.by_time("12-20 09:00").then("shelf_review_came")
    assert task(story, "review_shelf").id == "review_shelf#2"


def test_after_a_review_the_case_may_lie_on_but_its_backlog_is_counted_from_the_beginning() -> None:
    story = shelved().by_time("12-08 09:00").happens()
    again = {**r.SHELVE, "reviews": ["2027-01-05T09:00:00+08:00", "2027-02-01T09:00:00+08:00"]}
    story = story.when(again, "dispatcher", on="12-08 10:00").then(
        fact("shelved", backlog_at="2027-01-22T04:10:00Z", clocks=["contact", "handle"]), clocks=""
    )
    assert not [each for each in story.plan.tasks if each.kind == "review_shelf"]
    assert story.state.shelf.since == shelved().at
    story = story.by_time("2027-01-10 09:00").then("shelf_review_came")
    story = story.by_time("2027-01-30 09:00").then(fact("backlog_marked", since="2027-01-22T04:10:00Z"), clocks="")
    assert story.state.shelf.is_backlog
    story.by_time("2027-03-01 09:00").then("shelf_review_came", clocks="")


def test_off_the_shelf_the_clocks_run_on_with_what_was_left() -> None:
    story = (
        shelved()
        .when(r.UNSHELVE, "dispatcher", on="11-25 09:00")
        .then(fact("unshelved", automatic=False, reason="管线改造完成"), clocks="~contact ~handle")
    )
    assert (due(story, "contact"), due(story)) == ("11-25 18:00", "12-01 18:00")
    assert story.state.shelf is None


def test_work_that_is_done_takes_a_case_off_the_shelf() -> None:
    story = working_until("helper struck off").when(r.SHELVE, "dispatcher").happens()
    story.when(r.STRIKE_OFF, "handler").then(
        fact("unshelved", automatic=True), "struck_off", clocks="~contact ~handle -contact -handle +verify"
    )


def test_while_the_street_looks_for_a_department_its_own_clock_lies_on_the_shelf_too() -> None:
    story = disputed().when(r.SHELVE, "dispatcher").then("shelved", clocks="-contact -handle -dispatch#1")
    story.when(r.NAME_LEAD, "dispatcher").then_refused("case.shelved")
    story.when(r.UNSHELVE, "dispatcher", after="1d").then("unshelved", clocks="~contact ~handle ~dispatch#1")


SHELF = [
    Wrong("a department does not shelve", at("handling"), r.SHELVE, "handler", "actor.wrong_role", "actor.role"),
    Wrong("nobody approves one's own shelving", at("handling"), {**r.SHELVE, "approver": "dispatcher"},
          "dispatcher", "shelve.own_approver", "approver"),
    Wrong("only a supervisor approves", at("handling"), {**r.SHELVE, "approver": "approver"}, "dispatcher",
          "shelve.not_supervisor", "approver", {"person": "approver"}),
    Wrong("no review in the past", at("handling"), {**r.SHELVE, "reviews": ["2026-11-23T12:06:00+08:00"]},
          "dispatcher", "shelve.review_past", "reviews", {"review": "2026-11-23T04:06:00+00:00"}),
    Wrong("no first review after more than a month", at("handling"),
          {**r.SHELVE, "reviews": ["2026-12-23T12:06:01+08:00"]}, "dispatcher", "shelve.review_late", "reviews",
          {"review": "2026-12-23T04:06:01+00:00", "longest": "30天"}),
    Wrong("no second review after more than a month", at("handling"),
          {**r.SHELVE, "reviews": ["2027-01-10T09:00:00+08:00", "2026-12-08T09:00:00+08:00"]}, "dispatcher",
          "shelve.review_late", "reviews", {"review": "2027-01-10T01:00:00+00:00"}),
    Wrong("no shelving without a review", at("handling"), {**r.SHELVE, "reviews": []}, "dispatcher",
          "field.invalid", "reviews"),
    Wrong("not twice before the review", shelved, r.SHELVE, "dispatcher", "case.shelved"),
    Wrong("no suspension of what is shelved", shelved, r.SUSPEND, "dispatcher", "case.shelved"),
    Wrong("no return of what is shelved", shelved, r.RETURN, "handler", "case.shelved"),
    Wrong("a department does not take it off", shelved, r.UNSHELVE, "handler", "actor.wrong_role", "actor.role"),
    Wrong("what is not on the shelf is not taken off", at("handling"), r.UNSHELVE, "dispatcher",
          "unshelve.not_shelved"),
]  # fmt: skip


@pytest.mark.parametrize("wrong", SHELF, ids=[each.sentence for each in SHELF])
def test_shelf_refuses(wrong: Wrong) -> None:
    wrong.check()


def test_a_pause_does_not_hide_that_a_case_is_late() -> None:
    late = working_until("handling").by_time("12-01 09:00").happens()
    assert late.state.light == "red"
    for pause, who in ((r.SUSPEND, "dispatcher"), (r.ASK, "handler")):
        assert late.when(pause, who).happens().state.light == "red"
    assert until("struck_off").state.light == "green", "work that is done is not late any more"
