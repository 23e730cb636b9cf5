"""The rule book of the demo: the example's limits, and two categories whose clocks can be watched.

Owns the numbers of the demo only. Most requests live by the example's days and hours; a small repair is sealed
seconds after its appraisal, a missing manhole cover runs out of time while one looks on.
"""

from domain.ladder import ClockKind
from domain.limits import limit
from domain.rules import RuleRow, Urgency, WishRules
from ledger.rule_files import example_book

SMALL_REPAIR = "K10"
"""The category whose requests may be reopened for seconds only, so that the timer archives them."""

MISSING_COVER = "K09"
"""The category whose department has seconds to finish, so that its clock runs out."""

CONNECTED = "D08"
"""The department with a system of its own."""

NOT_THEIRS = "K07"
"""What that system returns, to be done by ``THEIR_PROPOSAL``."""

THEIR_PROPOSAL = "D07"
"""The department that system thinks such a request belongs to."""

_example = example_book()
_general = _example.pin(Urgency.GENERAL, None).row
_emergency = _example.pin(Urgency.EMERGENCY, None).row

DEMO_BOOK = _example.model_copy(
    update={
        "version": "demo-2",
        "name": "演示规则（部分时限以秒计）",
        "rows": (
            *_example.rows,
            _general.model_copy(update={"category": SMALL_REPAIR, "reopen_window": limit("2s")}),
            RuleRow(
                urgency=Urgency.EMERGENCY,
                category=MISSING_COVER,
                limits={**_emergency.limits, ClockKind.HANDLE: limit("2s")},
                reopen_window=limit("2s"),
            ),
        ),
        "visit_gap": limit("1s"),
        "wish": WishRules(claim_within=limit("10s"), fulfil_within=limit("30d"), thank_within=limit("7d")),
    }
)
"""What every request of the demo is pinned to."""
