"""The vault: residents' names, phones, addresses and original wording, and nothing else knows them.

Owns the keys and the encryption: AES-256-GCM with one data key per stream, which is stored wrapped with the master
key. Destroying a data key erases everything of its stream; the log holds references only and stays verifiable.
Must never log, put into an error or return to a list what it holds.

    VaultError             the vault cannot give what it was asked for
        EntryErased        the key of the stream has been destroyed
        EntryDamaged       the entry is not what was written under this name
"""

import secrets
from collections.abc import Mapping

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


class Vault:
    """Writes and reads entries; every function works in the caller's transaction or in one of its own."""

    def __init__(self, master: MasterKey) -> None:
        self._master = master

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

    async def read(self, conn: Connection, stream: str, name: str) -> str | None:
        """The content of an entry, None when there is none.

        Raises ``EntryErased``, ``EntryDamaged``, and ``Refused`` ``vault.wrong_key``.
        """
        if not await conn.fetchval(
            "select exists (select from vault_entry where stream = $1 and name = $2)", stream, name
        ):
            return None
        return await self._read(conn, await self._cipher(conn, stream, create=False), stream, name)

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
                exists (select from vault_entry where stream = $1) as kept
            """,
            stream,
        )
        assert row is not None, "a query without a table returns one row"
        wrapped = row["wrapped"]
        # A new key for old entries would hide that they were erased.
        if wrapped is None and create and not row["kept"]:
            wrapped = await self._new_key(conn, stream)
        if wrapped is None:
            raise EntryErased(stream)
        return AESGCM(self._master.unwrap(stream, wrapped))

    async def _new_key(self, conn: Connection, stream: str) -> bytes | None:
        """A data key for the stream, wrapped: the one made here, or that of another writer who was faster."""
        made: bytes | None = await conn.fetchval(
            "insert into vault_key (stream, wrapped) values ($1, $2) on conflict do nothing returning wrapped",
            stream,
            self._master.wrap(stream, AESGCM.generate_key(KEY_BYTES * 8)),
        )
        if made is not None:
            return made
        theirs: bytes | None = await conn.fetchval("select wrapped from vault_key where stream = $1", stream)
        return theirs

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
