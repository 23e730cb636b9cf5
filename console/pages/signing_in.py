"""Signing in and out, the own password, sessions and tokens.

Owns the session cookie. Secrets are shown once, in the answer to the form that made them, and never in an address.
"""

from datetime import timedelta
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Form, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.access.devices import device_of
from console.access.identity import Identity
from console.access.sessions import NewSession
from console.access.tokens import GRANTABLE
from console.http.caller import Caller, may, public
from console.http.identity import SESSION_COOKIE, SignedIn
from console.http.office import office_of
from console.http.problems import status_of
from console.http.rendering import page
from console.pages.preferences import path_here
from domain.errors import Refused
from domain.people import ROLE_NAMES, Actor
from domain.registry import Assignment, Registry
from domain.rights import Permission

router = APIRouter()

_Next = Annotated[str, Query(max_length=2000)]
_NextField = Annotated[str, Form(max_length=2000)]
_Secret = Annotated[str, Form(max_length=1024)]
_WAY_IN = "whoever wants to sign in is signed out"
_DAYS = ("7", "30", "90", "180", "365")


def client_of(request: Request) -> str:
    """The address an attempt comes from; the server has already looked behind the proxies that are trusted."""
    return request.client.host if request.client else ""


def device(request: Request) -> str:
    """What the person will recognise this device by."""
    return device_of(request.headers.get("user-agent", ""))


def with_session(request: Request, answer: Response, begun: NewSession) -> Response:
    """The answer with the cookie of the session just begun; a page of ours cannot read it, nor can other sites send it
    along with a form of theirs."""
    site = request.app.state.site
    answer.set_cookie(
        site.cookie(SESSION_COOKIE), begun.token, secure=site.secure, httponly=True, samesite="lax", path="/"
    )
    return answer


async def end_present(request: Request) -> None:
    """End the session this browser has, if any: signing in never continues an old one."""
    cookie = request.cookies.get(request.app.state.site.cookie(SESSION_COOKIE))
    if cookie:
        await office_of(request).access.sessions.sign_out(cookie)


def after_sign_in(begun: NewSession, wanted: str) -> str:
    """Where to go now: to the page that was asked for, by way of a new password where one is due."""
    there = path_here(wanted)
    return f"/account/password?next={quote(there, safe='')}" if begun.identity.must_change else there


# --- in and out ---------------------------------------------------------------------------------------------------


def _form(request: Request, wanted: str, *, login: str = "", refused: Refused | None = None) -> Response:
    settings = office_of(request).settings
    return page(
        request,
        "signing_in/sign_in.html",
        next=path_here(wanted),
        login=login,
        provider=settings.oidc_name if settings.oidc_issuer else None,
        refusal=refused.refusal if refused else None,
        status=status_of(refused.refusal) if refused else 200,
    )


@router.get("/sign-in")
async def form(
    request: Request,
    caller: Annotated[Caller | None, public(_WAY_IN, of_nobody=True)],
    next: _Next = "/",  # noqa: A002
) -> Response:
    """The form to sign in; who is signed in goes on to where they wanted."""
    if caller is not None and caller.session is not None:
        return RedirectResponse(path_here(next), 303)
    return _form(request, next)


@router.post("/sign-in")
async def sign_in(
    request: Request,
    caller: Annotated[Caller | None, public(_WAY_IN, of_nobody=True)],
    login: Annotated[str, Form(max_length=200)] = "",
    password: _Secret = "",
    next: _NextField = "/",  # noqa: A002 - the word of the form
) -> Response:
    """Sign in and go on to the page that was asked for."""
    sessions = office_of(request).access.sessions
    try:
        begun = await sessions.sign_in(login, password, client_of(request), device=device(request))
    except Refused as refused:
        request.state.caller = None
        answer = _form(request, next, login=login, refused=refused)
        if "seconds" in refused.refusal.params:
            answer.headers["Retry-After"] = refused.refusal.params["seconds"]
        return answer
    await end_present(request)
    return with_session(request, RedirectResponse(after_sign_in(begun, next), 303), begun)


@router.post("/sign-out")
async def sign_out(
    request: Request, caller: Annotated[Caller | None, public("whoever is signed in may leave")]
) -> Response:
    """End the session and forget its cookie."""
    await end_present(request)
    site = request.app.state.site
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(site.cookie(SESSION_COOKIE), path="/", secure=site.secure, httponly=True, samesite="lax")
    return answer


# --- the password -------------------------------------------------------------------------------------------------

_Own = Annotated[Caller, may(Permission.OWN_ACCOUNT)]
_OwnBeforeChange = Annotated[Caller, may(Permission.OWN_ACCOUNT, before_change=True)]


def _signed_in(caller: Caller) -> SignedIn:
    """The session of the caller; what concerns sessions is for people, never for tokens."""
    if caller.session is None:
        raise Refused("access.signed_out")
    return caller.session


def _identity(caller: Caller) -> Identity:
    session = _signed_in(caller)
    return Identity(login=session.login, person=caller.person, session=UUID(session.id))


def _password_form(request: Request, caller: Caller, wanted: str, refused: Refused | None = None) -> Response:
    policy = office_of(request).access.password_policy
    return page(
        request,
        "signing_in/password.html",
        caller=caller,
        next=path_here(wanted, "/account"),
        policy=policy,
        must_change=_signed_in(caller).must_change,
        login=_signed_in(caller).login,
        refusal=refused.refusal if refused else None,
        status=422 if refused else 200,
    )


@router.get("/account/password")
async def password_form(request: Request, caller: _OwnBeforeChange, next: _Next = "/account") -> Response:  # noqa: A002
    """The form for a new password."""
    return _password_form(request, caller, next)


@router.post("/account/password")
async def change_password(
    request: Request,
    caller: _OwnBeforeChange,
    old_password: _Secret = "",
    new_password: _Secret = "",
    again: _Secret = "",
    next: _NextField = "/account",  # noqa: A002 - the word of the form
) -> Response:
    """Take the new password; this session goes on under a new name, all others end."""
    access = office_of(request).access
    try:
        if new_password != again:
            raise Refused("access.passwords_differ", field="again")
        begun = await access.sessions.change_password(
            _identity(caller),
            old_password,
            new_password,
            client_of(request),
            words=_office_words(caller),
            device=device(request),
        )
    except Refused as refused:
        if refused.code == "access.signed_out":
            raise
        return _password_form(request, caller, next, refused)
    return with_session(request, RedirectResponse(path_here(next, "/account"), 303), begun)


def _office_words(caller: Caller) -> tuple[str, ...]:
    """What others would try for this person: their name, and the names of the units they work in."""
    places = [place for each in caller.holds for place in (each.organisation, each.grid) if place]
    return (caller.name, *(name for name in (place_name(place, caller.registry) for place in places) if name))


def place_name(code: str, registry: Registry) -> str:
    """What an organisation or a grid is called; its code where the registry does not know it."""
    found = registry.organisation(code) or registry.grid(code)
    return found.name if found else code


def role_line(actor: Actor | Assignment, registry: Registry) -> tuple[str, str, str]:
    """A role held: its name in both languages and the place it is held in."""
    place = actor.grid or actor.organisation
    zh, en = ROLE_NAMES[actor.role]
    return zh, en, place_name(place, registry) if place else ""


# --- the own account ----------------------------------------------------------------------------------------------


async def _account(
    request: Request, caller: Caller, *, cursor: UUID | None = None, refused: Refused | None = None, name: str = ""
) -> Response:
    access, session = office_of(request).access, _signed_in(caller)
    tokens, after = await access.tokens.own(session.login, limit=20, after=cursor)
    return page(
        request,
        "signing_in/account.html",
        caller=caller,
        person_name=caller.name,
        person_code=caller.person,
        login=session.login,
        roles=[role_line(each, caller.registry) for each in caller.holds],
        sessions=await access.sessions.own(_identity(caller)),
        present=session.id,
        tokens=tokens,
        onward=f"/account?cursor={after}" if after else None,
        grantable=[each for each in GRANTABLE if caller.may(each)],
        days=_DAYS,
        name=name,
        refusal=refused.refusal if refused else None,
        status=422 if refused else 200,
    )


@router.get("/account")
async def account(request: Request, caller: _Own, cursor: UUID | None = None) -> Response:
    """Who I am here: roles of today, where I am signed in, my tokens."""
    return await _account(request, caller, cursor=cursor)


@router.post("/account/sessions/{session}/end")
async def end_session(request: Request, caller: _Own, session: UUID) -> Response:
    """End one of the own sessions."""
    own = _signed_in(caller)
    sessions = office_of(request).access.sessions
    if str(session) == own.id:
        return await sign_out(request, caller)
    await sessions.end(_identity(caller), session)
    return RedirectResponse("/account", 303)


@router.post("/account/sessions/end-others")
async def end_others(request: Request, caller: _Own) -> Response:
    """End all own sessions but this one."""
    await office_of(request).access.sessions.end_others(_identity(caller))
    return RedirectResponse("/account", 303)


@router.post("/account/tokens")
async def issue_token(
    request: Request,
    caller: _Own,
    name: Annotated[str, Form(max_length=200)] = "",
    permissions: Annotated[list[str], Form(max_length=60)] = [],  # noqa: B006 - FastAPI copies it
    days: Annotated[int, Form(ge=1, le=366)] = 90,
) -> Response:
    """Make a token and show it, this once."""
    own = _signed_in(caller)
    try:
        made = await office_of(request).access.tokens.issue(
            own.login, name=name, permissions=permissions, lasts=timedelta(days=days), by=caller.person
        )
    except Refused as refused:
        return await _account(request, caller, refused=refused, name=name)
    return page(request, "signing_in/token.html", caller=caller, made=made)


@router.post("/account/tokens/{token}/revoke")
async def revoke_token(request: Request, caller: _Own, token: UUID) -> Response:
    """Revoke one of the own tokens."""
    own = _signed_in(caller)
    await office_of(request).access.tokens.revoke(own.login, token, by=caller.person)
    return RedirectResponse("/account", 303)
