"""The anchors file: every checkpoint on a line of its own, outside the database.

Owns reading and appending. Lines are never changed; a line is on the disk before ``append`` returns.
"""

import asyncio
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from domain.errors import Refused, unreadable
from ledger.checkpoints import MOST_BYTES, Checkpoint, header_of, kept
from ledger.key_file import sync_folder
from ledger.log import Connection


class BrokenLine(ValueError):  # noqa: N818 - a fact about the line
    """A line of the file is not a checkpoint; ``number`` is that of the line, from 1."""

    def __init__(self, number: int) -> None:
        super().__init__(f"line {number} is not a checkpoint")
        self.number = number


class AnchorFile:
    """The file at ``path``; several processes may append to it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def size(self) -> int:
        """The bytes of its whole lines so far, 0 when there is no file."""
        try:
            with self.path.open("rb") as file:
                return _whole_lines(file.fileno())
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise unreadable(self.path, error) from error

    def read(self, size: int | None = None) -> Iterator[Checkpoint | BrokenLine]:
        """The checkpoints of the first ``size`` bytes in order, one in memory at a time; nothing without a file.

        What is no checkpoint is given as such, so that reading goes on behind it. Raises ``Refused``
        ``file.unreadable``.
        """
        left = self.size() if size is None else size
        try:
            with self.path.open("rb") as file:
                number = 0
                while left > 0 and (line := file.readline(min(left, MOST_BYTES))):
                    number, left = number + 1, left - len(line)
                    yield _read(line, number)
        except FileNotFoundError:
            return
        except OSError as error:
            raise unreadable(self.path, error) from error

    def last(self) -> Checkpoint | None:
        """The checkpoint on the last whole line, None when there is none.

        Raises ``Refused`` ``audit.anchors_broken`` when that line is no checkpoint.
        """
        size = self.size()
        if size == 0:
            return None
        with self.path.open("rb") as file:
            start = max(0, size - MOST_BYTES)
            file.seek(start)
            found = file.read(size - start)
        line = found[found.rfind(b"\n", 0, len(found) - 1) + 1 :]
        made = _read(line, 0)
        if isinstance(made, BrokenLine):
            raise Refused("audit.anchors_broken", path=self.path) from made
        return made

    def append(self, checkpoints: Sequence[Checkpoint]) -> None:
        """Add the checkpoints that follow the last line; those before it are there already.

        Half a line, left by a crash, is replaced. Raises ``Refused``: ``audit.anchors_differ`` when the first of them
        does not follow the file, ``audit.anchors_broken``, ``file.unwritable``.
        """
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            place = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(place, fcntl.LOCK_EX)
                self._append(place, checkpoints)
            finally:
                os.close(place)
            sync_folder(self.path.parent)
        except OSError as error:
            raise Refused("file.unwritable", path=self.path, reason=error.strerror) from error

    def _append(self, place: int, checkpoints: Sequence[Checkpoint]) -> None:
        last = self.last()
        fresh = [each for each in checkpoints if last is None or each.number > last.number]
        for each in fresh:
            if last is not None and (each.number, each.prev) != (last.number + 1, last.hash):
                raise Refused("audit.anchors_differ", path=self.path, number=each.number)
            last = each
        if not fresh:
            return
        end = _whole_lines(place)
        os.ftruncate(place, end)
        text = "".join(f"{each.line}\n" for each in fresh).encode()
        while text:
            written = os.pwrite(place, text, end)
            text, end = text[written:], end + written
        os.fsync(place)


async def compare(conn: Connection, anchors: AnchorFile) -> Checkpoint | None:
    """The last checkpoint of the file, which the database knows too; None for an empty file.

    Raises ``Refused``: ``audit.anchors_ahead`` when the database does not have it, ``audit.anchors_differ`` when it has
    another of the same number, and as ``AnchorFile.last`` does.
    """
    last = await asyncio.to_thread(anchors.last)
    if last is not None:
        header = await header_of(conn, last.number)
        if header is None:
            raise Refused("audit.anchors_ahead", path=anchors.path, number=last.number)
        if header != last.header:
            raise Refused("audit.anchors_differ", path=anchors.path, number=last.number)
    return last


async def catch_up(conn: Connection, anchors: AnchorFile) -> int:
    """Write into the file what the database has and the file has not; the number of checkpoints written.

    So a crash between the two, a new disk or another machine loses nothing. Raises ``Refused`` as ``compare`` and
    ``AnchorFile.append`` do, and ``audit.checkpoint_broken`` for one in the database that was not signed like this.
    """
    last = await compare(conn, anchors)
    written = 0
    async for each in kept(conn, last.number if last else 0):
        if isinstance(each, int) or not each.is_signed or not each.holds_its_heads:
            raise Refused("audit.checkpoint_broken", number=each if isinstance(each, int) else each.number)
        await asyncio.to_thread(anchors.append, [each])
        written += 1
    return written


def _read(line: bytes, number: int) -> Checkpoint | BrokenLine:
    try:
        if not line.endswith(b"\n"):
            raise ValueError("too long a line")
        return Checkpoint.read(line[:-1].decode())
    except ValueError:
        return BrokenLine(number)


def _whole_lines(place: int) -> int:
    """The bytes up to the last line end: what follows was being written when the power went."""
    end = os.fstat(place).st_size
    while end > 0:
        start = max(0, end - 65_536)
        found = os.pread(place, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
