"""A full disk refuses in plain words, loses nothing that was answered, and all is well once there is room."""

import asyncio
import hashlib
import secrets
import uuid
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from activities.recording import Recording
from console.files.store import FolderStore
from domain.errors import Refused
from domain.process import ActInput, Envelope, Outcome
from ledger.chain import verify_chain
from ledger.migrate import migrate
from ledger.rebuild import differences
from ledger.registry import load_registry, store_rule_book
from runtime.pool import AWAY, open_pool
from runtime.postgres import EmbeddedPostgres
from tests.console.calling import called, error, value
from tests.limits.conftest import SmallDisk, filled
from tests.neighbourhood import ACTORS, GRID, NATURAL_BOOK, NOON, ORDINARY, raw_registry
from tests.waiting import eventually


async def register(recording: Recording, stream: str, characters: int) -> Outcome:
    """A case with a text of so many characters that do not get smaller."""
    command_id = str(uuid.uuid4())
    command: dict[str, Any] = {
        "kind": "register",
        "title": "路面破损",
        "text": "".join(chr(0x4E00 + secrets.randbelow(20_000)) for _ in range(characters)),
        "grid": GRID,
        "category": ORDINARY,
    }
    envelope = Envelope(command_id=command_id, actor=ACTORS["worker"], command=command)
    given = ActInput(process="case", stream=stream, seq=0, hash="", at=NOON, command_id=command_id, envelope=envelope)
    return await recording.act(given)


async def let_time_pass(recording: Recording, waiting: Mapping[str, Outcome]) -> None:
    """Two months later, for each of these cases."""
    later = NOON + timedelta(days=60)
    for stream, known in waiting.items():
        command_id = str(uuid.uuid4())
        await recording.act(
            ActInput(process="case", stream=stream, seq=known.seq, hash=known.hash, at=later, command_id=command_id)
        )


async def test_a_full_database_refuses_people_and_is_well_again_with_room(small_disk: SmallDisk) -> None:
    disk = small_disk(200)
    async with EmbeddedPostgres(disk / "postgres") as server:
        await migrate(server.dsn())
        conn = await asyncpg.connect(server.dsn())
        await load_registry(conn, raw_registry(), "lead")
        await store_rule_book(conn, NATURAL_BOOK.version, NATURAL_BOOK.model_dump(mode="json"))
        pool = await open_pool(server.dsn(), size=2, role="bihuan_app")
        recording = Recording(pool)
        try:
            waiting = {f"case-w{number}": await register(recording, f"case-w{number}", 10) for number in range(30)}
            answered = set(waiting)
            # A new file of the server's own log, so that it is the tables which find no room.
            await conn.execute("checkpoint")
            await conn.execute("select pg_switch_wal()")
            await conn.execute("create table beginning ()")
            with filled(disk, leave=2 * 2**20):
                refusal = await _until_refused(recording, answered)
                assert refusal == "ledger.disk_full"
                # Reading goes on.
                assert await pool.fetchval("select count(*) from case_row") == len(answered)
                # Time is not refused: nobody else would bring it, so it comes again.
                with pytest.raises(asyncpg.DiskFullError):
                    await fill_up(conn)
                with pytest.raises(asyncpg.DiskFullError):
                    await let_time_pass(recording, waiting)

            async def works() -> bool:
                try:
                    return (await register(recording, "case-later", 10)).refusal is None
                except AWAY:
                    return False

            await eventually(works, "acts are taken again")
            await let_time_pass(recording, waiting)
            assert await verify_chain(conn) == []
            streams = {row["stream"] for row in await conn.fetch("select distinct stream from event")}
            assert streams == {*answered, "case-later"}
            for stream in streams:
                assert await differences(conn, stream) == []
        finally:
            await pool.close()
            await conn.close()


async def _until_refused(recording: Recording, answered: set[str]) -> str:
    for number in range(200):
        outcome = await register(recording, f"case-{number}", 15_000)
        if outcome.refusal is not None:
            return outcome.refusal.code
        answered.add(f"case-{number}")
    return "never"


async def fill_up(conn: asyncpg.Connection) -> None:
    """Write until PostgreSQL says that there is no room."""
    await conn.execute("create table filling (content text)")
    while True:
        await conn.execute(
            "insert into filling select string_agg(gen_random_uuid()::text, '') from generate_series(1, 9999)"
        )


async def test_a_full_store_of_files_refuses_and_keeps_what_it_has(small_disk: SmallDisk) -> None:
    disk = small_disk(4)
    store = FolderStore(disk / "files")
    first, second = secrets.token_bytes(2**20), secrets.token_bytes(2 * 2**20)
    known, wanted = (hashlib.sha256(content).hexdigest() for content in (first, second))
    await store.put(known, first)
    with filled(disk, leave=2**20):
        with pytest.raises(Refused) as refused:
            await store.put(wanted, second)
        assert refused.value.code == "file.store_away"
        assert "No space left" in refused.value.refusal.message
        assert not await store.exists(wanted)
        assert await store.get(known) == first
        assert {path for path in (disk / "files").rglob("*") if path.is_file()} == {store.path_of(known)}
    await store.put(wanted, second)
    assert await store.get(wanted) == second


async def test_a_backup_that_finds_no_room_leaves_nothing_behind(
    small_disk: SmallDisk, new_office: asyncpg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BIHUAN_DATA", str(tmp_path))
    (tmp_path / "master.key").write_bytes(secrets.token_bytes(32))
    (tmp_path / "master.key").chmod(0o600)
    await load_registry(new_office, raw_registry(), "lead")
    disk = small_disk(4)

    with filled(disk, leave=8192):
        answer = await asyncio.to_thread(called, "backup", "create", str(disk / "copy.zip"), "--json")
        assert error(answer)["code"] == "backup.no_space"
        assert [each.name for each in disk.iterdir()] == ["filler"]
    made = value(await asyncio.to_thread(called, "backup", "create", str(disk / "copy.zip"), "--json"))

    # Neither a scratch server nor a restored one fits on this disk.
    for words in (
        ["verify", made["file"], "--scratch", str(disk)],
        ["restore", made["file"], "--into", str(disk / "n")],
    ):
        refused = error(await asyncio.to_thread(called, "backup", *words, "--json"))
        assert refused["code"] == "backup.no_space"
    assert [each.name for each in disk.iterdir()] == ["copy.zip"]
