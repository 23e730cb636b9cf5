"""A request as its resident may see it: how far it is, what comes next and until when, what they were told.

Owns the choice of what is shown, and the words. Nobody's name is shown, no person's code, no note between offices; of
the resident's own data only the redacted title. Must not read anything: the facts are given.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console import words
from console.output import local, say
from domain.case import CASE
from domain.case import commands as c
from domain.case import events as e
from domain.case.state import Case
from domain.case.vocabulary import Audience, Evidence, EvidenceKind, Satisfaction, Stage
from domain.errors import Refused
from domain.ladder import ClockKind
from domain.people import RESIDENT, Role
from domain.process import World
from domain.registry import Registry

ENDED_EARLY = frozenset({Stage.DECLINED, Stage.WITHDRAWN})
_CHECKED = (Stage.VERIFIED, Stage.SIGNED, Stage.FED_BACK, Stage.ON_THE_SPOT, Stage.SETTLED, Stage.APPRAISED)
_LONG_WAY: tuple[tuple[str, str], ...] = (
    ("登记", "Registered"),
    ("派单", "Assigned"),
    ("办理", "In hand"),
    ("核查", "Checked"),
    ("您的评价", "Your word"),
    ("办结", "Closed"),
)
_SHORT_WAY: tuple[tuple[str, str], ...] = (_LONG_WAY[0], ("现场办理", "Done on the spot"), _LONG_WAY[4], _LONG_WAY[5])
_AT: dict[Stage, int] = {
    Stage.REGISTERED: 0,
    Stage.WHISTLED: 1,
    Stage.RETURNED: 1,
    Stage.DISPATCHED: 2,
    Stage.HANDLING: 2,
    Stage.STRUCK_OFF: 3,
    Stage.VERIFIED: 3,
    Stage.SIGNED: 3,
    Stage.FED_BACK: 4,
    Stage.ON_THE_SPOT: 2,
}
_WAITS_FOR: dict[Stage, ClockKind] = {
    Stage.REGISTERED: ClockKind.PLACE,
    Stage.WHISTLED: ClockKind.DISPATCH,
    Stage.RETURNED: ClockKind.DISPATCH,
    Stage.DISPATCHED: ClockKind.HANDLE,
    Stage.HANDLING: ClockKind.HANDLE,
    Stage.STRUCK_OFF: ClockKind.VERIFY,
    Stage.VERIFIED: ClockKind.SIGN,
    Stage.SIGNED: ClockKind.FEED_BACK,
}
_TRIED: dict[str, c.Visit | c.RecordReply | c.Withdraw | c.Reopen] = {
    "visit": c.Visit(answered=True, satisfaction=Satisfaction.SATISFIED, solved=True),
    "record_reply": c.RecordReply(text="…"),
    "withdraw": c.Withdraw(reason="…"),
    "reopen": c.Reopen(reason="…"),
}
ACTS = frozenset(_TRIED)
"""What a resident may do here."""


@dataclass(frozen=True)
class Step:
    """One step of the way: ``state`` is ``done``, ``now`` or ``ahead``."""

    name: str
    state: str


@dataclass(frozen=True)
class Told:
    """Something that was told to the resident, or that the resident said (``own``)."""

    at: datetime
    what: str
    text: str = ""
    own: bool = False


@dataclass(frozen=True)
class ResidentView:
    """Everything the page shows; ``due_at`` is when the next step is expected, ``offers`` what may be done now."""

    title: str
    number: str
    registered_at: datetime
    stage: str
    steps: tuple[Step, ...]
    now: str
    handled_by: str | None
    due_at: datetime | None
    late: bool
    provisional: bool
    reopen_until: datetime | None
    question: str | None
    told: tuple[Told, ...]
    photos: tuple[Evidence, ...]
    offers: frozenset[str]


def resident_view(stream: str, facts: Sequence[Any], registry: Registry, at: datetime, world: World) -> ResidentView:
    """The view of the request whose facts these are, at the moment ``at``; there is at least one fact."""
    state: Case | None = None
    for fact in facts:
        state = CASE.evolve(state, fact)
    assert state is not None, "a request begins with its registration"
    clock = _clock(state)
    lead = state.lead.department if state.lead else None
    unit = registry.organisation(lead) if lead else None
    return ResidentView(
        title=state.title,
        number=stream.partition("-")[2][:8],
        registered_at=state.registered_at,
        stage=state.stage.value,
        steps=_steps(state),
        now=_now(state, facts),
        handled_by=unit.name if unit and state.stage in (Stage.DISPATCHED, Stage.HANDLING) else None,
        due_at=clock.due_at if clock else None,
        late=clock is not None and clock.due_at < at,
        provisional=clock is not None and clock.provisional,
        reopen_until=state.reopen_until if state.stage in (Stage.SETTLED, Stage.APPRAISED) else None,
        question=_question(state, facts),
        told=tuple(told for fact in facts if (told := _told(fact)) is not None),
        photos=_photos(state, facts),
        offers=frozenset(kind for kind in _TRIED if _may(state, kind, at, world)),
    )


def _may(state: Case, kind: str, at: datetime, world: World) -> bool:
    """Whether the rules would allow it: the same question the command itself will be asked."""
    try:
        CASE.decide(state, _TRIED[kind], RESIDENT, at, world)
    except Refused:
        return False
    return True


def _clock(state: Case) -> Any:
    kind = _WAITS_FOR.get(state.stage)
    if state.suspension is not None or state.shelf is not None:
        return None
    running = [clock for clock in state.clocks if clock.kind == kind and clock.is_running]
    return min(running, key=lambda clock: clock.due_at, default=None)


def _steps(state: Case) -> tuple[Step, ...]:
    if state.stage in ENDED_EARLY:
        return (Step(say(*_LONG_WAY[0]), "done"), Step(words.word(words.STAGE, state.stage.value), "now"))
    short = state.stage == Stage.ON_THE_SPOT or (not state.departments and state.settled_at is not None)
    way = _SHORT_WAY if short else _LONG_WAY
    here = _AT.get(state.stage, len(way))
    names = [say(*each) for each in way]
    return tuple(
        Step(name, "done" if place < here else "now" if place == here else "ahead") for place, name in enumerate(names)
    )


def _now(state: Case, facts: Sequence[Any]) -> str:
    if state.shelf is not None:
        return say(
            "这件事一时难以解决，已列入挂账清单，会定期复核。",
            "This cannot be solved for now; it is on the list of hard cases and looked at again regularly.",
        )
    if state.suspension is not None:
        why, until = words.word(words.SUSPEND, state.suspension.reason.value), local(state.suspension.until)
        return say(
            f"办理暂停（{why}），最迟 {until} 恢复。", f"Work rests ({why}) and goes on by {until} at the latest."
        )
    if state.stage == Stage.DECLINED:
        return _declined(facts)
    if state.stage == Stage.SETTLED and state.satisfaction is None:
        return say(
            "多次未能联系上您，已先行办结。如仍有问题，可在下方要求重开。",
            "You could not be reached, so this was closed. If anything is left, ask for it to be reopened below.",
        )
    return say(*_SENTENCES[state.stage])


_SENTENCES: dict[Stage, tuple[str, str]] = {
    Stage.REGISTERED: (
        "已登记，社区正在研判，将现场办理或转交有关部门。",
        "Registered. The community decides whether to handle it on the spot or to call a department.",
    ),
    Stage.WHISTLED: ("社区已上报，街道正在派单。", "The community has passed it on; the street is assigning it."),
    Stage.DISPATCHED: ("已派给承办部门，等待签收。", "Assigned to a department, which has still to accept it."),
    Stage.HANDLING: ("承办部门正在办理。", "The department is working on it."),
    Stage.RETURNED: ("街道正在重新确定承办部门。", "The street is deciding anew which department handles it."),
    Stage.STRUCK_OFF: (
        "部门报告已办完，网格员将到现场核查。",
        "The department says it is done; a grid worker will check on the spot.",
    ),
    Stage.VERIFIED: ("现场核查已通过，等待确认签字。", "The check was passed; it waits for two signatures."),
    Stage.SIGNED: ("结果已确认，即将反馈给您。", "The result is confirmed and will be told to you next."),
    Stage.FED_BACK: ("结果已反馈，请您评价是否解决。", "You were told the result. Please say whether it is solved."),
    Stage.ON_THE_SPOT: (
        "网格员已现场办理，请您评价是否解决。",
        "The grid worker has handled it on the spot. Please say whether it is solved.",
    ),
    Stage.SETTLED: ("已按您的意见办结。", "Closed on your word."),
    Stage.APPRAISED: ("已按您的意见办结。", "Closed on your word."),
    Stage.ARCHIVED: ("已办结并归档。", "Closed and archived."),
    Stage.WITHDRAWN: ("已按您的要求撤回。", "Withdrawn as you asked."),
}


def _declined(facts: Sequence[Any]) -> str:
    fact = next(each for each in reversed(facts) if isinstance(each, e.Declined))
    reason = words.word(words.REASON, fact.reason.value)
    return say(f"不予受理（{reason}）。", f"Not taken on ({reason}).")


def _question(state: Case, facts: Sequence[Any]) -> str | None:
    if state.question is None:
        return None
    return next((each.question for each in reversed(facts) if isinstance(each, e.ResidentAsked)), None)


_Teller = Callable[[Any], Told | None]


def _fed_back(fact: Any) -> Told | None:
    return Told(fact.at, say("结果反馈", "The result"), fact.text) if fact.to == Audience.RESIDENT else None


def _commented(fact: Any) -> Told | None:
    return Told(fact.at, say("公开答复", "Answered in public"), fact.text) if fact.public else None


def _visited(fact: Any) -> Told | None:
    if not fact.answered:
        return Told(fact.at, say("曾联系您，未接通", "You were called and did not answer"))
    grade = words.word(words.SATISFACTION, fact.satisfaction.value)
    solved = say("已解决", "solved") if fact.solved else say("未解决", "not solved")
    what = (
        say("您的评价", "Your word") if fact.by.role == Role.RESIDENT else say("回访记录", "What you said when asked")
    )
    text = "\n".join(part for part in (f"{grade} · {solved}", fact.word) if part)
    return Told(fact.at, what, text, own=True)


def _extended(fact: Any) -> Told | None:
    return Told(fact.at, say("办理时限已延长", "More time was granted"), fact.reason) if fact.granted else None


_TELLERS: dict[type[Any], _Teller] = {
    e.Registered: lambda fact: Told(fact.at, say("已登记", "Registered")),
    e.HandledOnSpot: lambda fact: Told(fact.at, say("现场办理", "Handled on the spot"), fact.measures),
    e.Declined: lambda fact: Told(fact.at, say("不予受理", "Not taken on"), fact.explanation),
    e.FedBack: _fed_back,
    e.Commented: _commented,
    e.ResidentAsked: lambda fact: Told(fact.at, say("向您询问", "You were asked"), fact.question),
    e.ResidentReplied: lambda fact: Told(fact.at, say("您的答复", "Your answer"), fact.text, own=True),
    e.ExtensionDecided: _extended,
    e.Visited: _visited,
    e.ReworkOrdered: lambda fact: Told(fact.at, say("退回重新办理", "Sent back to be done again")),
    e.Reopened: lambda fact: Told(fact.at, say("重开", "Reopened"), fact.reason, own=fact.by.role == Role.RESIDENT),
    e.Withdrawn: lambda fact: Told(fact.at, say("撤回", "Withdrawn"), fact.reason, own=fact.by.role == Role.RESIDENT),
    e.Settled: lambda fact: Told(fact.at, say("办结", "Closed")),
}


def _told(fact: Any) -> Told | None:
    teller = _TELLERS.get(type(fact))
    return teller(fact) if teller is not None else None


def _photos(state: Case, facts: Sequence[Any]) -> tuple[Evidence, ...]:
    """The photographs of the result, once somebody has checked it; only those of the last time it was done."""
    if state.stage not in (*_CHECKED, Stage.ARCHIVED):
        return ()
    found: list[Evidence] = []
    for fact in facts:
        if isinstance(fact, e.ReworkOrdered | e.Reopened):
            found.clear()
        elif isinstance(fact, e.HandledOnSpot | e.StruckOff | e.Verified):
            found += [each for each in fact.evidence if each.kind == EvidenceKind.AFTER]
    return tuple({each.ref: each for each in found}.values())
