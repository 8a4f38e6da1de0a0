"""A letter as a value: who writes what to whom.

What is put into headers and into the envelope is checked when the value is made, so a line
break in a name or an address ends here, and never as a header of its own in somebody's mail.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from undercroft.errors import BadRequest

MOST_RECIPIENTS: Final = 100
MOST_BYTES: Final = 20 * 1024 * 1024
_LONGEST_HEADER: Final = 998  # RFC 5322, 2.1.1
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_ADDRESS: Final = re.compile(r'(?:"(?:[^"\\]|\\.)+"|[^\s@"<>(),:;\[\]\\]+)@[^\s@"<>(),:;\\]+')
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9-]{1,76}")
_TYPE: Final = re.compile(r"[\w.+-]{1,64}/[\w.+-]{1,64}")
_OURS: Final = frozenset(
    ("from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "mime-version", "return-path")
)


class BadLetter(BadRequest):
    """A letter cannot be written like this: a line break in a header, no address, too large."""

    code = "bad_letter"

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(f"The letter's {part} {reason}.")
        self.part = part


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address, and the name of whoever reads there. Raises `BadLetter`."""

    address: str
    name: str = ""

    def __post_init__(self) -> None:
        _refuse_controls("address", self.address)
        _refuse_controls("name", self.name)
        if not _ADDRESS.fullmatch(self.address) or len(self.address) > 320:
            raise BadLetter("address", f"{self.address[:100]!r} is none")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that comes with a letter. Raises `BadLetter`."""

    name: str
    content: bytes
    type: str = "application/octet-stream"

    def __post_init__(self) -> None:
        _refuse_controls("attachment name", self.name)
        if not _TYPE.fullmatch(self.type) or self.type.lower().startswith(("multipart/", "message/")):
            raise BadLetter("attachment type", f"{self.type[:100]!r} is none")


@dataclass(frozen=True, slots=True)
class Letter:
    """What is written, and to whom; every recipient sees all others. Raises `BadLetter`.

    Without `text` the plain part is made of the HTML. `headers` are further ones, by name.
    """

    sender: Mailbox
    to: tuple[Mailbox, ...]
    subject: str
    html: str = ""
    text: str = ""
    reply_to: tuple[Mailbox, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    attachments: tuple[Attachment, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < len(self.to) <= MOST_RECIPIENTS:
            raise BadLetter("recipients", f"must be 1 to {MOST_RECIPIENTS}")
        _refuse_controls("subject", self.subject)
        for name, value in self.headers.items():
            _check_header(name, value)
        size = len(self.html) + len(self.text) + sum(len(attached.content) for attached in self.attachments)
        if size > MOST_BYTES:
            raise BadLetter("size", f"is over {MOST_BYTES // 1024 // 1024} MiB")


def one_line(text: str) -> str:
    """The text without what would break a header: every run of such characters is a space."""
    return " ".join(_CONTROL.sub(" ", text).split())[:_LONGEST_HEADER]


def _check_header(name: str, value: str) -> None:
    if not _HEADER_NAME.fullmatch(name):
        raise BadLetter("header name", f"{name[:100]!r} is none")
    if name.lower() in _OURS or name.lower().startswith("content-"):
        raise BadLetter(f"header {name}", "is made from its other parts")
    _refuse_controls(f"header {name}", value)


def _refuse_controls(part: str, text: str) -> None:
    if _CONTROL.search(text):
        raise BadLetter(part, "has a line break or another control character in it")
    if len(text) > _LONGEST_HEADER:
        raise BadLetter(part, f"is longer than {_LONGEST_HEADER} characters")
