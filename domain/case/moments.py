"""What time alone makes true: warnings, expiry, rungs, the end of a suspension, the sealing of the dossier.

Owns the list of moments that lie ahead of a case and what each of them does. The plan's alarm is the first of them and
``pass_time`` lets all that have come take effect in their order, so that the two can never differ.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import NamedTuple

from domain.case import events as e
from domain.case.draft import Draft
from domain.case.responsible import addressee
from domain.case.state import Case
from domain.case.vocabulary import LEVELS, Stage
from domain.clocks import Clock
from domain.errors import Refused
from domain.ladder import ClockKind, Rung, RungAction
from domain.limits import Limit
from domain.people import SYSTEM


class Moment(NamedTuple):
    """An instant (UTC) at which time itself acts; at one instant the lower ``order`` comes first."""

    at: datetime
    order: int
    what: str
    name: str = ""
    rung: str = ""


def next_moment(case: Case) -> Moment | None:
    """The first moment that lies ahead, or has come and has not taken effect; None when there is none."""
    return None if case.is_final else min(_moments(case), default=None)


def _moments(case: Case) -> Iterator[Moment]:
    for clock in case.clocks:
        yield from moments_of(clock)
    if case.suspension is not None:
        yield Moment(case.suspension.until, 0, "suspension")
    if case.question is not None:
        yield Moment(case.question.until, 0, "question")
    if case.shelf is not None:
        for review in case.shelf.reviews[:1]:
            yield Moment(review, 4, "review")
        if not case.shelf.is_backlog:
            yield Moment(case.shelf.backlog_at, 5, "backlog")
    settled = case.stage == Stage.APPRAISED or (case.stage == Stage.SETTLED and not case.departments)
    if settled and case.reopen_until is not None:
        yield Moment(case.reopen_until, 6, "window")


def moments_of(clock: Clock) -> Iterator[Moment]:
    """What a clock still has to say, in no order; nothing while it is stopped."""
    if clock.stopped_at is not None:
        return
    if clock.overdue_at is None:
        if clock.warned_at is None:
            yield Moment(min(clock.warn_at, clock.due_at), 1, "warn", clock.id)
        else:
            yield Moment(clock.due_at, 2, "expire", clock.id)
    for place, point in enumerate(clock.rungs):
        # At the due the light turns red before anybody is urged.
        yield Moment(point.at, 3 if point.at >= clock.due_at else 1, "rung", clock.id, f"{place:06}:{point.code}")


def pass_time(draft: Draft) -> None:
    """Record what is true by now because of time alone, in the order in which it became true."""
    while (moment := next_moment(draft.case)) is not None and moment.at <= draft.at:
        _EFFECTS[moment.what](draft, moment)


def _clock(draft: Draft, moment: Moment) -> Clock:
    clock = draft.case.clock(moment.name)
    assert clock is not None
    return clock


def _warn(draft: Draft, moment: Moment) -> None:
    clock = _clock(draft, moment)
    told = _lights(draft, clock, RungAction.YELLOW)
    draft.add(e.ClockWarned, by=SYSTEM, clock_id=clock.id, due_at=clock.due_at, told=told)


def _expire(draft: Draft, moment: Moment) -> None:
    clock = _clock(draft, moment)
    told = _lights(draft, clock, RungAction.RED)
    draft.add(e.ClockExpired, by=SYSTEM, clock_id=clock.id, due_at=clock.due_at, told=told)
    if clock.kind == ClockKind.SIGN_FOR:
        _deem_received(draft, clock)


def _lights(draft: Draft, clock: Clock, action: RungAction) -> tuple[str, ...]:
    told = (each.to for each in draft.ladder_of(clock) if each.action == action and each.stands_on(clock.kind))
    return tuple(dict.fromkeys(audience for each in told for audience in each))


def _deem_received(draft: Draft, clock: Clock) -> None:
    """Silence at the end of the sign-for window is receipt (DOMAIN §3): nobody delays a case by not signing."""
    part = draft.case.assignment(clock.organisation)
    # However late it is noticed: an outage of ours is no silence of theirs.
    draft.stop_one(clock.id, clock.due_at)
    if part is not None and part.is_open and part.accepted_at is None:
        draft.add(e.Accepted, by=SYSTEM, department=part.department, lead=part.lead, deemed=True, since=clock.due_at)


def _reach(draft: Draft, moment: Moment) -> None:
    clock, code = _clock(draft, moment), moment.rung.partition(":")[2]
    rung = next((each for each in draft.ladder_of(clock) if each.code == code), None)
    if rung is None:
        # Only a dry run does not know the ladder; a rung that is passed silently refuses nobody.
        rung = Rung(code=code, name=code, at="due", action=RungAction.REMIND)
    note = _reason_gone(draft.case, clock, rung)
    draft.add(
        e.RungReached,
        by=SYSTEM,
        clock_id=clock.id,
        rung=rung.code,
        name=rung.name,
        action=rung.action,
        stood_at=moment.at,
        due_at=clock.due_at,
        told=() if note else rung.to,
        skipped=bool(note),
        note=note,
    )
    if note:
        return
    if rung.action == RungAction.URGE:
        order(draft, addressee(draft.case, clock), rung.name, urging=True, about=clock.id)
    if rung.level_up:
        raise_level(draft)


def _reason_gone(case: Case, clock: Clock, rung: Rung) -> str:
    """Why a rung that is reached does nothing, as a word for the fact; empty when it does."""
    if rung.unless_replied and any(each.about == clock.id and each.replied_at is not None for each in case.orders):
        return "replied"
    # An urging that is not answered is no reason for another one, which would then be urged in its turn, for ever.
    if rung.action == RungAction.URGE and any(each.clock_id == clock.id and each.urging for each in case.orders):
        return "urged"
    return ""


def raise_level(draft: Draft) -> None:
    """One level up answers for the case; at the highest nothing changes."""
    case = draft.case
    if case.level != LEVELS[-1]:
        draft.add(e.LevelRaised, by=SYSTEM, level=LEVELS[LEVELS.index(case.level) + 1])


def order(
    draft: Draft, to: str, text: str, *, urging: bool = False, about: str | None = None, length: Limit | None = None
) -> None:
    """Record an order that needs a written reply and start the clock of the reply (of ``length`` where given).

    An urging whose reply the calendar cannot count goes out without that clock; a person's order is ``Refused``.
    """
    try:
        reply = draft.start(ClockKind.REPLY, to, length=length)
    except Refused:
        # Time itself is never refused: the case would stand still for everybody, and no later deadline would count.
        if not urging:
            raise
        reply = None
    draft.add(
        e.SupervisionOrdered,
        by=SYSTEM if urging else None,
        order=len(draft.case.orders) + 1,
        to=to,
        text=text,
        urging=urging,
        clock_id=reply.id if reply else None,
        about=about,
        reply_by=reply.due_at if reply else None,
    )


def _suspension_over(draft: Draft, moment: Moment) -> None:
    assert draft.case.suspension is not None
    end_suspension(draft, "停表期满自动恢复", since=moment.at, automatic=True)


def end_suspension(draft: Draft, reason: str, *, since: datetime, automatic: bool = False) -> None:
    """The case moves again since ``since``; its clocks run on."""
    suspension = draft.case.suspension
    assert suspension is not None
    draft.add(e.Resumed, by=SYSTEM if automatic else None, reason=reason, automatic=automatic, since=since)
    run_on(draft, suspension.clocks, since)


def end_shelf(draft: Draft, reason: str, *, automatic: bool = False) -> None:
    """The case comes off the shelf; its clocks run on."""
    shelf = draft.case.shelf
    assert shelf is not None
    draft.add(e.Unshelved, by=SYSTEM if automatic else None, reason=reason, automatic=automatic)
    run_on(draft, shelf.clocks, draft.at)


def run_on(draft: Draft, names: tuple[str, ...], since: datetime) -> None:
    """Let the clocks that stood still run on, but for those whose reason is gone meanwhile."""
    case = draft.case
    for name in names:
        clock = case.clock(name)
        assert clock is not None
        asked = case.question is not None and case.question.clock_id == name
        if clock.kind == ClockKind.CONTACT and (case.contacted_at or asked):
            continue
        if clock.kind == ClockKind.STEP and (
            clock.step in case.steps_done or not case.rules.row.step(clock.step or "")
        ):
            continue
        if clock.kind == ClockKind.SIGN_FOR:
            part = case.assignment(clock.organisation)
            if part is None or part.accepted_at is not None or not part.is_open:
                continue
        draft.resume([name], since)
    # A row that was put right meanwhile may owe other steps.
    draft.run_steps()


def _question_over(draft: Draft, moment: Moment) -> None:
    question = draft.case.question
    assert question is not None
    draft.add(e.QuestionLapsed, by=SYSTEM, since=moment.at)
    # Asking was no contact after all; where the whole case stands still, the clock goes on standing with it until then.
    still = draft.case.suspension or draft.case.shelf
    if question.clock_id and still is None and draft.case.contacted_at is None:
        draft.resume([question.clock_id], moment.at)


def _review(draft: Draft, moment: Moment) -> None:
    draft.add(e.ShelfReviewCame, by=SYSTEM, review=moment.at)


def _backlog(draft: Draft, moment: Moment) -> None:
    draft.add(e.BacklogMarked, by=SYSTEM, since=moment.at)


def _window_over(draft: Draft, moment: Moment) -> None:
    draft.stop()
    draft.add(e.Archived, by=SYSTEM)


_EFFECTS: dict[str, Callable[[Draft, Moment], None]] = {
    "warn": _warn,
    "expire": _expire,
    "rung": _reach,
    "suspension": _suspension_over,
    "question": _question_over,
    "review": _review,
    "backlog": _backlog,
    "window": _window_over,
}
