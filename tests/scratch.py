"""Where what tests write for themselves lies: in a folder of this run, in memory where the machine has plenty of it.

A test makes and drops a database; on a disk that takes longer than most tests take, in memory a tenth of that.
Whoever wants another place says so by ``TMPDIR``.
"""

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

import psutil

_MEMORY = Path("/dev/shm")
_ROOM, _SPARE = 2 * 2**30, 4 * 2**30
"""What a run takes at the most, and what must be free for that so that nobody misses it; bytes."""
_NAME = "bihuan-tests-"


def make_scratch() -> Path | None:
    """Let the temporary files of this process and its children lie in a folder of their own; None in a child.

    Of pytest's own folder, which all its runs share, each run closes the way to the user PostgreSQL runs as.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        return None
    place = _MEMORY if "TMPDIR" not in os.environ and _has_room() else Path(tempfile.gettempdir())
    _clear(place)
    folder = place / f"{_NAME}{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o711)
    os.environ["TMPDIR"] = str(folder)
    # What was asked for before is remembered.
    tempfile.tempdir = None
    return folder


def _has_room() -> bool:
    if not os.access(_MEMORY, os.W_OK | os.X_OK):
        return False
    return shutil.disk_usage(_MEMORY).free >= _ROOM and psutil.virtual_memory().available >= _SPARE


def _clear(place: Path) -> None:
    """Remove what earlier runs have kept because something went wrong, but for the last of them."""
    left = []
    for folder in place.glob(f"{_NAME}*"):
        number = folder.name.removeprefix(_NAME)
        if number.isdecimal() and not psutil.pid_exists(int(number)):
            # A run that begins at the same moment may be removing it too.
            with contextlib.suppress(FileNotFoundError):
                left.append((folder.stat().st_mtime, folder))
    for _, folder in sorted(left)[:-1]:
        shutil.rmtree(folder, ignore_errors=True)
