"""What time does by itself, in virtual time on the real server."""

from datetime import timedelta

from tests.refusals import refused
from tests.workflows.clockwork import Clockwork
from tests.workflows.office import Office

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
LATE = timedelta(seconds=30)
"""How much later than its instant a fact may be: the machine's own slowness, never a poll."""


async def test_a_case_handled_on_the_spot_is_archived_when_the_window_is_over(
    office: Office, clockwork: Clockwork
) -> None:
    stream = await office.on_the_spot()
    await clockwork.forward(stream, 6 * DAY)
    assert (await office.kinds(stream))[-1] == "settled"
    await clockwork.forward(stream, DAY + HOUR)
    assert await office.until_closed(stream) == "archived"
    settled, archived = (await office.events(stream))[-2:]
    assert archived.kind == "archived"
    assert 7 * DAY <= archived.at - settled.at < 7 * DAY + LATE


async def test_an_appraised_case_is_archived_when_the_window_is_over(office: Office, clockwork: Clockwork) -> None:
    stream = await office.register()
    await office.walk(stream)
    await clockwork.forward(stream, 7 * DAY + HOUR)
    assert await office.until_closed(stream) == "archived"


async def test_the_resident_may_reopen_until_the_window_is_over_and_not_after(
    office: Office, clockwork: Clockwork
) -> None:
    stream = await office.on_the_spot()
    await clockwork.forward(stream, 6 * DAY)
    await office.do(stream, "resident", "reopen", reason="又堆起来了")
    await clockwork.forward(stream, 7 * DAY)
    assert "archived" not in await office.kinds(stream)
    gone = await office.on_the_spot()
    await clockwork.forward(gone, 7 * DAY + MINUTE)
    await office.until_closed(gone)
    await refused(office.do(gone, "resident", "reopen", reason="太晚了"), "case.finished")


async def test_a_clock_warns_once_and_expires_once_each_at_its_instant(office: Office, clockwork: Clockwork) -> None:
    stream = await office.register()
    clock = (await office.state(stream)).clocks[0]
    await clockwork.forward(stream, 3 * DAY)
    (warned,), (expired,) = await office.until(stream, "clock_warned"), await office.until(stream, "clock_expired")
    assert timedelta(0) <= warned.at - clock.warn_at < LATE
    assert timedelta(0) <= expired.at - clock.due_at < LATE
    assert warned.seq < expired.seq
    assert (await office.kinds(stream)).count("clock_warned") == 1
    assert (await office.state(stream)).was_overdue


async def test_every_clock_on_the_way_rings_in_the_order_of_time(office: Office, clockwork: Clockwork) -> None:
    stream = await office.register()
    await office.walk(stream, until="dispatch")
    clocks = {clock.id: clock for clock in (await office.state(stream)).clocks if clock.is_running}
    assert len(clocks) == 3
    await clockwork.forward(stream, 8 * DAY)
    await office.until(stream, "clock_expired", times=3)
    rung = [event for event in await office.events(stream) if event.kind in ("clock_warned", "clock_expired")]
    expected = [(clock.warn_at, "clock_warned", clock.id) for clock in clocks.values()]
    expected += [(clock.due_at, "clock_expired", clock.id) for clock in clocks.values()]
    assert [(event.kind, event.body["clock_id"]) for event in rung] == [
        (kind, id_) for _, kind, id_ in sorted(expected)
    ]
    for event, (instant, _, _) in zip(rung, sorted(expected), strict=True):
        assert timedelta(0) <= event.at - instant < LATE


async def test_a_stopped_clock_says_nothing_any_more(office: Office, clockwork: Clockwork) -> None:
    stream = await office.register()
    await office.walk(stream, until="whistle")
    await clockwork.forward(stream, 20 * HOUR)
    warned = await office.until(stream, "clock_warned")
    assert [event.body["clock_id"] for event in warned] == ["dispatch"]


async def test_timers_are_armed_lazily(office: Office, clockwork: Clockwork) -> None:
    stream = await office.register()
    await office.walk(stream, until="whistle")
    # The dispatch clock rings later than the timer that was armed for the placing: that one is left alone.
    assert (await office.temporal_history(stream))["TIMER_STARTED"] == 1
    await office.do(stream, "dispatcher", "dispatch", lead="D01")
    # Signing for the task is due earlier.
    assert (await office.temporal_history(stream))["TIMER_STARTED"] == 2
    await office.do(stream, "handler", "accept")
    before = await office.kinds(stream)
    await clockwork.forward(stream, 7 * HOUR)
    counts = await office.temporal_history(stream)
    # It fired for a clock that had been stopped: nothing happened, and the older timer still covers the next alarm.
    assert (counts["TIMER_STARTED"], counts["TIMER_FIRED"], counts["TIMER_CANCELED"]) == (2, 1, 0)
    assert await office.kinds(stream) == before


async def test_a_command_is_judged_after_everything_that_time_has_made_true(
    office: Office, clockwork: Clockwork
) -> None:
    stream = await office.register()
    await clockwork.forward(stream, 25 * HOUR)
    await office.walk(stream, until="whistle")
    kinds = await office.kinds(stream)
    assert kinds.index("clock_expired") < kinds.index("whistled")


async def test_a_wish_nobody_claims_lapses(office: Office, clockwork: Clockwork) -> None:
    stream = await office.publish()
    await clockwork.forward(stream, 14 * DAY + MINUTE)
    assert await office.until_closed(stream) == "lapsed"
    assert await office.kinds(stream) == ["wish_published", "wish_lapsed"]


async def test_a_wish_claimed_but_not_fulfilled_lapses_and_one_not_thanked_for_closes(
    office: Office, clockwork: Clockwork
) -> None:
    broken, unthanked = await office.publish(), await office.publish()
    for stream in (broken, unthanked):
        await office.do(stream, "worker", "claim_wish")
    await office.do(unthanked, "worker", "fulfil_wish", text="已送到")
    await clockwork.forward(broken, 30 * DAY + MINUTE)
    await clockwork.forward(unthanked, 7 * DAY + MINUTE)
    assert await office.until_closed(broken) == "lapsed"
    assert await office.until_closed(unthanked) == "done"
    assert (await office.kinds(unthanked))[-1] == "wish_closed"


async def test_unanswered_visits_at_different_hours_settle_as_not_reached(office: Office, clockwork: Clockwork) -> None:
    stream = await office.register()
    await office.walk(stream, until="feed_back")
    await office.do(stream, "worker", "visit", answered=False)
    await refused(office.do(stream, "worker", "visit", answered=False), "visit.too_soon")
    for _ in range(2):
        await clockwork.forward(stream, 3 * HOUR)
        answer = await office.do(stream, "worker", "visit", answered=False)
    assert answer.stage == "settled"
