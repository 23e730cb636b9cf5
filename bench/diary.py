"""What the clients tried and what they were told, line by line in a file.

Owns the shape of a history. Every attempt begins with ``invoke`` and ends with ``ok`` (acknowledged), ``fail``
(refused: it has no effect) or ``info`` (nobody knows). Lines of other types tell what was done to the processes.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

Json = dict[str, Any]


class Diary:
    """A history that is being written."""

    def __init__(self, path: Path) -> None:
        self._file: TextIO = path.open("w", encoding="utf-8")
        self._began = time.monotonic()
        self._attempts = 0

    def note(self, kind: str, **content: Any) -> None:
        """Write one line; ``t`` is in seconds since the beginning."""
        line = {"type": kind, "t": self.now, "at": datetime.now(UTC).isoformat(timespec="milliseconds"), **content}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()

    def invoke(self, **content: Any) -> int:
        """Write that an attempt begins, and give its number."""
        self._attempts += 1
        self.note("invoke", n=self._attempts, **content)
        return self._attempts

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return round(time.monotonic() - self._began, 3)

    def close(self) -> None:
        """Write nothing more."""
        self._file.close()


@dataclass(frozen=True)
class Attempt:
    """One attempt with its end; ``end`` is ``ok``, ``fail`` or ``info`` (also when the history stops before)."""

    invoked: Json
    ended: Json

    @property
    def key(self) -> str:
        """The idempotency key."""
        return str(self.invoked["key"])

    @property
    def content(self) -> str:
        """A digest of who sent what: the same key with other content is another act."""
        return str(self.invoked["content"])

    @property
    def end(self) -> str:
        """How it ended."""
        return str(self.ended["type"])


@dataclass
class History:
    """A history that is read."""

    lines: list[Json] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "History":
        """The history in this file."""
        return cls([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])

    def attempts(self) -> Iterator[Attempt]:
        """All attempts in the order they began."""
        ends = {line["n"]: line for line in self.lines if line["type"] in ("ok", "fail", "info")}
        for line in self.lines:
            if line["type"] == "invoke":
                yield Attempt(line, ends.get(line["n"], {"type": "info", "t": float("inf"), "why": "unfinished"}))

    def of(self, kind: str) -> list[Json]:
        """The lines of one type."""
        return [line for line in self.lines if line["type"] == kind]
