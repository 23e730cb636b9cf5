"""What follows from the state of a case: who must act until when, when time itself acts, what Temporal shows.

Owns ``plan`` and the dealings with a department's own system (``hand_over``, ``answer``).
"""

from datetime import datetime

from domain.case.state import Case
from domain.case.vocabulary import STAGE_NAMES, Audience, Level, Stage
from domain.clocks import next_alarm
from domain.people import ROLE_NAMES, Actor, Role
from domain.process import Attributes, HandOver, HandOverResult, Json, Plan, Report, Task, World
from domain.rules import ClockKind

HANDLE = "handle"
"""The kind of the tasks that are handed over to departments."""


def plan(state: Case, world: World) -> Plan:
    """The plan of a case; the world tells which departments run a system of their own."""
    tasks = () if state.is_final else _tasks(state, world)
    running = [clock for clock in state.clocks if clock.is_running]
    attributes = Attributes(
        stage=state.stage.value,
        departments=state.departments,
        street=state.place.street,
        due_at=min((clock.due_at for clock in running), default=None),
        rules_version=state.rules.version,
    )
    return Plan(
        attributes=attributes,
        alarm=None if state.is_final else _alarm(state),
        tasks=tasks,
        finished=state.is_final,
        details=_details(state, tasks),
    )


def _alarm(state: Case) -> datetime | None:
    alarms = [next_alarm(state.clocks)]
    if state.stage == Stage.APPRAISED or (state.stage == Stage.SETTLED and not state.departments):
        alarms.append(state.reopen_until)
    return min((alarm for alarm in alarms if alarm is not None), default=None)


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
                "dispatch",
                Role.STREET_DISPATCHER,
                ClockKind.DISPATCH,
                state.place.street,
                dispatch=state.dispatches + 1,
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


def _task(
    state: Case,
    name: str,
    role: Role,
    clock: ClockKind,
    organisation: str | None = None,
    *,
    dispatch: int | None = None,
) -> Task:
    # An id is never used twice in the life of a case: rework begins a new round, a new dispatch a new number in it.
    number = f"{state.round}" if dispatch is None else f"{state.round}.{dispatch}"
    due = min((each.due_at for each in state.clocks if each.kind == clock and each.is_running), default=None)
    kind = name.partition(":")[0]
    in_grid = role in (Role.GRID_WORKER, Role.GRID_HEAD, Role.VANGUARD_CAPTAIN)
    identity = f"{name}:{role.value}" if kind == "sign" else name
    return Task(
        id=f"{identity}#{number}",
        kind=kind,
        role=role.value,
        organisation=organisation,
        grid=state.place.grid if in_grid else None,
        opened_at=state.waiting_since,
        due_at=due,
    )


def _visit_task(state: Case) -> Task:
    task = _task(state, "visit", Role.COMMUNITY, ClockKind.VISIT, state.place.community)
    registrar = state.registered_by
    if registrar.role in (Role.HOTLINE, Role.RESIDENT):
        return task
    role = {"role": registrar.role.value, "organisation": registrar.organisation}
    return task.model_copy(update={"person": registrar.person, **role})


def _department_tasks(state: Case, world: World) -> tuple[Task, ...]:
    tasks = []
    for part in state.assignments:
        if not part.is_open:
            continue
        unit = world.registry.organisation(part.department) if world.registry else None
        task = _task(
            state,
            f"{HANDLE}:{part.department}",
            Role.DEPARTMENT_HANDLER,
            ClockKind.HANDLE,
            part.department,
            dispatch=part.dispatch,
        )
        tasks.append(
            task.model_copy(
                update={
                    "opened_at": part.reopened_at or part.assigned_at,
                    "queue": (unit.queue or "") if unit else "",
                    "pick_up_within": (unit.pick_up_within if unit else None) or "5m",
                }
            )
        )
    return tuple(tasks)


def _details(state: Case, tasks: tuple[Task, ...]) -> str:
    zh, en = STAGE_NAMES[state.stage]
    lines = [f"**{zh}** ({en})"]
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
