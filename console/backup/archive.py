"""The file a backup is: a ZIP archive whose last member is the manifest.

Owns how parts are written and read, in pieces and each with its SHA-256, and what a whole archive is. Must not know
what the parts mean. Every program that knows ZIP can open one.
"""

import hashlib
import hmac
import os
import secrets
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from errno import EDQUOT, EFBIG, ENOSPC
from io import BufferedRandom
from pathlib import Path
from typing import IO, Literal, NamedTuple, Self

from pydantic import Field, JsonValue, ValidationError

from domain.base import Frozen
from domain.errors import Refused, unreadable
from domain.limits import Instant
from ledger.backup import Heads
from ledger.key_file import sync_folder
from ledger.log import canonical

MANIFEST = "manifest.json"
SEAL = "backup seal"
"""The purpose of the key that manifests are sealed with."""

_PIECE = 1024 * 1024
_MANIFEST_LIMIT = 4 * 1024 * 1024
_PARTS_LIMIT = 10_000
_FULL = frozenset({ENOSPC, EDQUOT, EFBIG})

# What the ZIP and inflate libraries raise for bytes that are not what was written.
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


class Part(Frozen):
    """One member: how many rows or files it holds, how many bytes, and their SHA-256."""

    name: str = Field(pattern=r"^(tables/[a-z_][a-z0-9_]{0,62}|files/[0-9a-f]{2})$")
    columns: tuple[str, ...] = ()
    rows: int = Field(ge=0)
    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    @property
    def table(self) -> str | None:
        """The table whose rows it holds; None for files."""
        return self.name.partition("/")[2] if self.name.startswith("tables/") else None


class FilesKept(Frozen):
    """Photographs and documents: where their content lies, how many were copied, and which could not be."""

    store: Literal["folder", "s3"]
    known: int = Field(ge=0)
    kept: int = Field(ge=0)
    lost: int = Field(ge=0)
    """Files of facts whose content was missing or spoilt when the backup was made."""
    first_lost: tuple[str, ...] = Field(default=(), max_length=100)


class Applied(Frozen):
    """A migration the copied database had had."""

    number: int
    name: str
    sha256: str


class Manifest(Frozen):
    """What a backup holds. ``key_id`` says which master key opens its vault; ``seal`` is made with that key."""

    format: Literal["bihuan-backup"] = "bihuan-backup"
    version: Literal[1] = 1
    program: str
    postgres: str
    made_at: Instant
    migrations: tuple[Applied, ...]
    parts: tuple[Part, ...] = Field(max_length=_PARTS_LIMIT)
    files: FilesKept
    heads: Heads
    key_id: str
    seal: str = ""

    @property
    def tables(self) -> tuple[Part, ...]:
        """The parts that hold rows, in the order in which they can be written back."""
        return tuple(part for part in self.parts if part.table)

    @property
    def rows(self) -> int:
        """All rows."""
        return sum(part.rows for part in self.tables)

    def sealed(self, key: bytes) -> "Manifest":
        """The manifest with its seal under the ``key``."""
        return self.model_copy(update={"seal": self._seal(key)})

    def is_sealed(self, key: bytes) -> bool:
        """Whether the seal was made with the ``key`` over exactly this manifest."""
        return hmac.compare_digest(self.seal.encode(), self._seal(key).encode())

    def _seal(self, key: bytes) -> str:
        body: JsonValue = self.model_dump(mode="json", exclude={"seal"})
        return hmac.new(key, canonical(body).encode(), hashlib.sha256).hexdigest()


@contextmanager
def space(path: Path) -> Iterator[None]:
    """Within, running out of space is refused as ``backup.no_space``, any other failure as ``backup.not_written``."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise Refused("backup.no_space", path=path) from error
        if error.errno is None or isinstance(error, ConnectionError):
            raise
        raise Refused("backup.not_written", path=path, reason=error.strerror or type(error).__name__) from error


class Sealed(NamedTuple):
    """A whole archive: its bytes and their SHA-256."""

    bytes: int
    sha256: str


class Writer:
    """Writes an archive; it has its name only once it is whole and on disk, and leaves nothing behind otherwise."""

    def __init__(self, path: Path, draft: Path, file: BufferedRandom) -> None:
        self.path, self._draft, self._file = path, draft, file
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=3)
        self._at = datetime.now(UTC)
        self._named = False
        self.parts: list[Part] = []

    @classmethod
    @contextmanager
    def to(cls, path: Path) -> Iterator[Self]:
        """A writer for a new file ``path``; ``close`` and ``name`` it inside the block.

        Raises ``Refused``: ``backup.exists``, ``backup.no_space``, ``backup.not_written``.
        """
        if path.exists():
            raise Refused("backup.exists", path=path)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        with space(path):
            try:
                with os.fdopen(os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
                    writer = cls(path, draft, file)
                    try:
                        yield writer
                    finally:
                        writer._let_go()
            finally:
                draft.unlink(missing_ok=True)

    @contextmanager
    def part(self, name: str, columns: tuple[str, ...] = (), *, packed: bool = True) -> Iterator["PartWriter"]:
        """The next part; pictures are better left as they are, so they are not ``packed``."""
        at = self._at
        info = zipfile.ZipInfo(name, (at.year, at.month, at.day, at.hour, at.minute, at.second))
        info.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        info.external_attr = 0o600 << 16
        with self._zip.open(info, "w", force_zip64=True) as member:
            part = PartWriter(member)
            yield part
        self.parts.append(
            Part(name=name, columns=columns, rows=part.rows, bytes=part.bytes, sha256=part.digest.hexdigest())
        )

    def close(self, manifest: Manifest) -> Sealed:
        """Write the manifest and make everything durable; the file has no name yet."""
        self._zip.writestr(MANIFEST, manifest.model_dump_json(indent=1))
        self._zip.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.seek(0)
        digest = hashlib.file_digest(self._file, "sha256")
        return Sealed(self._file.tell(), digest.hexdigest())

    def name(self) -> None:
        """Give the whole file its name. Raises ``Refused`` ``backup.exists``."""
        if self.path.exists():
            raise Refused("backup.exists", path=self.path)
        self._draft.rename(self.path)
        self._named = True
        sync_folder(self.path.parent)

    def take_back(self) -> None:
        """Take the file away again, where this writer has given it its name."""
        if self._named:
            self.path.unlink(missing_ok=True)

    def _let_go(self) -> None:
        """Forget what was not finished: the library would write an end to it, as if it were whole."""
        self._zip.fp = None


class PartWriter:
    """Takes the content of one part."""

    def __init__(self, member: IO[bytes]) -> None:
        self._member = member
        self.rows, self.bytes, self.digest = 0, 0, hashlib.sha256()

    def take_rows(self, rows: bytes) -> None:
        """Write rows that end in line feeds."""
        self.rows += rows.count(b"\n")
        self._write(rows)

    def take_file(self, digest: str, content: bytes) -> None:
        """Write one file with its digest and length before it."""
        self.rows += 1
        self._write(f"{digest} {len(content)}\n".encode())
        self._write(content)

    def _write(self, content: bytes) -> None:
        self._member.write(content)
        self.digest.update(content)
        self.bytes += len(content)


class Reader:
    """Reads an archive; every part is checked to its last byte, and what is not whole is never taken for it."""

    def __init__(self, path: Path, archive: zipfile.ZipFile, manifest: Manifest) -> None:
        self.path, self._archive, self.manifest = path, archive, manifest

    @classmethod
    @contextmanager
    def of(cls, path: Path) -> Iterator[Self]:
        """The archive ``path``.

        Raises ``Refused``: ``file.unreadable``, ``backup.torn`` for what is no backup or not all of one,
        ``backup.damaged`` for a manifest that is not what was written, ``backup.newer`` for one of a later release.
        """
        try:
            archive = zipfile.ZipFile(path)
        except OSError as error:
            raise unreadable(path, error) from error
        except (*_BROKEN, ValueError, UnicodeDecodeError):
            raise Refused("backup.torn", path=path) from None
        with archive:
            yield cls(path, archive, _manifest(archive, path))

    def sha256(self) -> str:
        """The SHA-256 of the whole file. Raises ``Refused`` ``file.unreadable``."""
        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise unreadable(self.path, error) from error

    def read(self, part: Part) -> Iterator[bytes]:
        """The content of a part in pieces; ends in ``Refused`` ``backup.damaged`` unless all of it was right."""
        digest, size = hashlib.sha256(), 0
        try:
            with self._archive.open(part.name) as member:
                while piece := member.read(_PIECE):
                    size += len(piece)
                    if size > part.bytes:
                        break
                    digest.update(piece)
                    yield piece
        except (*_BROKEN, KeyError, ValueError) as error:
            raise Refused("backup.damaged", part=part.name) from error
        if size != part.bytes or digest.hexdigest() != part.sha256:
            raise Refused("backup.damaged", part=part.name)

    def files(self, part: Part) -> Iterator[tuple[str, bytes]]:
        """The files of a part with their digests, each checked. Raises ``Refused`` ``backup.damaged``."""
        held = bytearray()
        pieces, found = self.read(part), 0
        while True:
            head = held.find(b"\n", 0, 100)
            if head < 0:
                piece = next(pieces, None)
                if piece is None:
                    break
                held += piece
                continue
            digest, size = _heading(bytes(held[:head]), part)
            while len(held) < head + 1 + size:
                piece = next(pieces, None)
                if piece is None:
                    raise Refused("backup.damaged", part=part.name)
                held += piece
            content = bytes(held[head + 1 : head + 1 + size])
            del held[: head + 1 + size]
            if hashlib.sha256(content).hexdigest() != digest:
                raise Refused("backup.damaged", part=part.name)
            found += 1
            yield digest, content
        if held or found != part.rows:
            raise Refused("backup.damaged", part=part.name)


def _heading(line: bytes, part: Part) -> tuple[str, int]:
    digest, _, size = line.decode("ascii", "replace").partition(" ")
    if len(digest) != 64 or not size.isascii() or not size.isdigit() or int(size) > part.bytes:
        raise Refused("backup.damaged", part=part.name)
    return digest, int(size)


def _manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    try:
        info = archive.getinfo(MANIFEST)
    except KeyError:
        raise Refused("backup.torn", path=path) from None
    try:
        if info.file_size > _MANIFEST_LIMIT:
            raise Refused("backup.damaged", part=MANIFEST)
        text = archive.read(info)
    except (*_BROKEN, ValueError):
        raise Refused("backup.damaged", part=MANIFEST) from None
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        if any(each["loc"] == ("version",) for each in error.errors(include_url=False, include_input=False)):
            raise Refused("backup.newer", path=path) from None
        raise Refused("backup.damaged", part=MANIFEST) from None
    if {part.name for part in manifest.parts} | {MANIFEST} != set(archive.namelist()):
        raise Refused("backup.damaged", part=MANIFEST)
    return manifest
