"""The commands of Compose, with its environment, secrets, roles, certificates and proxy, against real servers."""

import asyncio
import json
import os
import shutil
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest

from domain.errors import Refused
from runtime import postgres as embedded
from runtime.children import Child, ChildSpec
from runtime.endpoints import TemporalTls
from runtime.postgres import EmbeddedPostgres
from runtime.temporal import connect_plainly
from runtime.temporal_server import EmbeddedTemporal, free_ports
from tests.deploy.rendered import DEPLOY, ROOT, SITE, compose, tool

NEIGHBOURHOOD = ROOT / "console" / "demo" / "neighbourhood.yaml"
REQUEST = {"title": "路灯不亮", "text": "桂子巷口的路灯坏了", "grid": "G01", "category": "K04"}

# What stands before Temporal here, for the development server speaks no TLS: the same certificates, checked alike.
GATEWAY = """
{
	admin off
	auto_https off
	skip_install_trust
}
https://temporal:%(port)d {
	tls %(folder)s/server.pem %(folder)s/server.key {
		client_auth {
			mode require_and_verify
			trust_pool file %(folder)s/ca.pem
		}
	}
	reverse_proxy h2c://%(server)s
}
"""


@dataclass
class Town:
    """The containers' names and folders, and what stands for them on this machine."""

    folder: Path
    superuser: str
    temporal: str
    ports: Mapping[str, int]
    running: dict[str, Child] = field(default_factory=dict)

    @property
    def secrets(self) -> Path:
        return self.folder / "deploy" / "compose" / "secrets"

    def environment(self, name: str) -> dict[str, str]:
        """The environment of a service of Compose, every place in it as it is here."""
        given = {key: self._here(str(value)) for key, value in compose()["services"][name]["environment"].items()}
        ports = {"BIHUAN_CONSOLE_PORT": "console", "CONSOLE_PORT": "console", "HTTPS_PORT": "https"}
        given |= {key: str(self.ports[port]) for key, port in ports.items() if key in given}
        loopback = ("BIHUAN_CONSOLE_HOST", "BIHUAN_TRUSTED_PROXIES")
        given |= {key: "127.0.0.1" for key in loopback if key in given}
        metrics = {
            "BIHUAN_WORKER_METRICS": "worker",
            "BIHUAN_CONSOLE_METRICS": "console metrics",
            "BIHUAN_CONNECTOR_METRICS": "connector",
        }
        given |= {key: f"127.0.0.1:{self.ports[port]}" for key, port in metrics.items() if key in given}
        bare = {key: value for key, value in os.environ.items() if not key.startswith("BIHUAN_")}
        return {**bare, "BIHUAN_DATA": str(self.folder / "data"), **given}

    def _here(self, value: str) -> str:
        for name, secret in compose()["secrets"].items():
            if value == f"/run/secrets/{name}":
                return str(self.secrets / Path(secret["file"]).relative_to(DEPLOY / "compose" / "secrets"))
        for there, here in (
            ("temporal:7233", self.temporal),
            ("/etc/bihuan/keys", str(self.secrets / "keys")),
            ("/var/lib/bihuan", str(self.folder / "data")),
            ("/data", str(self.secrets / "authority")),
        ):
            if value.startswith(there):
                return here + value.removeprefix(there)
        return value

    async def do(self, name: str, *words: str, given: str | None = None) -> str:
        """Run a service that ends, with its own command or ``words`` after ``bihuan``; its output."""
        command = ["bihuan", *words] if words else compose()["services"][name]["command"]
        return await ended([tool(command[0]), *command[1:]], self.environment(name), given)

    async def start(self, name: str, stack: AsyncExitStack, command: Sequence[str] | None = None) -> Child:
        """Run a service that stays, until the stack is left; returns when it has said that it is ready."""
        words = list(
            command or compose()["services"][name].get("command") or ["python", "-P", "-m", "console.http.serve"]
        )
        ready = self.folder / f"{name}.ready"
        spec = ChildSpec(
            name=name,
            command=[tool(words[0]), *words[1:]],
            environment=self.environment(name),
            folder=self.folder,
            ready_file=ready,
            ready_within=timedelta(seconds=120),
            patience=timedelta(seconds=30),
        )
        self.running[name] = child = Child(spec, self.folder)
        await child.start()
        stack.push_async_callback(child.stop)
        return child


async def _register(place: Town) -> dict[str, Any]:
    """Hand a request in as an operator does: the same command again while the answer is late (3) or a server is (4)."""
    words = ("case", "new", "-", "--as", "G01-1", "--command-id", str(uuid4()), "--json")
    for _ in range(10):
        code, said = await ends([tool("bihuan"), *words], place.environment("office"), json.dumps(REQUEST))
        if code not in (3, 4):
            break
    assert code == 0, said
    made: dict[str, Any] = json.loads(said)
    return made


async def ended(command: Sequence[str], environment: Mapping[str, str], given: str | None = None) -> str:
    """The output of a program that must end well."""
    code, said = await ends(command, environment, given)
    assert code == 0, f"{' '.join(command)}\n{said}"
    return said


async def ends(command: Sequence[str], environment: Mapping[str, str], given: str | None = None) -> tuple[int, str]:
    """Exit code and output, of one that failed with its errors."""
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, cwd="/",
    )  # fmt: skip
    out, errors = await process.communicate(given.encode() if given else b"")
    code = process.returncode or 0
    return code, out.decode() + (errors.decode() if code else "")


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def speaks_tls(port: int, authority: Path, name: str) -> bool:
    """Whether the port shows a certificate for ``name``: Caddy listens before its authority has made one."""
    if not authority.exists():
        return False
    trusting = ssl.create_default_context(cafile=str(authority))
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname=name)
    except OSError:
        return False
    writer.close()
    return True


@asynccontextmanager
async def caddy(
    name: str, file: Path, ready: Callable[[], Awaitable[bool]], folder: Path, environment: Mapping[str, str]
) -> AsyncIterator[None]:
    """Caddy with a file of its own."""
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    spec = ChildSpec(
        name=name,
        command=[tool("caddy"), "run", "--config", str(file), "--adapter", "caddyfile"],
        environment={**os.environ, **home, **environment},
        ready=ready,
        ready_within=timedelta(seconds=60),
    )
    child = Child(spec, folder)
    await child.start()
    try:
        yield
    finally:
        await child.stop()


@asynccontextmanager
async def town() -> AsyncIterator[tuple[Town, AsyncExitStack]]:
    """A prepared Compose folder, PostgreSQL with its three logins, Temporal behind certificates."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bihuan-")))
        shutil.copytree(DEPLOY, folder / "deploy")
        await ended([str(folder / "deploy/compose/prepare.sh"), SITE], os.environ)
        server = await stack.enter_async_context(EmbeddedPostgres(folder / "postgres"))
        temporal = await stack.enter_async_context(EmbeddedTemporal(folder / "temporal", ui=False))
        names = ("gateway", "console", "https", "worker", "console metrics", "connector")
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        place = Town(folder, server.dsn("postgres"), f"127.0.0.1:{ports['gateway']}", ports)
        await _make_roles(place, server)
        gateway = folder / "gateway"
        gateway.write_text(
            GATEWAY % {"port": ports["gateway"], "folder": place.secrets / "temporal", "server": temporal.address},
            "utf-8",
        )
        await stack.enter_async_context(caddy("gateway", gateway, lambda: listens(ports["gateway"]), folder, {}))
        yield place, stack


async def _make_roles(place: Town, server: EmbeddedPostgres) -> None:
    binaries, socket = embedded._binaries(), server.socket_folder
    # The embedded server has made a database of this name already; the script makes all of them itself.
    await server.drop_database("bihuan")
    environment = {
        **os.environ,
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "PGHOST": str(socket),
        "POSTGRES_USER": "postgres",
        "SECRETS": str(place.secrets),
    }
    await ended([str(DEPLOY / "postgres" / "roles.sh")], environment)
    for login in ("owner", "worker"):
        file = place.secrets / f"database_url_{login}"
        address = file.read_text("utf-8")
        assert "@postgres:5432/bihuan" in address
        file.chmod(0o600)
        file.write_text(address.replace("@postgres:5432/bihuan", f"@/bihuan?host={socket}"), "utf-8")


@pytest.mark.timeout(300)
async def test_what_compose_starts_works_against_real_servers() -> None:
    async with town() as (place, stack):
        await asyncio.gather(place.do("migrate"), place.do("namespace"))
        await place.do("office", "registry", "load", str(NEIGHBOURHOOD))
        await place.do("office", "key", "payload", "--out", str(place.secrets / "payload.key"))
        (place.secrets / "payload_key").unlink()
        (place.secrets / "payload.key").rename(place.secrets / "payload_key")

        connector = compose()["services"]["connector"]
        await asyncio.gather(
            place.start("worker", stack),
            place.start("console", stack),
            place.start("connector", stack, [*connector["entrypoint"], *connector["command"]]),
        )
        made = await _register(place)
        assert made["stream"].startswith("case-"), made

        await _postgresql_takes_its_configuration(place.superuser)
        await _nobody_comes_in_without_a_certificate(place)
        await _the_proxy_shows_pages_and_hides_what_is_inside(place)
        for port in ("console", "console metrics", "worker", "connector"):
            # As the containers' own health checks ask.
            address = f"http://127.0.0.1:{place.ports[port]}/readyz"
            await ended([tool("python"), str(DEPLOY / "image" / "healthcheck.py"), address], os.environ)
        for name, child in place.running.items():
            await child.stop()
            assert child.exit_code == 0, f"{name} did not finish by itself"


async def _postgresql_takes_its_configuration(dsn: str) -> None:
    lines = (DEPLOY / "postgres" / "postgresql.conf").read_text("utf-8").splitlines()
    given = dict(line.split(" = ", 1) for line in lines if line and not line.startswith("#"))
    # Compression of the log is a matter of how a server was built; this one may have been built without.
    given.pop("wal_compression")
    conn: asyncpg.Connection = await asyncpg.connect(dsn)
    try:
        for name, value in given.items():
            # Kept for the next start of a server that has none; refused at once where name or value is wrong.
            await conn.execute(f"alter system set {name} = '{value.strip(chr(39))}'")
    finally:
        await conn.close()


async def _nobody_comes_in_without_a_certificate(place: Town) -> None:
    ca = TemporalTls(ca_file=place.secrets / "temporal" / "ca.pem", name="temporal")

    with pytest.raises(Refused) as refused:
        await connect_plainly(place.temporal, "bihuan", tls=ca, patience=timedelta(seconds=1))

    assert refused.value.code == "temporal.unreachable"


async def _the_proxy_shows_pages_and_hides_what_is_inside(place: Town) -> None:
    environment = place.environment("proxy") | {"CONSOLE_HOST": "localhost"}
    port, authority = place.ports["https"], place.folder / "authority"
    authority.mkdir()
    file = DEPLOY / "proxy" / "Caddyfile"
    root = authority / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    environment |= {"XDG_DATA_HOME": str(authority)}
    async with (
        caddy("proxy", file, lambda: speaks_tls(port, root, SITE), authority, environment),
        httpx.AsyncClient(
            verify=ssl.create_default_context(cafile=str(root)),
            base_url=f"https://127.0.0.1:{port}",
            headers={"Host": SITE},
            timeout=60,
        ) as client,
    ):
        named: dict[str, Any] = {"extensions": {"sni_hostname": SITE}}
        inside = await client.get("/readyz", **named)
        page = await client.get("/", **named)
        signing_in = await client.get(page.headers["location"], **named)

    assert inside.status_code == 404
    assert page.status_code == 303
    assert (signing_in.status_code, "闭环" in signing_in.text) == (200, True)
    assert "strict-transport-security" in signing_in.headers, "the console takes the request for one over https"
