"""The letter that an operator has sent to see whether mail works."""

from __future__ import annotations

import re

import pytest
from mail_server import mail_server
from network import free_port

pytestmark = pytest.mark.anyio
PATH = "/api/settings/test/email"
KINDS = [
    *("verification", "password-reset", "email-change", "otp", "login-alert"),
    *("magic-link", "invitation", "account-change"),
]


async def use(mailing, root, port, **more):
    """Have letters go to a mail server of this machine."""
    smtp = {"enabled": True, "host": "127.0.0.1", "port": port, "tls": False} | more
    answer = await mailing.patch("/api/settings", {"smtp": smtp}, as_=root)
    assert answer.status == 200


@pytest.mark.parametrize("kind", KINDS)
async def test_each_letter(mailing, kind):
    """Every kind of letter arrives whole: all placeholders filled, text beside HTML, a link that opens nothing."""
    root = await mailing.superuser()
    async with mail_server() as server:
        await use(mailing, root, server.port)
        answer = await mailing.post(PATH, {"email": "ada@example.com", "template": kind}, as_=root)

    assert (answer.status, answer.body) == (204, b"")
    (caught,) = server.letters
    assert caught.recipients == ["ada@example.com"]
    assert caught.message["From"] == "Support <support@example.com>"
    text = caught.message["Subject"] + caught.body() + caught.body("html").partition("<body>")[2]
    assert re.search(r"\{[A-Z]", text) is None
    assert "Acme" in text
    if token := re.search(r"/_/#/auth/[\w-]+/(\S+)", caught.body()):
        refused = await mailing.post("/api/collections/_superusers/auth-refresh", {}, as_=token[1])
        assert refused.status == 401


async def test_of_a_collection(mailing):
    """The template is the named collection's; the values of its fields are there, and empty."""
    root = await mailing.superuser()
    template = {"subject": "{RECORD:email} {RECORD:name}.", "body": "<p>{RECORD:verified} {RECORD:tokenKey}</p>"}
    await mailing.patch("/api/collections/users", {"verificationTemplate": template}, as_=root)
    async with mail_server() as server:
        await use(mailing, root, server.port)
        form = {"email": "ada@example.com", "template": "verification", "collection": "users"}
        await mailing.post(PATH, form, as_=root)

    assert server.letters[0].message["Subject"] == "ada@example.com ."
    assert server.letters[0].body() == "false {RECORD:tokenKey}\n"


@pytest.mark.parametrize(
    ("form", "codes"),
    [
        ({}, {"email": "validation_required", "template": "validation_required"}),
        ({"email": "ada", "template": "x"}, {"email": "validation_is_email", "template": "validation_in_invalid"}),
        ({"email": "a@x.yz,b@x.yz", "template": "otp"}, {"email": "validation_is_email"}),
        ({"email": "a@x.yz\r\nBcc: b@x.yz", "template": "otp"}, {"email": "validation_is_email"}),
        ({"email": "a" * 260 + "@x.yz", "template": "otp"}, {"email": "validation_length_out_of_range"}),
        (
            {"email": "a@x.yz", "template": "otp", "collection": "_mfas"},
            {"collection": "validation_invalid_auth_collection"},
        ),
    ],
)
async def test_bad_forms(mailing, form, codes):
    """What is wrong with the form is said of each value."""
    answer = await mailing.post(PATH, form, as_=await mailing.superuser())

    assert answer.status == 400
    assert answer.error.message == "Failed to send the test email."
    assert {name: error["code"] for name, error in answer.error.data.items()} == codes


async def test_for_superusers(mailing):
    """Nobody else has letters sent."""
    answer = await mailing.post(PATH, {"email": "ada@example.com", "template": "otp"})

    assert answer.status == 401


async def test_says_why_not(mailing):
    """What the server says, or that there is none, is told to the superuser; the password is not."""
    root = await mailing.superuser()
    await use(mailing, root, free_port(), username="me", password="open-sesame-42")
    form = {"email": "ada@example.com", "template": "otp"}

    answer = await mailing.post(PATH, form, as_=root)
    assert answer.status == 400
    assert answer.code == "mail_test_failed"
    assert answer.error.message.startswith("Failed to send the test email. Raw error: \nThe mail server 127.0.0.1:")
    assert "open-sesame" not in answer.text

    async with mail_server(auth=True) as server:
        await use(mailing, root, server.port)
        answer = await mailing.post(PATH, form, as_=root)
    assert "535" in answer.error.message
    assert "open-sesame" not in answer.text


async def test_beyond_ascii(mailing):
    """Whatever address the form takes can be written to."""
    root = await mailing.superuser()
    async with mail_server() as server:
        await use(mailing, root, server.port)
        form = {"email": "jörg@exämple.com", "template": "otp"}
        assert (await mailing.post(PATH, form, as_=root)).status == 204

    assert server.letters[0].recipients == ["jörg@xn--exmple-cua.com"]
