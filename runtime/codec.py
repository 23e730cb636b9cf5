"""What Temporal stores is encrypted: every payload, and the words of every failure. Large ones are compressed before.

Owns the form of an encrypted payload. Must not know where the keys lie: they are given as a function that reads them.
Ids of workflows and updates, search attributes and the types of failures stay readable: no personal data may be there.
"""

import hashlib
import os
import time
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from domain.errors import Refused
from runtime.compression import WORTH, compress, decompress
from runtime.metrics import OFF, Metrics

ENCODING = b"binary/encrypted"
"""What the metadata of an encrypted payload say of its encoding; Temporal's own pages know it by this name."""

_NONCE_BYTES = 12
_LOOK_AGAIN = 1.0
"""Seconds between two readings of the keys for payloads whose key is not known."""


def key_id(key: bytes) -> str:
    """Sixteen hexadecimal digits by which a payload names its key."""
    return hashlib.sha256(b"bihuan payload key\n" + key).hexdigest()[:16]


class PayloadKeys:
    """The keys as ``read`` gives them: the first encrypts, all of them decrypt.

    They are read again when a payload names one that is not known, so that a key made by a rotation reaches processes
    that run.
    """

    def __init__(self, read: Callable[[], Sequence[bytes]]) -> None:
        self._read = read
        self._looked = 0.0
        self._take()

    def __repr__(self) -> str:
        return "PayloadKeys(…)"

    def _take(self) -> None:
        self._looked = time.monotonic()
        keys = self._read()
        self._ciphers = {key_id(key): AESGCM(key) for key in keys}
        self.current = key_id(keys[0])

    def cipher(self, known: str) -> AESGCM:
        """The cipher of the key ``known``. Raises ``Refused`` ``payload.wrong_key``."""
        found = self._ciphers.get(known)
        if found is None and time.monotonic() - self._looked > _LOOK_AGAIN:
            self._take()
            found = self._ciphers.get(known)
        if found is None:
            raise Refused("payload.wrong_key", key=known)
        return found


class Sealer:
    """AES-256-GCM over the whole payload, its metadata included; the id of the key stands beside.

    ``compresses`` makes large ones smaller first; what is compressed is read by all. Neither the name of the key nor
    that of the compression can be changed unnoticed. A payload that is not encrypted, written before there was
    encryption, is handed on as it is.
    """

    def __init__(self, keys: PayloadKeys, metrics: Metrics = OFF, *, compresses: bool = False) -> None:
        self._keys, self._metrics, self._compresses = keys, metrics, compresses

    def seal(self, payload: Payload) -> Payload:
        """The payload, encrypted with the current key."""
        current, content = self._keys.current, payload.SerializeToString()
        name, nonce = current.encode(), os.urandom(_NONCE_BYTES)
        metadata, how = {"encoding": ENCODING, "key": name}, b""
        if self._compresses and len(content) >= WORTH:
            content, how = compress(content)
            metadata["compressed"] = how
        data = nonce + self._keys.cipher(current).encrypt(nonce, content, name + how)
        return Payload(metadata=metadata, data=data)

    def unseal(self, payload: Payload) -> Payload:
        """The payload as it was. Raises ``Refused`` ``payload.wrong_key`` and ``payload.unknown_compression``."""
        metadata = payload.metadata
        if metadata.get("encoding") != ENCODING:
            return payload
        name, how = metadata.get("key", b""), metadata.get("compressed", b"")
        known = name.decode("ascii", "replace")[:16]
        try:
            nonce, data = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
            content = self._keys.cipher(known).decrypt(nonce, data, name + how)
        except (InvalidTag, ValueError, Refused):
            self._metrics.count("bihuan_codec_failures_total")
            raise Refused("payload.wrong_key", key=known) from None
        return Payload.FromString(decompress(content, how) if how else content)


class EncryptingCodec(PayloadCodec):
    """The same for those who hold payloads and no values: Temporal's own pages, and whoever reads a history."""

    def __init__(self, keys: PayloadKeys) -> None:
        self._sealer = Sealer(keys)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """The payloads, encrypted."""
        return [self._sealer.seal(each) for each in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """The payloads as they were before. Raises ``Refused`` ``payload.wrong_key``."""
        return [self._sealer.unseal(each) for each in payloads]
