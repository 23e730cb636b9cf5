"""The composition of the HTTP application: layers, routers, error answers.

Owns the list of routers. A router module exports ``router``; a page family that is not listed here does not exist.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module

from fastapi import Depends, FastAPI
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Scope, Send

from console.api.asking import asked_well
from console.http import problems
from console.http.guard import Forms, Guard
from console.http.identity import Identify, identify
from console.http.office import Office
from console.http.pace import Pace, paced
from console.http.rendering import STATIC, static_digest
from console.http.site import Site
from console.http.tally import Tally
from runtime.begin import uncollected
from runtime.metrics import OFF, Metrics
from runtime.tracing import UNTRACED, Tracing

API = ("cases", "commands", "tasks", "wishes", "feed", "stats", "files", "reporters", "security", "me", "document")
"""The modules of ``console.api``, each under ``/api/v1``."""

PAGES = (
    "cases",
    "workbench",
    "supervise",
    "search",
    "dispatch",
    "register",
    "notices",
    "preferences",
    "signing_in",
    "identity_provider",
    "wishes",
    "files",
    "stats",
    "ledger",
    "board",
    "tracking",
    "personal",
    "codec",
    "accounts",
    "registry",
    "rules",
    "calendar",
    "security",
    "health",
)
"""The modules of ``console.pages``."""

_FORM_FIELDS, _FORM_FILES, _FORM_PART = 300, 30, 256 * 1024


class _Immutable(StaticFiles):
    """Static files under an address that changes with their content: kept by browsers for a year."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def kept(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 304):
                message["headers"].append((b"cache-control", b"public, max-age=31536000, immutable"))
            await send(message)

        await super().__call__(scope, receive, kept)


def make_app(
    office: Office,
    site: Site,
    *,
    lifespan: AbstractAsyncContextManager[None] | None = None,
    identify: Identify = identify,
    metrics: Metrics = OFF,
    tracing: Tracing = UNTRACED,
) -> FastAPI:
    """The application for ``office``, reached at ``site``; ``lifespan`` is held open while it serves.

    ``metrics`` is where answers are counted, ``tracing`` what stands around each request.
    """

    @asynccontextmanager
    async def living(_app: FastAPI) -> AsyncIterator[None]:
        if lifespan is None:
            yield
        else:
            async with lifespan:
                yield

    app = FastAPI(
        title="Bihuan 闭环",
        version="1",
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        lifespan=living,
        redirect_slashes=False,
        max_body_size=office.settings.body_limit,
        form_limits={"max_fields": _FORM_FIELDS, "max_files": _FORM_FILES, "max_part_size": _FORM_PART},
        telemetry={"tracing": False, "metrics": False},
    )
    app.state.office, app.state.site, app.state.identify = office, site, identify
    app.state.pace = Pace(office.settings.api_rate)
    app.state.forms = Forms(office.key.derive("forms"), site)
    problems.install(app)
    app.mount(f"/static/{static_digest()}", _Immutable(directory=STATIC), name="static")
    # Routes are tried in this order: pages before programs, and what is asked all day first.
    with uncollected():
        for name in PAGES:
            app.include_router(import_module(f"console.pages.{name}").router, include_in_schema=False)
        for name in API:
            router = import_module(f"console.api.{name}").router
            app.include_router(router, prefix="/api/v1", dependencies=[Depends(paced), Depends(asked_well)])
    # The last tenth of the size would cost more time than a query.
    app.add_middleware(GZipMiddleware, minimum_size=1000, compresslevel=3)
    app.add_middleware(
        Guard,
        site=site,
        mistake=problems.mistake,
        tally=Tally(metrics),
        tracing=tracing,
        leaving=lambda: office.leaving,
    )
    return app
