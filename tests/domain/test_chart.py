"""Random acts of random people at random times: whatever they try, the chart of DOMAIN §2 holds."""

import re
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain.case import CASE
from domain.case.state import Case
from domain.case.vocabulary import FINAL, Stage
from domain.errors import Refused
from domain.parsing import parse_command
from domain.people import SYSTEM, Actor, Role
from domain.process import Event, Plan, Process, TimePasses, World
from domain.rules import EXAMPLE_BOOK, RuleBook, Urgency
from domain.wish import WISH, Wish
from tests.domain import routes as r
from tests.domain.spec import check_journey, fold, kind_of
from tests.neighbourhood import (
    ACTORS,
    AFTER,
    BEFORE,
    DIGEST,
    EVERYDAY,
    FAR_GRID,
    GRID,
    HELPER,
    LEAD,
    NOON,
    ORDINARY,
    OTHER,
    OTHER_GRID,
    WORLD,
)

CHART: dict[str | None, set[str]] = {
    None: {"registered"},
    "registered": {"on_the_spot", "whistled", "declined", "withdrawn"},
    "on_the_spot": {"settled", "registered"},
    "whistled": {"dispatched", "declined", "withdrawn"},
    "dispatched": {"handling", "returned", "withdrawn"},
    "handling": {"struck_off", "returned", "withdrawn"},
    "returned": {"dispatched", "withdrawn"},
    "struck_off": {"verified", "handling", "withdrawn"},
    "verified": {"signed", "handling", "withdrawn"},
    "signed": {"fed_back", "withdrawn"},
    "fed_back": {"settled", "handling"},
    "settled": {"appraised", "archived", "handling", "registered"},
    "appraised": {"archived", "handling"},
    "archived": set(),
    "declined": set(),
    "withdrawn": set(),
}
"""Every way from a stage to another; a case settled on the spot goes back to its registration."""

WISH_CHART: dict[str | None, set[str]] = {
    None: {"published"},
    "published": {"claimed", "lapsed"},
    "claimed": {"done", "lapsed"},
    "done": {"thanked"},
    "thanked": set(),
    "lapsed": set(),
}

SPAN = st.one_of(
    st.just(timedelta(0)),
    st.integers(1, 90).map(lambda minutes: timedelta(minutes=minutes)),
    st.integers(1, 72).map(lambda hours: timedelta(hours=hours)),
    st.integers(1, 20).map(lambda days: timedelta(days=days)),
)

TURNS = st.integers(0, 24).flatmap(lambda count: st.lists(st.integers(0, 35), min_size=count, max_size=count))

# People with one account too many, and people from elsewhere.
STRANGERS = {
    "handler as worker": Actor(person="handler", role=Role.GRID_WORKER, grid=GRID),
    "helper as head": Actor(person="helper", role=Role.GRID_HEAD, grid=GRID),
    "checker as head": Actor(person="checker", role=Role.GRID_HEAD, grid=GRID),
    "captain as head": Actor(person="captain", role=Role.GRID_HEAD, grid=GRID),
    "far dispatcher": Actor(person="far", role=Role.STREET_DISPATCHER, organisation="S02"),
    "neighbour": Actor(person="resident-2", role=Role.RESIDENT),
}
PEOPLE = {**ACTORS, **STRANGERS}

_department = st.sampled_from([LEAD, HELPER, OTHER])
_evidence = st.sampled_from([[], [AFTER], [BEFORE, AFTER]])
_urgency = st.sampled_from([urgency.value for urgency in Urgency])
_grid = st.sampled_from([GRID, OTHER_GRID, FAR_GRID])


def _made(base: Any, **choices: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({**{key: st.just(value) for key, value in base.items()}, **choices})


REGISTERING = _made(
    r.UNPLACED,
    grid=st.sampled_from([GRID, GRID, GRID, None]),
    category=st.sampled_from([EVERYDAY, ORDINARY, None]),
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
    "report_progress": _made(r.PROGRESS, contacted=st.booleans()),
    "return_task": _made(r.RETURN),
    "strike_off": _made(r.STRIKE_OFF, evidence=_evidence),
    "verify": _made(r.VERIFY, passed=st.sampled_from([True, True, False])),
    "sign": _made({"kind": "sign"}, digest=st.sampled_from(["the right one", "the right one", DIGEST])),
    "refuse_signature": _made(r.REFUSE),
    "feed_back": _made(r.TELL_RESIDENT, to=st.sampled_from(["department", "resident"])),
    "visit": st.sampled_from([dict(r.CONTENT), dict(r.UNHAPPY), dict(r.SILENT), {**r.CONTENT, "solved": False}]),
    "appraise": _made(r.APPRAISE, department=_department),
    "reopen": _made(r.REOPEN),
    "comment": _made(r.COMMENT),
    "attach": _made(r.ATTACH),
    "correct": _made(r.CORRECT, grid=st.none() | _grid, urgency=st.none() | _urgency,
                     category=st.sampled_from([None, EVERYDAY, ORDINARY])),
}  # fmt: skip

# Who may do what is tested in the tables; here mostly the right people act, or nothing would ever get far.
LIKELY: dict[str, list[str]] = {
    "handle_on_spot": ["worker"], "decline": ["community"], "withdraw": ["resident"], "whistle": ["community"],
    "dispatch": ["dispatcher"], "accept": ["handler", "helper", "other"], "arrive": ["handler", "helper", "other"],
    "report_progress": ["handler", "helper", "other"], "return_task": ["handler", "helper", "other"],
    "strike_off": ["handler", "helper", "other"], "verify": ["checker"], "sign": ["captain", "head"],
    "refuse_signature": ["captain", "head"], "feed_back": ["worker"], "visit": ["worker", "community"],
    "appraise": ["community"], "reopen": ["resident", "worker"], "comment": ["resident"], "attach": ["worker"],
    "correct": ["dispatcher"],
}  # fmt: skip
# Acts that end or void a case stay rare, so that the far stages are reached.
RARE = ("decline", "withdraw", "return_task", "refuse_signature", "reopen", "correct")
USUAL = tuple(kind for kind in COMMANDS if kind not in RARE)


def straight_on(case: Case, turn: int) -> tuple[dict[str, Any], str]:
    """The next act on the way of this case and who does it; ``turn`` chooses where there is a choice."""
    parts = [part for part in case.assignments if part.is_open]
    people = {LEAD: "handler", HELPER: "helper", OTHER: "other"}
    match case.stage:
        case Stage.REGISTERED if case.place.grid is None:
            return {**r.CORRECT, "grid": GRID}, "dispatcher"
        case Stage.REGISTERED if case.everyday and turn % 2:
            return dict(r.ON_THE_SPOT), "worker"
        case Stage.REGISTERED:
            return {**r.WHISTLE, "urgency": None}, "community" if case.place.community == "C01" else "far-community"
        case Stage.WHISTLED | Stage.RETURNED:
            lead, helper = [(LEAD, HELPER), (HELPER, OTHER), (OTHER, LEAD), (LEAD, OTHER)][turn % 4]
            return {**r.DISPATCH, "lead": lead, "helpers": [helper][: turn // 4 % 2]}, "dispatcher"
        case Stage.DISPATCHED | Stage.HANDLING:
            part = next((part for part in parts if not part.lead), parts[0])
            raw = r.STRIKE_OFF if part.accepted_at else r.ACCEPT
            return dict(r.RETURN if turn % 9 == 8 else raw), people[part.department]
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


# The same book with everything that can be left out left out: clocks without a limit do not run.
SPARSE = RuleBook.model_validate(
    {
        **EXAMPLE_BOOK.model_dump(mode="json"),
        "version": "sparse",
        "rework_most": 0,
        "rows": [
            {**row.model_dump(mode="json"), "limits": {"handle": "2d", "sign_for": "1h"}} for row in EXAMPLE_BOOK.rows
        ],
    }
)


class Machine(RuleBasedStateMachine):
    """What holds for every process at every moment."""

    process: Process[Any]
    chart: dict[str | None, set[str]]
    world = WORLD

    def __init__(self) -> None:
        super().__init__()
        self.events: tuple[Event, ...] = ()
        self.state: Any = None
        self.at: datetime = NOON
        self.closed_tasks: set[str] = set()
        self.open_tasks: dict[str, datetime] = {}

    def plan(self) -> Plan:
        return self.process.plan(self.state, self.world)

    def act(self, raw: dict[str, Any], actor: Actor, after: timedelta = timedelta(0)) -> bool:
        """Submit the command; whether it was accepted."""
        self.at += after
        try:
            command = parse_command(self.process, raw)
            new = self.process.decide(self.state, command, actor, self.at, self.world)
        except Refused:
            return False
        assert new, "an accepted act leaves a fact"
        assert self.process.decide(self.state, command, actor, self.at, self.world) == new
        self._take(new)
        return True

    def pass_time(self, to: datetime) -> tuple[Event, ...]:
        self.at = max(self.at, to)
        new = self.process.decide(self.state, TimePasses(), SYSTEM, self.at, self.world)
        self._take(new)
        alarm = self.plan().alarm
        assert alarm is None or alarm > self.at, "an alarm in the past would ring for ever"
        assert self.process.decide(self.state, TimePasses(), SYSTEM, self.at, self.world) == ()
        return new

    def _take(self, new: tuple[Event, ...]) -> None:
        for event in new:
            before = None if self.state is None else str(self.state.stage)
            self.state = self.process.evolve(self.state, event)
            if self.state.stage != before:
                assert str(self.state.stage) in self.chart[before], (
                    f"{before} -> {self.state.stage} by {kind_of(event)}"
                )
        self.events += new
        self._watch_tasks()

    def _watch_tasks(self) -> None:
        tasks = {task.id: task.opened_at for task in self.plan().tasks if task.queue is not None}
        assert not set(tasks) & self.closed_tasks, "a task that was closed is never opened again"
        for known, opened_at in tasks.items():
            assert self.open_tasks.get(known, opened_at) == opened_at
        self.closed_tasks |= set(self.open_tasks) - set(tasks)
        self.open_tasks = tasks

    @rule(after=SPAN)
    def time_passes(self, after: timedelta) -> None:
        assume(self.state is not None)
        self.pass_time(self.at + after)

    @rule()
    def the_alarm_rings(self) -> None:
        assume(self.state is not None)
        alarm = self.plan().alarm
        if alarm is not None:
            new = self.pass_time(alarm)
            assert new or self.plan().alarm != alarm

    @invariant()
    def the_facts_are_the_state(self) -> None:
        assert fold(self.process, self.events) == self.state

    @invariant()
    def tasks_have_names_of_their_own(self) -> None:
        if self.state is not None:
            tasks = self.plan().tasks
            assert len({task.id for task in tasks}) == len(tasks)

    @invariant()
    def an_end_is_an_end(self) -> None:
        if self.state is not None and self.state.is_final:
            plan = self.plan()
            assert (plan.finished, plan.alarm, plan.tasks, plan.attributes.due_at) == (True, None, (), None)

    def teardown(self) -> None:
        check_journey(self.process, self.world, self.events)


class CaseMachine(Machine):
    """A case among busy, confused and mean people."""

    process = CASE
    chart = CHART
    state: Case | None

    @initialize(
        raw=REGISTERING,
        by=st.sampled_from(["worker", "hotline", "resident"]),
        sparse=st.booleans(),
        turns=TURNS,
    )
    def register(self, raw: dict[str, Any], by: str, sparse: bool, turns: list[int]) -> None:
        books = {book.version: book for book in (EXAMPLE_BOOK, SPARSE)}
        version = SPARSE.version if sparse else EXAMPLE_BOOK.version
        self.world = World(registry=WORLD.registry, rule_books=books, current_rules=version)
        assert self.act(raw, PEOPLE[by])
        self._goes_on(turns, timedelta(minutes=20))

    @rule(raw=REGISTERING)
    def register_again(self, raw: dict[str, Any]) -> None:
        assert not self.act(raw, PEOPLE["worker"])

    @rule(turns=TURNS, after=SPAN)
    def it_goes_its_way(self, turns: list[int], after: timedelta) -> None:
        self._goes_on(turns, after)

    def _goes_on(self, turns: list[int], after: timedelta) -> None:
        for turn in turns:
            if self.state is not None and not self.state.is_final:
                raw, by = straight_on(self.state, turn)
                self._do(raw, PEOPLE[by], after)

    @rule(data=st.data(), kind=st.sampled_from(USUAL + RARE), after=SPAN)
    def somebody_does_something(self, data: st.DataObject, kind: str, after: timedelta) -> None:
        self._somebody(data, kind, after)

    @rule(data=st.data(), kind=st.sampled_from(sorted(COMMANDS)), by=st.sampled_from(sorted(PEOPLE)), after=SPAN)
    def anybody_tries_anything(self, data: st.DataObject, kind: str, by: str, after: timedelta) -> None:
        self._do(data.draw(COMMANDS[kind]), PEOPLE[by], after)

    def _somebody(self, data: st.DataObject, kind: str, after: timedelta) -> None:
        by = data.draw(st.sampled_from(LIKELY[kind]))
        self._do(data.draw(COMMANDS[kind]), PEOPLE[by], after)

    def _do(self, raw: dict[str, Any], actor: Actor, after: timedelta) -> None:
        assert self.state is not None
        if raw.get("digest") == "the right one":
            raw = {**raw, "digest": self.state.digest or DIGEST}
        before, signed = self.state, len(self.state.signatures)
        accepted = self.act(raw, actor, after)
        if accepted and raw["kind"] == "sign":
            assert len(self.state.signatures) == signed + 1
        if accepted and raw["kind"] == "return_task":
            assert [clock for clock in self.state.clocks if clock.kind == "handle"] == [
                clock.model_copy(update={"warned_at": now.warned_at, "overdue_at": now.overdue_at})
                for clock in before.clocks
                for now in self.state.clocks
                if clock.kind == "handle" and now.id == clock.id
            ], "a return does not touch the budget"

    @invariant()
    def signatures_are_of_two_persons_who_did_neither_the_work_nor_the_check(self) -> None:
        if self.state is None:
            return
        people = [signature.by.person for signature in self.state.signatures]
        roles = [signature.by.role for signature in self.state.signatures]
        assert len(set(people)) == len(people) <= 2
        assert len(set(roles)) == len(roles)
        assert set(roles) <= {Role.VANGUARD_CAPTAIN, Role.GRID_HEAD}
        assert not set(people) & {*self.state.handlers, self.state.verified_by}
        if self.state.stage in (Stage.SIGNED, Stage.FED_BACK):
            assert len(people) == 2

    @invariant()
    def every_clock_is_told_by_facts(self) -> None:
        if self.state is None:
            return
        told: dict[str, datetime] = {}
        seen: Counter[str] = Counter()
        for event in self.events:
            body = event.model_dump()
            match body["kind"]:
                case "clock_started":
                    assert body["clock"]["id"] not in told
                    told[body["clock"]["id"]] = body["clock"]["due_at"]
                case "clock_resumed":
                    told[body["clock_id"]] = body["due_at"]
                case "clock_warned" | "clock_expired":
                    seen[body["kind"] + body["clock_id"]] += 1
                    assert body["at"] >= min(body["due_at"], told[body["clock_id"]]) or body["kind"] == "clock_warned"
        assert told == {clock.id: clock.due_at for clock in self.state.clocks}
        assert set(seen.values()) <= {1}

    @invariant()
    def no_clock_runs_past_its_due_unmarked(self) -> None:
        # Time is caught up before every act, so whatever was running at the last fact has been judged then.
        if self.state is not None and self.events:
            last = self.events[-1].at
            for clock in self.state.clocks:
                if clock.is_running and clock.overdue_at is None:
                    assert clock.due_at > last or clock.started_at == last

    @invariant()
    def there_is_one_budget_and_only_pauses_move_it(self) -> None:
        if self.state is None:
            return
        budgets = [clock for clock in self.state.clocks if clock.kind == "handle"]
        assert len(budgets) <= 1
        if not budgets:
            return
        started, paused, since, overdue = budgets[0], timedelta(0), None, False
        for event in self.events:
            body = event.model_dump()
            if body["kind"] == "clock_started" and body["clock"]["id"] == started.id:
                due = body["clock"]["due_at"]
            elif body.get("clock_id") == started.id:
                if body["kind"] == "clock_stopped":
                    since = event.at
                elif body["kind"] == "clock_resumed":
                    assert since is not None
                    paused += timedelta(0) if overdue else event.at - since
                elif body["kind"] == "clock_expired":
                    overdue = True
        assert budgets[0].due_at == due + paused

    @invariant()
    def no_two_clocks_of_a_kind_run_for_the_same_unit(self) -> None:
        if self.state is not None:
            running = [(clock.kind, clock.organisation) for clock in self.state.clocks if clock.is_running]
            assert len(set(running)) == len(running)

    @invariant()
    def an_end_lets_no_clock_run(self) -> None:
        if self.state is not None and self.state.stage in FINAL:
            assert not [clock.id for clock in self.state.clocks if clock.is_running]


class WishMachine(Machine):
    """A wish among friendly and other people."""

    process = WISH
    chart = WISH_CHART
    state: Wish | None

    @rule(
        raw=st.sampled_from([raw for _, _, raw in r.WISH_WAY]),
        by=st.sampled_from(["resident", "worker", "community", "handler", "neighbour"]),
        after=SPAN,
    )
    def somebody_does_something(self, raw: dict[str, Any], by: str, after: timedelta) -> None:
        self.act(raw, PEOPLE[by], after)

    @invariant()
    def whoever_fulfils_had_claimed(self) -> None:
        if self.state is not None and self.state.done_at is not None:
            people = [event.by for event in self.events if kind_of(event) in ("wish_claimed", "wish_fulfilled")]
            assert len({actor.person for actor in people}) == 1


_RUNS = settings(
    max_examples=80, stateful_step_count=40, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)  # fmt: skip
CaseMachine.TestCase.settings = _RUNS
WishMachine.TestCase.settings = _RUNS
TestCase = CaseMachine.TestCase
TestWish = WishMachine.TestCase


def test_the_chart_knows_every_stage() -> None:
    assert {stage.value for stage in Stage} == set(CHART) - {None}
    assert {stage for stage, onward in CHART.items() if not onward} == {stage.value for stage in FINAL}


@pytest.mark.parametrize("chart", [CHART, WISH_CHART], ids=["case", "wish"])
def test_every_stage_can_be_reached(chart: dict[str | None, set[str]]) -> None:
    reached: set[str] = set()
    ahead = set(chart[None])
    while ahead:
        reached |= ahead
        ahead = {onward for stage in ahead for onward in chart[stage]} - reached
    assert reached == set(chart) - {None}


def test_names_of_stages_are_words() -> None:
    assert all(re.fullmatch(r"[a-z_]+", stage) for stage in [*CHART, *WISH_CHART] if stage)
