"""Questions to the resident: what stands still for the answer, and until when."""

from collections.abc import Callable

import pytest

from tests.domain import routes as r
from tests.domain.routes import disputed, working_until
from tests.domain.spec import Story, Wrong, fact, shown
from tests.neighbourhood import EXAMPLE_BOOK, LEAD


def at(place: str) -> Callable[[], Story]:
    return lambda: working_until(place)


def due(story: Story, clock: str = "handle") -> str:
    return shown(story.state.clock(clock).due_at)


def suspended() -> Story:
    return working_until("handling").when(r.SUSPEND, "dispatcher", on="11-23 12:10").happens()


def questioned() -> Story:
    return working_until("handling").when(r.ASK, "handler", on="11-23 12:10").happens()


def test_a_question_lets_the_contact_clock_stand_and_nothing_else() -> None:
    story = (
        working_until("handling")
        .when(r.ASK, "handler", on="11-23 12:10")
        .then(fact("resident_asked", until="2026-11-28T04:10:00Z", clock_id="contact"), clocks="-contact")
    )
    assert due(story) == "11-30 18:00"


def test_the_answer_is_the_contact() -> None:
    story = questioned().when(r.REPLY, "resident").then(fact("resident_replied", text="周末都在家"), clocks="")
    assert story.state.contacted_at == story.at
    suspended_ = story.when(r.SUSPEND, "dispatcher").then("suspended", clocks="-handle")
    suspended_.when(r.RESUME, "dispatcher").then("resumed", clocks="~handle")


@pytest.mark.parametrize("who", ["resident", "hotline", "handler", "community", "worker"])
def test_whoever_hears_the_answer_records_it(who: str) -> None:
    questioned().when(r.REPLY, who).then("resident_replied", clocks="")


def test_a_question_nobody_answers_lapses_and_the_clock_runs_on_since_then() -> None:
    story = (
        questioned()
        .by_time("11-28 12:10")
        .then(fact("question_lapsed", since="2026-11-28T04:10:00Z"), clocks="/handle:remind ?handle ~contact")
    )
    # The question was open over the closes of the 24th to the 27th; the 28th is a Saturday.
    assert due(story, "contact") == "11-30 18:00"
    late = questioned().by_time("11-30 09:00").then("question_lapsed")
    assert due(late, "contact") == "11-30 18:00"
    assert story.state.contacted_at is None, "asking was no contact"


def test_who_was_spoken_to_meanwhile_has_been_contacted() -> None:
    story = questioned().when(r.PROGRESS, "handler").then("progress_reported", clocks="")
    story.by_time("11-28 12:10").then("question_lapsed", clocks="/handle:remind ?handle")


def test_a_question_of_the_community_before_the_dispatch_is_no_contact_of_the_department() -> None:
    story = working_until("whistled").when(r.ASK, "community").then(fact("resident_asked", clock_id=None), clocks="")
    story = story.when(r.DISPATCH, "dispatcher").happens().when(r.REPLY, "resident").then("resident_replied")
    assert story.state.contacted_at is None
    assert story.state.clock("contact").is_running
    story = story.when(r.SUSPEND, "dispatcher").happens().when(r.RESUME, "dispatcher", after="1d").happens()
    assert story.state.clock("contact").is_running


def test_an_open_question_of_the_community_does_not_keep_the_contact_clock_standing() -> None:
    story = working_until("whistled").when(r.ASK, "community").happens().when(r.DISPATCH, "dispatcher").happens()
    story = story.when(r.SUSPEND, "dispatcher").happens().when(r.RESUME, "dispatcher", after="1h").happens()
    assert story.state.clock("contact").is_running


def test_a_question_that_lapses_while_the_case_is_suspended_holds_the_clock_no_longer_than_that() -> None:
    story = questioned().when(r.SUSPEND, "dispatcher").then("suspended", clocks="-handle")
    story = story.by_time("11-28 12:10").then("question_lapsed", clocks="")
    story.when(r.RESUME, "dispatcher", on="11-30 09:00").then("resumed", clocks="~handle ~contact")


def test_a_question_asked_during_a_suspension_holds_the_clock_beyond_it() -> None:
    story = suspended().when(r.ASK, "handler").then(fact("resident_asked", clock_id="contact"), clocks="")
    story = story.when(r.RESUME, "dispatcher", on="11-25 09:00").then("resumed", clocks="~handle")
    story = story.by_time("11-28 12:11").then("question_lapsed", clocks="/handle:remind ~contact")
    answered = suspended().when(r.ASK, "handler").happens().when(r.REPLY, "resident").happens()
    answered.when(r.RESUME, "dispatcher", on="11-25 09:00").then("resumed", clocks="~handle")


def test_a_question_that_outlives_the_work_wakes_no_clock() -> None:
    story = working_until("helper struck off").when(r.ASK, "handler").happens()
    story = story.when(r.STRIKE_OFF, "handler").then("struck_off", clocks="-handle +verify")
    story = story.later("5d").happens()
    assert story.kinds.count("question_lapsed") == 1
    assert not story.state.clock("contact").is_running


def test_the_street_that_took_a_case_over_speaks_to_the_resident_itself() -> None:
    story = disputed().when(r.TAKE_OVER, "dispatcher").happens().when(r.ACCEPT, "dispatcher").happens()
    story = story.when(r.ASK, "dispatcher").then(fact("resident_asked", clock_id="contact"), clocks="-contact")
    story.when(r.REPLY, "dispatcher").then("resident_replied")


def test_asking_again_and_again_gains_no_time() -> None:
    story = working_until("handling")
    for _ in range(EXAMPLE_BOOK.ask_most):
        story = story.when(r.ASK, "handler").then("resident_asked", clocks="-contact").later("5d").happens()
    assert story.state.clock("contact").is_running
    story = story.when(r.ASK, "handler").then(fact("resident_asked", clock_id=None), clocks="")
    assert story.state.clock("contact").is_running, "one may ask, but the clock runs on"


QUESTION = [
    Wrong("nobody asks before accepting", at("helper accepted"), r.ASK, "handler", "task.not_accepted", None,
          {"department": LEAD}),
    Wrong("a worker does not ask", at("handling"), r.ASK, "worker", "actor.wrong_role", "actor.role"),
    Wrong("another community does not ask", at("handling"), r.ASK, "far-community", "actor.wrong_organisation",
          "actor.organisation"),
    Wrong("a street without a part does not ask", at("handling"), r.ASK, "dispatcher", "task.not_yours",
          "actor.organisation"),
    Wrong("nobody asks twice at a time", questioned, r.ASK, "helper", "question.open", None,
          {"until": "2026-11-28T04:10:00+00:00"}),
    Wrong("nobody answers what was not asked", at("handling"), r.REPLY, "resident", "question.none"),
    Wrong("another department hears nothing", questioned, r.REPLY, "other", "task.not_yours",
          "actor.organisation"),
    Wrong("a supervisor hears nothing", questioned, r.REPLY, "supervisor", "actor.wrong_role", "actor.role"),
    Wrong("a worker of another grid hears nothing", questioned, r.REPLY, "other-worker", "actor.wrong_grid",
          "actor.grid"),
    Wrong("no telephone number in a question", at("handling"), {**r.ASK, "question": "13800001234是您的吗"},
          "handler", "text.not_redacted", "question"),
]  # fmt: skip


@pytest.mark.parametrize("wrong", QUESTION, ids=[each.sentence for each in QUESTION])
def test_question_refuses(wrong: Wrong) -> None:
    wrong.check()
