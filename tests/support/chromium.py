"""A real browser, and pages of other origins to start from."""

from __future__ import annotations

import contextlib
import http.server
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from network import free_port

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_FLAGS = [
    *(
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--autoplay-policy=no-user-gesture-required",
    ),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

# A device that the browser simulates, whose user is there and known (`WebAuthn.addVirtualAuthenticator`).
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


@contextlib.contextmanager
def running_chromium() -> Iterator[Browser]:
    """Chromium without a window; skips the test on a machine without one."""
    program = shutil.which("chromium") or pytest.skip("needs Chromium: apt install chromium")
    sync_api = pytest.importorskip("playwright.sync_api", reason="needs Playwright: pip install playwright")
    with sync_api.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        """Not into the output of tests."""


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that goes away is no news."""


@contextlib.contextmanager
def static(folder: Path) -> Iterator[str]:
    """A server of the files of a folder on a port of its own, which makes it another origin; its URL."""
    with _Server(("127.0.0.1", free_port()), partial(_Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
