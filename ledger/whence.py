"""Where an act comes from, as far as the security log tells it.

Owns what the doors say about themselves. Light on purpose: every command of the command line imports it.
"""

import ipaddress
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from domain.base import Frozen

NOBODY = "-"
"""Stands for an actor, a place, a source or a subject there is none of."""


class Whence(Frozen):
    """``place`` is the template of a route or the name of a command, ``source`` a network; nothing typed."""

    place: str = NOBODY
    source: str = NOBODY


_whence: ContextVar[Callable[[], Whence]] = ContextVar("whence", default=Whence)


def here() -> Whence:
    """Where the running act comes from."""
    return _whence.get()()


@contextmanager
def coming_from(whence: Callable[[], Whence]) -> Iterator[None]:
    """Let everything recorded within, and in the tasks begun there, name the place that ``whence`` tells then."""
    before = _whence.set(whence)
    try:
        yield
    finally:
        _whence.reset(before)


def network_of(address: str) -> str:
    """The network an address lies in, too wide to name one machine: /24 of IPv4, /48 of IPv6; ``-`` for what is none.

    Enough to tell the office from the outside and one attack from another; not enough to follow a person.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return NOBODY
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    prefix = 24 if isinstance(found, ipaddress.IPv4Address) else 48
    return str(ipaddress.ip_network((found, prefix), strict=False))
