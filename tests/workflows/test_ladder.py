"""Supervision by itself, in virtual time on the real server: rungs, pauses that end, rules that change midway.

The calendar decides when things are due, and the day on which these tests run decides about the calendar: what is
expected is therefore read off the facts that set a clock, never off the wall.
"""

from datetime import datetime, timedelta
from typing import Any

from domain.people import RULES_OFFICE
from domain.rules import RuleBook
from ledger.log import Recorded
from tests.neighbourhood import EXAMPLE_BOOK, HELPER, LEAD, OTHER
from tests.refusals import refused
from tests.workflows.clockwork import Clockwork
from tests.workflows.office import Office

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
LATE = timedelta(seconds=30)
"""How much later than its instant a fact may be: the machine's own slowness, never a poll."""

RUNGS = ["remind", "yellow", "red", "urge", "circular", "interview"]
"""The ladder of the shipped book, from the bottom."""


def climbed(events: list[Recorded], clock_id: str) -> list[tuple[str, datetime, datetime]]:
    """What a clock did, in the order of its facts: rung, where it stood, when it was recorded."""
    found = []
    for event in events:
        body = event.body
        if body.get("clock_id") != clock_id:
            continue
        if event.kind == "rung_reached":
            found.append((str(body["rung"]), datetime.fromisoformat(str(body["stood_at"])), event.at))
        if event.kind in ("clock_warned", "clock_expired"):
            light = {"clock_warned": "yellow", "clock_expired": "red"}[event.kind]
            found.append((light, event.at, event.at))
    return found


def started(events: list[Recorded], clock_id: str) -> dict[str, Any]:
    """The clock as it started."""
    clocks: list[Any] = [event.body["clock"] for event in events if event.kind == "clock_started"]
    return next(clock for clock in clocks if clock["id"] == clock_id)


async def test_a_general_case_left_alone_climbs_every_rung_once_and_in_order(
    office: Office, clockwork: Clockwork
) -> None:
    await office.live_by(EXAMPLE_BOOK)
    stream = await office.register()
    await clockwork.forward(stream, 60 * DAY)
    await office.until(stream, "level_raised")
    events = await office.events(stream)
    place = climbed(events, "place")
    assert [rung for rung, _, _ in place] == RUNGS
    stored = {point["code"]: datetime.fromisoformat(point["at"]) for point in started(events, "place")["rungs"]}
    for rung, stood, noticed in place:
        assert timedelta(0) <= noticed - stood < LATE, rung
        assert stored.get(rung, stood) == stood
    assert [event.body["to"] for event in events if event.kind == "supervision_ordered"] == ["C01"]
    # The reply was due too, and nobody gave it; it has lights of its own and is urged by nobody.
    assert [rung for rung, _, _ in climbed(events, "reply:C01")] == ["remind", "yellow", "red"]
    assert [event.body["level"] for event in events if event.kind == "level_raised"] == ["street"]


async def test_the_budget_left_alone_is_urged_and_silence_is_receipt(office: Office, clockwork: Clockwork) -> None:
    await office.live_by(EXAMPLE_BOOK)
    stream = await office.register()
    await office.walk(stream, until="dispatch")
    await clockwork.forward(stream, 90 * DAY)
    await office.until(stream, "level_raised")
    events = await office.events(stream)
    accepted = [event for event in events if event.kind == "accepted"]
    assert [(event.body["deemed"], event.body["by"]["person"]) for event in accepted] == [(True, "system")]  # type: ignore[index,call-overload]
    assert [rung for rung, _, _ in climbed(events, "handle")] == RUNGS
    assert (await office.state(stream)).stage == "handling"
    urged = [event for event in events if event.kind == "supervision_ordered" and event.body.get("about") == "handle"]
    assert [event.body["to"] for event in urged] == [LEAD]
    notices = await office.ledger.fetch(
        "select kind, role, organisation from notice where stream = $1 and params ->> 'clock_id' = 'handle'", stream
    )
    told = {(row["kind"], row["role"], row["organisation"]) for row in notices}
    assert ("remind", "department_handler", LEAD) in told
    assert ("urged", "department_head", LEAD) in told
    assert ("circular", "supervisor", "S01") in told


async def test_an_urging_that_is_answered_brings_no_circular(office: Office, clockwork: Clockwork) -> None:
    await office.live_by(EXAMPLE_BOOK)
    stream = await office.register()
    due = datetime.fromisoformat(started(await office.events(stream), "place")["due_at"])
    await clockwork.forward(stream, due - await clockwork.now(stream) + MINUTE)
    await office.until(stream, "supervision_ordered")
    await office.do(stream, "community", "reply_supervision", order=1, text="网格员外出，今日补派")
    await clockwork.forward(stream, 60 * DAY)
    reached = await office.until(stream, "level_raised")
    rungs = [event.body for event in await office.events(stream) if event.kind == "rung_reached"]
    skipped = [body["rung"] for body in rungs if body["skipped"]]
    assert skipped == ["circular"]
    assert len(reached) == 1
    await refused(office.do(stream, "community", "reply_supervision", order=1, text="再答一次"), "supervision.replied")


async def test_a_suspension_ends_by_itself_and_the_budget_runs_on(office: Office, clockwork: Clockwork) -> None:
    await office.live_by(EXAMPLE_BOOK)
    stream = await office.register()
    await office.walk(stream, until="accept")
    before = (await office.state(stream)).clock("handle").due_at
    await office.do(stream, "dispatcher", "suspend", reason="awaiting_party", explanation="户主外出", requested_by=LEAD)
    until = (await office.state(stream)).suspension.until
    await clockwork.forward(stream, until - await clockwork.now(stream) + MINUTE)
    (resumed,) = await office.until(stream, "resumed")
    assert resumed.body["automatic"] is True
    assert datetime.fromisoformat(str(resumed.body["since"])) == until
    budget = (await office.state(stream)).clock("handle")
    assert budget.is_running
    assert budget.due_at > before
    assert (budget.pauses[0].end, budget.warned_at) == (until, None)


async def test_a_question_nobody_answers_lapses_and_the_contact_clock_runs_on(
    office: Office, clockwork: Clockwork
) -> None:
    await office.live_by(EXAMPLE_BOOK)
    stream = await office.register()
    await office.walk(stream, until="accept")
    await office.do(stream, "handler", "ask_resident", question="哪一天在家？")
    assert not (await office.state(stream)).clock("contact").is_running
    await clockwork.forward(stream, 5 * DAY + MINUTE)
    await office.until(stream, "question_lapsed")
    assert (await office.state(stream)).clock("contact").pauses


async def test_a_shelved_case_is_reviewed_and_becomes_backlog(office: Office, clockwork: Clockwork) -> None:
    await office.live_by(EXAMPLE_BOOK)
    stream = await office.register()
    await office.walk(stream, until="accept")
    now = await clockwork.now(stream)
    reviews = [(now + number * 25 * DAY).isoformat() for number in (1, 2, 3)]
    shelve: dict[str, Any] = {"reason": "产权不清", "approver": "supervisor", "reviews": reviews}
    await office.do(stream, "dispatcher", "shelve", **shelve)
    await clockwork.forward(stream, 61 * DAY)
    await office.until(stream, "backlog_marked")
    kinds = [kind for kind in await office.kinds(stream) if kind.startswith(("shelf", "backlog"))]
    assert kinds == ["shelf_review_came", "shelf_review_came", "backlog_marked"]
    assert not [kind for kind in await office.kinds(stream) if kind == "clock_expired"]
    await office.do(stream, "dispatcher", "unshelve", reason="产权已明确")
    assert (await office.state(stream)).clock("handle").is_running


async def test_rules_changed_midway_move_only_what_the_fact_lists(office: Office, clockwork: Clockwork) -> None:
    await office.live_by(EXAMPLE_BOOK)
    stream = await office.register()
    await office.walk(stream, until="accept")
    budget = (await office.state(stream)).clock("handle")
    half = next(point.at for point in budget.rungs if point.code == "remind")
    await clockwork.forward(stream, half - await clockwork.now(stream) + MINUTE)
    await office.until(stream, "rung_reached", times=1)
    before = {clock.id: clock for clock in (await office.state(stream)).clocks}
    longer = _with_handle(EXAMPLE_BOOK, "9wd")
    await office.live_by(longer)
    await office.do(stream, RULES_OFFICE, "adopt_rules", rules=longer.version, reason="新规施行")
    (adopted,) = await office.until(stream, "rules_adopted")
    changes: Any = adopted.body["changes"]
    assert [change["clock_id"] for change in changes] == ["handle"]
    after = {clock.id: clock for clock in (await office.state(stream)).clocks}
    assert after["handle"].due_at == datetime.fromisoformat(changes[0]["reckoning"]["due_at"]) > before["handle"].due_at
    assert {name: clock for name, clock in after.items() if name != "handle"} == {
        name: clock for name, clock in before.items() if name != "handle"
    }
    await clockwork.forward(stream, 120 * DAY)
    await office.until(stream, "level_raised")
    assert [rung for rung, _, _ in climbed(await office.events(stream), "handle")] == RUNGS
    await refused(
        office.do(stream, RULES_OFFICE, "adopt_rules", rules=longer.version, reason="再来一次"), "adopt.nothing_new"
    )


def _with_handle(book: RuleBook, limit: str) -> RuleBook:
    body = book.model_dump(mode="json") | {"version": "longer"}
    for row in body["rows"]:
        if row["urgency"] == "general" and row["category"] is None:
            row["limits"]["handle"] = limit
    return RuleBook.model_validate(body)


async def test_ping_pong_ends_in_arbitration_and_the_budget_has_run_through(
    office: Office, clockwork: Clockwork
) -> None:
    await office.live_by(EXAMPLE_BOOK)
    stream = await office.register()
    await office.walk(stream, until="dispatch")
    budget = (await office.state(stream)).clock("handle")
    back = {"reason": "不属我部门", "legal_basis": "职责清单第三条"}
    await office.do(stream, "handler", "return_task", proposed=OTHER, **back)
    await clockwork.forward(stream, HOUR)
    await office.do(stream, "dispatcher", "dispatch", lead=OTHER)
    await office.do(stream, "other", "return_task", proposed=LEAD, **back)
    await refused(office.do(stream, "dispatcher", "dispatch", lead=LEAD), "dispatch.needs_arbitration")
    decision: dict[str, Any] = {"decision": "name_lead", "lead": LEAD, "helpers": [HELPER], "reason": "现场划责"}
    await office.do(stream, "dispatcher", "arbitrate", **decision)
    await refused(office.do(stream, "handler", "return_task", proposed=OTHER, **back), "return.final")
    after = (await office.state(stream)).clock("handle")
    assert (after.started_at, after.due_at, after.pauses) == (budget.started_at, budget.due_at, ())
    await office.do(stream, "handler", "accept")
    assert (await office.state(stream)).stage == "handling"
