"""One installation on one machine: its servers and its own processes as one tree.

Owns the order of start and stop, the healing of dead children, the lock of the data folder and the published
endpoints. Must not know what a migration does or what the further children are: both are given by the caller.
"""

import asyncio
import fcntl
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from domain.errors import Refused
from runtime.children import Child, ChildSpec, Roll, make_room
from runtime.endpoints import Endpoints, remove_endpoints, write_endpoints, write_private
from runtime.logging import get_logger
from runtime.postgres import DATABASE, EmbeddedPostgres
from runtime.temporal_server import EmbeddedTemporal

log = get_logger(__name__)

Migrate = Callable[[str], Awaitable[object]]
"""Brings the database at a DSN to the current schema."""

Children = Callable[[Endpoints], Sequence[ChildSpec]]
"""The further children to run once the servers are reachable; they start together and stop in reverse order."""

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
# A child that has lived this long was well: its next death starts again with the shortest pause. Long pauses are for
# what dies as soon as it is started; to start something every ten seconds does no harm.
_WELL_AFTER = 10.0
_LOGS_EVERY = 30.0
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Instance:
    """PostgreSQL, migrations, Temporal and further children on one data folder, kept running until stopped.

    Used as ``async with Instance(folder) as instance`` or through ``run``; from the main thread only. A child that
    dies is started again, ever more patiently, and each time it is logged. When this process is killed, the
    children end too; where the system cannot promise that, the next start on the folder ends them.
    """

    def __init__(
        self,
        data: Path,
        *,
        migrate: Migrate | None = None,
        children: Children = lambda _endpoints: (),
        ui: bool = True,
        namespace: str = "default",
        dynamic_config: Sequence[str] = (),
        console: str | None = None,
    ) -> None:
        self.data = data.absolute()
        self.logs = self.data / "logs"
        self._migrate = migrate
        self._make_children = children
        self._ui = ui
        self._console = console
        self._namespace = namespace
        self._dynamic_config = tuple(dynamic_config)
        self._roll = Roll(self.data / "children.json")
        self._children: list[Child] = []
        self._watchers: list[asyncio.Task[None]] = []
        self._lock: int | None = None
        self._endpoints: Endpoints | None = None
        self.ended_violently = False
        """Whether whoever ran on the folder before was killed, or lost its power; known after the start."""

    @property
    def endpoints(self) -> Endpoints:
        """Where the running instance can be reached; ``Refused('instance.not_running')`` before and after."""
        if self._endpoints is None:
            raise Refused("instance.not_running", folder=self.data)
        return self._endpoints

    def pid_of(self, name: str) -> int | None:
        """The process id of the child ``name`` (``postgres``, ``temporal`` or one given), ``None`` while it is down."""
        return next((child.pid for child in self._children if child.name == name), None)

    def is_ready(self, name: str) -> bool:
        """Whether the child ``name`` runs and has said, since its last start, that it is ready."""
        return any(child.is_ready for child in self._children if child.name == name)

    async def start(self) -> Endpoints:
        """Start everything in order and return when all of it is ready and the endpoints are published.

        Raises ``Refused('instance.folder_in_use')`` naming the process that holds the folder, or
        ``'instance.child_failed'``; in every failure whatever was started has been stopped again.
        """
        self._take_folder()
        try:
            self.ended_violently = await self._roll.end_leftovers()
            remove_endpoints(self.data)
            self._endpoints = await self._start_all()
            self._watch(self._keep_logs_small(), "keep logs small")
            write_endpoints(self.data, self._endpoints)
        except BaseException:
            await self._undo()
            raise
        log.info("instance_started", folder=str(self.data), temporal=self._endpoints.temporal)
        return self._endpoints

    async def stop(self) -> None:
        """Stop all children in reverse order and release the folder; nothing happens when it is not running."""
        if self._lock is None:
            return
        await self._undo()
        log.info("instance_stopped", folder=str(self.data))

    async def run(self, on_ready: Callable[[Endpoints], Awaitable[object]] | None = None, *, stay: bool = True) -> None:
        """Start, call ``on_ready``, stay until SIGINT, SIGTERM or SIGHUP (unless ``stay`` is false), stop.

        A signal also ends a start or an ``on_ready`` that has not finished; what they raise is raised here, after
        everything has been stopped.
        """
        loop = asyncio.get_running_loop()
        wanted = asyncio.Event()
        # A signal that is ignored (nohup) stays ignored.
        heeded = [number for number in _STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        for number in heeded:
            loop.add_signal_handler(number, wanted.set)
        try:
            await _unless(self._serve(on_ready), wanted)
            if stay:
                await wanted.wait()
        finally:
            await self.stop()
            for number in heeded:
                loop.remove_signal_handler(number)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _serve(self, on_ready: Callable[[Endpoints], Awaitable[object]] | None) -> None:
        endpoints = await self.start()
        if on_ready is not None:
            await on_ready(endpoints)

    async def _start_all(self) -> Endpoints:
        postgres = EmbeddedPostgres(self.data / "postgres", logs=self.logs)
        temporal = EmbeddedTemporal(
            self.data,
            logs=self.logs,
            ui=self._ui,
            namespace=self._namespace,
            dynamic_config=self._dynamic_config,
        )
        self._children += [postgres.child, temporal.child]
        # Temporal needs nothing of PostgreSQL; together they are ready sooner.
        await _together(self._start_postgres(postgres), self._start_child(temporal.child))
        endpoints = Endpoints(
            pid=os.getpid(),
            postgres=postgres.dsn(),
            temporal=temporal.address,
            namespace=self._namespace,
            ui=temporal.ui,
            console=self._console,
            started_at=datetime.now(UTC),
        )
        further = [Child(spec, self.logs) for spec in self._make_children(endpoints)]
        self._children += further
        # They need the servers and not each other; most of a start is the importing of libraries.
        await _together(*(self._start_child(child) for child in further))
        return endpoints

    async def _start_postgres(self, postgres: EmbeddedPostgres) -> None:
        await asyncio.to_thread(postgres.prepare)
        await self._start_child(postgres.child)
        await postgres.create_database(DATABASE)
        if self._migrate is not None:
            await self._migrate(postgres.dsn())

    async def _start_child(self, child: Child) -> None:
        await child.start(self._write_roll)
        log.info("child_started", child=child.name, pid=child.pid)
        self._watch(self._keep_alive(child), f"keep {child.name} alive")

    def _watch(self, work: Coroutine[None, None, None], name: str) -> None:
        watcher = asyncio.create_task(work, name=name)
        watcher.add_done_callback(_report_end)
        self._watchers.append(watcher)

    async def _keep_logs_small(self) -> None:
        """Let logs make room while their children go on: one that runs for years is never opened anew."""
        while True:
            await asyncio.sleep(_LOGS_EVERY)
            for child in self._children:
                try:
                    if await asyncio.to_thread(make_room, child.log_file):
                        log.info("log_made_room", child=child.name, log=str(child.log_file))
                except OSError as error:
                    log.warning("log_not_made_room", child=child.name, error=type(error).__name__)

    async def _keep_alive(self, child: Child) -> None:
        pause = _FIRST_PAUSE
        while True:
            started = time.monotonic()
            code = await child.ended()
            log.error("child_died", child=child.name, code=code, log=str(child.log_file))
            if time.monotonic() - started > _WELL_AFTER:
                pause = _FIRST_PAUSE
            pause = await self._start_again(child, pause)

    async def _start_again(self, child: Child, pause: float) -> float:
        """Start ``child`` until it is ready; returns how long to wait before the next attempt after that."""
        died = time.monotonic()
        while True:
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            try:
                await child.start(self._write_roll)
            except Refused as refused:
                log.error("child_not_restarted", child=child.name, code=refused.code, next_try_in=pause)
                continue
            except OSError as error:
                log.error("child_not_restarted", child=child.name, error=str(error), next_try_in=pause)
                continue
            seconds = round(time.monotonic() - died, 1)
            log.info("child_restarted", child=child.name, pid=child.pid, after_seconds=seconds)
            return pause

    async def _undo(self) -> None:
        for watcher in self._watchers:
            watcher.cancel()
        await asyncio.gather(*self._watchers, return_exceptions=True)
        self._watchers.clear()
        remove_endpoints(self.data)
        self._endpoints = None
        for child in reversed(self._children):
            await child.stop()
            log.info("child_stopped", child=child.name)
        self._children.clear()
        self._roll.remove()
        self._release_folder()

    def _write_roll(self) -> None:
        self._roll.write(self._children)

    def _take_folder(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        # As root the database server is another user and has to pass through; nobody may list the folder.
        self.data.chmod(0o711 if os.geteuid() == 0 else 0o700)
        self.logs.mkdir(mode=0o700, exist_ok=True)
        lock = os.open(self.data / "instance.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode("ascii").strip() or "?"
            os.close(lock)
            raise Refused("instance.folder_in_use", folder=self.data, pid=holder) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode("ascii"), 0)
        self._lock = lock

    def _release_folder(self) -> None:
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None


def own_child(
    name: str,
    arguments: Sequence[str],
    endpoints: Endpoints,
    data: Path,
    *,
    environment: Mapping[str, str] | None = None,
    patience: timedelta = timedelta(seconds=30),
) -> ChildSpec:
    """A Python process of ours as a child, for instance ``own_child("worker", ["-m", "runtime.begin", "worker"], …)``.

    It finds the servers by its environment and is ready when it has created the file named in ``BIHUAN_READY_FILE``.
    """
    return ChildSpec(
        name=name,
        # -P: what happens to lie in the working folder must not be imported.
        command=[sys.executable, "-P", *arguments],
        environment={**os.environ, **endpoints.as_environment(), "BIHUAN_DATA": str(data), **(environment or {})},
        folder=data,
        ready_file=data / f"{name}.ready",
        patience=patience,
    )


def say_ready() -> None:
    """Tell the instance that started this process that it is ready; nothing happens in a process started otherwise."""
    path = os.environ.get("BIHUAN_READY_FILE")
    if path:
        # In one step: whoever sees the file sees what it says.
        write_private(Path(path), f"{os.getpid()}\n")


def _report_end(watcher: asyncio.Task[None]) -> None:
    """A watcher ends only by being cancelled; any other end is a mistake of ours and must be seen."""
    if not watcher.cancelled() and (error := watcher.exception()) is not None:
        log.critical("watcher_died", watcher=watcher.get_name(), exc_info=error)


async def _together(*works: Coroutine[None, None, None]) -> None:
    """Do all of ``works`` at once; the first failure ends the others and is raised as it came."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        raise


async def _unless(work: Awaitable[None], stop: asyncio.Event) -> None:
    """Finish ``work``, or cancel it as soon as ``stop`` is set; raises what the work raised."""
    doing = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((doing, stopping), return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        if not doing.done():
            doing.cancel()
        await asyncio.gather(doing, stopping, return_exceptions=True)
    if not doing.cancelled():
        doing.result()
