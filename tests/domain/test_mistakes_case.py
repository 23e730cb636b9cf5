"""Mistakes seen in other systems (DOMAIN §7), as far as a case could make them; the number is the one of the list.

Those of counting (1, 2, 3, 7, 10, 11, 12) stand in ``test_mistakes``; here is what a case does with its counting.
"""

from typing import Any

import pytest

from domain.people import RULES_OFFICE
from domain.rules import RuleBook
from tests.domain import routes as r
from tests.domain.routes import disputed, returned, until, working_until
from tests.domain.spec import Story, clocks_of, fact, moment, shown
from tests.neighbourhood import EXAMPLE_BOOK, LEAD, OTHER


def due(story: Story, clock: str = "handle") -> str:
    return shown(story.state.clock(clock).due_at)


def pause(story: Story, begin: str, end: str) -> Story:
    story = story.when(r.SUSPEND, "dispatcher", on=begin).happens()
    return story.when(r.RESUME, "dispatcher", on=end).happens()


def with_handling_limit(text: str, version: str = "other") -> RuleBook:
    raw = EXAMPLE_BOOK.model_dump(mode="json") | {"version": version}
    for row in raw["rows"]:
        if row["urgency"] == "general" and row["category"] is None:
            row["limits"]["handle"], row["extension"] = text, None
    return RuleBook.model_validate(raw)


def opened_by(book: RuleBook) -> Story:
    world = working_until("registered").world
    story = Story(world=world).in_world(rule_books={**world.rule_books, book.version: book}, current_rules=book.version)
    for _, who, raw in r.LONG_WAY[:5]:
        story = story.when(raw, who).happens()
    return story


def test_mistake_3_a_pause_is_not_added_to_a_working_limit_in_hours_of_the_clock() -> None:
    # Eight working hours from Monday 12:03 end on Tuesday 12:00. Two days and two hours of the clock later would be
    # Thursday 14:00; what was left when the pause began was eight hours, and they begin on Wednesday at 14:06.
    story = opened_by(with_handling_limit("8wh"))
    assert due(story) == "11-24 12:00"
    paused = pause(story, "11-23 12:06", "11-25 14:06")
    assert due(paused) == "11-26 14:06"


def test_mistake_3_a_second_pause_does_not_drop_the_first() -> None:
    story = pause(opened_by(with_handling_limit("16wh")), "11-23 15:00", "11-24 09:00")
    assert due(story) == "11-25 18:00", "four working hours lie in the pause, not eighteen"
    story = pause(story, "11-24 10:00", "11-26 10:00")
    assert due(story) == "11-27 18:00"
    assert len(story.state.clock("handle").pauses) == 2


def test_mistake_3_rework_is_a_pause_like_any_other() -> None:
    story = pause(working_until("helper struck off"), "11-23 15:00", "11-25 09:00")
    story = story.when(r.STRIKE_OFF, "handler", on="11-26 09:00").happens()
    story = story.when(r.FAIL, "checker", on="11-30 09:00").happens()
    # Out are the closes of the 23rd (the start day anyway) and 24th, then those of the 26th and 27th.
    assert due(story) == "12-03 18:00"


@pytest.mark.parametrize("column", ["speed", "quality", "attitude"])
@pytest.mark.parametrize("points", [-1, 101, 10_000])
def test_mistake_4_points_are_bounded(column: str, points: int) -> None:
    scores = {**r.SCORES, column: points}
    until("settled").when(r.APPRAISE, "community", scores=scores).then_refused(
        "field.invalid", field=f"scores.{column}"
    )


def test_mistake_4_each_score_stands_in_its_own_column() -> None:
    scores = {"speed": 1, "quality": 50, "attitude": 100}
    story = until("settled").when(r.APPRAISE, "community", scores=scores).then(fact("appraised", scores=scores))
    assert story.state.assignment(LEAD).scores.model_dump() == scores


@pytest.mark.parametrize(
    ("decision", "justified"), [("force", False), ("redispatch", True), ("name_lead", True), ("take_over", True)]
)
def test_mistake_5_a_wrong_dispatch_can_be_told_from_a_right_one(decision: str, justified: bool) -> None:
    lead = OTHER if decision in ("redispatch", "name_lead") else None
    story = (
        disputed()
        .when(r.ARBITRATE, "dispatcher", decision=decision, lead=lead)
        .then(fact("arbitrated", justified=justified, charged_to=None if justified else LEAD))
    )
    assert [each.department for each in story.state.returns] == [LEAD], "and the return itself is counted either way"


def test_mistake_5_a_new_dispatch_after_a_return_leaves_the_return_on_record() -> None:
    story = returned().when(r.DISPATCH, "dispatcher", lead=OTHER).happens()
    assert [each.department for each in story.state.returns] == [LEAD]


def adopted(story: Story, book: RuleBook) -> Story:
    story = story.in_world(rule_books={**story.world.rule_books, book.version: book})
    return story.when(r.ADOPT, RULES_OFFICE, rules=book.version).happens()


def test_mistake_6_a_change_of_rules_rewrites_no_fact() -> None:
    before = working_until("handling").by_time("11-27 17:30").happens()
    after = adopted(before, with_handling_limit("8wd"))
    assert after.events[: len(before.events)] == before.events
    assert clocks_of(after.events) == clocks_of(before.events), "no light goes out"
    assert after.state.clock("handle").warned_at == before.state.clock("handle").warned_at


def test_mistake_6_what_was_late_stays_late_under_a_laxer_book() -> None:
    late = working_until("helper struck off").by_time("12-01 09:00").happens()
    story = adopted(late, with_handling_limit("30wd")).when(r.STRIKE_OFF, "handler").happens()
    budget: Any = story.state.clock("handle")
    assert (budget.light, shown(budget.due_at), budget.limit.chinese) == ("red", "11-30 18:00", "5个工作日")
    assert story.state.was_overdue


def test_mistake_6_a_new_book_that_is_only_chosen_touches_no_open_case() -> None:
    before = working_until("handling")
    strict = with_handling_limit("1wd", "strict")
    story = before.in_world(rule_books={**before.world.rule_books, "strict": strict}, current_rules="strict")
    calm = story.by_time("11-24 18:00").happens()
    assert "!handle" not in clocks_of(calm.events)
    story = story.when(r.STRIKE_OFF, "helper").happens().when(r.STRIKE_OFF, "handler").happens()
    assert story.state.clock("verify").rules_version == "example-2"


def test_mistake_8_on_time_is_judged_by_the_rule_of_the_day() -> None:
    done = working_until("struck_off")
    story = adopted(done, with_handling_limit("1wd"))
    budget: Any = story.state.clock("handle")
    assert (budget.overdue_at, story.state.was_overdue) == (None, False)
    # Rework under the stricter book: what it is counted by from then on is told, and does not reach back.
    late = adopted(working_until("helper struck off").when(r.STRIKE_OFF, "handler", on="11-26 12:00").happens(),
                   with_handling_limit("1wd"))  # fmt: skip
    assert late.state.clock("handle").overdue_at is None
    assert late.when(r.FAIL, "checker").happens().state.clock("handle").overdue_at is None


def test_mistake_8_a_clock_keeps_the_name_of_the_rules_it_was_judged_by() -> None:
    story = adopted(working_until("struck_off"), with_handling_limit("8wd"))
    versions = {clock.id: clock.rules_version for clock in story.state.clocks}
    assert versions["place"] == versions["dispatch"] == versions["contact"] == versions["handle"] == "example-2"
    assert versions["verify"] == "other"


@pytest.mark.parametrize("place", ["settled", "lead appraised", "appraised"])
def test_mistake_9_no_later_act_prolongs_the_window_for_reopening(place: str) -> None:
    story = working_until(place)
    window = story.state.reopen_until
    edits: list[tuple[Any, Any]] = [(r.COMMENT, "resident"), (r.ATTACH, "worker"), (r.COMMENT, "community")]
    if place == "settled":
        edits.append((r.APPRAISE, "community"))
    for raw, who in edits:
        story = story.when(raw, who, after="1d").happens()
        assert story.state.reopen_until == window
    story = adopted(story, with_handling_limit("8wd"))
    assert story.state.reopen_until == window
    refusal = "case.finished" if place == "appraised" else "reopen.too_late"
    story.when(r.REOPEN, "resident", on=shown(window)).then_refused(refusal)


def test_mistake_9_a_window_ends_by_the_rules_it_was_opened_by() -> None:
    assert until("settled").state.reopen_until == moment("11-30 12:13")
