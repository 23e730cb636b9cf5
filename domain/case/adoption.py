"""Living by other rules from now on: what a new rule book or calendar does to an open case.

Nothing moves silently: the fact lists every clock that moved with its old and new due. Facts, lights and on-time
marks of the past stay, and no change of rules makes anybody late at once (DESIGN §3; DOMAIN §7.6, §7.8).
"""

from typing import NamedTuple

from domain.calendar import WorkCalendar
from domain.case import commands as c
from domain.case import events as e
from domain.case.draft import Draft
from domain.case.state import Case
from domain.clocks import Clock, again, present
from domain.errors import Refused
from domain.ladder import ClockKind
from domain.limits import Limit
from domain.people import Role, in_role
from domain.process import World
from domain.rules import Pinned, RuleBook, limits_of


class _Rules(NamedTuple):
    """The rules that are adopted."""

    book: RuleBook
    calendar: WorkCalendar | None
    pinned: Pinned


def adopt_rules(draft: Draft, command: c.AdoptRules, world: World) -> None:
    """The case is pinned to the book and calendar named (default: those it has); its open clocks follow."""
    in_role(draft.actor, Role.ADMINISTRATOR, Role.SYSTEM)
    if world.is_blank:
        return
    case = draft.case
    new = _rules(case, command, world)
    changes: list[e.DueChange] = []
    kept: list[e.DueKept] = []
    followed: list[str] = []
    for clock in case.clocks:
        if clock.overdue_at is not None or not _is_open(case, clock):
            continue
        length = _limit(case, clock, new)
        if clock.extended and clock.extended[0].unit != length.unit:
            kept.append(e.DueKept(clock_id=clock.id, why="other_unit"))
            continue
        whole = length.extended(*clock.extended)
        reckoning = again(clock, new.calendar, new.book.ladder, limit=whole)
        # A clock that stands still would be late the moment it runs on.
        if reckoning.due_at <= (clock.stopped_at or draft.at):
            kept.append(e.DueKept(clock_id=clock.id, why="in_the_past"))
        elif length != clock.limit or reckoning != present(clock):
            changes.append(
                e.DueChange(
                    clock_id=clock.id,
                    old_limit=clock.limit,
                    limit=length,
                    old_due_at=clock.due_at,
                    old_provisional=clock.provisional,
                    reckoning=reckoning,
                )
            )
        else:
            followed.append(clock.id)
    draft.add(
        e.RulesAdopted,
        reason=command.reason,
        old_rules=case.rules.version,
        old_calendar=case.rules.calendar,
        rules=new.pinned,
        changes=tuple(changes),
        kept=tuple(kept),
        followed=tuple(followed),
    )
    # Those that only the new rules know begin now; those that the rules before had dropped run on with what was left.
    draft.run_steps()


def _rules(case: Case, command: c.AdoptRules, world: World) -> _Rules:
    version = command.rules or case.rules.version
    # A case of the first release has pinned no calendar; the office's present one counts for it.
    calendar = command.calendar or case.rules.calendar or world.current_calendar
    book = world.rule_books.get(version)
    if book is None:
        raise Refused("rules.unknown", field="rules", version=version)
    if command.calendar is not None and command.calendar not in world.calendars:
        raise Refused("calendar.unknown", field="calendar", version=command.calendar)
    if (version, calendar) == (case.rules.version, case.rules.calendar):
        raise Refused("adopt.nothing_new", field="rules", version=version, calendar=calendar or "-")
    pinned = book.pin(case.urgency, case.category, case.condition, calendar=calendar)
    return _Rules(book, world.calendars.get(calendar or ""), pinned)


def _is_open(case: Case, clock: Clock) -> bool:
    """Whether the clock runs, or only stands still for a while.

    What has come to its end keeps the limit and the due it was judged by, also when rework lets it run on.
    """
    return clock.is_running or clock.id in case.standing


def _limit(case: Case, clock: Clock, new: _Rules) -> Limit:
    """The limit the new rules give the clock; what they do not speak of keeps its own."""
    if clock.kind == ClockKind.REPLY:
        return clock.limit  # an order may have come with a limit of its own
    limits = limits_of(new.pinned.row, new.book.channel(case.channel))
    return limits.get((clock.kind, clock.step)) or clock.limit
