"""What I was told: the inbox of notices.

Owns the list and the marks. A notice is seen when its reader says so or goes to what it is about.
"""

from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.http.caller import Caller, may
from console.http.rendering import page
from console.output import language
from domain.notices import NOTICE_KINDS, sentence
from domain.rights import Permission
from ledger.outbox import count_unseen, inbox_of, mark_all_seen
from ledger.rows import NoticeRow

router = APIRouter(prefix="/notices")

_Told = Annotated[Caller, may(Permission.TASK_READ)]
_PAGE, _COUNTED = 30, 99


@router.get("")
async def inbox(
    request: Request,
    caller: _Told,
    unseen: bool = False,
    cursor: Annotated[str | None, Query(max_length=100)] = None,
) -> Response:
    """The caller's notices, the youngest first."""
    async with caller.office.pool.acquire() as conn:
        found = await inbox_of(conn, caller.person, unseen=unseen, limit=_PAGE, cursor=cursor)
        count = await count_unseen(conn, caller.person, at_most=_COUNTED)
    held = "unseen=true&" if unseen else ""
    return page(
        request,
        "notices/list.html",
        caller=caller,
        items=[
            (each.notice, words_of(each.notice), address_of(each.notice), each.deliveries[0].seen_at)
            for each in found.items
        ],
        fresh=[str(each.notice.id) for each in found.items if each.deliveries[0].seen_at is None],
        unseen=unseen,
        count=f"{_COUNTED}+" if count > _COUNTED else str(count),
        here=f"/notices?{held}".rstrip("?&"),
        onward=f"/notices?{held}cursor={quote(found.next)}" if found.next else None,
        first=f"/notices?{held}".rstrip("?&") if cursor else None,
    )


def words_of(notice: NoticeRow) -> str:
    """The sentence of a notice; its kind where a newer release wrote one that this one has no words for."""
    return sentence(notice.kind, notice.params, language()) if notice.kind in NOTICE_KINDS else notice.kind


def address_of(notice: NoticeRow) -> str:
    """The page of what the notice is about."""
    return f"/wishes/{notice.stream}" if notice.process == "wish" else f"/cases/{notice.stream}"


@router.post("/seen")
async def seen(
    caller: _Told,
    notice: Annotated[list[UUID], Form(max_length=_PAGE)],
    go: Annotated[str, Form(pattern="^((case|wish)-[0-9a-f]{32})?$")] = "",
    unseen: Annotated[str, Form(max_length=5)] = "",
) -> Response:
    """Mark these of the caller's own as seen; on to the matter ``go`` where one is named, else back to the list."""
    async with caller.office.pool.acquire() as conn:
        await mark_all_seen(conn, notice, caller.person)
    if go:
        return RedirectResponse(f"/wishes/{go}" if go.startswith("wish-") else f"/cases/{go}", 303)
    return RedirectResponse("/notices?unseen=true" if unseen else "/notices", 303)
