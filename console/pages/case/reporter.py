"""Who reported a case, as far as those who handle it need to know: masked.

Owns the masks. What the vault holds leaves this module masked only, and reaches nothing but the page.
"""

from console.http.caller import Caller
from console.pages.case.opened import Opened
from console.personal import Reporter, reporter_in_full
from domain.rights import Permission
from ledger.log import Connection

_SHOWN = 3, 4
_SHORT = 7


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


def masked(found: Reporter) -> Reporter:
    """As much of the reporter as a page may show without a reason."""
    return Reporter(masked_name(found.name), masked_phone(found.phone), erased=found.erased)


async def reporter_of(caller: Caller, conn: Connection, case: Opened) -> Reporter | None:
    """The reporter of a case to those who may know; None for everybody else and where nobody was named."""
    if case.registered.reporter is None or not caller.reach(Permission.CASE_REPORTER).covers(case.row):
        return None
    return masked(await reporter_in_full(conn, caller.office.vault, case.stream))
