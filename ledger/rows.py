"""The rows of the read models as values; fields are the columns of the tables, in their order.

Owns nothing but the shapes: the projection makes rows of states, the queries make rows of tables. Columns a newer
release has added are passed over. All times are UTC.
"""

import json
import uuid
from typing import Annotated, Any

from pydantic import BeforeValidator

from domain.base import Recalled
from domain.calendar import Pause
from domain.clocks import Clock
from domain.ladder import ClockKind
from domain.limits import Instant, Limit


def _json(value: Any) -> Any:
    """A connection without a codec gives JSON columns as text."""
    return json.loads(value) if isinstance(value, str) else value


class CaseRow(Recalled):
    """One case as lists and boards see it; ``text`` is the redacted text, ``seq`` the last event folded in."""

    id: str
    seq: int
    stage: str
    suspended: bool = False
    shelved: bool = False
    street: str | None = None
    community: str | None = None
    grid: str | None = None
    category: str | None = None
    urgency: str | None = None
    mode: str | None = None
    channel: str | None = None
    source: str | None = None
    external_id: str | None = None
    title: str | None = None
    text: str | None = None
    label: str | None = None
    found_at: Instant | None = None
    registered_at: Instant
    due_at: Instant | None = None
    light: str | None = None
    lead: str | None = None
    departments: tuple[str, ...] = ()
    level: str | None = None
    rework_count: int = 0
    visit_attempts: int = 0
    satisfaction: str | None = None
    solved: bool | None = None
    was_overdue: bool = False
    settled_at: Instant | None = None
    appraised_at: Instant | None = None
    archived_at: Instant | None = None
    finished: bool = False
    rules_version: str | None = None
    opened_by: str | None = None
    updated_at: Instant
    condition: str | None = None
    calendar_version: str | None = None
    backlog: bool = False
    returns: int = 0
    open_orders: int = 0


class CaseFigureRow(Recalled):
    """What one case adds to the figures (``domain.figures.Facts``), and its places. Months are numbers: 202611."""

    id: str
    street: str | None = None
    community: str | None = None
    grid: str | None = None
    category: str | None = None
    urgency: str | None = None
    departments: tuple[str, ...] = ()
    lead: str | None = None
    opened_by: str | None = None
    rules_version: str | None = None
    response: str
    handling: str
    response_rules: str | None = None
    handling_rules: str | None = None
    on_the_spot: bool = False
    finished_once: bool = False
    dispatches: int = 0
    misdirected: int = 0
    returns: int = 0
    reworks: int = 0
    reopenings: int = 0
    urges: int = 0
    urgings: int = 0
    orders: int = 0
    satisfaction: str | None = None
    solved: bool | None = None
    registered_at: Instant
    struck_off_at: Instant | None = None
    published_at: Instant | None = None
    settled_at: Instant | None = None
    registered_month: int
    settled_month: int | None = None


class TaskRow(Recalled):
    """Something somebody must do, open until ``closed_at`` is set."""

    stream: str
    id: str
    process: str
    kind: str
    role: str | None = None
    organisation: str | None = None
    grid: str | None = None
    person: str | None = None
    opened_at: Instant
    due_at: Instant | None = None
    closed_at: Instant | None = None


class ClockRow(Recalled):
    """One clock of a process; ``limit_text`` is the limit as the rule book writes it."""

    stream: str
    id: str
    process: str
    kind: str
    organisation: str | None = None
    limit_text: str
    rules_version: str | None = None
    calendar_version: str | None = None
    started_at: Instant
    warn_at: Instant | None = None
    due_at: Instant | None = None
    provisional: bool = False
    warned_at: Instant | None = None
    overdue_at: Instant | None = None
    stopped_at: Instant | None = None
    state: str
    step: str | None = None
    pauses: Annotated[tuple[Pause, ...], BeforeValidator(_json)] = ()
    extended: tuple[str, ...] = ()
    reached: tuple[str, ...] = ()


def clock_of(row: ClockRow) -> Clock:
    """The clock a row tells of, without the rungs still ahead of it."""
    return Clock(
        id=row.id,
        kind=ClockKind(row.kind),
        organisation=row.organisation,
        step=row.step,
        limit=Limit.model_validate(row.limit_text),
        extended=tuple(Limit.model_validate(each) for each in row.extended),
        rules_version=row.rules_version or "",
        calendar_version=row.calendar_version,
        started_at=row.started_at,
        warn_at=row.warn_at or row.started_at,
        due_at=row.due_at or row.started_at,
        provisional=row.provisional,
        reached=row.reached,
        pauses=row.pauses,
        warned_at=row.warned_at,
        overdue_at=row.overdue_at,
        stopped_at=row.stopped_at,
    )


class NoticeRow(Recalled):
    """One message to whoever holds a role in a place, or to one person; written once."""

    id: uuid.UUID
    stream: str
    seq: int
    process: str
    kind: str
    at: Instant
    role: str | None = None
    organisation: str | None = None
    grid: str | None = None
    person: str | None = None
    params: Annotated[dict[str, str], BeforeValidator(_json)]


class AwaitedRow(Recalled):
    """The moment a process waits for, as its plan names it; None when time alone does nothing more to it."""

    stream: str
    at: Instant | None = None


class WishRow(Recalled):
    """One wish as lists and boards see it."""

    id: str
    seq: int
    stage: str
    street: str | None = None
    community: str | None = None
    grid: str | None = None
    title: str | None = None
    text: str | None = None
    published_at: Instant
    claimed_by: str | None = None
    claimed_at: Instant | None = None
    done_at: Instant | None = None
    thanked_at: Instant | None = None
    lapses_at: Instant | None = None
    finished: bool = False
    updated_at: Instant

    @property
    def departments(self) -> tuple[str, ...]:
        """No department takes part in a wish."""
        return ()

    @property
    def opened_by(self) -> str | None:
        """Nobody's reach goes by who published a wish."""
        return None
