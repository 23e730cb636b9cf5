"""Accounts: who may sign in at all.

Owns adding, disabling and resetting them. An account belongs to one person, who is named by the code of the registry.
Nobody but the person ever chooses a password: administrators hand out one-time ones, which must be changed at the first
sign-in.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

import asyncpg

from console.access.passwords import Passwords, one_time_password
from domain.errors import Refused
from domain.text import normalise
from domain.zone import office_day
from ledger import access as table
from ledger.access import AccountRow
from ledger.log import Connection
from ledger.paging import Page
from ledger.registry import check_apart
from ledger.security import ACCOUNT_KINDS, Kind, Line, LineFilter, list_lines, record

FIRST_ADMINISTRATOR = "admin"
"""Login name of the account a new office begins with."""

_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def login_name(text: str) -> str:
    """The login name as it is compared: typed in capitals or full width it is the same one."""
    return normalise(unicodedata.normalize("NFKC", text[:256])).casefold()


class NewPassword(NamedTuple):
    """An account and the one-time password it was given; the password is shown nowhere else and never again."""

    account: AccountRow
    password: str | None


class Accounts:
    """Adds, lists, disables and resets accounts; ``by`` is always the code of the person who does it."""

    def __init__(self, pool: asyncpg.Pool, passwords: Passwords, clock: Callable[[], datetime]) -> None:
        self._pool = pool
        self._passwords = passwords
        self._clock = clock

    async def add(
        self,
        person: str,
        *,
        by: str,
        login: str | None = None,
        is_administrator: bool = False,
        with_password: bool = True,
    ) -> NewPassword:
        """A new account with a one-time password; without one the person signs in by the identity provider only.

        Raises ``Refused``: ``access.bad_login``, ``access.login_taken``, ``access.person_has_account``,
        ``access.roles_apart`` for an administrator who audits or gives out rights.
        """
        name = _checked_login(login or person)
        password = one_time_password() if with_password else None
        kept = await self._passwords.hash(password) if password is not None else None
        at = self._clock()
        async with self._pool.acquire() as conn, conn.transaction():
            await table.lock_accounts(conn)
            if is_administrator:
                await check_apart(conn, person, office_day(at))
            account = await table.insert_account(
                conn, name, person, password_hash=kept, is_administrator=is_administrator, by=by, at=at
            )
            await record(
                conn,
                Kind.ACCOUNT_ADDED,
                actor=by,
                subject=name,
                detail={"administrator": is_administrator},
                at=at,
            )
        return NewPassword(account, password)

    async def first_administrator(self) -> NewPassword | None:
        """The account a new office begins with; None, and nothing happens, when somebody administers it already."""
        async with self._pool.acquire() as conn:
            if await table.there_is_an_administrator(conn):
                return None
        password = one_time_password()
        kept, at = await self._passwords.hash(password), self._clock()
        async with self._pool.acquire() as conn, conn.transaction():
            await table.lock_accounts(conn)
            if await table.there_is_an_administrator(conn):
                return None
            name = await self._free_login(conn)
            account = await table.insert_account(
                conn, name, name, password_hash=kept, is_administrator=True, by="system", at=at
            )
            await record(conn, Kind.ACCOUNT_ADDED, actor="system", subject=name, detail={"administrator": True}, at=at)
        return NewPassword(account, password)

    async def _free_login(self, conn: Connection) -> str:
        """``admin``, or with a number where that is the name of somebody."""
        name, number = FIRST_ADMINISTRATOR, 1
        while await table.find_account(conn, name) or await table.account_of(conn, name):
            number += 1
            name = f"{FIRST_ADMINISTRATOR}{number}"
        return name

    async def find(self, login: str) -> AccountRow:
        """The account. Raises ``Refused`` ``access.unknown_account``."""
        async with self._pool.acquire() as conn:
            return await _found(conn, login)

    async def list(
        self, *, disabled: bool | None = None, limit: int = 50, after: str | None = None
    ) -> tuple[tuple[AccountRow, ...], str | None]:
        """One page of accounts by login name, and the name the next page comes after."""
        async with self._pool.acquire() as conn:
            start = login_name(after) if after is not None else None
            return await table.list_accounts(conn, disabled=disabled, limit=limit, after=start)

    async def record(self, login: str | None = None, *, limit: int = 50, cursor: str | None = None) -> Page[Line]:
        """One page of what happened to one account or to all, the youngest first, out of the security log."""
        name = login_name(login) if login is not None else None
        wanted = LineFilter(kinds=ACCOUNT_KINDS, subject=name)
        async with self._pool.acquire() as conn:
            return await list_lines(conn, wanted, limit=limit, cursor=cursor)

    async def disable(self, login: str, *, by: str) -> AccountRow:
        """Keep the account out at once: its sessions end and its tokens are revoked for good.

        Disabling again changes nothing. Raises ``Refused`` ``access.unknown_account``, and
        ``access.last_administrator`` when nobody would be left to administer.
        """
        at = self._clock()
        async with self._pool.acquire() as conn, conn.transaction():
            await table.lock_accounts(conn)
            account = await _found(conn, login)
            if await table.set_disabled(conn, account.login, disabled=True, by=by, at=at):
                if account.is_administrator and not await table.there_is_an_administrator(conn):
                    raise Refused("access.last_administrator")
                await table.end_sessions(conn, account.login)
                await table.revoke_tokens(conn, account.login, at)
                await record(conn, Kind.ACCOUNT_DISABLED, actor=by, subject=account.login, at=at)
            return await _found(conn, login)

    async def enable(self, login: str, *, by: str) -> AccountRow:
        """Let the account in again, with the password it had.

        Raises ``Refused`` ``access.unknown_account`` and ``access.roles_apart``.
        """
        at = self._clock()
        async with self._pool.acquire() as conn, conn.transaction():
            await table.lock_accounts(conn)
            account = await _found(conn, login)
            if account.is_administrator:
                await check_apart(conn, account.person, office_day(at))
            if await table.set_disabled(conn, account.login, disabled=False, by=by, at=at):
                await record(conn, Kind.ACCOUNT_ENABLED, actor=by, subject=account.login, at=at)
            return await _found(conn, login)

    async def reset(self, login: str, *, by: str) -> NewPassword:
        """Give the account a one-time password; its sessions end and its tokens are revoked.

        Raises ``Refused`` ``access.unknown_account``.
        """
        password = one_time_password()
        kept, at = await self._passwords.hash(password), self._clock()
        async with self._pool.acquire() as conn, conn.transaction():
            await table.lock_accounts(conn)
            account = await _found(conn, login)
            await table.set_password(conn, account.login, kept, must_change=True, by=by, at=at)
            await table.end_sessions(conn, account.login)
            await table.revoke_tokens(conn, account.login, at)
            account = await _found(conn, login)
            await record(conn, Kind.PASSWORD_RESET, actor=by, subject=account.login, at=at)
        return NewPassword(account, password)

    async def end_sessions(self, login: str, *, by: str) -> int:
        """End all sessions of an account, which may sign in again at once; how many they were.

        Raises ``Refused`` ``access.unknown_account``.
        """
        async with self._pool.acquire() as conn, conn.transaction():
            account = await _found(conn, login)
            ended = await table.end_sessions(conn, account.login)
            await record(
                conn,
                Kind.SESSIONS_ENDED_BY_ADMINISTRATOR,
                actor=by,
                subject=account.login,
                detail={"sessions": ended},
                at=self._clock(),
            )
        return ended


def _checked_login(text: str) -> str:
    name = login_name(text)
    if not _LOGIN.fullmatch(name):
        raise Refused("access.bad_login", field="login")
    return name


async def _found(conn: Connection, login: str) -> AccountRow:
    account = await table.find_account(conn, login_name(login))
    if account is None:
        raise Refused("access.unknown_account", field="login", login=login_name(login)[:64])
    return account
