"""Handing letters to the machine's own mail program."""

from __future__ import annotations

import pytest

from undercroft.mail.carrier import NotSent
from undercroft.mail.message import Letter, Mailbox
from undercroft.mail.outbox import seal
from undercroft.mail.sendmail import SendmailCarrier

pytestmark = pytest.mark.anyio
POST = seal(Letter(Mailbox("desk@example.com"), (Mailbox("ada@example.com"),), "Hello", "<p>Hello</p>")).posts[0]


def program(folder, *lines):
    """A program that takes the place of sendmail."""
    path = folder / "sendmail"
    path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
    path.chmod(0o755)
    return str(path)


async def test_taken(tmp_path):
    """The program is told the envelope, and gets the letter with the machine's line ends."""
    script = program(tmp_path, f'echo "$@" > {tmp_path}/envelope', f"cat > {tmp_path}/letter")

    await SendmailCarrier(script).carry(POST)

    assert (tmp_path / "envelope").read_text() == "-i -f desk@example.com -- ada@example.com\n"
    assert (tmp_path / "letter").read_bytes() == POST.content.replace("\r\n", "\n").encode()


async def test_fails(tmp_path):
    """What the program complains of is the reason."""
    script = program(tmp_path, "cat > /dev/null", "echo queue is full >&2", "exit 75")

    with pytest.raises(NotSent) as refused:
        await SendmailCarrier(script).carry(POST)

    assert refused.value.message().endswith("ended with code 75: queue is full")
    assert refused.value.is_general


async def test_not_there(monkeypatch):
    """A machine without the program says what to do."""
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)

    with pytest.raises(NotSent) as refused:
        await SendmailCarrier().carry(POST)

    assert "settings.smtp" in refused.value.message()
    assert refused.value.is_general
