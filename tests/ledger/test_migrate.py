"""Migrations: applied once, in order, and never behind somebody's back."""

import asyncio
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from domain.errors import Refused
from ledger.migrate import Migration, load_migrations, migrate, pending


async def test_a_second_run_applies_nothing(fresh_database: str) -> None:
    ours = load_migrations()
    assert await pending(fresh_database) == list(ours)

    assert await migrate(fresh_database) == list(ours)

    assert await pending(fresh_database) == []
    assert await migrate(fresh_database) == []


async def test_two_runs_at_once_apply_each_file_once(fresh_database: str) -> None:
    applied = await asyncio.gather(migrate(fresh_database), migrate(fresh_database), migrate(fresh_database))

    assert sorted(len(each) for each in applied) == [0, 0, len(load_migrations())]


async def test_only_the_missing_files_are_applied(fresh_database: str) -> None:
    ours = load_migrations()
    await migrate(fresh_database, ours[:2])

    assert await migrate(fresh_database) == list(ours[2:])


async def test_a_changed_file_is_refused_by_name(fresh_database: str) -> None:
    ours = load_migrations()
    await migrate(fresh_database)
    changed = (replace(ours[0], sql=ours[0].sql + "\n-- changed"), *ours[1:])

    for call in (migrate, pending):
        with pytest.raises(Refused) as refused:
            await call(fresh_database, changed)
        assert refused.value.code == "ledger.migration_changed"
        assert "0001_event" in str(refused.value)


async def test_a_newer_database_is_refused_and_left_alone(fresh_database: str) -> None:
    ours = load_migrations()
    await migrate(fresh_database, (*ours, Migration(len(ours) + 1, "future", "create table future (id text)")))

    for call in (migrate, pending):
        with pytest.raises(Refused) as refused:
            await call(fresh_database)
        assert refused.value.code == "ledger.schema_newer"
        assert str(len(ours) + 1) in str(refused.value)


async def test_a_gap_in_the_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "0001_one.sql").write_text("select 1")
    (tmp_path / "0003_three.sql").write_text("select 3")

    with pytest.raises(Refused) as refused:
        load_migrations(tmp_path)
    assert refused.value.code == "ledger.migration_gap"
    assert refused.value.refusal.params == {"number": "2"}


async def test_a_gap_in_the_database_is_refused(fresh_database: str) -> None:
    await migrate(fresh_database)
    connection = await asyncpg.connect(fresh_database)
    await connection.execute("delete from schema_version where number = 2")
    await connection.close()

    with pytest.raises(Refused) as refused:
        await migrate(fresh_database)
    assert refused.value.code == "ledger.migration_gap"


async def test_a_failing_file_leaves_the_database_at_the_one_before(fresh_database: str) -> None:
    files = (
        Migration(1, "good", "create table good (id text)"),
        Migration(2, "bad", "create table half (id text); select 1 / 0"),
    )

    with pytest.raises(asyncpg.DivisionByZeroError):
        await migrate(fresh_database, files)

    connection = await asyncpg.connect(fresh_database)
    tables = await connection.fetchval(
        "select array_agg(relname::text order by relname) from pg_class where relname in ('good', 'half')"
    )
    await connection.close()
    assert tables == ["good"]
    assert await pending(fresh_database, files) == [files[1]]


async def test_line_ends_do_not_change_the_checksum(tmp_path: Path) -> None:
    (tmp_path / "unix").mkdir()
    (tmp_path / "windows").mkdir()
    (tmp_path / "unix" / "0001_one.sql").write_bytes(b"select 1;\nselect 2;\n")
    (tmp_path / "windows" / "0001_one.sql").write_bytes(b"select 1;\r\nselect 2;\r\n")

    assert load_migrations(tmp_path / "unix")[0].sha256 == load_migrations(tmp_path / "windows")[0].sha256
