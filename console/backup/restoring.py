"""Putting a backup back: rows into a fresh database, files and keys into a new folder.

Owns the order, and that nothing which is there is ever overwritten. A restore that did not come to its end leaves a
target that is refused or taken away, never one that looks whole.
"""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import asyncpg

from console.backup.archive import SEAL, Manifest, Reader, space
from console.backup.keys import key_files, master_of, put_back
from console.backup.recording import record_backup
from console.files.store import FolderStore
from console.progress import Told
from domain.errors import Refused
from ledger.backup import is_empty
from ledger.loading import Loading, begin_line
from ledger.migrate import Migration, load_migrations, migrate
from ledger.security import Kind
from runtime.postgres import EmbeddedPostgres
from runtime.settings import Settings

_DRAFT = ".restoring"
_LAST = "postgres"
_A_SERVER = 128 * 2**20
"""Bytes an empty server takes, its first log included."""


@dataclass(frozen=True)
class Restored:
    """What was put back, where, and how long that took."""

    manifest: Manifest
    place: str
    took: timedelta
    with_keys: bool


def fit(manifest: Manifest) -> tuple[Migration, ...]:
    """The migrations of this release that the copied database had had.

    Raises ``Refused``: ``ledger.schema_newer`` for a backup of a later release, ``ledger.migration_changed``.
    """
    ours = load_migrations()
    if len(manifest.migrations) > len(ours):
        raise Refused("ledger.schema_newer", database=len(manifest.migrations), program=len(ours))
    for its, mine in zip(manifest.migrations, ours, strict=False):
        if (its.number, its.sha256) != (mine.number, mine.sha256):
            raise Refused("ledger.migration_changed", name=f"{its.number:04}_{its.name}")
    return ours[: len(manifest.migrations)]


def opens(manifest: Manifest, keys: Mapping[str, bytes]) -> None:
    """Make sure that these keys are those of the backup, and that its manifest is what they sealed.

    Raises ``Refused``: ``backup.wrong_key`` naming both keys, ``backup.damaged``.
    """
    master = master_of(keys)
    if master.id != manifest.key_id:
        raise Refused("backup.wrong_key", wanted=manifest.key_id, given=master.id)
    if not manifest.is_sealed(master.derive(SEAL)):
        raise Refused("backup.damaged", part="manifest.json")


@contextmanager
def room(place: Path, needed: int) -> Iterator[None]:
    """Within, a server with ``needed`` bytes of rows or files is to fit into ``place``.

    Raises ``Refused`` ``backup.no_space`` before anything is written where there is clearly not enough, and when the
    server dies of it later; ``backup.not_written``.
    """
    with space(place):
        at = next(each for each in (place, *place.parents) if each.exists())
        if shutil.disk_usage(at).free < needed + _A_SERVER:
            raise Refused("backup.no_space", path=place)
        try:
            yield
        except (asyncpg.PostgresConnectionError, asyncpg.InterfaceError, ConnectionError) as error:
            if shutil.disk_usage(at).free > _A_SERVER // 8:
                raise
            raise Refused("backup.no_space", path=place) from error


async def load(dsn: str, reader: Reader, place: Path | str, told: Told) -> None:
    """Fill the empty database at ``dsn``, which lies in ``place``, and bring it to the schema of this release.

    Raises ``Refused``: ``backup.damaged`` naming the part, ``backup.no_space``, and as ``fit`` does; then the database
    holds no rows.
    """
    manifest = reader.manifest
    await migrate(dsn, fit(manifest))
    done = 0
    try:
        async with Loading.into(dsn, manifest.heads.events) as loading:
            known = {table.name: table for table in await loading.tables()}
            for part in manifest.tables:
                table = known.pop(str(part.table), None)
                if table is None or table.columns != part.columns:
                    raise Refused("backup.damaged", part=part.name)
                await loading.fill(table, _pieces(reader.read(part)))
                done += part.rows
                told(done, manifest.rows)
            if known:
                raise Refused("backup.damaged", part=f"tables/{min(known)}")
    except (asyncpg.DiskFullError, asyncpg.OutOfMemoryError) as error:
        raise Refused("backup.no_space", path=place) from error
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        # Only rows that no database of ours held are refused by the schema.
        raise Refused("backup.damaged", part=f"tables/{error.table_name or '?'}") from None
    if await migrate(dsn):
        await begin_line(dsn)


async def _pieces(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def restore(
    reader: Reader, settings: Settings, keys: Mapping[str, bytes] | None, into: Path | None, told: Told, *, by: str
) -> Restored:
    """Put the backup back into the data folder ``into``, else into the data folder or the database of the settings.

    Without ``keys`` the vault stays closed until the key is put in its place. That ``by`` restored it is the next line
    of the restored security log. Raises ``Refused``: ``backup.not_empty``
    for a target in use, ``backup.exists`` for a key that lies there and is another, and as ``opens`` and ``load`` do.
    """
    if keys is not None:
        opens(reader.manifest, keys)
    fit(reader.manifest)
    began = time.monotonic()
    filling = _Filling(reader, told, by)
    if into is None and settings.database_url is not None:
        place = await _into_server(filling, settings, keys)
    else:
        place = await _into_folder(filling, into or settings.data, keys)
    took = timedelta(seconds=time.monotonic() - began)
    return Restored(reader.manifest, place, took, keys is not None)


@dataclass(frozen=True)
class _Filling:
    """What an empty database is filled with, and by whom."""

    reader: Reader
    told: Told
    by: str

    async def fill(self, dsn: str, place: Path | str) -> None:
        """As ``load``; then it is written down."""
        await load(dsn, self.reader, place, self.told)
        conn: asyncpg.Connection = await asyncpg.connect(dsn)
        try:
            name, digest = self.reader.path.name, await asyncio.to_thread(self.reader.sha256)
            await record_backup(conn, Kind.BACKUP_RESTORED, name, self.reader.manifest, digest, by=self.by)
        finally:
            await conn.close()


async def _into_server(filling: _Filling, settings: Settings, keys: Mapping[str, bytes] | None) -> str:
    """Into an empty database elsewhere; files and keys into the places of the settings."""
    assert settings.database_url is not None, "asked for by the caller"
    dsn = settings.database_url.get_secret_value()
    folder = settings.file_folder or settings.data / "files"
    _refuse_used(folder)
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        if not await is_empty(conn):
            raise Refused("backup.not_empty", path="BIHUAN_DATABASE_URL")
    finally:
        await conn.close()
    if keys is not None:
        settings.key_file.parent.mkdir(parents=True, exist_ok=True)
        put_back(keys, key_files(settings))
    write_files(filling.reader, folder)
    await filling.fill(dsn, "BIHUAN_DATABASE_URL")
    return "BIHUAN_DATABASE_URL"


async def _into_folder(filling: _Filling, target: Path, keys: Mapping[str, bytes] | None) -> str:
    """Into a new data folder for ``bihuan up``; the database gets its name last."""
    _refuse_used(target)
    with room(target, sum(part.bytes for part in filling.reader.manifest.parts)), _draft_in(target) as draft:
        if keys is not None:
            put_back(keys, {name: draft / name for name in keys})
        write_files(filling.reader, draft / "files")
        async with EmbeddedPostgres(draft / _LAST, logs=draft / "logs") as server:
            await filling.fill(server.dsn(), target)
        await asyncio.to_thread(os.sync)
        for child in sorted(draft.iterdir(), key=lambda each: each.name == _LAST):
            child.rename(target / child.name)
    return str(target)


@contextmanager
def _draft_in(target: Path) -> Iterator[Path]:
    """Where everything lies until it is whole; what is left there goes, before and afterwards."""
    is_new = not target.exists()
    draft = target / _DRAFT
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700, parents=True)
    target.chmod(0o700)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if is_new and not any(target.iterdir()):
            target.rmdir()


def _refuse_used(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(each.name != _DRAFT for each in folder.iterdir())):
        raise Refused("backup.not_empty", path=folder)


def write_files(reader: Reader, folder: Path) -> None:
    """Write every file of the backup under its digest; the caller makes them durable, all at once."""
    store = FolderStore(folder)
    with space(folder):
        for part in reader.manifest.parts:
            if part.table is None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                for digest, content in reader.files(part):
                    path = store.path_of(digest)
                    path.parent.mkdir(mode=0o700, exist_ok=True)
                    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                        file.write(content)
