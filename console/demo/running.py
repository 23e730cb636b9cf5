"""The demo from an empty folder to its last line.

Owns the order: servers, street, play, table, and then either standing by or going away. Must not know any path.
"""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from console import output
from console.access.door import Access
from console.demo.checking import Checker, Verdict
from console.demo.logins import Login, give_logins
from console.demo.paths import PATHS
from console.demo.people import NEIGHBOURHOOD, Street
from console.demo.pictures import Pictures
from console.demo.playing import matters, play
from console.demo.rules import CONNECTED, DEMO_BOOK, NOT_THEIRS, THEIR_PROPOSAL
from console.demo.showing import Progress, show_logins, show_outcome, show_what_next
from console.demo.waiting import leave_waiting
from console.desk import Desk
from console.failing import DONE, INTERRUPTED, REFUSED
from console.files.keeping import Files
from console.instance import find_door, make_instance, make_keys
from console.session import open_ledger, options
from domain.errors import Refused
from ledger.calendar_files import from_library
from ledger.calendars import store_calendar
from ledger.migrate import migrate
from ledger.registry import load_registry, read_registry, store_rule_book
from ledger.registry_files import read_registry_files
from ledger.vault import MasterKey, Vault
from runtime.children import ChildSpec
from runtime.codec import PayloadKeys
from runtime.embedded import own_child
from runtime.endpoints import Endpoints
from runtime.logging import set_up_logging
from runtime.settings import Settings
from runtime.temporal import connect

_AT_ONCE = 8


async def run_demo(*, once: bool) -> int:
    """Play the demo and return the exit code: 0 when every request went as scripted, 1 when one did not.

    Without ``once`` the servers stay up until SIGINT or SIGTERM. A temporary folder is removed after ``once`` unless
    something went wrong; a folder given with ``--data`` is never removed. Raises ``Refused``
    ``instance.folder_not_ours`` when that folder is not empty.
    """
    folder, temporary = _fresh_folder(options().data)
    code = None
    try:
        code = await _Demo(folder, once=once).run()
    finally:
        if temporary and once and code in (DONE, INTERRUPTED):
            shutil.rmtree(folder)
        elif temporary:
            output.note(
                f"数据保留在 {folder}；bihuan up --data {folder} 可再次打开。",
                f"The data stays in {folder}; bihuan up --data {folder} opens it again.",
            )
    return code


def _fresh_folder(given: Path | None) -> tuple[Path, bool]:
    """An empty folder, and whether it is a temporary one of ours."""
    if given is None:
        return Path(tempfile.mkdtemp(prefix="bihuan-demo-")), True
    folder = given.expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        empty = not any(folder.iterdir())
    except OSError as error:
        raise Refused("instance.folder_not_ours", folder=folder) from error
    if not empty:
        raise Refused("instance.folder_not_ours", folder=folder)
    return folder, False


async def _prepare(dsn: str) -> None:
    """The ledger of a new office: schema, the rules of the demo, the registry of the invented street."""
    await migrate(dsn)
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        await store_rule_book(conn, DEMO_BOOK.version, DEMO_BOOK.model_dump(mode="json"))
        await store_calendar(conn, from_library())
        await load_registry(conn, read_registry_files(NEIGHBOURHOOD), by="demo")
    finally:
        await conn.close()


class _Demo:
    """One run of the demo on one folder."""

    def __init__(self, folder: Path, *, once: bool) -> None:
        self._folder = folder
        self._once = once
        self._began = time.monotonic()
        self._code = INTERRUPTED

    async def run(self) -> int:
        """Play, tell, and stand by or stop; the exit code."""
        settings = Settings.load(data=self._folder, database_url=None, temporal_address=None)
        logs = self._folder / "logs"
        logs.mkdir(mode=0o700)
        with (logs / "demo.log").open("w", encoding="utf-8") as log:
            set_up_logging(settings.log_level, settings.log_format, log)
            output.note(
                f"正在启动 PostgreSQL、Temporal 和办理进程，数据目录 {self._folder}",
                f"Starting PostgreSQL, Temporal and the worker on {self._folder}",
            )
            make_keys(settings)
            door = find_door(settings, elsewhere=True)
            instance = make_instance(self._folder, prepare=_prepare, more=self._connector, door=door)
            await instance.run(lambda endpoints: self._play(endpoints, settings), stay=not self._once)
            # The file is about to close; what the libraries still have to say belongs to nobody.
            set_up_logging("error", settings.log_format)
        if not self._once:
            output.note("已停止。", "Stopped.")
        return self._code

    def _connector(self, endpoints: Endpoints) -> list[ChildSpec]:
        """The street lamps' own system: an unchanged example, told what is none of its business."""
        arguments = ["-m", "activities.connector", CONNECTED, "--work-seconds", "1"]
        arguments += ["--returns", NOT_THEIRS, "--proposes", THEIR_PROPOSAL]
        return [own_child("connector", arguments, endpoints, self._folder)]

    async def _play(self, endpoints: Endpoints, settings: Settings) -> None:
        key = MasterKey.load(settings.key_file)
        keys = PayloadKeys(key.payload_keys)
        client = await connect(endpoints.temporal, endpoints.namespace, keys=keys, tls=endpoints.tls)
        pool = await open_ledger(endpoints, size=_AT_ONCE)
        try:
            async with pool.acquire() as conn:
                registry = await read_registry(conn)
            desk = Desk(client, pool, Vault(key), task_queue=settings.task_queue)
            cast = matters()
            with Progress(cast) as progress:
                pictures = Pictures(pool, Files.of(settings))
                street = Street(desk, pool, registry, at_once=_AT_ONCE, told=progress.told, pictures=pictures)
                verdicts = await play(street, Checker(client, pool), cast, progress.done)
            if not self._once:
                await leave_waiting(Street(desk, pool, registry, at_once=_AT_ONCE, pictures=pictures))
            logins = await give_logins(pool, Access.open(pool, settings), registry)
        finally:
            await asyncio.shield(pool.close())
        self._tell(verdicts, endpoints, logins)

    def _tell(self, verdicts: Sequence[Verdict], endpoints: Endpoints, logins: Sequence[Login]) -> None:
        seconds = int(time.monotonic() - self._began)
        good = all(verdict.as_scripted for verdict in verdicts)
        self._code = DONE if good else REFUSED
        if options().json:
            output.print_json(
                {
                    "ok": good,
                    "cases": [_as_json(verdict) for verdict in verdicts],
                    "seconds": seconds,
                    "data": str(self._folder),
                    "temporal_ui": endpoints.ui,
                    "url": endpoints.console,
                    "logins": logins,
                }
            )
            return
        show_outcome(verdicts, seconds)
        if not self._once:
            show_logins(endpoints.console, logins)
            show_what_next(str(self._folder), endpoints.ui, verdicts)


def _as_json(verdict: Verdict) -> dict[str, object]:
    path = PATHS[verdict.path]
    return {**verdict.model_dump(mode="json"), "path_zh": path.zh, "process": path.process}
