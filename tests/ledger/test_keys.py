"""The master key can be changed while everybody works, and nothing is lost whenever it is broken off."""

import asyncio
import stat
from pathlib import Path

import asyncpg
import pytest

from domain.errors import Refused
from ledger.keys import MOST_OLDER, MasterKey, next_file
from ledger.rotation import check, count_other, current_master, prepare, rotate
from ledger.vault import Vault, numbers_in

NAME = "司马青衫"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    MasterKey.load(tmp_path / "master.key", create=True)
    return tmp_path / "master.key"


async def _fill(conn: asyncpg.Connection, path: Path, number: int) -> None:
    vault = Vault(MasterKey.load(path))
    for each in range(number):
        await vault.write(conn, f"case-{each:03}", {"reporter_name": f"{NAME}{each}", "reporter_phone": "13900001234"})


async def _read(conn: asyncpg.Connection, key: MasterKey, number: int) -> list[str | None]:
    return [await Vault(key).read(conn, f"case-{each:03}", "reporter_name") for each in range(number)]


async def test_after_a_rotation_the_new_key_opens_everything_and_the_old_one_nothing(
    conn: asyncpg.Connection, path: Path
) -> None:
    await _fill(conn, path, 7)
    old, content = MasterKey.load(path), path.read_bytes()
    told: list[int] = []

    done = await rotate(conn, path, told.append)

    new = MasterKey.load(path)
    assert (done.old, done.new, done.wrapped) == (old.id, new.id, 7)
    assert told[-1] == 7
    assert await _read(conn, new, 7) == [f"{NAME}{each}" for each in range(7)]
    assert await check(conn, new) == 7
    assert await count_other(conn, new.id) == 0
    assert await current_master(conn) == new.id
    # Nothing of the old one is left, neither beside the new one nor in it.
    assert sorted(each.name for each in path.parent.iterdir()) == ["master.key"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes()[:32] != content
    with pytest.raises(Refused, match=r"vault\.wrong_key"):
        await _read(conn, MasterKey(content), 1)


async def test_a_process_that_runs_goes_on_reading_and_writing_across_a_rotation(
    conn: asyncpg.Connection, path: Path
) -> None:
    await _fill(conn, path, 2)
    running = Vault(MasterKey.load(path))

    await rotate(conn, path)

    assert await running.read(conn, "case-000", "reporter_name") == f"{NAME}0"
    await running.write(conn, "case-new", {"reporter_name": NAME})
    assert await Vault(MasterKey.load(path)).read(conn, "case-new", "reporter_name") == NAME
    await rotate(conn, path)
    assert await running.read(conn, "case-new", "reporter_name") == NAME
    await running.write(conn, "case-later", {"reporter_name": NAME})
    assert await count_other(conn, MasterKey.load(path).id) == 0


async def test_a_rotation_that_was_broken_off_goes_on_with_the_same_key(conn: asyncpg.Connection, path: Path) -> None:
    await _fill(conn, path, 4)
    key = prepare(path)
    assert key.coming is not None
    coming = key.coming.id
    # As if it had ended after the first page: one data key is wrapped anew, the file is the old one.
    old = await conn.fetchval("select wrapped from vault_key where stream = 'case-000'")
    await conn.execute(
        "update vault_key set wrapped = $1, master = $2 where stream = 'case-000'",
        key.coming.wrap("case-000", key.unwrap("case-000", old)),
        coming,
    )
    assert await _read(conn, MasterKey.load(path), 4) == [f"{NAME}{each}" for each in range(4)]

    done = await rotate(conn, path)

    assert (done.new, done.wrapped) == (coming, 3)
    assert await _read(conn, MasterKey.load(path), 4) == [f"{NAME}{each}" for each in range(4)]


async def test_a_rotation_that_ended_before_its_file_was_named_is_brought_to_its_end(
    conn: asyncpg.Connection, path: Path
) -> None:
    await _fill(conn, path, 2)
    before = path.read_bytes()
    await rotate(conn, path)
    after = path.read_bytes()
    path.write_bytes(before)
    next_file(path).write_bytes(after)
    next_file(path).chmod(0o600)
    # Also then a new case can be opened.
    await Vault(MasterKey.load(path)).write(conn, "case-new", {"reporter_name": NAME})

    done = await rotate(conn, path)

    assert (path.read_bytes(), done.wrapped) == (after, 0)
    assert await Vault(MasterKey.load(path)).read(conn, "case-new", "reporter_name") == NAME


async def test_cases_opened_during_a_rotation_are_all_readable_afterwards(
    conn: asyncpg.Connection, path: Path, ledger: str
) -> None:
    await _fill(conn, path, 20)
    running, stop = Vault(MasterKey.load(path)), asyncio.Event()

    async def open_cases() -> int:
        own = await asyncpg.connect(ledger)
        number = 0
        while not stop.is_set() or number == 0:
            await running.write(own, f"fresh-{number:04}", {"reporter_name": NAME})
            number += 1
        await own.close()
        return number

    opening = asyncio.create_task(open_cases())
    for _ in range(3):
        await rotate(conn, path)
    stop.set()
    opened = await opening

    key = MasterKey.load(path)
    assert await check(conn, key) == 20 + opened
    assert await count_other(conn, key.id) == 0


async def test_what_is_derived_outlives_a_rotation(conn: asyncpg.Connection, path: Path) -> None:
    """Codes that residents hold on paper, and the look-up by phone."""
    await _fill(conn, path, 2)
    before = MasterKey.load(path)

    await rotate(conn, path)

    after = MasterKey.load(path)
    assert after.derive("tracking code") == before.derive("tracking code")
    assert await Vault(after).find(conn, "139 0000 1234") == ["case-000", "case-001"]


def test_old_payloads_stay_readable_and_the_file_stays_bounded(path: Path) -> None:
    first = MasterKey.load(path).payload_keys()[0]
    key = MasterKey.load(path)
    for _ in range(MOST_OLDER + 3):
        last = key.payload_keys()[0]
        key = key.successor()
        assert last in key.payload_keys()

    assert len(key.content) == 32 * (MOST_OLDER + 2)
    assert first not in key.payload_keys()
    path.write_bytes(key.content)
    assert MasterKey.load(path).content == key.content


async def test_a_key_of_another_database_rotates_nothing(conn: asyncpg.Connection, path: Path, tmp_path: Path) -> None:
    await _fill(conn, path, 2)
    other = tmp_path / "other.key"
    MasterKey.load(other, create=True)
    wrapped = await conn.fetchval("select wrapped from vault_key where stream = 'case-000'")

    with pytest.raises(Refused, match=r"vault\.wrong_key"):
        await rotate(conn, other)

    assert await conn.fetchval("select wrapped from vault_key where stream = 'case-000'") == wrapped
    assert await _read(conn, MasterKey.load(path), 2) == [f"{NAME}0", f"{NAME}1"]


@pytest.mark.parametrize(
    ("left", "asked", "found"),
    [
        ("13900001234", "139 0000 1234", True),
        ("+86 139-0000-1234", "13900001234", True),
        ("１３９００００１２３４", "13900001234", True),
        ("13900001234、010-12345678", "01012345678", True),
        ("13900001234 13800001234", "13800001234", True),
        ("13900001234", "13900001235", False),
        ("13900001234", "0000", False),
        ("不留", "不留", False),
    ],
)
async def test_a_reporter_is_found_by_the_number_however_it_was_written(
    conn: asyncpg.Connection, path: Path, left: str, asked: str, found: bool
) -> None:
    vault = Vault(MasterKey.load(path))
    await vault.write(conn, "case-1", {"reporter_phone": left})

    assert await vault.find(conn, asked) == (["case-1"] if found else [])


async def test_the_look_up_tells_nothing_without_the_key(conn: asyncpg.Connection, path: Path) -> None:
    await _fill(conn, path, 1)
    other = Vault(MasterKey(b"x" * 32))

    assert await other.find(conn, "13900001234") == []
    assert "13900001234" not in str(await conn.fetch("select * from vault_phone"))


async def test_what_was_written_before_there_was_a_look_up_can_be_made_findable(
    conn: asyncpg.Connection, path: Path
) -> None:
    await _fill(conn, path, 2)
    await conn.execute("delete from vault_phone")
    vault = Vault(MasterKey.load(path))
    assert await vault.unindexed(conn, "", 10) == ["case-000", "case-001"]

    await vault.index(conn, "case-001", "13900001234")

    assert await vault.unindexed(conn, "", 10) == ["case-000"]
    assert await vault.find(conn, "13900001234") == ["case-001"]


def test_numbers_are_bounded() -> None:
    assert len(numbers_in("、".join(f"1390000{each:04}" for each in range(50)))) == 5
