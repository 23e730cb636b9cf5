"""A console that is told to stop: not ready, polite to who is there, deaf to nobody who has knocked."""

import asyncio
import signal
import socket
from datetime import timedelta

import httpx
import pytest

from console.http.condition import checks_of
from console.http.serve import ConsoleServer, make_server
from domain.errors import Refused
from tests.console.http.doors import SITE, Doors

QUESTION = f"GET /healthz HTTP/1.1\r\nHost: {SITE.host}\r\n\r\n".encode()


@pytest.fixture
async def served(reading_doors: Doors) -> tuple[ConsoleServer, socket.socket]:
    """A console that serves, and the socket it listens on."""
    office = reading_doors.office
    office.settings = office.settings.model_copy(update={"drain": timedelta(hours=1)})
    bound = socket.create_server(("127.0.0.1", 0))
    server = make_server(reading_doors.app, office)
    server.config.load()
    server.lifespan = server.config.lifespan_class(server.config)
    await server.startup([bound])
    return server, bound


async def test_it_says_so_and_goes_on_answering_until_it_is_told_again(
    served: tuple[ConsoleServer, socket.socket], reading_doors: Doors
) -> None:
    server, bound = served
    staying = checks_of(reading_doors.office)["staying"]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{bound.getsockname()[1]}") as client:
        before = await client.get("/healthz", headers={"host": SITE.host})
        await staying()

        server.handle_exit(signal.SIGTERM, None)
        with pytest.raises(Refused) as refused:
            await staying()
        leaving = await client.get("/healthz", headers={"host": SITE.host})
        assert await server.on_tick(1) is False

        server.handle_exit(signal.SIGTERM, None)
        assert await server.on_tick(1) is True
        await server.shutdown([bound])
        with pytest.raises(httpx.ConnectError):
            await client.get("/healthz", headers={"host": SITE.host})

    assert refused.value.code == "console.stopping"
    assert (before.status_code, before.headers.get("connection")) == (200, None)
    assert (leaving.status_code, leaving.headers.get("connection")) == (200, "close")


async def test_who_knocked_in_the_last_moment_is_answered(served: tuple[ConsoleServer, socket.socket]) -> None:
    server, bound = served
    # The system has let them in, and the console has not had a look at them when the end begins.
    spoke, silent = (socket.create_connection(bound.getsockname()) for _ in range(2))
    with spoke, silent:
        spoke.sendall(QUESTION)
        server.handle_exit(signal.SIGTERM, None)
        ending = asyncio.create_task(server.shutdown([bound]))
        await asyncio.sleep(0)
        silent.sendall(QUESTION)
        await ending

        for each in (spoke, silent):
            told = await asyncio.to_thread(each.recv, 4096)
            assert told.startswith(b"HTTP/1.1 200 ")
            assert b"connection: close" in told.lower()
