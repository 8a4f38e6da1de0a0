"""The folder where uploads wait: each process has its own, and what nobody holds goes."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from subprocess import PIPE

import pytest

from undercroft.files.staging import Staging

HOLD = """
import sys
from pathlib import Path
from undercroft.files.staging import Staging
(Staging(Path(sys.argv[1]), "app").own() / "left").write_text("x")
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def staging(tmp_path):
    opened = Staging(tmp_path, "app")
    yield opened
    opened.close()


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


async def test_what_lives_is_left_alone(staging, tmp_path):
    """A sweep touches nothing of this process, and nothing of another one that lives."""
    (staging.own() / "mine").write_text("x")
    command = (sys.executable, "-c", HOLD, str(tmp_path))
    other = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert await other.stdout.readline() == b"ready\n"
    assert await staging.sweep() == 0
    assert files_in(tmp_path) == ["left", "mine"]
    other.kill()
    await other.wait()

    assert await staging.sweep() == 1
    assert files_in(tmp_path) == ["mine"]


async def test_closing_takes_everything_along(tmp_path):
    """Who ends in order leaves nothing, and may begin again."""
    staging = Staging(tmp_path, "app")
    (staging.own() / "mine").write_text("x")
    staging.close()

    assert list(tmp_path.iterdir()) == []
    assert staging.own().is_dir()
    staging.close()


async def test_single_files_go_after_an_hour(staging, tmp_path):
    """What other work has put into the folder itself goes when it is old."""
    for name, age in (("old", 3700), ("new", 3500)):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (time.time() - age, time.time() - age))

    assert await staging.sweep() == 1
    assert files_in(tmp_path) == ["new"]


async def test_no_folder_no_work(tmp_path):
    """Where nothing has ever been uploaded there is nothing to sweep, and no folder."""
    staging = Staging(tmp_path / "none", "app")

    assert await staging.sweep() == 0
    assert not (tmp_path / "none").exists()


async def test_links_are_not_followed(staging, tmp_path):
    """A link in the folder leads a sweep nowhere."""
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    (tmp_path / "link").symlink_to(outside)

    await staging.sweep()
    assert files_in(outside) == ["precious"]
