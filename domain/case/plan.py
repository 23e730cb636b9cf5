"""What follows from the state of a case: who must act until when, when time itself acts, what Temporal shows.

Owns ``plan`` and the dealings with a department's own system (``hand_over``, ``answer``).
"""

from collections.abc import Iterator
from datetime import datetime

from domain.case.moments import next_moment
from domain.case.responsible import handler, visitor
from domain.case.responsible import unit as unit_of
from domain.case.state import Case
from domain.case.vocabulary import PHASES, STAGE_NAMES, WITH_DEPARTMENTS, Audience, Level, Stage
from domain.ladder import ClockKind
from domain.people import ROLE_NAMES, Actor, Role
from domain.process import Attributes, HandOver, HandOverResult, Json, Plan, Report, Task, World

HANDLE = "handle"
"""The kind of the tasks that are handed over to departments."""


def plan(state: Case, world: World) -> Plan:
    """The plan of a case; the world tells which departments run a system of their own."""
    tasks = tasks_of(state, world)
    moment = next_moment(state)
    running = [clock for clock in state.clocks if clock.is_running]
    attributes = Attributes(
        stage=state.stage.value,
        departments=state.departments,
        street=state.place.street,
        due_at=min((clock.due_at for clock in running), default=None),
        rules_version=state.rules.version,
        phase=PHASES[state.stage],
        limit_at=_limit_of_departments(state),
    )
    return Plan(
        attributes=attributes,
        alarm=moment.at if moment else None,
        tasks=tasks,
        finished=state.is_final,
        details=_details(state, tasks),
    )


def _limit_of_departments(state: Case) -> datetime | None:
    """Until when the departments have, while their clock runs; what they had, once they are done."""
    done = state.stage not in WITH_DEPARTMENTS
    budgets = (clock for clock in reversed(state.clocks) if clock.kind == ClockKind.HANDLE)
    return next((clock.due_at for clock in budgets if done or clock.is_running), None)


def tasks_of(state: Case, world: World) -> tuple[Task, ...]:
    """The open tasks of a case: the part of its plan that a fold of many acts asks for after each."""
    return () if state.is_final else (*_tasks(state, world), *_side_tasks(state))


def _tasks(state: Case, world: World) -> tuple[Task, ...]:
    match state.stage:
        case Stage.REGISTERED if state.place.grid is None:
            return (_task(state, "place", Role.STREET_DISPATCHER, ClockKind.PLACE, state.place.street),)
        case Stage.REGISTERED:
            triage = [_task(state, "triage", Role.COMMUNITY, ClockKind.PLACE, state.place.community)]
            if state.everyday:
                triage.append(_task(state, "handle_on_spot", Role.GRID_WORKER, ClockKind.PLACE))
            return tuple(triage)
        case Stage.WHISTLED | Stage.RETURNED:
            street = _task(
                state,
                "arbitrate" if state.to_arbitration else "dispatch",
                Role.STREET_DISPATCHER,
                ClockKind.DISPATCH,
                state.place.street,
                number=f"{state.round}.{state.dispatches + 1}",
            )
            return (street, *_department_tasks(state, world))
        case Stage.DISPATCHED | Stage.HANDLING:
            return _department_tasks(state, world)
        case Stage.STRUCK_OFF:
            return (_task(state, "verify", Role.GRID_WORKER, ClockKind.VERIFY),)
        case Stage.VERIFIED:
            signed = {signature.by.role for signature in state.signatures}
            signers = (Role.VANGUARD_CAPTAIN, Role.GRID_HEAD)
            return tuple(_task(state, "sign", role, ClockKind.SIGN) for role in signers if role not in signed)
        case Stage.SIGNED:
            waiting = [audience for audience in Audience if audience not in state.fed_back]
            return tuple(
                _task(state, f"feed_back_{audience.value}", Role.GRID_WORKER, ClockKind.FEED_BACK)
                for audience in waiting
            )
        case Stage.FED_BACK | Stage.ON_THE_SPOT:
            return (_visit_task(state),)
        case Stage.SETTLED:
            waiting_parts = [part for part in state.assignments if part.returned_at is None and part.scores is None]
            return tuple(
                _task(state, f"appraise:{part.department}", Role.COMMUNITY, ClockKind.APPRAISE, state.place.community)
                for part in waiting_parts
            )
        case _:
            return ()


def _side_tasks(state: Case) -> Iterator[Task]:
    """What waits beside the stage: decisions on requests, replies to orders, reviews, public answers."""
    street = state.place.street
    if state.extension_request is not None:
        number = str(state.extension_request.number)
        # The street's own time is decided on by its supervisor.
        own = state.lead is not None and state.lead.department == street
        role = Role.SUPERVISOR if own else Role.STREET_DISPATCHER
        task = _task(state, "decide_extension", role, ClockKind.HANDLE, street, number=number)
        yield task.model_copy(update={"opened_at": state.extension_request.asked_at})
    if state.shelf is not None and state.shelf.review_come is not None:
        task = _task(state, "review_shelf", Role.STREET_DISPATCHER, None, street, number=str(state.reviews))
        yield task.model_copy(update={"opened_at": state.shelf.review_come})
    for order in state.open_orders:
        clock = state.clock(order.clock_id or "")
        who = unit_of(state, order.to)
        task = _task(state, f"reply_supervision:{order.to}", who.role, None, order.to, number=str(order.number))
        yield task.model_copy(update={"opened_at": order.at, "due_at": clock.due_at if clock else None})
    for clock in state.clocks:
        if clock.kind == ClockKind.PUBLISH and clock.is_running:
            answerer = handler(state, clock)
            task = _task(state, "answer_publicly", answerer.role, clock.kind, answerer.organisation, number="1")
            yield task.model_copy(update={"opened_at": clock.started_at})


def _task(
    state: Case,
    name: str,
    role: Role,
    clock: ClockKind | None,
    organisation: str | None = None,
    *,
    number: str | None = None,
) -> Task:
    # An id is never used twice in the life of a case: rework begins a new round, a new dispatch a new number in it.
    # What stands beside the stages has a number of its own, which rework does not touch.
    numbered = number or f"{state.round}"
    due = min([each.due_at for each in state.clocks if each.kind == clock and each.is_running], default=None)
    kind = name.partition(":")[0]
    in_grid = role in (Role.GRID_WORKER, Role.GRID_HEAD, Role.VANGUARD_CAPTAIN)
    identity = f"{name}:{role.value}" if kind == "sign" else name
    return Task.made(
        id=f"{identity}#{numbered}",
        kind=kind,
        role=role.value,
        organisation=organisation,
        grid=state.place.grid if in_grid else None,
        opened_at=state.waiting_since,
        due_at=due,
    )


def _visit_task(state: Case) -> Task:
    who = visitor(state)
    task = _task(state, "visit", who.role, ClockKind.VISIT, who.organisation)
    return task.model_copy(update={"person": who.person}) if who.person else task


def _department_tasks(state: Case, world: World) -> tuple[Task, ...]:
    tasks = []
    for part in state.assignments:
        if not part.is_open:
            continue
        unit = world.registry.organisation(part.department) if world.registry else None
        signing = (clock for clock in state.clocks if clock.kind == ClockKind.SIGN_FOR and clock.is_running)
        sign_by = next((clock.due_at for clock in signing if clock.organisation == part.department), None)
        task = _task(
            state,
            f"{HANDLE}:{part.department}",
            unit_of(state, part.department).role,
            ClockKind.HANDLE,
            part.department,
            number=f"{state.round}.{part.dispatch}",
        )
        tasks.append(
            task.model_copy(
                update={
                    "opened_at": part.reopened_at or part.assigned_at,
                    "person": part.person,
                    # What is not signed for yet is due when its signing is.
                    "due_at": min((at for at in (sign_by, task.due_at) if at is not None), default=None),
                    "queue": (unit.queue or None) if unit else None,
                    "pick_up_within": (unit.pick_up_within if unit else None) or "5m",
                }
            )
        )
    return tuple(tasks)


def _details(state: Case, tasks: tuple[Task, ...]) -> str:
    zh, en = STAGE_NAMES[state.stage]
    lines = [f"**{zh}** ({en})"]
    if state.suspension is not None:
        lines.append(f"- suspended until {state.suspension.until:%Y-%m-%d %H:%M} UTC")
    if state.shelf is not None:
        lines.append("- shelved")
    for task in tasks:
        who = task.organisation or task.grid or task.person or ""
        due = f" — {task.due_at:%Y-%m-%d %H:%M} UTC" if task.due_at else ""
        lines.append(f"- {task.kind}: {ROLE_NAMES[Role(task.role)][0]} {who}{due}")
    if state.level != Level.COMMUNITY:
        lines.append(f"- level: {state.level.value}")
    return "\n".join(lines)


def hand_over(state: Case, task: Task, stream: str) -> HandOver:
    """What a department's own system needs to begin: references and the redacted text."""
    return HandOver(
        process="case", stream=stream, task=task, title=state.title, text=state.text, category=state.category
    )


def answer(state: Case, task: Task, report: Report) -> tuple[tuple[Actor, Json], ...]:
    """The commands a person of the department would have sent for this report.

    ``Handled`` signs for the task first where nobody has; ``Delivered`` needs no command.
    """
    department = task.organisation or ""
    part = state.assignment(department)
    if part is None or not part.is_open or report.result == HandOverResult.DELIVERED:
        return ()
    actor = Actor(person=report.person, role=Role.DEPARTMENT_HANDLER, organisation=department)
    if report.result == HandOverResult.RETURNED:
        # The kind stands last: a report is never another command in disguise.
        return ((actor, {**report.fields, "kind": "return_task"}),)
    strike_off: tuple[Actor, Json] = (actor, {**report.fields, "kind": "strike_off"})
    return (strike_off,) if part.accepted_at else ((actor, {"kind": "accept"}), strike_off)
