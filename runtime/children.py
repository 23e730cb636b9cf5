"""Child processes that are watched, logged and never left behind.

Owns starting, awaiting, stopping and restarting of single programs, and the record by which a later start finds what
an earlier one left running. Must not know what the programs are.
"""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, NamedTuple

import psutil

from domain.errors import Refused
from runtime.endpoints import write_private
from runtime.logging import get_logger

log = get_logger(__name__)

_LAUNCHER = Path(__file__).with_name("launch.py")
_POLL = 0.05
LOG_LIMIT = 20 * 1024 * 1024
"""Bytes beyond which a log makes room. Its one predecessor is as large, and both grow until somebody looks again."""

# Between reading the clock of the machine and of a process there is rounding, and the clock may be set.
_SAME_START = 2.0


class SystemUser(NamedTuple):
    """The user a child runs as when we are root."""

    uid: int
    gid: int


@dataclass(frozen=True)
class ChildSpec:
    """What to run and how to know that it works.

    ``command`` starts with an absolute path. ``ready`` is asked again and again until it says yes; with
    ``ready_file`` the child says so itself by creating that file, whose path it finds in ``BIHUAN_READY_FILE``.
    ``stop_signal`` asks it to leave, ``last_signal`` makes it leave after ``patience``, ``death_signal`` is what it
    receives when we die. A start that fails is tried again for ``retry_for``.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    folder: Path | None = None
    user: SystemUser | None = None
    ready: Callable[[], Awaitable[bool]] | None = None
    ready_file: Path | None = None
    # Most of a start is the importing of libraries, for which a busy machine takes its time.
    ready_within: timedelta = timedelta(minutes=1)
    retry_for: timedelta = timedelta(0)
    stop_signal: signal.Signals = signal.SIGTERM
    last_signal: signal.Signals = signal.SIGKILL
    death_signal: signal.Signals = signal.SIGKILL
    patience: timedelta = timedelta(seconds=10)
    before_start: Callable[[], None] | None = None


class Child:
    """One program as a process of ours; start it from the main thread, for on Linux it lives as long as that thread.

    Its output is appended to ``<logs>/<name>.log``.
    """

    def __init__(self, spec: ChildSpec, logs: Path) -> None:
        self.spec = spec
        self.log_file = logs / f"{spec.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._has_become_ready = False

    @property
    def name(self) -> str:
        """The name given in the specification."""
        return self.spec.name

    @property
    def pid(self) -> int | None:
        """The process id while the child runs."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    @property
    def is_ready(self) -> bool:
        """Whether the child runs and has become ready since it was started last."""
        return self._has_become_ready and self.pid is not None

    @property
    def exit_code(self) -> int | None:
        """How the last process ended (negative: by that signal), ``None`` while it runs or before the first start."""
        return None if self._process is None else self._process.poll()

    async def start(self, started: Callable[[], None] = lambda: None) -> None:
        """Start the program and return when it is ready; ``started`` is called after every spawn.

        Raises ``Refused('instance.child_failed')`` when it ends or stays silent instead; it does not run then.
        """
        retry_until = time.monotonic() + self.spec.retry_for.total_seconds()
        while True:
            self._spawn()
            started()
            try:
                if await self._becomes_ready():
                    self._has_become_ready = True
                    return
            except BaseException:
                await asyncio.shield(self.stop())
                raise
            code = self.exit_code
            await self.stop()
            if time.monotonic() >= retry_until:
                raise Refused("instance.child_failed", name=self.name, exit=code, log=self.log_file)
            log.info("child_start_failed_once", child=self.name, code=code)
            await asyncio.sleep(0.3)

    async def stop(self) -> None:
        """Ask the child to leave, insist after its patience; returns when it is gone. Nothing happens if it is."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.send_signal(self.spec.stop_signal)
        if await _ends(process, self.spec.patience):
            return
        log.warning("child_did_not_leave", child=self.name, pid=process.pid)
        process.send_signal(self.spec.last_signal)
        if not await _ends(process, timedelta(seconds=5)):
            process.kill()
            await _ends(process, timedelta(seconds=30))

    async def ended(self) -> int:
        """Wait until the running process ends and return its exit code."""
        while (code := self.exit_code) is None:  # noqa: ASYNC110 - the system has no event for it everywhere
            await asyncio.sleep(_POLL * 2)
        return code

    def _spawn(self) -> None:
        spec = self.spec
        self._has_become_ready = False
        if spec.before_start is not None:
            spec.before_start()
        environment = dict(spec.environment)
        if spec.ready_file is not None:
            spec.ready_file.unlink(missing_ok=True)
            environment["BIHUAN_READY_FILE"] = str(spec.ready_file)
        uid, gid = (str(spec.user.uid), str(spec.user.gid)) if spec.user else ("-", "-")
        head = [sys.executable, "-I", "-S", str(_LAUNCHER), str(os.getpid()), str(int(spec.death_signal)), uid, gid]
        with _open_log(self.log_file) as output:
            self._process = subprocess.Popen(
                [*head, *spec.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=spec.folder or Path("/"),
                # Ctrl-C in the terminal must reach us alone: we stop the children in their order.
                start_new_session=True,
            )

    async def _becomes_ready(self) -> bool:
        deadline = time.monotonic() + self.spec.ready_within.total_seconds()
        while self.exit_code is None and time.monotonic() < deadline:
            if await self._is_ready():
                return True
            await asyncio.sleep(_POLL)
        return False

    async def _is_ready(self) -> bool:
        if self.spec.ready_file is not None and not self.spec.ready_file.exists():
            return False
        # A readiness check may succeed against somebody else while our process has already ended.
        return (self.spec.ready is None or await self.spec.ready()) and self.exit_code is None


async def _ends(process: subprocess.Popen[bytes], within: timedelta) -> bool:
    deadline = time.monotonic() + within.total_seconds()
    while process.poll() is None:
        if time.monotonic() >= deadline:
            return False
        await asyncio.sleep(_POLL)
    return True


def _open_log(path: Path) -> BinaryIO:
    """Open a log for appending, 0600; one that has grown large makes room and keeps one predecessor."""
    make_room(path)
    return _open_private(path, os.O_APPEND)


def make_room(log: Path, limit: int = LOG_LIMIT) -> bool:
    """Empty a log that has grown beyond ``limit`` bytes and keep what it held as its one predecessor; whether it had.

    Whoever writes it goes on, for all append; lines written between the last look and the emptying, microseconds, are
    lost. Raises ``OSError`` when there is no room for a copy; the log is as it was then.
    """
    if not log.exists() or log.stat().st_size <= limit:
        return False
    draft = log.with_suffix(".log.new")
    try:
        with log.open("rb") as source, _open_private(draft, os.O_TRUNC) as kept:
            shutil.copyfileobj(source, kept)
            os.truncate(log, 0)
        draft.replace(log.with_suffix(".log.1"))
    finally:
        draft.unlink(missing_ok=True)
    return True


def _open_private(path: Path, how: int) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600), "ab" if how == os.O_APPEND else "wb")


class Roll:
    """The record of the children that run now, kept in a file for whoever comes after a violent end of ours."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, children: Sequence[Child]) -> None:
        """Record the running ones among ``children``."""
        entries = []
        for child in children:
            if (pid := child.pid) is None:
                continue
            try:
                born = psutil.Process(pid).create_time()
            except psutil.NoSuchProcess:
                continue
            entries.append({"name": child.name, "pid": pid, "born": born, "signal": int(child.spec.stop_signal)})
        write_private(self._path, json.dumps(entries) + "\n")

    def remove(self) -> None:
        """Forget everything: all children have been stopped."""
        self._path.unlink(missing_ok=True)

    async def end_leftovers(self) -> bool:
        """End whatever of an earlier record still runs; processes that merely got the same number are left alone.

        Whether there was a record: who stopped in good order has left none.
        """
        try:
            entries = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return False
        except json.JSONDecodeError:
            return True
        for entry in reversed(entries):
            process = _same_process(entry["pid"], entry["born"])
            if process is None:
                continue
            log.warning("leftover_ended", child=entry["name"], pid=process.pid)
            await _end_leftover(process, entry["signal"])
        self.remove()
        return True


def _same_process(pid: int, born: float) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        alive = abs(process.create_time() - born) < _SAME_START and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return None
    return process if alive else None


async def _end_leftover(process: psutil.Process, stop_signal: int) -> None:
    for number, seconds in ((stop_signal, 8), (signal.SIGQUIT, 3), (signal.SIGKILL, 5)):
        try:
            process.send_signal(number)
        except psutil.NoSuchProcess:
            return
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
                return
            await asyncio.sleep(_POLL)
