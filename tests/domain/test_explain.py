"""The deadline sheet: every due is told so that it can be reckoned again, and every figure names its fact."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from domain.calendar import Day, due, measure
from domain.case import CASE
from domain.case.deadlines import ClockStory, Counting, DeadlineSheet, Outcome, Status
from domain.case.events import CaseEvent
from domain.case.explain import explain
from domain.case.state import Case
from domain.errors import Refused
from domain.ladder import RungAction
from domain.limits import limit
from domain.parsing import parse_command
from domain.people import SYSTEM, Actor, Role
from domain.process import TimePasses, World
from domain.rules import RuleBook
from ledger.rule_files import example_book
from tests.calendars import local, office_calendar
from tests.domain import routes as r
from tests.domain.spec import Story
from tests.neighbourhood import ACTORS, HELPER, LEAD, OTHER, WORLD

CALENDAR = office_calendar()
LATER_CALENDAR = CALENDAR.model_copy(
    update={
        "version": "cn-2020-2027",
        "off": (*CALENDAR.off, Day(on=datetime(2026, 11, 27, tzinfo=UTC).date(), name="校庆")),
        "published_until": CALENDAR.published_until.replace(year=2027),
    }
)
CALENDARS = {each.version: each for each in (CALENDAR, LATER_CALENDAR)}
OFFICE = Actor(person="office", role=Role.ADMINISTRATOR)
BOOK = example_book()


def other_book(version: str, general: Mapping[str, str]) -> RuleBook:
    """The example book with other limits for general cases."""
    raw = BOOK.model_dump(mode="json")
    rows = [row | {"limits": row["limits"] | general} if row["urgency"] == "general" else row for row in raw["rows"]]
    return RuleBook.model_validate({**raw, "version": version, "rows": rows})


STRICTER = other_book("stricter", {"handle": "3wd", "contact": "4wh"})
BY_MINUTES = other_book("by-minutes", {"verify": "1wd/min", "visit": "8wh"})
WORKING = World(
    registry=WORLD.registry,
    rule_books={book.version: book for book in (BOOK, STRICTER, BY_MINUTES)},
    current_rules=BOOK.version,
    calendars=CALENDARS,
    current_calendar=CALENDAR.version,
)
EXTEND = {"kind": "request_extension", "length": "3wd", "reason": "材料未到"}
GRANT = {"kind": "decide_extension", "granted": True, "reason": "情况属实"}
SUSPEND = {"kind": "suspend", "reason": "awaiting_party", "explanation": "等待诉求人补充材料"}
RESUME = {"kind": "resume", "reason": "材料已齐"}
ASK = {"kind": "ask_resident", "question": "积水在哪一侧"}
REPLY = {"kind": "record_reply", "text": "北侧"}
FORCE = {"kind": "arbitrate", "decision": "force", "reason": "职责清单列明"}
UNSHELVE = {"kind": "unshelve", "reason": "条件已具备"}


def shelve(at: datetime) -> dict[str, Any]:
    """A place on the shelf with one review in ten days."""
    return {
        "kind": "shelve",
        "reason": "需上级立项",
        "approver": "supervisor",
        "reviews": [(at + timedelta(days=10)).isoformat()],
    }


@cache
def begun(**fields: Any) -> Story:
    """A case of the working-time book on Monday noon, registered, whistled and dispatched to one department."""
    story = Story(world=WORKING).when({**r.REGISTER, **fields}, "worker").happens()
    story = story.when(r.WHISTLE, "community").happens()
    return story.when({**r.DISPATCH, "helpers": []}, "dispatcher").happens()


@cache
def handled() -> Story:
    """The same, accepted by the lead."""
    return begun().when(r.ACCEPT, "handler").happens()


def until(story: Story, moment: str) -> timedelta:
    """How long it is from the last act to this moment of the office."""
    return local(moment) - story.at


def facts(story: Story) -> tuple[CaseEvent, ...]:
    return cast(tuple[CaseEvent, ...], story.events)


def sheet(story: Story, at: datetime | None = None) -> DeadlineSheet:
    return explain(facts(story), at=at or story.at, calendars=CALENDARS)


def clock(story: Story, name: str = "handle", at: datetime | None = None) -> ClockStory:
    return next(each for each in sheet(story, at).clocks if each.id == name)


# --- what holds for every story -----------------------------------------------------------------------------------


def check(story: Story) -> DeadlineSheet:
    """What holds for the sheet of every story at its last act."""
    found = sheet(story)
    state = story.state
    assert [each.id for each in found.clocks] == [each.id for each in state.clocks]
    assert (found.rules, found.calendar) == (state.rules.version, state.rules.calendar)
    for told, stored in zip(found.clocks, state.clocks, strict=True):
        assert told.agrees is True, told.id
        assert (told.due_at, told.provisional, told.whole_limit) == (
            stored.due_at,
            stored.provisional,
            stored.whole_limit,
        )
        assert (told.pauses, told.light, told.stopped_at) == (stored.pauses, stored.light, stored.stopped_at)
        assert (told.status is Status.RUNNING) == stored.is_running
        _check_arithmetic(told, found.at)
        _check_causes(story, told)
    assert DeadlineSheet.model_validate_json(found.model_dump_json()) == found
    return found


def _check_arithmetic(told: ClockStory, at: datetime) -> None:
    """The sheet alone is enough to come to its due: nothing is needed of the state."""
    calendar = CALENDARS[told.calendars[-1]] if told.dues[-1].calendar else None
    whole = told.limit
    steps = [(each.cause.seq, "to", each.limit) for each in told.adoptions if each.outcome is Outcome.MOVED]
    steps += [(each.decided.seq, "by", each.length) for each in told.extensions if each.decided and each.granted]
    for _, how, length in sorted(steps):
        whole = length if how == "to" else whole.extended(length)
    assert whole == told.whole_limit
    assert due(calendar, told.started_at, whole, told.pauses) == (told.due_at, told.provisional)
    end = told.stopped_at or at
    counted = measure(calendar, told.started_at, end, whole.unit, told.pauses)
    assert told.used == (counted if isinstance(counted, int) else counted // timedelta(seconds=1))
    assert told.used + told.remaining - told.over == told.whole
    assert (told.overtime_permille is not None) == told.late == (told.light == "red")
    assert told.late or told.used <= told.whole
    if told.holders:
        assert sum(each.used for each in told.holders) == told.used
        assert all(one.end is not None and one.end <= other.begin for one, other in pairwise(told.holders))
    assert {each.stood_at <= each.cause.at for each in told.marks} <= {True}
    assert len({each.code for each in told.marks}) == len(told.marks)


def _check_causes(story: Story, told: ClockStory) -> None:
    """Whatever happened to a clock is led back to an act or to time, never to the clock itself."""
    causes = [told.started, *(each.cause for each in told.dues), *(each.cause for each in told.adoptions)]
    causes += [told.finished] if told.finished else []
    for standing in told.standings:
        causes += [standing.begun_by, *([standing.ended_by] if standing.ended_by else [])]
        assert (standing.end is None) == (told.status is Status.STANDING and standing is told.standings[-1])
    for cause in causes:
        fact: Any = story.events[cause.seq - 1]
        assert (cause.kind, cause.at, cause.by) == (fact.kind, fact.at, fact.by)
        assert not cause.kind.startswith(("clock_", "rung_")), (told.id, cause)


# Acts at random: whoever may usually do it tries, at whatever moment; most of it is refused and leaves nothing.
ACTS: tuple[tuple[str, Mapping[str, Any]], ...] = (
    ("handler", r.ACCEPT), ("helper", r.ACCEPT), ("other", r.ACCEPT), ("dispatcher", r.ACCEPT),
    ("handler", r.PROGRESS), ("handler", {**r.PROGRESS, "contacted": False, "step": "answer"}),
    ("handler", r.RETURN), ("helper", {**r.RETURN, "proposed": LEAD}), ("other", {**r.RETURN, "proposed": LEAD}),
    ("dispatcher", FORCE), ("dispatcher", {**FORCE, "decision": "redispatch", "lead": OTHER}),
    ("dispatcher", {**FORCE, "decision": "name_lead", "lead": HELPER}),
    ("dispatcher", {**FORCE, "decision": "take_over"}), ("dispatcher", {**r.DISPATCH, "lead": OTHER}),
    ("handler", EXTEND), ("dispatcher", GRANT), ("dispatcher", {**GRANT, "length": "1wd"}),
    ("dispatcher", {**GRANT, "granted": False}), ("dispatcher", SUSPEND), ("dispatcher", RESUME),
    ("dispatcher", {"kind": "shelve"}), ("dispatcher", UNSHELVE), ("handler", ASK), ("community", ASK),
    ("resident", REPLY), ("community", {"kind": "comment", "text": "已在群里答复", "public": True}),
    ("supervisor", {"kind": "supervise", "to": LEAD, "text": "请说明进度"}),
    ("handler", {"kind": "reply_supervision", "order": 1, "text": "已安排"}),
    ("handler", {"kind": "add_helper", "department": HELPER, "reason": "涉及管线"}),
    ("office", {"kind": "adopt_rules", "rules": STRICTER.version, "reason": "新规则施行"}),
    ("office", {"kind": "adopt_rules", "rules": BY_MINUTES.version, "reason": "新规则施行"}),
    ("office", {"kind": "adopt_rules", "calendar": LATER_CALENDAR.version, "reason": "公布放假安排"}),
    ("dispatcher", r.CORRECT), ("resident", r.WITHDRAW), ("resident", r.REOPEN),
)  # fmt: skip
# The way on, by stage, so that stories get far.
ONWARD: Mapping[str, tuple[tuple[str, Any], ...]] = {
    "registered": (("community", r.WHISTLE),),
    "whistled": (("dispatcher", r.DISPATCH), ("dispatcher", {**r.DISPATCH, "helpers": []})),
    "dispatched": (("handler", r.ACCEPT), ("other", r.ACCEPT)),
    "handling": (("helper", r.STRIKE_OFF), ("handler", r.STRIKE_OFF), ("other", r.STRIKE_OFF)),
    "returned": (("dispatcher", {**r.DISPATCH, "lead": OTHER}),),
    "struck_off": (("checker", r.VERIFY), ("checker", r.VERIFY), ("checker", r.FAIL)),
    "verified": (("captain", r.sign), ("head", r.sign), ("head", r.sign), ("head", r.REFUSE)),
    "signed": (("checker", r.TELL_DEPARTMENT), ("checker", r.TELL_RESIDENT)),
    "fed_back": (("worker", r.CONTENT), ("worker", r.UNHAPPY), ("worker", r.SILENT)),
    "settled": (("community", r.APPRAISE), ("community", r.APPRAISE_HELPER), ("resident", r.REOPEN)),
}
PEOPLE = {**ACTORS, "office": OFFICE}
SPANS = st.one_of(
    st.integers(0, 90).map(lambda minutes: timedelta(minutes=minutes)),
    st.integers(1, 40).map(lambda hours: timedelta(hours=hours, seconds=1)),
    st.integers(1, 12).map(lambda days: timedelta(days=days)),
)
TURNS = st.lists(st.tuples(st.booleans(), st.integers(0, 359), SPANS), min_size=1, max_size=24)


def lived(opening: Mapping[str, Any], turns: list[tuple[bool, int, timedelta]]) -> Story:
    """The story of random turns: on its way, or anything at all."""
    story = Story(world=WORKING).when(opening, "worker").happens()
    at = story.at
    for onward, choice, span in turns:
        at += span
        choices = ONWARD.get(str(story.state.stage), ()) if onward else ACTS
        if not choices:
            continue
        by, raw = choices[choice % len(choices)]
        given_ = raw(story.state) if callable(raw) else dict(raw)
        given_ = shelve(at) if given_["kind"] == "shelve" else given_
        try:
            command = parse_command(CASE, given_)
            new = CASE.decide(story.state, command, PEOPLE[by], at, WORKING)
        except Refused:
            new = CASE.decide(story.state, TimePasses(), SYSTEM, at, WORKING)
        story = replace(story, events=(*story.events, *new), at=at)
        check(story)
    return story


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    opening=st.sampled_from(
        [
            r.REGISTER,
            {**r.REGISTER, "urgency": "emergency", "channel": "chat_group"},
            {**r.REGISTER, "urgency": "complex"},
        ]
    ),
    turns=TURNS,
)
def test_the_sheet_of_any_story_reproduces_its_dues(opening: Mapping[str, Any], turns: list[Any]) -> None:
    story = lived(opening, turns)
    event(f"stage {story.state.stage}")
    for told in sheet(story).clocks:
        for standing in told.standings:
            event(f"stood by {standing.begun_by.kind}")
        event(f"{told.kind} {told.status}")
        for each in told.adoptions:
            event(f"adopted, {each.outcome} {each.why}")
    # Looking back from now is the same as having looked then.
    for number in (len(story.events) // 3, len(story.events) // 2):
        then = story.events[number].at
        known = tuple(each for each in facts(story) if each.at <= then)
        assert sheet(story, then) == explain(known, at=then, calendars=CALENDARS)
    # Whoever has folded the facts already is told the same.
    folded: list[Case] = []
    for fact in facts(story):
        folded.append(CASE.evolve(folded[-1] if folded else None, fact))
    assert sheet(story) == explain(facts(story), at=story.at, calendars=CALENDARS, states=folded)


# --- what is told, one thing at a time ----------------------------------------------------------------------------


def test_a_plain_clock_is_told_from_its_start_to_its_end() -> None:
    story = handled()
    told = clock(story, "sign_for:D01")
    assert (told.started.kind, told.finished and told.finished.kind) == ("dispatched", "accepted")
    assert (told.status, told.on_time, told.late, told.light) == (Status.FINISHED, True, False, "green")
    assert (told.limit, told.whole_limit, told.counting) == (limit("4wh"), limit("4wh"), Counting.WORKING)
    assert (told.whole, told.used, told.remaining, told.over) == (4 * 3600, 0, 4 * 3600, 0)
    assert (told.rules, told.calendars, told.provisional, told.unpublished) == (
        (BOOK.version,),
        (CALENDAR.version,),
        False,
        None,
    )
    assert [each.id for each in sheet(story).clocks] == ["place", "dispatch", "sign_for:D01", "contact", "handle"]
    assert clock(story, "dispatch").counting is Counting.NATURAL
    assert (clock(story, "dispatch").whole, clock(story, "dispatch").used) == (24 * 3600, 60)
    assert clock(story, "dispatch").calendars == ()


def test_used_and_remaining_are_told_for_any_moment_between_two_facts() -> None:
    # Dispatched on Monday 2026-11-23 12:03 for five working days, due on Monday the 30th at 18:00.
    found = {
        moment: clock(handled(), at=local(moment))
        for moment in ("2026-11-23 17:59", "2026-11-24 18:00", "2026-11-29 12:00", "2026-11-30 18:00")
    }
    assert [(each.used, each.remaining) for each in found.values()] == [(0, 5), (1, 4), (4, 1), (5, 0)]
    assert [each.light for each in found.values()] == ["green", "green", "yellow", "red"]
    assert [each.late for each in found.values()] == [False, False, False, True]


@pytest.mark.parametrize(
    ("moment", "over", "permille"),
    [
        ("2026-11-30 18:00", 0, 0),
        ("2026-11-30 23:00", 0, 0),
        ("2026-12-01 10:00", 0, 50),  # two of forty working hours
        ("2026-12-01 18:00", 1, 200),
        ("2026-12-07 18:00", 5, 1000),
        ("2026-12-08 08:07", 5, 1002),  # 1.0029: never more than there is
    ],
)
def test_the_overtime_multiple_of_working_days_counts_working_time(moment: str, over: int, permille: int) -> None:
    told = clock(handled(), at=local(moment))
    assert (told.over, told.overtime_permille, told.on_time) == (over, permille, False)


def test_the_overtime_multiple_of_natural_time_counts_all_time() -> None:
    story = Story(world=WORKING).when({**r.REGISTER, "urgency": "emergency"}, "worker").happens()
    told = clock(story, "place", at=story.at + timedelta(minutes=50))
    assert (told.limit, told.over, told.overtime_permille) == (limit("15m"), 35 * 60, 2333)


def test_a_suspension_is_told_with_its_reason_and_who_decided() -> None:
    story = handled().when(SUSPEND, "dispatcher", after=until(handled(), "2026-11-25 10:00")).happens()
    told = clock(story, at=local("2026-11-27 12:00"))
    assert (told.status, told.used, told.remaining) == (Status.STANDING, 1, 4)
    standing = told.standings[0]
    assert (standing.begun_by.kind, standing.begun_by.reason, standing.begun_by.by.person) == (
        "suspended",
        "awaiting_party",
        "dispatcher",
    )
    assert (standing.end, standing.ended_by) == (None, None)
    story = story.when(RESUME, "dispatcher", after=until(story, "2026-11-27 12:00")).happens()
    told = clock(story)
    assert told.standings[0].ended_by is not None
    assert (told.standings[0].ended_by.kind, told.standings[0].ended_by.reason) == ("resumed", "材料已齐")
    # Two closes of business were paused away: five working days end two working days later.
    assert [each.due_at for each in told.dues] == [local("2026-11-30 18:00"), local("2026-12-02 18:00")]
    assert (told.used, told.remaining, told.status) == (1, 4, Status.RUNNING)


def test_a_suspension_that_ends_by_itself_says_so() -> None:
    story = handled().when(SUSPEND, "dispatcher").happens()
    standing = clock(story.later("20d").happens()).standings[0]
    assert standing.ended_by is not None
    assert (standing.ended_by.kind, standing.ended_by.by) == ("resumed", SYSTEM)
    assert standing.end == standing.begin + timedelta(days=15)


def test_the_shelf_a_question_and_a_rework_are_told_as_what_they_are() -> None:
    story = handled().when(ASK, "handler").happens()
    assert clock(story, "contact").standings[0].begun_by.kind == "resident_asked"
    lapsed = story.later("6d").happens()
    ended = clock(lapsed, "contact").standings[0].ended_by
    assert ended is not None
    assert ended.kind == "question_lapsed"
    story = story.when(REPLY, "resident").happens()
    contact = clock(story, "contact")
    assert (contact.status, contact.finished and contact.finished.kind) == (Status.FINISHED, "resident_replied")
    assert contact.standings == ()
    story = story.when(shelve(story.at + timedelta(minutes=1)), "dispatcher").happens()
    assert (clock(story).status, clock(story).standings[0].begun_by.kind) == (Status.STANDING, "shelved")
    story = story.when(UNSHELVE, "dispatcher").happens().when(r.STRIKE_OFF, "handler").happens()
    budget = clock(story)
    assert (budget.status, budget.finished and budget.finished.kind) == (Status.FINISHED, "struck_off")
    story = story.when(r.FAIL, "checker", after="1d").happens()
    budget = clock(story)
    assert [(each.begun_by.kind, each.ended_by and each.ended_by.kind) for each in budget.standings] == [
        ("shelved", "unshelved"),
        ("struck_off", "rework_ordered"),
    ]
    assert (budget.status, budget.finished) == (Status.RUNNING, None)


def test_a_step_is_told_by_its_name_and_ends_with_the_report() -> None:
    story = begun(urgency="emergency").when(r.ACCEPT, "handler").happens()
    assert clock(story, "step:answer").step_name == "首次答复"
    story = story.when({**r.PROGRESS, "step": "answer"}, "handler").happens()
    finished = clock(story, "step:answer").finished
    assert finished is not None
    assert finished.kind == "progress_reported"
    assert clock(story).status is Status.RUNNING


def test_what_is_done_while_the_clock_stands_still_ends_it() -> None:
    story = begun().when(SUSPEND, "dispatcher").happens().when(r.ACCEPT, "handler").happens()
    signed = clock(story, "sign_for:D01")
    assert (signed.status, signed.finished and signed.finished.kind) == (Status.FINISHED, "accepted")
    story = story.when(r.PROGRESS, "handler").happens()
    assert clock(story, "contact").status is Status.FINISHED
    assert clock(story).status is Status.STANDING
    story = story.when(r.WITHDRAW, "resident").happens()
    budget = clock(story)
    assert (budget.status, budget.finished and budget.finished.kind) == (Status.FINISHED, "withdrawn")


def test_an_answer_while_the_case_stands_still_ends_the_contact_clock_and_nothing_else() -> None:
    story = handled().when(SUSPEND, "dispatcher").happens().when(ASK, "handler").happens()
    assert clock(story, "contact").status is Status.STANDING
    story = story.when(REPLY, "resident").happens()
    told = clock(story, "contact")
    assert (told.status, told.finished and told.finished.kind) == (Status.FINISHED, "resident_replied")
    assert clock(story).status is Status.STANDING


def test_an_extension_is_told_with_what_was_asked_for_and_what_was_granted() -> None:
    story = handled().when(EXTEND, "handler").happens()
    pending = clock(story).extensions[0]
    assert (pending.granted, pending.asked_length, pending.department) == (None, limit("3wd"), LEAD)
    denied = clock(story.when({**GRANT, "granted": False}, "dispatcher").happens())
    assert (denied.extensions[0].granted, denied.extensions[0].due_at, denied.whole_limit) == (
        False,
        None,
        limit("5wd"),
    )
    told = clock(story.when({**GRANT, "length": "2wd"}, "dispatcher").happens())
    extension = told.extensions[0]
    assert (extension.granted, extension.asked_length, extension.length) == (True, limit("3wd"), limit("2wd"))
    assert (extension.old_due_at, extension.due_at) == (local("2026-11-30 18:00"), local("2026-12-02 18:00"))
    assert extension.decided is not None
    assert (extension.decided.by.person, extension.decided.reason) == ("dispatcher", "情况属实")
    assert (told.limit, told.whole_limit, told.whole) == (limit("5wd"), limit("7wd"), 7)


def test_adopted_rules_are_told_with_the_old_due_and_the_new_one() -> None:
    adopt = {"kind": "adopt_rules", "rules": STRICTER.version, "reason": "新规则施行"}
    story = handled().when(adopt, OFFICE).happens()
    told = clock(story)
    adoption = told.adoptions[0]
    assert (adoption.outcome, adoption.old_limit, adoption.limit) == (Outcome.MOVED, limit("5wd"), limit("3wd"))
    assert (adoption.old_due_at, adoption.due_at) == (local("2026-11-30 18:00"), local("2026-11-26 18:00"))
    assert (told.rules, told.limit, told.whole_limit) == ((BOOK.version, STRICTER.version), limit("5wd"), limit("3wd"))
    assert adoption.cause.reason == "新规则施行"
    assert clock(story, "sign_for:D01").adoptions == (), "a clock that has ended knows nothing of later rules"
    later = {"kind": "adopt_rules", "calendar": LATER_CALENDAR.version, "reason": "公布放假安排"}
    story = story.when(later, OFFICE).happens()
    assert clock(story).calendars == (CALENDAR.version, LATER_CALENDAR.version)
    # Nothing is different for the budget; still it lives by the new version from then on.
    same = clock(handled().when({**adopt, "rules": BY_MINUTES.version}, OFFICE).happens())
    assert (same.adoptions[0].outcome, same.adoptions[0].why) == (Outcome.FOLLOWED, None)
    assert same.rules == (BOOK.version, BY_MINUTES.version)
    assert len({each.due_at for each in same.dues}) == 1


def test_rules_that_come_too_late_for_a_clock_leave_it_and_say_why() -> None:
    adopt = {"kind": "adopt_rules", "rules": STRICTER.version, "reason": "新规则施行"}
    story = handled().when(adopt, OFFICE, after=until(handled(), "2026-11-27 09:00")).happens()
    told = clock(story)
    assert (told.adoptions[0].outcome, told.adoptions[0].why) == (Outcome.KEPT, "in_the_past")
    assert (told.rules, told.due_at, told.agrees) == ((BOOK.version,), local("2026-11-30 18:00"), True)
    late = handled().when(adopt, OFFICE, after=until(handled(), "2026-12-02 09:00")).happens()
    assert (clock(late).adoptions[0].outcome, clock(late).adoptions[0].why) == (Outcome.KEPT, "expired")


def test_a_provisional_due_says_how_far_the_list_reaches_and_becomes_final_with_the_next_one() -> None:
    story = Story(world=WORKING, at=local("2026-12-21 10:00"))
    story = story.when({**r.REGISTER, "urgency": "complex"}, "worker").happens()
    story = story.when({**r.WHISTLE}, "community").happens().when({**r.DISPATCH, "helpers": []}, "dispatcher").happens()
    told = clock(story)
    assert (told.provisional, told.due_at) == (True, local("2027-01-12 18:00"))
    assert told.unpublished is not None
    assert (told.unpublished.calendar, told.unpublished.published_until) == (CALENDAR.version, "2026-12-31")
    later = {"kind": "adopt_rules", "calendar": LATER_CALENDAR.version, "reason": "公布放假安排"}
    told = clock(story.when(later, OFFICE).happens())
    assert (told.provisional, told.unpublished) == (False, None)
    assert (told.adoptions[0].old_provisional, told.adoptions[0].provisional) == (True, False)


def test_lights_and_rungs_stand_where_they_stood_and_say_when_they_were_noticed() -> None:
    story = handled().later("16d").happens()
    told = clock(story)
    assert [each.action for each in told.marks] == [
        RungAction.REMIND,
        RungAction.YELLOW,
        RungAction.RED,
        RungAction.URGE,
        RungAction.CIRCULAR,
    ]
    assert told.marks[2].stood_at == local("2026-11-30 18:00")
    assert {each.cause.at for each in told.marks} == {story.at}
    assert told.marks[4].told == ("head", "leader", "supervisor")
    assert [each.code for each in told.ahead] == ["interview"]
    reply = clock(story, "reply:D01")
    assert reply.started.kind == "supervision_ordered"


def test_a_rung_that_was_not_needed_is_told_as_skipped() -> None:
    story = handled().when(r.PROGRESS, "handler").happens()
    story = story.later(until(story, "2026-11-30 18:00")).happens()
    story = story.when({"kind": "reply_supervision", "order": 1, "text": "明日完工"}, "handler").happens()
    marks = clock(story.later("10d").happens()).marks
    assert [(each.code, each.skipped) for each in marks if each.code in ("urge", "circular")] == [
        ("urge", False),
        ("circular", True),
    ]


def test_the_budget_says_who_had_it_and_whom_a_refused_return_is_charged_to() -> None:
    story = begun().when(r.RETURN, "handler", after=until(begun(), "2026-11-24 16:00")).happens()
    assert [(each.organisation, each.seeking, each.end) for each in clock(story).holders] == [
        (LEAD, False, story.at),
        ("S01", True, None),
    ]
    story = story.when(FORCE, "dispatcher", after=until(story, "2026-11-26 09:00")).happens()
    told = clock(story, at=local("2026-11-27 18:00"))
    assert [(each.organisation, each.seeking, each.used, each.charged_to) for each in told.holders] == [
        (LEAD, False, 0, None),
        ("S01", True, 2, LEAD),
        (LEAD, False, 2, None),
    ]
    assert told.used == 4


def test_a_case_that_nobody_knows_and_a_calendar_that_is_not_there_are_refused() -> None:
    with pytest.raises(Refused) as caught:
        explain(facts(begun()), at=facts(begun())[0].at - timedelta(seconds=1), calendars=CALENDARS)
    assert caught.value.code == "case.unknown"
    with pytest.raises(Refused) as caught:
        explain(facts(begun()), at=begun().at, calendars={})
    assert caught.value.code == "calendar.unknown"
    assert caught.value.refusal.params["version"] == CALENDAR.version


def test_a_due_that_does_not_follow_from_its_facts_is_noticed() -> None:
    events = []
    for each in begun().events:
        body = each.model_dump(mode="json")
        if body["kind"] == "clock_started" and body["clock"]["id"] == "handle":
            body["clock"]["due_at"] = local("2026-12-01 18:00").isoformat()
        events.append(CASE.read_event(body))
    found = {each.id: each.agrees for each in explain(events, at=begun().at, calendars=CALENDARS).clocks}
    assert found.pop("handle") is False
    assert set(found.values()) == {True}
