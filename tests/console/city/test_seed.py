"""An invented city is as lawful as what people do: what its ledger holds is what acting would have written."""

import hashlib
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from console.city.building import build
from console.city.town import City
from console.instance import prepare_ledger
from console.rebuilding import rebuild_all
from domain.case.closing import result_text
from domain.case.commands import Verify
from domain.case.explain import explain
from domain.errors import Refused
from domain.people import Actor, Role
from domain.process import ActInput, Envelope
from domain.processes import PROCESSES
from ledger.acting import act, envelope_digest
from ledger.anchors import AnchorFile
from ledger.audit import audit
from ledger.log import history
from ledger.rebuild import TABLES, differences
from ledger.world import Worlds, read_world
from runtime.pool import open_pool
from runtime.postgres import EmbeddedPostgres
from tests.copies import copy_database

UNTIL = datetime(2026, 11, 27, 4, 0, tzinfo=UTC)
SMALL = City(districts=1, streets=2, communities=1, grids=2)
CASES, DAYS = 120, 30

PROCESS = PROCESSES["case"]

SCHEMA = """
    select 'index', c.relname, pg_get_indexdef(c.oid) from pg_class c
    where c.relkind = 'i' and c.relnamespace = 'public'::regnamespace
    union all
    select 'constraint', conname, conrelid::regclass::text || ' ' || pg_get_constraintdef(oid) from pg_constraint
    where connamespace = 'public'::regnamespace
    union all
    select 'trigger', tgname || ' ' || tgenabled::text, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
    order by 1, 2, 3
"""


async def build_small(dsn: str, **given: Any) -> Any:
    """A small city of thirty days."""
    return await build(dsn, CASES, **{"seed": 1, "until": UNTIL, "days": DAYS, "city": SMALL, "by": "seed", **given})


@pytest.fixture(scope="module")
async def city(postgres: EmbeddedPostgres, schema: str) -> AsyncIterator[str]:
    """The address of a ledger with a small city in it; tests leave it as it is, or only add to it."""
    name = f"t_{uuid.uuid4().hex}"
    await copy_database(postgres, schema, name)
    await prepare_ledger(postgres.dsn(name))
    built = await build_small(postgres.dsn(name))
    assert CASES - 10 <= built.cases <= CASES
    assert 0 < built.open < built.cases
    yield postgres.dsn(name)
    await postgres.drop_database(name)


@pytest.fixture
async def conn(city: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the city as the owner of its tables."""
    connection = await asyncpg.connect(city)
    yield connection
    await connection.close()


async def dump(conn: asyncpg.Connection) -> dict[str, list[str]]:
    """Every column of every row of every read model, and the words of the search."""
    found = {}
    for table in (*TABLES, "case_text"):
        rows = await conn.fetch(f"select to_jsonb(t)::text as row from {table} t order by 1")
        found[table] = [row["row"] for row in rows]
    return found


async def test_a_rebuild_finds_every_row_as_the_acts_would_have_written_it(city: str, conn: asyncpg.Connection) -> None:
    before, heard = await dump(conn), list[tuple[int, int]]()
    done = await rebuild_all(city, told=lambda *counts: heard.append(counts))
    assert (done.differing, done.strays, done.anew) == (0, 0, False)
    assert done.rows == sum(len(rows) for table, rows in before.items() if table != "case_text")
    assert heard[-1] == (done.streams, done.streams)
    assert await dump(conn) == before


async def test_read_models_that_were_lost_are_made_anew_to_the_last_column(city: str, conn: asyncpg.Connection) -> None:
    before, schema = await dump(conn), await conn.fetch(SCHEMA)
    await conn.execute("truncate " + ", ".join(TABLES))
    done = await rebuild_all(city)
    assert done.anew
    assert await dump(conn) == before
    assert await conn.fetch(SCHEMA) == schema
    assert await conn.fetchval("select count(*) from routing") == len(before["notice"])


async def test_every_chain_is_whole(conn: asyncpg.Connection, tmp_path: Any) -> None:
    assert [each async for each in audit(conn, AnchorFile(tmp_path / "anchors.jsonl"))] == []


async def test_every_due_and_every_digest_is_what_the_rules_make_of_it(conn: asyncpg.Connection) -> None:
    world, checks, clocks = await read_world(conn), 0, 0
    for row in await conn.fetch("select id from case_row order by id"):
        events = [PROCESS.read_event(each.body) for each in await history(conn, row["id"])]
        state: Any = None
        for event in events:
            if event.kind == "verified":
                check = Verify(passed=event.passed, note=event.note, evidence=event.evidence)
                assert event.digest == hashlib.sha256(result_text(state, check).encode()).hexdigest()
                checks += 1
            state = PROCESS.evolve(state, event)
        told = explain(events, at=UNTIL, calendars=world.calendars).clocks
        assert all(each.agrees for each in told), row["id"]
        clocks += len(told)
    assert checks > 0
    assert clocks > CASES


async def test_a_command_sent_again_is_known_by_its_content(conn: asyncpg.Connection) -> None:
    row = await conn.fetchrow(
        "select c.id::text, c.digest, e.body::text as body from command c join event e on e.command_id = c.id"
        " where e.kind = 'handled_on_spot' order by c.id limit 1"
    )
    assert row is not None
    body = PROCESS.read_event(json.loads(row["body"])).model_dump(mode="json", exclude_none=True)
    command = {"kind": "handle_on_spot", "measures": body["measures"], "evidence": body["evidence"]}
    envelope = Envelope(command_id=row["id"], actor=Actor.model_validate(body["by"]), command=command)
    assert envelope_digest(envelope) == row["digest"]


async def test_search_and_couriers_find_what_triggers_would_have_left(conn: asyncpg.Connection) -> None:
    rows = "select id, registered_at, plain from case_text order by id"
    before = await conn.fetch(rows)
    assert len(before) == await conn.fetchval("select count(*) from case_row")
    transaction = conn.transaction()
    await transaction.start()
    await conn.execute("delete from case_text")
    # The trigger writes the words anew for a row that comes anew.
    await conn.execute("create temporary table kept as table case_row")
    await conn.execute("delete from case_row")
    await conn.execute("insert into case_row table kept")
    assert await conn.fetch(rows) == before
    await transaction.rollback()
    assert await conn.fetchval("select count(*) from routing") == await conn.fetchval("select count(*) from notice") > 0
    assert await conn.fetchval("select count(*) from routing where routed_at is null") == 0


async def test_indexes_constraints_and_triggers_are_those_of_the_migrations(
    conn: asyncpg.Connection, migrated_database: str
) -> None:
    other = await asyncpg.connect(migrated_database)
    try:
        assert await conn.fetch(SCHEMA) == await other.fetch(SCHEMA)
    finally:
        await other.close()


async def test_work_goes_on_in_the_city(city: str, conn: asyncpg.Connection) -> None:
    row = await conn.fetchrow(
        """
        select r.id, r.community, e.seq, e.hash from case_row r join event e on e.stream = r.id and e.seq = r.seq
        where not r.finished order by r.id limit 1
        """
    )
    assert row is not None
    staff = Actor(person=f"{row['community']}-staff", role=Role.COMMUNITY, organisation=row["community"])
    command_id = str(uuid.uuid4())
    pool = await open_pool(city, size=1, role="bihuan_app")
    try:
        outcome = await act(
            pool,
            Worlds(),
            ActInput(
                process="case", stream=row["id"], seq=row["seq"], hash=row["hash"], at=UNTIL, command_id=command_id,
                envelope=Envelope(command_id=command_id, actor=staff, command={"kind": "comment", "text": "已回访"}),
            ),
        )  # fmt: skip
    finally:
        await pool.close()
    assert outcome.refusal is None
    assert await differences(conn, row["id"]) == []
    with pytest.raises(Refused, match=r"seed\.not_empty"):
        await build_small(city)


async def test_a_build_that_ends_early_leaves_nothing_and_the_same_seed_gives_the_same_city(
    city: str, conn: asyncpg.Connection, migrated_database: str
) -> None:
    def interrupted(done: int, _all: int) -> None:
        if done:
            raise InterruptedError

    await prepare_ledger(migrated_database)
    with pytest.raises(InterruptedError):
        await build_small(migrated_database, told=interrupted)
    again = await asyncpg.connect(migrated_database)
    try:
        assert await again.fetchval("select count(*) from event") == 0
        await build_small(migrated_database)
        wanted = "select stream, seq, hash from event where seq = 1 order by stream"
        assert await again.fetch(wanted) == await conn.fetch(wanted)
    finally:
        await again.close()
