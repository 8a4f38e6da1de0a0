"""Static files of a site: the folder `public`, at the root of its URLs.

    /style.css                 public/style.css, which caches ask for again each time
    /style.3f9a01c2d4.css      the same, which caches keep for ever; `static("style.css")` makes such URLs

Where `style.css.br` or `style.css.gz` lies beside a file, it is sent to those who take it;
smaller texts are compressed when they are first asked for. Names that begin with a dot
are not served, but for `.well-known`, and no link leads out of the folder.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import Final

from undercroft.api.file_answers import Sending, send_file
from undercroft.errors import Problem
from undercroft.files.store import StoredFile
from undercroft.http.conditions import Validators, judge
from undercroft.http.file_body import Source
from undercroft.http.file_response import FileResponse
from undercroft.http.request import Request
from undercroft.http.response import Header
from undercroft.pages.caching import accepted_encoding
from undercroft.pages.media_types import is_text, media_type
from undercroft.pages.public_source import Packed, PublicFile, found_file

_DIGITS: Final = 10  # hexadecimal ones of a hash in a name
_HASHED: Final = re.compile(rf"(.+)\.([0-9a-f]{{{_DIGITS}}})(\.[^.]+)")
_FOR_EVER: Final[Header] = (b"cache-control", b"public, max-age=31536000, immutable")
_ASKED_AGAIN: Final[Header] = (b"cache-control", b"no-cache")
_VARY: Final[Header] = (b"vary", b"Accept-Encoding")
_HTML: Final[Header] = (b"content-security-policy", b"base-uri 'self'; object-src 'none'; frame-ancestors 'none'")
_VARIANTS: Final = {b"br": ".br", b"gzip": ".gz"}


class NoSuchStatic(Problem):
    """A template asks for the URL of a static file that is not there."""

    code = "no_such_static"

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(f"There is no static file {name!r} in {folder}.")


@dataclass(frozen=True, slots=True)
class _Variant:
    """A way to send a file: as it is, or packed."""

    source: Source
    file: StoredFile
    encoding: bytes = b""


class PublicFolder:
    """The static files in a folder, which may be missing."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._hashes: dict[Path, tuple[int, str]] = {}
        self._packed = Packed()

    def has_file(self, segments: Sequence[str]) -> bool:
        """Whether there is a file at a path."""
        return found_file(self._root, segments) is not None

    def url_of(self, name: str) -> str:
        """The path of a static file with the hash of its content in it, for pages to link to. Raises `NoSuchStatic`."""
        segments = name.strip("/").split("/")
        file = found_file(self._root, segments)
        if file is None:
            raise NoSuchStatic(name, self._root)
        base, dot, extension = segments[-1].rpartition(".")
        hashed = f"{base}.{self._hash(file)}.{extension}" if dot and base else segments[-1]
        return "/" + "/".join([*segments[:-1], hashed])

    async def answer(self, request: Request, segments: Sequence[str]) -> FileResponse | None:
        """The answer for a path; None when there is no file."""
        file, cache = found_file(self._root, segments), _ASKED_AGAIN
        if file is None and segments:
            file, cache = self._find_hashed(segments)
        return await self._send(request, file, cache) if file is not None else None

    def _find_hashed(self, segments: Sequence[str]) -> tuple[PublicFile | None, Header]:
        """The file of a name with a hash in it: to be kept for ever if it is the hash of what the file is now."""
        match = _HASHED.fullmatch(segments[-1])
        file = found_file(self._root, [*segments[:-1], match[1] + match[3]]) if match else None
        if match is None or file is None:
            return None, _ASKED_AGAIN
        return file, _FOR_EVER if match[2] == self._hash(file) else _ASKED_AGAIN

    def _hash(self, file: PublicFile) -> str:
        known = self._hashes.get(file.location)
        if known is None or known[0] != file.changed:
            with file.location.open("rb") as content:
                digest = file_digest(content, lambda: blake2b(digest_size=_DIGITS // 2)).hexdigest()
            known = self._hashes[file.location] = (file.changed, digest)
        return known[1]

    async def _send(self, request: Request, file: PublicFile, cache: Header) -> FileResponse:
        kind = media_type(file.location.name)
        variant = await self._variant(request, file, kind)
        stored = variant.file
        has = Validators(stored.etag, stored.modified)
        told = [(b"etag", has.quoted.encode()), (b"last-modified", has.last_modified.encode())]
        shown = [cache, *([_VARY] if is_text(kind) else []), *([_HTML] if kind.startswith("text/html") else [])]
        verdict = judge(request.header, has)
        if verdict != "go on":
            return FileResponse(304 if verdict == "not modified" else 412, [*shown, *told])
        coded = [(b"content-encoding", variant.encoding)] if variant.encoding else []
        return await send_file(request, Sending(variant.source, stored, kind, shown, [*shown, *told, *coded]), has)

    async def _variant(self, request: Request, file: PublicFile, kind: str) -> _Variant:
        """The packed file for those who take it and want all of it; else the file."""
        encoding = accepted_encoding(request.header(b"accept-encoding") or b"") if is_text(kind) else b""
        if not encoding or request.header(b"range") is not None:
            return _Variant(file, file.stored())
        beside = found_file(file.location.parent, [file.location.name + _VARIANTS[encoding]])
        if beside is not None and beside.changed >= file.changed:
            return _Variant(beside, beside.stored(), encoding)
        packed = await self._packed.of(file, encoding)
        return _Variant(packed, packed.stored(), encoding) if packed is not None else _Variant(file, file.stored())
