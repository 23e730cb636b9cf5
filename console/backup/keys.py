"""The keys of an installation as a file of their own, kept apart from the data they open.

Owns which keys an installation has and the file they travel in (mode 0600, JSON). Must never print or log one.
"""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from console.backup.archive import space
from domain.errors import Refused, unreadable
from ledger.key_file import read_key, sync_folder
from ledger.keys import MasterKey, next_file
from runtime.settings import Settings

MASTER, COMING, SIGNING = "master.key", "master.key.next", "signing.key"
_FORMAT = "bihuan-keys"
_LIMIT = 64 * 1024


def key_files(settings: Settings) -> dict[str, Path]:
    """Where each key of the installation lies, by the name it travels under."""
    return {
        MASTER: settings.key_file,
        COMING: next_file(settings.key_file),
        SIGNING: settings.signing_file,
    }


def write_keys(settings: Settings, path: Path) -> None:
    """Put the keys of the installation into the new file ``path``.

    Raises ``Refused``: ``backup.exists``, ``backup.no_space``, ``backup.not_written``, and as ``read_keys`` does for
    the files of the keys.
    """
    found = {
        name: _content(at, name).hex() for name, at in key_files(settings).items() if name == MASTER or at.exists()
    }
    _write_new(path, json.dumps({"format": _FORMAT, "keys": found}, indent=1).encode() + b"\n")


def read_keys(path: Path) -> Mapping[str, bytes]:
    """What the key files held that ``write_keys`` put into this file; a master key file itself is taken as well.

    Raises ``Refused`` ``vault.key_missing`` and ``file.unreadable``.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_LIMIT + 1)
    except FileNotFoundError:
        raise Refused("vault.key_missing", path=path) from None
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        coming = next_file(path)
        return {MASTER: _content(path), **({COMING: _content(coming)} if coming.exists() else {})}
    try:
        keys = {str(name): bytes.fromhex(key) for name, key in found["keys"].items()}
        master_of(keys)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Refused("file.unreadable", path=path, reason=_FORMAT) from None
    return keys


def _content(path: Path, name: str = MASTER) -> bytes:
    if name == SIGNING:
        return read_key(path, missing="audit.key_missing")
    return MasterKey.load(path).content


def master_of(keys: Mapping[str, bytes]) -> MasterKey:
    """The key of the vault. Raises ``ValueError`` for what is none."""
    return MasterKey.of(keys[MASTER], keys.get(COMING))


def put_back(keys: Mapping[str, bytes], files: Mapping[str, Path]) -> None:
    """Write each key to its place, where it has one and nothing lies there; mode 0600.

    Raises ``Refused``: ``backup.exists`` for a place that holds another key, ``backup.no_space``,
    ``backup.not_written``.
    """
    for name, key in keys.items():
        place = files.get(name)
        if place is None or (place.exists() and place.read_bytes() == key):
            continue
        _write_new(place, key)


def _write_new(path: Path, content: bytes) -> None:
    if path.exists():
        raise Refused("backup.exists", path=path)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    with space(path):
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
            sync_folder(path.parent)
        finally:
            draft.unlink(missing_ok=True)
