"""Proving a backup: it is put back into a scratch server, and what stands there is checked as if it were the office.

Owns the checks and what they find. The server and all it holds are thrown away afterwards.
"""

import asyncio
import os
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import asyncpg

from console.backup.archive import Manifest, Reader
from console.backup.keys import master_of
from console.backup.restoring import load, opens, room
from console.progress import Told
from domain.errors import Refused
from ledger.backup import heads
from ledger.chain import verify_chain
from ledger.log import streams
from ledger.rebuild import differences
from ledger.vault import EntryDamaged, EntryErased, Vault
from runtime.postgres import EmbeddedPostgres

SAMPLE = 200
"""Entries of the vault that are opened with the key."""

_MOST = 100
_PAGE, _IN_ONE_PROCESS = 500, 2000


@dataclass(frozen=True)
class Wrong:
    """Something that is not as it should be: a code of ours, where, and how often; never personal data."""

    code: str
    where: str
    count: int = 1


@dataclass
class Proof:
    """What was looked at and found; an empty list means that the office could go on from this backup."""

    manifest: Manifest
    restored_in: timedelta = timedelta()
    checked_in: timedelta = timedelta()
    streams: int = 0
    opened: int | None = None
    files: int = 0
    wrong: list[Wrong] = field(default_factory=list)

    def found(self, code: str, where: str, count: int = 1) -> None:
        """Write down a finding; behind the first hundred it is enough to know that there are more."""
        if len(self.wrong) < _MOST:
            self.wrong.append(Wrong(code, where, count))


async def prove(reader: Reader, keys: Mapping[str, bytes] | None, scratch: Path | None, told: Told) -> Proof:
    """Restore into a scratch server under the folder ``scratch`` and check everything there.

    ``told`` hears of rows and streams together. Raises ``Refused`` for what cannot be restored at all:
    ``backup.damaged`` naming the part, ``backup.wrong_key``, ``backup.no_space``, ``ledger.schema_newer``.
    """
    proof = Proof(reader.manifest)
    if keys is not None:
        opens(reader.manifest, keys)
    place = scratch or Path(tempfile.gettempdir())
    needed = sum(part.bytes for part in reader.manifest.tables)
    with room(place, needed), tempfile.TemporaryDirectory(prefix="bihuan-", dir=place) as at:
        began = time.monotonic()
        async with EmbeddedPostgres(Path(at) / "postgres", fleeting=True) as server:
            await load(server.dsn(), reader, at, lambda done, rows: told(done, rows + proof.manifest.heads.streams))
            conn: asyncpg.Connection = await asyncpg.connect(server.dsn(), server_settings={"statement_timeout": "0"})
            try:
                await _files(conn, reader, proof)
                proof.restored_in = timedelta(seconds=time.monotonic() - began)
                began = time.monotonic()
                await _rows(conn, proof)
                await _log(conn, proof)
                await _read_models(conn, server.dsn(), proof, told)
                if keys is not None:
                    await _vault(conn, Vault(master_of(keys)), proof)
                proof.checked_in = timedelta(seconds=time.monotonic() - began)
            finally:
                await conn.close()
    return proof


async def _files(conn: asyncpg.Connection, reader: Reader, proof: Proof) -> None:
    """Every file is what its digest says, and none that a fact refers to is missing."""
    await conn.execute('create temporary table kept (digest text collate "C" not null)')
    for part in reader.manifest.parts:
        if part.table is None:
            digests = [(digest,) for digest, _ in reader.files(part)]
            await conn.copy_records_to_table("kept", records=digests)
            proof.files += len(digests)
    if reader.manifest.files.store == "s3":
        return
    missing = await conn.fetch(
        """
        select distinct wanted.digest
        from file f
        cross join lateral (values (f.digest), (f.thumb)) as wanted (digest)
        where exists (select from file_stream s where s.digest = f.digest)
            and not exists (select from kept k where k.digest = wanted.digest)
        order by 1
        limit $1
        """,
        _MOST,
    )
    for row in missing:
        proof.found("file.missing", row["digest"][:12])


async def _rows(conn: asyncpg.Connection, proof: Proof) -> None:
    for part in proof.manifest.tables:
        rows = await conn.fetchval(f'select count(*) from "{part.table}"')
        if rows != part.rows:
            proof.found("backup.rows", str(part.table), abs(rows - part.rows))


async def _log(conn: asyncpg.Connection, proof: Proof) -> None:
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        found = await heads(conn)
        if found != proof.manifest.heads:
            proof.found("backup.heads", found.digest[:12])
        for finding in await verify_chain(conn):
            proof.found(finding.code, f"{finding.stream} {finding.seq}")


async def _read_models(conn: asyncpg.Connection, dsn: str, proof: Proof, told: Told) -> None:
    """Every stream is folded anew; folding is work for processors, so a large office has all of them."""
    rows, total = proof.manifest.rows, proof.manifest.heads.streams
    pages = _pages(conn)
    workers = (os.cpu_count() or 1) if total > _IN_ONE_PROCESS else 0
    async for stream_count, wrong in _compared(pages, dsn, workers):
        for where, count in wrong:
            proof.found("backup.read_model", where, count)
        proof.streams += stream_count
        told(rows + proof.streams, rows + total)


async def _pages(conn: asyncpg.Connection) -> AsyncIterator[list[str]]:
    last = ""
    while page := await streams(conn, after=last, limit=_PAGE):
        yield page
        last = page[-1]


async def _compared(
    pages: AsyncIterator[list[str]], dsn: str, workers: int
) -> AsyncIterator[tuple[int, list[tuple[str, int]]]]:
    """How many streams of each page were looked at, and what was wrong with them."""
    if not workers:
        async for page in pages:
            yield len(page), await _compare(dsn, page)
        return
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        at_work: deque[tuple[int, asyncio.Future[list[tuple[str, int]]]]] = deque()
        async for page in pages:
            at_work.append((len(page), loop.run_in_executor(pool, _compare_alone, dsn, page)))
            # A few pages ahead keep everybody busy; more would only fill the memory.
            if len(at_work) > 2 * workers:
                count, answer = at_work.popleft()
                yield count, await answer
        while at_work:
            count, answer = at_work.popleft()
            yield count, await answer


def _compare_alone(dsn: str, page: list[str]) -> list[tuple[str, int]]:
    return asyncio.run(_compare(dsn, page))


async def _compare(dsn: str, page: list[str]) -> list[tuple[str, int]]:
    """Where the rows of these streams are not what the log says, and how many of them."""
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        found = [(stream, await differences(conn, stream)) for stream in page]
    finally:
        await conn.close()
    return [(f"{wrong[0].table} {stream}", len(wrong)) for stream, wrong in found if wrong]


async def _vault(conn: asyncpg.Connection, vault: Vault, proof: Proof) -> None:
    proof.opened = 0
    for row in await conn.fetch("select stream, name from vault_entry order by random() limit $1", SAMPLE):
        try:
            await vault.read(conn, row["stream"], row["name"])
        except EntryErased:
            continue
        except (EntryDamaged, Refused) as error:
            code = error.code if isinstance(error, Refused) else "vault.damaged"
            proof.found(code, row["stream"])
            continue
        proof.opened += 1
