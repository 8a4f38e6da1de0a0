"""A server between us and an S3 server that does wrong what it is told to do wrong."""

from __future__ import annotations

import http.client
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from kept import md5

Kind = Literal[
    "error",
    "hang",
    "reset",
    "slow",
    "missing",
    "wrong bytes",
    "short",
    "skew",
    "forget",
    "flip",
    "encrypted",
    "open",
    "elsewhere",
]
SKEW = (
    b"<Error><Code>RequestTimeTooSkewed</Code><Message>The difference between the request time and "
    b"the current time is too large.</Message><AWSAccessKeyId>tester</AWSAccessKeyId></Error>"
)
BROKEN = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"


@dataclass
class Fault:
    """What goes wrong, with requests of which methods, and how often; `after` so many that are let through."""

    kind: Kind
    methods: tuple[str, ...] = ("GET", "HEAD", "PUT", "POST", "DELETE")
    times: int = 1_000_000
    after: int = 0
    where: str = ""

    def strikes(self, method: str, path: str) -> bool:
        if method not in self.methods or self.where not in path:
            return False
        if self.after > 0:
            self.after -= 1
            return False
        self.times -= 1
        return self.times >= 0


@dataclass
class Proxy:
    """Where it listens, what it was asked, and what it does wrong at the moment."""

    target: int
    server: Any = None
    faults: tuple[Fault, ...] = ()
    asked: list[tuple[str, str]] = field(default_factory=list)
    hanging: threading.Event = field(default_factory=threading.Event)
    letting_go: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def count(self, *methods: str) -> int:
        """How often it was asked with one of the methods."""
        return sum(method in methods for method, _ in self.asked)

    def fails(self, method: str, path: str) -> Fault | None:
        with self.lock:
            self.asked.append((method, path))
            return next((fault for fault in self.faults if fault.strikes(method, path)), None)


class Handler(BaseHTTPRequestHandler):
    """One request: passed on as it is, its answer passed back, unless something goes wrong."""

    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        fault = self.proxy.fails(self.command, self.path)
        kind = fault.kind if fault else ""
        match kind:
            case "error":
                return self._say(500, BROKEN)
            case "skew":
                return self._say(403, SKEW)
            case "missing":
                return self._say(404, b"")
            case "hang":
                self.proxy.hanging.set()
                self.proxy.letting_go.wait(60)
                self.close_connection = True
                return None
            case "elsewhere":
                return self._say(
                    307, b"", [("location", f"{self.proxy.endpoint}/elsewhere".replace("127.0.0.1", "localhost"))]
                )
            case "open" if "authorization" not in self.headers:
                return self._say(200, b"", [("last-modified", "Sun, 22 Nov 2026 12:00:00 GMT"), ("etag", '"0"')])
            case "forget":
                return self._say(200, b"", [("etag", f'"{md5(body)}"')])
            case "flip":
                body = body[:-1] + bytes([body[-1] ^ 1])
        return self._pass(body, kind)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _handle  # noqa: N815 - so named by its parent

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - so named by its parent
        """Say nothing."""

    def _say(self, status: int, body: bytes, headers: list[tuple[str, str]] | None = None) -> None:
        self.send_response(status)
        for name, value in [*(headers or []), ("content-length", str(len(body)))]:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _pass(self, body: bytes, kind: str) -> None:
        answer, content = self._ask(body)
        if kind == "reset" and not content:
            self._hang_up()
            return
        headers = _headers(answer)
        if kind == "encrypted":  # a bucket that encrypts names a file by something else than its MD5
            headers = [(name, f'"{"0" * 32}"' if name.lower() == "etag" else value) for name, value in headers]
        length = answer.getheader("content-length") or str(len(content))
        self.send_response(answer.status)
        if kind == "wrong bytes" and content:
            content = content[:-1] + bytes([content[-1] ^ 1])
        if kind == "short" and content:
            content, length = content[:-1], str(len(content) - 1)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", length)
        self.end_headers()
        if self.command != "HEAD":
            self._write(content, kind)

    def _write(self, content: bytes, kind: str) -> None:
        if kind == "reset":
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            self._hang_up()
            return
        if kind == "slow":
            self.wfile.write(content[:10])
            self.wfile.flush()
            self.proxy.letting_go.wait(60)
            self.close_connection = True
            return
        self.wfile.write(content)

    def _hang_up(self) -> None:
        """Break the connection off."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _ask(self, body: bytes) -> tuple[http.client.HTTPResponse, bytes]:
        line = http.client.HTTPConnection("127.0.0.1", self.proxy.target, timeout=60)
        try:
            line.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                line.putheader(name, value)
            line.endheaders(body)
            answer = line.getresponse()
            return answer, answer.read()
        finally:
            line.close()


@contextmanager
def faulty(port: int) -> Iterator[Proxy]:
    """A proxy before a port of this machine."""
    proxy = Proxy(port)
    handler = type("ProxyHandler", (Handler,), {"proxy": proxy})
    with _Server(("127.0.0.1", 0), handler) as server:
        proxy.server = server
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield proxy
        finally:
            proxy.letting_go.set()
            server.shutdown()
            thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone is none of ours."""


def _headers(answer: http.client.HTTPResponse) -> list[tuple[str, str]]:
    skipped = ("content-length", "transfer-encoding", "connection", "date", "server")
    return [(name, value) for name, value in answer.getheaders() if name.lower() not in skipped]
