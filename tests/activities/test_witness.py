"""The witness beside the worker: checkpoints by number and by time, and a file that catches up."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from activities.messages import Undelivered
from activities.witness import Witness, witnessing
from domain.errors import Refused
from ledger.anchors import AnchorFile
from ledger.checkpoints import Checkpoint, Due
from ledger.signing import SigningKey
from runtime.settings import Settings
from tests.activities.posting import Hooks
from tests.ledger.facts import fact, write
from tests.refusals import refused
from tests.waiting import eventually

SOON = timedelta(seconds=1)
NEVER = timedelta(hours=1)


def _lines(file: AnchorFile) -> list[Checkpoint]:
    return [each for each in file.read() if isinstance(each, Checkpoint)]


async def _reached(file: AnchorFile, number: int) -> None:
    async def there() -> bool:
        return len(_lines(file)) == number

    await eventually(there, f"{number} checkpoints in the file", within=60)


@pytest.fixture
def file(tmp_path: Path) -> AnchorFile:
    return AnchorFile(tmp_path / "anchors.jsonl")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path, checkpoint_events=10, checkpoint_every=SOON)


@asynccontextmanager
async def _running(witness: Witness) -> AsyncIterator[None]:
    task = asyncio.create_task(witness.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_every_event_is_stated_outside_within_the_time_set(
    pool: asyncpg.Pool, conn: asyncpg.Connection, settings: Settings
) -> None:
    key = SigningKey.load(settings.signing_file, create=True)
    file = AnchorFile(settings.anchors)

    async with witnessing(settings, pool):
        await write(conn, "case-1", 0, [fact("registered")])
        await _reached(file, 1)
        head = await write(conn, "case-1", 1, [fact("whistled", 1)])
        await _reached(file, 2)

    last = _lines(file)[-1]
    assert [(each.seq, each.hash) for each in last.heads] == [(2, head)]
    assert last.key == key.public
    assert last.is_signed


async def test_many_events_are_stated_before_their_time(
    pool: asyncpg.Pool, conn: asyncpg.Connection, file: AnchorFile
) -> None:
    witness = Witness(pool, SigningKey(b"k" * 32), file, Due(events=10, every=NEVER))
    await write(conn, "case-1", 0, [fact("registered")])
    await witness.round(conn)
    assert len(_lines(file)) == 1

    await write(conn, "case-1", 1, [fact("noted", number) for number in range(9)])
    await witness.round(conn)
    assert len(_lines(file)) == 1

    await write(conn, "case-1", 10, [fact("noted")])
    await witness.round(conn)
    assert [head.seq for head in _lines(file)[-1].heads] == [11]


async def test_two_witnesses_state_every_head_once_and_keep_the_same_file(
    pool: asyncpg.Pool, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    key, due = SigningKey(b"k" * 32), Due(events=10, every=SOON)
    one, two = AnchorFile(tmp_path / "one.jsonl"), AnchorFile(tmp_path / "two.jsonl")

    async with _running(Witness(pool, key, one, due)), _running(Witness(pool, key, two, due)):
        for number in range(3):
            await write(conn, f"case-{number}", 0, [fact("registered")])

        async def both() -> bool:
            stated = [sum(len(each.heads) for each in _lines(file)) for file in (one, two)]
            return stated == [3, 3]

        await eventually(both, "both files state every head", within=60)

    assert one.path.read_bytes() == two.path.read_bytes()


async def test_a_new_file_gets_all_that_was_stated_before(
    pool: asyncpg.Pool, conn: asyncpg.Connection, file: AnchorFile
) -> None:
    witness = Witness(pool, SigningKey(b"k" * 32), file, Due(events=1, every=NEVER))
    for number in range(3):
        await write(conn, f"case-{number}", 0, [fact("registered")])
        await witness.round(conn)
    before = file.path.read_bytes()
    file.path.unlink()

    await witness.round(conn)

    assert file.path.read_bytes() == before


async def test_checkpoints_go_on_while_the_file_cannot_be_written(
    pool: asyncpg.Pool, conn: asyncpg.Connection, tmp_path: Path
) -> None:
    """A folder stands where the file should be; once it is gone the file has everything."""
    place = tmp_path / "anchors.jsonl"
    place.mkdir()
    witness = Witness(pool, SigningKey(b"k" * 32), AnchorFile(place), Due(events=1, every=NEVER))
    for number in range(2):
        await write(conn, f"case-{number}", 0, [fact("registered")])
        await refused(witness.round(conn), "file.unreadable")
    place.rmdir()

    await witness.round(conn)

    assert [each.number for each in _lines(AnchorFile(place))] == [1, 2]


async def test_a_key_that_others_may_read_stops_the_worker(pool: asyncpg.Pool, settings: Settings) -> None:
    SigningKey.load(settings.signing_file, create=True)
    settings.signing_file.chmod(0o644)

    with pytest.raises(Refused) as caught:
        async with witnessing(settings, pool):
            pass
    assert caught.value.code == "key_file.open"


@pytest.mark.parametrize("changes", [{}, {"checkpoints": False}])
async def test_without_a_key_or_switched_off_nothing_is_stated(
    pool: asyncpg.Pool, conn: asyncpg.Connection, settings: Settings, changes: dict[str, bool]
) -> None:
    chosen = settings.model_copy(update=changes)
    if changes:
        SigningKey.load(chosen.signing_file, create=True)

    async with witnessing(chosen, pool):
        await write(conn, "case-1", 0, [fact("registered")])

    assert await conn.fetchval("select count(*) from checkpoint") == 0
    assert not chosen.anchors.exists()


async def test_whoever_is_told_by_webhook_can_make_a_file_of_it(
    pool: asyncpg.Pool, conn: asyncpg.Connection, file: AnchorFile, hooks: Hooks
) -> None:
    """Also when their server was away for a while: nothing is left out, and nothing sent again once it was taken."""
    channel = hooks.channel()
    witness = Witness(pool, SigningKey(b"k" * 32), file, Due(events=1, every=NEVER), channel)
    hooks.answers = [500]
    for number in range(2):
        await write(conn, f"case-{number}", 0, [fact("registered")])
        await witness.round(conn)
    with pytest.raises(Undelivered):
        await witness.send(conn)

    await witness.send(conn)
    await witness.send(conn)
    await channel.close()

    told = [hook.event["data"] for hook in hooks.got]
    assert [each["number"] for each in told] == [1, 1, 2]
    assert hooks.ids[0] == hooks.ids[1]
    assert "".join(f"{each['line']}\n" for each in told[1:]) == file.path.read_text(encoding="utf-8")


async def test_a_webhook_without_an_address_is_refused(pool: asyncpg.Pool, settings: Settings) -> None:
    SigningKey.load(settings.signing_file, create=True)

    with pytest.raises(Refused) as caught:
        async with witnessing(settings.model_copy(update={"checkpoint_webhook": True}), pool):
            pass
    assert caught.value.code == "settings.invalid"
