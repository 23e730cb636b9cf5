"""Who reported a case, as far as those who handle it need to know: masked.

Owns the masks. What the vault holds leaves this module masked only, and reaches nothing but the page.
"""

from typing import NamedTuple

from console.http.caller import Caller
from console.pages.case.opened import Opened
from domain.rights import Permission
from ledger.log import Connection
from ledger.vault import EntryErased

_SHOWN = 3, 4
_SHORT = 7


class Reporter(NamedTuple):
    """The reporter, masked; ``erased`` when what was kept has been destroyed."""

    name: str = ""
    phone: str = ""
    erased: bool = False


def masked_name(name: str) -> str:
    """The first letter of a name and as many stars as leave its length untold: ``王**``."""
    return f"{name[:1]}**" if name else ""


def masked_phone(phone: str) -> str:
    """The beginning and the last four of a number, as people check it by: ``138****5678``; of short ones less."""
    digits = "".join(letter for letter in phone if letter.isalnum())
    if not digits:
        return ""
    if len(digits) < _SHORT + 2:
        return f"****{digits[-2:]}"
    front, back = _SHOWN
    return f"{digits[:front]}****{digits[-back:]}"


async def reporter_of(caller: Caller, conn: Connection, case: Opened) -> Reporter | None:
    """The reporter of a case to those who may know; None for everybody else and where nobody was named."""
    if case.registered.reporter is None or not caller.reach(Permission.CASE_REPORTER).covers(case.row):
        return None
    vault = caller.office.vault
    try:
        name = await vault.read(conn, case.stream, "reporter_name")
        phone = await vault.read(conn, case.stream, "reporter_phone")
    except EntryErased:
        return Reporter(erased=True)
    return Reporter(masked_name(name or ""), masked_phone(phone or ""))
