"""The vault: readable with the right key, under the right name, and nowhere else."""

import asyncio
import stat
from pathlib import Path

import asyncpg
import pytest

from domain.errors import Refused
from ledger.vault import EntryDamaged, EntryErased, MasterKey, Vault
from runtime.pool import open_pool

NAME = "钱塘潮"
PHONE = "138 0000 4711"


def _key(byte: int = 7) -> MasterKey:
    return MasterKey(bytes([byte]) * 32)


async def test_what_was_written_is_read_back(conn: asyncpg.Connection) -> None:
    vault = Vault(_key())

    await vault.write(conn, "case-1", {"reporter": NAME, "wording": "第一行\n第二行 “x”", "empty": ""})

    assert await vault.read(conn, "case-1", "reporter") == NAME
    assert await vault.read(conn, "case-1", "wording") == "第一行\n第二行 “x”"
    assert await vault.read(conn, "case-1", "empty") == ""
    assert await vault.read(conn, "case-1", "phone") is None
    assert await vault.read(conn, "case-2", "reporter") is None


async def test_the_same_content_may_be_written_again(conn: asyncpg.Connection) -> None:
    vault = Vault(_key())
    await vault.write(conn, "case-1", {"reporter": NAME})

    await vault.write(conn, "case-1", {"reporter": NAME, "phone": PHONE})

    assert await vault.read(conn, "case-1", "phone") == PHONE
    assert await conn.fetchval("select count(*) from vault_entry") == 2


async def test_other_content_under_the_same_name_is_refused_and_nothing_is_written(conn: asyncpg.Connection) -> None:
    vault = Vault(_key())
    await vault.write(conn, "case-1", {"reporter": NAME})

    with pytest.raises(Refused) as refused:
        await vault.write(conn, "case-1", {"phone": PHONE, "reporter": "白居易"})

    assert refused.value.code == "vault.content_differs"
    assert NAME not in str(refused.value)
    assert "白居易" not in str(refused.value)
    assert await vault.read(conn, "case-1", "reporter") == NAME
    assert await vault.read(conn, "case-1", "phone") is None


async def test_the_database_never_sees_the_content(conn: asyncpg.Connection) -> None:
    await Vault(_key()).write(conn, "case-1", {"reporter": NAME, "phone": PHONE})

    for table in ("vault_key", "vault_entry"):
        for row in await conn.fetch(f"select * from {table}"):
            for value in row.values():
                held = value if isinstance(value, bytes) else str(value).encode()
                for secret in (NAME.encode(), PHONE.encode(), bytes([7]) * 32):
                    assert secret not in held


async def test_the_same_content_never_looks_the_same(conn: asyncpg.Connection) -> None:
    await Vault(_key()).write(conn, "case-1", {"one": NAME, "two": NAME})

    assert await conn.fetchval("select count(distinct ciphertext) from vault_entry") == 2
    assert await conn.fetchval("select count(distinct nonce) from vault_entry") == 2


async def test_another_master_key_opens_nothing(conn: asyncpg.Connection) -> None:
    await Vault(_key(7)).write(conn, "case-1", {"reporter": NAME})
    stranger = Vault(_key(8))

    for act in (
        stranger.read(conn, "case-1", "reporter"),
        stranger.write(conn, "case-1", {"phone": PHONE}),
        stranger.check(conn),
    ):
        with pytest.raises(Refused) as refused:
            await act
        assert refused.value.code == "vault.wrong_key"
    await Vault(_key(7)).check(conn)


async def test_an_empty_vault_goes_with_any_key(conn: asyncpg.Connection) -> None:
    await Vault(_key()).check(conn)


@pytest.mark.parametrize(
    "change",
    [
        "update vault_entry set name = 'phone'",
        "update vault_entry set stream = 'case-2', name = 'phone'",
        "update vault_entry set name = 'phone', ciphertext = set_byte(ciphertext, 0, get_byte(ciphertext, 0) # 1)",
        "update vault_entry set name = 'phone', nonce = set_byte(nonce, 0, get_byte(nonce, 0) # 1)",
    ],
)
async def test_a_moved_or_changed_entry_is_not_read(conn: asyncpg.Connection, change: str) -> None:
    vault = Vault(_key())
    await vault.write(conn, "case-1", {"reporter": NAME})
    await vault.write(conn, "case-2", {"address": "某处"})
    await conn.execute(change + " where stream = 'case-1'")

    stream = await conn.fetchval("select stream from vault_entry where name = 'phone'")
    with pytest.raises(EntryDamaged):
        await vault.read(conn, stream, "phone")


async def test_the_key_of_another_stream_does_not_open_an_entry(conn: asyncpg.Connection) -> None:
    vault = Vault(_key())
    await vault.write(conn, "case-1", {"reporter": NAME})
    await vault.write(conn, "case-2", {"reporter": NAME})
    await conn.execute(
        "update vault_key set wrapped = (select wrapped from vault_key where stream = 'case-2') where stream = 'case-1'"
    )

    with pytest.raises(Refused) as refused:
        await vault.read(conn, "case-1", "reporter")
    assert refused.value.code == "vault.wrong_key"


async def test_destroying_the_key_erases_the_stream_for_good(conn: asyncpg.Connection) -> None:
    vault = Vault(_key())
    await vault.write(conn, "case-1", {"reporter": NAME})
    await conn.execute("delete from vault_key where stream = 'case-1'")

    with pytest.raises(EntryErased):
        await vault.read(conn, "case-1", "reporter")
    with pytest.raises(EntryErased):
        await vault.write(conn, "case-1", {"phone": PHONE})
    assert await conn.fetchval("select count(*) from vault_key") == 0


async def test_many_writers_at_once_agree_on_one_key(ledger: str, conn: asyncpg.Connection) -> None:
    vault = Vault(_key())
    pool = await open_pool(ledger, size=10, role="bihuan_app")

    async def write(number: int) -> None:
        async with pool.acquire() as own:
            entries = {"reporter": NAME, "phone": PHONE, f"note-{number}": str(number)}
            await vault.write(own, "case-1", dict(sorted(entries.items(), reverse=number % 2 == 0)))

    async with pool:
        await asyncio.gather(*(write(number) for number in range(10)))

    assert await conn.fetchval("select count(*) from vault_key") == 1
    assert await conn.fetchval("select count(*) from vault_entry") == 12
    assert await vault.read(conn, "case-1", "reporter") == NAME
    for number in range(10):
        assert await vault.read(conn, "case-1", f"note-{number}") == str(number)


async def test_of_two_writers_with_different_content_one_is_refused(ledger: str, conn: asyncpg.Connection) -> None:
    vault = Vault(_key())
    pool = await open_pool(ledger, size=2)

    async def write(content: str) -> str:
        async with pool.acquire() as own:
            await vault.write(own, "case-1", {"reporter": content})
        return content

    async with pool:
        outcomes = await asyncio.gather(write("甲"), write("乙"), return_exceptions=True)

    winners = [each for each in outcomes if isinstance(each, str)]
    losers = [each.code for each in outcomes if isinstance(each, Refused)]
    assert (len(winners), losers) == (1, ["vault.content_differs"])
    assert await vault.read(conn, "case-1", "reporter") == winners[0]


async def test_a_key_file_is_made_once_and_is_private(tmp_path: Path, conn: asyncpg.Connection) -> None:
    path = tmp_path / "data" / "master.key"

    first = MasterKey.load(path, create=True)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_bytes()) == 32
    assert [each.name for each in path.parent.iterdir()] == ["master.key"]
    await Vault(first).write(conn, "case-1", {"reporter": NAME})
    for again in (MasterKey.load(path, create=True), MasterKey.load(path)):
        assert await Vault(again).read(conn, "case-1", "reporter") == NAME


async def test_creators_at_once_get_the_same_key(tmp_path: Path) -> None:
    path = tmp_path / "master.key"

    keys = await asyncio.gather(*(asyncio.to_thread(MasterKey.load, path, create=True) for _ in range(16)))

    wrapped = keys[0].wrap("case-1", b"k" * 32)
    assert {key.unwrap("case-1", wrapped) for key in keys} == {b"k" * 32}


def test_a_missing_key_file_is_not_made_unasked(tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        MasterKey.load(tmp_path / "master.key")

    assert refused.value.code == "vault.key_missing"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "mode", "code"),
    [
        (b"short", 0o600, "file.unreadable"),
        (b"", 0o600, "file.unreadable"),
        (b"x" * 33, 0o600, "file.unreadable"),
        (b"x" * 32, 0o604, "key_file.open"),
        (b"x" * 32, 0o640, "key_file.open"),
    ],
)
def test_a_wrong_or_open_key_file_is_refused(tmp_path: Path, content: bytes, mode: int, code: str) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(content)
    path.chmod(mode)

    with pytest.raises(Refused) as refused:
        MasterKey.load(path)
    assert refused.value.code == code


def test_a_key_does_not_show_itself() -> None:
    assert "7" not in repr(_key())
