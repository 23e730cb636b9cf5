"""Deciding and recording in one transaction: retries, missed answers, forks, gaps, command ids."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from activities.recording import Recording
from domain.errors import Refused
from domain.people import Actor, Role
from domain.process import ActInput, Answer, Envelope, HandOverResult, Json, Outcome, Report, Task
from domain.processes import process_of
from ledger.acting import act, recorded_answer, state_of
from ledger.calendars import store_calendar
from ledger.registry import load_registry, store_rule_book
from ledger.world import States, Worlds
from runtime.pool import open_pool
from tests.neighbourhood import ACTORS, AFTER, CALENDAR, GRID, LEAD, NATURAL_BOOK, NOON, ORDINARY, WORLD, raw_registry
from tests.payloads import as_history_tells
from tests.workflows.accounts import check_books
from worker import APP_ROLE

REGISTER: Json = {"kind": "register", "title": "路面破损", "text": "门口路面有坑", "grid": GRID, "category": ORDINARY}
WHISTLE: Json = {"kind": "whistle", "reason": "other", "departments": [LEAD], "approver": "approver"}


class Sender:
    """What a workflow does, without a workflow: sends acts, folds their outcomes, and may lose some."""

    def __init__(self, pool: asyncpg.Pool, stream: str | None = None) -> None:
        self.pool, self.worlds, self.stream = pool, Worlds(), stream or f"case-{uuid4().hex}"
        self.process = process_of(self.stream)
        self.seq, self.hash, self.at = 0, "", NOON
        self.state: Any = None
        self.outcomes: list[Outcome] = []

    def given(self, who: str | Actor | None, command: Json | None, command_id: str | None = None) -> ActInput:
        envelope = None
        command_id = command_id or str(uuid4())
        if command is not None:
            actor = ACTORS[who] if isinstance(who, str) else who
            assert actor is not None
            envelope = Envelope(command_id=command_id, actor=actor, command=command)
        return ActInput(
            process=self.process.name,
            stream=self.stream,
            seq=self.seq,
            hash=self.hash,
            at=self.at,
            command_id=command_id,
            state=None if self.state is None else self.process.state.dump_python(self.state, mode="json"),
            envelope=envelope,
        )

    async def send(self, given: ActInput, *, lost: bool = False) -> Outcome:
        """Act; what is ``lost`` never reached the sender."""
        outcome = await act(self.pool, self.worlds, given)
        # The worker that acted follows the outcome as it was made, every other one what the history tells of it.
        assert as_history_tells(outcome) == outcome
        assert as_history_tells(outcome).state is None
        self.outcomes.append(outcome)
        if not lost:
            for event in outcome.events:
                self.state = self.process.evolve(self.state, self.process.read_event(event))
            self.seq, self.hash = outcome.seq, outcome.hash
            assert outcome.state in (self.state, None)
        return outcome

    async def do(self, who: str, command: Json, *, lost: bool = False) -> Outcome:
        self.at += timedelta(minutes=1)
        return await self.send(self.given(who, command), lost=lost)


def answer_in(outcome: Outcome) -> Answer:
    assert outcome.answer is not None, outcome.refusal
    return outcome.answer


def code_of(outcome: Outcome) -> str | None:
    return outcome.refusal.code if outcome.refusal else None


@pytest.fixture
async def pool(ledger: str) -> AsyncIterator[asyncpg.Pool]:
    """What a worker works with: a pool that may append and nothing else. The books must agree afterwards."""
    conn = await asyncpg.connect(ledger)
    await load_registry(conn, raw_registry(), "test")
    await store_rule_book(conn, NATURAL_BOOK.version, NATURAL_BOOK.model_dump(mode="json"))
    await store_calendar(conn, CALENDAR)
    pool = await open_pool(ledger, role=APP_ROLE)
    try:
        yield pool
        spoilt = {row["stream"] for row in await conn.fetch("select stream from event where hash = repeat('0', 64)")}
        names = {row["stream"] for row in await conn.fetch("select distinct stream from event")}
        await check_books(conn, None, lambda: WORLD, only=names - spoilt)
    finally:
        await pool.close()
        await conn.close()


@pytest.fixture
async def sender(pool: asyncpg.Pool) -> Sender:
    """A case that has just been registered."""
    sender = Sender(pool)
    answer_in(await sender.do("worker", REGISTER))
    return sender


async def count(pool: asyncpg.Pool, table: str) -> int:
    return int(await pool.fetchval(f"select count(*) from {table}"))


async def test_an_accepted_command_is_answered_recorded_and_projected(sender: Sender) -> None:
    outcome = await sender.do("community", WHISTLE)
    answer = answer_in(outcome)
    assert (answer.seq_from, answer.seq_to) == (3, outcome.seq)
    assert answer.stage == "whistled"
    assert [event["kind"] for event in outcome.events] == list(answer.kinds)
    assert await sender.pool.fetchval("select stage from case_row where id = $1", sender.stream) == "whistled"


async def test_a_refused_command_writes_nothing(sender: Sender) -> None:
    before = [await count(sender.pool, table) for table in ("event", "command", "task", "clock")]
    assert code_of(await sender.do("dispatcher", {"kind": "dispatch", "lead": LEAD})) == "case.wrong_stage"
    assert code_of(await sender.do("handler", {"kind": "accept", "loud": True})) == "field.unknown"
    assert [await count(sender.pool, table) for table in ("event", "command", "task", "clock")] == before


async def test_concurrent_retries_of_one_command_record_it_once_and_answer_alike(sender: Sender) -> None:
    given = sender.given("community", WHISTLE)
    outcomes = await asyncio.gather(*(act(sender.pool, Worlds(), given) for _ in range(10)))
    assert all(outcome == outcomes[0] for outcome in outcomes)
    assert await count(sender.pool, "command") == 2


async def test_concurrent_commands_of_one_state_are_judged_one_after_the_other(sender: Sender) -> None:
    givens = [sender.given("community", WHISTLE) for _ in range(5)]
    outcomes = await asyncio.gather(*(act(sender.pool, Worlds(), given) for given in givens))
    assert sorted(code_of(outcome) or "" for outcome in outcomes) == ["", *["case.wrong_stage"] * 4]


async def test_a_retry_after_a_lost_answer_gets_the_recorded_outcome(sender: Sender) -> None:
    given = sender.given("community", WHISTLE)
    lost = await sender.send(given, lost=True)
    again = await sender.send(given)
    assert (again.answer, again.events, again.seq, again.hash) == (lost.answer, lost.events, lost.seq, lost.hash)
    assert again.plan == lost.plan


async def test_a_sender_that_missed_outcomes_is_told_all_of_them_with_the_next_one(sender: Sender) -> None:
    known = sender.seq
    first = await sender.do("worker", {"kind": "comment", "text": "第一句"}, lost=True)
    second = await sender.do("community", WHISTLE, lost=True)
    outcome = await sender.do("dispatcher", {"kind": "dispatch", "lead": LEAD})
    assert [event["kind"] for event in outcome.events[:2]] == ["commented", "clock_stopped"]
    assert len(outcome.events) == outcome.seq - known
    assert answer_in(outcome).seq_from == second.seq + 1 == first.seq + 1 + len(answer_in(second).kinds)


async def test_a_refusal_carries_what_the_sender_missed(sender: Sender) -> None:
    await sender.do("community", WHISTLE, lost=True)
    outcome = await sender.do("community", WHISTLE)
    assert code_of(outcome) == "case.wrong_stage"
    assert outcome.plan is not None
    assert outcome.plan.stage == "whistled"
    assert sender.state == await _state(sender)


async def test_a_sender_that_begins_anew_learns_the_whole_stream(sender: Sender) -> None:
    await sender.do("community", WHISTLE)
    newcomer = Sender(sender.pool, sender.stream)
    assert code_of(await newcomer.do("worker", REGISTER)) == "case.already_registered"
    assert (newcomer.state, newcomer.seq, newcomer.hash) == (sender.state, sender.seq, sender.hash)


async def test_a_sender_on_another_branch_has_forked(sender: Sender) -> None:
    sender.hash = "0" * 64
    outcome = await sender.do("community", WHISTLE)
    assert code_of(outcome) == "ledger.forked"
    assert (outcome.seq, outcome.hash, outcome.events) == (sender.seq, sender.hash, ())


async def test_a_sender_ahead_of_the_ledger_has_found_a_gap(sender: Sender) -> None:
    sender.seq += 3
    outcome = await sender.do("community", WHISTLE)
    assert code_of(outcome) == "ledger.gap"
    assert outcome.refusal is not None
    assert (outcome.refusal.params["expected"], outcome.refusal.params["actual"]) == ("5", "2")


async def test_a_command_id_with_other_content_actor_or_stream_is_refused(sender: Sender) -> None:
    command_id = str(uuid4())
    comment: Json = {"kind": "comment", "text": "第一句"}
    answer_in(await sender.send(sender.given("worker", comment, command_id)))
    other = Sender(sender.pool)
    answer_in(await other.do("worker", REGISTER))
    for given in (
        sender.given("worker", {**comment, "text": "第二句"}, command_id),
        sender.given("checker", comment, command_id),
        other.given("worker", comment, command_id),
    ):
        assert code_of(await sender.send(given, lost=True)) == "command.reused"
    assert await sender.pool.fetchval("select count(*) from event where kind = 'commented'") == 1


async def test_one_id_on_two_streams_at_once_takes_effect_on_one(pool: asyncpg.Pool) -> None:
    senders = [Sender(pool) for _ in range(2)]
    for each in senders:
        await each.do("worker", REGISTER)
    command_id = str(uuid4())
    comment: Json = {"kind": "comment", "text": "一句"}
    outcomes = await asyncio.gather(*(each.send(each.given("worker", comment, command_id)) for each in senders))
    assert sorted(code_of(outcome) or "" for outcome in outcomes) == ["", "command.reused"]


async def test_one_number_of_one_source_under_two_ids_at_once_opens_one_case(pool: asyncpg.Pool) -> None:
    senders = [Sender(pool) for _ in range(2)]
    numbered = {**REGISTER, "source": "12345", "external_id": "A-1"}
    outcomes = await asyncio.gather(*(each.do("hotline", numbered) for each in senders))
    assert sorted(code_of(outcome) or "" for outcome in outcomes) == ["", "case.already_registered"]
    assert await count(pool, "case_row") == 1


async def test_the_recorded_answer_can_be_asked_for_later(sender: Sender) -> None:
    given = sender.given("community", WHISTLE)
    answer = answer_in(await sender.send(given))
    await sender.do("dispatcher", {"kind": "dispatch", "lead": LEAD})
    assert given.envelope is not None
    async with sender.pool.acquire() as conn:
        assert await recorded_answer(conn, sender.stream, given.envelope) == answer
        unknown = given.envelope.model_copy(update={"command_id": str(uuid4())})
        assert await recorded_answer(conn, sender.stream, unknown) is None
        other = given.envelope.model_copy(update={"command": {**WHISTLE, "reason": "reflected"}})
        for stream, envelope in ((sender.stream, other), ("case-other", given.envelope)):
            with pytest.raises(Refused, match=r"command\.reused"):
                await recorded_answer(conn, stream, envelope)


async def test_time_that_changes_nothing_is_not_recorded_and_learns_the_plan_of_today(sender: Sender) -> None:
    outcome = await sender.send(sender.given(None, None))
    assert (outcome.events, outcome.answer, outcome.refusal) == ((), None, None)
    assert outcome.plan is not None
    assert outcome.plan.stage == "registered"
    assert await count(sender.pool, "command") == 1


async def test_time_that_rings_a_clock_is_recorded_once(sender: Sender) -> None:
    sender.at = NOON + timedelta(days=2)
    given = sender.given(None, None)
    first = await sender.send(given, lost=True)
    assert [event["kind"] for event in first.events] == ["clock_warned", "clock_expired"]
    again = await sender.send(given)
    assert again.events == first.events
    assert await sender.pool.fetchval("select count(*) from event where kind = 'clock_warned'") == 1


@pytest.mark.parametrize(
    "actor",
    [
        Actor(person="worker", role=Role.COMMUNITY, organisation="C01"),
        Actor(person="worker", role=Role.GRID_WORKER, grid="G02"),
        Actor(person="nobody", role=Role.GRID_WORKER, grid=GRID),
        Actor(person="system", role=Role.SYSTEM),
    ],
    ids=["role", "grid", "person", "system"],
)
async def test_an_actor_the_registry_does_not_know_so_is_refused(sender: Sender, actor: Actor) -> None:
    outcome = await sender.send(sender.given(actor, {"kind": "comment", "text": "我也说一句"}))
    assert code_of(outcome) == "actor.role_not_held"


@pytest.mark.parametrize("person", ["", "a\nb", "a" * 100])
async def test_a_person_whose_code_is_none_is_refused_before_the_ledger_chokes_on_it(
    sender: Sender, person: str
) -> None:
    outcome = await sender.send(
        sender.given(Actor(person=person, role=Role.RESIDENT), {"kind": "comment", "text": "一句"})
    )
    assert code_of(outcome) in ("code.malformed", "text.too_long")


async def test_a_value_nobody_foresaw_is_refused_instead_of_stopping_the_process(sender: Sender) -> None:
    given = sender.given(Actor(person="a\0b", role=Role.RESIDENT), {"kind": "comment", "text": "一句"})
    with pytest.raises(ValueError, match="NUL"):
        await act(sender.pool, sender.worlds, given)
    outcome = await Recording(sender.pool).act(given)
    assert code_of(outcome) == "command.failed"
    assert (outcome.seq, outcome.hash) == (sender.seq, sender.hash)
    answer_in(await sender.do("community", WHISTLE))


async def test_a_departments_report_is_judged_as_the_commands_a_person_would_have_sent(sender: Sender) -> None:
    await sender.do("community", WHISTLE)
    outcome = await sender.do("dispatcher", {"kind": "dispatch", "lead": LEAD})
    assert outcome.plan is not None
    (task,) = outcome.plan.tasks
    bare = {"measures": "系统派工完成", "workload": {"people": 1, "minutes": 10}}
    assert code_of(await _report(sender, task, bare)) == "evidence.missing"
    assert await sender.pool.fetchval("select count(*) from event where kind = 'accepted'") == 0
    done = await _report(sender, task, {**bare, "evidence": [AFTER]})
    assert {"accepted", "struck_off"} <= {str(event["kind"]) for event in done.events}
    assert answer_in(done).stage == "struck_off"
    # Somebody finished the task by other means: a late report says nothing new.
    late = await _report(sender, task, {**bare, "evidence": [AFTER], "measures": "又一次"})
    assert (late.events, late.refusal) == ((), None)


async def _report(sender: Sender, task: Task, fields: dict[str, Any]) -> Outcome:
    report = Report(result=HandOverResult.HANDLED, person="handler", fields=fields)
    given = sender.given(None, None).model_copy(update={"task": task, "report": report})
    return await sender.send(given)


async def test_a_wish_is_recorded_like_a_case(pool: asyncpg.Pool) -> None:
    sender = Sender(pool, f"wish-{uuid4().hex}")
    answer_in(
        await sender.do("resident", {"kind": "publish_wish", "title": "修椅子", "text": "想修椅子", "grid": GRID})
    )
    answer_in(await sender.do("worker", {"kind": "claim_wish"}))
    assert await pool.fetchval("select stage from wish where id = $1", sender.stream) == "claimed"


async def test_a_server_that_goes_away_raises_and_nothing_is_half_written(sender: Sender, ledger: str) -> None:
    given = sender.given("community", WHISTLE)
    owner = await asyncpg.connect(ledger)
    try:
        async with owner.transaction():
            await owner.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", sender.stream)
            waiting = asyncio.ensure_future(act(sender.pool, Worlds(), given))
            while not await owner.fetchval("select count(*) from pg_locks where locktype = 'advisory' and not granted"):
                await asyncio.sleep(0.01)
            await owner.execute(
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and not granted"
            )
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
                await waiting
    finally:
        await owner.close()
    assert await count(sender.pool, "command") == 1
    assert answer_in(await sender.send(given)).stage == "whistled"


async def _state(sender: Sender) -> Any:
    async with sender.pool.acquire() as conn:
        return await state_of(conn, sender.stream)


async def test_a_sender_who_gives_no_state_is_judged_by_what_is_remembered_or_folded(sender: Sender) -> None:
    states = States()
    dispatch: Json = {"kind": "dispatch", "lead": LEAD}
    for who, command in (("community", WHISTLE), ("dispatcher", dispatch)):
        given = sender.given(who, command).model_copy(update={"state": None})
        for memory in (None, states):  # the second is a retry; it remembers nothing yet
            outcome = await act(sender.pool, sender.worlds, given, memory)
            answer_in(outcome)
        sender.outcomes.append(outcome)
        for event in outcome.events:
            sender.state = sender.process.evolve(sender.state, sender.process.read_event(event))
        sender.seq, sender.hash = outcome.seq, outcome.hash
    given = sender.given("handler", {"kind": "accept"}).model_copy(update={"state": None})
    accepted = await act(sender.pool, sender.worlds, given, states)
    remembered = states.get(sender.stream, accepted.seq, accepted.hash)
    assert remembered is not None
    assert remembered[0] == await _state(sender)
    assert accepted.state is remembered[0]
