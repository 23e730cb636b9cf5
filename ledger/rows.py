"""The rows of the read models as values; fields are the columns of the tables, in their order.

Owns nothing but the shapes: the projection makes rows of states, the queries make rows of tables. All times are UTC.
"""

from domain.base import Frozen
from domain.limits import Instant


class CaseRow(Frozen):
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


class TaskRow(Frozen):
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


class ClockRow(Frozen):
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


class WishRow(Frozen):
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
