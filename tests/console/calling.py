"""The command line called in this process, and what it answered."""

import io
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from console.cli import execute

Answer = tuple[int, str]
"""The exit code and what was printed, errors included."""

Call = Callable[..., Answer]
"""Takes the words of a command line."""


def called(*words: str) -> Answer:
    """Run a command."""
    out = io.StringIO()
    # A thread of its own has no event loop and no options of another command.
    with redirect_stdout(out), redirect_stderr(out), ThreadPoolExecutor(1) as thread:
        code = thread.submit(execute, list(words)).result()
    return code, out.getvalue()


def value(answer: Answer, exit_code: int = 0) -> Any:
    """The JSON value a command printed."""
    code, text = answer
    assert code == exit_code, text
    return json.loads(text)


def error(answer: Answer, exit_code: int | None = None) -> Any:
    """The error object a refused command printed, with all its sentences and the exit code that goes with it."""
    code, text = answer
    found = json.loads(text)["error"]
    assert all(found[name] for name in ("code", "message", "remedy", "message_en", "remedy_en"))
    family = 2 if found["code"].startswith("cli.") else 4 if found["code"] == "instance.not_running" else 1
    assert code == (family if exit_code is None else exit_code), text
    return found
