"""What the role of the doors may do to registry, rules and calendar: add to them, and nothing else."""

import asyncpg
import pytest

from domain.errors import Refused
from ledger.calendars import current_calendar, store_calendar
from ledger.registry import load_registry, read_registry
from ledger.rule_books import choose_rule_book, current_version
from tests.neighbourhood import CALENDAR, NATURAL_BOOK, raw_registry


@pytest.fixture
async def door(conn: asyncpg.Connection) -> asyncpg.Connection:
    await conn.execute("set role bihuan_app")
    return conn


async def test_the_doors_load_a_registry_a_book_and_a_calendar(door: asyncpg.Connection) -> None:
    assert await load_registry(door, raw_registry(), "root") == 1
    await choose_rule_book(door, NATURAL_BOOK, "root")
    await store_calendar(door, CALENDAR, by="root")

    assert (await read_registry(door)).revision == 1
    assert await current_version(door) == NATURAL_BOOK.version
    calendar = await current_calendar(door)
    assert calendar is not None
    assert calendar.version == CALENDAR.version


async def test_nothing_is_added_to_a_revision_that_was_made_before(door: asyncpg.Connection) -> None:
    await load_registry(door, raw_registry(), "root")

    with pytest.raises(asyncpg.PostgresError) as error:
        await door.execute(
            "insert into person (revision, id, name, valid_from) values (1, 'intruder', '某', '2026-01-01')"
        )

    assert error.value.sqlstate == "BH006"


@pytest.mark.parametrize("number", [1, 3, 99])
async def test_revisions_follow_each_other(door: asyncpg.Connection, number: int) -> None:
    await load_registry(door, raw_registry(), "root")

    with pytest.raises(asyncpg.PostgresError) as error:
        await door.execute("insert into registry_revision values ($1, now(), 'root', 'x')", number)

    assert error.value.sqlstate == "BH006"


@pytest.mark.parametrize(
    "statement",
    [
        "update organisation set name = 'x'",
        "delete from assignment",
        "truncate person",
        "update rule_book set body = '{}'",
        "delete from calendar_choice",
        "alter table grid add column x text",
        "drop trigger person_whole_revision on person",
    ],
)
async def test_nothing_that_stands_is_changed(door: asyncpg.Connection, statement: str) -> None:
    await load_registry(door, raw_registry(), "root")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await door.execute(statement)


async def test_a_book_keeps_its_version_at_the_doors_too(door: asyncpg.Connection) -> None:
    await choose_rule_book(door, NATURAL_BOOK, "root")

    with pytest.raises(Refused, match=r"rules\.version_exists"):
        await choose_rule_book(door, NATURAL_BOOK.model_copy(update={"name": "另一本"}), "root")
