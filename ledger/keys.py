"""The master key: the file it lies in, and what is derived from it.

Owns the format of the file. It holds raw keys of 32 bytes each: the master key; after a rotation also the root of what
is derived for tracking codes and look-ups, and the older keys of Temporal's payloads. During a rotation the key to
come lies beside it as ``<file>.next``; both open the vault until it is over. Must not open the database.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from domain.errors import Refused
from ledger.key_file import KEY_BYTES, read_keys, write_private
from ledger.log import canonical

NONCE_BYTES = 12

MOST_OLDER = 64
"""So many older keys of payloads are kept; what was written with one before them only Temporal's retention holds."""


class MasterKey:
    """The key that wraps the data keys. Losing it is losing the vault: back it up apart from the database.

    A key made of bytes stands alone; one that was loaded knows its file and looks again when it cannot open something.
    """

    def __init__(self, key: bytes, root: bytes | None = None, older: Sequence[bytes] = ()) -> None:
        for each in (key, root or key, *older):
            if len(each) != KEY_BYTES:
                raise ValueError(f"a master key has {KEY_BYTES} bytes, not {len(each)}")
        self._key, self._root, self._older = key, root or key, tuple(older)
        self._path: Path | None = None
        self._coming: MasterKey | None = None

    def __repr__(self) -> str:
        return "MasterKey(…)"

    @classmethod
    def load(cls, path: Path, *, create: bool = False) -> Self:
        """The key in the file ``path``, with the one to come when it is being rotated.

        With ``create`` a missing file is made with mode 0600; of two creators at once both get the same key.
        Raises ``Refused``: ``vault.key_missing``; ``key_file.open`` when others on the machine may read it;
        ``file.unreadable`` when it holds no keys.
        """
        if create and not path.exists():
            write_private(path, secrets.token_bytes(KEY_BYTES))
        # The one to come first: should it take the other's place meanwhile, it is read as both, never as neither.
        coming: MasterKey | None = None
        try:
            coming = cls._read(next_file(path))
        except Refused as refused:
            if refused.refusal.code != "vault.key_missing":
                raise
        key = cls._read(path)
        key._path = path
        key._coming = coming if coming is not None and coming.content != key.content else None
        return key

    @classmethod
    def of(cls, content: bytes, coming: bytes | None = None) -> Self:
        """The key whose file holds ``content``, with the one to come; it looks into no file.

        Raises ``ValueError`` for what is no content of such a file.
        """
        key, *rest = [content[at : at + KEY_BYTES] for at in range(0, max(len(content), 1), KEY_BYTES)]
        made = cls(key, rest[0] if rest else None, rest[1:])
        made._coming = None if coming is None else cls.of(coming)
        return made

    @classmethod
    def _read(cls, path: Path) -> Self:
        return cls.of(b"".join(read_keys(path, missing="vault.key_missing", most=MOST_OLDER + 2)))

    @property
    def content(self) -> bytes:
        """What the file of this key holds."""
        if self._root == self._key and not self._older:
            return self._key
        return b"".join((self._key, self._root, *self._older))

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits by which the key is known; they tell nothing of it."""
        return self._expand(self._key, "id")[:8].hex()

    @property
    def coming(self) -> "MasterKey | None":
        """The key that is to replace this one, while a rotation is under way."""
        return self._coming

    def successor(self) -> "MasterKey":
        """A new key that keeps what is derived, so that tracking codes and look-ups go on, and reads old payloads."""
        older = (self._payload_key(), *self._older)[:MOST_OLDER]
        return MasterKey(secrets.token_bytes(KEY_BYTES), self._root, older)

    def derive(self, purpose: str) -> bytes:
        """32 bytes for one ``purpose`` (signing a form, hashing a tracking code); they tell nothing of this key.

        They stay the same when the master key is rotated.
        """
        return self._expand(self._root, "derived", purpose)

    def payload_keys(self) -> tuple[bytes, ...]:
        """The keys of Temporal's payloads as the file has them now: the one to write with, then those to read with."""
        now = self.again()
        coming = (now._coming._payload_key(),) if now._coming else ()
        return (now._payload_key(), *coming, *now._older)

    def again(self) -> "MasterKey":
        """The same as its file has it now. Raises ``Refused`` as ``load`` does."""
        return MasterKey.load(self._path) if self._path else self

    def with_id(self, known: str | None) -> "MasterKey":
        """The key of this id, be it this one or the one to come; None means this one.

        Raises ``Refused`` ``vault.wrong_key`` when the file has neither.
        """
        for held in (self, self.again()):
            for each in (held, held._coming):
                if each is not None and known in (None, each.id):
                    return each
        raise Refused("vault.wrong_key")

    def wrap(self, stream: str, key: bytes) -> bytes:
        """The data key of ``stream``, encrypted and bound to that stream."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + AESGCM(self._key).encrypt(nonce, key, bound("key", stream))

    def unwrap(self, stream: str, wrapped: bytes) -> bytes:
        """The data key again, whichever of the two keys of a rotation wrapped it.

        Raises ``Refused`` ``vault.wrong_key`` when neither did, nor what the file holds by now.
        """
        found = self._unwrapped(stream, wrapped)
        if found is None and self._path is not None:
            now = self.again()
            if now.content != self.content or now._coming is not None:
                found = now._unwrapped(stream, wrapped)
            if found is not None:
                self._key, self._root, self._older, self._coming = now._key, now._root, now._older, now._coming
        if found is None:
            raise Refused("vault.wrong_key")
        return found

    def _unwrapped(self, stream: str, wrapped: bytes) -> bytes | None:
        for each in (self, self._coming):
            if each is None:
                continue
            try:
                return AESGCM(each._key).decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], bound("key", stream))
            except (InvalidTag, ValueError):
                continue
        return None

    def _payload_key(self) -> bytes:
        return self._expand(self._key, "derived", "temporal payloads")

    @staticmethod
    def _expand(key: bytes, *purpose: str) -> bytes:
        return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=bound(*purpose)).derive(key)


def payload_keys_in(path: Path) -> tuple[bytes, ...]:
    """The keys of payloads in a file of their own: for a process that reads its tasks and must not open the vault.

    Raises ``Refused`` as ``MasterKey.load`` does.
    """
    return tuple(read_keys(path, missing="vault.key_missing", most=MOST_OLDER + 2))


def bound(*parts: str) -> bytes:
    """What a ciphertext is bound to: moved to another stream or name it can no longer be read."""
    return canonical(["bihuan", *parts]).encode()


def next_file(path: Path) -> Path:
    """Where the key to come lies during a rotation."""
    return path.with_name(f"{path.name}.next")
