"""Media types of static files, by their names: the same on every machine."""

from __future__ import annotations

from functools import lru_cache
from mimetypes import MimeTypes
from typing import Final

_MORE: Final = {
    ".avif": "image/avif",
    ".js": "text/javascript",
    ".map": "application/json",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".otf": "font/otf",
    ".ttf": "font/ttf",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".yaml": "application/yaml",
}
_TEXTS: Final = (
    *(
        "application/json",
        "application/atom+xml",
        "application/manifest+json",
        "application/wasm",
        "application/xml",
        "application/yaml",
    ),
    "image/svg+xml",
)


def media_type(name: str) -> str:
    """The media type of a file, with its charset if it is text."""
    kind, encoding = _known().guess_type(name, strict=False)
    if kind is None or encoding is not None:
        return "application/octet-stream"
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


@lru_cache(maxsize=1)
def _known() -> MimeTypes:
    types = MimeTypes(filenames=())
    for extension, kind in _MORE.items():
        types.add_type(kind, extension)
    return types


def is_text(kind: str) -> bool:
    """Whether a type is worth compressing."""
    return kind.startswith("text/") or kind.partition(";")[0] in _TEXTS
