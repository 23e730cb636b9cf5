"""Clocks that never sleep: a chat group is answered within the hour, an emergency runs through nights and holidays."""

from datetime import timedelta

import pytest

from domain.clocks import Clock
from tests.domain import routes as r
from tests.domain.routes import WITHDRAW, working_until
from tests.domain.spec import Story, Wrong, fact, moment, shown, told
from tests.neighbourhood import HELPER, LEAD, WORKING_WORLD

ANSWER = {**r.COMMENT, "text": "已收到，马上安排", "public": True}


def opened(on: str) -> Story:
    return Story(world=WORKING_WORLD, at=moment(on))


def in_group(on: str = "11-23 12:00") -> Story:
    """A message in the residents' chat group, entered at this moment."""
    raw = {key: value for key, value in r.REGISTER.items() if key != "found_at"}
    return opened(on).when(raw, "worker", after=None, channel="chat_group").happens()


def emergency(on: str) -> Story:
    """An emergency registered, whistled for and dispatched within three minutes."""
    raw = {key: value for key, value in r.REGISTER.items() if key != "found_at"}
    story = opened(on).when(raw, "worker", after=None, urgency="emergency").happens()
    story = story.when(r.WHISTLE, "community").happens()
    return story.when(r.DISPATCH, "dispatcher", helpers=[]).happens()


def clock(story: Story, name: str) -> Clock:
    found = story.state.clock(name)
    assert isinstance(found, Clock)
    return found


# Monday noon, a Friday night, Sunday before dawn, New Year's Eve of the lunar calendar, National Day.
AROUND_THE_CLOCK = ["11-23 12:00", "11-27 23:30", "11-29 03:00", "02-16 20:00", "10-01 00:15"]


@pytest.mark.parametrize("on", AROUND_THE_CLOCK)
def test_a_message_in_the_chat_group_is_answered_within_the_hour_whatever_the_hour(on: str) -> None:
    story = in_group(on)
    publish = clock(story, "publish")
    assert publish.due_at - story.at == timedelta(hours=1)
    assert not publish.provisional
    story.later("58m").happens().when(ANSWER, "community").then(
        fact("commented", public=True), clocks="-publish"
    )  # fmt: skip


def test_the_community_has_to_answer_in_public() -> None:
    story = in_group()
    (task,) = [task for task in story.plan.tasks if task.kind == "answer_publicly"]
    assert (task.role, task.organisation, task.due_at) == ("community", "C01", clock(story, "publish").due_at)
    answered = story.when(ANSWER, "community").happens()
    assert "answer_publicly" not in {task.kind for task in answered.plan.tasks}


def test_silence_in_the_group_climbs_the_ladder_at_night() -> None:
    story = in_group("11-27 23:30")
    assert [shown(point.at) for point in clock(story, "publish").rungs] == [
        "11-28 00:00", "11-28 00:30", "12-04 18:00", "12-11 18:00",
    ]  # fmt: skip
    late = story.by_time("11-28 00:30").then(
        fact("supervision_ordered", to="C01", about="publish"),
        clocks="/publish:remind ?publish !publish /publish:urge +reply:C01",
    )
    late.when(ANSWER, "community").then("commented", clocks="-publish")


def test_a_comment_among_ourselves_is_no_answer_in_the_group() -> None:
    in_group().when(r.COMMENT, "community").then(fact("commented", public=False), clocks="")


def test_the_answer_in_the_group_moves_no_other_clock_and_no_stage() -> None:
    story = in_group().when(ANSWER, "dispatcher").then("commented", clocks="-publish", stage="registered")
    assert clock(story, "place").is_running
    story.when(ANSWER, "community").then("commented", clocks="")


def test_other_channels_have_no_public_answer() -> None:
    story = opened("11-23 12:00").when(r.REGISTER, "worker").happens()
    assert story.state.clock("publish") is None
    assert "+publish" not in told(story.events)


def test_whoever_withdraws_waits_for_no_answer() -> None:
    in_group().when(WITHDRAW, "resident").then("withdrawn", clocks="-place -publish")


REFUSALS = [
    Wrong("a resident does not answer for the office", in_group, ANSWER, "resident", "actor.wrong_role",
          "actor.role"),
    Wrong("no telephone number in the group", in_group, {**ANSWER, "text": "请打13800001234"}, "community",
          "text.not_redacted", "text"),
]  # fmt: skip


@pytest.mark.parametrize("wrong", REFUSALS, ids=[each.sentence for each in REFUSALS])
def test_a_public_answer_refuses(wrong: Wrong) -> None:
    wrong.check()


# --- emergencies --------------------------------------------------------------------------------------------------

EMERGENCY = {"sign_for:D01": "15m", "contact": "30m", "handle": "24h", "step:answer": "2h"}


@pytest.mark.parametrize("on", AROUND_THE_CLOCK)
def test_an_emergency_runs_through_nights_and_holidays(on: str) -> None:
    story = emergency(on)
    lengths = {name: clock(story, name).due_at - story.at for name in EMERGENCY}
    assert lengths == {
        "sign_for:D01": timedelta(minutes=15), "contact": timedelta(minutes=30), "handle": timedelta(hours=24),
        "step:answer": timedelta(hours=2),
    }  # fmt: skip


def test_an_emergency_on_national_day_from_hour_to_hour() -> None:
    story = emergency("10-01 02:00")
    assert [shown(clock(story, name).due_at) for name in EMERGENCY] == [
        "10-01 02:17", "10-01 02:32", "10-02 02:02", "10-01 04:02",
    ]  # fmt: skip
    story = story.by_time("10-01 02:17").then(
        fact("accepted", deemed=True),
        clocks="/sign_for:D01:remind ?sign_for:D01 /contact:remind !sign_for:D01 -sign_for:D01",
        stage="handling",
    )
    story = story.by_time("10-01 04:02").happens()
    assert [name for name in ("contact", "step:answer", "handle") if clock(story, name).light == "red"] == [
        "contact", "step:answer",
    ]  # fmt: skip
    assert [order.about for order in story.state.orders] == ["contact", "step:answer"]
    # The written urging is answered in office hours: the first working day after the holiday is the 8th.
    assert shown(clock(story, "reply:D01").due_at) == "10-08 18:00"


def test_a_general_case_of_the_same_night_waits_for_the_office() -> None:
    raw = {key: value for key, value in r.REGISTER.items() if key != "found_at"}
    story = opened("10-01 02:00").when(raw, "worker", after=None).happens()
    assert shown(clock(story, "place").due_at) == "10-08 12:00"


def test_raising_the_urgency_at_night_makes_the_next_clocks_run_at_night() -> None:
    raw = {key: value for key, value in r.REGISTER.items() if key != "found_at"}
    story = opened("10-01 02:00").when(raw, "worker", after=None).happens()
    story = story.when(r.WHISTLE, "community", urgency="emergency").happens()
    assert shown(clock(story, "dispatch").due_at) == "10-01 03:01"


def test_only_the_people_of_the_place_answer_in_public() -> None:
    story = in_group()
    for stranger, code in (("far-community", "actor.wrong_organisation"), ("handler", "actor.wrong_role")):
        story.when(r.COMMENT, stranger, public=True).then_refused(code)
    story.when(r.COMMENT, "worker", public=True).then("commented", clocks="-publish")


def test_a_task_that_is_not_signed_for_is_due_when_its_signing_is() -> None:
    story = working_until("dispatched")
    tasks = {task.organisation: task.due_at for task in story.plan.tasks if task.kind == "handle"}
    assert tasks == {unit: story.state.clock(f"sign_for:{unit}").due_at for unit in (LEAD, HELPER)}
    signed = story.when(r.ACCEPT, "handler").happens()
    (task,) = [task for task in signed.plan.tasks if task.organisation == LEAD]
    assert task.due_at == signed.state.clock("handle").due_at
