"""Dossiers: one file that proves a case by itself, and shows every change."""

import dataclasses
import io
import json
import random
import zipfile
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from domain.case.events import Signed
from domain.case.vocabulary import Confirmation, ConfirmedBy
from domain.errors import Refused
from domain.rules import RuleBook
from ledger.calendars import store_calendar
from ledger.checkpoints import make_all
from ledger.dossier import Verified, create_dossier, verify_dossier
from ledger.log import NewEvent, canonical
from ledger.packing import pack, unpack
from ledger.registry import store_rule_book
from ledger.signatures import Standing
from ledger.signing import SigningKey
from tests.domain.routes import working_until
from tests.domain.spec import Story
from tests.ledger.facts import fact, write
from tests.refusals import refused

KEY = SigningKey(b"k" * 32)
STREAM = f"case-{'0' * 32}"


async def record(conn: asyncpg.Connection, story: Story) -> None:
    """Write the facts of a story as one case, the rules and calendars it lives by, and another case beside it."""
    for book in story.world.rule_books.values():
        assert isinstance(book, RuleBook)
        await store_rule_book(conn, book.version, book.model_dump(mode="json"))
    for calendar in story.world.calendars.values():
        await store_calendar(conn, calendar)
    events = [NewEvent.of(uuid4(), event.model_dump(mode="json")) for event in story.events]
    await write(conn, STREAM, 0, events)
    await write(conn, f"case-{'1' * 32}", 0, [fact("registered")])


@pytest.fixture
async def over(conn: asyncpg.Connection) -> asyncpg.Connection:
    """A ledger with a case that went the long way in working time and is archived, and another beside it."""
    await record(conn, working_until("appraised").left_alone())
    return conn


async def test_a_dossier_holds_what_the_case_was_and_proves_it_without_the_database(over: asyncpg.Connection) -> None:
    data = await create_dossier(over, STREAM, KEY, '{"events": []}')

    told = verify_dossier(data, key=KEY.public)

    story = working_until("appraised").left_alone()
    head = await over.fetchval("select hash from event where stream = $1 order by seq desc limit 1", STREAM)
    assert isinstance(told, Verified)
    assert (told.stream, told.events, told.head) == (STREAM, len(story.events), head)
    assert (told.checkpoint, told.key) == (1, KEY.public)
    assert told.rules == (story.state.rules.version,)
    assert told.calendars == (story.state.rules.calendar,)
    assert told.deadlines_agree
    assert told.has_temporal
    assert told.ended_at == story.events[-1].at
    assert [(each.person, each.standing) for each in told.signatures] == [
        ("captain", Standing.UNCONFIRMED),
        ("head", Standing.UNCONFIRMED),
    ]


async def test_a_signature_that_was_put_there_is_told_from_one_that_was_confirmed(conn: asyncpg.Connection) -> None:
    """The chain holds, for it was written like this: what it lacks is the office's word."""
    invented = Confirmation(method=ConfirmedBy.PASSWORD, key=KEY.public, signature="00" * 64)
    story = working_until("appraised").left_alone()
    events = tuple(
        each.model_copy(update={"confirmation": invented})
        if isinstance(each, Signed) and each.by.person == "head"
        else each
        for each in story.events
    )
    await record(conn, dataclasses.replace(story, events=events))

    told = verify_dossier(await create_dossier(conn, STREAM, KEY))

    assert [each.standing for each in told.signatures] == [Standing.UNCONFIRMED, Standing.FORGED]


async def test_the_same_case_gives_the_same_bytes(over: asyncpg.Connection) -> None:
    first = await create_dossier(over, STREAM, KEY)
    await write(over, f"case-{'2' * 32}", 0, [fact("registered")])
    async for _ in make_all(over, KEY):
        pass

    assert await create_dossier(over, STREAM, KEY) == first


async def test_any_program_that_opens_zip_files_opens_it(over: asyncpg.Connection) -> None:
    data = await create_dossier(over, STREAM, KEY)

    with zipfile.ZipFile(io.BytesIO(data)) as file:
        assert file.testzip() is None
        names = file.namelist()
        sheet = json.loads(file.read("deadlines.json"))
    assert names == sorted(names)
    assert {"manifest.json", "manifest.sig", "events.jsonl", "checkpoint.json", "deadlines.json"} <= set(names)
    assert {clock["kind"] for clock in sheet["clocks"]} >= {"handle", "sign_for"}


async def test_every_changed_byte_is_refused(over: asyncpg.Connection) -> None:
    """One bit in three hundred places, and in each of the first and last hundred bytes."""
    data = await create_dossier(over, STREAM, KEY)
    draw = random.Random(5)
    places = {draw.randrange(len(data)) for _ in range(300)} | {*range(100), *range(len(data) - 100, len(data))}

    for place in places:
        changed = bytearray(data)
        changed[place] ^= 1 << draw.randrange(8)
        with pytest.raises(Refused) as caught:
            verify_dossier(bytes(changed))
        assert caught.value.code in ("dossier.unreadable", "dossier.changed"), place


@pytest.mark.parametrize("part", ["events.jsonl", "checkpoint.json", "deadlines.json", "rules/1.json", "manifest.json"])
async def test_a_changed_part_is_named(over: asyncpg.Connection, part: str) -> None:
    files = unpack(await create_dossier(over, STREAM, KEY))
    files[part] = files[part].replace(b"0", b"1")

    caught = _refused(pack(files))

    assert caught.code == "dossier.changed"
    assert caught.refusal.params["part"] == part


@pytest.mark.parametrize("name", ["events.jsonl", "rules/1.json"])
async def test_a_missing_and_an_added_part_are_named(over: asyncpg.Connection, name: str) -> None:
    whole = unpack(await create_dossier(over, STREAM, KEY))

    missing = {each: data for each, data in whole.items() if each != name}
    assert _refused(pack(missing)).refusal.params["part"] == name
    assert _refused(pack({**whole, "more.txt": b""})).refusal.params["part"] == "more.txt"


async def test_whoever_has_another_key_cannot_pass_for_the_office(over: asyncpg.Connection) -> None:
    """Everything signed anew with a key of one's own holds together; the office's key shows whose it is not."""
    forger = SigningKey(b"f" * 32)
    files = unpack(await create_dossier(over, STREAM, KEY))
    manifest: dict[str, Any] = json.loads(files["manifest.json"])
    manifest["key"] = forger.public
    files["manifest.json"] = canonical(manifest).encode()
    files["manifest.sig"] = forger.sign(canonical(manifest)).encode()

    assert _refused(pack(files), key=KEY.public).code == "dossier.other_key"
    assert _refused(pack(files)).refusal.params["part"] == "checkpoint.json", "the checkpoint is still the office's"


@pytest.mark.parametrize("data", [b"", b"PK", b"PK\x03\x04" + b"\x00" * 60, b"[" * 5000, pack({}), pack({"a": b"b"})])
def test_what_is_no_dossier_is_refused(data: bytes) -> None:
    assert _refused(data).code == "dossier.unreadable"


async def test_a_cut_off_dossier_is_refused(over: asyncpg.Connection) -> None:
    data = await create_dossier(over, STREAM, KEY)

    assert _refused(data[:-1]).code == "dossier.unreadable"
    assert _refused(data + b"\n").code == "dossier.unreadable"


def _refused(data: bytes, key: str | None = None) -> Refused:
    with pytest.raises(Refused) as caught:
        verify_dossier(data, key=key)
    return caught.value


async def test_there_is_no_dossier_of_a_case_that_goes_on(conn: asyncpg.Connection) -> None:
    await record(conn, working_until("verified"))

    await refused(create_dossier(conn, STREAM, KEY), "dossier.not_over")
    await refused(create_dossier(conn, f"case-{'9' * 32}", KEY), "case.unknown")


async def test_there_is_no_dossier_of_a_log_that_was_changed(over: asyncpg.Connection) -> None:
    async for _ in make_all(over, KEY):
        pass
    await over.execute("alter table event disable trigger all")
    await over.execute(
        "update event set actor = 'p-other', body = jsonb_set(body, '{by,person}', '\"p-other\"') "
        "where stream = $1 and seq = 3",
        STREAM,
    )

    caught = await refused(create_dossier(over, STREAM, KEY), "dossier.log_changed")

    assert caught.refusal.params["seq"] == "3"


async def test_there_is_no_dossier_beside_a_checkpoint_of_another_key(over: asyncpg.Connection) -> None:
    async for _ in make_all(over, SigningKey(b"o" * 32)):
        pass

    await refused(create_dossier(over, STREAM, KEY), "dossier.log_changed")
