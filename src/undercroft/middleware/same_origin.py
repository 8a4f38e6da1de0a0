"""Whether a browser says that a request comes from a page of our own.

Cookies travel with whatever a browser sends, so a request with one counts only with
this proof. `Sec-Fetch-Site` (Fetch Metadata, W3C) and `Origin` (RFC 6454) cannot be
set by scripts of another site; of the two the first is asked where there is one.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from undercroft.errors import Forbidden
from undercroft.http.request import Request

_SAFE = ("GET", "HEAD")


class CrossOrigin(Forbidden):
    """A form or script of another site sent this."""

    code = "cross_origin"
    default = (
        "This was sent from another site, or by a browser that does not say from where. Open our page and try again."
    )


def check_same_origin(request: Request) -> None:
    """Raise `CrossOrigin` unless the request comes from a page of our own."""
    if not is_same_origin(request):
        raise CrossOrigin


def is_same_origin(request: Request) -> bool:
    """Whether a page of our own sent it, or, if it only reads, the visitor opened it by hand."""
    site = request.header(b"sec-fetch-site")
    if site is not None:
        return site == b"same-origin" or (site == b"none" and request.method in _SAFE)
    origin = request.header(b"origin")
    host = (request.header(b"host") or b"").decode("latin-1")
    return origin is not None and host_of(origin.decode("latin-1")) == host


def host_of(origin: str) -> str:
    """The host, and the port where it has one, of an origin; empty for what is none."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
