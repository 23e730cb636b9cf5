"""Random acts of random people at random times: whatever they try, the chart of DOMAIN §2 and the clocks hold."""

import re
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.calendar import due
from domain.case import CASE
from domain.case import events as e
from domain.case.guards import DEPARTMENT_ROLES
from domain.case.state import Case
from domain.case.vocabulary import FINAL, Stage
from domain.clocks import Clock
from domain.errors import Refused
from domain.parsing import parse_command
from domain.people import SYSTEM, Actor, Role
from domain.process import Event, Plan, Process, TimePasses
from domain.wish import WISH, Wish
from tests.domain import routes as r
from tests.domain.crowd import (
    CASE_WORLD,
    COMMANDS,
    LEAVING_THE_BUDGET_ALONE,
    MOMENTS,
    PEOPLE,
    RARE,
    REGISTERING,
    SPAN,
    TURNS,
    USUAL,
    WITH_DEPARTMENTS,
    filled,
    fitting,
    right_people,
    running_for,
    straight_on,
    where,
)
from tests.domain.spec import check_journey, fold, kind_of
from tests.neighbourhood import ACTORS, NOON, WORLD

CHART: dict[str | None, set[str]] = {
    None: {"registered"},
    "registered": {"on_the_spot", "whistled", "declined", "withdrawn"},
    "on_the_spot": {"settled", "registered"},
    "whistled": {"dispatched", "declined", "withdrawn"},
    "dispatched": {"handling", "returned", "withdrawn"},
    "handling": {"struck_off", "returned", "withdrawn"},
    "returned": {"dispatched", "handling", "withdrawn"},
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
"""Every way from a stage to another; a case settled on the spot goes back to its registration, and a refused return of
an accepted case to its handling."""

WISH_CHART: dict[str | None, set[str]] = {
    None: {"published"},
    "published": {"claimed", "lapsed"},
    "claimed": {"done", "lapsed"},
    "done": {"thanked"},
    "thanked": set(),
    "lapsed": set(),
}


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
        self.used: dict[str, timedelta] = {}

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
        version=st.sampled_from(["natural-1", "example-2", "lax", "example-2", "strict", "sparse"]),
        turns=TURNS,
    )
    def register(self, raw: dict[str, Any], by: str, version: str, turns: list[int]) -> None:
        self.world = replace(CASE_WORLD, current_rules=version)
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

    @precondition(lambda self: self.state is not None and not self.state.is_final)
    @rule(turns=st.lists(st.integers(0, 3), min_size=4, max_size=12), after=MOMENTS)
    def it_comes_to_the_departments(self, turns: list[int], after: timedelta) -> None:
        for turn in turns:
            if self._case.is_final or self._case.stage in WITH_DEPARTMENTS:
                break
            over = self._case.stage in (Stage.SETTLED, Stage.APPRAISED)
            raw, by = (dict(r.REOPEN), "resident") if over else straight_on(self._case, turn)
            self._do(raw, PEOPLE[by], after)

    @precondition(lambda self: self.state is not None and self.state.stage in WITH_DEPARTMENTS)
    @rule(data=st.data(), chance=st.randoms(use_true_random=True), steps=st.integers(1, 10))
    def departments_work_and_dispute(self, data: st.DataObject, chance: Random, steps: int) -> None:
        # Left to itself the search draws the same few acts again and again, most of which are refused.
        for _ in range(steps):
            if self._case.stage not in WITH_DEPARTMENTS:
                break
            kind = chance.choice(fitting(self._case))
            by = chance.choice(right_people(self._case, kind))
            self._do(data.draw(COMMANDS[kind]), PEOPLE[by], timedelta(minutes=chance.choice([0, 1, 20, 90, 400, 2000])))

    @rule(data=st.data(), kind=st.sampled_from(sorted(COMMANDS)), by=st.sampled_from(sorted(PEOPLE)), after=SPAN)
    def anybody_tries_anything(self, data: st.DataObject, kind: str, by: str, after: timedelta) -> None:
        self._do(data.draw(COMMANDS[kind]), PEOPLE[by], after)

    @rule()
    def standing_still_for_no_time_changes_nothing(self) -> None:
        assume(self.state is not None)
        before = self._caught_up(self.at)
        try:
            halted = self._after(before, r.SUSPEND, ACTORS["dispatcher"])
        except Refused:
            return
        moving = self._after(halted, r.RESUME, ACTORS["dispatcher"])
        assert [where(clock) for clock in moving.clocks] == [where(clock) for clock in before.clocks]

    def _somebody(self, data: st.DataObject, kind: str, after: timedelta) -> None:
        assert self.state is not None
        by = data.draw(st.sampled_from(right_people(self.state, kind)))
        self._do(data.draw(COMMANDS[kind]), PEOPLE[by], after)

    def _after(self, state: Case, raw: Any, actor: Actor) -> Case:
        for event in self.process.decide(state, parse_command(self.process, dict(raw)), actor, self.at, self.world):
            state = self.process.evolve(state, event)
        return state

    def _caught_up(self, at: datetime) -> Case:
        """The case as time alone has made it by ``at``."""
        assert self.state is not None
        state = self.state
        for event in self.process.decide(state, TimePasses(), SYSTEM, at, self.world):
            state = self.process.evolve(state, event)
        return state

    def _do(self, raw: dict[str, Any], actor: Actor, after: timedelta) -> None:
        assert self.state is not None
        raw = filled(raw, self.state, self.at + after)
        before = self._caught_up(self.at + after)
        if not self.act(raw, actor, after):
            return
        now = {clock.id: clock for clock in self.state.clocks}
        kept = {clock.id for clock in before.clocks if where(clock) == where(now[clock.id])}
        if raw["kind"] == "sign":
            assert len(self.state.signatures) == len(before.signatures) + 1
        if raw["kind"] in LEAVING_THE_BUDGET_ALONE:
            assert {clock.id for clock in before.clocks if clock.kind == "handle"} <= kept, "the budget is one"
        if actor.role in DEPARTMENT_ROLES:
            self._gains_no_time(before, now)
        if raw["kind"] == "adopt_rules":
            self._is_late_by_no_change(before, now)

    def _gains_no_time(self, before: Case, now: dict[str, Clock]) -> None:
        """A department never moves its own due, and never stops its own budget but by being done."""
        for clock in before.clocks:
            if clock.is_running:
                assert now[clock.id].due_at <= clock.due_at
                if clock.kind in ("handle", "step"):
                    reported = clock.step is not None and clock.step in self._case.steps_done
                    assert now[clock.id].is_running or reported or self._case.stage == Stage.STRUCK_OFF

    def _is_late_by_no_change(self, before: Case, now: dict[str, Clock]) -> None:
        """Exactly what the fact lists has moved; no light changes, and nobody is late at once."""
        fact = [event for event in self.events if isinstance(event, e.RulesAdopted)][-1]
        moved = {change.clock_id: change for change in fact.changes}
        after_it = self.events[self.events.index(fact) :]
        run_on = {event.clock_id for event in after_it if isinstance(event, e.ClockResumed)}
        for clock in before.clocks:
            after = now[clock.id]
            assert (after.light, after.reached, after.started_at) == (clock.light, clock.reached, clock.started_at)
            if clock.id in run_on:
                # A step that the rules before these did not ask for, so that its clock stood when the others ran on.
                assert clock.stopped_at is not None
                assert clock.step in {step.code for step in self._case.rules.row.steps} - set(before.steps_done)
                assert after.is_running
                assert after.due_at == clock.due_at if clock.overdue_at else after.due_at > self.at
                continue
            assert after.pauses == clock.pauses
            if clock.id not in moved:
                assert where(after) == where(clock)
                continue
            assert clock.overdue_at is None
            assert after.due_at > (clock.stopped_at or self.at)
            change = moved[clock.id]
            assert (change.old_due_at, change.reckoning.due_at) == (clock.due_at, after.due_at)

    @property
    def _case(self) -> Case:
        assert self.state is not None
        return self.state

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
            match event:
                case e.ClockStarted(clock=clock):
                    assert clock.id not in told
                    told[clock.id] = clock.due_at
                case e.ClockResumed():
                    told[event.clock_id] = event.due_at
                case e.ClockExtended():
                    told[event.clock_id] = event.reckoning.due_at
                case e.RulesAdopted():
                    told |= {change.clock_id: change.reckoning.due_at for change in event.changes}
                case e.ClockWarned():
                    seen[f"?{event.clock_id}"] += 1
                    assert event.due_at == told[event.clock_id]
                case e.ClockExpired():
                    seen[f"!{event.clock_id}"] += 1
                    assert event.at >= event.due_at == told[event.clock_id]
                case e.RungReached():
                    seen[f"/{event.clock_id}:{event.rung}"] += 1
                    assert event.at >= event.stood_at
        assert told == {clock.id: clock.due_at for clock in self.state.clocks}
        assert set(seen.values()) <= {1}, "every light and every rung once in the life of a clock"
        for clock in self.state.clocks:
            assert not {point.code for point in clock.rungs} & set(clock.reached)

    @invariant()
    def every_due_equals_a_fresh_reckoning(self) -> None:
        for clock in self.state.clocks if self.state is not None else ():
            calendar = self.world.calendars.get(clock.calendar_version or "")
            again = due(calendar, clock.started_at, clock.whole_limit, clock.pauses)
            assert (clock.due_at, clock.provisional) == again, clock.id

    @invariant()
    def the_time_a_clock_has_run_never_shrinks(self) -> None:
        for clock in self.state.clocks if self.state is not None else ():
            used = running_for(clock, self.at)
            assert used >= self.used.get(clock.id, timedelta(0)), clock.id
            self.used[clock.id] = used

    @invariant()
    def where_a_case_stands_its_departments_clocks_stand(self) -> None:
        if self.state is None:
            return
        kinds = {clock.kind.value for clock in self.state.clocks if clock.is_running}
        if self.state.suspension is not None or self.state.shelf is not None:
            assert not kinds & {"handle", "step", "contact", "sign_for"}
        if self.state.shelf is not None:
            assert "dispatch" not in kinds
        assert self.state.suspension is None or self.state.shelf is None

    @invariant()
    def while_a_department_works_and_nothing_stands_its_budget_runs(self) -> None:
        case = self.state
        if case is None or case.suspension is not None or case.shelf is not None:
            return
        if case.stage in (Stage.DISPATCHED, Stage.HANDLING, Stage.RETURNED):
            assert [clock.is_running for clock in case.clocks if clock.kind == "handle"] == [True]

    @invariant()
    def the_alarm_is_the_first_moment_that_lies_ahead(self) -> None:
        case = self.state
        if case is None or case.is_final:
            return
        running = [clock for clock in case.clocks if clock.is_running]
        ahead: list[datetime | None] = [point.at for clock in running for point in clock.rungs]
        ahead += [
            clock.due_at if clock.warned_at is not None else min(clock.warn_at, clock.due_at)
            for clock in running
            if clock.overdue_at is None
        ]
        ahead += [each.until for each in (case.suspension, case.question) if each is not None]
        if case.shelf is not None:
            ahead += [*case.shelf.reviews[:1], *([] if case.shelf.is_backlog else [case.shelf.backlog_at])]
        if case.stage == Stage.APPRAISED or (case.stage == Stage.SETTLED and not case.departments):
            ahead.append(case.reopen_until)
        assert self.plan().alarm == min((at for at in ahead if at is not None), default=None)

    @invariant()
    def nothing_is_granted_more_often_than_the_rules_allow(self) -> None:
        if self.state is not None:
            assert self.state.extensions <= 1
            assert len(self.state.returns) <= 4

    @invariant()
    def no_clock_runs_past_its_due_unmarked(self) -> None:
        # Time is caught up before every act, so whatever was running at the last fact has been judged then.
        if self.state is not None and self.events:
            last = self.events[-1].at
            for clock in self.state.clocks:
                if clock.is_running and clock.overdue_at is None:
                    assert clock.due_at > last or clock.started_at == last

    @invariant()
    def there_is_one_budget_and_its_start_stays(self) -> None:
        if self.state is None:
            return
        budgets = [clock for clock in self.state.clocks if clock.kind == "handle"]
        assert len(budgets) <= 1
        starts = [event.at for event in self.events if isinstance(event, e.ClockStarted) and event.clock in budgets]
        assert all(clock.started_at == at for clock, at in zip(budgets, starts, strict=False))
        for clock in budgets:
            granted = [event.length for event in self.events if isinstance(event, e.ExtensionDecided) and event.granted]
            assert list(clock.extended) == granted, "only a grant of the dispatcher makes it longer"

    @invariant()
    def no_two_clocks_of_a_kind_run_for_the_same_unit(self) -> None:
        if self.state is not None:
            # A department may owe several replies at a time, each to an order of its own.
            running = [(clock.kind, clock.organisation, clock.step) for clock in self.state.clocks
                       if clock.is_running and clock.kind != "reply"]  # fmt: skip
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
    max_examples=150, stateful_step_count=30, deadline=None, derandomize=True,
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
