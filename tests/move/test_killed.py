"""A move that is killed on the way goes on where it stopped, and ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import apsw
import asyncpg
import pytest
from program import COMMAND, run

pytestmark = pytest.mark.slow

RECORDS = 12_000
KILLS = 3


@dataclass
class Killer:
    """Starts moves and kills them when so many rows have arrived."""

    folder: Path
    target: Any

    def move_some(self, rows: int, *arguments: str) -> int:
        """Start a move and kill it with SIGKILL once so many rows more are there; how many there are."""
        wanted = self.arrived() + rows
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen([COMMAND, "move", *arguments], cwd=self.folder, stdout=log, stderr=log)
        while process.poll() is None and self.arrived() < wanted:
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, (self.folder / "log").read_text()
        return self.arrived()

    def arrived(self) -> int:
        """How many rows the notes in the target speak of."""
        with suppress(apsw.Error, asyncpg.PostgresError):
            notes = self.target.sql("SELECT value FROM _move WHERE name LIKE 'table %'")
            return sum(json.loads(note)["rows"] for (note,) in notes)
        return 0


def test_a_killed_move_goes_on(tmp_path, make_data, target, sql, seed):
    """Three kills at random places lose and double nothing, and each run begins where the last one ended."""
    (tmp_path / "other").mkdir()
    chance, killer = Random(seed), Killer(tmp_path, target)
    data = make_data(tmp_path / "data", seed, RECORDS)
    command = ("--from", "data", "--to", target.name, "--report", "report")

    arrived = [killer.move_some(chance.randrange(1, 1500), *command) for _ in range(KILLS)]
    last = run("move", *command, folder=tmp_path)

    assert last.returncode == 0, last.stdout + last.stderr
    assert "4 runs" in last.stdout
    assert arrived == sorted(set(arrived))
    query = 'SELECT id, text, "Order" FROM things ORDER BY _rowid_'
    assert target.sql(query) == sql(data, query)
