"""The embedded instance as the command line runs it: which migrations, which first data, which processes.

Owns the composition of ``runtime.embedded`` with the ledger; ``up`` and ``demo`` share it.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from console.http.site import listen, site_of
from domain.errors import Refused
from domain.people import SYSTEM
from ledger.calendar_files import from_library
from ledger.calendars import current_calendar, store_calendar
from ledger.migrate import Migration, migrate
from ledger.registry import read_rule_books, store_rule_book
from ledger.rule_files import example_book
from ledger.signing import SigningKey
from ledger.vault import MasterKey
from runtime.children import ChildSpec
from runtime.embedded import Instance, own_child
from runtime.endpoints import Endpoints
from runtime.settings import Settings

Told = Callable[[str], None]
"""Is told the name of each part as soon as it is ready."""


async def prepare_ledger(dsn: str) -> list[Migration]:
    """Bring the ledger up to date and give a new one the example rule book and the calendar of the library.

    Returns the migrations applied. An office that has rules or a calendar of its own keeps them. Raises ``Refused`` as
    ``ledger.migrate.migrate`` does.
    """
    applied = await migrate(dsn)
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        if (await read_rule_books(conn)).current is None:
            example = example_book()
            await store_rule_book(conn, example.version, example.model_dump(mode="json"))
        if await current_calendar(conn) is None:
            await store_calendar(conn, from_library(), by=SYSTEM.person)
    finally:
        await conn.close()
    return applied


@dataclass(frozen=True)
class Door:
    """Where the console of an instance listens, and the address people type."""

    host: str
    port: int
    url: str

    def as_environment(self) -> Mapping[str, str]:
        """The settings by which the console process listens there."""
        return {"BIHUAN_CONSOLE_HOST": self.host, "BIHUAN_CONSOLE_PORT": str(self.port)}


def find_door(settings: Settings, *, elsewhere: bool = False) -> Door:
    """The door as configured; port 0 becomes a free one. Looked at before anything is started.

    With ``elsewhere`` another port is taken where the wanted one is not free. Raises ``Refused``
    ``console.address_taken``, and ``settings.invalid`` for an address people could not use safely.
    """
    try:
        with listen(settings) as bound:
            port = int(bound.getsockname()[1])
    except Refused:
        if not elsewhere:
            raise
        return find_door(settings.model_copy(update={"console_port": 0}))
    return Door(settings.console_host, port, site_of(settings, port).url)


def make_instance(
    data: Path,
    *,
    ui: bool = True,
    told: Told = lambda _name: None,
    prepare: Callable[[str], Awaitable[object]] = prepare_ledger,
    more: Callable[[Endpoints], list[ChildSpec]] = lambda _endpoints: [],
    door: Door | None = None,
) -> Instance:
    """The embedded instance on ``data``: PostgreSQL with the ledger, Temporal, a worker, a console, ``more`` children.

    Without a ``door`` there is no console.
    ``prepare`` brings the ledger up to date; ``told`` hears ``postgres``, ``ledger`` and ``temporal``. That the worker
    is ready too the caller knows by ``Instance.start`` returning.
    """

    async def migrated(dsn: str) -> None:
        told("postgres")
        await prepare(dsn)
        told("ledger")

    def children(endpoints: Endpoints) -> list[ChildSpec]:
        told("temporal")
        specs = [own_child("worker", ["-m", "runtime.begin", "worker"], endpoints, data)]
        if door is not None:
            arguments = ["-m", "runtime.begin", "console.http.serve"]
            specs.append(own_child("console", arguments, endpoints, data, environment=door.as_environment()))
        return [*specs, *more(endpoints)]

    return Instance(data, migrate=migrated, children=children, ui=ui, console=door.url if door else None)


def make_keys(settings: Settings) -> None:
    """Make the vault's master key and the signing key (mode 0600) where there are none.

    Raises ``Refused`` when one that is there is unfit.
    """
    MasterKey.load(settings.key_file, create=True)
    SigningKey.load(settings.signing_file, create=True)
