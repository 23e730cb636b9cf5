"""Notices to deliver, and real servers on loopback that take them and remember what they got."""

import base64
import contextlib
import json
import socket
import ssl
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from standardwebhooks import Webhook

from activities.webhook import SignedWebhook
from domain.registry_problem import RawRegistry
from tests.neighbourhood import NOON, REGISTRY, raw_registry

SECRET = "whsec_" + base64.b64encode(b"an invented secret of the tests!").decode()


def staff(**emails: str) -> RawRegistry:
    """The neighbourhood's registry in which these people have an address, ``handler`` by default."""
    known = emails or {"handler": "handler@office.example"}
    people = [{**row, "email": known[row["id"]]} if row["id"] in known else row for row in REGISTRY["people"]]
    return raw_registry(people=people)


async def put_notice(
    conn: asyncpg.Connection, kind: str = "urged", *, stream: str = "case-a", minute: int = 0, **fields: Any
) -> UUID:
    """Write a notice as a projection would, ``minute`` minutes after noon; to the handlers of D01 unless told."""
    id_ = fields.pop("id", None) or uuid4()
    params = fields.pop("params", {"title": "路面破损", "clock": "处置", "clock_en": "handling", "reply_by": ""})
    to = fields or {"role": "department_handler", "organisation": "D01"}
    await conn.execute(
        """
        insert into notice (id, stream, seq, process, kind, at, role, organisation, grid, person, params)
        values ($1, $2, 3, 'case', $3, $4, $5, $6, $7, $8, $9::text::jsonb)
        """,
        id_,
        stream,
        kind,
        NOON + timedelta(minutes=minute),
        to.get("role"),
        to.get("organisation"),
        to.get("grid"),
        to.get("person"),
        json.dumps(params),
    )
    return UUID(str(id_))


async def states(conn: asyncpg.Connection, notice: UUID) -> dict[tuple[str, str], str]:
    """What has become of a notice, by channel and receiver."""
    rows = await conn.fetch("select channel, receiver, state from delivery where notice = $1", notice)
    return {(row["channel"], row["receiver"]): row["state"] for row in rows}


@dataclass(frozen=True)
class Certificate:
    """A certificate signed by itself, with its key in the same file."""

    file: Path

    @classmethod
    def make(cls, folder: Path, host: str) -> "Certificate":
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(key, hashes.SHA256())
        )
        encoded = made.public_bytes(serialization.Encoding.PEM)
        encoded += key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file = folder / f"{host}.pem"
        file.write_bytes(encoded)
        return cls(file)

    def for_server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file)
        return context


@dataclass(frozen=True)
class Hook:
    """One request as it came; ``event`` is what its signature vouches for."""

    path: str
    headers: dict[str, str]
    event: dict[str, Any]


class _Server(ThreadingHTTPServer):
    # The default of five drops connections when a batch arrives at once, and each then waits a second.
    request_queue_size = 128


class Hooks:
    """A web server that answers with ``answers`` in turn, then 204, and keeps what was signed with the secret.

    While ``hold`` is set requests are taken and not answered.
    """

    def __init__(self, certificate: Certificate | None = None) -> None:
        self.got: list[Hook] = []
        self.posted: list[bytes] = []
        self.answers: list[int] = []
        self.release = threading.Event()
        self.release.set()
        self._certificate = certificate
        self._port = 0

    @property
    def port(self) -> int:
        return self._port

    @property
    def ids(self) -> list[str]:
        return [hook.headers["webhook-id"] for hook in self.got]

    def url(self, path: str = "/hook", *, scheme: str = "http", host: str = "127.0.0.1") -> str:
        return f"{scheme}://{host}:{self._port}{path}"

    def channel(self, **given: Any) -> SignedWebhook:
        """The channel that leads here."""
        return SignedWebhook(**{"url": self.url(), "secret": SecretStr(SECRET), "private": True, **given})

    def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hooks._take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
                hooks.release.wait(60)
                answer = hooks.answers.pop(0) if hooks.answers else 204
                # Whoever sent it may be dead by now.
                with contextlib.suppress(OSError):
                    self.send_response(answer)
                    if 300 <= answer < 400:
                        self.send_header("Location", hooks.url("/elsewhere"))
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base
                """Say nothing."""

        self._server = _Server(("127.0.0.1", self._port), Handler)
        if self._certificate:
            self._server.socket = self._certificate.for_server().wrap_socket(self._server.socket, server_side=True)
        self._port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        self.posted.append(body)
        if "webhook-id" in headers:
            self.got.append(Hook(path, headers, Webhook(SECRET).verify(body, headers)))

    def stop(self) -> None:
        """Stop listening; connections are refused."""
        self.release.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Mail:
    """A mail server that answers recipients with ``answers`` in turn and keeps what it takes."""

    def __init__(self, certificate: Certificate | None = None, *, implicit: bool = False) -> None:
        self.got: list[Envelope] = []
        self.answers: list[str] = []
        self.logins: list[tuple[bytes, bytes]] = []
        options: dict[str, Any] = {}
        if certificate and implicit:
            options = {"ssl_context": certificate.for_server()}
        elif certificate:
            options = {
                "tls_context": certificate.for_server(),
                "require_starttls": True,
                "authenticator": self._known,
                "auth_required": True,
            }
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._options = options

    def _known(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _how: str, data: LoginPassword
    ) -> AuthResult:
        self.logins.append((data.login, data.password))
        return AuthResult(success=data.password == b"pass word", handled=False)

    async def handle_RCPT(  # noqa: N802 - the name aiosmtpd calls
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        self.got.append(envelope)
        return "250 OK"

    def start(self) -> None:
        """Listen, on the same port as before."""
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **self._options)
        self._controller.start()

    def stop(self) -> None:
        """Stop listening; connections are refused."""
        self._controller.stop()
