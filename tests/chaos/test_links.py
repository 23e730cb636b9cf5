"""The wires of the chaos suite do what they say: only then does a run mean anything."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.chaos.links import Link, Target
from tests.waiting import eventually


class Echo:
    """A server that says everything back, and remembers it."""

    def __init__(self) -> None:
        self.heard = b""
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while content := await reader.read(1000):
                self.heard += content
                writer.write(content)
                await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.transport.abort()

    def close(self) -> None:
        assert self._server is not None
        self._server.close()


class Caller:
    """Somebody at the near end of a link."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self.answers = b""
        self.is_over = False
        self._listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        try:
            while content := await self._reader.read(1000):
                self.answers += content
        except ConnectionError:
            pass
        self.is_over = True

    def say(self, content: bytes) -> None:
        self._writer.write(content)

    async def hears(self, content: bytes) -> None:
        async def heard() -> bool:
            return self.answers == content

        await eventually(heard, f"{content!r} comes back, not {self.answers!r}")

    async def is_cut_off(self) -> None:
        async def over() -> bool:
            return self.is_over

        await eventually(over, "the connection is over")

    def close(self) -> None:
        self._writer.transport.abort()
        self._listening.cancel()


@pytest.fixture
async def echo() -> AsyncIterator[Echo]:
    echo = Echo()
    echo.port = await echo.start()  # type: ignore[attr-defined]
    yield echo
    echo.close()


@pytest.fixture
async def link(echo: Echo) -> AsyncIterator[Link]:
    link = Link("a wire")
    await link.start()
    link.target = Target(port=echo.port)  # type: ignore[attr-defined]
    yield link
    await link.close()


@pytest.fixture
async def caller(link: Link) -> AsyncIterator[Caller]:
    caller = Caller(*await asyncio.open_connection("127.0.0.1", link.port))
    caller.say(b"1")
    await caller.hears(b"1")
    yield caller
    caller.close()


async def heard_by(echo: Echo, content: bytes) -> None:
    async def heard() -> bool:
        return echo.heard == content

    await eventually(heard, f"{content!r} arrives")


async def test_what_is_held_on_its_way_there_arrives_when_the_link_is_healed(
    link: Link, echo: Echo, caller: Caller
) -> None:
    link.hold("there")
    caller.say(b"2")
    await asyncio.sleep(0.1)
    assert echo.heard == b"1"
    link.heal()
    await caller.hears(b"12")


async def test_an_answer_that_is_held_has_been_given_all_the_same(link: Link, echo: Echo, caller: Caller) -> None:
    link.hold("back")
    caller.say(b"2")
    await heard_by(echo, b"12")
    assert caller.answers == b"1"
    link.heal(reset=True)
    await caller.is_cut_off()
    assert caller.answers == b"1", "the answer is lost, and what was asked for has happened"


async def test_a_cut_ends_what_is_there_and_what_comes_until_it_is_healed(link: Link, caller: Caller) -> None:
    link.cut()
    await caller.is_cut_off()
    refused = Caller(*await asyncio.open_connection("127.0.0.1", link.port))
    await refused.is_cut_off()
    refused.close()
    link.heal()
    again = Caller(*await asyncio.open_connection("127.0.0.1", link.port))
    again.say(b"2")
    await again.hears(b"2")
    again.close()


async def test_a_dead_connection_says_nothing_and_a_new_one_is_well(link: Link, echo: Echo, caller: Caller) -> None:
    link.deaden()
    caller.say(b"2")
    other = Caller(*await asyncio.open_connection("127.0.0.1", link.port))
    other.say(b"3")
    await other.hears(b"3")
    assert echo.heard == b"13"
    assert (caller.answers, caller.is_over) == (b"1", False)
    other.close()


async def test_a_slow_link_takes_its_time(link: Link, caller: Caller) -> None:
    link.slow(0.2)
    began = asyncio.get_running_loop().time()
    caller.say(b"2")
    await caller.hears(b"12")
    assert asyncio.get_running_loop().time() - began >= 0.2, "half of it there and half of it back, at the least"


async def test_where_nobody_listens_the_caller_is_told_so(link: Link, echo: Echo) -> None:
    echo.close()
    refused = Caller(*await asyncio.open_connection("127.0.0.1", link.port))
    await refused.is_cut_off()
    refused.close()
