"""What the reverse proxy of ``deploy/proxy`` does with a request, as a transport of the clients.

Owns its choice of a console and its patience, read from the very Caddyfile: the least busy one that is not known to be
down, the next one where nobody listens, and never a second time what has reached a console. Must not be kinder than it.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import httpx

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0}


@dataclass(frozen=True)
class ProxyRules:
    """Seconds: how long a console is looked for and how often, how long one that is down is left alone, how long a
    connection may take to be made, and how long one is kept on which nothing is asked."""

    look_for: float
    look_every: float
    down_for: float
    dial_within: float
    keep: float

    @classmethod
    def read(cls, caddyfile: Path) -> Self:
        """What the file says. Raises ``LookupError`` when it leaves one of them to the program."""
        text = caddyfile.read_text("utf-8")
        names = ("lb_try_duration", "lb_try_interval", "fail_duration", "dial_timeout", "keepalive")
        return cls(*(_seconds(text, name) for name in names))


def _seconds(text: str, name: str) -> float:
    found = re.search(rf"^\s*{name} (\d+)(ms|s|m)$", text, re.M)
    if found is None:
        raise LookupError(name)
    return int(found[1]) * _UNITS[found[2]]


@dataclass
class _Upstream:
    address: str
    transport: httpx.AsyncHTTPTransport
    under_way: int = 0
    down_until: float = field(default=0.0)


class Proxy(httpx.AsyncBaseTransport):
    """Sends every request to one of the consoles at ``addresses`` (host:port)."""

    def __init__(self, addresses: Sequence[str], rules: ProxyRules) -> None:
        limits = httpx.Limits(keepalive_expiry=rules.keep)
        self._rules = rules
        self._upstreams = [_Upstream(each, httpx.AsyncHTTPTransport(limits=limits)) for each in addresses]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer of a console. Raises what a connection raises that breaks, ``ConnectError`` for none at all."""
        began = time.monotonic()
        named = request.url
        request.headers["x-forwarded-proto"], request.headers["x-forwarded-for"] = named.scheme, "192.0.2.1"
        request.extensions["timeout"] = {**request.extensions["timeout"], "connect": self._rules.dial_within}
        while True:
            upstream = self._choose()
            if upstream is not None:
                host, _, port = upstream.address.rpartition(":")
                request.url = named.copy_with(scheme="http", host=host, port=int(port))
                upstream.under_way += 1
                try:
                    return await upstream.transport.handle_async_request(request)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    upstream.down_until = time.monotonic() + self._rules.down_for
                finally:
                    upstream.under_way -= 1
            if time.monotonic() - began > self._rules.look_for:
                raise httpx.ConnectError("no console takes the request", request=request)
            await asyncio.sleep(self._rules.look_every)

    def _choose(self) -> _Upstream | None:
        now = time.monotonic()
        return min(
            (each for each in self._upstreams if each.down_until <= now), key=lambda each: each.under_way, default=None
        )

    async def aclose(self) -> None:
        """End every connection."""
        for each in self._upstreams:
            await each.transport.aclose()
