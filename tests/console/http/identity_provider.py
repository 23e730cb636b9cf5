"""A small identity provider: a process of its own on loopback that recognises whoever it is told to.

``python identity_provider.py <port file> <claims as JSON> <how it misbehaves>``. It serves the discovery document, its
keys, an authorisation endpoint that sends everybody straight back, and a token endpoint that checks the secret of the
client, the code, the address and PKCE as the standard asks.
"""

import base64
import hashlib
import json
import secrets
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

CLIENT, SECRET = "bihuan", "an invented secret"


class Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    issuer = ""
    claims: dict[str, Any] = {}  # noqa: RUF012 - set once before serving
    fault = ""
    key = RSAKey.generate_key(2048, parameters={"kid": "one", "use": "sig"})
    codes: dict[str, dict[str, str]] = {}  # noqa: RUF012 - one process, one provider

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Say nothing."""

    def _json(self, value: Any, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        """Discovery, keys, authorisation, user information."""
        parts = urlsplit(self.path)
        if parts.path == "/.well-known/openid-configuration":
            self._json(
                {
                    "issuer": "http://somebody.else" if self.fault == "issuer" else self.issuer,
                    "authorization_endpoint": f"{self.issuer}/authorize",
                    "token_endpoint": f"{self.issuer}/token",
                    "jwks_uri": f"{self.issuer}/keys",
                    "userinfo_endpoint": f"{self.issuer}/me",
                }
            )
        elif parts.path == "/keys":
            self._json(KeySet([self.key]).as_dict(private=False))
        elif parts.path == "/authorize":
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            code = secrets.token_urlsafe(16)
            self.codes[code] = asked
            self.send_response(302)
            self.send_header(
                "location", f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"
            )
            self.send_header("content-length", "0")
            self.end_headers()
        elif parts.path == "/me":
            self._json({"sub": "subject-1", "employee": self.claims.get("employee_at_userinfo")})
        else:
            self._json({}, 404)

    def do_POST(self) -> None:
        """Exchange a code for tokens."""
        length = int(self.headers["content-length"])
        fields = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
        expected = "Basic " + base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        asked = self.codes.pop(fields.get("code", ""), None)
        digest = hashlib.sha256(fields.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        good = (
            self.headers.get("authorization") == expected
            and asked is not None
            and asked["redirect_uri"] == fields.get("redirect_uri")
            and asked["code_challenge"] == challenge
            and asked["code_challenge_method"] == "S256"
        )
        if asked is None or not good:
            self._json({"error": "invalid_grant"}, 400)
            return
        self._json({"access_token": "access", "token_type": "Bearer", "id_token": self._id_token(asked["nonce"])})

    def _id_token(self, nonce: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": "subject-1",
            "aud": "somebody-else" if self.fault == "audience" else CLIENT,
            "iat": now - 4000 if self.fault == "late" else now,
            "exp": now - 3600 if self.fault == "late" else now + 300,
            "nonce": "another" if self.fault == "nonce" else nonce,
            **self.claims,
        }
        if self.fault == "forged":
            stranger = RSAKey.generate_key(2048, parameters={"kid": "one"})
            return jwt.encode({"alg": "RS256", "kid": "one"}, claims, stranger)
        if self.fault == "secret":
            return jwt.encode({"alg": "HS256", "kid": "one"}, claims, OctKey.import_key(SECRET * 3))
        return jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.key)


def main() -> None:
    """Serve until killed."""
    port_file, claims, fault = sys.argv[1:4]
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Handler.issuer = f"http://127.0.0.1:{server.server_address[1]}"
    Handler.claims, Handler.fault = json.loads(claims), fault
    draft = Path(port_file).with_suffix(".draft")
    draft.write_text(Handler.issuer, encoding="utf-8")
    draft.rename(port_file)
    server.serve_forever()


if __name__ == "__main__":
    main()
