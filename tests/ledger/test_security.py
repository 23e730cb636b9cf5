"""The security log: its lines, its chain, its protection, its bounds and its retention."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from domain.errors import Refused
from domain.privacy import RevealReason
from ledger.chain import FindingCode
from ledger.keys import MasterKey
from ledger.migrate import load_migrations, migrate
from ledger.reveals import record_reveal
from ledger.rotation import rotate
from ledger.security import (
    EACH_HOUR,
    OF_A_PERSON,
    OF_STRANGERS,
    Anchor,
    Kind,
    LineFilter,
    cut,
    head,
    list_lines,
    record,
    record_refusal,
    settle,
    verify,
)
from ledger.whence import Whence, coming_from, network_of

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
LONG_AGO = datetime.now(UTC) - timedelta(days=1200)


@pytest.fixture
async def door(conn: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    """The connection in the role of the doors."""
    await conn.execute("set role bihuan_app")
    yield conn
    await conn.execute("reset role")


async def test_a_line_says_what_when_who_where_and_how_it_ended(door: asyncpg.Connection) -> None:
    with coming_from(lambda: Whence(place="POST /accounts/disable", source="10.1.2.0/24")):
        number = await record(
            door, Kind.ACCOUNT_DISABLED, actor="P01", subject="lin", detail={"sessions": 2, "by": "page"}, at=NOON
        )

    (line,) = (await list_lines(door, LineFilter())).items
    assert (line.id, line.at, line.kind, line.actor, line.outcome) == (number, NOON, "account_disabled", "P01", "ok")
    assert (line.place, line.source, line.subject) == ("POST /accounts/disable", "10.1.2.0/24", "lin")
    assert line.detail == {"sessions": 2, "by": "page"}
    assert (await verify(door)).findings == ()


async def test_the_doors_can_only_add_lines(door: asyncpg.Connection) -> None:
    await record(door, Kind.SIGN_OUT, actor="P01")

    for statement in (
        "update security_log set actor = 'x'",
        "delete from security_log",
        "truncate security_log",
        "insert into security_log select * from security_log",
        "drop trigger security_log_no_change on security_log",
        "alter table security_log disable trigger all",
        "delete from security_tally",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await door.execute(statement)


async def test_not_even_the_owner_changes_a_line(conn: asyncpg.Connection) -> None:
    await record(conn, Kind.SIGN_OUT, actor="P01")

    for role in ("origin", "replica"):
        await conn.execute(f"set session_replication_role = {role}")
        for statement in ("update security_log set actor = 'x'", "delete from security_log", "truncate security_log"):
            with pytest.raises(asyncpg.PostgresError) as error:
                await conn.execute(statement)
            assert error.value.sqlstate == "BH009", statement


async def test_many_at_once_make_one_chain_without_gaps(ledger: str) -> None:
    pool = await asyncpg.create_pool(ledger, min_size=4, max_size=4)

    async def write(number: int) -> None:
        async with pool.acquire() as one, one.transaction():
            await record(one, Kind.SIGN_IN, actor=f"P{number}", at=NOON + timedelta(seconds=number % 7))

    try:
        await asyncio.gather(*(write(number) for number in range(40)))
        async with pool.acquire() as one:
            found = await verify(one)
    finally:
        await pool.close()
    assert (found.lines, found.findings) == (40, ())
    assert found.head is not None
    assert found.head.id == 40


async def test_what_is_rolled_back_leaves_no_line_and_no_gap(conn: asyncpg.Connection) -> None:
    transaction = conn.transaction()
    await transaction.start()
    await record(conn, Kind.EXPORTED, actor="P01")
    await transaction.rollback()
    await record(conn, Kind.SIGN_OUT, actor="P01")

    found = await verify(conn)
    assert (found.lines, found.first, found.findings) == (1, 1, ())


async def test_a_line_is_one_line_whatever_is_put_into_it(conn: asyncpg.Connection) -> None:
    await record(conn, Kind.SIGN_IN, actor="a\nb\x00c", subject="x" * 500 + "\ud800", outcome="refused")

    (line,) = (await list_lines(conn, LineFilter())).items
    assert (line.actor, line.subject) == ("abc", "x" * 200)
    assert (await verify(conn)).findings == ()


async def test_a_detail_is_a_few_codes_and_no_text(conn: asyncpg.Connection) -> None:
    many = {f"n_{'a' * number}": 1 for number in range(21)}
    wrong: list[dict[str, Any]] = [{"name": "王 小明"}, {"name": "x" * 201}, {"Name": "x"}, {"a": 1.5}, many]
    for detail in wrong:
        with pytest.raises(ValueError, match="detail"):
            await record(conn, Kind.EXPORTED, detail=detail)


async def test_lines_are_read_in_pages_and_by_what_is_asked(conn: asyncpg.Connection) -> None:
    for number in range(7):
        kind = Kind.SIGN_IN if number % 2 else Kind.EXPORTED
        await record(conn, kind, actor=f"P{number % 3}", subject=f"s{number}", at=NOON + timedelta(hours=number))

    first = await list_lines(conn, LineFilter(), limit=3)
    second = await list_lines(conn, LineFilter(), limit=3, cursor=first.next)
    third = await list_lines(conn, LineFilter(), limit=3, cursor=second.next)
    assert [each.id for page in (first, second, third) for each in page.items] == [7, 6, 5, 4, 3, 2, 1]
    assert third.next is None

    async def ids(**wanted: object) -> list[int]:
        return [each.id for each in (await list_lines(conn, LineFilter.model_validate(wanted))).items]

    assert await ids(kinds=("exported",)) == [7, 5, 3, 1]
    assert await ids(actor="P1") == [5, 2]
    assert await ids(subject="s2") == [3]
    assert await ids(since=NOON + timedelta(hours=2), until=NOON + timedelta(hours=4)) == [4, 3]
    assert await ids(outcome="refused") == []
    for cursor in ("x", first.next or "", "WyJzZWN1cml0eSIsbnVsbCwiLTEiXQ"):
        if cursor != first.next:
            with pytest.raises(Refused, match=r"feed\.bad_cursor"):
                await list_lines(conn, LineFilter(), cursor=cursor)


# --- tampering ----------------------------------------------------------------------------------------------------


@pytest.fixture
async def log(conn: asyncpg.Connection) -> asyncpg.Connection:
    """Six sound lines, with the triggers switched off as only an administrator of the database can."""
    for number in range(6):
        await record(conn, Kind.SIGN_IN, actor=f"P{number}", detail={"n": number}, at=NOON)
    await conn.execute("alter table security_log disable trigger all")
    return conn


async def _found(conn: asyncpg.Connection, anchor: Anchor | None = None) -> set[tuple[int, FindingCode]]:
    return {(each.seq, each.code) for each in (await verify(conn, anchor)).findings}


CHANGES = {
    "id": ("30", FindingCode.HASH),
    "at": ("at + interval '1 microsecond'", FindingCode.HASH),
    "kind": ("'sign_out'", FindingCode.HASH),
    "actor": ("'other'", FindingCode.HASH),
    "outcome": ("'refused'", FindingCode.HASH),
    "place": ("'POST /elsewhere'", FindingCode.HASH),
    "source": ("'10.0.0.0/24'", FindingCode.HASH),
    "subject": ("'other'", FindingCode.HASH),
    "detail": ("'{\"n\": 1.5}'", FindingCode.HASH),
    "prev": ("repeat('0', 64)", FindingCode.PREV),
    "hash": ("repeat('0', 64)", FindingCode.HASH),
}


async def test_a_change_to_any_column_is_found(log: asyncpg.Connection) -> None:
    columns = await log.fetch(
        "select attname::text as name from pg_attribute where attrelid = 'security_log'::regclass and attnum > 0"
    )
    assert {row["name"] for row in columns} == CHANGES.keys()

    for column, (value, code) in CHANGES.items():
        change = log.transaction()
        await change.start()
        await log.execute(f"update security_log set {column} = {value} where id = 3")
        assert code in {found for _, found in await _found(log)}, column
        await change.rollback()
        assert await _found(log) == set()


async def test_one_changed_line_is_named_and_not_the_ones_after_it(log: asyncpg.Connection) -> None:
    await log.execute("update security_log set actor = 'other' where id = 3")

    assert await _found(log) == {(3, FindingCode.HASH)}


async def test_a_removed_line_is_found(log: asyncpg.Connection) -> None:
    for number in (3, 1):
        await log.execute("delete from security_log where id = $1", number)
        assert (number + 1, FindingCode.SEQ) in await _found(log)


async def test_lines_that_changed_places_are_found(log: asyncpg.Connection) -> None:
    for before, after in ((3, 30), (4, 3), (30, 4)):
        await log.execute("update security_log set id = $2 where id = $1", before, after)

    assert {(3, FindingCode.PREV), (4, FindingCode.PREV), (3, FindingCode.HASH)} <= await _found(log)


async def test_an_inserted_line_is_found(log: asyncpg.Connection) -> None:
    await log.execute(
        "insert into security_log select 7, at, kind, actor, outcome, place, source, subject, detail, "
        "hash, hash from security_log where id = 6"
    )

    assert (7, FindingCode.HASH) in await _found(log)


async def test_a_cut_off_end_and_a_rewritten_log_are_found_by_an_anchor(log: asyncpg.Connection) -> None:
    anchor = await head(log)
    assert anchor is not None
    assert Anchor.parse(str(anchor)) == anchor
    assert await _found(log, anchor) == set()

    await log.execute("delete from security_log where id = 6")
    assert await _found(log) == set()
    assert await _found(log, anchor) == {(6, FindingCode.SEQ)}

    await record(log, Kind.SIGN_OUT, actor="somebody else")
    assert await _found(log) == set()
    assert await _found(log, anchor) == {(6, FindingCode.HASH)}


@pytest.mark.parametrize("text", ["", "6", "6:abc", "x:" + "0" * 64])
def test_an_anchor_is_a_number_and_a_hash(text: str) -> None:
    with pytest.raises(Refused, match=r"field\.invalid"):
        Anchor.parse(text)


# --- refusals anybody may cause -----------------------------------------------------------------------------------


async def test_a_flood_of_one_refusal_becomes_a_few_lines_and_a_number(door: asyncpg.Connection) -> None:
    for _ in range(EACH_HOUR + 25):
        await record_refusal(door, Kind.ACCESS_REFUSED, "access.denied", actor="P01", at=NOON)
    await record_refusal(door, Kind.ACCESS_REFUSED, "access.denied", actor="P02", at=NOON)

    lines = (await list_lines(door, LineFilter(actor="P01"))).items
    assert len(lines) == EACH_HOUR
    assert {each.outcome for each in lines} == {"refused"}
    assert {each.detail["code"] for each in lines} == {"access.denied"}

    assert await settle(door, NOON + timedelta(minutes=59)) == 0
    assert await settle(door, NOON + timedelta(hours=1)) == 1
    assert await settle(door, NOON + timedelta(hours=1)) == 0
    last = (await list_lines(door, LineFilter(actor="P01"))).items[0]
    assert last.detail == {"code": "access.denied", "hour": "2026-11-23T04Z", "repeated": 25}
    assert (await verify(door)).findings == ()


async def test_the_next_hour_begins_anew_and_settles_the_one_before(door: asyncpg.Connection) -> None:
    for _ in range(EACH_HOUR + 1):
        await record_refusal(door, Kind.SIGN_IN, "access.wrong_credentials", subject="lin", at=NOON)
    await record_refusal(door, Kind.SIGN_IN, "access.wrong_credentials", subject="lin", at=NOON + timedelta(hours=1))

    newest, counted, *_ = (await list_lines(door, LineFilter())).items
    assert "repeated" not in newest.detail
    assert counted.detail["repeated"] == 1


async def test_strangers_cannot_fill_the_disk_and_do_not_push_out_the_refusals_of_staff(
    door: asyncpg.Connection,
) -> None:
    for number in range(OF_STRANGERS + 40):
        await record_refusal(door, Kind.SIGN_IN, "access.wrong_credentials", subject=f"name{number}", at=NOON)
    assert await record_refusal(door, Kind.ACCESS_REFUSED, "access.denied", actor="P01", at=NOON) is not None

    assert await settle(door, NOON + timedelta(hours=1)) == 1
    count = await door.fetchval("select count(*) from security_log where actor = '-'")
    rows = await door.fetchval("select count(*) from security_tally")
    assert count == OF_STRANGERS + 1
    assert rows == 0
    assert (await list_lines(door, LineFilter(actor="-"))).items[0].detail["repeated"] == 40


async def test_one_person_cannot_either(door: asyncpg.Connection) -> None:
    for number in range(OF_A_PERSON + 5):
        with coming_from(lambda number=number: Whence(place=f"GET /place/{number}")):  # type: ignore[misc]
            await record_refusal(door, Kind.ACCESS_REFUSED, "access.denied", actor="P01", at=NOON)

    assert await door.fetchval("select count(*) from security_log") == OF_A_PERSON
    assert await door.fetchval("select count(*) from security_tally") == OF_A_PERSON + 1


# --- retention ----------------------------------------------------------------------------------------------------


async def _aged(conn: asyncpg.Connection) -> None:
    for number in range(5):
        await record(conn, Kind.SIGN_IN, actor="old", at=LONG_AGO + timedelta(days=number))
    for _ in range(2):
        await record(conn, Kind.SIGN_IN, actor="young")


async def test_old_lines_go_and_the_chain_stays_verifiable(door: asyncpg.Connection) -> None:
    await _aged(door)
    before = await head(door)

    with coming_from(lambda: Whence(place="bihuan security cut")):
        assert await cut(door, timedelta(days=1096), actor="P01") == 5
        assert await cut(door, timedelta(days=1096), actor="P01") == 0

    lines = (await list_lines(door, LineFilter())).items
    assert [each.kind for each in lines] == ["log_cut", "sign_in", "sign_in"]
    assert (lines[0].actor, lines[0].place, lines[0].detail["lines"]) == ("P01", "bihuan security cut", 5)
    found = await verify(door, before)
    assert (found.findings, found.first) == ((), 6)


async def test_a_log_all_of_whose_lines_are_old_keeps_the_last_one(door: asyncpg.Connection) -> None:
    for number in range(3):
        await record(door, Kind.SIGN_IN, actor="old", at=LONG_AGO + timedelta(days=number))

    assert await cut(door, timedelta(days=1096), actor="P01") == 2
    assert (await verify(door)).findings == ()
    assert [each.kind for each in (await list_lines(door, LineFilter())).items] == ["log_cut", "sign_in"]


async def test_a_young_line_before_old_ones_keeps_them(door: asyncpg.Connection) -> None:
    await record(door, Kind.SIGN_IN, actor="young")
    await record(door, Kind.SIGN_IN, actor="old", at=LONG_AGO)

    assert await cut(door, timedelta(days=1096), actor="P01") == 0


async def test_nothing_younger_than_200_days_is_let_go_whoever_asks(conn: asyncpg.Connection) -> None:
    await _aged(conn)
    await record(conn, Kind.SIGN_IN, at=datetime.now(UTC) - timedelta(days=199))
    with pytest.raises(Refused, match=r"security\.kept_longer"):
        await cut(conn, timedelta(days=199), actor="P01")
    with pytest.raises(asyncpg.PostgresError) as error:
        await conn.fetchval("select security_cut('P01', '-', interval '199 days', 100)")
    assert error.value.sqlstate == "BH010"

    # Not even after a forged cut.
    await record(conn, Kind.LOG_CUT, detail={"hash": "0" * 64, "lines": 8, "through": 8})
    with pytest.raises(asyncpg.PostgresError) as error:
        await conn.execute("delete from security_log where id = 8")
    assert error.value.sqlstate == "BH009"


async def test_lines_that_went_without_a_true_cut_are_found(conn: asyncpg.Connection) -> None:
    await _aged(conn)
    await record(conn, Kind.LOG_CUT, detail={"hash": "0" * 64, "lines": 5, "through": 5})
    await conn.execute("delete from security_log where id <= 5")

    assert await _found(conn) == {(6, FindingCode.SEQ)}


# --- the others ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("127.0.0.1", "127.0.0.0/24"),
        ("unix", "-"),
        ("", "-"),
    ],
)
def test_of_an_address_only_a_wide_network_is_kept(address: str, network: str) -> None:
    assert network_of(address) == network


async def test_what_was_written_down_of_accounts_before_goes_on_in_the_log(fresh_database: str) -> None:
    ours = load_migrations()
    await migrate(fresh_database, [each for each in ours if each.number < 23])
    conn = await asyncpg.connect(fresh_database)
    try:
        for kind, login, by, note in (
            ("signed_in", "lin", "P01", None),
            ("refused_password", None, None, None),
            ("signed_in_by_provider", "lin", "P01", None),
            ("token_issued", "lin", "P01", "0d3f"),
        ):
            await conn.execute(
                "insert into access_record (at, kind, login, by_person, note) values ($1, $2, $3, $4, $5)",
                *(NOON, kind, login, by, note),
            )
        await migrate(fresh_database)

        lines = (await list_lines(conn, LineFilter())).items
        assert [(each.kind, each.actor, each.subject, each.outcome, each.detail) for each in reversed(lines)] == [
            ("sign_in", "P01", "lin", "ok", {}),
            ("sign_in", "-", "-", "refused", {"code": "access.wrong_credentials"}),
            ("sign_in", "P01", "lin", "ok", {"by": "provider"}),
            ("token_issued", "P01", "lin", "ok", {"token": "0d3f"}),
        ]
        assert (await verify(conn)).findings == ()
    finally:
        await conn.close()


async def test_who_is_shown_a_resident_and_a_new_master_key_are_one_line_each(
    conn: asyncpg.Connection, tmp_path: Path
) -> None:
    await record_reveal(
        conn, "case-1", person="P01", role="grid_worker", door="page", reason=RevealReason.VISIT, words=""
    )
    MasterKey.load(tmp_path / "master.key", create=True)
    done = await rotate(conn, tmp_path / "master.key")

    rotated, revealed = (await list_lines(conn, LineFilter())).items
    assert (revealed.kind, revealed.actor, revealed.subject) == ("revealed", "P01", "case-1")
    assert revealed.detail == {"door": "page", "reason": "visit", "role": "grid_worker"}
    assert (rotated.kind, rotated.subject, rotated.detail) == ("key_rotated", done.new, {"wrapped": 0})
