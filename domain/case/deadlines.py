"""The deadline sheet of a case: what is known about each of its clocks, as values for pages and programs.

Owns the shapes only; ``domain.case.explain`` fills them. All instants are UTC. Whatever is said here names the fact it
comes from by its number in the stream, so that every figure can be looked up.
"""

from enum import StrEnum

from domain.base import Frozen
from domain.calendar import Pause
from domain.clocks import RungPoint
from domain.ladder import ClockKind, RungAction, RungAudience
from domain.limits import Instant, Limit
from domain.people import Actor


class Cause(Frozen):
    """The fact behind something: number ``seq`` in the stream, and its ``reason`` as a code or as redacted text."""

    seq: int
    kind: str
    at: Instant
    by: Actor
    reason: str | None = None


class Counting(StrEnum):
    """In what a clock is counted; whole numbers of these, begun ones are left out of what was used."""

    NATURAL = "seconds"
    WORKING = "working_seconds"
    DAYS = "working_days"


class Status(StrEnum):
    """Whether a clock counts, stands still and may run on, or has come to its end."""

    RUNNING = "running"
    STANDING = "standing"
    FINISHED = "finished"


class DueSet(Frozen):
    """One reckoning of the due: by which whole limit, rules and calendar (None: natural time), and what came out."""

    cause: Cause
    limit: Limit
    rules: str
    calendar: str | None
    due_at: Instant
    provisional: bool


class Standing(Frozen):
    """A time in which the clock did not count, ``end`` None while it lasts.

    It began with a suspension, the shelf, a question to the resident, or with work that was thought to be done and was
    taken up again.
    """

    begin: Instant
    end: Instant | None
    begun_by: Cause
    ended_by: Cause | None


class Extension(Frozen):
    """More time that was asked for; ``granted`` None while (or because) nobody has decided.

    ``length`` is what was granted, else what was asked for.
    """

    asked: Cause | None
    department: str
    asked_length: Limit
    decided: Cause | None = None
    granted: bool | None = None
    length: Limit
    old_due_at: Instant | None = None
    due_at: Instant | None = None


class Outcome(StrEnum):
    """What a change of rules did to a clock: moved limit, due, warning or rungs, reckoned all as before, or nothing.

    A clock that was kept goes on by its old rules.
    """

    MOVED = "moved"
    FOLLOWED = "followed"
    KEPT = "kept"


class Adoption(Frozen):
    """A change of rules or calendar while the clock was open, and what the new ones made of it.

    ``why`` a clock was left to its old rules: ``in_the_past``, ``other_unit`` or ``expired``. The limits are whole
    ones, with extensions.
    """

    cause: Cause
    rules: str
    calendar: str | None
    outcome: Outcome
    why: str | None = None
    old_limit: Limit
    limit: Limit
    old_due_at: Instant
    due_at: Instant
    old_provisional: bool
    provisional: bool


class Mark(Frozen):
    """A light or a rung: where it stood (``stood_at``), and when it was noticed and recorded (``cause``).

    ``action`` is ``yellow`` and ``red`` for the lights; ``skipped`` when the reason for a rung was gone.
    """

    cause: Cause
    action: RungAction
    code: str
    name: str
    stood_at: Instant
    due_at: Instant
    told: tuple[RungAudience, ...] = ()
    skipped: bool = False


class Holding(Frozen):
    """Who had the departments' budget, ``used`` of it in the unit of the clock; ``end`` None while it lasts.

    ``seeking``: the street, while it looked for the right department after a return. ``charged_to`` is the department
    whose refused return it was.
    """

    organisation: str | None
    seeking: bool
    begin: Instant
    end: Instant | None
    used: int
    charged_to: str | None = None


class Unpublished(Frozen):
    """Why a due is provisional: the official list of days is known from one day to another only."""

    calendar: str
    published_from: str
    published_until: str


class ClockStory(Frozen):
    """Everything about one clock at one moment.

    ``step_name`` is what the rule row called the step. ``limit`` is the one the clock started with, ``whole_limit``
    with extensions and other rules. ``used``, ``remaining`` and ``over`` are whole numbers in ``counting``; ``whole``
    is the limit in it. ``late`` also of a running clock whose due has come and has not been recorded yet.

    ``overtime_permille`` is (used - limit) / limit in whole thousandths, None when the clock is not late; for working
    days of the next-day mode the working time since the due counts, in ordinary days. ``agrees``: whether each due,
    reckoned anew from start, limit, pauses and calendar, is the one on record.
    """

    id: str
    kind: ClockKind
    organisation: str | None
    step: str | None
    step_name: str | None
    status: Status
    started: Cause
    started_at: Instant
    finished: Cause | None
    stopped_at: Instant | None
    limit: Limit
    whole_limit: Limit
    due_at: Instant
    provisional: bool
    unpublished: Unpublished | None
    agrees: bool
    light: str
    late: bool
    counting: Counting
    whole: int
    used: int
    remaining: int
    over: int
    overtime_permille: int | None
    rules: tuple[str, ...]
    calendars: tuple[str, ...]
    dues: tuple[DueSet, ...]
    standings: tuple[Standing, ...]
    extensions: tuple[Extension, ...]
    adoptions: tuple[Adoption, ...]
    marks: tuple[Mark, ...]
    ahead: tuple[RungPoint, ...]
    holders: tuple[Holding, ...]

    @property
    def on_time(self) -> bool | None:
        """Whether what the clock timed was done in time; None while that is open."""
        if self.late:
            return False
        return True if self.status is Status.FINISHED else None

    @property
    def pauses(self) -> tuple[Pause, ...]:
        """The standings that are over, as ``domain.calendar`` counts with them."""
        return tuple(Pause(begin=each.begin, end=each.end) for each in self.standings if each.end is not None)


class DeadlineSheet(Frozen):
    """All clocks of a case in the order they started, as known at ``at``; rules and calendar are those pinned then."""

    at: Instant
    rules: str
    calendar: str | None
    clocks: tuple[ClockStory, ...]
