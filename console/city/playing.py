"""Plays the life of one request in the pattern of the city: people act, time passes, the rules decide.

Owns who does what when, and how often something goes another way. What happens is decided by the very decider that
decides in the office, so a history played here is one that could have been recorded there; the rows are those that the
projection makes of it. Pure, and the same dice give the same history.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from console.city.town import GRID as HERE
from console.city.town import NUMBER, PATTERN, TEXT, TITLE, Matter, department, handler
from domain.calendar import WorkCalendar
from domain.case.closing import result_text
from domain.case.commands import Verify
from domain.case.state import Case
from domain.case.vocabulary import Stage
from domain.errors import Refused
from domain.limits import Limit, Unit
from domain.parsing import parse_command
from domain.people import SYSTEM, Actor
from domain.process import Envelope, Plan, TimePasses, World
from domain.processes import PROCESSES
from domain.rules import Urgency
from ledger.acting import envelope_content
from ledger.log import Json, canonical
from ledger.projection import Rows, project

_CASE = PROCESSES["case"]
_TIME = canonical({"kind": "time_passes"})
_BEFORE = {"kind": "before", "ref": "file-before", "digest": "b" * 64}
_AFTER = {"kind": "after", "ref": "file-after", "digest": "a" * 64}
_BAD = ("dissatisfied", "very_dissatisfied")
_PACE = {Urgency.EMERGENCY: 0.12, Urgency.LIVELIHOOD: 0.4, Urgency.GENERAL: 1, Urgency.COMPLEX: 1}
_MOST = 200
"""No history has more acts than this; one that has, goes round in circles."""


@dataclass(frozen=True)
class Act:
    """One accepted command: its moment, its canonical content, its events, and the rows it wrote.

    ``result`` is the text the digest of a check is made of, empty for all other acts.
    """

    at: datetime
    content: str
    events: tuple[Json, ...]
    rows: Rows
    finished: bool
    result: str = ""


class GoneWrong(Exception):  # noqa: N818 - what it says about a history
    """The history came to a point where the act that was meant to follow is not allowed."""


@dataclass
class _Life:
    """A request from its registration on."""

    world: World
    calendar: WorkCalendar
    dice: random.Random
    at: datetime
    acts: list[Act] = field(default_factory=list)
    known: tuple[Case, Plan] | None = None
    seq: int = 0

    @property
    def case(self) -> Case:
        """The case as it stands."""
        assert self.known is not None, "the first act registers"
        return self.known[0]

    def act(self, who: str, kind: str, **fields: Any) -> None:
        """One person acts, after time has said what it had to say. Raises ``Refused`` as the rules do."""
        self.let_time_pass(self.at)
        actor, command = PATTERN[who], {"kind": kind, **fields}
        read = parse_command(_CASE, command)
        result = result_text(self.case, read) if isinstance(read, Verify) else ""
        content = canonical(envelope_content(Envelope(command_id="", actor=actor, command=command)))
        self._record(read, actor, self.at, content, result)

    def let_time_pass(self, until: datetime) -> None:
        """Everything that time says up to the moment ``until``, each at its own moment."""
        while self.known is not None and (alarm := self.known[1].alarm) is not None and alarm <= until:
            before = self.seq
            self._record(TimePasses(), SYSTEM, alarm, _TIME, "")
            if self.seq == before:
                raise GoneWrong("an alarm with nothing to say")

    def _record(self, command: Any, actor: Actor, at: datetime, content: str, result: str) -> None:
        state: Any = self.known[0] if self.known else None
        events = _CASE.decide(state, command, actor, at, self.world)
        if not events:
            return
        told = []
        for seq, event in enumerate(events, self.seq + 1):
            state = _CASE.evolve(state, event)
            if notices := _CASE.notices(state, event):
                told.append((seq, event, notices))
        self.seq += len(events)
        after = (state, _CASE.plan(state, self.world))
        rows = project("case-", self.seq, at, self.known, after, told)
        bodies = tuple(event.model_dump(mode="json", exclude_none=True) for event in events)
        self.acts.append(Act(at, content, bodies, rows, after[1].finished, result))
        self.known = after
        if len(self.acts) > _MOST:
            raise GoneWrong("too many acts")

    def wait(self, hours: float, *, office: bool = True) -> None:
        """Let about so many hours go by, of office hours or of the day; mostly less, now and then much more.

        What is urgent does not wait for office hours.
        """
        pace = _PACE[self.case.urgency]
        length, office = self.dice.lognormvariate(0, 0.6) * hours * pace, office and pace == 1
        whole, rest = int(length), timedelta(seconds=int((length % 1) * 3600) + self.dice.randrange(1, 50))
        if office:
            # From the next working moment on: whole hours by the calendar, the rest right after.
            begun = self.calendar.add(self.at, Limit(amount=whole + 1, unit=Unit.WORKING_HOUR))
            self.at = max(self.at, begun - timedelta(hours=1)) + rest
        else:
            self.at += timedelta(hours=whole) + rest

    def chance(self, share: float) -> bool:
        """True in this share of all cases."""
        return self.dice.random() < share


def play(world: World, matter: Matter, at: datetime, dice: random.Random) -> list[Act]:
    """A whole life of one request registered at ``at``, until its dossier is sealed.

    Raises ``GoneWrong`` where the dice led to something that the rules do not allow; others may be thrown.
    """
    assert world.current_calendar is not None, "the city has a calendar"
    life = _Life(world, world.calendars[world.current_calendar], dice, at)
    try:
        _live(life, matter)
        for _ in range(_MOST):
            alarm = life.known[1].alarm if life.known else None
            if alarm is None:
                break
            life.let_time_pass(alarm)
    except Refused as refused:
        raise GoneWrong(refused.code) from refused
    if not life.acts[-1].finished:
        raise GoneWrong("never ends")
    return life.acts


def _live(life: _Life, matter: Matter) -> None:
    _register(life, matter)
    if matter.on_the_spot and life.chance(0.86):
        life.wait(1.5, office=False)
        life.act("#worker#", "handle_on_spot", measures=life.dice.choice(matter.done), evidence=[_BEFORE, _AFTER])
        _visit(life)
        return
    life.wait(0.8)
    if life.chance(0.03):
        reason = life.dice.choice(("not_in_scope", "no_facts", "already_answered"))
        life.act("#staff#", "decline", reason=reason, explanation="经核实不属于受理范围，已向居民说明。")
        return
    if life.chance(0.02):
        by = "#hotline#" if life.case.channel == "hotline" else "#worker#"
        life.act(by, "withdraw", reason="居民表示问题已自行解决")
        return
    _call(life, matter)
    _handle(life, matter)
    _appraise(life)
    if life.chance(0.03):
        life.wait(20, office=False)
        _reopen(life, matter)


def _register(life: _Life, matter: Matter) -> None:
    by_phone = life.chance(0.6)
    fields: dict[str, Any] = {"title": TITLE, "text": TEXT, "grid": HERE, "category": matter.category}
    if by_phone:
        fields |= {"channel": "hotline", "source": "12345", "external_id": NUMBER}
    fields["urgency"] = matter.urgency.value
    life.act("#hotline#" if by_phone else "#worker#", "register", **fields)


def _call(life: _Life, matter: Matter) -> None:
    """Whistle, dispatch, and whatever goes back and forth until somebody signs for it."""
    lead = matter.lead
    helpers = [department(life.dice.choice(matter.helpers))] if matter.helpers and life.chance(0.15) else []
    life.act(
        "#staff#",
        "whistle",
        reason="reflected",
        departments=[department(lead), *helpers],
        approver="#approver#",
    )
    life.wait(1.0)
    # One in sixteen goes to the wrong hands first.
    if life.chance(0.06) and matter.helpers:
        wrong = life.dice.choice(matter.helpers)
        life.act("#dispatcher#", "dispatch", lead=department(wrong))
        life.wait(1.5)
        life.act(
            handler(wrong),
            "return_task",
            reason="现场查看，设施不在本部门台账上。",
            legal_basis="部门职责清单",
            proposed=department(lead),
        )
        life.wait(1.0)
        helpers = []
    if life.case.to_arbitration:
        reason = "现场核实，退单成立。"
        life.act("#dispatcher#", "arbitrate", decision="redispatch", lead=department(lead), reason=reason)
    else:
        life.act("#dispatcher#", "dispatch", lead=department(lead), helpers=helpers)


def _handle(life: _Life, matter: Matter) -> None:
    lead = handler(matter.lead)
    life.wait(0.7)
    life.let_time_pass(life.at)
    for part in life.case.assignments:
        if part.returned_at is None and part.accepted_at is None and not life.chance(0.05):
            life.act(_handler_of(part.department), "accept")
    life.wait(1.5)
    _until_accepted(life)
    if life.chance(0.9):
        life.act(lead, "report_progress", text="已联系居民，约好上门时间。", contacted=True)
    _on_the_way(life, matter)
    _strike_off(life, matter)
    _until_settled(life, matter)


def _handler_of(code: str) -> str:
    return handler(int(code.strip("#d")))


def _until_accepted(life: _Life) -> None:
    """Silence is receipt: wait for it where nobody has signed for the task."""
    while any(part.returned_at is None and part.accepted_at is None for part in life.case.assignments):
        assert life.known is not None, "it has been registered"
        alarm = life.known[1].alarm
        if alarm is None:
            raise GoneWrong("nobody signs")
        life.at = max(life.at, alarm)
        life.let_time_pass(life.at)


def _on_the_way(life: _Life, matter: Matter) -> None:
    """What may happen while a department works: reminders, more time, a standstill."""
    if life.chance(0.06):
        life.wait(4)
        life.act("#staff#", "urge", text="居民再次来电，请抓紧。", to=department(matter.lead))
    if life.chance(0.04) and life.case.rules.row.extension is not None:
        unit = life.case.rules.row.extension.unit
        life.wait(2)
        length = f"{3 if unit is Unit.WORKING_DAY else 6}{unit.value}"
        life.act(handler(matter.lead), "request_extension", length=length, reason="配件需要调货。")
        life.wait(2)
        life.act("#dispatcher#", "decide_extension", granted=True, reason="情况属实，同意。")
    if life.chance(0.03):
        life.wait(2)
        life.act(
            "#dispatcher#",
            "suspend",
            reason="awaiting_party",
            explanation="户主外出，约好时间再上门。",
            requested_by=department(matter.lead),
        )
        life.wait(16)
        life.act("#dispatcher#", "resume", reason="户主已回来。")


def _strike_off(life: _Life, matter: Matter) -> None:
    """The departments say that it is done, the lead last; now and then much later than they should."""
    limit = life.case.rules.row.limits
    handle = next((each for kind, each in limit.items() if kind.value == "handle"), None)
    hours = 12.0 if handle is None or handle.is_natural else min(14.0, handle.amount * 2.4)
    life.wait(hours * (5 if life.chance(0.04) else 1))
    work = {"people": life.dice.randint(1, 4), "minutes": life.dice.choice((20, 30, 45, 60, 90, 120, 240))}
    parts = sorted((part for part in life.case.assignments if part.is_open), key=lambda part: part.lead)
    for part in parts:
        fields = {"measures": life.dice.choice(matter.done), "workload": work, "evidence": [_AFTER]}
        life.act(_handler_of(part.department), "strike_off", **fields)
        life.wait(0.3)


def _until_settled(life: _Life, matter: Matter) -> None:
    """Check, two signatures, two feedbacks and the resident's word; round again where one of them says no."""
    for _ in range(4):
        life.wait(1.5)
        passed = not life.chance(0.06)
        note = {} if passed else {"note": "边角没有收拾干净。"}
        life.act("#checker#", "verify", passed=passed, evidence=[_AFTER], **note)
        if passed:
            digest = life.case.digest
            for who in ("#captain#", "#head#"):
                life.wait(0.6)
                life.act(who, "sign", digest=digest)
            life.wait(0.5)
            life.act("#worker#", "feed_back", to="department", text="核查通过。")
            life.act("#worker#", "feed_back", to="resident", text="已办结，请查看。")
            _visit(life)
            if life.case.stage is not Stage.HANDLING:
                return
        _strike_off(life, matter)
    raise GoneWrong("never good enough")


def _visit(life: _Life) -> None:
    """Ask the resident until somebody answers, or often enough."""
    by = "#staff#" if life.case.channel == "hotline" else "#worker#"
    while (stage := life.case.stage) in (Stage.FED_BACK, Stage.ON_THE_SPOT):
        life.wait(2.5)
        if life.chance(0.12):
            life.act(by, "visit", answered=False)
            life.at += life.case.rules.visit_gap.natural()
            continue
        grade = life.dice.choices(
            ("very_satisfied", "satisfied", "fair", "dissatisfied", "very_dissatisfied"), (38, 46, 10, 4, 2)
        )[0]
        if stage is Stage.ON_THE_SPOT and grade in _BAD:
            grade = "fair"  # who settles on the spot stays until it is right
        content = grade not in _BAD
        life.act(by, "visit", answered=True, satisfaction=grade, solved=content or life.chance(0.4))


def _appraise(life: _Life) -> None:
    if life.case.stage is not Stage.SETTLED:
        return
    life.wait(5)
    for part in life.case.assignments:
        if part.returned_at is None and part.scores is None:
            scores = {name: life.dice.randint(60, 100) for name in ("speed", "quality", "attitude")}
            life.act("#staff#", "appraise", department=part.department, scores=scores)


def _reopen(life: _Life, matter: Matter) -> None:
    if life.case.stage not in (Stage.SETTLED, Stage.APPRAISED) or life.case.reopen_until is None:
        return
    if life.at >= life.case.reopen_until:
        return
    life.act("#staff#", "reopen", reason="居民反映问题再次出现")
    _strike_off(life, matter)
    _until_settled(life, matter)
    _appraise(life)


def kinds(acts: Sequence[Act]) -> Mapping[str, int]:
    """How many events of each kind a history has."""
    found: dict[str, int] = {}
    for act in acts:
        for body in act.events:
            found[str(body["kind"])] = found.get(str(body["kind"]), 0) + 1
    return found
