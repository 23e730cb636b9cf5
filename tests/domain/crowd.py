"""A crowd for property tests: who there is, what they may try, and the way a case goes when nobody is in its way."""

from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from domain.calendar import Day
from domain.case.state import Case
from domain.case.vocabulary import Stage
from domain.clocks import Clock
from domain.people import RULES_OFFICE, Actor, Role
from domain.process import World
from domain.registry_check import registry_of
from domain.rules import RuleBook, SuspendReason, Urgency
from tests.domain import routes as r
from tests.neighbourhood import (
    ACTORS,
    AFTER,
    BEFORE,
    CALENDAR,
    DIGEST,
    EVERYDAY,
    EXAMPLE_BOOK,
    FAR_GRID,
    GRID,
    HELPER,
    LEAD,
    NATURAL_BOOK,
    ORDINARY,
    OTHER,
    OTHER_GRID,
    REGISTRY,
    raw_registry,
)

SPAN = st.one_of(
    st.just(timedelta(0)),
    st.integers(1, 90).map(lambda minutes: timedelta(minutes=minutes)),
    st.integers(1, 72).map(lambda hours: timedelta(hours=hours)),
    st.integers(1, 20).map(lambda days: timedelta(days=days)),
)

TURNS = st.one_of(st.integers(2, 5), st.integers(0, 24)).flatmap(
    lambda count: st.lists(st.integers(0, 35), min_size=count, max_size=count)
)

# People with one account too many, and people from elsewhere.
STRANGERS = {
    "handler as worker": Actor(person="handler", role=Role.GRID_WORKER, grid=GRID),
    "helper as head": Actor(person="helper", role=Role.GRID_HEAD, grid=GRID),
    "checker as head": Actor(person="checker", role=Role.GRID_HEAD, grid=GRID),
    "captain as head": Actor(person="captain", role=Role.GRID_HEAD, grid=GRID),
    "far dispatcher": Actor(person="far", role=Role.STREET_DISPATCHER, organisation="S02"),
    "neighbour": Actor(person="resident-2", role=Role.RESIDENT),
}
PEOPLE = {**ACTORS, **STRANGERS, "rules office": RULES_OFFICE}

UNLAWFUL = "E0101"
"""The category of the shipped book that owes its results in steps."""

_department = st.sampled_from([LEAD, HELPER, OTHER])
_evidence = st.sampled_from([[], [AFTER], [BEFORE, AFTER]])
_urgency = st.sampled_from([urgency.value for urgency in Urgency])
_grid = st.sampled_from([GRID, OTHER_GRID, FAR_GRID])
_unit = st.sampled_from([LEAD, HELPER, OTHER, "C01", "S01"])
# Filled with a moment that lies so far ahead when the command is given.
_ahead = st.sampled_from(["+0d", "+1d", "+1d", "+3d", "+3d", "+20d", "+40d"])


def _made(base: Any, **choices: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({**{key: st.just(value) for key, value in base.items()}, **choices})


REGISTERING = _made(
    r.UNPLACED,
    grid=st.sampled_from([GRID, GRID, GRID, None]),
    category=st.sampled_from([EVERYDAY, ORDINARY, UNLAWFUL, None]),
    channel=st.sampled_from(["grid", "chat_group"]),
    urgency=_urgency,
)
COMMANDS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "handle_on_spot": _made(r.ON_THE_SPOT, evidence=_evidence),
    "decline": _made(r.DECLINE),
    "withdraw": _made(r.WITHDRAW),
    "whistle": _made(r.WHISTLE, departments=st.lists(_department, max_size=3), urgency=st.none() | _urgency,
                     approver=st.sampled_from(["approver", "community", "nobody"])),
    "dispatch": _made(r.DISPATCH, lead=_department, helpers=st.lists(_department, max_size=2)),
    "accept": _made(r.ACCEPT),
    "arrive": _made(r.ARRIVE),
    "report_progress": _made(r.PROGRESS, contacted=st.booleans(),
                             step=st.sampled_from([None, None, "stop", "penalty", "removal", "answer"])),
    "hand_over": _made(r.HAND_OVER, to=st.sampled_from(["handler", "department-head", "helper", "dispatcher"])),
    "add_helper": _made(r.ADD_HELPER, department=_department),
    "return_task": _made(r.RETURN, proposed=_department),
    "arbitrate": _made(r.ARBITRATE, lead=st.none() | _department, helpers=st.lists(_department, max_size=2),
                       decision=st.sampled_from(["force", "force", "redispatch", "name_lead", "take_over"])),
    "request_extension": _made(r.MORE_TIME, length=st.sampled_from(["fit", "fit", "fit", "3wd", "11wd", "2d"])),
    "decide_extension": _made(r.GRANT, granted=st.sampled_from([True, True, False]),
                              length=st.sampled_from([None, None, "1wd", "6h"])),
    "suspend": _made(r.SUSPEND, reason=st.sampled_from([reason.value for reason in SuspendReason]),
                     until=st.none() | _ahead),
    "resume": _made(r.RESUME),
    "shelve": _made(r.SHELVE, reviews=st.lists(_ahead, min_size=1, max_size=3)),
    "unshelve": _made(r.UNSHELVE),
    "ask_resident": _made(r.ASK),
    "record_reply": _made(r.REPLY),
    "urge": _made(r.URGE, to=st.none() | _unit),
    "supervise": _made(r.SUPERVISE, to=_unit, reply_within=st.sampled_from([None, None, "3h", "2wd"])),
    "reply_supervision": _made(r.ANSWER_ORDER, order=st.integers(1, 3)),
    "adopt_rules": _made(r.ADOPT, rules=st.sampled_from([None, "natural-1", "example-2", "sparse", "strict", "lax"]),
                         calendar=st.sampled_from([None, "cn-2020-2026", "cn-2027"])),
    "strike_off": _made(r.STRIKE_OFF, evidence=_evidence),
    "verify": _made(r.VERIFY, passed=st.sampled_from([True, True, False])),
    "sign": _made({"kind": "sign"}, digest=st.sampled_from(["the right one", "the right one", DIGEST])),
    "refuse_signature": _made(r.REFUSE),
    "feed_back": _made(r.TELL_RESIDENT, to=st.sampled_from(["department", "resident"])),
    "visit": st.sampled_from([dict(r.CONTENT), dict(r.UNHAPPY), dict(r.SILENT), {**r.CONTENT, "solved": False}]),
    "appraise": _made(r.APPRAISE, department=_department),
    "reopen": _made(r.REOPEN),
    "comment": _made(r.COMMENT, public=st.booleans()),
    "attach": _made(r.ATTACH),
    "correct": _made(r.CORRECT, grid=st.none() | _grid, urgency=st.none() | _urgency,
                     category=st.sampled_from([None, EVERYDAY, ORDINARY, UNLAWFUL])),
}  # fmt: skip

# Who may do what is tested in the tables; here mostly the right people act, or nothing would ever get far.
LIKELY: dict[str, list[str]] = {
    "handle_on_spot": ["worker"], "decline": ["community"], "withdraw": ["resident"], "whistle": ["community"],
    "dispatch": ["dispatcher"], "accept": ["handler", "helper", "other"], "arrive": ["handler", "helper", "other"],
    "report_progress": ["handler", "helper", "other"], "return_task": ["handler", "helper", "other"],
    "strike_off": ["handler", "helper", "other"], "verify": ["checker"], "sign": ["captain", "head"],
    "refuse_signature": ["captain", "head"], "feed_back": ["worker"], "visit": ["worker", "community"],
    "appraise": ["community"], "reopen": ["resident", "worker"], "comment": ["resident", "community"],
    "attach": ["worker"], "correct": ["dispatcher"], "hand_over": ["handler", "helper", "other", "dispatcher"],
    "add_helper": ["handler", "helper", "other"], "arbitrate": ["dispatcher"],
    "request_extension": ["handler", "helper", "other", "dispatcher"], "decide_extension": ["dispatcher"],
    "suspend": ["dispatcher"], "resume": ["dispatcher"], "shelve": ["dispatcher"], "unshelve": ["dispatcher"],
    "ask_resident": ["handler", "community", "other"], "record_reply": ["resident", "handler"],
    "urge": ["supervisor", "community"], "supervise": ["supervisor"],
    "reply_supervision": ["handler", "helper", "other", "community", "dispatcher"], "adopt_rules": ["rules office"],
}  # fmt: skip
# Acts that end or void a case stay rare, so that the far stages are reached.
RARE = ("decline", "withdraw", "refuse_signature", "reopen", "correct")
USUAL = tuple(kind for kind in COMMANDS if kind not in RARE)

WITH_DEPARTMENTS = (Stage.DISPATCHED, Stage.HANDLING, Stage.RETURNED)
MOMENTS = st.integers(0, 600).map(lambda minutes: timedelta(minutes=minutes))
"""From now to a working day later: departments at work."""


def fitting(case: Case) -> list[str]:
    """What could be tried with a case that lies with departments, the likelier the oftener; some of it is refused."""
    kinds = ["accept", "return_task", "hand_over", "add_helper", "ask_resident", "report_progress", "strike_off"]
    kinds += ["accept", "return_task", "supervise", "adopt_rules", "adopt_rules", "correct"]
    waiting = {
        "arbitrate": case.stage == Stage.RETURNED,
        "request_extension": case.stage == Stage.HANDLING and case.extension_request is None,
        "decide_extension": case.extension_request is not None,
        "record_reply": case.question is not None,
        "reply_supervision": bool(case.open_orders),
        "resume": case.suspension is not None,
        "unshelve": case.shelf is not None,
        "suspend": case.suspension is None and case.shelf is None and case.stage != Stage.RETURNED,
        "shelve": case.suspension is None,
    }
    return kinds + 3 * [kind for kind, fits in waiting.items() if fits]


def straight_on(case: Case, turn: int) -> tuple[dict[str, Any], str]:
    """The next act on the way of this case and who does it; ``turn`` chooses where there is a choice."""
    match case.stage:
        case Stage.REGISTERED | Stage.WHISTLED | Stage.RETURNED:
            return _to_a_department(case, turn)
        case Stage.DISPATCHED | Stage.HANDLING:
            return _in_a_department(case, turn)
        case Stage.STRUCK_OFF:
            return dict(r.FAIL if turn % 9 == 8 else r.VERIFY), "checker"
        case Stage.VERIFIED:
            return dict(r.REFUSE) if turn % 9 == 8 else r.sign(case), "captain" if turn % 2 else "head"
        case Stage.SIGNED:
            return {**r.TELL_RESIDENT, "to": "resident" if "department" in case.fed_back else "department"}, "worker"
        case Stage.FED_BACK | Stage.ON_THE_SPOT:
            return dict((r.CONTENT, r.CONTENT, r.SILENT, r.UNHAPPY)[turn % 4]), "community"
        case _ if turn % 5 == 4:
            return dict(r.REOPEN), "resident"
        case _:
            waiting = [part.department for part in case.assignments if part.returned_at is None and not part.scores]
            return {**r.APPRAISE, "department": waiting[0] if waiting else LEAD}, "community"


def _to_a_department(case: Case, turn: int) -> tuple[dict[str, Any], str]:
    if case.stage == Stage.REGISTERED:
        if case.place.grid is None:
            return {**r.CORRECT, "grid": GRID}, "dispatcher"
        if case.everyday and turn % 2:
            return dict(r.ON_THE_SPOT), "worker"
        return {**r.WHISTLE, "urgency": None}, "community" if case.place.community == "C01" else "far-community"
    if case.shelf is not None:
        return dict(r.UNSHELVE), "dispatcher"
    if case.to_arbitration:
        return dict((r.FORCE, r.FORCE, r.TAKE_OVER, r.NAME_LEAD)[turn % 4]), "dispatcher"
    lead, helper = [(LEAD, HELPER), (HELPER, OTHER), (OTHER, LEAD), (LEAD, OTHER)][turn % 4]
    return {**r.DISPATCH, "lead": lead, "helpers": [helper][: turn // 4 % 2]}, "dispatcher"


def _in_a_department(case: Case, turn: int) -> tuple[dict[str, Any], str]:
    parts = [part for part in case.assignments if part.is_open]
    part = next((part for part in parts if not part.lead), parts[0])
    raw = dict(r.STRIKE_OFF if part.accepted_at else r.ACCEPT)
    owed = [step.code for step in case.rules.row.steps[:-1] if step.code not in case.steps_done]
    if part.lead and part.accepted_at and owed:
        raw = {**r.PROGRESS, "step": owed[0]}
    if turn % 6 == 5:
        raw = {**r.RETURN, "proposed": {LEAD: OTHER, OTHER: HELPER}.get(part.department, LEAD)}
    return raw, _OF_DEPARTMENTS[part.department]


# Who acts for a department, and for the street that has taken a case over.
_OF_DEPARTMENTS = {LEAD: "handler", HELPER: "helper", OTHER: "other", "S01": "dispatcher"}


def _book(base: RuleBook, version: str, limits: dict[str, str], **changes: Any) -> RuleBook:
    raw = base.model_dump(mode="json") | {"version": version} | changes
    # The longest extension is as long as the budget.
    rows = [row | {"limits": row["limits"] | limits, "extension": limits["handle"]} for row in raw["rows"]]
    return RuleBook.model_validate(raw | {"rows": rows})


# The same book with everything that can be left out left out: clocks without a limit do not run.
SPARSE = RuleBook.model_validate(
    {
        **NATURAL_BOOK.model_dump(mode="json"),
        "version": "sparse",
        "rework_most": 0,
        "rows": [
            {**row.model_dump(mode="json"), "limits": {"handle": "2d", "sign_for": "1h"}} for row in NATURAL_BOOK.rows
        ],
    }
)
STRICT = _book(EXAMPLE_BOOK, "strict", {"handle": "2wd", "contact": "4wh", "visit": "3h"})
LAX = _book(EXAMPLE_BOOK, "lax", {"handle": "30d", "verify": "3wd/min"}, returns_per_case=4, returns_per_unit=2)
BOOKS = {book.version: book for book in (NATURAL_BOOK, EXAMPLE_BOOK, SPARSE, STRICT, LAX)}

# Invented: a Wednesday off, the 2027 list, and a Saturday worked.
LIST_2027 = CALENDAR.model_copy(
    update={
        "version": "cn-2027",
        "off": (*CALENDAR.off, Day(on=date(2026, 11, 25), name="停电"), Day(on=date(2027, 1, 1), name="元旦")),
        "made_up": (*CALENDAR.made_up, Day(on=date(2027, 1, 9), name="元旦")),
        "published_until": date(2027, 12, 31),
    }
)
CASE_WORLD = World(
    registry=registry_of(raw_registry(categories=[*REGISTRY["categories"], {"code": UNLAWFUL, "name": "私搭乱建"}])),
    rule_books=BOOKS,
    calendars={calendar.version: calendar for calendar in (CALENDAR, LIST_2027)},
    current_calendar=CALENDAR.version,
)


def running_for(clock: Clock, now: datetime) -> timedelta:
    """How long the clock has run by now, in time of the wall."""
    stood = sum((pause.end - pause.begin for pause in clock.pauses), timedelta(0))
    # Silence is receipt: however late that is noticed, a window for signing runs no further than its end.
    end = min(now, clock.due_at) if clock.kind == "sign_for" else now
    return (clock.stopped_at or end) - clock.started_at - stood


def where(clock: Clock) -> tuple[Any, ...]:
    """Everything about a clock that must not move unnoticed; a pause of no length is none."""
    pauses = tuple(pause for pause in clock.pauses if pause.end > pause.begin)
    return (clock.started_at, clock.due_at, clock.warn_at, clock.rungs, clock.limit, clock.extended, pauses,
            clock.provisional, clock.light, clock.reached, clock.stopped_at)  # fmt: skip


LEAVING_THE_BUDGET_ALONE = frozenset({
    "return_task", "arbitrate", "dispatch", "hand_over", "add_helper", "accept", "arrive", "report_progress",
    "request_extension", "ask_resident", "record_reply", "urge", "supervise", "reply_supervision", "comment", "attach",
    "correct",
})  # fmt: skip
"""Commands after which the departments' budget stands where time alone would have left it."""


def right_people(case: Case, kind: str) -> list[str]:
    """Who would do this: the lead where only it may, whoever owes a reply, or departments that have a part."""
    if kind in ("request_extension", "add_helper") and case.lead is not None:
        return [_OF_DEPARTMENTS[case.lead.department]]
    if kind == "reply_supervision" and case.open_orders:
        return [{**_OF_DEPARTMENTS, "C01": "community"}.get(case.open_orders[0].to, "handler")]
    involved = [_OF_DEPARTMENTS[part.department] for part in case.assignments if part.is_open]
    return [who for who in LIKELY[kind] if who in involved] or LIKELY[kind]


def filled(raw: dict[str, Any], case: Case, at: datetime) -> dict[str, Any]:
    """The command with its digest, its order and its moments, which only the case and the hour know."""

    def ahead(text: str) -> str:
        return (at + timedelta(days=int(text[1:-1]))).isoformat()

    found = dict(raw)
    if raw.get("digest") == "the right one":
        found["digest"] = case.digest or DIGEST
    if raw.get("order") == 1 and case.open_orders:
        found["order"] = case.open_orders[0].number
    if raw.get("length") == "fit":
        found["length"] = f"1{case.rules.row.extension.unit.value}" if case.rules.row.extension else "1h"
    if isinstance(raw.get("until"), str):
        found["until"] = ahead(raw["until"])
    if "reviews" in raw and raw["reviews"][0].startswith("+"):
        found["reviews"] = [ahead(each) for each in raw["reviews"]]
    return found
