"""What a file is, by its content: the word of the client does not count."""

from __future__ import annotations

import re

import filetype

HEAD = 3072
_XML_START = re.compile(
    rb"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*(?:<!doctype[^>]*>\s*)?<(\w+)", re.DOTALL | re.IGNORECASE
)
_MARKUP = {b"svg": "image/svg+xml", b"html": "text/html", b"head": "text/html", b"body": "text/html"}
_WITH_CHARSET = ("text/plain", "text/html", "text/xml")
_EXTENSIONS = {
    "application/pdf": ".pdf",
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "text/html": ".html",
    "text/plain": ".txt",
}


def media_type(head: bytes) -> str:
    """The media type for the first bytes of a file, of text with its character set."""
    found = sniff(head)
    return f"{found}; charset=utf-8" if found in _WITH_CHARSET else found


def sniff(head: bytes) -> str:
    """The media type for the first bytes of a file, without parameters."""
    known = filetype.guess(head)
    if known is not None:
        mime: str = known.mime
        return mime
    markup = _XML_START.match(head)
    if markup:
        tag = markup[1].lower()
        return _MARKUP.get(tag, "text/xml" if head.lstrip()[:5] == b"<?xml" else _text_or_bytes(head))
    if head.lstrip()[:14].lower() == b"<!doctype html":
        return "text/html"
    return _json(head) or _text_or_bytes(head)


def matches_type(found: str, wanted: str) -> bool:
    """Whether a sniffed type is an allowed one, whatever its parameters."""
    return bare_type(found) == bare_type(wanted)


def bare_type(mime: str) -> str:
    """A media type without its parameters, in lower case."""
    return mime.partition(";")[0].strip().lower()


def extension_for(mime: str) -> str:
    """The usual extension of a media type, whatever its parameters, with its dot; empty when unknown."""
    mime = bare_type(mime)
    if mime in _EXTENSIONS:
        return _EXTENSIONS[mime]
    kind = filetype.get_type(mime=mime)
    return f".{kind.extension}" if kind is not None else ""


def _json(head: bytes) -> str | None:
    text = head.strip()
    return "application/json" if text[:1] in (b"{", b"[") and text[-1:] in (b"}", b"]") and b"\0" not in text else None


def _text_or_bytes(head: bytes) -> str:
    if b"\0" in head:
        return "application/octet-stream"
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # a character may be cut at the end of the head
        return "text/plain" if error.start >= len(head) - 3 and len(head) >= HEAD else "application/octet-stream"
    return "text/plain"
