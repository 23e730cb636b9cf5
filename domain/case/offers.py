"""What somebody may do with a case right now: for every kind of command the probes by which that is found out.

Owns the probes, each complete and valid from state and world, and the order in which acts are shown. The answer is
always the one of the case's ``decide``; what stands here only knows what a command needs to be asked about.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from domain.base import Frozen
from domain.case import commands as c
from domain.case import events as e
from domain.case.decide import decide_now
from domain.case.guards import DEPARTMENT_ROLES
from domain.case.process import CASE
from domain.case.state import Case, Order
from domain.case.vocabulary import (
    Arbitration,
    Audience,
    DeclineReason,
    Evidence,
    EvidenceKind,
    Mode,
    Satisfaction,
    Scores,
    WhistleReason,
    Workload,
)
from domain.limits import Limit, limit
from domain.offers import FILLER, MOST_CHOICES, Asking, Choice, Menu, Offer, Withheld
from domain.people import SYSTEM, Actor, Role
from domain.process import Task, TimePasses, World
from domain.registry import Person, Registry
from domain.rules import SuspendReason, Urgency
from domain.zone import office_day

_Ask = Asking[Case]

_NO_CODE = "-"
"""Stands for the code that is nowhere to be found: what decide says of it is the reason."""

_DIGEST = "0" * 64
_BEFORE = Evidence(kind=EvidenceKind.BEFORE, ref="probe", digest=_DIGEST)
_AFTER = Evidence(kind=EvidenceKind.AFTER, ref="probe", digest=_DIGEST)
_WORK = Workload(people=1, minutes=1)
_SCORES = Scores(speed=80, quality=80, attitude=80)

# Read and checked once; a probe is one of them with other codes in it.
_WHISTLE = c.Whistle(reason=WhistleReason.REFLECTED, departments=(_NO_CODE,), approver=_NO_CODE)
_DISPATCH = c.Dispatch(lead=_NO_CODE)
_REPORT = c.ReportProgress(text=FILLER)
_HAND_OVER = c.HandOver(to=_NO_CODE)
_ADD_HELPER = c.AddHelper(department=_NO_CODE, reason=FILLER)
_RETURN = c.ReturnTask(reason=FILLER, legal_basis=FILLER)
_ARBITRATE = c.Arbitrate(decision=Arbitration.FORCE, reason=FILLER)
_MORE_TIME = c.RequestExtension(length=limit("1wd"), reason=FILLER)
_GRANT = c.DecideExtension(granted=True, reason=FILLER)
_DENIAL = c.DecideExtension(granted=False, reason=FILLER)
_SUSPEND = c.Suspend(reason=SuspendReason.AWAITING_PARTY, explanation=FILLER)
_APPRAISE = c.Appraise(department=_NO_CODE, scores=_SCORES)
_URGE = c.Urge(text=FILLER)
_SUPERVISE = c.Supervise(to=_NO_CODE, text=FILLER)
_REPLY = c.ReplySupervision(order=1, text=FILLER)
_CORRECT = c.Correct(reason=FILLER)
_ADOPT = c.AdoptRules(reason=FILLER)
_SHELVE = c.Shelve(reason=FILLER, approver=_NO_CODE, reviews=(datetime(1970, 1, 1, tzinfo=UTC),))
_SPOT = c.HandleOnSpot(measures=FILLER, evidence=(_BEFORE, _AFTER))
_DECLINE = c.Decline(reason=DeclineReason.OTHER, explanation=FILLER)
_STRIKE_OFF = c.StrikeOff(measures=FILLER, workload=_WORK, evidence=(_AFTER,))
_CHECKS = {"passed": c.Verify(passed=True, evidence=(_AFTER,)), "failed": c.Verify(passed=False, evidence=(_AFTER,))}
_FEED_BACK = {audience: c.FeedBack(to=audience, text=FILLER) for audience in Audience}
_ANSWERED = c.Visit(answered=True, satisfaction=Satisfaction.SATISFIED, solved=True)
_UNANSWERED = c.Visit(answered=False)
_REMARKS = {"public": c.Comment(text=FILLER, public=True), "": c.Comment(text=FILLER)}
_REGISTER = c.Register(title=FILLER, text=FILLER)


P = TypeVar("P", bound=Frozen)


def _with(probe: P, **values: Any) -> P:
    return probe.model_copy(update=values)


def offers(
    state: Case | None, actor: Actor, at: datetime, world: World, kinds: Collection[str] | None = None
) -> tuple[Offer, ...]:
    """Every way in which the actor may act on the case at ``at``, the likeliest first; of ``kinds`` where given."""
    return menu(state, (actor,), at, world, kinds).offers


def menu(
    state: Case | None, actors: Iterable[Actor], at: datetime, world: World, kinds: Collection[str] | None = None
) -> Menu:
    """The offers to a person with these roles, and why what none of the roles is offered is withheld.

    ``kinds`` limits what is asked about. Each offer names the role it is for.
    """
    case = None if state is None else _caught_up(state, at, world)
    tasks = () if case is None else CASE.plan(case, world).tasks
    found: list[Offer] = []
    refused: list[Withheld] = []
    for actor in actors:
        for kind, ways in _WAYS.items():
            if (kinds is not None and kind not in kinds) or (case is None) != (kind == "register"):
                continue
            ask = Asking(decide_now, case, actor, at, world)
            given = tuple(ways(ask))
            found += (_answering(each, tasks) for each in given)
            if not given and ask.refusal is not None:
                refused.append(Withheld(kind, actor, ask.refusal))
    offered = {each.kind for each in found}
    found.sort(key=lambda each: each.task is None)  # what the case waits for comes first
    return Menu(tuple(found), tuple(each for each in refused if each.kind not in offered))


def _caught_up(state: Case, at: datetime, world: World) -> Case:
    # Once for all probes; decide would do it again for each of them.
    for event in CASE.decide(state, TimePasses(), SYSTEM, at, world):
        state = CASE.evolve(state, event)
    return state


# --- the tasks they answer ----------------------------------------------------------------------------------------

_ANSWERS: dict[str, tuple[str, ...]] = {
    "place": ("correct",),
    "triage": ("whistle",),
    "handle_on_spot": ("handle_on_spot",),
    "dispatch": ("dispatch",),
    "arbitrate": ("arbitrate",),
    "handle": ("accept", "strike_off"),
    "verify": ("verify",),
    "sign": ("sign",),
    "feed_back_department": ("feed_back:department",),
    "feed_back_resident": ("feed_back:resident",),
    "visit": ("visit",),
    "appraise": ("appraise",),
    "decide_extension": ("decide_extension",),
    "review_shelf": ("unshelve", "shelve"),
    "reply_supervision": ("reply_supervision",),
    "answer_publicly": ("comment:public",),
}
"""The acts that answer a task, by its kind."""


def _answering(offer: Offer, tasks: tuple[Task, ...]) -> Offer:
    for task in tasks:
        if is_for(task, offer.actor) and {offer.kind, offer.name} & {*_ANSWERS.get(task.kind, ())}:
            return replace(offer, task=task.id)
    return offer


def is_for(task: Task, actor: Actor) -> bool:
    """Whether the task waits for this actor: by person, role and place."""
    roles = {Role(task.role)}
    if roles & {*DEPARTMENT_ROLES}:
        roles = {*DEPARTMENT_ROLES}  # the head of a department may do what its people may
    return (
        actor.role in roles
        and task.organisation in (None, actor.organisation)
        and task.grid in (None, actor.grid)
        and task.person in (None, actor.person)
    )


# --- what there is to choose from -----------------------------------------------------------------------------------


def _departments(ask: _Ask, probe: Callable[[str], Any]) -> tuple[Choice, ...]:
    """The departments with which the probe is accepted; those of the street first.

    Departments that have nothing to do with the case are all alike to its rules: one answers for all of them.
    """
    registry, case = ask.world.registry, ask.state
    units = () if registry is None else registry.departments(office_day(ask.at))
    if not units:
        ask.allows(probe(_NO_CODE))
        return ()
    near = [unit for unit in units if unit.parent == case.place.street]
    involved = {part.department for part in case.assignments} | {ask.actor.organisation}
    alike: bool | None = None
    found = []
    for unit in (*near, *(unit for unit in units if unit.parent != case.place.street)):
        if unit.code in involved:
            accepted = ask.allows(probe(unit.code))
        else:
            alike = accepted = ask.allows(probe(unit.code)) if alike is None else alike
        if accepted:
            found.append(Choice(unit.code, unit.name))
        elif ask.is_barred:
            break
    return tuple(found[:MOST_CHOICES])


def _people(people: Iterable[Person], but: str) -> tuple[Choice, ...]:
    named = {person.id: person.name for person in people if person.id != but}
    return tuple(Choice(code, name) for code, name in named.items())[:MOST_CHOICES]


def _unit(registry: Registry | None, code: str) -> Choice:
    unit = registry.organisation(code) if registry else None
    return Choice(code, unit.name if unit else None)


def _grids(ask: _Ask) -> tuple[Choice, ...]:
    """The grids of the street of the case, by community; all there are where it lies in no street yet."""
    registry, place, day = ask.world.registry, ask.state.place, office_day(ask.at)
    if registry is None:
        return ()
    found = []
    for grid in registry.grids:
        community = registry.organisation(grid.community, day) if grid.valid(day) else None
        if community is not None and place.street in (None, community.parent):
            found.append(Choice(grid.code, grid.name, community.name))
    return tuple(sorted(found, key=lambda each: (each.group, each.code))[:MOST_CHOICES])


def _categories(ask: _Ask) -> tuple[Choice, ...]:
    registry, day = ask.world.registry, office_day(ask.at)
    known = registry.categories if registry else ()
    return tuple(Choice(each.code, each.name) for each in known if each.valid(day))[:MOST_CHOICES]


def _words(codes: Iterable[str]) -> tuple[Choice, ...]:
    return tuple(Choice(str(code)) for code in codes)


# --- the ways, kind by kind -----------------------------------------------------------------------------------------


def _register(ask: _Ask) -> Iterator[Offer]:
    if ask.allows(_REGISTER):
        yield Offer("register", ask.actor, _REGISTER, choices={"urgency": _words(Urgency)})


def _plain(kind: str, probe: Any) -> Callable[[_Ask], Iterator[Offer]]:
    """A kind that asks for nothing which state and world would have to say."""

    def ways(ask: _Ask) -> Iterator[Offer]:
        if ask.allows(probe):
            yield Offer(kind, ask.actor, probe)

    return ways


def _on_spot(ask: _Ask) -> Iterator[Offer]:
    if ask.allows(_SPOT):
        yield Offer("handle_on_spot", ask.actor, _SPOT, needed=frozenset({"evidence"}))


def _decline(ask: _Ask) -> Iterator[Offer]:
    if ask.allows(_DECLINE):
        yield Offer("decline", ask.actor, _DECLINE, choices={"reason": _words(DeclineReason)})


def _whistle(ask: _Ask) -> Iterator[Offer]:
    registry, case, day = ask.world.registry, ask.state, office_day(ask.at)

    def probe(department: str, approver: str = _NO_CODE) -> c.Whistle:
        return _with(_WHISTLE, departments=(department,), approver=approver)

    if registry is None:
        if ask.allows(probe(_NO_CODE)):
            yield Offer("whistle", ask.actor, probe(_NO_CODE), choices={"reason": _words(WhistleReason)})
        return
    units = registry.departments(day)
    department = units[0].code if units else _NO_CODE
    # A person without any role in the registry is no approver; those of the community are asked first.
    near = registry.people_with(Role.COMMUNITY, organisation=case.place.community, at=day)
    above = registry.people_with(Role.STREET_DISPATCHER, organisation=case.place.street, at=day)
    heads = registry.people_with(Role.GRID_HEAD, grid=case.place.grid, at=day)
    people = _people((*near, *heads, *above), ask.actor.person) or _people(registry.staff(day), ask.actor.person)
    if not any(ask.allows(probe(department, each.code)) for each in people[:1]):
        ask.allows(probe(department))
        return
    departments = _departments(ask, lambda code: probe(code, people[0].code))
    yield Offer(
        "whistle",
        ask.actor,
        probe(department, people[0].code),
        choices={
            "reason": _words(WhistleReason),
            "departments": departments,
            "approver": people,
            "urgency": _words(Urgency),
        },
        suggested={"urgency": case.urgency.value},
        needed=frozenset({"departments"}),
    )


def _dispatch(ask: _Ask) -> Iterator[Offer]:
    leads = _departments(ask, lambda code: _with(_DISPATCH, lead=code))
    probe = _with(_DISPATCH, lead=leads[0].code) if leads else _DISPATCH
    if leads or ask.allows(probe):
        yield Offer(
            "dispatch",
            ask.actor,
            probe,
            choices={"lead": leads, "helpers": leads, "mode": _words((Mode.WITHIN_LIMIT, Mode.CONSULTATION))},
            suggested={"mode": Mode.WITHIN_LIMIT.value},
        )


def _report(ask: _Ask) -> Iterator[Offer]:
    if not ask.allows(_REPORT):
        return
    names = {clock.step: clock.step for clock in ask.state.clocks if clock.step is not None}
    names |= {step.code: step.name for step in ask.state.rules.row.steps}
    steps = ask.among((Choice(code, name) for code, name in names.items()), lambda code: _with(_REPORT, step=code))
    yield Offer("report_progress", ask.actor, _REPORT, choices={"step": steps})


def _hand_over(ask: _Ask) -> Iterator[Offer]:
    registry, unit = ask.world.registry, ask.actor.organisation
    people: tuple[Choice, ...] = ()
    if registry is not None and unit is not None:
        found: list[Choice] = []
        for role in (*DEPARTMENT_ROLES, Role.STREET_DISPATCHER):
            # Those of one role are alike to the rules, but for whoever has the task already.
            alike: bool | None = None
            for each in _people(registry.people_with(role, organisation=unit, at=office_day(ask.at)), ""):
                if each.code in (ask.actor.person, *(part.person for part in ask.state.assignments)):
                    accepted = ask.allows(_with(_HAND_OVER, to=each.code))
                else:
                    alike = accepted = ask.allows(_with(_HAND_OVER, to=each.code)) if alike is None else alike
                if accepted and each not in found:
                    found.append(each)
        people = tuple(found[:MOST_CHOICES])
    probe = _with(_HAND_OVER, to=people[0].code) if people else _HAND_OVER
    if people or ask.allows(probe):
        yield Offer("hand_over", ask.actor, probe, choices={"to": people})


def _add_helper(ask: _Ask) -> Iterator[Offer]:
    found = _departments(ask, lambda code: _with(_ADD_HELPER, department=code))
    probe = _with(_ADD_HELPER, department=found[0].code) if found else _ADD_HELPER
    if found or ask.allows(probe):
        yield Offer("add_helper", ask.actor, probe, choices={"department": found})


def _return(ask: _Ask) -> Iterator[Offer]:
    def probe(code: str | None) -> c.ReturnTask:
        return _with(_RETURN, proposed=code)

    found = _departments(ask, probe)
    freely = ask.allows(probe(None))
    if not found and not freely:
        return
    yield Offer(
        "return_task",
        ask.actor,
        probe(None if freely else found[0].code),
        choices={"proposed": found},
        needed=frozenset() if freely else frozenset({"proposed"}),
    )


def _helpers(ask: _Ask, leads: tuple[Choice, ...], probe: Callable[[str, str], Any]) -> tuple[Choice, ...]:
    """The departments that may help one of these leads; nobody helps themselves."""

    def with_another(helper: str) -> Any:
        lead = next((each.code for each in leads if each.code != helper), helper)
        return probe(lead, helper)

    return _departments(ask, with_another) if leads else ()


def _arbitrate(ask: _Ask) -> Iterator[Offer]:
    for decision in Arbitration:
        if ask.is_barred:
            return
        yield from _decision(ask, decision)


def _decision(ask: _Ask, decision: Arbitration) -> Iterator[Offer]:
    def probe(lead: str | None, *helpers: str) -> c.Arbitrate:
        return _with(_ARBITRATE, decision=decision, lead=lead, helpers=helpers)

    def way(probe: c.Arbitrate, **more: Any) -> Offer:
        settled = {"decision": decision.value}
        return Offer("arbitrate", ask.actor, probe, variant=decision.value, settled=settled, **more)

    if ask.allows(probe(None)):
        # The decision itself says who leads.
        helpers = _departments(ask, lambda code: probe(None, code))
        if helpers:
            yield way(probe(None), shut=frozenset({"lead"}), choices={"helpers": helpers})
        else:
            yield way(probe(None), shut=frozenset({"lead", "helpers"}))
    elif leads := _departments(ask, probe):
        helpers = _helpers(ask, leads, probe)
        choices = {"lead": leads, "helpers": helpers}
        yield way(probe(leads[0].code), needed=frozenset({"lead"}), choices=choices)


def _more_time(ask: _Ask) -> Iterator[Offer]:
    longest = ask.state.rules.row.extension
    probe = _with(_MORE_TIME, length=_with(longest, amount=1)) if longest else _MORE_TIME
    if ask.allows(probe):
        yield Offer("request_extension", ask.actor, probe, suggested={"length": str(longest)}, longest=longest)


def _decide_extension(ask: _Ask) -> Iterator[Offer]:
    request, row = ask.state.extension_request, ask.state.rules.row
    # What was asked for; where the row has become another one since, the most it allows.
    lengths = [each for each in (request.length if request else None, row.extension) if each is not None]
    for length in lengths:
        grant = _with(_GRANT, length=length)
        if ask.allows(grant):
            yield Offer(
                "decide_extension",
                ask.actor,
                grant,
                variant="granted",
                settled={"granted": True},
                suggested={"length": str(length)},
                longest=length,
            )
            break
    if ask.allows(_DENIAL):
        yield Offer(
            "decide_extension",
            ask.actor,
            _DENIAL,
            variant="denied",
            settled={"granted": False},
            shut=frozenset({"length"}),
        )


def _suspend(ask: _Ask) -> Iterator[Offer]:
    def probe(reason: SuspendReason) -> c.Suspend:
        return _with(_SUSPEND, reason=reason)

    reasons = []
    for reason in SuspendReason:
        if ask.is_barred:
            return
        for event in ask.says(probe(reason)) or ():
            if isinstance(event, e.Suspended):
                reasons.append(Choice(reason.value, until=event.until))
    if reasons:
        parts = tuple(_unit(ask.world.registry, each) for each in ask.state.departments)
        by = ask.among(parts, lambda code: _with(probe(SuspendReason(reasons[0].code)), requested_by=code))
        latest = max(each.until for each in reasons if each.until is not None)
        choices = {"reason": tuple(reasons), "requested_by": by}
        yield Offer("suspend", ask.actor, probe(SuspendReason(reasons[0].code)), choices=choices, latest=latest)


def _shelve(ask: _Ask) -> Iterator[Offer]:
    registry, book = ask.world.registry, ask.world.rule_books.get(ask.state.rules.version)
    latest = ask.at + (book.shelf_review_within if book else limit("30d")).natural()

    def probe(approver: str) -> c.Shelve:
        return _with(_SHELVE, approver=approver, reviews=(latest,))

    held = registry.people_with(Role.SUPERVISOR, at=office_day(ask.at)) if registry else ()
    people = ask.among(_people(held, ""), probe)
    if people or ask.allows(probe(_NO_CODE)):
        code = people[0].code if people else _NO_CODE
        yield Offer("shelve", ask.actor, probe(code), choices={"approver": people}, latest=latest)


def _strike_off(ask: _Ask) -> Iterator[Offer]:
    if ask.allows(_STRIKE_OFF):
        yield Offer("strike_off", ask.actor, _STRIKE_OFF, needed=frozenset({"evidence"}))


def _verify(ask: _Ask) -> Iterator[Offer]:
    for variant, probe in _CHECKS.items():
        if ask.allows(probe):
            settled = {"passed": probe.passed}
            needed = frozenset({"evidence"})
            yield Offer("verify", ask.actor, probe, variant=variant, settled=settled, needed=needed)


def _sign(ask: _Ask) -> Iterator[Offer]:
    digest = ask.state.digest or _DIGEST
    probe = c.Sign(digest=digest)
    if ask.allows(probe):
        yield Offer("sign", ask.actor, probe, settled={"digest": digest})


def _feed_back(ask: _Ask) -> Iterator[Offer]:
    for audience, probe in _FEED_BACK.items():
        if ask.allows(probe):
            yield Offer("feed_back", ask.actor, probe, variant=audience.value, settled={"to": audience.value})


def _visit(ask: _Ask) -> Iterator[Offer]:
    if ask.allows(_ANSWERED):
        yield Offer(
            "visit",
            ask.actor,
            _ANSWERED,
            variant="answered",
            settled={"answered": True},
            choices={"satisfaction": _words(Satisfaction)},
            needed=frozenset({"satisfaction", "solved"}),
        )
    if ask.allows(_UNANSWERED):
        shut = frozenset({"satisfaction", "solved"})
        yield Offer("visit", ask.actor, _UNANSWERED, variant="unanswered", settled={"answered": False}, shut=shut)


def _appraise(ask: _Ask) -> Iterator[Offer]:
    parts = (_unit(ask.world.registry, each) for each in ask.state.departments)
    waiting = ask.among(parts, lambda code: _with(_APPRAISE, department=code))
    probe = _with(_APPRAISE, department=waiting[0].code) if waiting else _APPRAISE
    if waiting or ask.allows(probe):
        yield Offer("appraise", ask.actor, probe, choices={"department": waiting})


def _units_of(case: Case) -> tuple[str, ...]:
    units = (*case.departments, case.place.community, case.place.street)
    return tuple(dict.fromkeys(each for each in units if each))


def _alike(ask: _Ask, units: Sequence[str], probe: Callable[[str], Any]) -> tuple[Choice, ...]:
    """The units of the case if the probe is accepted: to whom of them a word goes is all one to the rules."""
    if not any(ask.allows(probe(each)) for each in units[:1]):
        return ()
    return tuple(_unit(ask.world.registry, each) for each in units)


def _urge(ask: _Ask) -> Iterator[Offer]:
    found = _alike(ask, _units_of(ask.state), lambda code: _with(_URGE, to=code))
    freely = ask.allows(_URGE)
    if found or freely:
        probe = _URGE if freely else _with(_URGE, to=found[0].code)
        needed = frozenset() if freely else frozenset({"to"})
        yield Offer("urge", ask.actor, probe, choices={"to": found}, needed=needed)


def _supervise(ask: _Ask) -> Iterator[Offer]:
    units = _units_of(ask.state) or (_NO_CODE,)
    for length in (None, limit("1d")):

        def probe(code: str, length: Limit | None = length) -> c.Supervise:
            return _with(_SUPERVISE, to=code, reply_within=length)

        if found := _alike(ask, units, probe):
            needed = frozenset() if length is None else frozenset({"reply_within"})
            yield Offer("supervise", ask.actor, probe(found[0].code), choices={"to": found}, needed=needed)
            return
        if ask.is_barred:
            return


def _reply(ask: _Ask) -> Iterator[Offer]:
    orders = ask.state.orders
    # An order to somebody else is refused for who one is, which would end the search among the orders before its time.
    own = [each for each in orders if each.to == ask.actor.organisation]

    def probe(number: str) -> c.ReplySupervision:
        return _with(_REPLY, order=int(number))

    found = ask.among((_order(ask, each) for each in own), probe)
    if found:
        yield Offer("reply_supervision", ask.actor, probe(found[0].code), choices={"order": found})
    elif not own:
        ask.allows(probe("1"))


def _order(ask: _Ask, order: Order) -> Choice:
    clock = ask.state.clock(order.clock_id or "")
    return Choice(str(order.number), _unit(ask.world.registry, order.to).name, until=clock.due_at if clock else None)


def _comment(ask: _Ask) -> Iterator[Offer]:
    for variant, probe in _REMARKS.items():
        if ask.allows(probe):
            yield Offer("comment", ask.actor, probe, variant=variant, settled={"public": probe.public})


def _correct(ask: _Ask) -> Iterator[Offer]:
    # Asking for the urgency it has already: a correction need not change anything to be allowed.
    probe = _with(_CORRECT, urgency=ask.state.urgency)
    if ask.allows(probe):
        place, case = ask.state.place, ask.state
        now = {"grid": place.grid, "category": case.category, "condition": case.condition, "urgency": case.urgency}
        yield Offer(
            "correct",
            ask.actor,
            probe,
            choices={"grid": _grids(ask), "category": _categories(ask), "urgency": _words(Urgency)},
            suggested={name: str(value) for name, value in now.items() if value is not None},
        )


def _adopt(ask: _Ask) -> Iterator[Offer]:
    def probe(rules: str | None = None, calendar: str | None = None) -> c.AdoptRules:
        return _with(_ADOPT, rules=rules, calendar=calendar)

    world = ask.world
    freely = ask.allows(probe())
    books = ask.among((Choice(book.version, book.name) for book in world.rule_books.values()), probe)
    calendars = ask.among(map(Choice, world.calendars), lambda code: probe(calendar=code))
    if freely or books or calendars:
        chosen = probe() if freely else probe(books[0].code) if books else probe(calendar=calendars[0].code)
        yield Offer("adopt_rules", ask.actor, chosen, choices={"rules": books, "calendar": calendars})


_WAYS: dict[str, Callable[[_Ask], Iterator[Offer]]] = {
    # What hurries most stands first, what anybody may do at any time last.
    "register": _register,
    "reply_supervision": _reply,
    "decide_extension": _decide_extension,
    "accept": _plain("accept", c.Accept()),
    "handle_on_spot": _on_spot,
    "whistle": _whistle,
    "dispatch": _dispatch,
    "arbitrate": _arbitrate,
    "verify": _verify,
    "sign": _sign,
    "refuse_signature": _plain("refuse_signature", c.RefuseSignature(reason=FILLER)),
    "feed_back": _feed_back,
    "visit": _visit,
    "appraise": _appraise,
    "report_progress": _report,
    "strike_off": _strike_off,
    "arrive": _plain("arrive", c.Arrive()),
    "record_reply": _plain("record_reply", c.RecordReply(text=FILLER)),
    "ask_resident": _plain("ask_resident", c.AskResident(question=FILLER)),
    "hand_over": _hand_over,
    "add_helper": _add_helper,
    "request_extension": _more_time,
    "return_task": _return,
    "resume": _plain("resume", c.Resume(reason=FILLER)),
    "unshelve": _plain("unshelve", c.Unshelve(reason=FILLER)),
    "urge": _urge,
    "supervise": _supervise,
    "suspend": _suspend,
    "shelve": _shelve,
    "reopen": _plain("reopen", c.Reopen(reason=FILLER)),
    "correct": _correct,
    "decline": _decline,
    "withdraw": _plain("withdraw", c.Withdraw(reason=FILLER)),
    "adopt_rules": _adopt,
    "comment": _comment,
    "attach": _plain("attach", c.Attach(evidence=_AFTER)),
}
