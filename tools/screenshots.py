"""Take the pictures of the demo that the documentation shows: `python tools/screenshots.py` (needs Chromium).

Each page as a telephone and a desk show it, light and dark, in docs/images/demo; those about
accounts, with every way in, in docs/images/accounts.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from playwright.sync_api import sync_playwright

from undercroft.cli.demo import SUPERUSER

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES = Path(__file__).parent.parent / "docs" / "images"
TARGET = IMAGES / "demo"
ACCOUNTS = IMAGES / "accounts"
SIZES = {"phone": (390, 844), "desk": (1280, 860)}
PORT = 8517
STAFF = "mara@fathom.example"
URL = f"http://127.0.0.1:{PORT}"
MESSAGE = "We would like a shop for lamps, with a search that knows what “warm” means."


def main() -> None:
    for folder in (TARGET, ACCOUNTS):
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        program = str(Path(sys.executable).parent / "undercroft")
        command = [program, "demo", "--dir", f"{place}/demo", "--http", f"127.0.0.1:{PORT}"]
        demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own program
        try:
            password = wait_for_password(demo)
            open_every_way(password)
            take_all(password)
        finally:
            demo.terminate()
            demo.wait()


def wait_for_password(demo: subprocess.Popen[str]) -> str:
    """The password that the demo tells, once it answers."""
    found = None
    while found is None and demo.stdout is not None:
        found = re.search(r"sign in as \S+ with (\S+)", demo.stdout.readline())
    for _ in range(200):
        try:
            urllib.request.urlopen(f"{URL}/api/health", timeout=1).close()  # noqa: S310 - our own server
            break
        except OSError:
            time.sleep(0.1)
    if found is None:
        sys.exit("The demo did not start.")
    return found[1]


def take_all(password: str) -> None:
    """All pictures."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        for size, (width, height) in SIZES.items():
            for scheme in ("light", "dark"):
                viewport = {"width": width, "height": height}
                context = browser.new_context(viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
                take(context.new_page(), f"{size}-{scheme}", password)
        browser.close()


def open_every_way(password: str) -> None:
    """Have the accounts of the demo know every way in."""
    login = {"identity": SUPERUSER, "password": password}
    token = call("POST", "/api/collections/_superusers/auth-with-password", login)["token"]
    ways = {name: {"enabled": True} for name in ("otp", "passkeys", "magicLink", "invitations")}
    call("PATCH", "/api/collections/staff", {**ways, "createRule": ""}, token)


def call(method: str, path: str, body: object, token: str = "") -> Any:
    headers = {"Content-Type": "application/json", "Authorization": token}
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), headers, method=method)  # noqa: S310 - as above
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
        return json.load(answer)


def take(page: Page, kind: str, password: str) -> None:
    """The pictures of one visit."""
    page.goto(URL)
    keep(page, f"list-{kind}")
    page.fill("[name=text]", "cache")
    page.get_by_text("show all").wait_for()
    keep(page, f"search-{kind}")
    page.goto(f"{URL}/terms/acid")
    page.locator(".prose a.term").first.hover()
    page.locator("#term-card").wait_for()
    keep(page, f"article-{kind}")
    page.goto(f"{URL}/briefs")
    page.fill("[name=name]", "A")
    page.fill("[name=email]", "nonsense")
    page.get_by_role("button", name="Send the brief").click()
    page.get_by_text("Please look at what is marked below.").wait_for()
    keep(page, f"form-{kind}")
    page.fill("[name=name]", "Ann Ekström")
    page.fill("[name=email]", "ann@example.com")
    page.fill("[name=message]", MESSAGE)
    page.wait_for_timeout(2_200)  # nobody is that quick
    page.get_by_role("button", name="Send the brief").click()
    page.get_by_role("heading", name="Thank you").wait_for()
    keep(page, f"thanks-{kind}")
    page.goto(f"{URL}/desk")
    page.fill("[name=identity]", STAFF)
    page.fill("[name=password]", password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Briefs").wait_for()
    keep(page, f"desk-{kind}")

    take_accounts(page, kind)


def take_accounts(page: Page, kind: str) -> None:
    """The pages of one who is signed in, and then those of a guest."""
    for name in ("index", "password", "new-address", "passkeys", "authenticator", "sessions"):
        page.goto(f"{URL}/account/{name.removeprefix('index')}")
        keep(page, f"{name}-{kind}", ACCOUNTS)
    page.goto(f"{URL}/account")
    page.locator("main").get_by_role("button", name="Sign out").click()
    for name in (
        "sign-in",
        "sign-up",
        "code",
        "reset",
        "new-password",
        "verify",
        "confirm-address",
        "link",
        "come-in",
        "invitation",
    ):
        page.goto(f"{URL}/account/{name}")
        keep(page, f"{name}-{kind}", ACCOUNTS)
    page.goto(f"{URL}/account/code")
    page.fill("[name=email]", STAFF)
    page.get_by_role("button", name="Send me a code").click()
    page.locator("[name=code]").wait_for()
    keep(page, f"enter-code-{kind}", ACCOUNTS)


def keep(page: Page, name: str, folder: Path = TARGET) -> None:
    """Store what the page shows."""
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.save(folder / f"{name}.webp", quality=70, method=6)
    print(name)


if __name__ == "__main__":
    main()
