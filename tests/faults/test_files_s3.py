"""A server whose files are in a bucket and that is killed at any step leaves none too many there, and none too few."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from s3_server import KEYS

pytestmark = pytest.mark.slow

# All steps take minutes; one in four, another one each time, finds what is wrong soon enough.
STRIDE = {"DRILL_STRIDE": os.environ.get("DRILL_STRIDE", "4")}

PROGRAM = Path(__file__).parents[1] / "support" / "dying_s3.py"
DEEDS = ("create", "create_large", "delete", "delete_collection", "refuse", "replace")


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.sqlite_only("what is done in the bucket is the same on PostgreSQL, where `test_files` kills too")
def test_killed_at_every_step(deed, tmp_path, database, s3):
    """After a kill at any step there is no orphan, no missing file, none of a record that was never written."""
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(tmp_path), database, deed, s3.url()],
        env=os.environ | KEYS | STRIDE,
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
