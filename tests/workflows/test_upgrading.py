"""The check before an upgrade: every open process is replayed and folded, and what would break is named."""

import asyncio
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path

import pytest
from temporalio.service import RPCError

from console.upgrading import Checked, Finding, Trouble, check_open
from domain.process import ActInput, Envelope
from ledger.acting import act
from ledger.log import NewEvent, append
from ledger.migrate import Migration
from ledger.queries import count_open_streams, open_streams
from ledger.vault import MasterKey
from ledger.world import Worlds
from runtime.codec import PayloadKeys
from runtime.temporal import connect
from runtime.temporal_server import EmbeddedTemporal
from tests.console.calling import called
from tests.histories.test_replay import Dawdling
from tests.neighbourhood import ACTORS
from tests.workflows.office import REGISTRATION, Office, open_office
from workflows.wish import WishWorkflow


@pytest.fixture
def cached() -> bool:
    """Whether the worker replays says nothing about the check."""
    return True


async def an_ordinary_morning(office: Office) -> list[str]:
    """Some open processes of either kind, and two that are over."""
    new, dispatched, wish = await office.register(), await office.register(), await office.publish()
    await office.walk(dispatched, until="dispatch")
    for over, kind in ((await office.register(), "withdraw"), (await office.register(), "withdraw")):
        await office.do(over, "worker", kind, reason="居民撤回")
    return sorted([new, dispatched, wish])


async def test_everything_open_is_replayed_and_folded_and_nothing_else(office: Office) -> None:
    open_ = await an_ordinary_morning(office)
    told: list[tuple[int, int]] = []

    checked = await check_open(office.ledger, office.client, lambda done, all_: told.append((done, all_)), at_once=1)

    assert (checked.open, checked.replayed, checked.folded) == (3, 3, 3)
    assert checked.troubles == 0
    assert told[0] == (0, 3)
    assert told[-1] == (3, 3)
    async with office.ledger.acquire() as conn:
        assert await open_streams(conn) == open_
        assert await open_streams(conn, after=open_[0], limit=1) == open_[1:2]
        assert await count_open_streams(conn) == 3


async def test_a_shell_that_would_do_something_else_is_named(office: Office) -> None:
    open_ = await an_ordinary_morning(office)

    checked = await check_open(office.ledger, office.client, workflows=(Dawdling, WishWorkflow))

    found = {(each.stream, each.trouble) for each in checked.findings}
    assert found == {(each, Trouble.OTHER_COMMANDS) for each in open_ if each.startswith("case-")}
    assert all("Nondeterminism" in each.detail for each in checked.findings)


async def test_facts_this_release_does_not_know_are_named(office: Office) -> None:
    stream, body = await office.register(), (await office.events(await office.register()))[0].body
    office.forked.add(stream)
    later = NewEvent.of(uuid.uuid4(), {**body, "kind": "learned_later"})
    async with office.ledger.acquire() as conn, conn.transaction():
        await append(
            conn, stream, "case", expected=2, command_id=uuid.uuid4(), digest="d", at=later.at, events=[later], rows={}
        )

    checked = await check_open(office.ledger, office.client)

    assert checked.findings == [Finding(stream=stream, trouble=Trouble.NOT_FOLDED, detail="ValidationError")]
    assert (checked.open, checked.folded, checked.replayed) == (2, 1, 2)


async def test_what_temporal_has_lost_is_named(office: Office) -> None:
    terminated, unknown = await office.register(), f"case-{uuid.uuid4().hex}"
    await office.handle(terminated).terminate()
    envelope = Envelope(command_id=str(uuid.uuid4()), actor=ACTORS["worker"], command=REGISTRATION)
    given = ActInput(
        process="case", stream=unknown, seq=0, hash="", at=datetime.now(UTC), command_id=envelope.command_id
    )
    await act(office.ledger, Worlds(), given.model_copy(update={"envelope": envelope}))
    office.forked |= {terminated, unknown}
    with pytest.raises(RPCError):
        await office.handle(unknown).describe()

    checked = await check_open(office.ledger, office.client)

    assert {(each.stream, each.trouble) for each in checked.findings} == {
        (terminated, Trouble.NO_PROCESS),
        (unknown, Trouble.NO_PROCESS),
    }
    assert (checked.open, checked.replayed) == (2, 0)


def test_findings_are_counted_when_there_are_too_many_to_name() -> None:
    checked = Checked()
    for number in range(150):
        checked.note(f"case-{number}", Trouble.NO_PROCESS)

    assert (checked.troubles, len(checked.findings)) == (150, 100)


def test_migrations_that_the_release_before_does_not_survive_are_named_apart() -> None:
    adds = Migration(1, "adds", "create table fresh (id text);\nalter table a add column b int not null default 0;")
    drops = Migration(2, "drops", "alter table a drop column b;")
    says = Migration(3, "says", "-- contract: the writers of b are gone since 0.3\nselect 1;")

    assert Checked(pending=[adds, drops, says]).contracts == [drops, says]


async def test_the_command_tells_whether_the_office_is_ready(
    forgetful_server: EmbeddedTemporal, furnished_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    keys = PayloadKeys(MasterKey.load(key, create=True).payload_keys)
    client = await connect(forgetful_server.address, keys=keys, sandboxed=True)
    monkeypatch.setenv("BIHUAN_DATABASE_URL", furnished_database)
    monkeypatch.setenv("BIHUAN_TEMPORAL_ADDRESS", forgetful_server.address)
    monkeypatch.setenv("BIHUAN_MASTER_KEY_FILE", str(key))
    async with open_office(client, furnished_database, key) as office:
        stream = await office.register()

        code, answered = await asyncio.to_thread(called, "upgrade", "--check", "--json")
        ready = json.loads(answered)
        assert (code, ready["ready"], ready["open"], ready["replayed"], ready["pending"]) == (0, True, 1, 1, [])
        assert "可以升级" in (await asyncio.to_thread(called, "upgrade", "--check"))[1]

        await office.handle(stream).terminate()
        code, answered = await asyncio.to_thread(called, "upgrade", "--check")
        assert code == 1
        assert stream in answered
        assert "Temporal 中没有在办流程" in answered
        refused = [
            await asyncio.to_thread(called, "upgrade", *words, "--json")
            for words in ((), ("--check", "--switch"), ("--switch",))
        ]
    assert [json.loads(text)["error"]["code"] for _, text in refused] == [
        "upgrade.say_what",
        "upgrade.say_what",
        "upgrade.not_versioned",
    ]
