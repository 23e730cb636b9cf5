"""Other rules for an open case: what moves, what does not, and that nobody is late by it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from domain.calendar import Day, WorkCalendar
from domain.clocks import Clock
from domain.limits import limit
from domain.people import RULES_OFFICE, Actor, Role
from domain.rules import RuleBook
from tests.domain import routes as r
from tests.domain.routes import archived, until, working_until
from tests.domain.spec import Step, Story, Wrong, fact, moment, shown, told
from tests.neighbourhood import CALENDAR, EXAMPLE_BOOK, WORKING_WORLD

CLERK = Actor(person="clerk", role=Role.ADMINISTRATOR)


def book(version: str, ladder: Any = None, **general: str) -> RuleBook:
    """The shipped book with other limits for general cases, and another ladder where one is given."""
    raw = EXAMPLE_BOOK.model_dump(mode="json")
    for row in raw["rows"]:
        if row["urgency"] == "general" and row["category"] is None:
            row["limits"] |= general
            row["extension"] = None if not general.get("handle", "1wd").endswith("wd") else row["extension"]
    return RuleBook.model_validate(raw | {"version": version} | ({"ladder": ladder} if ladder else {}))


STRICT = book("strict", handle="3wd")
LAX = book("lax", handle="8wd")
SHORT = book("short", handle="1wd", contact="1wd")
NATURAL = book("hours", handle="72h")
QUIET = book("quiet", [{"code": "red", "name": "红灯", "at": "due", "action": "red", "to": ["supervisor"]}])

# Invented: New Year's Day off and a Saturday worked for it.
LIST_2027 = CALENDAR.model_copy(
    update={
        "version": "cn-2027",
        "off": (*CALENDAR.off, Day(on=date(2027, 1, 1), name="元旦")),
        "made_up": (*CALENDAR.made_up, Day(on=date(2027, 1, 9), name="元旦")),
        "published_until": date(2027, 12, 31),
    }
)
# Invented: the office closes on a Wednesday.
CLOSED = CALENDAR.model_copy(
    update={"version": "cn-closed", "off": (*CALENDAR.off, Day(on=date(2026, 11, 25), name="停电"))}
)


def known(story: Story) -> Story:
    """The story in a world that knows all these books and calendars."""
    books = {each.version: each for each in (STRICT, LAX, SHORT, NATURAL, QUIET)}
    calendars: dict[str, WorkCalendar] = {each.version: each for each in (LIST_2027, CLOSED)}
    return story.in_world(
        rule_books={**story.world.rule_books, **books}, calendars={**story.world.calendars, **calendars}
    )


def handling() -> Story:
    return known(working_until("handling"))


def adopt(story: Story, rules: RuleBook | None = None, calendar: WorkCalendar | None = None, **how: Any) -> Step:
    named = {"rules": rules.version if rules else None, "calendar": calendar.version if calendar else None}
    return story.when(r.ADOPT, RULES_OFFICE, **named, **how)


def clock(story: Story, name: str = "handle") -> Clock:
    found = story.state.clock(name)
    assert isinstance(found, Clock)
    return found


def due(story: Story, name: str = "handle") -> str:
    return shown(clock(story, name).due_at)


def adopted(story: Story) -> dict[str, Any]:
    (found,) = [event.model_dump(mode="json") for event in story.events if "changes" in type(event).model_fields]
    return found


def moved(story: Story) -> set[str]:
    return {change["clock_id"] for change in adopted(story)["changes"]}


def position(each: Clock) -> tuple[Any, ...]:
    """Everything about a clock that a change of rules could move."""
    return (each.started_at, each.due_at, each.warn_at, each.rungs, each.limit, each.provisional, each.light)


def check_nothing_else_moved(before: Story, after: Story) -> None:
    """What is not in ``changes`` stands where it stood."""
    for old in before.state.clocks:
        if old.id not in moved(after):
            assert position(clock(after, old.id)) == position(old)


def test_a_stricter_book_moves_the_budget_and_says_so() -> None:
    before = handling().by_time("11-24 09:00").then(clocks="")
    story = adopt(before, STRICT).then(
        fact("rules_adopted", reason="新规则施行", old_rules="example-2", old_calendar=CALENDAR.version, kept=[],
             followed=["contact"]),
        clocks="", stage="handling",
    )  # fmt: skip
    (change,) = adopted(story)["changes"]
    assert (change["clock_id"], change["old_limit"], change["limit"]) == ("handle", "5wd", "3wd")
    assert (change["old_due_at"], change["reckoning"]["due_at"]) == ("2026-11-30T10:00:00Z", "2026-11-26T10:00:00Z")
    assert (due(story), clock(story).rules_version, story.state.rules.version) == ("11-26 18:00", "strict", "strict")
    assert {point.code: shown(point.at) for point in clock(story).rungs} == {
        "remind": "11-25 10:00", "urge": "11-26 18:00", "circular": "12-03 18:00", "interview": "12-10 18:00",
    }  # fmt: skip
    check_nothing_else_moved(before, story)


def test_a_laxer_book_gives_time_and_takes_no_warning_back() -> None:
    before = handling().by_time("11-27 17:30").happens()
    assert clock(before).light == "yellow"
    story = adopt(before, LAX).happens()
    assert (due(story), clock(story).light) == ("12-03 18:00", "yellow")
    later = story.left_alone(days=10)
    assert told(later.events).count("?handle") == 1
    check_nothing_else_moved(before, story)


def test_a_book_in_another_unit_is_counted_in_that_unit_from_the_same_start() -> None:
    story = adopt(handling(), NATURAL).happens()
    assert (due(story), clock(story).calendar_version) == ("11-26 12:03", None)
    assert clock(story).started_at == clock(handling()).started_at


def test_clocks_that_start_later_live_by_the_new_book() -> None:
    other = book("verify", verify="2wd")
    story = known(working_until("helper struck off"))
    story = story.in_world(rule_books={**story.world.rule_books, "verify": other})
    story = adopt(story, other).happens().when(r.STRIKE_OFF, "handler").happens()
    assert due(story, "verify") == "11-25 18:00"


def test_a_department_that_was_given_more_time_keeps_it() -> None:
    before = handling().when(r.MORE_TIME, "handler").happens().when(r.GRANT, "dispatcher").happens()
    story = adopt(before, STRICT).happens()
    assert (clock(story).limit, clock(story).extended) == (limit("3wd"), clock(before).extended)
    assert due(story) == "12-01 18:00", "three days and the three that were granted"
    back = adopt(story, EXAMPLE_BOOK).happens()
    assert due(back) == due(before)


def test_an_extension_in_another_unit_leaves_the_budget_alone() -> None:
    before = handling().when(r.MORE_TIME, "handler").happens().when(r.GRANT, "dispatcher").happens()
    story = adopt(before, NATURAL).then(fact("rules_adopted", kept=[{"clock_id": "handle", "why": "other_unit"}]))
    assert (due(story), clock(story).rules_version) == (due(before), "example-2")
    check_nothing_else_moved(before, story)


def test_a_clock_that_stands_is_moved_too_and_runs_on_by_the_new_rules() -> None:
    before = handling().when(r.SUSPEND, "dispatcher", on="11-23 12:10").happens()
    story = adopt(before, STRICT).happens()
    assert moved(story) == {"handle"}
    story = story.when(r.RESUME, "dispatcher", on="11-25 09:00").happens()
    assert (due(story), due(story, "contact")) == ("11-27 18:00", "11-25 18:00")


def test_a_pause_that_is_over_counts_under_the_new_rules_too() -> None:
    story = handling().when(r.SUSPEND, "dispatcher", on="11-23 12:10").happens()
    story = story.when(r.RESUME, "dispatcher", on="11-25 09:00").happens()
    assert due(adopt(story, STRICT).happens()) == "11-27 18:00"


def test_a_clock_that_has_run_out_stays_as_it_is() -> None:
    before = handling().by_time("11-30 18:00").happens()
    story = adopt(before, LAX).then(fact("rules_adopted", changes=[], kept=[]), clocks="")
    assert (due(story), clock(story).light, clock(story).rules_version) == ("11-30 18:00", "red", "example-2")
    check_nothing_else_moved(before, story)


def test_a_clock_that_was_left_alone_climbs_the_ladder_it_began() -> None:
    story = adopt(handling().by_time("11-30 18:00").happens(), QUIET).happens().left_alone()
    climbed = [sign for sign in told(story.events) if sign.startswith("/handle")]
    assert climbed == ["/handle:remind", "/handle:urge", "/handle:circular", "/handle:interview"]
    circular = next(event for event in story.events if getattr(event, "rung", "") == "circular")
    assert circular.model_dump()["told"] == ("head", "leader", "supervisor")
    assert story.state.level == "street"


def test_a_clock_that_was_left_alone_keeps_its_due_through_rework() -> None:
    late = known(working_until("helper struck off")).by_time("11-30 18:00").happens()
    story = adopt(late, LAX, CLOSED).happens()
    story = story.when(r.STRIKE_OFF, "handler").happens().when(r.FAIL, "checker", after="2d").happens()
    assert (due(story), clock(story).light) == ("11-30 18:00", "red")


def test_nobody_is_late_at_once() -> None:
    before = handling().by_time("11-24 19:00").happens()
    story = adopt(before, SHORT).then(fact("rules_adopted", kept=[{"clock_id": "handle", "why": "in_the_past"}]))
    assert (due(story), clock(story).light) == ("11-30 18:00", "green")
    check_nothing_else_moved(before, story)
    assert "!handle" not in told(story.by_time("11-30 17:59").happens().events)


def test_nobody_is_late_the_moment_the_clock_runs_on() -> None:
    before = known(handling()).when(r.SUSPEND, "dispatcher", on="11-26 12:00").happens()
    story = adopt(before, SHORT).then(fact("rules_adopted", kept=[{"clock_id": "handle", "why": "in_the_past"}]))
    story = story.when(r.RESUME, "dispatcher").happens()
    assert (due(story), clock(story).light, story.state.was_overdue) == ("11-30 18:00", "green", True)
    assert story.state.clock("contact").light == "red", "that is why"


def test_a_due_that_is_exactly_now_would_be_late() -> None:
    adopt(handling(), STRICT, on="11-26 18:00").then(
        "supervision_ordered",  # for the contact clock, which has run out long ago
        fact("rules_adopted", kept=[{"clock_id": "handle", "why": "in_the_past"}], changes=[]),
    )
    assert moved(adopt(handling(), STRICT, on="11-26 17:59").happens()) == {"handle"}


def test_another_calendar_moves_what_it_counts_otherwise() -> None:
    before = handling()
    story = adopt(before, calendar=CLOSED).then(
        fact("rules_adopted", old_rules="example-2", old_calendar="cn-2020-2026", kept=[], followed=[])
    )
    assert story.state.rules.version == "example-2"
    assert (due(story), clock(story).calendar_version, clock(story).rules_version) == (
        "12-01 18:00", "cn-closed", "example-2",
    )  # fmt: skip
    assert moved(story) == {"handle", "contact"}, "a rung of the contact clock lies behind the closed day"
    assert due(story, "contact") == due(before, "contact")
    check_nothing_else_moved(before, story)


def test_book_and_calendar_are_adopted_in_one_fact() -> None:
    story = adopt(handling(), LAX, CLOSED).happens()
    assert (due(story), story.state.rules.version, story.state.rules.calendar) == ("12-04 18:00", "lax", "cn-closed")


def december() -> Story:
    """A complex case that is opened on 2026-12-20, a Sunday."""
    story = known(Story(world=WORKING_WORLD, at=moment("12-20 09:00")))
    for raw, who in (({**r.REGISTER, "urgency": "complex"}, "worker"), (r.WHISTLE, "community")):
        story = story.when(raw, who).happens()
    story = story.when(r.DISPATCH, "dispatcher").happens()
    return story.when(r.ACCEPT, "helper").happens().when(r.ACCEPT, "handler").happens()


def test_a_provisional_deadline_becomes_final_with_next_year_s_list() -> None:
    before = december()
    assert (due(before), clock(before).provisional) == ("2027-01-11 18:00", True)
    assert (due(before, "contact"), clock(before, "contact").provisional) == ("12-21 18:00", False)
    story = adopt(before, calendar=LIST_2027).happens()
    (change,) = adopted(story)["changes"]
    assert (change["clock_id"], change["old_provisional"], change["reckoning"]["provisional"]) == (
        "handle", True, False,
    )  # fmt: skip
    assert (due(story), clock(story).provisional) == ("2027-01-09 18:00", False)
    check_nothing_else_moved(before, story)


def test_a_list_that_confirms_a_provisional_deadline_makes_it_final_all_the_same() -> None:
    same = LIST_2027.model_copy(update={"version": "cn-same", "made_up": CALENDAR.made_up})
    before = december()
    before = before.in_world(calendars={**before.world.calendars, "cn-same": same})
    story = adopt(before, calendar=same).happens()
    assert (due(story), clock(story).provisional) == ("2027-01-11 18:00", False)
    assert moved(story) == {"handle"}


def test_a_clock_the_list_left_alone_counts_by_it_when_it_reaches_the_new_year() -> None:
    story = adopt(handling(), calendar=LIST_2027).then(
        fact("rules_adopted", changes=[], kept=[], followed=["contact", "handle"])
    )
    assert clock(story).calendar_version == "cn-2027"
    story = story.when(r.SUSPEND, "dispatcher", reason="construction_period").happens()
    story = story.when(r.RESUME, "dispatcher", on="2027-01-02 12:00").happens()
    assert (due(story), clock(story).provisional) == ("2027-01-08 18:00", False)


def test_lights_and_facts_of_the_past_stay() -> None:
    before = handling().by_time("11-25 09:00").happens()
    story = adopt(before, LAX, CLOSED).happens()
    assert story.events[: len(before.events)] == before.events
    assert [each.light for each in story.state.clocks] == [each.light for each in before.state.clocks]
    finished = {each.id for each in before.state.clocks if not each.is_running} - {"handle"}
    assert [each for each in story.state.clocks if each.id in finished] == [
        each for each in before.state.clocks if each.id in finished
    ], "what is over keeps even the name of its rules"


def test_a_rung_that_was_reached_does_not_come_again_under_other_rules() -> None:
    story = handling().by_time("11-26 10:00").happens()
    assert clock(story).reached == ("remind",)
    story = adopt(story, LAX).happens().left_alone()
    assert [sign for sign in told(story.events) if sign.startswith(("/handle:", "!handle"))] == [
        "/handle:remind", "!handle", "/handle:urge", "/handle:circular", "/handle:interview",
    ]  # fmt: skip


def test_another_ladder_replaces_the_rungs_that_lie_ahead() -> None:
    story = adopt(handling(), QUIET).happens()
    assert moved(story) == {"contact", "handle"}
    assert (clock(story).rungs, clock(story).warn_at) == ((), clock(story).due_at)
    red = next(event for event in story.left_alone().events if getattr(event, "clock_id", "") == "contact"
               and "told" in type(event).model_fields and type(event).__name__ == "ClockExpired")  # fmt: skip
    assert red.model_dump()["told"] == ("supervisor",)


def test_the_reply_to_an_order_keeps_the_limit_it_came_with() -> None:
    before = handling().when(r.SUPERVISE, "supervisor", reply_within="3h").happens()
    story = adopt(before, STRICT).happens()
    assert position(clock(story, "reply:D01")) == position(clock(before, "reply:D01"))


@pytest.mark.parametrize("place", ["struck_off", "signed", "settled"])
def test_work_that_was_done_keeps_the_limit_it_was_judged_by_also_for_rework(place: str) -> None:
    before = known(working_until(place))
    story = adopt(before, STRICT).happens()
    assert "handle" not in moved(story)
    assert clock(story) == clock(before)
    if place == "struck_off":
        assert due(story.when(r.FAIL, "checker").happens()) == "11-30 18:00"


def test_adopting_moves_no_stage_and_no_task() -> None:
    before, after = handling(), adopt(handling(), STRICT).happens()
    assert [(task.id, task.kind) for task in after.plan.tasks] == [(task.id, task.kind) for task in before.plan.tasks]
    assert [shown(task.due_at or task.opened_at) for task in after.plan.tasks] == ["11-26 18:00"] * 2
    assert after.plan.attributes.rules_version == "strict"


def test_an_administrator_may_do_it_for_one_case() -> None:
    handling().when(r.ADOPT, CLERK, rules="lax").then("rules_adopted")


def test_a_case_of_the_first_release_lives_by_the_office_s_calendar_until_it_adopts_another() -> None:
    story = known(working_until("handling"))
    first = story.events[0]
    pinned = first.model_dump()["rules"] | {"calendar": None}
    old = replace(story, events=(first.model_copy(update={"rules": type(story.state.rules)(**pinned)}),
                                 *story.events[1:]))  # fmt: skip
    assert old.state.rules.calendar is None
    paused = old.when(r.SUSPEND, "dispatcher").happens().when(r.RESUME, "dispatcher", after="2d").happens()
    assert due(paused) == "12-01 18:00"
    adopt(old, calendar=CLOSED).then(fact("rules_adopted", old_calendar=None))


REFUSALS = [
    *(Wrong(f"nobody changes the rules of one's own case ({who})", handling, {**r.ADOPT, "rules": "lax"}, who,
            "actor.wrong_role", "actor.role")
      for who in ("handler", "dispatcher", "supervisor", "community", "resident")),
    Wrong("not to what it lives by", handling, r.ADOPT, RULES_OFFICE, "adopt.nothing_new", "rules",
          {"version": "example-2", "calendar": "cn-2020-2026"}),
    Wrong("not twice", lambda: adopt(handling(), LAX, CLOSED).happens(),
          {**r.ADOPT, "rules": "lax", "calendar": "cn-closed"}, RULES_OFFICE, "adopt.nothing_new", "rules",
          {"version": "lax", "calendar": "cn-closed"}),
    Wrong("not to a book nobody knows", handling, {**r.ADOPT, "rules": "none"}, RULES_OFFICE, "rules.unknown",
          "rules", {"version": "none"}),
    Wrong("not to a calendar nobody knows", handling, {**r.ADOPT, "calendar": "none"}, RULES_OFFICE,
          "calendar.unknown", "calendar", {"version": "none"}),
    Wrong("not without a reason", handling, {"kind": "adopt_rules", "rules": "lax"}, RULES_OFFICE, "field.missing",
          "reason"),
]  # fmt: skip


@pytest.mark.parametrize("wrong", REFUSALS, ids=[each.sentence for each in REFUSALS])
def test_adoption_refuses(wrong: Wrong) -> None:
    wrong.check()


@pytest.mark.parametrize("story", [archived, lambda: until("registered").when(r.WITHDRAW, "resident").happens()])
def test_what_is_over_adopts_nothing(story: Callable[[], Story]) -> None:
    story().when(r.ADOPT, RULES_OFFICE, rules="example-2").then_refused("case.finished")
