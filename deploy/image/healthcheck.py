#!/usr/local/bin/python -ISB
"""Asks a health address of this container: ``healthcheck URL``; 0 when it answers 200, 1 otherwise.

For the container's own supervisor. The image has no curl; ``-S`` keeps the start of this program short.
"""

import sys
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

_PATIENCE = 4


def main(address: str) -> int:
    """The exit code for ``address``."""
    parts = urlsplit(address)
    connection = HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=_PATIENCE)
    try:
        connection.request("GET", parts.path)
        return 0 if connection.getresponse().status == 200 else 1
    except (OSError, HTTPException):
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
