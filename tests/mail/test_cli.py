"""`undercroft mail`: the outbox from the command line."""

from __future__ import annotations

import asyncio
import re

import pytest
from program import run

from undercroft.app import close_backend, open_backend
from undercroft.database.queue import Ending, end
from undercroft.mail.message import Letter, Mailbox
from undercroft.mail.outbox import LETTERS, claim_letters, enqueue, seal

pytestmark = pytest.mark.sqlite_only("about the command")

LETTER = seal(Letter(Mailbox("desk@example.com"), (Mailbox("ada@example.com"),), "Hello", "<p>s3cret</p>"), "news")


@pytest.fixture
def folder(tmp_path):
    """A data directory with one letter that was given up."""

    async def prepare():
        backend = await open_backend(tmp_path / "data")
        engine = backend.engine
        await engine.write(lambda tx: enqueue(tx, engine.dialect, LETTER))
        (claimed,) = await engine.write(lambda tx: claim_letters(tx, engine.dialect, 1, 60, 8))
        held, ending = (claimed.id, claimed.attempt), Ending("dead", "550 no such user")
        await engine.write(lambda tx: end(tx, engine.dialect, LETTERS, held, ending))
        await close_backend(backend)

    asyncio.run(prepare())
    return tmp_path


def test_list_and_retry(folder):
    """What was given up is listed with its reason, and waits once it is to be tried again."""
    post = LETTER.posts[0]

    listed = run("mail", "list", folder=folder)
    assert re.search(rf"{post.id}  dead +1  .*  ada@example\.com  news +550 no such user", listed.stdout)
    assert "Waiting: 0. Given up: 1. Sent in the last 7 days: 0." in listed.stdout
    assert "s3cret" not in listed.stdout

    assert run("mail", "retry", post.id, folder=folder).stdout.startswith("1 letter is tried again")
    assert "Waiting: 1. Given up: 0." in run("mail", "list", folder=folder).stdout


def test_show(folder):
    """A letter is shown without what it says, unless that is asked for."""
    post = LETTER.posts[0]

    shown = run("mail", "show", post.id, folder=folder).stdout
    assert "Note     550 no such user" in shown
    assert "s3cret" not in shown
    assert "s3cret" in run("mail", "show", post.id, "--message", folder=folder).stdout


def test_nothing_there(tmp_path):
    """An empty outbox says so, an unknown letter too, and a missing directory what to do."""
    missing = run("mail", "list", folder=tmp_path)
    assert missing.returncode != 0
    assert "start a server there first" in missing.stderr
    run("superuser", "create", "root@example.com", "correct-horse-9", folder=tmp_path)

    assert "No letter waits, and none was given up." in run("mail", "list", folder=tmp_path).stdout
    unknown = run("mail", "show", "nobody", folder=tmp_path)
    assert (unknown.returncode != 0, "no letter 'nobody'" in unknown.stderr) == (True, True)
    assert run("mail", "retry", folder=tmp_path).returncode == 2
    assert run("mail", "retry", "--all", folder=tmp_path).stdout == "There is nothing to try.\n"
