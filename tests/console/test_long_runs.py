"""What long commands share: their progress, their pace, their patience, and how they are stopped."""

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import asyncpg
import pytest
from temporalio.service import RPCError, RPCStatusCode

from console import pacing
from console.desk import Pending
from console.pacing import Pace, abreast, patiently, turn
from console.progress import progress
from console.session import Options, use
from console.stopping import Stop
from domain.errors import Refused
from tests.waiting import eventually


@pytest.fixture(autouse=True)
def options() -> Iterator[None]:
    """The options of no command, also after the test."""
    use(Options())
    yield
    use(Options())


# --- progress ---------------------------------------------------------------------------------------------------


class _Screen(io.StringIO):
    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal


def _told(monkeypatch: pytest.MonkeyPatch, *, terminal: bool, every: float = 0.0) -> str:
    """What people see of a command that does three of three."""
    screen = _Screen(terminal=terminal)
    monkeypatch.setattr("sys.stderr", screen)
    monkeypatch.setattr("console.progress._LINE_EVERY", every)
    with progress(("导入", "importing"), ("行", "rows")) as told:
        told(1, 0)
        told(3, 3)
    return screen.getvalue()


def test_where_nobody_sees_a_bar_there_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _told(monkeypatch, terminal=False).splitlines() == ["已处理 1 行", "已处理 3/3 行"]
    use(Options(language="en"))
    assert _told(monkeypatch, terminal=False).splitlines() == ["1 rows", "3 of 3 rows"]
    assert _told(monkeypatch, terminal=False, every=3600) == ""


def test_on_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    shown = _told(monkeypatch, terminal=True)
    assert "导入" in shown
    assert "3/3" in shown
    assert "已处理" not in shown


@pytest.mark.parametrize("terminal", [True, False])
def test_programs_are_told_nothing(monkeypatch: pytest.MonkeyPatch, terminal: bool) -> None:
    use(Options(json=True))
    assert _told(monkeypatch, terminal=terminal) == ""


# --- being stopped ----------------------------------------------------------------------------------------------


class _Work:
    def __init__(self) -> None:
        self.stop = asyncio.Event()


async def test_the_first_wish_ends_the_work_in_good_order() -> None:
    stop: Stop[_Work] = Stop()
    with stop:
        stop.work = _Work()
        os.kill(os.getpid(), signal.SIGINT)
        await stop.work.stop.wait()
    assert stop.asked


@pytest.mark.parametrize("begun", [True, False])
async def test_before_there_is_work_and_at_the_second_wish_it_ends_at_once(begun: bool) -> None:
    stop: Stop[_Work] = Stop()

    async def command() -> str:
        with stop:
            if begun:
                stop.work = _Work()
                os.kill(os.getpid(), signal.SIGTERM)
                await stop.work.stop.wait()
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()
        return "went on behind the block"

    # In a task of its own: what is cancelled must not be the test.
    assert await asyncio.create_task(command()) == "went on behind the block"
    assert stop.asked


async def test_a_cancellation_nobody_asked_for_goes_on() -> None:
    stop: Stop[_Work] = Stop()

    async def command() -> None:
        with stop:
            await asyncio.Event().wait()

    task = asyncio.create_task(command())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not stop.asked


# --- several under way ------------------------------------------------------------------------------------------


async def test_workers_run_until_all_have_ended() -> None:
    waiting, done = iter(range(10)), list[int]()

    async def worker() -> None:
        for each in waiting:
            await asyncio.sleep(0)
            done.append(each)

    await abreast(worker, 3, asyncio.Event())
    assert sorted(done) == list(range(10))


async def test_the_failure_of_one_worker_ends_the_others() -> None:
    begun, ended, numbers = asyncio.Event(), list[str](), iter((1, 2))

    async def worker() -> None:
        if next(numbers) == 2:
            await begun.wait()
            raise Refused("rules.none")
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("the other")

    with pytest.raises(Refused) as caught:
        await abreast(worker, 2, asyncio.Event())
    assert caught.value.code == "rules.none"
    assert ended == ["the other"]


async def test_after_a_stop_answers_under_way_still_come_in_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    stop, answer, counted = asyncio.Event(), asyncio.Event(), list[str]()

    async def in_time() -> None:
        await answer.wait()
        counted.append("in time")

    stop.set()
    asyncio.get_running_loop().call_soon(answer.set)
    await abreast(in_time, 1, stop)
    assert counted == ["in time"]

    monkeypatch.setattr(pacing, "GRACE", timedelta(0))
    answer.clear()
    await abreast(in_time, 1, stop)
    assert counted == ["in time"]


async def test_lost_time_is_not_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    slept, clock = list[float](), [100.0]

    async def sleep(length: float) -> None:
        slept.append(length)

    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: clock[0])
    monkeypatch.setattr("console.pacing.asyncio.sleep", sleep)
    pace = Pace(4)
    for now in (100.0, 100.0, 100.0, 109.0, 109.0):
        clock[0] = now
        await pace.wait()
    monkeypatch.undo()
    assert slept == [0.0, 0.25, 0.5, 0.0, 0.25]


async def test_a_turn_is_waited_for_and_said_once(postgres_pool: asyncpg.Pool) -> None:
    said, order = list[str](), list[str]()

    async def second() -> None:
        async with turn(postgres_pool, "run", lambda: said.append("waiting")):
            order.append("second")

    async with turn(postgres_pool, "run", lambda: said.append("never")):
        waiting = asyncio.create_task(second())
        async with turn(postgres_pool, "another", lambda: said.append("never")):
            pass

        async def told() -> bool:
            return bool(said)

        await eventually(told, "the second run waits")
        order.append("first")
    await waiting
    assert (said, order) == (["waiting"], ["first", "second"])


@pytest.fixture
async def postgres_pool(fresh_database: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(fresh_database, min_size=0, max_size=3) as pool:
        yield pool


# --- patience ---------------------------------------------------------------------------------------------------

AWAY = [
    (ConnectionError(), "postgres.unreachable"),
    (TimeoutError(), "postgres.unreachable"),
    (asyncpg.InterfaceError("gone"), "postgres.unreachable"),
    (RPCError("busy", RPCStatusCode.UNAVAILABLE, b""), "temporal.unreachable"),
    (RPCError("busy", RPCStatusCode.RESOURCE_EXHAUSTED, b""), "temporal.unreachable"),
    (Pending("command.pending", command_id="1"), "command.pending"),
]


@pytest.mark.parametrize(("failure", "code"), AWAY, ids=[f"{type(each).__name__} {code}" for each, code in AWAY])
async def test_servers_that_are_away_are_waited_for_and_named_when_they_stay_away(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, code: str
) -> None:
    monkeypatch.setattr(pacing, "_PAUSE_FIRST", 0.0)
    answers = iter([failure, failure])

    async def attempt() -> str:
        if (found := next(answers, None)) is not None:
            raise found
        return "answer"

    assert await patiently(attempt) == "answer"

    async def never() -> str:
        raise failure

    monkeypatch.setattr(pacing, "PATIENCE", timedelta(seconds=-1))
    with pytest.raises(Pending) as caught:
        await patiently(never)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "failure", [Refused("rules.none"), RPCError("no", RPCStatusCode.PERMISSION_DENIED, b""), ValueError()]
)
async def test_what_no_waiting_mends_is_raised_at_once(failure: Exception) -> None:
    made = 0

    async def attempt() -> None:
        nonlocal made
        made += 1
        raise failure

    with pytest.raises(type(failure)) as caught:
        await patiently(attempt)
    assert (caught.value, made) == (failure, 1)
