"""How a stored file is shown: its media type, and whether a browser may open it in a page.

What it is was found by its content when it came, never by the word of the client. Only
types on a short list open in the browser; everything else is saved. The end of a name
decides only among texts and archives, where content alone cannot tell: a picture stays
a picture, however it is called.
"""

from __future__ import annotations

import re
from typing import Final, Literal
from unicodedata import category
from urllib.parse import quote

Disposition = Literal["inline", "attachment"]

BYTES: Final = "application/octet-stream"
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_BY_EXTENSION: Final = {
    ".css": "text/css",
    ".docx": f"{_OFFICE}wordprocessingml.document",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".pptx": f"{_OFFICE}presentationml.presentation",
    ".svg": "image/svg+xml",
    ".xlsx": f"{_OFFICE}spreadsheetml.sheet",
}
_INLINE: Final = frozenset(
    {
        *("image/png", "image/jpg", "image/jpeg", "image/gif", "image/webp", "image/x-icon", "image/bmp"),
        *("video/webm", "video/mp4", "video/3gpp", "video/quicktime", "video/x-ms-wmv"),
        *("audio/basic", "audio/aiff", "audio/x-aiff", "audio/mpeg", "audio/midi", "audio/mp3", "audio/mp4"),
        *("audio/wave", "audio/wav", "audio/x-wav", "audio/x-mpeg", "audio/x-m4a", "audio/aac"),
        "application/pdf",
    }
)
_WITH_CHARSET: Final = frozenset({"text/plain", "text/html", "text/xml"})
_TYPE: Final = re.compile(
    r"[a-z0-9][\w!#$&^.+-]{0,126}/[a-z0-9][\w!#$&^.+-]{0,126}(?:; ?charset=[\w-]{1,40})?", re.ASCII
)
_PLAIN: Final = re.compile(r"[\w .,!#$&'()+=@\[\]^`{}~;-]*", re.ASCII)
_LONGEST: Final = 240  # bytes, as many as most file systems take


def served_type(stored: str, name: str) -> str:
    """The media type that a file is served as, by the type that was found and the name it is kept under."""
    stored = stored.lower()
    if _TYPE.fullmatch(stored) is None:
        return BYTES
    if stored in _INLINE:
        return stored
    dot = name.rfind(".")
    by_name = _BY_EXTENSION.get(name[dot:]) if dot >= 0 else None
    return by_name or (f"{stored}; charset=utf-8" if stored in _WITH_CHARSET else stored)


def default_disposition(served: str) -> Disposition:
    """Whether a file of a served type may be opened in the browser."""
    return "inline" if served in _INLINE else "attachment"


def content_disposition(disposition: Disposition, name: str) -> str:
    """The header (RFC 6266), which no name can break out of: what is no plain ASCII is also told as RFC 8187 wants."""
    shown = _harmless(name)
    if _PLAIN.fullmatch(shown):
        return f'{disposition}; filename="{shown}"'
    fallback = "".join(sign if _PLAIN.fullmatch(sign) else "_" for sign in shown)
    return f"{disposition}; filename=\"{fallback}\"; filename*=UTF-8''{quote(shown, safe='')}"


def _harmless(name: str) -> str:
    """The name without what could mislead: folders, control characters, marks that turn the direction of text."""
    kept = "".join("_" if category(sign)[0] == "C" or sign in "/\\" else sign for sign in name).strip(" .")
    return kept.encode(errors="replace")[-_LONGEST:].decode(errors="ignore") or "file"
