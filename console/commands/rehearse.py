"""``bihuan rehearse``: closed cases against another rule book or calendar.

Owns the options, and where rules, calendar and cases come from. ``console.rehearsing`` does the work. Without a running
instance a table can be rehearsed against rules and calendars from files or those a new office starts with.
"""

from dataclasses import dataclass, field
from datetime import datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from console import output
from console.progress import progress
from console.rehearsal_sheet import draw_rehearsal, rehearsal_json
from console.rule_sheet import draw_problems
from console.session import ledger, options, run, settings
from console.times import read_time
from domain.calendar import WorkCalendar
from domain.errors import Refused
from domain.registry import Registry
from domain.rules import RuleBook
from ledger.calendar_files import OfficialList, from_library, merged, read_calendar_file
from ledger.registry_files import read_registry_files
from ledger.rule_files import TABLE_SUFFIXES, YAML_SUFFIXES, check_rule_file, example_book
from runtime.settings import find_endpoints

if TYPE_CHECKING:
    import asyncpg

    from console.rehearsal_table import TableRead
    from console.rehearsing import Trial
    from domain.rehearsal import Totals

_WHAT = ("试算", "rehearsing")
_CALENDAR_SUFFIXES = (".json", ".yaml", ".yml", ".csv", ".ics")


@dataclass(frozen=True)
class _Wanted:
    """The options of one call."""

    rules: str | None
    calendar: str | None
    begin: datetime | None
    end: datetime | None
    street: str | None
    table: Path | None
    worst: int


@dataclass(frozen=True)
class _Office:
    """What the ledger knows; of an office without a running instance only what every office starts with."""

    books: dict[str, RuleBook]
    current_rules: str | None
    calendars: dict[str, WorkCalendar]
    current_calendar: str | None
    registry: Registry = field(default_factory=Registry)


def command(
    rules: Annotated[
        str | None, typer.Option("--rules", metavar="版本|文件", help="试算的规则，默认现行 / the rules on trial")
    ] = None,
    calendar: Annotated[
        str | None,
        typer.Option("--calendar", metavar="版本|文件", help="试算的工作日历，默认现行 / the calendar on trial"),
    ] = None,
    begin: Annotated[
        str | None, typer.Option("--from", metavar="时间", help="只算此时起登记的 / registered from then on")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="时间", help="只算此时之前登记的 / registered before")
    ] = None,
    street: Annotated[
        str | None, typer.Option("--street", metavar="编码", help="只算这个街道的 / of this street only")
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option("--table", metavar="文件", help="改用表格里的办结记录：.csv .xlsx .jsonl / cases out of a table"),
    ] = None,
    worst: Annotated[
        int, typer.Option("--worst", min=0, max=1000, help="列出变化最大的几件 / list the cases changed most")
    ] = 0,
) -> None:
    """拿已办结的诉求试算另一套规则或日历：哪些会超期、预警、督办；只读，不改动任何数据。

    Try rules or a calendar on closed cases: what would have been late, warned, escalated. Changes nothing.
    """
    if table is not None and street is not None:
        reason = "表格没有街道 / a table has no streets"
        raise Refused("cli.bad_value", field="--street", name="--street", reason=reason)
    moments = read_time(begin, "--from"), read_time(end, "--to")
    wanted = _Wanted(rules, calendar, *moments, street, table, worst)
    code = run(_of_ledger(wanted)) if table is None else _of_table(wanted, table)
    if code:
        raise typer.Exit(code)


async def _of_ledger(wanted: _Wanted) -> int:
    from console.rehearsing import rehearse_ledger
    from ledger.rehearsal import Selection

    async with ledger() as pool:
        office = await _read_office(pool)
        trial = _trial(wanted, office)
        if wanted.street is not None and wanted.street not in {each.code for each in office.registry.streets()}:
            raise Refused("organisation.unknown", field="--street", organisation=wanted.street)
        selection = Selection(begin=wanted.begin, end=wanted.end, street=wanted.street)
        dsn = find_endpoints(settings()).postgres
        with progress(_WHAT, ("件", "cases")) as told:
            totals = await rehearse_ledger(pool, dsn, trial, selection, keep=wanted.worst, told=told)
    _show(totals, trial, office, None)
    return 0


def _of_table(wanted: _Wanted, table: Path) -> int:
    """Outside any event loop: Ctrl-C ends it at once, and there is nothing to leave in good order."""
    from console.rehearsing import rehearse_table

    office = run(_office_or_newcomer())
    trial = _trial(wanted, office)
    known = _categories(office, trial.book)
    with progress(_WHAT, ("行", "rows")) as told:
        totals, read = rehearse_table(
            table, trial, known, begin=wanted.begin, end=wanted.end, keep=wanted.worst, told=told
        )
    _show(totals, trial, office, read)
    return 1 if read.problems else 0


def _trial(wanted: _Wanted, office: _Office) -> "Trial":
    from console.rehearsing import Trial

    return Trial(_book(wanted.rules, office), _calendar(wanted.calendar, office), office.books)


def _show(totals: "Totals", trial: "Trial", office: _Office, read: "TableRead | None") -> None:
    names = {each.code: each.name for each in office.registry.organisations}
    shown = (totals, trial.book.version, trial.calendar.version, names, read)
    output.result(rehearsal_json(*shown), lambda: draw_rehearsal(*shown))


async def _office_or_newcomer() -> _Office:
    """The office whose instance runs; a table needs none."""
    try:
        async with ledger() as pool:
            return await _read_office(pool)
    except Refused as refused:
        if refused.code != "instance.not_running":
            raise
    return _newcomer()


def _newcomer() -> _Office:
    """An office on its first day."""
    book, calendar = example_book(), from_library()
    return _Office({book.version: book}, book.version, {calendar.version: calendar}, calendar.version)


async def _read_office(pool: "asyncpg.Pool") -> _Office:
    from ledger.world import read_world

    async with pool.acquire() as conn:
        world = await read_world(conn)
    assert world.registry is not None
    return _Office(
        books=dict(world.rule_books),
        current_rules=world.current_rules,
        calendars=dict(world.calendars),
        current_calendar=world.current_calendar,
        registry=world.registry,
    )


def _book(wanted: str | None, office: _Office) -> RuleBook:
    """The rules on trial. Raises ``Refused`` ``rules.none``, ``rules.unknown`` and as the check of a file does."""
    if wanted is not None and Path(wanted).suffix.lower() in (*YAML_SUFFIXES, *TABLE_SUFFIXES):
        base = office.books.get(office.current_rules or "")
        codes = {each.code for each in office.registry.categories} if office.registry.revision else None
        checked = check_rule_file(Path(wanted), base, registry=codes)
        if checked.book is None and not options().json:
            draw_problems(checked.problems)
        return checked.sound()
    version = wanted or office.current_rules
    if version is None:
        raise Refused("rules.none")
    if version not in office.books:
        raise Refused("rules.unknown", field="--rules", version=version)
    return office.books[version]


def _calendar(wanted: str | None, office: _Office) -> WorkCalendar:
    """The calendar on trial; an official list is merged into the one in force.

    Raises ``Refused`` ``calendar.none``, ``calendar.unknown`` and as reading a file does.
    """
    current = office.calendars.get(office.current_calendar or "")
    if wanted is not None and Path(wanted).suffix.lower() in _CALENDAR_SUFFIXES:
        given = read_calendar_file(Path(wanted))
        return merged(current or from_library(), given) if isinstance(given, OfficialList) else given
    if wanted is not None and wanted not in office.calendars:
        raise Refused("calendar.unknown", field="--calendar", version=wanted)
    found = current if wanted is None else office.calendars[wanted]
    if found is None:
        raise Refused("calendar.none")
    return found


def _categories(office: _Office, book: RuleBook) -> frozenset[str]:
    """The categories there are: those of the registry, before there is one those that ship; and those of the book."""
    named = {row.category for row in book.rows if row.category is not None}
    if office.registry.revision:
        return frozenset(named | {each.code for each in office.registry.categories})
    with as_file(files("ledger") / "shipped") as folder:
        rows = read_registry_files(folder).rows
    return frozenset(named | {str(row.values["code"]) for row in rows if row.where.section == "categories"})
