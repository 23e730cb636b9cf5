"""The memory of this process: how much it may take, as the system tells it, and what of it lasts.

Owns reading the limits of control groups and what the machine has left, and what the garbage collector is told. Reads
files of the kernel and nothing else; where there are none (another system), it does not know.
"""

import gc
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_UNLIMITED = 1 << 60
"""Version 1 of the control groups writes a number of this size where there is no limit."""

_V1_LIMIT = "memory.limit_in_bytes"
_V2_LIMIT = "memory.max"


@dataclass(frozen=True)
class Memory:
    """``size`` bytes: a ``limit`` that is this process's own, or what a machine has ``available`` for all."""

    size: int
    kind: Literal["limit", "available"]


def memory_here(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> Memory | None:
    """The smallest limit of the control groups this process is in, else what the machine has available now.

    None where the system tells neither. A limit larger than the machine is none.
    """
    total, available = _machine(proc)
    limits = [limit for limit in _limits(proc, groups) if total is None or limit < total]
    if limits:
        return Memory(min(limits), "limit")
    return None if available is None else Memory(available, "available")


def _limits(proc: Path, groups: Path) -> list[int]:
    """Every limit that counts: those of the own group and of all groups around it."""
    found: list[int] = []
    for line in _read(proc / "self" / "cgroup").splitlines():
        _, controllers, path = line.split(":", 2) if line.count(":") >= 2 else ("", "-", "")
        if controllers == "":
            base, name = groups, _V2_LIMIT
        elif "memory" in controllers.split(","):
            base, name = groups / "memory", _V1_LIMIT
        else:
            continue
        # In a container the own group may be mounted as the root: what is not there is passed over.
        inner = base / path.lstrip("/")
        for folder in (inner, *inner.parents):
            limit = _number(_read(folder / name))
            if limit is not None:
                found.append(limit)
            if folder == base:
                break
    return found


def _machine(proc: Path) -> tuple[int | None, int | None]:
    """Bytes the machine has, and bytes it has left."""
    lines = dict(line.split(":", 1) for line in _read(proc / "meminfo").splitlines() if ":" in line)

    def size(name: str) -> int | None:
        kib = _number(lines.get(name, "").removesuffix("kB"))
        return None if kib is None else kib * 1024

    return size("MemTotal"), size("MemAvailable")


def _number(text: str) -> int | None:
    """The number that stands there; None for ``max``, for nothing, and for one so large that it means no limit."""
    text = text.strip()
    return int(text) if text.isdecimal() and int(text) < _UNLIMITED else None


def _read(path: Path) -> str:
    try:
        return path.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def settle(*, collect_after: int | None = None) -> None:
    """Take what was loaded so far for as lasting as the process: the garbage collector no longer walks through it.

    For a process that is about to serve. Modules and models are most of its objects; walking through them stops a
    worker for 25 to 40 ms at a time. ``collect_after`` is how many new objects gather before the collector looks at
    them (Python's own choice is some hundreds).
    """
    gc.collect()
    gc.freeze()
    if collect_after is not None:
        gc.set_threshold(collect_after, *gc.get_threshold()[1:])
