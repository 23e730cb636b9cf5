"""``bihuan calendar``: which days are worked, and where a limit ends.

Owns the order of things: read, compare, ask, apply. Reading files is ``ledger.calendar_files``, counting is
``domain.calendar``. Without a running instance ``due`` counts by the calendar a new office starts with, and imports no
driver of any server.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from console import output
from console.calendar_sheet import (
    days_json,
    draw_calendar,
    draw_changes,
    draw_due,
    draw_problems,
    draw_remarks,
    due_json,
)
from console.failing import INTERRUPTED
from console.problems import show_refused
from console.session import SHARED, ledger, options, run, settings
from console.versions import By, Cursor, Rows, person_code, show_versions
from domain.calendar import Pause, WorkCalendar
from domain.errors import Refused
from domain.limits import Limit, parse_limit
from ledger.calendar_files import (
    CalendarUnreadable,
    OfficialList,
    Remark,
    changes,
    from_library,
    in_force_after,
    library_list,
    merged,
    read_calendar_file,
    remarks,
)

app = typer.Typer(
    help="工作日历：导入放假安排、查看、推算到期 / the work calendar", epilog=SHARED, add_completion=False
)


@app.command("import", epilog=SHARED)
def import_(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="文件",
            help="放假安排或整本日历：.json .yaml .csv .ics；不写则取自节假日库 / the file; without one the library",
        ),
    ] = None,
    by: By = "administrator",
    yes: Annotated[bool, typer.Option("--yes", help="在终端上不再询问 / do not ask at a terminal")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只列差异，不生效 / show the differences only")] = False,
    adopt: Annotated[
        bool, typer.Option("--adopt/--no-adopt", help="未办结的诉求随即改按新日历 / open cases follow at once")
    ] = True,
) -> None:
    """导入放假安排：先列出差异，在终端上经确认后生效，未办结的诉求随即改按新日历计时（逐件记录新旧期限）。

    Import a list of days off: shows the differences, asks at a terminal, applies; open cases follow, each on record.
    """
    try:
        given = library_list() if file is None else read_calendar_file(file)
    except CalendarUnreadable as refused:
        _show_problems(refused)
        raise typer.Exit(1) from None
    run(_import(given, person_code(by), consent=False if dry_run else True if yes else None, adopt=adopt))


async def _import(given: WorkCalendar | OfficialList, by: str, *, consent: bool | None, adopt: bool) -> None:
    from ledger.calendars import check_version, current_calendar, replace_calendar
    from ledger.versions import CALENDARS, open_cases_elsewhere

    async with ledger(owner=True) as pool, pool.acquire() as conn:
        before = await current_calendar(conn)
        after = in_force_after(before, given)
        await check_version(conn, after)
        found = changes(before, after)
        value: dict[str, Any] = {
            "applied": bool(consent),
            "changed": before is None or before.version != after.version,
            "version": after.version,
            "previous": before.version if before else None,
            "published_from": after.published_from,
            "published_until": after.published_until,
            "changes": [each.model_dump(mode="json", exclude_none=True) for each in found],
            "warnings": remarks(given, after) if isinstance(given, OfficialList) else (),
            "open_cases": await open_cases_elsewhere(conn, CALENDARS, after.version),
        }
        if not options().json:
            draw_changes(before, after, found)
            draw_remarks(value["warnings"])
        if consent is None:
            value["applied"] = _asked() if value["changed"] else True
        if value["applied"] and value["changed"]:
            await replace_calendar(conn, after, current=before.version if before else None, by=by)
    value |= {"adoption": None, "adoption_refused": None}
    if value["applied"] and value["open_cases"] and adopt:
        value |= await _follow(after)
    left = value["open_cases"] if value["adoption"] is None else value["adoption"]["left"]
    value["hint"] = "bihuan rules adopt" if left else None
    output.result(value, lambda: _draw_outcome(value))
    if value["adoption"] is not None and value["adoption"]["interrupted"]:
        output.note("已中断；再次执行同一命令即可接着办。", "Interrupted; run the same command again to go on.")
        raise typer.Exit(INTERRUPTED)


async def _follow(calendar: WorkCalendar) -> dict[str, Any]:
    """Carry the calendar to open cases; what came of it, or why their workflows cannot be reached now."""
    from console.commands.adopt import follow_calendar

    try:
        return {"adoption": await follow_calendar(calendar.version, f"导入工作日历 {calendar.version}")}
    except Refused as refused:
        # The calendar is in force; the same import, or ``rules adopt``, carries it on later.
        return {"adoption_refused": refused.refusal.model_dump(mode="json")}


def _asked() -> bool:
    """Whether the person at the terminal agrees; a program that calls the import means it."""
    if options().json or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return True
    return typer.confirm(output.say("现在生效？", "Apply now?"), default=False)


def _show_problems(refused: CalendarUnreadable) -> None:
    show_refused(refused, lambda: draw_problems(refused.problems), problems=refused.problems)


def _draw_outcome(value: dict[str, Any]) -> None:
    version, until, cases = value["version"], value["published_until"], value["open_cases"]
    if not value["changed"]:
        output.line(f"与现行日历 {version} 相同，没有变化。", f"The same as {version}; nothing changed.")
    elif not value["applied"]:
        output.line("以上只是预览，没有改动。", "The above was only shown, nothing was changed.")
    else:
        output.line(
            f"已启用日历 {version}，放假安排公布至 {until}。",
            f"Calendar {version} is in force, published until {until}.",
        )
    if value["adoption"] is not None:
        moved = value["adoption"]
        final = moved["made_final"]
        zh = f"{moved['adopted']} 件未办结的诉求已改按新日历计时，其中 {final} 个暂定期限转为确定。"
        output.line(zh, f"{moved['adopted']} open cases follow the new calendar; {final} provisional dues are final.")
        cases = moved["left"]
    if value["adoption_refused"] is not None:
        why = value["adoption_refused"]
        zh = f"未办结的诉求尚未改按新日历：{why['message']}"
        output.line(zh, f"Open cases do not follow the new calendar yet: {why['message_en']}")
    if cases:
        zh = f"有 {cases} 件未办结的诉求按其他日历计时；改按新日历请执行 {value['hint']}。"
        output.line(zh, f"{cases} open cases live by another calendar; to move them: {value['hint']}.")


# --- looking ----------------------------------------------------------------------------------------------------


@app.command(epilog=SHARED)
def show(
    version: Annotated[str | None, typer.Argument(metavar="版本", help="默认现行版本 / default: in force")] = None,
    year: Annotated[int | None, typer.Option("--year", min=1900, max=2200, help="只看这一年 / only this year")] = None,
) -> None:
    """现行工作日历：工作时段、公布期限、放假与调休。

    The calendar in force: hours, horizon, days off and made up.
    """
    run(_show(version, year))


async def _show(version: str | None, year: int | None) -> None:
    from ledger.calendars import current_calendar, read_calendar

    async with ledger() as pool, pool.acquire() as conn:
        current = await current_calendar(conn)
        calendar = current if version is None else await read_calendar(conn, version)
    if calendar is None:
        raise Refused("calendar.none")
    value = {
        **calendar.model_dump(mode="json", exclude={"off", "made_up"}),
        "current": current is not None and current.version == calendar.version,
        "days": days_json(calendar, year),
    }
    output.result(value, lambda: draw_calendar(calendar, year))


@app.command("list", epilog=SHARED)
def list_(limit: Rows = 50, cursor: Cursor = None) -> None:
    """全部日历版本，新的在前。

    All versions, the newest first.
    """
    run(_list(limit, cursor))


async def _list(limit: int, cursor: str | None) -> None:
    from ledger.versions import CALENDARS

    await show_versions(CALENDARS, limit, cursor)


# --- counting ---------------------------------------------------------------------------------------------------


@app.command(epilog=SHARED)
def due(
    start: Annotated[str, typer.Option("--start", metavar="时间", help="起算时间，如 2025-09-30T17:00 / start")],
    limit: Annotated[str, typer.Option("--limit", metavar="时限", help="如 4wh、5wd、24h、5个工作日 / the limit")],
    pause: Annotated[
        list[str] | None, typer.Option("--pause", metavar="起..止", help="停表，可写多次 / FROM..TO, repeatable")
    ] = None,
    calendar: Annotated[
        Path | None,
        typer.Option("--calendar", metavar="文件", help="改用这本日历或放假安排 / another calendar or list"),
    ] = None,
) -> None:
    """推算到期时间，并列出每一步怎么算的；不写时区即日历所在时区。

    Where a limit ends, and how it gets there.
    """
    try:
        given = None if calendar is None else read_calendar_file(calendar)
    except CalendarUnreadable as refused:
        _show_problems(refused)
        raise typer.Exit(1) from None
    read = _limit(limit)
    used = given if isinstance(given, WorkCalendar) else _in_use()
    warnings: tuple[Remark, ...] = ()
    if isinstance(given, OfficialList):
        used = merged(used, given)
        warnings = remarks(given, used)
    zone = ZoneInfo(used.zone)
    begin, pauses = _moment(start, "--start", zone), [_pause(each, zone) for each in pause or ()]
    value = due_json(used, begin, read, pauses)
    value["warnings"] = warnings
    if not options().json:
        draw_remarks(warnings)
    output.result(value, lambda: draw_due(used, begin, read, pauses))


def _limit(text: str) -> Limit:
    try:
        return parse_limit(text).limit
    except Refused as refused:
        if refused.code != "limit.unreadable":
            raise
        raise Refused("limit.unreadable", field="--limit", value=text[:40]) from None


def _in_use() -> WorkCalendar:
    """The calendar in force where an instance runs, else the one a new office starts with."""
    from runtime.settings import find_endpoints

    try:
        find_endpoints(settings())
    except Refused as refused:
        if refused.code != "instance.not_running":
            raise
        return from_library()
    return run(_current()) or from_library()


async def _current() -> WorkCalendar | None:
    from ledger.calendars import current_calendar

    async with ledger(size=1) as pool, pool.acquire() as conn:
        return await current_calendar(conn)


def _moment(text: str, option: str, zone: ZoneInfo) -> datetime:
    """The moment in UTC; without an offset it is of the calendar's zone. Raises ``Refused`` ``cli.bad_moment``."""
    try:
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("cli.bad_moment", field=option, value=text[:60]) from None


def _pause(text: str, zone: ZoneInfo) -> Pause:
    """The pause written as ``FROM..TO``. Raises ``Refused`` ``cli.bad_pause`` and ``cli.bad_moment``."""
    begin, dots, end = text.partition("..")
    if not (dots and begin.strip() and end.strip()):
        raise Refused("cli.bad_pause", field="--pause", value=text[:80])
    first, last = _moment(begin, "--pause", zone), _moment(end, "--pause", zone)
    if last < first:
        raise Refused("cli.bad_pause", field="--pause", value=text[:80])
    return Pause(begin=first, end=last)
