"""How the doors say no: problem+json for programs, a page for people, one table from codes to HTTP.

Owns the table and the handlers. A mistake of ours gets a number; what went wrong is logged under it without values.
"""

import json
import traceback
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import compile_path

from console.http.office import office_of
from console.http.refusing import note
from console.http.rendering import page
from console.output import language
from domain.errors import Refusal, Refused
from domain.parsing import expected
from runtime.logging import get_logger
from runtime.pool import AWAY

log = get_logger(__name__)

API = "/api/"

_EXACT: Mapping[str, int] = {
    "access.signed_out": 401,
    "access.wrong_credentials": 401,
    "access.token_invalid": 401,
    "access.denied": 403,
    "access.out_of_reach": 403,
    "access.disabled": 403,
    "access.must_change_password": 403,
    "access.slow_down": 429,
    "access.no_account": 403,
    "access.provider_failed": 403,
    "access.provider_missing": 404,
    "access.unknown_account": 404,
    "access.no_such_session": 404,
    "access.no_such_token": 404,
    "actor.role_not_held": 403,
    "actor.wrong_role": 403,
    "actor.wrong_organisation": 403,
    "actor.wrong_grid": 403,
    "case.unknown": 404,
    "wish.unknown": 404,
    "file.unknown": 404,
    "file.missing": 500,
    "file.spoilt": 500,
    "file.store_away": 503,
    "ledger.disk_full": 503,
    "task.unknown": 404,
    "command.unknown": 404,
    "request.not_found": 404,
    "request.method": 405,
    "request.forged": 403,
    "request.unreadable": 400,
    "request.not_json": 415,
    "json.malformed": 400,
    "json.too_deep": 400,
    "case.not_yet": 404,
    "request.too_large": 413,
    "request.too_many": 429,
    "request.mistake": 500,
    "command.reused": 409,
    "register.sent_before": 409,
    "command.pending": 202,
    "command.failed": 500,
    "board.link_invalid": 403,
    "stats.unknown_measure": 404,
    "board.too_many": 503,
    "tracking.no_match": 404,
    "draft.unknown": 404,
    "adoption.unknown": 404,
    "tracking.slow_down": 429,
    "sign.slow_down": 429,
    "sign.unconfirmed": 403,
    "sign.wrong_password": 403,
    "sign.no_password": 403,
    "tracking.ended": 401,
    "postgres.unreachable": 503,
    "temporal.unreachable": 503,
    "instance.not_running": 503,
    "vault.key_missing": 503,
    "vault.wrong_key": 503,
    "key_file.open": 503,
    "audit.key_missing": 503,
    "dossier.not_over": 409,
    "dossier.log_changed": 500,
    "payload.wrong_key": 503,
}
_BY_STATE = (
    *("case.", "wish.", "task.", "sign.", "extension.", "suspend.", "resume.", "shelve.", "unshelve.", "supervise."),
    *("return.", "visit.", "dispatch.", "helper.", "question.", "strike_off.", "rules.none", "hand_over."),
)


# A connection that does not come about in time is one that is away; TimeoutError is an OSError too. A missing file is
# an operating system's error as well, but no server that is away.
_AWAY: tuple[type[Exception], ...] = (ConnectionError, TimeoutError, *(kind for kind in AWAY if kind is not OSError))


def status_of(refusal: Refusal) -> int:
    """The HTTP status of a refusal: 409 for what the state of the matter refuses, 422 for what a value does."""
    if refusal.code in _EXACT:
        return _EXACT[refusal.code]
    return 409 if refusal.code.startswith(_BY_STATE) and refusal.field is None else 422


def as_json(refusal: Refusal) -> dict[str, Any]:
    """The members of a problem; title and detail in the language of the reader."""
    english = language() == "en"
    return {
        "type": f"urn:bihuan:problem:{refusal.code}",
        "title": refusal.message_en if english else refusal.message,
        "status": status_of(refusal),
        "detail": refusal.remedy_en if english else refusal.remedy,
        **refusal.model_dump(mode="json"),
    }


def problem(refusal: Refusal, *, headers: Mapping[str, str] | None = None) -> Response:
    """The refusal as ``application/problem+json`` (RFC 9457), sentences in both languages."""
    body = as_json(refusal)
    status = body["status"]
    # A field may be named by half a character: whatever cannot be written is replaced.
    written = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
    return Response(written, status, dict(headers or {}), media_type="application/problem+json")


def wants_page(request: Request) -> bool:
    """Whether a person reads the answer."""
    return not request.url.path.startswith(API)


def answer_refusal(request: Request, refused: Refused) -> Response:
    """The answer to a refused request: a page, or a problem."""
    refusal = refused.refusal
    note(request, refusal)
    seconds = refusal.params.get("seconds")
    headers = {"Retry-After": seconds} if seconds else {}
    if not wants_page(request):
        if refusal.code in ("access.signed_out", "access.token_invalid"):
            headers["WWW-Authenticate"] = "Bearer"
        return problem(refusal, headers=headers)
    if refusal.code == "access.must_change_password" and request.method == "GET":
        return RedirectResponse("/account/password", 303)
    if refusal.code == "access.signed_out" and request.method == "GET" and "hx-request" not in request.headers:
        there = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?next={quote(there, safe='')}", 303)
    answer = page(request, "error.html", refusal=refusal, back=_written_on(request), status=status_of(refusal))
    answer.headers.update(headers)
    return answer


def _written_on(request: Request) -> str:
    """The page to come back to after signing in: the one asked for, or the one a form was written on."""
    if request.method == "GET":
        return request.url.path + (f"?{request.url.query}" if request.url.query else "")
    referer = urlsplit(request.headers.get("referer", ""))
    if referer.netloc not in (request.app.state.site.host, request.headers.get("host")):
        return "/"
    return (referer.path or "/") + (f"?{referer.query}" if referer.query else "")


def mistake(request: Request, error: Exception) -> Response:
    """The answer to what nobody expected; it is logged under the number the person is told.

    A server that is away is expected, wherever it is noticed.
    """
    if isinstance(error, _AWAY):
        log.warning("server_away", kind=type(error).__name__)
        return answer_refusal(request, Refused("postgres.unreachable"))
    number = uuid.uuid4().hex[:8]
    # Where it happened and of what kind, never the values: those may be a resident's.
    where = [entry.strip().splitlines()[0] for entry in traceback.format_tb(error.__traceback__)]
    route = getattr(request.scope.get("route"), "path", "-")
    log.error("request_failed", number=number, kind=type(error).__qualname__, route=route, where=where[-12:])
    refused = Refused("request.mistake", number=number)
    try:
        return answer_refusal(request, refused)
    except Exception:  # noqa: BLE001 - the page that tells of mistakes may be the mistake
        return PlainTextResponse(refused.refusal.sentence(language()), 500)


def _methods_at(request: Request) -> list[str]:
    """What the address takes: each method has a route of its own, and the first one knows only itself."""
    found: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        path = str(route.path or "")
        if route.methods and compile_path(path)[0].fullmatch(request.url.path):
            found |= route.methods
    return sorted(found)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    codes = {404: "request.not_found", 405: "request.method"}
    if error.status_code == 413:
        most = office_of(request).settings.body_limit
        return answer_refusal(request, Refused("request.too_large", limit=f"{most // 1024} KiB"))
    answer = answer_refusal(request, Refused(codes.get(error.status_code, "request.unreadable")))
    answer.headers.update(error.headers or {})
    if error.status_code == 405:
        answer.headers["Allow"] = ", ".join(_methods_at(request))
    return answer


async def _unreadable(request: Request, _error: Exception) -> Response:
    """A character no text can hold (NUL), in an address or a field that is only looked up."""
    return answer_refusal(request, Refused("request.unreadable"))


def install(app: FastAPI) -> None:
    """Make every way to fail end in one of these answers."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return answer_refusal(request, error)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:]) or str(first["loc"][0])
        if first["type"] == "json_invalid":
            return answer_refusal(request, Refused("json.malformed", line=1, column=first["loc"][-1]))
        if first["type"] == "missing":
            return answer_refusal(request, Refused("field.missing", field=field))
        if first["type"] == "extra_forbidden":
            return answer_refusal(request, Refused("field.unknown", field=field))
        zh, en = expected({name: value for name, value in first.items() if name != "input"})
        return answer_refusal(request, Refused("field.invalid", field=field, reason=zh, reason_en=en))

    async def away(request: Request, error: Exception) -> Response:
        log.warning("server_away", kind=type(error).__name__)
        full = isinstance(error, asyncpg.DiskFullError)
        return answer_refusal(request, Refused("ledger.disk_full" if full else "postgres.unreachable"))

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(asyncpg.CharacterNotInRepertoireError, _unreadable)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, _http)
    for kind in _AWAY:
        app.add_exception_handler(kind, away)
