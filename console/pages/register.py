"""A new request, on a phone in three taps: a photograph, the kind of matter, send.

Owns the form and the page that tells the number. What was written comes back with every refusal, photographs included;
names, phones and addresses go to the vault and never into an address of a page.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console import words
from console.desk import Pending, stream_of
from console.files.keeping import keep_uploads, kept_before
from console.http.acting import Acted, open_process, row_of
from console.http.caller import Caller, may
from console.http.problems import status_of
from console.http.rendering import COMMAND_ID_FIELD, new_command_id, page
from console.output import say
from console.pages.case.opened import number_of
from console.tracking import Tracking
from domain.errors import Refusal, Refused
from domain.people import Actor, Role
from domain.registry import Category, Grid, Registry
from domain.rights import Permission
from domain.similarity import Scored
from domain.text import CODE_LIMIT, LINE_LIMIT, TEXT_LIMIT
from domain.zone import OFFICE_ZONE
from ledger.log import Connection
from ledger.rows import CaseRow
from ledger.suggestions import similar_cases
from ledger.work import usual_categories

router = APIRouter(prefix="/register")

_Registers = Annotated[Caller, may(Permission.CASE_REGISTER)]
_Stream = Annotated[str, Path(pattern="^case-[0-9a-f]{32}$")]

_SENTENCE = re.compile(r"[。！？!?；;\n]")
_TITLE, _GRIDS, _BIG, _CATEGORIES = 30, 400, 8, 400
_REPORTER = ("name", "phone", "address")
_FRESH = timedelta(hours=1)
_ENOUGH, _ALIKE = 4, 3
_SENT_BEFORE = ("command.reused", "vault.content_differs")

_CHANNELS: Mapping[Role, tuple[str, ...]] = {
    Role.GRID_WORKER: ("grid", "visit", "phone", "chat_group"),
    Role.COMMUNITY: ("visit", "phone", "chat_group", "community"),
    Role.STREET_DISPATCHER: ("phone", "visit", "street", "chat_group"),
    Role.HOTLINE: ("hotline", "phone"),
}
"""How requests come to somebody in a role, the usual way first."""


@dataclass
class Written:
    """What stands in the form: by name, as it was typed; ``kept`` the digests of photographs uploaded already."""

    command_id: str
    values: dict[str, str] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, form: FormData) -> "Written":
        """What was sent."""
        values = {name: value.strip() for name, value in form.multi_items() if isinstance(value, str)}
        kept = [each for each in form.getlist("kept") if isinstance(each, str)]
        return cls(values.get(COMMAND_ID_FIELD) or new_command_id(), values, kept)

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")


def title_of(text: str) -> str:
    """The first sentence, short enough for a list."""
    first = next((part.strip() for part in _SENTENCE.split(text) if part.strip()), "")
    return first if len(first) <= _TITLE else f"{first[:_TITLE]}…"


# --- the form -------------------------------------------------------------------------------------------------------


@router.get("")
async def form(request: Request, caller: _Registers) -> Response:
    """An empty form for the caller's own place."""
    return await _form(request, caller, Written(new_command_id()))


@router.post("")
async def register(request: Request, caller: _Registers) -> Response:
    """Enter the request; a form that comes back says why and holds everything that was written."""
    async with request.form() as sent:
        written = Written.of(sent)
        try:
            acted = await _register(caller, written, sent)
        except Pending:
            # It is on its way and will be there: the page of the number waits for it.
            return RedirectResponse(f"/register/{_stream(written)}?sent=1", 303)
        except Refused as refused:
            if refused.code in _SENT_BEFORE:
                # Back, changed, sent again: that is another request, and only on purpose.
                refused = Refused("register.sent_before", number=number_of(_stream(written)))
                written.command_id = new_command_id()
            return await _form(request, caller, written, refused.refusal)
    stream = acted.answer.stream
    await _hand_out_code(caller, stream, written["phone"])
    masked = "?masked=1" if {"title", "text"}.intersection(acted.masked) else ""
    return RedirectResponse(f"/register/{stream}{masked}", 303)


@router.post("/similar")
async def similar(request: Request, caller: _Registers) -> Response:
    """Whether somebody told of the same thing lately: a hint under what is being written, never in an address."""
    async with request.form() as sent:
        written = Written.of(sent)
    text, title, grid = written["text"][:TEXT_LIMIT], written["title"][:LINE_LIMIT], written["grid"][:CODE_LIMIT]
    found: list[Scored[CaseRow]] = []
    if len(text) >= _ENOUGH and grid and "\0" not in grid:
        async with caller.office.pool.acquire() as conn:
            found = await _similar(conn, caller, grid, title or title_of(text), text)
    return page(request, "register/_similar.html", caller=caller, similar=found)


async def _similar(
    conn: Connection, caller: Caller, grid: str, title: str, text: str, but: str | None = None
) -> list[Scored[CaseRow]]:
    reach = caller.reach(Permission.CASE_READ)
    return await similar_cases(
        conn, grid=grid, title=title, text=text, now=datetime.now(UTC), but=but, reach=reach, limit=_ALIKE
    )


def _stream(written: Written) -> str:
    return stream_of("case", "command", written.command_id)


async def _register(caller: Caller, written: Written, sent: FormData) -> Acted:
    """Photographs first: where something else is refused they need not be chosen again."""
    given = {"field": "photos"}
    wanted, written.kept = written.kept, []
    before = await kept_before(caller.office, caller, wanted, "before", **given)
    written.kept = [each.digest for each in before]
    fresh = await keep_uploads(caller.office, caller, sent.getlist("photos"), "before", **given)
    evidence = {each.digest: each for each in (*before, *fresh)}
    written.kept = list(evidence)
    if len(evidence) > caller.office.files.most:
        raise Refused("file.too_many", field="photos", limit=caller.office.files.most)
    command = _command(caller, written)
    command["evidence"] = [each.model_dump(mode="json", exclude_none=True) for each in evidence.values()]
    return await open_process(
        caller, "case", "register", command, command_id=written.command_id, acting_as=written["as"] or None
    )


def _command(caller: Caller, written: Written) -> dict[str, Any]:
    """The command in what was written. Raises ``Refused`` ``field.missing`` and ``field.invalid``.

    A photograph and a kind say enough: then the words are those of the kind, so that three taps will do.
    """
    code = written["other_category"] or written["category"]
    known = caller.registry.category(code, caller.today) if code else None
    grid = caller.registry.grid(written["grid"]) if written["grid"] else None
    text, title = written["text"], written["title"] or title_of(written["text"])
    if not text:
        if known is None or not written.kept:
            raise Refused("field.missing", field="text")
        text = f"{known.name}，情况见照片。"
        title = written["title"] or f"{grid.name if grid else ''}{known.name}"
    command: dict[str, Any] = {
        "title": title,
        "text": text,
        "channel": written["channel"] or _channels(caller)[0],
        "urgency": written["urgency"] or (known.urgency if known else None) or "general",
        "reporter": {name: written[name] for name in _REPORTER if written[name]} or None,
        "category": code or None,
        "grid": written["grid"] or None,
    }
    if not written["grid"]:
        command["street"] = _street(caller)
    if written["found_at"]:
        command["found_at"] = _found_at(written["found_at"])
    return {name: value for name, value in command.items() if value is not None}


def _found_at(given: str) -> str:
    """A moment in office time, as a browser gives it."""
    try:
        return datetime.fromisoformat(given[:32]).replace(tzinfo=OFFICE_ZONE).isoformat()
    except ValueError:
        raise Refused("field.invalid", field="found_at", reason="YYYY-MM-DDTHH:MM") from None


async def _hand_out_code(caller: Caller, stream: str, phone: str) -> None:
    async with caller.office.pool.acquire() as conn:
        tracking = Tracking(caller.office.key)
        await tracking.issue(conn, stream, phone or None, by=caller.person, at=datetime.now(UTC))


async def _form(request: Request, caller: Caller, written: Written, refusal: Refusal | None = None) -> Response:
    if refusal is not None and refusal.field == "evidence":
        refusal = refusal.model_copy(update={"field": "photos"})
    if refusal is not None and (refusal.field or "").startswith("reporter."):
        refusal = refusal.model_copy(update={"field": (refusal.field or "").partition(".")[2]})
    grids = grid_choices(caller)
    async with caller.office.pool.acquire() as conn:
        likely = await _likely(conn, caller, written["grid"] or (grids[0][0] if grids else ""))
    channels = _channels(caller)
    return page(
        request,
        "register/form.html",
        caller=caller,
        written=written,
        refusal=refusal,
        grids=grids,
        likely=likely,
        categories=[(each.code, each.name) for each in _valid(caller)][:_CATEGORIES],
        channels=[(code, words.word(words.CHANNEL, code)) for code in channels],
        urgencies=[(code, say(*names)) for code, names in words.URGENCY.items()],
        most=caller.office.files.most,
        line_limit=LINE_LIMIT,
        text_limit=TEXT_LIMIT,
        status=200 if refusal is None else status_of(refusal),
    )


# --- what there is to choose from ------------------------------------------------------------------------------------


def _own(caller: Caller) -> tuple[Actor, ...]:
    """The roles in which the caller registers, those of a grid first."""
    found = [each for each in caller.holds if each.role in _CHANNELS]
    return tuple(sorted(found, key=lambda each: each.grid is None))


def _channels(caller: Caller) -> tuple[str, ...]:
    own = _own(caller)
    return _CHANNELS[own[0].role] if own else ("grid",)


def _street(caller: Caller) -> str | None:
    """The street the caller works for, where that is one; a single street of the office needs no telling."""
    streets = {found[0] for found in _places(caller) if found[0]}
    return streets.pop() if len(streets) == 1 and len(caller.registry.streets(caller.today)) > 1 else None


def _places(caller: Caller) -> Iterable[tuple[str | None, str | None, str | None]]:
    """Street, community and grid of each role the caller registers in."""
    registry, day = caller.registry, caller.today
    for actor in _own(caller):
        if actor.grid is not None:
            street, community = registry.place_of(actor.grid, day) or (None, None)
            yield street, community, actor.grid
        elif actor.organisation is not None:
            above = registry.ancestors(actor.organisation, day)
            street = above[0].code if actor.role is Role.COMMUNITY and above else actor.organisation
            yield street, actor.organisation if actor.role is Role.COMMUNITY else None, None


def grid_choices(caller: Caller) -> list[tuple[str, str]]:
    """The grids to choose from with their names, the likeliest first: the own ones, those of the own community, of the
    own street; all of them for somebody who works for no street.
    """
    registry, places = caller.registry, tuple(_places(caller))
    ranked: list[tuple[int, str, str]] = []
    for grid in registry.grids:
        where = registry.place_of(grid.code, caller.today) if grid.valid(caller.today) else None
        if where is not None and (rank := _rank(grid, where, places)) is not None:
            ranked.append((rank, grid.code, _grid_name(grid, registry)))
    return [(code, name) for _, code, name in sorted(ranked)[:_GRIDS]]


def _rank(
    grid: Grid, where: tuple[str, str], places: tuple[tuple[str | None, str | None, str | None], ...]
) -> int | None:
    if any(grid.code == own for _, _, own in places):
        return 0
    if any(where[1] == community for _, community, _ in places):
        return 1
    return 2 if not places or any(where[0] == street for street, _, _ in places) else None


def _grid_name(grid: Grid, registry: Registry) -> str:
    community = registry.organisation(grid.community)
    return say(f"{grid.name}（{community.name}）", f"{grid.name} ({community.name})") if community else grid.name


def _valid(caller: Caller) -> list[Category]:
    return [each for each in caller.registry.categories if each.valid(caller.today)]


async def _likely(conn: Connection, caller: Caller, grid: str) -> list[tuple[str, str]]:
    """The few categories shown large: those most registered nearby of late, filled up with everyday ones."""
    known = {each.code: each.name for each in _valid(caller)}
    where = caller.registry.place_of(grid, caller.today) if grid else None
    used = await usual_categories(conn, where[1]) if where else []
    everyday = [each.code for each in _valid(caller) if each.on_the_spot]
    codes = dict.fromkeys([*used, *everyday, *known])
    return [(code, known[code]) for code in codes if code in known][:_BIG]


# --- the number ------------------------------------------------------------------------------------------------------


@router.get("/{stream}")
async def done(request: Request, caller: _Registers, stream: _Stream) -> Response:
    """The number of a request the caller has just registered, and the code for the resident.

    A request whose answer was late may not be there yet: then the page says so and looks again.
    """
    async with caller.office.pool.acquire() as conn:
        row = await _own_row(conn, caller, stream, sent="sent" in request.query_params)
        code = (
            None
            if row is None
            else await Tracking(caller.office.key).shown_to(conn, stream, caller.person, datetime.now(UTC))
        )
        alike = (
            await _similar(conn, caller, row.grid, row.title or "", row.text or "", stream) if row and row.grid else []
        )
    known = caller.registry.category(row.category) if row is not None and row.category else None
    return page(
        request,
        "register/done.html",
        caller=caller,
        row=row,
        number=number_of(stream),
        stream=stream,
        code=code,
        similar=alike,
        fresh=row is not None and datetime.now(UTC) - row.registered_at < _FRESH,
        masked="masked" in request.query_params,
        grid=caller.registry.grid(row.grid) if row is not None and row.grid else None,
        category=known,
        on_the_spot=known is not None and known.on_the_spot and caller.may("act.handle_on_spot"),
        status=200 if row is not None else 202,
    )


@router.post("/{stream}/code")
async def code(request: Request, caller: _Registers, stream: _Stream) -> Response:
    """The resident's code of a request whose answer was late, made after the fact by whoever registered it."""
    async with caller.office.pool.acquire() as conn:
        row = await _own_row(conn, caller, stream, sent=False)
        if row is None or datetime.now(UTC) - row.registered_at > _FRESH:
            raise Refused("case.unknown")
        phone = await caller.office.vault.read(conn, stream, "reporter_phone")
    await _hand_out_code(caller, stream, phone or "")
    return RedirectResponse(f"/register/{stream}", 303)


async def _own_row(conn: Connection, caller: Caller, stream: str, *, sent: bool) -> CaseRow | None:
    """The case, for whoever registered it; None while it is on its way. Raises ``Refused`` ``case.unknown``."""
    try:
        row = await row_of(conn, stream)
    except Refused:
        if sent:
            return None
        raise
    if not isinstance(row, CaseRow) or row.opened_by != caller.person:
        raise Refused("case.unknown")
    return row
