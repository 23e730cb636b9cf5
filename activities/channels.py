"""The ways by which a notice leaves the house: e-mail, signed webhook, and whatever ``apprise`` knows.

Owns protocols and addresses of the settings; the webhook itself is in ``activities.webhook``. Must not know the
ledger's tables and must not try again: an attempt either returns or raises ``Undelivered``. What is sent holds codes
and redacted text only. The reason of a failure is a code of ours: a server's own words may repeat addresses and stay
out of tables and logs.
"""

import asyncio
import logging
import smtplib
import ssl
from collections.abc import Callable
from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from activities.messages import TIMEOUT, Message, Undelivered, kind_of, wrong_setting
from domain.errors import Refused
from ledger.outbox import EMAIL
from runtime.settings import PREFIX, Settings


class Channel(Protocol):
    """One way out. ``receivers`` are the numbers of its addresses; None means people, each at an address of their own.

    ``send`` delivers to one receiver or raises ``Undelivered``; it may be cancelled at any time. A repeated ``send``
    carries the same id, so that receivers can tell. ``close`` gives connections back.
    """

    name: str
    receivers: tuple[str, ...] | None

    async def send(self, message: Message, receiver: str) -> None:
        """Deliver ``message``."""

    async def close(self) -> None:
        """End what is open."""


def open_channels(settings: Settings) -> tuple[Channel, ...]:
    """The channels that the settings name; no server is asked yet.

    Raises ``Refused``: ``settings.invalid`` for what cannot be used, ``notice.apprise_missing`` when addresses for
    ``apprise`` are given and it is not installed.
    """
    channels: list[Channel] = []
    if settings.smtp_url is not None:
        channels.append(Email(settings.smtp_url, settings.smtp_from))
    if settings.webhook_url is not None:
        from activities.webhook import SignedWebhook

        secret = settings.webhook_secret
        channels.append(SignedWebhook(settings.webhook_url, secret, private=settings.webhook_private))
    if settings.apprise_urls is not None:
        channels.append(OtherServices(settings.apprise_urls))
    return tuple(channels)


class Email:
    """E-mail by SMTP: ``smtps`` is encrypted from the first byte, ``smtp`` as soon as the server offers STARTTLS.

    A password is never sent over a connection that is not encrypted; certificates are checked. The Message-ID is
    made of the notice's id.
    """

    name = EMAIL
    receivers: tuple[str, ...] | None = None

    def __init__(self, url: SecretStr, sender: str | None) -> None:
        parts = urlsplit(url.get_secret_value())
        try:
            port = parts.port
        except ValueError:
            port = 0
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname or port == 0:
            raise wrong_setting("smtp_url", "smtp[s]://user:password@host:port")
        address = parseaddr(sender or "")[1]
        if "@" not in address or not (sender or "").isprintable():
            raise wrong_setting("smtp_from", "name@example.org")
        self._implicit = parts.scheme == "smtps"
        self._host = parts.hostname
        self._login = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        self._port = port or (465 if self._implicit else 587 if self._login else 25)
        self._sender, self._address = str(sender), address
        self._domain = address.rpartition("@")[2]

    async def send(self, message: Message, receiver: str) -> None:
        """Deliver to the address of the message."""
        if message.address is None:
            raise Undelivered("no address", final=True)
        await asyncio.to_thread(self._send, self._written(message, message.address), message.address)

    async def close(self) -> None:
        """Nothing is open between two e-mails."""

    def _written(self, message: Message, to: str) -> EmailMessage:
        email = EmailMessage()
        subject = " ".join(message.text("zh").split())
        email["Subject"] = subject if len(subject) <= 80 else f"{subject[:79]}…"
        email["From"], email["To"] = self._sender, to
        email["Date"] = formatdate(message.notice.at.timestamp())
        email["Message-ID"] = f"<{message.notice.id}@{self._domain}>"
        # Out-of-office programs must not answer a program.
        email["Auto-Submitted"] = "auto-generated"
        email["X-Bihuan-Kind"] = message.notice.kind
        email.set_content(message.body())
        return email

    def _send(self, email: EmailMessage, to: str) -> None:
        try:
            server = self._connected()
            try:
                server.send_message(email, self._address, [to])
            finally:
                _part_from(server)
        except smtplib.SMTPRecipientsRefused as error:
            code = next(iter(error.recipients.values()))[0]
            raise Undelivered(f"smtp {code}", final=code >= 500) from None
        except smtplib.SMTPResponseException as error:
            raise Undelivered(f"smtp {error.smtp_code}") from None
        except (smtplib.SMTPException, OSError) as error:
            raise Undelivered(kind_of(error)) from None

    def _connected(self) -> smtplib.SMTP:
        options: dict[str, Any] = {"local_hostname": self._domain, "timeout": TIMEOUT.total_seconds()}
        if self._implicit:
            context = ssl.create_default_context()
            server: smtplib.SMTP = smtplib.SMTP_SSL(self._host, self._port, context=context, **options)
        else:
            server = smtplib.SMTP(self._host, self._port, **options)
        try:
            server.ehlo()
            if not self._implicit and server.has_extn("starttls"):
                server.starttls(context=ssl.create_default_context())
                server.ehlo()
            elif not self._implicit and self._login:
                raise Undelivered("no encryption for the password")
            if self._login:
                server.login(*self._login)
        except BaseException:
            server.close()
            raise
        return server


def _part_from(server: smtplib.SMTP) -> None:
    """Say good-bye; once the message has been taken nothing that goes wrong here makes it untaken."""
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()


class OtherServices:
    """Other services by ``apprise``, the optional extra ``notify``: one delivery for each address, in their order."""

    name = "apprise"

    def __init__(self, urls: SecretStr) -> None:
        apprise = _apprise()
        # What it logs may hold the tokens in the addresses.
        logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
        all_of_them = apprise.Apprise()
        if not all_of_them.add(urls.get_secret_value()) or len(all_of_them) == 0:
            raise wrong_setting("apprise_urls", "service://…, service://…")
        self._make: Callable[[], Any] = apprise.Apprise
        self._services = {str(number): service for number, service in enumerate(all_of_them, start=1)}
        self.receivers: tuple[str, ...] | None = tuple(self._services)

    async def send(self, message: Message, receiver: str) -> None:
        """Deliver to the address with this number."""
        if receiver not in self._services:
            raise Undelivered("no such address", final=True)
        one = self._make()
        one.add(self._services[receiver])
        title = f"闭环 {message.notice.stream[:13]}"
        if not await one.async_notify(body=message.body(), title=title):
            raise Undelivered("not taken")

    async def close(self) -> None:
        """Nothing is open between two messages."""


def _apprise() -> Any:
    try:
        import apprise
    except ImportError:
        raise Refused("notice.apprise_missing", field=f"{PREFIX}APPRISE_URLS") from None
    return apprise
