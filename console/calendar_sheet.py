"""What people and programs see of a calendar and of the way to a due time.

Owns words and layout. Must not know where calendars come from.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from console import output
from console.problems import draw_explained
from domain.calendar import Day, Pause, Reason, Step, WorkCalendar
from domain.limits import Limit
from domain.registry_problem import Problem
from ledger.calendar_files import Change, Remark

_WEEKDAYS = (
    ("周一", "Mon"), ("周二", "Tue"), ("周三", "Wed"), ("周四", "Thu"), ("周五", "Fri"), ("周六", "Sat"),
    ("周日", "Sun"),
)  # fmt: skip

_REASONS: dict[Reason, tuple[str, str]] = {
    Reason.NATURAL: ("自然时间", "natural time"),
    Reason.WORKING: ("工作时间", "office hours"),
    Reason.WORKING_DAY: ("工作日", "working day"),
    Reason.MADE_UP: ("调休上班", "made up"),
    Reason.LOCAL: ("本单位安排", "own hours"),
    Reason.UNPUBLISHED: ("放假安排未公布", "list not published"),
    Reason.START_DAY: ("起算当日", "day of the start"),
    Reason.LUNCH: ("午休", "midday break"),
    Reason.NIGHT: ("非工作时段", "outside office hours"),
    Reason.WEEKEND: ("周末", "weekend"),
    Reason.DAY_OFF: ("放假", "day off"),
    Reason.PAUSED: ("停表", "paused"),
}
_LENGTH: TypeAdapter[timedelta] = TypeAdapter(timedelta)


# --- a calendar -------------------------------------------------------------------------------------------------


def days_json(calendar: WorkCalendar, year: int | None) -> list[dict[str, str]]:
    """The named days in order, each ``off`` or ``work``; of one year or of all."""
    return [{"on": day.on.isoformat(), "kind": kind, "name": day.name} for day, kind in _named(calendar, year)]


def _named(calendar: WorkCalendar, year: int | None) -> list[tuple[Day, str]]:
    days = [(day, "off") for day in calendar.off] + [(day, "work") for day in calendar.made_up]
    return sorted((each for each in days if year in (None, each[0].on.year)), key=lambda each: each[0].on)


def draw_calendar(calendar: WorkCalendar, year: int | None) -> None:
    """The calendar for people: hours, horizon, and a line for each holiday."""
    until = calendar.published_until
    output.fields(
        [
            ("版本", "version", calendar.version),
            ("名称", "name", calendar.name),
            ("时区", "time zone", calendar.zone),
            ("放假安排", "published", f"{calendar.published_from} – {until}"),
            ("工作时段", "hours", "\n".join(_hours(calendar))),
            ("特殊时段", "own hours", "\n".join(_own_hours(calendar))),
            ("固定放假", "every year", "、".join(calendar.fixed_off)),
        ]
    )
    rows = list(_holidays(calendar, year))
    if rows:
        output.line("", "")
        output.table([("年份", "year"), ("日期", "days"), ("", ""), ("天数", "number"), ("名称", "name")], rows)
    elif year is not None:
        output.line(f"{year} 年没有列出的日子。", f"No day of {year} is named.")


def _hours(calendar: WorkCalendar) -> Iterator[str]:
    for segments, group in groupby(range(7), lambda number: calendar.week[number]):
        numbers = list(group)
        first, last = output.say(*_WEEKDAYS[numbers[0]]), output.say(*_WEEKDAYS[numbers[-1]])
        span = first if len(numbers) == 1 else output.say(f"{first}至{last}", f"{first}–{last}")
        yield f"{span} {'、'.join(segments) or output.say('休息', 'off')}"


def _own_hours(calendar: WorkCalendar) -> Iterator[str]:
    for entry in calendar.local:
        yield f"{entry.begin} – {entry.end} {'、'.join(entry.segments) or output.say('休息', 'off')} {entry.reason}"


def _holidays(calendar: WorkCalendar, year: int | None) -> Iterator[tuple[object, ...]]:
    """Days that follow each other and are the same to the office, as one row."""
    named = list(enumerate(_named(calendar, year)))
    for (_, kind, of_year, _), group in groupby(
        named, lambda each: (each[1][0].on.toordinal() - each[0], each[1][1], each[1][0].on.year, each[1][0].name)
    ):
        days = [day for _, (day, _) in group]
        span = _short(days[0].on) if len(days) == 1 else f"{_short(days[0].on)} – {_short(days[-1].on)}"
        word = output.say("放假", "off") if kind == "off" else output.say("上班", "work")
        yield of_year, span, word, len(days), days[0].name


def _short(day: date) -> str:
    return f"{day:%m-%d} {output.say(*_WEEKDAYS[day.weekday()])}"


# --- a due time -------------------------------------------------------------------------------------------------


def due_json(calendar: WorkCalendar, start: datetime, limit: Limit, pauses: Sequence[Pause]) -> dict[str, Any]:
    """Where the limit ends, and how.

    Instants are in ISO 8601 with the offset of the calendar's zone, lengths like ``PT4H``.
    """
    zone = ZoneInfo(calendar.zone)
    found = calendar.due(start, limit, pauses)
    return {
        "due": found.at.astimezone(zone).isoformat(),
        "provisional": found.provisional,
        "start": start.astimezone(zone).isoformat(),
        "limit": str(limit),
        "calendar": calendar.version,
        "published_until": calendar.published_until,
        "notes": notes(calendar, start, found.at, provisional=found.provisional),
        "steps": steps_json(calendar.steps(start, limit, pauses), zone),
    }


def steps_json(steps: Sequence[Step], zone: ZoneInfo) -> list[dict[str, Any]]:
    """The spans on the way to a due time, instants with the offset of ``zone``."""
    return [_step_json(step, zone) for step in steps]


def _step_json(step: Step, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "begin": step.begin.astimezone(zone).isoformat(),
        "end": step.end.astimezone(zone).isoformat(),
        "counted": _LENGTH.dump_python(step.counted, mode="json"),
        "counted_days": step.counted_days,
        "reason": step.reason.value,
        "name": step.name,
        "days": step.days,
        "text": f"{_words(step)} {_counted(step)}".strip(),
    }


def notes(calendar: WorkCalendar, start: datetime, due: datetime, *, provisional: bool) -> list[dict[str, str]]:
    """Why the due time is provisional; empty when it is not."""
    if not provisional:
        return []
    zone, begin, until = ZoneInfo(calendar.zone), calendar.published_from, calendar.published_until
    found = []
    # Due at midnight after the last published day is still within it.
    if (due - timedelta(microseconds=1)).astimezone(zone).date() > until:
        found.append(
            {
                "code": "calendar.beyond_horizon",
                "message": f"放假安排只公布到 {until}，其后仅按周末和法定固定假日推算，到期时间为暂定；"
                "导入新的放假安排后重新推算。",
                "message_en": f"Days off are published until {until}; after that only weekends and the days the law "
                "itself names are known. The due time is provisional until the next list is imported.",
            }
        )
    if start.astimezone(zone).date() < begin:
        found.append(
            {
                "code": "calendar.before_horizon",
                "message": f"本日历从 {begin} 开始，之前仅按周末和法定固定假日推算，到期时间为暂定。",
                "message_en": f"This calendar begins on {begin}; before that only weekends and the days the law "
                "itself names are known.",
            }
        )
    return found


def draw_due(calendar: WorkCalendar, start: datetime, limit: Limit, pauses: Sequence[Pause]) -> None:
    """The due time for a clerk, with every span that leads to it."""
    zone = ZoneInfo(calendar.zone)
    found = calendar.due(start, limit, pauses)
    state = output.say("暂定", "provisional") if found.provisional else output.say("确定", "final")
    output.fields(
        [
            ("起算", "start", _moment(start, zone)),
            ("时限", "limit", output.say(f"{limit.chinese}（{limit}）", str(limit))),
            ("到期", "due", output.styled(f"{_moment(found.at, zone)}  {state}", "bold")),
            ("日历", "calendar", f"{calendar.version}  {calendar.zone}"),
        ]
    )
    for each in notes(calendar, start, found.at, provisional=found.provisional):
        output.line(f"说明：{each['message']}", f"Note: {each['message_en']}")
    output.line("", "")
    draw_steps(calendar.steps(start, limit, pauses), zone)


def draw_steps(steps: Sequence[Step], zone: ZoneInfo) -> None:
    """The spans on the way to a due time, a row for each."""
    rows = ((_moment(step.begin, zone), _moment(step.end, zone), _words(step), _counted(step)) for step in steps)
    output.table([("从", "from"), ("到", "to"), ("情况", "what"), ("计入", "counted")], rows)


def _moment(at: datetime, zone: ZoneInfo) -> str:
    local = at.astimezone(zone)
    seconds = ":%S" if local.second or local.microsecond else ""
    return f"{local:%Y-%m-%d} {output.say(*_WEEKDAYS[local.weekday()])} {local.strftime('%H:%M' + seconds)}"


def _words(step: Step) -> str:
    days = output.say(f"{step.days} 天", f"{step.days} d") if step.days > 1 else ""
    more = output.say("，", ", ").join(part for part in (step.name, days) if part)
    word = output.say(*_REASONS[step.reason])
    return word if not more else output.say(f"{word}（{more}）", f"{word} ({more})")


def _counted(step: Step) -> str:
    if step.counted_days:
        plural = "s" if step.counted_days > 1 else ""
        return output.say(f"计 {step.counted_days} 个工作日", f"{step.counted_days} working day{plural}")
    if not step.counted:
        return output.say("不计", "-")
    # Working time is said in hours: a day of it is not one of 24 hours.
    seconds = step.counted // timedelta(seconds=1)
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [(hours, "小时", "h"), (minutes, "分钟", "min"), (seconds, "秒", "s")]
    shown = [(number, zh, en) for number, zh, en in parts if number]
    return output.say(
        "计 " + " ".join(f"{number} {zh}" for number, zh, _ in shown),
        " ".join(f"{number} {en}" for number, _, en in shown),
    )


# --- an import --------------------------------------------------------------------------------------------------

_CHANGES_SHOWN = 60

_FIELDS = {
    "name": ("名称", "name"),
    "zone": ("时区", "time zone"),
    "week": ("每周工作时段", "hours of the week"),
    "local": ("本单位特殊时段", "own hours"),
    "fixed_off": ("每年固定放假日", "days off of every year"),
    "published_from": ("公布起始", "published from"),
    "published_until": ("公布期限", "published until"),
}
_CHANGE_WORDS = {"added": ("新增", "added"), "removed": ("删去", "removed"), "changed": ("变更", "changed")}
_DAY_KINDS = {"off": ("放假", "off"), "work": ("上班", "work")}


def draw_changes(before: WorkCalendar | None, after: WorkCalendar, found: Sequence[Change]) -> None:
    """What an import would change, the first rows of it."""
    old = before.version if before else "-"
    output.line(f"现行日历 {old}，导入后 {after.version}。", f"Calendar {old} would become {after.version}.")
    rows = list(_change_rows(found))
    if rows:
        columns = [("", ""), ("内容", "what"), ("原来", "was"), ("改为", "now"), ("名称", "name")]
        output.table(columns, rows[:_CHANGES_SHOWN])
    if len(rows) > _CHANGES_SHOWN:
        output.line(
            f"另有 {len(rows) - _CHANGES_SHOWN} 行，见 --json。", f"{len(rows) - _CHANGES_SHOWN} more rows: see --json."
        )


def _change_rows(found: Iterable[Change]) -> Iterator[tuple[object, ...]]:
    """A row for each field, and one for each run of days that change alike."""
    days = [each for each in found if each.on is not None]
    for each in found:
        if each.field is not None:
            what = output.say(*_FIELDS.get(each.field, (each.field, each.field)))
            yield output.say(*_CHANGE_WORDS[each.change]), what, _cut(each.was), _cut(each.now), ""

    def run_of(numbered: tuple[int, Change]) -> tuple[object, ...]:
        number, each = numbered
        assert each.on is not None
        return each.on.toordinal() - number, each.change, each.was, each.now, each.name

    for _, group in groupby(enumerate(days), run_of):
        run_ = [each for _, each in group]
        first, last = run_[0], run_[-1]
        span = f"{first.on}" if first is last else f"{first.on} – {last.on}（{len(run_)}）"
        was, now = (output.say(*_DAY_KINDS[kind]) if kind else "-" for kind in (first.was, first.now))
        yield output.say(*_CHANGE_WORDS[first.change]), span, was, now, first.name


def _cut(text: str | None) -> str:
    return "-" if text is None else text if len(text) <= 60 else f"{text[:59]}…"


def draw_remarks(found: Iterable[Remark]) -> None:
    """What somebody who imports a list should look at."""
    for each in found:
        output.line(f"请注意：{each.message}", f"Note: {each.message_en}")


def draw_problems(problems: Iterable[Problem]) -> None:
    """What is wrong with a file, with the places."""
    columns = [("文件", "file"), ("行/项", "row"), ("值", "value")]
    rows = [
        ((f"{each.where.file} {each.where.section}".strip(), each.where.row, each.value), each) for each in problems
    ]
    draw_explained(columns, rows)
