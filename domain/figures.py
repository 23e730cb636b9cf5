"""The rates of the office (DOMAIN §6): what each figure is called, what it counts, and what a case adds to it.

Owns the words of every figure and the facts of a case that figures are made of. Everything is judged by what was
recorded in its day: a limit counts as missed where the ledger says that it was, never by today's rules (DOMAIN §7.8).
Counts are whole numbers and rates are fractions; nothing is rounded before it is shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from domain.base import Frozen
from domain.case.state import Case
from domain.case.vocabulary import Satisfaction, Stage
from domain.ladder import ClockKind
from domain.limits import Instant

Words = tuple[str, str]
"""The same in Chinese and in English."""


class Basis(StrEnum):
    """The moment by which a case falls into a period."""

    REGISTERED = "registered"
    SETTLED = "settled"


BASIS_NAMES: Mapping[Basis, Words] = {
    Basis.REGISTERED: ("按登记时间", "by registration"),
    Basis.SETTLED: ("按结账时间", "by settlement"),
}


class Kind(StrEnum):
    """What comes of base and hit: their share, a mean of points, or the hits alone."""

    RATE = "rate"
    POINTS = "points"
    COUNT = "count"


class Outcome(StrEnum):
    """How a limit of a case came out, or why nothing can be said of it (yet)."""

    IN_TIME = "in_time"
    LATE = "late"
    OVERDUE = "overdue"
    MISSED = "missed"
    OPEN = "open"
    NOT_DISPATCHED = "not_dispatched"
    ON_THE_SPOT = "on_the_spot"
    ENDED = "ended"
    NO_LIMIT = "no_limit"


OUTCOME_NAMES: Mapping[str, Words] = {
    "in_time": ("按期", "in time"),
    "late": ("超期完成", "done late"),
    "overdue": ("超期未完成", "overdue, not done"),
    "missed": ("销账前未联系", "never contacted"),
    "open": ("未到期", "not due yet"),
    "not_dispatched": ("尚未派单", "not dispatched yet"),
    "on_the_spot": ("现场办结，不设此时限", "handled on the spot, has no such limit"),
    "ended": ("不予受理或已撤回", "declined or withdrawn"),
    "no_limit": ("规则未设此时限", "the rules set no such limit"),
    "unreached": ("未能联系", "not reached"),
}
"""Outcomes and the reasons why a case cannot be assessed; ``unreached`` belongs to the resident's word."""

SATISFACTION_POINTS: Mapping[Satisfaction, int] = {
    Satisfaction.VERY_SATISFIED: 100,
    Satisfaction.SATISFIED: 80,
    Satisfaction.FAIR: 50,
    Satisfaction.DISSATISFIED: 0,
    Satisfaction.VERY_DISSATISFIED: -100,
}
"""What an answer is worth; of several answers in one case the worst counts."""

CONTENT = (Satisfaction.VERY_SATISFIED, Satisfaction.SATISFIED)
"""The answers that count as satisfied."""


@dataclass(frozen=True)
class Measure:
    """A figure: its name and formula in words, what is counted above and below the line, and by which period.

    ``base`` is None for plain counts. ``unit`` is what the hits are counted in.
    """

    code: str
    name: Words
    formula: Words
    hit: Words
    base: Words | None
    basis: Basis
    why: Words
    kind: Kind = Kind.RATE
    unit: Words = ("件", "cases")


_BY_START: Words = (
    "按登记时间统计：同一批诉求，不论拖到何时，都算在登记的那段时间里",
    "by registration: no case drifts into another period by being slow",
)
_BY_END: Words = ("按结账时间统计：居民评价在结账时才有定论", "by settlement: only then the resident's word stands")

MEASURES: tuple[Measure, ...] = (
    Measure(
        "response", ("响应率", "response rate"),
        ("时限内联系诉求人的件数 ÷ 可考核件数", "contacted in time ÷ assessable"),
        ("时限内已联系", "contacted in time"), ("可考核", "assessable"), Basis.REGISTERED, _BY_START,
    ),
    Measure(
        "solved", ("解决率", "solution rate"),
        ("居民认为已解决的件数 ÷ 已作评价的件数（以最后一次评价为准）",
         "residents saying solved ÷ assessed for solution (the last answer counts)"),
        ("居民认为已解决", "solved in the resident's word"), ("已评价是否解决", "assessed for solution"),
        Basis.SETTLED, _BY_END,
    ),
    Measure(
        "satisfied", ("满意率", "satisfaction rate"),
        ("评价为非常满意或满意的件数 ÷ 已评价件数（多次评价取最差一次）",
         "very satisfied or satisfied ÷ assessed for satisfaction (the worst of several answers counts)"),
        ("满意", "satisfied"), ("已评价满意度", "assessed for satisfaction"), Basis.SETTLED, _BY_END,
    ),
    Measure(
        "points", ("满意度平均分", "mean satisfaction"),
        ("满意度得分之和 ÷ 已评价件数（非常满意 100、满意 80、一般 50、不满意 0、非常不满意 −100，多次评价取最差一次）",
         "sum of points ÷ assessed for satisfaction (100, 80, 50, 0, −100; the worst of several answers counts)"),
        ("得分之和", "sum of points"), ("已评价满意度", "assessed for satisfaction"), Basis.SETTLED, _BY_END,
        Kind.POINTS, ("分", "points"),
    ),
    Measure(
        "on_time", ("按期处置率", "handled in time"),
        ("按期处置件数 ÷（已处置件数 + 超期未处置件数）", "done in time ÷ (done + overdue and not done)"),
        ("按期处置", "done in time"), ("应处置", "done, or overdue"), Basis.REGISTERED, _BY_START,
    ),
    Measure(
        "rework", ("返工率", "rework rate"),
        ("返工次数 ÷ 应结案件数（曾销账或现场办结的件数）；一件返工多次按次计",
         "reworks ÷ cases that should be closed (once struck off or handled on the spot); every rework counts"),
        ("返工", "reworks"), ("应结案", "should be closed"), Basis.REGISTERED, _BY_START,
        unit=("次", "reworks"),
    ),
    Measure(
        "accurate", ("准确派遣率", "accurate dispatch"),
        ("（主办派单次数 − 退单成立次数）÷ 主办派单次数；退单待裁决的暂不算错",
         "(dispatches to a lead − returns found justified) ÷ dispatches to a lead; undecided returns count as right"),
        ("派遣准确", "dispatched rightly"), ("主办派单", "dispatches to a lead"), Basis.REGISTERED, _BY_START,
        unit=("次", "dispatches"),
    ),
    Measure(
        "first_time", ("一次办结率", "settled at the first go"),
        ("结账且从未返工、重开的件数 ÷ 结账件数", "settled without rework or reopening ÷ settled"),
        ("一次办结", "settled at the first go"), ("已结账", "settled"), Basis.SETTLED, _BY_END,
    ),
    Measure(
        "registered", ("登记", "registered"), ("登记的件数", "cases registered"),
        ("登记", "registered"), None, Basis.REGISTERED, _BY_START, Kind.COUNT,
    ),
    Measure(
        "settled", ("结账", "settled"), ("结账的件数", "cases settled"),
        ("结账", "settled"), None, Basis.SETTLED, _BY_END, Kind.COUNT,
    ),
    Measure(
        "overdue", ("处置超期", "handling overdue"), ("处置时限曾超期的件数（含已完成与未完成）",
         "cases whose handling limit was missed, done or not"),
        ("处置超期", "handling overdue"), None, Basis.REGISTERED, _BY_START, Kind.COUNT,
    ),
    Measure(
        "returned", ("退单", "returns"), ("部门退单的次数（含协办，不论是否成立）",
         "returns by departments, helpers' too, justified or not"),
        ("退单", "returns"), None, Basis.REGISTERED, _BY_START, Kind.COUNT, ("次", "returns"),
    ),
    Measure(
        "urged", ("催办", "urgings"), ("人工催办与催办通知书的次数", "reminders by hand and written urgings"),
        ("催办", "urgings"), None, Basis.REGISTERED, _BY_START, Kind.COUNT, ("次", "urgings"),
    ),
    Measure(
        "supervised", ("督办", "supervision orders"), ("督办单的份数", "supervision orders"),
        ("督办", "supervision orders"), None, Basis.REGISTERED, _BY_START, Kind.COUNT, ("份", "orders"),
    ),
)  # fmt: skip
"""Every figure, in the order they are shown."""

BY_CODE: Mapping[str, Measure] = {each.code: each for each in MEASURES}


class Figure(Frozen):
    """A figure for some cases: what stands below and above the line, and how many cases could not be assessed, by
    reason."""

    measure: str
    base: int
    hit: int
    apart: Mapping[str, int] = {}

    @property
    def value(self) -> Fraction | None:
        """The rate or mean exactly; for counts the hits; None where nothing is below the line."""
        if BY_CODE[self.measure].kind is Kind.COUNT:
            return Fraction(self.hit)
        return Fraction(self.hit, self.base) if self.base else None

    @property
    def shown(self) -> str:
        """The figure as people read it, rounded at this last moment; ``-`` where there is none."""
        kind, value = BY_CODE[self.measure].kind, self.value
        if kind is Kind.COUNT:
            return str(self.hit)
        if value is None:
            return "-"
        return f"{rounded(value * 100)}%" if kind is Kind.RATE else f"{rounded(value)}"


def rounded(value: Fraction) -> Decimal:
    """The value with one digit after the point, halves to even; a little is not shown as nothing, nor 99.99 as 100."""
    found = (Decimal(value.numerator) / Decimal(value.denominator)).quantize(Decimal("0.1"), ROUND_HALF_EVEN)
    if found == 100 and value < 100:
        return Decimal("99.9")
    if found == 0:
        return Decimal("0.0") if value == 0 else Decimal("0.1") if value > 0 else Decimal("-0.1")
    return found


class Facts(NamedTuple):
    """What a case adds to the figures; a fold of its facts like everything in the read models.

    ``dispatches`` are those to a lead, ``misdirected`` how many of them a return has been found justified for;
    ``returns`` all returns. ``urges`` were made by hand, ``urgings`` are written ones, ``orders`` a supervisor's.
    ``satisfaction`` is the worst answer and ``solved`` the last one. ``struck_off_at`` and ``published_at`` hold of the
    present round only: rework takes both back.
    """

    response: Outcome
    handling: Outcome
    response_rules: str | None = None
    handling_rules: str | None = None
    finished_once: bool = False
    dispatches: int = 0
    misdirected: int = 0
    returns: int = 0
    reworks: int = 0
    reopenings: int = 0
    urges: int = 0
    urgings: int = 0
    orders: int = 0
    satisfaction: Satisfaction | None = None
    solved: bool | None = None
    struck_off_at: Instant | None = None
    published_at: Instant | None = None


_BEFORE_WORK = (Stage.REGISTERED, Stage.WHISTLED)
_ENDED = (Stage.DECLINED, Stage.WITHDRAWN)


def facts_of(case: Case) -> Facts:
    """What the case adds to the figures as it stands."""
    leads = [part for part in case.assignments if part.lead]
    sent_back = sum(1 for part in leads if part.returned_at is not None)
    response, response_rules = _outcome(case, ClockKind.CONTACT)
    handling, handling_rules = _outcome(case, ClockKind.HANDLE)
    return Facts(
        response=response,
        handling=handling,
        response_rules=response_rules,
        handling_rules=handling_rules,
        finished_once=case.round > 0 or case.tally.struck_off_at is not None,
        dispatches=len(leads),
        # While the street has not decided yet, nobody has found the return justified.
        misdirected=sent_back - int(case.stage is Stage.RETURNED and sent_back > 0),
        returns=len(case.returns),
        reworks=case.rework_count,
        reopenings=case.round - case.rework_count,
        urges=case.tally.urges,
        urgings=sum(1 for order in case.orders if order.urging),
        orders=sum(1 for order in case.orders if not order.urging),
        satisfaction=case.tally.worst,
        solved=case.solved,
        struck_off_at=case.tally.struck_off_at,
        published_at=case.tally.published_at,
    )


def _outcome(case: Case, kind: ClockKind) -> tuple[Outcome, str | None]:
    """How the limit of this kind came out, and the version of the rules it was counted by."""
    clock = next((each for each in case.clocks if each.kind is kind), None)
    if clock is None:
        return _without(case), None
    contact = kind is ClockKind.CONTACT
    is_open = clock.is_running or clock.id in case.standing
    done = case.contacted_at is not None if contact else not is_open
    if clock.overdue_at is not None:
        found = Outcome.LATE if done and case.stage not in _ENDED else Outcome.OVERDUE
    elif case.stage in _ENDED and not (contact and done):
        found = Outcome.ENDED
    elif done:
        found = Outcome.IN_TIME
    else:
        found = Outcome.OPEN if is_open else Outcome.MISSED
    return found, clock.rules_version


def _without(case: Case) -> Outcome:
    if case.stage in _ENDED:
        return Outcome.ENDED
    if case.stage in _BEFORE_WORK:
        return Outcome.NOT_DISPATCHED
    return Outcome.NO_LIMIT if case.assignments else Outcome.ON_THE_SPOT
