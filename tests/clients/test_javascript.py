"""The published JavaScript SDK works against us, unchanged."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from nodejs import node_modules
from servers import PASSWORD, ROOT, running

STEPS = [
    "signs in as superuser and makes collections",
    "creates an account and signs in with it",
    "creates records",
    "lists with a filter built by pb.filter, sorts and expands",
    "updates with modifiers",
    "gets errors that say what was wrong",
    "sends a batch",
    "deletes, and is signed out with its account",
]


@pytest.mark.slow
def test_a_day_with_the_sdk(tmp_path):
    """Every step of a front end's day passes under Node."""
    (tmp_path / "node_modules").symlink_to(node_modules())
    script = shutil.copy(Path(__file__).with_name("session.mjs"), tmp_path)

    with running("undercroft", tmp_path) as server:
        command = ["node", script, server.url, ROOT, PASSWORD]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)

    assert done.stdout.splitlines() == [f"ok {step}" for step in STEPS], done.stderr
