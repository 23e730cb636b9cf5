"""Why a deadline is what it is: the story of every clock, told from the facts alone.

Owns the way from facts to ``DeadlineSheet``. Nothing is stored for it: the facts carry what was decided, and counting
is ``domain.calendar``'s, so that each due on record can be reckoned again and compared (``ClockStory.agrees``).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from domain.calendar import WorkCalendar, measure
from domain.case import events as e
from domain.case.deadlines import ClockStory, Counting, DeadlineSheet, Holding, Standing, Status, Unpublished
from domain.case.state import Case
from domain.case.stories import Held, Story, Walk
from domain.clocks import Clock
from domain.errors import Refused
from domain.limits import Unit

_SECOND = timedelta(seconds=1)


def explain(
    events: Sequence[e.CaseEvent],
    *,
    at: datetime,
    calendars: Mapping[str, WorkCalendar],
    states: Sequence[Case] | None = None,
) -> DeadlineSheet:
    """The deadline sheet of a case at ``at`` (UTC); facts from the first one later than that on are left out.

    ``events`` are all facts of one case from its registration, in order; whoever has folded them already gives the
    ``states`` after each. Raises ``Refused``: ``case.unknown`` when the
    case had not begun, ``calendar.unknown`` when ``calendars`` lacks one that a clock was counted by.
    """
    end = next((index for index, event in enumerate(events) if event.at > at), len(events))
    walk = Walk(tuple(events[:end]), calendars, states)
    for index in range(end):
        walk.take(index)
    if walk.state is None:
        raise Refused("case.unknown")
    return DeadlineSheet(
        at=at,
        rules=walk.state.rules.version,
        calendar=walk.state.rules.calendar,
        clocks=tuple(_told(walk, story, at) for story in walk.stories.values()),
    )


def _told(walk: Walk, story: Story, at: datetime) -> ClockStory:
    clock, last = walk.clock(story.id), story.dues[-1]
    status = Status.RUNNING if clock.is_running else Status.STANDING if story.finished is None else Status.FINISHED
    late = clock.overdue_at is not None or (clock.is_running and at >= clock.due_at)
    warned = clock.warned_at is not None or (clock.is_running and at >= clock.warn_at)
    standings = list(story.standings)
    if status is Status.STANDING and story.stop is not None and clock.stopped_at is not None:
        standings.append(Standing(begin=clock.stopped_at, end=None, begun_by=story.stop, ended_by=None))
    calendar = walk.calendar(last.calendar)
    count = _Count(clock, calendar)
    end = clock.stopped_at or at
    used = count.used(end)
    return ClockStory(
        id=clock.id,
        kind=clock.kind,
        organisation=clock.organisation,
        step=clock.step,
        step_name=story.step_name,
        status=status,
        started=story.started,
        started_at=clock.started_at,
        finished=story.finished,
        stopped_at=clock.stopped_at,
        limit=story.dues[0].limit,
        whole_limit=clock.whole_limit,
        due_at=clock.due_at,
        provisional=clock.provisional,
        unpublished=_unpublished(calendar) if clock.provisional else None,
        agrees=story.agrees,
        light="red" if late else "yellow" if warned else "green",
        late=late,
        counting=count.counting,
        whole=count.whole,
        used=used,
        remaining=max(count.whole - used, 0),
        over=max(used - count.whole, 0),
        overtime_permille=count.overtime_permille(end) if late else None,
        rules=tuple(dict.fromkeys(each.rules for each in story.dues)),
        calendars=tuple(dict.fromkeys(each.calendar for each in story.dues if each.calendar)),
        dues=tuple(story.dues),
        standings=tuple(standings),
        extensions=tuple(story.extensions),
        adoptions=tuple(story.adoptions),
        marks=tuple(story.marks),
        ahead=clock.rungs if clock.is_running else (),
        holders=tuple(_holding(count, held, end) for held in story.held),
    )


def _unpublished(calendar: WorkCalendar | None) -> Unpublished | None:
    if calendar is None:
        return None
    return Unpublished(
        calendar=calendar.version,
        published_from=calendar.published_from.isoformat(),
        published_until=calendar.published_until.isoformat(),
    )


def _holding(count: "_Count", held: Held, end: datetime) -> Holding:
    # What a clock that stood until its end has stood is no pause of it; nothing of it was used.
    used = count.used(min(held.end or end, end)) - count.used(min(held.begin, end))
    return Holding(
        organisation=held.organisation,
        seeking=held.seeking,
        begin=held.begin,
        end=held.end,
        used=max(used, 0),  # the clocks of servers may jump back
        charged_to=held.charged_to,
    )


def overtime_permille(clock: Clock, calendar: WorkCalendar | None, end: datetime) -> int:
    """(used - limit) / limit of a clock at ``end`` in whole thousandths, counted as the deadline sheet does.

    ``calendar`` is the one the clock lives by. Raises ``Refused`` ``limit.needs_calendar`` for working units without.
    """
    return _Count(clock, calendar).overtime_permille(end)


class _Count:
    """What of a clock's limit is used up at a moment."""

    def __init__(self, clock: Clock, calendar: WorkCalendar | None) -> None:
        self._clock = clock
        self._calendar = calendar
        limit = clock.whole_limit
        # A working day is worth the ordinary day where minutes are asked for, never twenty-four hours.
        day = timedelta(minutes=calendar.ordinary_minutes) if calendar else timedelta(0)
        if limit.is_natural:
            self.counting, self._length = Counting.NATURAL, limit.natural()
        elif limit.unit is Unit.WORKING_HOUR:
            self.counting, self._length = Counting.WORKING, limit.amount * timedelta(hours=1)
        else:
            by_minutes = limit.unit is Unit.WORKING_DAY_BY_MINUTES
            self.counting, self._length = Counting.WORKING if by_minutes else Counting.DAYS, limit.amount * day
        self.whole = limit.amount if self.counting is Counting.DAYS else self._length // _SECOND

    def used(self, end: datetime) -> int:
        """What counted from the start to ``end``, in whole units of ``counting``."""
        found = self._measured(end)
        return found if isinstance(found, int) else found // _SECOND

    def overtime_permille(self, end: datetime) -> int:
        """By what part of the limit a clock is late at ``end``."""
        found = self._measured(end)
        clock = self._clock
        if not isinstance(found, int):
            beyond = found - self._length
        else:
            assert self._calendar is not None
            beyond = self._calendar.working_time(clock.due_at, end, clock.pauses)
        return max(beyond, timedelta(0)) * 1000 // self._length if self._length else 0

    def _measured(self, end: datetime) -> timedelta | int:
        clock = self._clock
        return measure(self._calendar, clock.started_at, end, clock.whole_limit.unit, clock.pauses)
