"""A real mail server in the test's own loop, or in a thread, which does as it is told."""

# ruff: noqa: ARG002, N802 - aiosmtpd says what its handlers are called and get

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from aiosmtpd.smtp import SMTP, AuthResult, Envelope

USER, SECRET = "postmaster", "open-sesame-42"


@dataclass
class Caught:
    """A letter that arrived."""

    sender: str
    recipients: list[str]
    content: bytes

    @property
    def message(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=default)

    def body(self, kind: str = "plain") -> str:
        """The text of its plain or HTML part."""
        return self.message.get_body((kind,)).get_content().replace("\r\n", "\n")


@dataclass
class MailServer:
    """What it was sent, and what it is to answer.

    `refusals` are answered first, one a letter; `recipients` has an answer for each address;
    when `stuck` is set it takes what comes and says nothing until `go_on`.
    """

    letters: list[Caught] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    recipients: dict[str, str] = field(default_factory=dict)
    logins: list[tuple[str, bool]] = field(default_factory=list)
    stuck: asyncio.Event | None = None
    port: int = 0
    at_once: int = 0
    most_at_once: int = 0
    pause: float = 0.0
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def arrived(self, count: int = 1, seconds: float = 20.0) -> list[Caught]:
        """All letters, once there are so many."""
        async with asyncio.timeout(seconds):
            while len(self.letters) < count:
                self._more.clear()
                await self._more.wait()
        return self.letters

    def get_stuck(self) -> None:
        """Say nothing more, from now on."""
        self.stuck = asyncio.Event()

    def go_on(self) -> None:
        """Answer again."""
        if self.stuck is not None:
            self.stuck.set()
        self.stuck = None

    async def handle_RCPT(self, server: Any, session: Any, envelope: Envelope, address: str, options: Any) -> str:
        if address in self.recipients:
            return self.recipients[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self.stuck is not None:
                await self.stuck.wait()
            await asyncio.sleep(self.pause)
        finally:
            self.at_once -= 1
        if self.refusals:
            return self.refusals.pop(0)
        self.letters.append(Caught(envelope.mail_from, list(envelope.rcpt_tos), envelope.content))
        self._more.set()
        return f"250 taken as {len(self.letters)}"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        is_right = (data.login.decode(), data.password.decode()) == (USER, SECRET)
        self.logins.append((mechanism, is_right))
        return AuthResult(success=is_right, handled=False)


@contextlib.asynccontextmanager
async def mail_server(
    *, tls: ssl.SSLContext | None = None, implicit: bool = False, auth: bool = False, port: int = 0
) -> AsyncIterator[MailServer]:
    """A mail server on this loop. With `tls` it offers STARTTLS, or speaks TLS from the start."""
    catcher = MailServer()
    talks: list[SMTP] = []

    def make() -> SMTP:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns of logins without TLS, which is what is tested
            talk = SMTP(
                catcher,
                hostname="mail.test",
                enable_SMTPUTF8=True,
                tls_context=None if implicit else tls,
                authenticator=catcher.authenticate if auth else None,
                auth_required=auth,
                auth_require_tls=False,
                loop=asyncio.get_running_loop(),
            )
        talks.append(talk)
        return talk

    listener = await asyncio.get_running_loop().create_server(
        make, "127.0.0.1", port, ssl=tls if implicit else None, reuse_address=True
    )
    catcher.port = listener.sockets[0].getsockname()[1]
    try:
        yield catcher
    finally:
        catcher.go_on()
        listener.close()
        for talk in talks:
            if talk.transport is not None:
                talk.transport.close()
        await asyncio.sleep(0.01)  # the loop closes what was told to close


class ThreadedMailServer:
    """A mail server beside the test, for servers that are other processes."""

    def __init__(self, port: int = 0) -> None:
        self.catcher = MailServer()
        self._port = port
        self._ready, self._stop = Event(), None
        self._thread = Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def wait(self, count: int, seconds: float = 30.0) -> list[Caught]:
        """All letters, once there are so many."""
        work = self.catcher.arrived(count, seconds)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(seconds + 5)

    def call(self, act: Callable[[], None]) -> None:
        """Have something done in the server's loop."""
        self._loop.call_soon_threadsafe(act)

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with mail_server(port=self._port) as self.catcher:
            self._ready.set()
            await self._stop.wait()


def make_certificate(folder: Path, *names: str) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS for these names, and the file that a client must trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    today = dt.datetime.now(dt.UTC)
    addresses = [x509.IPAddress(ipaddress.ip_address(n)) if n[0].isdigit() else x509.DNSName(n) for n in names]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    trusted, private = folder / "trusted.pem", folder / "private.pem"
    trusted.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    kinds = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private.write_bytes(key.private_bytes(*kinds))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(trusted, private)
    return context, trusted
