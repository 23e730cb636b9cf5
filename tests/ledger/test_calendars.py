"""Calendars in the database: kept for ever under their version, one in force, known to both ways into the log."""

import asyncio
from datetime import date
from uuid import UUID, uuid4

import asyncpg
import pytest

from domain.calendar import Day, WorkCalendar, standard_week
from ledger.calendars import (
    check_version,
    current_calendar,
    read_calendar,
    read_calendars,
    replace_calendar,
    store_calendar,
)
from ledger.log import Believed, Json, history, open_stream, record
from ledger.versions import CALENDARS, list_versions, open_cases_elsewhere
from ledger.world import Worlds
from tests.ledger.facts import NOON, case_row, fact, write
from tests.refusals import refused

FIRST = WorkCalendar(
    version="office-1",
    name="办公日历",
    week=standard_week(),
    off=(Day(on=date(2026, 10, 1), name="国庆节"),),
    made_up=(Day(on=date(2026, 10, 10), name="国庆节"),),
    published_from=date(2026, 1, 1),
    published_until=date(2026, 12, 31),
)
SECOND = FIRST.model_copy(update={"version": "office-2", "published_until": date(2027, 12, 31)})
OTHER_CONTENT = FIRST.model_copy(update={"name": "另一本"})


async def test_a_calendar_is_kept_and_chosen(conn: asyncpg.Connection) -> None:
    assert (await read_calendars(conn)).current is None
    assert await current_calendar(conn) is None

    await store_calendar(conn, FIRST)
    await store_calendar(conn, SECOND, choose=False)
    assert await current_calendar(conn) == FIRST
    await store_calendar(conn, SECOND, by="director")
    await store_calendar(conn, SECOND, by="somebody-else")

    found = await read_calendars(conn)
    assert found.current == "office-2"
    assert found.calendars == {"office-1": FIRST, "office-2": SECOND}
    assert await read_calendar(conn, "office-1") == FIRST
    choices = await conn.fetch("select version, chosen_by from calendar_choice order by number")
    assert [tuple(row) for row in choices] == [("office-1", "administrator"), ("office-2", "director")]


async def test_a_version_stands_for_one_content(conn: asyncpg.Connection) -> None:
    await store_calendar(conn, FIRST)
    await refused(store_calendar(conn, OTHER_CONTENT), "calendar.version_exists")
    await refused(check_version(conn, OTHER_CONTENT), "calendar.version_exists")
    await check_version(conn, FIRST)
    await check_version(conn, SECOND)
    assert await current_calendar(conn) == FIRST
    await refused(read_calendar(conn, "office-9"), "calendar.unknown")


@pytest.mark.parametrize("table", ["calendar", "calendar_choice"])
@pytest.mark.parametrize(
    "statement",
    ["update {} set version = 'x'", "delete from {}", "truncate {} cascade"],
    ids=["update", "delete", "truncate"],
)
async def test_nobody_changes_what_is_kept(conn: asyncpg.Connection, table: str, statement: str) -> None:
    await store_calendar(conn, FIRST)
    with pytest.raises(asyncpg.PostgresError):
        await conn.execute(statement.format(table))
    assert await current_calendar(conn) == FIRST


@pytest.mark.parametrize(
    "statement", ["update calendar set version = 'x'", "delete from calendar", "truncate calendar"]
)
async def test_the_application_adds_calendars_and_changes_none(conn: asyncpg.Connection, statement: str) -> None:
    await store_calendar(conn, FIRST)
    await conn.execute("set role bihuan_app")
    await store_calendar(conn, SECOND)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await conn.execute(statement)
    assert (await read_calendars(conn)).calendars == {"office-1": FIRST, "office-2": SECOND}


async def test_what_was_looked_at_beside_another_calendar_is_not_applied(conn: asyncpg.Connection) -> None:
    await replace_calendar(conn, FIRST, current=None, by="director")
    await refused(replace_calendar(conn, SECOND, current=None, by="director"), "calendar.moved_on")
    assert await current_calendar(conn) == FIRST
    await replace_calendar(conn, SECOND, current="office-1", by="director")
    assert await current_calendar(conn) == SECOND


async def test_of_two_imports_at_once_one_is_told_that_the_calendar_moved_on(ledger: str) -> None:
    async def replace(calendar: WorkCalendar) -> None:
        connection = await asyncpg.connect(ledger)
        try:
            await replace_calendar(connection, calendar, current=None, by="director")
        finally:
            await connection.close()

    outcomes = await asyncio.gather(replace(FIRST), replace(SECOND), return_exceptions=True)
    assert sorted(type(each).__name__ for each in outcomes) == ["NoneType", "Refused"]


async def test_the_lock_of_a_stream_tells_the_calendar_in_force(conn: asyncpg.Connection) -> None:
    for expected, calendar in ((None, FIRST), ("office-1", SECOND), ("office-2", FIRST)):
        async with conn.transaction():
            assert (await open_stream(conn, "case-1", UUID(int=1), 0)).calendar == expected
        await store_calendar(conn, calendar)


async def test_nothing_is_recorded_at_once_when_the_calendar_has_moved_on(conn: asyncpg.Connection) -> None:
    async def send(calendar: str | None) -> str | None:
        believed = Believed(head_seq=0, head_hash="", registry_revision=0, rule_book=None, calendar=calendar)
        return await record(
            conn, "case-a", "case", believed=believed, command_id=uuid4(), digest="d" * 64, at=NOON,
            events=[fact("opened")], rows={},
        )  # fmt: skip

    await store_calendar(conn, FIRST)
    assert await send(None) is None
    assert await send("office-2") is None
    assert await history(conn, "case-a") == []
    assert await send("office-1") is not None


async def test_the_application_appends_by_both_ways(conn: asyncpg.Connection) -> None:
    await store_calendar(conn, FIRST)
    await conn.execute("set role bihuan_app")
    async with conn.transaction():
        assert (await open_stream(conn, "case-a", uuid4(), 0)).calendar == "office-1"
    believed = Believed(head_seq=0, head_hash="", registry_revision=0, rule_book=None, calendar="office-1")
    head = await record(
        conn, "case-a", "case", believed=believed, command_id=uuid4(), digest="d" * 64, at=NOON,
        events=[fact("opened")], rows={},
    )  # fmt: skip
    assert head is not None


async def test_a_world_has_all_calendars_and_keeps_those_it_knows(conn: asyncpg.Connection) -> None:
    await store_calendar(conn, FIRST)
    worlds = Worlds()
    before = await worlds.get(conn, 0, None, "office-1")
    assert (before.calendars, before.current_calendar) == ({"office-1": FIRST}, "office-1")
    assert await worlds.get(conn, 0, None, "office-1") is before

    await store_calendar(conn, SECOND)
    after = await worlds.get(conn, 0, None, "office-2")
    assert after.current_calendar == "office-2"
    assert after.calendars["office-2"] == SECOND
    # The very object: what it has worked out about its days is not worked out again.
    assert after.calendars["office-1"] is before.calendars["office-1"]
    assert worlds.latest == (0, None, "office-2", after)


async def test_versions_are_listed_page_by_page_the_newest_first(conn: asyncpg.Connection) -> None:
    for number in range(5):
        await store_calendar(conn, FIRST.model_copy(update={"version": f"office-{number}"}), choose=number == 2)
    first = await list_versions(conn, CALENDARS, limit=3)
    rest = await list_versions(conn, CALENDARS, limit=3, cursor=first.next)
    assert [each.version for each in (*first.items, *rest.items)] == [f"office-{number}" for number in range(4, -1, -1)]
    assert rest.next is None
    assert [each.version for each in (*first.items, *rest.items) if each.current] == ["office-2"]
    assert [each.chosen_by for each in first.items] == [None, None, "administrator"]
    await refused(list_versions(conn, CALENDARS, cursor="nonsense"), "feed.bad_cursor")


async def test_open_cases_under_another_calendar_are_counted(conn: asyncpg.Connection) -> None:
    def row(name: str, calendar: str | None, *, finished: bool = False) -> Json:
        return case_row(name, calendar_version=calendar, finished=finished)

    for each in (
        row("case-a", "office-1"),
        row("case-b", "office-2"),
        row("case-c", None),
        row("case-d", "office-1", finished=True),
    ):
        await write(conn, str(each["id"]), 0, [fact("opened")], rows={"case_row": [each]})
    assert await open_cases_elsewhere(conn, CALENDARS, "office-2") == 2
    assert await open_cases_elsewhere(conn, CALENDARS, "office-1") == 2
    assert await open_cases_elsewhere(conn, CALENDARS, "office-3") == 3
