"""How visitors of the demo sign in: one account and one token for each role of the invented street.

Owns the choice of the people. Their passwords are random and made anew for each demo.
"""

from datetime import UTC, datetime, timedelta

import asyncpg

from console.access.door import Access
from console.access.passwords import Passwords, argon2, one_time_password
from console.access.tokens import GRANTABLE
from domain.base import Frozen
from domain.people import Role
from domain.registry import Registry
from domain.rights import MATRIX
from domain.zone import office_day
from ledger.access import set_password

_PREFERRED = {Role.GRID_WORKER: "G01-1", Role.GRID_HEAD: "G01-3", Role.VANGUARD_CAPTAIN: "G01-4"}
_LASTS = timedelta(days=7)
_NOT_STAFF = (Role.RESIDENT, Role.SYSTEM)


class Login(Frozen):
    """One way to sign in; the token is for programs."""

    role: Role
    user: str
    name: str
    password: str
    token: str


async def give_logins(pool: asyncpg.Pool, access: Access, registry: Registry) -> tuple[Login, ...]:
    """An account for one person of each role that the street has."""
    # The accounts live as long as the demo: a lighter hash spares a visitor some seconds of waiting.
    passwords = Passwords(argon2(time_cost=1, memory_cost=8 * 1024, parallelism=1))
    return tuple(
        [
            await _login(pool, access, passwords, registry, role)
            for role in Role
            if role not in _NOT_STAFF and registry.people_with(role, at=office_day(datetime.now(UTC)))
        ]
    )


async def _login(pool: asyncpg.Pool, access: Access, passwords: Passwords, registry: Registry, role: Role) -> Login:
    people = registry.people_with(role, at=office_day(datetime.now(UTC)))
    person = next((each for each in people if each.id == _PREFERRED.get(role)), people[0])
    account = (await access.accounts.add(person.id, by="demo", with_password=False)).account
    password = one_time_password()
    kept = await passwords.hash(password)
    async with pool.acquire() as conn:
        await set_password(conn, account.login, kept, must_change=False, by="demo", at=datetime.now(UTC))
    held = [each for each in GRANTABLE if MATRIX.grants(role, each)]
    token = await access.tokens.issue(account.login, name="demo", permissions=held, lasts=_LASTS, by="demo")
    return Login(role=role, user=account.login, name=person.name, password=password, token=token.token)
