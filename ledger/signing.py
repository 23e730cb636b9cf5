"""The signature of this installation: Ed25519, with a key that lies beside the master key and not in the database.

Owns the key file and the form of keys and signatures (hexadecimal). Must not know what is signed.
"""

import re
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.key_file import read_key


class SigningKey:
    """Signs for this installation. Losing it loses no data: what was signed can still be checked."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
        """The key everybody may know, 64 hexadecimal letters; who has it can check and not sign."""

    def __repr__(self) -> str:
        return f"SigningKey(public={self.public})"

    @classmethod
    def load(cls, path: Path, *, create: bool = False) -> Self:
        """The key in the file ``path`` (32 raw bytes); with ``create`` a missing file is made with mode 0600.

        Raises ``Refused``: ``audit.key_missing``, and as ``ledger.key_file.read_keys`` does.
        """
        return cls(read_key(path, missing="audit.key_missing", create=create))

    def sign(self, text: str) -> str:
        """The signature over the UTF-8 of ``text``, 128 hexadecimal letters; the same text is signed alike."""
        return self._key.sign(text.encode()).hex()


def is_signed(text: str, signature: str, public: str) -> bool:
    """Whether ``signature`` over ``text`` was made with the key that belongs to ``public``."""
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(bytes.fromhex(signature), text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True


def is_public_key(text: str) -> bool:
    """Whether ``text`` is a public key in the form used here."""
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None
