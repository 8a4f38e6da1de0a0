"""A letter as the bytes that are sent, by RFC 5322 and MIME."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from typing import Final

from undercroft.domains import ascii_domain
from undercroft.mail.message import BadLetter, Letter, Mailbox
from undercroft.mail.plain_text import plain_text

_SURROGATES: Final = re.compile(r"[\ud800-\udfff]")


def write_out(letter: Letter, message_id: str) -> str:
    """The whole message, lines ending in CRLF; plain ASCII unless an address is not. Raises `BadLetter`."""
    boxes = (letter.sender, *letter.to, *letter.reply_to)
    policy = SMTP if all(box.address.rpartition("@")[0].isascii() for box in boxes) else SMTPUTF8
    message = EmailMessage(policy=policy)
    message["From"] = _address(letter.sender)
    message["To"] = _addresses(letter.to)
    if letter.reply_to:
        message["Reply-To"] = _addresses(letter.reply_to)
    message["Subject"] = _clean(letter.subject)
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = message_id
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: whoever is on holiday need not answer
    for name, value in letter.headers.items():
        del message[name]
        message[name] = _clean(value)
    _add_contents(message, letter)
    return message.as_bytes().decode("utf-8")


def ascii_address(address: str) -> str:
    """The address with its domain as DNS writes it. Raises `BadLetter`."""
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{ascii_domain(domain)}"
    except UnicodeError:
        raise BadLetter("address", f"{address[:100]!r} has a domain that cannot be") from None


def _add_contents(message: EmailMessage, letter: Letter) -> None:
    text = letter.text or plain_text(letter.html)
    message.set_content(_clean(text), cte="quoted-printable")
    if letter.html:
        message.add_alternative(_clean(letter.html), subtype="html", cte="quoted-printable")
    for attached in letter.attachments:
        main, _, sub = attached.type.partition("/")
        message.add_attachment(attached.content, maintype=main, subtype=sub, filename=_clean(attached.name))


def _addresses(boxes: Iterable[Mailbox]) -> tuple[Address, ...]:
    return tuple(_address(box) for box in boxes)


def _address(box: Mailbox) -> Address:
    local, _, domain = ascii_address(box.address).rpartition("@")
    return Address(_clean(box.name), _unquoted(local), domain)


def _unquoted(local: str) -> str:
    """What a quoted local part says; `email` quotes it again."""
    return re.sub(r"\\(.)", r"\1", local[1:-1]) if local.startswith('"') else local


def _clean(text: str) -> str:
    """The text without half characters, which no encoding can write."""
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)
