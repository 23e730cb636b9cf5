"""Taking uploads in: the one way for pages and for the API from what somebody sent to evidence of an act.

Owns the order of things: bounded reading, making anew in a few threads, storing, writing down whose it is.
"""

import asyncio
import functools
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import asyncpg

from console.files.picture import MEDIA_TYPE, Picture, make_anew
from console.files.store import FileStore, FolderStore
from domain.case.vocabulary import Evidence, EvidenceKind
from domain.errors import Refused
from ledger.files import FileRow, keep, strangers, sweep
from runtime.settings import Settings

AT_ONCE = 2
"""Pictures that one process makes anew at the same time: each takes a core, and memory by its pixels."""

UNUSED_FOR = timedelta(days=1)
"""How long an upload waits for an act that refers to it."""


class Uploaded(Protocol):
    """A file as a form carries it."""

    @property
    def filename(self) -> str | None: ...  # noqa: D102
    async def read(self, size: int = -1) -> bytes: ...  # noqa: D102


class Uploader(Protocol):
    """Somebody who uploads."""

    @property
    def person(self) -> str: ...  # noqa: D102


class Files:
    """The files of one installation: where they lie and how large they may be."""

    def __init__(self, store: FileStore, settings: Settings) -> None:
        self.store = store
        self._settings = settings
        self._turns = asyncio.Semaphore(AT_ONCE)

    @classmethod
    def of(cls, settings: Settings) -> "Files":
        """The files as configured."""
        if settings.file_s3_bucket is None:
            return cls(FolderStore(settings.file_folder or settings.data / "files"), settings)
        # Only where it is asked for: boto3 is an extra and slow to import.
        try:
            from console.files.bucket import BucketStore
        except ImportError as error:
            raise Refused("file.extra_missing") from error
        return cls(BucketStore.of(settings), settings)

    @property
    def most(self) -> int:
        """How many files one act may carry."""
        return self._settings.file_count

    async def read(self, uploads: Sequence[Uploaded | str], *, field: str) -> list[bytes]:
        """The content of the files that were chosen; an empty choice is none.

        Raises ``Refused``: ``file.too_many``, ``file.empty``, ``file.too_large``, ``field.invalid`` for text in place
        of a file.
        """
        limit, contents = self._settings.file_bytes, list[bytes]()
        for each in uploads:
            if isinstance(each, str):
                if each:
                    raise Refused("field.invalid", field=field, reason="multipart/form-data")
                continue
            content = await each.read(limit + 1)
            if not content and not each.filename:
                continue
            place = len(contents) + 1
            if place > self._settings.file_count:
                raise Refused("file.too_many", field=field, limit=self._settings.file_count)
            if not content:
                raise Refused("file.empty", field=field, place=place)
            if len(content) > limit:
                raise Refused("file.too_large", field=field, place=place, limit=_megabytes(limit))
            contents.append(content)
        return contents

    async def make(self, content: bytes, *, field: str, place: int) -> Picture:
        """The picture as it is kept; the loop goes on meanwhile. Raises ``Refused`` as ``make_anew`` does."""
        limits = self._settings
        made = functools.partial(make_anew, side=limits.file_side, pixels=limits.file_pixels, field=field, place=place)
        async with self._turns:
            return await asyncio.to_thread(made, content)


def _megabytes(size: int) -> str:
    return f"{size / 1024 / 1024:.3g}"


class _Office(Protocol):
    @property
    def files(self) -> Files: ...

    pool: asyncpg.Pool


async def keep_uploads(
    office: _Office,
    caller: Uploader,
    uploads: Sequence[Uploaded | str],
    kind: EvidenceKind | str,
    *,
    field: str = "photos",
) -> tuple[Evidence, ...]:
    """Keep what was uploaded in the form's ``field`` and return it as evidence for a command of the caller.

    All of it is checked before any of it is kept. The same files give the same evidence, so that a form sent twice
    is the same command. A file chosen twice counts once. It is the caller's alone until the act is recorded, and gone
    after ``UNUSED_FOR`` when none is.
    Raises ``Refused``: ``file.too_many``, ``file.empty``, ``file.too_large``, ``file.wrong_type``,
    ``file.too_many_pixels``, ``file.damaged``, all naming ``field``; ``file.store_away``.
    """
    files = office.files
    contents = await files.read(uploads, field=field)
    pictures = [await files.make(each, field=field, place=place) for place, each in enumerate(contents, 1)]
    found: dict[str, Evidence] = {}
    for picture in pictures:
        if picture.full.digest not in found:
            await _keep(office, caller.person, picture)
            found[picture.full.digest] = _evidence(picture.full.digest, kind)
    return tuple(found.values())


async def kept_before(
    office: _Office, caller: Uploader, digests: Sequence[str], kind: EvidenceKind | str, *, field: str = "photos"
) -> tuple[Evidence, ...]:
    """What the caller uploaded with the same form before it came back with a refusal, as evidence again.

    Raises ``Refused``: ``file.too_many``, ``file.not_yours`` for what is not theirs or has been swept meanwhile.
    """
    wanted = tuple(dict.fromkeys(digests))
    if len(wanted) > office.files.most:
        raise Refused("file.too_many", field=field, limit=office.files.most)
    async with office.pool.acquire() as conn:
        if await strangers(conn, caller.person, None, wanted):
            raise Refused("file.not_yours", field=field)
    return tuple(_evidence(digest, kind) for digest in wanted)


def _evidence(digest: str, kind: EvidenceKind | str) -> Evidence:
    return Evidence(kind=EvidenceKind(kind), ref=f"file-{digest[:24]}", digest=digest)


async def _keep(office: _Office, person: str, picture: Picture) -> None:
    store = office.files.store

    async def put() -> None:
        for each in (picture.thumb, picture.full):
            await store.put(each.digest, each.content)

    row = FileRow(
        digest=picture.full.digest,
        thumb=picture.thumb.digest,
        media_type=MEDIA_TYPE,
        bytes=len(picture.full.content),
        width=picture.width,
        height=picture.height,
    )
    async with office.pool.acquire() as conn:
        await keep(conn, row, person, put)


async def sweep_uploads(office: _Office) -> int:
    """Take away what nobody used for ``UNUSED_FOR``; how many files. Raises ``Refused`` ``file.store_away``."""
    async with office.pool.acquire() as conn:
        return await sweep(conn, office.files.store.delete, older_than=UNUSED_FOR)
