"""Where people reach the console, and what follows from it for cookies and headers.

Owns the three ways of being reached: over https; on this machine only; over plain http on an intranet, which must be
asked for and is told on every page.
"""

import socket
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from domain.errors import Refused
from runtime.settings import Settings


@dataclass(frozen=True)
class Site:
    """The address of the console as people type it; ``secure`` over https, ``exposed`` over plain http beyond here."""

    url: str
    secure: bool
    exposed: bool

    @property
    def host(self) -> str:
        """Host and port, as a browser names them."""
        return urlsplit(self.url).netloc

    def cookie(self, name: str) -> str:
        """The full name of a cookie: bound to this very host where the browser can promise that."""
        return f"__Host-{name}" if self.secure else name


def site_of(settings: Settings, port: int | None = None) -> Site:
    """The site as configured; ``port`` is the one really listened on.

    Raises ``Refused`` ``settings.invalid`` for an address that is none, and for plain http beyond this machine that
    was not asked for.
    """
    given = settings.public_url or f"http://{settings.console_host}:{port or settings.console_port}"
    parts = urlsplit(given.rstrip("/"))
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path:
        raise _wrong("BIHUAN_PUBLIC_URL", "https://host[:port]")
    secure, local = parts.scheme == "https", _is_local(parts.hostname)
    if not secure and not local and not settings.insecure_http:
        raise _wrong("BIHUAN_PUBLIC_URL", "https://…, or BIHUAN_INSECURE_HTTP=true")
    return Site(url=f"{parts.scheme}://{parts.netloc}", secure=secure, exposed=not secure and not local)


def _wrong(name: str, reason: str) -> Refused:
    return Refused("settings.invalid", field=name, name=name, reason=reason)


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def listen(settings: Settings) -> socket.socket:
    """The socket the console listens on. Raises ``Refused`` ``console.address_taken``."""
    family = socket.AF_INET6 if ":" in settings.console_host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((settings.console_host, settings.console_port))
    except OSError as error:
        made.close()
        raise Refused(
            "console.address_taken", address=f"{settings.console_host}:{settings.console_port}", reason=error.strerror
        ) from error
    return made
