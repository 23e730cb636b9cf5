"""Everything of signing in under one roof, as the doors use it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from console.access.accounts import Accounts
from console.access.passwords import Hashing, PasswordPolicy, Passwords
from console.access.sessions import SessionPolicy, Sessions, utc_now
from console.access.throttle import Paces, Throttle
from console.access.tokens import Tokens
from runtime.settings import Settings


@dataclass(frozen=True)
class Access:
    """Accounts, sessions and tokens of one ledger, by one clock."""

    accounts: Accounts
    sessions: Sessions
    tokens: Tokens
    password_policy: PasswordPolicy
    session_policy: SessionPolicy

    @classmethod
    def open(
        cls,
        pool: asyncpg.Pool,
        settings: Settings | None = None,
        *,
        clock: Callable[[], datetime] = utc_now,
        hashing: Hashing | None = None,
        paces: Paces | None = None,
    ) -> "Access":
        """On the ledger of the pool, as the settings say. Tests give another clock, a quicker hash, other paces."""
        chosen = settings or Settings()
        passwords = Passwords(hashing)
        password_policy = PasswordPolicy(profile=chosen.password_profile, shortest=chosen.password_shortest)
        session_policy = SessionPolicy(idle=chosen.session_idle, absolute=chosen.session_absolute)
        sessions = Sessions(
            pool,
            passwords,
            Throttle(paces),
            policy=session_policy,
            password_policy=password_policy,
            clock=clock,
        )
        return cls(
            accounts=Accounts(pool, passwords, clock),
            sessions=sessions,
            tokens=Tokens(pool, clock),
            password_policy=password_policy,
            session_policy=session_policy,
        )
