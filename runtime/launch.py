"""The first step of every child process, run as a script before the child's own program takes its place.

Owns two things that must happen inside the new process: it ends when its parent does, however the parent ends, and
it gives up the rights of the superuser where asked to. Must import nothing but the standard library, and little of
that: every child waits for it.

    python launch.py PARENT DEATH_SIGNAL UID GID PROGRAM [ARGUMENT ...]      (UID and GID may be "-")
"""

import os
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, change the user, become PROGRAM; returns only by an exception."""
    parent, death_signal, uid, gid, *command = arguments
    # Loaded before the change of user, who may not be allowed to read where Python lies.
    prctl = _find_prctl()
    os.umask(0o077)
    if uid != "-":
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    if prctl is not None:
        # After the change of user: Linux forgets the wish when the rights of a process change.
        prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != int(parent):
        # The parent was gone before the wish was heard.
        sys.exit(1)
    os.execv(command[0], command)


def _find_prctl() -> Callable[..., int] | None:
    """The system call by which a process asks to be told of its parent's death, where there is one.

    Where there is none (not Linux, or a Python without libffi), the next start on the data folder ends leftovers.
    """
    if sys.platform != "linux":
        return None
    try:
        import ctypes
    except ImportError:
        return None
    return ctypes.CDLL(None, use_errno=True).prctl


if __name__ == "__main__":
    main(sys.argv[1:])
