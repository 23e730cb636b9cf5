"""What waits for somebody, over all their roles."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from domain.errors import Refused
from domain.people import Actor, Role
from domain.rights import Subject
from ledger.work import COUNTED, count_work, list_work
from tests.neighbourhood import ACTORS, GRID, LEAD, registry

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
REGISTRY = registry()


async def task(conn: asyncpg.Connection, number: int, kind: str, hours: float | None, **columns: Any) -> str:
    """An open task due so many hours from noon; its id."""
    stream = f"case-{number:032x}"
    row = {
        "stream": stream,
        "id": f"{kind}#1",
        "process": "case",
        "kind": kind,
        "opened_at": NOW,
        "due_at": None if hours is None else NOW + timedelta(hours=hours),
        **columns,
    }
    names = ", ".join(row)
    places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
    await conn.execute(f"insert into task ({names}) values ({places})", *row.values())
    return stream


def subject(*names: str) -> Subject:
    return Subject(person=ACTORS[names[0]].person, holds=tuple(ACTORS[name] for name in names))


async def streams(conn: asyncpg.Connection, who: Subject, **wanted: Any) -> list[str]:
    return [each.stream for each in (await list_work(conn, who, REGISTRY, **wanted)).items]


async def test_the_tasks_of_all_roles_come_in_the_order_they_are_due(conn: asyncpg.Connection) -> None:
    late = await task(conn, 1, "verify", 5, role="grid_worker", grid=GRID)
    never = await task(conn, 2, "triage", None, role="community", organisation="C01")
    soon = await task(conn, 3, "triage", 1, role="community", organisation="C01")
    over = await task(conn, 4, "visit", -2, role="grid_worker", grid=GRID, person="worker")
    both = Subject(
        person="worker", holds=(ACTORS["worker"], ACTORS["community"].model_copy(update={"person": "worker"}))
    )

    assert await streams(conn, both) == [over, soon, late, never]
    assert await streams(conn, both, kinds=["triage"]) == [soon, never]
    assert [each.light(NOW) for each in (await list_work(conn, both, REGISTRY)).items] == [
        "red",
        "green",
        "green",
        None,
    ]


@pytest.mark.parametrize(
    ("columns", "whose"),
    [
        ({"role": "grid_worker", "grid": GRID}, {"worker", "checker"}),
        ({"role": "grid_worker", "grid": GRID, "person": "checker"}, {"checker"}),
        ({"role": "grid_worker", "grid": "G11", "person": "worker"}, {"worker"}),
        ({"role": "department_handler", "organisation": LEAD}, {"handler", "department-head"}),
        ({"role": "department_handler", "organisation": LEAD, "person": "handler"}, {"handler"}),
        ({"role": "street_dispatcher", "organisation": "S01"}, {"dispatcher"}),
        ({"role": "street_dispatcher"}, {"dispatcher"}),
        ({"role": "community", "organisation": "C02"}, {"far-community"}),
        ({"role": "supervisor", "organisation": "S01"}, {"supervisor"}),
        ({"role": "supervisor", "organisation": "S99"}, set()),
    ],
)
async def test_a_task_waits_for_those_who_hold_its_role_in_its_place(
    conn: asyncpg.Connection, columns: dict[str, str], whose: set[str]
) -> None:
    await task(conn, 1, "any", 1, **columns)

    found = {name for name in ACTORS if await streams(conn, subject(name))}

    assert found == whose


async def test_a_closed_task_waits_for_nobody(conn: asyncpg.Connection) -> None:
    await task(conn, 1, "verify", 1, role="grid_worker", grid=GRID, closed_at=NOW)

    assert await streams(conn, subject("worker")) == []


async def test_somebody_of_the_district_sees_what_waits_in_its_streets(conn: asyncpg.Connection) -> None:
    stream = await task(conn, 1, "decide_extension", 1, role="supervisor", organisation="S01")
    of_district = Actor(person="above", role=Role.SUPERVISOR, organisation="Q01")
    everywhere = Actor(person="above", role=Role.SUPERVISOR)

    for actor in (of_district, everywhere):
        assert await streams(conn, Subject(person="above", holds=(actor,))) == [stream]


async def test_the_next_page_goes_on_where_the_last_one_ended(conn: asyncpg.Connection) -> None:
    expected = [
        await task(conn, number, "verify", number if number < 4 else None, role="grid_worker", grid=GRID)
        for number in range(1, 6)
    ]
    found, cursor = list[str](), None
    while True:
        page = await list_work(conn, subject("worker"), REGISTRY, limit=2, cursor=cursor)
        found += [each.stream for each in page.items]
        cursor = page.next
        if cursor is None:
            break

    assert found == expected


@pytest.mark.parametrize("cursor", ["", "x", "W10"])
async def test_a_cursor_of_nobodys_list_is_refused(conn: asyncpg.Connection, cursor: str) -> None:
    with pytest.raises(Refused) as refused:
        await list_work(conn, subject("worker"), REGISTRY, cursor=cursor)

    assert refused.value.code == "feed.bad_cursor"


async def test_a_clock_past_its_warning_turns_the_task_yellow_and_one_for_signing_says_so(
    conn: asyncpg.Connection,
) -> None:
    stream = await task(conn, 1, "handle", 2, role="department_handler", organisation=LEAD)
    await conn.execute(
        """
        insert into clock (stream, id, process, kind, organisation, limit_text, started_at, warn_at, due_at,
                           provisional, state)
        values ($1, 'sign_for#1', 'case', 'sign_for', $2, '4h', $3, $4, $5, false, 'running')
        """,
        stream,
        LEAD,
        NOW - timedelta(hours=2),
        NOW - timedelta(minutes=1),
        NOW + timedelta(hours=2),
    )

    (work,) = (await list_work(conn, subject("handler"), REGISTRY)).items

    assert work.light(NOW) == "yellow"
    assert work.light(NOW - timedelta(hours=1)) == "green"
    assert not work.signed_for


async def test_tasks_are_counted_by_role_and_kind_up_to_a_bound(conn: asyncpg.Connection) -> None:
    for number, hours in enumerate([-5, -1, 2, 30, None]):
        await task(conn, number, "verify", hours, role="grid_worker", grid=GRID)
    for number in range(100, 100 + COUNTED + 20):
        await task(conn, number, "triage", 50, role="community", organisation="C01")
    both = Subject(person="worker", holds=(ACTORS["worker"], ACTORS["community"]))

    found = await count_work(conn, both, REGISTRY, now=NOW, tomorrow=NOW + timedelta(hours=12))

    assert [(each.role, each.kind, each.tasks, each.overdue, each.today) for each in found] == [
        ("community", "triage", COUNTED, 0, 0),
        ("grid_worker", "verify", 5, 2, 1),
    ]


async def test_somebody_without_a_role_has_nothing_to_do(conn: asyncpg.Connection) -> None:
    await task(conn, 1, "verify", 1, role="grid_worker", grid=GRID)

    assert await streams(conn, Subject(person="nobody")) == []
    assert await count_work(conn, Subject(person="nobody"), REGISTRY, now=NOW, tomorrow=NOW) == []
