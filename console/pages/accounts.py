"""Accounts, for administrators: who may sign in, one-time passwords, keeping somebody out.

A one-time password is shown once, in the answer to the form that made it, and never in an address.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.http.caller import Caller, may
from console.http.office import office_of
from console.http.problems import status_of
from console.http.rendering import page
from console.pages.signing_in import role_line
from domain.errors import Refused
from domain.rights import Permission
from ledger.access import AccountRow

router = APIRouter(prefix="/accounts")

_Manages = Annotated[Caller, may(Permission.ACCOUNT_MANAGE)]
_Login = Annotated[str, Form(max_length=200)]
_PAGE, _OFFERED = 50, 1000


def _names(caller: Caller, account: AccountRow) -> dict[str, Any]:
    person = caller.registry.person(account.person)
    held = caller.registry.assignments_of(account.person, caller.today)
    return {
        "account": account,
        "name": person.name if person else None,
        "roles": [role_line(each, caller.registry) for each in held],
    }


async def _list(
    request: Request,
    caller: Caller,
    *,
    disabled: bool = False,
    cursor: str | None = None,
    refused: Refused | None = None,
    person: str = "",
    login: str = "",
) -> Response:
    rows, after = await office_of(request).access.accounts.list(disabled=disabled, limit=_PAGE, after=cursor)
    query = "disabled=yes&" if disabled else ""
    people = [each for each in caller.registry.persons if each.valid(caller.today)][:_OFFERED]
    return page(
        request,
        "accounts/list.html",
        caller=caller,
        rows=[_names(caller, each) for each in rows],
        disabled=disabled,
        onward=f"/accounts?{query}cursor={after}" if after else None,
        first=f"/accounts?{query}".rstrip("?&") if cursor else None,
        people=people,
        person=person,
        login=login,
        refusal=refused.refusal if refused else None,
        status=status_of(refused.refusal) if refused else 200,
    )


@router.get("")
async def accounts(
    request: Request,
    caller: _Manages,
    disabled: Annotated[bool, Query()] = False,
    cursor: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """All accounts in pages, those in force or the disabled ones."""
    return await _list(request, caller, disabled=disabled, cursor=cursor)


@router.post("")
async def add(
    request: Request,
    caller: _Manages,
    person: _Login = "",
    login: _Login = "",
    administrator: Annotated[bool, Form()] = False,
) -> Response:
    """Add an account for a person of the registry and show its one-time password, this once."""
    code = person.strip()
    try:
        if not administrator and caller.registry.person(code, caller.today) is None:
            raise Refused("person.unknown", field="person", person=code[:64])
        made = await office_of(request).access.accounts.add(
            code, by=caller.person, login=login.strip() or None, is_administrator=administrator
        )
    except Refused as refused:
        return await _list(request, caller, refused=refused, person=person, login=login)
    return page(request, "accounts/password.html", caller=caller, made=made, **_names(caller, made.account))


@router.post("/reset")
async def reset(request: Request, caller: _Manages, login: _Login = "") -> Response:
    """Give an account a one-time password and show it, this once; its sessions end, its tokens are revoked."""
    made = await office_of(request).access.accounts.reset(login, by=caller.person)
    return page(request, "accounts/password.html", caller=caller, made=made, **_names(caller, made.account))


@router.post("/sign-out")
async def sign_out(request: Request, caller: _Manages, login: _Login = "") -> Response:
    """End all sessions of an account, which may sign in again."""
    await office_of(request).access.accounts.end_sessions(login, by=caller.person)
    return RedirectResponse("/accounts", 303)


@router.post("/disable")
async def disable(request: Request, caller: _Manages, login: _Login = "") -> Response:
    """Keep an account out at once."""
    try:
        await office_of(request).access.accounts.disable(login, by=caller.person)
    except Refused as refused:
        return await _list(request, caller, refused=refused)
    return RedirectResponse("/accounts", 303)


@router.post("/enable")
async def enable(request: Request, caller: _Manages, login: _Login = "") -> Response:
    """Let an account in again."""
    await office_of(request).access.accounts.enable(login, by=caller.person)
    return RedirectResponse("/accounts?disabled=yes", 303)
