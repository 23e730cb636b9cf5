"""Every row of a ledger, to be compared with another."""

import json

import asyncpg

from ledger.loading import tables


async def all_rows(conn: asyncpg.Connection) -> dict[str, list[str]]:
    """The rows of every table that is copied, without places of transactions: they belong to one server."""
    found: dict[str, list[str]] = {}
    for table in await tables(conn):
        rows = await conn.fetch(f"select (to_jsonb(t) - 'tx' - 'position')::text as row from \"{table.name}\" t")
        found[table.name] = sorted(json.dumps(json.loads(row["row"]), sort_keys=True) for row in rows)
    return found
