"""Published JavaScript packages, installed once per machine and run under Node."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

PACKAGES = ("pocketbase@0.28.1", "tus-js-client@4.3.1", "axe-core@4.14.1", "eventsource@4.1.1")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "undercroft-tests" / "+".join(PACKAGES)


def node_modules() -> Path:
    """The folder with them in it; skips the test on a machine without Node."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("needs Node: apt install nodejs npm")
    if not (CACHE / "node_modules" / "pocketbase" / "package.json").exists():
        _install()
    return CACHE / "node_modules"


def _install() -> None:
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE.parent) as folder:
        command = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", folder]
        subprocess.run([*command, *PACKAGES], check=True, timeout=300)
        if not CACHE.exists():
            Path(folder).rename(CACHE)
            Path(folder).mkdir()
