"""Handing letters to a mail server: a real one, which takes them, refuses them, or says nothing."""

from __future__ import annotations

import logging

import pytest
from mail_server import SECRET, USER, mail_server, make_certificate
from network import free_port

from undercroft.mail.carrier import NotSent
from undercroft.mail.message import Letter, Mailbox
from undercroft.mail.outbox import seal
from undercroft.mail.smtp import MailServer, SmtpCarrier

pytestmark = pytest.mark.anyio


def letter(to="ada@example.com", subject="Grüße"):
    """A letter on its way."""
    return seal(Letter(Mailbox("desk@example.com", "The desk"), (Mailbox(to),), subject, "<p>Hello</p>")).posts[0]


def carrier(port, **more):
    return SmtpCarrier(MailServer("127.0.0.1", port, **more))


async def test_plain():
    """Without TLS and log-in a letter arrives as it was written."""
    async with mail_server() as server:
        answer = await carrier(server.port, local_name="web.example.com").carry(letter())

    (caught,) = server.letters
    assert answer == "taken as 1"
    assert (caught.sender, caught.recipients) == ("desk@example.com", ["ada@example.com"])
    assert caught.message["Subject"] == "Grüße"
    assert caught.body() == "Hello\n"
    assert "<p>Hello</p>" in caught.body("html")


async def test_lines_that_begin_with_a_dot():
    """A dot at the start of a line ends no letter."""
    text = "one\n.\n..two\nthree"
    post = seal(Letter(Mailbox("a@example.com"), (Mailbox("b@example.com"),), "Dots", text=text)).posts[0]
    async with mail_server() as server:
        await carrier(server.port).carry(post)

    assert server.letters[0].body() == text + "\n"


@pytest.mark.parametrize("method", ["", "PLAIN", "LOGIN"])
async def test_log_in(method):
    """A server that wants a log-in gets it, by the method that is set."""
    async with mail_server(auth=True) as server:
        await carrier(server.port, username=USER, password=SECRET, auth_method=method).carry(letter())

    assert server.logins == [(method or "PLAIN", True)]
    assert len(server.letters) == 1


async def test_wrong_password(caplog):
    """A refused log-in is nobody's letter's fault, and the password is not told."""
    caplog.set_level(logging.DEBUG)
    async with mail_server(auth=True) as server:
        with pytest.raises(NotSent) as refused:
            await carrier(server.port, username=USER, password="wrong-horse-9").carry(letter())

    assert (refused.value.is_general, refused.value.is_final) == (True, False)
    assert "535" in refused.value.message()
    assert "wrong-horse-9" not in refused.value.message() + caplog.text


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "TLS"])
async def test_encrypted(tmp_path, monkeypatch, implicit):
    """With a certificate that is trusted, letters go encrypted, and so do passwords."""
    tls, trusted = make_certificate(tmp_path, "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with mail_server(tls=tls, implicit=implicit, auth=True) as server:
        await carrier(server.port, tls=implicit, username=USER, password=SECRET).carry(letter())

    assert len(server.letters) == 1


@pytest.mark.parametrize("implicit", [False, True], ids=["STARTTLS", "TLS"])
@pytest.mark.parametrize("name", ["127.0.0.1", "mail.elsewhere.example"])
async def test_certificate_not_trusted(tmp_path, monkeypatch, implicit, name):
    """A certificate of a stranger, or of another name, ends the talk before anything is told."""
    tls, trusted = make_certificate(tmp_path, name)
    if name != "127.0.0.1":
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with mail_server(tls=tls, implicit=implicit, auth=True) as server:
        with pytest.raises(NotSent) as refused:
            await carrier(server.port, tls=implicit, username=USER, password=SECRET).carry(letter())

    assert (server.letters, server.logins) == ([], [])
    assert refused.value.is_general
    assert "certificate" in refused.value.message().lower()


async def test_password_stays_out_of_the_clear():
    """A server that offers no encryption, by an address that is not the machine's own, never sees the password."""
    async with mail_server(auth=True) as server:
        elsewhere = MailServer("0.0.0.0", server.port, username=USER, password=SECRET)  # noqa: S104 - leads here
        with pytest.raises(NotSent) as refused:
            await SmtpCarrier(elsewhere).carry(letter())

    assert server.logins == []
    assert "in the clear" in refused.value.message()


@pytest.mark.parametrize(("answer", "is_final"), [("550 no such user", True), ("451 later, perhaps", False)])
async def test_recipient_refused(answer, is_final):
    """What a server says of a recipient with 5xx is its last word; 4xx is not."""
    async with mail_server() as server:
        server.recipients["ada@example.com"] = answer
        with pytest.raises(NotSent) as refused:
            await carrier(server.port).carry(letter())

    assert (refused.value.is_final, refused.value.is_general) == (is_final, False)
    assert answer in refused.value.message()


@pytest.mark.parametrize(("answer", "is_final"), [("554 looks like spam", True), ("452 disk full", False)])
async def test_letter_refused(answer, is_final):
    """The same for what it says of the letter itself."""
    async with mail_server() as server:
        server.refusals.append(answer)
        with pytest.raises(NotSent) as refused:
            await carrier(server.port).carry(letter())

    assert (refused.value.is_final, refused.value.is_general) == (is_final, False)


async def test_nobody_there():
    """Where nobody listens, no letter gets through."""
    with pytest.raises(NotSent) as refused:
        await carrier(free_port()).carry(letter())

    assert refused.value.is_general


async def test_silence():
    """A server that says nothing is given up in time."""
    async with mail_server() as server:
        server.get_stuck()
        with pytest.raises(NotSent) as refused:
            await SmtpCarrier(MailServer("127.0.0.1", server.port), whole=0.3).carry(letter())

    assert refused.value.is_general
    assert "in time" in refused.value.message()


async def test_address_beyond_ascii():
    """An address with letters of other scripts arrives where the server knows them."""
    async with mail_server() as server:
        await carrier(server.port).carry(letter("jörg@exämple.com"))

    assert server.letters[0].recipients == ["jörg@xn--exmple-cua.com"]
