"""What a script may answer with, besides a dict for its template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from undercroft.errors import NotFound, Problem
from undercroft.http.response import Header, Response

SEE_OTHER: Final = 303


@dataclass(frozen=True, slots=True)
class Rendered:
    """A template to show: the page's own (empty `page`), or that of another page, with a status."""

    page: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200
    headers: Sequence[Header] = ()


class BadRedirect(Problem):
    """A script redirects to something that is no address of a page."""

    code = "bad_redirect"

    def __init__(self, target: str) -> None:
        super().__init__(f"Cannot redirect to {target[:100]!r}: write a path such as /terms, or a URL with https://.")


def render(page: str = "", /, status: int = 200, **context: Any) -> Rendered:
    """Show a page's template with these names: the script's own page, or another by its name, such as `terms/form`."""
    return Rendered(page, context, status)


def redirect(target: str, status: int = SEE_OTHER) -> Response:
    """Send the visitor to a path of this site, or to a whole URL. Raises `BadRedirect`.

    A path that a browser would take for another site (`//evil.example`) is refused, so
    that a target taken from the request leads nowhere else.
    """
    is_whole = target.startswith(("https://", "http://")) and not any(ord(letter) < 32 for letter in target)
    if not is_whole and not is_local(target):
        raise BadRedirect(target)
    return Response(status, b"", [(b"location", _ascii(target))])


def is_local(target: str) -> bool:
    """Whether a browser takes this for a path of the same site."""
    return target.startswith("/") and target[1:2] not in ("/", "\\") and all(letter >= " " for letter in target)


def not_found(text: str = "") -> NoReturn:
    """Answer that there is nothing here. Raises `NotFound`."""
    raise NotFound(text)


def _ascii(target: str) -> bytes:
    """A target with what is not ASCII escaped, as a header wants it."""
    return b"".join(bytes([byte]) if 0x20 < byte < 0x7F else b"%%%02X" % byte for byte in target.encode())
