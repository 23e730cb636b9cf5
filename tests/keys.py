"""The keys of Temporal's payloads in tests; recorded histories are encrypted with the first, so it never changes."""

from runtime.codec import PayloadKeys

RAW = bytes(range(32))

KEYS = PayloadKeys(lambda: (RAW,))
