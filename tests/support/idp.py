"""A provider of OAuth2 and OpenID Connect that is strict about what it is asked, and lies when it is told to."""

from __future__ import annotations

import contextlib
import hashlib
import html
import json
import secrets
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote_plus, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

PNG = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
CLIENT, SECRET = "our-client", "our/secret+with spaces"
ADA = {"sub": "ada-1", "name": "Ada", "preferred_username": "ada", "email": "ada@example.com", "email_verified": True}
KEY = RSAKey.generate_key(2048, {"kid": "key-1", "alg": "RS256", "use": "sig"})


class RefusedError(Exception):
    """What was asked is not as it must be; the text is an error of RFC 6749."""


@dataclass
class Issued:
    """A code, what it is for, and what it was asked with."""

    person: dict[str, Any]
    redirect: str
    challenge: str
    nonce: str
    is_used: bool = False


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: str


@dataclass
class Idp:
    """The provider. Faults are put in by changing `alter_token` and its like; `asked` are the requests so far."""

    url: str
    redirects: tuple[str, ...] = ("http://app.example.com/back",)
    person: dict[str, Any] = field(default_factory=lambda: dict(ADA))
    alter_answer: Callable[[dict[str, Any]], Any] = lambda answer: answer
    alter_claims: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
    alter_user: Callable[[dict[str, Any]], Any] = lambda user: user
    make_token: Callable[[dict[str, Any]], str] | None = None
    keys: KeySet = field(default_factory=lambda: KeySet([KEY]))
    files: dict[str, tuple[int, str, bytes]] = field(default_factory=dict)
    takes_header: bool = True
    wants_pkce: bool = True
    says_no: bool = False
    refuse: Callable[[dict[str, str]], Any] | None = None
    asked: list[Asked] = field(default_factory=list)
    codes: dict[str, Issued] = field(default_factory=dict)
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)

    def config(self, name: str = "oidc", **more: Any) -> dict[str, Any]:
        """How a collection knows it, with a URL to ask for who somebody is."""
        urls = {"authURL": "/authorize", "tokenURL": "/token", "userInfoURL": "/user"}
        known = {"name": name, "clientId": CLIENT, "clientSecret": SECRET}
        return known | {key: self.url + path for key, path in urls.items()} | more

    def signing(self, name: str = "oidc", **extra: Any) -> dict[str, Any]:
        """How a collection knows it that believes what it signs."""
        pinned = {"jwksURL": f"{self.url}/jwks", "issuers": [self.url]}
        return self.config(name, userInfoURL="", extra=pinned | extra)

    def authorize(self, url: str) -> str:
        """The code that somebody gets who goes to a URL and says yes. Raises `RefusedError`."""
        asked = dict(parse_qsl(urlsplit(url).query))
        if asked.get("client_id") != CLIENT or asked.get("response_type") != "code":
            raise RefusedError("unauthorized_client")
        if asked.get("redirect_uri") not in self.redirects:
            raise RefusedError("invalid_request")
        if self.wants_pkce and (not asked.get("code_challenge") or asked.get("code_challenge_method") != "S256"):
            raise RefusedError("invalid_request")
        code = secrets.token_urlsafe(16)
        person = dict(self.person)
        self.codes[code] = Issued(
            person, asked["redirect_uri"], asked.get("code_challenge", ""), asked.get("nonce", "")
        )
        return code

    def exchange(self, headers: dict[str, str], form: dict[str, str]) -> dict[str, Any]:
        """What is given for a code. Raises `RefusedError`."""
        self._check_client(headers, form)
        issued = self.codes.get(form.get("code", ""))
        if issued is None or form.get("grant_type") != "authorization_code":
            raise RefusedError("invalid_grant")
        is_used, issued.is_used = issued.is_used, True
        if self.refuse is not None:
            return self.refuse(form)
        proof = urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if is_used or form.get("redirect_uri") != issued.redirect or (issued.challenge and proof != issued.challenge):
            raise RefusedError("invalid_grant")
        token = secrets.token_urlsafe(16)
        self.tokens[token] = issued.person
        answer = {"access_token": token, "token_type": "Bearer", "refresh_token": "r-" + token, "expires_in": 3600}
        return self.alter_answer(answer | {"id_token": self._sign(issued)})

    def _sign(self, issued: Issued) -> str:
        now = int(time.time())
        said = {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 300, **issued.person}
        claims = self.alter_claims(said | ({"nonce": issued.nonce} if issued.nonce else {}))
        if self.make_token is not None:
            return self.make_token(claims)
        return jwt.encode({"alg": "RS256", "kid": KEY.kid}, claims, KEY)

    def _check_client(self, headers: dict[str, str], form: dict[str, str]) -> None:
        told = headers.get("authorization", "")
        if told.startswith("Basic ") and self.takes_header:
            name, _, secret = b64decode(told[6:]).decode().partition(":")
            known = (unquote_plus(name), unquote_plus(secret))
        else:
            known = (form.get("client_id", ""), form.get("client_secret", ""))
        if known != (CLIENT, SECRET):
            raise RefusedError("invalid_client")


class _Handler(BaseHTTPRequestHandler):
    idp: Idp

    def log_message(self, *arguments: Any) -> None:
        """Not into the output of tests."""

    def do_GET(self) -> None:
        self._note("")
        path, idp = urlsplit(self.path).path, self.idp
        if path == "/authorize":
            self._authorize()
        elif path == "/user":
            self._tell_who()
        elif path == "/jwks":
            self._answer(200, idp.keys.as_dict())
        elif path in idp.files:
            self._send(*idp.files[path])
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        self._note(body)
        if urlsplit(self.path).path == "/user":
            self._tell_who()
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            self._answer(200, self.idp.exchange(headers, dict(parse_qsl(body))))
        except RefusedError as refusal:
            self._answer(401 if str(refusal) == "invalid_client" else 400, {"error": str(refusal)})

    def _tell_who(self) -> None:
        person = self.idp.tokens.get(self.headers.get("authorization", "").removeprefix("Bearer "))
        self._answer(200, self.idp.alter_user(dict(person))) if person is not None else self._answer(401, {})

    def _authorize(self) -> None:
        """Sign in the person of the hour, and send the browser back, by a form if that is wanted."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        try:
            code = self.idp.authorize(self.path)
        except RefusedError as refusal:
            self._answer(400, {"error": str(refusal)})
            return
        outcome = {"error": "access_denied"} if self.idp.says_no else {"code": code}
        back = {**outcome, "state": asked.get("state", "")}
        if asked.get("response_mode") == "form_post":
            told = back | {"user": json.dumps({"name": {"firstName": "Ada", "lastName": "Lovelace"}})}
            fields = "".join(f'<input name="{name}" value="{html.escape(value)}">' for name, value in told.items())
            page = f'<form method="post" action="{html.escape(asked["redirect_uri"])}">{fields}</form>'
            self._send(200, "text/html", f"{page}<script>document.forms[0].submit()</script>".encode())
            return
        self.send_response(302)
        self.send_header("location", f"{asked['redirect_uri']}?{urlencode(back)}")
        self.send_header("content-length", "0")
        self.end_headers()

    def _note(self, body: str) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.idp.asked.append(Asked(self.command, self.path, headers, body))

    def _answer(self, number: int, value: Any) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self._send(number, "application/json", content)

    def _send(self, number: int, kind: str, content: bytes) -> None:
        self.send_response(number)
        self.send_header("content-type" if number < 300 else "location", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextlib.contextmanager
def running_idp() -> Iterator[Idp]:
    """A provider on a port of its own."""

    class Handler(_Handler):
        pass

    with _Server(("127.0.0.1", 0), Handler) as server:
        Handler.idp = Idp(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield Handler.idp
        finally:
            server.shutdown()
            thread.join()
