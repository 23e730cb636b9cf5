"""The registry for administrators: the tree, the people, and loading a new one – check, difference, confirm."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.drafting import laid_out, take_in
from console.http.caller import Caller, may
from console.http.problems import status_of
from console.http.rendering import page
from console.output import gather, say
from console.registry_sheet import draw_changes, draw_problems, tally
from domain.errors import Refusal, Refused
from domain.people import Role
from domain.registry import Assignment, Entry, Grid, Organisation, Registry
from domain.registry_check import check, registry_of
from domain.registry_problem import RawRegistry
from domain.rights import Permission
from ledger.administration import forget_draft, read_draft
from ledger.registry import changes, load_registry, read_registry
from ledger.registry_files import read_registry_files

router = APIRouter(prefix="/registry")

Reads = Annotated[Caller, may(Permission.REGISTRY_READ)]
Writes = Annotated[Caller, may(Permission.REGISTRY_WRITE)]

_PAGE, _CHANGES, _PROBLEMS, _GRIDS = 50, 200, 100, 60


@dataclass(frozen=True)
class Branch:
    """An organisation or a grid in the tree: how deep, what it is, who is in charge of nothing."""

    depth: int
    name: str
    code: str
    kind: str
    note: str


def _tree(registry: Registry, today: date, within: str) -> list[Branch]:
    """The organisations in force and their grids; of a large registry only the grids of the community ``within``."""
    below: dict[str | None, list[Organisation]] = {}
    for unit in registry.organisations:
        if unit.valid(today):
            below.setdefault(unit.parent, []).append(unit)
    grids: dict[str, list[Grid]] = {}
    for grid in registry.grids:
        if grid.valid(today):
            grids.setdefault(grid.community, []).append(grid)

    large = sum(map(len, grids.values())) > _GRIDS

    def branch(parent: str | None, depth: int) -> Iterator[Branch]:
        for unit in below.pop(parent, []):
            yield Branch(depth, unit.name, unit.code, unit.kind.value, _note(unit))
            here = grids.get(unit.code, [])
            if large and unit.code != within:
                if here:
                    note = say(f"{len(here)} 个网格", f"{len(here)} grids")
                    yield Branch(depth + 1, note, unit.code, "grids", "")
                here = []
            for grid in here:
                size = grid.households or "-"
                note = say(f"{size} 户 {grid.people or '-'} 人", f"{size} households")
                yield Branch(depth + 1, grid.name, grid.code, "grid", note)
            yield from branch(unit.code, depth + 1)

    return list(branch(None, 0))


def _note(unit: Organisation) -> str:
    return say(f"对接队列 {unit.queue}", f"queue {unit.queue}") if unit.queue else ""


@router.get("")
async def show(
    request: Request,
    caller: Reads,
    community: Annotated[str, Query(max_length=64)] = "",
    done: Annotated[str, Query(max_length=20)] = "",
) -> Response:
    """Organisations and grids as a tree, and the categories."""
    registry, today = caller.registry, caller.today
    notice = None
    if done.isdecimal():
        notice = say(f"登记册第 {done} 版已生效。", f"Revision {done} of the registry is in force.")
    return page(
        request,
        "registry/show.html",
        caller=caller,
        registry=registry,
        branches=_tree(registry, today, community),
        categories=[each for each in registry.categories if each.valid(today)],
        people=sum(each.valid(today) for each in registry.persons),
        may_write=caller.may(Permission.REGISTRY_WRITE),
        notice=notice,
    )


@router.get("/people")
async def people(
    request: Request,
    caller: Reads,
    q: Annotated[str, Query(max_length=40)] = "",
    cursor: Annotated[str, Query(max_length=64)] = "",
) -> Response:
    """People and the roles they hold or held, with the days; in pages."""
    registry, wanted = caller.registry, q.strip()
    fitting = [
        each
        for each in sorted(registry.persons, key=lambda each: (each.id, each.valid_from))
        if each.id > cursor and (not wanted or wanted in each.name or wanted in each.id)
    ]
    shown = fitting[:_PAGE]
    held: dict[str, list[Assignment]] = {}
    for each in registry.assignments:
        held.setdefault(each.person, []).append(each)
    return page(
        request,
        "registry/people.html",
        caller=caller,
        q=wanted,
        rows=[(person, [_held(each, registry, caller) for each in held.get(person.id, [])]) for person in shown],
        after=shown[-1].id if len(fitting) > _PAGE else None,
        cursor=cursor,
        validity=_validity,
    )


def _validity(entry: Entry) -> str:
    if entry.valid_to is None:
        return say(f"{entry.valid_from} 起", f"from {entry.valid_from}")
    return f"{entry.valid_from} – {entry.valid_to}"


def _held(each: Assignment, registry: Registry, caller: Caller) -> dict[str, Any]:
    unit = registry.organisation(each.organisation) if each.organisation else None
    grid = registry.grid(each.grid) if each.grid else None
    return {
        "role": Role(each.role).value,
        "place": unit.name if unit else grid.name if grid else "",
        "validity": _validity(each),
        "now": each.valid(caller.today),
    }


# --- loading ------------------------------------------------------------------------------------------------------


@router.get("/load")
async def form(request: Request, caller: Writes) -> Response:
    """The form to upload."""
    return page(request, "registry/load.html", caller=caller, refusal=None)


@router.post("/load")
async def upload(request: Request, caller: Writes, file: list[UploadFile | str] | None = None) -> Response:
    """Keep the files and show what they would change; nothing is loaded yet."""
    try:
        async with caller.office.pool.acquire() as conn:
            draft = await take_in(conn, "registry", caller.person, file or [], {})
    except Refused as refused:
        return page(
            request, "registry/load.html", caller=caller, refusal=refused.refusal, status=status_of(refused.refusal)
        )
    return RedirectResponse(f"/registry/drafts/{draft}", 303)


@router.get("/drafts/{draft}")
async def look(request: Request, caller: Writes, draft: UUID) -> Response:
    """What the uploaded files are and would change."""
    return await _look(request, caller, draft)


async def _look(
    request: Request, caller: Caller, draft: UUID, refusal: Refusal | None = None, *, drop: bool = False
) -> Response:
    async with caller.office.pool.acquire() as conn:
        kept = await read_draft(conn, draft, "registry", caller.person)
        before = await read_registry(conn)
    values: dict[str, Any] = {
        "draft": draft,
        "files": list(kept.files),
        "refusal": refusal,
        "problems": 0,
        "drop": drop,
    }
    values |= {"sheet": (), "changed": False, "removed": 0, "found": None}
    status = 200 if refusal is None else status_of(refusal)
    try:
        raw = await _read(kept)
        problems = check(raw)
        if problems:
            values |= {"problems": len(problems), "sheet": gather(lambda: draw_problems(problems[:_PROBLEMS]))}
            status = 422
        else:
            found = changes(before, registry_of(raw))
            values |= {
                "changed": bool(found),
                "removed": sum(each.change == "removed" for each in found),
                "found": say(*tally(found)) if found else None,
                "sheet": gather(lambda: draw_changes(found, _CHANGES)),
            }
    except Refused as refused:
        values["refusal"], status = refused.refusal, status_of(refused.refusal)
    return page(request, "registry/draft.html", caller=caller, before=before, status=status, **values)


async def _read(kept: Any) -> RawRegistry:
    def read() -> RawRegistry:
        with laid_out(kept) as path:
            return read_registry_files(path)

    return await asyncio.to_thread(read)


@router.post("/drafts/{draft}")
async def confirm(
    request: Request,
    caller: Writes,
    draft: UUID,
    act: Annotated[str, Form(max_length=10)] = "load",
    drop: Annotated[bool, Form()] = False,
) -> Response:
    """Load what was looked at, or throw it away."""
    async with caller.office.pool.acquire() as conn:
        if act == "forget":
            await forget_draft(conn, draft)
            return RedirectResponse("/registry", 303)
        kept = await read_draft(conn, draft, "registry", caller.person)
    try:
        raw = await _read(kept)
        async with caller.office.pool.acquire() as conn:
            revision = await load_registry(conn, raw, caller.person, drop=drop)
            await forget_draft(conn, draft)
    except Refused as refused:
        return await _look(request, caller, draft, refused.refusal, drop=drop)
    return RedirectResponse(f"/registry?done={revision}", 303)
