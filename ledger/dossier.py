"""The dossier of a case that is over: one file that proves by itself what happened, without this database.

Owns what is in it and the judgement of it. It holds the events with their chain, the proof that a signed checkpoint
states the last of them, the deadline sheet, rule books and calendars the case lived by, perhaps Temporal's history,
and a signed list of all that. It holds nothing of the vault. Judging needs the file only; times are UTC.

    manifest.json       the list: what is in here, with digests
    manifest.sig        its signature
    events.jsonl        the events, one on a line
    checkpoint.json     the checkpoint that states the last event, and the way there in its tree
    deadlines.json      every clock of the case: start, limit, pauses, extensions, due
    rules/…, calendars/…
    temporal.json       the history of the workflow, while Temporal still has it
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from pydantic import JsonValue, ValidationError

from domain.calendar import WorkCalendar
from domain.case import CASE
from domain.case.events import CaseEvent
from domain.case.explain import explain
from domain.case.vocabulary import FINAL
from domain.errors import Refused
from ledger.calendars import read_calendar
from ledger.chain import verify_chain
from ledger.checkpoints import Checkpoint, Head, Proof, make_all, stating
from ledger.log import Connection, Recorded, canonical, canonical_again, chain_hash, history, instant_text
from ledger.merkle import climb
from ledger.packing import pack, unpack
from ledger.rule_books import read_rule_book
from ledger.signatures import Standing, standing_of
from ledger.signing import SigningKey, is_signed

T = TypeVar("T")

FORMAT = "bihuan.dossier.1"
_MANIFEST, _SIGNATURE = "manifest.json", "manifest.sig"
_EVENTS, _CHECKPOINT, _DEADLINES, _TEMPORAL = "events.jsonl", "checkpoint.json", "deadlines.json", "temporal.json"


async def create_dossier(conn: Connection, stream: str, key: SigningKey, temporal: str | None = None) -> bytes:
    """The dossier of a case; the same bytes each time, as long as ``temporal`` (its history as JSON) is the same.

    A last event that no checkpoint states yet gets one. Raises ``Refused``: ``case.unknown``, ``dossier.not_over``,
    ``dossier.log_changed`` when the log is not what was written, ``dossier.too_large``.
    """
    events = await history(conn, stream)
    if not events:
        raise Refused("case.unknown")
    facts = [CASE.event.validate_python(each.body) for each in events]
    if _stage(facts) not in FINAL:
        raise Refused("dossier.not_over")
    if wrong := await verify_chain(conn, stream):
        raise Refused("dossier.log_changed", stream=stream, seq=wrong[0].seq)
    proof = (await _stated(conn, events[-1], key)).proof(stream)
    calendars = await _calendars(conn, facts)
    sheet = _sheet(facts, calendars)
    files = {
        _EVENTS: "".join(f"{_event_line(each)}\n" for each in events),
        _CHECKPOINT: canonical(
            {
                "header": proof.header,
                "signature": proof.signature,
                "head": list(proof.head),
                "steps": [list(step) for step in proof.steps],
            }
        ),
        _DEADLINES: canonical(sheet),
        **{
            f"calendars/{number}.json": canonical(each.model_dump(mode="json"))
            for number, each in enumerate(calendars.values(), start=1)
        },
        **{
            f"rules/{number}.json": canonical((await read_rule_book(conn, version)).model_dump(mode="json"))
            for number, version in enumerate(_versions(sheet, "rules"), start=1)
        },
    }
    if temporal is not None:
        files[_TEMPORAL] = temporal
    return _packed(stream, events[-1], {name: text.encode() for name, text in files.items()}, key)


def _packed(stream: str, last: Recorded, files: dict[str, bytes], key: SigningKey) -> bytes:
    manifest = canonical(
        {
            "format": FORMAT,
            "stream": stream,
            "events": last.seq,
            "head": last.hash,
            "ended_at": instant_text(last.at),
            "key": key.public,
            "files": {name: {"bytes": len(data), "sha256": _sha256(data)} for name, data in files.items()},
        }
    )
    files[_MANIFEST], files[_SIGNATURE] = manifest.encode(), key.sign(manifest).encode()
    try:
        return pack(files)
    except ValueError:
        raise Refused("dossier.too_large") from None


def _stage(facts: Sequence[CaseEvent]) -> Any:
    state = None
    for fact in facts:
        state = CASE.evolve(state, fact)
    return getattr(state, "stage", None)


async def _stated(conn: Connection, last: Recorded, key: SigningKey) -> Checkpoint:
    """The checkpoint that states the last event, made now if there is none."""
    found = await stating(conn, last.stream, last.seq)
    if found is None:
        async for _ in make_all(conn, key):
            pass
        found = await stating(conn, last.stream, last.seq)
    if found is None or not found.is_signed or not found.holds_its_heads or found.key != key.public:
        raise Refused("dossier.log_changed", stream=last.stream, seq=last.seq)
    return found


async def _calendars(conn: Connection, facts: Sequence[CaseEvent]) -> dict[str, WorkCalendar]:
    """The calendars the case lived by: read one by one until the sheet can be told."""
    found: dict[str, WorkCalendar] = {}
    while True:
        try:
            _sheet(facts, found)
        except Refused as refused:
            version = str(refused.refusal.params.get("version", ""))
            if refused.code != "calendar.unknown" or version in found:
                raise
            found[version] = await read_calendar(conn, version)
        else:
            return found


def _sheet(facts: Sequence[CaseEvent], calendars: Mapping[str, WorkCalendar]) -> dict[str, JsonValue]:
    """The deadline sheet at the last event: the clocks of a case that is over do not move any more."""
    return explain(facts, at=facts[-1].at, calendars=calendars).model_dump(mode="json")


def _versions(sheet: Mapping[str, Any], name: str) -> list[str]:
    named = [sheet[name], *(version for clock in sheet["clocks"] for version in clock[name])]
    return list(dict.fromkeys(each for each in named if each))


def _event_line(event: Recorded) -> str:
    return canonical(
        {
            "stream": event.stream,
            "seq": event.seq,
            "id": str(event.id),
            "kind": event.kind,
            "at": instant_text(event.at),
            "actor": event.actor,
            "command_id": str(event.command_id),
            "body": event.body,
            "prev": event.prev,
            "hash": event.hash,
        }
    )


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# --- judging ------------------------------------------------------------------------------------------------------


class SignedBy(NamedTuple):
    """One of the two signatures (双签字), voided ones included, and what it is worth by the key of the dossier."""

    person: str
    role: str
    at: str
    standing: Standing


@dataclass(frozen=True)
class Verified:
    """A dossier that is what was signed.

    ``key`` is the public key that signed it: whose key that is, no file can prove. ``deadlines_agree`` says whether
    this release reckons the very same deadline sheet from the events.
    """

    stream: str
    events: int
    head: str
    ended_at: datetime
    checkpoint: int
    checkpoint_at: datetime
    key: str
    rules: tuple[str, ...]
    calendars: tuple[str, ...]
    has_temporal: bool
    deadlines_agree: bool
    signatures: tuple[SignedBy, ...]


def verify_dossier(data: bytes, *, key: str | None = None) -> Verified:
    """Judge a dossier; needs nothing but the file. ``key`` is the public key that must have signed it.

    Raises ``Refused``: ``dossier.unreadable`` for a file that is no dossier or was changed where it holds together,
    ``dossier.changed`` naming the part that is not what was signed, ``dossier.other_key``.
    """
    try:
        files = unpack(data)
        manifest = json.loads(files[_MANIFEST])
        if manifest["format"] != FORMAT:
            raise ValueError("another format")
        signer = str(manifest["key"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Refused("dossier.unreadable") from None
    if not _holds(lambda: is_signed(files[_MANIFEST].decode(), files[_SIGNATURE].decode(), signer)):
        raise Refused("dossier.changed", part=_MANIFEST)
    if key is not None and signer != key:
        raise Refused("dossier.other_key", found=signer, wanted=key)
    _check_list(manifest, files)
    last = _check_part(_EVENTS, lambda: _check_events(str(manifest["stream"]), files[_EVENTS]))
    if (last.seq, last.hash) != (manifest["events"], manifest["head"]):
        raise Refused("dossier.changed", part=_EVENTS)
    stated = _check_part(_CHECKPOINT, lambda: _check_proof(files[_CHECKPOINT], last, signer))
    return _check_part(_DEADLINES, lambda: _told(manifest, files, last, stated))


def _holds(question: Callable[[], bool]) -> bool:
    try:
        return question()
    except (ValueError, KeyError):
        return False


def _check_list(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
    """Every file is the one that was listed, and none is missing or too many."""
    listed = {_MANIFEST, _SIGNATURE, *manifest["files"]}
    for name in sorted(listed ^ files.keys()):
        raise Refused("dossier.changed", part=name)
    for name, facts in sorted(manifest["files"].items()):
        if _sha256(files[name]) != facts["sha256"]:
            raise Refused("dossier.changed", part=name)


def _check_part(part: str, check: Callable[[], T]) -> T:
    try:
        return check()
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        raise Refused("dossier.changed", part=part) from None


def _check_events(stream: str, data: bytes) -> Head:
    """The last of the events, which follow each other from the first on; raises ``ValueError`` when they do not."""
    head = Head(stream, 0, "")
    for event in _lines(data):
        again = chain_hash(
            head.hash,
            stream,
            head.seq + 1,
            UUID(event["id"]),
            event["kind"],
            datetime.fromisoformat(event["at"]),
            event["actor"],
            UUID(event["command_id"]),
            canonical_again(json.dumps(event["body"])).text,
        )
        if (event["stream"], event["seq"], event["prev"], event["hash"]) != (stream, head.seq + 1, head.hash, again):
            raise ValueError("the chain is broken")
        head = Head(stream, head.seq + 1, again)
    return head


def _check_proof(data: bytes, last: Head, signer: str) -> Checkpoint:
    """The checkpoint that states ``last``; raises ``ValueError`` when the proof does not lead there."""
    found = json.loads(data)
    proof = Proof(
        found["header"],
        found["signature"],
        Head(*found["head"]),
        tuple((side, other) for side, other in found["steps"]),
    )
    stated = Checkpoint.of(proof.header, proof.signature, [])
    if proof.head != last or climb(last.leaf, proof.steps) != stated.root:
        raise ValueError("the checkpoint does not state the last event")
    if stated.key != signer or not stated.is_signed:
        raise ValueError("the checkpoint is not signed")
    return stated


def _told(manifest: Mapping[str, Any], files: Mapping[str, bytes], last: Head, stated: Checkpoint) -> Verified:
    sheet = json.loads(files[_DEADLINES])
    calendars = [json.loads(data) for data in _in("calendars/", files)]
    return Verified(
        stream=last.stream,
        events=last.seq,
        head=last.hash,
        ended_at=datetime.fromisoformat(manifest["ended_at"]).astimezone(UTC),
        checkpoint=stated.number,
        checkpoint_at=stated.at,
        key=stated.key,
        rules=tuple(json.loads(data)["version"] for data in _in("rules/", files)),
        calendars=tuple(each["version"] for each in calendars),
        has_temporal=_TEMPORAL in files,
        deadlines_agree=_agrees(files[_EVENTS], calendars, sheet),
        signatures=tuple(_signatures(last.stream, files[_EVENTS], stated.key)),
    )


def _signatures(stream: str, events: bytes, key: str) -> Iterator[SignedBy]:
    for event in _lines(events):
        if event["kind"] == "signed":
            by = event["body"]["by"]
            standing = standing_of(stream, str(event["command_id"]), event["body"], {key})
            yield SignedBy(str(by["person"]), str(by["role"]), str(event["at"]), standing)


def _lines(data: bytes) -> Iterator[Any]:
    # At line ends only: a resident's words may hold other characters at which Python would break a line.
    return (json.loads(line) for line in data.decode().split("\n") if line)


def _in(folder: str, files: Mapping[str, bytes]) -> Iterator[bytes]:
    return (files[name] for name in sorted(files) if name.startswith(folder))


def _agrees(events: bytes, calendars: Sequence[Any], sheet: object) -> bool:
    try:
        facts = [CASE.read_event(each["body"]) for each in _lines(events)]
        known = {each["version"]: WorkCalendar.model_validate(each, extra="ignore") for each in calendars}
        return bool(_sheet(facts, known) == sheet)
    except (ValidationError, Refused):
        # Written by a release that told it otherwise; what was told then is signed and stands.
        return False
