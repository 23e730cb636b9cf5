"""The security log: who came in, who was refused, what was taken out, who changed rights and rules.

Owns the lines, their chain and their retention. A line holds codes only: never a resident's data, a secret, a full
address of the web or of a machine. Recording is part of the act it tells of: it happens in the act's transaction, as
its last step (the lock of the chain is held until the end), and an act that cannot be recorded does not happen. All
times are UTC.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal

import asyncpg
from pydantic import BeforeValidator

from domain.base import Frozen
from domain.errors import Refused
from domain.limits import Instant
from ledger.chain import Finding, FindingCode
from ledger.log import Connection, canonical, instant_text
from ledger.paging import Page, Where, bounded, fetch, page_of, read_cursor, write_cursor
from ledger.whence import NOBODY, here

LEAST_KEPT = timedelta(days=200)
"""How long every line is kept whatever the settings say; the database refuses less as well."""

EACH_HOUR = 10
"""Lines the same refusal gets in an hour; what is beyond is counted."""
OF_STRANGERS = 200
"""Lines an hour of refusals of everybody who is not signed in."""
OF_A_PERSON = 60
"""Lines an hour of refusals of one person."""

_CUT_AT_ONCE = 10_000
_DETAILS, _TEXT = 20, 200
_NAME = re.compile(r"[a-z_]{1,40}")
_CODES = re.compile(r"[^\s\x00-\x1f]+")
_STREAM = "security"


class Kind(StrEnum):
    """What a line tells of; names stay for ever, newer releases may add some."""

    SIGN_IN = "sign_in"
    SIGN_OUT = "sign_out"
    SESSION_ENDED = "session_ended"
    SESSIONS_ENDED_BY_ADMINISTRATOR = "sessions_ended_by_administrator"
    PASSWORD_CHANGED = "password_changed"
    PASSWORD_RESET = "password_reset"
    PASSWORD_CONFIRMED = "password_confirmed"
    ACCOUNT_ADDED = "account_added"
    ACCOUNT_DISABLED = "account_disabled"
    ACCOUNT_ENABLED = "account_enabled"
    TOKEN_ISSUED = "token_issued"
    TOKEN_REVOKED = "token_revoked"
    ACCESS_REFUSED = "access_refused"
    REGISTRY_LOADED = "registry_loaded"
    RULES_STORED = "rules_stored"
    CALENDAR_STORED = "calendar_stored"
    RULES_ADOPTED = "rules_adopted"
    BOARD_LINK_MADE = "board_link_made"
    EXPORTED = "exported"
    REVEALED = "revealed"
    SUBJECT_EXPORTED = "subject_exported"
    ERASED = "erased"
    KEY_ROTATED = "key_rotated"
    BACKUP_MADE = "backup_made"
    BACKUP_VERIFIED = "backup_verified"
    BACKUP_RESTORED = "backup_restored"
    LOG_VERIFIED = "log_verified"
    LOG_CUT = "log_cut"


ACCOUNT_KINDS = (
    Kind.SIGN_IN,
    Kind.SIGN_OUT,
    Kind.SESSION_ENDED,
    Kind.SESSIONS_ENDED_BY_ADMINISTRATOR,
    Kind.PASSWORD_CHANGED,
    Kind.PASSWORD_RESET,
    Kind.PASSWORD_CONFIRMED,
    Kind.ACCOUNT_ADDED,
    Kind.ACCOUNT_DISABLED,
    Kind.ACCOUNT_ENABLED,
    Kind.TOKEN_ISSUED,
    Kind.TOKEN_REVOKED,
)
"""What happens to an account, whose login name is then the subject."""

Outcome = Literal["ok", "refused"]
Detail = Mapping[str, str | int | bool]


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


class Line(Frozen):
    """One line of the log. ``actor`` is the code of a person, ``-`` for whoever has not shown who they are."""

    id: int
    at: Instant
    kind: str
    actor: str
    outcome: Outcome
    place: str
    source: str
    subject: str
    detail: Annotated[dict[str, Any], BeforeValidator(_json)]
    hash: str


async def record(
    conn: Connection,
    kind: Kind,
    *,
    actor: str = NOBODY,
    outcome: Outcome = "ok",
    subject: str | None = None,
    detail: Detail | None = None,
    at: datetime | None = None,
) -> int:
    """Write a line and return its number; call it last in the transaction of the act it tells of.

    ``subject`` is what the act was about: a login name, a version, the id of a case. ``detail`` are at most twenty
    names with codes, numbers or truth values; text with blanks has no place there. Place and source come from
    ``ledger.whence``. Raises ``ValueError`` for a detail that will not do, and whatever the database raises: then the
    act must not take effect.
    """
    place, source = here().place, here().source
    number: int = await conn.fetchval(
        "select security_append($1, $2, $3, $4, $5, $6, $7, $8)",
        at or datetime.now(UTC),
        kind.value,
        _part(actor, 100),
        outcome,
        _part(place, 200),
        _part(source, 60),
        _part(subject, 200),
        _detail(detail),
    )
    return number


async def record_refusal(
    conn: Connection,
    kind: Kind,
    code: str,
    *,
    actor: str = NOBODY,
    subject: str | None = None,
    detail: Detail | None = None,
    at: datetime | None = None,
) -> int | None:
    """Write down a refusal that anybody may cause as often as they like; None where it was only counted.

    Nobody fills the disk by it: see ``EACH_HOUR``, ``OF_STRANGERS`` and ``OF_A_PERSON``. Counted ones become one line
    with their number when the hour is over.
    """
    place, source = here().place, here().source
    number: int | None = await conn.fetchval(
        "select security_refused($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        at or datetime.now(UTC),
        kind.value,
        _part(actor, 100),
        _part(place, 200),
        _part(source, 60),
        _part(subject, 200),
        _detail({**(detail or {}), "code": code}),
        EACH_HOUR,
        OF_STRANGERS if actor == NOBODY else OF_A_PERSON,
    )
    return number


async def settle(conn: Connection, at: datetime | None = None) -> int:
    """Write a line for each refusal that was only counted in an hour now over; returns how many."""
    lines: int = await conn.fetchval("select security_settle($1)", at or datetime.now(UTC))
    return lines


def _part(text: str | None, longest: int) -> str:
    """One part of a line; what comes from outside is cut and loses characters that have no place in a line."""
    return re.sub(r"[\x00-\x1f\x7f]", "", text or "").encode(errors="replace").decode()[:longest] or NOBODY


def _detail(detail: Detail | None) -> str:
    given = dict(detail or {})
    if len(given) > _DETAILS:
        raise ValueError("a line of the security log has at most twenty details")
    for name, value in given.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"no name of a detail: {name!r}")
        if isinstance(value, str) and not (len(value) <= _TEXT and _CODES.fullmatch(value)):
            raise ValueError(f"the detail {name} is no code")
        if not isinstance(value, str | int):
            raise ValueError(f"the detail {name} is neither code nor number")
    return canonical(given)


class LineFilter(Frozen):
    """Which lines: ``since`` and ``until`` are moments (until: not included), the others exact."""

    since: Instant | None = None
    until: Instant | None = None
    kinds: tuple[str, ...] = ()
    actor: str | None = None
    subject: str | None = None
    outcome: Outcome | None = None


async def list_lines(conn: Connection, wanted: LineFilter, *, limit: int = 50, cursor: str | None = None) -> Page[Line]:
    """One page of the lines, the youngest first. Raises ``Refused`` ``feed.bad_cursor`` and ``field.invalid``."""
    where = Where()
    if wanted.since is not None:
        where.add("at >= {}", wanted.since)
    if wanted.until is not None:
        where.add("at < {}", wanted.until)
    if wanted.kinds:
        where.add("kind = any({}::text[])", list(wanted.kinds))
    for column in ("actor", "subject", "outcome"):
        if (value := getattr(wanted, column)) is not None:
            where.add(column + " = {}", value)
    if cursor is not None:
        where.add("id < {}", _after(cursor))
    rows = await fetch(
        conn,
        f"""
        select id, at, kind, actor, outcome, place, source, subject, detail::text as detail, hash
        from security_log
        {where.sql}
        order by id desc
        limit {bounded(limit) + 1}
        """,
        where.values,
    )
    return page_of([Line(**dict(row)) for row in rows], limit, lambda each: write_cursor(_STREAM, None, str(each.id)))


def _after(cursor: str) -> int:
    _, (number,) = read_cursor(_STREAM, cursor, 1)
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        raise Refused("feed.bad_cursor", field="cursor")
    return int(number)


# --- the chain ----------------------------------------------------------------------------------------------------


class Anchor(Frozen):
    """A line as it was seen earlier; written ``number:hash``."""

    id: int
    hash: str

    def __str__(self) -> str:
        return f"{self.id}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> "Anchor":
        """The anchor that was written. Raises ``Refused`` ``field.invalid``."""
        found = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", text.strip())
        if found is None:
            raise Refused("field.invalid", field="anchor", reason="number:hash")
        return cls(id=int(found[1]), hash=found[2])


async def head(conn: Connection) -> Anchor | None:
    """The youngest line, to be kept elsewhere: only that shows a cut-off end. None for an empty log."""
    row = await conn.fetchrow("select id, hash from security_log order by id desc limit 1")
    return Anchor(**dict(row)) if row else None


async def stands(conn: Connection, anchor: Anchor) -> bool:
    """Whether the line of ``anchor`` is still in the log, or went with those past their time, as a later line tells."""
    found: bool = await conn.fetchval(
        """
        select exists (select from security_log where id = $1 and hash = $2)
            or exists (
                select from security_log
                where kind = 'log_cut' and (detail ->> 'through')::bigint >= $1
                    and $1 < (select min(id) from security_log)
            )
        """,
        anchor.id,
        anchor.hash,
    )
    return found


@dataclass(frozen=True)
class Verified:
    """What was looked at: the number of lines, the first and the last one, and what is wrong with them."""

    lines: int
    first: int | None
    head: Anchor | None
    findings: tuple[Finding, ...]


async def verify(conn: Connection, anchor: Anchor | None = None) -> Verified:
    """Recompute the chain from the first line there is to the last, in one snapshot and in constant memory.

    A log whose oldest lines were let go begins after a cut that a later line tells of. With an ``anchor`` (a head kept
    elsewhere) also a cut-off end and a rewritten log are found. Who can rewrite the whole database can rewrite the
    chain as well: against that only the anchor helps.
    """
    isolation: Literal["repeatable_read"] | None = None if conn.is_in_transaction() else "repeatable_read"
    walk = _Walk(anchor)
    async with conn.transaction(isolation=isolation, readonly=isolation is not None):
        async for row in conn.cursor(
            """
            select id, at, kind, actor, outcome, place, source, subject, detail::text as detail, prev, hash
            from security_log
            order by id
            """,
            prefetch=500,
        ):
            walk.step(row)
    return walk.end()


_MOST_FINDINGS = 1000


class _Walk:
    """The log from its first line on; goes on from what is stored, so that one change is found once."""

    def __init__(self, anchor: Anchor | None) -> None:
        self._anchor = anchor
        self._anchored = False
        self._begin: tuple[int, str] | None = None
        self._cut = False
        self._id, self._hash, self._lines = 0, "", 0
        self._findings: list[Finding] = []

    def step(self, row: asyncpg.Record) -> None:
        number = row["id"]
        if self._begin is None:
            self._begin = (number, row["prev"])
        else:
            if number != self._id + 1:
                self._found(number, FindingCode.SEQ, "id", str(self._id + 1), str(number))
            if row["prev"] != self._hash:
                self._found(number, FindingCode.PREV, "prev", self._hash, row["prev"])
        expected = _line_hash(row)
        if row["hash"] != expected:
            self._found(number, FindingCode.HASH, "hash", expected, row["hash"])
        if row["kind"] == Kind.LOG_CUT:
            self._remember_cut(json.loads(row["detail"]))
        if self._anchor is not None and number == self._anchor.id:
            self._anchored = True
            if row["hash"] != self._anchor.hash:
                self._found(number, FindingCode.HASH, "anchor", self._anchor.hash, row["hash"])
        self._id, self._hash, self._lines = number, row["hash"], self._lines + 1

    def _remember_cut(self, detail: Mapping[str, Any]) -> None:
        assert self._begin is not None, "a line has been seen"
        first, prev = self._begin
        if detail.get("through") == first - 1 and detail.get("hash") == prev:
            self._cut = True

    def _found(self, number: int, code: FindingCode, field: str, expected: str, actual: str) -> None:
        if len(self._findings) < _MOST_FINDINGS:
            self._findings.append(Finding(_STREAM, number, code, field, expected, actual))

    def end(self) -> Verified:
        """What was found, once the last line has been seen."""
        if self._begin is not None:
            first, prev = self._begin
            if first == 1 and prev != "":
                self._found(first, FindingCode.PREV, "prev", "", prev)
            if first != 1 and not self._cut:
                self._found(first, FindingCode.SEQ, "id", "1", str(first))
        if self._anchor is not None and not self._anchored:
            # Below the first line it was let go with the others, which the cut vouches for.
            if self._begin is None or self._anchor.id > self._id:
                self._found(self._anchor.id, FindingCode.SEQ, "anchor", str(self._anchor.id), str(self._id))
            elif self._anchor.id >= self._begin[0]:
                self._found(self._anchor.id, FindingCode.SEQ, "anchor", str(self._anchor.id), "-")
        last = Anchor(id=self._id, hash=self._hash) if self._begin is not None else None
        first_id = None if self._begin is None else self._begin[0]
        return Verified(self._lines, first_id, last, tuple(self._findings))


def _line_hash(row: asyncpg.Record) -> str:
    try:
        canon = canonical(json.loads(row["detail"]))
    except (TypeError, ValueError):
        return "the detail is not canonical JSON"
    parts = (row["kind"], row["actor"], row["outcome"], row["place"], row["source"], row["subject"], canon)
    text = "\n".join((row["prev"], str(row["id"]), instant_text(row["at"]), *parts))
    return hashlib.sha256(text.encode()).hexdigest()


# --- retention ----------------------------------------------------------------------------------------------------


async def cut(conn: Connection, keep: timedelta, *, actor: str) -> int:
    """Let go of the lines older than ``keep``, in bounded steps, and return how many went.

    Each step writes a line that names the last line that went and its hash, so that the chain stays verifiable. Raises
    ``Refused`` ``security.kept_longer`` below ``LEAST_KEPT``.
    """
    if keep < LEAST_KEPT:
        raise Refused("security.kept_longer", days=LEAST_KEPT.days)
    gone = 0
    while True:
        step: int = await conn.fetchval(
            "select security_cut($1, $2, $3, $4)", _part(actor, 100), here().place, keep, _CUT_AT_ONCE
        )
        gone += step
        if step < _CUT_AT_ONCE:
            return gone
