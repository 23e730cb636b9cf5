"""``bihuan notice`` as a clerk uses it, on a database without an instance around it."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from console.cli import execute
from ledger.outbox import claim, mark_failed, route
from ledger.registry import load_registry, read_registry
from tests.activities.posting import put_notice, staff, states

DAY = date(2026, 11, 23)


class Clerk:
    """Types commands and reads what is answered."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    async def types(self, *words: str) -> tuple[int, str]:
        """The exit code and all that was shown."""
        # A command has a loop of its own.
        code = await asyncio.to_thread(execute, list(words))
        shown = self._capsys.readouterr()
        return code, shown.out + shown.err

    async def json(self, *words: str, code: int = 0) -> Any:
        found, shown = await self.types(*words, "--json")
        assert found == code, shown
        return json.loads(shown)


@pytest.fixture
async def conn(
    migrated_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[asyncpg.Connection]:
    """The ledger that commands reach, as the owner of the tables."""
    monkeypatch.setenv("BIHUAN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("BIHUAN_DATABASE_URL", migrated_database)
    monkeypatch.setenv("BIHUAN_TEMPORAL_ADDRESS", "127.0.0.1:9")
    monkeypatch.delenv("BIHUAN_LANGUAGE", raising=False)
    connection: asyncpg.Connection = await asyncpg.connect(migrated_database)
    await load_registry(connection, staff(), "lead")
    yield connection
    await connection.close()


@pytest.fixture
def clerk(conn: asyncpg.Connection, capsys: pytest.CaptureFixture[str]) -> Clerk:
    return Clerk(capsys)


async def _route(conn: asyncpg.Connection) -> None:
    await route(conn, await read_registry(conn), DAY, email=True, addresses=[("webhook", "1")])


async def _fail(conn: asyncpg.Connection, reason: str = "http 500") -> None:
    for each in await claim(conn, "webhook", limit=10, lease=timedelta(minutes=1)):
        await mark_failed(conn, each, reason, None)


async def test_a_clerk_reads_what_it_is_about_and_whether_it_arrived(conn: asyncpg.Connection, clerk: Clerk) -> None:
    notice = await put_notice(conn, stream="case-1a2b3c4d5e6f")
    code, shown = await clerk.types("notice", "list")
    assert (code, "待分发" in shown) == (0, True)
    await _route(conn)
    await _fail(conn)

    code, shown = await clerk.types("notice", "list")

    assert code == 0
    assert "2026-11-23 12:00" in shown
    assert "催办通知书：“路面破损”的处置已超时" in shown
    assert "部门经办人 D01" in shown
    assert "站内 已送达 1，已读 0；邮件 待送 1；回调 失败 1，http 500" in shown
    assert str(notice)[:8] in shown
    assert "case-1a2b3c4d" in shown
    code, shown = await clerk.types("notice", "list", "--lang", "en")
    assert "Written urging: '路面破损', handling is overdue" in shown
    assert all(part in shown for part in ("inbox 1 delivered", "0 seen", "1 waiting", "1 failed"))


async def test_a_program_gets_both_languages_and_every_delivery(conn: asyncpg.Connection, clerk: Clerk) -> None:
    notice = await put_notice(conn, person="helper")
    await put_notice(conn, "of_a_newer_release", person="helper", minute=-1)
    await _route(conn)

    answer = await clerk.json("notice", "list", "--as", "helper")

    first, second = answer["items"]
    assert (first["id"], second["zh"], answer["next"]) == (str(notice), "of_a_newer_release", None)
    assert first["en"].startswith("Written urging")
    assert [each["channel"] for each in first["deliveries"]] == ["inbox", "webhook"]


async def test_what_has_been_seen_is_no_longer_unseen(conn: asyncpg.Connection, clerk: Clerk) -> None:
    notice = await put_notice(conn)
    await _route(conn)
    unseen = ("notice", "list", "--as", "handler", "--unseen")
    assert len((await clerk.json(*unseen))["items"]) == 1

    assert (await clerk.json("notice", "seen", str(notice)[:6], "--as", "handler"))["seen"] is True

    assert (await clerk.json(*unseen))["items"] == []
    assert "没有通知" in (await clerk.types(*unseen))[1]
    assert "已读 1" in (await clerk.types("notice", "list", "--as", "handler"))[1]
    refused = await clerk.json("notice", "seen", str(notice), "--as", "helper", code=1)
    assert refused["error"]["code"] == "notice.not_theirs"


async def test_what_has_failed_is_listed_and_tried_again(conn: asyncpg.Connection, clerk: Clerk) -> None:
    notice = await put_notice(conn)
    lonely = await put_notice(conn, role="department_head", organisation="D02", minute=1)
    await _route(conn)
    code, shown = await clerk.types("notice", "list", "--failed")
    assert (code, "站内 无人接收" in shown, str(notice)[:8] in shown) == (0, True, False)
    await _fail(conn)
    listed = await clerk.json("notice", "list", "--failed")
    assert [each["id"] for each in listed["items"]] == [str(lonely), str(notice)]

    assert (await clerk.json("notice", "retry", str(notice)))["deliveries"] == 1

    assert (await states(conn, notice))["webhook", "1"] == "waiting"
    refused = await clerk.json("notice", "retry", str(notice), code=1)
    assert refused["error"]["code"] == "notice.nothing_failed"


async def test_a_list_of_one_case_goes_on_with_the_next_page(conn: asyncpg.Connection, clerk: Clerk) -> None:
    for minute in range(3):
        await put_notice(conn, stream="case-a1b2c3d4", minute=minute)
    await put_notice(conn, stream="case-ffff0000")

    first = await clerk.json("notice", "list", "--case", "case-a1b2c3d4", "--limit", "2")
    rest = await clerk.json("notice", "list", "--case", "case-a1b2c3d4", "--limit", "2", "--cursor", first["next"])

    assert [len(first["items"]), len(rest["items"]), rest["next"]] == [2, 1, None]
    assert "--cursor" in (await clerk.types("notice", "list", "--limit", "2"))[1]


@pytest.mark.parametrize("number", ["abc", "zzzz", "ffffffff", "12345678-0000-4000-8000-0000000000000000"])
async def test_an_unknown_number_is_refused(number: str, clerk: Clerk) -> None:
    refused = await clerk.json("notice", "retry", number, code=1)
    assert refused["error"]["code"] == "notice.unknown"


async def test_a_number_that_fits_several_is_refused(conn: asyncpg.Connection, clerk: Clerk) -> None:
    await put_notice(conn, id="12345678-0000-4000-8000-000000000000")
    await put_notice(conn, id="12345678-f000-4000-8000-000000000000")
    assert (await clerk.json("notice", "retry", "1234", code=2))["error"]["code"] == "cli.ambiguous"


async def test_the_doctor_sees_what_failed_and_what_reaches_nobody(conn: asyncpg.Connection, clerk: Clerk) -> None:
    await put_notice(conn)
    await put_notice(conn, role="department_head", organisation="D02")
    await _route(conn)
    await _fail(conn, "http 503")
    await conn.execute("update routing set routed_at = null, created_at = now() - interval '1 hour'")

    report = await clerk.json("doctor", code=2)  # there is no Temporal here

    found = next(each for each in report["checks"] if each["check"] == "notices")
    assert found["verdict"] == "WARN"
    assert found["detail"] == "2 without a courier, 2 failed (webhook: http 503), 1 reach nobody"
