"""``python -m bench.audit``: how long ``bihuan audit verify`` takes over a million events, and how much memory.

Owns the log that is judged and the bar: two minutes, of the clock and of the command's processor time. A real case is
recorded, act by act; its events are then written again and again under other names with chains of their own, and
checkpoints are made on the way as the worker makes them. The command runs as a process of its own. The exit code is 0
when the bar is reached.
"""

import argparse
import asyncio
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import asyncpg
import psutil

from bench.doors import record_case
from bench.meters import Meter
from bench.results import hand_out
from bench.town import furnish
from ledger.anchors import AnchorFile, catch_up
from ledger.checkpoints import make_all
from ledger.keys import MasterKey
from ledger.log import canonical, instant_text
from ledger.migrate import migrate
from ledger.signing import SigningKey
from ledger.vault import Vault
from runtime.leaving import leave
from runtime.pool import open_pool
from runtime.postgres import EmbeddedPostgres

BAR_SECONDS = 120
_WAVES = 8
"""Each stream is written in so many parts, with checkpoints in between: so many of its heads are stated."""


@dataclass(frozen=True)
class Figures:
    """What was measured; memory in mebibytes, times in milliseconds.

    ``command_resident_mib`` is what the command held at nine moments, evenly between its beginning and its end.
    """

    events: int
    streams: int
    checkpoints: int
    heads: int
    body_bytes: int
    wall_ms: int
    command_cpu_ms: int
    server_cpu_ms: int
    command_peak_mib: int
    command_resident_mib: tuple[int, ...]
    server_peak_mib: int
    sound: bool

    @property
    def reaches_the_bar(self) -> bool:
        """Two minutes for a million events, in proportion for less.

        What waits for others on the machine is nobody's work, so either the clock or the processor time of both sides
        must stay within.
        """
        allowed = BAR_SECONDS * 1000 * self.events // 1_000_000
        return self.sound and min(self.wall_ms, max(self.command_cpu_ms, self.server_cpu_ms)) <= allowed


class _Template(NamedTuple):
    """An event of the real case, as every copy has it."""

    kind: str
    at: datetime
    actor: str
    canon: str
    command: int


async def _template(server: EmbeddedPostgres, folder: Path) -> tuple[list[_Template], list[tuple[int, int]]]:
    """The events of one real case from end to end, and the ranges of its commands."""
    await server.create_database("real")
    await migrate(server.dsn("real"))
    pool = await open_pool(server.dsn("real"))
    try:
        async with pool.acquire() as conn:
            await furnish(conn)
            stream = await record_case(pool, Vault(MasterKey.load(folder / "master.key", create=True)))
            rows = await conn.fetch("select * from event where stream = $1 order by seq", stream)
            ranges = await conn.fetch(
                "select seq_from, seq_to from command where stream = $1 order by seq_from, seq_to", stream
            )
    finally:
        await pool.close()
    commands = [(row["seq_from"], row["seq_to"]) for row in ranges]
    which = {seq: number for number, (first, last) in enumerate(commands) for seq in range(first, last + 1)}
    events = [
        _Template(row["kind"], row["at"], row["actor"], canonical(row["body"]), which[row["seq"]]) for row in rows
    ]
    return events, commands


class _Copy:
    """One more case with these events, and how far it has been written."""

    def __init__(self) -> None:
        self.stream = f"case-{uuid4().hex}"
        self.ids: dict[int, UUID] = {}
        self.prev = ""

    def events(self, template: list[_Template], first: int, last: int) -> Iterator[tuple[Any, ...]]:
        """The rows of the events from ``first`` to ``last``."""
        for seq in range(first, last + 1):
            each, id_ = template[seq - 1], uuid4()
            command = self.ids.setdefault(each.command, uuid4())
            parts = (
                self.prev, self.stream, str(seq), str(id_), each.kind, instant_text(each.at), each.actor, str(command),
                each.canon,
            )  # fmt: skip
            hash_ = hashlib.sha256("\n".join(parts).encode()).hexdigest()
            yield self.stream, seq, id_, each.kind, each.at, each.actor, command, each.canon, self.prev, hash_
            self.prev = hash_


async def fill(dsn: str, template: list[_Template], commands: list[tuple[int, int]], count: int) -> int:
    """Write about ``count`` events as so many cases; how many they are."""
    copies = [_Copy() for _ in range(max(1, count // len(template)))]
    key, ends = SigningKey(os.urandom(32)), _parts(commands)
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    columns = ["stream", "seq", "id", "kind", "at", "actor", "command_id", "body", "prev", "hash"]
    try:
        for before, last in pairwise(ends):
            for begin in range(0, len(copies), 2_000):
                some = copies[begin : begin + 2_000]
                rows = (row for copy in some for row in copy.events(template, before + 1, last))
                await conn.copy_records_to_table("event", columns=columns, records=rows)
            async for _ in make_all(conn, key):
                pass
        at, digest = template[0].at, "0" * 64
        for copy in copies:
            ids = {number: copy.ids.get(number) or uuid4() for number in range(len(commands))}
            await conn.copy_records_to_table(
                "command",
                columns=["id", "stream", "process", "digest", "seq_from", "seq_to", "at"],
                records=[(ids[n], copy.stream, "case", digest, *each, at) for n, each in enumerate(commands)],
            )
        await conn.execute("vacuum analyze")
        return len(copies) * len(template)
    finally:
        await conn.close()


def _parts(commands: list[tuple[int, int]]) -> list[int]:
    """After which events the parts of a case end: between two commands."""
    ends = [last for _, last in commands]
    return sorted({0, *(ends[len(ends) * number // _WAVES - 1] for number in range(1, _WAVES + 1))})


async def measure(server: EmbeddedPostgres, dsn: str, folder: Path, body_bytes: int) -> Figures:
    """Run the command on the filled ledger and watch it."""
    anchors = folder / "anchors.jsonl"
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    await catch_up(conn, AnchorFile(anchors))
    await conn.close()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BIHUAN_")}
    environment |= {"BIHUAN_DATABASE_URL": dsn, "BIHUAN_TEMPORAL_ADDRESS": "127.0.0.1:9", "BIHUAN_DATA": str(folder)}
    assert server.pid is not None, "the server runs while it is measured"
    meter = Meter({"server": server.pid})
    before, begun = meter.read(), time.monotonic_ns()
    command = [sys.executable, "-m", "console.cli", "audit", "verify", "--anchor", str(anchors), "--json"]
    watched = await asyncio.to_thread(_watch, command, environment, server.pid)
    wall, after, report = time.monotonic_ns() - begun, meter.read(), watched.report
    if "error" in report:
        raise RuntimeError(report["error"])
    return Figures(
        events=report["events"],
        streams=report["streams"],
        checkpoints=report["checkpoints"],
        heads=report["heads"],
        body_bytes=body_bytes,
        wall_ms=wall // 1_000_000,
        command_cpu_ms=watched.cpu_ms,
        server_cpu_ms=(after["server"] - before["server"]) // 1000,
        command_peak_mib=watched.peak_mib,
        command_resident_mib=watched.resident_mib,
        server_peak_mib=watched.server_peak_mib,
        sound=report["sound"] and watched.code == 0,
    )


class _Watched(NamedTuple):
    """What a command said, and what it and the server's processes needed."""

    report: dict[str, Any]
    code: int
    cpu_ms: int
    peak_mib: int
    resident_mib: tuple[int, ...]
    server_peak_mib: int


def _watch(command: list[str], environment: dict[str, str], server: int) -> _Watched:
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, env=environment, stdout=out, stdin=subprocess.DEVNULL)
        ended, most, peak, resident = 0, 0, 0, [0]
        while ended == 0:
            time.sleep(0.25)
            most = max(most, _private(server))
            resident.append(_resident(process.pid))
            peak = max(peak, resident[-1], _peak(process.pid))
            ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        return _Watched(
            report=json.loads(out.read()),
            code=process.returncode,
            cpu_ms=round((usage.ru_utime + usage.ru_stime) * 1000),
            peak_mib=peak // 1024 // 1024,
            resident_mib=tuple(resident[len(resident) * step // 10] // 1024 // 1024 for step in range(1, 10)),
            server_peak_mib=most // 1024 // 1024,
        )


def _resident(pid: int) -> int:
    """The resident memory of the command, in bytes; 0 once it has ended."""
    try:
        return psutil.Process(pid).memory_info().rss
    except psutil.Error:
        return 0


def _peak(pid: int) -> int:
    """The most the command has held so far, in bytes, where the system says it; 0 elsewhere and once it has ended.

    What ``wait4`` tells is no use here: Linux counts the memory of the process that started it, and this one has just
    written the log.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _private(pid: int) -> int:
    """The largest private memory of a process of the server, in bytes."""
    most = 0
    for child in psutil.Process(pid).children(recursive=True):
        try:
            most = max(most, child.memory_full_info().uss)
        except psutil.Error:
            continue
    return most


async def run(count: int, *, as_json: bool) -> bool:
    """Fill, measure, print; True when the bar is reached."""
    with tempfile.TemporaryDirectory(prefix="bihuan-") as name:
        folder = Path(name)
        async with EmbeddedPostgres(folder / "postgres") as server:
            template, commands = await _template(server, folder)
            await server.create_database("audit")
            await migrate(server.dsn("audit"))
            begun = time.monotonic()
            written = await fill(server.dsn("audit"), template, commands, count)
            print(f"{written} events written in {int(time.monotonic() - begun)} s", file=sys.stderr)
            body = sum(len(each.canon.encode()) for each in template) // len(template)
            figures = await measure(server, server.dsn("audit"), folder, body)
    hand_out("audit", asdict(figures), as_json=as_json)
    if not as_json:
        for name_, value in asdict(figures).items():
            print(f"{name_:>18}  {value}")
        print(f"bar {BAR_SECONDS} s a million: {'reached' if figures.reaches_the_bar else 'missed'}")
    return figures.reaches_the_bar


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.audit", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    leave(0 if asyncio.run(run(args.events, as_json=args.json)) else 1)


if __name__ == "__main__":
    main()
