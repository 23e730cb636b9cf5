"""Official lists of days off and whole calendars from files, and what a list makes of a calendar.

Owns the checks of a list, the merging and the naming of versions. Reading formats is the business of
``ledger.calendar_readers`` and ``ledger.calendar_ics``. Must not touch the database.

    CalendarUnreadable     a file has problems; all of them, with their places
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from domain.base import Frozen
from domain.calendar import FIXED_OFF, Day, WorkCalendar, standard_week
from domain.errors import Refused
from domain.problem import ProblemText
from domain.refusals import CATALOGUE
from domain.registry_problem import Problem, Where
from domain.text import normalise
from ledger.calendar_ics import read_ics
from ledger.calendar_readers import Broken, Read, Said, Wrong, decoded, parsed, read_bytes, read_csv, read_value

FIRST_YEAR = 2020
"""The first year of the calendar a new office starts with; no case is older than the office's own records."""

_SUFFIXES = (".json", ".yaml", ".yml", ".csv", ".ics")
_UNNAMED = {"off": "放假", "work": "调休上班"}
_LEAST_OFF = 11
"""Days off that 全国年节及纪念日放假办法 gave every year until 2024; since 2025 there are thirteen."""

# When each festival lies, as (month, day) from and to; a list of a whole year has a day off in each of these spans.
# 中秋 is left out: it may fall into the days off of 国庆.
_FESTIVALS = (
    ("元旦", "New Year", (1, 1), (1, 1)),
    ("春节", "Spring Festival", (1, 21), (2, 20)),
    ("清明", "Tomb-Sweeping Day", (4, 4), (4, 6)),
    ("劳动节", "Labour Day", (5, 1), (5, 1)),
    ("端午", "Dragon Boat Festival", (5, 27), (6, 26)),
    ("国庆节", "National Day", (10, 1), (10, 1)),
)


class OfficialList(Frozen):
    """What an official list says: the years it is the list of, days off and days worked for them, in order.

    It may also name days of the December before its first year: the New Year holiday often begins there.
    ``passed_over`` are entries of the file that have nothing to do with working time.
    """

    years: tuple[int, ...]
    off: tuple[Day, ...]
    made_up: tuple[Day, ...]
    passed_over: tuple[str, ...] = ()


class Remark(Frozen):
    """Something a person should look at although nothing is refused."""

    code: str
    message: str
    message_en: str


class Change(Frozen):
    """One difference between two calendars: a day (``on``) that is ``off`` or ``work``, or another ``field``."""

    change: str
    on: date | None = None
    field: str | None = None
    was: str | None = None
    now: str | None = None
    name: str = ""


class CalendarUnreadable(Refused):
    """A file has problems, and nothing was taken from it; ``problems`` are all of them."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(
            "calendar.unreadable", count=len(problems), where=str(first.where).strip(), first=first.message,
            first_en=first.message_en,
        )  # fmt: skip
        self.problems = tuple(problems)


_TEXTS: dict[str, ProblemText] = {
    "calendar_file.syntax": ProblemText(
        "从这里起读不懂（{value}）", "cannot be read from here on ({value})",
        "请检查格式，或另存为 UTF-8 后重试", "check the format, or save it as UTF-8 and try again",
    ),
    "calendar_file.no_column": ProblemText(
        "表头里没有这一栏：{value}", "the header has no such column: {value}",
        "请给它一个其中的名称", "head it with one of these names",
    ),
    "calendar_file.missing": ProblemText("“{field}”没有填写", "'{field}' is missing", "请填写", "fill it in"),
    "calendar_file.bad_date": ProblemText(
        "“{field}”的值“{value}”不是存在的日期", "'{value}' in '{field}' is no day there is",
        "请写成 2027-01-01", "write 2027-01-01",
    ),
    "calendar_file.bad_year": ProblemText(
        "年份“{value}”读不懂", "the year '{value}' cannot be read", "请写成四位数字，如 2027", "write four digits",
    ),
    "calendar_file.other_year": ProblemText(
        "日期 {value} 不属于本名单的年份（{hint}）", "{value} lies outside the years of this list ({hint})",
        "请改正日期或年份", "correct the day or the year",
    ),
    "calendar_file.bad_kind": ProblemText(
        "看不懂“{value}”是放假还是上班", "'{value}' says neither off nor work",
        "请写 off（休）或 work（班）；“调休”两种意思都有，不能单独用", "write off or work",
    ),
    "calendar_file.bad_entry": ProblemText(
        "“{value}”只有一项内容，不知是放假还是上班", "'{value}' does not say whether it is off or worked",
        "请写成日期加类型，或分别放进 holidays 与 workdays", "give a date and a kind, or use holidays and workdays",
    ),
    "calendar_file.bad_event": ProblemText(
        "事件“{value}”没有说清是放假还是上班", "the event '{value}' says neither off nor work",
        "请在标题里写明 休/放假 或 班/上班；与放假无关的事件请删去", "say 休 or 班 in its title, or remove it",
    ),
    "calendar_file.bad_span": ProblemText(
        "事件的起止（{value}）不合理", "the span of the event ({value}) is not plausible",
        "结束须晚于开始，最长 31 天", "the end comes after the start, at most 31 days",
    ),
    "calendar_file.repeating": ProblemText(
        "重复事件（{field}）不能导入", "repeating events ({field}) cannot be imported",
        "放假安排逐年公布，请逐日列出", "list each day",
    ),
    "calendar_file.too_many_cells": ProblemText(
        "这一行的格数多于表头，多出“{value}”", "this row has more cells than the header: '{value}'",
        "含分隔符的内容请加引号", "quote cells that contain the separator",
    ),
    "calendar_file.both_ways": ProblemText(
        "{value} 既写了放假又写了上班，另一处在 {hint}", "{value} is named both off and worked, also at {hint}",
        "请只保留一种", "keep one of them",
    ),
    "calendar_file.no_days": ProblemText(
        "文件里没有任何放假或上班的日期", "the file names no day at all", "请检查是否选对了文件", "check the file",
    ),
    "calendar_file.bad_value": ProblemText(
        "“{field}”的值“{value}”不符合要求（{hint}）", "'{value}' in '{field}' is not valid ({hint})",
        "请按说明修改", "change it as described",
    ),
}  # fmt: skip


def _problem(wrong: Wrong, hint: object = "") -> Problem:
    return Problem.of(_TEXTS, wrong.code, wrong.where, wrong.field, normalise(wrong.value), hint)


# --- reading ----------------------------------------------------------------------------------------------------


def read_calendar_file(path: Path) -> WorkCalendar | OfficialList:
    """The whole calendar (JSON or YAML with the fields of ``WorkCalendar``) or the official list in a file.

    A whole calendar without a version gets one from its content. Raises ``CalendarUnreadable`` with every problem,
    ``Refused`` ``calendar.unknown_format`` for other endings and ``file.unreadable`` for a file that cannot be opened.
    """
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        raise Refused("calendar.unknown_format", field="file", suffix=suffix or path.name)
    data = read_bytes(path)
    try:
        text = decoded(path, data)
        if suffix == ".csv":
            return _official(path, read_csv(path, text))
        if suffix == ".ics":
            return _official(path, read_ics(path, text))
        value = parsed(path, text)
        if isinstance(value, dict) and ("week" in value or "published_until" in value):
            return _whole(path, value)
        return _official(path, read_value(path, value))
    except Broken as broken:
        raise CalendarUnreadable([_problem(broken.wrong)]) from None


def _whole(path: Path, value: dict[str, Any]) -> WorkCalendar:
    given = {name: each for name, each in value.items() if each not in (None, "")}
    try:
        calendar = WorkCalendar.model_validate({"version": "draft", **given})
    except ValidationError as error:
        raise CalendarUnreadable(list(_invalid(path, error))) from None
    return calendar if "version" in given else _versioned(calendar)


def _invalid(path: Path, error: ValidationError) -> Iterator[Problem]:
    for each in error.errors(include_url=False):
        names = [str(part) for part in each["loc"] if isinstance(part, str)]
        rows = [part + 1 for part in each["loc"] if isinstance(part, int)]
        where = Where(file=path.name, section=names[0] if names else "calendar", row=rows[0] if rows else 1)
        shown = "" if isinstance(each["input"], dict | list) else str(each["input"])
        code, field = each["type"], names[-1] if names else ""
        if code not in CATALOGUE:
            code = "calendar_file.missing" if code == "missing" else "calendar_file.bad_value"
            yield _problem(Wrong(code, where, field, shown), each["msg"])
            continue
        entry = CATALOGUE[code]
        params = {"field": field, **{name: str(text) for name, text in each.get("ctx", {}).items()}}
        yield Problem(
            code=code, where=where, field=field, value=shown[:80],
            message=entry.zh.format_map(params), message_en=entry.en.format_map(params),
            remedy=entry.remedy_zh.format_map(params), remedy_en=entry.remedy_en.format_map(params),
        )  # fmt: skip


def _official(path: Path, read: Read) -> OfficialList:
    """The list the entries make. Raises ``CalendarUnreadable``."""
    problems = [_problem(wrong) for wrong in read.wrong]
    found: dict[date, list[Said]] = {}
    for said in read.said:
        day = said.on
        declared = not read.years or day.year in read.years or (day.month == 12 and day.year + 1 in read.years)
        if not 2000 <= day.year < 2100:
            problems.append(_problem(Wrong("calendar_file.bad_date", said.where, "date", str(day))))
        elif not declared:
            years = ", ".join(map(str, sorted(read.years)))
            problems.append(_problem(Wrong("calendar_file.other_year", said.where, "date", str(day)), years))
        else:
            others = found.setdefault(day, [])
            if others and others[0].kind != said.kind:
                wrong = Wrong("calendar_file.both_ways", said.where, "kind", str(day))
                problems.append(_problem(wrong, str(others[0].where).strip()))
            others.append(said)
    if not found and not problems:
        problems.append(_problem(Wrong("calendar_file.no_days", Where(file=path.name, section="", row=1), "", "")))
    if problems:
        if len({each.where.section for each in problems}) == 1:
            problems.sort(key=lambda each: each.where.row)
        raise CalendarUnreadable(problems)
    days = {kind: tuple(_day(found[on]) for on in sorted(found) if found[on][0].kind == kind) for kind in _UNNAMED}
    of_years = tuple(sorted(read.years)) or _years(sorted(found))
    return OfficialList(years=of_years, off=days["off"], made_up=days["work"], passed_over=tuple(read.passed_over))


def _day(said: Sequence[Said]) -> Day:
    """The day with the names of all entries for it: 中秋 and 国庆节 may be one day."""
    names = dict.fromkeys(each.name for each in said if each.name)
    text = " ".join(normalise("、".join(names)).split())[:100]
    return Day(on=said[0].on, name=text or _UNNAMED[said[0].kind])


def _years(days: Sequence[date]) -> tuple[int, ...]:
    """The years a list is for that does not say so.

    A few days around New Year are no list of their year: they belong to the New Year holiday of the other one.
    """
    named = {day.year for day in days if (12, 25) > (day.month, day.day) > (1, 3)}
    return tuple(sorted(named or {day.year for day in days}))


# --- calendars --------------------------------------------------------------------------------------------------


def from_library() -> WorkCalendar:
    """The calendar a new office starts with: usual hours, and all years since 2020 that the library knows."""
    official = library_list()
    first, last = official.years[0], official.years[-1]
    return _versioned(
        WorkCalendar(
            version="draft",
            name="工作日历（国务院办公厅历年放假安排）",
            week=standard_week(),
            off=official.off,
            made_up=official.made_up,
            fixed_off=FIXED_OFF,
            published_from=date(first, 1, 1),
            published_until=date(last, 12, 31),
        )
    )


def library_list() -> OfficialList:
    """The official lists since 2020 as the package ``chinesecalendar`` has them."""
    # Only here: the package is large, and most commands need no new calendar.
    from chinese_calendar import constants  # type: ignore[import-untyped]

    names = {each.value: each.chinese for each in constants.Holiday}
    # A made-up day may lie in the December before the first year; it belongs to that earlier year's hours.
    off, made_up = (
        tuple(Day(on=on, name=names[name]) for on, name in sorted(days.items()) if on.year >= FIRST_YEAR)
        for days in (constants.holidays, constants.workdays)
    )
    return OfficialList(years=tuple(range(FIRST_YEAR, off[-1].on.year + 1)), off=off, made_up=made_up)


def merged(calendar: WorkCalendar, official: OfficialList) -> WorkCalendar:
    """The calendar with the list in place of what it said about the years of the list.

    The horizon moves to the end of the last year that follows without a gap on what is published. Everything else of
    the office stays. The version is made from the content, so that the same list always gives the same; a list that
    says nothing new gives ``calendar`` itself.
    """
    off = _replaced(calendar, calendar.off, official, official.off)
    made_up = _replaced(calendar, calendar.made_up, official, official.made_up)
    begin, until = calendar.published_from, calendar.published_until
    for year in official.years:
        if date(year, 1, 1) <= until + timedelta(days=1):
            until = max(until, date(year, 12, 31))
    for year in reversed(official.years):
        if date(year, 12, 31) >= begin - timedelta(days=1):
            begin = min(begin, date(year, 1, 1))
    # Built anew and not copied: a copy would keep what the old calendar has worked out about its days.
    draft = WorkCalendar.model_validate(
        calendar.model_dump() | {"off": off, "made_up": made_up, "published_from": begin, "published_until": until}
    )
    return _versioned(draft) if changes(calendar, draft) else calendar


def in_force_after(before: WorkCalendar | None, given: WorkCalendar | OfficialList) -> WorkCalendar:
    """The calendar that would be in force; a list is merged into the one there is, at first into the library's."""
    return given if isinstance(given, WorkCalendar) else merged(before or from_library(), given)


def _replaced(
    calendar: WorkCalendar, before: Iterable[Day], official: OfficialList, named: Sequence[Day]
) -> list[dict[str, Any]]:
    known = {day.on: day for day in before}
    said = {day.on for day in (*official.off, *official.made_up)}
    kept = {on: day for on, day in known.items() if on not in said and not _replaces(calendar, official, on)}
    for day in named:
        # A list without names does not take the known ones away.
        unnamed = day.name in _UNNAMED.values() and day.on in known
        kept[day.on] = known[day.on] if unnamed else day
    return [kept[on].model_dump() for on in sorted(kept)]


def _replaces(calendar: WorkCalendar, official: OfficialList, day: date) -> bool:
    """Whether the list speaks of this day by not naming it."""
    if day.year not in official.years:
        return False
    # The last days of a year were named by the list of the next one, if that is known.
    later = date(day.year + 1, 1, 1) <= calendar.published_until and day.year + 1 not in official.years
    return not (later and (day.month, day.day) >= (12, 25))


def _versioned(calendar: WorkCalendar) -> WorkCalendar:
    """The calendar under a version made from its content."""
    content = json.dumps(calendar.model_dump(mode="json", exclude={"version"}), ensure_ascii=False, sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()[:8]
    version = f"cn-{calendar.published_until.year}-{digest}"
    return WorkCalendar.model_validate(calendar.model_dump() | {"version": version})


def changes(before: WorkCalendar | None, after: WorkCalendar) -> tuple[Change, ...]:
    """What ``after`` says that ``before`` did not, or says otherwise: first its fields, then its days in order.

    Versions are no difference, and neither is the order in which days are written down.
    """
    found: list[Change] = []
    old, new = (_fields(before) if before else {}), _fields(after)
    for field, value in new.items():
        if old.get(field) != value:
            change = "changed" if before else "added"
            found.append(Change(change=change, field=field, was=old.get(field), now=value))
    days_before, days_after = (_days(before) if before else {}), _days(after)
    for on in sorted(days_before.keys() | days_after.keys()):
        was, now = days_before.get(on), days_after.get(on)
        if was == now:
            continue
        name = (now or was or ("", ""))[1]
        change = "added" if was is None else "removed" if now is None else "changed"
        found.append(Change(change=change, on=on, was=was and was[0], now=now and now[0], name=name))
    return tuple(found)


def _fields(calendar: WorkCalendar) -> dict[str, str]:
    plain = calendar.model_dump(mode="json", exclude={"version", "off", "made_up"})
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in plain.items()
    }


def _days(calendar: WorkCalendar) -> dict[date, tuple[str, str]]:
    days = {day.on: ("off", day.name) for day in calendar.off}
    return days | {day.on: ("work", day.name) for day in calendar.made_up}


# --- what to look at twice --------------------------------------------------------------------------------------


def remarks(official: OfficialList, after: WorkCalendar) -> tuple[Remark, ...]:
    """What a person should look at before ``official`` becomes the calendar ``after``."""
    found: list[Remark] = []
    for year in official.years:
        off = {day.on for day in official.off if day.on.year == year}
        missing = [
            (zh, en)
            for zh, en, begin, end in _FESTIVALS
            if not any(date(year, *begin) <= on <= date(year, *end) for on in off)
        ]
        if len(off) < _LEAST_OFF:
            zh, en = f"{year} 年只有 {len(off)} 天放假，名单可能不完整。", f"Only {len(off)} days off in {year}."
            found.append(Remark(code="calendar.few_days", message=zh, message_en=en))
        if missing:
            zh = f"{year} 年没有这些节日的放假日：{'、'.join(each for each, _ in missing)}。"
            en = f"No day off in {year} for: {', '.join(each for _, each in missing)}."
            found.append(Remark(code="calendar.no_festival", message=zh, message_en=en))
        if year > after.published_until.year:
            zh = f"{year} 年之前还有未公布的年份，公布期限仍为 {after.published_until}。"
            en = f"Years before {year} are not published; the horizon stays at {after.published_until}."
            found.append(Remark(code="calendar.gap", message=zh, message_en=en))
    idle = [day.on for day in official.made_up if after.week[day.on.weekday()]]
    if idle:
        shown = ", ".join(map(str, idle[:5]))
        zh, en = f"这些上班日本来就是工作日：{shown}。", f"Worked anyway, yet named as made up: {shown}."
        found.append(Remark(code="calendar.made_up_weekday", message=zh, message_en=en))
    if official.passed_over:
        names = "、".join(dict.fromkeys(official.passed_over))[:80]
        number = len(official.passed_over)
        zh, en = f"略过与放假无关的 {number} 个事件：{names}。", f"Passed over {number} events that are no days off."
        found.append(Remark(code="calendar.passed_over", message=zh, message_en=en))
    return tuple(found)
