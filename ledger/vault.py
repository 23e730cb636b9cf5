"""The vault: residents' names, phones, addresses and original wording, and nothing else knows them.

Owns the keys and the encryption: AES-256-GCM with one data key per stream, which is stored wrapped with the master
key. Destroying a data key erases everything of its stream; the log holds references only and stays verifiable.
Must never log, put into an error or return to a list what it holds.

    VaultError             the vault cannot give what it was asked for
        EntryErased        the key of the stream has been destroyed
        EntryDamaged       the entry is not what was written under this name
"""

import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from domain.errors import Refused
from ledger.key_file import KEY_BYTES
from ledger.keys import NONCE_BYTES, MasterKey, bound
from ledger.log import Connection

__all__ = ["EntryDamaged", "EntryErased", "MasterKey", "Vault", "VaultError"]


class VaultError(Exception):
    """The vault cannot give what it was asked for; trying again does not help."""


class EntryErased(VaultError):  # noqa: N818 - a fact about the entry
    """The key of the stream has been destroyed, and with it everything kept for the stream."""

    def __init__(self, stream: str) -> None:
        super().__init__(f"what was kept for {stream} has been erased")
        self.stream = stream


class EntryDamaged(VaultError):  # noqa: N818 - a fact about the entry
    """The entry is not what was written under this name: it was changed or moved in the database."""

    def __init__(self, stream: str, name: str) -> None:
        super().__init__(f"entry {name} of {stream} is not what was written")
        self.stream, self.name = stream, name


PHONE = "reporter_phone"
"""The entry that holds the number a reporter left."""

_NUMBER = re.compile(r"\+?\d[\d\-() ]{4,}\d")
_COUNTRY = re.compile(r"^(?:00|\+)?86(?=1\d{10}$)")
_MOST_NUMBERS = 5
_LONGEST_NUMBER = 15


def numbers_in(text: str) -> list[str]:
    """The telephone numbers in what somebody left as one, in the form in which they are compared: digits only."""
    found: list[str] = []
    for match in _NUMBER.findall(unicodedata.normalize("NFKC", text)):
        digits = re.sub(r"\D", "", match)
        # Two numbers with nothing but a blank between them.
        parts = [digits] if len(digits) <= _LONGEST_NUMBER else [re.sub(r"\D", "", part) for part in match.split()]
        found += [_COUNTRY.sub("", part) for part in parts if len(part) >= 6]
    return list(dict.fromkeys(found))[:_MOST_NUMBERS]


class Vault:
    """Writes and reads entries; every function works in the caller's transaction or in one of its own."""

    def __init__(self, master: MasterKey) -> None:
        self._master = master
        self._looking_up = master.derive("phone lookup")

    async def write(self, conn: Connection, stream: str, entries: Mapping[str, str]) -> None:
        """Keep the entries; writing the same content again is fine, also for several writers at once.

        Raises ``Refused``: ``vault.content_differs`` when an entry exists with other content (nothing is written),
        ``vault.wrong_key``. Raises ``EntryErased`` for a stream whose key has been destroyed.
        """
        async with conn.transaction():
            cipher = await self._cipher(conn, stream, create=True)
            # In one order for all writers, so that two of them never wait for each other.
            for name in sorted(entries):
                content, place = entries[name].encode(), bound("entry", stream, name)
                nonce = secrets.token_bytes(NONCE_BYTES)
                # Waits for another writer of the same entry; whoever comes second compares.
                fresh = await conn.fetchval(
                    """
                    insert into vault_entry (stream, name, nonce, ciphertext)
                    values ($1, $2, $3, $4)
                    on conflict do nothing
                    returning true
                    """,
                    stream,
                    name,
                    nonce,
                    cipher.encrypt(nonce, content, place),
                )
                if not fresh and await self._read(conn, cipher, stream, name) != entries[name]:
                    raise Refused("vault.content_differs")
            if PHONE in entries:
                await self.index(conn, stream, entries[PHONE])

    async def read(self, conn: Connection, stream: str, name: str) -> str | None:
        """The content of an entry, None when there is none.

        Raises ``EntryErased``, ``EntryDamaged``, and ``Refused`` ``vault.wrong_key``.
        """
        if not await conn.fetchval(
            "select exists (select from vault_entry where stream = $1 and name = $2)", stream, name
        ):
            return None
        return await self._read(conn, await self._cipher(conn, stream, create=False), stream, name)

    async def names(self, conn: Connection, stream: str) -> list[str]:
        """Under which names something is kept for a stream."""
        rows = await conn.fetch("select name from vault_entry where stream = $1 order by name", stream)
        return [row["name"] for row in rows]

    async def index(self, conn: Connection, stream: str, phone: str) -> None:
        """Make a stream findable by the number its reporter left; again is fine."""
        hashes = [self._hashed(number) for number in numbers_in(phone)]
        if hashes:
            await conn.execute(
                "insert into vault_phone (stream, hash) select $1, h from unnest($2::bytea[]) h on conflict do nothing",
                stream,
                hashes,
            )

    async def find(self, conn: Connection, phone: str, limit: int = 1000) -> list[str]:
        """The streams whose reporter left this number, at most ``limit`` of them. What was erased is not found."""
        hashes = [self._hashed(number) for number in numbers_in(phone)]
        rows = await conn.fetch(
            "select distinct stream from vault_phone where hash = any($1) order by stream limit $2", hashes, limit
        )
        return [row["stream"] for row in rows]

    async def unindexed(self, conn: Connection, after: str, limit: int) -> Sequence[str]:
        """Streams after this one that hold a number and cannot be found by it: from before there was a look-up."""
        rows = await conn.fetch(
            """
            select e.stream
            from vault_entry e
            join vault_key k using (stream)
            where e.name = $1 and e.stream > $2
                and not exists (select from vault_phone p where p.stream = e.stream)
            order by e.stream
            limit $3
            """,
            PHONE,
            after,
            limit,
        )
        return [row["stream"] for row in rows]

    def _hashed(self, number: str) -> bytes:
        return hmac.new(self._looking_up, f"phone\n{number}".encode(), hashlib.sha256).digest()

    async def check(self, conn: Connection) -> None:
        """Make sure that the master key is the one of this database.

        Raises ``Refused`` ``vault.wrong_key``; an empty vault goes with any key.
        """
        row = await conn.fetchrow("select stream, wrapped from vault_key order by created_at desc, stream limit 1")
        if row:
            self._master.unwrap(row["stream"], row["wrapped"])

    async def _cipher(self, conn: Connection, stream: str, *, create: bool) -> AESGCM:
        row = await conn.fetchrow(
            """
            select
                (select wrapped from vault_key where stream = $1) as wrapped,
                (select id from vault_master) as master,
                exists (select from vault_entry where stream = $1)
                or exists (select from erasure where stream = $1) as kept
            """,
            stream,
        )
        assert row is not None, "a query without a table returns one row"
        wrapped = row["wrapped"]
        # A new key for old entries would hide that they were erased.
        if wrapped is None and create and not row["kept"]:
            wrapped = await self._new_key(conn, stream, row["master"])
        if wrapped is None:
            raise EntryErased(stream)
        return AESGCM(self._master.unwrap(stream, wrapped))

    async def _new_key(self, conn: Connection, stream: str, master: str | None) -> bytes | None:
        """A data key for the stream, wrapped by this master: the one made here, or that of a faster writer."""
        key = AESGCM.generate_key(KEY_BYTES * 8)
        wrapped: bytes | None = None
        # Twice: a rotation may end between two statements, but only one.
        for last in (False, True):
            known = master if not last else await conn.fetchval("select id from vault_master")
            try:
                held = self._master.with_id(known)
            except Refused:
                if last:
                    raise
                continue
            wrapped = await conn.fetchval(
                """
                insert into vault_key (stream, wrapped, master) values ($1, $2, $3)
                on conflict do nothing
                returning wrapped
                """,
                stream,
                held.wrap(stream, key),
                held.id,
            )
            if wrapped is None:
                wrapped = await conn.fetchval("select wrapped from vault_key where stream = $1", stream)
            if wrapped is not None:
                break
        return wrapped

    async def _read(self, conn: Connection, cipher: AESGCM, stream: str, name: str) -> str:
        row = await conn.fetchrow(
            "select nonce, ciphertext from vault_entry where stream = $1 and name = $2", stream, name
        )
        if row is None:
            raise EntryErased(stream)
        try:
            return cipher.decrypt(row["nonce"], row["ciphertext"], bound("entry", stream, name)).decode()
        except InvalidTag:
            raise EntryDamaged(stream, name) from None
