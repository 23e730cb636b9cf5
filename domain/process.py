"""What a process is: a decider, its plan, and the messages between the shell and the ledger.

Owns the shapes that every process shares. A process is a handful of pure functions over frozen values
(``Process``); ``workflows.shell`` hosts it, ``ledger.acting`` lets it decide and records the outcome.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import Field, JsonValue, TypeAdapter

from domain.base import Frozen, Recalled
from domain.calendar import WorkCalendar
from domain.errors import Refusal
from domain.limits import Instant
from domain.notices import Notice
from domain.people import Actor
from domain.registry import Registry
from domain.rules import RuleBook

Json = dict[str, JsonValue]

ACT = "act"
"""The name of the activity that decides and records."""

HAND_OVER = "hand_over"
"""The name of the activity by which a task reaches a department; departments with an own system implement it."""


class Event(Recalled):
    """The base of every fact: when it happened (UTC) and who did it."""

    at: Instant
    by: Actor


class TimePasses(Frozen):
    """Time itself as a command; no door offers it."""

    kind: Literal["time_passes"] = "time_passes"


@dataclass(frozen=True)
class World:
    """What a decision may look at besides the state: immutable, versioned registry, rule books and calendars.

    ``registry`` is None in a dry run far from the ledger: such a run refuses nothing for lack of knowledge.
    """

    registry: Registry | None = None
    rule_books: Mapping[str, RuleBook] = field(default_factory=dict)
    current_rules: str | None = None
    calendars: Mapping[str, WorkCalendar] = field(default_factory=dict)
    current_calendar: str | None = None

    @property
    def is_blank(self) -> bool:
        """Whether this is the world of a dry run, in which nothing is known."""
        return self.registry is None


class Task(Recalled):
    """Somebody must do something, until ``due_at`` (UTC).

    ``queue`` is set when the task is to be handed over to a department's own system: its task queue. Every other
    task lies in its inbox by the act that opened it. Older plans say the empty string for those of departments, and are
    followed by the stock hand-over.
    """

    id: str
    kind: str
    role: str
    organisation: str | None = None
    grid: str | None = None
    person: str | None = None
    opened_at: Instant
    due_at: Instant | None = None
    queue: str | None = None
    pick_up_within: str = "5m"


class Attributes(Recalled):
    """What Temporal's own pages may filter by; never personal data.

    They show the ``phase`` and ``limit_at``, which change a few times in the life of a process, and not ``stage`` and
    ``due_at``, which change with most acts: each change costs there more than the act itself writes. ``phase`` is
    empty in plans recorded before there were phases.
    """

    stage: str
    departments: tuple[str, ...] = ()
    street: str | None = None
    due_at: Instant | None = None
    rules_version: str = ""
    phase: str = ""
    limit_at: Instant | None = None


class Plan(Recalled):
    """What follows from a state: the next alarm, the open tasks, the stage, and whether all is done.

    ``details`` is the text Temporal's pages show for the process: markdown without personal data.
    """

    attributes: Attributes
    alarm: Instant | None = None
    tasks: tuple[Task, ...] = ()
    finished: bool = False
    details: str = ""

    @property
    def stage(self) -> str:
        """The stage as written in the attributes."""
        return self.attributes.stage


class Envelope(Frozen):
    """A command on its way: who sends it, and the id that makes it take effect once.

    ``known_seq`` is the last event its sender has seen in the ledger, where that matters: a workflow that is behind
    it must not judge the command by its own state.
    """

    command_id: str
    actor: Actor
    command: Json
    known_seq: int = 0


class Answer(Recalled):
    """What the sender of an accepted command is told; the same again for the same command id.

    Events ``seq_from`` to ``seq_to`` of the stream are this command's; their kinds are listed in order. ``digest``
    names the content that took effect, so that a sender notices a command id used twice.
    """

    stream: str
    command_id: str
    digest: str
    seq_from: int
    seq_to: int
    stage: str
    kinds: tuple[str, ...]


class Start(Recalled):
    """Where a hosted process begins: empty, or resumed from a state.

    ``seq`` and ``hash`` name the last event of the stream that is folded into ``state``; ``handed_over`` the tasks
    whose hand-over has ended. ``sparing`` ones go by what Temporal's lists show of them when they begin, and tell
    them little; those that an older release began are not.
    """

    stream: str
    state: Json | None = None
    seq: int = 0
    hash: str = ""
    plan: Plan | None = None
    handed_over: tuple[str, ...] = ()
    sparing: bool = False


class HandOverResult(StrEnum):
    """How a hand-over ended."""

    DELIVERED = "delivered"
    HANDLED = "handled"
    RETURNED = "returned"


class Report(Recalled):
    """What a department's system answers: the task lies in an inbox, is done, or is not theirs.

    ``person`` is the department's account in the registry on whose behalf the command is given; ``fields`` are
    those of the command a person would have sent.
    """

    result: HandOverResult
    person: str = ""
    fields: Json = Field(default_factory=dict)


class ActInput(Recalled):
    """One command for the recording activity; ``at`` is the shell's time in UTC.

    Either an ``envelope`` from outside, or a department's ``report`` on ``task``, or neither: time passes.
    """

    process: str
    stream: str
    seq: int
    hash: str
    at: Instant
    command_id: str
    state: Json | None = None
    envelope: Envelope | None = None
    task: Task | None = None
    report: Report | None = None


class Outcome(Recalled):
    """What the ledger holds after a command, or why the command was refused.

    ``events`` are all events after the seq of the sender, whoever caused them; ``seq`` and ``hash`` name the last.
    ``plan`` is None when there are no new events, but for time itself, which gets the plan of today. ``answer`` is
    None for refusals and when nothing happened.
    """

    events: tuple[Json, ...] = ()
    seq: int
    hash: str
    plan: Plan | None = None
    answer: Answer | None = None
    refusal: Refusal | None = None

    # No field: it is neither compared nor written, and a copy does not have it.
    __slots__ = ("_state",)

    @property
    def state(self) -> Any:
        """The state after ``events``, where this very process has reckoned it; None in what was read back."""
        return getattr(self, "_state", None)

    def with_state(self, state: Any) -> Self:
        """This outcome, which from now on knows the state it leads to."""
        object.__setattr__(self, "_state", state)
        return self


class HandOver(Recalled):
    """A task on its way to a department: what its system needs to begin, by reference."""

    process: str
    stream: str
    task: Task
    title: str
    text: str
    category: str | None = None


S = TypeVar("S")


@dataclass(frozen=True)
class Process(Generic[S]):
    """A process definition: pure functions over frozen values.

    ``decide(state, command, actor, at, world)`` says what happens or raises ``Refused``; ``evolve(state, event)``
    what a fact changes; ``plan(state, world)`` what follows, ``tasks(state, world)`` the tasks in it alone.
    ``answer`` turns a department's report into the commands a person would have sent, ``hand_over`` describes a
    task for a department's system (it runs in the workflow, in every replay again, and must never raise).
    ``first_phase`` is the phase it nearly always opens in.
    ``notices(state, event)`` says who is told of a fact; ``state`` already has the fact in it.
    """

    name: str
    command: TypeAdapter[Any]
    event: TypeAdapter[Any]
    state: TypeAdapter[S]
    opening: frozenset[str]
    first_phase: str
    decide: Callable[[S | None, Any, Actor, Any, World], tuple[Event, ...]]
    evolve: Callable[[S | None, Any], S]
    plan: Callable[[S, World], Plan]
    tasks: Callable[[S, World], tuple[Task, ...]]
    answer: Callable[[S, Task, Report], tuple[tuple[Actor, Json], ...]]
    hand_over: Callable[[S, Task, str], HandOver]
    stage_names: Mapping[Any, tuple[str, str]]
    notices: Callable[[S, Any], tuple[Notice, ...]] = lambda _state, _event: ()

    def read_event(self, body: Json) -> Any:
        """The fact that stands in the log as ``body``.

        Fields this release does not know are passed over at every depth: an older release must be able to go on beside
        a newer one. Values from outside (``command``) keep forbidding them.
        """
        return self.event.validate_python(body, extra="ignore")

    def read_event_text(self, text: str) -> Any:
        """The same from the text of the body, for which it need not be decoded first."""
        return self.event.validate_json(text, extra="ignore")

    def read_state(self, body: Json) -> S:
        """The state that was written as ``body``, read as ``read_event`` reads facts."""
        return self.state.validate_python(body, extra="ignore")
