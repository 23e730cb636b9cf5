"""What somebody must do now, over all their roles: the workbench, the inbox of a department, signing, visiting.

Owns the lists and the way from a task to the form of its act. What the form offers the case's own page asks the rules.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console import words
from console.forms.showing import place_of, role_words
from console.http.caller import Caller, may, public
from console.http.rendering import page
from console.output import language, local, say
from console.pages.case.opened import number_of
from console.pages.case.reporter import masked
from console.personal import reporter_in_full
from domain.people import Actor, Role
from domain.rights import Permission
from domain.zone import OFFICE_ZONE, office_day
from ledger.log import Connection
from ledger.work import COUNTED, Fact, Waiting, Work, WorkPage, count_work, last_facts, list_work
from runtime.logging import get_logger

router = APIRouter()
log = get_logger(__name__)

_Works = Annotated[Caller, may(Permission.TASK_READ)]
_Cursor = Annotated[str | None, Query(max_length=400)]
_PAGE, _SHORT_PAGE = 30, 20

_WAYS: Mapping[str, str] = {
    "place": "correct",
    "triage": "whistle",
    "handle_on_spot": "handle_on_spot",
    "dispatch": "dispatch",
    "handle": "strike_off",
    "verify": "verify?variant=passed",
    "sign": "sign",
    "feed_back_department": "feed_back?variant=department",
    "feed_back_resident": "feed_back?variant=resident",
    "visit": "visit?variant=answered",
    "appraise": "appraise",
    "reply_supervision": "reply_supervision",
    "answer_publicly": "comment?variant=public",
}
"""The act that answers a task, where it is one; what must be weighed first leads to the page of the case."""

_SIGNERS = (Role.VANGUARD_CAPTAIN, Role.GRID_HEAD)
_DEPARTMENT = (Role.DEPARTMENT_HANDLER, Role.DEPARTMENT_HEAD)
_VISITORS = (Role.GRID_WORKER, Role.COMMUNITY, Role.STREET_DISPATCHER)


@dataclass(frozen=True)
class Row:
    """One task as it is shown."""

    work: Work
    number: str
    what: str
    role: str
    where: str
    light: str | None
    address: str
    way: str
    group: str


def address_of(work: Work) -> str:
    """The page of the matter."""
    return f"/wishes/{work.stream}" if work.process == "wish" else f"/cases/{work.stream}"


def way_of(work: Work) -> str:
    """Where one tap leads: the form of the act that answers the task."""
    if work.process != "case":
        return address_of(work)
    act = "accept" if work.kind == "handle" and not work.signed_for else _WAYS.get(work.kind)
    return address_of(work) if act is None else f"{address_of(work)}/acts/{act}"


def _tomorrow(now: datetime) -> datetime:
    return datetime.combine(office_day(now) + timedelta(days=1), time(), OFFICE_ZONE)


def _group(work: Work, now: datetime) -> str:
    if work.due_at is None:
        return "never"
    if work.due_at <= now:
        return "overdue"
    return "today" if work.due_at < _tomorrow(now) else "later"


def _row(caller: Caller, work: Work, now: datetime) -> Row:
    registry = caller.registry
    grid = registry.grid(work.place_grid) if work.place_grid else None
    community = registry.organisation(work.place_community) if work.place_community else None
    what = words.word(words.TASK, work.kind)
    if work.kind == "handle" and not work.signed_for:
        what = say("签收", "accept")
    return Row(
        work=work,
        number=number_of(work.stream),
        what=what,
        role=words.role(work.role) if work.role else "",
        where=grid.name if grid else community.name if community else "",
        light=work.light(now),
        address=address_of(work),
        way=way_of(work),
        group=_group(work, now),
    )


def _groups(rows: Sequence[Row]) -> Iterator[tuple[str, str, list[Row]]]:
    """The rows by when they are due, the most urgent first; groups without rows are absent."""
    names = {
        "overdue": say("已超时", "Overdue"),
        "today": say("今天到期", "Due today"),
        "later": say("以后到期", "Due later"),
        "never": say("没有时限", "No limit"),
    }
    for code, name in names.items():
        found = [each for each in rows if each.group == code]
        if found:
            yield code, name, found


@dataclass(frozen=True)
class Tile:
    """How much waits in one role."""

    role: str
    name: str
    tasks: str
    overdue: int
    today: int


def _tiles(caller: Caller, waiting: Sequence[Waiting]) -> list[Tile]:
    """One for each role held, also without work; what waits for the people of a department is its head's as well."""
    found: dict[str, list[Waiting]] = {str(actor.role): [] for actor in caller.holds if actor.role in _WORKING}
    for each in waiting:
        role = each.role if each.role in found or each.role not in _DEPARTMENT else str(Role.DEPARTMENT_HEAD)
        found.setdefault(role, []).append(each)
    return [
        Tile(
            role=role,
            name=words.role(role) if role else say("指名给我", "for me by name"),
            tasks=_number(sum(each.tasks for each in some)),
            overdue=sum(each.overdue for each in some),
            today=sum(each.today for each in some),
        )
        for role, some in found.items()
    ]


_WORKING = frozenset(Role) - {Role.ADMINISTRATOR, Role.AUDITOR, Role.RESIDENT, Role.SYSTEM}


def _number(count: int) -> str:
    return f"{COUNTED}+" if count >= COUNTED else str(count)


@dataclass(frozen=True)
class Tab:
    """A list of its own beside the workbench; ``tasks`` where they were counted."""

    address: str
    name: str
    tasks: str | None


def _tabs(caller: Caller, waiting: Sequence[Waiting]) -> list[Tab]:
    """The lists that belong to the roles of the caller."""
    roles = {actor.role for actor in caller.holds}
    counted = {kind: sum(each.tasks for each in waiting if each.kind == kind) for kind in ("handle", "sign", "visit")}
    lists = (
        ("/work/inbox", say("收件箱", "Inbox"), "handle", _DEPARTMENT),
        ("/work/signing", say("待签字", "To sign"), "sign", _SIGNERS),
        ("/work/visits", say("待回访", "To call"), "visit", _VISITORS),
    )
    found = [
        Tab(address, name, _number(counted[kind]))
        for address, name, kind, holders in lists
        if roles.intersection(holders) or counted[kind]
    ]
    return [Tab("/work", say("全部待办", "All"), None), *found] if found else []


# --- pages ------------------------------------------------------------------------------------------------------------


@router.get("/")
async def start(
    request: Request, caller: Annotated[Caller | None, public("leads on to where somebody works")]
) -> Response:
    """To the work of whoever is signed in, to the form to sign in otherwise."""
    if caller is None:
        return RedirectResponse("/sign-in", 303)
    ways = (
        (Permission.TASK_READ, "/work"),
        (Permission.ACCOUNT_MANAGE, "/accounts"),
        (Permission.REGISTRY_READ, "/registry"),
    )
    return RedirectResponse(next((address for each, address in ways if caller.may(each)), "/account"), 303)


@router.get("/work")
async def work(
    request: Request, caller: _Works, role: Annotated[str, Query(max_length=40)] = "", cursor: _Cursor = None
) -> Response:
    """Everything that waits for the caller, the most urgent first; the page asks again, 304 while it is the same."""
    chosen = Role(role) if role in {str(actor.role) for actor in caller.holds} else None
    now = datetime.now(UTC)
    async with caller.office.pool.acquire() as conn:
        waiting = await _count(conn, caller, now)
        found = await list_work(conn, caller.subject, caller.registry, role=chosen, limit=_PAGE, cursor=cursor)
    tag = _tag(caller, now, role, cursor, waiting, found)
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    rows = [_row(caller, each, now) for each in found.items]
    held = f"role={chosen}&" if chosen else ""
    answer = page(
        request,
        "work/bench.html",
        caller=caller,
        list_here="/work",
        tiles=_tiles(caller, waiting),
        chosen=chosen,
        tabs=_tabs(caller, waiting),
        groups=list(_groups(rows)),
        several=len({actor.role for actor in caller.holds}) > 1,
        onward=f"/work?{held}cursor={found.next}" if found.next else None,
        first=f"/work?{held}".rstrip("?&") if cursor else None,
    )
    answer.headers["ETag"] = tag
    return answer


async def _count(conn: Connection, caller: Caller, now: datetime) -> list[Waiting]:
    return await count_work(conn, caller.subject, caller.registry, now=now, tomorrow=_tomorrow(now))


def _tag(caller: Caller, now: datetime, *seen: object) -> str:
    """Changes with what is shown; remaining times are told in minutes."""
    content = _written((caller.person, language(), local(now), seen)).encode()
    return f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'


def _written(seen: object) -> str:
    """What is shown as one text; the ``repr`` of fifty tasks would take as long as showing them."""
    if isinstance(seen, BaseModel):
        return seen.model_dump_json()
    if isinstance(seen, Row):
        return f"{seen.work.stream}/{seen.work.id}"  # what stands in it is told with the task
    if isinstance(seen, WorkPage):
        return _written((seen.items, seen.next))
    if isinstance(seen, Mapping):
        return _written(tuple(seen.items()))
    if isinstance(seen, list | tuple):
        return "\0".join(map(_written, seen))
    return repr(seen)


async def _list(
    request: Request, caller: Caller, template: str, here: str, kinds: Sequence[str], cursor: str | None, *, limit: int
) -> Response:
    """One of the lists with more about each task than the workbench tells."""
    now = datetime.now(UTC)
    async with caller.office.pool.acquire() as conn:
        waiting = await _count(conn, caller, now)
        found = await list_work(conn, caller.subject, caller.registry, kinds=kinds, limit=limit, cursor=cursor)
        rows = [_row(caller, each, now) for each in found.items]
        more = await _MORE[here](conn, caller, rows)
    tag = _tag(caller, now, here, cursor, waiting, found, more)
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    answer = page(
        request,
        template,
        caller=caller,
        list_here=here,
        tabs=_tabs(caller, waiting),
        rows=rows,
        groups=list(_groups(rows)),
        onward=f"{here}?cursor={found.next}" if found.next else None,
        first=here if cursor else None,
        **more,
    )
    answer.headers["ETag"] = tag
    return answer


@router.get("/work/inbox")
async def inbox(request: Request, caller: _Works, cursor: _Cursor = None) -> Response:
    """What a department is to accept and to finish."""
    return await _list(request, caller, "work/inbox.html", "/work/inbox", ("handle",), cursor, limit=_PAGE)


@router.get("/work/signing")
async def signing(request: Request, caller: _Works, cursor: _Cursor = None) -> Response:
    """Results that wait for a signature, with what was done and found."""
    return await _list(request, caller, "work/signing.html", "/work/signing", ("sign",), cursor, limit=_SHORT_PAGE)


@router.get("/work/visits")
async def visits(request: Request, caller: _Works, cursor: _Cursor = None) -> Response:
    """Whom to call, how often that was tried, and when last."""
    return await _list(request, caller, "work/visits.html", "/work/visits", ("visit",), cursor, limit=_SHORT_PAGE)


# --- what the lists tell beside the task ------------------------------------------------------------------------------


async def _for_inbox(conn: Connection, caller: Caller, rows: Sequence[Row]) -> dict[str, Any]:
    """The role in which each task may be accepted with one tap; None where the case's own page must ask."""
    actors = {each.work.stream: _acting_for(caller, each.work) for each in rows}
    return {
        "unsigned": [each for each in rows if not each.work.signed_for],
        "signed": [each for each in rows if each.work.signed_for],
        "acting_as": {stream: place_of(actor) for stream, actor in actors.items() if actor is not None},
        "roles": {stream: role_words(actor, caller.registry) for stream, actor in actors.items() if actor is not None},
    }


def _acting_for(caller: Caller, work: Work) -> Actor | None:
    near = [
        actor
        for actor in caller.holds
        if actor.organisation == work.organisation and caller.office.matrix.grants(actor.role, "act.accept")
    ]
    return near[0] if near else None


async def _for_signing(conn: Connection, caller: Caller, rows: Sequence[Row]) -> dict[str, Any]:
    """What was done and what was found of each result, and who has signed already."""
    facts = await last_facts(conn, [each.work.stream for each in rows], ("struck_off", "verified", "signed"))
    return {"done": _by_stream(facts, "struck_off"), "checked": _by_stream(facts, "verified")}


def _by_stream(facts: Mapping[tuple[str, str], Fact], kind: str) -> dict[str, Fact]:
    return {stream: fact for (stream, each), fact in facts.items() if each == kind}


async def _for_visits(conn: Connection, caller: Caller, rows: Sequence[Row]) -> dict[str, Any]:
    """Whom each call is for, masked, and the last attempt."""
    facts = await last_facts(conn, [each.work.stream for each in rows], ("visited",))
    reporters = {}
    if caller.may(Permission.CASE_REPORTER):
        for each in rows:
            reporters[each.work.stream] = masked(await reporter_in_full(conn, caller.office.vault, each.work.stream))
    return {"reporters": reporters, "tried": _by_stream(facts, "visited")}


_MORE = {"/work/inbox": _for_inbox, "/work/signing": _for_signing, "/work/visits": _for_visits}
