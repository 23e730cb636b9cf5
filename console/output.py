"""How the command line speaks: tables and sentences for people, JSON for programs.

Owns language, time zone and layout. Must not know where its values come from. What residents wrote is shown as it
is: nothing in it is taken for markup or colour.
"""

import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic_core import to_jsonable_python

from console.session import options
from domain.errors import Refusal
from domain.zone import office_minute

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_PIPE_WIDTH = 200
_GAP = 2
_READABLE = 12
_LONG = 40


def local(at: datetime | None) -> str:
    """The moment in office time, minutes are enough for people; ``-`` for none."""
    return "-" if at is None else office_minute(at)


_spoken: ContextVar[str | None] = ContextVar("spoken", default=None)


@contextmanager
def speaking(language: str | None) -> Iterator[None]:
    """Let everything said within, and in the tasks begun there, be said in ``language``, else as set."""
    # Looked up once here: a page says hundreds of things.
    before = _spoken.set(language or _by_default())
    try:
        yield
    finally:
        _spoken.reset(before)


def language() -> str:
    """``zh`` or ``en``: what the reader of a page chose, else the option, else the setting."""
    return _spoken.get() or _by_default()


def _by_default() -> str:
    chosen = options().language or os.environ.get("BIHUAN_LANGUAGE") or "zh"
    return "en" if chosen == "en" else "zh"


def say(zh: str, en: str) -> str:
    """The one of the two texts that the person reads."""
    # As ``language`` finds it, without the call: a page says hundreds of things.
    return en if (_spoken.get() or _by_default()) == "en" else zh


def span(length: timedelta) -> str:
    """A length of time in its two largest units, always positive."""
    minutes = int(abs(length).total_seconds()) // 60
    days, hours = divmod(minutes, 1440)
    hours, minutes = divmod(hours, 60)
    parts = [(days, "天", "d"), (hours, "小时", "h"), (minutes, "分钟", "m")]
    shown = [(number, zh, en) for number, zh, en in parts if number][:2] or [(0, "分钟", "m")]
    return " ".join(say(f"{number} {zh}", f"{number}{en}") for number, zh, en in shown)


def remaining(due: datetime | None, at: datetime | None = None) -> str:
    """How long there is until ``due`` seen from ``at`` (now by default), or how long it has been past."""
    if due is None:
        return ""
    left = due - (at or datetime.now(UTC))
    if left >= timedelta(0):
        return say(f"剩 {span(left)}", f"{span(left)} left")
    return say(f"已超 {span(left)}", f"{span(left)} over")


_FORGING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def visible(text: str) -> str:
    """The text with what would command a terminal written as its escape; line ends and tabs stay."""
    return _FORGING.sub(lambda match: repr(match.group())[1:-1], text)


def console(*, stderr: bool = False) -> "Console":
    """Rich on standard output or standard error; wide when nobody's terminal limits it.

    Text that is printed cannot command the terminal, whoever wrote it.
    """
    from rich.console import Console as RichConsole

    class Console(RichConsole):
        def print(self, *objects: Any, **options: Any) -> None:
            super().print(*(visible(each) if isinstance(each, str) else each for each in objects), **options)

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else _PIPE_WIDTH
    return Console(stderr=stderr, markup=False, highlight=False, emoji=False, soft_wrap=False, width=width)


@dataclass(frozen=True)
class Block:
    """A part of a sheet as a page shows it: a ``head``, a ``line``, ``fields`` (name, value) or a ``table``."""

    kind: str
    text: str = ""
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


_gathered: ContextVar[list[Block] | None] = ContextVar("gathered", default=None)


def gather(draw: Callable[[], None]) -> tuple[Block, ...]:
    """What ``draw`` would print, as blocks for a page: people at a desk see the same sheets as at the command line."""
    blocks: list[Block] = []
    token = _gathered.set(blocks)
    try:
        draw()
    finally:
        _gathered.reset(token)
    return tuple(blocks)


def _plain(value: object) -> str:
    return "-" if value is None else local(value) if isinstance(value, datetime) else str(value)


def print_json(value: object) -> None:
    """One JSON value on one line of standard output, at once."""
    text = json.dumps(to_jsonable_python(value, by_alias=True), ensure_ascii=False, separators=(", ", ": "))
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def result(value: object, draw: Callable[[], None]) -> None:
    """The outcome of a command: ``value`` for programs, ``draw`` for people."""
    if options().json:
        print_json(value)
    else:
        draw()


def line(zh: str, en: str) -> None:
    """A sentence on standard output; one that begins on a new line heads what follows."""
    if (blocks := _gathered.get()) is not None:
        text = say(zh, en)
        if text:
            blocks.append(Block("head" if text.startswith("\n") else "line", text.strip()))
        return
    console().print(say(zh, en), soft_wrap=True)


def note(zh: str, en: str) -> None:
    """A sentence beside the result, on standard error; programs are not told."""
    if not options().json:
        console(stderr=True).print(say(zh, en), soft_wrap=True)


def table(columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """A table on standard output; columns are named in both languages. Where it is too wide the widest columns fold."""
    if (blocks := _gathered.get()) is not None:
        texts = tuple(tuple(map(_plain, row)) for row in rows)
        blocks.append(Block("table", title or "", tuple(say(zh, en) for zh, en in columns), texts))
        return
    from rich.table import Table
    from rich.text import Text

    page = console()
    heads = [Text(say(zh, en), style="bold") for zh, en in columns]
    cells = [[_cell(value) for value in row] for row in rows]
    shown = Table(title=title, title_justify="left", box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    whole = _whole([max(map(_width, column)) for column in zip(heads, *cells, strict=True)], page.width)
    for place, head in enumerate(heads):
        shown.add_column(head, overflow="fold", no_wrap=place in whole)
    for row in cells:
        shown.add_row(*row)
    page.print(shown)


def _width(cell: "Text") -> int:
    return max((line.cell_len for line in cell.split(allow_blank=True)), default=0)


def _whole(widths: Sequence[int], room: int) -> set[int]:
    """The columns that need not fold, the narrow ones first; every other one is left enough to be read.

    Long texts share what is left as they always do.
    """
    room -= _GAP * len(widths)
    whole: set[int] = set()
    taken = 0
    for number, place in enumerate(sorted(range(len(widths)), key=widths.__getitem__), start=1):
        taken += widths[place]
        if widths[place] > _LONG or taken + _READABLE * (len(widths) - number) > room:
            break
        whole.add(place)
    return whole


def fields(rows: Iterable[tuple[str, str, object]]) -> None:
    """A sheet on standard output: a name (Chinese, English) and its value on each line; empty values are left out."""
    if (blocks := _gathered.get()) is not None:
        shown = tuple((say(zh, en), _plain(value)) for zh, en, value in rows if value not in (None, "", ()))
        blocks.append(Block("fields", rows=shown))
        return
    from rich.table import Table
    from rich.text import Text

    sheet = Table.grid(padding=(0, 2, 0, 0))
    sheet.add_column(no_wrap=True)
    sheet.add_column(overflow="fold")
    for zh, en, value in rows:
        if value not in (None, "", ()):
            sheet.add_row(Text(say(zh, en), style="dim"), _cell(value))
    console().print(sheet)


def _cell(value: object) -> "Text":
    from rich.text import Text

    if value is None:
        return Text("-")
    if isinstance(value, datetime):
        return Text(local(value))
    if isinstance(value, Text):
        return value
    return Text(visible(str(value)))


def styled(text: str, style: str) -> Any:
    """``text`` in a colour; the text itself always says what the colour says."""
    from rich.text import Text

    return Text(visible(text), style=style)


def show_error(refusal: Refusal) -> None:
    """One line for a person on standard error, or one JSON object on standard output."""
    if options().json:
        print_json({"error": refusal.model_dump(mode="json")})
        return
    head = say("错误", "error")
    sentence = " ".join(refusal.sentence(language()).split("\n"))
    colon = say("：", ": ")
    console(stderr=True).print(f"{head} {refusal.code}{colon}{sentence}", soft_wrap=True)
