"""One short value for a list of many, and the proof that one entry is in it.

Owns the tree of RFC 9162 (SHA-256, leaves and nodes told apart by their first byte). Must not know what is listed.
"""

import hashlib
from collections.abc import Sequence
from typing import Literal

Step = tuple[Literal["left", "right"], str]
"""On which side of the path the neighbour stands, and its hash in hexadecimal."""


def leaf(text: str) -> bytes:
    """The hash of one entry."""
    return hashlib.sha256(b"\x00" + text.encode()).digest()


def root(leaves: Sequence[bytes]) -> str:
    """The value of the whole list in hexadecimal; that of an empty list is the hash of nothing."""
    if not leaves:
        return hashlib.sha256(b"").hexdigest()
    return _level(leaves).hex()


def path(leaves: Sequence[bytes], index: int) -> tuple[Step, ...]:
    """The proof for the entry at ``index``, from the leaf up; it is as long as the logarithm of the list."""
    if len(leaves) == 1:
        return ()
    cut = _cut(len(leaves))
    if index < cut:
        return (*path(leaves[:cut], index), ("right", _level(leaves[cut:]).hex()))
    return (*path(leaves[cut:], index - cut), ("left", _level(leaves[:cut]).hex()))


def climb(start: bytes, steps: Sequence[Step]) -> str:
    """The value that a list with this entry and this proof has; raises ``ValueError`` for what is not hexadecimal."""
    at = start
    for side, other in steps:
        neighbour = bytes.fromhex(other)
        at = _node(neighbour, at) if side == "left" else _node(at, neighbour)
    return at.hex()


def _level(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    cut = _cut(len(leaves))
    return _node(_level(leaves[:cut]), _level(leaves[cut:]))


def _cut(size: int) -> int:
    """The largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
