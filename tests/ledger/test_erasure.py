"""What was erased cannot be read any more by anybody, and the log is as it was."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from domain.errors import Refused
from domain.privacy import EraseReason, RevealReason, said_beside
from ledger.chain import verify_chain
from ledger.erasure import count_due, due_streams, erase, erasure_of, list_erasures
from ledger.files import FileRow, file_of_stream, keep
from ledger.reveals import list_reveals, record_reveal
from ledger.vault import EntryErased, MasterKey, Vault
from tests.ledger.facts import NOON, case_row, fact, write

DIGEST, THUMB = "a" * 64, "b" * 64
NOW = datetime(2026, 11, 27, tzinfo=UTC)
NAME = "诸葛临风"


class Store:
    """What was asked to be deleted."""

    def __init__(self) -> None:
        self.deleted: list[str] = []

    async def delete(self, digest: str) -> None:
        self.deleted.append(digest)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(MasterKey.load(tmp_path / "key", create=True))


async def _case(conn: asyncpg.Connection, vault: Vault, stream: str, *, finished: bool = True, **fields: Any) -> None:
    async def put() -> None:
        pass

    await keep(conn, FileRow(digest=DIGEST, thumb=THUMB, media_type="image/jpeg", bytes=1, width=1, height=1), "p", put)
    await vault.write(conn, stream, {"reporter_name": NAME, "reporter_phone": "13900001234"})
    row = case_row(stream, finished=finished, title="井盖", text="井盖松动", **fields)
    attached = fact("attached", 1, "p", evidence=[{"digest": DIGEST}])
    await write(conn, stream, 0, [fact("registered"), attached], rows={"case_row": [row]})


async def _erase(conn: asyncpg.Connection, stream: str, store: Store, words: str = "") -> int:
    done = await erase(conn, stream, at=NOW, person="admin", reason=EraseReason.ORDER, words=words, delete=store.delete)
    return done.files


async def test_what_was_erased_is_gone_and_the_chain_can_be_checked(conn: asyncpg.Connection, vault: Vault) -> None:
    await _case(conn, vault, "case-1")
    before = await conn.fetch("select * from event where stream = 'case-1' order by seq")
    store = Store()

    assert await _erase(conn, "case-1", store, "法院文书") == 1

    with pytest.raises(EntryErased):
        await vault.read(conn, "case-1", "reporter_name")
    assert await vault.find(conn, "13900001234") == []
    for table in ("vault_key", "vault_phone", "case_text", "file_stream", "tracking"):
        column = "id" if table == "case_text" else "stream"
        assert await conn.fetchval(f"select count(*) from {table} where {column} = 'case-1'") == 0, table
    assert await file_of_stream(conn, "case-1", DIGEST) is None
    assert sorted(store.deleted) == [DIGEST, THUMB]
    assert await conn.fetch("select * from event where stream = 'case-1' order by seq") == before
    assert await verify_chain(conn, "case-1") == []
    found = await erasure_of(conn, "case-1")
    assert found is not None
    assert (found.at, found.person, found.reason, found.words) == (NOW, "admin", EraseReason.ORDER, "法院文书")


async def test_nothing_can_be_kept_for_what_was_erased(conn: asyncpg.Connection, vault: Vault) -> None:
    await write(conn, "case-1", 0, [fact("registered")], rows={"case_row": [case_row("case-1", finished=True)]})
    await _erase(conn, "case-1", Store())

    with pytest.raises(EntryErased):
        await vault.write(conn, "case-1", {"reporter_name": NAME})


async def test_what_is_open_cannot_be_erased(conn: asyncpg.Connection, vault: Vault) -> None:
    await _case(conn, vault, "case-1", finished=False)

    for stream in ("case-1", "case-unknown"):
        with pytest.raises(Refused, match=r"erase\.not_finished"):
            await _erase(conn, stream, Store())

    assert await vault.read(conn, "case-1", "reporter_name") == NAME


async def test_erasing_again_changes_nothing(conn: asyncpg.Connection, vault: Vault) -> None:
    await _case(conn, vault, "case-1")
    await _erase(conn, "case-1", Store(), "第一次")

    await _erase(conn, "case-1", Store(), "第二次")

    assert [each.words for each in (await list_erasures(conn)).items] == ["第一次"]


async def test_a_photograph_of_two_requests_goes_with_the_last_of_them(conn: asyncpg.Connection, vault: Vault) -> None:
    await _case(conn, vault, "case-1")
    await _case(conn, vault, "case-2")
    first, second = Store(), Store()

    await _erase(conn, "case-1", first)
    assert await file_of_stream(conn, "case-2", DIGEST) is not None
    await _erase(conn, "case-2", second)

    assert (first.deleted, sorted(second.deleted)) == ([], [DIGEST, THUMB])


async def test_words_of_what_was_erased_are_not_found_after_a_rebuild_of_its_row(
    conn: asyncpg.Connection, vault: Vault
) -> None:
    await _case(conn, vault, "case-1")
    await _erase(conn, "case-1", Store())

    await conn.execute("update case_row set title = '井盖松动了', text = '又一段' where id = 'case-1'")

    assert await conn.fetchval("select count(*) from case_text where id = 'case-1'") == 0


async def test_due_is_what_was_finished_long_enough_ago_and_still_holds_something(
    conn: asyncpg.Connection, vault: Vault
) -> None:
    await _case(conn, vault, "case-old", archived_at=NOON - timedelta(days=3))
    await _case(conn, vault, "case-older", archived_at=NOON - timedelta(days=9))
    await _case(conn, vault, "case-young", archived_at=NOON)
    await _case(conn, vault, "case-open", finished=False)
    await write(
        conn,
        "case-empty",
        0,
        [fact("registered")],
        rows={"case_row": [case_row("case-empty", finished=True, archived_at=NOON - timedelta(days=9))]},
    )

    before = NOON - timedelta(days=1)
    assert await count_due(conn, before) == (2, NOON - timedelta(days=9))
    assert [each.stream for each in await due_streams(conn, before, 10)] == ["case-older", "case-old"]
    await _erase(conn, "case-older", Store())
    assert [each.stream for each in await due_streams(conn, before, 10)] == ["case-old"]


@pytest.mark.parametrize("table", ["reveal", "erasure"])
async def test_what_is_on_record_cannot_be_changed(conn: asyncpg.Connection, vault: Vault, table: str) -> None:
    await _case(conn, vault, "case-1")
    await _erase(conn, "case-1", Store())
    await record_reveal(
        conn, "case-1", person="p", role="auditor", door="page", reason=RevealReason.INSPECTION, words="抽查"
    )

    for statement in (f"update {table} set words = 'x'", f"delete from {table}", f"truncate {table}"):
        with pytest.raises(asyncpg.PostgresError) as refused:
            await conn.execute(statement)
        assert refused.value.sqlstate == "BH009", statement


async def test_looks_are_listed_the_last_first_in_pages(conn: asyncpg.Connection) -> None:
    for number in range(5):
        await record_reveal(
            conn,
            f"case-{number % 2}",
            person=f"p-{number % 2}",
            role="grid_worker",
            door="page",
            reason=RevealReason.VISIT,
            words=str(number),
        )

    first = await list_reveals(conn, limit=3)
    rest = await list_reveals(conn, limit=3, cursor=first.next)

    assert [each.words for each in (*first.items, *rest.items)] == ["4", "3", "2", "1", "0"]
    assert rest.next is None
    assert [each.words for each in (await list_reveals(conn, stream="case-1")).items] == ["3", "1"]
    assert [each.words for each in (await list_reveals(conn, person="p-0")).items] == ["4", "2", "0"]


def test_words_beside_a_reason_are_redacted_bounded_and_asked_for_where_they_are_needed() -> None:
    assert said_beside(RevealReason.VISIT, None) == ""
    assert "13900001234" not in said_beside(RevealReason.OTHER, "打13900001234核实")
    with pytest.raises(Refused, match=r"reason\.words_missing"):
        said_beside(RevealReason.OTHER, "  ")
    with pytest.raises(Refused, match=r"reason\.words_too_long"):
        said_beside(RevealReason.OTHER, "长" * 201)
