"""The two streets behind a real HTTP server in a thread of its own, for clients that are not of this event loop."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from console.http.pace import Pace
from tests.console.http.two_streets import Streets, open_streets


@dataclass
class Served:
    """Where the streets are served, and who lives there."""

    url: str
    streets: Streets
    folder: Path

    def token(self, person: str) -> str:
        """The token of a person."""
        return self.streets.people[person].token


class _Server(uvicorn.Server):
    """Tells when it is ready, and takes no signals."""

    def __init__(self, config: uvicorn.Config, ready: threading.Event) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]
        await super().startup(sockets)  # type: ignore[arg-type]
        self._ready.set()


@contextmanager
def served(dsn: str, folder: Path) -> Iterator[Served]:
    """Serve the streets over this furnished ledger on loopback; any number of requests a minute is welcome."""
    ready, found, failed = threading.Event(), list[tuple[Streets, _Server]](), list[BaseException]()

    async def run() -> None:
        async with open_streets(dsn, folder) as streets:
            streets.doors.app.state.pace = Pace(10_000_000)
            config = uvicorn.Config(streets.doors.app, port=0, log_config=None, lifespan="off", server_header=False)
            server = _Server(config, ready)
            found.append((streets, server))
            await server.serve()

    def main() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:  # noqa: BLE001 - told to whoever waits
            failed.append(error)
            ready.set()

    thread = threading.Thread(target=main, name="served", daemon=True)
    thread.start()
    assert ready.wait(60), "the server did not start"
    if failed:
        raise failed[0]
    streets, server = found[0]
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Served(f"http://127.0.0.1:{port}", streets, folder)
    finally:
        server.should_exit = True
        thread.join(30)
    if failed:
        raise failed[0]
