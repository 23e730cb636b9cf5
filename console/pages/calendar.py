"""The work calendar for administrators: a year at a glance, importing a list of days off, reckoning a due time."""

import asyncio
import calendar as months
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.calendar_sheet import draw_calendar, draw_changes, draw_due, draw_problems, draw_remarks
from console.carrying import carry
from console.drafting import laid_out, take_in
from console.http.caller import Caller, may
from console.http.problems import status_of
from console.http.rendering import page
from console.output import Block, gather, say
from domain.calendar import WorkCalendar
from domain.errors import Refusal, Refused
from domain.limits import parse_limit
from domain.rights import Permission
from ledger.administration import Draft, forget_draft, keep_draft, read_draft
from ledger.adoptions import Wanted
from ledger.calendar_files import (
    CalendarUnreadable,
    OfficialList,
    changes,
    from_library,
    in_force_after,
    library_list,
    read_calendar_file,
    remarks,
)
from ledger.calendars import check_version, current_calendar, replace_calendar
from ledger.versions import CALENDARS, list_versions, open_cases_elsewhere

router = APIRouter(prefix="/calendar")

Reads = Annotated[Caller, may(Permission.CALENDAR_READ)]
Writes = Annotated[Caller, may(Permission.CALENDAR_WRITE)]

_SHOWN = 10
_LIBRARY = "library"


@dataclass(frozen=True)
class Square:
    """A day of the year view: ``kind`` is ``work``, ``weekend``, ``off``, ``made_up`` or ``own``; what it is called."""

    on: date
    kind: str
    name: str


Year = list[list[list[Square | None]]]
_YEARS_KEPT = 20


@router.get("")
async def show(
    request: Request,
    caller: Reads,
    year: Annotated[int | None, Query(ge=1900, le=2200)] = None,
    done: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """One year with its days off and days made up, the hours and the horizon."""
    calendar = _in_force(caller)
    async with caller.office.pool.acquire() as conn:
        kept = await list_versions(conn, CALENDARS, limit=_SHOWN)
        elsewhere = await open_cases_elsewhere(conn, CALENDARS, calendar.version) if calendar else 0
    used = calendar or from_library()
    chosen = year or caller.today.year
    return page(
        request,
        "calendar/show.html",
        caller=caller,
        calendar=used,
        in_force=calendar is not None,
        year=chosen,
        months=_kept.of(used, chosen),
        today=caller.today,
        published=used.published_from.year <= chosen <= used.published_until.year,
        sheet=gather(lambda: draw_calendar(used, chosen)),
        versions=kept.items,
        elsewhere=elsewhere,
        may_write=caller.may(Permission.CALENDAR_WRITE),
        notice=say(f"日历 {done} 已启用。", f"Calendar {done} is in force.") if done else None,
    )


def _in_force(caller: Caller) -> WorkCalendar | None:
    """The calendar in force as the process knows it, with all it has worked out about its days."""
    return caller.world.calendars.get(caller.world.current_calendar or "")


class _Years:
    """Years laid out for the calendar in force; another calendar begins anew."""

    def __init__(self) -> None:
        self._calendar: WorkCalendar | None = None
        self._found: dict[int, Year] = {}

    def of(self, calendar: WorkCalendar, year: int) -> Year:
        """The twelve months of a year."""
        if self._calendar is not calendar or len(self._found) > _YEARS_KEPT:
            self._calendar, self._found = calendar, {}
        if year not in self._found:
            self._found[year] = [_month(calendar, year, number) for number in range(1, 13)]
        return self._found[year]


_kept = _Years()


def _month(calendar: WorkCalendar, year: int, month: int) -> list[list[Square | None]]:
    off = {day.on: day.name for day in calendar.off}
    made_up = {day.on: day.name for day in calendar.made_up}
    weeks: list[list[Square | None]] = []
    for week in months.Calendar(firstweekday=0).monthdatescalendar(year, month):
        weeks.append([_square(calendar, on, off, made_up) if on.month == month else None for on in week])
    return weeks


def _square(calendar: WorkCalendar, on: date, off: dict[date, str], made_up: dict[date, str]) -> Square:
    if on in off:
        return Square(on, "off", off[on])
    if on in made_up:
        return Square(on, "made_up", made_up[on])
    if on.strftime("%m-%d") in calendar.fixed_off:
        return Square(on, "off", "")
    works = calendar.is_working_day(on)
    ordinary = bool(calendar.week[on.weekday()])
    return Square(on, "own" if works != ordinary else "work" if works else "weekend", "")


@router.get("/due")
async def due(
    request: Request,
    caller: Reads,
    start: Annotated[str, Query(max_length=40)] = "",
    limit: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Where a limit ends, and every span on the way there."""
    calendar = _in_force(caller) or from_library()
    zone = ZoneInfo(calendar.zone)
    refusal: Refusal | None = None
    sheet: tuple[Block, ...] = ()
    if start or limit:
        try:
            begin = _moment(start, zone)
            wanted = _limit(limit)
            sheet = gather(lambda: draw_due(calendar, begin, wanted, []))
        except Refused as refused:
            refusal = refused.refusal
    return page(
        request,
        "calendar/due.html",
        caller=caller,
        start=start or datetime.now(zone).strftime("%Y-%m-%dT%H:%M"),
        limit=limit,
        refusal=refusal,
        sheet=sheet,
        status=200 if refusal is None else status_of(refusal),
    )


def _moment(text: str, zone: ZoneInfo) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("cli.bad_moment", field="start", value=text[:40]) from None


def _limit(text: str) -> Any:
    try:
        return parse_limit(text).limit
    except Refused as refused:
        if refused.code != "limit.unreadable":
            raise
        raise Refused("limit.unreadable", field="limit", value=text[:40]) from None


# --- importing ----------------------------------------------------------------------------------------------------


@router.get("/load")
async def form(request: Request, caller: Writes) -> Response:
    """The form to upload a list, or to take the one of the library."""
    return page(request, "calendar/load.html", caller=caller, refusal=None)


@router.post("/load")
async def upload(
    request: Request,
    caller: Writes,
    file: list[UploadFile | str] | None = None,
    source: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """Keep the list and show what it would change; nothing is in force yet."""
    async with caller.office.pool.acquire() as conn:
        try:
            if source == _LIBRARY:
                draft = uuid4()
                kept = Draft(
                    id=draft,
                    kind="calendar",
                    person=caller.person,
                    created_at=datetime.now(UTC),
                    options={"source": _LIBRARY},
                    files={},
                )
                await keep_draft(conn, kept)
            else:
                draft = await take_in(conn, "calendar", caller.person, (file or [])[:1], {})
        except Refused as refused:
            refusal = refused.refusal
        else:
            return RedirectResponse(f"/calendar/drafts/{draft}", 303)
    return page(request, "calendar/load.html", caller=caller, refusal=refusal, status=status_of(refusal))


async def _given(kept: Draft) -> WorkCalendar | OfficialList:
    def read() -> WorkCalendar | OfficialList:
        if kept.options.get("source") == _LIBRARY:
            return library_list()
        with laid_out(kept) as path:
            return read_calendar_file(path)

    return await asyncio.to_thread(read)


@router.get("/drafts/{draft}")
async def look(request: Request, caller: Writes, draft: UUID) -> Response:
    """What the list would change, what to look at, and whom it would reach."""
    return await _look(request, caller, draft)


async def _look(request: Request, caller: Caller, draft: UUID, refusal: Refusal | None = None) -> Response:
    status = 200 if refusal is None else status_of(refusal)
    values: dict[str, Any] = {"draft": draft, "after": None, "before": None, "sheet": (), "notes": (), "cases": 0}
    values |= {"changed": False, "problems": 0}
    async with caller.office.pool.acquire() as conn:
        kept = await read_draft(conn, draft, "calendar", caller.person)
        try:
            given = await _given(kept)
            before = await current_calendar(conn)
            after = in_force_after(before, given)
            await check_version(conn, after)
            found = changes(before, after)
            notes = remarks(given, after) if isinstance(given, OfficialList) else ()
            values |= {"after": after, "before": before}
            values["changed"] = before is None or before.version != after.version
            values["sheet"] = gather(lambda: draw_changes(before, after, found))
            values["notes"] = gather(lambda: draw_remarks(notes))
            values["cases"] = await open_cases_elsewhere(conn, CALENDARS, after.version)
        except CalendarUnreadable as unreadable:
            problems = unreadable.problems
            values |= {"problems": len(problems), "sheet": gather(lambda: draw_problems(problems))}
            status = 422
        except Refused as refused:
            refusal, status = refused.refusal, status_of(refused.refusal)
    return page(
        request, "calendar/draft.html", caller=caller, files=list(kept.files), refusal=refusal, status=status, **values
    )


@router.post("/drafts/{draft}")
async def confirm(
    request: Request,
    caller: Writes,
    draft: UUID,
    act: Annotated[str, Form(max_length=10)] = "load",
    current: Annotated[str, Form(max_length=64)] = "",
    adopt: Annotated[bool, Form()] = False,
) -> Response:
    """Put the calendar that was looked at in force and carry it to open cases; or throw it away."""
    if adopt:
        caller.authorize("act.adopt_rules")
    try:
        async with caller.office.pool.acquire() as conn:
            if act == "forget":
                await forget_draft(conn, draft)
                return RedirectResponse("/calendar", 303)
            kept = await read_draft(conn, draft, "calendar", caller.person)
            before = await current_calendar(conn)
            after = in_force_after(before, await _given(kept))
            await replace_calendar(conn, after, current=current or None, by=caller.person)
            await forget_draft(conn, draft)
            elsewhere = await open_cases_elsewhere(conn, CALENDARS, after.version)
    except Refused as refused:
        if refused.code == "draft.unknown":
            raise
        return await _look(request, caller, draft, refused.refusal)
    if adopt and elsewhere:
        # The draft's own id: a form sent twice begins one run.
        await carry(caller.office, draft, caller.person, Wanted(None, after.version), f"导入工作日历 {after.version}")
        return RedirectResponse(f"/rules/adoptions/{draft}", 303)
    return RedirectResponse(f"/calendar?done={after.version}", 303)
