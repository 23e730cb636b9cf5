"""Rule books for administrators: versions, one book as tables, importing another, carrying it to open cases."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Path, Query, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.acts import new_command_id
from console.carrying import QUIET_AFTER, carry
from console.drafting import laid_out, take_in
from console.http.caller import Caller, may
from console.http.problems import status_of
from console.http.rendering import COMMAND_ID_FIELD, page
from console.output import gather, say
from console.rule_judging import judge
from console.rule_sheet import category_rows, draw_book, draw_changes, draw_problems
from domain.errors import Refusal, Refused
from domain.rights import Permission
from domain.rule_changes import rule_changes
from domain.rule_check import Checked
from domain.rule_problem import RawBook
from domain.text import normalise, redact
from ledger.administration import Draft, forget_draft, latest_runs, one_run, read_draft, stop_run
from ledger.adoptions import Wanted, count_candidates
from ledger.log import Connection
from ledger.rule_books import choose_rule_book, current_version, read_rule_book
from ledger.rule_files import example_book, read_rule_file, rule_book_yaml
from ledger.versions import CALENDARS, RULE_BOOKS, list_versions, open_cases_elsewhere

router = APIRouter(prefix="/rules")

Reads = Annotated[Caller, may(Permission.RULES_READ)]
Writes = Annotated[Caller, may(Permission.RULES_WRITE)]
Version = Annotated[str, Path(max_length=64)]
Cursor = Annotated[str | None, Query(max_length=64)]
CommandId = Annotated[str | None, Form(alias=COMMAND_ID_FIELD, max_length=64)]

_PAGE, _CHANGES, _PROBLEMS, _BASES = 50, 200, 100, 20
_REASON = "改按现行规则和日历计时"


@router.get("")
async def versions(
    request: Request, caller: Reads, cursor: Cursor = None, done: Annotated[str, Query(max_length=64)] = ""
) -> Response:
    """All versions, the newest first; how many open cases live by another one, and the last runs."""
    async with caller.office.pool.acquire() as conn:
        found = await list_versions(conn, RULE_BOOKS, limit=_PAGE, cursor=cursor)
        current = await current_version(conn)
        elsewhere = await open_cases_elsewhere(conn, RULE_BOOKS, current) if current else 0
        runs = await latest_runs(conn) if caller.may(Permission.RULES_WRITE) else ()
    return page(
        request,
        "rules/versions.html",
        caller=caller,
        found=found,
        first=cursor is not None,
        elsewhere=elsewhere,
        runs=runs,
        may_write=caller.may(Permission.RULES_WRITE),
        notice=say(f"规则 {done} 已保存。", f"Rule book {done} is kept.") if done else None,
    )


# --- importing ----------------------------------------------------------------------------------------------------


async def _form(
    request: Request, caller: Caller, refusal: Refusal | None, *, base: str = "", version: str = ""
) -> Response:
    async with caller.office.pool.acquire() as conn:
        known = await list_versions(conn, RULE_BOOKS, limit=_BASES)
    bases = [(each.version, f"{each.version} {each.name}") for each in known.items]
    status = 200 if refusal is None else status_of(refusal)
    values: dict[str, Any] = {"bases": bases, "base": base, "version": version, "refusal": refusal}
    return page(request, "rules/load.html", caller=caller, status=status, **values)


@router.get("/load")
async def form(request: Request, caller: Writes) -> Response:
    """The form to upload."""
    return await _form(request, caller, None)


@router.post("/load")
async def upload(
    request: Request,
    caller: Writes,
    file: list[UploadFile | str] | None = None,
    base: Annotated[str, Form(max_length=64)] = "",
    version: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Keep the file and show what is wrong with it or what it would change; nothing is imported yet."""
    options = {"base": base, "version": version.strip()}
    try:
        async with caller.office.pool.acquire() as conn:
            draft = await take_in(conn, "rules", caller.person, (file or [])[:1], options)
    except Refused as refused:
        return await _form(request, caller, refused.refusal, base=base, version=version)
    return RedirectResponse(f"/rules/drafts/{draft}", 303)


@router.get("/drafts/{draft}")
async def look(request: Request, caller: Writes, draft: UUID) -> Response:
    """Problems with sheet, row and column, or the differences."""
    return await _look(request, caller, draft)


async def _look(request: Request, caller: Caller, draft: UUID, refusal: Refusal | None = None) -> Response:
    status = 200 if refusal is None else status_of(refusal)
    values: dict[str, Any] = {"draft": draft, "book": None, "before": None, "sheet": (), "notes": (), "problems": 0}
    async with caller.office.pool.acquire() as conn:
        kept = await read_draft(conn, draft, "rules", caller.person)
        try:
            checked = await _judged(conn, kept)
            if checked.book is None:
                values["problems"] = len(checked.problems)
                values["sheet"] = gather(lambda: draw_problems(checked.problems[:_PROBLEMS]))
                status = 422
            else:
                before = await read_rule_book(conn) if await current_version(conn) else None
                found = rule_changes(before, checked.book)
                values |= {"book": checked.book, "before": before}
                values["sheet"] = gather(lambda: draw_changes(found, _CHANGES)) if found else ()
            notes = checked.notes
            values["notes"] = gather(lambda: draw_problems(notes)) if notes else ()
        except Refused as refused:
            refusal, status = refused.refusal, status_of(refused.refusal)
    return page(
        request, "rules/draft.html", caller=caller, files=list(kept.files), refusal=refusal, status=status, **values
    )


async def _judged(conn: Connection, kept: Draft) -> Checked:
    def read() -> RawBook:
        with laid_out(kept) as path:
            return read_rule_file(path)

    raw, base = await asyncio.to_thread(read), str(kept.options.get("base") or "")
    book = await read_rule_book(conn, base) if base else example_book()
    return await judge(conn, raw, book, str(kept.options.get("version") or "") or None)


@router.post("/drafts/{draft}")
async def confirm(
    request: Request,
    caller: Writes,
    draft: UUID,
    act: Annotated[str, Form(max_length=10)] = "load",
    choose: Annotated[bool, Form()] = False,
) -> Response:
    """Keep the book that was looked at, in force where that is chosen; or throw it away."""
    async with caller.office.pool.acquire() as conn:
        if act == "forget":
            await forget_draft(conn, draft)
            return RedirectResponse("/rules", 303)
        kept = await read_draft(conn, draft, "rules", caller.person)
        try:
            checked = await _judged(conn, kept)
            if checked.book is None:
                raise checked.refused()
            await choose_rule_book(conn, checked.book, caller.person, choose=choose)
            await forget_draft(conn, draft)
        except Refused as refused:
            refusal = refused.refusal
        else:
            return RedirectResponse(f"/rules?done={checked.book.version}", 303)
    return await _look(request, caller, draft, refusal)


# --- carrying to open cases ---------------------------------------------------------------------------------------


@router.get("/adoptions")
async def before_carrying(request: Request, caller: Writes) -> Response:
    """How many open cases would be asked, and the form to begin."""
    return await _before(request, caller, None, _REASON)


async def _before(request: Request, caller: Caller, refusal: Refusal | None, reason: str) -> Response:
    world = caller.world
    async with caller.office.pool.acquire() as conn:
        wanted = Wanted(world.current_rules, world.current_calendar)
        number = await count_candidates(conn, wanted)
        calendars = await open_cases_elsewhere(conn, CALENDARS, world.current_calendar or "")
        runs = await latest_runs(conn)
    status = 200 if refusal is None else status_of(refusal)
    values: dict[str, Any] = {"wanted": wanted, "number": number, "calendars": calendars, "runs": runs}
    return page(request, "rules/adopt.html", caller=caller, refusal=refusal, reason=reason, status=status, **values)


@router.post("/adoptions")
async def begin(
    request: Request,
    caller: Writes,
    reason: Annotated[str, Form(max_length=200)] = "",
    command_id: CommandId = None,
) -> Response:
    """Begin to carry rules and calendar in force to every open case; goes on when the page is closed."""
    caller.authorize("act.adopt_rules")
    line = redact(normalise(reason))
    run = UUID(new_command_id(command_id))
    world = caller.world
    if not line or "\n" in line:
        return await _before(request, caller, Refused("field.missing", field="reason").refusal, reason)
    if world.current_rules is None:
        raise Refused("rules.none")
    await carry(caller.office, run, caller.person, Wanted(world.current_rules, world.current_calendar), line)
    return RedirectResponse(f"/rules/adoptions/{run}", 303)


@router.get("/adoptions/{run}")
async def progress(request: Request, caller: Writes, run: UUID) -> Response:
    """How far a run is; asks again by itself while it goes on."""
    async with caller.office.pool.acquire() as conn:
        found = await one_run(conn, run)
    quiet = found.ended_at is None and datetime.now(UTC) - found.told_at > QUIET_AFTER
    template = "rules/_run.html" if "hx-request" in request.headers else "rules/run.html"
    return page(request, template, caller=caller, run=found, quiet=quiet)


@router.post("/adoptions/{run}/stop")
async def stop(request: Request, caller: Writes, run: UUID) -> Response:
    """Ask a run to end after the cases under way."""
    async with caller.office.pool.acquire() as conn:
        await stop_run(conn, run)
    return RedirectResponse(f"/rules/adoptions/{run}", 303)


# --- one book -----------------------------------------------------------------------------------------------------


@router.get("/{version}/yaml")
async def as_file(request: Request, caller: Reads, version: Version) -> Response:
    """The book as a file to be changed and imported again."""
    async with caller.office.pool.acquire() as conn:
        book = await read_rule_book(conn, version)
    headers = {"Content-Disposition": 'attachment; filename="rules.yaml"'}
    return Response(rule_book_yaml(book), media_type="application/yaml; charset=utf-8", headers=headers)


@router.get("/{version}")
async def book_(
    request: Request, caller: Reads, version: Version, start: Annotated[int, Query(ge=0, le=100_000)] = 0
) -> Response:
    """One book as tables."""
    async with caller.office.pool.acquire() as conn:
        book, current = await read_rule_book(conn, version), await current_version(conn)
    rows = category_rows(book)
    names = {each.code: each.name for each in caller.registry.categories}
    shown = rows[start : start + _PAGE]
    sheet = gather(lambda: draw_book(book, shown, names, current=book.version == current, first=not start))
    onward = f"/rules/{version}?start={start + _PAGE}" if start + _PAGE < len(rows) else None
    values: dict[str, Any] = {"book": book, "current": book.version == current, "onward": onward, "start": start}
    return page(request, "rules/book.html", caller=caller, sheet=sheet[1:] if not start else sheet, **values)
