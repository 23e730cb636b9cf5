"""Brings a database to the schema of this release.

Owns the numbered SQL files in ``ledger/migrations`` and the table ``schema_version``. Forward only: a file that has
been released is never changed, a mistake is mended by the next file. Must not know what the tables mean.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import asyncpg

from domain.errors import Refused
from ledger.log import Connection

_CONTRACT = re.compile(r"^-- contract: \S", re.MULTILINE)
_TAKES_AWAY = re.compile(
    r"""
    \bdrop\s+(?:table|column|function|view|schema|type|sequence|constraint\s+\S+_pkey)\b
    | \brename\b
    | \btruncate\s+(?!on\b)
    | \bset\s+not\s+null\b
    | \balter\s+(?:column\s+)?\S+\s+(?:set\s+data\s+)?type\b
    | \badd\s+column\b(?:(?!\bdefault\b)[^,;])*\bnot\s+null\b(?:(?!\bdefault\b)[^,;])*(?=[,;]|$)
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
# Any fixed number serves, as long as no other program uses it as an advisory lock in this database.
_LOCK = 4_207_100_001


@dataclass(frozen=True)
class Migration:
    """One numbered file; ``sha256`` is of its text with line ends as ``\\n``, so that check-outs do not matter."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The checksum recorded when the file was applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def is_contract(self) -> bool:
        """Whether the file says of itself (``-- contract: why``) that the release before must have stopped first."""
        return _CONTRACT.search(self.sql) is not None

    def taken_away(self) -> list[str]:
        """What in the file may take from a release that is still running what it uses, as it stands there.

        Found by the look of the statements, comments and the bodies of functions left out: a warning, not a proof.
        """
        bare = re.sub(r"--[^\n]*|/\*.*?\*/", "", self.sql, flags=re.DOTALL)
        bare = re.sub(r"(\$\w*\$).*?\1", "''", bare, flags=re.DOTALL)
        return [" ".join(found.group().split()) for found in _TAKES_AWAY.finditer(bare)]


def load_migrations(folder: Path | None = None) -> tuple[Migration, ...]:
    """The migrations of ``folder`` (default: those of this release) in order.

    Raises ``Refused`` ``ledger.migration_gap`` when the numbers are not 1, 2, 3 … without gap or repetition.
    """
    place: Traversable = folder if folder is not None else files("ledger") / "migrations"
    found: list[Migration] = []
    for file in place.iterdir():
        match = _NAME.fullmatch(file.name)
        if match:
            sql = file.read_text(encoding="utf-8").replace("\r\n", "\n")
            found.append(Migration(int(match.group(1)), match.group(2), sql))
    found.sort(key=lambda each: (each.number, each.name))
    for expected, migration in enumerate(found, start=1):
        if migration.number != expected:
            raise Refused("ledger.migration_gap", number=expected)
    return tuple(found)


async def migrate(dsn: str, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """Apply what is missing and return it in order; a second call applies nothing.

    Each file runs in a transaction of its own, so that a failing one leaves the database at the previous file.
    Two callers at once are safe: the second waits for the first. Raises ``Refused`` as ``pending`` does.
    """
    wanted = load_migrations() if migrations is None else tuple(migrations)
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        await conn.execute("select pg_advisory_lock($1)", _LOCK)
        await conn.execute(
            """
            create table if not exists schema_version (
                number integer primary key,
                name text not null,
                sha256 text not null,
                applied_at timestamptz not null default now()
            )
            """
        )
        missing = await _missing(conn, wanted)
        for migration in missing:
            async with conn.transaction():
                # A migration that cannot get its locks soon must not make the whole office wait behind it.
                await conn.execute("set local lock_timeout = '4s'; set local statement_timeout = '30s'")
                await conn.execute(migration.sql)
                await conn.execute(
                    "insert into schema_version (number, name, sha256) values ($1, $2, $3)",
                    migration.number,
                    migration.name,
                    migration.sha256,
                )
        return missing
    finally:
        # Closing the session also gives the advisory lock back.
        await conn.close()


async def pending(dsn: str, migrations: Sequence[Migration] | None = None) -> list[Migration]:
    """What ``migrate`` would apply, changing nothing.

    Raises ``Refused``: ``ledger.migration_changed`` when an applied file differs from ours, ``ledger.schema_newer``
    when the database is ahead of this release, ``ledger.migration_gap`` when an earlier file was never applied.
    """
    wanted = load_migrations() if migrations is None else tuple(migrations)
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        if await conn.fetchval("select to_regclass('schema_version') is null"):
            return list(wanted)
        return await _missing(conn, wanted)
    finally:
        await conn.close()


async def check_schema(conn: Connection) -> None:
    """That the schema has everything this release needs; a newer one has too, while a release is being replaced.

    Raises ``Refused`` ``ledger.schema_older``, also for a database that has no schema of ours.
    """
    wanted = _newest()
    if await conn.fetchval("select to_regclass('schema_version') is null"):
        raise Refused("ledger.schema_older", count=wanted)
    found = int(await conn.fetchval("select count(*) from schema_version where number <= $1", wanted))
    if found < wanted:
        raise Refused("ledger.schema_older", count=wanted - found)


@cache
def _newest() -> int:
    return len(load_migrations())


async def _missing(conn: asyncpg.Connection, wanted: Sequence[Migration]) -> list[Migration]:
    applied = await conn.fetch("select number, name, sha256 from schema_version order by number")
    for position, row in enumerate(applied):
        if row["number"] != position + 1:
            raise Refused("ledger.migration_gap", number=position + 1)
        if position >= len(wanted):
            raise Refused("ledger.schema_newer", database=applied[-1]["number"], program=len(wanted))
        if row["sha256"] != wanted[position].sha256:
            raise Refused("ledger.migration_changed", name=f"{row['number']:04}_{row['name']}")
    return list(wanted[len(applied) :])
