"""``python -m bench.topology``: the processes of ``deploy/compose`` on one machine, restarted and upgraded under load.

One Temporal server, one PostgreSQL, workers, consoles and a connector, by the commands and settings of the Compose
file. People act through the consoles as the proxy of ``deploy/proxy`` would let them. First every process is stopped
and started again in turn; then a newer release with one more migration takes over: schema first, new workers beside
the old ones, one switch, consoles and connector in turn. Bars: no act refused by anything but a rule of the trade,
none lost, none doubled, and the 99th percentile of the answers below five seconds in every phase. The exit code is 0
when all are kept.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
from rich.console import Console

from bench.clients import Client, Crowd, Manners
from bench.deployed import DEPLOY, SITE, Json, Machine, Release, next_release
from bench.diary import Diary, History
from bench.judging import acknowledged
from bench.proxy import Proxy, ProxyRules
from bench.results import hand_out, say
from bench.rolls import Figures, Log, show
from console.access.door import Access
from console.access.passwords import Passwords
from console.access.tokens import GRANTABLE
from domain.errors import Refused
from domain.people import Role
from domain.registry_problem import RawRegistry
from ledger.access import set_password
from ledger.registry import load_registry
from ledger.signing import SigningKey
from ledger.vault import MasterKey
from runtime.children import Child, ChildSpec
from runtime.leaving import leave
from runtime.logging import set_up_logging
from runtime.pool import open_pool
from runtime.postgres import EmbeddedPostgres
from runtime.settings import Settings
from runtime.temporal_server import EmbeddedTemporal, free_ports

SYSTEM = "D08"
"""The department whose own system the connector is, by the name the Compose file gives it."""

THIS = Release("this")
PASSWORD = "柳树下的 green tractor"
_READY_WITHIN = timedelta(minutes=3)

_STAFF = (
    ("worker", Role.GRID_WORKER, "G01"),
    ("checker", Role.GRID_WORKER, "G01"),
    ("head", Role.GRID_HEAD, "G01"),
    ("captain", Role.VANGUARD_CAPTAIN, "G01"),
    ("community", Role.COMMUNITY, "C01"),
    ("approver", Role.COMMUNITY, "C01"),
    ("dispatcher", Role.STREET_DISPATCHER, "S01"),
    ("handler", Role.DEPARTMENT_HANDLER, "D01"),
    ("helper", Role.DEPARTMENT_HANDLER, "D02"),
    (f"handler-{SYSTEM}", Role.DEPARTMENT_HANDLER, SYSTEM),
    ("supervisor", Role.SUPERVISOR, "S01"),
)
_REGISTRY: dict[str, list[Json]] = {
    "organisations": [
        {"code": "Q01", "name": "榆山区", "kind": "district"},
        {"code": "S01", "name": "柳堤街道", "kind": "street", "parent": "Q01"},
        {"code": "C01", "name": "南埠社区", "kind": "community", "parent": "S01"},
        {"code": "D01", "name": "市政养护", "kind": "department", "parent": "S01"},
        {"code": "D02", "name": "环卫", "kind": "department", "parent": "S01"},
        {"code": SYSTEM, "name": "路灯管理", "kind": "department", "parent": "S01", "queue": f"department.{SYSTEM}"},
    ],
    "grids": [{"code": "G01", "name": "南埠一网格", "community": "C01", "households": 410, "people": 1150}],
    "categories": [
        {"code": "K01", "name": "楼道杂物", "on_the_spot": True, "urgency": "general"},
        {"code": "K02", "name": "路面破损", "on_the_spot": False, "urgency": "general"},
    ],
    "people": [{"id": person, "name": person} for person, _, _ in _STAFF],
    "assignments": [
        {"person": person, "role": role.value, "grid" if place[0] == "G" else "organisation": place}
        for person, role, place in _STAFF
    ],
}


@dataclass(frozen=True)
class Size:
    """How many processes and clients, how long it is calm before and after a roll (seconds), and which rolls there are.

    Each client pauses for about ``pause`` seconds between two acts.
    """

    workers: int = 3
    consoles: int = 2
    clients: int = 8
    calm: float = 20.0
    pause: tuple[float, float] = (0.5, 1.5)
    restart: bool = True
    upgrade: bool = True


@dataclass
class Place:
    """One process: what it is a replica of, and what of its settings is its own."""

    name: str
    service: str
    settings: Mapping[str, str]
    child: Child

    @property
    def health(self) -> str:
        """The host:port at which the process says whether it is ready."""
        return self.settings[f"BIHUAN_{self.service.upper()}_METRICS"]


@dataclass
class Topology:
    """The running processes and everybody's way in."""

    machine: Machine
    diary: Diary
    consoles: Sequence[str]
    tokens: Mapping[str, str]
    rules: ProxyRules
    places: dict[str, Place] = field(default_factory=dict)

    def client(self) -> httpx.AsyncClient:
        """A client of the doors through the proxy."""
        return httpx.AsyncClient(base_url=f"https://{SITE}", transport=Proxy(self.consoles, self.rules))

    async def do(self, service: str, release: Release, *words: str, **settings: str) -> None:
        """Run a command that ends, by default the service's own. Raises ``RuntimeError`` with what it said."""
        command = self.machine.command(service)
        if words:
            command = [self.machine.command("migrate")[0], *words]
        process = await asyncio.create_subprocess_exec(
            *command,
            env=self.machine.environment(service, release, **settings),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd="/",
        )
        said, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"{' '.join(command)}: {process.returncode}\n{said.decode()}")

    async def start(self, name: str, service: str, release: Release, **settings: str) -> None:
        """Start a process and wait until it is ready, by its own word and by what its supervisor asks."""
        began = time.monotonic()
        spec = ChildSpec(
            name=name,
            command=self.machine.command(service),
            environment=self.machine.environment(service, release, **settings),
            folder=self.machine.folder,
            ready_file=self.machine.folder / f"{name}.ready",
            ready_within=_READY_WITHIN,
            patience=timedelta(seconds=40),
        )
        place = self.places[name] = Place(name, service, settings, Child(spec, self.machine.folder / "logs"))
        await place.child.start()
        await self._until_ready(place)
        self.diary.note("started", on=name, release=release.name, seconds=round(time.monotonic() - began, 2))

    async def _until_ready(self, place: Place) -> None:
        deadline = time.monotonic() + _READY_WITHIN.total_seconds()
        async with httpx.AsyncClient(base_url=f"http://{place.health}", timeout=5) as asking:
            while True:
                try:
                    if (await asking.get("/readyz")).status_code == 200:
                        return
                except httpx.HTTPError:
                    if time.monotonic() > deadline:
                        raise
                await asyncio.sleep(0.1)

    async def stop(self, name: str) -> None:
        """Tell a process to stop, as whoever replaces it does, and wait until it has gone.

        Raises ``RuntimeError`` for one that did not leave by itself, or with an error.
        """
        place, began = self.places.pop(name), time.monotonic()
        await place.child.stop()
        self.diary.note("stopped", on=name, seconds=round(time.monotonic() - began, 2))
        if place.child.exit_code != 0:
            raise RuntimeError(f"{name} ended with {place.child.exit_code}: {place.child.log_file}")

    async def replace(self, name: str, release: Release, **settings: str) -> None:
        """Stop a process and start it again, of this release and with its own settings."""
        place = self.places[name]
        await self.stop(name)
        await self.start(name, place.service, release, **{**place.settings, **settings})

    async def restart_all(self) -> None:
        """Every process in turn, the next one when the one before is ready."""
        for name in list(self.places):
            await self.replace(name, THIS)

    async def upgrade(self, release: Release) -> None:
        """What docs/upgrades.md tells an operator who has releases told apart."""
        told = {"BIHUAN_WORKER_DEPLOYMENT": "bihuan", "BIHUAN_WORKER_BUILD": release.name}
        await self.do("migrate", release)
        self.diary.note("migrated")
        workers = [place for place in self.places.values() if place.service == "worker"]
        fresh = free_ports(len(workers))
        for place, port in zip(workers, fresh, strict=True):
            await self.start(f"{place.name}-next", "worker", release, BIHUAN_WORKER_METRICS=f"127.0.0.1:{port}", **told)
        await self.do("worker", release, "upgrade", "--switch", **told)
        self.diary.note("switched")
        for place in workers:
            await self.stop(place.name)
        for place in list(self.places.values()):
            if place.service != "worker":
                await self.replace(place.name, release)

    async def stop_all(self) -> None:
        """Stop everything that runs, the connector first."""
        for name in reversed(list(self.places)):
            await self.stop(name)


@asynccontextmanager
async def open_topology(folder: Path, size: Size, diary: Diary) -> AsyncIterator[Topology]:
    """Servers, a furnished ledger, everybody's token, and all processes, ready; all stopped at the end."""
    async with AsyncExitStack() as stack:
        for name in ("keys", "data", "logs"):
            (folder / name).mkdir(parents=True)
        postgres = await stack.enter_async_context(EmbeddedPostgres(folder / "postgres"))
        temporal = await stack.enter_async_context(EmbeddedTemporal(folder / "temporal", ui=False))
        (folder / "database_url").write_text(postgres.dsn(), "utf-8")
        (folder / "database_url").chmod(0o600)
        machine = Machine(folder, postgres.dsn(), temporal.address)
        MasterKey.load(machine.keys / "master.key", create=True)
        SigningKey.load(machine.keys / "signing.key", create=True)
        connected, *ports = free_ports(1 + 2 * size.consoles + size.workers)
        doors, watched, metered = ports[: size.consoles], ports[size.consoles : -size.workers], ports[-size.workers :]
        consoles = [f"127.0.0.1:{port}" for port in doors]
        rules = ProxyRules.read(DEPLOY / "proxy" / "Caddyfile")
        topology = Topology(machine, diary, consoles, {}, rules)
        await asyncio.gather(
            topology.do("migrate", THIS),
            topology.do("namespace", THIS),
            topology.do("office", THIS, "key", "payload", "--out", str(machine.keys / "payload.key")),
        )
        topology.tokens = await _furnish(postgres.dsn())
        stack.push_async_callback(topology.stop_all)
        starts = [
            topology.start(f"worker-{n}", "worker", THIS, BIHUAN_WORKER_METRICS=f"127.0.0.1:{port}")
            for n, port in enumerate(metered, 1)
        ]
        starts += [
            topology.start(
                f"console-{n}",
                "console",
                THIS,
                BIHUAN_CONSOLE_PORT=str(door),
                BIHUAN_CONSOLE_METRICS=f"127.0.0.1:{port}",
            )
            for n, (door, port) in enumerate(zip(doors, watched, strict=True), 1)
        ]
        await asyncio.gather(*starts)
        await topology.start("connector", "connector", THIS, BIHUAN_CONNECTOR_METRICS=f"127.0.0.1:{connected}")
        yield topology


async def _furnish(dsn: str) -> dict[str, str]:
    """The registry, an account for each of the staff, and the token of each."""
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        await load_registry(conn, RawRegistry.of(_REGISTRY), "bench")
    finally:
        await conn.close()
    pool = await open_pool(dsn, size=2, role="bihuan_app")
    try:
        access, tokens = Access.open(pool, Settings()), {}
        kept = await Passwords().hash(PASSWORD)
        for person, _, _ in _STAFF:
            account = (await access.accounts.add(person, by="admin", with_password=False)).account
            async with pool.acquire() as held:
                await set_password(held, account.login, kept, must_change=False, by="admin", at=datetime.now(UTC))
            issued = await access.tokens.issue(
                account.login, name="bench", permissions=list(GRANTABLE), lasts=timedelta(days=1), by=person
            )
            tokens[person] = issued.token
        return tokens
    finally:
        await pool.close()


# --- a run ----------------------------------------------------------------------------------------------------------


async def measure(folder: Path, size: Size, *, seed: int) -> Figures:
    """Start everything on the empty ``folder``, act, roll, judge; the diary stays in ``diary.jsonl``."""
    diary = Diary(folder / "diary.jsonl")
    manners = Manners(
        systems=(SYSTEM,),
        patience=(30.0,),
        pause=size.pause,
        passwords=dict.fromkeys(("captain", "head"), PASSWORD),
    )
    release = await asyncio.to_thread(next_release, folder / "next") if size.upgrade else THIS
    try:
        async with open_topology(folder / "town", size, diary) as topology:
            say(f"{len(topology.places)} 个进程已就绪 processes are ready")
            crowd = await Crowd.gather(topology, diary, manners)
            stop, give_up = asyncio.Event(), asyncio.Event()
            acting = [
                asyncio.create_task(Client(n, crowd, random.Random(f"{seed} client {n}")).run(stop, give_up))
                for n in range(size.clients)
            ]
            try:
                await _roll(topology, size, release)
            finally:
                stop.set()
                give_up.set()
                await asyncio.gather(*acting)
            conn: asyncpg.Connection = await asyncpg.connect(topology.machine.database_url)
            try:
                unfinished = await _until_finished(conn)
                log = await Log.read(conn)
            finally:
                await conn.close()
    finally:
        diary.close()
    history = History.read(folder / "diary.jsonl")
    # What the connector reports is sent by no client: it is a system of its own.
    found = list(acknowledged(history, log, systems={f"handler-{SYSTEM}"}))
    return Figures(history, found, unfinished)


async def _roll(topology: Topology, size: Size, release: Release) -> None:
    for name, wanted, work in (
        ("steady", True, None),
        ("restart", size.restart, topology.restart_all),
        ("upgrade", size.upgrade, lambda: topology.upgrade(release)),
        ("after", True, None),
    ):
        if not wanted:
            continue
        topology.diary.note("phase", name=name)
        say(name)
        if work is None:
            await asyncio.sleep(size.calm)
        else:
            await work()


async def _until_finished(conn: asyncpg.Connection, within: float = 90.0) -> int:
    """Wait until the connector has nothing left to do; how many of its tasks are still open when it takes too long."""
    deadline = time.monotonic() + within
    while True:
        left = int(
            await conn.fetchval(
                "select count(*) from task where organisation = $1 and kind = 'handle' and closed_at is null", SYSTEM
            )
        )
        if not left or time.monotonic() > deadline:
            return left
        await asyncio.sleep(0.3)


def main() -> None:
    """Parse the arguments, measure in a temporary folder, show the figures."""
    parser = argparse.ArgumentParser(prog="bench.topology", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two workers, shorter calm")
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--seed", type=int, default=7, help="what the clients do is drawn from it")
    parser.add_argument("--keep", type=Path, default=None, help="keep diary and logs in this new folder")
    arguments = parser.parse_args()
    set_up_logging("warning")
    os.umask(0o077)
    code, size = 1, Size(workers=2, calm=8.0) if arguments.quick else Size()
    try:
        with tempfile.TemporaryDirectory(prefix="bihuan-bench-") as temporary:
            folder = arguments.keep or Path(temporary)
            folder.mkdir(parents=True, exist_ok=True)
            figures = asyncio.run(measure(folder, size, seed=arguments.seed))
        show(figures, Console(stderr=arguments.json, width=None if sys.stderr.isatty() else 112))
        hand_out("topology", figures.as_object(), as_json=arguments.json)
        code = 0 if figures.passed else 1
    except (Refused, RuntimeError) as error:
        say(error.refusal.sentence() if isinstance(error, Refused) else str(error))
    leave(code)


if __name__ == "__main__":
    main()
