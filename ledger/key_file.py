"""Files that hold secret keys: 32 bytes each, readable by their owner only.

Owns how such a file is made and read. Must not know what the keys are for, and must never put them into an error.
"""

import os
import secrets
import stat
from pathlib import Path

from domain.errors import Refused, unreadable

KEY_BYTES = 32


def read_key(path: Path, *, missing: str, create: bool = False) -> bytes:
    """The 32 bytes in the file ``path``.

    With ``create`` a missing file is made of random bytes with mode 0600; of two creators at once both get the same
    key. Raises ``Refused`` as ``read_keys`` does.
    """
    if create and not path.exists():
        write_private(path, secrets.token_bytes(KEY_BYTES))
    return read_keys(path, missing=missing, most=1)[0]


def read_keys(path: Path, *, missing: str, most: int) -> list[bytes]:
    """The one to ``most`` keys in the file ``path``, in their order.

    A file that belongs to somebody else (a mounted secret) may be readable to a group, never to all. Raises
    ``Refused``: ``missing`` when there is no file, ``key_file.open`` when others on the machine may read or change
    it, ``file.unreadable`` when it holds something else.
    """
    try:
        with path.open("rb") as file:
            status, content = os.fstat(file.fileno()), file.read(most * KEY_BYTES + 1)
    except FileNotFoundError:
        raise Refused(missing, path=path) from None
    except OSError as error:
        raise unreadable(path, error) from error
    others = stat.S_IRWXO | (stat.S_IRWXG if status.st_uid == os.geteuid() else stat.S_IWGRP)
    if status.st_mode & others:
        raise Refused("key_file.open", path=path, mode=f"{stat.S_IMODE(status.st_mode):04o}")
    if not content or len(content) % KEY_BYTES or len(content) > most * KEY_BYTES:
        wanted = f"{KEY_BYTES}" if most == 1 else f"n × {KEY_BYTES}"
        raise Refused("file.unreadable", path=path, reason=f"≠ {wanted} bytes")
    return [content[at : at + KEY_BYTES] for at in range(0, len(content), KEY_BYTES)]


def write_private(path: Path, content: bytes) -> None:
    """Make the file with mode 0600, whole and durable; a file that is there already stays as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A link appears whole or not at all, and never replaces the key somebody else has just made.
        try:
            path.hardlink_to(draft)
        except FileExistsError:
            return
        # The name must be as durable as what will be made with the key.
        sync_folder(path.parent)
    finally:
        draft.unlink(missing_ok=True)


def sync_folder(path: Path) -> None:
    """Make names in the folder ``path`` outlive a loss of power."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
