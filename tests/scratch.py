"""Where what tests write for themselves lies: in memory, where the machine has plenty of it.

A test makes and drops a database; on a disk that takes longer than most tests take, in memory a tenth of that.
Whoever wants another place says so by ``TMPDIR``.
"""

import os
import shutil
import tempfile
from pathlib import Path

import psutil

_MEMORY = Path("/dev/shm")
_ROOM, _SPARE = 2 * 2**30, 4 * 2**30
"""What a run takes at the most, and what must be free for that so that nobody misses it; bytes."""


def write_into_memory() -> None:
    """Let temporary folders of this process and its children lie in memory, unless it is short or one chose a place."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK | os.X_OK):
        return
    if shutil.disk_usage(_MEMORY).free >= _ROOM and psutil.virtual_memory().available >= _SPARE:
        os.environ["TMPDIR"] = str(_MEMORY)
        # What was asked for before is remembered.
        tempfile.tempdir = None
