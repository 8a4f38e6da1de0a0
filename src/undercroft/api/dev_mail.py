"""What --dev keeps of mail, as pages on the machine itself: the list, a letter, its parts."""

from __future__ import annotations

import asyncio
from email.message import EmailMessage
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import quote

from undercroft.api.dev_pages import COMMON, check_developer, dev_page, letter_html, letter_parts
from undercroft.errors import NotFound
from undercroft.http.request import Request
from undercroft.http.response import Response
from undercroft.mail.folder import FOLDER, PAGE, KeptLetter, find_letter, list_letters

_SHOWN: Final = 100
SAMPLES: Final = f"{PAGE}/samples"


async def index(request: Request) -> Response:
    """All letters, newest first."""
    letters = await asyncio.to_thread(list_letters, _folder(request), _SHOWN)
    rows = "".join(
        f"<tr><td><time>{escape(str(letter.message['Date']))}</time></td><td>{escape(str(letter.message['To']))}</td>"
        f'<td><a href="{PAGE}/{quote(letter.name)}">{escape(str(letter.message["Subject"]))}</a></td></tr>'
        for letter in letters
    )
    table = f"<table><tr><th>Sent</th><th>To</th><th>Subject</th></tr>{rows}</table>"
    empty = "<p>No letters yet. Whatever the app sends appears here, and goes nowhere else.</p>"
    samples = f'<p><a href="{SAMPLES}">What every letter looks like</a></p>'
    return dev_page("Mail", (table if letters else empty) + samples, '<meta http-equiv="refresh" content="5">')


async def letter(request: Request) -> Response:
    """One letter with all its parts."""
    found = await _letter(request)
    message, here = found.message, f"{PAGE}/{quote(found.name)}"
    heads = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in message.items())
    files = "".join(
        f'<li><a href="{here}/files/{number}">{escape(part.get_filename() or f"file {number}")}</a></li>'
        for number, part in enumerate(_files(message))
    )
    content = (
        f'<p><a href="{PAGE}">All letters</a></p><table>{heads}</table>'
        f"{letter_parts(f'{here}/html' if _part(message, 'html') else '', _part(message, 'plain'))}"
        f"{f'<h2>Files</h2><ul>{files}</ul>' if files else ''}"
    )
    return dev_page(str(message["Subject"]), content)


async def html(request: Request) -> Response:
    """The HTML of a letter, for a frame in which nothing runs and nothing is loaded."""
    return letter_html(_part((await _letter(request)).message, "html"))


async def file(request: Request) -> Response:
    """A file that came with a letter, to be saved."""
    files = _files((await _letter(request)).message)
    number = request.params["number"]
    if not number.isascii() or not number.isdigit() or int(number) >= len(files):
        raise NotFound
    part = files[int(number)]
    content = part.get_payload(decode=True)
    name = quote(part.get_filename() or "file", safe="")
    headers = (
        *COMMON,
        (b"content-type", b"application/octet-stream"),
        (b"content-disposition", f"attachment; filename*=UTF-8''{name}".encode()),
        (b"content-security-policy", b"default-src 'none'; sandbox"),
    )
    return Response(200, content if isinstance(content, bytes) else b"", headers)


async def _letter(request: Request) -> KeptLetter:
    found = await asyncio.to_thread(find_letter, _folder(request), request.params["name"])
    if found is None:
        raise NotFound
    return found


def _folder(request: Request) -> Path:
    """Where letters are kept. Raises `NotUnderDevelopment`."""
    check_developer(request)
    return request.backend.directory / FOLDER


def _part(message: EmailMessage, kind: str) -> str:
    """The text of the plain or the HTML part; empty when there is none."""
    part = message.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""


def _files(message: EmailMessage) -> list[EmailMessage]:
    return [part for part in message.iter_attachments() if isinstance(part, EmailMessage)]
