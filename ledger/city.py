"""What an invented city needs of the ledger besides rows: is it still untouched, and the words its search finds.

Owns these questions only; ``ledger.loading`` brings the rows in.
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


async def fill_search(conn: Connection) -> None:
    """Write the words of all cases as the trigger does that stood aside while their rows came."""
    await conn.execute(
        """
        insert into case_text (id, registered_at, plain)
        select id, registered_at, cjk_plain(coalesce(title, '')) || ' ' || cjk_plain(coalesce(text, '')) from case_row
        """
    )
