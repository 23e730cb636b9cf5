"""The office's own identity provider: OpenID Connect, the code flow with PKCE, state and nonce.

Owns the conversation with the provider. What comes out of it is the code of a person, from the claim the settings name;
whether that person has an account here, ``console.access.sessions`` decides: the provider recognises people, it never
adds any. Needs the extra ``oidc`` (Authlib); neither it nor the HTTP client is imported before it is used.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from domain.base import Frozen
from domain.errors import Refused
from runtime.settings import Settings

if TYPE_CHECKING:
    import httpx

PATIENCE = timedelta(minutes=10)
"""How long somebody may take at the provider."""

_TIMEOUT = 10
_KNOWN_FOR = 3600
_LEEWAY = 120
_SIGNED_BY = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
_LONGEST = 64 * 1024


class Memory(Frozen):
    """What the browser keeps while the person is at the provider, sealed by us."""

    state: str
    nonce: str
    verifier: str
    next: str
    until: datetime

    def sealed(self, key: bytes) -> str:
        """The text of a cookie that nobody else can make."""
        content = base64.urlsafe_b64encode(self.model_dump_json().encode()).decode()
        return f"{content}.{_seal(content, key)}"

    @classmethod
    def unsealed(cls, text: str, key: bytes, at: datetime) -> "Memory | None":
        """What was sealed; None for anything else and for what is too old."""
        content, _, seal = text.partition(".")
        if not hmac.compare_digest(seal.encode(errors="replace"), _seal(content, key).encode()):
            return None
        found = cls.model_validate_json(base64.urlsafe_b64decode(content))
        return found if at < found.until else None


def _seal(content: str, key: bytes) -> str:
    return hmac.new(key, content.encode(errors="replace"), hashlib.sha256).hexdigest()


class Begun(NamedTuple):
    """Where the person goes to be recognised, and what to remember meanwhile."""

    address: str
    memory: Memory


class Provider:
    """The identity provider of the settings; ``back`` is always our own address it sends people back to."""

    def __init__(self, issuer: str, client_id: str, client_secret: str | None, claim: str) -> None:
        self._issuer, self._client_id, self._claim = issuer.rstrip("/"), client_id, claim
        self._client_secret = client_secret
        self._metadata: Mapping[str, Any] = {}
        self._keys: Any = None
        self._read_at = -float(_KNOWN_FOR)

    @classmethod
    def of(cls, settings: Settings) -> "Provider":
        """The provider as set. Raises ``Refused`` ``access.provider_missing`` without settings or without the extra."""
        if not settings.oidc_issuer or not settings.oidc_client_id or find_spec("authlib") is None:
            raise Refused("access.provider_missing")
        secret = settings.oidc_client_secret.get_secret_value() if settings.oidc_client_secret else None
        return cls(settings.oidc_issuer, settings.oidc_client_id, secret, settings.oidc_person_claim)

    async def begin(self, back: str, wanted: str, at: datetime) -> Begun:
        """Begin: the address at the provider, and the memory to seal. Raises ``Refused`` ``access.provider_failed``."""
        from authlib.oauth2.rfc7636 import create_s256_code_challenge  # type: ignore[import-untyped]

        async with _client() as client:
            await self._read(client)
        memory = Memory(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            next=wanted,
            until=at + PATIENCE,
        )
        asked = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": back,
            "scope": "openid profile",
            "state": memory.state,
            "nonce": memory.nonce,
            "code_challenge": create_s256_code_challenge(memory.verifier),
            "code_challenge_method": "S256",
        }
        endpoint = str(self._metadata["authorization_endpoint"])
        return Begun(endpoint + ("&" if urlsplit(endpoint).query else "?") + urlencode(asked), memory)

    async def finish(self, back: str, memory: Memory, *, state: str, code: str) -> str:
        """The code of the person the provider has recognised.

        Raises ``Refused`` ``access.provider_failed``: the answer is not one to our question, or cannot be believed.
        """
        if not hmac.compare_digest(state.encode(errors="replace"), memory.state.encode()) or not code:
            raise _failed("state")
        async with _client() as client:
            await self._read(client)
            tokens = await self._exchange(client, back, memory, code)
            claims = await self._believed(client, str(tokens.get("id_token", "")), memory, tokens)
            found = claims.get(self._claim)
            if found is None and "userinfo_endpoint" in self._metadata:
                found = (await self._user_info(client, claims, tokens)).get(self._claim)
        if not isinstance(found, str) or not found.strip():
            raise _failed(f"claim {self._claim}")
        return found.strip()

    async def _read(self, client: "httpx.AsyncClient", *, again: bool = False) -> None:
        """Know the provider's addresses and keys, read anew every hour or when a key is not among them."""
        if not again and time.monotonic() - self._read_at < _KNOWN_FOR:
            return
        metadata = await _json(client, "GET", f"{self._issuer}/.well-known/openid-configuration")
        # A provider that calls itself otherwise is another one.
        if str(metadata.get("issuer", "")).rstrip("/") != self._issuer:
            raise _failed("issuer")
        if not all(
            isinstance(metadata.get(name), str) for name in ("authorization_endpoint", "token_endpoint", "jwks_uri")
        ):
            raise _failed("metadata")
        keys = await _json(client, "GET", metadata["jwks_uri"])
        self._metadata, self._keys, self._read_at = metadata, keys, time.monotonic()

    async def _exchange(self, client: "httpx.AsyncClient", back: str, memory: Memory, code: str) -> Mapping[str, Any]:
        fields = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "code_verifier": memory.verifier,
            "client_id": self._client_id,
        }
        ways = self._metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        auth = None
        if self._client_secret is not None and "client_secret_basic" in ways:
            import httpx

            auth = httpx.BasicAuth(self._client_id, self._client_secret)
        elif self._client_secret is not None:
            fields["client_secret"] = self._client_secret
        return await _json(client, "POST", self._metadata["token_endpoint"], data=fields, auth=auth)

    async def _believed(
        self, client: "httpx.AsyncClient", token: str, memory: Memory, tokens: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The claims of the token: signed by the provider, for us, in answer to this very question, still good."""
        from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
        from joserfc.errors import InvalidKeyIdError, JoseError

        try:
            try:
                decoded = self._decoded(token)
            except InvalidKeyIdError:
                await self._read(client, again=True)
                decoded = self._decoded(token)
            options = {
                "iss": {"essential": True, "values": [self._metadata["issuer"]]},
                "aud": {"essential": True, "values": [self._client_id]},
            }
            params = {
                "nonce": memory.nonce,
                "client_id": self._client_id,
                "access_token": tokens.get("access_token"),
            }
            claims = CodeIDToken(decoded.claims, decoded.header, options, params)
            claims.validate(leeway=_LEEWAY)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _failed("id_token") from error
        return dict(claims)

    def _decoded(self, token: str) -> Any:
        from joserfc import jwt
        from joserfc.jwk import KeySet

        # Only what is signed with the provider's private key; a shared secret or nothing at all proves nothing.
        return jwt.decode(token, KeySet.import_key_set(self._keys), algorithms=list(_SIGNED_BY))

    async def _user_info(
        self, client: "httpx.AsyncClient", claims: Mapping[str, Any], tokens: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        bearer = {"authorization": f"Bearer {tokens.get('access_token', '')}"}
        told = await _json(client, "GET", self._metadata["userinfo_endpoint"], headers=bearer)
        if told.get("sub") != claims.get("sub"):
            raise _failed("userinfo")
        return told


def _client() -> "httpx.AsyncClient":
    import httpx

    return httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False)


def _failed(reason: str) -> Refused:
    return Refused("access.provider_failed", reason=reason)


async def _json(client: "httpx.AsyncClient", method: str, address: str, **given: Any) -> dict[str, Any]:
    """The JSON object at this address; what the provider says in an error is not repeated, it may hold secrets."""
    import httpx

    try:
        answer = await client.request(
            method, address, headers={"accept": "application/json", **given.pop("headers", {})}, **given
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _failed("unreachable") from error
    if not answer.is_success or len(answer.content) > _LONGEST:
        raise _failed(f"http {answer.status_code}")
    try:
        found = answer.json()
    except ValueError as error:
        raise _failed("json") from error
    if not isinstance(found, dict):
        raise _failed("json")
    return found
