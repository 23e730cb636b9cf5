"""A backup holds the office of one moment, proves itself, and comes back as the same office."""

import asyncio
import hashlib
import json
import shutil
import stat
import zipfile
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from console.backup.archive import MANIFEST, Reader
from console.backup.checking import SAMPLE
from domain.errors import Refused
from ledger.keys import MasterKey
from ledger.log import Cursor, feed
from ledger.migrate import load_migrations
from ledger.security import LineFilter, list_lines
from ledger.security import verify as verify_security
from ledger.vault import Vault
from runtime.pool import open_pool
from runtime.postgres import EmbeddedPostgres
from tests.console.backup.conftest import PHONE, SmallOffice
from tests.console.backup.rows import all_rows
from tests.console.calling import called, error, value
from tests.console.http.straight import StraightDesk
from tests.neighbourhood import ACTORS, GRID, LEAD, ORDINARY


async def command(*words: str) -> tuple[int, str]:
    """A command of the command line while the office goes on."""
    return await asyncio.to_thread(called, *words, "--json")


async def backed_up(folder: Path, *more: str) -> Path:
    made = value(await command("backup", "create", str(folder / "copy.zip"), *more))
    return Path(made["file"])


def read_all(backup: Path) -> None:
    with Reader.of(backup) as reader:
        for part in reader.manifest.parts:
            list(reader.read(part))


def remade(backup: Path, target: Path, part: str, change: Any) -> Path:
    """The backup with one part changed, as somebody would who knows the format but not the key."""
    with zipfile.ZipFile(backup) as old, zipfile.ZipFile(target, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            new.writestr(info.filename, change(content) if info.filename == part else content)
    return target


async def test_a_backup_taken_while_acts_go_on_is_one_moment_and_comes_back_whole(
    small_office: SmallOffice, tmp_path: Path
) -> None:
    done = asyncio.Event()

    async def busy() -> int:
        acts = 0
        while not done.is_set():
            stream = await small_office.register()
            await small_office.whistle(stream)
            acts += 2
        return acts

    clerk = asyncio.create_task(busy())
    copy = await backed_up(tmp_path, "--keys", str(tmp_path / "keys.json"))
    done.set()
    assert await clerk > 0
    made = await _last_line(small_office.conn)
    digest = hashlib.sha256(copy.read_bytes()).hexdigest()
    assert (made["kind"], made["actor"], made["subject"]) == ("backup_made", "administrator", "copy.zip")
    assert (made["detail"]["hash"], made["detail"]["files"]) == (digest, 2)
    proof = value(await command("backup", "verify", str(copy), "--keys", str(tmp_path / "keys.json"), "--by", "li"))
    verified = await _last_line(small_office.conn)
    assert (verified["kind"], verified["actor"], verified["outcome"]) == ("backup_verified", "li", "ok")
    assert verified["detail"] == made["detail"]
    assert proof["recorded"] is True
    assert (proof["verdict"], proof["wrong"]) == ("OK", [])
    assert proof["checked_streams"] == proof["streams"] >= 3
    # The vault is written before the fact that speaks of it, so the moment may lie between the two.
    assert proof["opened_entries"] >= min(SAMPLE, proof["streams"])
    assert proof["checked_files"] == 2
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    assert PHONE.encode() not in copy.read_bytes()
    with zipfile.ZipFile(copy) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    assert PHONE.encode() not in everything
    assert small_office.settings.key_file.read_bytes() not in everything


async def test_what_was_restored_is_the_office_and_work_goes_on_there(
    small_office: SmallOffice, tmp_path: Path
) -> None:
    await small_office.conn.execute(
        "insert into checkpoint (number, header, signature, position) values (1, '{}', '', '999999999')"
    )
    copy = await backed_up(tmp_path, "--keys", str(tmp_path / "k"))
    keys, target, wang = tmp_path / "k", tmp_path / "new", ("--by", "wang")
    before, old = await all_rows(small_office.conn), (await feed(small_office.conn, None))[0]

    restored = value(await command("backup", "restore", str(copy), "--keys", str(keys), "--into", str(target), *wang))

    assert restored["place"] == str(target)
    assert (target / "master.key").read_bytes() == small_office.settings.key_file.read_bytes()
    assert not (target / ".restoring").exists()
    async with EmbeddedPostgres(target / "postgres") as server:
        conn = await asyncpg.connect(server.dsn())
        pool = await open_pool(server.dsn(), size=2, role="bihuan_app")
        try:
            after = await all_rows(conn)
            # That the backup was made is known where it was made, that it was restored where it was restored.
            made, put_back = before.pop("security_log"), after.pop("security_log")
            assert made != put_back
            assert after == before
            assert await conn.fetchval("select count(*) from session") == 0
            restored_line = await _last_line(conn)
            assert restored_line["detail"] == (await _last_line(small_office.conn))["detail"]
            assert (restored_line["kind"], restored_line["actor"]) == ("backup_restored", "wang")
            assert (await verify_security(conn)).findings == ()
            # The next checkpoint looks at everything: up to where the last one looked says nothing on this server.
            assert await conn.fetchval("select position::text from checkpoint") == "0"
            await _goes_on(conn, pool, target)
            await _is_guarded(conn, pool)
            await _feeds_everything(conn, [event.id for event in old])
        finally:
            await pool.close()
            await conn.close()
    # A folder in use is never written to, whatever lies in it.
    refused = error(await command("backup", "restore", str(copy), "--into", str(target)))
    assert refused["code"] == "backup.not_empty"


async def _last_line(conn: asyncpg.Connection) -> dict[str, Any]:
    """The youngest line of the security log."""
    return (await list_lines(conn, LineFilter(), limit=1)).items[0].model_dump()


async def _goes_on(conn: asyncpg.Connection, pool: asyncpg.Pool, target: Path) -> None:
    vault = Vault(MasterKey.load(target / "master.key"))
    desk = StraightDesk(pool, vault)
    for row in await conn.fetch("select stream, name from vault_entry"):
        assert await vault.read(conn, row["stream"], row["name"]) == PHONE
    open_case = await conn.fetchval("select id from case_row where stage = 'whistled'")
    await desk.submit(open_case, ACTORS["dispatcher"], {"kind": "dispatch", "lead": LEAD})
    new = {"kind": "register", "title": "路灯不亮", "text": "不亮", "grid": GRID, "category": ORDINARY}
    await desk.open("case-after", ACTORS["worker"], new, private={"phone": PHONE})
    assert await conn.fetchval("select stage from case_row where id = 'case-after'") == "registered"
    # What triggers make of a fact is made again: the words for the search, the way of a notice.
    assert await conn.fetchval("select count(*) from case_text where id = 'case-after'") == 1
    assert await conn.fetchval("select count(*) from notice") == await conn.fetchval("select count(*) from routing")
    # Generated numbers go on behind those restored.
    await conn.execute("insert into access_record (at, kind) values (now(), 'tested')")
    await conn.execute("insert into rule_book_choice (version) select version from rule_book limit 1")


async def _is_guarded(conn: asyncpg.Connection, pool: asyncpg.Pool) -> None:
    for statement in ("delete from event", "update command set process = 'x'", "truncate rule_book cascade"):
        with pytest.raises(asyncpg.PostgresError, match="append-only"):
            await conn.execute(statement)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(statement)
    await conn.execute("set session_replication_role = replica")
    with pytest.raises(asyncpg.PostgresError, match="append-only"):
        await conn.execute("delete from event")
    await conn.execute("set session_replication_role = origin")
    wanted = await conn.fetchval("select count(*) from pg_trigger where tgenabled = 'D' and not tgisinternal")
    assert wanted == 0


async def _feeds_everything(conn: asyncpg.Connection, known: list[Any]) -> None:
    """In an order in which no event is hidden, with places of their own."""
    events, reached = await feed(conn, None)
    assert {event.id for event in events} >= set(known)
    assert [each.stream for each in events][-1] == "case-after"
    assert reached is not None
    assert reached.line
    assert (await feed(conn, Cursor.parse(str(reached))))[0] == []
    for place in (Cursor(0, 0), Cursor(2**40, 0, reached.line)):
        with pytest.raises(Refused) as refused:
            await feed(conn, place)
        assert refused.value.code == "feed.other_line"


async def test_schema_and_rights_of_a_restored_ledger_are_those_of_a_new_one(
    small_office: SmallOffice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: EmbeddedPostgres
) -> None:
    copy = await backed_up(tmp_path)
    await postgres.create_database("restored_beside")
    try:
        monkeypatch.setenv("BIHUAN_DATABASE_URL", postgres.dsn("restored_beside"))
        monkeypatch.setenv("BIHUAN_DATA", str(tmp_path / "elsewhere"))
        restored = value(await command("backup", "restore", str(copy)))
        assert (restored["place"], restored["with_keys"]) == ("BIHUAN_DATABASE_URL", False)
        conn = await asyncpg.connect(postgres.dsn("restored_beside"))
        try:
            assert await _schema(conn) == await _schema(small_office.conn)
        finally:
            await conn.close()
        again = error(await command("backup", "restore", str(copy)))
        assert again["code"] == "backup.not_empty"
    finally:
        await postgres.drop_database("restored_beside")


async def _schema(conn: asyncpg.Connection) -> list[str]:
    """Triggers with their modes, indexes, rights of tables, columns and functions."""
    rows = await conn.fetch(
        """
        select pg_get_triggerdef(oid) || tgenabled::text as made from pg_trigger where not tgisinternal
        union all
        select indexdef from pg_indexes where schemaname = 'public'
        union all
        select relname || relacl::text from pg_class where relnamespace = 'public'::regnamespace
        union all
        select attrelid::regclass || attname || attacl::text from pg_attribute where attacl is not null
        union all
        select oid::regprocedure || proacl::text from pg_proc where pronamespace = 'public'::regnamespace
        order by 1
        """
    )
    return [row["made"] for row in rows if row["made"]]


async def test_a_changed_byte_in_any_part_is_found_before_anything_is_restored(
    small_office: SmallOffice, tmp_path: Path
) -> None:
    copy = await backed_up(tmp_path)
    with zipfile.ZipFile(copy) as archive:
        places = [
            (info.filename, info.header_offset + 30 + len(info.filename) + 20 + info.compress_size // 2)
            for info in archive.infolist()
            if info.file_size
        ]
    assert {name.partition("/")[0] for name, _ in places} == {"tables", "files", MANIFEST}
    whole = copy.read_bytes()
    for name, place in places:
        spoilt = tmp_path / "spoilt.zip"
        spoilt.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
        with pytest.raises(Refused) as refused:
            read_all(spoilt)
        assert (refused.value.code, refused.value.refusal.params["part"]) == ("backup.damaged", name)
        if name in ("tables/event", MANIFEST) or name.startswith("files/"):
            refused_command = error(await command("backup", "restore", str(spoilt), "--into", str(tmp_path / "n")))
            assert (refused_command["code"], refused_command["params"]["part"]) == ("backup.damaged", name)
            assert not (tmp_path / "n").exists()


async def test_a_backup_that_was_cut_short_or_is_none_is_named_so(small_office: SmallOffice, tmp_path: Path) -> None:
    copy = await backed_up(tmp_path)
    whole = copy.read_bytes()
    torn = tmp_path / "torn.zip"
    for content in (whole[: len(whole) // 2], whole[:-1], b"", b"not a backup"):
        torn.write_bytes(content)
        assert error(await command("backup", "verify", str(torn), "--no-keys"))["code"] == "backup.torn"
    # What is no backup is told before a key is asked for.
    nowhere = str(tmp_path / "no.keys")
    assert error(await command("backup", "verify", str(torn), "--keys", nowhere))["code"] == "backup.torn"
    assert error(await command("backup", "verify", str(copy), "--keys", nowhere))["code"] == "vault.key_missing"
    with zipfile.ZipFile(torn, "w") as archive:
        archive.writestr("tables/event", "")
    assert error(await command("backup", "verify", str(torn), "--no-keys"))["code"] == "backup.torn"


async def test_a_backup_altered_with_all_its_digests_is_told_by_its_seal(
    small_office: SmallOffice, tmp_path: Path
) -> None:
    copy = await backed_up(tmp_path)

    def other_key(manifest: bytes) -> bytes:
        return json.dumps({**json.loads(manifest), "program": "0.0.0"}).encode()

    forged = remade(copy, tmp_path / "forged.zip", MANIFEST, other_key)
    refused = error(await command("backup", "verify", str(forged)))
    assert (refused["code"], refused["params"]["part"]) == ("backup.damaged", MANIFEST)
    line = await _last_line(small_office.conn)
    assert (line["kind"], line["outcome"], line["detail"]["code"]) == ("backup_verified", "refused", "backup.damaged")


async def test_a_wrong_key_is_named_with_the_one_that_is_wanted(small_office: SmallOffice, tmp_path: Path) -> None:
    copy, other = await backed_up(tmp_path), tmp_path / "other.key"
    given = MasterKey.load(other, create=True)
    for words in (["verify", str(copy)], ["restore", str(copy), "--into", str(tmp_path / "n")]):
        refused = error(await command("backup", *words, "--keys", str(other)))
        assert refused["code"] == "backup.wrong_key"
        assert refused["params"] == {"wanted": MasterKey.load(small_office.settings.key_file).id, "given": given.id}
    assert not (tmp_path / "n").exists()


async def test_a_backup_of_a_later_schema_or_format_is_refused(small_office: SmallOffice, tmp_path: Path) -> None:
    copy, last = await backed_up(tmp_path), len(load_migrations())

    def later_schema(manifest: bytes) -> bytes:
        found = json.loads(manifest)
        found["migrations"].append({"number": last + 1, "name": "later", "sha256": "0" * 64})
        return json.dumps(found).encode()

    def later_format(manifest: bytes) -> bytes:
        return json.dumps({**json.loads(manifest), "version": 2, "new": 1}).encode()

    for change, code in ((later_schema, "ledger.schema_newer"), (later_format, "backup.newer")):
        (tmp_path / "later.zip").unlink(missing_ok=True)
        later = remade(copy, tmp_path / "later.zip", MANIFEST, change)
        refused = error(
            await command("backup", "restore", str(later), "--into", str(tmp_path / "n")), 4 if "schema" in code else 1
        )
        assert refused["code"] == code


async def test_what_was_wrong_in_the_office_itself_is_found_by_verify(
    small_office: SmallOffice, tmp_path: Path
) -> None:
    conn = small_office.conn
    await conn.execute("alter table event disable trigger event_no_change")
    forged = await conn.fetchval(
        "update event set actor = 'somebody' where (stream, seq) in (select stream, seq from event limit 1)"
        " returning stream"
    )
    await conn.execute("alter table event enable always trigger event_no_change")
    await conn.execute("update case_row set title = '假的' where source = 'hotline'")
    store = small_office.settings.data / "files"
    lost = next(path for path in store.rglob("*") if path.is_file())
    shutil.rmtree(lost.parent)

    made = value(await command("backup", "create", str(tmp_path / "copy.zip")), 1)
    assert made["files"]["lost"] >= 1
    proof = value(await command("backup", "verify", str(tmp_path / "copy.zip")), 1)

    found = {(each["code"], each["where"].split(" ")[0]) for each in proof["wrong"]}
    assert ("chain.hash", forged) in found
    assert ("backup.read_model", "case_row") in found
    assert "file.missing" in {code for code, _ in found}


async def test_nothing_is_written_over(small_office: SmallOffice, tmp_path: Path) -> None:
    copy = await backed_up(tmp_path)
    assert error(await command("backup", "create", str(copy)))["code"] == "backup.exists"
    lines = await small_office.conn.fetchval("select count(*) from security_log where kind = 'backup_made'")
    assert lines == 1, "what was not made is not recorded"
    named = value(await command("backup", "create", str(tmp_path)))
    assert Path(named["file"]).parent == tmp_path
    used = tmp_path / "used"
    used.mkdir()
    (used / "something").touch()
    refused = error(await command("backup", "restore", str(copy), "--into", str(used)))
    assert (refused["code"], [each.name for each in used.iterdir()]) == ("backup.not_empty", ["something"])
