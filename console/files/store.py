"""Where the content of files lies: a folder of this machine, or a bucket.

Owns the interface and the folder. Content is stored under its SHA-256 and checked against it whenever it is read: what
was changed or cut short on the way is an error, never an answer.
"""

import asyncio
import hashlib
import os
import secrets
from pathlib import Path
from typing import Protocol

from domain.errors import Refused


class FileStore(Protocol):
    """A place for content under its digest."""

    async def put(self, digest: str, content: bytes) -> None:
        """Keep the content for good; the same again changes nothing. Raises ``Refused`` ``file.store_away``."""

    async def get(self, digest: str) -> bytes:
        """The content. Raises ``Refused``: ``file.missing``, ``file.spoilt``, ``file.store_away``."""

    async def exists(self, digest: str) -> bool:
        """Whether something lies under the digest. Raises ``Refused`` ``file.store_away``."""

    async def delete(self, digest: str) -> None:
        """Take the content away; nothing happens where there is none. Raises ``Refused`` ``file.store_away``."""


def checked(digest: str, content: bytes) -> bytes:
    """The content, if it is what was stored. Raises ``Refused`` ``file.spoilt``."""
    if hashlib.sha256(content).hexdigest() != digest:
        raise Refused("file.spoilt", digest=digest[:12])
    return content


class FolderStore:
    """Files in a folder, readable for the user of the console alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path_of(self, digest: str) -> Path:
        """Where the content of this digest lies."""
        return self._folder / digest[:2] / digest[2:]

    async def put(self, digest: str, content: bytes) -> None:
        """See ``FileStore``."""
        await asyncio.to_thread(self._put, digest, checked(digest, content))

    async def get(self, digest: str) -> bytes:
        """See ``FileStore``."""
        return checked(digest, await asyncio.to_thread(self._get, digest))

    async def exists(self, digest: str) -> bool:
        """See ``FileStore``."""
        return await asyncio.to_thread(self.path_of(digest).is_file)

    async def delete(self, digest: str) -> None:
        """See ``FileStore``."""
        await asyncio.to_thread(self.path_of(digest).unlink, missing_ok=True)

    def _get(self, digest: str) -> bytes:
        try:
            return self.path_of(digest).read_bytes()
        except FileNotFoundError:
            raise Refused("file.missing", digest=digest[:12]) from None
        except OSError as error:
            raise _away(error) from error

    def _put(self, digest: str, content: bytes) -> None:
        path = self.path_of(digest)
        try:
            if path.is_file() and path.read_bytes() == content:
                return
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
            self._write(path, content)
        except OSError as error:
            raise _away(error) from error

    def _write(self, path: Path, content: bytes) -> None:
        draft = path.with_name(f".{path.name[:16]}.{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # The name appears with the whole content behind it, also over something that was cut short.
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        for folder in (path.parent, self._folder):
            _sync(folder)


def _sync(folder: Path) -> None:
    """Make the names in a folder as durable as what they name."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _away(error: OSError) -> Refused:
    return Refused("file.store_away", reason=error.strerror or type(error).__name__)
