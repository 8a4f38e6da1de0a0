"""The list of breached passwords on the command line: made of a plain one, and refused when it is none."""

from __future__ import annotations

import random

import pytest
from program import run

from undercroft.breached import BreachedPasswords


def test_serve_says_what_is_wrong(tmp_path):
    """A server does not start without its list, says why in a line, and has written nothing."""
    (tmp_path / "plain.txt").write_text("123456\n")

    for file in ("missing.txt", "plain.txt"):
        for workers in ("1", "2"):
            done = run("serve", "--breached-passwords", file, "--workers", workers, folder=tmp_path)

            assert done.returncode == 2
            assert len(done.stderr.splitlines()) == 1
            assert file in done.stderr
    assert not (tmp_path / "data" / "data.db").exists()


def test_prepare(tmp_path):
    """A plain list becomes a sorted one, with how often each was in it."""
    chance = random.Random(11)
    plain = [f"pass-{chance.randrange(4000)}" for _ in range(10_000)] + ["grün und blau", ""]
    (tmp_path / "plain.txt").write_text("\r\n".join(plain), encoding="utf-8", newline="")

    done = run("passwords", "prepare", "plain.txt", "breached.txt", folder=tmp_path)

    lines = (tmp_path / "breached.txt").read_text().splitlines()
    assert done.stdout == f"{len(set(plain)) - 1:,} passwords in breached.txt\n", done.stderr
    assert lines == sorted(lines)
    assert sum(int(line.partition(":")[2]) for line in lines) == 10_001
    breached = BreachedPasswords(tmp_path / "breached.txt")
    assert all(breached.holds(password) for password in set(plain) - {""})
    assert not breached.holds("pass-4000")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["breached.txt", "plain.txt"]


@pytest.mark.parametrize("content", [None, "", "\n\n"])
def test_prepare_nothing(tmp_path, content):
    """Where there is nothing to prepare, a line says so, and the file of before stays."""
    if content is not None:
        (tmp_path / "plain.txt").write_text(content)
    (tmp_path / "breached.txt").write_text("of before")

    done = run("passwords", "prepare", "plain.txt", "breached.txt", folder=tmp_path)

    assert done.returncode == 1
    assert "plain.txt" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (tmp_path / "breached.txt").read_text() == "of before"
