"""iCalendar files (RFC 5545) that say which days are off, as calendar programs and governments publish them.

Owns what of the format such files use: folded lines, events with days or times, an exclusive end or a length, and the
words by which an event says that it is a day off (休, 假期, 放假) or a day worked (班, 补班, 上班).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.registry_problem import Where
from domain.zone import OFFICE_ZONE
from ledger.calendar_readers import Broken, Kind, Read, Said, Wrong

_MARK = "X-APPLE-SPECIAL-DAY"
_MARKS: dict[str, Kind] = {"WORK-HOLIDAY": "off", "ALTERNATE-WORKDAY": "work"}
_REPEATING = ("RRULE", "RDATE", "EXDATE")
_STAMP = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})(\d{2})(Z?))?", re.ASCII)
_LENGTH = re.compile(r"\+?P(?:(\d{1,3})W)?(?:(\d{1,4})D)?(?:T(?:0+[HMS])+)?", re.ASCII)
_PARAMETER = re.compile(r';([^=;:]+)=("[^"]*"|[^;:"]*)')
_MOST_DAYS = 31
"""No holiday lasts longer; an event that does is a mistake in its end."""


class Property(NamedTuple):
    """One property of an event: its value as written and the line it begins in."""

    value: str
    parameters: dict[str, str]
    line: int


@dataclass
class _Event:
    line: int
    properties: dict[str, Property] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The text of a property with its escapes resolved; empty when it is not there."""
        found = self.properties.get(name)
        if found is None:
            return ""
        return re.sub(r"\\(.)", lambda match: "\n" if match[1] in "nN" else match[1], found.value).strip()


def read_ics(path: Path, text: str) -> Read:
    """What the events of an iCalendar file say of the days they cover.

    In a file that marks special days as Apple does, an event without the mark is a festival that nobody has off and is
    passed over; in any other file an event that says neither is a problem. Raises ``Broken`` for a file that is no
    iCalendar.
    """
    events = [event for event in _events(path, text) if event.text("STATUS").upper() != "CANCELLED"]
    marked = any(_MARK in event.properties for event in events)
    read = Read()
    for event in events:
        _read_event(read, path, event, marked=marked)
    return read


def _read_event(read: Read, path: Path, event: _Event, *, marked: bool) -> None:
    name = event.text("SUMMARY")
    if marked and _MARK not in event.properties:
        read.passed_over.append(name)
        return
    kind, shown = _kind(event)
    if kind is None:
        read.wrong.append(Wrong("calendar_file.bad_event", _where(path, event, "SUMMARY"), "SUMMARY", shown))
    repeating = next((each for each in _REPEATING if each in event.properties), None)
    if repeating is not None:
        where, value = _where(path, event, repeating), event.properties[repeating].value
        read.wrong.append(Wrong("calendar_file.repeating", where, repeating, value))
    days = _days(read, path, event)
    if kind is not None and repeating is None:
        where = _where(path, event, "DTSTART")
        read.said += [Said(where, day, kind, _plain_name(name)) for day in days]


def _where(path: Path, event: _Event, name: str) -> Where:
    found = event.properties.get(name)
    return Where(file=path.name, section="VEVENT", row=found.line if found else event.line)


def _kind(event: _Event) -> tuple[Kind | None, str]:
    """What the event says its days are, and the words in which it says so."""
    if _MARK in event.properties:
        mark = event.text(_MARK)
        return _MARKS.get(mark.upper()), f"{_MARK}:{mark}"
    summary = event.text("SUMMARY")
    for text in (summary, event.text("DESCRIPTION")):
        # 调休 is said of the days off as well as of the days worked for them.
        words = text.replace("调休", "")
        works, rests = "班" in words, bool(re.search("休|假", words))
        if works != rests:
            return ("work" if works else "off"), text
        if works:
            return None, text
    return None, summary


def _plain_name(summary: str) -> str:
    """The festival without what says that it is off: ``春节（休）`` and ``春节 假期 第2天/共7天`` become ``春节``."""
    name = re.sub(r"[（(\[【].*?[）)\]】]|第\s*\d+\s*天.*", "", summary)
    name = re.sub(r"(?:假期|放假|调休|补班|上班|休假|休|班)", "", name)
    return re.sub(r"\s+", " ", name).strip(" -—·:：/")


# --- days -------------------------------------------------------------------------------------------------------


def _days(read: Read, path: Path, event: _Event) -> list[date]:
    """The days the event covers; none after noting what is wrong with its times."""
    begin = _moment(read, path, event, "DTSTART")
    if "DTSTART" not in event.properties:
        read.wrong.append(Wrong("calendar_file.missing", _where(path, event, ""), "DTSTART", ""))
    if begin is None:
        return []
    last = begin.date()
    if "DTEND" in event.properties:
        end = _moment(read, path, event, "DTEND")
        if end is None:
            return []
        # The end is the first moment that no longer belongs to the event; some programs repeat the start there.
        last = (end - timedelta(microseconds=1)).date() if end > begin else end.date()
    elif "DURATION" in event.properties:
        length = _LENGTH.fullmatch(event.text("DURATION"))
        if length is None or not (length[1] or length[2]):
            where = _where(path, event, "DURATION")
            read.wrong.append(Wrong("calendar_file.bad_date", where, "DURATION", event.text("DURATION")))
            return []
        last += timedelta(days=max(1, 7 * int(length[1] or 0) + int(length[2] or 0)) - 1)
    count = (last - begin.date()).days + 1
    if not 1 <= count <= _MOST_DAYS:
        value = f"{begin.date()} – {last}"
        read.wrong.append(Wrong("calendar_file.bad_span", _where(path, event, "DTSTART"), "DTEND", value))
        return []
    return [begin.date() + timedelta(days=number) for number in range(count)]


def _moment(read: Read, path: Path, event: _Event, name: str) -> datetime | None:
    """The office's wall clock (without a zone) at the moment a property names; days begin at midnight."""
    found = event.properties.get(name)
    if found is None:
        return None
    stamp = _STAMP.fullmatch(found.value.strip())
    try:
        if stamp is None:
            raise ValueError
        year, month, day, hour, minute, second = (int(each or 0) for each in stamp.groups()[:6])
        # A leap second (60) is a name for the one before it.
        wall = datetime(year, month, day, hour, minute, min(second, 59))  # noqa: DTZ001 - its zone follows
        zone = _zone(found, utc=stamp[7] == "Z")
        return wall if zone is None else wall.replace(tzinfo=zone).astimezone(OFFICE_ZONE).replace(tzinfo=None)
    except (ValueError, OverflowError):
        read.wrong.append(Wrong("calendar_file.bad_date", _where(path, event, name), name, found.value[:40]))
        return None


def _zone(found: Property, *, utc: bool) -> ZoneInfo | timezone | None:
    """The zone a moment is written in; None for days and for moments of wherever the reader is."""
    if utc:
        return UTC
    name = found.parameters.get("TZID")
    if name is None or "T" not in found.value:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # Programs name zones as they like ("中国标准时间"); lists of Chinese holidays mean the office's own.
        return None


# --- lines ------------------------------------------------------------------------------------------------------


def _events(path: Path, text: str) -> Iterator[_Event]:
    """The events with their own properties; what is nested in them, such as alarms, is left out."""
    inside: list[str] = []
    event: _Event | None = None
    begun = False
    for line, content in _unfolded(text):
        name, colon, value = _split(content)
        if not colon:
            raise Broken(path, line, "iCalendar")
        name, parameters = _name(name)
        if name == "BEGIN":
            inside.append(value.strip().upper())
            begun = begun or inside == ["VCALENDAR"]
            if inside[-1] == "VEVENT":
                event = _Event(line)
        elif name == "END":
            if not inside or inside.pop() != value.strip().upper():
                raise Broken(path, line, f"END:{value[:40]}")
            if event is not None and value.strip().upper() == "VEVENT":
                yield event
                event = None
        elif event is not None and inside[-1] == "VEVENT":
            event.properties.setdefault(name, Property(value, parameters, line))
    if not begun or inside:
        raise Broken(path, 1, "BEGIN:VCALENDAR … END:VCALENDAR")


def _unfolded(text: str) -> Iterator[tuple[int, str]]:
    """The content lines with the numbers they begin in; a line that begins with a blank goes on the one before."""
    begun, content = 0, ""
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text), start=1):
        if line[:1] in (" ", "\t") and begun:
            content += line[1:]
            continue
        if content.strip():
            yield begun, content
        begun, content = number, line
    if content.strip():
        yield begun, content


def _split(content: str) -> tuple[str, str, str]:
    """Name with parameters, colon, value: at the first colon that stands in no quotes."""
    quoted = False
    for place, letter in enumerate(content):
        if letter == '"':
            quoted = not quoted
        elif letter == ":" and not quoted:
            return content[:place], ":", content[place + 1 :]
    return content, "", ""


def _name(text: str) -> tuple[str, dict[str, str]]:
    name, _, _ = text.partition(";")
    parameters = {found[1].strip().upper(): found[2].strip('"') for found in _PARAMETER.finditer(text)}
    return name.strip().upper(), parameters
