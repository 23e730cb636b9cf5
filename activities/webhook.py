"""The signed webhook, by which notices and checkpoints leave the house over HTTP.

Owns its protocol, its signatures and which addresses it may call. Imported by whoever has one to call: the HTTP client
with all it brings is a large part of what a worker needs to start.
"""

import asyncio
import binascii
import ipaddress
import json
import logging
import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime

import httpx
from pydantic import JsonValue, SecretStr
from standardwebhooks import Webhook

from activities.messages import TIMEOUT, Message, Undelivered, cloud_event, kind_of, wrong_setting

_LEAST_SECRET = 24
"""Bytes; the least the Standard Webhooks specification recommends."""


class SignedWebhook:
    """A signed POST as the Standard Webhooks specification has it, its body a CloudEvent in JSON.

    ``webhook-id`` is the notice's id. No redirect is followed, any 2xx answer is delivery, the answer's body is not
    read. The name is resolved first and the connection goes to what was checked: private, loopback and other
    addresses inside are refused unless ``private``, whatever the name is made to mean a moment later. Proxies of the
    environment are not used, for they would connect elsewhere.
    """

    name = "webhook"
    receivers: tuple[str, ...] | None = ("1",)

    def __init__(self, url: str, secret: SecretStr | None, *, private: bool) -> None:
        try:
            self._url = httpx.URL(url)
        except httpx.InvalidURL:
            raise wrong_setting("webhook_url", "https://host/path") from None
        if self._url.scheme not in ("http", "https") or not self._url.host or self._url.userinfo:
            raise wrong_setting("webhook_url", "https://host/path")
        self._signers = _signers(secret)
        self._private = private
        # It would log every address it calls, and a path may hold a token.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        # The system's own certificates (SSL_CERT_FILE adds an office's): not those of a package.
        self._client = httpx.AsyncClient(
            verify=ssl.create_default_context(),
            timeout=TIMEOUT.total_seconds(),
            follow_redirects=False,
            trust_env=False,
        )

    async def send(self, message: Message, receiver: str) -> None:
        """Deliver to the address of the settings."""
        await self.post(str(message.notice.id), cloud_event(message))

    async def post(self, id_: str, event: Mapping[str, JsonValue]) -> None:
        """Deliver a CloudEvent under its id; raises ``Undelivered``."""
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        now = datetime.now(UTC)
        headers = {
            "Host": self._url.netloc.decode("ascii"),
            "Content-Type": "application/cloudevents+json; charset=utf-8",
            "User-Agent": "bihuan",
            "webhook-id": id_,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signer.sign(id_, now, body) for signer in self._signers),
        }
        try:
            # The certificate is checked against the name, the connection goes to the address.
            extensions = {"sni_hostname": self._url.raw_host.decode("ascii")}
            address = self._url.copy_with(host=await self._resolved())
            request = self._client.build_request(
                "POST", address, content=body.encode(), headers=headers, extensions=extensions
            )
            response = await self._client.send(request, stream=True)
            await response.aclose()
        except (httpx.HTTPError, OSError) as error:
            raise Undelivered(kind_of(error)) from None
        if not response.is_success:
            raise Undelivered(f"http {response.status_code}", final=response.status_code == httpx.codes.GONE)

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()

    async def _resolved(self) -> str:
        host, port = self._url.raw_host.decode("ascii"), self._url.port
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        addresses = [str(each[4][0]) for each in found]
        if not self._private and not all(is_public(address) for address in addresses):
            raise Undelivered("private address", final=True)
        return addresses[0]


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public Internet, also when it wraps one of version 4."""
    if "%" in address:
        return False  # an address with a zone is one of this machine's own networks
    found = ipaddress.ip_address(address)
    inner: list[ipaddress.IPv4Address | None] = []
    if isinstance(found, ipaddress.IPv6Address):
        inner = [found.ipv4_mapped, found.sixtofour, *(found.teredo or ())]
    if any(each is not None and not is_public(str(each)) for each in inner):
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved


def _signers(secret: SecretStr | None) -> list[Webhook]:
    """One signer for each secret given: while a secret is being changed both sign."""
    given = secret.get_secret_value().split() if secret else []
    reason = f"whsec_… (base64, ≥ {_LEAST_SECRET} bytes)"
    try:
        lengths = [len(binascii.a2b_base64(each.removeprefix("whsec_") + "==")) for each in given]
    except binascii.Error:
        raise wrong_setting("webhook_secret", reason) from None
    if not lengths or min(lengths) < _LEAST_SECRET:
        raise wrong_setting("webhook_secret", reason)
    return [Webhook(each) for each in given]
