"""The invented town the crowd of cases lives in: organisations, people, and the acts of one case from end to end."""

import uuid
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from bench.crowd import Town
from domain.people import Actor, Role
from domain.process import ActInput, Envelope, Outcome
from domain.registry_problem import RawRegistry
from ledger.calendar_files import from_library
from ledger.calendars import store_calendar
from ledger.registry import load_registry, store_rule_book
from ledger.rule_files import example_book

STREET, COMMUNITY, GRID = "S02", "C0203", "G020304"
_LEAD = "D03"

_STAFF: tuple[tuple[str, Role, str | None, str | None], ...] = (
    ("worker", Role.GRID_WORKER, None, GRID),
    ("checker", Role.GRID_WORKER, None, GRID),
    ("head", Role.GRID_HEAD, None, GRID),
    ("captain", Role.VANGUARD_CAPTAIN, None, GRID),
    ("community", Role.COMMUNITY, COMMUNITY, None),
    ("approver", Role.COMMUNITY, COMMUNITY, None),
    ("dispatcher", Role.STREET_DISPATCHER, STREET, None),
    ("handler", Role.DEPARTMENT_HANDLER, _LEAD, None),
    ("supervisor", Role.SUPERVISOR, None, None),
    ("administrator", Role.ADMINISTRATOR, None, None),
)
ACTORS = {name: Actor(person=name, role=role, organisation=unit, grid=grid) for name, role, unit, grid in _STAFF}
"""Who asks for pages and acts on the one real case, by their code."""

_DIGEST = "a" * 64
_AFTER = {"kind": "after", "ref": "file-after", "digest": _DIGEST}


def town_registry(town: Town | None = None) -> RawRegistry:
    """The registry of the town: about five hundred grids and as many people as open cases in the crowd."""
    town = town or Town()
    streets = [f"S{number:02}" for number in range(1, town.streets + 1)]
    communities = [(f"C{street[1:]}{n:02}", street) for street in streets for n in range(1, town.communities + 1)]
    organisations = [
        {"code": "Q01", "name": "示例区", "kind": "district"},
        *({"code": code, "name": f"{code}街道", "kind": "street", "parent": "Q01"} for code in streets),
        *({"code": code, "name": f"{code}社区", "kind": "community", "parent": street} for code, street in communities),
        *({"code": f"D{n:02}", "name": f"{n}号部门", "kind": "department", "parent": "Q01"} for n in range(1, 10)),
    ]
    grids = [
        {"code": f"G{code[1:]}{n:02}", "name": f"{code[1:]}第{n}网格", "community": code, "households": 400}
        for code, _ in communities
        for n in range(1, town.grids + 1)
    ]
    names = {f"p-{n:03}": f"职工{n}" for n in range(1, 401)}
    names |= {f"h-D{d:02}-{n:02}": f"经办{d}-{n}" for d in range(1, 9) for n in range(1, 21)}
    names |= {name: name for name in ACTORS}
    held = [(each.person, each.role, each.organisation, each.grid) for each in ACTORS.values()]
    held += [
        (f"h-D{d:02}-{n:02}", Role.DEPARTMENT_HANDLER, f"D{d:02}", None) for d in range(1, 9) for n in range(1, 21)
    ]
    return RawRegistry.of(
        {
            "organisations": organisations,
            "grids": grids,
            "categories": [{"code": f"K{n:02}", "name": f"{n}类事项", "urgency": "general"} for n in range(2, 10)],
            "people": [{"id": code, "name": name} for code, name in names.items()],
            "assignments": [_held(*each) for each in held],
        }
    )


def _held(person: str, role: Role, unit: str | None, grid: str | None) -> dict[str, Any]:
    return {
        "person": person,
        "role": role.value,
        **({"organisation": unit} if unit else {}),
        **({"grid": grid} if grid else {}),
    }


def acts_of_a_case() -> Iterator[tuple[str, dict[str, Any]]]:
    """Who does what from the registration to the appraisal; a signature's digest is filled in by whoever records."""
    work = {"people": 2, "minutes": 45}
    yield (
        "worker",
        {
            "kind": "register",
            "title": "路面坑洼",
            "text": "小区门口路面坑洼，雨天积水，影响老人出行",
            "grid": GRID,
            "category": "K02",
        },
    )
    yield "community", {"kind": "whistle", "reason": "reflected", "departments": [_LEAD], "approver": "approver"}
    yield "dispatcher", {"kind": "dispatch", "lead": _LEAD}
    yield "handler", {"kind": "accept"}
    yield "handler", {"kind": "report_progress", "text": "已联系居民，明日开工", "contacted": True}
    yield "handler", {"kind": "strike_off", "measures": "路面已修补", "workload": work, "evidence": [_AFTER]}
    yield "checker", {"kind": "verify", "passed": True, "evidence": [_AFTER]}
    yield "captain", {"kind": "sign"}
    yield "head", {"kind": "sign"}
    yield "worker", {"kind": "feed_back", "to": "department", "text": "核查通过"}
    yield "worker", {"kind": "feed_back", "to": "resident", "text": "已修好，请查看"}
    yield "worker", {"kind": "visit", "answered": True, "satisfaction": "satisfied", "solved": True}


async def furnish(
    conn: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy, registry: RawRegistry | None = None
) -> None:
    """Put the town, or another ``registry``, into a migrated ledger, with the example of the rules and the calendar."""
    await load_registry(conn, registry or town_registry(), "bench")
    book = example_book()
    await store_rule_book(conn, book.version, book.model_dump(mode="json"))
    await store_calendar(conn, from_library(), by="bench")


async def play_straight(
    act: Callable[[ActInput], Awaitable[Outcome]],
    conn: asyncpg.Connection | asyncpg.Pool,
    *,
    begun: datetime,
    apart: timedelta,
    until: str | None = None,
) -> tuple[str, int]:
    """A case acted on without an engine, through its whole loop or until an act of this kind; its stream and acts."""
    stream, number, last = f"case-{uuid.uuid4().hex}", 0, Outcome(seq=0, hash="")
    for number, (who, command) in enumerate(acts_of_a_case(), 1):
        if command["kind"] == "sign":
            found = "select body ->> 'digest' from event where stream = $1 and kind = 'verified'"
            command = {**command, "digest": await conn.fetchval(found, stream)}
        command_id = str(uuid.uuid4())
        last = await act(
            ActInput(
                process="case",
                stream=stream,
                seq=last.seq,
                hash=last.hash,
                at=begun + number * apart,
                command_id=command_id,
                envelope=Envelope(command_id=command_id, actor=ACTORS[who], command=command),
            )
        )
        assert last.refusal is None, last.refusal
        if command["kind"] == until:
            break
    return stream, number
