"""A small office that works, and backups of it."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from console.files.store import FolderStore
from ledger.files import FileRow, keep
from ledger.keys import MasterKey
from ledger.registry import load_registry
from ledger.vault import Vault
from runtime.pool import open_pool
from runtime.settings import Settings
from tests.console.http.straight import StraightDesk
from tests.neighbourhood import ACTORS, GRID, LEAD, ORDINARY, raw_registry

PHONE = "139" + "0000" + "4321"


@dataclass
class SmallOffice:
    """Acts on its ledger at once; its data folder holds files and the key."""

    conn: asyncpg.Connection
    desk: StraightDesk
    settings: Settings
    dsn: str

    async def register(self, **more: Any) -> str:
        """A new case of the grid with a phone in the vault."""
        stream = f"case-{uuid.uuid4().hex}"
        command = {"kind": "register", "title": "路面破损", "text": "东塘路口有坑", "grid": GRID, "category": ORDINARY}
        await self.desk.open(stream, ACTORS["worker"], {**command, **more}, private={"phone": PHONE})
        return stream

    async def act(self, stream: str, who: str, **command: Any) -> None:
        """One act."""
        await self.desk.submit(stream, ACTORS[who], command)

    async def whistle(self, stream: str) -> None:
        """The community calls the department."""
        await self.act(stream, "community", kind="whistle", reason="reflected", departments=[LEAD], approver="approver")

    async def keep(self, content: bytes, person: str = "worker") -> str:
        """A file the person has uploaded; what it shows does not matter here."""
        import hashlib

        digest, thumb = hashlib.sha256(content).hexdigest(), hashlib.sha256(content + b"small").hexdigest()
        store = FolderStore(self.settings.data / "files")

        async def put() -> None:
            await store.put(digest, content)
            await store.put(thumb, content + b"small")

        row = FileRow(digest=digest, thumb=thumb, media_type="image/jpeg", bytes=len(content), width=1, height=1)
        await keep(self.conn, row, person, put)
        return digest


@pytest.fixture
async def small_office(
    new_office: asyncpg.Connection, migrated_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SmallOffice]:
    """Three cases, one with a photograph, and an account."""
    data = tmp_path / "office"
    data.mkdir()
    monkeypatch.setenv("BIHUAN_DATA", str(data))
    settings = Settings.load()
    await load_registry(new_office, raw_registry(), "lead")
    pool = await open_pool(migrated_database, size=4, role="bihuan_app")
    desk = StraightDesk(pool, Vault(MasterKey.load(settings.key_file, create=True)))
    office = SmallOffice(new_office, desk, settings, migrated_database)
    digest = await office.keep(b"a photograph")
    evidence = {"kind": "before", "ref": f"file-{digest[:24]}", "digest": digest}
    await office.register(evidence=[evidence])
    await office.whistle(await office.register())
    await office.register(source="hotline", external_id="7")
    now = datetime.now(UTC)
    await new_office.execute(
        "insert into account (login, person, created_at, created_by, changed_at, changed_by)"
        " values ('lin', 'worker', $1, 'lead', $1, 'lead')",
        now,
    )
    await new_office.execute(
        "insert into session (id, digest, login, created_at, seen_at, ends_at, device)"
        " values (gen_random_uuid(), 'd', 'lin', $1, $1, $1, 'a browser')",
        now,
    )
    yield office
    await pool.close()
