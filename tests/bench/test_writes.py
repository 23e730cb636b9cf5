"""What the peers of the bench write is what a case of ours writes: as many rows in every table, under another id."""

import uuid

import asyncpg

from bench.backup import played
from bench.town import furnish
from bench.writes import CHANGES, TABLES, LoopWrites, make_tables, record
from runtime.pool import open_pool

VAULT = {"vault_key", "vault_entry"}


async def test_a_peer_writes_as_many_rows_as_a_case_of_ours(migrated_database: str) -> None:
    conn: asyncpg.Connection = await asyncpg.connect(migrated_database)
    pool = await open_pool(migrated_database, size=2)
    try:
        await furnish(conn)
        ours = await played(pool, until=None)
        writes = await LoopWrites.recorded(conn, ours)
        await make_tables(conn)

        peer = f"case-{uuid.uuid4().hex}"
        for act in writes.acts:
            await record(pool, act, peer, uuid.uuid4(), "digest")

        for table in set(TABLES) - VAULT:
            column = "id" if table.startswith("case_") else "stream"
            told = await conn.fetchval(f"select count(*) from {table} where {column} = $1", ours)
            assert told > 0 or table == "notice", table  # nobody has to be told of a loop that is in time
            assert await conn.fetchval(f"select count(*) from bare_{table} where {column} = $1", peer) == told, table
        for table in CHANGES:
            told = await conn.fetchval(f"select count(*) from {table}")
            assert told > 0
            assert await conn.fetchval(f"select count(*) from bare_{table}") == told, table
    finally:
        await pool.close()
        await conn.close()
