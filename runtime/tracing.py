"""Traces for OpenTelemetry, when a collector is set.

Owns the switch. Off by default: then nothing of OpenTelemetry is used and nothing is sent anywhere. What is traced, and
what of it is sent, is ``runtime.spans``'.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass

from temporalio.client import Interceptor

from domain.errors import Refused
from runtime.logging import get_logger
from runtime.settings import Settings

_log = get_logger(__name__)

_FAREWELL = 4.0
"""Seconds in which the last spans may still be sent when the process ends."""

Answered = Callable[[str, int], None]
"""Hears the route and the status of an answer."""


def _nobody_hears(_route: str, _status: int) -> None:
    return None


@dataclass(frozen=True)
class Tracing:
    """``interceptors`` go into the plugin of the client, ``request`` stands around each request of a door."""

    interceptors: Sequence[Interceptor] = ()
    request: Callable[[str], AbstractContextManager[Answered]] = lambda _method: nullcontext(_nobody_hears)


UNTRACED = Tracing()


@asynccontextmanager
async def tracing(settings: Settings, service: str) -> AsyncIterator[Tracing]:
    """Trace what this process does for as long as this is open, if a collector is set.

    A collector that is away costs nothing but its spans. Raises ``Refused`` ``tracing.extra_missing``.
    """
    if settings.tracing_endpoint is None:
        yield UNTRACED
        return
    try:
        from runtime.spans import Spans
    except ImportError as error:
        raise Refused("tracing.extra_missing") from error
    spans = Spans(settings.tracing_endpoint, service)
    _log.info("tracing_started")
    try:
        yield Tracing(spans.interceptors, spans.request)
    finally:
        try:
            await asyncio.wait_for(asyncio.to_thread(spans.close), _FAREWELL)
        except TimeoutError:
            _log.warning("spans_lost")
