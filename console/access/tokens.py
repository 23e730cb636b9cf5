"""API tokens: how programs show on whose behalf they ask.

Owns the tokens: ``bhn_`` and 256 random bits, shown once and kept as a digest, named, limited to some permissions and
in time, revocable. A token belongs to a person and never reaches further than they do on the day it is used; it can
neither manage accounts nor make other tokens.
"""

import secrets
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg

from console.access.identity import Identity
from console.access.sessions import digest_of
from domain.errors import Refused
from domain.rights import Permission, widened
from domain.text import normalise
from ledger import access as table
from ledger.access import TokenRow
from ledger.security import Kind, record

PREFIX = "bhn_"
LONGEST = timedelta(days=366)
_MOST = 20
_NAME = 60

GRANTABLE: tuple[Permission, ...] = tuple(
    each for each in Permission if each not in (Permission.ACCOUNT_MANAGE, Permission.OWN_ACCOUNT)
)
"""What a token may be limited to: everything but accounts."""


class NewToken(NamedTuple):
    """A token just issued; ``token`` is shown nowhere else and never again."""

    token: str
    row: TokenRow


class Tokens:
    """Issues, finds and revokes tokens."""

    def __init__(self, pool: asyncpg.Pool, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._clock = clock

    async def issue(
        self, login: str, *, name: str, permissions: Collection[str], lasts: timedelta, by: str
    ) -> NewToken:
        """A new token of the account ``login``, made by the person ``by``.

        Raises ``Refused``: ``field.invalid`` for a name, permission or length that will not do,
        ``access.unknown_account``, ``access.disabled``, ``access.too_many_tokens``.
        """
        title = normalise(name)
        if not 0 < len(title) <= _NAME or "\n" in title:
            raise Refused("field.invalid", field="name", reason=f"1–{_NAME}")
        chosen = sorted(set(permissions))
        known = {str(each) for each in GRANTABLE}
        if not chosen or not known.issuperset(chosen):
            raise Refused("field.invalid", field="permissions", reason=", ".join(sorted(known)))
        if not timedelta(0) < lasts <= LONGEST:
            raise Refused("field.invalid", field="days", reason=f"1–{LONGEST.days}")
        token, at = PREFIX + secrets.token_urlsafe(32), self._clock()
        async with self._pool.acquire() as conn, conn.transaction():
            # Two at once must not both be the last one allowed.
            await table.lock_accounts(conn)
            account = await table.find_account(conn, login)
            if account is None:
                raise Refused("access.unknown_account", field="login", login=login)
            if account.disabled_at is not None:
                raise Refused("access.disabled")
            if await table.living_tokens(conn, login, at) >= _MOST:
                raise Refused("access.too_many_tokens", limit=_MOST)
            row = await table.insert_token(
                conn, uuid4(), digest_of(token), login, name=title, permissions=chosen, at=at, ends_at=at + lasts
            )
            await record(conn, Kind.TOKEN_ISSUED, actor=by, subject=login, detail={"token": str(row.id)}, at=at)
        return NewToken(token, row)

    async def identify(self, token: str) -> Identity:
        """On whose behalf this token asks, and for which permissions at most.

        Raises ``Refused`` ``access.token_invalid``, the same for unknown, ended and revoked ones.
        """
        at = self._clock()
        async with self._pool.acquire() as conn:
            found = await table.find_token(conn, digest_of(token), at) if token.startswith(PREFIX) else None
            if found is None:
                raise Refused("access.token_invalid")
            row, account = found
            hour = at.replace(minute=0, second=0, microsecond=0)
            if row.last_used_at is None or row.last_used_at < hour:
                await table.touch_token(conn, row.id, hour)
        return Identity(
            login=account.login,
            person=account.person,
            is_administrator=account.is_administrator,
            token=row.id,
            only=widened(row.permissions),
        )

    async def own(
        self, login: str, *, limit: int = 50, after: UUID | None = None
    ) -> tuple[tuple[TokenRow, ...], UUID | None]:
        """One page of the tokens of an account, also those no longer in force, the youngest first."""
        async with self._pool.acquire() as conn:
            return await table.tokens_of(conn, login, limit=limit, after=after)

    async def revoke(self, login: str, token: UUID, *, by: str) -> None:
        """Revoke a token of this account. Raises ``Refused`` ``access.no_such_token``."""
        at = self._clock()
        async with self._pool.acquire() as conn, conn.transaction():
            if not await table.revoke_token(conn, token, login, at):
                raise Refused("access.no_such_token")
            await record(conn, Kind.TOKEN_REVOKED, actor=by, subject=login, detail={"token": str(token)}, at=at)
