"""Rule books: every number of the trade as versioned data.

Owns the shape of a rule book and the choice of the row that applies to a case. A book is immutable; the opening
event of a process pins the version and the row, so that the past is judged by the rules of its day.
"""

from collections.abc import Mapping
from enum import StrEnum
from functools import cached_property
from typing import Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from domain.base import Frozen, Recalled
from domain.ladder import ClockKind, Rung, lights
from domain.limits import Limit, limit
from domain.text import Code, Line


class Urgency(StrEnum):
    """How pressing a request is (DOMAIN §5)."""

    EMERGENCY = "emergency"
    LIVELIHOOD = "livelihood"
    GENERAL = "general"
    COMPLEX = "complex"


class SuspendReason(StrEnum):
    """The closed list of reasons for which a case may stand still (DOMAIN §3)."""

    AWAITING_PARTY = "awaiting_party"
    FORCE_MAJEURE = "force_majeure"
    COURT_PROCEEDINGS = "court_proceedings"
    CONSTRUCTION_PERIOD = "construction_period"
    AWAITING_DECISION = "awaiting_decision"


SUSPEND_REASON_NAMES: dict[SuspendReason, tuple[str, str]] = {
    SuspendReason.AWAITING_PARTY: ("等待当事人", "waiting for the person concerned"),
    SuspendReason.FORCE_MAJEURE: ("不可抗力", "force majeure"),
    SuspendReason.COURT_PROCEEDINGS: ("司法程序", "court proceedings"),
    SuspendReason.CONSTRUCTION_PERIOD: ("施工周期", "construction period"),
    SuspendReason.AWAITING_DECISION: ("需上级决策", "waiting for a decision from above"),
}


def _natural(*lengths: Limit) -> None:
    for length in lengths:
        if not length.is_natural:
            raise PydanticCustomError("rules.natural_only", "{value}", {"value": str(length)})


class RuleStep(Frozen):
    """One of several results a department owes in turn, each with a limit of its own counted from the dispatch."""

    code: Code
    name: Line
    limit: Limit


class RuleRow(Frozen):
    """The limits of one urgency, of one category within it, or of one condition of that category.

    A clock without a limit does not run. ``extension`` is the longest extension of the department's budget, in the unit
    of that budget; without it there is none.
    """

    urgency: Urgency
    category: Code | None = None
    condition: Line | None = None
    limits: dict[ClockKind, Limit]
    steps: tuple[RuleStep, ...] = ()
    extension: Limit | None = None
    reopen_window: Limit = limit("7d")

    @model_validator(mode="after")
    def _is_of_one_piece(self) -> "RuleRow":
        if self.condition is not None and self.category is None:
            raise PydanticCustomError("rules.condition_alone", "{condition}", {"condition": self.condition})
        if ClockKind.STEP in self.limits:
            raise PydanticCustomError("rules.step_column", "step", {})
        budget = self.limits.get(ClockKind.HANDLE)
        if self.extension is not None and (budget is None or budget.unit != self.extension.unit):
            raise PydanticCustomError(
                "limit.other_unit", "{value}", {"value": str(self.extension), "expected": str(budget or "-")}
            )
        _natural(self.reopen_window)
        codes = [step.code for step in self.steps]
        for code in codes:
            if codes.count(code) > 1:
                raise PydanticCustomError("rules.step_twice", "{step}", {"step": code})
        return self

    def step(self, code: str) -> RuleStep | None:
        """The step of this code."""
        return next((step for step in self.steps if step.code == code), None)


class ChannelRule(Frozen):
    """Further limits for requests from one channel, for instance a public answer in a chat group within 1 h (S4)."""

    channel: Code
    limits: dict[ClockKind, Limit]


def limits_of(row: RuleRow, channel: ChannelRule | None) -> dict[tuple[ClockKind, str | None], Limit]:
    """The limits of all clocks of a case, by kind and step; those of the channel come after those of the row."""
    limits: dict[tuple[ClockKind, str | None], Limit] = {}
    for each in (channel.limits if channel else {}, row.limits):
        limits |= {(kind, None): length for kind, length in each.items()}
    return limits | {(ClockKind.STEP, step.code): step.limit for step in row.steps}


class SuspensionRule(Frozen):
    """How long a case may stand still for one reason, all its suspensions for that reason together."""

    reason: SuspendReason
    longest: Limit

    @model_validator(mode="after")
    def _is_natural(self) -> "SuspensionRule":
        _natural(self.longest)
        return self


class Pinned(Recalled):
    """The rules a case lives by from its opening: versions, row and the counts that go with it."""

    version: str
    calendar: str | None = None
    row: RuleRow
    rework_most: int
    visit_attempts: int
    visit_gap: Limit


class WishRules(Frozen):
    """How long a wish waits to be claimed, to be fulfilled and to be thanked for."""

    claim_within: Limit = limit("14d")
    fulfil_within: Limit = limit("30d")
    thank_within: Limit = limit("7d")

    @model_validator(mode="after")
    def _is_natural(self) -> "WishRules":
        _natural(self.claim_within, self.fulfil_within, self.thank_within)
        return self


_SUSPENSIONS = tuple(
    SuspensionRule(reason=reason, longest=limit(longest))
    for reason, longest in (
        (SuspendReason.AWAITING_PARTY, "15d"),
        (SuspendReason.FORCE_MAJEURE, "30d"),
        (SuspendReason.COURT_PROCEEDINGS, "180d"),
        (SuspendReason.CONSTRUCTION_PERIOD, "90d"),
        (SuspendReason.AWAITING_DECISION, "30d"),
    )
)


class RuleBook(Frozen):
    """One version of the rules of an office; all defaults are 示例 (DOMAIN §3).

    Exactly one row without a category exists for each urgency, at most one for each category within it and for each
    condition of that category. ``return_within`` is counted from the dispatch; ``returns_per_case`` returns and no more
    may be made before the street arbitrates. At most ``ask_most`` questions to the resident
    let the contact clock stand still. ``ask_within``, ``shelf_review_within`` and ``backlog_after`` are natural.
    """

    version: Code
    name: Line
    rows: tuple[RuleRow, ...]
    ladder: tuple[Rung, ...] = Field(default=tuple(Rung.model_validate(rung) for rung in lights(80)))
    channels: tuple[ChannelRule, ...] = ()
    suspensions: tuple[SuspensionRule, ...] = _SUSPENSIONS
    rework_most: int = Field(default=2, ge=0, le=20)
    visit_attempts: int = Field(default=3, ge=1, le=20)
    visit_gap: Limit = limit("2h")
    extension_most: int = Field(default=1, ge=0, le=20)
    return_within: Limit = limit("1wd")
    returns_per_unit: int = Field(default=1, ge=0, le=20)
    returns_per_case: int = Field(default=2, ge=0, le=20)
    ask_within: Limit = limit("5d")
    ask_most: int = Field(default=3, ge=0, le=100)
    shelf_review_within: Limit = limit("30d")
    backlog_after: Limit = limit("60d")
    wish: WishRules = WishRules()

    @model_validator(mode="before")
    @classmethod
    def _lights_of_an_older_book(cls, value: Any) -> Any:
        # Books of the first release had no ladder but the share of time after which a light turns yellow.
        if isinstance(value, dict) and "warn_percent" in value:
            value = dict(value)
            percent = value.pop("warn_percent")
            value.setdefault("ladder", lights(percent))
        return value

    @model_validator(mode="after")
    def _is_complete(self) -> "RuleBook":
        keys = [(row.urgency, row.category, row.condition) for row in self.rows]
        for urgency in Urgency:
            if (urgency, None, None) not in keys:
                raise PydanticCustomError("rules.row_missing", "{urgency}", {"urgency": urgency.value})
        for key in keys:
            if keys.count(key) > 1:
                parts = " ".join(part for part in key if part)
                raise PydanticCustomError("rules.row_twice", "{row}", {"row": parts})
        _once("rung", [rung.code for rung in self.ladder])
        _once("channel", [rule.channel for rule in self.channels])
        _once("suspension", [rule.reason.value for rule in self.suspensions])
        _natural(self.ask_within, self.shelf_review_within, self.backlog_after, self.visit_gap)
        return self

    def pin(
        self, urgency: Urgency, category: str | None, condition: str | None = None, *, calendar: str | None = None
    ) -> Pinned:
        """The rules for a case: the row of its condition, else of its category, else of its urgency."""
        return Pinned(
            version=self.version,
            calendar=calendar,
            row=self.row(urgency, category, condition),
            rework_most=self.rework_most,
            visit_attempts=self.visit_attempts,
            visit_gap=self.visit_gap,
        )

    def row(self, urgency: Urgency, category: str | None, condition: str | None = None) -> RuleRow:
        """The row that applies."""
        for key in ((urgency, category, condition), (urgency, category, None)):
            if key in self._rows:
                return self._rows[key]
        return self._rows[urgency, None, None]

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> "RuleBook":
        """A copy that is checked like any other book; pydantic's own would keep the old table of rows."""
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        return type(self).model_validate({**fields, **(update or {})})

    @cached_property
    def _rows(self) -> dict[tuple[Urgency, str | None, str | None], RuleRow]:
        return {(row.urgency, row.category, row.condition): row for row in self.rows}

    def channel(self, code: str) -> ChannelRule | None:
        """The further limits of a channel."""
        return next((rule for rule in self.channels if rule.channel == code), None)

    def longest_suspension(self, reason: SuspendReason) -> Limit | None:
        """How long a case may stand still for ``reason``; None when not at all."""
        return next((rule.longest for rule in self.suspensions if rule.reason == reason), None)


def _once(what: str, codes: list[str]) -> None:
    for code in codes:
        if codes.count(code) > 1:
            raise PydanticCustomError("rules.twice", "{what} {name}", {"what": what, "name": code})
