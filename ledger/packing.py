"""A zip file of which every byte follows from what is in it.

Owns the bytes: entries in the order of their names, not compressed, without times, rights or comments. So a file
that was changed in any place, also where no program looks, is not the one that packing its content gives. Every
program that opens zip files opens these.
"""

import struct
import zlib
from collections.abc import Mapping

MOST_BYTES = 256 * 1024 * 1024
"""Of a whole file."""
_MOST_ENTRIES = 1_000

# 1 January 1980, the first day such files know, at midnight.
_DATE, _TIME = 0x0021, 0
_VERSION, _UTF8 = 20, 0x0800
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")


def pack(files: Mapping[str, bytes]) -> bytes:
    """The file with these entries; raises ``ValueError`` when they are too many or too large."""
    local, central = bytearray(), bytearray()
    for name in sorted(files):
        data, called = files[name], name.encode()
        facts = (_VERSION, _UTF8, 0, _TIME, _DATE, zlib.crc32(data), len(data), len(data), len(called), 0)
        central += _CENTRAL.pack(b"PK\x01\x02", _VERSION, *facts, 0, 0, 0, 0, len(local)) + called
        local += _LOCAL.pack(b"PK\x03\x04", *facts) + called + data
    end = _END.pack(b"PK\x05\x06", 0, 0, len(files), len(files), len(central), len(local), 0)
    if len(local) + len(central) > MOST_BYTES or len(files) > _MOST_ENTRIES:
        raise ValueError("too much for one file")
    return bytes(local + central + end)


def unpack(data: bytes) -> dict[str, bytes]:
    """The entries of a file that ``pack`` made; raises ``ValueError`` for any other, also when one byte differs."""
    if len(data) > MOST_BYTES:
        raise ValueError("too large")
    files: dict[str, bytes] = {}
    at = 0
    try:
        while data[at : at + 4] == b"PK\x03\x04" and len(files) <= _MOST_ENTRIES:
            head = _LOCAL.unpack_from(data, at)
            size, length = head[8], head[9]
            at += _LOCAL.size
            name = data[at : at + length].decode()
            at += length
            files[name] = data[at : at + size]
            at += size
        if pack(files) != data:
            raise ValueError("not what was packed")
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError("not a packed file") from error
    return files
