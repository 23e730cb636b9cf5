"""A wire between two processes that can be cut, slowed, held and broken without either end noticing.

Owns one small proxy. It needs no rights and no kernel module: what a bad network does to a connection is done to the
bytes that pass through here.
"""

import asyncio
import contextlib
import random
from dataclasses import dataclass
from pathlib import Path

_CHUNK = 64 * 1024
_BOTH = ("there", "back")


@dataclass(frozen=True)
class Target:
    """Where a wire leads: a port of this machine, or a Unix socket."""

    port: int = 0
    socket: Path | None = None


class _Wire:
    """One connection through the link: two ends and two directions."""

    def __init__(self, near: asyncio.StreamWriter, far: asyncio.StreamWriter) -> None:
        self.near, self.far = near, far
        self.is_dead = False

    def abort(self) -> None:
        """End both ends at once, as a reset does."""
        for end in (self.near, self.far):
            end.transport.abort()


class Link:
    """Listens on a loopback port of its own and passes on to its target, as well as it is told to.

    ``there`` is the direction of who connected, ``back`` that of the answers. A link that holds keeps what comes and
    passes it on when it is healed; nothing is ever lost from the middle of a connection, only with its end.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.target = Target()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._wires: set[_Wire] = set()
        self._cut = False
        self._delay = 0.0
        self._open = {direction: asyncio.Event() for direction in _BOTH}
        self.heal()

    async def start(self) -> None:
        """Listen; the target may be named later, before the first connection."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """End every connection and listen no more."""
        assert self._server is not None
        self._server.close()
        self.heal()
        self.reset()
        while self._wires:
            await asyncio.sleep(0.01)

    def cut(self) -> None:
        """Reset every connection, and every new one at once."""
        self._cut = True
        self.reset()

    def slow(self, seconds: float) -> None:
        """Let everything take ``seconds`` longer, more or less."""
        self._delay = seconds

    def hold(self, *directions: str) -> None:
        """Pass on nothing in these directions, on connections that are there and on new ones."""
        for direction in directions or _BOTH:
            self._open[direction].clear()

    def deaden(self) -> None:
        """Let connections that are there fall silent for ever, without a word to either end; new ones are well."""
        for wire in self._wires:
            wire.is_dead = True

    def heal(self, *, reset: bool = False) -> None:
        """Pass on everything again, what was held first; with ``reset`` the connections are ended instead."""
        self._cut, self._delay = False, 0.0
        if reset:
            self.reset()
        for gate in self._open.values():
            gate.set()

    def reset(self) -> None:
        """End every connection."""
        for wire in self._wires:
            wire.abort()

    async def _serve(self, reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        if self._cut:
            near.transport.abort()
            return
        try:
            if self.target.socket is not None:
                answers, far = await asyncio.open_unix_connection(str(self.target.socket))
            else:
                answers, far = await asyncio.open_connection("127.0.0.1", self.target.port)
        except OSError:
            # Nobody listens there now: the one who knocked is told so as the system would.
            near.transport.abort()
            return
        wire = _Wire(near, far)
        self._wires.add(wire)
        ways = [
            asyncio.create_task(self._pass(wire, "there", reader, far)),
            asyncio.create_task(self._pass(wire, "back", answers, near)),
        ]
        try:
            await asyncio.wait(ways)
        finally:
            for way in ways:
                way.cancel()
            wire.abort()
            self._wires.discard(wire)

    async def _pass(self, wire: _Wire, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                content = await reader.read(_CHUNK)
                if self._delay:
                    await asyncio.sleep(random.uniform(0.5, 1.5) * self._delay)
                await self._open[way].wait()
                if wire.is_dead:
                    # Whoever is left waits, as behind a wall that has forgotten the connection.
                    if not content:
                        return
                    continue
                if not content:
                    if writer.can_write_eof():
                        writer.write_eof()
                    return
                writer.write(content)
                await writer.drain()
        # The other direction would otherwise wait on a connection that has no other end any more.
        wire.abort()
