"""What a request claims of where it came for changes nothing in the letters it leads to."""

from __future__ import annotations

import re

import pytest
from post_office import USERS

pytestmark = pytest.mark.anyio
EVIL = "evil.example"
CLAIMS = {
    "host": EVIL,
    "x-forwarded-host": EVIL,
    "x-forwarded-proto": f"https://{EVIL}/",
    "x-forwarded-prefix": f"//{EVIL}",
    "x-forwarded-server": EVIL,
    "x-original-url": f"https://{EVIL}/",
    "x-host": EVIL,
    "forwarded": f"for=192.0.2.1;host={EVIL};proto=http",
    "origin": f"https://{EVIL}",
    "referer": f"https://{EVIL}/forgotten",
    "x-forwarded-for": EVIL,
}
LINK = re.compile(r"""https?://[^\s"'<>]+""")


@pytest.fixture
async def bureau(office):
    """A post office that writes every kind of letter."""
    await office.options(otp={"enabled": True}, magicLink={"enabled": True}, invitations={"enabled": True})
    await office.join(verified=False)
    return office


async def letters_of(office, headers):
    """The letters of every kind, asked for by requests with these headers."""
    await office.client.backend.engine.write(lambda tx: tx.run('DELETE FROM "_rations"'))
    token = (await office.log_in()).json["token"]
    asked = {
        "request-verification": ({"email": "ada@example.com"}, ""),
        "request-password-reset": ({"email": "ada@example.com"}, ""),
        "request-otp": ({"email": "ada@example.com"}, ""),
        "request-magic-link": ({"email": "ada@example.com"}, ""),
        "request-email-change": ({"newEmail": "new@example.com"}, token),
        "invitations": ({"email": "eve@example.com"}, office.root),
    }
    letters = {}
    for what, (body, caller) in asked.items():
        count = len(office.server.letters)
        answer = await office.client.post(f"{USERS}/{what}", body, headers=headers, as_=caller)
        assert answer.status in {200, 204}, (what, answer.text)
        await office.client.backend.errands.done()
        letters[what] = (await office.server.arrived(count + 1))[-1]
    return letters


def told(letter):
    """All that a letter says, in its headers and in both its parts."""
    return str(letter.message) + letter.body() + letter.body("html")


@pytest.mark.parametrize("claim", [*CLAIMS, "all at once"])
async def test_letters(bureau, claim):
    """Links of every letter lead where the settings say, and nothing of what was claimed is in it."""
    headers = CLAIMS if claim == "all at once" else {claim: CLAIMS[claim]}

    letters = await letters_of(bureau, headers)

    for what, letter in letters.items():
        links = LINK.findall(letter.body())
        assert EVIL not in told(letter), what
        assert all(link.startswith("https://app.example.com/_/#/auth/") for link in links), (what, links)
        assert bool(links) == (what != "request-otp")


async def test_link_of_the_alert(bureau):
    """The letter that tells of a log-in from somewhere new names the address that called, not one that was claimed."""
    await bureau.options(authAlert={"enabled": True})
    login = {"identity": "ada@example.com", "password": "correct-horse-9"}
    await bureau.client.post(f"{USERS}/auth-with-password", login, headers={"user-agent": "Home"})
    count = len(bureau.server.letters)

    await bureau.client.post(f"{USERS}/auth-with-password", login, headers={**CLAIMS, "user-agent": "Elsewhere"})

    letter = (await bureau.server.arrived(count + 1))[-1]
    assert EVIL not in told(letter)
    assert "127.0.0.1" in letter.body()
