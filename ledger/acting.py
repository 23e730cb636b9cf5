"""Deciding and recording one command in one transaction.

Owns the order of things under the lock of a stream: has this command been recorded, is the sender where the ledger
is, what do the rules say, append. The rules are the process's own; this module has none.

A sender that is behind (its last answer was lost) is first told what it missed. A sender whose last event is not
the ledger's (a reset workflow that went another way) has forked and is refused; the ledger is never rewritten.
"""

import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from domain.errors import Refusal, Refused
from domain.notices import Notice
from domain.parsing import parse_command, parse_envelope
from domain.people import IMPORT, RULES_OFFICE, SYSTEM, Actor, Role
from domain.process import ActInput, Answer, Envelope, Event, Outcome, Plan, Process, TimePasses, World
from domain.processes import PROCESSES, process_of
from domain.zone import office_day
from ledger.log import (
    Believed,
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
    record,
)
from ledger.projection import Rows, project
from ledger.world import States, Worlds

_UNKNOWN_VERSION = frozenset({"rules.unknown", "calendar.unknown"})
"""What is refused for a version that may have been stored since the world was read."""


Told = Callable[[Sequence[Event]], None]
"""Hears of the facts an act has just recorded; of those of a repeated act only the first time."""


async def act(
    pool: asyncpg.Pool, worlds: Worlds, given: ActInput, states: States | None = None, *, told: Told | None = None
) -> Outcome:
    """Decide and record ``given`` and say what the ledger holds since the sender's last event.

    The same command id again gets the recorded answer. A refusal is an answer too; then nothing was written.
    ``states`` remembers states between acts; without one, and for a sender who gives none, the stream is folded.
    ``told`` hears what this very call has recorded, once it is committed.
    Within a stream time never goes back: an act whose clock does is recorded at the moment of the event before it.
    Raises ``asyncpg`` and operating system errors when PostgreSQL is away: then nothing was written, or all of it
    was and the next attempt finds it.
    """
    process, states = PROCESSES[given.process], States() if states is None else states
    try:
        async with pool.acquire() as conn:
            given = await _not_before_its_last(conn, given, states)
            recorded: list[Event] = []
            outcome = await _at_once(conn, process, worlds, given, states, recorded)
            if outcome is None:
                async with conn.transaction():
                    outcome = await _under_lock(conn, process, worlds, given, states, recorded)
            if recorded and told is not None:
                told(recorded)
            return outcome
    except CommandTaken:
        # Another stream recorded this very command id while we held only our own lock.
        return Outcome(seq=given.seq, hash=given.hash, refusal=Refused("command.reused", field="command_id").refusal)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != "case_row_external":
            raise
        # The same number of the same source was registered under another id.
        refused = Refused("case.already_registered", field="external_id")
        return Outcome(seq=given.seq, hash=given.hash, refusal=refused.refusal)


async def _not_before_its_last(conn: Connection, given: ActInput, states: States) -> ActInput:
    """The act at its own time, or at that of the last event its sender knows where its clock has been set back."""
    if given.seq == 0:
        return given
    last = states.at(given.stream, given.seq, given.hash)
    if last is None:
        last = await conn.fetchval("select at from event where stream = $1 and seq = $2", given.stream, given.seq)
    return _at_least(given, last)


def _at_least(given: ActInput, last: datetime | None) -> ActInput:
    return given if last is None or last <= given.at else given.model_copy(update={"at": last})


async def _at_once(
    conn: Connection,
    process: Process[Any],
    worlds: Worlds,
    given: ActInput,
    states: States,
    recorded: list[Event],
) -> Outcome | None:
    """The short way: decide on what is believed to be true, and let one statement record it if it is.

    None when it is not, or when there is nothing to record: whatever else there is to say is said under the lock.
    """
    state = _known_state(process, given, states)
    if worlds.latest is None or (state is None and given.seq > 0):
        return None
    revision, rules, calendar, world = worlds.latest
    opened = Opened(
        head_seq=given.seq,
        head_hash=given.hash,
        since_hash=given.hash,
        command=None,
        events=(),
        registry_revision=revision,
        rule_book=rules,
        calendar=calendar,
    )
    return await _Act(conn, process, world, given, opened, states, recorded).at_once(state)


async def _under_lock(
    conn: Connection,
    process: Process[Any],
    worlds: Worlds,
    given: ActInput,
    states: States,
    recorded: list[Event],
) -> Outcome:
    """The long way: lock the stream, read what the sender has missed, decide, record."""
    opened = await open_stream(conn, given.stream, uuid.UUID(given.command_id), given.seq)
    if (refusal := _out_of_step(given, opened)) is not None:
        return Outcome(seq=given.seq, hash=given.hash, refusal=refusal)
    world = await worlds.get(conn, opened.registry_revision, opened.rule_book, opened.calendar)
    state = _known_state(process, given, states)
    if state is None and given.seq > 0:
        state = _folded(process, None, await history(conn, given.stream, limit=given.seq))
    outcome = await _Act(conn, process, world, given, opened, states, recorded).run(state)
    if outcome.refusal is not None and outcome.refusal.code in _UNKNOWN_VERSION:
        worlds.forget()
        world = await worlds.get(conn, opened.registry_revision, opened.rule_book, opened.calendar)
        outcome = await _Act(conn, process, world, given, opened, states, recorded).run(state)
    return outcome


def _known_state(process: Process[Any], given: ActInput, states: States) -> Any:
    """The state the sender is at, None when it is to be folded or when there is none yet."""
    if given.state is not None:
        return process.read_state(given.state)
    known = states.get(given.stream, given.seq, given.hash)
    return known[0] if known else None


def _folded(process: Process[Any], state: Any, events: Sequence[Recorded]) -> Any:
    for event in events:
        state = process.evolve(state, process.read_event(event.body))
    return state


def _out_of_step(given: ActInput, opened: Opened) -> Refusal | None:
    if opened.head_seq < given.seq:
        code = "ledger.gap"
    elif opened.since_hash != given.hash:
        code = "ledger.forked"
    else:
        return None
    return Refused(code, stream=given.stream, expected=given.seq, actual=opened.head_seq).refusal


_Write = Callable[["_Act", str, list[NewEvent], Rows], Awaitable[str | None]]


@dataclass
class _Act:
    """One act on a stream whose head is ``opened``, under its lock or before it."""

    conn: Connection
    process: Process[Any]
    world: World
    given: ActInput
    opened: Opened
    states: States
    recorded: list[Event]

    async def at_once(self, state: Any) -> Outcome | None:
        """Decide on ``state`` and record in one statement; None when that is not possible."""
        try:
            events = self._decide(state)
        except Refused:
            return None
        return await self._record(state, events, digest(_content(self.given)), _record_at_once) if events else None

    async def run(self, state: Any) -> Outcome:
        """Decide and record under the lock; ``state`` is the sender's."""
        state = _folded(self.process, state, self.opened.events)
        if self.opened.events:
            self.given = _at_least(self.given, self.opened.events[-1].at)
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
        outcome = await self._record(state, events, content, _append_under_lock)
        assert outcome is not None, "what is appended under the lock is appended"
        return outcome

    def _decide(self, state: Any) -> tuple[Event, ...]:
        given, decide = self.given, self.process.decide
        if given.envelope is not None:
            command = parse_envelope(self.process, given.envelope)
            _check_actor(given.envelope.actor, given.at, self.world)
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

    async def _record(self, before: Any, events: tuple[Event, ...], content: str, write: _Write) -> Outcome | None:
        after, told = before, list[tuple[int, Event, tuple[Notice, ...]]]()
        for seq, event in enumerate(events, self.opened.head_seq + 1):
            after = self.process.evolve(after, event)
            if notices := self.process.notices(after, event):
                told.append((seq, event, notices))
        plan = self.process.plan(after, self.world)
        seq = self.opened.head_seq + len(events)
        bodies = tuple(event.model_dump(mode="json", exclude_none=True) for event in events)
        known = None if before is None else self._with_plan(before)
        rows = project(self.given.stream, seq, self.given.at, known, (after, plan), told)
        head = await write(self, content, [NewEvent.of(uuid.uuid4(), body) for body in bodies], rows)
        if head is None:
            return None
        self.states.keep(self.given.stream, seq, head, after, plan, at=self.given.at)
        self.recorded.extend(events)
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
        outcome = Outcome(events=(*missed, *bodies), seq=seq, hash=head, plan=plan, answer=answer)
        return outcome.with_state(after)

    def _with_plan(self, state: Any) -> tuple[Any, Plan]:
        """The state at the head of the stream with the plan by which its rows were written."""
        known = self.states.get(self.given.stream, self.opened.head_seq, self.opened.head_hash)
        return known or (state, self.process.plan(state, self.world))

    def _outcome(self, state: Any, *, answer: Answer | None = None, refusal: Refusal | None = None) -> Outcome:
        """What the ledger holds when nothing new was appended."""
        missed = tuple(each.body for each in self.opened.events)
        # A workflow that merely asked follows the plan of today; others have theirs and need no other.
        asked = self.given.envelope is None and self.given.report is None and refusal is None
        plan: Plan | None = self.process.plan(state, self.world) if missed or asked else None
        head = self.opened.head_hash
        return Outcome(events=missed, seq=self.opened.head_seq, hash=head, plan=plan, answer=answer, refusal=refusal)

    async def _recorded_answer(self, seen: RecordedCommand) -> Answer:
        return answer_of(self.process, seen, await history(self.conn, seen.stream, limit=seen.seq_to))


async def _append_under_lock(act: _Act, content: str, events: list[NewEvent], rows: Rows) -> str:
    return await append(
        act.conn,
        act.given.stream,
        act.process.name,
        expected=act.opened.head_seq,
        command_id=uuid.UUID(act.given.command_id),
        digest=content,
        at=act.given.at,
        events=events,
        rows=rows,
    )


async def _record_at_once(act: _Act, content: str, events: list[NewEvent], rows: Rows) -> str | None:
    opened = act.opened
    believed = Believed(opened.head_seq, opened.head_hash, opened.registry_revision, opened.rule_book, opened.calendar)
    return await record(
        act.conn,
        act.given.stream,
        act.process.name,
        believed=believed,
        command_id=uuid.UUID(act.given.command_id),
        digest=content,
        at=act.given.at,
        events=events,
        rows=rows,
    )


def answer_of(process: Process[Any], command: RecordedCommand, events: list[Recorded]) -> Answer:
    """The answer that was given for a recorded command; ``events`` are those of its stream up to the command's last."""
    state = _folded(process, None, events)
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


async def state_of(conn: Connection, stream: str, *, until: datetime | None = None) -> Any:
    """The state of a stream as the ledger has it, at the moment ``until`` when given; None where there was nothing."""
    return _folded(process_of(stream), None, await history(conn, stream, until=until))


def state_of_events(stream: str, events: Sequence[Recorded]) -> Any:
    """The state to which these events, the first ones of the stream, have led; None for no events."""
    return _folded(process_of(stream), None, events)


def envelope_digest(envelope: Envelope) -> str:
    """The digest under which the command in this envelope is recorded."""
    return digest(envelope_content(envelope))


def envelope_content(envelope: Envelope) -> Any:
    """What makes two uses of a command id the same command: who sent what."""
    return envelope.model_dump(mode="json", include={"actor", "command"})


def _content(given: ActInput) -> Any:
    """What makes two uses of a command id the same command: who sent what, not when."""
    if given.envelope is not None:
        return envelope_content(given.envelope)
    if given.report is not None:
        return given.report.model_dump(mode="json")
    return {"kind": "time_passes"}


def _check_actor(actor: Actor, at: datetime, world: World) -> None:
    """The registry knows that the actor holds the role on the day of the act; doors are not believed.

    Residents are nobody's staff and stand in no registry; neither do the built-in accounts.
    """
    if actor.role == Role.RESIDENT or actor in (IMPORT, RULES_OFFICE):
        return
    held = world.registry.assignments_of(actor.person, office_day(at)) if world.registry else ()
    for each in held:
        if (each.role, each.organisation, each.grid) == (actor.role, actor.organisation, actor.grid):
            return
    raise Refused("actor.role_not_held", field="actor.role", person=actor.person, role=actor.role.value)
