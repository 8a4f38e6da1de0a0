"""A server that is killed at any step of what it does with files leaves none too many and none too few."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from dying import DEEDS

pytestmark = pytest.mark.slow

# All steps take minutes; one in four, another one each time, finds what is wrong soon enough.
STRIDE = {"DRILL_STRIDE": os.environ.get("DRILL_STRIDE", "4")}

PROGRAM = Path(__file__).parents[1] / "support" / "dying.py"


@pytest.mark.parametrize("deed", sorted(DEEDS))
def test_killed_at_every_step(deed, tmp_path, database):
    """After a kill at any step there is no orphan, no missing file, none of a record that was never written."""
    kill_at_steps(deed, tmp_path, database)


@pytest.mark.parametrize("deed", ["create", "replace", "delete", "turn"])
def test_killed_with_encrypted_files(deed, tmp_path, database):
    """So it is with files that are encrypted, and their keys; each opens afterwards."""
    kill_at_steps(deed, tmp_path, database, UNDERCROFT_ENCRYPTED="1")


def kill_at_steps(deed, tmp_path, database, **environment):
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path), database, deed],
        env=os.environ | STRIDE | environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines()]

    assert done.returncode == 0, done.stderr
    assert [line for line in lines if "error" in line or line["wrong"]] == []
    assert [line["code"] for line in lines] == [-9] * (len(lines) - 1) + [0]
    assert len(lines) > 1
