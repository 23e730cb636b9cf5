"""Making a backup while the office works.

Owns the order: the rows as of one moment, then the files those rows speak of, the manifest last. A file may be older
than the moment but never missing from it: content is stored before the ledger speaks of it, and what facts refer to is
never swept.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import asyncpg

from console.backup.archive import SEAL, Applied, FilesKept, Manifest, PartWriter, Sealed, Writer
from console.backup.recording import record_backup
from console.files.keeping import Files
from console.files.store import FileStore
from console.progress import Told
from domain.errors import Refused
from ledger.backup import FileEntry, Heads, Sink, copy_out, files, heads, migrations_of, snapshot
from ledger.keys import MasterKey
from ledger.loading import tables
from ledger.migrate import pending
from ledger.security import Kind
from ledger.vault import Vault
from runtime.settings import Settings

_MOST_NAMED = 100


@dataclass(frozen=True)
class Made:
    """A backup that is whole and on disk; ``bytes`` is its size, ``sha256`` the digest of the file."""

    path: Path
    bytes: int
    sha256: str
    manifest: Manifest


def place_for(target: Path, at: datetime) -> Path:
    """The file a backup becomes: ``target`` itself, or a name with the time in UTC where that is a folder."""
    return target / f"bihuan-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}.zip" if target.is_dir() else target


async def make(dsn: str, settings: Settings, target: Path, told: Told, *, by: str) -> Made:
    """Copy the ledger at ``dsn`` and the files of the settings into ``target``; needs the owner of the tables.

    Others may act meanwhile; what is copied is the state of one moment. ``told`` hears how many rows and files are
    done. That ``by`` made it stands in the security log, or there is no backup. Raises ``Refused``: ``backup.exists``,
    ``backup.no_space``, ``backup.not_written``, ``vault.key_missing``, ``vault.wrong_key``, ``file.store_away``,
    ``ledger.schema_newer`` and the other refusals of ``ledger.migrate.pending``; then nothing is left behind.
    """
    key = MasterKey.load(settings.key_file)
    await pending(dsn)
    made_at = datetime.now(UTC)
    with Writer.to(place_for(target, made_at)) as writer:
        async with snapshot(dsn) as conn:
            await Vault(key).check(conn)
            applied = [Applied(number=number, name=name, sha256=sha) for number, name, sha in await migrations_of(conn)]
            postgres = str(await conn.fetchval("show server_version"))
            found = await _rows(conn, writer, told)
        kept = await _files(dsn, settings, writer, told)
        manifest = Manifest(
            program=version("bihuan"),
            postgres=postgres,
            made_at=made_at,
            migrations=tuple(applied),
            parts=tuple(writer.parts),
            files=kept,
            heads=found,
            key_id=key.id,
        ).sealed(key.derive(SEAL))
        sealed = writer.close(manifest)
        await _name(dsn, writer, sealed, manifest, by)
    return Made(writer.path, sealed.bytes, sealed.sha256, manifest)


async def _name(dsn: str, writer: Writer, sealed: Sealed, manifest: Manifest, by: str) -> None:
    """Record the backup and give it its name: both, or neither."""
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        async with conn.transaction():
            await record_backup(conn, Kind.BACKUP_MADE, writer.path.name, manifest, sealed.sha256, by=by)
            writer.name()
    except BaseException:
        writer.take_back()
        raise
    finally:
        await conn.close()


async def _rows(conn: asyncpg.Connection, writer: Writer, told: Told) -> Heads:
    done = 0
    for table in await tables(conn):
        with writer.part(f"tables/{table.name}", table.columns) as part:
            await copy_out(conn, table, _taking(part, done, told))
        done += part.rows
    return await heads(conn)


def _taking(part: PartWriter, before: int, told: Told) -> Sink:
    async def take(rows: bytes) -> None:
        part.take_rows(rows)
        told(before + part.rows, 0)

    return take


async def _files(dsn: str, settings: Settings, writer: Writer, told: Told) -> FilesKept:
    """Copy what lies in the folder; a bucket keeps its own, and its digests are among the rows."""
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        known = int(await conn.fetchval("select count(*) from file"))
        if settings.file_s3_bucket is not None:
            return FilesKept(store="s3", known=known, kept=0, lost=0)
        rows = sum(part.rows for part in writer.parts)
        copying = _Copying(Files.of(settings).store, lambda kept: told(rows + kept, 0))
        for number in range(256):
            prefix = f"{number:02x}"
            if page := await files(conn, prefix):
                with writer.part(f"files/{prefix}", packed=False) as part:
                    while page:
                        await copying.copy(page, part)
                        page = await files(conn, prefix, page[-1].digest)
        lost = copying.lost
        return FilesKept(
            store="folder", known=known, kept=copying.kept, lost=len(lost), first_lost=tuple(lost[:_MOST_NAMED])
        )
    finally:
        await conn.close()


class _Copying:
    """Copies files one by one; a missing one does not end the backup, for then there would be none of the others."""

    def __init__(self, store: FileStore, told: Callable[[int], None]) -> None:
        self._store, self._told = store, told
        self.kept, self.lost = 0, list[str]()

    async def copy(self, entries: Sequence[FileEntry], part: PartWriter) -> None:
        """Copy the files with the small pictures of them."""
        for entry in entries:
            for digest in (entry.digest, entry.thumb):
                try:
                    part.take_file(digest, await self._store.get(digest))
                except Refused as refused:
                    if refused.code not in ("file.missing", "file.spoilt"):
                        raise
                    # An upload no fact refers to may just have been swept.
                    if entry.bound:
                        self.lost.append(digest)
                    continue
                self.kept += 1
            self._told(self.kept)
