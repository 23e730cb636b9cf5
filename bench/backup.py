"""``python -m bench.backup``: how long an office of a hundred thousand cases takes to copy, to prove and to put back.

Owns the office that is measured: every case has its whole history with a right chain and right read models, most of
them archived, one in twelve open; some have a reporter in the vault, some a photograph. The three commands run as
processes of their own, as an operator runs them.
"""

import argparse
import asyncio
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg

from bench.copies import multiply
from bench.results import hand_out
from bench.town import furnish as furnish_town
from bench.town import play_straight
from console.files.store import FolderStore
from ledger.acting import act
from ledger.keys import MasterKey
from ledger.migrate import migrate
from ledger.vault import Vault
from ledger.world import Worlds
from runtime.leaving import leave
from runtime.logging import set_up_logging
from runtime.pool import open_pool
from runtime.postgres import EmbeddedPostgres

WITH_REPORTER, WITH_PHOTOGRAPH, PHOTOGRAPH = 20, 50, 150_000
"""One case in so many has a phone in the vault, one in so many a photograph; bytes of a photograph."""


@dataclass(frozen=True)
class Step:
    """A command as it was run: seconds, most memory in MiB, and what it answered."""

    name: str
    took: float
    memory: int
    answer: dict[str, Any]


async def furnish(dsn: str, data: Path, cases: int) -> None:
    """Fill the ledger at ``dsn`` and the data folder."""
    await migrate(dsn)
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    pool = await open_pool(dsn, size=2, role="bihuan_app")
    try:
        await furnish_town(conn)
        closed, still_open = await played(pool, until=None), await played(pool, until="accept")
        await multiply(conn, still_open, cases // 12)
        await multiply(conn, closed, cases - cases // 12)
        await _furnish_people(conn, data)
        await conn.execute("vacuum analyze")
    finally:
        await pool.close()
        await conn.close()


async def played(pool: asyncpg.Pool, until: str | None) -> str:
    """A real case, acted on without an engine."""
    worlds, begun = Worlds(), datetime(2026, 11, 2, tzinfo=UTC)
    recorded = partial(act, pool, worlds)
    return (await play_straight(recorded, pool, begun=begun, apart=timedelta(hours=1), until=until))[0]


async def _furnish_people(conn: asyncpg.Connection, data: Path) -> None:
    vault, store = Vault(MasterKey.load(data / "master.key", create=True)), FolderStore(data / "files")
    streams = [row["id"] for row in await conn.fetch("select id from case_row order by id")]
    for stream in streams[::WITH_REPORTER]:
        await vault.write(conn, stream, {"phone": "139" + f"{secrets.randbelow(10**8):08}"})
    for stream in streams[::WITH_PHOTOGRAPH]:
        content = secrets.token_bytes(PHOTOGRAPH)
        digest = sha256(content).hexdigest()
        path = store.path_of(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        await conn.execute(
            "insert into file (digest, thumb, media_type, bytes, width, height)"
            " values ($1, $1, 'image/jpeg', $2, 1, 1)",
            digest,
            len(content),
        )
        await conn.execute(
            "insert into file_stream (stream, digest, uploaded_by, uploaded_at) values ($1, $2, 'worker', now())",
            stream,
            digest,
        )


def run_command(name: str, environment: dict[str, str], *words: str) -> Step:
    """Run ``bihuan backup`` as a process of its own."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "console.cli", "backup", name, *words, "--json"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None, "a pipe was asked for"
        said = child.stdout.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        raise SystemExit(f"backup {name}: {child.returncode} {said}")
    return Step(name, time.perf_counter() - began, used.ru_maxrss // 1024, json.loads(said))


def measure(dsn: str, folder: Path) -> list[Step]:
    """Copy, prove and put back, in this order."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("BIHUAN_")},
        "BIHUAN_DATABASE_URL": dsn,
        "BIHUAN_TEMPORAL_ADDRESS": "127.0.0.1:9",
        "BIHUAN_DATA": str(folder / "data"),
    }
    copy, keys = str(folder / "copy.zip"), str(folder / "keys.json")
    made = run_command("create", environment, copy, "--keys", keys)
    proved = run_command("verify", environment, copy, "--keys", keys, "--scratch", str(folder))
    back = run_command("restore", environment, copy, "--keys", keys, "--into", str(folder / "back"))
    return [made, proved, back]


def show(cases: int, furnished: float, steps: Sequence[Step]) -> None:
    """The figures for people."""
    made, proved, back = steps
    print(f"{cases} cases, {made.answer['events']} events, {made.answer['rows']} rows, furnished in {furnished:.0f} s")
    print(f"create   {made.took:7.1f} s  {made.memory:5} MiB  {made.answer['bytes'] / 2**20:.0f} MiB on disk")
    print(
        f"verify   {proved.took:7.1f} s  {proved.memory:5} MiB  restored in {proved.answer['restored_seconds']} s,"
        f" checked in {proved.answer['checked_seconds']} s: {proved.answer['verdict']}"
    )
    print(f"restore  {back.took:7.1f} s  {back.memory:5} MiB")


async def _run(cases: int, folder: Path) -> tuple[float, list[Step]]:
    (folder / "data").mkdir()
    async with EmbeddedPostgres(folder / "postgres") as server:
        began = time.perf_counter()
        await furnish(server.dsn(), folder / "data", cases)
        furnished = time.perf_counter() - began
        return furnished, await asyncio.to_thread(measure, server.dsn(), folder)


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.backup", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    arguments = parser.parse_args()
    set_up_logging("warning")
    with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as folder:
        furnished, steps = asyncio.run(_run(arguments.cases, Path(folder)))
    found = {each.name: {"seconds": each.took, "memory_mib": each.memory, **each.answer} for each in steps}
    hand_out("backup", {"cases": arguments.cases, **found}, as_json=arguments.json)
    if not arguments.json:
        show(arguments.cases, furnished, steps)
    leave(0)


if __name__ == "__main__":
    main()
