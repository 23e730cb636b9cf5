"""A ledger that is there but cannot be written: what an act does when PostgreSQL keeps it waiting."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg

from tests.workflows.office import Office


@asynccontextmanager
async def ledger_out_of_reach(office: Office, stream: str) -> AsyncIterator[None]:
    """Nobody can act on the stream inside: somebody else holds its lock."""
    async with office.owner.acquire() as conn, conn.transaction():
        await conn.execute("select pg_advisory_xact_lock(hashtextextended($1, 0))", stream)
        yield


@asynccontextmanager
async def ledger_shut(office: Office) -> AsyncIterator[None]:
    """The worker has lost its connections inside and gets no new ones, as while PostgreSQL is down."""
    name = urlsplit(office.dsn).path.strip("/")
    # Nobody may shut the database he is connected to.
    conn = await asyncpg.connect(office.dsn, database="postgres")
    try:
        await conn.execute(f'alter database "{name}" allow_connections false')
        await conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
        yield
    finally:
        await conn.execute(f'alter database "{name}" allow_connections true')
        await conn.close()
