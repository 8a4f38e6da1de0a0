"""Take the pictures of the demo that the documentation shows: `python tools/screenshots.py` (needs Chromium).

Each page as a telephone and a desk show it, light and dark, in docs/images/demo.
"""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image
from playwright.sync_api import sync_playwright

if TYPE_CHECKING:
    from playwright.sync_api import Page

TARGET = Path(__file__).parent.parent / "docs" / "images" / "demo"
SIZES = {"phone": (390, 844), "desk": (1280, 860)}
PORT = 8517
URL = f"http://127.0.0.1:{PORT}"
MESSAGE = "We would like a shop for lamps, with a search that knows what “warm” means."


def main() -> None:
    TARGET.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(sys.executable).parent / "undercroft")
        command = [program, "demo", "--dir", f"{folder}/demo", "--http", f"127.0.0.1:{PORT}"]
        demo = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own program
        try:
            password = wait_for_password(demo)
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
    page.wait_for_timeout(1_500)
    page.get_by_role("button", name="Send the brief").click()
    page.get_by_role("heading", name="Thank you").wait_for()
    keep(page, f"thanks-{kind}")
    page.goto(f"{URL}/desk")
    page.fill("[name=identity]", "mara@fathom.example")
    page.fill("[name=password]", password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Briefs").wait_for()
    keep(page, f"desk-{kind}")


def keep(page: Page, name: str) -> None:
    """Store what the page shows."""
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.save(TARGET / f"{name}.webp", quality=70, method=6)
    print(name)


if __name__ == "__main__":
    main()
