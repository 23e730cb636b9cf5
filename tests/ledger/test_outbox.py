"""The outbox: no notice is lost, each has its receivers once, and a rebuild sends nothing again."""

import asyncio
from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from domain.errors import Refused
from domain.people import Role
from domain.registry import Registry
from domain.registry_check import check, registry_of
from domain.registry_problem import RawRegistry
from ledger.outbox import (
    Claim,
    Directory,
    NoticeFilter,
    Origin,
    Receiver,
    claim,
    health,
    list_notices,
    mark_delivered,
    mark_failed,
    mark_seen,
    notices_beginning,
    receivers_of,
    retry,
    route,
)
from ledger.rebuild import rebuild
from ledger.registry import load_registry, read_registry
from ledger.rows import NoticeRow
from tests.activities.posting import put_notice, staff, states
from tests.ledger.test_rebuild import office  # noqa: F401 - a fixture: streams whose facts people are told of
from tests.neighbourhood import GRID, NOON, REGISTRY, raw_registry

DAY = date(2026, 11, 23)
LEASE = timedelta(minutes=1)
WEBHOOK = [("webhook", "1")]
NO_TIME = timedelta(0)


@pytest.fixture
def registry() -> Registry:
    """The neighbourhood, in which the handler of D01 has an address."""
    return registry_of(staff(), revision=1)


async def _route(conn: asyncpg.Connection, registry: Registry, **given: Any) -> int:
    return (await route(conn, registry, DAY, email=True, addresses=WEBHOOK, **given)).notices


async def _one(conn: asyncpg.Connection, channel: str = "webhook") -> Claim:
    (claimed,) = await claim(conn, channel, limit=10, lease=LEASE)
    return claimed


async def _delivery(conn: asyncpg.Connection, notice: UUID, channel: str = "webhook") -> asyncpg.Record:
    row = await conn.fetchrow("select * from delivery where notice = $1 and channel = $2", notice, channel)
    assert row is not None
    return row


# --- routing ----------------------------------------------------------------------------------------------------


async def test_a_notice_is_routed_once(conn: asyncpg.Connection, registry: Registry) -> None:
    notice = await put_notice(conn)

    assert await _route(conn, registry) == 1
    assert await _route(conn, registry) == 0

    assert await states(conn, notice) == {
        ("inbox", "handler"): "delivered",
        ("email", "handler"): "waiting",
        ("webhook", "1"): "waiting",
    }


async def test_a_notice_that_becomes_visible_late_is_not_lost(
    ledger: str, conn: asyncpg.Connection, registry: Registry
) -> None:
    """Transactions commit in another order than they began and wrote; nothing is passed over."""
    other: asyncpg.Connection = await asyncpg.connect(ledger)
    slow = other.transaction()
    await slow.start()
    early = await put_notice(other, minute=0)
    late = await put_notice(conn, minute=1)

    assert await _route(conn, registry) == 1
    assert await states(conn, late) != {}
    await slow.commit()
    await other.close()

    assert await _route(conn, registry) == 1
    assert await states(conn, early) != {}


async def test_a_notice_of_an_undone_act_is_never_delivered(conn: asyncpg.Connection, registry: Registry) -> None:
    undone = conn.transaction()
    await undone.start()
    await put_notice(conn)
    await undone.rollback()

    assert await _route(conn, registry) == 0


async def test_listeners_hear_of_new_notices_and_of_nothing_else(ledger: str, conn: asyncpg.Connection) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener: asyncpg.Connection = await asyncpg.connect(ledger)
    await listener.add_listener("notice", lambda *given: heard.put_nowait(str(given[3])))
    notice = await put_notice(conn)
    assert await asyncio.wait_for(heard.get(), 60) == ""

    # What a rebuild does: the same rows anew.
    async with conn.transaction():
        await conn.execute("create temporary table kept on commit drop as select * from notice")
        await conn.execute("delete from notice")
        await conn.execute("insert into notice select * from kept")
    assert await conn.fetchval("select id from notice") == notice
    await conn.execute("select pg_notify('notice', 'end')")
    assert await asyncio.wait_for(heard.get(), 60) == "end"
    await listener.close()


async def test_what_is_written_anew_is_not_sent_again(conn: asyncpg.Connection, registry: Registry) -> None:
    notice = await put_notice(conn)
    await _route(conn, registry)
    await mark_delivered(conn, await _one(conn))
    before = await states(conn, notice)

    for _ in range(2):
        async with conn.transaction():
            await conn.execute("create temporary table kept on commit drop as select * from notice")
            await conn.execute("delete from notice")
            await conn.execute("insert into notice select * from kept")

    assert await _route(conn, registry) == 0
    assert await claim(conn, "webhook", limit=10, lease=LEASE) == []
    assert await states(conn, notice) == before


@pytest.mark.usefixtures("office")
async def test_a_rebuild_sends_nothing_again(conn: asyncpg.Connection) -> None:
    registry = await read_registry(conn)
    while await _route(conn, registry):
        pass
    for claimed in await claim(conn, "webhook", limit=1000, lease=LEASE):
        await mark_delivered(conn, claimed)
    before = await conn.fetch("select * from delivery order by notice, channel, receiver")
    notices = await conn.fetch("select * from notice order by id")
    assert notices

    assert (await rebuild(conn)).differences == []

    assert await conn.fetch("select * from notice order by id") == notices
    assert await _route(conn, registry) == 0
    assert await conn.fetch("select * from delivery order by notice, channel, receiver") == before


async def test_couriers_at_work_at_once_take_different_notices(
    ledger: str, conn: asyncpg.Connection, registry: Registry
) -> None:
    for minute in range(40):
        await put_notice(conn, minute=minute)
    others: list[asyncpg.Connection] = [await asyncpg.connect(ledger) for _ in range(4)]

    async def work(own: asyncpg.Connection) -> int:
        done = 0
        while number := await _route(own, registry, limit=3):
            done += number
        return done

    assert sum(await asyncio.gather(*(work(own) for own in others))) == 40
    for own in others:
        await own.close()


async def test_the_application_may_deliver_but_not_write_notices(conn: asyncpg.Connection, registry: Registry) -> None:
    notice = await put_notice(conn, role="supervisor", organisation="nowhere")
    await conn.execute("set role bihuan_app")

    await _route(conn, registry)
    await mark_delivered(conn, await _one(conn))
    assert await retry(conn, notice) == 1
    for forbidden in ("delete from notice", "update notice set kind = 'x'", "delete from routing"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute(forbidden)


# --- receivers --------------------------------------------------------------------------------------------------


def _notice(**to: Any) -> NoticeRow:
    return NoticeRow(id=uuid4(), stream="case-a", seq=1, process="case", kind="urged", at=NOON, params={}, **to)


def _people(notice: NoticeRow, registry: Registry, origin: Origin | None = None) -> list[str]:
    return [each.person for each in receivers_of(notice, registry, DAY, origin or Origin())]


def test_a_role_at_a_place_is_whoever_holds_it_there(registry: Registry) -> None:
    assert _people(_notice(role="department_handler", organisation="D01"), registry) == ["handler"]
    assert _people(_notice(role="grid_worker", grid=GRID), registry) == ["checker", "worker"]
    assert _people(_notice(role="community"), registry) == ["approver", "community", "far-community"]
    assert _people(_notice(role="department_handler", organisation="D99"), registry) == []
    assert _people(_notice(role="of another release"), registry) == []
    assert _people(_notice(), registry) == []


def test_who_holds_a_role_everywhere_holds_it_at_each_place_and_only_while_they_hold_it() -> None:
    extra = [
        {"person": "head", "role": "supervisor"},
        {"person": "captain", "role": "supervisor", "valid_to": "2026-11-22"},
    ]
    registry = registry_of(raw_registry(assignments=REGISTRY["assignments"] + extra))

    assert [each.id for each in registry.holders(Role.SUPERVISOR, "S01", None, DAY)] == ["head", "supervisor"]
    assert [each.id for each in registry.holders(Role.SUPERVISOR, "D03", None, DAY)] == ["head"]
    assert [each.id for each in registry.holders(Role.SUPERVISOR, "D03", None, date(2026, 11, 22))] == [
        "captain",
        "head",
    ]


def test_a_person_is_reached_by_code_while_they_are_with_the_office() -> None:
    people = [{**row, "valid_to": "2026-11-22"} if row["id"] == "head" else row for row in REGISTRY["people"]]
    assignments = [row for row in REGISTRY["assignments"] if row["person"] != "head"]
    registry = registry_of(raw_registry(people=people, assignments=assignments))

    assert receivers_of(_notice(person="helper"), registry, DAY, Origin()) == (Receiver("helper", False),)
    assert _people(_notice(person="head"), registry) == []
    assert _people(_notice(person="resident-1", role="resident"), registry) == ["resident-1"]


def test_a_resident_without_a_code_is_reached_by_whoever_registered_it_or_the_hotline(registry: Registry) -> None:
    to_resident = _notice(role="resident")

    assert _people(to_resident, registry, Origin("worker", "S01")) == ["worker"]
    assert _people(to_resident, registry, Origin("hotline-import", "S01")) == ["hotline"]
    assert _people(to_resident, registry, Origin("hotline-import", "S02")) == []


async def test_the_origin_is_read_from_the_case(conn: asyncpg.Connection, registry: Registry) -> None:
    await conn.execute(
        """
        insert into case_row
        select * from jsonb_populate_record(null::case_row, jsonb_build_object(
            'id', 'case-a', 'seq', 1, 'stage', 'registered', 'suspended', false, 'shelved', false,
            'departments', '{}'::text[], 'rework_count', 0, 'visit_attempts', 0, 'was_overdue', false,
            'finished', false, 'registered_at', now(), 'updated_at', now(), 'opened_by', 'worker', 'street', 'S01',
            'backlog', false, 'returns', 0, 'open_orders', 0
        ))
        """
    )
    notice = await put_notice(conn, role="resident")

    await _route(conn, registry)

    assert ("inbox", "worker") in await states(conn, notice)


async def test_nobody_there_is_a_failure_that_is_tried_again_when_somebody_is(conn: asyncpg.Connection) -> None:
    await load_registry(conn, staff(), "lead")
    directory = Directory()
    notice = await put_notice(conn, role="department_head", organisation="D02")
    done = await route(conn, await directory.registry(conn), DAY, addresses=WEBHOOK)
    assert (done.notices, done.nobody) == (1, 1)
    assert await states(conn, notice) == {("inbox", ""): "failed", ("webhook", "1"): "waiting"}
    assert (await _delivery(conn, notice, "inbox"))["last_error"] == "nobody"

    new = {"person": "helper", "role": "department_head", "organisation": "D02"}
    await load_registry(conn, raw_registry(assignments=[*REGISTRY["assignments"], new]), "lead")
    assert await retry(conn, notice) == 1
    await route(conn, await directory.registry(conn), DAY, addresses=WEBHOOK)

    assert await states(conn, notice) == {("inbox", "helper"): "delivered", ("webhook", "1"): "waiting"}


# --- attempts ---------------------------------------------------------------------------------------------------


async def test_a_claimed_delivery_is_nobody_elses_until_the_lease_ends(
    conn: asyncpg.Connection, registry: Registry
) -> None:
    notice = await put_notice(conn)
    await _route(conn, registry)

    first = await claim(conn, "webhook", limit=10, lease=NO_TIME)
    second = await claim(conn, "webhook", limit=10, lease=LEASE)

    assert [(each.id, each.receiver, each.attempt) for each in (*first, *second)] == [
        (notice, "1", 1),
        (notice, "1", 2),
    ]
    assert first[0].notice == (await list_notices(conn, NoticeFilter())).items[0].notice
    assert await claim(conn, "webhook", limit=10, lease=LEASE) == []


async def test_what_a_late_courier_says_counts_only_when_it_delivered(
    conn: asyncpg.Connection, registry: Registry
) -> None:
    notice = await put_notice(conn)
    await _route(conn, registry)
    (late,) = await claim(conn, "webhook", limit=10, lease=NO_TIME)
    newer = await _one(conn)

    await mark_failed(conn, late, "timeout", None)
    assert (await _delivery(conn, notice))["state"] == "waiting"
    await mark_delivered(conn, late)
    await mark_failed(conn, newer, "http 500", LEASE)

    row = await _delivery(conn, notice)
    assert (row["state"], row["last_error"], row["next_at"]) == ("delivered", None, None)


async def test_a_failure_waits_and_the_last_one_does_not(conn: asyncpg.Connection, registry: Registry) -> None:
    notice = await put_notice(conn)
    await _route(conn, registry)
    await mark_failed(conn, await _one(conn), "http 500", timedelta(hours=1))
    row = await _delivery(conn, notice)
    assert (row["state"], row["last_error"]) == ("waiting", "http 500")
    assert await claim(conn, "webhook", limit=10, lease=LEASE) == []
    assert await retry(conn, notice) == 0

    await conn.execute("update delivery set next_at = now() where channel = 'webhook'")
    await mark_failed(conn, await _one(conn), "http 500", None)
    assert (await _delivery(conn, notice))["state"] == "failed"
    assert await retry(conn, notice) == 1
    assert (await _one(conn)).attempt == 1


# --- lists ------------------------------------------------------------------------------------------------------


async def test_a_list_pages_through_all_notices_the_youngest_first(
    conn: asyncpg.Connection, registry: Registry
) -> None:
    # Two of each minute: the id decides.
    written = [await put_notice(conn, minute=number // 2) for number in range(7)]
    await _route(conn, registry)
    found, cursor = [], None
    while True:
        page = await list_notices(conn, NoticeFilter(), limit=2, cursor=cursor)
        found += [each.notice for each in page.items]
        cursor = page.next
        if cursor is None:
            break
    assert {each.id for each in found} == set(written)
    assert found == sorted(found, key=lambda each: (each.at, each.id), reverse=True)
    assert len(found) == len(written)


async def test_a_list_narrows_to_a_person_a_case_the_unseen_and_the_failed(
    conn: asyncpg.Connection, registry: Registry
) -> None:
    own = await put_notice(conn, person="helper", stream="case-b")
    seen = await put_notice(conn, person="helper", minute=1)
    lost = await put_notice(conn, role="department_head", organisation="D02", minute=2)
    await _route(conn, registry)
    assert await mark_seen(conn, seen, "helper")
    first = (await _delivery(conn, seen, "inbox"))["seen_at"]
    assert await mark_seen(conn, seen, "helper")
    assert (await _delivery(conn, seen, "inbox"))["seen_at"] == first
    assert not await mark_seen(conn, own, "handler")
    assert not await mark_seen(conn, lost, "")

    async def ids(**wanted: Any) -> list[UUID]:
        return [each.notice.id for each in (await list_notices(conn, NoticeFilter(**wanted))).items]

    assert await ids(person="helper") == [seen, own]
    assert await ids(person="helper", unseen=True) == [own]
    assert await ids(unseen=True) == [own]
    assert await ids(stream="case-b") == [own]
    assert await ids(failed=True) == [lost]
    assert await ids(person="handler") == []


@pytest.mark.parametrize("cursor", ["", "x", f"2026-11-23T04:00:00_{UUID(int=1)}", "2026-11-23T04:00:00+00:00_1"])
async def test_a_cursor_of_another_list_is_refused(cursor: str, conn: asyncpg.Connection) -> None:
    with pytest.raises(Refused) as refused:
        await list_notices(conn, NoticeFilter(), cursor=cursor)
    assert refused.value.code == "feed.bad_cursor"
    with pytest.raises(Refused):
        await list_notices(conn, NoticeFilter(), limit=201)


async def test_a_notice_is_found_by_the_beginning_of_its_number(conn: asyncpg.Connection) -> None:
    one = await put_notice(conn, id=UUID("12345678-0000-4000-8000-000000000000"))
    other = await put_notice(conn, id=UUID("12345678-f000-4000-8000-000000000000"))
    assert await notices_beginning(conn, "1234") == [one, other]
    assert await notices_beginning(conn, "12345678-f") == [other]
    assert await notices_beginning(conn, "1235") == []
    with pytest.raises(ValueError, match="zzzz"):
        await notices_beginning(conn, "zzzz")


async def test_health_counts_what_needs_help(conn: asyncpg.Connection, registry: Registry) -> None:
    async def now() -> tuple[int, int, int, int, str | None]:
        found = await health(conn, patience=timedelta(minutes=10), since=timedelta(days=7))
        assert found.is_well == (not any((found.unrouted, found.late, found.failed, found.nobody)))
        return found.unrouted, found.late, found.failed, found.nobody, found.last_error

    await put_notice(conn)
    assert await now() == (0, 0, 0, 0, None)
    await conn.execute("update routing set created_at = now() - interval '11 minutes'")
    assert await now() == (1, 0, 0, 0, None)
    await _route(conn, registry)
    assert await now() == (0, 0, 0, 0, None)
    await conn.execute("update delivery set next_at = now() - interval '11 minutes' where channel = 'webhook'")
    assert await now() == (0, 1, 0, 0, None)
    await mark_failed(conn, await _one(conn), "http 500", None)
    await put_notice(conn, role="department_head", organisation="D02")
    await route(conn, registry, DAY)
    assert await now() == (0, 0, 1, 1, "webhook: http 500")
    await conn.execute("update delivery set created_at = now() - interval '8 days'")
    assert await now() == (0, 0, 0, 0, None)


# --- addresses in the registry ----------------------------------------------------------------------------------


async def test_an_address_is_part_of_the_registry(conn: asyncpg.Connection) -> None:
    await load_registry(conn, staff(), "lead")
    kept = await read_registry(conn)
    assert kept.person("handler") is not None
    assert {each.id: each.email for each in kept.persons if each.email} == {"handler": "handler@office.example"}
    assert await load_registry(conn, staff(), "lead") == 1
    assert await load_registry(conn, staff(handler="new@office.example"), "lead") == 2


@pytest.mark.parametrize(
    "email",
    ["handler", "handler@office", "a b@office.example", "a@office.example\nBcc: x@y.example", "a@b@c.example",
     "经办@office.example", f"{'a' * 65}@office.example", f"a@{'b' * 250}.example", 7],
)  # fmt: skip
def test_an_address_that_mail_servers_may_not_take_is_named(email: object) -> None:
    people = [{"id": "p", "name": "林一", "email": email}]
    (problem,) = check(RawRegistry.of({"people": people}))
    assert problem.field == "email"
