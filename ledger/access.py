"""Accounts, sessions, tokens and throttled attempts as they stand in the database.

Owns their tables and every statement on them. Secrets come and go as digests or hashes; what makes them, and whether
somebody may do this, is decided in ``console.access``. Every function works in the caller's transaction or in one of
its own.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from domain.base import Frozen
from domain.errors import Refused
from ledger.log import Connection
from ledger.paging import PAGE_LIMIT, bounded

HISTORY = 5
"""How many earlier passwords of an account are kept."""


class AccountRow(Frozen):
    """An account without its secrets."""

    login: str
    person: str
    is_administrator: bool
    must_change: bool
    has_password: bool
    password_set_at: datetime | None
    disabled_at: datetime | None
    created_at: datetime
    created_by: str
    changed_at: datetime
    changed_by: str


class Credentials(Frozen):
    """What a password is checked against."""

    account: AccountRow
    password_hash: str | None


class SessionRow(Frozen):
    """A session without its token; ``without_password`` when an identity provider vouched for the person."""

    id: UUID
    login: str
    created_at: datetime
    seen_at: datetime
    ends_at: datetime
    device: str
    without_password: bool


class TokenRow(Frozen):
    """An API token without its secret; ``last_used_at`` is right to the hour."""

    id: UUID
    login: str
    name: str
    permissions: tuple[str, ...]
    created_at: datetime
    ends_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


class Attempt(Frozen):
    """What is remembered of the attempts under one name."""

    failures: int
    last_at: datetime
    good_at: datetime | None


_ACCOUNT = """
    account.login, account.person, account.is_administrator, account.must_change,
    account.password_hash is not null as has_password, account.password_set_at, account.disabled_at,
    account.created_at, account.created_by, account.changed_at, account.changed_by
"""
_SESSION = """
    session.id, session.login, session.created_at, session.seen_at, session.ends_at, session.device,
    session.without_password
"""
_TOKEN = """
    api_token.id, api_token.login, api_token.name, api_token.permissions, api_token.created_at, api_token.ends_at,
    api_token.revoked_at, api_token.last_used_at
"""


def _account(row: Any) -> AccountRow:
    return AccountRow(**{name: row[name] for name in AccountRow.model_fields})


def _session(row: Any) -> SessionRow:
    return SessionRow(**{name: row[name] for name in SessionRow.model_fields})


def _token(row: Any) -> TokenRow:
    return TokenRow(**{name: row[name] for name in TokenRow.model_fields})


# --- accounts -----------------------------------------------------------------------------------------------------


async def insert_account(
    conn: Connection,
    login: str,
    person: str,
    *,
    password_hash: str | None,
    is_administrator: bool,
    by: str,
    at: datetime,
) -> AccountRow:
    """A new account whose password, if any, must be changed at once.

    Raises ``Refused`` ``access.login_taken`` or ``access.person_has_account``.
    """
    try:
        row = await conn.fetchrow(
            f"""
            insert into account (
                login, person, password_hash, password_set_at, must_change, is_administrator,
                created_at, created_by, changed_at, changed_by
            )
            values ($1, $2, $3, case when $3::text is null then null else $6::timestamptz end, $3::text is not null, $4,
                    $6, $5, $6, $5)
            returning {_ACCOUNT}
            """,
            login,
            person,
            password_hash,
            is_administrator,
            by,
            at,
        )
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "account_person":
            raise Refused("access.person_has_account", field="person", person=person) from None
        raise Refused("access.login_taken", field="login", login=login) from None
    assert row is not None, "an insert that returns gives one row"
    return _account(row)


async def find_account(conn: Connection, login: str) -> AccountRow | None:
    """The account with this login name."""
    row = await conn.fetchrow(f"select {_ACCOUNT} from account where login = $1", login)
    return _account(row) if row else None


async def account_of(conn: Connection, person: str) -> AccountRow | None:
    """The account of this person."""
    row = await conn.fetchrow(f"select {_ACCOUNT} from account where person = $1", person)
    return _account(row) if row else None


async def credentials_of(conn: Connection, login: str) -> Credentials | None:
    """The account with this login name and the hash of its password."""
    row = await conn.fetchrow(f"select {_ACCOUNT}, account.password_hash from account where login = $1", login)
    return Credentials(account=_account(row), password_hash=row["password_hash"]) if row else None


async def list_accounts(
    conn: Connection, *, disabled: bool | None = None, limit: int = 50, after: str | None = None
) -> tuple[tuple[AccountRow, ...], str | None]:
    """One page of accounts in the order of their login names, and the login name the next page comes after."""
    rows = await conn.fetch(
        f"""
        select {_ACCOUNT}
        from account
        where ($1::text is null or login > $1)
          and ($2::boolean is null or (disabled_at is not null) = $2)
        order by login
        limit $3
        """,
        after,
        disabled,
        bounded(limit) + 1,
    )
    found = tuple(_account(row) for row in rows[:limit])
    return found, found[-1].login if len(rows) > limit else None


async def there_is_an_administrator(conn: Connection) -> bool:
    """Whether some account of an administrator is in force."""
    return bool(
        await conn.fetchval("select exists (select from account where is_administrator and disabled_at is null)")
    )


async def administrators_among(conn: Connection, people: Sequence[str]) -> tuple[str, ...]:
    """Those of these people whose account is an administrator's and in force."""
    rows = await conn.fetch(
        "select person from account where is_administrator and disabled_at is null and person = any($1::text[])"
        " order by person",
        list(people),
    )
    return tuple(row["person"] for row in rows)


async def lock_accounts(conn: Connection) -> None:
    """Let nobody else make or disable administrators until the transaction is over."""
    await conn.execute("select pg_advisory_xact_lock(hashtextextended('account', 0))")


async def set_password(
    conn: Connection, login: str, password_hash: str, *, must_change: bool, by: str, at: datetime
) -> None:
    """Replace the password; the one before goes to the history, of which the youngest few are kept."""
    async with conn.transaction():
        await conn.execute(
            """
            insert into account_password (login, set_at, password_hash)
            select login, password_set_at, password_hash from account where login = $1 and password_hash is not null
            on conflict do nothing
            """,
            login,
        )
        await conn.execute(
            """
            delete from account_password
            where login = $1 and set_at not in (
                select set_at from account_password where login = $1 order by set_at desc limit $2
            )
            """,
            login,
            HISTORY,
        )
        await conn.execute(
            """
            update account
            set password_hash = $2, password_set_at = $4, must_change = $3, changed_at = $4, changed_by = $5
            where login = $1
            """,
            login,
            password_hash,
            must_change,
            at,
            by,
        )


async def renew_hash(conn: Connection, login: str, old: str, new: str) -> None:
    """Keep the same password under a better hash, unless it has been changed meanwhile."""
    await conn.execute("update account set password_hash = $3 where login = $1 and password_hash = $2", login, old, new)


async def earlier_passwords(conn: Connection, login: str) -> tuple[str, ...]:
    """The hashes of the present and the last few passwords."""
    rows = await conn.fetch(
        """
        select password_hash from account where login = $1 and password_hash is not null
        union all
        (select password_hash from account_password where login = $1 order by set_at desc limit $2)
        """,
        login,
        HISTORY,
    )
    return tuple(row["password_hash"] for row in rows)


async def set_disabled(conn: Connection, login: str, *, disabled: bool, by: str, at: datetime) -> bool:
    """Disable or enable an account; False when it was so already."""
    changed = await conn.fetchval(
        """
        update account
        set disabled_at = case when $2 then $3::timestamptz end, changed_at = $3, changed_by = $4
        where login = $1 and (disabled_at is not null) <> $2
        returning true
        """,
        login,
        disabled,
        at,
        by,
    )
    return bool(changed)


# --- sessions -----------------------------------------------------------------------------------------------------


async def insert_session(
    conn: Connection,
    session: UUID,
    digest: bytes,
    login: str,
    *,
    device: str,
    without_password: bool,
    at: datetime,
    ends_at: datetime,
) -> SessionRow:
    """A new session."""
    row = await conn.fetchrow(
        f"""
        insert into session (id, digest, login, created_at, seen_at, ends_at, device, without_password)
        values ($1, $2, $3, $4, $4, $5, $6, $7)
        returning {_SESSION}
        """,
        session,
        digest,
        login,
        at,
        ends_at,
        device,
        without_password,
    )
    assert row is not None, "an insert that returns gives one row"
    return _session(row)


async def find_session(conn: Connection, digest: bytes) -> tuple[SessionRow, AccountRow] | None:
    """The session with this digest and its account, which is in force."""
    row = await conn.fetchrow(
        f"""
        select {_SESSION}, {_ACCOUNT.replace("account.created_at", "account.created_at as account_created_at")}
        from session join account using (login)
        where session.digest = $1 and account.disabled_at is null
        """,
        digest,
    )
    if row is None:
        return None
    values = dict(row)
    return _session(values), _account({**values, "created_at": values["account_created_at"]})


async def touch_session(conn: Connection, session: UUID, at: datetime) -> None:
    """Remember that the session is used."""
    await conn.execute("update session set seen_at = greatest(seen_at, $2) where id = $1", session, at)


async def sessions_of(conn: Connection, login: str, *, seen_after: datetime, at: datetime) -> tuple[SessionRow, ...]:
    """The living sessions of an account, the youngest first; there are never more than a few."""
    rows = await conn.fetch(
        f"""
        select {_SESSION}
        from session
        where login = $1 and seen_at >= $2 and ends_at > $3
        order by created_at desc
        limit {PAGE_LIMIT}
        """,
        login,
        seen_after,
        at,
    )
    return tuple(_session(row) for row in rows)


async def end_session(conn: Connection, session: UUID, login: str) -> bool:
    """End one session of this account; False when it has no such session."""
    found = await conn.fetchval("delete from session where id = $1 and login = $2 returning true", session, login)
    return bool(found)


async def end_sessions(conn: Connection, login: str, *, but: UUID | None = None) -> int:
    """End all sessions of an account, except one; how many they were."""
    rows = await conn.fetch(
        "delete from session where login = $1 and ($2::uuid is null or id <> $2) returning id", login, but
    )
    return len(rows)


async def end_oldest_sessions(conn: Connection, login: str, *, keep: int) -> None:
    """Leave an account its youngest ``keep`` sessions."""
    await conn.execute(
        """
        delete from session
        where id in (select id from session where login = $1 order by created_at desc offset $2)
        """,
        login,
        keep,
    )


async def forget_ended(conn: Connection, *, ended_before: datetime, attempts_before: datetime) -> None:
    """Remove sessions that are over and attempts nobody remembers any more."""
    await conn.execute("delete from session where ends_at < $1", ended_before)
    await conn.execute("delete from sign_in_attempt where last_at < $1", attempts_before)


# --- tokens -------------------------------------------------------------------------------------------------------


async def insert_token(
    conn: Connection,
    token: UUID,
    digest: bytes,
    login: str,
    *,
    name: str,
    permissions: Sequence[str],
    at: datetime,
    ends_at: datetime,
) -> TokenRow:
    """A new token."""
    row = await conn.fetchrow(
        f"""
        insert into api_token (id, digest, login, name, permissions, created_at, ends_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        returning {_TOKEN}
        """,
        token,
        digest,
        login,
        name,
        list(permissions),
        at,
        ends_at,
    )
    assert row is not None, "an insert that returns gives one row"
    return _token(row)


async def find_token(conn: Connection, digest: bytes, at: datetime) -> tuple[TokenRow, AccountRow] | None:
    """The token with this digest and its account, both in force."""
    row = await conn.fetchrow(
        f"""
        select {_TOKEN}, {_ACCOUNT.replace("account.created_at", "account.created_at as account_created_at")}
        from api_token join account using (login)
        where api_token.digest = $1
          and api_token.revoked_at is null
          and api_token.ends_at > $2
          and account.disabled_at is null
        """,
        digest,
        at,
    )
    if row is None:
        return None
    values = dict(row)
    return _token(values), _account({**values, "created_at": values["account_created_at"]})


async def touch_token(conn: Connection, token: UUID, hour: datetime) -> None:
    """Remember in which hour the token was used last."""
    await conn.execute(
        "update api_token set last_used_at = $2 where id = $1 and (last_used_at is null or last_used_at < $2)",
        token,
        hour,
    )


async def tokens_of(
    conn: Connection, login: str, *, limit: int = 50, after: UUID | None = None
) -> tuple[tuple[TokenRow, ...], UUID | None]:
    """One page of an account's tokens, also the ended ones, the youngest first, and the token the next comes after."""
    rows = await conn.fetch(
        f"""
        select {_TOKEN}
        from api_token
        where login = $1
          and ($2::uuid is null
               or (created_at, id) < (select created_at, id from api_token where id = $2 and login = $1))
        order by created_at desc, id desc
        limit $3
        """,
        login,
        after,
        bounded(limit) + 1,
    )
    found = tuple(_token(row) for row in rows[:limit])
    return found, found[-1].id if len(rows) > limit else None


async def living_tokens(conn: Connection, login: str, at: datetime) -> int:
    """How many tokens of an account are in force."""
    count: int = await conn.fetchval(
        "select count(*) from api_token where login = $1 and revoked_at is null and ends_at > $2", login, at
    )
    return count


async def revoke_token(conn: Connection, token: UUID, login: str, at: datetime) -> bool:
    """Revoke one token of this account; False when it has no such token in force."""
    found = await conn.fetchval(
        "update api_token set revoked_at = $3 where id = $1 and login = $2 and revoked_at is null returning true",
        token,
        login,
        at,
    )
    return bool(found)


async def revoke_tokens(conn: Connection, login: str, at: datetime) -> None:
    """Revoke all tokens of an account."""
    await conn.execute("update api_token set revoked_at = $2 where login = $1 and revoked_at is null", login, at)


# --- attempts -----------------------------------------------------------------------------------------------------


async def lock_attempts(conn: Connection, digests: Sequence[bytes], at: datetime) -> dict[bytes, Attempt]:
    """What is remembered under these names; held against other attempts until the transaction is over."""
    ordered = sorted(digests)
    # In one order for everybody, so that two attempts never wait for each other.
    for digest in ordered:
        await conn.execute(
            """
            insert into sign_in_attempt (digest, last_at) values ($1, $2)
            on conflict (digest) do update set last_at = sign_in_attempt.last_at
            """,
            digest,
            at,
        )
    rows = await conn.fetch(
        "select digest, failures, last_at, good_at from sign_in_attempt where digest = any($1::bytea[])", ordered
    )
    return {
        bytes(row["digest"]): Attempt(failures=row["failures"], last_at=row["last_at"], good_at=row["good_at"])
        for row in rows
    }


async def count_attempt(conn: Connection, digest: bytes, failures: int, at: datetime) -> None:
    """Write down how many attempts have failed, this one included."""
    await conn.execute("update sign_in_attempt set failures = $2, last_at = $3 where digest = $1", digest, failures, at)


async def take_back_attempt(conn: Connection, digests: Sequence[bytes]) -> None:
    """One attempt under these names has not failed after all."""
    for digest in sorted(digests):
        await conn.execute("update sign_in_attempt set failures = greatest(failures - 1, 0) where digest = $1", digest)


async def start_anew(conn: Connection, digest: bytes, at: datetime) -> None:
    """Under this name somebody has got in: nothing counts against it any more."""
    await conn.execute("update sign_in_attempt set failures = 0, good_at = $2 where digest = $1", digest, at)
