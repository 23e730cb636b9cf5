"""Pages out of templates.

Owns the Jinja environment and what every template may call. Must not know any page. Templates escape everything and
refuse names they were not given.
"""

import hashlib
import secrets
import uuid
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from console import output, words
from console.http.compiling import Compiled, Writer
from console.http.guard import CSRF_COOKIE, CSRF_FIELD, SIZE_COOKIE
from console.http.refusing import STATUSES, note, noted_in

TEMPLATES = Path(__file__).parent.parent / "templates"
STATIC = Path(__file__).parent.parent / "static"
COMMAND_ID_FIELD = "_command_id"
LANGUAGES = ("zh", "en")
"""In the order in which both texts stand side by side."""
REFRESH_HEADER = "x-refresh"
"""By which a page that asks again by itself says so."""


@cache
def static_digest() -> str:
    """The digest of all static files: part of their address, so that a new release is never shown with old styles."""
    found = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            found.update(str(path.relative_to(STATIC)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:12]


def static(path: str) -> str:
    """The address of a static file."""
    return f"/static/{static_digest()}/{path}"


_SMALL = ("icon", "light", "stage", "urgency", "badge")
"""Pieces that depend on nothing but their few arguments."""
_SMALL_KEPT = 500
_FILTERS_KEPT = 100


def options_of(pairs: Iterable[Sequence[str]], chosen: object) -> Markup:
    """The options of a select; ``pairs`` are values and texts. Lists of hundreds of grids stand on many pages."""
    parts = _escaped(tuple((str(pair[0]), str(pair[1])) for pair in pairs))
    # Every part is escaped already.
    return Markup("\n".join([selected if value == chosen else plain for value, plain, selected in parts]))


@lru_cache(maxsize=200)
def _escaped(pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, Markup, Markup], ...]:
    """Each value with its option, as one of many and as the chosen one."""
    plain, selected = Markup('<option value="%s">%s</option>'), Markup('<option value="%s" selected>%s</option>')
    return tuple((value, plain % (value, text), selected % (value, text)) for value, text in pairs)


class _Saying(NodeTransformer):
    """Puts the one of two texts in the place of ``say("中文", "English")`` when a template is compiled.

    A page says hundreds of things; what is known beforehand is then part of the template and escaped once.
    """

    def __init__(self, language: str) -> None:
        self._language = language

    def visit_Call(self, node: nodes.Call, *args: Any, **kwargs: Any) -> nodes.Node:  # noqa: N802 - Jinja's name
        """The text, where both are written out; else the call as it stands."""
        self.generic_visit(node, *args, **kwargs)
        plain = isinstance(node.node, nodes.Name) and node.node.name == "say"
        if not plain or node.kwargs or node.dyn_args or node.dyn_kwargs or len(node.args) != len(LANGUAGES):
            return node
        texts = [each.value for each in node.args if isinstance(each, nodes.Const) and isinstance(each.value, str)]
        if len(texts) != len(LANGUAGES):
            return node
        return nodes.Const(texts[LANGUAGES.index(self._language)], lineno=node.lineno)


class _Environment(Environment):
    """The templates as readers of one language see them."""

    template_class = Compiled
    code_generator_class = Writer

    def __init__(self, language: str, **options: Any) -> None:
        super().__init__(**options)
        self._saying = _Saying(language)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        parsed = super()._parse(source, name, filename)
        self._saying.visit(parsed)
        return parsed


@cache
def environment(language: str = "zh") -> Environment:
    """The environment of all templates for readers of ``language``, who are spoken to in it."""
    made = _Environment(
        language,
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.globals.update(
        say=output.say,
        words=words,
        local=output.local,
        remaining=output.remaining,
        span=output.span,
        static=static,
        options_of=options_of,
    )
    pieces: Any = made.get_template("_macros.html").module
    for name in _SMALL:
        # The same few signs stand in every row of every list; made once, they are the same for everybody.
        setattr(pieces, name, lru_cache(maxsize=_SMALL_KEPT)(getattr(pieces, name)))
    lists: Any = made.get_template("lists/_rows.html").module
    lists.more = _kept_filters(lists.more)
    return made


def _kept_filters(more: Any) -> Any:
    """The filters of a list, made once for the same choices and answers: they are the larger half of a list."""
    kept = lru_cache(maxsize=_FILTERS_KEPT)(more)

    def filters(asked: Any, offered: Any, refusal: Any = None) -> Any:
        return kept(asked, offered) if refusal is None else more(asked, offered, refusal)

    return filters


def new_command_id() -> str:
    """An id for the command a form will send: the same form sent twice is one act."""
    return str(uuid.uuid4())


def _hidden(name: str, value: str) -> Markup:
    """A field nobody sees; every form of a list has two of them."""
    # Every part is escaped.
    return Markup("".join(('<input type="hidden" name="', name, '" value="', escape(value), '">')))


def page(request: Request, template: str, *, caller: Any = None, status: int = 200, **values: Any) -> HTMLResponse:
    """The page ``template`` with ``values``.

    Every template also knows ``caller`` (None when signed out), ``language``, ``path``, ``big`` (percent of the print,
    100 to 150), ``exposed`` (plain http beyond this machine), ``csrf_field()`` and ``command_id_field()``.
    A page that asks again by itself is told 304 when it would show the same.
    """
    if status in STATUSES and (told := noted_in(values)) is not None:
        note(request, told)
    caller = caller if caller is not None else getattr(request.state, "caller", None)
    site, forms = request.app.state.site, request.app.state.forms
    browser, fresh = _browser(request, site.cookie(CSRF_COOKIE))
    binding = caller.session.binding if caller is not None and caller.session is not None else ""

    fleeting: list[str] = []

    def csrf_token() -> str:
        token: str = forms.token(browser, binding)
        fleeting.append(token)
        return token

    def csrf_field() -> Markup:
        return _hidden(CSRF_FIELD, csrf_token())

    def command_id_field(given: str | None = None) -> Markup:
        value = given or new_command_id()
        fleeting.append(value)
        return _hidden(COMMAND_ID_FIELD, value)

    chosen = request.cookies.get(SIZE_COOKIE)
    content = (
        environment(output.language())
        .get_template(template)
        .render(
            caller=caller,
            language=output.language(),
            path=request.url.path,
            big=int(chosen) if chosen in ("125", "150") else 100,
            exposed=site.exposed,
            csrf_token=csrf_token,
            csrf_field=csrf_field,
            command_id_field=command_id_field,
            **values,
        )
    )
    answer = HTMLResponse(content, status)
    if status == HTTPStatus.OK and REFRESH_HEADER in request.headers:
        tag = answer.headers["etag"] = _tag(content, fleeting)
        if request.headers.get("if-none-match") == tag:
            return HTMLResponse(None, HTTPStatus.NOT_MODIFIED, {"etag": tag})
    if fresh:
        answer.set_cookie(
            site.cookie(CSRF_COOKIE), browser, secure=site.secure, httponly=True, samesite="lax", path="/"
        )
    return answer


def _tag(content: str, fleeting: list[str]) -> str:
    """What stays the same as long as the page shows the same; the tokens of its forms are others every time."""
    for value in fleeting:
        content = content.replace(value, "", 1)
    return f'"{hashlib.sha256(content.encode()).hexdigest()[:32]}"'


def _browser(request: Request, cookie: str) -> tuple[str, bool]:
    """The anonymous name of the browser that forms are bound to, and whether it is new."""
    known = request.cookies.get(cookie)
    if known:
        return known, False
    made: str | None = getattr(request.state, "browser", None)
    if made is None:
        made = request.state.browser = secrets.token_urlsafe(16)
    return made, True
