"""What is known of photographs and documents: who uploaded them, which streams they belong to.

Owns the tables ``file``, ``file_upload`` and ``file_stream``. Which stream a file belongs to is written by the log
itself (migration 0014). Must not know where the content lies.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from domain.base import Frozen
from domain.limits import Instant
from ledger.log import Connection


class FileRow(Frozen):
    """One file; ``thumb`` is the digest of the small picture of it."""

    digest: str
    thumb: str
    media_type: str
    bytes: int
    width: int
    height: int


class BoundFile(FileRow):
    """A file of a stream."""

    stream: str
    uploaded_by: str
    uploaded_at: Instant


_COLUMNS = ", ".join(f"f.{name}" for name in FileRow.model_fields)


async def _lock(conn: Connection, digest: str) -> None:
    """Whoever keeps or sweeps a file does so alone."""
    await conn.execute("select pg_advisory_xact_lock(hashtextextended($1, 14))", digest)


async def keep(conn: Connection, row: FileRow, person: str, put: Callable[[], Awaitable[None]]) -> None:
    """Write down that ``person`` has uploaded the file; ``put`` stores its content before that can be seen.

    The same file again is fine, from whomever.
    """
    async with conn.transaction():
        await _lock(conn, row.digest)
        await put()
        await conn.execute(
            f"""
            insert into file ({", ".join(FileRow.model_fields)})
            values ($1, $2, $3, $4, $5, $6)
            on conflict do nothing
            """,
            *row.model_dump().values(),
        )
        await conn.execute(
            """
            insert into file_upload (digest, person) values ($1, $2)
            on conflict (digest, person) do update set uploaded_at = now()
            """,
            row.digest,
            person,
        )


async def file_of_stream(conn: Connection, stream: str, digest: str) -> FileRow | None:
    """The file, where it belongs to the stream."""
    found = await conn.fetchrow(
        f"select {_COLUMNS} from file_stream s join file f using (digest) where s.stream = $1 and s.digest = $2",
        stream,
        digest,
    )
    return FileRow(**found) if found else None


async def file_of_uploader(conn: Connection, person: str, digest: str) -> FileRow | None:
    """The file, where the person has uploaded it."""
    found = await conn.fetchrow(
        f"select {_COLUMNS} from file_upload u join file f using (digest) where u.person = $1 and u.digest = $2",
        person,
        digest,
    )
    return FileRow(**found) if found else None


async def files_of_stream(conn: Connection, stream: str) -> list[BoundFile]:
    """The files of a stream in the order they were uploaded."""
    rows = await conn.fetch(
        f"""
        select s.stream, s.uploaded_by, s.uploaded_at, {_COLUMNS}
        from file_stream s
        join file f using (digest)
        where s.stream = $1
        order by s.uploaded_at, s.digest
        """,
        stream,
    )
    return [BoundFile(**row) for row in rows]


async def strangers(conn: Connection, person: str, stream: str | None, digests: Sequence[str]) -> list[str]:
    """Those of ``digests`` that the person has not uploaded and that do not belong to the stream."""
    rows = await conn.fetch(
        """
        select wanted
        from unnest($1::text[]) wanted
        where not exists (select from file_upload u where u.digest = wanted and u.person = $2)
            and not exists (select from file_stream s where s.digest = wanted and s.stream = $3)
        """,
        list(digests),
        person,
        stream,
    )
    return [row["wanted"] for row in rows]


async def sweep(
    conn: Connection, delete: Callable[[str], Awaitable[None]], *, older_than: timedelta, limit: int = 100
) -> int:
    """Forget uploads that no act has referred to for ``older_than``; how many files were deleted, at most ``limit``.

    A file goes with its last upload, and ``delete`` takes away its content before anybody can upload it anew.
    """
    rows = await conn.fetch(
        """
        select distinct u.digest
        from file_upload u
        where u.uploaded_at < now() - $1::interval
            and not exists (select from file_stream s where s.digest = u.digest)
        limit $2
        """,
        older_than,
        limit,
    )
    swept = 0
    for row in rows:
        async with conn.transaction():
            await _lock(conn, row["digest"])
            swept += await _sweep_one(conn, row["digest"], delete, older_than)
    return swept


async def _sweep_one(
    conn: Connection, digest: str, delete: Callable[[str], Awaitable[None]], older_than: timedelta
) -> bool:
    """Looked at again under the lock: an act may have referred to it, somebody may have uploaded it again."""
    await conn.execute(
        """
        delete from file_upload u
        where u.digest = $1
            and u.uploaded_at < now() - $2::interval
            and not exists (select from file_stream s where s.digest = u.digest)
        """,
        digest,
        older_than,
    )
    thumb = await conn.fetchval(
        """
        delete from file f
        where f.digest = $1
            and not exists (select from file_upload u where u.digest = f.digest)
            and not exists (select from file_stream s where s.digest = f.digest)
        returning thumb
        """,
        digest,
    )
    if thumb is None:
        return False
    await delete(digest)
    # Two pictures may have the same small one.
    if not await conn.fetchval("select exists (select from file where thumb = $1 or digest = $1)", thumb):
        await delete(thumb)
    return True


async def let_go(conn: Connection, digests: Sequence[str], delete: Callable[[str], Awaitable[None]]) -> int:
    """Take away those of ``digests`` that belong to no stream any more, at once; how many files were deleted."""
    gone = 0
    for digest in sorted(set(digests)):
        async with conn.transaction():
            await _lock(conn, digest)
            gone += await _sweep_one(conn, digest, delete, timedelta(0))
    return gone
