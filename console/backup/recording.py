"""What happens to backups, as the security log tells it: who, how many rows, the digest of the file.

Owns the form of those lines. The account of the machine is no person: who makes a backup says so, as at every command.
"""

from console.backup.archive import Manifest
from ledger.log import Connection
from ledger.security import Kind, record


async def record_backup(
    conn: Connection,
    kind: Kind,
    name: str,
    manifest: Manifest,
    sha256: str,
    *,
    by: str,
    code: str | None = None,
    findings: int = 0,
) -> None:
    """Write the line of a backup file ``name`` with this SHA-256; refused with a ``code`` or with ``findings``."""
    await record(
        conn,
        kind,
        actor=by,
        subject=name,
        outcome="refused" if code or findings else "ok",
        detail={
            "rows": manifest.rows,
            "files": manifest.files.kept,
            "hash": sha256,
            **({"code": code} if code else {}),
            **({"findings": findings} if findings else {}),
        },
    )
