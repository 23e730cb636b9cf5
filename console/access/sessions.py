"""Signing in and out, and the sessions between.

Owns the opaque token of a session: 256 random bits that only the browser keeps; the database has their SHA-256. A
session ends when it is not used for a while, after a day's work at the latest, when the account is disabled and when
the password changes. Must not know cookies.
"""

import hashlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg

from console.access.accounts import login_name
from console.access.identity import Identity
from console.access.passwords import PasswordPolicy, Passwords, check_new
from console.access.throttle import Attempting, Throttle
from domain.base import Frozen
from domain.errors import Refused
from domain.text import normalise
from ledger import access as table
from ledger.access import AccountRow, SessionRow
from ledger.log import Connection
from ledger.security import Kind, record, record_refusal
from ledger.whence import NOBODY

_SEEN_EVERY = timedelta(minutes=1)
_MOST = 20
_DEVICE = 80


class SessionPolicy(Frozen):
    """How long a session lives unused, and how long at most."""

    idle: timedelta = timedelta(minutes=30)
    absolute: timedelta = timedelta(hours=12)


class NewSession(NamedTuple):
    """A session just begun; ``token`` is shown nowhere else and never again."""

    token: str
    identity: Identity
    ends_at: datetime


def digest_of(token: str) -> bytes:
    """What the database knows of a token."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).digest()


class Sessions:
    """Begins, finds and ends sessions."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        passwords: Passwords,
        throttle: Throttle,
        *,
        policy: SessionPolicy,
        password_policy: PasswordPolicy,
        clock: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._passwords = passwords
        self._throttle = throttle
        self._policy = policy
        self._password_policy = password_policy
        self._clock = clock

    async def sign_in(self, login: str, password: str, client: str, *, device: str = "") -> NewSession:
        """A new session for who gives the right password; ``client`` is the address the attempt comes from.

        The token is always a new one. Raises ``Refused``: ``access.wrong_credentials``, the same after the same time
        whether there is such an account or not; ``access.slow_down`` with ``seconds``; ``access.disabled``, told only
        to who knows the password. Whether the password must be changed first, the identity says.
        """
        name = login_name(login)
        account, trying = await self._checked(name, password, client, Kind.SIGN_IN)
        at = self._clock()
        async with self._pool.acquire() as conn, conn.transaction():
            await self._throttle.good(conn, trying, at)
            await table.forget_ended(conn, ended_before=at, attempts_before=at - self._throttle.remembered)
            if account.disabled_at is not None:
                await record_refusal(conn, Kind.SIGN_IN, "access.disabled", subject=name, at=at)
            else:
                begun = await self._begin(conn, account, device, at)
                await record(conn, Kind.SIGN_IN, actor=account.person, subject=name, at=at)
        if account.disabled_at is not None:
            raise Refused("access.disabled")
        return begun

    async def sign_in_known(self, person: str, *, device: str = "") -> NewSession:
        """A new session for a person whom the office's identity provider vouches for.

        Raises ``Refused`` ``access.no_account`` and ``access.disabled``.
        """
        at, by = self._clock(), {"by": "provider"}
        async with self._pool.acquire() as conn, conn.transaction():
            account = await table.account_of(conn, person)
            if account is not None and account.disabled_at is None:
                begun = await self._begin(conn, account, device, at, without_password=True)
                await record(conn, Kind.SIGN_IN, actor=account.person, subject=account.login, detail=by, at=at)
                return begun
            code = "access.no_account" if account is None else "access.disabled"
            login = None if account is None else account.login
            await record_refusal(conn, Kind.SIGN_IN, code, subject=login, detail=by, at=at)
        raise Refused(code)

    async def confirm(self, person: str, password: str, client: str) -> None:
        """Make sure that who acts for ``person`` now knows the password; slowed like signing in.

        Raises ``Refused``: ``sign.no_password`` for who has none here, ``sign.wrong_password``, ``sign.slow_down`` with
        ``seconds``.
        """
        async with self._pool.acquire() as conn:
            account = await table.account_of(conn, person)
            known = None if account is None else await table.credentials_of(conn, account.login)
        if known is None or known.password_hash is None or known.account.disabled_at is not None:
            raise Refused("sign.no_password", field="confirmation")
        if known.account.must_change:
            # Whoever made the account knows it as well.
            raise Refused("sign.no_password", field="confirmation")
        try:
            found, trying = await self._checked(known.account.login, password, client, Kind.PASSWORD_CONFIRMED, person)
        except Refused as refused:
            if refused.code == "access.slow_down":
                raise Refused("sign.slow_down", field="confirmation", **refused.refusal.params) from None
            raise Refused("sign.wrong_password", field="confirmation") from None
        at = self._clock()
        async with self._pool.acquire() as conn, conn.transaction():
            await self._throttle.good(conn, trying, at)
            await record(conn, Kind.PASSWORD_CONFIRMED, actor=found.person, subject=found.login, at=at)

    async def _checked(
        self, name: str, password: str, client: str, kind: Kind, actor: str = NOBODY
    ) -> tuple[AccountRow, Attempting]:
        async with self._pool.acquire() as conn:
            found = await table.credentials_of(conn, name)
            # A name that is no account may be a password typed into the wrong field.
            login = found.account.login if found else None
            try:
                trying = await self._throttle.begin(conn, name, client, self._clock())
            except Refused as refused:
                await record_refusal(conn, kind, refused.code, actor=actor, subject=login, at=self._clock())
                raise
        # No connection is held while the hash is counted.
        good, better = await self._passwords.check(password, found.password_hash if found else None)
        if found is None or not good:
            async with self._pool.acquire() as conn:
                code = "access.wrong_credentials"
                await record_refusal(conn, kind, code, actor=actor, subject=login, at=self._clock())
            raise Refused(code, field="password")
        if better is not None and found.password_hash is not None:
            async with self._pool.acquire() as conn:
                await table.renew_hash(conn, name, found.password_hash, better)
        return found.account, trying

    async def _begin(
        self, conn: Connection, account: AccountRow, device: str, at: datetime, *, without_password: bool = False
    ) -> NewSession:
        token = secrets.token_urlsafe(32)
        session = await table.insert_session(
            conn,
            uuid4(),
            digest_of(token),
            account.login,
            device=normalise(device)[:_DEVICE],
            without_password=without_password,
            at=at,
            ends_at=at + self._policy.absolute,
        )
        await table.end_oldest_sessions(conn, account.login, keep=_MOST)
        return NewSession(token, self._identity(account, session, at), session.ends_at)

    def _identity(self, account: AccountRow, session: SessionRow, at: datetime) -> Identity:
        # A password that must be changed is of no concern to who has not typed it.
        must_change = not session.without_password and (
            account.must_change or self._password_policy.has_lapsed(account.password_set_at, at)
        )
        return Identity(
            login=account.login,
            person=account.person,
            is_administrator=account.is_administrator,
            must_change=must_change,
            session=session.id,
        )

    async def identify(self, token: str, *, by_itself: bool = False) -> Identity:
        """Whose session this is; a page that asks ``by_itself`` does not prolong it, for nobody may sit there any more.

        Raises ``Refused`` ``access.signed_out`` when it is nobody's or over.
        """
        at = self._clock()
        async with self._pool.acquire() as conn:
            found = await table.find_session(conn, digest_of(token))
            if found is None:
                raise Refused("access.signed_out")
            session, account = found
            if session.ends_at <= at or at - session.seen_at >= self._policy.idle:
                await table.end_session(conn, session.id, session.login)
                raise Refused("access.signed_out")
            if at - session.seen_at >= _SEEN_EVERY and not by_itself:
                await table.touch_session(conn, session.id, at)
        return self._identity(account, session, at)

    async def sign_out(self, token: str) -> None:
        """End the session of this token, if there is one."""
        async with self._pool.acquire() as conn, conn.transaction():
            found = await table.find_session(conn, digest_of(token))
            if found is not None:
                session, account = found
                await table.end_session(conn, session.id, session.login)
                await record(conn, Kind.SIGN_OUT, actor=account.person, subject=account.login, at=self._clock())

    async def own(self, identity: Identity) -> tuple[SessionRow, ...]:
        """The living sessions of the person, the youngest first."""
        at = self._clock()
        async with self._pool.acquire() as conn:
            return await table.sessions_of(conn, identity.login, seen_after=at - self._policy.idle, at=at)

    async def end(self, identity: Identity, session: UUID) -> None:
        """End one of the person's own sessions. Raises ``Refused`` ``access.no_such_session``."""
        async with self._pool.acquire() as conn, conn.transaction():
            if not await table.end_session(conn, session, identity.login):
                raise Refused("access.no_such_session")
            await self._ended(conn, identity, 1)

    async def end_others(self, identity: Identity) -> int:
        """End all sessions of the person but the present one; how many they were."""
        async with self._pool.acquire() as conn, conn.transaction():
            ended = await table.end_sessions(conn, identity.login, but=identity.session)
            await self._ended(conn, identity, ended)
        return ended

    async def _ended(self, conn: Connection, identity: Identity, sessions: int) -> None:
        detail = {"sessions": sessions}
        await record(
            conn,
            Kind.SESSION_ENDED,
            actor=identity.person,
            subject=identity.login,
            detail=detail,
            at=self._clock(),
        )

    async def change_password(
        self, identity: Identity, old: str, new: str, client: str, *, words: tuple[str, ...] = (), device: str = ""
    ) -> NewSession:
        """Give the person the new password, end all their sessions and begin a new one.

        Raises ``Refused``: ``access.wrong_old_password``, ``access.slow_down``, ``access.weak_password``,
        ``access.signed_out`` when the account has been disabled meanwhile.
        """
        policy = self._password_policy
        try:
            account, trying = await self._checked(identity.login, old, client, Kind.PASSWORD_CHANGED, identity.person)
        except Refused as refused:
            if refused.code == "access.wrong_credentials":
                raise Refused("access.wrong_old_password", field="old_password") from None
            raise
        async with self._pool.acquire() as conn:
            await self._throttle.good(conn, trying, self._clock())
            earlier = await table.earlier_passwords(conn, identity.login)
        check_new(new, policy, words=(identity.login, identity.person, *words))
        await self._differs(new, earlier if policy.profile == "dengbao" else earlier[:1])
        kept = await self._passwords.hash(new)
        at = self._clock()
        async with self._pool.acquire() as conn, conn.transaction():
            found = await table.find_account(conn, identity.login)
            if found is None or found.disabled_at is not None:
                raise Refused("access.signed_out")
            await table.set_password(conn, identity.login, kept, must_change=False, by=identity.person, at=at)
            await table.end_sessions(conn, identity.login)
            now = account.model_copy(update={"must_change": False, "password_set_at": at})
            begun = await self._begin(conn, now, device, at)
            await record(conn, Kind.PASSWORD_CHANGED, actor=identity.person, subject=identity.login, at=at)
        return begun

    async def _differs(self, new: str, earlier: tuple[str, ...]) -> None:
        for kept in earlier:
            same, _ = await self._passwords.check(new, kept)
            if same:
                raise Refused(
                    "access.weak_password",
                    field="new_password",
                    reason="与以前用过的密码相同",
                    reason_en="it has been used before",
                )


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)
