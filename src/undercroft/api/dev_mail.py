"""What --dev keeps of mail, as pages on the machine itself: the list, a letter, its parts.

Letters hold secrets, so the pages exist only under --dev, and only for who sits at the
machine: by address, by the name in the browser's bar, and through no proxy.
"""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from email.message import EmailMessage
from hashlib import sha256
from html import escape
from ipaddress import ip_address
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from undercroft.errors import NotFound
from undercroft.http.request import Request
from undercroft.http.response import Header, Response
from undercroft.mail.folder import FOLDER, PAGE, KeptLetter, find_letter, list_letters

_SHOWN: Final = 100
_FORWARDED: Final = ("x-forwarded-for", "x-forwarded-host", "forwarded", "x-real-ip", "cf-connecting-ip", "via")
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c;"
    "background:#fff}a{color:#1055c9}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem "
    ".8rem .4rem 0;border-bottom:1px solid #ddd;vertical-align:top;overflow-wrap:anywhere}iframe{width:100%;"
    "height:32rem;border:1px solid #ccc;border-radius:6px;background:#fff}pre{white-space:pre-wrap;background:#f4f4f4;"
    "padding:1rem;border-radius:6px;overflow-wrap:anywhere}time{white-space:nowrap;color:#555}"
    "@media(prefers-color-scheme:dark){body{background:#161616;color:#eee}a{color:#8ab4ff}pre{background:#242424}"
    "td,th{border-color:#333}time{color:#aaa}}"
)
_CSP: Final = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; frame-src 'self'; "
    f"style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'"
)
_LETTER_CSP: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'none'; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
_COMMON: Final[tuple[Header, ...]] = (
    (b"cache-control", b"no-store"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)


class NotUnderDevelopment(NotFound):
    """The pages for development are shown under --dev only, on the machine itself and through no proxy."""

    code = "not_under_development"
    default = "File not found."


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
    return _page("Mail", table if letters else empty, '<meta http-equiv="refresh" content="5">')


async def letter(request: Request) -> Response:
    """One letter with all its parts."""
    found = await _letter(request)
    message, here = found.message, f"{PAGE}/{quote(found.name)}"
    heads = "".join(f"<tr><th>{escape(name)}</th><td>{escape(str(value))}</td></tr>" for name, value in message.items())
    framed = f'<h2>HTML</h2><iframe sandbox="allow-popups allow-popups-to-escape-sandbox" src="{here}/html"></iframe>'
    files = "".join(
        f'<li><a href="{here}/files/{number}">{escape(part.get_filename() or f"file {number}")}</a></li>'
        for number, part in enumerate(_files(message))
    )
    content = (
        f'<p><a href="{PAGE}">All letters</a></p><table>{heads}</table>'
        f"{framed if _part(message, 'html') else ''}<h2>Text</h2><pre>{escape(_part(message, 'plain'))}</pre>"
        f"{f'<h2>Files</h2><ul>{files}</ul>' if files else ''}"
    )
    return _page(str(message["Subject"]), content)


async def html(request: Request) -> Response:
    """The HTML of a letter, for a frame in which nothing runs and nothing is loaded."""
    content = _part((await _letter(request)).message, "html")
    # Links open beside the frame, for inside of it nothing may be loaded.
    content = re.sub(r"<head[^>]*>", r'\g<0><base target="_blank">', content, count=1, flags=re.IGNORECASE)
    headers = (*_COMMON, (b"content-type", b"text/html; charset=utf-8"))
    return Response(
        200, content.encode("utf-8", "replace"), (*headers, (b"content-security-policy", _LETTER_CSP.encode()))
    )


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
        *_COMMON,
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
    peer = request.asgi.get("client")
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    is_forwarded = any(name in request.headers for name in _FORWARDED)
    is_here = _is_loopback(peer[0] if peer else "") and (_is_loopback(host) or host == "localhost")
    if not request.backend.dev_url or is_forwarded or not is_here:
        raise NotUnderDevelopment
    return request.backend.directory / FOLDER


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _part(message: EmailMessage, kind: str) -> str:
    """The text of the plain or the HTML part; empty when there is none."""
    part = message.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n") if part is not None else ""


def _files(message: EmailMessage) -> list[EmailMessage]:
    return [part for part in message.iter_attachments() if isinstance(part, EmailMessage)]


def _page(title: str, content: str, more: str = "") -> Response:
    return _html(
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{more}'
        f"<title>{escape(title)} - Undercroft</title><style>{_STYLE}</style>"
        f"<main><h1>{escape(title)}</h1>{content}</main></html>",
        _CSP,
    )


def _html(content: str, policy: str) -> Response:
    headers = ((b"content-type", b"text/html; charset=utf-8"), (b"content-security-policy", policy.encode()))
    return Response(200, content.encode("utf-8", "replace"), (*_COMMON, *headers))
