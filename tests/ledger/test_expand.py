"""A release beside a newer schema: what it reads, what it writes, and what a migration may take from it."""

import re
from collections.abc import AsyncIterator

import asyncpg
import pytest

from domain.zone import office_day
from ledger.calendars import read_calendars, store_calendar
from ledger.log import command_of, feed, history
from ledger.migrate import Migration, load_migrations
from ledger.outbox import NoticeFilter, deliveries_of, list_notices, route
from ledger.queries import (
    case_of_source,
    clocks_of,
    inbox,
    list_cases,
    list_wishes,
    one_case,
    one_wish,
    open_tasks_of,
)
from ledger.rebuild import differences, rebuild
from ledger.registry import load_registry, read_registry, read_rule_books, store_rule_book
from runtime.pool import open_pool
from tests.ledger.test_rebuild import Office, _play
from tests.neighbourhood import CALENDAR, GRID, NATURAL_BOOK, NOON, raw_registry

FIRST = 21
"""From here on the migrations are those of upgrades; what came before made the first schema."""


@pytest.fixture
async def office(ledger: str, conn: asyncpg.Connection) -> AsyncIterator[Office]:
    """A ledger with registry and rules, in which nothing has happened yet."""
    await load_registry(conn, raw_registry(), "lead")
    await store_rule_book(conn, NATURAL_BOOK.version, NATURAL_BOOK.model_dump(mode="json"))
    await store_calendar(conn, CALENDAR)
    pool = await open_pool(ledger, size=2, role="bihuan_app")
    yield Office(pool)
    await pool.close()


async def expand(conn: asyncpg.Connection) -> None:
    """Give every table a column more, as the next release may."""
    tables = await conn.fetch("select tablename as relname from pg_tables where schemaname = 'public'")
    for table in tables:
        await conn.execute(f'alter table "{table["relname"]}" add column learned_later text')


async def test_a_release_reads_and_writes_beside_tables_that_have_learned_more(
    office: Office, conn: asyncpg.Connection
) -> None:
    await expand(conn)

    await _play(office)

    command = (await history(conn, "case-a"))[0].command_id
    assert await command_of(conn, command) is not None
    assert (await feed(conn, None))[0]
    assert len((await list_cases(conn)).items) == 3
    assert await one_case(conn, "case-a") == await case_of_source(conn, "hotline", "1")
    assert await clocks_of(conn, "case-a")
    assert await open_tasks_of(conn, "case-a")
    assert (await inbox(conn, grid=GRID)).items
    assert len((await list_wishes(conn)).items) == 2
    assert await one_wish(conn, "wish-a")
    registry = await read_registry(conn)
    assert registry.revision == 1
    await route(conn, registry, office_day(NOON))
    notices = (await list_notices(conn, NoticeFilter())).items
    assert any(each.deliveries for each in notices)
    assert await deliveries_of(conn, [each.notice.id for each in notices])
    assert (await read_rule_books(conn)).current == NATURAL_BOOK.version
    assert (await read_calendars(conn)).current == CALENDAR.version
    assert (await rebuild(conn)).differences == []


async def test_rows_of_the_release_before_get_the_blank_value_of_a_column_that_must_not_be_null(
    office: Office, conn: asyncpg.Connection
) -> None:
    """The way docs/upgrades.md tells: the blank stands in ledger_rows, and an update leaves what stands there."""
    body = await conn.fetchval("select pg_get_functiondef('ledger_rows(jsonb)'::regprocedure)")
    blank = """jsonb_populate_record(null::case_row, '{"patience": 7}')"""
    # The column is not among those an update sets: the release before knows nothing of it.
    taught = body.replace("jsonb_populate_recordset(null::case_row,", f"jsonb_populate_recordset({blank},")
    assert taught != body
    await conn.execute(f"alter table case_row add column patience integer not null default 7; {taught}")

    await office.act("case-a", "worker", kind="register", title="路面破损", text="东塘路口有坑", grid=GRID)
    assert await conn.fetchval("select patience from case_row") == 7
    await conn.execute("update case_row set patience = 9")
    await office.act("case-a", "worker", kind="comment", text="已联系居民")

    assert await conn.fetchval("select patience from case_row") == 9
    assert await differences(conn, "case-a") == []


@pytest.mark.parametrize(
    ("sql", "taken"),
    [
        ("create table a (id text not null);", []),
        ("alter table a add column b text, add column c integer not null default 0;", []),
        ("create or replace function f() returns void language sql as $$ drop table a $$;", []),
        ("-- drop table a\nselect 1; /* alter table a rename to b; */", []),
        ("create trigger t before truncate on a for each statement execute function f();", []),
        ("drop table a;", ["drop table"]),
        ("alter table a drop column b;", ["drop column"]),
        ("drop function f(text);", ["drop function"]),
        ("alter table a rename column b to c;", ["rename"]),
        ("alter table a alter column b set not null;", ["set not null"]),
        ("alter table a alter column b type bigint;", ["alter column b type"]),
        ("alter table a add column b text not null;", ["add column b text not null"]),
        ("truncate a;", ["truncate"]),
    ],
)
def test_what_a_migration_takes_away_is_seen(sql: str, taken: list[str]) -> None:
    assert Migration(1, "one", sql).taken_away() == taken


def test_a_migration_that_takes_something_away_says_why_it_may() -> None:
    new = [each for each in load_migrations() if each.number >= FIRST]

    assert new
    silent = {f"{each.number:04}": each.taken_away() for each in new if each.taken_away() and not each.is_contract}
    assert silent == {}, "write a line '-- contract: why nobody needs it any more' (docs/upgrades.md)"


def test_every_migration_so_far_says_what_it_is_for() -> None:
    assert all(re.match(r"-- \S", each.sql) for each in load_migrations())
