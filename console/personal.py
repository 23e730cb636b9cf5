"""What may be done with what a resident told: shown with a reason, destroyed, handed to the one it is about.

Owns the three use cases and the zip of an export; pages, API and commands share them. Whether somebody may is asked at
the door. What is shown leaves this module to the caller only, after it was written down that it was shown.
"""

import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO

import asyncpg

from console.files.store import FileStore
from console.subject_sheet import Kept, Sheet, as_page, happened, kept, kinds_of, shown
from domain.errors import Refused
from domain.people import SYSTEM, Actor
from domain.privacy import EraseReason, RevealReason, said_beside
from domain.registry import Registry
from ledger.erasure import Erasure, count_due, due_streams, erase, erasure_of
from ledger.files import files_of_stream
from ledger.log import Connection, history
from ledger.reveals import list_reveals, record_reveal
from ledger.security import Kind, record
from ledger.vault import EntryDamaged, EntryErased, Vault

MOST_MATTERS = 200
"""Most requests in one export; somebody with more is told so in it."""

_PAGE = 50
_MOST_LOOKS = 200


@dataclass(frozen=True)
class Reporter:
    """Who reported something, in full; ``erased`` when what was kept has been destroyed."""

    name: str = ""
    phone: str = ""
    address: str = ""
    erased: bool = False


async def reporter_in_full(conn: Connection, vault: Vault, stream: str) -> Reporter:
    """What is kept of the reporter, unrecorded: for masking it, and for ``reveal``."""
    if await erasure_of(conn, stream) is not None:
        return Reporter(erased=True)
    try:
        name, phone, address = [
            await vault.read(conn, stream, f"reporter_{each}") or "" for each in ("name", "phone", "address")
        ]
    except EntryErased:
        return Reporter(erased=True)
    return Reporter(name, phone, address)


async def reveal(
    conn: Connection, vault: Vault, stream: str, *, actor: Actor, door: str, reason: RevealReason, words: str | None
) -> Reporter:
    """The reporter in full; that ``actor`` was shown it, and why, is on record before it is returned.

    Raises ``Refused``: ``reason.words_missing``, ``reason.words_too_long``, ``vault.wrong_key``.
    """
    said = said_beside(reason, words)
    async with conn.transaction():
        await record_reveal(
            conn, stream, person=actor.person, role=actor.role.value, door=door, reason=reason, words=said
        )
        return await reporter_in_full(conn, vault, stream)


async def erase_one(
    conn: Connection, store: FileStore, stream: str, *, person: str, reason: EraseReason, words: str | None
) -> Erasure:
    """Destroy what was kept for a finished request; done before, the record of then.

    Raises ``Refused``: ``reason.words_missing``, ``erase.not_finished``, ``file.store_away``.
    """
    said = said_beside(reason, words)
    now = datetime.now(UTC)
    return await erase(conn, stream, at=now, person=person, reason=reason, words=said, delete=store.delete)


@dataclass
class RetentionReport:
    """What a retention run found and did; ``streams`` are the first of them, ``failed`` what could not be done."""

    before: datetime
    due: int
    oldest: datetime | None
    dry_run: bool
    erased: int = 0
    files: int = 0
    streams: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The report for programs."""
        return dict(vars(self))


_NAMED = 100


async def retain(
    pool: asyncpg.Pool,
    store: FileStore,
    *,
    days: int,
    dry_run: bool = False,
    most: int | None = None,
    told: Callable[[int, int], None] = lambda _done, _total: None,
) -> RetentionReport:
    """Destroy what was kept of residents in everything finished more than ``days`` days ago; at most ``most``.

    May be broken off and run again, also by several at once: each stream is destroyed in its own transaction.
    """
    before = datetime.now(UTC) - timedelta(days=days)
    async with pool.acquire() as conn:
        due, oldest = await count_due(conn, before)
        report = RetentionReport(before, due, oldest, dry_run)
        if dry_run:
            report.streams = [each.stream for each in await due_streams(conn, before, _NAMED)]
            return report
        while most is None or report.erased < most:
            found = await due_streams(conn, before, _PAGE + len(report.failed))
            fresh = [each.stream for each in found if each.stream not in report.failed]
            if not fresh:
                break
            for stream in fresh[: None if most is None else most - report.erased]:
                await _retain_one(conn, store, stream, report)
                told(report.erased + len(report.failed), due)
            if len(report.failed) >= _NAMED:
                break
    return report


async def _retain_one(conn: Connection, store: FileStore, stream: str, report: RetentionReport) -> None:
    try:
        done = await erase_one(conn, store, stream, person=SYSTEM.person, reason=EraseReason.RETENTION, words=None)
    except Refused as refused:
        report.failed[stream] = refused.code
        return
    report.erased += 1
    report.files += done.files
    if len(report.streams) < _NAMED:
        report.streams.append(stream)


async def export_subject(
    conn: Connection,
    vault: Vault,
    store: FileStore,
    phone: str,
    into: BinaryIO,
    *,
    actor: Actor,
    registry: Registry,
    words: str | None,
) -> Sequence[str]:
    """Write one zip with all that is kept about whoever left this number into a file; the requests it is about.

    For each: what was told, in clear; the facts in order; the photographs; who was shown it; as JSON, and all together
    as a page for people. Every request in it is recorded as shown to ``actor``, and the export in the security log,
    before this returns: only then may the file be handed over. Raises ``Refused``: ``subject.unknown``,
    ``reason.words_missing``, ``file.store_away``.
    """
    said = said_beside(RevealReason.SUBJECT_REQUEST, words)
    streams = await vault.find(conn, phone, MOST_MATTERS + 1)
    if not streams:
        raise Refused("subject.unknown", field="--phone")
    listed, more, made_at = streams[:MOST_MATTERS], len(streams) > MOST_MATTERS, datetime.now(UTC)
    with zipfile.ZipFile(into, "w", zipfile.ZIP_DEFLATED) as archive:
        about = {"made_at": made_at.isoformat(), "requests": listed, "more_than_these": more}
        archive.writestr("about.json", _text(about))
        sheets: list[Sheet] = []
        for stream in listed:
            async with conn.transaction():
                # Before the entry is read: this very look belongs into what the person gets.
                await record_reveal(
                    conn,
                    stream,
                    person=actor.person,
                    role=actor.role.value,
                    door="command",
                    reason=RevealReason.SUBJECT_REQUEST,
                    words=said,
                )
                sheets.append(await _sheet(conn, vault, store, archive, stream, registry))
            archive.writestr(f"{stream}.json", _text(sheets[-1].as_json()))
        archive.writestr("index.html", as_page(sheets, made_at=made_at, more=more))
    files = sum(len(each.files) for each in sheets)
    await record(conn, Kind.SUBJECT_EXPORTED, actor=actor.person, detail={"rows": len(listed), "files": files})
    return listed


async def _sheet(
    conn: Connection, vault: Vault, store: FileStore, archive: zipfile.ZipFile, stream: str, registry: Registry
) -> Sheet:
    """All that is kept of one request; its photographs go into the ``archive`` at once."""
    told: dict[str, str | None] = {}
    for name in await vault.names(conn, stream):
        try:
            told[name] = await vault.read(conn, stream, name)
        except (EntryErased, EntryDamaged):
            told[name] = None
    events = await history(conn, stream)
    kinds, files = kinds_of(events), list[Kept]()
    for number, each in enumerate(await files_of_stream(conn, stream), start=1):
        kind = kinds.get(each.digest, "document")
        place: str | None = f"{stream}/{number:02}-{kind}.{each.media_type.rpartition('/')[2]}"
        try:
            archive.writestr(str(place), await store.get(each.digest))
        except Refused as refused:
            if refused.code not in ("file.missing", "file.spoilt"):
                raise
            place = None
        files.append(kept(each, kind, place))
    looks = await list_reveals(conn, stream=stream, limit=_MOST_LOOKS)
    return Sheet(
        id=stream,
        told=told,
        facts=happened(events, registry),
        files=tuple(files),
        shown_to=tuple(map(shown, looks.items)),
        looks_beyond=looks.next is not None,
    )


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)
