"""What a reader chooses for this device: language and size of the print."""

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.http.caller import Caller, public
from console.http.guard import LANGUAGE_COOKIE, SIZE_COOKIE

router = APIRouter()

_YEAR = 365 * 24 * 3600
_CHOICES = {LANGUAGE_COOKIE: ("zh", "en"), SIZE_COOKIE: ("100", "125", "150")}


def path_here(given: str | None, default: str = "/") -> str:
    """``given`` when it is a path of this site, else ``default``: nobody is led elsewhere by an address of ours."""
    if not given or not given.startswith("/") or given.startswith(("//", "/\\")) or "\\" in given:
        return default
    parts = urlsplit(given)
    return default if parts.scheme or parts.netloc or any(ord(letter) < 32 for letter in given) else given


@router.post("/preferences")
async def choose(
    request: Request,
    caller: Annotated[Caller | None, public("how a page is shown is nobody's secret")],
    lang: Annotated[str | None, Form(max_length=8)] = None,
    size: Annotated[str | None, Form(max_length=8)] = None,
    next: Annotated[str, Form(max_length=2000)] = "/",  # noqa: A002 - the word of the form
) -> Response:
    """Keep the choice for a year and go back to where the reader was."""
    answer = RedirectResponse(path_here(next), 303)
    site = request.app.state.site
    for name, value in ((LANGUAGE_COOKIE, lang), (SIZE_COOKIE, size)):
        if value in _CHOICES[name]:
            answer.set_cookie(name, value, max_age=_YEAR, secure=site.secure, httponly=True, samesite="lax")
    return answer
