"""Finding cases: as one types, by any filters, and any list as a workbook."""

from typing import Annotated

from fastapi import APIRouter
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from console.exporting import EXPORTED, write_workbook
from console.http.asking import Asks
from console.http.caller import Caller, may
from console.http.office import office_of
from console.http.problems import status_of
from console.http.rendering import page
from console.listing import choices, named, rungs_by_action
from domain.errors import Refused
from domain.rights import Permission
from ledger.queries import PAGE_LIMIT, WORDS_LIMIT, count_cases, list_cases
from ledger.rows import CaseRow
from ledger.security import Detail, Kind, record

router = APIRouter()

_PAGE = 20
_WORKBOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@router.get("/search")
async def search(request: Request, caller: Annotated[Caller, may(Permission.CASE_READ)], asked: Asks) -> Response:
    """The cases that fit, in pages; the same page answers a script that asks while somebody types."""
    reach, refusal = caller.reach(Permission.CASE_READ), None
    rows: tuple[CaseRow, ...] = ()
    number, after = None, None
    try:
        async with office_of(request).pool.acquire() as conn:
            wanted = asked.filter(rungs_by_action(caller.world))
            found = await list_cases(
                conn, wanted, reach=reach, sort=asked.order, limit=_PAGE, cursor=asked.cursor or None
            )
            rows, after = found.items, found.next
            # What fits on the first page is counted already.
            if after or asked.cursor:
                number = await count_cases(conn, wanted, reach=reach)
            else:
                number = len(rows)
    except Refused as refused:
        refusal = refused.refusal
    return page(
        request,
        "search/search.html",
        caller=caller,
        asked=asked,
        offered=choices(caller.registry, reach, caller.today),
        rows=named(rows, caller.registry),
        number=number,
        most=PAGE_LIMIT,
        most_words=WORDS_LIMIT,
        onward=asked.address("/search", cursor=after) if after else None,
        first=asked.address("/search") if asked.cursor else None,
        export=asked.address("/search/export") if caller.may(Permission.CASE_EXPORT) else None,
        most_exported=EXPORTED,
        refusal=refusal,
        status=status_of(refusal) if refusal else 200,
    )


@router.get("/search/export")
async def export(request: Request, caller: Annotated[Caller, may(Permission.CASE_EXPORT)], asked: Asks) -> Response:
    """The filtered list as a workbook, as far as the right to export reaches."""
    async with office_of(request).pool.acquire() as conn:
        made = await write_workbook(
            conn,
            asked.filter(rungs_by_action(caller.world)),
            reach=caller.reach(Permission.CASE_EXPORT),
            sort=asked.order,
            registry=caller.registry,
            asked_for=asked.sentence(caller.registry),
            by=caller.person,
        )
        # Lists that leave the house are on record; what was searched for may name somebody and is not.
        detail: Detail = {"what": "cases", "rows": made.rows, "filters": len(asked.fields())}
        try:
            await record(conn, Kind.EXPORTED, actor=caller.person, detail=detail)
        except BaseException:
            made.path.unlink(missing_ok=True)
            raise
    return FileResponse(
        made.path,
        media_type=_WORKBOOK,
        filename=made.name,
        background=BackgroundTask(made.path.unlink, missing_ok=True),
    )
