"""How a process that used the Temporal client ends.

Owns the last step of every entry point. Must not do any work of its own: by now everything is stopped.
"""

import logging
import os
import sys
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End this process at once with ``code``, after flushing logs and standard streams.

    The interpreter's own shutdown sometimes aborts (exit code 134) while threads of the Temporal library still run,
    which would turn a success into a failure; see issue 300 of temporalio/sdk-python.
    """
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            # The reader went away or closed the stream: nobody is left to be told.
            continue
    os._exit(code)
