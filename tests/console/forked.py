"""The command line in processes of its own that need not import anything: forked from one that has.

Starting Python and importing what the commands need takes seconds of processor time, most of what a test of a command
takes. A forked one has signals, exit code and output of its own as any other; that ``python -m console.cli`` starts
from nothing, ``up`` and others show.
"""

import json
import os
import pkgutil
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_SERVERS = ("console.http", "console.pages", "console.api", "console.demo")
"""Packages no short-lived command needs."""


# --- in the process that has imported everything -------------------------------------------------------------------


def _import_everything() -> None:
    import console

    for module in pkgutil.walk_packages(console.__path__, "console."):
        if not module.name.startswith(_SERVERS):
            import_module(module.name)


def _become(asked: Mapping[str, Any]) -> None:
    """Be the command that was asked for; does not return."""
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, name, flags in (
            (0, asked["stdin"], os.O_RDONLY),
            (1, asked["stdout"], os.O_WRONLY),
            (2, asked["stderr"], os.O_WRONLY),
        ):
            opened = os.open(name, flags)
            os.dup2(opened, number)
            os.close(opened)
        os.environ.clear()
        os.environ.update(asked["environment"])
        sys.argv = ["bihuan", *asked["words"]]
        import_module("console.cli").main()
    finally:
        os._exit(70)


def serve(folder: Path) -> None:
    """Fork a command for each line of standard input and tell of each end on standard output, until the input ends.

    Then ``folder`` is removed.
    """
    tell = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    _import_everything()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    rest = b""
    while True:
        ready, _, _ = select.select([0, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _bury(tell)
        if 0 not in ready:
            continue
        if not (read := os.read(0, 65536)):
            shutil.rmtree(folder, ignore_errors=True)
            return
        *lines, rest = (rest + read).split(b"\n")
        for line in lines:
            if (pid := os.fork()) == 0:
                _become(json.loads(line))
            os.write(tell, f"{json.dumps({'began': pid})}\n".encode())


def _bury(tell: int) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        os.write(tell, f"{json.dumps({'ended': pid, 'code': os.waitstatus_to_exitcode(status)})}\n".encode())


# --- in the process of the tests -----------------------------------------------------------------------------------


class Forked:
    """A command under way, asked as ``subprocess.Popen`` is."""

    def __init__(self, folder: Path) -> None:
        self.pid = 0
        self.returncode: int | None = None
        self._folder = folder
        self._ended = threading.Event()

    def end(self, code: int) -> None:
        """It has ended with this code (negative: by that signal)."""
        self.returncode = code
        self._ended.set()

    def communicate(self, timeout: float = 110) -> tuple[str, str]:
        """Its output and its errors, once it has ended."""
        assert self._ended.wait(timeout), f"it runs still: {self._read('stdout')}{self._read('stderr')}"
        return self._read("stdout"), self._read("stderr")

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def _read(self, name: str) -> str:
        return (self._folder / name).read_text(encoding="utf-8")


class _Stem:
    """The process that has imported everything, and what was forked from it."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="bihuan-forked-"))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.console.forked", str(self._folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._asking = threading.Lock()
        self._began = threading.Event()
        self._newest: Forked | None = None
        self._number = 0
        self._running: dict[int, Forked] = {}
        threading.Thread(target=self._listen, name="forked commands", daemon=True).start()

    def start(self, words: tuple[str, ...], environment: Mapping[str, str], given: str) -> Forked:
        with self._asking:
            self._number += 1
            folder = self._folder / str(self._number)
            folder.mkdir()
            for name, content in (("stdin", given), ("stdout", ""), ("stderr", "")):
                (folder / name).write_text(content, encoding="utf-8")
            paths = {name: str(folder / name) for name in ("stdin", "stdout", "stderr")}
            asked = {"words": words, "environment": dict(environment), **paths}
            self._newest = forked = Forked(folder)
            self._began.clear()
            assert self._process.stdin is not None
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()
            assert self._began.wait(110), "the process that has imported everything does not answer"
            return forked

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            told = json.loads(line)
            if "began" in told:
                assert self._newest is not None
                self._newest.pid = told["began"]
                self._running[told["began"]] = self._newest
                self._began.set()
            else:
                self._running.pop(told["ended"]).end(told["code"])


_stem = cache(_Stem)


def start_forked(*words: str, environment: Mapping[str, str], given: str = "") -> Forked:
    """Begin ``bihuan`` with these words in the root of the project; ``given`` stands on its standard input."""
    return _stem().start(words, environment, given)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
