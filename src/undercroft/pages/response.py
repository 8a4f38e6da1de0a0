"""The answer of a page: its headers complete, its body as the visitor takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from undercroft.http.request import Send
from undercroft.http.response import Header, Response
from undercroft.middleware.security_headers import POLICY, allow_nonce, page_headers
from undercroft.pages.caching import FOR_ERRORS, PRIVATE, REVALIDATED, compress, etag_of, has_tag
from undercroft.pages.context import PageRequest
from undercroft.pages.media_types import is_text
from undercroft.pages.options import SiteOptions

_NOT_MODIFIED: Final = 304
_SAFE: Final = ("GET", "HEAD")
_KEPT: Final = (b"x-request-id", b"connection")  # of the headers that every response has; pages have their own others
_CACHE: Final = b"cache-control"


class PageResponse(Response):
    """An answer with the headers of pages in place of those of the API."""

    __slots__ = ()

    async def send(self, send: Send, common: Sequence[Header], *, without_body: bool = False) -> None:
        """Send it."""
        kept = [header for header in common if header[0] in _KEPT]
        await super().send(send, kept, without_body=without_body)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page came to, before it is fit to be sent. `cache` and `policy` are what the page says itself."""

    body: bytes
    kind: str
    status: int = 200
    headers: Sequence[Header] = ()
    cache: str = ""
    policy: str = ""


@dataclass(frozen=True, slots=True)
class Finisher:
    """Makes responses of what pages came to, for one site."""

    options: SiteOptions
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, options: SiteOptions) -> Finisher:
        """The finisher of a site. Its headers are worked out once."""
        return cls(options, page_headers(options.headers))

    async def finish(self, visit: PageRequest, shown: Shown) -> Response:
        """The response: security headers, what caches may do, 304 where the visitor has it, compressed."""
        visit.clock.turn_to("finish")
        cache, chosen = self._cache(visit, shown), dict(shown.headers)
        usual = [header for header in self._security(visit, shown.policy) if header[0] not in chosen]
        headers = [*usual, *visit.headers_to_send, (_CACHE, cache), (b"vary", _vary(visit))]
        headers += [header for header in shown.headers if header[0] != _CACHE]
        if b"no-store" not in cache and shown.status == 200 and visit.method in _SAFE and b"etag" not in chosen:
            etag = etag_of(shown.body)
            headers.append((b"etag", etag))
            if has_tag(visit.http, etag):
                return self._timed(visit, PageResponse(_NOT_MODIFIED, b"", headers))
        body, encoding, kind = shown.body, b"", shown.kind or chosen.get(b"content-type", b"").decode("latin-1")
        if is_text(kind) and b"content-encoding" not in chosen:
            body, encoding = await compress(visit.http, shown.body)
        headers += [(b"content-encoding", encoding)] if encoding else []
        headers += [(b"content-type", kind.encode("latin-1"))] if shown.kind else []
        return self._timed(visit, PageResponse(shown.status, body, headers))

    def _security(self, visit: PageRequest, policy: str) -> list[Header]:
        chosen = {**self.headers, POLICY: policy} if policy else self.headers
        if visit.used_nonce and POLICY in chosen:
            chosen = {**chosen, POLICY: allow_nonce(chosen[POLICY], visit.used_nonce)}
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in chosen.items()]

    def _cache(self, visit: PageRequest, shown: Shown) -> bytes:
        sets_cookie = any(name == b"set-cookie" for name, _ in (*shown.headers, *visit.headers_to_send))
        if visit.is_private or sets_cookie or visit.http.header(b"authorization") is not None:
            return PRIVATE
        told = next((value for name, value in shown.headers if name == _CACHE), shown.cache.encode("latin-1"))
        return told or (FOR_ERRORS if shown.status >= 400 else REVALIDATED)

    def _timed(self, visit: PageRequest, response: Response) -> Response:
        if self.options.has_timing or self.options.is_dev:
            response.headers = [*response.headers, (b"server-timing", visit.clock.header())]
        return response


def _vary(visit: PageRequest) -> bytes:
    """What of the request the answer depends on, besides its URL."""
    return b"Accept-Encoding, Cookie, Authorization" + (b", HX-Request" if "_block" in visit.query else b"")
