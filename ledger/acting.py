"""Deciding and recording one command in one transaction.

Owns the order of things under the lock of a stream: has this command been recorded, is the sender where the ledger
is, what do the rules say, append. The rules are the process's own; this module has none.

A sender that is behind (its last answer was lost) is first told what it missed. A sender whose last event is not
the ledger's (a reset workflow that went another way) has forked and is refused; the ledger is never rewritten.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from domain.errors import Refusal, Refused
from domain.limits import office_day
from domain.parsing import parse_command
from domain.people import SYSTEM, Actor, Role
from domain.process import ActInput, Answer, Envelope, Event, Outcome, Plan, Process, TimePasses, World
from domain.processes import PROCESSES
from ledger.log import (
    CommandTaken,
    Connection,
    NewEvent,
    Opened,
    Recorded,
    RecordedCommand,
    append,
    command_of,
    digest,
    history,
    open_stream,
)
from ledger.projection import project
from ledger.world import Worlds


async def act(pool: asyncpg.Pool, worlds: Worlds, given: ActInput) -> Outcome:
    """Decide and record ``given`` and say what the ledger holds since the sender's last event.

    The same command id again gets the recorded answer. A refusal is an answer too; then nothing was written.
    Raises ``asyncpg`` and operating system errors when PostgreSQL is away: then nothing was written, or all of it
    was and the next attempt finds it.
    """
    process = PROCESSES[given.process]
    try:
        async with pool.acquire() as conn, conn.transaction():
            opened = await open_stream(conn, given.stream, uuid.UUID(given.command_id), given.seq)
            if (refusal := _out_of_step(given, opened)) is not None:
                return Outcome(seq=given.seq, hash=given.hash, refusal=refusal)
            world = await worlds.get(conn, opened.registry_revision, opened.rule_book)
            return await _Act(conn, process, world, given, opened).run()
    except CommandTaken:
        # Another stream recorded this very command id while we held only our own lock.
        return Outcome(seq=given.seq, hash=given.hash, refusal=Refused("command.reused", field="command_id").refusal)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "case_row_external":
            raise
        # The same number of the same source was registered under another id.
        refused = Refused("case.already_registered", field="external_id")
        return Outcome(seq=given.seq, hash=given.hash, refusal=refused.refusal)


def _out_of_step(given: ActInput, opened: Opened) -> Refusal | None:
    if opened.head_seq < given.seq:
        code = "ledger.gap"
    elif opened.since_hash != given.hash:
        code = "ledger.forked"
    else:
        return None
    return Refused(code, stream=given.stream, expected=given.seq, actual=opened.head_seq).refusal


@dataclass
class _Act:
    """One act under the lock of its stream."""

    conn: Connection
    process: Process[Any]
    world: World
    given: ActInput
    opened: Opened

    async def run(self) -> Outcome:
        state = None if self.given.state is None else self.process.state.validate_python(self.given.state)
        for missed in self.opened.events:
            state = self.process.evolve(state, self.process.event.validate_python(missed.body))
        content = digest(_content(self.given))
        if (seen := self.opened.command) is not None:
            if seen.digest != content or seen.stream != self.given.stream:
                return self._outcome(state, refusal=Refused("command.reused", field="command_id").refusal)
            return self._outcome(state, answer=await self._recorded_answer(seen))
        try:
            events = self._decide(state)
        except Refused as refused:
            return self._outcome(state, refusal=refused.refusal)
        if not events:
            return self._outcome(state)
        return await self._record(state, events, content)

    def _decide(self, state: Any) -> tuple[Event, ...]:
        given, decide = self.given, self.process.decide
        if given.envelope is not None:
            _check_actor(given.envelope.actor, given.at, self.world)
            command = parse_command(self.process, given.envelope.command)
            return decide(state, command, given.envelope.actor, given.at, self.world)
        if given.report is None or given.task is None:
            return decide(state, TimePasses(), SYSTEM, given.at, self.world)
        events: tuple[Event, ...] = ()
        for actor, raw in self.process.answer(state, given.task, given.report):
            _check_actor(actor, given.at, self.world)
            command = parse_command(self.process, raw)
            for event in decide(state, command, actor, given.at, self.world):
                state = self.process.evolve(state, event)
                events = (*events, event)
        return events

    async def _record(self, before: Any, events: tuple[Event, ...], content: str) -> Outcome:
        after = before
        for event in events:
            after = self.process.evolve(after, event)
        plan = self.process.plan(after, self.world)
        seq = self.opened.head_seq + len(events)
        bodies = tuple(event.model_dump(mode="json") for event in events)
        known = None if before is None else (before, self.process.plan(before, self.world))
        head = await append(
            self.conn,
            self.given.stream,
            self.process.name,
            expected=self.opened.head_seq,
            command_id=uuid.UUID(self.given.command_id),
            digest=content,
            at=self.given.at,
            events=[NewEvent.of(uuid.uuid4(), body) for body in bodies],
            rows=project(self.given.stream, seq, self.given.at, known, (after, plan)),
        )
        answer = Answer(
            stream=self.given.stream,
            command_id=self.given.command_id,
            digest=content,
            seq_from=self.opened.head_seq + 1,
            seq_to=seq,
            stage=plan.stage,
            kinds=tuple(str(body["kind"]) for body in bodies),
        )
        missed = tuple(each.body for each in self.opened.events)
        return Outcome(events=(*missed, *bodies), seq=seq, hash=head, plan=plan, answer=answer)

    def _outcome(self, state: Any, *, answer: Answer | None = None, refusal: Refusal | None = None) -> Outcome:
        """What the ledger holds when nothing new was appended."""
        missed = tuple(each.body for each in self.opened.events)
        plan: Plan | None = self.process.plan(state, self.world) if missed else None
        head = self.opened.head_hash
        return Outcome(events=missed, seq=self.opened.head_seq, hash=head, plan=plan, answer=answer, refusal=refusal)

    async def _recorded_answer(self, seen: RecordedCommand) -> Answer:
        return answer_of(self.process, seen, await history(self.conn, seen.stream, limit=seen.seq_to))


def answer_of(process: Process[Any], command: RecordedCommand, events: list[Recorded]) -> Answer:
    """The answer that was given for a recorded command; ``events`` are those of its stream up to the command's last."""
    state: Any = None
    for event in events:
        state = process.evolve(state, process.event.validate_python(event.body))
    return Answer(
        stream=command.stream,
        command_id=str(command.id),
        digest=command.digest,
        seq_from=command.seq_from,
        seq_to=command.seq_to,
        stage=process.plan(state, World()).stage,
        kinds=tuple(event.kind for event in events if event.seq >= command.seq_from),
    )


async def recorded_answer(conn: Connection, stream: str, envelope: Envelope) -> Answer | None:
    """The answer recorded for this command, None when the ledger does not know the command id.

    Raises ``Refused`` ``command.reused`` when the id stands for other content or another stream.
    """
    command = await command_of(conn, uuid.UUID(envelope.command_id))
    if command is None:
        return None
    if command.stream != stream or command.digest != envelope_digest(envelope):
        raise Refused("command.reused", field="command_id")
    return answer_of(PROCESSES[command.process], command, await history(conn, stream, limit=command.seq_to))


async def stage_of(conn: Connection, stream: str) -> tuple[str, str] | None:
    """The stage a stream is in, in Chinese and English; None for a stream the ledger does not know."""
    state = await state_of(conn, stream)
    return None if state is None else PROCESSES[stream.partition("-")[0]].stage_names[state.stage]


async def state_of(conn: Connection, stream: str, *, until: datetime | None = None) -> Any:
    """The state of a stream as the ledger has it, at the moment ``until`` when given; None where there was nothing."""
    process, state = PROCESSES[stream.partition("-")[0]], None
    for event in await history(conn, stream, until=until):
        state = process.evolve(state, process.event.validate_python(event.body))
    return state


def envelope_digest(envelope: Envelope) -> str:
    """The digest under which the command in this envelope is recorded."""
    return digest(_envelope_content(envelope))


def _envelope_content(envelope: Envelope) -> Any:
    return envelope.model_dump(mode="json", include={"actor", "command"})


def _content(given: ActInput) -> Any:
    """What makes two uses of a command id the same command: who sent what, not when."""
    if given.envelope is not None:
        return _envelope_content(given.envelope)
    if given.report is not None:
        return given.report.model_dump(mode="json")
    return {"kind": "time_passes"}


def _check_actor(actor: Actor, at: datetime, world: World) -> None:
    """The registry knows that the actor holds the role on the day of the act; doors are not believed.

    Residents are nobody's staff and stand in no registry.
    """
    if actor.role == Role.RESIDENT:
        return
    held = world.registry.assignments_of(actor.person, office_day(at)) if world.registry else ()
    for each in held:
        if (each.role, each.organisation, each.grid) == (actor.role, actor.organisation, actor.grid):
            return
    raise Refused("actor.role_not_held", field="actor.role", person=actor.person, role=actor.role.value)
