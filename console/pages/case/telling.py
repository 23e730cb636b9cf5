"""The parts of a case page in words: the way through the stages, who has it, what happened, how it ended.

Owns the words and the order. Must not read anything: an ``Opened`` is given.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from console import output, words
from console.deadline_sheet import ToldClock, tell_clock
from console.doing import summary
from console.pages.case.opened import Opened
from domain.case import CASE
from domain.case import events as e
from domain.case.explain import explain
from domain.case.state import Assignment, Order
from domain.case.vocabulary import STAGE_NAMES, Audience, Stage
from domain.people import Actor, Role
from domain.process import Task, World
from domain.registry import Registry
from domain.zone import office_day

_LONG = (
    Stage.REGISTERED, Stage.WHISTLED, Stage.DISPATCHED, Stage.HANDLING, Stage.STRUCK_OFF, Stage.VERIFIED, Stage.SIGNED,
    Stage.FED_BACK, Stage.SETTLED, Stage.APPRAISED, Stage.ARCHIVED,
)  # fmt: skip
_SHORT = (Stage.REGISTERED, Stage.ON_THE_SPOT, Stage.SETTLED, Stage.ARCHIVED)
_ENDED = (Stage.DECLINED, Stage.WITHDRAWN)
_CLOCK_FACTS = frozenset({
    "clock_started", "clock_stopped", "clock_resumed", "clock_extended", "clock_warned", "clock_expired",
})  # fmt: skip
_TONES = {
    "task_returned": "warn", "rework_ordered": "warn", "signature_refused": "warn", "suspended": "warn",
    "shelved": "warn", "supervision_ordered": "warn", "rung_reached": "warn", "level_raised": "warn",
    "clock_expired": "bad", "declined": "bad", "withdrawn": "bad", "settled": "good", "appraised": "good",
    "archived": "good",
}  # fmt: skip
_PEOPLE_NAMED = 3
_URGING = ("催办通知书", "written urging")


class Names:
    """What units, grids and people are called on the day of the page."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def unit(self, code: str | None) -> str:
        """The name of an organisation, its code where the registry does not know it."""
        known = self._registry.organisation(code) if code else None
        return known.name if known else code or "—"

    def grid(self, code: str | None) -> str:
        """The name of a grid."""
        known = self._registry.grid(code) if code else None
        return known.name if known else code or "—"

    def person(self, code: str) -> str:
        """The name of a member of staff; residents and services have none."""
        known = self._registry.person(code)
        return known.name if known else code

    def actor(self, actor: Actor) -> str:
        """Who acted, and in which role."""
        if actor.role in (Role.SYSTEM, Role.RESIDENT):
            return words.role(actor.role.value)
        name, role = self.person(actor.person), words.role(actor.role.value)
        unit = self.unit(actor.organisation) if actor.organisation else None
        place = unit if actor.role not in (Role.SUPERVISOR,) else None
        what = " ".join(part for part in (place, role) if part)
        return output.say(f"{name}（{what}）", f"{name} ({what})")

    def any(self, code: str) -> str:
        """The name of whatever the code stands for; the text itself where it stands for nothing."""
        unit = self._registry.organisation(code)
        if unit is not None:
            return unit.name
        person = self._registry.person(code)
        return person.name if person else code


# --- the way through the stages --------------------------------------------------------------------------------------


class Stop(NamedTuple):
    """One stage on the way: ``state`` is done, now or ahead; ``note`` what there is to say about it."""

    code: str
    name: str
    state: str
    at: datetime | None
    note: str


@dataclass(frozen=True)
class Way:
    """The way of a case; ``marks`` are what lies on it besides: rework, standing still, a raised level."""

    stops: list[Stop]
    marks: list[tuple[str, str]]
    said: str


def way_of(case: Opened) -> Way:
    """The way as far as it is known: the short one for what was handled on the spot."""
    state, seen = case.state, [stage for stage, _ in case.reached]
    line = _SHORT if Stage.ON_THE_SPOT in seen and Stage.WHISTLED not in seen else _LONG
    times = dict(case.reached)  # the last time each was reached
    here = Stage.DISPATCHED if state.stage == Stage.RETURNED else state.stage
    if here in _ENDED:
        passed = [stage for stage in line if stage in seen]
        stops = [Stop(each, _stage(each), "done", times[each], "") for each in passed]
        stops.append(Stop(here, _stage(here), "now", times[here], ""))
    else:
        place = line.index(here)
        stops = [
            Stop(
                each,
                _stage(each),
                "done" if number < place else "now" if number == place else "ahead",
                times.get(each) if number <= place else None,
                _note(case, each) if number == place else "",
            )
            for number, each in enumerate(line)
        ]
    now = next(each for each in stops if each.state == "now")
    return Way(stops, list(_marks(case)), now.name)


def _stage(stage: Stage) -> str:
    return output.say(*STAGE_NAMES[stage])


def _note(case: Opened, stage: Stage) -> str:
    state = case.state
    if state.stage == Stage.RETURNED:
        if state.to_arbitration:
            return output.say("已退单，待仲裁", "returned, to be arbitrated")
        return output.say("已退单，待重新派单", "returned, to be dispatched again")
    if stage == Stage.HANDLING and state.round:
        return output.say(f"第 {state.round + 1} 次办理", f"time {state.round + 1}")
    if stage == Stage.VERIFIED and state.signatures:
        return output.say("已签一人，还差一人", "one signature is still missing")
    if stage == Stage.SIGNED and state.fed_back:
        return output.say("已反馈一方，还差一方", "one side is still to be told")
    return ""


def _marks(case: Opened) -> Iterator[tuple[str, str]]:
    state = case.state
    if state.rework_count:
        causes = [fact.cause for fact in case.facts if isinstance(fact, e.ReworkOrdered)]
        why = output.say("、", ", ").join(words.word(words.REASON, cause) for cause in causes)
        yield "warn", output.say(f"返工 {state.rework_count} 次：{why}", f"{state.rework_count} rework(s): {why}")
    reopened = sum(1 for fact in case.facts if isinstance(fact, e.Reopened))
    if reopened:
        yield "warn", output.say(f"重开 {reopened} 次", f"reopened {reopened} time(s)")
    if state.suspension is not None:
        why, until = words.word(words.SUSPEND, state.suspension.reason), output.local(state.suspension.until)
        yield "warn", output.say(f"停表：{why}，至 {until}", f"suspended: {why}, until {until}")
    if state.shelf is not None:
        review = output.local(state.shelf.reviews[0]) if state.shelf.reviews else output.say("待复核", "review due")
        backlog = output.say("，积存", ", backlog") if state.shelf.is_backlog else ""
        yield "warn", output.say(f"挂账，下次复核 {review}{backlog}", f"shelved, next review {review}{backlog}")
    if state.question is not None:
        until = output.local(state.question.until)
        yield "info", output.say(f"等居民回复，至 {until}", f"waiting for the resident until {until}")
    if state.level not in ("grid", "community"):
        level = words.word(words.LEVEL, state.level)
        yield "info", output.say(f"已提级到{level}", f"raised to the {level}")


# --- who has it ---------------------------------------------------------------------------------------------------


class Waiting(NamedTuple):
    """One thing somebody must do: what, who, until when, and the light of that."""

    what: str
    who: str
    people: str
    due_at: datetime | None
    light: str | None


def waiting_of(case: Opened, names: Names) -> list[Waiting]:
    """What the case waits for, the most pressing first."""
    tasks = CASE.plan(case.state, World()).tasks
    found = [_waiting(case, task, names) for task in tasks]
    return sorted(found, key=lambda each: (each.due_at is None, each.due_at or case.at))


def _waiting(case: Opened, task: Task, names: Names) -> Waiting:
    role = Role(task.role)
    people = case.registry.holders(role, task.organisation, task.grid, office_day(case.at))
    if task.person:
        shown = names.person(task.person)
    else:
        shown = "、".join(each.name for each in people[:_PEOPLE_NAMED])
        if len(people) > _PEOPLE_NAMED:
            shown += output.say(f"等 {len(people)} 人", f" and {len(people) - _PEOPLE_NAMED} more")
    place = names.unit(task.organisation) if task.organisation else names.grid(task.grid) if task.grid else ""
    who = " ".join(part for part in (place, words.role(task.role)) if part)
    lit = {clock.due_at: clock.light for clock in case.state.clocks if clock.is_running}
    return Waiting(words.word(words.TASK, task.kind), who, shown, task.due_at, lit.get(task.due_at or case.at))


# --- what happened ------------------------------------------------------------------------------------------------


class Told(NamedTuple):
    """A fact in words; ``clocks`` are the facts of clocks that came with it, ``texts`` what people wrote."""

    seq: int
    at: datetime
    what: str
    who: str
    said: str
    texts: list[str]
    clocks: list[str]
    tone: str


def timeline_of(case: Opened, names: Names) -> list[Told]:
    """All facts, the latest first; those of clocks stand with what moved them."""
    found: list[Told] = []
    alone: list[str] = []
    for recorded, fact in zip(case.recorded, case.facts, strict=True):
        body: Any = recorded.body
        if recorded.kind in _CLOCK_FACTS:
            line = f"{words.word(words.EVENT, recorded.kind)}：{summary(body, names.any)}"
            if recorded.kind in ("clock_warned", "clock_expired"):
                found.append(_told(recorded.seq, recorded.kind, fact, body, names))
            elif found and found[-1].at == fact.at:
                found[-1].clocks.append(line)
            else:
                alone.append(line)
            continue
        told = _told(recorded.seq, recorded.kind, fact, body, names)
        told.clocks.extend(alone)
        alone = []
        found.append(told)
    return found[::-1]


_TEXTS = ("text", "measures", "explanation", "instruction", "note", "word", "question")


def _told(seq: int, kind: str, fact: Any, body: dict[str, Any], names: Names) -> Told:
    texts = [str(body[name]) for name in _TEXTS if body.get(name) and body[name] not in _URGING]
    short = {name: value for name, value in body.items() if name not in _TEXTS}
    if kind == "registered":
        short = {name: value for name, value in short.items() if name not in ("title", "category", "condition")}
    digest = short.pop("digest", None)
    said = summary(short, names.any, cut=200)
    if digest:
        # Enough of it to compare by eye; the whole stands on the record.
        said = " · ".join(
            part for part in (said, output.say(f"结果摘要 {digest[:12]}…", f"digest {digest[:12]}…")) if part
        )
    who = names.actor(fact.by)
    return Told(seq, fact.at, words.word(words.EVENT, kind), who, said, texts, [], _TONES.get(kind, "plain"))


def since(case: Opened, seen: int, names: Names) -> list[Told]:
    """What others have done since the fact ``seen``, the latest first."""
    return [each for each in timeline_of(case, names) if each.seq > seen]


# --- the rest -----------------------------------------------------------------------------------------------------


def clocks_of(case: Opened) -> list[ToldClock]:
    """Every clock with its story, those that still count first."""
    at = max(case.at, case.facts[-1].at)  # the clocks of two machines may differ by a little
    sheet = explain(case.facts, at=at, calendars=case.world.calendars, states=case.states)
    told = [tell_clock(each, case.registry, case.world.calendars, case.at) for each in sheet.clocks]
    return sorted(told, key=lambda each: (each.is_finished, each.due_at))


def facts_of(case: Opened, names: Names) -> list[tuple[str, str]]:
    """The head of the case as names and values."""
    state, place = case.state, case.state.place
    where = " / ".join(names.unit(each) for each in (place.street, place.community) if each)
    where = " / ".join(part for part in (where, names.grid(place.grid) if place.grid else "") if part)
    category = case.registry.category(state.category) if state.category else None
    everyday = output.say("（能办即办）", " (everyday)") if state.everyday else ""
    rows: list[tuple[str, str, str | None]] = [
        ("地点", "place", where if place.grid else output.say("待街道指定网格", "to be placed by the street")),
        ("类别", "category", f"{category.name if category else state.category}{everyday}" if state.category else None),
        ("情形", "condition", state.condition),
        ("紧急程度", "urgency", words.word(words.URGENCY, state.urgency)),
        ("办理方式", "mode", words.word(words.MODE, state.mode) if state.mode else None),
        ("登记", "registered", f"{output.local(state.registered_at)} {names.actor(state.registered_by)}"),
        ("发现", "found", output.local(state.found_at) if state.found_at != state.registered_at else None),
        ("来源", "source", " ".join(part for part in (state.source, state.external_id, state.label) if part) or None),
    ]
    return [(output.say(zh, en), value) for zh, en, value in rows if value]


class Part(NamedTuple):
    """One department's part in the case, in words."""

    unit: str
    lead: bool
    person: str
    steps: list[tuple[str, datetime]]
    measures: str | None
    workload: str
    scores: str
    is_returned: bool


def parts_of(case: Opened, names: Names) -> list[Part]:
    """The departments and what they did, the present ones first."""
    parts = sorted(case.state.assignments, key=lambda each: (each.returned_at is not None, not each.lead))
    return [_part(each, names) for each in parts]


def _part(part: Assignment, names: Names) -> Part:
    steps = [
        (part.assigned_at, "派单", "dispatched"),
        (part.accepted_at, "签收", "accepted"),
        (part.struck_off_at, "销账", "struck off"),
        (part.returned_at, "退单", "returned"),
    ]
    scores = ""
    if part.scores is not None:
        said = part.scores
        scores = output.say(
            f"速度 {said.speed} · 质量 {said.quality} · 态度 {said.attitude}",
            f"speed {said.speed} · quality {said.quality} · attitude {said.attitude}",
        )
    return Part(
        unit=names.unit(part.department),
        lead=part.lead,
        person=names.person(part.person) if part.person else "",
        steps=[(output.say(zh, en), at) for at, zh, en in steps if at is not None],
        measures=part.measures,
        workload=_workload(part),
        scores=scores,
        is_returned=part.returned_at is not None,
    )


def _workload(part: Assignment) -> str:
    work = part.workload
    if work is None:
        return ""
    yuan = f"{work.cost_fen // 100}.{work.cost_fen % 100:02}"
    said = [
        (work.people, f"{work.people} 人", f"{work.people} people"),
        (work.minutes, f"{work.minutes} 分钟", f"{work.minutes} min"),
        (work.vehicles, f"{work.vehicles} 辆车", f"{work.vehicles} vehicle(s)"),
        (work.cost_fen, f"{yuan} 元", f"{yuan} yuan"),
    ]
    return " · ".join(output.say(zh, en) for number, zh, en in said if number)


class ToldOrder(NamedTuple):
    """A supervision order or a written urging with its reply."""

    number: int
    what: str
    unit: str
    at: datetime
    due_at: datetime | None
    replied_at: datetime | None
    text: str
    reply: str
    urging: bool


def orders_of(case: Opened, names: Names) -> list[ToldOrder]:
    """The orders and their replies, the latest first."""
    asked = {fact.order: fact for fact in case.facts if isinstance(fact, e.SupervisionOrdered)}
    replies = {fact.order: fact for fact in case.facts if isinstance(fact, e.SupervisionReplied)}
    return [_order(case, each, names, asked, replies) for each in reversed(case.state.orders)]


def _order(case: Opened, order: Order, names: Names, asked: dict[int, Any], replies: dict[int, Any]) -> ToldOrder:
    clock = case.state.clock(order.clock_id or "")
    reply, given = replies.get(order.number), asked.get(order.number)
    return ToldOrder(
        number=order.number,
        what=output.say("催办通知书", "Written urging") if order.urging else output.say("督办", "Supervision order"),
        unit=names.unit(order.to),
        at=order.at,
        due_at=clock.due_at if clock else None,
        replied_at=order.replied_at,
        text=_own_words(given),
        reply=reply.text if reply else "",
        urging=order.urging,
    )


def _own_words(order: Any) -> str:
    """What the order says; a written urging that says no more than its name says nothing."""
    text = str(getattr(order, "text", "") or "")
    return "" if text in _URGING else text


def outcome_of(case: Opened, names: Names) -> list[tuple[str, str]]:
    """How it ended, as far as it has."""
    state = case.state
    told = {Audience.DEPARTMENT: ("部门", "department"), Audience.RESIDENT: ("居民", "resident")}
    signed = "；".join(f"{names.actor(each.by)} {words.signature(each)}" for each in state.signatures)
    solved = {True: output.say("已解决", "solved"), False: output.say("没解决", "not solved"), None: ""}[state.solved]
    grade = words.word(words.SATISFACTION, state.satisfaction) if state.satisfaction else ""
    rows: list[tuple[str, str, str | None]] = [
        ("核查人", "checked by", names.person(state.verified_by) if state.verified_by else None),
        ("签字", "signed", signed),
        ("已反馈", "told", "、".join(output.say(*told[each]) for each in state.fed_back)),
        ("未接通", "no answer", output.say(f"{len(state.unanswered)} 次", f"{len(state.unanswered)} time(s)")
            if state.unanswered else None),
        ("居民评价", "grade", " · ".join(part for part in (grade, solved) if part)),
        ("结账", "settled", output.local(state.settled_at) if state.settled_at else None),
        ("可重开至", "may be reopened until", output.local(state.reopen_until) if state.reopen_until else None),
        ("归档", "archived", output.local(state.archived_at) if state.archived_at else None),
    ]  # fmt: skip
    return [(output.say(zh, en), value) for zh, en, value in rows if value]


def said_done(recorded: Sequence[Any], *, masked: bool = False) -> str:
    """What a command of the reader has just made true, in a sentence; with ``masked`` that something was masked."""
    kinds = [each.kind for each in recorded if each.kind not in _CLOCK_FACTS]
    told = output.say("、", ", ").join(words.word(words.EVENT, kind) for kind in dict.fromkeys(kinds))
    said = output.say(f"已记入账本：{told}。", f"Recorded: {told}.")
    if masked:
        said += output.say("您写的内容里有个人信息，已遮盖。", " Personal data in what you wrote was masked.")
    return said
