"""What an invented city needs of the ledger besides rows: whether it is still untouched.

Owns this question only; ``ledger.loading`` brings the rows in.
"""

from ledger.log import Connection

_TOUCHED = ("event", "command", "vault_entry", "file")


async def is_untouched(conn: Connection, but: str) -> bool:
    """Whether nothing has happened in the ledger yet: no act, nothing of a resident, no file, no registry.

    A registry loaded by ``but`` does not count: it is what an interrupted attempt has left.
    """
    if await conn.fetchval("select exists (select from registry_revision where loaded_by <> $1)", but):
        return False
    for name in _TOUCHED:
        if await conn.fetchval(f"select exists (select from {name})"):
            return False
    return True
