"""Stamps a played history onto another request: other ids, another day, another place, other words.

Owns what may differ between two lawful histories and nothing else: every instant moves by the same whole days, and only
to a day around which the calendar is the same, so every due stays what the calendar gives; codes and words take the
place of their marks; digests, ids and the chain are reckoned anew. What comes out are lines for ``COPY``. Pure.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from operator import itemgetter
from typing import Any, NamedTuple

from console.city.playing import Act
from console.city.town import MARKS
from domain.zone import office_month
from ledger.loading import as_line
from ledger.log import Json, canonical, instant_text
from ledger.projection import NOTICE_NAMES
from ledger.rebuild import TABLES

EVENT_COLUMNS = ("stream", "seq", "id", "kind", "at", "actor", "command_id", "body", "prev", "hash")
COMMAND_COLUMNS = ("id", "stream", "process", "digest", "seq_from", "seq_to", "at")
ROUTING_COLUMNS = ("notice", "created_at", "routed_at")
ROW_TABLES = ("case_row", "case_figure", "task", "clock", "awaited")
"""Read models whose rows are stamped as they are; a notice has an id of its own besides."""

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "event": EVENT_COLUMNS,
    "command": COMMAND_COLUMNS,
    **{table: tuple(TABLES[table].model.model_fields) for table in (*ROW_TABLES, "notice")},
    "routing": ROUTING_COLUMNS,
}
"""What is written, table by table, with the columns of each."""

_STREAM = "case-"
"""What a history that is played calls itself."""

_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?=T\d\d:\d\d)")
_STREAM_MARK = "#stream#"
_DIGEST = "#digest{}#"
_MONTH = "#month{}#"
_JSON = ("pauses", "params")
_GAP = re.compile(
    "#(?:"
    + "|".join(mark.strip("#") for mark in (*MARKS, _STREAM_MARK))
    + r"|digest\d+|month\d+)#|\d{4}-\d\d-\d\d(?=T\d\d:\d\d)"
)


class _Pattern(NamedTuple):
    """A text with gaps, and how to take what fills them out of the values of a stamp."""

    text: str
    take: Callable[[Sequence[str]], Any] | None

    def fill(self, values: Sequence[str]) -> str:
        """The text with its gaps filled."""
        return self.text % self.take(values) if self.take is not None else self.text


class _Event(NamedTuple):
    command: int
    kind: str
    at: _Pattern
    actor: _Pattern
    body: _Pattern


class _Command(NamedTuple):
    content: _Pattern
    at: _Pattern
    seq_from: int
    seq_to: int


class _Notice(NamedTuple):
    seq: int
    place: int
    at: _Pattern
    rest: _Pattern


class _Rows(NamedTuple):
    """What the tables hold after some act: lines by table, notices apart, for their ids are reckoned."""

    lines: Mapping[str, tuple[_Pattern, ...]]
    notices: tuple[_Notice, ...]


class History:
    """A played history, ready to be stamped onto the days on which it is as lawful as on its own."""

    def __init__(self, acts: Sequence[Act]) -> None:
        self._acts = acts
        self.day = acts[0].at.date()
        self._digests = [(act.result, hashlib.sha256(act.result.encode()).hexdigest()) for act in acts if act.result]
        found: set[str] = set()
        for act in acts:
            # Instants of rows are those of the events, but for those of the tasks.
            found.update(_DAY.findall(json.dumps([act.events, act.rows], ensure_ascii=False)))
        days = sorted(date.fromisoformat(each) for each in found)
        self.first, self.last = days[0], days[-1]
        """The first and the last day (UTC) that any instant of the history names."""
        span = (self.last - self.first).days + 1
        # The moments a figure may be counted by: the registration, and each time the case was settled.
        self._counted = [acts[0].at, *(act.at for act in acts if _settles(act))]
        self._gaps = [
            *MARKS,
            _STREAM_MARK,
            *(_MONTH.format(number) for number in range(len(self._counted))),
            *(_DIGEST.format(number) for number in range(len(self._digests))),
        ]
        self._index = {gap: number for number, gap in enumerate(self._gaps)}
        self._index |= {(self.first + timedelta(days=n)).isoformat(): len(self._gaps) + n for n in range(span)}
        self._results = [self._pattern(text) for text, _ in self._digests]
        self._commands: list[_Command] = []
        self._events: list[_Event] = []
        for number, act in enumerate(acts):
            begin = len(self._events) + 1
            for body in act.events:
                by: Any = body["by"]
                self._events.append(
                    _Event(
                        number,
                        str(body["kind"]),
                        self._pattern(instant_text(datetime.fromisoformat(str(body["at"])))),
                        self._pattern(str(by["person"])),
                        self._pattern(canonical(body)),
                    )
                )
            at = self._pattern(instant_text(act.at))
            self._commands.append(_Command(self._pattern(act.content), at, begin, len(self._events)))
        self._rows: dict[int, _Rows] = {}
        self._ends = [act.at for act in acts]

    @property
    def begins(self) -> time:
        """The time of day (UTC) at which it begins."""
        return self._ends[0].time()

    def ends_with(self, count: int) -> bool:
        """Whether it is finished with its first ``count`` acts."""
        return self._acts[count - 1].finished

    def acts_until(self, moment: datetime, shift: int) -> int:
        """How many of its acts lie before ``moment`` when it is moved by ``shift`` days."""
        end = moment - timedelta(days=shift)
        if self._ends[-1] <= end:
            return len(self._ends)
        return sum(1 for at in self._ends if at <= end)

    def stamp(
        self,
        out: Mapping[str, list[str]],
        stream: str,
        shift: int,
        count: int,
        codes: Mapping[str, str],
        ids: Iterator[str],
    ) -> int:
        """Add the lines of a request with the first ``count`` acts to ``out``, table by table; the number of events.

        ``codes`` has a text for every mark, ``ids`` gives texts of new UUIDs.
        """
        values = self._values(stream, shift, codes)
        commands = [next(ids) for _ in range(count)]
        self._stamp_log(out, stream, values, commands, ids)
        rows = self._rows.get(count)
        if rows is None:
            rows = self._rows[count] = self._rows_after(count)
        for table, patterns in rows.lines.items():
            out[table].extend(pattern.fill(values) for pattern in patterns)
        for notice in rows.notices:
            name = uuid.uuid5(NOTICE_NAMES, f"{stream}:{notice.seq}:{notice.place}")
            at = notice.at.fill(values)
            out["notice"].append(f"{name}\t{notice.rest.fill(values)}")
            out["routing"].append(f"{name}\t{at}\t{at}")
        return self._commands[count - 1].seq_to

    def _values(self, stream: str, shift: int, codes: Mapping[str, str]) -> list[str]:
        values = [codes.get(gap, "") for gap in self._gaps]
        values[self._index[_STREAM_MARK]] = stream
        move = timedelta(days=shift)
        span = (self.last - self.first).days + 1
        values += [(self.first + move + timedelta(days=n)).isoformat() for n in range(span)]
        for number, at in enumerate(self._counted):
            values[self._index[_MONTH.format(number)]] = str(office_month(at + move))
        for number, result in enumerate(self._results):
            digest = hashlib.sha256(result.fill(values).encode()).hexdigest()
            values[self._index[_DIGEST.format(number)]] = digest
        return values

    def _stamp_log(
        self,
        out: Mapping[str, list[str]],
        stream: str,
        values: Sequence[str],
        commands: Sequence[str],
        ids: Iterator[str],
    ) -> None:
        events, prev = out["event"], ""
        for seq, each in enumerate(self._events[: self._commands[len(commands) - 1].seq_to], 1):
            number, kind, at_, actor_, body_ = each
            at, actor, body, own = at_.fill(values), actor_.fill(values), body_.fill(values), next(ids)
            command = commands[number]
            parts = f"{prev}\n{stream}\n{seq}\n{own}\n{kind}\n{at}\n{actor}\n{command}\n{body}"
            digest = hashlib.sha256(parts.encode()).hexdigest()
            events.append(f"{stream}\t{seq}\t{own}\t{kind}\t{at}\t{actor}\t{command}\t{body}\t{prev}\t{digest}")
            prev = digest
        for name, command_ in zip(commands, self._commands, strict=False):
            digest = hashlib.sha256(command_.content.fill(values).encode()).hexdigest()
            at = command_.at.fill(values)
            out["command"].append(f"{name}\t{stream}\tcase\t{digest}\t{command_.seq_from}\t{command_.seq_to}\t{at}")

    def _rows_after(self, count: int) -> _Rows:
        rows: dict[str, dict[tuple[str, ...], Json]] = {table: {} for table in TABLES}
        notices: list[_Notice] = []
        for act in self._acts[:count]:
            for table, changed in act.rows.items():
                rows[table] |= {tuple(str(row[column]) for column in TABLES[table].key): row for row in changed}
        places = dict.fromkeys((int(str(row["seq"])) for row in rows["notice"].values()), 0)
        for row in rows["notice"].values():
            seq = int(str(row["seq"]))
            row = row | {"stream": _STREAM_MARK}
            line = as_line(_cells("notice", row))
            notices.append(_Notice(seq, places[seq], self._pattern(str(row["at"])), self._pattern(line)))
            places[seq] += 1
        lines = {table: tuple(self._line(table, row) for row in rows[table].values()) for table in ROW_TABLES}
        return _Rows(lines, tuple(notices))

    def _line(self, table: str, row: Json) -> _Pattern:
        if table == "case_figure":
            row = row | {"registered_month": _MONTH.format(0)}
            if row["settled_at"] is not None:
                number = self._counted.index(datetime.fromisoformat(str(row["settled_at"])))
                row = row | {"settled_month": _MONTH.format(number)}
        row = row | {name: _STREAM_MARK for name in ("id", "stream") if row.get(name) == _STREAM}
        return self._pattern(as_line(_cells(table, row)))

    def _pattern(self, text: str) -> _Pattern:
        """The text with gaps where it names marks, days and digests."""
        for number, (_, digest) in enumerate(self._digests):  # each at most a few
            text = text.replace(digest, _DIGEST.format(number))
        if "\\" in text.replace("\\N", ""):
            raise ValueError("a line for COPY must not need escaping")
        taken = [self._index[each] for each in _GAP.findall(text)]
        if not taken:
            return _Pattern(text, None)
        return _Pattern(_GAP.sub("%s", text.replace("%", "%%")), itemgetter(*taken))


def _settles(act: Act) -> bool:
    return any(body["kind"] == "settled" for body in act.events)


def _cells(table: str, row: Json) -> list[Any]:
    """The values of a row in the order of its columns, but without the id of a notice."""
    columns = COLUMNS[table][1:] if table == "notice" else COLUMNS[table]
    return [canonical(row[column]) if column in _JSON else row[column] for column in columns]
