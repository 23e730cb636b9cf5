"""The courier: each notice once on each channel, again after failures, and at least once whatever dies."""

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from pydantic import SecretStr

from activities.channels import Channel, Email
from activities.courier import Backoff, Courier, Pace, delivering
from activities.messages import Message
from domain.errors import Refused
from ledger.outbox import retry
from ledger.registry import load_registry
from runtime.settings import Settings
from tests.activities.posting import SECRET, Hooks, Mail, put_notice, staff, states
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
NOW = timedelta(0)
AT_ONCE = Pace(backoff=Backoff(first=NOW, longest=NOW, attempts=3))
"""Failures are tried again without waiting."""
PATIENT = Pace(poll=timedelta(hours=1))
"""Never looks of its own accord: whatever happens was rung for."""


def _email(mail: Mail) -> Email:
    return Email(SecretStr(f"smtp://127.0.0.1:{mail.port}"), "notice@street.example")


async def _drain(courier: Courier, *channels: Channel) -> None:
    """Route everything and try everything that is due, until there is nothing."""
    while await courier.route():
        pass
    for channel in channels:
        while await courier.deliver(channel):
            pass


async def test_a_notice_goes_to_the_inbox_by_e_mail_and_to_the_webhook(
    conn: asyncpg.Connection, pool: asyncpg.Pool, hooks: Hooks, mail: Mail
) -> None:
    channels: list[Channel] = [hooks.channel(), _email(mail)]
    courier = Courier(pool, channels)
    notice = await put_notice(conn)

    await _drain(courier, *channels)

    assert await states(conn, notice) == {
        ("inbox", "handler"): "delivered",
        ("email", "handler"): "delivered",
        ("webhook", "1"): "delivered",
    }
    assert hooks.ids == [str(notice)]
    assert [envelope.rcpt_tos for envelope in mail.got] == [["handler@office.example"]]
    await _drain(courier, *channels)
    assert (len(hooks.got), len(mail.got)) == (1, 1)


@pytest.mark.parametrize("answers", [[500], [503, 429]])
async def test_a_failing_server_is_tried_again_under_the_same_number(
    answers: list[int], conn: asyncpg.Connection, pool: asyncpg.Pool, hooks: Hooks
) -> None:
    hooks.answers = list(answers)
    channel = hooks.channel()
    notice = await put_notice(conn)

    await _drain(Courier(pool, [channel], pace=AT_ONCE), channel)

    assert hooks.ids == [str(notice)] * (len(answers) + 1)
    row = await conn.fetchrow("select * from delivery where notice = $1 and channel = 'webhook'", notice)
    assert row is not None
    assert (row["state"], row["attempts"], row["last_error"]) == ("delivered", len(answers) + 1, None)


async def test_servers_that_are_away_get_it_once_they_are_back(
    conn: asyncpg.Connection, pool: asyncpg.Pool, hooks: Hooks, mail: Mail
) -> None:
    channels: list[Channel] = [hooks.channel(), _email(mail)]
    courier = Courier(pool, channels, pace=Pace(backoff=Backoff(first=NOW, longest=NOW, attempts=50)))
    notice = await put_notice(conn)
    hooks.stop()
    mail.stop()
    await courier.route()
    for channel in channels:
        assert await courier.deliver(channel)
    waiting = await conn.fetch(
        "select channel, last_error from delivery where notice = $1 and state = 'waiting' order by channel", notice
    )
    assert [tuple(row) for row in waiting] == [("email", "ConnectionRefusedError"), ("webhook", "ConnectError")]

    hooks.start()
    mail.start()
    await _drain(courier, *channels)

    assert set((await states(conn, notice)).values()) == {"delivered"}
    assert (hooks.ids, len(mail.got)) == ([str(notice)], 1)


async def test_after_the_last_attempt_it_has_failed_until_somebody_retries(
    conn: asyncpg.Connection, pool: asyncpg.Pool, hooks: Hooks
) -> None:
    hooks.answers = [500, 500, 500]
    channel = hooks.channel()
    courier = Courier(pool, [channel], pace=AT_ONCE)
    notice = await put_notice(conn)

    await _drain(courier, channel)

    assert len(hooks.got) == 3
    row = await conn.fetchrow("select * from delivery where notice = $1 and channel = 'webhook'", notice)
    assert row is not None
    assert (row["state"], row["next_at"], row["last_error"]) == ("failed", None, "http 500")
    assert await retry(conn, notice) == 1
    await _drain(courier, channel)
    assert (await states(conn, notice))["webhook", "1"] == "delivered"


def test_pauses_double_up_to_the_longest_and_end() -> None:
    default = Backoff()
    pauses = [default.after(attempt) for attempt in range(1, default.attempts + 1)]
    assert pauses[:3] == [timedelta(seconds=30), timedelta(minutes=1), timedelta(minutes=2)]
    assert pauses[-2:] == [timedelta(hours=2), None]
    assert Backoff(attempts=10**6).after(10**5) == timedelta(hours=2)
    # A delivery under way must not be taken for dead.
    assert Pace().lease > Pace().patience


async def test_two_couriers_at_once_deliver_each_notice_once_on_each_channel(
    conn: asyncpg.Connection, pool: asyncpg.Pool, hooks: Hooks, mail: Mail
) -> None:
    channels: list[Channel] = [hooks.channel(), _email(mail)]
    notices = [str(await put_notice(conn, minute=minute)) for minute in range(60)]
    couriers = [Courier(pool, channels) for _ in range(2)]

    await asyncio.gather(*(_drain(courier, *channels) for courier in couriers))
    # One may have gone home while the other was still routing.
    await _drain(couriers[0], *channels)

    assert sorted(hooks.ids) == sorted(notices)
    assert len(mail.got) == len(notices)
    assert await conn.fetchval("select count(*) from delivery where channel = 'inbox'") == len(notices)
    assert await conn.fetchval("select max(attempts) from delivery") == 1


async def test_a_courier_killed_between_sending_and_noting_it_sends_again_under_the_same_number(
    conn: asyncpg.Connection, ledger: str, pool: asyncpg.Pool, hooks: Hooks
) -> None:
    hooks.release.clear()
    notice = await put_notice(conn)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.activities.lonely_courier", ledger, hooks.url(), cwd=ROOT
    )

    async def taken() -> bool:
        return bool(hooks.got)

    await eventually(taken, "the webhook has been taken")
    os.kill(child.pid, signal.SIGKILL)
    await child.wait()
    hooks.release.set()
    assert (await states(conn, notice))["webhook", "1"] == "waiting"

    channel = hooks.channel()
    courier = Courier(pool, [channel])

    async def again() -> bool:
        return await courier.deliver(channel)

    await eventually(again, "the delivery is free again")
    assert hooks.ids == [str(notice)] * 2
    assert (await states(conn, notice))["webhook", "1"] == "delivered"


async def test_an_address_mended_in_the_registry_is_used_by_the_next_attempt(
    conn: asyncpg.Connection, pool: asyncpg.Pool, mail: Mail
) -> None:
    mail.answers = ["550 unknown"]
    channel = _email(mail)
    courier = Courier(pool, [channel])
    notice = await put_notice(conn)
    await _drain(courier, channel)
    assert (await states(conn, notice))["email", "handler"] == "failed"

    await load_registry(conn, staff(handler="right@office.example"), "lead")
    await retry(conn, notice)
    await _drain(courier, channel)

    assert [envelope.rcpt_tos for envelope in mail.got] == [["right@office.example"]]


async def test_whose_address_is_gone_gets_no_e_mail(conn: asyncpg.Connection, pool: asyncpg.Pool, mail: Mail) -> None:
    channel = _email(mail)
    courier = Courier(pool, [channel])
    notice = await put_notice(conn)
    await courier.route()
    await load_registry(conn, staff(helper="helper@office.example"), "lead")

    await _drain(courier, channel)

    error = await conn.fetchval("select last_error from delivery where notice = $1 and channel = 'email'", notice)
    assert (error, mail.got) == ("no address", [])


async def test_a_notice_the_log_no_longer_knows_is_not_sent(
    conn: asyncpg.Connection, pool: asyncpg.Pool, hooks: Hooks
) -> None:
    channel = hooks.channel()
    courier = Courier(pool, [channel])
    routed, unrouted = await put_notice(conn), uuid4()
    await courier.route()
    await put_notice(conn, id=unrouted)
    await conn.execute("delete from notice")

    await _drain(courier, channel)

    error = await conn.fetchval("select last_error from delivery where notice = $1 and channel = 'webhook'", routed)
    assert (error, hooks.got) == ("no longer in the log", [])
    assert await states(conn, unrouted) == {}


class Stuck:
    """A way out on which nothing ever arrives."""

    name = "stuck"
    receivers: tuple[str, ...] | None = ("1",)

    def __init__(self) -> None:
        self.tried = 0

    async def send(self, message: Message, receiver: str) -> None:
        self.tried += 1
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Nothing is open."""


class Broken(Stuck):
    """A way out that is broken in a way nobody thought of."""

    name = "broken"

    async def send(self, message: Message, receiver: str) -> None:
        raise ZeroDivisionError("a secret")


async def test_an_attempt_that_takes_too_long_and_one_that_breaks_are_failures(
    conn: asyncpg.Connection, pool: asyncpg.Pool
) -> None:
    channels: list[Channel] = [Stuck(), Broken()]
    courier = Courier(pool, channels, pace=Pace(patience=timedelta(milliseconds=50)))
    notice = await put_notice(conn)

    await _drain(courier, *channels)

    rows = await conn.fetch("select last_error from delivery where notice = $1 order by channel", notice)
    assert [row["last_error"] for row in rows] == ["ZeroDivisionError", None, "timeout"]


# --- the loop ---------------------------------------------------------------------------------------------------


class Working:
    """A courier at work; leaving stops it."""

    def __init__(self, courier: Courier) -> None:
        self.courier = courier

    async def __aenter__(self) -> "Working":
        self.task = asyncio.create_task(self.courier.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.courier.stop()
        async with asyncio.timeout(60):
            await self.task


async def _arrives(conn: asyncpg.Connection, notice: UUID, what: str = "the notice is delivered") -> None:
    async def arrived() -> bool:
        found = await states(conn, notice)
        return bool(found) and set(found.values()) == {"delivered"}

    await eventually(arrived, what)


async def _listening(conn: asyncpg.Connection) -> None:
    async def there() -> Any:
        return await conn.fetchval(
            "select true from pg_stat_activity"
            " where application_name = 'bihuan courier' and datname = current_database() and query ilike 'listen%'"
        )

    await eventually(there, "the courier listens")


async def test_a_new_notice_wakes_the_courier(
    conn: asyncpg.Connection, ledger: str, pool: asyncpg.Pool, hooks: Hooks
) -> None:
    async with Working(Courier(pool, [hooks.channel()], dsn=ledger, pace=PATIENT)):
        await _listening(conn)
        for minute in range(3):
            await _arrives(conn, await put_notice(conn, minute=minute))
    assert len(hooks.got) == 3


async def test_having_nothing_to_do_it_rests(conn: asyncpg.Connection, ledger: str, pool: asyncpg.Pool) -> None:
    class Counting(Courier):
        looks = 0

        async def route(self) -> bool:
            self.looks += 1
            return await super().route()

    courier = Counting(pool, [], dsn=ledger, pace=PATIENT)
    async with Working(courier):
        await _listening(conn)
        await _arrives(conn, await put_notice(conn))
        for _ in range(100):
            await asyncio.sleep(0.001)
        # The first, the one on listening, for the notice, after the notice, and the bell of its own finding.
        assert 1 < courier.looks <= 6


async def test_without_listening_it_looks_by_itself(conn: asyncpg.Connection, pool: asyncpg.Pool) -> None:
    async with Working(Courier(pool, [], pace=Pace(poll=timedelta(milliseconds=50)))):
        await _arrives(conn, await put_notice(conn))


async def test_a_lost_connection_is_listened_on_again(
    conn: asyncpg.Connection, ledger: str, pool: asyncpg.Pool
) -> None:
    async with Working(Courier(pool, [], dsn=ledger, pace=Pace(poll=timedelta(milliseconds=50)))):
        for _ in range(2):
            await _listening(conn)
            await conn.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where application_name = 'bihuan courier' and datname = current_database()"
            )
        await _listening(conn)
        await _arrives(conn, await put_notice(conn))


async def test_an_error_inside_is_logged_and_the_loop_goes_on(
    conn: asyncpg.Connection,
    pool: asyncpg.Pool,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    await conn.execute("alter table routing rename to hidden")
    async with Working(Courier(pool, [], pace=Pace(poll=timedelta(milliseconds=50)))) as working:
        told = ""

        async def logged() -> bool:
            nonlocal told
            read = capfd.readouterr()
            told += read.out + read.err
            # Where the log goes to depends on what this process has set up before.
            return "courier_failed" in told + caplog.text

        await eventually(logged, "the error is logged")
        assert not working.task.done()
        await conn.execute("alter table hidden rename to routing")
        await _arrives(conn, await put_notice(conn))


async def test_a_server_that_hangs_holds_up_no_other_channel(
    conn: asyncpg.Connection, ledger: str, pool: asyncpg.Pool, hooks: Hooks
) -> None:
    stuck = Stuck()
    pace = Pace(poll=timedelta(milliseconds=50), patience=timedelta(seconds=3))
    async with Working(Courier(pool, [stuck, hooks.channel()], dsn=ledger, pace=pace)):
        first = await put_notice(conn)

        async def tried() -> bool:
            return stuck.tried > 0 and (await states(conn, first)).get(("webhook", "1")) == "delivered"

        await eventually(tried, "one channel hangs, the other has delivered")
        later = await put_notice(conn, minute=1)

        async def arrived() -> bool:
            found = await states(conn, later)
            return found.get(("webhook", "1")) == found.get(("inbox", "handler")) == "delivered"

        await eventually(arrived, "the next notice arrives as well")
        assert (await states(conn, first))["stuck", "1"] == "waiting"


async def test_the_settings_make_the_courier_and_say_who_has_none(
    conn: asyncpg.Connection, ledger: str, pool: asyncpg.Pool, hooks: Hooks
) -> None:
    given = {"webhook_url": hooks.url(), "webhook_secret": SECRET, "webhook_private": True}
    async with delivering(Settings.load(courier=False), pool, ledger):
        notice = await put_notice(conn)
        assert await states(conn, notice) == {}
    async with delivering(Settings.load(**given), pool, ledger):
        await _arrives(conn, notice)
    assert hooks.ids == [str(notice)]
    with pytest.raises(Refused, match="BIHUAN_WEBHOOK_SECRET"):
        async with delivering(Settings.load(webhook_url=hooks.url()), pool, ledger):
            pytest.fail("it must not begin")
