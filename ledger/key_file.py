"""Files that hold one secret key: 32 bytes, readable by their owner only.

Owns how such a file is made and read. Must not know what the key is for, and must never put it into an error.
"""

import os
import secrets
import stat
from pathlib import Path

from domain.errors import Refused

KEY_BYTES = 32


def read_key(path: Path, *, missing: str, create: bool = False) -> bytes:
    """The 32 bytes in the file ``path``.

    With ``create`` a missing file is made of random bytes with mode 0600; of two creators at once both get the same
    key. Raises ``Refused``: ``missing`` when there is no file, ``file.unreadable`` when it has not 32 bytes or when
    others on the machine may read it.
    """
    if create and not path.exists():
        _create(path)
    try:
        with path.open("rb") as file:
            mode, key = os.fstat(file.fileno()).st_mode, file.read(KEY_BYTES + 1)
    except FileNotFoundError:
        raise Refused(missing, path=path) from None
    if mode & stat.S_IRWXO:
        raise Refused("file.unreadable", path=path, reason=f"{stat.filemode(mode)} ≠ 0600")
    if len(key) != KEY_BYTES:
        raise Refused("file.unreadable", path=path, reason=f"≠ {KEY_BYTES} bytes")
    return key


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
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
