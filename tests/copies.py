"""Databases for tests by copying one that is ready."""

import asyncpg

from runtime.postgres import EmbeddedPostgres


async def copy_database(postgres: EmbeddedPostgres, template: str, name: str) -> None:
    """Make the database ``name`` as a copy of ``template``, to which nobody may be connected."""
    conn: asyncpg.Connection = await asyncpg.connect(postgres.dsn("postgres"))
    try:
        # By its files: a log of every page, which is the default, is twice the work.
        await conn.execute(f'create database "{name}" template "{template}" strategy file_copy')
    finally:
        await conn.close()
