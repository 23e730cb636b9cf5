"""One case on one sheet, for people and for programs.

Owns the layout. Must not read anything: the state and the registry are given.
"""

from datetime import UTC, datetime
from typing import Any

from console import output, words
from domain.case import CASE
from domain.case.state import Assignment, Case, Shelf
from domain.case.vocabulary import STAGE_NAMES, Audience, Stage
from domain.clocks import Clock
from domain.process import Plan, Task, World
from domain.registry import Registry


def sheet_json(stream: str, state: Case, seq: int, until: datetime | None) -> dict[str, Any]:
    """The case with its open tasks; ``seq`` is the number of its events at that time."""
    plan = CASE.plan(state, World())
    return {
        "id": stream,
        "seq": seq,
        "at": until,
        "stage": state.stage,
        "finished": plan.finished,
        "due_at": plan.attributes.due_at,
        "light": state.light,
        "digest": state.digest,
        "departments": state.departments,
        "tasks": [task.model_dump(mode="json", exclude={"queue", "pick_up_within"}) for task in plan.tasks],
        "case": state,
    }


def draw_case(stream: str, state: Case, registry: Registry, until: datetime | None) -> None:
    """Print the sheet, calm and in the order in which a clerk asks."""
    plan, at = CASE.plan(state, World()), until or datetime.now(UTC)
    output.console().print(output.styled(state.title, "bold"), soft_wrap=True)
    if until is not None:
        output.line(f"{output.local(until)} 时的样子", f"as of {output.local(until)}")
    output.fields(
        [
            ("编号", "id", stream),
            ("阶段", "stage", _stage(state)),
            ("灯", "light", None if plan.finished else _light(state, plan, at)),
            ("地点", "place", _place(state, registry)),
            ("类别", "category", _category(state, registry)),
            ("紧急程度", "urgency", words.word(words.URGENCY, state.urgency)),
            ("办理方式", "mode", words.word(words.MODE, state.mode) if state.mode else None),
            ("登记", "registered", f"{output.local(state.registered_at)}  {words.person(state.registered_by)}"),
            ("发现", "found", output.local(state.found_at) if state.found_at != state.registered_at else None),
            ("来源", "source", " ".join(part for part in (state.source, state.external_id, state.label) if part)),
            ("内容", "text", state.text),
        ]
    )
    _departments(state, registry)
    _tasks(plan.tasks, registry, at)
    _clocks(state, at)
    _orders(state, registry)
    _outcome(state)


def _stage(state: Case) -> str:
    parts = [output.say(*STAGE_NAMES[state.stage])]
    if state.rework_count:
        parts.append(output.say(f"已返工 {state.rework_count} 次", f"{state.rework_count} rework(s)"))
    if state.suspension is not None:
        why = words.word(words.SUSPEND, state.suspension.reason)
        until = output.local(state.suspension.until)
        parts.append(output.say(f"停表（{why}，至 {until}）", f"suspended ({why}, until {until})"))
    if state.shelf is not None:
        parts.append(_shelf(state.shelf))
        if state.shelf.is_backlog:
            parts.append(output.say("积存", "backlog"))
    if state.level not in ("grid", "community"):
        parts.append(output.say("由{}负责", "answered for by the {}").format(words.word(words.LEVEL, state.level)))
    return " · ".join(parts)


def _shelf(shelf: Shelf) -> str:
    if not shelf.reviews:
        return output.say("挂账", "shelved")
    review = output.local(shelf.reviews[0])
    return output.say(f"挂账（{review} 复核）", f"shelved (review {review})")


def _light(state: Case, plan: Plan, at: datetime) -> Any:
    due = plan.attributes.due_at
    shown = words.light(state.light)
    if due is not None:
        when, left = output.local(due), output.remaining(due, at)
        shown.append(output.say(f" · 最近到期 {when}（{left}）", f" · next due {when} ({left})"))
    return shown


def _name(code: str | None, registry: Registry) -> str | None:
    if code is None:
        return None
    known = registry.organisation(code)
    return f"{known.name} {code}" if known else code


def _place(state: Case, registry: Registry) -> str:
    place = state.place
    if place.grid is None:
        return output.say("待街道指定网格", "to be placed by the street")
    grid = registry.grid(place.grid)
    names = [_name(place.street, registry), _name(place.community, registry)]
    names.append(f"{grid.name} {place.grid}" if grid else place.grid)
    return " / ".join(name for name in names if name)


def _category(state: Case, registry: Registry) -> str | None:
    if state.category is None:
        return None
    known = registry.category(state.category)
    everyday = output.say("（能办即办）", " (everyday)") if state.everyday else ""
    return f"{known.name} {state.category}{everyday}" if known else state.category


def _departments(state: Case, registry: Registry) -> None:
    if not state.assignments:
        return
    output.line("\n部门", "\nDepartments")
    rows = [
        (
            output.say("主办", "lead") if part.lead else output.say("协办", "helper"),
            _name(part.department, registry),
            _part(part),
            part.measures or "",
        )
        for part in state.assignments
    ]
    output.table([("", ""), ("单位", "unit"), ("进度", "progress"), ("措施", "measures")], rows)


def _part(part: Assignment) -> str:
    steps = [
        (part.assigned_at, "派单", "dispatched"),
        (part.accepted_at, "签收", "accepted"),
        (part.struck_off_at, "销账", "struck off"),
        (part.returned_at, "退单", "returned"),
    ]
    return " → ".join(f"{output.say(zh, en)} {output.local(at)[5:]}" for at, zh, en in steps if at is not None)


def _tasks(tasks: tuple[Task, ...], registry: Registry, at: datetime) -> None:
    if not tasks:
        return
    output.line("\n接下来", "\nNext")
    columns = [("要做", "what"), ("由谁", "who"), ("截止", "due"), ("", "")]
    output.table(
        columns, [(*task_words(task, registry), task.due_at, output.remaining(task.due_at, at)) for task in tasks]
    )


def task_words(task: Task, registry: Registry) -> tuple[str, str]:
    """What is to be done and by whom, in words."""
    where = task.person or _name(task.organisation, registry) or task.grid or ""
    return words.word(words.TASK, task.kind), f"{words.role(task.role)} {where}".strip()


def _clocks(state: Case, at: datetime) -> None:
    still = {each for mark in (state.suspension, state.shelf) if mark for each in mark.clocks}
    still |= {state.question.clock_id} if state.question and state.question.clock_id else set()
    rows = [_clock(clock, state, at) for clock in state.clocks if clock.is_running or clock.id in still]
    if rows:
        output.line("\n时限", "\nLimits")
        output.table([("时限", "limit"), ("多久", "length"), ("灯", "light"), ("截止", "due"), ("", "")], rows)


def _clock(clock: Clock, state: Case, at: datetime) -> tuple[object, ...]:
    """A clock that runs, or one that stands still: when it is due then depends on how long it does."""
    step = state.rules.row.step(clock.step) if clock.step else None
    whose = clock.organisation or (step.name if step else clock.step)
    name = " ".join(part for part in (words.word(words.CLOCK, clock.kind), whose) if part)
    length = output.say(clock.whole_limit.chinese, str(clock.whole_limit))
    if not clock.is_running:
        return name, length, words.light(clock.light), None, output.say("停止计时", "stands still")
    left = output.remaining(clock.due_at, at) + (output.say(" 暂定", " provisional") if clock.provisional else "")
    return name, length, words.light(clock.light), clock.due_at, left


def _orders(state: Case, registry: Registry) -> None:
    if not state.orders:
        return
    output.line("\n督办", "\nSupervision")
    rows = [
        (
            order.number,
            output.say("催办通知书", "written urging") if order.urging else output.say("督办", "order"),
            _name(order.to, registry),
            order.at,
            order.replied_at or output.say("待回复", "no reply yet"),
        )
        for order in state.orders
    ]
    output.table([("号", "no."), ("", ""), ("单位", "unit"), ("时间", "at"), ("回复", "replied")], rows)


def _outcome(state: Case) -> None:
    signatures = "、".join(f"{words.person(each.by)} {words.signature(each)}" for each in state.signatures)
    told = {Audience.DEPARTMENT: ("部门", "department"), Audience.RESIDENT: ("居民", "resident")}
    rows: list[tuple[str, str, object]] = [
        ("核查人", "verified by", state.verified_by),
        ("待签摘要" if state.stage == Stage.VERIFIED else "结果摘要", "digest", state.digest),
        ("签字", "signed", signatures),
        ("已反馈", "told", "、".join(output.say(*told[each]) for each in state.fed_back)),
        ("未接通", "unanswered", len(state.unanswered) or None),
        ("满意度", "grade", words.word(words.SATISFACTION, state.satisfaction) if state.satisfaction else None),
        ("结账", "settled", output.local(state.settled_at) if state.settled_at else None),
        ("可重开至", "may be reopened until", output.local(state.reopen_until) if state.reopen_until else None),
        ("归档", "archived", output.local(state.archived_at) if state.archived_at else None),
    ]
    if any(value for _, _, value in rows):
        output.line("\n结果", "\nOutcome")
        output.fields(rows)
