"""Atom feeds (RFC 4287) from records.

async def get(request):
terms = await request.records.terms.list(sort="-published")
return feed(request, "New terms", [Entry(t.title, f"/terms/{t.slug}", t.published, t.body) for t in terms])
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from undercroft.http.response import Response
from undercroft.pages.context import PageRequest
from undercroft.templating.markdown import sanitize

_KIND: Final = b"application/atom+xml; charset=utf-8"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: `path` is where it can be read, `content` HTML, which is sanitised."""

    title: str
    path: str
    updated: date | None
    content: str = ""
    author: str = ""


def feed(request: PageRequest, title: str, entries: Sequence[Entry], *, path: str = "/") -> Response:
    """A feed of entries; `path` is the page that it is the feed of."""
    home, own = request.origin + path, request.origin + request.path
    newest = max((_moment(entry.updated) for entry in entries), default=_EPOCH)
    parts = [
        '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom">\n',
        f"<title>{_text(title)}</title><id>{_text(home)}</id><updated>{newest.isoformat()}</updated>\n",
        f'<link rel="alternate" type="text/html" href={quoteattr(home)}/>',
        f'<link rel="self" type="application/atom+xml" href={quoteattr(own)}/>\n',
        *(_entry(request.origin, entry, title) for entry in entries),
        "</feed>\n",
    ]
    return Response(200, "".join(parts).encode(), [(b"content-type", _KIND)])


def _entry(origin: str, entry: Entry, feed_title: str) -> str:
    url = origin + entry.path
    author = entry.author or feed_title  # RFC 4287, 4.1.2: an entry has an author, if only the feed itself
    content = f'<content type="html">{_text(str(sanitize(entry.content)))}</content>' if entry.content else ""
    return (
        f"<entry><title>{_text(entry.title)}</title><id>{_text(url)}</id>"
        f"<updated>{_moment(entry.updated).isoformat()}</updated><link href={quoteattr(url)}/>"
        f"<author><name>{_text(author)}</name></author>{content}</entry>\n"
    )


def _moment(value: date | None) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return datetime.combine(value, time(), UTC) if value is not None else _EPOCH


def _text(text: str) -> str:
    """Text as XML can hold it: without the control characters that it cannot."""
    return escape("".join(letter for letter in text if letter >= " " or letter in "\t\n"))
