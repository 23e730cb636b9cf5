"""The security log for auditors: who came in, who was refused, what was taken out, who changed rights and rules."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from console import words
from console.http.caller import Caller, may
from console.http.problems import status_of
from console.http.rendering import page
from console.listing import person_name
from console.security_sheet import detail_of
from domain.errors import Refused
from domain.rights import Permission
from domain.zone import OFFICE_ZONE
from ledger.security import Line, LineFilter, list_lines
from ledger.whence import NOBODY

router = APIRouter(prefix="/security")

_PAGE = 50
_Reads = Annotated[Caller, may(Permission.SECURITY_READ)]
_Text = Annotated[str, Query(max_length=200)]


@router.get("")
async def lines(
    request: Request,
    caller: _Reads,
    kind: Annotated[str, Query(max_length=40)] = "",
    outcome: Annotated[str, Query(pattern="^(ok|refused)?$")] = "",
    actor: _Text = "",
    about: _Text = "",
    since: Annotated[str, Query(max_length=10)] = "",
    until: Annotated[str, Query(max_length=10)] = "",
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Response:
    """The lines that fit, the youngest first, in pages."""
    asked = {"kind": kind, "outcome": outcome, "actor": actor.strip(), "about": about.strip()}
    asked |= {"since": since, "until": until}
    given = {name: value for name, value in asked.items() if value}
    rows: tuple[Line, ...] = ()
    after, refusal = None, None
    try:
        wanted = LineFilter(
            since=_midnight(since, "since"),
            until=_midnight(until, "until", after=1),
            kinds=(kind,) if kind else (),
            actor=given.get("actor"),
            subject=given.get("about"),
            outcome=given.get("outcome"),  # type: ignore[arg-type]  # the pattern above
        )
        async with caller.office.pool.acquire() as conn:
            found = await list_lines(conn, wanted, limit=_PAGE, cursor=cursor)
        rows, after = found.items, found.next
    except Refused as refused:
        refusal = refused.refusal
    return page(
        request,
        "security/log.html",
        caller=caller,
        asked=asked,
        kinds=[(code, words.word(words.SECURITY, code)) for code in words.SECURITY],
        rows=[(each, person_name(caller.registry, each.actor), detail_of(each)) for each in rows],
        nobody=NOBODY,
        onward=_address(given, cursor=after) if after else None,
        first=_address(given) if cursor else None,
        refusal=refusal,
        status=status_of(refusal) if refusal else 200,
    )


def _address(given: dict[str, str], **more: str) -> str:
    fields = {**given, **more}
    return f"/security?{urlencode(fields)}" if fields else "/security"


def _midnight(text: str, name: str, *, after: int = 0) -> datetime | None:
    """The beginning of a day of the office, ``after`` so many days. Raises ``Refused`` ``field.invalid``."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text) + timedelta(days=after)
        return datetime.combine(day, time(), OFFICE_ZONE).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Refused("field.invalid", field=name, reason="YYYY-MM-DD") from None
