"""How a limit gets from its start to its end, span by span, for people who ask why.

Owns the spans; the counting itself is ``domain.calendar``'s, and both read the same table.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from domain.timetable import Reason, Spans, Tile, Timetable, to_instant


class Step(NamedTuple):
    """One span on the way from start to due (UTC); the spans follow each other without gaps.

    ``counted`` is the time of it that counts, zero for a limit in working days by the next-day mode, where
    ``counted_days`` says how many days count; summed over all steps it is the limit. ``reason`` says why the span
    counts or does not, ``name`` the festival or the office's own reason. ``days`` is how many days the span touches
    when it stands for days as a whole, else 0.
    """

    begin: datetime
    end: datetime
    counted: timedelta
    reason: Reason
    name: str = ""
    days: int = 0
    counted_days: int = 0


class _Piece(NamedTuple):
    begin: int
    end: int
    reason: Reason
    name: str = ""
    days: int = 0
    counted: int = 0
    counted_days: int = 0


def natural_steps(start: int, due: int, pauses: Spans) -> tuple[Step, ...]:
    """The spans of a natural limit: everything counts that is not paused."""
    return _steps(_cut([Tile(start, due, True, Reason.NATURAL, "", 0)], pauses))


def working_steps(table: Timetable, start: int, due: int, pauses: Spans) -> tuple[Step, ...]:
    """The spans of a limit in working time."""
    return _steps(_cut(table.tiles(start, due), pauses))


def day_steps(table: Timetable, start: int, due: int, pauses: Spans) -> tuple[Step, ...]:
    """The spans of a limit in working days whose start day is not counted."""
    return _steps(_days(table, start, due, pauses))


def _days(table: Timetable, start: int, due: int, pauses: Spans) -> Iterator[_Piece]:
    first = table.day(start)
    name = "" if table.works(first) else table.plan(first).name
    yield _Piece(start, table.midnight(first + 1), Reason.START_DAY, name, days=1)
    for day in range(first + 1, table.day(due - 1) + 1):
        begin, end = table.midnight(day), min(table.midnight(day + 1), due)
        plan = table.plan(day)
        if not table.works(day):
            yield _Piece(begin, end, plan.reason, plan.name, days=1)
        elif not table.closes(table.midnight(day) - 1, end, pauses):
            yield _Piece(begin, end, Reason.PAUSED, days=1)
        else:
            reason = Reason.WORKING_DAY if plan.reason is Reason.WORKING else plan.reason
            yield _Piece(begin, end, reason, plan.name, days=1, counted_days=1)


def _cut(tiles: Iterable[Tile], pauses: Spans) -> Iterator[_Piece]:
    """The tiles with what is paused taken out."""
    waiting = list(reversed(pauses))
    for tile in tiles:
        at = tile.begin
        while at < tile.end:
            while waiting and waiting[-1][1] <= at:
                waiting.pop()
            begin, end = waiting[-1] if waiting else (tile.end, tile.end)
            if begin <= at < end:
                until = min(end, tile.end)
                yield _Piece(at, until, Reason.PAUSED)
            else:
                until = min(begin, tile.end)
                counted = until - at if tile.works else 0
                yield _Piece(at, until, tile.reason, tile.name, tile.days, counted)
            at = until


def _steps(pieces: Iterable[_Piece]) -> tuple[Step, ...]:
    """The pieces, those that follow each other for one reason as one: a holiday week is one line."""
    joined: list[_Piece] = []
    for piece in pieces:
        if joined and _alike(joined[-1], piece):
            before = joined[-1]
            joined[-1] = before._replace(
                end=piece.end,
                name=_names(before.name, piece.name),
                days=before.days + piece.days,
                counted=before.counted + piece.counted,
                counted_days=before.counted_days + piece.counted_days,
            )
        else:
            joined.append(piece)
    return tuple(
        Step(
            to_instant(piece.begin),
            to_instant(piece.end),
            timedelta(microseconds=piece.counted),
            piece.reason,
            piece.name,
            piece.days,
            piece.counted_days,
        )
        for piece in joined
    )


def _alike(one: _Piece, other: _Piece) -> bool:
    return one.reason is other.reason and bool(one.counted or one.counted_days) == bool(
        other.counted or other.counted_days
    )


def _names(one: str, other: str) -> str:
    return one if not other or other in one.split("、") else f"{one}、{other}" if one else other
