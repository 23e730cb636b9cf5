"""What every request passes before any route sees it, and what every answer carries.

Owns security headers, the language of the reader, forged requests, the access log, the number of each request, and that
refusals of rights are on record before they are answered. Must not know rights or routes.
Forgery: a browser that says where a request comes from (``Sec-Fetch-Site``, ``Origin``) must say "from here", and every
form carries a token bound to a cookie, for the browsers of plain-http intranets say neither.
"""

import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from starlette.datastructures import FormData, Headers, MutableHeaders
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from console.http.refusing import STATUSES, put_on_record
from console.http.site import Site
from console.http.tally import Tally
from console.output import speaking
from domain.errors import Refused
from ledger.whence import Whence, coming_from, network_of
from runtime.logging import get_logger
from runtime.metrics import OFF
from runtime.tracing import UNTRACED, Answered, Tracing

log = get_logger(__name__)

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
CSRF_COOKIE, LANGUAGE_COOKIE, SIZE_COOKIE = "csrf", "lang", "size"
CSRF_FIELD, CSRF_HEADER = "_csrf", "x-csrf-token"
_TOKEN_BYTES = 16
_REQUEST_BYTES = 8
_GONE = 499
"""The status under which the log shows a request whose sender went away; nobody is ever sent it."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""What a page may load and do: nothing inline, nothing from elsewhere."""

_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


Mistake = Callable[[Request, Exception], Response]
"""Writes down what nobody expected and makes the answer to it."""


class Guard:
    """The outermost layer of the application."""

    def __init__(
        self,
        app: ASGIApp,
        site: Site,
        mistake: Mistake,
        tally: Tally | None = None,
        tracing: Tracing = UNTRACED,
        leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        self._app, self._site, self._mistake = app, site, mistake
        self._tally, self._tracing, self._leaving = tally or Tally(OFF), tracing, leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        number = secrets.token_hex(_REQUEST_BYTES)
        with (
            speaking(_language(HTTPConnection(scope))),
            coming_from(lambda: _whence(scope)),
            bound_contextvars(request_id=number),
            self._tracing.request(scope["method"]) as answered,
        ):
            await self._serve(scope, receive, send, number, answered)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, number: str, answered: Answered) -> None:
        began, status, unrecorded = time.perf_counter(), 0, False
        counted = self._tally.begin(scope)

        async def headed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                counted.answered(status)
                self._head(MutableHeaders(scope=message), number)
            await send(message)

        async def guarded(message: Message) -> None:
            nonlocal unrecorded
            if message["type"] == "http.response.start" and message["status"] in STATUSES:
                try:
                    await put_on_record(scope)
                except Exception as error:  # noqa: BLE001 - whatever it was: without its line nothing is answered
                    unrecorded = True
                    await self._mistake(Request(scope), error)(scope, receive, headed)
            if not unrecorded:
                await headed(message)

        try:
            await self._app(scope, receive, guarded)
        except ClientDisconnect:
            # Whoever asked has gone in the middle of a word: no mistake of ours, and nobody to answer.
            status = status or _GONE
        except Exception as error:  # noqa: BLE001 - the last place where an answer can be given
            answer = self._mistake(Request(scope), error)
            if not status:
                await answer(scope, receive, headed)
        finally:
            # The route, not the path: a path may hold what somebody typed.
            route = _route(scope)
            answered(route, status)
            took = round((time.perf_counter() - began) * 1000)
            log.info("request_answered", method=scope["method"], route=route, status=status, ms=took)

    def _head(self, headers: MutableHeaders, number: str) -> None:
        headers["X-Request-Id"] = number
        for name, value in _HEADERS.items():
            headers.setdefault(name, value)
        if self._site.secure:
            headers.setdefault("Strict-Transport-Security", "max-age=31536000")
        if self._leaving():
            # Whoever asks next opens a connection anew, and to another console.
            headers["Connection"] = "close"


_API = "/api/v1"


def _route(scope: Scope) -> str:
    """The template of the address; the framework tells it as the router has it, without what all of the API share."""
    route = str(getattr(scope.get("route"), "path", "-"))
    return _API + route if route != "-" and scope["path"].startswith(f"{_API}/") else route


def _whence(scope: Scope) -> Whence:
    client = scope.get("client")
    return Whence(place=f"{scope['method']} {_route(scope)}", source=network_of(client[0] if client else ""))


def _language(request: HTTPConnection) -> str | None:
    """What the reader chose on a page; a program says it by ``Accept-Language``."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in ("zh", "en"):
        return chosen
    if request.url.path.startswith("/api/"):
        return "en" if request.headers.get("accept-language", "").lower().startswith("en") else None
    return None


class Forms:
    """Makes and checks the tokens of forms.

    A token is bound to the anonymous cookie of the browser and to the session, so that neither a neighbour's cookie nor
    a token of another session will do; it differs on every page, so that compression tells nothing about it.
    """

    def __init__(self, key: bytes, site: Site) -> None:
        self._key, self._site = key, site

    def token(self, browser: str, session: str) -> str:
        """A token for a form shown to this browser in this session (empty when signed out)."""
        nonce = secrets.token_hex(_TOKEN_BYTES)
        return f"{nonce}.{self._seal(nonce, browser, session)}"

    def _seal(self, nonce: str, browser: str, session: str) -> str:
        content = "\n".join((nonce, browser, session)).encode()
        return hmac.digest(self._key, content, "sha256").hex()

    async def check(self, request: Request, session: str) -> None:
        """Let a request that changes something pass. Raises ``Refused`` ``request.forged``."""
        if request.method in SAFE:
            return
        if not self._comes_from_here(request.headers):
            raise Refused("request.forged")
        given = request.headers.get(CSRF_HEADER) or await _field(request)
        browser = request.cookies.get(self._site.cookie(CSRF_COOKIE), "")
        nonce, _, seal = given.partition(".")
        if not browser or not hmac.compare_digest(seal, self._seal(nonce, browser, session)):
            raise Refused("request.forged")

    def _comes_from_here(self, headers: Headers) -> bool:
        fetched_by = headers.get("sec-fetch-site")
        if fetched_by is not None:
            return fetched_by in ("same-origin", "none")
        origin = headers.get("origin")
        # A page reached under another name of this machine is still a page of ours: its own Host says so.
        return origin is None or urlsplit(origin).netloc in (self._site.host, headers.get("host"))


async def _field(request: Request) -> str:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in ("application/x-www-form-urlencoded", "multipart/form-data"):
        return ""
    form: FormData = await request.form()
    value = form.get(CSRF_FIELD)
    return value if isinstance(value, str) else ""
