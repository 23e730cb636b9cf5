"""Rule books: every number of the trade as versioned data.

Owns the shape of a rule book and the choice of the row that applies to a case. A book is immutable; the opening
event of a process pins the version and the row, so that the past is judged by the rules of its day.
"""

from enum import StrEnum

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from domain.base import Frozen, Recalled
from domain.limits import Limit, limit
from domain.text import Code, Line


class Urgency(StrEnum):
    """How pressing a request is (DOMAIN §5)."""

    EMERGENCY = "emergency"
    LIVELIHOOD = "livelihood"
    GENERAL = "general"
    COMPLEX = "complex"


class ClockKind(StrEnum):
    """What a clock times. Each kind is a column of the rule book."""

    PLACE = "place"
    DISPATCH = "dispatch"
    SIGN_FOR = "sign_for"
    CONTACT = "contact"
    HANDLE = "handle"
    VERIFY = "verify"
    SIGN = "sign"
    FEED_BACK = "feed_back"
    VISIT = "visit"
    APPRAISE = "appraise"


class RuleRow(Frozen):
    """The limits of one urgency, or of one category within it. A clock without a limit does not run."""

    urgency: Urgency
    category: Code | None = None
    limits: dict[ClockKind, Limit]
    reopen_window: Limit


class Pinned(Recalled):
    """The rules a case lives by from its opening: version, row and the counts that go with it."""

    version: str
    row: RuleRow
    warn_percent: int
    rework_most: int
    visit_attempts: int
    visit_gap: Limit


class WishRules(Frozen):
    """How long a wish waits to be claimed, to be fulfilled and to be thanked for."""

    claim_within: Limit = limit("14d")
    fulfil_within: Limit = limit("30d")
    thank_within: Limit = limit("7d")


class RuleBook(Frozen):
    """One version of the rules of an office.

    Exactly one row without a category exists for each urgency, at most one for each category within it.
    """

    version: Code
    name: Line
    rows: tuple[RuleRow, ...]
    warn_percent: int = Field(default=80, ge=1, le=99)
    rework_most: int = Field(default=2, ge=0, le=20)
    visit_attempts: int = Field(default=3, ge=1, le=20)
    visit_gap: Limit = limit("2h")
    wish: WishRules = WishRules()

    @model_validator(mode="after")
    def _rows_are_complete(self) -> "RuleBook":
        keys = [(row.urgency, row.category) for row in self.rows]
        for urgency in Urgency:
            if (urgency, None) not in keys:
                raise PydanticCustomError("rules.row_missing", "{urgency}", {"urgency": urgency.value})
        for key in keys:
            if keys.count(key) > 1:
                raise PydanticCustomError(
                    "rules.row_twice", "{urgency} {category}", {"urgency": key[0].value, "category": key[1] or "-"}
                )
        return self

    def pin(self, urgency: Urgency, category: str | None) -> Pinned:
        """The rules for a case of this urgency and category: the category's own row, else the row of the urgency."""
        rows = {(row.urgency, row.category): row for row in self.rows}
        row = rows.get((urgency, category)) or rows[urgency, None]
        return Pinned(
            version=self.version,
            row=row,
            warn_percent=self.warn_percent,
            rework_most=self.rework_most,
            visit_attempts=self.visit_attempts,
            visit_gap=self.visit_gap,
        )


_COLUMNS = (
    ClockKind.DISPATCH,
    ClockKind.SIGN_FOR,
    ClockKind.CONTACT,
    ClockKind.HANDLE,
    ClockKind.VERIFY,
    ClockKind.SIGN,
    ClockKind.FEED_BACK,
    ClockKind.VISIT,
    ClockKind.APPRAISE,
    ClockKind.PLACE,
)


def _row(urgency: Urgency, *limits: str) -> RuleRow:
    columns = dict(zip(_COLUMNS, map(limit, limits), strict=True))
    return RuleRow(urgency=urgency, limits=columns, reopen_window=limit("7d"))


EXAMPLE_BOOK = RuleBook(
    version="example-1",
    name="示例规则（自然时）",
    rows=(
        #              dispatch sign contact handle verify sign feed visit appraise place
        _row(Urgency.EMERGENCY, "1h", "15m", "30m", "24h", "2h", "2h", "2h", "24h", "3d", "15m"),
        _row(Urgency.LIVELIHOOD, "2h", "1h", "2h", "24h", "8h", "8h", "8h", "24h", "3d", "1h"),
        _row(Urgency.GENERAL, "24h", "8h", "24h", "7d", "24h", "24h", "24h", "24h", "3d", "24h"),
        _row(Urgency.COMPLEX, "24h", "24h", "24h", "15d", "2d", "24h", "24h", "2d", "3d", "24h"),
    ),
)
"""The book a new office starts with: DOMAIN §5 (示例) in natural time; replaced by the office's own."""
