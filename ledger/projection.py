"""From states to rows: what the read models say about a process after a command.

Owns the folds into ``case_row``, ``case_figure``, ``task``, ``clock``, ``wish``, ``notice`` and ``awaited``. The same
function serves the append and the rebuild, so that a rebuilt row cannot differ from the one written at the time. Pure;
must not read a table.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

from domain.base import Recalled
from domain.case.state import Case
from domain.case.vocabulary import Mode
from domain.clocks import Clock
from domain.figures import facts_of
from domain.notices import Notice
from domain.process import Event, Plan, Task
from domain.wish import Wish
from domain.zone import office_month
from ledger.log import Json
from ledger.rows import AwaitedRow, CaseFigureRow, CaseRow, ClockRow, NoticeRow, TaskRow, WishRow

NOTICE_NAMES = uuid.UUID("0c7d9a52-31b4-4f0e-9f5e-7b0f5b7f2f6e")
"""The name space of the ids of notices: the same fact gives the same notice again."""

Rows = dict[str, list[Json]]


Told = Sequence[tuple[int, Event, tuple[Notice, ...]]]
"""The events of a command that people are told of: seq, event, notices."""


def project(
    stream: str, seq: int, at: datetime, before: tuple[Any, Plan] | None, after: tuple[Any, Plan], told: Told = ()
) -> Rows:
    """The rows that change when the state and plan ``before`` a command become those ``after`` it.

    ``seq`` is the last event of the command, ``at`` its time, ``told`` what people are told of it. Rows that stay as
    they were are not among them.
    """
    state, plan = after
    process = stream.partition("-")[0]
    table, make = _ROW[type(state)]
    rows: Rows = {table: [make(stream, seq, at, state, plan).model_dump(mode="json")]}
    if isinstance(state, Case) and not _same(figured := _figure(stream, state), before and _figure(stream, before[0])):
        rows["case_figure"] = [figured.model_dump(mode="json")]
    rows["task"] = _tasks(stream, process, at, before[1].tasks if before else (), plan.tasks)
    known = {clock.id: clock for clock in _clocks(before[0])} if before else {}
    changed = (clock for clock in _clocks(state) if not _same(known.get(clock.id), clock))
    rows["clock"] = [_clock(stream, process, clock).model_dump(mode="json") for clock in changed]
    if before is None or before[1].alarm != plan.alarm:
        rows["awaited"] = [AwaitedRow.made(stream=stream, at=plan.alarm).model_dump(mode="json")]
    if told:
        rows["notice"] = [
            row.model_dump(mode="json")
            for seq_, event, notices in told
            for row in _notices(stream, process, seq_, event, notices)
        ]
    return rows


def _notices(stream: str, process: str, seq: int, event: Event, notices: tuple[Notice, ...]) -> Iterator[NoticeRow]:
    for place, notice in enumerate(notices):
        yield NoticeRow.made(
            id=uuid.uuid5(NOTICE_NAMES, f"{stream}:{seq}:{place}"),
            stream=stream,
            seq=seq,
            process=process,
            kind=notice.kind,
            at=event.at,
            role=notice.role.value if notice.role else None,
            organisation=notice.organisation,
            grid=notice.grid,
            person=notice.person,
            params=dict(notice.params),
        )


def _case(stream: str, seq: int, at: datetime, state: Case, plan: Plan) -> CaseRow:
    return CaseRow.made(
        id=stream,
        seq=seq,
        stage=state.stage.value,
        suspended=state.suspension is not None,
        shelved=state.shelf is not None,
        street=state.place.street,
        community=state.place.community,
        grid=state.place.grid,
        category=state.category,
        urgency=state.urgency.value,
        mode=state.mode.value if state.mode else None,
        channel=state.channel,
        source=state.source,
        external_id=state.external_id,
        title=state.title,
        text=state.text,
        label=state.label,
        found_at=state.found_at,
        registered_at=state.registered_at,
        due_at=plan.attributes.due_at,
        light=state.light,
        lead=state.lead.department if state.lead else None,
        departments=state.departments,
        level=state.level.value,
        rework_count=state.rework_count,
        visit_attempts=len(state.unanswered),
        satisfaction=state.satisfaction.value if state.satisfaction else None,
        solved=state.solved,
        was_overdue=state.was_overdue,
        settled_at=state.settled_at,
        appraised_at=state.appraised_at,
        archived_at=state.archived_at,
        finished=plan.finished,
        rules_version=state.rules.version,
        opened_by=state.registered_by.person,
        updated_at=at,
        condition=state.condition,
        calendar_version=state.rules.calendar,
        backlog=state.shelf is not None and state.shelf.is_backlog,
        returns=len(state.returns),
        open_orders=len(state.open_orders),
    )


def _figure(stream: str, state: Case) -> CaseFigureRow:
    facts = facts_of(state)._asdict()
    for name in _CODED:
        facts[name] = facts[name] and facts[name].value
    return CaseFigureRow.made(
        id=stream,
        street=state.place.street,
        community=state.place.community,
        grid=state.place.grid,
        category=state.category,
        urgency=state.urgency.value,
        departments=state.departments,
        lead=state.lead.department if state.lead else None,
        opened_by=state.registered_by.person,
        rules_version=state.rules.version,
        on_the_spot=state.mode is Mode.ON_THE_SPOT,
        registered_at=state.registered_at,
        settled_at=state.settled_at,
        registered_month=office_month(state.registered_at),
        settled_month=office_month(state.settled_at) if state.settled_at else None,
        **facts,
    )


_CODED = ("response", "handling", "satisfaction")
"""The facts that are members of an enumeration."""


def _wish(stream: str, seq: int, at: datetime, state: Wish, plan: Plan) -> WishRow:
    return WishRow.made(
        id=stream,
        seq=seq,
        stage=state.stage.value,
        street=state.street,
        community=state.community,
        grid=state.grid,
        title=state.title,
        text=state.text,
        published_at=state.published_at,
        claimed_by=state.claimed_by.person if state.claimed_by else None,
        claimed_at=state.claimed_at,
        done_at=state.done_at,
        thanked_at=state.thanked_at,
        lapses_at=state.lapses_at,
        finished=plan.finished,
        updated_at=at,
    )


_ROW: dict[type[Any], tuple[str, Callable[[str, int, datetime, Any, Plan], CaseRow | WishRow]]] = {
    Case: ("case_row", _case),
    Wish: ("wish", _wish),
}


def _tasks(stream: str, process: str, at: datetime, before: tuple[Task, ...], after: tuple[Task, ...]) -> list[Json]:
    known, kept = {task.id: task for task in before}, {task.id for task in after}
    changed = [_task(stream, process, task, None) for task in after if not _same(known.get(task.id), task)]
    gone = [_task(stream, process, task, at) for task in before if task.id not in kept]
    return [row.model_dump(mode="json") for row in (*changed, *gone)]


def _clocks(state: Any) -> tuple[Clock, ...]:
    return state.clocks if isinstance(state, Case) else ()


def _same(before: Any, after: Any) -> bool:
    # Most of what is compared is the very same value, and comparing fields takes long.
    return before is after or bool(before == after)


def _task(stream: str, process: str, task: Task, closed_at: datetime | None) -> TaskRow:
    return TaskRow.made(
        stream=stream,
        id=task.id,
        process=process,
        kind=task.kind,
        role=task.role,
        organisation=task.organisation,
        grid=task.grid,
        person=task.person,
        opened_at=task.opened_at,
        due_at=task.due_at,
        closed_at=closed_at,
    )


def _clock(stream: str, process: str, clock: Clock) -> ClockRow:
    return ClockRow.made(
        stream=stream,
        id=clock.id,
        process=process,
        kind=clock.kind.value,
        organisation=clock.organisation,
        limit_text=str(clock.limit),
        rules_version=clock.rules_version,
        calendar_version=clock.calendar_version,
        started_at=clock.started_at,
        warn_at=clock.warn_at,
        due_at=clock.due_at,
        provisional=clock.provisional,
        warned_at=clock.warned_at,
        overdue_at=clock.overdue_at,
        stopped_at=clock.stopped_at,
        state="stopped" if not clock.is_running else clock.light,
        step=clock.step,
        pauses=clock.pauses,
        extended=tuple(str(each) for each in clock.extended),
        reached=clock.reached,
    )


class Whole:
    """All rows of a stream at once, for who folds it from its beginning.

    For each key the row that ``project`` would have written last: made by the same hands, but once and not after every
    act. ``take`` hears of the acts in order, ``rows`` is asked at the end.
    """

    def __init__(self, stream: str) -> None:
        self._stream, self._process = stream, stream.partition("-")[0]
        self._open: tuple[Task, ...] = ()
        self._tasks: dict[str, tuple[Task, datetime | None]] = {}
        self._seen: tuple[Clock, ...] = ()
        self._clocks: dict[str, Clock] = {}
        self._notices: list[NoticeRow] = []

    def take(self, at: datetime, state: Any, tasks: tuple[Task, ...], told: Told) -> None:
        """The state and its open tasks after an act at ``at``, and what people were told of it."""
        kept = {task.id for task in tasks}
        for task in self._open:
            if task.id not in kept:
                self._tasks[task.id] = (task, at)
        for task in tasks:
            self._tasks[task.id] = (task, None)
        self._open = tasks
        clocks = _clocks(state)
        if clocks is not self._seen:
            self._seen = clocks
            self._clocks |= {clock.id: clock for clock in clocks}
        for seq, event, notices in told:
            self._notices += _notices(self._stream, self._process, seq, event, notices)

    def rows(self, seq: int, at: datetime, state: Any, plan: Plan) -> dict[str, list[Recalled]]:
        """The rows by table, after the last act with its last event ``seq``, its time, its state and its plan."""
        table, make = _ROW[type(state)]
        stream, process = self._stream, self._process
        return {
            table: [make(stream, seq, at, state, plan)],
            "case_figure": [_figure(stream, state)] if isinstance(state, Case) else [],
            "task": [_task(stream, process, task, closed) for task, closed in self._tasks.values()],
            "clock": [_clock(stream, process, clock) for clock in self._clocks.values()],
            "awaited": [AwaitedRow.made(stream=stream, at=plan.alarm)],
            "notice": list(self._notices),
        }
