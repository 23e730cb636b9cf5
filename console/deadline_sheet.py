"""The deadlines of one case, for people and for programs: a table of all clocks, then the story of each.

Owns words and layout. Must not read anything and must not count: the sheet of ``domain.case.explain`` is given.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from console import output, words
from console.calendar_sheet import draw_steps, notes, steps_json
from domain.calendar import Step, WorkCalendar, steps
from domain.case.deadlines import (
    Adoption,
    Cause,
    ClockStory,
    Counting,
    DeadlineSheet,
    Extension,
    Holding,
    Mark,
    Outcome,
    Status,
)
from domain.ladder import CLOCK_NAMES, RungAction
from domain.limits import Limit
from domain.people import Role
from domain.registry import Registry
from domain.zone import OFFICE_ZONE

_TOLD = {
    "handler": ("经办人", "handler"),
    "head": ("负责人", "head"),
    "leader": ("分管领导", "leader in charge"),
    "supervisor": ("督办员", "supervisor"),
}
_KEPT = {
    "in_the_past": ("按新规则已经到期，仍按原期限", "late at once by the new rules, so the old due stays"),
    "other_unit": ("延期的单位与新时限不同，仍按原期限", "extended in another unit, so the old due stays"),
    "expired": ("已超期，不再变动", "it has expired and stays as it is"),
}


class _Entry(NamedTuple):
    """One sentence of a story; ``seq`` orders what happened at one instant."""

    at: datetime
    seq: int
    text: str


# --- for programs -------------------------------------------------------------------------------------------------


def deadlines_json(
    stream: str, sheet: DeadlineSheet, clocks: Sequence[ClockStory], calendars: Mapping[str, WorkCalendar]
) -> dict[str, Any]:
    """The whole sheet with the days of each clock; instants are in ISO 8601 with the office's offset.

    ``used``, ``remaining``, ``over`` and ``whole`` are whole numbers of what ``counting`` says: ``seconds``,
    ``working_seconds`` or ``working_days``.
    """
    found = {"id": stream, **sheet.model_dump(exclude={"clocks"})}
    found["clocks"] = [_clock_json(clock, calendars) for clock in clocks]
    return {name: _with_offset(value) for name, value in found.items()}


def _clock_json(clock: ClockStory, calendars: Mapping[str, WorkCalendar]) -> dict[str, Any]:
    calendar = _calendar(clock, calendars)
    return {
        **clock.model_dump(),
        "on_time": clock.on_time,
        "limit_text": clock.whole_limit.chinese,
        "notes": _notes(clock, calendars),
        "steps": steps_json(_steps(clock, calendars), _zone(calendar)),
    }


def _with_offset(value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(OFFICE_ZONE).isoformat()
        case dict():
            return {name: _with_offset(each) for name, each in value.items()}
        case list() | tuple():
            return [_with_offset(each) for each in value]
    return value


def _calendar(clock: ClockStory, calendars: Mapping[str, WorkCalendar]) -> WorkCalendar | None:
    version = clock.dues[-1].calendar
    return None if version is None else calendars[version]


def _zone(calendar: WorkCalendar | None) -> ZoneInfo:
    return ZoneInfo(calendar.zone if calendar else "Asia/Shanghai")


def _steps(clock: ClockStory, calendars: Mapping[str, WorkCalendar]) -> tuple[Step, ...]:
    return steps(_calendar(clock, calendars), clock.started_at, clock.whole_limit, clock.pauses)


def _notes(clock: ClockStory, calendars: Mapping[str, WorkCalendar]) -> list[dict[str, str]]:
    calendar = _calendar(clock, calendars)
    return [] if calendar is None else notes(calendar, clock.started_at, clock.due_at, provisional=clock.provisional)


# --- for people ---------------------------------------------------------------------------------------------------


def draw_deadlines(
    sheet: DeadlineSheet,
    clocks: Sequence[ClockStory],
    calendars: Mapping[str, WorkCalendar],
    registry: Registry,
    *,
    title: str,
    with_steps: bool,
) -> None:
    """Print the table and the stories; ``with_steps`` adds how the calendar leads to each due."""
    output.console().print(output.styled(title, "bold"), soft_wrap=True)
    at, rules, calendar = output.local(sheet.at), sheet.rules, sheet.calendar or "-"
    output.line(f"截至 {at} · 规则 {rules} · 日历 {calendar}\n", f"as of {at} · rules {rules} · calendar {calendar}\n")
    columns = [
        ("时限", "clock"),
        ("多久", "limit"),
        ("起算", "from"),
        ("到期", "due"),
        ("灯", "light"),
        ("已用", "used"),
        ("剩余", "left"),
    ]
    output.table(columns, [_row(clock, registry, sheet.at) for clock in clocks])
    for clock in clocks:
        _draw_story(clock, registry, calendars, sheet.at)
        if with_steps:
            output.line("", "")
            draw_steps(_steps(clock, calendars), _zone(_calendar(clock, calendars)))


def _row(clock: ClockStory, registry: Registry, now: datetime) -> tuple[object, ...]:
    provisional = output.say(" 暂定", " prov.") if clock.provisional else ""
    return (
        _name(clock, output.say(*CLOCK_NAMES[clock.kind]), registry),
        _limit(clock.whole_limit),
        _short(clock.started_at, now),
        f"{_short(clock.due_at, now)}{provisional}",
        _light(clock),
        _amount(clock.counting, clock.used),
        _left(clock),
    )


def _name(clock: ClockStory, kind: str, registry: Registry) -> str:
    unit = _unit(clock.organisation, registry) if clock.organisation else None
    # Clocks of a kind that were started again are told apart as the first, the second and so on.
    again = clock.id.partition("#")[2]
    number = output.say(f"第{int(again) + 1}次", f"#{int(again) + 1}") if again else None
    return " ".join(part for part in (kind, unit, clock.step_name or clock.step, number) if part)


def _unit(code: str | None, registry: Registry) -> str:
    known = registry.organisation(code) if code else None
    return known.name if known else code or output.say("街道", "the street")


def _limit(limit: Limit) -> str:
    return output.say(limit.chinese, str(limit))


def _short(at: datetime, now: datetime) -> str:
    """The moment without its year where that is the present one."""
    shown = output.local(at)
    return shown[5:] if shown[:4] == output.local(now)[:4] else shown


def _light(clock: ClockStory) -> Any:
    styles = {"yellow": "yellow", "red": "bold red", "standing": "cyan", "": "green"}
    style = "green" if clock.status is Status.FINISHED and not clock.late else styles[state_of_clock(clock)]
    return output.styled(_state(clock), style)


def state_of_clock(clock: ClockStory) -> str:
    """How the clock stands, for colours: ``yellow``, ``red``, ``standing``; empty where nothing is the matter."""
    if clock.late:
        return "red"
    if clock.status is Status.STANDING:
        return "standing"
    return clock.light if clock.status is Status.RUNNING and clock.light != "green" else ""


def _state(clock: ClockStory) -> str:
    match clock.status, clock.late:
        case Status.RUNNING, _:
            return words.word(words.LIGHT, clock.light)
        case Status.STANDING, False:
            return output.say("停表", "stopped")
        case Status.STANDING, True:
            return output.say("超期停表", "late, stopped")
        case _, True:
            return output.say("超期", "late")
    return output.say("按时", "in time")


def _left(clock: ClockStory) -> str:
    if not clock.late:
        return "-" if clock.status is Status.FINISHED else _amount(clock.counting, clock.remaining)
    return output.say(f"超 {_beyond(clock)}", f"{_beyond(clock)} over")


def _beyond(clock: ClockStory) -> str:
    if clock.over:
        return _amount(clock.counting, clock.over)
    if clock.counting is Counting.DAYS:
        return output.say("不足1个工作日", "<1 wd")
    return output.say("不足1秒", "<1s")


def _amount(counting: Counting, number: int) -> str:
    """So many seconds or days in words; seconds that do not make a minute are told only when there is nothing else."""
    if counting is Counting.DAYS:
        return output.say(f"{number}个工作日", f"{number} wd")
    if 0 < number < 60:
        return output.say(f"{number}秒", f"{number}s")
    if counting is Counting.NATURAL:
        return output.span(timedelta(seconds=number))
    hours, minutes = divmod(number // 60, 60)
    parts = [(hours, "工作时", "wh"), (minutes, "分", "min")]
    shown = [(each, zh, en) for each, zh, en in parts if each] or [(0, "工作时", "wh")]
    return " ".join(output.say(f"{each}{zh}", f"{each} {en}") for each, zh, en in shown)


def _times(permille: int) -> str:
    """An overtime multiple, exact to the thousandth."""
    return f"{permille // 1000}.{permille % 1000:03}"


# --- the story of one clock ---------------------------------------------------------------------------------------


def _draw_story(clock: ClockStory, registry: Registry, calendars: Mapping[str, WorkCalendar], now: datetime) -> None:
    name = _name(clock, words.word(words.CLOCK, clock.kind), registry)
    output.line("", "")
    output.console().print(output.styled(f"{name}  {clock.id}", "bold"), soft_wrap=True)
    output.fields([(label, label, text) for label, text in _story(clock, registry, calendars, now)])


def _story(
    clock: ClockStory, registry: Registry, calendars: Mapping[str, WorkCalendar], now: datetime
) -> list[tuple[str, str]]:
    """Why the due is what it is, line by line: what each is about, and what it says."""
    rows = [(output.local(entry.at), entry.text) for entry in sorted(_entries(clock, registry))]
    rows.append((output.say("规则", "rules"), _basis(clock)))
    rows.append((output.say("合计", "in all"), _sum(clock)))
    rows += [
        (output.say("说明", "note"), output.say(each["message"], each["message_en"]))
        for each in _notes(clock, calendars)
    ]
    if not clock.agrees:
        zh = "重新推算的到期时间与流水记录不一致，请联系管理员核对。"
        en = "Counting again does not lead to the due on record; ask the administrator to look into it."
        rows.append((output.say("注意", "attention"), output.say(zh, en)))
    if clock.holders:
        held = "\n".join(_holding(clock, each, registry, now) for each in clock.holders)
        rows.append((output.say("承办", "held by"), held))
    return rows


class ToldClock(NamedTuple):
    """One clock in words, as a page shows it; ``story`` says line by line why its due is what it is."""

    id: str
    name: str
    limit: str
    started_at: datetime
    due_at: datetime
    provisional: bool
    is_finished: bool
    light: str
    state: str
    used: str
    left: str
    story: list[tuple[str, str]]


def tell_clock(
    clock: ClockStory, registry: Registry, calendars: Mapping[str, WorkCalendar], now: datetime
) -> ToldClock:
    """The clock in the words of the table and of the story."""
    return ToldClock(
        id=clock.id,
        name=_name(clock, words.word(words.CLOCK, clock.kind), registry),
        limit=_limit(clock.whole_limit),
        started_at=clock.started_at,
        due_at=clock.due_at,
        provisional=clock.provisional,
        is_finished=clock.status is Status.FINISHED,
        light=state_of_clock(clock) or "green",
        state=_state(clock),
        used=_amount(clock.counting, clock.used),
        left=_left(clock),
        story=_story(clock, registry, calendars, now),
    )


def _basis(clock: ClockStory) -> str:
    comma = output.say("，", ", ")
    rules, calendars = comma.join(clock.rules), comma.join(clock.calendars)
    if not calendars:
        return output.say(f"{rules} · 自然时间", f"{rules} · natural time")
    return output.say(f"{rules} · 日历 {calendars}", f"{rules} · calendar {calendars}")


def _sum(clock: ClockStory) -> str:
    used = _amount(clock.counting, clock.used)
    whole = _limit(clock.whole_limit)
    said = output.say(f"时限 {whole}，已用 {used}", f"limit {whole}, used {used}")
    if clock.late:
        times = _times(clock.overtime_permille or 0)
        return said + output.say(
            f"，超 {_beyond(clock)}（超时倍数 {times}）", f", {_beyond(clock)} over (overtime {times} of the limit)"
        )
    if clock.status is Status.FINISHED:
        return said + output.say("，按时", ", in time")
    left = _amount(clock.counting, clock.remaining)
    return said + output.say(f"，剩 {left}", f", {left} left")


def _entries(clock: ClockStory, registry: Registry) -> Iterator[_Entry]:
    begun = clock.dues[0]
    limit, what = _limit(begun.limit), _what(clock.started)
    due = _due(begun.due_at, begun.provisional)
    yield _Entry(clock.started_at, 0, output.say(f"{what}起算，时限 {limit}，{due}", f"{what}: {limit} begin, {due}"))
    yield from _pauses(clock)
    for extension in clock.extensions:
        yield from _extension(extension, registry)
    for adoption in clock.adoptions:
        yield _Entry(adoption.cause.at, adoption.cause.seq, _adoption(adoption))
    for mark in clock.marks:
        yield _Entry(mark.stood_at, mark.cause.seq, _mark(mark))
    if clock.finished is not None:
        result = output.say("按时", "in time") if clock.on_time else output.say("超期", "late")
        what = _what(clock.finished)
        yield _Entry(
            clock.finished.at, clock.finished.seq, output.say(f"{what}，计时结束，{result}", f"{what}: ended {result}")
        )


def _due(at: datetime, provisional: bool) -> str:
    mark = output.say("（暂定）", " (provisional)") if provisional else ""
    return output.say(f"应于 {output.local(at)} 到期{mark}", f"due {output.local(at)}{mark}")


def _what(cause: Cause) -> str:
    """A fact in a word."""
    if cause.kind == "supervision_ordered" and cause.by.role is Role.SYSTEM:
        return output.say("催办通知书", "written urging")
    return words.word(words.EVENT, cause.kind)


def _why(cause: Cause) -> str:
    """The reason of a fact in brackets, cut where it is long; empty when it has none."""
    known = {**words.REASON, **words.SUSPEND}
    reason = " ".join((cause.reason or "").split())
    # What people wrote is cut, the words of the trade are not.
    reason = words.word(known, reason) if reason in known else f"{reason[:15]}…" if len(reason) > 16 else reason
    return output.say(f"（{reason}）", f" ({reason})") if reason else ""


def _by(cause: Cause) -> str:
    if cause.by.role is Role.SYSTEM:
        return ""
    return output.say("，", ", ") + words.person(cause.by)


def _pauses(clock: ClockStory) -> Iterator[_Entry]:
    dues = {each.cause.seq: each for each in clock.dues[1:]}
    for standing in clock.standings:
        begun, ended = standing.begun_by, standing.ended_by
        # A suspension stops the clocks by its very name; of other facts it must be said.
        stops = "" if begun.kind == "suspended" else output.say("，停止计时", ": stopped")
        yield _Entry(standing.begin, begun.seq, f"{_what(begun)}{_why(begun)}{stops}{_by(begun)}")
        if ended is None or standing.end is None:
            continue
        goes_on = "" if ended.kind == "resumed" else output.say("，继续计时", ": runs on")
        due = dues.get(ended.seq)
        now_due = output.say("，", ", ") + _due(due.due_at, due.provisional) if due else ""
        yield _Entry(standing.end, ended.seq, f"{_what(ended)}{_why(ended)}{goes_on}{now_due}")


def _extension(extension: Extension, registry: Registry) -> Iterator[_Entry]:
    unit, asked = _unit(extension.department, registry), _limit(extension.asked_length)
    if extension.asked is not None:
        text = output.say(f"{unit}申请延期 {asked}", f"{unit} asked for {asked} more")
        yield _Entry(extension.asked.at, extension.asked.seq, text + _why(extension.asked))
    if extension.decided is None:
        return
    by, length = extension.decided.by.person, _limit(extension.length)
    if not extension.granted or extension.old_due_at is None or extension.due_at is None:
        text = output.say(f"{by} 不同意延期 {length}", f"{by} denied {length} more")
    else:
        old, new = output.local(extension.old_due_at), output.local(extension.due_at)
        text = output.say(
            f"{by} 同意延期 {length}，到期由 {old} 改为 {new}",
            f"{by} granted {length} more, due {new} instead of {old}",
        )
    yield _Entry(extension.decided.at, extension.decided.seq, text)


def _adoption(adoption: Adoption) -> str:
    rules, calendar = adoption.rules, adoption.calendar or "-"
    said = output.say(f"采用规则 {rules}、日历 {calendar}", f"rules {rules} and calendar {calendar} adopted")
    if adoption.outcome is Outcome.KEPT:
        why = (
            output.say(*_KEPT[adoption.why]) if adoption.why in _KEPT else output.say("本时限不变", "this clock stays")
        )
        return said + output.say(f"：{why}", f": {why}")
    old, new = output.local(adoption.old_due_at), output.local(adoption.due_at)
    parts = []
    if adoption.old_limit != adoption.limit:
        before, after = _limit(adoption.old_limit), _limit(adoption.limit)
        parts.append(output.say(f"时限由 {before} 改为 {after}", f"limit {after} instead of {before}"))
    if old != new:
        parts.append(output.say(f"到期由 {old} 改为 {new}", f"due {new} instead of {old}"))
    else:
        parts.append(output.say("到期不变", "same due"))
    if adoption.old_provisional != adoption.provisional:
        parts.append(
            output.say("改为暂定", "provisional now") if adoption.provisional else output.say("不再暂定", "final now")
        )
    return said + output.say("：", ": ") + output.say("，", ", ").join(parts)


def _mark(mark: Mark) -> str:
    if mark.action is RungAction.YELLOW:
        said = output.say("黄灯，临近到期", "yellow: due soon")
    elif mark.action is RungAction.RED:
        said = output.say("红灯，到期未完成", "red: due and not done")
    else:
        said = mark.name
    if mark.skipped:
        return said + output.say("：已书面回复，不再发出", ": answered in writing, not sent")
    told = output.say("、", ", ").join(output.say(*_TOLD[each]) for each in mark.told)
    said += output.say(f"，告知{told}", f", told: {told}") if told else ""
    if mark.cause.at - mark.stood_at >= timedelta(minutes=1):
        recorded = output.local(mark.cause.at)
        said += output.say(f"（{recorded} 记录）", f" (recorded {recorded})")
    return said


def _holding(clock: ClockStory, holding: Holding, registry: Registry, now: datetime) -> str:
    """Who had the budget from when to when, and what of it was used."""
    begin = _short(holding.begin, now)
    end = _short(holding.end, now) if holding.end else None
    unit, used = _unit(holding.organisation, registry), _amount(clock.counting, holding.used)
    seeking = output.say("（退单期间）", " (after the return)") if holding.seeking else ""
    span = output.say(f"{begin} 至 {end}", f"{begin} to {end}") if end else output.say(f"{begin} 起", f"since {begin}")
    said = output.say(f"{unit}{seeking} {span}，用 {used}", f"{unit}{seeking} {span}: {used}")
    if holding.charged_to is None:
        return said
    charged = _unit(holding.charged_to, registry)
    return said + output.say(f"，计入{charged}", f", charged to {charged}")
