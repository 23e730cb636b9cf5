"""Changing the master key while everybody works.

Owns the order: the key to come is written beside the old one, every wrapped key is wrapped anew in pages, the rest
under a lock with the word that new keys are wrapped by it from now on, and at last the file takes the old one's place.
Until then both open the vault. Broken off anywhere, doing it again goes on where it was.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ledger.key_file import sync_folder, write_private
from ledger.keys import MasterKey, next_file
from ledger.log import Connection
from ledger.security import Kind, record

_PAGE = 500


@dataclass
class Rotated:
    """What a rotation has done: the ids of both keys and how many data keys were wrapped anew."""

    old: str
    new: str
    wrapped: int = 0


async def count_other(conn: Connection, master: str) -> int:
    """How many data keys are wrapped by another master key than this one."""
    number: int = await conn.fetchval("select count(*) from vault_key where master is distinct from $1", master)
    return number


async def current_master(conn: Connection) -> str | None:
    """The id of the master key that new data keys must be wrapped by; None before the first rotation."""
    known: str | None = await conn.fetchval("select id from vault_master")
    return known


def prepare(path: Path) -> MasterKey:
    """Write the key to come beside the one in force, where it is not there yet; the key in force, knowing it.

    Where several machines have the file, the one beside it is copied to all of them before ``rotate``. Raises
    ``Refused`` as ``MasterKey.load`` does.
    """
    key = MasterKey.load(path)
    if key.coming is None:
        write_private(next_file(path), key.successor().content)
        key = MasterKey.load(path)
    return key


async def rotate(conn: Connection, path: Path, told: Callable[[int], None] = lambda _number: None) -> Rotated:
    """Rotate the master key in the file ``path``, or go on with a rotation that was broken off.

    ``conn`` is the owner's. ``told`` hears how many data keys have been wrapped anew. Raises ``Refused``
    ``vault.wrong_key`` when a data key was wrapped by neither; nothing is lost then.
    """
    key = prepare(path)
    new = key.coming
    assert new is not None, "it has just been prepared"
    done = Rotated(key.id, new.id)
    after = ""
    while True:
        async with conn.transaction():
            last = await _page(conn, key, new, after, done)
        told(done.wrapped)
        if last is None:
            break
        after = last
    async with conn.transaction():
        # Readers go on; whoever opens a case waits a moment and is then told of the new key.
        await conn.execute("lock table vault_key in share row exclusive mode")
        after = ""
        while (last := await _page(conn, key, new, after, done)) is not None:
            after = last
        await conn.execute(
            """
            insert into vault_master (id) values ($1)
            on conflict (one) do update set id = excluded.id, since = now()
            """,
            new.id,
        )
        await record(conn, Kind.KEY_ROTATED, subject=new.id, detail={"wrapped": done.wrapped})
    told(done.wrapped)
    # With the name the old key goes.
    next_file(path).replace(path)
    sync_folder(path.parent)
    return done


async def _page(conn: Connection, key: MasterKey, new: MasterKey, after: str, done: Rotated) -> str | None:
    """Wrap one page anew; the last stream of it, None when there was none."""
    rows = await conn.fetch(
        """
        select stream, wrapped from vault_key
        where stream > $1 and master is distinct from $2
        order by stream
        limit $3
        for update
        """,
        after,
        new.id,
        _PAGE,
    )
    if not rows:
        return None
    wrapped = [new.wrap(row["stream"], key.unwrap(row["stream"], row["wrapped"])) for row in rows]
    await conn.execute(
        """
        update vault_key k set wrapped = w.wrapped, master = $3
        from unnest($1::text[], $2::bytea[]) w (stream, wrapped)
        where k.stream = w.stream
        """,
        [row["stream"] for row in rows],
        wrapped,
        new.id,
    )
    done.wrapped += len(rows)
    return str(rows[-1]["stream"])


async def check(conn: Connection, key: MasterKey, told: Callable[[int], None] = lambda _number: None) -> int:
    """Open every data key; how many there are. Raises ``Refused`` ``vault.wrong_key`` at the first that does not."""
    number, after = 0, ""
    while True:
        rows = await conn.fetch(
            "select stream, wrapped from vault_key where stream > $1 order by stream limit $2", after, _PAGE
        )
        if not rows:
            return number
        for row in rows:
            key.unwrap(row["stream"], row["wrapped"])
        number, after = number + len(rows), rows[-1]["stream"]
        told(number)
